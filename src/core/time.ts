/**
 * The words of time, and the only file that may touch `Date`, timers, `Intl` or luxon.
 *
 * A terminal tells *wall time*: what its display shows, without a zone, possibly an impossible date.
 * We keep that text for ever and derive an *instant* (UTC milliseconds) from it beside it, never over it.
 * Order is never decided by a clock: journal numbers do that (contract.md, settled point 2).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DateTime, IANAZone } from 'luxon';

/** Milliseconds since 1970-01-01T00:00:00Z, an integer. */
export type Instant = number & { readonly __brand: 'Instant' };
/** What a terminal's display said: `YYYY-MM-DD HH:mm:ss`, no zone; the date may be impossible (2025-02-30). */
export type WallTime = string & { readonly __brand: 'WallTime' };
/** A calendar date at the site, `YYYY-MM-DD`. */
export type LocalDate = string & { readonly __brand: 'LocalDate' };
/** An IANA zone name, such as `Asia/Shanghai`; never an offset. */
export type Zone = string & { readonly __brand: 'Zone' };

export interface Clock {
  /** Wall clock, UTC milliseconds. May jump. */
  now(): Instant;
  /** Monotonic milliseconds; only differences mean something. Never jumps. */
  ticks(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Whether the wall clock is known to be right (synchronised within 5 s). */
  trusted(): boolean;
}

export function instant(ms: number): Instant {
  return Math.trunc(ms) as Instant;
}

/** The machine's own clock. `trusted` is what health last learned of the time source. */
export function systemClock(trusted: () => boolean = () => true): Clock {
  return {
    now: () => Date.now() as Instant,
    ticks: () => performance.now(),
    sleep: async (ms, signal) => {
      try {
        await delay(Math.min(Math.max(0, ms), 0x7fffffff), undefined, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    trusted,
  };
}

/** A clock that stands still until it is told to move. */
export interface SteppedClock extends Clock {
  /** Moves wall and monotonic time to `to` (never back) and wakes every sleeper that is due by then. */
  advanceTo(to: Instant): void;
}

/** The clock of the demonstration's class day: the day moves in steps while wires and brokers keep real time. */
export function steppedClock(start: Instant): SteppedClock {
  let now: number = start;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => instant(now),
    ticks: () => now - start,
    trusted: () => true,
    async sleep(ms, signal) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => {
          sleepers.delete(sleeper);
          reject(signal.reason as Error);
        };
        const sleeper = {
          at: now + Math.max(0, ms),
          wake: () => {
            sleepers.delete(sleeper);
            signal.removeEventListener('abort', abort);
            resolve();
          },
        };
        signal.addEventListener('abort', abort, { once: true });
        sleepers.add(sleeper);
      });
    },
    advanceTo(to) {
      now = Math.max(now, to);
      for (const sleeper of [...sleepers]) if (sleeper.at <= now) sleeper.wake();
    },
  };
}

/** Waits until `promise` settles, `ms` pass on `clock`, or `signal` aborts, whichever is first. `'late'` means the deadline. */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  promise: Promise<T>,
): Promise<T | 'late'> {
  const timer = linkedController(signal);
  const late = clock.sleep(ms, timer.signal).then(() => 'late' as const);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.end();
    late.catch(() => undefined);
    promise.catch(() => undefined);
  }
}

/**
 * A signal that aborts with the first of `parents`, and when `end` is called. Unlike `AbortSignal.any` it leaves nothing
 * behind on a parent that lives for months (Node 20 keeps some bytes for every derived signal).
 */
export function linkedController(...parents: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  readonly end: () => void;
} {
  const own = new AbortController();
  const relay = (): void => own.abort(parents.find((one) => one.aborted)?.reason);
  for (const parent of parents) parent.addEventListener('abort', relay, { once: true });
  if (parents.some((one) => one.aborted)) relay();
  return {
    signal: own.signal,
    end: () => {
      for (const parent of parents) parent.removeEventListener('abort', relay);
      own.abort();
    },
  };
}

