/**
 * What the journal says of an imported class, and what the tables hold of it, as digests that can be compared without a key
 * (C1): the head of the class, and the people of a roster version by the platform's numbers only. Names and documents are not in
 * them; those stand in the roster's salted hash.
 */
import { createHash } from 'node:crypto';
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
