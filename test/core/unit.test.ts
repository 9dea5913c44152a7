import { describe, expect, test } from 'vitest';
import { fail, type GatewayError } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { backoffMs, chime, createDoorbell, supervise, type Unit } from '../../src/core/unit.js';
import { createFakeClock, settle } from '../support/fake-clock.js';

const never = new AbortController().signal;
const log = silentLog();

describe('doorbell', () => {
  test('a ring before the wait is not lost, a ring wakes, and time wakes', async () => {
    const clock = createFakeClock();
    const bell = createDoorbell(clock);
    bell.ring();
    await bell.wait(1000, never);
    let woken = 0;
    void bell.wait(1000, never).then(() => (woken += 1));
    await settle();
    chime(bell).ring();
    await settle();
    expect(woken).toBe(1);
    void bell.wait(1000, never).then(() => (woken += 1));
    await clock.advance(999);
    expect(woken).toBe(1);
    await clock.advance(1);
    expect(woken).toBe(2);
    expect(clock.sleepers).toBe(0);
  });

  test('an abort ends the wait', async () => {
    const stop = new AbortController();
    const waiting = createDoorbell(createFakeClock()).wait(1000, stop.signal);
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});

describe('supervise', () => {
  const run = (work: (round: number, signal: AbortSignal) => Promise<void>) => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const fatal: GatewayError[] = [];
    let rounds = 0;
    const unit: Unit = { name: 'sample', run: (signal) => work((rounds += 1), signal) };
    const supervised = supervise(unit, {
      clock,
      log,
      signal: stop.signal,
      random: () => 1,
      onFatal: (error) => fatal.push(error),
    });
    return { clock, stop, fatal, supervised, rounds: () => rounds };
  };
  const hang = (signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

  test('starts a unit again after 1, 2, 4 ... 60 s when the world is down', async () => {
    const { clock, rounds, stop, supervised } = run(async () => {
      throw fail('link-closed');
    });
    await settle();
    for (const [waitMs, expected] of [
      [1000, 2],
      [2000, 3],
      [4000, 4],
      [8000, 5],
      [16_000, 6],
      [32_000, 7],
      [60_000, 8],
      [60_000, 9],
    ] as const) {
      expect(supervised.status()).toMatchObject({ state: 'backing-off', error: { code: 'link-closed' } });
      await clock.advance(waitMs);
      expect(rounds()).toBe(expected);
    }
    stop.abort();
    await supervised.done;
    expect(supervised.status().state).toBe('stopped');
  });

  test('parks a unit with a wrong setting for ten minutes', async () => {
    const { clock, rounds, supervised } = run(async () => {
      throw fail('auth-refused');
    });
    await settle();
    expect(supervised.status().state).toBe('parked');
    await clock.advance(599_999);
    expect(rounds()).toBe(1);
    await clock.advance(1);
    expect(rounds()).toBe(2);
  });

  test('ends the process when our own rule is broken three times in ten minutes', async () => {
    const { clock, rounds, fatal, supervised } = run(async () => {
      throw new TypeError('undefined is not a function');
    });
    await clock.advance(10_000);
    await supervised.done;
    expect([rounds(), fatal[0]?.kind]).toEqual([3, 'bug']);
  });

  test('a unit that ends by itself is a bug, and one that ends on abort is not', async () => {
    const ended = run(async () => undefined);
    await settle();
    expect(ended.supervised.status().error?.code).toBe('unit-ended');
    const good = run((_, signal) => hang(signal));
    await settle();
    good.stop.abort(new Error('stop'));
    await good.supervised.done;
    expect(good.supervised.status().error).toBeNull();
  });

  test('a long good run starts the backoff anew', async () => {
    let failing = true;
    const { clock, rounds } = run(async (_, signal) => {
      if (failing) throw fail('link-closed');
      await Promise.race([hang(signal), clock.sleep(61_000, signal)]);
      failing = true;
      throw fail('link-closed');
    });
    await clock.advance(7000);
    failing = false;
    const before = rounds();
    await clock.advance(8000 + 61_000);
    expect(rounds()).toBe(before + 1);
    await clock.advance(1000);
    expect(rounds()).toBe(before + 2);
  });
});

test('backoff has jitter between half and the whole', () => {
  expect(backoffMs('storage', 99, () => 1)).toBe(4000);
  expect([backoffMs('retry', 1, () => 0), backoffMs('retry', 1, () => 1), backoffMs('peer', 99, () => 1)]).toEqual([
    500, 1000, 60_000,
  ]);
});
