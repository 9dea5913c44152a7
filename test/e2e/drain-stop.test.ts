/**
 * How the daemon ends and begins while punches flow (reliability F15, P9): SIGTERM ends it with 0 within five seconds, also
 * when the broker hangs; a second signal ends it at once; after kill -9 it is ready again within ten seconds. Whatever the
 * end, nothing is lost. The tests of this file are the life of one daemon and run in order.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/time.js';
import type { GatewayStatus } from '../../src/web/status.js';
import { eventually } from '../support/process.js';
import { needs } from '../support/needs.js';
import { openTown, type Town } from '../torture/town.js';

const mosquitto = needs('mosquitto');
const RECORDS = 4000;
const STOP_MS = 5000;
const READY_MS = 10_000;
const AT_ONCE_MS = 1000;
const clock = systemClock();

describe.skipIf(!mosquitto.available)(`the daemon stops and starts during a drain ${mosquitto.reason}`, () => {
  let town: Town;
  let punches = 0;
  beforeAll(async () => {
    town = await openTown({ records: RECORDS, users: 100, terminal: ['packetPauseMs=20'] });
  }, 60_000);
  afterAll(() => town[Symbol.asyncDispose]());

  const until = (what: string, holds: (status: GatewayStatus) => boolean): Promise<GatewayStatus> =>
    eventually(
      what,
      60_000,
      async () => {
        const status = await town.status();
        return status !== null && holds(status) ? status : null;
      },
      { explain: () => town.explain() },
    );
  /** Waits until the daemon stores punches that were not there before. */
  const flowing = async (): Promise<void> => {
    ({ punches } = await until('new punches are stored', (status) => status.punches > punches));
    expect(punches, 'the terminal must not be read to its end yet').toBeLessThan(RECORDS);
  };
  /** How long the daemon takes to end with 0 after SIGTERM. */
  const stopMs = async (): Promise<number> => {
    const since = clock.ticks();
    expect(await town.daemon.stop(), town.explain()).toEqual({ code: 0, signal: null });
    return clock.ticks() - since;
  };
  const connected = (): Promise<unknown> =>
    until('connected to the platform', (status) => status.upstreams[0]?.state === 'connected');

  test('SIGTERM ends it with exit code 0 within five seconds', { timeout: 90_000 }, async () => {
    await town.daemon.start();
    await flowing();
    expect(await stopMs()).toBeLessThanOrEqual(STOP_MS);
  });

  test('after kill -9 it is ready within ten seconds', { timeout: 90_000 }, async () => {
    await town.daemon.start();
    await flowing();
    await town.daemon.kill();
    await town.daemon.start();
    expect(town.readyMs.at(-1)).toBeLessThanOrEqual(READY_MS);
  });

  test('SIGTERM ends it within five seconds although the broker hangs', { timeout: 90_000 }, async () => {
    await connected();
    town.broker.program.signal('SIGSTOP');
    expect(await stopMs()).toBeLessThanOrEqual(STOP_MS);
    town.broker.program.signal('SIGCONT');
  });

  test('a second signal ends it at once', { timeout: 90_000 }, async () => {
    await town.daemon.start();
    await connected();
    // A broker that hangs makes the polite end take seconds.
    town.broker.program.signal('SIGSTOP');
    const { program } = town.daemon;
    program.signal('SIGTERM');
    await clock.sleep(300, new AbortController().signal);
    expect(program.running(), 'it waits for the broker').toBe(true);
    const since = clock.ticks();
    program.signal('SIGINT');
    expect(await program.ended(STOP_MS)).toEqual({ code: 130, signal: null });
    expect(clock.ticks() - since).toBeLessThanOrEqual(AT_ONCE_MS);
    town.broker.program.signal('SIGCONT');
  });

  test('after all that every punch is at the platform once', { timeout: 120_000 }, async () => {
    await town.daemon.start();
    await until('everything is acknowledged', (one) => one.punches === RECORDS && one.pendingRecords === 0);
    expect(await stopMs()).toBeLessThanOrEqual(STOP_MS);
    for (const platform of town.platforms) expect(await platform.stop()).toEqual({ code: 0, signal: null });
    expect(town.received().identities).toEqual(await town.truth());
  });
});
