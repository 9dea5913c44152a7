/**
 * One line of ATTLOG, both directions:
 *
 *   PIN TAB yyyy-mm-dd hh:mm:ss TAB state TAB method TAB work code TAB reserved TAB reserved [TAB mask TAB temperature …]
 *
 * From 2 to 16 fields are read; what is missing is unknown. The PIN is text. Dates keep their text, whether they exist or
 * not; only missing zeros and other separators are put right, and a time in a form that nobody knows stays as it was told,
 * because the line is acknowledged and never comes again. A line without PIN or time is no punch.
 */
import type { Direction, Verify } from '../../core/punch-words.js';
import { wallTime, type WallTime } from '../../core/time.js';
import type { PunchRecord } from '../driver.js';
import { DIRECTION_OF, verifyOf, type VerifyEdition } from './codes.js';
import { decodeText, type TextEncoding } from './text.js';

export interface AttlogLine {
  readonly pin: string;
  readonly wallTime: WallTime;
  /** Null where the field is missing or no number. */
  readonly state: number | null;
  readonly method: number | null;
  readonly fields: number;
}

const TIME = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/;

const numberOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,6}$/.test(text.trim()) ? Number(text) : null;

/** The wall time in the form of the house; null when the text is none. */
export function parseTime(text: string): WallTime | null {
  const match = TIME.exec(text.trim());
  if (!match) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? '0'));
  return wallTime(year, month, day, hour, minute, second);
}

const TIME_CHARS_MAX = 40;

/** A time in another form than ours, with figures in it; null when it is none. */
function strangeTime(text: string): WallTime | null {
  const told = text.trim();
  return /\d/.test(told) && told.length <= TIME_CHARS_MAX ? (told as WallTime) : null;
}

/** Null when the line tells no punch. */
export function decodeAttlog(line: Uint8Array, encoding: TextEncoding): AttlogLine | null {
  const fields = decodeText(line, encoding).split('\t');
  const pin = (fields[0] ?? '').trim();
  const time = parseTime(fields[1] ?? '') ?? strangeTime(fields[1] ?? '');
  if (pin === '' || pin.length > 64 || time === null) return null;
  return { pin, wallTime: time, state: numberOf(fields[2]), method: numberOf(fields[3]), fields: fields.length };
}

/** What follows PIN, time, state and method, in its order; a terminal sends as many as its firmware knows. */
const TAIL = ['0', '0', '0', '255', '0', '0', '0', '0', '0', '0', '0', '0'];

/** For the simulator: a line of `fields` fields (3 to 16) without its end. */
export function encodeAttlog(line: Omit<AttlogLine, 'fields'>, fields: number): string {
  return [line.pin, line.wallTime, String(line.state ?? 255), String(line.method ?? 0), ...TAIL]
    .slice(0, fields)
    .join('\t');
}

export interface PunchReading {
  readonly encoding: TextEncoding;
  readonly verify: VerifyEdition;
  readonly directionMap?: Readonly<Record<string, Direction>> | undefined;
  readonly verifyMap?: Readonly<Record<string, Verify>> | undefined;
}

export function punchOf(
  line: AttlogLine,
  raw: Uint8Array,
  how: PunchReading,
  source: PunchRecord['source'],
): PunchRecord {
  const { state, method } = line;
  return {
    deviceUserId: line.pin,
    deviceUid: null,
    wallTime: line.wallTime,
    direction: state === null ? 'unknown' : (how.directionMap?.[state] ?? DIRECTION_OF[state] ?? 'unknown'),
    directionRaw: state,
    verify: method === null ? 'unknown' : (how.verifyMap?.[method] ?? verifyOf(method, how.verify)),
    verifyRaw: method,
    score: null,
    seq: null,
    source,
    raw: Uint8Array.from(raw),
  };
}
