/**
 * Gathers what the sums of a class are made of (requirements 4.11, R79): day results, evidence, punches of trainees and teachers, and
 * what the journal says of the class as a whole; the rules add it up. Reads the database only, so the numbers can be had
 * beside a running daemon and again later; the one thing given is up to which date days are over.
 *
 * No frames of rooms are kept yet: what was attended is told, what was delivered is not known (null). No names here.
 */
import { addDays, dateAt, instant, instantToDate, type Instant, type LocalDate } from '../core/time.js';
import { classTotals, type ClassPerson, type ClassTotals } from '../rules/class-totals.js';
import type { DayCredit, DayPunch } from '../rules/day-credit.js';
import type { PatternPunch } from '../rules/patterns.js';
import type { CreditedDay } from '../rules/planned-day.js';
import type { Policy } from '../rules/policy.js';
import type { TeacherPunch } from '../rules/teachers.js';
import { creditsOf } from '../store/credits.js';
import { punchesAround } from '../store/punches.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import { enrolledFrom, enrolledTo, isAssigned, type ClassIndex } from './class-index.js';
import type { ClassRecord } from './class-tables.js';
import { createQuestions } from './day-questions.js';
import { sealOf } from './evidence.js';
import { enrolmentFlags } from './lifecycle.js';
import { recordedCredit } from './recompute.js';

type Source = Pick<Store, 'db'>;

/** `provisional` as soon as one day is; null: there is no result yet. */
export type ResultsStatus = 'provisional' | 'final' | 'sealed' | null;

/** Day results of a class, whoever made them. */
export interface ClassResults {
  readonly credits: readonly DayCredit[];
  readonly status: ResultsStatus;
  /** Highest journal number of a result; 0 when there is none. */
  readonly throughN: number;
}

/** The results in force as they are recorded; withdrawn ones are left out. */
export function recordedResults(source: Source, classNo: string): ClassResults {
  const found = creditsOf(source.db, classNo);
  const credits = found.map(recordedCredit).filter((credit) => credit !== null);
  const isOpen = found.some(({ state }) => state === 'provisional');
  const closed = sealOf(source, classNo) === null ? 'final' : 'sealed';
  return {
    credits,
    status: isOpen ? 'provisional' : credits.length === 0 ? null : closed,
    throughN: Math.max(0, ...found.map(({ n }) => n)),
  };
}

export interface TotalsOptions {
  /** Last date that is over; teachers are judged up to it. Null: none. */
  readonly through: LocalDate | null;
  /** Instead of the recorded results. */
  readonly credits?: readonly DayCredit[];
  /** Tried instead of the policy of the class. */
  readonly policy?: Policy;
}

/** The sums of a class; null when there is no class of this number. */
export function totalsOf(
  source: Source,
  index: ClassIndex,
  classNo: string,
  options: TotalsOptions,
): ClassTotals | null {
  const record = index.classes.get(classNo);
  if (!record) return null;
  const credits = options.credits ?? recordedResults(source, classNo).credits;
  const gathered = gather(source, index, record);
  const days = new Map<string, CreditedDay[]>();
  for (const credit of credits) {
    const own = days.get(credit.traineeNo) ?? [];
    days.set(credit.traineeNo, own);
    own.push({ credit, online: gathered.online.get(`${credit.traineeNo}/${credit.date}`) ?? [] });
  }
  const said = flagsOf(source, record);
  const people: readonly ClassPerson[] = record.members.map((member) => ({
    traineeNo: member.traineeNo,
    enrolment: [{ from: enrolledFrom(record, member), to: enrolledTo(record, member) }],
    days: days.get(member.traineeNo) ?? [],
    flags: said.people.get(member.traineeNo) ?? [],
  }));
  return classTotals(
    {
      classNo,
      plannedHours: record.plannedHours,
      timetable: record.days,
      through: options.through,
      people,
      teacherPunches: teacherPunches(source, record),
      frames: null,
      punches: gathered.punches,
      flags: said.classFlags,
    },
    options.policy ?? record.policy,
  );
}

interface Gathered {
  readonly punches: readonly PatternPunch[];
  readonly online: ReadonlyMap<string, CreditedDay['online']>;
}

