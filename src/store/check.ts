/**
 * The promises of this room, verified row by row: one function for each number in README.md. Reads only, so it works beside a
 * running daemon and on a copy; every statement sees one moment, and facts never change, so no long transaction is held.
 *
 * It believes nothing that is stored twice: hashes are computed anew, batches are unpacked. Signatures are checked by a function
 * that the caller brings, because keys belong to another room.
 */
import { systemCode } from '../core/errors.js';
import { checkClasses } from './check-classes.js';
import { checkEvidence } from './check-evidence.js';
import { checkBatches, checkBatchContents, checkReceipts, checkUpstreams } from './check-outbox.js';
import { createChainWalk } from './chain.js';
import { openReadOnly, openScratch } from './database.js';
import { layoutOf, sizeOf } from './layout.js';
import { genesisHash } from './record.js';
import { loadMigrations, schemaVersion } from './schema.js';
import type { Db, JournalHead } from './store.js';
import { readWitness, type Witness } from './witness.js';

/** True: good. False: not. Null: nobody here knows the key. */
export type VerifySignature = (jws: string, from: 'gateway' | 'platform', upstream: string) => boolean | null;

export interface Fault {
  /** Number of the broken promise in README.md. */
  readonly promise: number;
  /** First journal number concerned; null when none is. */
  readonly n: number | null;
  readonly reason: string;
}

export interface Verification {
  readonly ok: boolean;
  /** Journal records. */
  readonly records: number;
  readonly batches: number;
  readonly head: JournalHead;
  /** Last journal number that a receipt of a platform stands for; 0 when there is none. */
  readonly anchoredUpTo: number;
  readonly firstFault: Fault | null;
}

export interface CheckContext {
  readonly db: Db;
  /** Head when the check began; what came later is not looked at. */
  readonly head: JournalHead;
  /** Read before the head, so that it cannot be ahead of it honestly. */
  readonly witness: Witness | null;
  readonly verifySignature: VerifySignature;
}

export type Finding = Omit<Fault, 'promise'> | null;

const CHAIN_SLICE = 5000;

const hashAt = (db: Db, n: number): string | null =>
  (db.prepare('SELECT hash FROM journal WHERE n = ?').get(n) as { hash: Buffer } | undefined)?.hash.toString('hex') ??
  null;

/** 1: journal numbers run from 1 without a gap. */
export function checkNumbers({ db, head }: CheckContext): Finding {
  const gap = db
    .prepare(
      'SELECT n FROM (SELECT n, row_number() OVER (ORDER BY n) AS place FROM journal) WHERE n <> place AND n <= ? LIMIT 1',
    )
    .get(head.n) as { n: number } | undefined;
  return gap ? { n: gap.n, reason: `the journal jumps to ${gap.n}` } : null;
}

/** 2: each record's hash is that of its contents and of the record before it. */
export function checkChain({ db, head }: CheckContext): Finding {
  const id = db.prepare("SELECT value FROM meta WHERE name = 'journal-id'").get() as { value: string } | undefined;
  if (!id) return { n: 1, reason: 'the journal has lost its id' };
  const walk = createChainWalk(db);
  let mark: JournalHead = { n: 0, hash: genesisHash(id.value) };
  for (let done = false; !done && mark.n < head.n;) {
    const step = walk.step(mark, CHAIN_SLICE);
    if (step.fault) return step.fault;
    ({ mark, done } = step);
  }
  return mark.n < head.n ? { n: mark.n + 1, reason: 'the journal ends too early' } : null;
}

/** 3: each journal row has exactly one fact of its kind, and each fact its journal row. */
export function checkFacts({ db }: CheckContext): Finding {
  for (const [kind, table] of [
    [1, 'punch'],
    [2, 'event'],
    [3, 'credit'],
  ] as const) {
    const lonely = db
      .prepare(`SELECT n FROM journal WHERE kind = ${kind} AND n NOT IN (SELECT n FROM ${table}) ORDER BY n LIMIT 1`)
      .get() as { n: number } | undefined;
    if (lonely) return { n: lonely.n, reason: `the ${table} of this journal row is missing` };
    const stray = db
      .prepare(`SELECT n FROM ${table} WHERE n NOT IN (SELECT n FROM journal WHERE kind = ${kind}) ORDER BY n LIMIT 1`)
      .get() as { n: number } | undefined;
    if (stray) return { n: stray.n, reason: `this ${table} has no journal row of its kind` };
  }
  return null;
}

