/**
 * Values of a table's cells: dates, times of day, durations, whole numbers and words, as people write them in a spreadsheet
 * (Excel's own dates and times, `2026/9/7`, `2026年9月7日`, `8：30`, `1小时30分`, full-width digits). Pure; a value or a finding
 * that does not quote it.
 */
import { parseLocalDate, type LocalDate } from '../core/time.js';
import type { Cell } from '../sheets/sheet.js';
import type { Finding } from './identity.js';

export type Value<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly finding: Finding };

const good = <T>(value: T): Value<T> => ({ ok: true, value });
const bad = (en: string, zh: string): { readonly ok: false; readonly finding: Finding } => ({
  ok: false,
  finding: { en, zh },
});

const two = (value: string | number): string => String(value).padStart(2, '0');
/** Half-width and without blanks. */
const plain = (text: string): string => text.normalize('NFKC').replace(/\s+/g, ' ').trim();

const NO_DATE = bad(
  'no date that exists; write it like 2026-09-07 or 2026年9月7日',
  '不是真实存在的日期；请写成 2026-09-07 或 2026年9月7日',
);

/** `withTime` lets a time of day stand behind the date; it is left out. */
export function dateValue(cell: Cell, withTime = false): Value<LocalDate> {
  if (cell.kind === 'number' && !/^\d{8}$/.test(cell.text)) {
    return bad('a number without date format; format the cell as a date', '是数字而不是日期；请把单元格设为日期格式');
  }
  const text = plain(cell.text).replace(/\s?\(?(?:星期|周)[一二三四五六日天]\)?$/, '');
  const match =
    /^(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})日?(?:[T ]?(\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d+)?)?$/.exec(
      text,
    ) ?? /^(\d{4})(\d{2})(\d{2})$/.exec(text);
  if (match === null) return NO_DATE;
  const time = match[4];
  if (time !== undefined && !withTime && !/^0?0:00(?::00)?$/.test(time)) {
    return bad('a date with a time of day; only the date is wanted', '含有时刻；只需填写日期');
  }
  const date = parseLocalDate(`${match[1] ?? ''}-${two(match[2] ?? '')}-${two(match[3] ?? '')}`);
  return date === null ? NO_DATE : good(date);
}

const NO_TIME = bad('no time of day; write it like 08:30', '不是时刻；请写成 08:30');

/** `HH:mm`. */
export function timeValue(cell: Cell): Value<string> {
  if (cell.kind === 'number') {
    if (cell.value === null || cell.value < 0 || cell.value >= 1) return NO_TIME;
    const minutes = cell.value * 1440;
    const whole = Math.round(minutes);
    if (Math.abs(minutes - whole) > 1 / 60 || whole > 1439) return NO_TIME;
    return good(`${two(Math.floor(whole / 60))}:${two(whole % 60)}`);
  }
  const text = plain(cell.text).toUpperCase();
  const match = /^(上午|下午|AM|PM)?\s?(\d{1,2})(?::|点|时)(?:(\d{1,2})分?)?(?::(\d{2}))?\s?(AM|PM)?$/.exec(text);
  if (match === null) return NO_TIME;
  const [, before, hours = '', minutes = '', seconds = '00', after] = match;
  if (minutes === '' && text.includes(':')) return NO_TIME;
  const half = before ?? after;
  const isAfternoon = half === '下午' || half === 'PM';
  const written = Number(hours);
  const hour = isAfternoon && written < 12 ? written + 12 : half === 'AM' && written === 12 ? 0 : written;
  if (hour > 23 || Number(minutes) > 59) return NO_TIME;
  if (seconds !== '00') return bad('lessons begin and end on whole minutes', '上下课时间应为整分钟');
  return good(`${two(hour)}:${two(minutes === '' ? 0 : minutes)}`);
}

