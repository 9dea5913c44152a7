/**
 * The sums of a class (requirements 4.11): planned, attended and delivered hours, sessions held, average rate, inspections due,
 * people over each threshold, flags by kind; with the total of each person. Pure: everything is in the question.
 *
 * Only integers decide; ratios have one decimal and are rounded down. Nothing here says "passed", and no flag changes an hour.
 */
import type { LocalDate } from '../core/time.js';
import type { DayCredit, Enrolment } from './day-credit.js';
import { lessonDeliveries, type FrameProof, type LessonDelivery } from './delivery.js';
import { flagKind, splitFlag, type FlagKind } from './flags.js';
import type { SessionId } from './grid.js';
import { personDays } from './part-hours.js';
import { patternFindings, type PatternFinding, type PatternPunch } from './patterns.js';
import type { CreditedDay, TimetableDay } from './planned-day.js';
import type { Policy } from './policy.js';
import { teacherFindings, type TeacherFinding, type TeacherPunch } from './teachers.js';
import { inspectionsDue, personTotal, type PartHours, type PersonTotal } from './totals.js';
import { isEnrolled } from './usable.js';

export interface ClassPerson {
  readonly traineeNo: string;
  /** null: enrolled throughout. */
  readonly enrolment: readonly Enrolment[] | null;
  /** The results in force, one for each date; withdrawn ones are left out. */
  readonly days: readonly CreditedDay[];
  /** Flags of the person that no rule here finds: `REPEAT_OCCUPATION`, `NO_CONSENT`. */
  readonly flags: readonly string[];
}

export interface ClassQuestion {
  readonly classNo: string;
  /** Planned hours of the class (规定课时), more than 0. */
  readonly plannedHours: number;
  /** Every day of the timetable in force, also those to come. */
  readonly timetable: readonly TimetableDay[];
  /** Last date that is over; teachers are judged up to it. null: none yet. */
  readonly through: LocalDate | null;
  readonly people: readonly ClassPerson[];
  /** Punches of the teachers on the class's terminals; null: teachers cannot be known, and none is missed. */
  readonly teacherPunches: readonly TeacherPunch[] | null;
  /** null: no frames are taken yet. */
  readonly frames: readonly FrameProof[] | null;
  /** Punches of the people near the class's days, for patterns; empty: only what day results tell is looked for. */
  readonly punches: readonly PatternPunch[];
  /** Flags of the class that no rule here finds: `UNAPPROVED_CLASS`, `TIMETABLE_CHANGED`, one entry for each time. */
  readonly flags: readonly string[];
}

/** A person's total with the part sums that thresholds over theory and practice look at. */
export interface ClassPersonTotal extends PersonTotal {
  readonly theory: PartHours | null;
  readonly practice: PartHours | null;
}

/** How many of the people asked reach a threshold; null where the policy sets none. */
export interface Reached {
  readonly people: number;
  readonly of: number;
}

/** Code (a session's without its prefix) to how often it occurs. */
export type FlagCounts = Readonly<Record<string, number>>;

export interface ClassTotals {
  readonly classNo: string;
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  readonly plannedHours: number;
  /** Lessons of the timetable; differs from `plannedHours` when the plan is not kept (R14). */
  readonly timetableHours: number;
  /** Planned lessons in which at least one trainee was present. */
  readonly attendedHours: number;
  /** Attended ones with a frame of the room; null: no frames are taken yet. */
  readonly deliveredHours: number | null;
  readonly sessionsPlanned: number;
  /** Sessions in which at least one slot is filled by a punch. */
  readonly sessionsHeld: number;
  /** Filled IN slots and people enrolled, over the sessions held. */
  readonly present: number;
  readonly expected: number;
  /** `present` of `expected` in percent, one decimal, rounded down; null: nobody was expected. */
  readonly averageRate: number | null;
  readonly inspectionsDue: { readonly city: number; readonly county: number };
  readonly attendanceQualified: Reached | null;
  readonly examEligible: Reached | null;
  /** In the order of the question. */
  readonly people: readonly ClassPersonTotal[];
  readonly flags: Readonly<Record<Exclude<FlagKind, 'punch'>, FlagCounts>>;
  readonly teachers: readonly TeacherFinding[];
  readonly patterns: readonly PatternFinding[];
  readonly lessons: readonly LessonDelivery[];
}

