/**
 * Gathers the attendance table of a class from the database: the store, or a reader beside a running daemon, at one moment. The
 * same rows give the same table, to the byte; the clock enters only as the date on which the table is made.
 *
 * Opens names, document numbers (masked at once, by the policy of the class) and what people wrote: who calls it shows personal
 * data and answers for it (R70). Refuses a class that is not known (`class-unknown`), a number that the class does not have
 * (`export-no-regional-number`), a range without a class day (`export-no-days`), and names without their key (`names-sealed`).
 */
import { createHash } from 'node:crypto';
import { createClassIndex, enrolledFrom, enrolledTo } from '../classes/class-index.js';
import { loadClasses, openRoster, openTeachers, type ClassRecord, type Member } from '../classes/class-tables.js';
import { recordedResults, totalsOf } from '../classes/class-totals.js';
import { fail } from '../core/errors.js';
import { addDays, type LocalDate } from '../core/time.js';
import type { ClassPersonTotal, ClassTotals } from '../rules/class-totals.js';
import { flagWords } from '../rules/flags.js';
import { canonicalJson } from '../rules/policy.js';
import { creditsOf } from '../store/credits.js';
import { inSnapshot } from '../store/statements.js';
import type { Store, Vault } from '../store/store.js';
import type { AttendancePerson, AttendanceTable } from './attendance.js';
import { daysOf, personDay, slotTotalsOf, type DayCredits } from './gather-days.js';
import { flagLines, makeupLines, noteLines } from './gather-lines.js';

/** Null vault: the key is not within reach. */
export type TableSource = Pick<Store, 'db'> & { readonly vault: Vault | null };

export type ClassNoKind = AttendanceTable['classNoKind'];

export interface TableRequest {
  /** Number of the class, whichever of its two. */
  readonly classNo: string;
  /** Which of its numbers the table goes by (R3). */
  readonly by: ClassNoKind;
  /** Both days included; null: open. */
  readonly from: LocalDate | null;
  readonly to: LocalDate | null;
  readonly madeBy: string;
  readonly madeOn: LocalDate;
  /** Signs a summary of the table for its QR; null, or an answer of null: no key is within reach. */
  readonly sign: ((table: Omit<AttendanceTable, 'token'>) => string | null) | null;
}

/** The class of this number, by the city's first and then by the region's. Throws `class-unknown`. */
export function findClass(records: readonly ClassRecord[], classNo: string): ClassRecord {
  const found =
    records.find((one) => one.classNo === classNo) ?? records.find((one) => one.regionalClassNo === classNo);
  if (found) return found;
  throw fail('class-unknown', { classNo });
}

/** The number that the reader goes by, and the other one. Throws `export-no-regional-number`. */
function classNumbers(
  record: ClassRecord,
  by: ClassNoKind,
): { readonly classNo: string; readonly otherClassNo: string | null } {
  const { classNo, regionalClassNo } = record;
  if (by === 'city') return { classNo, otherClassNo: regionalClassNo };
  if (regionalClassNo === null) throw fail('export-no-regional-number', { classNo });
  return { classNo: regionalClassNo, otherClassNo: classNo };
}

export function gatherAttendance(source: TableSource, request: TableRequest): AttendanceTable {
  return inSnapshot(source.db, () => gathered(source, request));
}

function gathered({ db, vault }: TableSource, request: TableRequest): AttendanceTable {
  const records = loadClasses({ db });
  const record = findClass(records, request.classNo);
  const numbers = classNumbers(record, request.by);
  if (vault === null) throw fail('names-sealed', { classNo: record.classNo });
  const index = createClassIndex(records);
  const totals = totalsOf({ db }, index, record.classNo, { through: addDays(request.madeOn, -1) });
  if (totals === null) throw fail('class-unknown', { classNo: record.classNo });
  const credits: DayCredits = new Map(creditsOf(db, record.classNo).map((credit) => [credit.id, credit]));
  const days = daysOf(record, credits, request);
  if (days.length === 0) throw fail('export-no-days', { classNo: record.classNo });
  const people = peopleOf({ db, vault }, record, totals, (member, no) => ({
    no,
    days: days.map((day) => personDay(record, member, day, credits)),
  }));
  const names = new Map(people.map((one) => [one.traineeNo, one.name]));
  const { policy } = record;
  const results = recordedResults({ db }, record.classNo);
  const table: Omit<AttendanceTable, 'digest' | 'token'> = {
    institution: record.institution,
    className: record.name,
    ...numbers,
    classNoKind: request.by,
    occupation: `${record.occupation.name} ${record.occupation.code} ${record.occupation.level}`,
    from: record.from,
    to: record.to,
    plannedHours: record.plannedHours,
    room: record.room,
    classTeacher: classTeacherOf({ db, vault }, record),
    days,
    people,
    slotTotals: slotTotalsOf(record, days, credits),
    makeups: makeupLines({ db, vault }, record, names, request),
    flags: flagLines(totals, credits, names, days),
    notes: noteLines({ db, vault }, record, request),
    thresholds: {
      attendancePercent: policy.thresholds.attendancePercent,
      examPercent: policy.thresholds.examPercent,
    },
    hours: { timetable: totals.timetableHours, attended: totals.attendedHours, delivered: totals.deliveredHours },
    policy: totals.policy,
    status: statusOf(people, results.status),
    throughN: results.throughN,
    madeBy: request.madeBy,
    madeOn: request.madeOn,
  };
  const digest = createHash('sha256').update(canonicalJson(table)).digest('hex');
  const token = request.sign?.({ ...table, digest }) ?? `rollcall:${digest}`;
  return { ...table, digest, token };
}

