/**
 * What the journal says of a request, of a decision and of a file of online hours, made from the rows themselves: the writer puts it
 * into the event, the check makes it again and compares. No names and no texts (C1): of what people wrote there is the digest of the
 * sealed bytes, of a file's records one digest over all of them.
 */
import { createHash } from 'node:crypto';
import type { EventFact, EventWhat, JsonValue } from '../rules/facts.js';
import type { Instant } from '../core/time.js';
import type { Db } from './store.js';
import { prepared } from './statements.js';

interface RequestColumns {
  readonly id: string;
  readonly class_no: string;
  readonly kind: 'leave' | 'makeup' | 'review';
  readonly trainee_no: string;
  readonly date: string;
  readonly place: string;
  readonly effective: number | null;
  readonly reason: string;
  readonly text: Buffer | null;
  readonly evidence: string;
  readonly requested_by: string;
  readonly requested_at: number;
}

interface DecisionColumns {
  readonly request: string;
  readonly verdict: string;
  readonly text: Buffer | null;
  readonly decided_by: string;
  readonly decided_at: number;
}

interface ImportColumns {
  readonly id: number;
  readonly class_no: string;
  readonly sha256: string;
  readonly source: string;
  readonly origin: string;
  readonly digest: string;
  readonly records: number;
  readonly imported_by: string;
  readonly imported_at: number;
}

const event = (what: EventWhat, at: number, data: Readonly<Record<string, JsonValue>>): EventFact => ({
  kind: 'event',
  what,
  at: at as Instant,
  data,
});

const digestOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

const requestRow = (db: Db, id: string): RequestColumns | undefined =>
  prepared<[string], RequestColumns>(db, 'SELECT * FROM class_request WHERE id = ?').get(id);

const placeOf = (row: RequestColumns): Readonly<Record<string, JsonValue>> => ({
  request: row.id,
  classId: row.class_no,
  traineeNo: row.trainee_no,
  date: row.date,
  place: row.place,
  reason: row.reason,
  effective: row.effective,
  evidence: JSON.parse(row.evidence) as JsonValue,
});

/** The event of a request as it was made; null when there is no such row. */
export function requestEvent(db: Db, id: string): EventFact | null {
  const row = requestRow(db, id);
  if (!row) return null;
  const text = row.text === null ? null : digestOf(row.text);
  return event(row.kind, row.requested_at, { ...placeOf(row), state: 'open', by: row.requested_by, text });
}

/** The event of the decision on a request; null when it is open or gone. */
export function decisionEvent(db: Db, id: string): EventFact | null {
  const row = requestRow(db, id);
  const decision = prepared<[string], DecisionColumns>(db, 'SELECT * FROM class_decision WHERE request = ?').get(id);
  if (!row || !decision) return null;
  const text = decision.text === null ? null : digestOf(decision.text);
  const { verdict: state, decided_by: by } = decision;
  return event(row.kind, decision.decided_at, { ...placeOf(row), state, by, requestedBy: row.requested_by, text });
}

/** SHA-256 over the records of one imported file, in the order of its rows, and how many there are. */
export function onlineDigest(db: Db, id: number): { readonly digest: string; readonly records: number } {
  const rows = prepared<[number], unknown[]>(
    db,
    `SELECT row, class_no, trainee_no, date, lesson, kind, minutes, proof FROM class_online
     WHERE import = ? ORDER BY row`,
  )
    .raw()
    .all(id);
  return { digest: digestOf(JSON.stringify(rows)), records: rows.length };
}

/** The event of an imported file of online hours; null when there is no such import. The name of the file may name a person: its digest. */
export function onlineEvent(db: Db, id: number): EventFact | null {
  const row = prepared<[number], ImportColumns>(db, 'SELECT * FROM class_online_import WHERE id = ?').get(id);
  if (!row) return null;
  const { class_no: classId, sha256, origin, digest, records, imported_by: by } = row;
  const source = digestOf(row.source);
  return event('online', row.imported_at, { classId, import: id, sha256, source, origin, digest, records, by });
}
