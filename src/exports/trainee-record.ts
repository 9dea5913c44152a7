/**
 * The record of one trainee (电子化凭证, R87) as data: hours by day with the reason why a lesson did not count, totals, both
 * thresholds, policy, digest and the signed summary of its QR code. Drawn from the attendance table of the class, so the two
 * cannot differ. Pure; says nowhere that somebody has passed (R40).
 */
import { createHash } from 'node:crypto';
import type { LocalDate } from '../core/time.js';
import type { ExplanationLine, SlotId } from '../rules/day-credit.js';
import { explainLine, type ExplainLanguage } from '../rules/explain.js';
import { canonicalJson } from '../rules/policy.js';
import type { AttendancePerson, AttendanceTable, PersonDay } from './attendance.js';
import { unsignedToken, type SignToken, type TraineeClaims } from './token.js';

export interface Reason {
  readonly zh: string;
  readonly en: string;
}

export interface TraineeDay extends PersonDay {
  /** Slots that the date has for everybody. */
  readonly planned: readonly SlotId[];
  readonly online: boolean;
  /** Why lessons did not count or hours were cut; empty where all of them count. */
  readonly why: readonly Reason[];
}

type ClassHead = Pick<
  AttendanceTable,
  | 'institution'
  | 'className'
  | 'classNo'
  | 'classNoKind'
  | 'otherClassNo'
  | 'occupation'
  | 'from'
  | 'to'
  | 'plannedHours'
  | 'room'
  | 'thresholds'
  | 'policy'
  | 'throughN'
  | 'madeBy'
  | 'madeOn'
>;

export interface TraineeRecord extends ClassHead, Omit<AttendancePerson, 'no' | 'days'> {
  readonly days: readonly TraineeDay[];
  /** Of this person's days: `provisional` as soon as one is. */
  readonly status: AttendanceTable['status'];
  /** SHA-256 over the canonical JSON of this value without `digest` and `token`. */
  readonly digest: string;
  /** Text of the QR code. */
  readonly token: string;
}

/** Why a day is what it is, in the order of its explanation; empty: nothing is known. */
export type Explanations = (traineeNo: string, date: LocalDate) => readonly ExplanationLine[];

/** Null: the class has no such trainee. */
export function traineeRecord(
  table: AttendanceTable,
  traineeNo: string,
  explanations: Explanations,
  sign: SignToken | null,
): TraineeRecord | null {
  const person = table.people.find((one) => one.traineeNo === traineeNo);
  if (person === undefined) return null;
  const record: Omit<TraineeRecord, 'digest' | 'token'> = {
    ...headOf(table),
    ...totalsOf(person),
    days: person.days.map((day) => {
      const planned = table.days.find((one) => one.date === day.date);
      return {
        ...day,
        planned: planned?.slots ?? [],
        online: planned?.online ?? false,
        why: reasonsOf(explanations(traineeNo, day.date)),
      };
    }),
    status: statusOf(table, person),
  };
  const digest = createHash('sha256').update(canonicalJson(record)).digest('hex');
  const claims = JSON.stringify(claimsOf(record, digest));
  return { ...record, digest, token: sign?.('rollcall-trainee+jws', claims) ?? unsignedToken(digest) };
}

function headOf(table: AttendanceTable): ClassHead {
  const { institution, className, classNo, classNoKind, otherClassNo, occupation, from, to, plannedHours } = table;
  const { room, thresholds, policy, throughN, madeBy, madeOn } = table;
  return {
    ...{ institution, className, classNo, classNoKind, otherClassNo, occupation, from, to, plannedHours },
    ...{ room, thresholds, policy, throughN, madeBy, madeOn },
  };
}

/** Everything of the person's line but its place on the table. */
function totalsOf(person: AttendancePerson): Omit<AttendancePerson, 'no' | 'days'> {
  const { traineeNo, name, maskedDocument, hoursByPunch, makeupCounted, onlineCounted, totalHours } = person;
  const { requiredHours, percent, attendanceQualified, examEligible, remarks } = person;
  return {
    ...{ traineeNo, name, maskedDocument, hoursByPunch, makeupCounted, onlineCounted, totalHours },
    ...{ requiredHours, percent, attendanceQualified, examEligible, remarks },
  };
}

function statusOf(table: AttendanceTable, { days }: AttendancePerson): TraineeRecord['status'] {
  if (table.status === 'sealed') return 'sealed';
  const away = (day: PersonDay): boolean => day.slots.some(({ marks }) => marks.includes('—'));
  return days.some((day) => day.status === 'provisional' || (day.status === null && !away(day)))
    ? 'provisional'
    : 'final';
}

function claimsOf(record: Omit<TraineeRecord, 'digest' | 'token'>, digest: string): TraineeClaims {
  return {
    v: 1,
    class: record.classNo,
    trainee: record.traineeNo,
    from: record.from,
    to: record.to,
    policy: record.policy,
    hours: {
      punch: record.hoursByPunch,
      makeup: record.makeupCounted,
      online: record.onlineCounted,
      total: record.totalHours,
      required: record.requiredHours,
    },
    percent: record.percent,
    status: record.status,
    throughN: record.throughN,
    digest,
    at: record.madeOn,
  };
}

/** Lessons that did not count, caps, and punches that another rule than repetition left out. */
const LOST = new Set(
  ['LATE', 'EARLY', 'LATE_AND_EARLY', 'ABSENT', 'NO_IN', 'NO_OUT', 'LEAVE'].map((one) => `LESSON_${one}`),
);
const CUT = new Set(['DAY_CAP', 'ONLINE_DAY_CAP', 'PRACTICE_ONLINE']);
const REPEATED = new Set(['PUNCH_DUPLICATE', 'PUNCH_EXTRA']);

/** One sentence for lessons that were lost in a row for the same reason. */
export function reasonsOf(lines: readonly ExplanationLine[]): readonly Reason[] {
  const groups: ExplanationLine[][] = [];
  for (const line of lines) {
    const isTold = LOST.has(line.code) || CUT.has(line.code) || (line.about === 'punch' && !REPEATED.has(line.code));
    if (!isTold) continue;
    const last = groups.at(-1);
    const before = last?.at(-1);
    const follows =
      line.about === 'lesson' && before?.code === line.code && before.session === line.session && isNext(before, line);
    if (follows) last?.push(line);
    else groups.push([line]);
  }
  return groups.map((group) => ({ zh: sentence(group, 'zh'), en: sentence(group, 'en') }));
}

const isNext = (before: ExplanationLine, line: ExplanationLine): boolean => (before.lesson ?? 0) + 1 === line.lesson;

function sentence(group: readonly ExplanationLine[], language: ExplainLanguage): string {
  const [first] = group;
  const last = group.at(-1);
  if (first === undefined || last === undefined) return '';
  if (first === last) return explainLine(first, language);
  // The sentence of one lesson, over the time of all of them.
  const end = last.params.end ?? '';
  const whole = explainLine({ ...first, params: { ...first.params, end } }, language);
  const [from, to] = [String(first.lesson), String(last.lesson)];
  return whole
    .replace(`第${from}节`, `第${from}–${to}节`)
    .replace(`lesson ${from},`, `lessons ${from}–${to},`)
    .replace('does not count', 'do not count');
}