/** 班主任 by name; null where the class names none. */
function classTeacherOf(
  source: { readonly db: Store['db']; readonly vault: Vault },
  record: ClassRecord,
): string | null {
  if (record.classTeacher === null) return null;
  const teachers = openTeachers(source, record.classNo, record.rosterVersion);
  return teachers.find((one) => one.teacherNo === record.classTeacher)?.name ?? null;
}

/** A table is provisional as long as one of its days is, or has no result yet of somebody who is enrolled. */
function statusOf(
  people: readonly AttendancePerson[],
  results: 'provisional' | 'final' | 'sealed' | null,
): AttendanceTable['status'] {
  if (results === 'sealed') return 'sealed';
  const isOpen = people.some(({ days }) =>
    days.some((day) => day.status === 'provisional' || (day.status === null && !isAway(day.slots))),
  );
  return isOpen || results === null ? 'provisional' : 'final';
}

const isAway = (slots: AttendancePerson['days'][number]['slots']): boolean =>
  slots.some(({ marks }) => marks.includes('—'));

/** Everybody on the roster in force, in its order. */
function peopleOf(
  source: { readonly db: Store['db']; readonly vault: Vault },
  record: ClassRecord,
  totals: ClassTotals,
  draw: (member: Member, no: number) => Pick<AttendancePerson, 'no' | 'days'>,
): readonly AttendancePerson[] {
  const sums = new Map(totals.people.map((one) => [one.traineeNo, one]));
  return openRoster(source, record.classNo, record.rosterVersion).flatMap((entry, index) => {
    const sum = sums.get(entry.traineeNo);
    if (!sum) return [];
    const { hoursByPunch, makeupCounted, onlineCounted, totalHours, requiredHours, percent } = sum;
    return [
      {
        ...draw(entry, index + 1),
        traineeNo: entry.traineeNo,
        name: entry.name,
        maskedDocument: maskedBy(record.policy.identity.mask, entry.documentNumber),
        ...{ hoursByPunch, makeupCounted, onlineCounted, totalHours, requiredHours, percent },
        attendanceQualified: sum.attendanceQualified,
        examEligible: sum.examEligible,
        remarks: remarksOf(record, entry, sum),
      },
    ];
  });
}

/** As the policy says: `6+4` shows six characters and the last four. A number too short for that shows its last two. */
export function maskedBy(mask: string, number: string): string {
  const [head = 6, tail = 4] = mask.split('+').map(Number);
  if (number.length <= head + tail) return '*'.repeat(Math.max(0, number.length - 2)) + number.slice(-2);
  return number.slice(0, head) + '*'.repeat(number.length - head - tail) + number.slice(number.length - tail);
}

function remarksOf(record: ClassRecord, member: Member, total: ClassPersonTotal): readonly string[] {
  const [from, to] = [enrolledFrom(record, member), enrolledTo(record, member)];
  return [
    ...(from > record.from ? [`${from} 入班 joined`] : []),
    ...(to < record.to ? [`${to} 离班 left`] : []),
    ...(total.makeupCounted < total.makeupRaw ? [`补签计 ${total.makeupCounted}/${total.makeupRaw} 课时 capped`] : []),
    ...(total.onlineCounted < total.onlineRaw ? [`线上计 ${total.onlineCounted}/${total.onlineRaw} 课时 capped`] : []),
    ...total.flags
      .filter((flag) => flag !== 'MAKEUP_CAP' && flag !== 'ONLINE_TOTAL_CAP')
      .map((flag) => flagWords(flag).zh),
  ];
}
