/** A large page is committed in slices (P10): others get their turns between them, and nothing is confirmed before the last. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/core/log.js';
import { addDays, systemClock, type LocalDate, type WallTime, type Zone } from '../../src/core/time.js';
import type { Driver, PunchPage, PunchRecord, TerminalSession } from '../../src/drivers/driver.js';
import { createIntake } from '../../src/flows/intake.js';
import { openStore } from '../../src/store/database.js';
import { tempDir } from '../store/fixtures.js';

const PUNCHES = 1637;
const SERIAL = 'PAGES0001';
const wire = systemClock();

const record = (index: number): PunchRecord => ({
  ...{ deviceUserId: String(1 + (index % 500)), deviceUid: null, seq: null, score: null },
  wallTime: `${addDays('2026-01-01' as LocalDate, Math.floor(index / 500))} 08:20:00` as WallTime,
  ...{ direction: 'in', directionRaw: 0, verify: 'face', verifyRaw: 15, source: 'poll', raw: new Uint8Array(40) },
});

interface Scene {
  /** What was stored, turn of the event loop by turn. */
  readonly seen: readonly number[];
  readonly confirmed: readonly { readonly punches: number; readonly cursor: unknown }[];
  readonly cursor: unknown;
}

/** Runs an intake over one large page and stops it as soon as `stop` says so. */
async function run(stop: (punches: number, confirmed: number) => boolean): Promise<Scene> {
  const store = openStore({ dir: tempDir(), clock: wire, software: 'test', log: silentLog() });
  const over = new AbortController();
  const confirmed: { punches: number; cursor: unknown }[] = [];
  const session: TerminalSession = {
    identify: async () => ({ serial: SERIAL, model: null, firmware: null, details: {} }),
    readClock: async () => '2026-09-10 08:00:00' as WallTime,
    async *pages() {
      const punches = Array.from({ length: PUNCHES }, (_, index) => record(index));
      const count = { announced: PUNCHES, decoded: PUNCHES };
      yield { punches, cursor: { count: PUNCHES }, drained: true, count } satisfies PunchPage;
    },
    confirm: async () => void confirmed.push({ punches: store.punchCount(), cursor: store.cursor(SERIAL) }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const driver: Driver = {
    ...{ name: 'pages', options: z.unknown(), simulatorOptions: z.unknown(), faults: [], capabilities: new Set() },
    ...{ defaultPort: null, decoderVersion: '1', seqIsIdentity: false, open: async () => session },
    reaches: new Set(['tcp']),
    scrub: (_options, _from, bytes) => bytes,
    decoder: () => ({ push: () => [], end: () => [] }),
    simulate: () => {
      throw new Error('not simulated');
    },
  };
  const intake = createIntake({
    terminal: {
      ...{ id: 'door', driver, options: {}, reach: { kind: 'tcp', host: '127.0.0.1', port: 1 } },
      ...{ zone: 'Asia/Shanghai' as Zone, pollMs: 60_000, serial: null, setClock: false },
      ...{ clockStepMaxMs: 1, clockOkMs: 1, definition: null },
    },
    ...{ store, clock: wire, wire, log: silentLog(), bell: { ring: () => undefined } },
    openLink: async () => Object.assign(new PassThrough(), { [Symbol.asyncDispose]: async () => undefined }),
    match: () => null,
    daysTouchedBy: () => [],
    effective: () => null,
  });
  const seen: number[] = [];
  const ended = intake.run(over.signal).catch(() => undefined);
  while (!over.signal.aborted) {
    const punches = store.punchCount();
    if (seen.at(-1) !== punches) seen.push(punches);
    if (stop(punches, confirmed.length)) over.abort(new Error('stopped'));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await ended;
  const cursor = store.cursor(SERIAL);
  store[Symbol.dispose]();
  return { seen, confirmed, cursor };
}

test('between the slices of a page the event loop turns, and the page is confirmed once, after the last', async () => {
  const { seen, confirmed } = await run((_punches, count) => count > 0);
  expect(seen.length, seen.join()).toBeGreaterThanOrEqual(4);
  expect(seen.slice(1).every((punches, index) => punches - (seen[index] ?? 0) <= 500)).toBe(true);
  expect(confirmed).toEqual([{ punches: PUNCHES, cursor: { count: PUNCHES } }]);
});

test('a stop between two slices keeps what was committed and moves neither position nor terminal', async () => {
  const { seen, confirmed, cursor } = await run((punches) => punches > 0);
  expect(seen.at(-1)).toBeLessThan(PUNCHES);
  expect(confirmed).toEqual([]);
  expect(cursor).toBeNull();
});
