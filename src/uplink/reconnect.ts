/**
 * When to try again (upstream §5): the first attempt after a loss is spread over half a minute so that a fleet does not
 * storm its broker, then it backs off; busy brokers get a minute, refusals that a person must settle ten. Five minutes of
 * a stable connection start it anew. Ten minutes without connection are an alarm (D10).
 */
import type { GatewayError } from '../core/errors.js';
import { patienceOf } from './refusals.js';
import type { UplinkTimings } from './uplink.js';

export interface Reconnect {
  /** Ticks of the next attempt; null while connecting or connected. */
  readonly at: number | null;
  readonly error: GatewayError | null;
  start(ticks: number): void;
  /** An attempt failed (`connectedSince` null) or a connection ended. `spreadMs` is the platform's wish. */
  failed(error: GatewayError, ticks: number, connectedSince: number | null, spreadMs: number): void;
  /** The attempt has begun. */
  trying(): void;
  connected(): void;
  /** Try at once; a person asked for it. */
  hurry(ticks: number): void;
  offlineMs(ticks: number): number;
}

export function createReconnect(timings: UplinkTimings, random: () => number): Reconnect {
  const between = (low: number, high: number): number => low + random() * Math.max(0, high - low);
  let at: number | null = null;
  let error: GatewayError | null = null;
  let attempt = 1;
  let offlineSince: number | null = 0;
  return {
    get at() {
      return at;
    },
    get error() {
      return error;
    },
    start(ticks) {
      offlineSince = ticks;
      at = ticks + between(0, timings.startSpreadMs);
    },
    failed(reason, ticks, connectedSince, spreadMs) {
      error = reason;
      if (connectedSince !== null && ticks - connectedSince >= timings.stableMs) attempt = 0;
      offlineSince ??= ticks;
      const cap = Math.min(timings.backoffMaxMs, timings.backoffStepMs * 2 ** Math.min(attempt, 20));
      const patience = patienceOf(reason);
      let delay =
        connectedSince === null
          ? between(Math.min(timings.backoffMinMs, cap), cap)
          : between(0, Math.max(spreadMs, attempt > 0 ? cap : 0));
      if (patience === 'long') delay = timings.refusedMs;
      if (patience === 'busy') delay = Math.max(delay, between(timings.busyMs, timings.busyMs * 2));
      attempt += 1;
      at = ticks + delay;
    },
    trying() {
      at = null;
    },
    connected() {
      at = null;
      error = null;
      offlineSince = null;
    },
    hurry(ticks) {
      if (at !== null) at = ticks;
    },
    offlineMs: (ticks) => (offlineSince === null ? 0 : ticks - offlineSince),
  };
}