/** `08:30-12:00`, also with ~, 至, —. */
export function timeRangeValue(cell: Cell): Value<readonly [string, string]> {
  const parts = plain(cell.text).split(/\s?(?:-|~|—|–|至|到)+\s?/);
  const text = (part: string | undefined): Value<string> => timeValue({ kind: 'text', text: part ?? '', value: null });
  const [from, to] = [text(parts[0]), text(parts[1])];
  if (parts.length !== 2 || !from.ok || !to.ok) {
    return bad('no range of times; write it like 08:30-12:00', '不是起止时间；请写成 08:30-12:00');
  }
  return good([from.value, to.value]);
}

/** A whole number, not below 0; a unit of `units` may stand behind it. */
export function wholeValue(cell: Cell, units: RegExp): Value<number> {
  const text = plain(cell.text).replace(units, '').trim();
  if (cell.kind === 'date' || !/^\d{1,6}(?:\.0+)?$/.test(text)) {
    return bad('no whole number', '不是整数');
  }
  return good(Number(text));
}

export type DurationUnit = 'hours' | 'minutes' | 'seconds';
const SECONDS: Readonly<Record<DurationUnit, number>> = { hours: 3600, minutes: 60, seconds: 1 };
const DAY_MINUTES = 1440;

/** The unit that the words above a column name: 时长（分钟）, 学习时长(小时), minutes. */
export function unitOfHeader(header: string): DurationUnit | null {
  if (/分钟|minute|\bmin\b/i.test(header)) return 'minutes';
  if (/小时|hour/i.test(header)) return 'hours';
  return /秒|second/i.test(header) ? 'seconds' : null;
}

/** Whole minutes, rounded downward. A plain number is in `unit`. */
export function minutesValue(cell: Cell, unit: DurationUnit): Value<number> {
  const seconds = secondsOf(cell, unit);
  if (seconds === null) {
    return bad(
      'no duration; write minutes, h:mm:ss, 90分钟 or 1小时30分',
      '不是时长；请写分钟数、时:分:秒、90分钟 或 1小时30分',
    );
  }
  const minutes = Math.floor((seconds + 1e-6) / 60);
  return minutes > DAY_MINUTES ? bad('longer than a day', '超过一天') : good(minutes);
}

function secondsOf(cell: Cell, unit: DurationUnit): number | null {
  const text = plain(cell.text).toLowerCase().replace(/ /g, '');
  if (cell.kind === 'number') {
    return cell.value === null || cell.value < 0 ? null : cell.value * SECONDS[unit];
  }
  if (/^\d{1,6}(?:\.\d{1,6})?$/.test(text)) return Number(text) * SECONDS[unit];
  // Two parts alone could be hours and minutes or minutes and seconds.
  const parts = /^(\d{1,3}):(\d{2}):(\d{2})(?:\.\d+)?$/.exec(text);
  if (parts !== null) {
    const [hours, minutes, seconds] = parts.slice(1).map(Number) as [number, number, number];
    return minutes > 59 || seconds > 59 ? null : hours * 3600 + minutes * 60 + seconds;
  }
  const words =
    /^(?:(\d{1,4}(?:\.\d{1,4})?)(?:小时|时|hours?|h))?(?:(\d{1,5}(?:\.\d{1,4})?)(?:分钟|分|minutes?|mins?|m))?(?:(\d{1,6}(?:\.\d{1,4})?)(?:秒钟?|seconds?|secs?|s))?$/.exec(
      text,
    );
  if (words === null || text === '') return null;
  const [hours, minutes, seconds] = words.slice(1).map((part: string | undefined) => Number(part ?? 0)) as [
    number,
    number,
    number,
  ];
  return hours * 3600 + minutes * 60 + seconds;
}

/** One of the words that mean something; `table` is keyed by words without blanks in lower case. */
export function wordValue<T>(cell: Cell, table: ReadonlyMap<string, T>, known: string): Value<T> {
  const found = table.get(plain(cell.text).replace(/ /g, '').toLowerCase());
  return found === undefined ? bad(`not one of: ${known}`, `不是可用的取值：${known}`) : good(found);
}

export function wordTable<T>(groups: readonly (readonly [T, readonly string[]])[]): ReadonlyMap<string, T> {
  return new Map(groups.flatMap(([value, words]) => words.map((word) => [word.toLowerCase(), value] as const)));
}
