/**
 * The endless answer of `eventManager.cgi?action=attach`: multipart parts, one event or heartbeat each. `Content-Length` is
 * trusted where it fits; where it lies (characters counted instead of bytes, seen in public clients) the braces of the JSON
 * outside its strings tell the end. Extra blank lines between parts are normal and shown as noise.
 *
 *   [CRLF] --myboundary CRLF  Content-Type: text/plain CRLF  Content-Length:9 CRLF  CRLF  Heartbeat
 */
import { asGatewayError } from '../../core/errors.js';
import { decodeText, flatten, groupLines, parseJson, parseLines, type Fields } from './codec.js';
import { jsonWithoutPersons } from '../persons.js';

export interface Part {
  /** With the line break before the boundary, where there is one. */
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly body: Uint8Array;
}

export type PartCut =
  { readonly kind: 'part'; readonly part: Part } | { readonly kind: 'noise'; readonly bytes: Uint8Array };

export interface PartSplitter {
  push(chunk: Uint8Array): readonly PartCut[];
  /** Gives out what is left; an incomplete part is noise. */
  end(): readonly PartCut[];
  /** What has not been given out yet; taken away by this call. */
  rest(): Uint8Array;
}

const HEAD_BYTES_MAX = 1024;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const TEXT_BYTES_MAX = 32 * 1024;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
/** How an event begins, unless it is told flat. */
const EVENT = 'Code=';

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0d || byte === 0x0a || byte === 0x09;

/** Follows braces through a growing text without going back. */
interface Braces {
  at: number;
  depth: number;
  quoted: boolean;
  escaped: boolean;
  /** Where the first one opens; -1 until then. */
  open: number;
  /** End of the outermost object, exclusive; -1 until it is closed. */
  end: number;
}

const newBraces = (): Braces => ({ at: 0, depth: 0, quoted: false, escaped: false, open: -1, end: -1 });

function follow(state: Braces, bytes: Uint8Array): void {
  for (; state.at < bytes.length && state.end < 0; state.at += 1) {
    const byte = bytes[state.at];
    if (state.escaped) state.escaped = false;
    else if (state.quoted) {
      if (byte === BACKSLASH) state.escaped = true;
      else if (byte === QUOTE) state.quoted = false;
    } else if (byte === QUOTE) state.quoted = state.depth > 0;
    else if (byte === BRACE_OPEN) {
      if (state.open < 0) state.open = state.at;
      state.depth += 1;
    } else if (byte === BRACE_CLOSE && state.depth > 0) {
      state.depth -= 1;
      if (state.depth === 0) state.end = state.at + 1;
    }
  }
}

interface Head {
  /** Length of the head with its blank line. */
  readonly size: number;
  readonly type: string;
  readonly lengthBytes: number | null;
}

function readHead(bytes: Buffer, boundarySize: number): Head | 'more' | 'no' {
  const limit = bytes.subarray(0, HEAD_BYTES_MAX).toString('latin1');
  const end = /\r?\n\r?\n/.exec(limit.slice(boundarySize));
  if (!end) return bytes.length >= HEAD_BYTES_MAX ? 'no' : 'more';
  const head = limit.slice(boundarySize, boundarySize + end.index);
  const length = /(?:^|\n)content-length:[ \t]*(\d{1,9})[ \t]*(?:\r|\n|$)/i.exec(head)?.[1];
  return {
    size: boundarySize + end.index + end[0].length,
    type: /(?:^|\n)content-type:[ \t]*([^;\r\n]*)/i.exec(head)?.[1]?.trim().toLowerCase() ?? '',
    lengthBytes: length === undefined ? null : Number(length),
  };
}

const trimmed = (body: Buffer, end: number): number => {
  let at = end;
  while (at > 0 && isBlank(body[at - 1])) at -= 1;
  return at;
};

/** What stands after a body of the right length: an empty line or the next boundary. */
const isAfterBody = (byte: number | undefined): boolean => isBlank(byte) || byte === DASH;

/**
 * Where an event `Code=…;data={…}` ends. Each answer follows from the bytes up to it, so that an event is the same however it
 * comes cut.
 */
function eventEnd(body: Buffer, told: number | null, braces: Braces, boundary: Buffer): number | 'more' | 'no' {
  follow(braces, body.subarray(0, TEXT_BYTES_MAX));
  const { open, end } = braces;
  const never = body.length > TEXT_BYTES_MAX ? 'no' : 'more';
  // An event without data: its length is believed where a part may end, else the next boundary ends it.
  const fits = told !== null && (open < 0 || open >= told) && isAfterBody(body[told]);
  const next = body.subarray(0, open < 0 ? TEXT_BYTES_MAX : open).indexOf(boundary);
  if (next >= 0 && !(fits && told < next + boundary.length)) return trimmed(body, next);
  if (told === null) return end < 0 ? never : end;
  if (end >= 0 && told >= end) {
    // The length fits when nothing but blanks lies between the last brace and what it tells.
    for (let at = end; at < told; at += 1) {
      if (at >= body.length) return 'more';
      if (!isBlank(body[at])) return end;
    }
    return told;
  }
  if (fits) return told;
  return end < 0 ? never : end;
}

