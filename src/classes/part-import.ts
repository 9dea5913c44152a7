/**
 * A part of a class imported on its own: a roster or a timetable that came as a table. Into a draft it is merged as one more version;
 * into an active class it makes a new version through the import of classes, with everything else as it was (R2).
 *
 * A table says who is there and when; what it cannot say (the id on the terminals, other methods that were granted) stays as it was.
 */
import { fail } from '../core/errors.js';
import type { FileFault } from '../core/faults.js';
import type { Store } from '../store/store.js';
import { judgeParts, type Change, type Correction, type RosterEntry } from './class-file.js';
import { definitionOf, type ImportBy, type ImportOutcome } from './class-import.js';
import type { ClassParts } from './class-schema.js';
import type { ClassRecord } from './class-tables.js';
import type { Classes } from './classes.js';
import { openDraft, rosterParts, saveDraft, timetableParts, type Draft, type DraftOutcome } from './drafts.js';
import { diffClasses, identityChanges } from './roster-diff.js';
import type { ClassDay } from './timetable.js';

export type PartOutcome =
  | { readonly kind: 'class'; readonly outcome: ImportOutcome; readonly notes: readonly FileFault[] }
  | { readonly kind: 'draft'; readonly outcome: DraftOutcome; readonly notes: readonly FileFault[] }
  | { readonly kind: 'refused'; readonly faults: readonly FileFault[] };

/** What is there under this number. */
export type Target =
  { readonly record: ClassRecord; readonly draft: null } | { readonly record: null; readonly draft: Draft };

/** Throws `class-unknown`. */
export function targetOf(store: Store, classes: Classes, classNo: string): Target {
  const record = classes.get(classNo);
  if (record !== null) return { record, draft: null };
  const draft = openDraft(store, classNo);
  if (draft === null) throw fail('class-unknown', { classNo });
  return { record: null, draft };
}

/** Who stands for changed names and documents; the same for everybody whose data the file changes. */
export type CorrectionBy = Omit<Correction, 'traineeNo'>;

/** A roster: the whole list of trainees. Teachers stay. Throws as the import of classes, and `class-same-person`. */
export function importRoster(
  store: Store,
  classes: Classes,
  target: Target,
  entries: readonly RosterEntry[],
  by: ImportBy & { readonly correction: CorrectionBy | null },
): PartOutcome {
  const { correction, ...imported } = by;
  const { record, draft } = target;
  if (record === null) {
    const before = judgeParts(draft.content, classes.context()).sketch?.roster ?? [];
    const roster = rosterParts(withKept(entries, before));
    return mergeIntoDraft(store, classes, { ...draft.content, roster }, imported);
  }
  if (correction !== null && correction.requestedBy === correction.approvedBy) throw fail('class-same-person');
  const before = definitionOf(store, record);
  const roster = withKept(entries, before.roster);
  const changed = correction === null ? [] : identityChanges(diffClasses(before, { ...before, roster }));
  const corrections = correction === null ? [] : changed.map((traineeNo) => ({ traineeNo, ...correction }));
  return { kind: 'class', outcome: classes.import({ ...before, roster, corrections }, imported), notes: [] };
}

/** A timetable: all days of the class. Throws as the import of classes. */
export function importTimetable(
  store: Store,
  classes: Classes,
  { record, draft }: Target,
  days: readonly ClassDay[],
  by: ImportBy & { readonly change: Change | null },
): PartOutcome {
  const { change, ...imported } = by;
  if (record === null)
    return mergeIntoDraft(store, classes, { ...draft.content, timetable: timetableParts(days) }, imported);
  const outcome = classes.import({ ...definitionOf(store, record), days, change }, imported);
  return { kind: 'class', outcome, notes: [] };
}

function mergeIntoDraft(store: Store, classes: Classes, content: ClassParts, by: ImportBy): PartOutcome {
  const context = classes.context();
  const judged = judgeParts(content, context);
  if (judged.content === null) return { kind: 'refused', faults: judged.faults };
  return { kind: 'draft', outcome: saveDraft(store, judged.content, context, by), notes: judged.notes };
}

/**
 * The people of the table with what it could not say. A column that is empty for everybody was not there: ids on the terminals, dates
 * and granted methods then stay as they were.
 */
function withKept(entries: readonly RosterEntry[], before: readonly RosterEntry[]): readonly RosterEntry[] {
  const known = new Map(before.map((one) => [one.traineeNo, one]));
  const says = {
    id: entries.some((one) => one.deviceUserId !== one.traineeNo),
    from: entries.some((one) => one.enrolledFrom !== null),
    to: entries.some((one) => one.enrolledTo !== null),
    methods: entries.some((one) => one.alternativeMethods.length > 0),
  };
  return entries.map((one) => {
    const was = known.get(one.traineeNo);
    if (was === undefined) return one;
    return {
      ...one,
      deviceUserId: says.id ? one.deviceUserId : was.deviceUserId,
      enrolledFrom: says.from ? one.enrolledFrom : was.enrolledFrom,
      enrolledTo: says.to ? one.enrolledTo : was.enrolledTo,
      alternativeMethods: says.methods ? one.alternativeMethods : was.alternativeMethods,
    };
  });
}
