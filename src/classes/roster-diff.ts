/**
 * What a new import changes: the roster (added, removed, changed), the timetable by date, and the head of the class (R2).
 * Pure. Persons are named by trainee number only, and a changed name or document number only by the name of its field.
 */
import type { LocalDate } from '../core/time.js';
import { canonicalJson } from '../rules/policy.js';
import type { ClassSketch, RosterEntry } from './class-file.js';
import { plannedLessons, type ClassDay } from './timetable.js';

export interface ChangedTrainee {
  readonly traineeNo: string;
  /** Keys of the class file whose value changed. */
  readonly fields: readonly string[];
}

export interface ClassDiff {
  /** Keys of the class's head that changed. */
  readonly head: readonly string[];
  readonly roster: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly ChangedTrainee[];
    readonly teachers: boolean;
  };
  readonly timetable: {
    readonly added: readonly LocalDate[];
    readonly removed: readonly LocalDate[];
    readonly changed: readonly LocalDate[];
    readonly hoursBefore: number;
    readonly hoursAfter: number;
  };
}

/** Fields that say who a person is: after activation they change only with a correction (R8). */
const IDENTITY = new Set(['name', 'documentType', 'documentNumber']);

const HEAD = [
  'regionalClassNo',
  'name',
  'institution',
  'occupation',
  'from',
  'to',
  'plannedHours',
  'approvedHeadcount',
  'approval',
  'unapproved',
  'room',
  'temporaryVenue',
  'classTeacher',
  'terminals',
] as const;

const TRAINEE = [
  'name',
  'documentType',
  'documentNumber',
  'deviceUserId',
  'enrolledFrom',
  'enrolledTo',
  'alternativeMethods',
] as const satisfies readonly (keyof RosterEntry)[];

const same = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

export function diffClasses(before: ClassSketch, after: ClassSketch): ClassDiff {
  const old = new Map(before.roster.map((one) => [one.traineeNo, one]));
  const now = new Set(after.roster.map((one) => one.traineeNo));
  return {
    head: HEAD.filter((key) => !same(before[key], after[key])),
    roster: {
      added: after.roster.filter((one) => !old.has(one.traineeNo)).map((one) => one.traineeNo),
      removed: before.roster.filter((one) => !now.has(one.traineeNo)).map((one) => one.traineeNo),
      changed: after.roster.flatMap((one) => {
        const was = old.get(one.traineeNo);
        const fields = was === undefined ? [] : TRAINEE.filter((key) => !same(was[key], one[key]));
        return fields.length === 0 ? [] : [{ traineeNo: one.traineeNo, fields }];
      }),
      teachers: !same(before.teachers, after.teachers),
    },
    timetable: {
      ...diffDays(before.days, after.days),
      hoursBefore: plannedLessons(before.days),
      hoursAfter: plannedLessons(after.days),
    },
  };
}

function diffDays(
  before: readonly ClassDay[],
  after: readonly ClassDay[],
): Pick<ClassDiff['timetable'], 'added' | 'removed' | 'changed'> {
  const old = new Map(before.map((day) => [day.date, day.sessions]));
  const now = new Map(after.map((day) => [day.date, day.sessions]));
  return {
    added: [...now.keys()].filter((date) => !old.has(date)),
    removed: [...old.keys()].filter((date) => !now.has(date)),
    changed: [...now]
      .filter(([date, sessions]) => old.has(date) && !same(old.get(date), sessions))
      .map(([date]) => date),
  };
}

export const rosterChanged = ({ roster }: ClassDiff): boolean =>
  roster.added.length + roster.removed.length + roster.changed.length > 0 || roster.teachers;

export const timetableChanged = ({ timetable }: ClassDiff): boolean =>
  timetable.added.length + timetable.removed.length + timetable.changed.length > 0;

/** Dates that come, go or are held otherwise, in order. */
export const changedDates = ({ timetable }: ClassDiff): readonly LocalDate[] =>
  [...timetable.added, ...timetable.removed, ...timetable.changed].sort();

/** Trainees whose name or document would change. */
export function identityChanges(diff: ClassDiff): readonly string[] {
  return diff.roster.changed
    .filter((one) => one.fields.some((field) => IDENTITY.has(field)))
    .map((one) => one.traineeNo);
}

/** Trainees whose days may come out otherwise; null: all of them. */
export function affectedTrainees(diff: ClassDiff): ReadonlySet<string> | null {
  if (timetableChanged(diff) || diff.head.some((key) => key === 'from' || key === 'to' || key === 'terminals'))
    return null;
  const { added, removed, changed } = diff.roster;
  return new Set([...added, ...removed, ...changed.map((one) => one.traineeNo)]);
}