/** Where the body ends, in bytes of the body; `more` when that cannot be told yet. */
function bodyEnd(body: Buffer, head: Head, boundary: Buffer, braces: Braces, final: boolean): number | 'more' | 'no' {
  const told = head.lengthBytes;
  if (told !== null && told > BODY_BYTES_MAX) return 'no';
  const start = body.subarray(0, EVENT.length).toString('latin1');
  // Nothing more will come: what ends where it says is whole.
  if (final && body.length === told) return told;
  if (start === EVENT) return eventEnd(body, told, braces, boundary);
  if (EVENT.startsWith(start)) return 'more';
  if (told !== null) return body.length >= told ? told : 'more';
  const next = body.subarray(0, TEXT_BYTES_MAX).indexOf(boundary);
  if (next < 0) return body.length > TEXT_BYTES_MAX ? 'no' : 'more';
  return trimmed(body, next);
}

export function createPartSplitter(boundary: string): PartSplitter {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  // One growing store with a read offset: a chunk costs its own length, even when it is one byte.
  let store: Buffer = Buffer.alloc(1024);
  let from = 0;
  let to = 0;
  let buffer: Buffer = store.subarray(0, 0);
  /** The part that begins at byte 0 of `buffer`, once its head has been read. */
  let head: Head | null = null;
  let braces = newBraces();

  const drop = (count: number): void => {
    from += count;
    buffer = store.subarray(from, to);
    head = null;
    braces = newBraces();
  };
  const append = (chunk: Uint8Array): void => {
    if (to + chunk.length > store.length) {
      const used = to - from;
      const roomy = used + chunk.length > store.length / 2;
      const target = roomy ? Buffer.alloc(Math.max(store.length * 2, used + chunk.length)) : store;
      store.copy(target, 0, from, to);
      store = target;
      from = 0;
      to = used;
    }
    store.set(chunk, to);
    to += chunk.length;
    buffer = store.subarray(from, to);
  };
  const scan = (final: boolean): PartCut[] => {
    const cuts: PartCut[] = [];
    const noise = (count: number): void => {
      if (count > 0) cuts.push({ kind: 'noise', bytes: Uint8Array.from(buffer.subarray(0, count)) });
      drop(count);
    };
    while (buffer.length > 0) {
      const lead = buffer[0] === 0x0d && buffer[1] === 0x0a ? 2 : 0;
      if (!buffer.subarray(lead, lead + mark.length).equals(mark)) {
        const found = buffer.indexOf(mark, 1);
        if (found < 0) {
          // The end of what is here may be the beginning of the next boundary and its line break.
          const keep = final ? 0 : Math.min(buffer.length, mark.length + 3);
          const count = buffer.length - keep;
          if (count > 0) noise(count);
          break;
        }
        // One line break belongs to the boundary; a blank line before it ends the head of an answer, or is extra.
        const before = buffer.subarray(Math.max(0, found - 4), found).toString('latin1');
        noise(before.endsWith('\r\n') && before !== '\r\n\r\n' ? found - 2 : found);
        continue;
      }
      head ??= ((told) =>
        typeof told === 'object' ? told : told === 'no' ? { size: -1, type: '', lengthBytes: null } : null)(
        readHead(buffer, lead + mark.length),
      );
      if (head === null) break;
      const body = head.size < 0 ? null : buffer.subarray(head.size);
      const end = body === null ? 'no' : bodyEnd(body, head, mark, braces, final);
      if (end === 'no') {
        noise(lead + mark.length);
        continue;
      }
      if (end === 'more' || body === null) break;
      const size = head.size + end;
      const bytes = Uint8Array.from(buffer.subarray(0, size));
      cuts.push({ kind: 'part', part: { bytes, type: head.type, body: bytes.subarray(head.size) } });
      drop(size);
    }
    if (final && buffer.length > 0) noise(buffer.length);
    return cuts;
  };

  return {
    push(chunk) {
      append(chunk);
      return scan(false);
    },
    end: () => scan(true),
    rest() {
      const left = Uint8Array.from(buffer);
      drop(buffer.length);
      return left;
    },
  };
}

/** One event of a part; a heartbeat has the code `Heartbeat` and no fields. */
export interface StreamEvent {
  readonly code: string;
  readonly action: string;
  readonly fields: Fields;
  /** The event as text, without what is about the person. */
  readonly raw: Uint8Array;
}

/** The events in a text part, both spellings: `Code=…;data={…}` and flat `Events[0].Code=…`. Empty when it is neither. */
export function parseEvents(body: Uint8Array): readonly StreamEvent[] {
  const text = decodeText(body).trim();
  if (text === 'Heartbeat') return [{ code: 'Heartbeat', action: '', fields: {}, raw: body }];
  const match = /^Code=([^;\s]{1,64})\s*;\s*action=([^;\s]{1,32})(?:\s*;\s*index=\d+)?(?:\s*;\s*data=)?/i.exec(text);
  if (match) {
    const [all, code = '', action = ''] = match;
    const data = text.slice(all.length).trim();
    const fields = fieldsOf(data);
    return [
      { code, action, fields, raw: Buffer.from(`Code=${code};action=${action};data=${jsonWithoutPersons(fields)}`) },
    ];
  }
  if (!text.startsWith('Events[')) return [];
  return groupLines(parseLines(body), 'Events').map(({ fields, raw }) => {
    const plain: Record<string, string> = {};
    for (const [key, value] of Object.entries(fields)) plain[key.replace(/^(?:Data|EventBaseInfo)\./, '')] = value;
    return { code: plain.Code ?? '', action: plain.Action ?? '', fields: plain, raw };
  });
}

function fieldsOf(data: string): Fields {
  if (!data.startsWith('{')) return {};
  try {
    return flatten(parseJson(Buffer.from(data), 'event'));
  } catch (error) {
    // An event whose JSON is broken still says that something happened: the reader looks into the history.
    return { broken: asGatewayError(error).code };
  }
}
