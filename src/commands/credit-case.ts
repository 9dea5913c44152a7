/**
 * The form of a credit case, `test/golden/*.json` and whatever a county sends as a dispute: a day of one person or the
 * totals of a class, with what is expected. Reads, checks and turns it into questions for the rules; computes nothing.
 * Defaults: preset baotou-2023 with its sessions, method face, live, clock right, received two seconds later, terminal
 * assigned, person enrolled, gateway clock good. Throws `bad-case` with case and path.
 */
import { DIRECTIONS, type Direction } from '../core/punch-words.js';
import { z } from 'zod';
import { fail, type GatewayError } from '../core/errors.js';
import { bilingual, issuesOf, schemaFaults } from '../core/faults.js';
import {
  dateAt,
  instant,
  instantToWall,
  parseIso,
  parseLocalDate,
  parseWallTime,
  type Instant,
  type LocalDate,
  type WallTime,
} from '../core/time.js';
import type { DayPunch, DayQuestion, Enrolment, SlotId } from '../rules/day-credit.js';
import { ageInSeconds, offsetInSeconds } from '../rules/effective-time.js';
import { minuteOf, type Session } from '../rules/grid.js';
import { locate, type Policy } from '../rules/policy.js';

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
const momentMessage = bilingual(
  'a time such as 2023-03-06T08:21:10+08:00 is wanted',
  '应为 2023-03-06T08:21:10+08:00 形式的时间',
);
/** May name a date that does not exist: terminals do. */
const told = z.string().regex(MOMENT, momentMessage);
const moment = z.string().refine((text) => MOMENT.test(text) && parseIso(text) !== null, momentMessage);
const date = z
  .string()
  .refine(
    (text) => parseLocalDate(text) !== null,
    bilingual('a date YYYY-MM-DD that exists is wanted', '应为存在的日期 YYYY-MM-DD'),
  );
const time = z
  .string()
  .refine((text) => minuteOf(text) !== null, bilingual('a time HH:mm is wanted', '应为 HH:mm 形式的时间'));
const hours = z.number().min(0);
const byDate = z.array(z.tuple([date, hours]));

const punch = z.strictObject({
  deviceTime: told,
  terminal: z.string().min(1).default('T1'),
  receivedAt: moment.optional(),
  offsetSeconds: z.number().nullable().default(0),
  offsetAgeSeconds: z.number().min(0).default(0),
  delivery: z.enum(['live', 'backfill', 'backfilled']).default('live'),
  reviewed: moment.nullable().default(null),
  method: z.string().min(1).default('face'),
  score: z.number().nullable().default(null),
  direction: z.enum(DIRECTIONS).nullable().default(null),
});

const session = z.strictObject({
  id: z.enum(['AM', 'PM']),
  start: time,
  end: time,
  lessons: z.int().min(1).max(24),
  online: z.boolean().default(false),
});

const enrolment = z.strictObject({ from: date.nullish(), to: date.nullish() });
const common = {
  id: z.string().min(1),
  title: z.string().default(''),
  note: z.string().optional(),
  preset: z.string().default('baotou-2023'),
  policy: z.record(z.string(), z.unknown()).default({}),
  expect: z.record(z.string(), z.unknown()).optional(),
};

const otherClass = z.strictObject({
  classNo: z.string().min(1),
  enrolment: z.union([enrolment, z.array(enrolment)]).nullish(),
  terminals: z.array(z.string().min(1)).min(1),
  sessions: z.array(session).optional(),
  grantedMethods: z.array(z.string()).default([]),
});

const dayCase = z.strictObject({
  ...common,
  kind: z.literal('day'),
  date,
  classNo: z.string().default('class'),
  trainee: z.string().default('trainee'),
  sessions: z.array(session).optional(),
  terminals: z.record(z.string(), z.string()).default({}),
  enrolment: z.union([enrolment, z.array(enrolment)]).nullish(),
  grantedMethods: z.array(z.string()).default([]),
  gatewayClockTrusted: z.boolean().default(true),
  punches: z.array(punch).default([]),
  leaves: z.array(z.enum(['AM', 'PM'])).default([]),
  makeups: z.array(z.enum(['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'])).default([]),
  online: z.array(z.strictObject({ kind: z.enum(['theory', 'practice']), minutes: z.int().min(0) })).default([]),
  outages: z.array(z.tuple([time, time])).default([]),
  otherClasses: z.array(otherClass).default([]),
});

/** `required: 0`: the course has no such lessons. */
const part = z.strictObject({ hours, required: hours });
const classCase = z.strictObject({
  ...common,
  kind: z.literal('class'),
  requiredHours: z.number().positive(),
  people: z.array(
    z.strictObject({
      trainee: z.string().min(1),
      hoursByPunch: hours,
      makeupHoursByDate: byDate.default([]),
      onlineHours: hours.optional(),
      onlineHoursByDate: byDate.optional(),
      theory: part.nullable().default(null),
      practice: part.nullable().default(null),
    }),
  ),
});

export type DayCase = z.output<typeof dayCase>;
export type ClassCase = z.output<typeof classCase>;
export type CreditCase = DayCase | ClassCase;
type CasePunch = DayCase['punches'][number];

/** Checks one case. `where` is its place in the file, for a case without an id. */
export function parseCase(value: unknown, file: string, where: number): CreditCase {
  const id = idOf(value) ?? `#${where + 1}`;
  const given = withKind(value);
  const schema = kindOf(given) === 'class' ? classCase : dayCase;
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const root = locate(given);
  const fault = schemaFaults(issuesOf(schema, given), root, {
    knownAt: (path) =>
      path.length === 0 ? Object.keys(schema.shape) : path[0] === 'punches' ? Object.keys(punch.shape) : [],
  })[0];
  const reason = [fault?.en ?? 'not a case', fault?.nearest == null ? '' : fault.remedyEn].join(' ').trim();
  const reasonZh = `${fault?.zh ?? '不是算例'}${fault?.nearest == null ? '' : fault.remedyZh}`;
  throw fail('bad-case', { id, file, path: fault?.path ?? '', reason, reasonZh });
}

