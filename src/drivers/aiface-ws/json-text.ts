/**
 * Reads one JSON object as these terminals write it: GBK where the bytes are no UTF-8, trailing commas, keys with blanks at
 * their end, numbers too long for a double. Every value keeps its place in the bytes, so that a record can be cut out as it
 * came and a capture can be cleaned in place. Nothing is thrown: what cannot be read is `bad`, what is unfinished `short`.
 *
 * A photo of 200 kB is only stepped over; no text is made of a value before somebody asks for it.
 */
import { isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';

export interface JsonLeaf {
  readonly kind: 'string' | 'bare';
  /** First byte of the value, the quote included, and the first after it. */
  readonly at: number;
  readonly end: number;
}

export interface JsonMember {
  /** Without blanks around it: a published text of the protocol has keys and words with some. */
  readonly key: string;
  readonly value: JsonNode;
}

export interface JsonObject {
  readonly kind: 'object';
  readonly at: number;
  readonly end: number;
  readonly members: readonly JsonMember[];
}

export interface JsonArray {
  readonly kind: 'array';
  readonly at: number;
  readonly end: number;
  readonly items: readonly JsonNode[];
}

export type JsonNode = JsonLeaf | JsonObject | JsonArray;

export interface JsonText {
  readonly bytes: Uint8Array;
  readonly gbk: boolean;
  /** Members of the outermost object that are complete. */
  readonly members: readonly JsonMember[];
  readonly state: 'whole' | 'short' | 'bad';
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DEPTH_MAX = 16;

/** NUL and newlines stand between and after messages of some firmware. */
export const isGap = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0;

/** Index of the quote that ends the string whose first byte is at `from`, or -1. In GBK a backslash may be half of a character. */
function closingQuote(bytes: Uint8Array, from: number, gbk: boolean): number {
  if (gbk) {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH || (byte > 0x80 && (bytes[at + 1] ?? 0) >= 0x40)) at += 1;
    }
    return -1;
  }
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (at - slashes - 1 >= from && bytes[at - slashes - 1] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

/** Bytes that end a bare word: comma, colon, brackets, braces, quote. */
const ENDS_BARE = new Set([0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d, QUOTE]);

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_all, code: string | undefined, letter: string | undefined) =>
    code === undefined ? (ESCAPES[letter ?? ''] ?? letter ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

const decode = (bytes: Uint8Array, gbk: boolean): string =>
  gbk ? iconv.decode(Buffer.from(bytes), 'gbk') : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** Reads the object that begins at the first `{`. */
export function readJson(bytes: Uint8Array, start = 0): JsonText {
  // Only a whole message can be told to be UTF-8; the beginning of one may end in half a character.
  const gbk = !isUtf8(bytes) && isForeign(bytes);
  let at = start;
  const end: { why: 'short' | 'bad' | null } = { why: null };
  const members: JsonMember[] = [];

  const stop = (why: 'short' | 'bad'): null => {
    end.why ??= why;
    return null;
  };
  const skip = (commas: boolean): number => {
    while (at < bytes.length && (isGap(bytes[at] ?? 0) || (commas && bytes[at] === 0x2c))) at += 1;
    return bytes[at] ?? -1;
  };
  const string = (): JsonLeaf | null => {
    const from = at;
    const close = closingQuote(bytes, from + 1, gbk);
    if (close < 0) return stop('short');
    at = close + 1;
    return { kind: 'string', at: from, end: at };
  };
  const bare = (): JsonLeaf | null => {
    const from = at;
    while (at < bytes.length && !ENDS_BARE.has(bytes[at] ?? 0) && !isGap(bytes[at] ?? 0)) at += 1;
    if (at >= bytes.length) return stop('short');
    return at === from ? stop('bad') : { kind: 'bare', at: from, end: at };
  };
  const object = (into: JsonMember[], depth: number): JsonObject | null => {
    const from = at;
    at += 1;
    for (;;) {
      const next = skip(true);
      if (next < 0) return stop('short');
      if (next === 0x7d) break;
      if (next !== QUOTE) return stop('bad');
      const key = string();
      if (!key) return null;
      const colon = skip(false);
      if (colon !== 0x3a) return stop(colon < 0 ? 'short' : 'bad');
      at += 1;
      const found = value(depth);
      if (!found) return null;
      into.push({ key: unescaped(decode(bytes.subarray(key.at + 1, key.end - 1), gbk)).trim(), value: found });
    }
    at += 1;
    return { kind: 'object', at: from, end: at, members: into };
  };
  const array = (depth: number): JsonArray | null => {
    const from = at;
    const items: JsonNode[] = [];
    at += 1;
    for (;;) {
      const next = skip(true);
      if (next < 0) return stop('short');
      if (next === 0x5d) break;
      const found = value(depth);
      if (!found) return null;
      items.push(found);
    }
    at += 1;
    return { kind: 'array', at: from, end: at, items };
  };
  const value = (depth: number): JsonNode | null => {
    const next = skip(false);
    if (next < 0) return stop('short');
    if (depth >= DEPTH_MAX) return stop('bad');
    if (next === QUOTE) return string();
    if (next === 0x7b) return object([], depth + 1);
    return next === 0x5b ? array(depth + 1) : bare();
  };

  const first = skip(false);
  if (first < 0) stop('short');
  else if (first !== 0x7b) stop('bad');
  else object(members, 0);
  return { bytes, gbk, members, state: end.why ?? 'whole' };
}

/** Whether bytes that are no UTF-8 are so before their very end; a character cut at the end proves nothing. */
function isForeign(bytes: Uint8Array): boolean {
  for (let cut = 1; cut <= 3 && (bytes[bytes.length - cut] ?? 0) >= 0x80; cut += 1)
    if (isUtf8(bytes.subarray(0, bytes.length - cut))) return false;
  return true;
}

/** The member of that name; the last one where there are several, as most readers have it. */
export function memberOf(
  object: { readonly members: readonly JsonMember[] } | undefined,
  key: string,
): JsonNode | undefined {
  return object?.members.findLast((member) => member.key === key)?.value;
}

/** A string or a bare word as text; undefined for `null`, for groups and for nothing. */
export function textOf(json: JsonText, node: JsonNode | undefined): string | undefined {
  if (!node || node.kind === 'object' || node.kind === 'array') return undefined;
  if (node.kind === 'string') {
    const text = decode(json.bytes.subarray(node.at + 1, node.end - 1), json.gbk);
    return text.includes('\\') ? unescaped(text) : text;
  }
  const text = decode(json.bytes.subarray(node.at, node.end), json.gbk);
  return text === 'null' ? undefined : text;
}

/** A number, told as number or as text. */
export function numberOf(json: JsonText, node: JsonNode | undefined): number | undefined {
  const text = textOf(json, node)?.trim();
  if (text === undefined || text.length > 32 || !/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A truth value, told as `true`, 1, "1" or "true". */
export function truthOf(json: JsonText, node: JsonNode | undefined): boolean | undefined {
  const text = textOf(json, node)?.trim().toLowerCase();
  if (text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' ? false : undefined;
}

export function objectOf(node: JsonNode | undefined): JsonObject | undefined {
  return node?.kind === 'object' ? node : undefined;
}

export function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.kind === 'array' ? node.items : [];
}