/** 4: no two punches have the same identity. */
export function checkIdentity({ db }: CheckContext): Finding {
  const twin = db
    .prepare(
      `SELECT max(n) AS n FROM punch NOT INDEXED GROUP BY device_user_id, wall_time, device, seq_identity HAVING count(*) > 1 LIMIT 1`,
    )
    .get() as { n: number } | undefined;
  return twin ? { n: twin.n, reason: 'this punch is stored twice' } : null;
}

/** 5: the revisions of a day's credit run 1, 2, 3 in journal order. */
export function checkRevisions({ db }: CheckContext): Finding {
  const odd = db
    .prepare(
      `SELECT n, id FROM (SELECT n, id, rev, row_number() OVER (PARTITION BY id ORDER BY n) AS place FROM credit)
       WHERE rev <> place ORDER BY n LIMIT 1`,
    )
    .get() as { n: number; id: string } | undefined;
  return odd ? { n: odd.n, reason: 'the revision of this credit is out of order' } : null;
}

/** 10: the witness knows nothing that the database does not. */
export function checkWitness({ db, head, witness }: CheckContext): Finding {
  if (!witness) return { n: null, reason: 'head-witness is missing' };
  if (witness.n > head.n)
    return { n: head.n + 1, reason: `the database ends at ${head.n}, but head-witness knows ${witness.n}` };
  if (witness.n > 0 && hashAt(db, witness.n) !== witness.hash) {
    return { n: witness.n, reason: 'this record is not the one that head-witness knows' };
  }
  return null;
}

/** 11: what is counted and what is still to be done agree with the facts. */
export function checkWork({ db }: CheckContext): Finding {
  const counted = db
    .prepare(
      `SELECT device.punches AS punches, coalesce(found.punches, 0) AS found FROM device
       LEFT JOIN (SELECT device, count(*) AS punches FROM punch GROUP BY device) AS found ON found.device = device.id
       WHERE device.punches <> coalesce(found.punches, 0) LIMIT 1`,
    )
    .get() as { punches: number; found: number } | undefined;
  if (counted)
    return { n: null, reason: `a terminal has ${counted.found} punches, but ${counted.punches} were counted` };
  const stamp = db
    .prepare('SELECT stamp FROM touched_day GROUP BY stamp HAVING count(*) > 1 OR stamp < 1 LIMIT 1')
    .get();
  return stamp ? { n: null, reason: 'two touched days have the same stamp' } : null;
}

/** 12: the file is a sound SQLite database. */
export function checkStructure({ db }: CheckContext): Finding {
  const result = db.pragma('quick_check(1)', { simple: true });
  return result === 'ok' ? null : { n: null, reason: String(result) };
}

/** 15: every reference leads to a row. */
export function checkReferences({ db }: CheckContext): Finding {
  const orphan = (db.pragma('foreign_key_check') as { table: string }[])[0];
  return orphan ? { n: null, reason: `a row of ${orphan.table} refers to nothing` } : null;
}

/** 13: tables, views and guards are those of the schema the file says it has. */
export function checkGuards({ db }: CheckContext): Finding {
  const version = schemaVersion(db);
  const scratch = openScratch();
  try {
    for (const step of loadMigrations()) if (step.version <= version) scratch.exec(step.sql);
    const read = (from: Db): Map<string, string> =>
      new Map(
        (
          from.prepare("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").all() as {
            name: string;
            sql: string;
          }[]
        ).map(({ name, sql }) => [name, sql]),
      );
    const [found, wanted] = [read(db), read(scratch)];
    for (const [name, sql] of wanted)
      if (found.get(name) !== sql) return { n: null, reason: `${name} of the schema is missing or was changed` };
    for (const name of found.keys())
      if (!wanted.has(name)) return { n: null, reason: `${name} does not belong to the schema` };
    return null;
  } finally {
    scratch.close();
  }
}

