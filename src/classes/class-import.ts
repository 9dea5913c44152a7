/**
 * A checked class definition into the tables: one transaction with the journal event `class` and a touch of every day whose
 * credit it can change. The same file twice changes nothing; a changed one makes new versions and says what is different.
 *
 * The event carries hashes and counts only, the roster's hash being salted (C1). Refused: another policy than the one the
 * class was activated with (R42), a changed name or document number without an approved correction (R8), one device
 * user id for two people on one terminal.
 */
import { fail } from '../core/errors.js';
import type { Finding } from './identity.js';
import type { Instant, LocalDate } from '../core/time.js';
import { addDays, dateAt } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import type { Policy } from '../rules/policy.js';
import { headDigest, membersDigest } from '../store/class-digest.js';
import type { Store, Tx } from '../store/store.js';
import type { ClassDefinition } from './class-file.js';
import { createClassIndex, enrolledFrom, enrolledTo, type ClassIndex } from './class-index.js';
import {
  holdersOf,
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
import {
  affectedTrainees,
  diffClasses,
  identityChanges,
  rosterChanged,
  timetableChanged,
  type ClassDiff,
} from './roster-diff.js';

export interface ImportNote extends Finding {
  /** `DOUBLE_ENROLMENT`, `REPEAT_OCCUPATION`, `TWO_NAMES`, `TWO_NUMBERS` (R9). */
  readonly code: string;
  readonly traineeNo: string;
  readonly otherClassNo: string;
}

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
  /** Who imported: a user name or `cli`. */
  readonly importedBy: string;
  readonly at: Instant;
}

/** What the class is now, as a definition, to compare with. */
function definitionOf(store: Store, record: ClassRecord): ClassDefinition {
  return {
    ...record,
    policy: null,
    roster: openRoster(store, record.classNo, record.rosterVersion),
    teachers: openTeachers(store, record.classNo, record.rosterVersion),
    corrections: [],
  };
}

/** Imports; the caller rebuilds its index when the outcome is not `same`. */
export function importClass(
  store: Store,
  index: ClassIndex,
  definition: ClassDefinition,
  policy: Policy,
  by: ImportBy,
): ImportOutcome {
  const record = index.classes.get(definition.classNo) ?? null;
  refuseConflicts(index, definition);
  const diff = record === null ? null : diffClasses(definitionOf(store, record), definition);
  if (record !== null && policy.sha256 !== record.policy.sha256) {
    throw fail('class-policy-pinned', { classNo: definition.classNo, pinned: record.policy.id, asked: policy.id });
  }
  if (diff !== null) refuseSilentIdentity(definition, diff);
  const notes = notesOf(store, index, definition);
  const versions = {
    roster: record === null ? 1 : record.rosterVersion + (diff && rosterChanged(diff) ? 1 : 0),
    timetable: record === null ? 1 : record.timetableVersion + (diff && timetableChanged(diff) ? 1 : 0),
  };
  const counted = {
    classNo: definition.classNo,
    rosterVersion: versions.roster,
    timetableVersion: versions.timetable,
    trainees: definition.roster.length,
    classDays: definition.days.length,
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    diff,
    notes,
  };
  if (record !== null && diff !== null && diff.head.length === 0 && !rosterChanged(diff) && !timetableChanged(diff)) {
    return { ...counted, result: 'same', rosterHash: record.rosterHash, timetableHash: record.timetableHash };
  }
  return store.transact((tx) => {
    putPolicy(store, policy);
    reopenDays(store, definition.classNo);
    putClass(store, definition, { policy: policy.sha256, ...versions }, by.at);
    const rosterHash =
      record?.rosterVersion === versions.roster ? record.rosterHash : putRoster(store, definition, versions.roster, by);
    const timetableHash =
      record?.timetableVersion === versions.timetable
        ? record.timetableHash
        : putTimetable(store, definition.classNo, versions.timetable, definition.days, by.at);
    const outcome: ImportOutcome = {
      ...counted,
      result: record === null ? 'created' : 'changed',
      rosterHash,
      timetableHash,
    };
    tx.addEvent({ kind: 'event', what: 'class', at: by.at, data: eventData(store, definition, outcome, by) });
    touchDays(store, tx, index, definition, diff);
    return outcome;
  });
}

