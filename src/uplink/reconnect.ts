/**
 * When to try again (upstream §5): the first attempt after a loss is spread over half a minute so that a fleet does not
 * storm its broker, then it backs off; busy brokers get a minute, refusals that a person must settle ten. Five minutes of
 * a stable connection start it anew. Ten minutes without connection are an alarm (D10). Some brokers close a session that
 * was taken over without saying so: connections that are closed again and again soon after they were made are named, and
 * back off like attempts that failed; any other loss has its first attempt within the spread (F6).
 */
import { fail, type GatewayError } from '../core/errors.js';
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
  connected(ticks: number): void;
  /** Suspicion about a connection that lives: those before it were all cut short. */
  doubt(ticks: number): GatewayError | null;
  /** Try at once; a person asked for it. */
  hurry(ticks: number): void;
  offlineMs(ticks: number): number;
}

/** A connection that ends sooner than this was cut short; so many in a row are named. */
const SHORT_MS = 60_000;
const SHORT_LIVED = 3;

export function createReconnect(timings: UplinkTimings, random: () => number): Reconnect {
  const between = (low: number, high: number): number => low + random() * Math.max(0, high - low);
  let at: number | null = null;
  let error: GatewayError | null = null;
  let attempt = 1;
  let shortLived = 0;
  let connectedAt = 0;
  const flapping = (): GatewayError | null =>
    shortLived < SHORT_LIVED ? null : fail('uplink-flapping', { times: shortLived });
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
      const short = connectedSince !== null && reason.code === 'uplink-lost' && ticks - connectedSince < SHORT_MS;
      if (connectedSince !== null) shortLived = short ? shortLived + 1 : 0;
      error = (short ? flapping() : null) ?? reason;
      if (connectedSince !== null && ticks - connectedSince >= timings.stableMs) attempt = 0;
      offlineSince ??= ticks;
      const cap = Math.min(timings.backoffMaxMs, timings.backoffStepMs * 2 ** Math.min(attempt, 20));
      const flaps = short && shortLived >= SHORT_LIVED;
      const patience = patienceOf(reason);
      let delay =
        connectedSince === null
          ? between(Math.min(timings.backoffMinMs, cap), cap)
          : between(0, Math.max(spreadMs, flaps ? cap : 0));
      if (patience === 'long') delay = timings.refusedMs;
      if (patience === 'busy') delay = Math.max(delay, between(timings.busyMs, timings.busyMs * 2));
      attempt = connectedSince === null || flaps ? attempt + 1 : Math.max(1, attempt);
      at = ticks + delay;
    },
    trying() {
      at = null;
    },
    connected(ticks) {
      connectedAt = ticks;
      at = null;
      error = null;
      offlineSince = null;
    },
    doubt: (ticks) => (ticks - connectedAt < SHORT_MS ? flapping() : null),
    hurry(ticks) {
      if (at !== null) at = ticks;
    },
    offlineMs: (ticks) => (offlineSince === null ? 0 : ticks - offlineSince),
  };
}
