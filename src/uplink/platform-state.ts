/**
 * What the platform last said of itself (upstream §10): whether it takes batches, how many at a time, how a fleet should
 * spread. An older or repeated state is ignored; no state can silence a gateway for more than a day; without a trusted
 * clock the pause counts from its receipt (§18).
 */
import type { Moment } from './conversation-words.js';
import type { PlatStateMessage } from './messages.js';

const DAY_MS = 86_400_000;

export interface PlatformState {
  readonly last: PlatStateMessage | null;
  /** Ticks until which no batches are wanted; null: they are. */
  readonly offUntil: number | null;
  /** Takes a verified state; false when it is old. `platAt`: `at` of the newest one ever accepted. */
  take(state: PlatStateMessage, moment: Moment, platAt: number): boolean;
  /** The platform's own will: unknown, not off. */
  forget(): void;
  turnOn(): void;
}

export function createPlatformState(): PlatformState {
  let last: PlatStateMessage | null = null;
  let offUntil: number | null = null;
  return {
    get last() {
      return last;
    },
    get offUntil() {
      return offUntil;
    },
    take(state, moment, platAt) {
      // The retained state comes again after a restart with the same `at`: each process takes it once.
      if (last === null ? state.at < platAt : state.at <= platAt) return false;
      last = state;
      const until = Math.min(state.until ?? state.at + DAY_MS, state.at + DAY_MS);
      const leftMs = moment.trusted ? until - moment.now : until - state.at;
      offUntil = state.on || leftMs <= 0 ? null : moment.ticks + leftMs;
      return true;
    },
    forget() {
      last = null;
      offUntil = null;
    },
    turnOn() {
      offUntil = null;
    },
  };
}