function eventData(
  store: Store,
  definition: ClassDefinition,
  outcome: ImportOutcome,
  by: ImportBy,
): Readonly<Record<string, JsonValue>> {
  const { diff } = outcome;
  const flags = [
    ...(definition.approval === null ? ['UNAPPROVED_CLASS'] : []),
    ...(diff && timetableChanged(diff) ? ['TIMETABLE_CHANGED'] : []),
    ...(diff && diff.timetable.hoursAfter < diff.timetable.hoursBefore ? ['HOURS_REDUCED'] : []),
  ];
  return {
    classId: outcome.classNo,
    state: diff === null ? 'activated' : 'changed',
    head: { hash: headDigest(store.db, outcome.classNo) },
    roster: {
      version: outcome.rosterVersion,
      hash: outcome.rosterHash,
      trainees: outcome.trainees,
      members: membersDigest(store.db, outcome.classNo, outcome.rosterVersion),
    },
    timetable: { version: outcome.timetableVersion, hash: outcome.timetableHash, days: outcome.classDays },
    policy: outcome.policy,
    plannedHours: definition.plannedHours,
    flags: flags.sort(),
    by: by.importedBy,
    changed:
      diff === null
        ? null
        : {
            head: diff.head,
            added: diff.roster.added.length,
            removed: diff.roster.removed.length,
            altered: diff.roster.changed.length,
            dates: diff.timetable.added.length + diff.timetable.removed.length + diff.timetable.changed.length,
            hoursBefore: diff.timetable.hoursBefore,
            hoursAfter: diff.timetable.hoursAfter,
          },
    corrections: definition.corrections.map(({ traineeNo, requestedBy, approvedBy }) => ({
      traineeNo,
      requestedBy,
      approvedBy,
    })),
  };
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

/** What is worth knowing about people who are in other classes too (R9). Informs, refuses nothing. */
function notesOf(store: Store, index: ClassIndex, definition: ClassDefinition): readonly ImportNote[] {
  return definition.roster.flatMap((entry) => {
    const notes: ImportNote[] = [];
    const add = (code: string, otherClassNo: string, en: string, zh: string): void =>
      void notes.push({ code, traineeNo: entry.traineeNo, otherClassNo, en, zh });
    for (const holder of holdersOf(store, entry, definition.classNo)) {
      const other = index.classes.get(holder.classNo);
      if (!other) continue;
      if (other.from <= definition.to && definition.from <= other.to) {
        add(
          'DOUBLE_ENROLMENT',
          other.classNo,
          'the same document number in another class at the same time',
          '同一证件号码同期在另一班级',
        );
      }
      if (other.occupation.code === definition.occupation.code && other.to < definition.from) {
        add(
          'REPEAT_OCCUPATION',
          other.classNo,
          'the same person in an earlier class of the same occupation',
          '同一人曾参加同一职业（工种）的培训',
        );
      }
      if (holder.name !== entry.name)
        add('TWO_NAMES', other.classNo, 'one document number with two names', '同一证件号码对应两个姓名');
      if (holder.traineeNo !== entry.traineeNo) {
        add(
          'TWO_NUMBERS',
          other.classNo,
          'one document number with two trainee numbers',
          '同一证件号码对应两个学员编号',
        );
      }
    }
    return notes;
  });
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
  const ids = new Set<string>();
  let [from, to] = [definition.from, definition.to];
  for (const index of [before, after]) {
    const record = index.classes.get(definition.classNo);
    if (!record) continue;
    for (const member of record.members) {
      if (!concerns(member.traineeNo)) continue;
      ids.add(member.deviceUserId);
      from = [from, record.from, enrolledFrom(record, member)].sort()[0] ?? from;
      to = [to, record.to, enrolledTo(record, member)].sort().at(-1) ?? to;
    }
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
