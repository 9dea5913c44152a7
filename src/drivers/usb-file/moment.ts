/**
 * Dates and times as exports write them, as wall time. A date that does not exist keeps its digits; an order of day and month that
 * a file leaves open is never guessed. Pure.
 */
import { wallTime, type WallTime } from '../../core/time.js';
import type { UsbFileOptions } from './options.js';

export type Moment =
  | { readonly wall: WallTime; readonly seconds: boolean }
  /** No date and time, with what it seems to be instead. */
  | { readonly wall: null; readonly reason: 'none' | 'date-order' | 'spreadsheet-date' };

const DAY = String.raw`(\d{1,4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,4})\s*日?`;
const CLOCK = String.raw`(上午|下午|AM|PM)?\s*(\d{1,2})\s*[:：时]\s*(\d{1,2})\s*(?:[:：分]\s*(\d{1,2})(?:\.\d+)?\s*秒?|分)?\s*(AM|PM)?`;
const WHOLE = new RegExp(`^${DAY}(?:[ \\t\\u00a0\\u3000T]+|(?<=日))${CLOCK}$`, 'i');
const COMPACT = /^(\d{4})(\d{2})(\d{2})[ T]?(\d{2}):?(\d{2}):?(\d{2})$/;
/** Days since 1899-12-30, as a spreadsheet program writes a date whose column has no date format; or `#####`. */
const SPREADSHEET = /^(?:\d{5}(?:\.\d+)?|#{3,})$/;

export function parseMoment(text: string, order: UsbFileOptions['dateOrder']): Moment {
  const told = text.trim();
  const compact = COMPACT.exec(told);
  if (compact) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = compact.slice(1).map(Number);
    return { wall: wallTime(year, month, day, hour, minute, second), seconds: true };
  }
  const match = WHOLE.exec(told);
  if (!match) return { wall: null, reason: SPREADSHEET.test(told) ? 'spreadsheet-date' : 'none' };
  const [first = '', second = '', third = '', before = '', hour = '', minute = '', rest, behind = ''] = match.slice(
    1,
  ) as (string | undefined)[];
  const yearFirst = first.length === 4;
  if (!yearFirst && (order === 'ymd' || third.length !== 4)) return { wall: null, reason: 'date-order' };
  const [year, month, day] = yearFirst
    ? [first, second, third]
    : order === 'mdy'
      ? [third, first, second]
      : [third, second, first];
  const half = (before === '' ? behind : before).toUpperCase();
  return {
    wall: wallTime(
      Number(year),
      Number(month),
      Number(day),
      hourOf(Number(hour), half),
      Number(minute),
      Number(rest ?? 0),
    ),
    seconds: rest !== undefined,
  };
}

function hourOf(hour: number, half: string): number {
  if (half === 'PM' || half === '下午') return hour < 12 ? hour + 12 : hour;
  return (half === 'AM' || half === '上午') && hour === 12 ? 0 : hour;
}