function idOf(value: unknown): string | null {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' ? value.id : null;
}

/** A case that does not say its kind: one with people is a class. */
function withKind(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'kind' in value) return value;
  return { ...value, kind: 'people' in value ? 'class' : 'day' };
}

function kindOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
}

export interface DayInput {
  readonly question: DayQuestion;
  /** `deviceTime` as the case gives it, by punch number. */
  readonly toldTexts: ReadonlyMap<number, string>;
}

/** The case as a question. Punches are numbered in order of arrival, whatever their order in the file. */
export function questionOf(input: DayCase, file: string, policy: Policy): DayInput {
  const day = input.date as LocalDate;
  const bad = (path: string, reason: string, reasonZh: string): GatewayError =>
    fail('bad-case', { id: input.id, file, path, reason, reasonZh });
  const arrivals = input.punches.map((one, at) => {
    const rx = one.receivedAt === undefined ? receivedByDefault(one) : parseIso(one.receivedAt);
    if (rx === null)
      throw bad(
        `punches.${at}.receivedAt`,
        'wanted, because deviceTime does not exist.',
        'deviceTime 不存在时必须填写。',
      );
    return { one, rx };
  });
  const toldTexts = new Map<number, string>();
  const punches = distinct(arrivals, policy).map(({ one, rx }, at): DayPunch => {
    toldTexts.set(at + 1, one.deviceTime);
    return dayPunch(one, rx, at + 1, policy);
  });
  const assigned = (id: string): boolean =>
    !Object.hasOwn(input.terminals, id) || (input.terminals[id] ?? '').startsWith('this class');
  const sessions: readonly Session[] = input.sessions ?? policy.sessions;
  const known = new Set<string>(sessions.map(({ id }) => id));
  input.makeups.forEach((slot, at) => {
    if (!known.has(slot.slice(0, 2))) throw bad(`makeups.${at}`, 'no such session on this date.', '该日没有这一时段。');
  });
  const question: DayQuestion = {
    classNo: input.classNo,
    traineeNo: input.trainee,
    date: day,
    sessions,
    classDates: [],
    terminals: [...new Set([...Object.keys(input.terminals), ...punches.map(({ terminal }) => terminal)])]
      .filter(assigned)
      .sort(),
    enrolment: enrolmentOf(input.enrolment),
    grantedMethods: input.grantedMethods,
    gatewayClockTrusted: input.gatewayClockTrusted,
    punches,
    leaves: input.leaves,
    makeups: input.makeups satisfies SlotId[],
    online: input.online,
    outages: input.outages.map(([from, to]) => ({
      from: dateAt(day, from, policy.timezone),
      to: dateAt(day, to, policy.timezone),
    })),
    rivals: input.otherClasses.map((other) => ({
      ...other,
      enrolment: enrolmentOf(other.enrolment),
      sessions: other.sessions ?? sessions,
      policy,
    })),
    timetableVersion: null,
    rosterVersion: null,
  };
  return { question, toldTexts };
}

function enrolmentOf(given: DayCase['enrolment']): readonly Enrolment[] | null {
  if (given == null) return null;
  return [given].flat().map(({ from, to }) => ({
    from: (from ?? '0001-01-01') as LocalDate,
    to: (to ?? null) as LocalDate | null,
  }));
}

function receivedByDefault(one: CasePunch): Instant | null {
  const at = parseIso(one.deviceTime);
  return at === null ? null : instant(at + 2000);
}

interface Arrival {
  readonly one: CasePunch;
  readonly rx: Instant;
}

/** In order of arrival; what terminal and told time name twice is one punch, the first to arrive. */
function distinct(arrivals: readonly Arrival[], policy: Policy): readonly Arrival[] {
  const key = ({ one }: Arrival): string => JSON.stringify([one.terminal, wallOf(one, policy)]);
  const text = (arrival: Arrival): string =>
    `${key(arrival)}${arrival.one.delivery === 'live' ? 0 : 1}${JSON.stringify(arrival.one)}`;
  const sorted = [...arrivals].sort((a, b) => a.rx - b.rx || (text(a) < text(b) ? -1 : 1));
  const seen = new Set<string>();
  return sorted.filter((arrival) => {
    const fresh = !seen.has(key(arrival));
    seen.add(key(arrival));
    return fresh;
  });
}

function wallOf(one: CasePunch, policy: Policy): WallTime {
  const at = parseIso(one.deviceTime);
  if (at !== null) return instantToWall(at, policy.timezone);
  return (
    parseWallTime(`${one.deviceTime.slice(0, 10)} ${one.deviceTime.slice(11, 19)}`) ??
    instantToWall(instant(0), policy.timezone)
  );
}

function dayPunch(one: CasePunch, rx: Instant, n: number, policy: Policy): DayPunch {
  const direction: Direction = one.direction ?? 'unknown';
  return {
    n,
    terminal: one.terminal,
    wallTime: wallOf(one, policy),
    instant: parseIso(one.deviceTime),
    rx,
    offsetSeconds: one.offsetSeconds === null ? null : offsetInSeconds(one.offsetSeconds * 1000),
    offsetAgeSeconds: one.offsetSeconds === null ? null : ageInSeconds(one.offsetAgeSeconds * 1000),
    delivery: one.delivery === 'live' ? 'live' : 'backfill',
    verify: one.method,
    score: one.score,
    direction,
    ...(one.reviewed === null ? {} : { reviewed: parseIso(one.reviewed) }),
  };
}
