/**
 * The words of a class file: one class with its numbers, period, policy, room, terminals, timetable, teachers and roster.
 *
 * Only shape and single values are judged here; what needs two values, a policy or a calendar is judged in `class-file.ts`.
 * Numbers that are meant as text need quotes, so that a trainee number `0012` never silently becomes 12.
 */
import { z } from 'zod';
import { bilingual } from '../core/faults.js';
import { parseLocalDate, type LocalDate } from '../core/time.js';
import { DOCUMENT_TYPES } from './identity.js';
import { WEEKDAYS } from './timetable.js';

/** Numbers stand in record ids (`classNo/traineeNo/date`), file names and topics of other programs: no slash, no blank. */
const number = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u,
    bilingual('1 to 64 letters, digits, ".", "_" or "-"', '1 至 64 个字母、汉字、数字或 “.”、“_”、“-”'),
  )
  .transform((text) => text.normalize('NFC'));

/** Text for people: no control characters, no outer blanks. */
const words = (max: number): z.ZodType<string, string> =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(
      /^(?=.*\S)[^\u0000-\u001f\u007f]+$/,
      bilingual('one line of text, not blank, without control characters', '单行文本，不能为空白，不含控制字符'),
    )
    .transform((text) => text.trim().normalize('NFC'));

const date = z
  .string()
  .refine(
    (text) => parseLocalDate(text) !== null,
    bilingual('a date YYYY-MM-DD that exists', '真实存在的日期 YYYY-MM-DD'),
  )
  .transform((text) => text as LocalDate);

const time = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, bilingual('a time HH:mm in quotes', '带引号的 HH:mm 时间'));

const period = z.strictObject({ from: date, to: date });

const sessionId = z.enum(['AM', 'PM']);

/** One session of a day, whole or leaning on the policy's. */
export const SESSION_SCHEMA = z.strictObject({
  id: sessionId,
  start: time.optional(),
  end: time.optional(),
  lessons: z.number().int().min(1).max(12).optional(),
  online: z.boolean().default(false),
  form: z.enum(['theory', 'practice']).default('theory'),
  content: words(200).optional(),
  teacher: number.optional(),
  room: words(64).optional(),
});

/** A whole session, or the id of one of the policy's. */
const sessions = z
  .array(z.union([sessionId, SESSION_SCHEMA]))
  .min(1)
  .max(2);

const day = z.strictObject({ date, sessions: sessions.optional() });

const pattern = z.strictObject({
  from: date.optional(),
  to: date.optional(),
  weekdays: z.array(z.enum(WEEKDAYS)).min(1),
  except: z.array(date).default([]),
  sessions: sessions.optional(),
});

const trainee = z.strictObject({
  traineeNo: number,
  name: z.string(),
  documentType: z.enum(DOCUMENT_TYPES).default('idCard'),
  documentNumber: z.string(),
  deviceUserId: number.optional(),
  enrolledFrom: date.optional(),
  enrolledTo: date.optional(),
  /** Other methods that a supervisor granted this person (R34). */
  alternativeMethods: z.array(z.enum(['finger', 'card', 'password', 'palm', 'iris', 'qr'])).default([]),
});

const teacher = z.strictObject({
  teacherNo: number,
  name: z.string(),
  qualification: words(120).optional(),
  deviceUserId: number.optional(),
});

/** R15: why the timetable of an active class changes, and who changes it. */
const change = z.strictObject({ reason: words(200), by: number, approvedBy: number.optional() });

/** R8: a changed name or document number names who asked and who approved. */
const correction = z.strictObject({
  traineeNo: number,
  reason: words(200),
  requestedBy: number,
  approvedBy: number,
});

const occupation = z.strictObject({ code: words(32), name: words(64), level: words(32) });

export const CLASS_SCHEMA = z.strictObject({
  cityClassNo: number,
  regionalClassNo: number.optional(),
  name: words(120),
  institution: words(120),
  occupation,
  period,
  plannedHours: z.number().int().min(1).max(5000),
  /** Head count by the documents of the approval (R11); not the length of the roster. */
  approvedHeadcount: z.number().int().min(1).max(5000).optional(),
  policy: number.optional(),
  approval: words(120).optional(),
  /** R5: activated by a supervisor without approval; the class is then flagged. */
  unapproved: z.strictObject({ by: number, reason: words(200) }).optional(),
  room: words(64),
  /** R20: taught elsewhere for a time, with the reference of its approval; the class is then flagged. */
  temporaryVenue: z.strictObject({ place: words(120), approval: words(120) }).optional(),
  terminals: z
    .array(z.strictObject({ terminal: number, from: date.optional(), to: date.optional() }))
    .min(1)
    .max(64),
  timetable: z.union([z.array(day).min(1).max(366), pattern]),
  teachers: z.array(teacher).min(1).max(64),
  /** 班主任: number of one of the teachers; stands on the attendance table. */
  classTeacher: number.optional(),
  roster: z.array(trainee).min(1).max(500),
  corrections: z.array(correction).max(100).default([]),
  change: change.optional(),
});

/** A class that is still being prepared: everything but its number may be missing; what is there has the same form. */
export const CLASS_PARTS_SCHEMA = CLASS_SCHEMA.partial().extend({
  cityClassNo: number,
  occupation: occupation.partial().optional(),
});

export type ClassParts = z.output<typeof CLASS_PARTS_SCHEMA>;
export type SessionEntry = NonNullable<z.output<typeof day>['sessions']>[number];
