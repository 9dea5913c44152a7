/**
 * A unit is one loop of the daemon: it takes work from a table, does it, commits the result. `supervise` restarts a
 * unit that throws, by error kind; a doorbell wakes a unit and carries no data, so a lost ring costs seconds, never a record.
 */
import { setMaxListeners } from 'node:events';
import { asGatewayError, fail, type ErrorKind, type GatewayError } from './errors.js';
import type { Log } from './log.js';
import { linkedController, type Clock, type Instant } from './time.js';

export interface Unit {
  readonly name: string;
  /** Runs until aborted; throws to be restarted. */
  run(signal: AbortSignal): Promise<void>;
}

/** The side of a doorbell that rings. */
export interface Bell {
  ring(): void;
}

/** One bell that rings several. */
export function chime(...bells: readonly Bell[]): Bell {
  return { ring: () => bells.forEach((bell) => bell.ring()) };
}

export interface Doorbell extends Bell {
  /** Resolves on a ring (also one that came before) or after `atMostMs`; rejects when aborted. */
  wait(atMostMs: number, signal: AbortSignal): Promise<void>;
}

export function createDoorbell(clock: Clock): Doorbell {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(atMostMs, signal) {
      signal.throwIfAborted();
      if (!rung) {
        const rings = new Promise<void>((resolve) => (wake = resolve));
        const timer = linkedController(signal);
        const late = clock.sleep(atMostMs, timer.signal);
        try {
          await Promise.race([rings, late]);
        } finally {
          timer.end();
          late.catch(() => undefined);
          wake = null;
        }
      }
      rung = false;
      signal.throwIfAborted();
    },
  };
}

export type UnitState = 'starting' | 'running' | 'backing-off' | 'parked' | 'stopped';

export interface UnitStatus {
  readonly name: string;
  readonly state: UnitState;
  readonly since: Instant;
  readonly error: GatewayError | null;
  readonly restarts: number;
}

export interface Supervised {
  readonly name: string;
  status(): UnitStatus;
  /** Resolves when the unit has ended for good after an abort. Never rejects. */
  readonly done: Promise<void>;
}

export interface SuperviseOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly random?: () => number;
  /** Called when a unit broke its own rule three times in ten minutes: the process should end. */
  readonly onFatal?: (error: GatewayError) => void;
}

// A function, because the compiler believes that an await cannot change `aborted`.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

const TEN_MINUTES = 600_000;
const FATAL_BUGS = 3;

/**
 * Wait before try `attempt` (from 1): 1 s doubling to 60 s with jitter; a wrong setting and a refused password wait ten minutes.
 * A disk is tried again within four seconds for ever, so that work goes on at most five seconds after there is room (F3).
 */
export function backoffMs(kind: ErrorKind, attempt: number, random: () => number = Math.random): number {
  if (kind === 'settings') return TEN_MINUTES;
  const ceiling = Math.min(kind === 'storage' ? 4000 : 60_000, 1000 * 2 ** Math.min(attempt - 1, 6));
  return Math.round(ceiling * (0.5 + random() / 2));
}

export function supervise(unit: Unit, options: SuperviseOptions): Supervised {
  const { clock, log, signal } = options;
  // Every wait of every unit hears this one signal: many listeners are no leak here.
  setMaxListeners(0, signal);
  let state: UnitState = 'starting';
  let since = clock.now();
  let error: GatewayError | null = null;
  let restarts = 0;
  let bugs: number[] = [];

  const enter = (next: UnitState): void => {
    if (state !== next) since = clock.now();
    state = next;
  };

  const loop = async (): Promise<void> => {
    let attempt = 0;
    while (!isAborted(signal)) {
      const startedAt = clock.ticks();
      try {
        enter('running');
        await unit.run(signal);
        if (!isAborted(signal)) throw fail('unit-ended', { unit: unit.name });
        return;
      } catch (thrown) {
        // An abort surfaces as whatever the interrupted call throws; after an abort nothing is an error any more.
        if (isAborted(signal)) return;
        error = asGatewayError(thrown);
        attempt = clock.ticks() - startedAt > 60_000 ? 1 : attempt + 1;
        restarts += 1;
        log[error.kind === 'bug' ? 'error' : 'warn'](
          {
            unit: unit.name,
            code: error.code,
            kind: error.kind,
            context: error.context,
            stack: error.kind === 'bug' ? error.stack : undefined,
          },
          error.message,
        );
        if (error.kind === 'bug') {
          bugs = [...bugs.filter((at) => clock.ticks() - at < TEN_MINUTES), clock.ticks()];
          if (bugs.length >= FATAL_BUGS) {
            options.onFatal?.(error);
            return;
          }
        }
        enter(error.kind === 'settings' ? 'parked' : 'backing-off');
        await clock.sleep(backoffMs(error.kind, attempt, options.random), signal).catch(() => undefined);
      }
    }
  };

  return {
    name: unit.name,
    status: () => ({ name: unit.name, state, since, error, restarts }),
    done: loop().finally(() => enter('stopped')),
  };
}
