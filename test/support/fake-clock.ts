/** A clock that moves only when told: `advance` moves wall and monotonic time together, `jump` the wall clock alone. */
import type { Clock, Instant } from '../../src/core/time.js';

export interface FakeClock extends Clock {
  /** Moves time on, waking sleepers in order of their time; lets promise chains settle between them. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock only (a step of NTP or a person). */
  jump(ms: number): void;
  setTrusted(trusted: boolean): void;
  readonly sleepers: number;
}

/** Lets everything that is ready run: several turns of the event loop, so that streams and immediates settle too. */
export async function settle(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

export function createFakeClock(start = Date.UTC(2026, 8, 10, 0, 0, 0)): FakeClock {
  let ticks = 0;
  let offset = start;
  let trusted = true;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => Math.trunc(offset + ticks) as Instant,
    ticks: () => ticks,
    trusted: () => trusted,
    setTrusted: (value) => void (trusted = value),
    jump: (ms) => void (offset += ms),
    get sleepers() {
      return sleepers.size;
    },
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const abort = (): void => {
          sleepers.delete(sleeper);
          reject(signal.reason as Error);
        };
        const sleeper = {
          at: ticks + Math.max(0, ms),
          wake: () => {
            sleepers.delete(sleeper);
            signal.removeEventListener('abort', abort);
            resolve();
          },
        };
        signal.addEventListener('abort', abort, { once: true });
        sleepers.add(sleeper);
      }),
    async advance(ms) {
      const end = ticks + ms;
      await settle();
      for (;;) {
        const due = [...sleepers].filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        ticks = Math.max(ticks, due.at);
        due.wake();
        await settle();
      }
      ticks = end;
      await settle();
    },
  };
}