/** Names asked for before: looking one up builds a formatter, and decoders ask for the same few with every message. */
const zones = new Map<string, Zone | null>();

export function zone(name: string): Zone | null {
  let known = zones.get(name);
  if (known === undefined) {
    if (zones.size >= HOURS_KEPT) zones.clear();
    known = IANAZone.isValidZone(name) && !/^(?:UTC|GMT)?[+-]\d/i.test(name) ? (name as Zone) : null;
    zones.set(name, known);
  }
  return known;
}

const WALL = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/;

/** Joins the parts a terminal sent, whatever they are; the date need not exist. */
export function wallTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): WallTime {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}` as WallTime;
}

/** Parses `YYYY-MM-DD HH:mm:ss`; null when the text has another form (an impossible date has the form). */
export function parseWallTime(text: string): WallTime | null {
  return WALL.test(text) ? (text as WallTime) : null;
}

const HOUR_MS = 3_600_000;
const HOURS_KEPT = 4096;
/** Instant of the beginning of an hour in a zone; null when that hour is not sixty plain minutes and must be looked up. */
const hours = new Map<string, number | null>();

function lookUp(wall: WallTime, where: Zone): Instant | null {
  const match = WALL.exec(wall);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const at = DateTime.fromObject({ year, month, day, hour, minute, second }, { zone: where });
  if (!at.isValid || at.hour !== hour || at.minute !== minute || at.day !== day) return null;
  return instant(at.toMillis());
}

function plainHour(hour: string, where: Zone): number | null {
  const start = lookUp(`${hour}:00:00` as WallTime, where);
  const last = lookUp(`${hour}:59:59` as WallTime, where);
  return start !== null && last !== null && last - start === HOUR_MS - 1000 ? start : null;
}

/** The instant a wall time means in a zone, or null when that date or time does not exist. */
export function wallToInstant(wall: WallTime, where: Zone): Instant | null {
  if (!WALL.test(wall)) return null;
  // A log of 100 000 records names few hours: each is looked up once, minutes and seconds are arithmetic.
  const hour = wall.slice(0, 13);
  const key = `${where} ${hour}`;
  let start = hours.get(key);
  if (start === undefined) {
    if (hours.size >= HOURS_KEPT) hours.clear();
    start = plainHour(hour, where);
    hours.set(key, start);
  }
  const [minute, second] = [Number(wall.slice(14, 16)), Number(wall.slice(17, 19))];
  if (start === null || minute > 59 || second > 59) return lookUp(wall, where);
  return instant(start + (minute * 60 + second) * 1000);
}

const QUARTER_MS = 900_000;
/** Dates by quarter of an hour: every zone's midnight lies on one. */
const dates = new Map<string, LocalDate>();

/** What a zone shows at the beginning of a quarter of an hour. */
interface Quarter {
  /** `YYYY-MM-DD HH:`. */
  readonly hour: string;
  readonly minute: number;
  readonly date: LocalDate;
  /** Second of the day. */
  readonly second: number;
}

/** By zone and number of the quarter; null when that quarter is not fifteen plain minutes. */
const quarters = new Map<Zone, Map<number, Quarter | null>>();

const shown = (at: number, where: Zone): WallTime =>
  DateTime.fromMillis(at, { zone: where }).toFormat('yyyy-MM-dd HH:mm:ss') as WallTime;

function plainQuarter(no: number, where: Zone): Quarter | null {
  const [first, last] = [shown(no * QUARTER_MS, where), shown((no + 1) * QUARTER_MS - 1, where)];
  const minute = Number(first.slice(14, 16));
  if (minute % 15 !== 0 || last !== `${first.slice(0, 14)}${minute + 14}:59` || !first.endsWith(':00')) return null;
  const date = first.slice(0, 10) as LocalDate;
  return { hour: first.slice(0, 14), minute, date, second: Number(first.slice(11, 13)) * 3600 + minute * 60 };
}

/** The punches of a class fall into few quarters of an hour: each is looked up once, minutes and seconds are arithmetic. */
function quarterOf(no: number, where: Zone): Quarter | null {
  let ofZone = quarters.get(where);
  if (ofZone === undefined) quarters.set(where, (ofZone = new Map<number, Quarter | null>()));
  let quarter = ofZone.get(no);
  if (quarter === undefined) {
    if (ofZone.size >= HOURS_KEPT) ofZone.clear();
    quarter = plainQuarter(no, where);
    ofZone.set(no, quarter);
  }
  return quarter;
}

/** The wall time shown in a zone at an instant, seconds cut off. */
export function instantToWall(at: Instant, where: Zone): WallTime {
  const no = Math.floor(at / QUARTER_MS);
  const quarter = quarterOf(no, where);
  if (quarter === null) return shown(at, where);
  const second = Math.floor(at / 1000) - no * (QUARTER_MS / 1000);
  const two = (value: number): string => (value < 10 ? `0${value}` : String(value));
  return `${quarter.hour}${two(quarter.minute + Math.floor(second / 60))}:${two(second % 60)}` as WallTime;
}

/** Date and second of the day that a zone's clocks show at an instant. */
export function instantToLocal(at: Instant, where: Zone): { readonly date: LocalDate; readonly second: number } {
  const no = Math.floor(at / QUARTER_MS);
  const quarter = quarterOf(no, where);
  if (quarter !== null)
    return { date: quarter.date, second: quarter.second + Math.floor(at / 1000) - no * (QUARTER_MS / 1000) };
  const wall = shown(at, where);
  const [hour = 0, minute = 0, second = 0] = wall.slice(11).split(':').map(Number);
  return { date: wall.slice(0, 10) as LocalDate, second: hour * 3600 + minute * 60 + second };
}

export function instantToDate(at: Instant, where: Zone): LocalDate {
  const key = `${where} ${Math.floor(at / QUARTER_MS)}`;
  let date = dates.get(key);
  if (date === undefined) {
    if (dates.size >= HOURS_KEPT) dates.clear();
    date = DateTime.fromMillis(at, { zone: where }).toFormat('yyyy-MM-dd') as LocalDate;
    dates.set(key, date);
  }
  return date;
}

/** RFC 3339 in UTC, for people and logs. */
export function isoUtc(at: Instant): string {
  return DateTime.fromMillis(at, { zone: 'utc' }).toISO({ suppressMilliseconds: false }) ?? 'invalid';
}

/** For packages that insist on a `Date`. */
export function nativeDate(at: Instant): Date {
  return new Date(at);
}

/** Parses RFC 3339 with an offset; null when the text is not one. */
export function parseIso(text: string): Instant | null {
  if (!/(?:Z|[+-]\d{2}:?\d{2})$/.test(text)) return null;
  const at = DateTime.fromISO(text, { setZone: true });
  return at.isValid ? instant(at.toMillis()) : null;
}

/** A calendar date that exists, or null. */
export function parseLocalDate(text: string): LocalDate | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  return DateTime.fromISO(text, { zone: 'utc' }).isValid ? (text as LocalDate) : null;
}

/** The date `days` after `date` (negative: before). */
export function addDays(date: LocalDate, days: number): LocalDate {
  return DateTime.fromISO(date, { zone: 'utc' }).plus({ days }).toFormat('yyyy-MM-dd') as LocalDate;
}

/** The date part of a wall time, whether or not it exists. */
export function wallDate(wall: WallTime): string {
  return wall.slice(0, 10);
}

/** The instant at which `date` shows `HH:mm` in a zone. */
export function dateAt(date: LocalDate, time: string, where: Zone): Instant {
  const at = DateTime.fromISO(`${date}T${time}`, { zone: where });
  if (!at.isValid) throw new RangeError(`not a time of day: ${date} ${time}`);
  return instant(at.toMillis());
}
