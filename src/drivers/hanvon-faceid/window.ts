/**
 * Which stretch of time is read when. There is no read pointer and no record number, so what is read again and again are windows:
 * a short one at every visit, the last day every hour, the last seven days every night; the store knows what it has already.
 * Pure arithmetic on wall time as the terminal's display shows it; seconds are counted as if every day had 24 hours.
 */
import {
  addDays,
  dateAt,
  instantToDate,
  instantToWall,
  wallToInstant,
  type Instant,
  type WallTime,
  type Zone,
} from '../../core/time.js';
import type { Cursor } from '../driver.js';

/** Bounds are inclusive; null: without a bound. */
export interface Window {
  readonly from: WallTime | null;
  readonly to: WallTime | null;
}

export interface Plan {
  readonly window: Window;
  /** The position after this window was read completely; `latest` is the last punch it showed. */
  readonly done: (latest: WallTime | null) => Cursor;
  /** The position when records were missing: the window is owed with what was owed before, and tried again in an hour, later in longer. */
  readonly short: (latest: WallTime | null) => Cursor;
  /** Whether a window whose count differs is cut in two: not while something is owed, or a terminal that counts something else is never left in peace. */
  readonly cuts: boolean;
}

export interface PlanParts {
  readonly after: Cursor | null;
  readonly now: Instant;
  readonly zone: Zone;
  /** What the terminal's clock shows, where known. */
  readonly shown: WallTime | null;
  readonly since: WallTime | null;
  readonly overlapMinutes: number;
}

const HOUR_MS = 3_600_000;
const DAY_SECONDS = 86_400;
/** What is owed is tried again after an hour, two, four ... and then once a day. */
const OWED_DOUBLINGS = 4;
/** When the nightly window is due. */
const NIGHT = '02:00';
const FIRST = '2000-01-01 00:00:00' as WallTime;
const LAST = '2099-12-31 23:59:59' as WallTime;
// A zone without rules: differences of wall times are then plain seconds.
const PLAIN = 'Etc/UTC' as Zone;

const earliest = (...walls: readonly WallTime[]): WallTime => walls.reduce((least, one) => (one < least ? one : least));
const latestOf = (...walls: readonly WallTime[]): WallTime => walls.reduce((most, one) => (one > most ? one : most));

/** `wall` moved by seconds; a wall time that does not exist is not moved. */
export function shift(wall: WallTime, seconds: number): WallTime {
  const at = wallToInstant(wall, PLAIN);
  return at === null ? wall : instantToWall((at + seconds * 1000) as Instant, PLAIN);
}

/** Two windows that together are this one, or null when it cannot be cut any more. */
export function halves({ from, to }: Window): readonly [Window, Window] | null {
  const start = from === null ? null : wallToInstant(from, PLAIN);
  const end = to === null ? null : wallToInstant(to, PLAIN);
  if (start === null || end === null || end - start < 2000) return null;
  const middle = instantToWall((start + Math.floor((end - start) / 2000) * 1000) as Instant, PLAIN);
  return [
    { from, to: middle },
    { from: shift(middle, 1), to },
  ];
}

/** A window with both bounds around everything that `seen` told and that can be. */
export function bounded(
  window: Window,
  seen: { readonly first: WallTime | null; readonly last: WallTime | null },
): Window {
  const from = window.from ?? earliest(FIRST, seen.first ?? FIRST);
  return { from, to: window.to ?? latestOf(LAST, seen.last ?? LAST) };
}

const nightBefore = (now: Instant, zone: Zone): Instant => {
  const today = instantToDate(now, zone);
  const tonight = dateAt(today, NIGHT, zone);
  return tonight <= now ? tonight : dateAt(addDays(today, -1), NIGHT, zone);
};

export function planRead({ after, now, zone, shown, since, overlapMinutes }: PlanParts): Plan {
  const here = instantToWall(now, zone);
  const clocks = shown === null ? [here] : [here, shown];
  const lastSeen = typeof after?.lastSeen === 'string' ? (after.lastSeen as WallTime) : null;
  // A time in the future (a clock that jumped and was set back) means that the hour or the night is due.
  const elapsed = (key: string): number => {
    const at = after?.[key];
    return typeof at === 'number' && at <= now ? now - at : Infinity;
  };
  const dayDue = elapsed('dayAt') >= HOUR_MS;
  const weekDue = elapsed('weekAt') > now - nightBefore(now, zone);
  const owed = typeof after?.owed === 'string' ? after.owed : null;
  const owedTries = numberOr(after?.owedTries, 0);
  const owedDue = owed !== null && elapsed('owedAt') >= HOUR_MS * 2 ** Math.min(owedTries, OWED_DOUBLINGS);

  const starts: WallTime[] = [];
  // Not later than either clock: a punch of a day that never was must not hide those that come after it.
  if (lastSeen !== null) starts.push(shift(earliest(lastSeen, ...clocks), -overlapMinutes * 60));
  if (dayDue) starts.push(shift(earliest(...clocks), -DAY_SECONDS));
  if (weekDue) starts.push(shift(earliest(...clocks), -7 * DAY_SECONDS));
  if (owedDue && owed !== '') starts.push(owed as WallTime);
  const whole = lastSeen === null || (owedDue && owed === '');
  const begun = whole || starts.length === 0 ? null : earliest(...starts);
  const from = since !== null && (begun === null || begun < since) ? since : begun;
  const to = begun === null ? null : shift(latestOf(...clocks), DAY_SECONDS);

  const position = (latest: WallTime | null): Record<string, string | number | null> => ({
    // A terminal that is empty has been read up to what its clock shows.
    // Nor later than our own clock: a punch made while the terminal's clock was far ahead would hide a long absence.
    lastSeen: earliest(latest ?? lastSeen ?? earliest(...clocks), here),
    dayAt: dayDue ? now : numberOr(after?.dayAt, now),
    weekAt: weekDue ? now : numberOr(after?.weekAt, now),
  });
  const waits = owed !== null && !owedDue;
  return {
    window: { from, to },
    cuts: !waits,
    done: (latest) => ({
      ...position(later(lastSeen, latest)),
      ...(waits && !whole ? { owed, owedAt: numberOr(after?.owedAt, now), owedTries } : {}),
    }),
    short: (latest) => ({
      ...position(later(lastSeen, latest)),
      owed: owed === '' || from === null ? '' : earliest(from, ...(owed === null ? [] : [owed as WallTime])),
      owedAt: waits ? numberOr(after?.owedAt, now) : now,
      owedTries: owed === null ? 0 : owedTries + (waits ? 0 : 1),
    }),
  };
}

const later = (one: WallTime | null, other: WallTime | null): WallTime | null =>
  one === null || (other !== null && other > one) ? other : one;

const numberOr = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);
