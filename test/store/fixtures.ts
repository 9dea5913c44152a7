/** Facts and directories for the tests of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Instant, LocalDate, WallTime } from '../../src/core/time.js';
import { instantToWall, type Zone } from '../../src/core/time.js';
import type { CreditFact, EventFact, PunchFact } from '../../src/rules/facts.js';
import { openStore } from '../../src/store/database.js';
import type { StoreOptions } from '../../src/store/sqlite-store.js';
import type { Store } from '../../src/store/store.js';
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
