/**
 * Online hours as an online platform recorded them (R48): the records of one file into the tables, with the file's digest and origin,
 * an event of the journal and a touch of every day concerned, in one transaction. The gateway makes up none of them.
 *
 * A single record that cannot be right refuses the whole file. The same file again changes nothing; a later file with other minutes
 * for the same person, date, lesson and kind takes their place (`loadEvidence`), and the import says how many.
 */
import { createHash } from 'node:crypto';
import { fail } from '../core/errors.js';
import { instantToDate, type Clock, type Instant, type LocalDate } from '../core/time.js';
import { canonicalJson } from '../rules/policy.js';
import { onlineDigest, onlineEvent } from '../store/evidence-events.js';
import type { Store } from '../store/store.js';
import { enrolledFrom, enrolledTo } from './class-index.js';
import { loadClasses, type ClassRecord } from './class-tables.js';
import { sealOf } from './evidence.js';
import { markOf } from './requests.js';
import type { OnlineRow } from './sheet-online.js';

/** Why one row cannot be imported; words for people, and the row of the table. */
export interface OnlineFault {
  readonly row: number;
  readonly traineeNo: string;
  readonly zh: string;
  readonly en: string;
}

export interface OnlineFile {
  readonly classNo: string;
  /** Lower-case hex SHA-256 of the file. */
  readonly sha256: string;
  /** Its name without a path. */
  readonly source: string;
  /** Online platform that it came from. */
  readonly origin: string;
  readonly rows: readonly OnlineRow[];
  readonly importedBy: string;
}

export interface OnlineOutcome {
  readonly classNo: string;
  /** `same`: this file was imported before, nothing is written. `checked`: it can be, and nothing was written. */
  readonly result: 'imported' | 'same' | 'checked';
  readonly records: number;
  readonly trainees: number;
  readonly minutes: number;
  /** Records that take the place of earlier ones with other minutes. */
  readonly replaced: number;
  /** Records that say what an earlier one said. */
  readonly repeated: number;
  /** Records of which a later row of the same file says something else, so that they do not count. */
  readonly overwritten: number;
}

/** What cannot be right about the rows of a file; empty when it may be imported. */
export function onlineFaults(record: ClassRecord, rows: readonly OnlineRow[], now: Instant): readonly OnlineFault[] {
  const today = instantToDate(now, record.policy.timezone);
  const members = new Map(record.members.map((one) => [one.traineeNo, one]));
  return rows.flatMap((row): OnlineFault[] => {
    const { traineeNo, date } = row;
    const fault = (zh: string, en: string): OnlineFault[] => [{ row: row.row, traineeNo, zh, en }];
    const member = members.get(traineeNo);
    if (!member) return fault(`学员 ${traineeNo} 不在花名册中`, `trainee ${traineeNo} is not on the roster`);
    if (date < enrolledFrom(record, member) || date > enrolledTo(record, member))
      return fault(`日期 ${date} 不在该学员的在册期内`, `${date} lies outside the enrolment`);
    if (date > today) return fault(`日期 ${date} 尚未到来`, `${date} is still to come`);
    return [];
  });
}

/**
 * What an import would do; writes nothing, so a reader beside the daemon is enough. Throws `request-class`, `class-sealed`, and
 * `online-file-faulty` when a row cannot be right (`onlineFaults` tells them all).
 */
export function planOnline(source: Pick<Store, 'db'>, file: OnlineFile, now: Instant): OnlineOutcome {
  const { classNo } = file;
  const record = loadClasses(source).find((one) => one.classNo === classNo);
  if (!record) throw fail('request-class', { classNo });
  if (sealOf(source, classNo) !== null) throw fail('class-sealed', { classNo });
  const known = source.db
    .prepare('SELECT 1 FROM class_online_import WHERE class_no = ? AND sha256 = ?')
    .get(classNo, file.sha256);
  const counts = { ...countsOf(source, file), classNo };
  if (known !== undefined) return { ...counts, result: 'same' };
  const faults = onlineFaults(record, file.rows, now);
  const [first] = faults;
  if (first || file.rows.length === 0)
    throw fail('online-file-faulty', { file: file.source, faults: Math.max(1, faults.length), row: first?.row ?? 1 });
  return { ...counts, result: 'checked' };
}

