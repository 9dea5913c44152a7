/**
 * What the journal says of an imported class, and what the tables hold of it, as digests that can be compared without a key
 * (C1): the head of the class, and the people of a roster version by the platform's numbers only. Names and documents are not in
 * them; those stand in the roster's salted hash.
 */
import { createHash } from 'node:crypto';
import type { CreditFact } from '../rules/facts.js';
import { canonicalJson } from '../rules/policy.js';
import type { Db } from './store.js';

export function textDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** SHA-256 of the head of a class: names, dates, hours, terminals. */
export function headDigest(db: Db, classNo: string): string {
  const row = db.prepare('SELECT body FROM class WHERE class_no = ?').get(classNo) as { body: string } | undefined;
  return textDigest(row?.body ?? '');
}

/** SHA-256 over who is on this version of the roster, with which codes, dates and granted methods; also over the teachers' codes. */
export function membersDigest(db: Db, classNo: string, version: number): string {
  const rows = (sql: string): unknown[] => db.prepare(sql).raw().all(classNo, version);
  const trainees = rows(
    `SELECT position, trainee_no, device_user_id, enrolled_from, enrolled_to, methods, document_type
     FROM class_trainee WHERE class_no = ? AND version = ? ORDER BY position, trainee_no`,
  );
  const teachers = rows(
    'SELECT teacher_no, device_user_id FROM class_teacher WHERE class_no = ? AND version = ? ORDER BY teacher_no',
  );
  return textDigest(JSON.stringify([trainees, teachers]));
}

/** The rest of the row of a class: the number of the region and when it was imported. */
export function headRowDigest(db: Db, classNo: string): string {
  return cellsDigest(
    db.prepare('SELECT regional_class_no, policy, imported_at FROM class WHERE class_no = ?').raw().all(classNo),
  );
}

/**
 * SHA-256 over all else that is kept of a version of the roster: who imported it from where, every sealed name, number and reason as
 * it lies there, and who asked for and approved corrections. No key is needed to compare it.
 */
export function rosterRowsDigest(db: Db, classNo: string, version: number): string {
  const rows = (columns: string, table: string): readonly unknown[] =>
    db
      .prepare(`SELECT ${columns} FROM ${table} WHERE class_no = ? AND version = ? ORDER BY ${columns}`)
      .raw()
      .all(classNo, version);
  return cellsDigest([
    rows('hash, salt, source, imported_by, imported_at', 'class_roster'),
    rows('trainee_no, name, document_number, document_index', 'class_trainee'),
    rows('teacher_no, name, qualification', 'class_teacher'),
    rows('trainee_no, reason, requested_by, approved_by', 'class_correction'),
  ]);
}

/** The same of a version of the timetable, beside its days. */
export function timetableRowDigest(db: Db, classNo: string, version: number): string {
  return cellsDigest(
    db
      .prepare('SELECT hours, source, imported_by, imported_at FROM class_timetable WHERE class_no = ? AND version = ?')
      .raw()
      .all(classNo, version),
  );
}

function cellsDigest(cells: readonly unknown[]): string {
  return textDigest(
    JSON.stringify(cells, (_key, cell: unknown) => {
      // What JSON makes of a Buffer is ten times as long.
      const { type, data } = (cell ?? {}) as { readonly type?: unknown; readonly data?: unknown };
      return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data as number[]).toString('hex') : cell;
    }),
  );
}

/** Rows that the journal holds to by their digest: what they are called there, their columns, and the column that numbers them in a class. */
export const KEPT_ROWS = {
  class_draft: { numbered: 'version', columns: 'class_no, version, hash, source, imported_by, imported_at, body' },
  class_change: {
    numbered: 'timetable_version',
    columns: 'class_no, timetable_version, reason, changed_by, approved_by, changed_at',
  },
  class_note: { numbered: 'no', columns: 'class_no, no, date, text, noted_by, noted_at' },
  class_seal: { numbered: null, columns: 'class_no, digest, days, sealed_by, sealed_at' },
} as const;
export type KeptTable = keyof typeof KEPT_ROWS;

/**
 * SHA-256 of one row, sealed texts as they lie there, so that no key is needed to compare it; null when there is no such row.
 * `no` is the row's number in its class; 0 for tables that have one row a class.
 */
export function rowDigest(db: Db, table: KeptTable, classNo: string, no: number): string | null {
  const { numbered, columns } = KEPT_ROWS[table];
  const select = `SELECT ${columns} FROM ${table} WHERE class_no = ?`;
  const row =
    numbered === null
      ? db.prepare(select).raw().get(classNo)
      : db.prepare(`${select} AND ${numbered} = ?`).raw().get(classNo, no);
  if (row === undefined) return null;
  return textDigest(
    JSON.stringify((row as unknown[]).map((cell) => (Buffer.isBuffer(cell) ? cell.toString('hex') : cell))),
  );
}

/** SHA-256 over the canonical JSON (RFC 8785) of the list of results, which is never held as a whole. */
export function resultsDigest(results: Iterable<CreditFact['result']>): string {
  const hash = createHash('sha256');
  let between = '[';
  for (const result of results) {
    hash.update(between).update(canonicalJson(result));
    between = ',';
  }
  return hash.update(between === '[' ? '[]' : ']').digest('hex');
}
