/**
 * Punches between the request that brought them and the one who stores them. A request waits here until its punches are
 * stored; then and only then is it answered. What nobody takes in time is given up: its terminal gets no answer and repeats
 * the whole body later.
 */
import { within, type Clock } from '../../core/time.js';
import type { PunchRecord } from '../driver.js';

export interface Delivery {
  readonly punches: readonly PunchRecord[];
  /** Stamp that came with them, for the next greeting. */
  readonly stamp: string | null;
  /** The end of the matter: stored, or not. The first word counts. */
  settle(stored: boolean): void;
}

export interface Inbox {
  /** Whether the punches were stored. False after too long, and when the caller is gone before anybody took them. */
  offer(punches: readonly PunchRecord[], stamp: string | null, gone: AbortSignal): Promise<boolean>;
  /** The next delivery, null after `ms` without one. */
  take(ms: number): Promise<Delivery | null>;
  /** Deliveries that nobody took in time, so far. */
  readonly refusals: number;
  /** Nothing more is stored. */
  close(): void;
}

/** A terminal waits about ten seconds for an answer. */
const UNTAKEN_MS = 8000;
/** Longest that storing may last. */
const STORING_MS = 60_000;
const WAITING_MAX = 8;

interface Waiting extends Delivery {
  readonly done: Promise<boolean>;
}

export function createInbox(clock: Clock, signal: AbortSignal): Inbox {
  const waiting: Waiting[] = [];
  const taken = new Set<Waiting>();
  let wake: () => void = () => undefined;
  let refusals = 0;

  return {
    async offer(punches, stamp, gone) {
      if (waiting.length >= WAITING_MAX) return false;
      let settle: (stored: boolean) => void = () => undefined;
      const done = new Promise<boolean>((resolve) => (settle = resolve));
      const delivery: Waiting = { punches, stamp, settle, done };
      const leave = (): void => {
        const at = waiting.indexOf(delivery);
        if (at < 0) return;
        waiting.splice(at, 1);
        settle(false);
      };
      waiting.push(delivery);
      wake();
      gone.addEventListener('abort', leave, { once: true });
      try {
        let stored = await within(clock, UNTAKEN_MS, signal, done);
        if (stored === 'late' && taken.has(delivery)) stored = await within(clock, STORING_MS, signal, done);
        if (stored === 'late') refusals += 1;
        return stored === true;
      } finally {
        leave();
        taken.delete(delivery);
        gone.removeEventListener('abort', leave);
      }
    },
    async take(ms) {
      signal.throwIfAborted();
      if (waiting.length === 0) {
        const arrival = new Promise<void>((resolve) => (wake = resolve));
        await within(clock, Math.max(0, ms), signal, arrival);
      }
      const delivery = waiting.shift();
      if (!delivery) return null;
      taken.add(delivery);
      return delivery;
    },
    get refusals() {
      return refusals;
    },
    close() {
      for (const delivery of [...waiting.splice(0), ...taken]) delivery.settle(false);
    },
  };
}
