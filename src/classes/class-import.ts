/**
 * A checked class definition into the tables: one transaction with the journal event `class` and a touch of every day whose
 * credit it can change. The same file twice changes nothing; a changed one makes new versions and says what is different.
 *
 * Refused: another policy than the one the class was activated with (R42) or one that is not in force on its first day, a
 * changed name or document number without an approved correction (R8), a change of plan without a reason or of a date
 * that has passed (R15), a sealed class (R84), one device user id for two people on one terminal.
 */
import { fail } from '../core/errors.js';
import { addDays, dateAt, instantToDate, type Instant, type LocalDate } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import { requireInForce, type Policy } from '../rules/policy.js';
import type { Store, Tx } from '../store/store.js';
import { putChange, putNote } from './class-changes.js';
import { eventData, notesOf, type ImportNote } from './class-event.js';
import type { ClassDefinition } from './class-file.js';
import { createClassIndex, enrolledFrom, enrolledTo, type ClassIndex } from './class-index.js';
import {
  loadClasses,
  openRoster,
  openTeachers,
  putClass,
  putPolicy,
  putRoster,
  putTimetable,
  reopenDays,
  type ClassRecord,
} from './class-tables.js';
import { loadEvidence, sealOf } from './evidence.js';
import {
  affectedTrainees,
  changedDates,
  diffClasses,
  identityChanges,
  rosterChanged,
  timetableChanged,
  type ClassDiff,
} from './roster-diff.js';

export interface ImportOutcome {
  readonly classNo: string;
  /** `same`: nothing was written. */
  readonly result: 'created' | 'changed' | 'same';
  readonly rosterVersion: number;
  readonly rosterHash: string;
  readonly timetableVersion: number;
  readonly timetableHash: string;
  readonly trainees: number;
  readonly classDays: number;
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  /** Null for a new class. */
  readonly diff: ClassDiff | null;
  readonly notes: readonly ImportNote[];
}

export interface ImportBy {
  /** File name as it is to be kept with the version (R1); no path. */
  readonly source: string;
  /** The same for the timetable, where that came from another file. */
  readonly timetableSource?: string;
  /** Who imported: a user name or `cli`. */
  readonly importedBy: string;
  readonly at: Instant;
  /** The draft that is activated. */
  readonly draft?: { readonly version: number; readonly hash: string };
  /** Checks and compares, and writes nothing; the hashes of versions that would be made are empty. */
  readonly dryRun?: boolean;
}

/** What the class is now, as a definition, to compare with. */
export function definitionOf(store: Pick<Store, 'db' | 'vault'>, record: ClassRecord): ClassDefinition {
  return {
    ...record,
    policy: null,
    roster: openRoster(store, record.classNo, record.rosterVersion),
    teachers: openTeachers(store, record.classNo, record.rosterVersion),
    corrections: [],
    change: null,
  };
}

/** Imports; the caller rebuilds its index when the outcome is not `same`. */
export function importClass(
  store: Store,
  index: ClassIndex,
  asked: ClassDefinition,
  policy: Policy,
  by: ImportBy,
): ImportOutcome {
  const record = index.classes.get(asked.classNo) ?? null;
  // The region's number may come later; a file that leaves it out does not take it away (R3).
  const definition = { ...asked, regionalClassNo: asked.regionalClassNo ?? record?.regionalClassNo ?? null };
  const before = record === null ? null : definitionOf(store, record);
  const diff = before === null ? null : diffClasses(before, definition);
  refuseConflicts(index, definition);
  if (record === null || before === null || diff === null) requireInForce(policy, definition.from);
  else refuseChange(store, { record, before, definition, diff, policy, at: by.at });
  const versions = {
    roster: record === null ? 1 : record.rosterVersion + (diff && rosterChanged(diff) ? 1 : 0),
    timetable: record === null ? 1 : record.timetableVersion + (diff && timetableChanged(diff) ? 1 : 0),
  };
  const planned: ImportOutcome = {
    classNo: definition.classNo,
    result: record === null ? 'created' : isSame(diff) ? 'same' : 'changed',
    rosterVersion: versions.roster,
    rosterHash: record?.rosterVersion === versions.roster ? record.rosterHash : '',
    timetableVersion: versions.timetable,
    timetableHash: record?.timetableVersion === versions.timetable ? record.timetableHash : '',
    trainees: definition.roster.length,
    classDays: definition.days.length,
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    diff,
    notes: notesOf(store, index, definition),
  };
  if (planned.result === 'same' || by.dryRun === true) return planned;
  return store.transact((tx) => {
    putPolicy(store, policy);
    reopenDays(store, definition.classNo);
    putClass(store, definition, { policy: policy.sha256, ...versions }, by.at);
    const { rosterHash, timetableHash } = planned;
    const outcome: ImportOutcome = {
      ...planned,
      rosterHash: rosterHash || putRoster(store, definition, versions.roster, by),
      timetableHash:
        timetableHash ||
        putTimetable(store, definition.classNo, versions.timetable, definition.days, {
          ...by,
          source: by.timetableSource ?? by.source,
        }),
    };
    const rows = keepReason(store, before, definition, outcome, by.at);
    const data = eventData(store, { before, definition, outcome, by, rows });
    tx.addEvent({ kind: 'event', what: 'class', at: by.at, data });
    touchDays(store, tx, index, definition, diff);
    return outcome;
  });
}

