/**
 * Versions of a day result (requirements 4.10): when it is final, and whether a recomputation is a new version. Pure;
 * who keeps the versions gives the time and what terminals have reported.
 */
import { addDays, dateAt, type Instant, type LocalDate } from '../core/time.js';
import { planSessions, type Session } from './grid.js';
import type { Policy } from './policy.js';

export interface Version {
  /** Counts final results from 1; a provisional one carries the number it will get. */
  readonly version: number;
  readonly status: 'provisional' | 'final';
  readonly supersedes: number | null;
  readonly cause: VersionCause | null;
}

export type VersionCause = 'backfill' | 'makeup' | 'leave' | 'online' | 'review';

export function dayCloseOf(date: LocalDate, policy: Policy): Instant {
  return dateAt(date, policy.dayClose, policy.timezone);
}

/**
 * `provisional` until the day closes, and as long as one of the terminals has not reported since the last window
 * closed, but no longer than to the next day's close. `reported`: last report of each assigned terminal, null: never.
 */
export function dayStatus(
  day: {
    readonly date: LocalDate;
    readonly sessions: readonly Session[];
    readonly reported: readonly (Instant | null)[];
  },
  now: Instant,
  policy: Policy,
): 'provisional' | 'final' {
  if (now < dayCloseOf(day.date, policy)) return 'provisional';
  if (now >= dayCloseOf(addDays(day.date, 1), policy)) return 'final';
  const last = planSessions(day.sessions, policy).sessions.at(-1);
  if (!last) return 'final';
  // The closing minute belongs to the window.
  const closed = dateAt(day.date, '00:00', policy.timezone) + (last.windows.OUT.close + 1) * 60_000;
  return day.reported.every((at) => at !== null && at >= closed) ? 'final' : 'provisional';
}

/** What makes two results the same: everything but which engine and which versions of roster and timetable led there. */
export const OUTCOME = ['dayResult', 'flags', 'ignored', 'explanation', 'policy'] as const;

type Outcome = Readonly<Partial<Record<(typeof OUTCOME)[number], unknown>>>;

/** A recomputation with the same outcome makes no version. For results as computed and as recorded. */
export function sameOutcome(a: Outcome, b: Outcome): boolean {
  return OUTCOME.every((key) => sameJson(a[key], b[key]));
}

/** Whether two JSON values say the same; a member that is undefined is absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((one, at) => sameJson(one, b[at]));
  }
  const [left, right] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  return (
    Object.keys(left).every((key) => sameJson(left[key], right[key])) &&
    Object.keys(right).every((key) => Object.hasOwn(left, key) || right[key] === undefined)
  );
}

/** The version after `last` (null: none yet), when the outcome is another. */
export function nextVersion(last: Version | null, status: Version['status'], cause: VersionCause): Version {
  if (last === null) return { version: 1, status, supersedes: null, cause: null };
  if (last.status === 'provisional') return { ...last, status };
  return { version: last.version + 1, status, supersedes: last.version, cause };
}
