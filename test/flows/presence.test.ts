/** What the journal is told of a terminal that goes, stays away and comes back, and which days are touched with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fail } from '../../src/core/errors.js';
import type { Instant, LocalDate } from '../../src/core/time.js';
import { createPresence, type Presence } from '../../src/flows/intake/presence.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

interface Bench {
  readonly presence: Presence;
  readonly store: Store;
  readonly clock: FakeClock;
  /** Ends of outages that were asked about. */
  readonly ends: (Instant | null)[];
  readonly told: () => readonly unknown[];
  refuse: boolean;
}

function bench({ isFile = false, isKnown = true } = {}): Bench {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-presence-'));
  const clock = createFakeClock(Date.UTC(2026, 8, 7, 1));
  const made = { refuse: false };
  const beforeCommit = (): void => {
    if (made.refuse) throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
  };
  const store = openStore({ dir, clock, software: 'test', hooks: { beforeCommit } });
  onTestFinished(() => {
    store[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  const ends: (Instant | null)[] = [];
  const presence = createPresence({
    ...{ store, clock, bell: { ring: () => undefined }, isKnown: () => isKnown, serial: () => 'X1' },
    terminal: {
      id: 'gate',
      reach: isFile ? { kind: 'file', path: '/x' } : { kind: 'tcp', host: 'gate.invalid', port: 1 },
    },
    daysTouchedByOutage(endsAt) {
      ends.push(endsAt);
      return [{ classNo: 'C', traineeNo: 'T', date: '2026-09-07' as LocalDate }];
    },
  });
  const told = (): readonly unknown[] =>
    store.facts(1, 100, 'event').map((fact) => (fact.kind === 'event' ? [fact.data.state, fact.data.why] : []));
  return Object.assign(made, { presence, store, clock, ends, told });
}

test('a loss is told once, and once more when it lasts', async () => {
  const { presence, clock, told, ends, store } = bench();
  presence.arrived();
  presence.lost('link-refused');
  await clock.advance(120_000);
  presence.lost('link-refused');
  expect([told(), ends]).toEqual([[['offline', 'link-refused']], []]);
  await clock.advance(1);
  presence.lost('link-timeout');
  presence.lost('link-timeout');
  expect(told().at(-1)).toEqual(['still-offline', 'link-timeout']);
  expect([told().length, ends]).toEqual([2, [null]]);
  expect(store.touchedDays(10)).toMatchObject([{ traineeNo: 'T', cause: 'backfill' }]);
  store.transact((tx) => presence.touchBack(tx));
  presence.arrived();
  expect(ends).toEqual([null, clock.now()]);
  expect(presence.isOnline()).toBe(true);
});

test('one that was lost while nobody looked is told at the first failure', () => {
  const { presence, told } = bench();
  presence.lost('link-refused');
  expect(told()).toEqual([['offline', 'link-refused']]);
});

test('a file that was never read is no terminal that is away', () => {
  const { presence, told } = bench({ isFile: true });
  presence.lost('file-unreadable');
  expect(told()).toEqual([]);
});

test('a disk that refuses is told later', () => {
  const made = bench();
  made.refuse = true;
  made.presence.lost('link-refused');
  made.refuse = false;
  expect([made.told(), made.presence.isOnline()]).toEqual([[], false]);
  made.presence.lost('link-refused');
  expect(made.told()).toHaveLength(1);
});

test('a terminal that calls and was met before is told as away while its call is awaited', async () => {
  const { presence, clock, told } = bench();
  const never = new Promise<unknown>(() => undefined);
  const stop = new AbortController();
  const waiting = presence.awaitCall(never, stop.signal);
  await clock.advance(120_001);
  expect(told()).toEqual([['offline', 'no-call']]);
  await clock.advance(120_001);
  await waiting;
  expect(told().at(-1)).toEqual(['still-offline', 'no-call']);
});

test('one that never called is not missed, and a stop ends the wait', async () => {
  const stranger = bench({ isKnown: false });
  const never = new Promise<unknown>(() => undefined);
  await stranger.presence.awaitCall(never, new AbortController().signal);
  expect(stranger.told()).toEqual([]);
  const known = bench();
  const stop = new AbortController();
  const waiting = known.presence.awaitCall(never, stop.signal);
  stop.abort(fail('link-closed', {}));
  await expect(waiting).rejects.toMatchObject({ code: 'link-closed' });
});
