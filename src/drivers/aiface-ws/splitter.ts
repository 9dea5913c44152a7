/**
 * Cuts a stream of characters into JSON objects by their braces, in one pass and whatever the pieces it comes in. On a
 * WebSocket each message is one object, but where a message ends is not kept by every link, and firmware puts NUL or a
 * newline after it.
 *
 * An object that never closes does not make the stream deaf: `{"cmd":` and `{"ret":` only ever begin a message, so a new
 * one ends an unfinished one, which is noise then. Braces and quotes in strings are no structure, nor is a backslash that
 * is the second half of a GBK character. Longer than 8 MiB is noise.
 */
import { isGap } from './json-text.js';

export interface JsonCut {
  readonly kind: 'message' | 'gap' | 'noise';
  readonly bytes: Uint8Array;
}

export interface JsonSplitter {
  push(chunk: Uint8Array): readonly JsonCut[];
  /** Gives up what is unfinished. */
  flush(): readonly JsonCut[];
  readonly pending: number;
}

export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** From a brace to the colon after `"cmd"`, blanks included. */
const HEAD_MAX = 64;
const HEAD = /^\{[\s\0]*"(?:cmd|ret)\s*"[\s\0]*$/;

/** 1: a byte that means something inside an object. Photos and names consist of the others. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 || [OPEN, CLOSE, QUOTE, BACKSLASH, COLON].includes(byte) ? 1 : 0,
);

/** Whether bytes may be UTF-8, and where a GBK character stands if they are not. */
interface Characters {
  foreign: boolean;
  wanted: number;
  lead: boolean;
}

function takeWide(state: Characters, byte: number): void {
  if (state.wanted > 0 && byte < 0xc0) state.wanted -= 1;
  else {
    if (state.wanted > 0 || byte < 0xc2 || byte > 0xf4) state.foreign = true;
    state.wanted = byte < 0xc2 || byte > 0xf4 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  }
  state.lead = !state.lead && byte > 0x80 && byte < 0xff;
}

export function createSplitter(): JsonSplitter {
  let buffer: Uint8Array = new Uint8Array(256);
  let start = 0;
  let end = 0;
  /** Next byte to look at. */
  let at = 0;
  let depth = 0;
  let quoted = false;
  let escaped = false;
  /** Last brace that may begin a message, while its colon has not come. */
  let head = -1;
  const characters: Characters = { foreign: false, wanted: 0, lead: false };

  const fresh = (levels: number): void => {
    depth = levels;
    quoted = false;
    escaped = false;
    head = -1;
    Object.assign(characters, { foreign: false, wanted: 0, lead: false });
  };

  const append = (chunk: Uint8Array): void => {
    if (end + chunk.length > buffer.length) {
      const used = end - start;
      const target =
        used + chunk.length > buffer.length / 2
          ? new Uint8Array(Math.max(buffer.length * 2, used + chunk.length))
          : buffer;
      target.set(buffer.subarray(start, end));
      buffer = target;
      at -= start;
      if (head >= 0) head -= start;
      start = 0;
      end = used;
    }
    buffer.set(chunk, end);
    end += chunk.length;
  };

  const isHead = (): boolean =>
    head >= 0 &&
    at - head <= HEAD_MAX &&
    HEAD.test(Buffer.from(buffer.buffer, buffer.byteOffset + head, at - head).toString('latin1'));

  /** Looks at one byte inside an object; true when it closes the outermost brace. */
  const step = (byte: number): boolean => {
    if (byte >= 0x80) {
      takeWide(characters, byte);
      escaped = false;
      return false;
    }
    const half = characters.lead;
    if (characters.wanted > 0) characters.foreign = true;
    characters.wanted = 0;
    characters.lead = false;
    // Even behind a backslash, which a torn message may end with.
    if (byte === OPEN) head = at;
    if (escaped) {
      escaped = false;
      return false;
    }
    if (byte === BACKSLASH) escaped = quoted && !(characters.foreign && half);
    else if (byte === QUOTE) quoted = !quoted;
    else if (byte === OPEN && !quoted) depth += 1;
    else if (byte === CLOSE && !quoted) depth -= 1;
    return depth === 0;
  };

  const scan = (): JsonCut[] => {
    const cuts: JsonCut[] = [];
    const cut = (kind: JsonCut['kind'], to: number): void => {
      if (to > start) cuts.push({ kind, bytes: buffer.slice(start, to) });
      start = to;
    };
    while (at < end) {
      if (depth === 0) {
        const gap = isGap(buffer[at] ?? 0);
        while (at < end && buffer[at] !== OPEN && isGap(buffer[at] ?? 0) === gap) at += 1;
        cut(gap ? 'gap' : 'noise', at);
        if (at >= end) break;
        if (buffer[at] !== OPEN) continue;
        fresh(1);
        head = at;
        at += 1;
        continue;
      }
      if (!characters.lead && characters.wanted === 0 && !escaped)
        while (at < end && SPECIAL[buffer[at] ?? 0] === 0) at += 1;
      if (at - start >= MESSAGE_BYTES_MAX) {
        cut('noise', at);
        fresh(0);
        continue;
      }
      if (at >= end) break;
      const byte = buffer[at] ?? 0;
      if (byte === COLON && head > start && isHead()) {
        cut('noise', head);
        fresh(1);
      }
      const closes = step(byte);
      at += 1;
      if (closes) {
        cut('message', at);
        fresh(0);
      }
    }
    if (start === end) {
      start = 0;
      end = 0;
      at = 0;
      if (buffer.length > 65_536) buffer = new Uint8Array(256);
    }
    return cuts;
  };

  return {
    push(chunk) {
      append(chunk);
      return scan();
    },
    flush() {
      const bytes = buffer.slice(start, end);
      start = 0;
      end = 0;
      at = 0;
      fresh(0);
      return bytes.length === 0 ? [] : [{ kind: 'noise', bytes }];
    },
    get pending() {
      return end - start;
    },
  };
}
