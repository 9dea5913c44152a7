/**
 * Promise 17: leave, make-ups, reviews and online hours are those that the journal names. Each row of a request, of a decision and
 * of an imported file has its event with the same content, and each such event its row, so that an hour that somebody granted
 * behind the journal's back shows, and an approval that somebody took away too.
 *
 * Reads only and needs no key. Rows are read before events, because a gateway that runs may add both meanwhile.
 */
import type { EventFact } from '../rules/facts.js';
import type { CheckContext, Finding } from './check.js';
import { decisionEvent, onlineDigest, onlineEvent, requestEvent } from './evidence-events.js';
import { canonicalJson } from './record.js';
import { EVIDENCE_SCHEMA, schemaVersion } from './schema.js';
import type { Db } from './store.js';

/** One row that an event must stand for: which, and what the event must say. */
interface Expected {
  readonly what: string;
  readonly body: string;
}

const textOf = (event: EventFact | null): string => (event === null ? '' : canonicalJson(event));

const ids = (db: Db, sql: string): readonly unknown[] => db.prepare(sql).pluck().all();

/** By key: `open ID`, `decided ID`, `online ID`. */
function expectedEvents(db: Db): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const id of ids(db, 'SELECT id FROM class_request') as readonly string[])
    expected.set(`open ${id}`, { what: `request ${id}`, body: textOf(requestEvent(db, id)) });
  for (const id of ids(db, 'SELECT request FROM class_decision') as readonly string[])
    expected.set(`decided ${id}`, { what: `the decision on request ${id}`, body: textOf(decisionEvent(db, id)) });
  for (const id of ids(db, 'SELECT id FROM class_online_import') as readonly number[])
    expected.set(`online ${id}`, { what: `online import ${id}`, body: textOf(onlineEvent(db, id)) });
  return expected;
}

function keyOf({ what, data }: EventFact): string {
  if (what === 'online') return `online ${JSON.stringify(data.import)}`;
  const id = typeof data.request === 'string' ? data.request : '';
  return `${data.state === 'open' ? 'open' : 'decided'} ${id}`;
}

/** Records whose file says something else now, or that belong to no file. */
function onlineFault(db: Db): string | null {
  for (const { id, digest, records, classNo } of db
    .prepare('SELECT id, digest, records, class_no AS classNo FROM class_online_import ORDER BY id')
    .all() as { id: number; digest: string; records: number; classNo: string }[]) {
    const found = onlineDigest(db, id);
    if (found.digest !== digest || found.records !== records) return `the records of online import ${id} were changed`;
    const astray = db.prepare('SELECT 1 FROM class_online WHERE import = ? AND class_no <> ?').get(id, classNo);
    if (astray) return `a record of online import ${id} stands in another class`;
  }
  const lonely = db
    .prepare('SELECT import FROM class_online WHERE import NOT IN (SELECT id FROM class_online_import) LIMIT 1')
    .pluck()
    .get();
  return lonely === undefined ? null : 'an online record belongs to no import';
}

/** 17: every request, decision and file of online hours is as its event says, and each event has its row. */
export function checkEvidence({ db, head }: CheckContext): Finding {
  if (schemaVersion(db) < EVIDENCE_SCHEMA) return null;
  const changed = onlineFault(db);
  if (changed !== null) return { n: null, reason: changed };
  const expected = expectedEvents(db);
  const events = db
    .prepare("SELECT n, body FROM event WHERE what IN ('leave', 'makeup', 'review', 'online') ORDER BY n")
    .all() as { n: number; body: string }[];
  const seen = new Set<string>();
  for (const { n, body } of events) {
    const key = keyOf(JSON.parse(body) as EventFact);
    const row = expected.get(key);
    if (seen.has(key)) return { n, reason: `${row?.what ?? key} is told twice` };
    seen.add(key);
    if (row?.body === body) continue;
    // What came after the check began is not looked at.
    if (n > head.n) continue;
    return { n, reason: row ? `${row.what} is not what was told` : `what this event tells is gone` };
  }
  for (const [key, { what }] of expected) if (!seen.has(key)) return { n: null, reason: `nothing tells of ${what}` };
  return null;
}