/** Imports. Throws as `planOnline`; nothing is written then. */
export function importOnline(store: Store, file: OnlineFile, { clock }: { readonly clock: Clock }): OnlineOutcome {
  const named = { ...file, origin: markOf(file.origin), importedBy: markOf(file.importedBy) };
  const at = clock.now();
  const outcome = planOnline(store, named, at);
  if (outcome.result === 'same') return outcome;
  store.transact((tx) => {
    const event = onlineEvent(store.db, insert(store, named, at));
    if (event) tx.addEvent(event);
    for (const day of daysOf(file.rows)) tx.touchDay({ classNo: file.classNo, ...day, cause: 'online' });
  });
  return { ...outcome, result: 'imported' };
}

/** Both digests are over what the tables hold, so that the check makes them again. */
function insert(store: Store, file: OnlineFile, at: Instant): number {
  const { db } = store;
  const { next } = db.prepare('SELECT coalesce(max(id), 0) + 1 AS next FROM class_online_import').get() as {
    next: number;
  };
  const digest = recordsDigest(file);
  db.prepare(
    `INSERT INTO class_online_import (id, class_no, sha256, source, origin, digest, records, imported_by, imported_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    ...[next, file.classNo, file.sha256, file.source, file.origin, digest, file.rows.length],
    ...[file.importedBy, at],
  );
  const add = db.prepare(
    `INSERT INTO class_online (import, row, class_no, trainee_no, date, lesson, kind, minutes, proof)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const row of file.rows) add.run(next, ...columnsOf(file.classNo, row));
  if (onlineDigest(db, next).digest !== digest)
    throw fail('unexpected', { reason: 'online records are not stored as they were given' });
  return next;
}

const columnsOf = (classNo: string, row: OnlineRow): readonly (string | number)[] => [
  ...[row.row, classNo, row.traineeNo, row.date, row.lesson, row.kind, row.minutes],
  canonicalJson(row.proof),
];

/** As `onlineDigest` makes it from the table: the import row stands before its records, and cannot be changed after. */
function recordsDigest(file: OnlineFile): string {
  const rows = [...file.rows].sort((a, b) => a.row - b.row).map((row) => columnsOf(file.classNo, row));
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

function daysOf(rows: readonly OnlineRow[]): readonly { readonly traineeNo: string; readonly date: LocalDate }[] {
  const days = new Map(rows.map(({ traineeNo, date }) => [`${traineeNo}/${date}`, { traineeNo, date }]));
  return [...days.values()];
}

const keyOf = (row: Pick<OnlineRow, 'traineeNo' | 'date' | 'lesson' | 'kind'>): string =>
  JSON.stringify([row.traineeNo, row.date, row.lesson, row.kind]);

function countsOf({ db }: Pick<Store, 'db'>, file: OnlineFile): Omit<OnlineOutcome, 'classNo' | 'result'> {
  const before = new Map<string, number>();
  const rows = db
    .prepare<[string], Pick<OnlineRow, 'traineeNo' | 'date' | 'lesson' | 'kind' | 'minutes'>>(
      `SELECT trainee_no AS traineeNo, date, lesson, kind, minutes FROM class_online WHERE class_no = ? ORDER BY import, row`,
    )
    .all(file.classNo);
  for (const row of rows) before.set(keyOf(row), row.minutes);
  // Of several rows for one lesson the last one counts.
  const counting = new Map(file.rows.map((row) => [keyOf(row), row]));
  let [replaced, repeated, minutes] = [0, 0, 0];
  for (const [key, row] of counting) {
    const known = before.get(key);
    minutes += row.minutes;
    if (known === row.minutes) repeated += 1;
    else if (known !== undefined) replaced += 1;
  }
  return {
    records: file.rows.length,
    trainees: new Set(file.rows.map((row) => row.traineeNo)).size,
    ...{ minutes, replaced, repeated, overwritten: file.rows.length - counting.size },
  };
}
