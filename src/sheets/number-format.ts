/**
 * Numbers of a workbook as the person sees them: whether a number format shows a date, the date of a serial number in both
 * date systems (ECMA-376 part 1, §18.17.4), and leading zeros. Knows the built-in formats of §18.8.30, also the Chinese ones.
 */
import { addDays, type LocalDate } from '../core/time.js';
import type { Cell } from './sheet.js';

export interface NumberFormat {
  readonly shows: 'number' | 'date' | 'time' | 'elapsed';
  /** Digits that a format such as `0000` fills up with zeros. */
  readonly digits: number;
}

const PLAIN: NumberFormat = { shows: 'number', digits: 0 };
const DATE: NumberFormat = { shows: 'date', digits: 0 };
const TIME: NumberFormat = { shows: 'time', digits: 0 };
const ELAPSED: NumberFormat = { shows: 'elapsed', digits: 0 };

/** Formats with a number below 164; 27 to 36 and 50 to 58 are those of the Chinese editions. */
function builtInFormat(id: number): NumberFormat {
  if (id === 46) return ELAPSED;
  if ((id >= 18 && id <= 21) || id === 45 || id === 47 || (id >= 32 && id <= 35) || id === 55 || id === 56) return TIME;
  return (id >= 14 && id <= 17) || id === 22 || (id >= 27 && id <= 31) || id === 36 || (id >= 50 && id <= 58)
    ? DATE
    : PLAIN;
}

/** `code` is that of a format of the workbook's own; undefined: the built-in one of that id. */
export function numberFormat(id: number, code: string | undefined): NumberFormat {
  if (code === undefined) return builtInFormat(id);
  const first = code.replace(/"[^"]*"|\\.|_.|\*./g, '').split(';')[0] ?? '';
  const elapsed = /\[(?:h+|m+|s+)\]/i.test(first);
  const plain = first
    .replace(/\[[^\]]*\]/g, '')
    .replace(/general/gi, '')
    .replace(/am\/pm|a\/p|上午\/下午/gi, 'h');
  if (elapsed) return ELAPSED;
  // In a date format `e` is a year; in a number format it stands in `E+`.
  if (/[yd年月日]|(?<![0#.?])e(?![+-])|aaa/i.test(plain)) return DATE;
  if (/[hs时分秒]/i.test(plain)) return TIME;
  if (/m/i.test(plain)) return DATE;
  return /^0+$/.test(plain) && plain.length === first.length ? { shows: 'number', digits: plain.length } : PLAIN;
}

const DAYS_MAX = 2_958_465;
const DAY_SECONDS = 86_400;
const two = (value: number): string => String(value).padStart(2, '0');
const clock = (seconds: number): string =>
  `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
const errorCell: Cell = { kind: 'error', text: '#DATE', value: null };

/** The cell of a stored number. A serial number that is no date (also 29 February 1900, which never was) is an error. */
export function numberCell(written: string, format: NumberFormat, is1904: boolean): Cell {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?$/i.test(written)) return { kind: 'error', text: '#NUM!', value: null };
  const value = Number(written);
  if (!Number.isFinite(value)) return { kind: 'error', text: '#NUM!', value: null };
  if (format.shows === 'number') return { kind: 'number', text: plainDecimal(value, format.digits), value };
  const seconds = Math.round(value * DAY_SECONDS);
  if (value < 0 || value > DAYS_MAX) return errorCell;
  if (format.shows === 'elapsed' || (format.shows === 'time' && seconds < DAY_SECONDS)) {
    return { kind: 'date', text: clock(seconds), value };
  }
  const days = Math.floor(seconds / DAY_SECONDS);
  const date = serialDate(days, is1904);
  if (date === null) return errorCell;
  const rest = seconds - days * DAY_SECONDS;
  return { kind: 'date', text: rest === 0 ? date : `${date} ${clock(rest)}`, value };
}

function serialDate(days: number, is1904: boolean): LocalDate | null {
  if (is1904) return days + 1462 > DAYS_MAX ? null : addDays('1904-01-01' as LocalDate, days);
  if (days < 1 || days === 60) return null;
  return addDays((days < 60 ? '1899-12-31' : '1899-12-30') as LocalDate, days);
}

/** Without exponent as far as a number can say it exactly; a number of more than 15 digits keeps its exponent as a warning. */
function plainDecimal(value: number, digits: number): string {
  if (Math.abs(value) >= 1e15) return value.toExponential().toUpperCase();
  // Fifteen digits are what a spreadsheet shows; beyond lies 0.1 + 0.2.
  const shown = String(Number(value.toPrecision(15)));
  return Number.isInteger(value) && value >= 0 ? shown.padStart(digits, '0') : shown;
}
