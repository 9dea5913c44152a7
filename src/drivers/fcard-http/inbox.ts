/**
 * A record between the request that brought it and the one who stores it. The request waits here; only when the record is
 * stored it is answered with success. What nobody takes in time gets no answer, and the terminal sends it again.
 */
import { within, type Clock } from '../../core/time.js';
import type { IdentifyRecord } from './codec.js';

export interface Delivery {
  readonly record: IdentifyRecord;
  /** The end of the matter; the first word counts. */
  settle(stored: boolean): void;
}

export interface Inbox {
  /** Whether the record was stored. False after too long, and when the caller is gone. */
  offer(record: IdentifyRecord, gone: AbortSignal): Promise<boolean>;
  /** The next delivery, null after `ms` without one. */
  take(ms: number): Promise<Delivery | null>;
  close(): void;
}

/** A terminal waits 30 s for an answer. */
const WAIT_MS = 28_000;

export function createInbox(clock: Clock, signal: AbortSignal): Inbox {
  const waiting: Delivery[] = [];
  const open = new Set<Delivery>();
  let wake: () => void = () => undefined;

  return {
    async offer(record, gone) {
      let settle: (stored: boolean) => void = () => undefined;
      const done = new Promise<boolean>((resolve) => (settle = resolve));
      const delivery: Delivery = { record, settle };
      const leave = (): void => {
        const at = waiting.indexOf(delivery);
        if (at >= 0) waiting.splice(at, 1);
        settle(false);
      };
      waiting.push(delivery);
      open.add(delivery);
      wake();
      gone.addEventListener('abort', leave, { once: true });
      try {
        return (await within(clock, WAIT_MS, signal, done)) === true;
      } finally {
        leave();
        open.delete(delivery);
        gone.removeEventListener('abort', leave);
      }
    },
    async take(ms) {
      signal.throwIfAborted();
      if (waiting.length === 0) {
        const arrival = new Promise<void>((resolve) => (wake = resolve));
        await within(clock, Math.max(0, ms), signal, arrival);
      }
      return waiting.shift() ?? null;
    },
    close() {
      for (const delivery of [...open]) delivery.settle(false);
    },
  };
}
