/**
 * Time of a simulated world: it stands still while anything can still happen, then jumps to the next moment for which
 * somebody waits. So a day costs as much as its happenings, a deadline never fires because the machine was slow, and the
 * same seed gives the same order of things.
 */
import type { Clock, Instant } from '../../src/core/time.js';

export interface WorldClock extends Clock {
  /** Something happened that the clock cannot see (bytes written, a commit): settling starts anew. */
  stir(): void;
  /** Runs until `done` holds or `atMostMs` have passed; says whether it holds. Never sleeps in real time. */
  run(done: () => boolean, atMostMs: number): Promise<boolean>;
  /** Moves time on by so much at once, as a machine that slept, then lets everything settle. */
  leap(ms: number): Promise<void>;
  settle(): Promise<void>;
}

/** A process of that world: its ticks begin at 0, its wall clock may be wrong. */
export interface ProcessClock extends Clock {
  /** How wrong the wall clock is. */
  errorMs: number;
  isTrusted: boolean;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Turns of the event loop without anything happening after which the world has settled. */
const QUIET_TURNS = 3;

export function createWorldClock(start: number): WorldClock {
  let ticks = 0;
  let stirred = 0;
  const sleepers = new Set<Sleeper>();

  const settle = async (): Promise<void> => {
    let seen = stirred;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (stirred === seen) continue;
      seen = stirred;
      quiet = -1;
    }
  };
  const wakeDue = async (): Promise<void> => {
    const due = [...sleepers].filter((one) => one.at <= ticks).sort((a, b) => a.at - b.at);
    for (const sleeper of due) sleeper.wake();
    await settle();
  };

  return {
    now: () => Math.trunc(start + ticks) as Instant,
    ticks: () => ticks,
    trusted: () => true,
    stir: () => void (stirred += 1),
    settle,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        stirred += 1;
        const leave = (): void => {
          stirred += 1;
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', abort);
        };
        const abort = (): void => {
          leave();
          reject(signal.reason as Error);
        };
        const sleeper: Sleeper = {
          at: ticks + Math.max(0, ms),
          wake: () => {
            leave();
            resolve();
          },
        };
        signal.addEventListener('abort', abort, { once: true });
        sleepers.add(sleeper);
      }),
    async run(done, atMostMs) {
      const end = ticks + atMostMs;
      await settle();
      while (!done()) {
        const next = Math.min(...[...sleepers].map((one) => one.at));
        if (next > end) {
          ticks = end;
          return done();
        }
        ticks = Math.max(ticks, next);
        await wakeDue();
      }
      return true;
    },
    async leap(ms) {
      ticks += ms;
      await wakeDue();
    },
  };
}

/**
 * `clockStepMs`: the half-second in which health looks at the clock, stretched so that a long day costs less; everything
 * else keeps its own time.
 */
export function createProcessClock(world: WorldClock, errorMs: number, healthMs = 500): ProcessClock {
  const born = world.ticks();
  const clock: ProcessClock = {
    errorMs,
    isTrusted: true,
    now: () => Math.trunc(world.now() + clock.errorMs) as Instant,
    ticks: () => world.ticks() - born,
    sleep: (ms, signal) => world.sleep(ms === 500 ? healthMs : ms, signal),
    trusted: () => clock.isTrusted,
  };
  return clock;
}