/** Each punch of each person once, and the online records, as the days were asked with them. */
function gather(source: Source, index: ClassIndex, record: ClassRecord): Gathered {
  const punches = new Map<string, PatternPunch>();
  const online = new Map<string, CreditedDay['online']>();
  const roomOf = createRooms(index, record);
  for (const { question } of createQuestions(source, index).all(record.classNo)) {
    const { traineeNo, date } = question;
    if (question.online.length > 0) online.set(`${traineeNo}/${date}`, question.online);
    for (const punch of question.punches) {
      const key = `${traineeNo}/${punch.n}`;
      if (!punches.has(key)) punches.set(key, { traineeNo, punch, room: roomOf(punch), photo: null });
    }
  }
  return { punches: [...punches.values()], online };
}

/** Room of the classes that a terminal is assigned to on the date of a punch; null where there is none, or more than one. */
function createRooms(index: ClassIndex, own: ClassRecord): (punch: DayPunch) => string | null {
  const known = new Map<string, string | null>();
  return ({ terminal, instant: told, rx }) => {
    const date = instantToDate(told ?? rx, own.policy.timezone);
    const key = `${date} ${terminal}`;
    let room = known.get(key);
    if (room === undefined) {
      const records = [...index.classes.values()].filter((one) => isAssigned(one, terminal, date));
      const rooms = new Set(records.map((one) => one.room));
      room = rooms.size === 1 ? ([...rooms][0] ?? null) : null;
      known.set(key, room);
    }
    return room;
  };
}

/** Timed punches of the class's teachers on its terminals. */
function teacherPunches(source: Source, record: ClassRecord): readonly TeacherPunch[] {
  const teachers = prepared<[string, number], { teacher_no: string; device_user_id: string }>(
    source.db,
    'SELECT teacher_no, device_user_id FROM class_teacher WHERE class_no = ? AND version = ? ORDER BY teacher_no',
  ).all(record.classNo, record.rosterVersion);
  const [first, last] = [record.days[0]?.date, record.days.at(-1)?.date];
  if (first === undefined || last === undefined) return [];
  const { timezone } = record.policy;
  const [begins, ends] = [dateAt(first, '00:00', timezone), dateAt(addDays(last, 1), '00:00', timezone)];
  return teachers.flatMap((teacher) =>
    punchesAround(source.db, [teacher.device_user_id], begins, ends).flatMap(({ effective: at, terminalId }) =>
      at !== null && isAssigned(record, terminalId, instantToDate(at, timezone))
        ? [{ teacherNo: teacher.teacher_no, at }]
        : [],
    ),
  );
}

interface SaidFlags {
  readonly classFlags: readonly string[];
  readonly people: ReadonlyMap<string, readonly string[]>;
}

/** Flags that no rule finds: of the class from its row and, one for each time, from the journal; of people from other rosters. */
function flagsOf(source: Source, record: ClassRecord): SaidFlags {
  const events = prepared<[string], { flags: string }>(
    source.db,
    `SELECT coalesce(body -> '$.data.flags', '[]') AS flags FROM event
     WHERE what = 'class' AND body ->> '$.data.classId' = ? ORDER BY n`,
  ).all(record.classNo);
  // How the class stands now is in its row; what was done to it is in the events.
  const classFlags: string[] = events
    .flatMap(({ flags }) => JSON.parse(flags) as readonly string[])
    .filter((flag) => flag === 'TIMETABLE_CHANGED' || flag === 'HOURS_REDUCED');
  if (record.approval === null) classFlags.push('UNAPPROVED_CLASS');
  if (record.temporaryVenue) classFlags.push('TEMPORARY_VENUE');
  for (const { terminal, from, to } of record.terminals)
    for (const at of reboundsOf(source, terminal)) {
      const date = instantToDate(at, record.policy.timezone);
      if (from <= date && date <= to) classFlags.push('DEVICE_REBOUND');
    }
  const repeated = enrolmentFlags(source, record.classNo).filter(({ code }) => code === 'REPEAT_OCCUPATION');
  return { classFlags: classFlags.sort(), people: new Map(repeated.map(({ traineeNo, code }) => [traineeNo, [code]])) };
}

/** When another device was found under a terminal's name (R20). The condition is that of the index on presence, word by word. */
function reboundsOf(source: Source, terminal: string): readonly Instant[] {
  return prepared<[string], { at: number }>(
    source.db,
    `SELECT body ->> '$.at' AS at FROM event
     WHERE what = 'device' AND body ->> '$.data.state' IN ('online', 'offline', 'still-offline', 'DEVICE_REBOUND')
       AND body ->> '$.data.terminal' = ? AND body ->> '$.data.state' = 'DEVICE_REBOUND' ORDER BY n`,
  )
    .all(terminal)
    .map(({ at }) => instant(at));
}
