/** Which punches count as live (requirements 4.4): only those that came as they happened may be given the time of their receipt. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fail } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { systemClock, type WallTime, type Zone } from '../../src/core/time.js';
import type { Driver, PunchPage, PunchRecord, TerminalSession, Wire } from '../../src/drivers/driver.js';
import { createIntake } from '../../src/flows/intake.js';
import { openStore } from '../../src/store/database.js';
import { tempDir } from '../store/fixtures.js';

const wire = systemClock();

const record = (id: string, source: PunchRecord['source']): PunchRecord => ({
  ...{ deviceUserId: id, deviceUid: null, seq: null, score: null, wallTime: '2026-01-05 08:20:00' as WallTime },
  ...{ direction: 'in', directionRaw: 0, verify: 'face', verifyRaw: 15, source, raw: new Uint8Array(4) },
});

const page = (punches: readonly PunchRecord[], drained: boolean): PunchPage => ({
  ...{ punches, drained, cursor: null, count: null },
});

/** How each person's punch was delivered, when a terminal without a clock of its own gives these pages. */
async function deliveries(
  pages: readonly PunchPage[],
  hear: (wire: Wire, refuse: (whether: boolean) => void) => void = () => undefined,
): Promise<Record<string, string>> {
  const store = openStore({ dir: tempDir(), clock: wire, software: 'test', log: silentLog() });
  const transact = store.transact.bind(store);
  let refusing = false;
  Object.assign(store, {
    transact: (work: Parameters<typeof transact>[0]) => {
      if (refusing) throw fail('store-failed', { reason: 'full' });
      return transact(work);
    },
  });
  const session: TerminalSession = {
    identify: async () => ({ serial: 'DELIVERY01', model: null, firmware: null, details: {} }),
    async *pages() {
      yield* pages;
    },
    confirm: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const open: Driver['open'] = async (_link, _options, given) => {
    hear(given, (whether) => (refusing = whether));
    return Promise.resolve(session);
  };
  const driver: Driver = {
    ...{ name: 'delivery', options: z.unknown(), simulatorOptions: z.unknown(), faults: [], capabilities: new Set() },
    ...{ defaultPort: null, decoderVersion: '1', seqIsIdentity: false, open },
    reaches: new Set(['tcp']),
    scrub: (_options, _from, bytes) => bytes,
    decoder: () => ({ push: () => [], end: () => [] }),
    simulate: () => {
      throw new Error('not simulated');
    },
  };
  const told: Record<string, string> = {};
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
    effective: (punch) => {
      told[punch.deviceUserId] = punch.delivery;
      return null;
    },
  });
  await intake.once(new AbortController().signal);
  store[Symbol.dispose]();
  return told;
}

test('what a terminal kept through an outage is backfilled, also when it comes after a complete read', async () => {
  const pages = [
    page([record('polled-first', 'poll'), record('pushed-first', 'push'), record('kept-first', 'replay')], true),
    page(
      [record('polled', 'poll'), record('pushed', 'push'), record('told', 'realtime'), record('kept', 'replay')],
      false,
    ),
  ];
  expect(await deliveries(pages)).toEqual({
    ...{ 'polled-first': 'backfill', 'pushed-first': 'live', 'kept-first': 'backfill' },
    ...{ polled: 'live', pushed: 'live', told: 'live', kept: 'backfill' },
  });
});

test('a disk that refuses a finding throws nothing at the driver, who may be in the middle of hearing its terminal', async () => {
  const told = await deliveries([page([record('42', 'push')], true)], (given, refuse) => {
    refuse(true);
    expect(() => given.note({ code: 'clock-odd', text: 'odd' })).not.toThrow();
    refuse(false);
  });
  expect(told).toEqual({ 42: 'live' });
});
