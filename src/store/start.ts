/**
 * What a start looks at before it trusts the disk (P13, D12): the files against the witness, read-only, so that a bad database stays
 * exactly as it was found; then structure and chain within a budget, from the last verified record on.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { instant, type Clock, type Instant } from '../core/time.js';
import type { EventFact } from '../rules/facts.js';
import { createChainWalk, type ChainMark } from './chain.js';
import type { Journal } from './journal.js';
import { genesisHash } from './record.js';
import { assertOurs } from './schema.js';
import type { Db } from './store.js';
import type { Layout } from './layout.js';
import type { Witness } from './witness.js';

const CHECK_MS = 2000;
/** A shorter absence is a reconnection or a restart, and no outage (R47). */
export const OUTAGE_MIN_MS = 120_000;
/** Records verified at a time; a slice takes some tens of milliseconds. */
export const CHAIN_SLICE = 5000;

/** Null when the database is as new as the witness and holds the record it names; else the fault. Throws when it is not ours to open. */
export function compareWithWitness(db: Db, witness: Witness, known: number, dir: string): string | null {
  assertOurs(db, known, dir);
  if (witness.n === 0) return null;
  if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'journal'").get()) return 'rollcall.db has lost its tables';
  const { n } = db.prepare('SELECT coalesce(max(n), 0) AS n FROM journal').get() as { n: number };
  if (n < witness.n) {
    return `rollcall.db ends at record ${n}, but head-witness knows ${witness.n}: it is an older copy, or its write-ahead log was lost`;
  }
  const row = db.prepare('SELECT hash FROM journal WHERE n = ?').get(witness.n) as { hash: Buffer } | undefined;
  return row?.hash.toString('hex') === witness.hash
    ? null
    : `record ${witness.n} is not the one that head-witness knows`;
}

/** `quick_check` table by table, the two big ones last, while the budget lasts. Null: good as far as looked. */
function quickCheck(db: Db, clock: Clock): string | null {
  const until = clock.ticks() + CHECK_MS;
  const tables = db.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name IN ('journal', 'punch')",
  );
  for (const { name } of tables.all() as { name: string }[]) {
    if (clock.ticks() > until) return null;
    const result = db.pragma(`quick_check('${name.replaceAll("'", "''")}')`, { simple: true });
    if (result !== 'ok') return `table ${name}: ${String(result)}`;
  }
  return null;
}

export interface StartCheck {
  /** Up to where the chain is verified; the head when the budget was enough. */
  readonly mark: ChainMark;
  readonly fault: string | null;
}

export function checkStart(db: Db, journal: Journal, clock: Clock): StartCheck {
  const genesis: ChainMark = { n: 0, hash: genesisHash(journal.journalId) };
  const damage = quickCheck(db, clock);
  if (damage !== null) return { mark: genesis, fault: damage };
  let mark = readMark(db) ?? genesis;
  if (journal.hashAt(mark.n) !== mark.hash)
    return { mark: genesis, fault: `record ${mark.n} is gone or was changed since it was verified` };
  const walk = createChainWalk(db);
  const until = clock.ticks() + CHECK_MS;
  for (let done = false; !done && clock.ticks() <= until;) {
    const step = walk.step(mark, CHAIN_SLICE);
    ({ mark, done } = step);
    if (step.fault) return { mark, fault: `record ${step.fault.n}: ${step.fault.reason}` };
  }
  return { mark, fault: null };
}

function readMark(db: Db): ChainMark | null {
  const row = db.prepare("SELECT value FROM meta WHERE name = 'verified'").get() as { value: string } | undefined;
  return row ? (JSON.parse(row.value) as ChainMark) : null;
}

/** Remembers how far the chain is verified; inside a transaction. */
export function saveMark(db: Db, mark: ChainMark): void {
  db.prepare(
    "INSERT INTO meta (name, value) VALUES ('verified', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  ).run(JSON.stringify(mark));
}

/** Identity of this boot of the machine: monotonic times compare only within one (C5). */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/**
 * When the files were last touched by whoever had them before, of what is not after `now`: the witness is touched every minute while
 * a daemon lives, whether it writes or not. Null: nobody was here. Ask before the database is opened.
 */
export function lastTouched(layout: Layout, now: Instant): Instant | null {
  const times = [layout.witness, layout.wal, layout.database]
    .map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .filter((at) => at > 0 && at <= now);
  return times.length === 0 ? null : instant(Math.max(...times));
}

export interface StartFacts {
  readonly software: string;
  /** As `lastTouched` had it before the database was opened. */
  readonly touchedAt: Instant | null;
  /** What was found and what a person said to it; null normally. */
  readonly accepted: { readonly fault: string; readonly reason: string } | null;
}

/**
 * The record of this start (D9), and the last moment at which a process before it was alive: its last record, or later its files. Null
 * on a first start. A clock that went back says nothing of how long the machine was down.
 */
export function startEvent(
  db: Db,
  journal: Journal,
  clock: Clock,
  facts: StartFacts,
): { readonly alive: Instant | null; readonly event: EventFact } {
  const previous = journal.head();
  const now = clock.now();
  const recordedAt = journal.factAt(previous.n);
  const alive =
    recordedAt === null ? null : instant(Math.min(now, Math.max(recordedAt, facts.touchedAt ?? recordedAt)));
  const data = {
    boot: bootId(),
    start: randomUUID(),
    software: facts.software,
    schema: db.pragma('user_version', { simple: true }) as number,
    previous: { n: previous.n, hash: previous.hash },
    ticks: Math.round(clock.ticks()),
    uptimeMs: Math.round(uptime() * 1000),
    trusted: clock.trusted(),
    ...(alive === null ? {} : { aliveUntil: alive }),
    ...(facts.accepted === null ? {} : { accepted: facts.accepted.fault, reason: facts.accepted.reason }),
  };
  return { alive, event: { kind: 'event', what: 'start', at: now, data } };
}
