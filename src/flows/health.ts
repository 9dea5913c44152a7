/**
 * What is stuck: steps of the wall clock, disk space, event-loop delay, the time source; and the heartbeat to systemd.
 * Nothing here is written periodically (D13): only a change is an event. The watchdog is fed as long as this tick
 * completes, so a full disk or a dead broker never restarts the daemon, and a hung event loop does.
 */
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { asGatewayError, type GatewayError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { Clock, Instant } from '../core/time.js';
import type { Bell, Unit } from '../core/unit.js';
import type { Store } from '../store/store.js';

export type DiskState = 'ok' | 'low' | 'critical' | 'unknown';

export interface HealthStatus {
  readonly clock: { readonly trusted: boolean; readonly source: 'ntp' | 'none' | 'unknown'; readonly since: Instant };
  readonly disk: { readonly state: DiskState; readonly freeMb: number | null; readonly since: Instant };
  readonly loopDelayP99Ms: number;
  readonly clockSteps: number;
  /** What the store's own upkeep met: a changed record, a sick disk; null when nothing. */
  readonly storage: GatewayError | null;
}

export interface Health extends Unit {
  status(): HealthStatus;
  /** Whether the gateway's own clock is known to be synchronised. */
  clockTrusted(): boolean;
}

export interface HealthParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly bell: Bell;
  /** Tells the service manager; empty function when there is none. */
  readonly notify: (state: string) => void;
  readonly watchdogMs: number | null;
  /** Asks the system whether its clock is synchronised. */
  readonly timeSource?: (signal: AbortSignal) => Promise<'ntp' | 'none' | 'unknown'>;
  /** Free bytes where the data is; asks the file system when left out. */
  readonly freeSpace?: (dir: string) => Promise<number>;
}

const TICK_MS = 500;
const STEP_MS = 2000;
const SLOW_TICKS = 120;
/** Other units may have written before health looks for the record of this start. */
const START_WITHIN = 64;
const LOW_MB = 500;
const CRITICAL_MB = 100;
const MB = 1024 * 1024;

/**
 * systemd knows whether any time service has synchronised the kernel clock; without systemd nobody can say. The notify
 * socket is not handed down: the program would report its own errors as ours.
 */
export async function systemTimeSource(signal: AbortSignal): Promise<'ntp' | 'none' | 'unknown'> {
  return new Promise((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 3000, signal, env: { PATH: process.env.PATH } },
      (error, stdout) => {
        resolve(error ? 'unknown' : stdout.trim() === 'yes' ? 'ntp' : 'none');
      },
    );
  });
}

async function systemFreeSpace(dir: string): Promise<number> {
  const space = await statfs(dir);
  return space.bavail * space.bsize;
}

export function createHealth(parts: HealthParts): Health {
  const { store, clock, log } = parts;
  const timeSource = parts.timeSource ?? systemTimeSource;
  const freeSpace = parts.freeSpace ?? systemFreeSpace;
  let source: 'ntp' | 'none' | 'unknown' = 'unknown';
  let sourceSince = clock.now();
  let disk: DiskState = 'unknown';
  let diskSince = clock.now();
  let freeMb: number | null = null;
  let clockSteps = 0;
  let storage: GatewayError | null = null;
  const delay = monitorEventLoopDelay({ resolution: 20 });

  const tell = (what: 'clock' | 'storage', data: Readonly<Record<string, string | number | boolean | null>>): void => {
    try {
      store.transact((tx) => tx.addEvent({ kind: 'event', what, at: clock.now(), data }));
      parts.bell.ring();
    } catch (error) {
      // The disk itself may be what is wrong; the state stays visible in status, and the watchdog must still be fed.
      const known = asGatewayError(error);
      log.error({ unit: 'health', code: known.code, kind: known.kind }, known.message);
    }
  };

  /** Witness, verification in slices, vacuum. A finding is shown; it must not stop the watchdog from being fed. */
  const keepStore = (): void => {
    try {
      store.maintain();
      storage = null;
    } catch (error) {
      const found = asGatewayError(error);
      if (storage?.code !== found.code)
        log.error({ unit: 'health', code: found.code, kind: found.kind, context: found.context }, found.message);
      storage = found;
    }
  };

  const lookAround = async (signal: AbortSignal): Promise<void> => {
    keepStore();
    const found = await timeSource(signal);
    if (found !== source) {
      sourceSince = clock.now();
      source = found;
    }
    try {
      freeMb = Math.floor((await freeSpace(store.dir)) / MB);
    } catch {
      freeMb = null;
    }
    const state: DiskState =
      freeMb === null ? 'unknown' : freeMb < CRITICAL_MB ? 'critical' : freeMb < LOW_MB ? 'low' : 'ok';
    if (state === disk) return;
    const before = disk;
    disk = state;
    diskSince = clock.now();
    if (before !== 'unknown' || state !== 'ok') tell('storage', { state, freeMb });
  };

  /** A clock that was set back while the program was not running: this start lies before the record written last (C6). */
  const compareWithJournal = (): void => {
    let { n } = store.head();
    for (let left = START_WITHIN; left > 0 && n > 0; left -= 1, n -= 1) {
      const fact = store.fact(n);
      if (fact?.kind === 'event' && fact.what === 'start') break;
    }
    const [before, start] = [store.factAt(n - 1), store.factAt(n)];
    if (before === null || start === null || before - start <= STEP_MS) return;
    clockSteps += 1;
    const found = { beforeMs: before, afterMs: start, stepMs: start - before, running: false };
    tell('clock', { source: 'gateway', ...found });
  };

  return {
    name: 'health',
    async run(signal) {
      delay.enable();
      let wall = clock.now();
      let ticks = clock.ticks();
      let fed = ticks;
      compareWithJournal();
      try {
        for (let round = 0; ; round += 1) {
          if (round % SLOW_TICKS === 0) await lookAround(signal);
          await clock.sleep(TICK_MS, signal);
          const [nowWall, nowTicks] = [clock.now(), clock.ticks()];
          const step = nowWall - wall - (nowTicks - ticks);
          [wall, ticks] = [nowWall, nowTicks];
          if (Math.abs(step) > STEP_MS) {
            clockSteps += 1;
            tell('clock', {
              source: 'gateway',
              beforeMs: Math.trunc(nowWall - step),
              afterMs: nowWall,
              stepMs: Math.trunc(step),
            });
          }
          if (parts.watchdogMs !== null && nowTicks - fed >= parts.watchdogMs / 3) {
            fed = nowTicks;
            parts.notify('WATCHDOG=1');
          }
        }
      } finally {
        delay.disable();
      }
    },
    clockTrusted: () => source === 'ntp',
    status: () => ({
      clock: { trusted: source === 'ntp', source, since: sourceSince },
      disk: { state: disk, freeMb, since: diskSince },
      loopDelayP99Ms: Math.round(delay.percentile(99) / 1e6),
      clockSteps,
      storage,
    }),
  };
}
