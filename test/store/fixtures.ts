/** Facts and directories for the tests of the store. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { Instant, LocalDate, WallTime } from '../../src/core/time.js';
import { instantToWall, type Zone } from '../../src/core/time.js';
import type { CreditFact, EventFact, PunchFact, SealedBatch } from '../../src/rules/facts.js';
import { openStore } from '../../src/store/database.js';
import type { StoreOptions } from '../../src/store/options.js';
import type { Receipt, Store, UpstreamState } from '../../src/store/store.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

export const T0 = Date.UTC(2026, 8, 10, 0, 43, 0) as Instant;
const SHANGHAI = 'Asia/Shanghai' as Zone;

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-store-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function punch(index: number, over: Partial<PunchFact> = {}): PunchFact {
  const at = (T0 + index * 1000) as Instant;
  return {
    kind: 'punch',
    deviceSn: 'AF4C202260001',
    terminalId: 'door',
    deviceUserId: String(1001 + (index % 30)),
    deviceUid: 1 + (index % 30),
    wallTime: instantToWall(at, SHANGHAI),
    instant: at,
    rx: (at + 500) as Instant,
    rxTicks: 1000 + index,
    clockTrusted: true,
    offsetMs: -1200,
    offsetAgeMs: 60000,
    effective: at,
    direction: 'in',
    directionRaw: 0,
    verify: 'face',
    verifyRaw: 15,
    score: null,
    source: 'poll',
    delivery: 'live',
    seq: index,
    seqEpoch: 1,
    firmware: 'Ver 6.60 Apr 28 2025',
    raw: new Uint8Array(40).fill(index % 256),
    decoder: 'zk-tcp/1',
    traineeNo: `T${1001 + (index % 30)}`,
    ...over,
  };
}

export const event = (data: EventFact['data'] = { note: 'test' }, what: EventFact['what'] = 'operator'): EventFact => ({
  kind: 'event',
  what,
  at: T0,
  data,
});

export function credit(rev: number, over: Partial<CreditFact> = {}): CreditFact {
  return {
    kind: 'credit',
    id: 'C1/T1001/2026-09-10',
    classNo: 'C1',
    traineeNo: 'T1001',
    date: '2026-09-10' as LocalDate,
    rev,
    state: 'provisional',
    totalHours: 4,
    policy: { id: 'city', ver: 1, sha256: 'a'.repeat(64) },
    punches: [2, 3],
    result: { hours: 4, flags: ['LATE'] },
    ...over,
  };
}

export interface Opened {
  readonly store: Store;
  readonly clock: FakeClock;
}

export function open(dir: string, over: Partial<StoreOptions> & { readonly clock?: FakeClock } = {}): Opened {
  const clock = over.clock ?? createFakeClock(T0);
  const store = openStore({ dir, software: '0.1.0', ...over, clock });
  onTestFinished(() => store[Symbol.dispose]());
  return { store, clock };
}

export const wall = (text: string): WallTime => text as WallTime;

const EP = '0123456789abcdef0123456789abcdef';
const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** State of a fresh upstream `city`. */
export function freshUpstream(over: Partial<UpstreamState> = {}): UpstreamState {
  const state = { upstream: 'city', ep: EP, gw: 'gw7k2m9q4t', aud: 'city-150200', ...over };
  const genesis = sha(`genesis:${state.gw}:${state.aud}:${state.ep}`);
  return {
    headSeq: 0,
    headHash: genesis,
    ackedSeq: 0,
    ackedHash: genesis,
    sealedN: 0,
    ackedN: 0,
    cont: null,
    platAt: 0,
    ...state,
  };
}

/** The next batch of an upstream over what is in the journal, up to `n1`; signed with nonsense. */
export function nextBatch(store: Store, upstream = 'city', n1 = store.head().n): SealedBatch {
  const state = store.upstream(upstream);
  if (!state) throw new Error('no upstream');
  const [seq, n0] = [state.headSeq + 1, state.sealedN + 1];
  const recs = store.facts(n0 - 1, n1 - n0 + 1).map((fact) => ({ n: fact.n, k: fact.kind }));
  const { gw, aud, ep, headHash: prev } = state;
  const payload = { v: 1, gw, aud, ep, seq, prev, at: T0, n0, n1, journal: { n: n1, hash: store.hashAt(n1) }, recs };
  const header = part({ alg: 'EdDSA', kid: 'k', typ: 'att-batch+jws', cty: 'att-batch+gzip' });
  const input = `${header}.${gzipSync(JSON.stringify(payload)).toString('base64url')}`;
  return {
    upstream,
    ep,
    seq,
    hash: sha(input),
    prev,
    n0,
    n1,
    records: recs.length,
    sealedAt: T0,
    jws: `${input}.c2ln`,
  };
}

export function receiptFor(batch: SealedBatch): Receipt {
  const jws = `${part({ alg: 'EdDSA', kid: 'p', typ: 'att-ack+jws' })}.${part({ v: 1, ep: batch.ep, through: batch.seq, hash: batch.hash })}.c2ln`;
  return { upstream: batch.upstream, ep: batch.ep, through: batch.seq, hash: batch.hash, at: T0, jws };
}

/** A directory with a closed, sound store: punches, events, credits, three batches, two of them acknowledged. */
export function soundDir(): string {
  const dir = tempDir();
  const { store } = open(dir);
  store.transact((tx) => tx.putUpstream(freshUpstream()));
  const sealed: SealedBatch[] = [];
  for (let round = 0; round < 3; round += 1) {
    store.transact((tx) => {
      for (let index = 0; index < 5; index += 1) tx.addPunch(punch(round * 5 + index));
      tx.addEvent(event({ round }));
      tx.addCredit(credit(round + 1));
      tx.setCursor('AF4C202260001', { at: round });
      tx.touchDay({ classNo: 'C1', traineeNo: `T${round}`, date: '2026-09-10' as LocalDate, cause: 'punch' });
    });
    const batch = nextBatch(store);
    store.transact((tx) => tx.addBatch(batch));
    sealed.push(batch);
  }
  for (const batch of sealed.slice(0, 2)) store.transact((tx) => tx.acknowledge(receiptFor(batch)));
  store.transact((tx) => tx.addPunch(punch(99)));
  store[Symbol.dispose]();
  return dir;
}

/** Changes a closed database behind the store's back: every guard is taken away first, then put back unless told otherwise. */
export function tamper(dir: string, sql: string | ((db: Database.Database) => void), keepGuards = true): void {
  const db = new Database(join(dir, 'rollcall.db'));
  db.pragma('foreign_keys = OFF');
  const guards = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
    name: string;
    sql: string;
  }[];
  for (const { name } of guards) db.exec(`DROP TRIGGER ${name}`);
  if (typeof sql === 'string') db.exec(sql);
  else sql(db);
  if (keepGuards) for (const guard of guards) db.exec(guard.sql);
  db.close();
}