export function classTotals(question: ClassQuestion, policy: Policy): ClassTotals {
  const { classNo, plannedHours, timetable, through } = question;
  const credits = question.people.flatMap((person) => person.days.map(({ credit }) => credit));
  const people = question.people.map((person) => totalOf(person, question, policy));
  const held = heldSessions(credits, timetable);
  const isHeld = (date: LocalDate, session: SessionId): boolean => held.has(heldKey(date, session));
  const over = timetable.filter(({ date }) => through !== null && date <= through);
  const teachers =
    question.teacherPunches === null ? [] : teacherFindings(over, question.teacherPunches, isHeld, policy);
  const patterns = patternFindings(question.punches, credits, policy);
  const lessons = lessonDeliveries(timetable, credits, question.frames, policy);
  const { present, expected } = presence(question.people, held);
  return {
    classNo,
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    plannedHours,
    timetableHours: lessons.length,
    attendedHours: lessons.filter(({ attended }) => attended).length,
    deliveredHours: question.frames === null ? null : lessons.filter(({ delivered }) => delivered === true).length,
    sessionsPlanned: timetable.reduce((sum, { sessions }) => sum + offline(sessions).length, 0),
    sessionsHeld: held.size,
    present,
    expected,
    averageRate: expected === 0 ? null : Math.floor((present * 1000) / expected) / 10,
    inspectionsDue: inspectionsDue(plannedHours, policy),
    attendanceQualified: reached(people.map((person) => person.attendanceQualified)),
    examEligible: reached(people.map((person) => person.examEligible)),
    people,
    flags: flagsByKind([
      ...credits.flatMap(({ flags }) => flags),
      ...people.flatMap(({ flags }) => flags),
      ...question.flags,
      ...teachers.map(({ code }) => code),
      ...patterns.map(({ code }) => code),
    ]),
    teachers,
    patterns,
    lessons,
  };
}

function totalOf(person: ClassPerson, question: ClassQuestion, policy: Policy): ClassPersonTotal {
  const { timetable, plannedHours } = question;
  const days = personDays(person.traineeNo, person.days, timetable, plannedHours, policy);
  const total = personTotal(days, plannedHours, policy);
  const flags = [...new Set([...total.flags, ...person.flags])].sort();
  return { ...total, flags, theory: days.theory, practice: days.practice };
}

const heldKey = (date: string, session: string): string => `${date} ${session}`;

const offline = (sessions: TimetableDay['sessions']): TimetableDay['sessions'] =>
  sessions.filter((session) => session.online !== true);

/** Sessions of the timetable with at least one slot filled by a punch. */
function heldSessions(credits: readonly DayCredit[], timetable: readonly TimetableDay[]): ReadonlySet<string> {
  const planned = new Set(
    timetable.flatMap(({ date, sessions }) => offline(sessions).map(({ id }) => heldKey(date, id))),
  );
  const held = new Set<string>();
  for (const { date, dayResult } of credits) {
    for (const { id } of dayResult?.sessions ?? []) {
      const key = heldKey(date, id);
      const slots = [dayResult?.slots[`${id}_IN`], dayResult?.slots[`${id}_OUT`]];
      if (planned.has(key) && slots.some((fill) => fill?.by === 'punch')) held.add(key);
    }
  }
  return held;
}

/** Filled IN slots, and people enrolled, over the sessions held; someone enrolled without a result yet is expected too. */
function presence(
  people: readonly ClassPerson[],
  held: ReadonlySet<string>,
): { readonly present: number; readonly expected: number } {
  let [present, expected] = [0, 0];
  const sessions = [...held].map((key) => key.split(' ') as [LocalDate, SessionId]);
  for (const person of people) {
    const results = new Map(person.days.map(({ credit }) => [credit.date, credit.dayResult]));
    for (const [date, session] of sessions) {
      if (!isEnrolled(person.enrolment, date)) continue;
      expected += 1;
      if (results.get(date)?.slots[`${session}_IN`]) present += 1;
    }
  }
  return { present, expected };
}

function reached(answers: readonly (boolean | null)[]): Reached | null {
  const asked = answers.filter((answer) => answer !== null);
  return asked.length === 0 ? null : { people: asked.filter(Boolean).length, of: asked.length };
}

/** Codes that nobody knows count with the class, so that none is lost. */
function flagsByKind(flags: readonly string[]): ClassTotals['flags'] {
  const counts: Record<Exclude<FlagKind, 'punch'>, Record<string, number>> = {
    day: {},
    session: {},
    person: {},
    class: {},
    pattern: {},
  };
  // In order of code, so that the same flags give the same bytes.
  for (const flag of [...flags].sort((a, b) => (splitFlag(a).code < splitFlag(b).code ? -1 : 1))) {
    const { code } = splitFlag(flag);
    const kind = flagKind(code);
    const table = counts[kind === null || kind === 'punch' ? 'class' : kind];
    table[code] = (table[code] ?? 0) + 1;
  }
  return counts;
}