const isSame = (diff: ClassDiff | null): boolean =>
  diff !== null && diff.head.length === 0 && !rosterChanged(diff) && !timetableChanged(diff);

/** Keys of the head that are part of the plan (R15): when, how long and where. */
const PLAN = new Set(['from', 'to', 'plannedHours', 'room']);

const planChanged = (diff: ClassDiff): boolean => timetableChanged(diff) || diff.head.some((key) => PLAN.has(key));

/** A number of the region that was there is another one now. */
const numberChanged = (before: ClassDefinition, definition: ClassDefinition): boolean =>
  before.regionalClassNo !== null && before.regionalClassNo !== definition.regionalClassNo;

interface Asked {
  readonly record: ClassRecord;
  readonly before: ClassDefinition;
  readonly definition: ClassDefinition;
  readonly diff: ClassDiff;
  readonly policy: Policy;
  readonly at: Instant;
}

/** What may not be done to an active class. */
function refuseChange(store: Store, { record, before, definition, diff, policy, at }: Asked): void {
  const { classNo, change } = definition;
  if (policy.sha256 !== record.policy.sha256)
    throw fail('class-policy-pinned', { classNo, pinned: record.policy.id, asked: policy.id });
  if (!isSame(diff) && sealOf(store, classNo) !== null) throw fail('class-sealed', { classNo });
  refuseSilentIdentity(definition, diff);
  if (numberChanged(before, definition) && (change?.approvedBy ?? null) === null)
    throw fail('class-number-locked', { classNo });
  const dates = changedDates(diff);
  const today = instantToDate(at, record.policy.timezone);
  const past = dates.filter((date) => date < today);
  if (past.length > 0) throw fail('class-past-date', { classNo, dates: someOf(past) });
  if (planChanged(diff) && change === null) {
    const what = dates.length > 0 ? dates : diff.head.filter((key) => PLAN.has(key));
    throw fail('class-change-unexplained', { classNo, dates: someOf(what) });
  }
  if (change !== null && change.by === change.approvedBy) throw fail('class-same-person');
}

const NAMED_MAX = 10;

/** The first few of a list, and how many more there are. */
const someOf = (list: readonly string[]): string =>
  list.slice(0, NAMED_MAX).join(', ') + (list.length > NAMED_MAX ? ` … +${list.length - NAMED_MAX}` : '');

/** The reason of a change, with the timetable version that it made, or else as a remark; how the event names the row. */
function keepReason(
  store: Store,
  before: ClassDefinition | null,
  definition: ClassDefinition,
  outcome: ImportOutcome,
  at: Instant,
): readonly JsonValue[] {
  const { classNo, change } = definition;
  const { diff } = outcome;
  if (before === null || diff === null || change === null) return [];
  const rows: JsonValue[] = [];
  if (timetableChanged(diff)) rows.push(putChange(store, classNo, outcome.timetableVersion, change, at));
  else if (planChanged(diff) || numberChanged(before, definition)) {
    const text = `${diff.head.join(', ')}: ${change.reason}`;
    rows.push(putNote(store, { classNo, date: null, text, by: change.by, at }).row);
  }
  return rows;
}

function refuseSilentIdentity(definition: ClassDefinition, diff: ClassDiff): void {
  const approved = new Set(definition.corrections.map((one) => one.traineeNo));
  const silent = identityChanges(diff).filter((traineeNo) => !approved.has(traineeNo));
  if (silent.length > 0) {
    throw fail('class-identity-locked', {
      classNo: definition.classNo,
      count: silent.length,
      traineeNo: silent.slice(0, 5).join(', '),
    });
  }
}

