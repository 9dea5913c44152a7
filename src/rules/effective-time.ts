/**
 * The effective time of a punch (requirements 4.4): the told time where the terminal's clock was near enough, the
 * corrected one where its error was measured, the receipt where the punch came live, and otherwise none until a person reviews it.
 * Pure. Whole seconds: a terminal shows no more, and a receipt is cut down to the second.
 */
import type { Instant } from '../core/time.js';
import { instant } from '../core/time.js';
import type { Delivery, PunchFact } from './facts.js';

export interface ClockedPunch {
  /** The told wall time as an instant; null when that date or time does not exist. */
  readonly instant: Instant | null;
  /** Gateway receive time. */
  readonly rx: Instant;
  /** Terminal clock minus gateway clock in whole seconds, as last measured before receipt; null: never measured. */
  readonly offsetSeconds: number | null;
  /** Age of that measurement at receipt; null with a known offset counts as too old. */
  readonly offsetAgeSeconds: number | null;
  readonly delivery: Delivery;
  /** The time that a reviewer gave; looked at only where nothing else times the punch. */
  readonly reviewed?: Instant | null;
}

export interface ClockRule {
  readonly okSeconds: number;
  readonly correctMaxSeconds: number;
  readonly staleAfterHours: number;
}

/**
 * `device`: as told. `corrected`: told minus offset. `received`: gateway receive time. `reviewed`: by a person, because nothing
 * else times it. `none`: cannot be timed.
 */
export type TimedBy = 'device' | 'corrected' | 'received' | 'reviewed' | 'none';

export interface EffectiveTime {
  readonly at: Instant | null;
  readonly by: TimedBy;
}

const second = (ms: number): Instant => instant(Math.floor(ms / 1000) * 1000);

/**
 * A told time that does not exist (2000-00-00 after a dead battery) has no measurable error: the punch is treated as
 * one whose offset is unknown, whatever was measured before.
 */
export function effectiveTime(punch: ClockedPunch, rule: ClockRule): EffectiveTime {
  const { instant: told, offsetSeconds, offsetAgeSeconds } = punch;
  const fresh = offsetAgeSeconds !== null && offsetAgeSeconds <= rule.staleAfterHours * 3600;
  if (told !== null && offsetSeconds !== null && fresh) {
    const error = Math.abs(offsetSeconds);
    if (error <= rule.okSeconds) return { at: second(told), by: 'device' };
    if (error <= rule.correctMaxSeconds) return { at: second(told - offsetSeconds * 1000), by: 'corrected' };
  }
  if (punch.delivery === 'live') return { at: second(punch.rx), by: 'received' };
  return punch.reviewed == null ? { at: null, by: 'none' } : { at: second(punch.reviewed), by: 'reviewed' };
}

/** A punch of the journal as it is timed: what was measured in milliseconds is rounded here and nowhere else. */
export function clockedPunch(
  punch: Pick<PunchFact, 'instant' | 'rx' | 'offsetMs' | 'offsetAgeMs' | 'delivery'>,
): ClockedPunch {
  return {
    instant: punch.instant,
    rx: punch.rx,
    offsetSeconds: punch.offsetMs === null ? null : offsetInSeconds(punch.offsetMs),
    offsetAgeSeconds: punch.offsetAgeMs === null ? null : ageInSeconds(punch.offsetAgeMs),
    delivery: punch.delivery,
  };
}

/**
 * A measured offset in whole seconds, rounded to the nearest, halves away from zero: a terminal shows whole seconds, so
 * a measurement is no better than that, and +30.4 s must be treated like -30.4 s.
 */
export function offsetInSeconds(offsetMs: number): number {
  const size = Math.floor((Math.abs(offsetMs) + 500) / 1000);
  return offsetMs < 0 && size > 0 ? -size : size;
}

/** Age in whole seconds, rounded up, so that a measurement one millisecond too old is too old. */
export function ageInSeconds(ageMs: number): number {
  return Math.max(0, Math.ceil(ageMs / 1000));
}
