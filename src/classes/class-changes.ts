/**
 * Why an active class was changed, and what people remarked on it (R15). Rows are written once and never changed; the journal's
 * event holds each by its digest. Reasons and remarks are sealed to their row, because people write names into them.
 *
 * `put…` is called inside `store.transact`.
 */
import { fail } from '../core/errors.js';
import type { Instant, LocalDate } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import { rowDigest, type KeptTable } from '../store/class-digest.js';
import type { Store } from '../store/store.js';
import type { Change } from './class-file.js';

/** What reading takes; without the vault the texts stay closed. */
export type TextSource = Pick<Store, 'db'> & { readonly vault: Store['vault'] | null };

export interface ChangeRow {
  readonly timetableVersion: number;
  /** Null: the key is not within reach. */
  readonly reason: string | null;
  readonly by: string;
  readonly approvedBy: string | null;
  readonly at: Instant;
}

export interface NoteRow {
  readonly no: number;
  /** Null: the class as a whole. */
  readonly date: LocalDate | null;
  /** Null: the key is not within reach. */
  readonly text: string | null;
  readonly by: string;
  readonly at: Instant;
}

const changePlace = (classNo: string, version: number): string => `class_change|${classNo}/${version}|reason`;
const notePlace = (classNo: string, no: number): string => `class_note|${classNo}/${no}|text`;

/** A row as an event names it: the check compares its digest (promise 16). */
export function namedRow(store: Pick<Store, 'db'>, table: KeptTable, classNo: string, no: number): JsonValue {
  return { table, no, digest: rowDigest(store.db, table, classNo, no) };
}

/** Keeps the reason of the timetable version that the change made, and returns how an event names the row. */
export function putChange(store: Store, classNo: string, version: number, change: Change, at: Instant): JsonValue {
  const reason = Buffer.from(store.vault.seal(changePlace(classNo, version), change.reason));
  store.db
    .prepare(
      `INSERT INTO class_change (class_no, timetable_version, reason, changed_by, approved_by, changed_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    )
    .run(classNo, version, reason, change.by, change.approvedBy, at);
  return namedRow(store, 'class_change', classNo, version);
}

export interface NewNote {
  readonly classNo: string;
  readonly date: LocalDate | null;
  readonly text: string;
  readonly by: string;
  readonly at: Instant;
}

/** Keeps a remark under the next number of the class. */
export function putNote(store: Store, note: NewNote): { readonly no: number; readonly row: JsonValue } {
  const { no } = store.db
    .prepare('SELECT coalesce(max(no), 0) + 1 AS no FROM class_note WHERE class_no = ?')
    .get(note.classNo) as { no: number };
  const text = Buffer.from(store.vault.seal(notePlace(note.classNo, no), note.text));
  store.db
    .prepare('INSERT INTO class_note (class_no, no, date, text, noted_by, noted_at) VALUES (?, ?, ?, ?, ?, ?)')
    .run(note.classNo, no, note.date, text, note.by, note.at);
  return { no, row: namedRow(store, 'class_note', note.classNo, no) };
}

/**
 * Adds a remark and its event: a transaction of its own. Throws `class-unknown`. A sealed class may still be remarked on, because a
 * remark changes no result.
 */
export function addNote(store: Store, note: NewNote): number {
  const { classNo, date, by, at } = note;
  if (store.db.prepare('SELECT 1 FROM class WHERE class_no = ?').get(classNo) === undefined)
    throw fail('class-unknown', { classNo });
  return store.transact((tx) => {
    const { no, row } = putNote(store, note);
    tx.addEvent({
      kind: 'event',
      what: 'class',
      at,
      data: { classId: classNo, state: 'note', no, date, by, rows: [row] },
    });
    return no;
  });
}

/** Changes of the timetable in the order in which they were made. Reasons are personal data: who shows them answers for it (R70). */
export function loadChanges(source: TextSource, classNo: string): readonly ChangeRow[] {
  interface Row {
    readonly timetable_version: number;
    readonly reason: Buffer;
    readonly changed_by: string;
    readonly approved_by: string | null;
    readonly changed_at: number;
  }
  return source.db
    .prepare<[string], Row>('SELECT * FROM class_change WHERE class_no = ? ORDER BY timetable_version')
    .all(classNo)
    .map((row) => ({
      timetableVersion: row.timetable_version,
      reason: source.vault?.open(changePlace(classNo, row.timetable_version), row.reason) ?? null,
      by: row.changed_by,
      approvedBy: row.approved_by,
      at: row.changed_at as Instant,
    }));
}

/** Remarks in the order in which they were made; the same holds of their texts. */
export function loadNotes(source: TextSource, classNo: string): readonly NoteRow[] {
  interface Row {
    readonly no: number;
    readonly date: string | null;
    readonly text: Buffer;
    readonly noted_by: string;
    readonly noted_at: number;
  }
  return source.db
    .prepare<[string], Row>('SELECT * FROM class_note WHERE class_no = ? ORDER BY no')
    .all(classNo)
    .map((row) => ({
      no: row.no,
      date: row.date as LocalDate | null,
      text: source.vault?.open(notePlace(classNo, row.no), row.text) ?? null,
      by: row.noted_by,
      at: row.noted_at as Instant,
    }));
}
