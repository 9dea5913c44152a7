/**
 * What an import says: the journal event `class`, and the notes on people who are in other classes too (R9). The event has hashes,
 * counts, flags and trainee numbers, never a name, a document number or a reason; the roster's hash is salted (C1).
 */
import type { JsonValue } from '../rules/facts.js';
import {
  headDigest,
  headRowDigest,
  membersDigest,
  rosterRowsDigest,
  timetableRowDigest,
} from '../store/class-digest.js';
import type { Store } from '../store/store.js';
import type { ClassDefinition } from './class-file.js';
import type { ImportBy, ImportOutcome } from './class-import.js';
import type { ClassIndex } from './class-index.js';
import { holdersOf } from './class-tables.js';
import type { Finding } from './identity.js';
import { timetableChanged, type ClassDiff } from './roster-diff.js';

export interface ImportNote extends Finding {
  /** `DOUBLE_ENROLMENT`, `REPEAT_OCCUPATION`, `TWO_NAMES`, `TWO_NUMBERS` (R9). */
  readonly code: string;
  readonly traineeNo: string;
  readonly otherClassNo: string;
}

/** Notes that are flags of the requirements and travel with the event; the others are for who imports. */
const FLAGS = ['DOUBLE_ENROLMENT', 'REPEAT_OCCUPATION'] as const;

export interface Told {
  /** Null: a new class. */
  readonly before: ClassDefinition | null;
  readonly definition: ClassDefinition;
  readonly outcome: ImportOutcome;
  readonly by: ImportBy;
  /** Rows that hold the reason, as the check compares them (promise 16). */
  readonly rows: readonly JsonValue[];
}

/** Data of the event, once the tables are written. */
export function eventData(
  store: Store,
  { before, definition, outcome, by, rows }: Told,
): Readonly<Record<string, JsonValue>> {
  const { diff, notes } = outcome;
  const people = FLAGS.flatMap((code) => {
    const found = [...new Set(notes.filter((note) => note.code === code).map((note) => note.traineeNo))].sort();
    return found.length === 0 ? [] : [[code, found] as const];
  });
  const { change } = definition;
  return {
    classId: outcome.classNo,
    state: diff === null ? 'activated' : 'changed',
    head: { hash: headDigest(store.db, outcome.classNo), row: headRowDigest(store.db, outcome.classNo) },
    roster: {
      version: outcome.rosterVersion,
      hash: outcome.rosterHash,
      trainees: outcome.trainees,
      members: membersDigest(store.db, outcome.classNo, outcome.rosterVersion),
      rows: rosterRowsDigest(store.db, outcome.classNo, outcome.rosterVersion),
    },
    timetable: {
      version: outcome.timetableVersion,
      hash: outcome.timetableHash,
      days: outcome.classDays,
      row: timetableRowDigest(store.db, outcome.classNo, outcome.timetableVersion),
    },
    policy: outcome.policy,
    plannedHours: definition.plannedHours,
    approvedHeadcount: definition.approvedHeadcount,
    flags: [...flagsOf(before, definition, diff), ...people.map(([code]) => code)].sort(),
    people: Object.fromEntries(people),
    by: by.importedBy,
    draft: by.draft ?? null,
    change: rows.length === 0 || change === null ? null : { by: change.by, approvedBy: change.approvedBy },
    rows,
    changed: diff === null ? null : countsOf(diff),
    corrections: definition.corrections.map(({ traineeNo, requestedBy, approvedBy }) => ({
      traineeNo,
      requestedBy,
      approvedBy,
    })),
  };
}

function flagsOf(
  before: ClassDefinition | null,
  definition: ClassDefinition,
  diff: ClassDiff | null,
): readonly string[] {
  const hoursFell = diff !== null && diff.timetable.hoursAfter < diff.timetable.hoursBefore;
  const plannedFell = before !== null && definition.plannedHours < before.plannedHours;
  return [
    ...(definition.approval === null ? ['UNAPPROVED_CLASS'] : []),
    ...(definition.temporaryVenue === null ? [] : ['TEMPORARY_VENUE']),
    ...(diff && timetableChanged(diff) ? ['TIMETABLE_CHANGED'] : []),
    ...(hoursFell || plannedFell ? ['HOURS_REDUCED'] : []),
  ];
}

const countsOf = ({ head, roster, timetable }: ClassDiff): Readonly<Record<string, JsonValue>> => ({
  head,
  added: roster.added.length,
  removed: roster.removed.length,
  altered: roster.changed.length,
  dates: timetable.added.length + timetable.removed.length + timetable.changed.length,
  hoursBefore: timetable.hoursBefore,
  hoursAfter: timetable.hoursAfter,
});

/** What is worth knowing about people who are in other classes too (R9). Informs, refuses nothing. */
export function notesOf(store: Store, index: ClassIndex, definition: ClassDefinition): readonly ImportNote[] {
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