/** One device user id must mean one person on one terminal at one time. */
function refuseConflicts(index: ClassIndex, definition: ClassDefinition): void {
  const mine = new Map(definition.roster.map((one) => [one.deviceUserId, one.traineeNo]));
  const teachers = new Set(definition.teachers.map((one) => one.deviceUserId));
  for (const other of index.classes.values()) {
    if (other.classNo === definition.classNo) continue;
    const shared = definition.terminals.find((one) =>
      other.terminals.some(
        (theirs) => theirs.terminal === one.terminal && theirs.from <= one.to && one.from <= theirs.to,
      ),
    );
    if (shared === undefined) continue;
    const clash =
      other.members.find((member) => {
        const traineeNo = mine.get(member.deviceUserId);
        return teachers.has(member.deviceUserId) || (traineeNo !== undefined && traineeNo !== member.traineeNo);
      })?.deviceUserId ?? other.teacherDeviceIds.find((id) => mine.has(id));
    if (clash !== undefined) {
      throw fail('class-conflict', {
        classNo: definition.classNo,
        other: other.classNo,
        terminal: shared.terminal,
        deviceUserId: clash,
      });
    }
  }
}

/** Days that have punches or results and may come out otherwise now; also those of other classes of the same people. */
function touchDays(
  store: Store,
  tx: Tx,
  before: ClassIndex,
  definition: ClassDefinition,
  diff: ClassDiff | null,
): void {
  const after = createClassIndex(loadClasses(store));
  const affected = diff === null ? null : affectedTrainees(diff);
  const concerns = (traineeNo: string): boolean => affected === null || affected.has(traineeNo);
  const touched = new Set<string>();
  const touch = (classNo: string, traineeNo: string, date: LocalDate): void => {
    const key = `${classNo}/${traineeNo}/${date}`;
    if (touched.has(key)) return;
    touched.add(key);
    tx.touchDay({ classNo, traineeNo, date, cause: 'import' });
  };
  for (const credit of store.creditsOf(definition.classNo)) {
    if (concerns(credit.traineeNo)) touch(credit.classNo, credit.traineeNo, credit.date);
  }
  // Online hours and leave may have no result yet, and would lose the day that was to bring them one.
  for (const day of loadEvidence(store, definition.classNo).days)
    if (concerns(day.traineeNo)) touch(definition.classNo, day.traineeNo, day.date);
  const [ids, rivals] = [new Set<string>(), new Set<string>()];
  const people = new Set<string>();
  let [from, to] = [definition.from, definition.to];
  for (const index of [before, after]) {
    const record = index.classes.get(definition.classNo);
    if (!record) continue;
    // An id that a teacher got or gave up may have been a trainee's elsewhere.
    if (affected === null || diff?.roster.teachers === true) record.teacherDeviceIds.forEach((id) => ids.add(id));
    for (const one of record.terminals) {
      from = one.from < from ? one.from : from;
      to = one.to > to ? one.to : to;
    }
    for (const member of record.members) {
      if (!concerns(member.traineeNo)) continue;
      people.add(member.traineeNo);
      // The same person's punches under the id of another class count, or are contested, here too.
      for (const other of index.membershipsOf(member.traineeNo)) {
        ids.add(other.member.deviceUserId);
        if (other.record !== record) rivals.add(other.record.classNo);
      }
      from = [from, record.from, enrolledFrom(record, member)].sort()[0] ?? from;
      to = [to, record.to, enrolledTo(record, member)].sort().at(-1) ?? to;
    }
  }
  for (const rival of rivals) {
    for (const credit of store.creditsOf(rival))
      if (people.has(credit.traineeNo)) touch(rival, credit.traineeNo, credit.date);
  }
  const zone = after.classes.get(definition.classNo)?.policy.timezone;
  if (zone === undefined) return;
  const punches = store.punchesAround(
    [...ids],
    dateAt(addDays(from, -1), '00:00', zone),
    dateAt(addDays(to, 2), '00:00', zone),
  );
  for (const punch of punches) {
    for (const index of [before, after]) {
      for (const day of index.daysTouchedBy(punch)) touch(day.classNo, day.traineeNo, day.date);
    }
  }
}