/** 14: each start is recorded with the head it found. */
export function checkStarts({ db }: CheckContext): Finding {
  const odd = db
    .prepare(
      `SELECT event.n AS n FROM event LEFT JOIN journal AS before ON before.n = event.n - 1
       WHERE event.what = 'start' AND (event.body ->> '$.data.previous.n' IS NOT event.n - 1
         OR (event.n > 1 AND event.body ->> '$.data.previous.hash' IS NOT lower(hex(before.hash)))) ORDER BY event.n LIMIT 1`,
    )
    .get() as { n: number } | undefined;
  return odd ? { n: odd.n, reason: 'this start found another head than the record before it' } : null;
}

/** The promises in the order in which a fault is most telling. */
const CHECKS: readonly (readonly [promise: number, check: (context: CheckContext) => Finding])[] = [
  [12, checkStructure],
  [1, checkNumbers],
  [3, checkFacts],
  [2, checkChain],
  [14, checkStarts],
  [4, checkIdentity],
  [5, checkRevisions],
  [6, checkBatches],
  [7, checkBatchContents],
  [8, checkReceipts],
  [9, checkUpstreams],
  [10, checkWitness],
  [11, checkWork],
  [13, checkGuards],
  [16, checkClasses],
  [17, checkEvidence],
  [15, checkReferences],
];

function headOf(db: Db): JournalHead {
  const row = db.prepare('SELECT n, hash FROM journal ORDER BY n DESC LIMIT 1').get() as
    { n: number; hash: Buffer } | undefined;
  return row ? { n: row.n, hash: row.hash.toString('hex') } : { n: 0, hash: '' };
}

function anchored(db: Db): number {
  const row = db
    .prepare(
      'SELECT coalesce(max(batch.n1), 0) AS n FROM receipt JOIN batch USING (upstream, ep) WHERE batch.seq = receipt.through AND batch.hash = receipt.hash',
    )
    .get() as { n: number };
  return row.n;
}

const nothing = (reason: string): Verification => ({
  ok: false,
  records: 0,
  batches: 0,
  head: { n: 0, hash: '' },
  anchoredUpTo: 0,
  firstFault: { promise: 12, n: null, reason },
});

/** Verifies one data directory. Never throws for what it finds; a directory that cannot be read at all is a fault too. */
export function verifyDataDir(dir: string, options: { readonly verifySignature?: VerifySignature } = {}): Verification {
  const layout = layoutOf(dir);
  let db: Db | null = null;
  try {
    const size = sizeOf(layout.database);
    if (size === null || size === 0) return nothing(`rollcall.db is ${size === null ? 'missing' : 'empty'}`);
    const witness = readWitness(layout.witness);
    db = openReadOnly(layout.database);
    const context: CheckContext = {
      db,
      head: headOf(db),
      witness,
      verifySignature: options.verifySignature ?? (() => null),
    };
    let firstFault: Fault | null = null;
    for (const [promise, check] of CHECKS) {
      const finding = check(context);
      if (finding) {
        firstFault = { promise, ...finding };
        break;
      }
    }
    const { batches } = db.prepare('SELECT count(*) AS batches FROM batch').get() as { batches: number };
    const records = (
      db.prepare('SELECT count(*) AS records FROM journal WHERE n <= ?').get(context.head.n) as { records: number }
    ).records;
    // A receipt stands for the records only as long as the records are those it was given for.
    const upTo = Math.min(
      anchored(db),
      firstFault?.n === undefined || firstFault.n === null ? Number.MAX_SAFE_INTEGER : firstFault.n - 1,
    );
    return { ok: firstFault === null, records, batches, head: context.head, anchoredUpTo: upTo, firstFault };
  } catch (error) {
    return nothing(
      systemCode(error)?.startsWith('SQLITE_') === true
        ? `the database cannot be read: ${systemCode(error) ?? ''}`
        : (error as Error).message,
    );
  } finally {
    db?.close();
  }
}
