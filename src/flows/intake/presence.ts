/**
 * Whether a terminal is there, as the journal is told: `offline` when it is lost, `still-offline` once when that lasts longer than a
 * reconnection, `online` when it is back (written by the intake with what the terminal said of itself). Outages are read from these
 * events (R47), so the days that an outage may change are touched in the same transaction.
 *
 * A file says nothing of whether its terminal is there, and is never told as away before it was read.
 */
import { asGatewayError } from '../../core/errors.js';
import { within, type Clock, type Instant } from '../../core/time.js';
import type { Bell } from '../../core/unit.js';
import { OUTAGE_MIN_MS } from '../../store/start.js';
import type { Store, TouchedDay, Tx } from '../../store/store.js';
import type { TerminalSetup } from './terminal.js';

export interface PresenceParts {
  readonly terminal: Pick<TerminalSetup, 'id' | 'reach'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly bell: Bell;
  /** Whether this terminal was ever met. */
  readonly isKnown: () => boolean;
  /**
   * Days with a result that the outage of this terminal may change which ends now, or which lasts (null); absent where nobody
   * computes credit.
   */
  readonly daysTouchedByOutage?:
    ((endsAt: Instant | null) => readonly Omit<TouchedDay, 'stamp' | 'cause'>[]) | undefined;
  /** Serial number of who answered last. */
  readonly serial: () => string | null;
}

export interface Presence {
  /** False also while nobody has tried yet. */
  isOnline(): boolean;
  /** In the transaction that tells that it is there, before it does. */
  touchBack(tx: Tx): void;
  /** After that transaction. */
  arrived(): void;
  /** After a failure that is the terminal's: tells it once, and once more when it lasts. */
  lost(why: string): void;
  /** While a call is awaited nobody fails, so the wait itself must tell that a terminal stays away. */
  awaitCall(opening: Promise<unknown>, signal: AbortSignal): Promise<void>;
}

export function createPresence(parts: PresenceParts): Presence {
  const { terminal, store, clock } = parts;
  const isFile = terminal.reach.kind === 'file';
  /** Null: not tried yet, so that a terminal which was lost while the gateway was down is told as lost. */
  let online: boolean | null = null;
  let away: { readonly ticks: number; readonly lasts: boolean } | null = null;

  const touch = (tx: Tx, endsAt: Instant | null): void => {
    for (const day of parts.daysTouchedByOutage?.(endsAt) ?? []) tx.touchDay({ ...day, cause: 'backfill' });
  };

  /** A disk that refuses hears it again later. */
  const tell = (why: string): void => {
    const lasts = away !== null;
    const state = lasts ? 'still-offline' : 'offline';
    try {
      store.transact((tx) => {
        const data = { state, terminal: terminal.id, deviceSn: parts.serial(), why };
        if (lasts) touch(tx, null);
        tx.addEvent({ kind: 'event', what: 'device', at: clock.now(), data });
      });
    } catch (error) {
      if (asGatewayError(error).kind !== 'storage') throw error;
      return;
    }
    away = { ticks: away?.ticks ?? clock.ticks(), lasts };
    online = false;
    parts.bell.ring();
  };

  return {
    isOnline: () => online === true,
    touchBack(tx) {
      if (online !== true && !isFile) touch(tx, clock.now());
    },
    arrived() {
      online = true;
      away = null;
    },
    lost(why) {
      if (isFile && online !== true) return;
      const isNews = online !== false || (away?.lasts === false && clock.ticks() - away.ticks > OUTAGE_MIN_MS);
      if (isNews) tell(why);
    },
    async awaitCall(opening, signal) {
      while (away === null ? online === null && parts.isKnown() : !away.lasts) {
        if ((await within(clock, OUTAGE_MIN_MS + 1, signal, opening)) !== 'late') return;
        tell('no-call');
      }
    },
  };
}
