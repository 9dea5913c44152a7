/**
 * The messages of the protocol, pure and in both directions: `Command(key="value" …)` and `Return(result="success" key="value" …)`.
 * Keys may repeat and their order means something: in GetRecord each `time=` begins a record, in answers about people each `id=`
 * a person. Commands that erase what nobody has read cannot be written: `encodeCommand` throws for them.
 */
import { fail } from '../../core/errors.js';
import { wallTime, type WallTime } from '../../core/time.js';
import { encodeText, type TextEncoding } from './text.js';
import { xor } from './key.js';
import { createLexer } from './lexer.js';
import { isPersonal } from '../persons.js';

/** One `key="value"` as it was told; null: a photo or a face, which is never kept. */
export interface Pair {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly size: number;
}

export interface Message {
  readonly word: string;
  readonly pairs: readonly Pair[];
}

/** Words that begin what a terminal says. */
export const ANSWER_WORDS = ['Return', 'Wait'] as const;
/** Commands that would erase people, records or settings; nothing is ever erased here. SetNameTable replaces the whole table. */
const FORBIDDEN = new Set([
  'DeleteAllRecord',
  'DeleteAllEmployee',
  'InitDevice',
  'InitDeviceAdmin',
  'SDFormat',
  'SetNameTable',
]);
/** Faces and photos, counted and never kept. */
const DROPPED = new Set(['face_data', 'photo', 'capturejpg', 'picture', 'finger_data']);

export const isDropped = (key: string): boolean => DROPPED.has(key);

export const latin = (value: Uint8Array | null): string =>
  value === null ? '' : Buffer.from(value).toString('latin1');

/** The first value of a key as text, or null. */
export function valueOf(pairs: readonly Pair[], key: string): string | null {
  const found = pairs.find((pair) => pair.key === key);
  return found ? latin(found.value).trim() : null;
}

/** A count that a terminal told, or null when it is none. */
export function countOf(pairs: readonly Pair[], key: string): number | null {
  const text = valueOf(pairs, key);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

export type Argument = readonly [key: string, value: string | Uint8Array];

/** Writes a message. Values with a quotation mark cannot be written and throw `out-of-range`, as do keys that are no word. */
export function encodeMessage(
  word: string,
  args: readonly Argument[],
  key: Uint8Array | null,
  style: { readonly encoding?: Exclude<TextEncoding, 'auto'>; readonly separator?: string } = {},
): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`${word}(`, 'latin1')];
  args.forEach(([name, value], index) => {
    const bytes = typeof value === 'string' ? encodeText(value, style.encoding ?? 'gbk') : value;
    if (!/^\w{1,32}$/.test(name) || bytes.includes(0x22))
      throw fail('out-of-range', { value: name, bytes: bytes.length });
    // Records on lines of their own: observed on real terminals, as is a record after the other on one line.
    const gap = index === 0 ? '' : name === 'time' ? (style.separator ?? ' ') : ' ';
    parts.push(Buffer.from(`${gap}${name}="`, 'latin1'), bytes, Buffer.from('"', 'latin1'));
  });
  parts.push(Buffer.from(')', 'latin1'));
  return xor(Buffer.concat(parts), key);
}

/** A command for a terminal. Throws `forbidden-request` for one that erases. */
export function encodeCommand(
  word: string,
  args: readonly Argument[],
  key: Uint8Array | null,
  encoding: Exclude<TextEncoding, 'auto'> = 'gbk',
): Uint8Array {
  if (FORBIDDEN.has(word)) throw fail('forbidden-request', { request: word, window: '' });
  return encodeMessage(word, args, key, { encoding });
}

/** Reads one whole message, values of every key kept; null when the bytes are not exactly one. For tests and simulators. */
export function decodeMessage(bytes: Uint8Array, key: Uint8Array | null): Message | null {
  const lexer = createLexer({ key, words: null, drops: () => false });
  let word: string | null = null;
  let whole = false;
  const pairs: Pair[] = [];
  for (const token of [...lexer.push(bytes), ...lexer.end()]) {
    if (token.kind === 'begin' && word === null) word = token.word;
    else if (token.kind === 'pair') pairs.push({ key: token.key, value: token.value, size: token.size });
    else if (token.kind === 'end' && !whole) whole = true;
    else return null;
  }
  return word !== null && whole ? { word, pairs } : null;
}

const DATE_TIME = /^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})[\sT]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?/;

/** Order of year, month and day for `style` 1 to 9 of GetDateTime (FaceIdClient.java, `GetDateTime`); the year comes first in records. */
const yearFirst = (style: number): boolean => style <= 3;
const monthFirst = (style: number): boolean => style <= 6;

/**
 * A date and time as told, digits perhaps unpadded, as wall time; the date need not exist. Null when the text has no such form.
 * `style` only matters where the year does not come first.
 */
export function parseTime(text: string, style = 1): WallTime | null {
  const match = DATE_TIME.exec(text);
  if (!match) return null;
  const [first = 0, second = 0, third = 0, hour = 0, minute = 0, rest = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  if (yearFirst(style) || (match[1]?.length ?? 0) > 2) return wallTime(first, second, third, hour, minute, rest);
  return monthFirst(style)
    ? wallTime(third, first, second, hour, minute, rest)
    : wallTime(third, second, first, hour, minute, rest);
}

/** `2025-9-1 8:5:30`: without leading zeros, as the maker's client writes it. */
export function formatTime(wall: WallTime): string {
  return wall.replace(/(?<=\D)0(?=\d)/g, '');
}

/** One record of GetRecord: its pairs from `time` on. */
export type RecordPairs = readonly Pair[];

/** The record as text, byte by byte as told, but for photos: of them only the size is left. */
export function recordBytes(pairs: RecordPairs): Uint8Array {
  return Buffer.concat(
    pairs.flatMap((pair, index) => [
      Buffer.from(`${index === 0 ? '' : ' '}${pair.key}=`, 'latin1'),
      pair.value === null || isPersonal(pair.key)
        ? Buffer.from(`(${pair.size} bytes)`, 'latin1')
        : Buffer.concat([Buffer.from('"'), pair.value, Buffer.from('"')]),
    ]),
  );
}
