/**
 * The terminal's clock and the forms in which it writes and wants dates: with an offset, with `Z`, or bare. The zone of a
 * terminal has the sign of POSIX, the other way round: UTC+8 is `CST-8:00:00`. The HTTP `Date` header is local time labelled GMT
 * and is never used.
 */
import {
  instant,
  instantToWall,
  parseIso,
  wallToInstant,
  type Instant,
  type WallTime,
  type Zone,
} from '../../core/time.js';
import { suffixOf } from './codec.js';

/** How a date is written in a search: `+08:00` after it, `Z`, or nothing. */
export type DateForm = 'offset' | 'none' | 'z';
export const DATE_FORMS: readonly DateForm[] = ['offset', 'none', 'z'];

export const formOf = (localTime: string): DateForm | null => {
  const suffix = suffixOf(localTime);
  return suffix === null ? null : suffix === '' ? 'none' : suffix === 'Z' ? 'z' : 'offset';
};

const two = (value: number): string => String(value).padStart(2, '0');

/** `+08:00` of a zone at a wall time; of an impossible time, of the zone today. */
export function offsetText(wall: WallTime, zone: Zone, today: Instant): string {
  const at = wallToInstant(wall, zone) ?? today;
  const shown = parseIso(`${instantToWall(at, zone).replace(' ', 'T')}Z`) ?? at;
  const minutes = Math.round((shown - at) / 60_000);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** `CST-8:00:00` as `+08:00`; null when it is no such zone. */
export function posixOffset(timeZone: string): string | null {
  const match = /^[A-Za-z]{2,6}([+-])(\d{1,2})(?::?(\d{2}))?/.exec(timeZone);
  if (!match) return null;
  return `${match[1] === '-' ? '+' : '-'}${two(Number(match[2]))}:${match[3] ?? '00'}`;
}

/** A wall time as the terminal wants it. `offset` is its own, such as `+08:00`. */
export function writeTime(wall: WallTime, form: DateForm, offset: string, zone: Zone): string {
  const text = wall.replace(' ', 'T');
  if (form === 'none') return text;
  if (form === 'offset') return `${text}${offset}`;
  const at = wallToInstant(wall, zone);
  return at === null ? `${text}Z` : `${instantToWall(at, 'UTC' as Zone).replace(' ', 'T')}Z`;
}

/** A wall time so many milliseconds later; wall times that do not exist stay as they are. */
export function shifted(wall: WallTime, ms: number): WallTime {
  const at = parseIso(`${wall.replace(' ', 'T')}Z`);
  return at === null ? wall : instantToWall(instant(at + ms), 'UTC' as Zone);
}

/** Milliseconds from one wall time to another; null where either does not exist. */
export function between(from: WallTime, to: WallTime): number | null {
  const [a, b] = [from, to].map((wall) => parseIso(`${wall.replace(' ', 'T')}Z`));
  return a == null || b == null ? null : b - a;
}
