/**
 * Cuts a byte stream of HTTP/1.1 into messages, for decoders, for `hear` and for scrubbing: head and body by
 * Content-Length, by chunks or until the end of the connection. Pure and incremental; each byte is looked at a bounded number
 * of times. What belongs to no message is noise, a value and not an exception, and reading goes on at the next start line.
 *
 * It speaks no HTTP with anybody: `http-client.ts` and `http-server.ts` do. Without the request a response to HEAD cannot be
 * told from one with a body; terminals are never asked with HEAD.
 */
import { boundaryOf } from './multipart.js';
import { markOf, measurePart, newProgress, partOf, type HttpPart, type PartProgress } from './http-parts.js';

export interface HttpMessage {
  readonly kind: 'request' | 'response';
  /** Of a request, else ''. */
  readonly method: string;
  /** Of a request, as in its first line, else ''. */
  readonly target: string;
  /** Of a response, else 0. */
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body without chunk heads. */
  readonly body: Uint8Array;
  /** Everything, from the first byte of the start line to the last of the body. */
  readonly bytes: Uint8Array;
  /** Length of start line, headers and empty line in `bytes`. */
  readonly headBytes: number;
  /** Where the body lies in `bytes`: one range, or one for each chunk. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
  /** The body is an endless multipart: it is not in `body`, its parts follow as cuts of their own. */
  readonly endless: boolean;
}

export type HttpCut =
  | { readonly kind: 'message'; readonly message: HttpMessage }
  | { readonly kind: 'part'; readonly part: HttpPart }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array };

export interface HttpSplitter {
  push(chunk: Uint8Array): readonly HttpCut[];
  /** End of the stream: a response without length is complete, anything else unfinished is noise from its first byte on. */
  end(): readonly HttpCut[];
  /** Bytes of an unfinished message. */
  readonly pending: number;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const HEAD_BYTES_MAX = 32_768;
const TARGET_BYTES_MAX = 8_192;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const LF = 10;

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

export interface StartLine {
  readonly kind: 'request' | 'response';
  readonly method: string;
  readonly target: string;
  readonly status: number;
}

/** A whole first line without its end. */
function parseStartLine(line: string): StartLine | null {
  const response = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(line);
  if (response) return { kind: 'response', method: '', target: '', status: Number(response[1]) };
  const request = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(line);
  if (!request || !METHODS.includes(request[1] ?? '')) return null;
  return { kind: 'request', method: request[1] ?? '', target: request[2] ?? '', status: 0 };
}

/** Whether `text`, without a line end, may become a first line. */
function mayStart(text: string, kind: HttpMessage['kind'] | null): boolean {
  const response =
    kind !== 'request' &&
    ('HTTP/1.'.startsWith(text) || /^HTTP\/1\.(?:[01](?: \d{0,3}(?:(?<=\d{3}) .*)?)?)?\r?$/.test(text));
  if (response) return true;
  if (kind === 'response') return false;
  const space = text.indexOf(' ');
  if (space < 0) return METHODS.some((method) => method.startsWith(text));
  return METHODS.includes(text.slice(0, space)) && /^[^\s]*(?: [HTP/1.0]{0,8}\r?)?$/.test(text.slice(space + 1));
}

const BEGINNINGS = [...METHODS.map((method) => `${method} `), 'HTTP/1.'].map((text) => Buffer.from(text, 'latin1'));

/** Whether a first line may begin with these bytes: cheap, because it is asked at every byte of noise. */
const mayBegin = (at: Uint8Array): boolean =>
  BEGINNINGS.some((word) => {
    const size = Math.min(word.length, at.length);
    for (let index = 0; index < size; index += 1) if (word[index] !== at[index]) return false;
    return true;
  });

/** Headers of the lines after the first; null when a line is none. */
function parseHeaders(lines: readonly string[]): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).trimEnd().toLowerCase();
    if (at < 1 || !/^[!-~]+$/.test(name)) return null;
    const value = line.slice(at + 1).trim();
    const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
    Object.defineProperty(headers, name, {
      value: known === undefined ? value : `${known}, ${value}`,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return headers;
}

/** Index after the empty line that ends a head, or -1; looks from `from` on. */
function headEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

interface Head extends StartLine {
  readonly headers: Readonly<Record<string, string>>;
  readonly headBytes: number;
}

function parseHead(bytes: Uint8Array): Head | null {
  const [first = '', ...lines] = latin1(bytes)
    .replace(/\r?\n\r?\n$/, '')
    .split(/\r?\n/);
  const start = parseStartLine(first);
  const headers = parseHeaders(lines);
  return start && headers ? { ...start, headers, headBytes: bytes.length } : null;
}

/** What the first bytes of a caller say about its request, for `hear`: pure, any length. */
export type PeekedRequest =
  | { readonly is: 'no' }
  | { readonly is: 'more' }
  | {
      readonly is: 'request';
      readonly method: string;
      /** What has come of the target; all of it when `targetComplete`. */
      readonly target: string;
      readonly targetComplete: boolean;
      /** Null until the head is complete. */
      readonly headers: Readonly<Record<string, string>> | null;
    };

export function peekRequest(first: Uint8Array): PeekedRequest {
  const lineEnd = first.subarray(0, TARGET_BYTES_MAX + 32).indexOf(LF);
  const text = latin1(first.subarray(0, lineEnd < 0 ? TARGET_BYTES_MAX + 32 : lineEnd)).replace(/\r$/, '');
  if (lineEnd < 0) {
    if (text.length > TARGET_BYTES_MAX || !mayStart(text, 'request')) return { is: 'no' };
    const [method = '', target, version] = text.split(' ');
    if (target === undefined) return { is: 'more' };
    return { is: 'request', method, target, targetComplete: version !== undefined, headers: null };
  }
  const start = parseStartLine(text);
  if (start?.kind !== 'request') return { is: 'no' };
  const known = { is: 'request', method: start.method, target: start.target, targetComplete: true } as const;
  const end = headEnd(first, lineEnd);
  if (end < 0) return first.length > HEAD_BYTES_MAX ? { is: 'no' } : { ...known, headers: null };
  const head = parseHead(first.subarray(0, end));
  return head ? { ...known, headers: head.headers } : { is: 'no' };
}

/** How far a chunked body has been walked through. */
interface Chunks {
  readonly ranges: { readonly from: number; readonly to: number }[];
  /** Where the next chunk head, or the trailer, begins. */
  at: number;
  trailer: boolean;
}

/** Walks on; the total length when the last chunk is there, else `more` or `no`. Offsets count from the message's first byte. */
function walkChunks(bytes: Uint8Array, chunks: Chunks): number | 'more' | 'no' {
  for (;;) {
    const end = bytes.indexOf(LF, chunks.at);
    if (end < 0) return bytes.length - chunks.at > 1024 ? 'no' : 'more';
    const line = latin1(bytes.subarray(chunks.at, Math.min(end, chunks.at + 1024))).trimEnd();
    if (chunks.trailer) {
      chunks.at = end + 1;
      if (line === '') return end + 1;
      continue;
    }
    const size = /^([0-9a-fA-F]{1,8})\s*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) return 'no';
    const length = Number.parseInt(size, 16);
    if (length === 0) {
      chunks.trailer = true;
      chunks.at = end + 1;
      continue;
    }
    const from = end + 1;
    const to = from + length;
    if (bytes.length < to + 2) return 'more';
    const after = bytes[to] === 13 && bytes[to + 1] === LF ? to + 2 : bytes[to] === LF ? to + 1 : -1;
    if (after < 0) return 'no';
    chunks.ranges.push({ from, to });
    chunks.at = after;
  }
}

/** The message under way. */
interface Plan {
  readonly head: Head;
  /** Total length; 'close': until the end. */
  readonly total: number | 'close' | 'chunks';
  readonly chunks: Chunks;
  /** Boundary of the parts that follow the head. */
  readonly mark: Buffer | null;
}

function planOf(head: Head): Plan | null {
  const chunks: Chunks = { ranges: [], at: head.headBytes, trailer: false };
  const plan = (total: Plan['total'], mark: Buffer | null = null): Plan => ({ head, total, chunks, mark });
  const { kind, status, headers } = head;
  if (kind === 'response' && (status < 200 || status === 204 || status === 304)) return plan(head.headBytes);
  if (/chunked\s*$/i.test(headers['transfer-encoding'] ?? '')) return plan('chunks');
  const length = headers['content-length'];
  if (length !== undefined) return /^\d{1,12}$/.test(length) ? plan(head.headBytes + Number(length)) : null;
  if (kind === 'request') return plan(head.headBytes);
  const boundary = boundaryOf(headers['content-type'] ?? '');
  return boundary === null ? plan('close') : plan(head.headBytes, markOf(boundary));
}

function finish(plan: Plan, bytes: Uint8Array): HttpMessage {
  const { head } = plan;
  const ranges = plan.total === 'chunks' ? plan.chunks.ranges : [{ from: head.headBytes, to: bytes.length }];
  const body =
    ranges.length === 1
      ? bytes.subarray(ranges[0]?.from, ranges[0]?.to)
      : Buffer.concat(ranges.map(({ from, to }) => bytes.subarray(from, to)));
  return { ...head, body, bytes, ranges, endless: plan.mark !== null };
}

interface Measured {
  readonly as: 'message' | 'part';
  readonly size: number | 'more' | 'no';
}

export interface HttpSplitterOptions {
  /** What this direction of the stream carries; null: either. */
  readonly kind?: HttpMessage['kind'] | null;
  /** A larger message is noise; 16 MiB when not said. */
  readonly sizeBytesMax?: number;
}

export function createHttpSplitter(options: HttpSplitterOptions = {}): HttpSplitter {
  const kind = options.kind ?? null;
  const sizeBytesMax = options.sizeBytesMax ?? MESSAGE_BYTES_MAX;
  let buffer: Uint8Array = new Uint8Array(1024);
  let start = 0;
  let end = 0;
  let plan: Plan | null = null;
  /** Where to go on looking for the end of the head, from the message's first byte. */
  let searched = 0;
  /** Set while the parts of an endless answer follow one another. */
  let mark: Buffer | null = null;
  let part: PartProgress = newProgress();

  const append = (chunk: Uint8Array): void => {
    if (end + chunk.length > buffer.length) {
      const used = end - start;
      const target = used + chunk.length > buffer.length / 2 ? new Uint8Array((used + chunk.length) * 2) : buffer;
      target.set(buffer.subarray(start, end));
      buffer = target;
      start = 0;
      end = used;
    }
    buffer.set(chunk, end);
    end += chunk.length;
  };

  /** Length of the message at `start`, `more`, or `no` when none begins there. */
  const measureMessage = (at: Uint8Array, final: boolean): number | 'more' | 'no' => {
    if (!plan) {
      if (searched === 0) {
        if (!mayBegin(at)) return 'no';
        const line = at.subarray(0, TARGET_BYTES_MAX + 32).indexOf(LF);
        if (line < 0) {
          if (at.length > TARGET_BYTES_MAX) return 'no';
          return mayStart(latin1(at), kind) ? 'more' : 'no';
        }
        const told = parseStartLine(latin1(at.subarray(0, line)).replace(/\r$/, ''));
        if (!told || (kind !== null && told.kind !== kind)) return 'no';
        searched = line;
      }
      const headBytes = headEnd(at, searched);
      if (headBytes < 0) {
        searched = Math.max(searched, at.length - 3);
        return at.length > HEAD_BYTES_MAX ? 'no' : 'more';
      }
      const head = parseHead(at.subarray(0, headBytes));
      plan = head && planOf(head);
      if (!plan) return 'no';
    }
    const { total } = plan;
    if (total === 'chunks') {
      const size = walkChunks(at, plan.chunks);
      return size === 'more' && at.length > sizeBytesMax ? 'no' : size;
    }
    if (total === 'close') return at.length > sizeBytesMax ? 'no' : final ? at.length : 'more';
    if (total > sizeBytesMax) return 'no';
    return at.length >= total ? total : 'more';
  };

  const measure = (final: boolean): Measured => {
    const at = buffer.subarray(start, end);
    if (mark && !plan) {
      const size = measurePart(at, mark, part, final);
      if (size !== 'no' && !(typeof size === 'number' && size > sizeBytesMax)) return { as: 'part', size };
      part = newProgress();
    }
    return { as: 'message', size: measureMessage(at, final) };
  };

  const cutOf = (as: Measured['as'], bytes: Uint8Array): readonly HttpCut[] => {
    if (as === 'part') return [{ kind: 'part', part: partOf(bytes, part) }];
    if (!plan) return [];
    ({ mark } = plan);
    return [{ kind: 'message', message: finish(plan, bytes) }];
  };

  const scan = (final: boolean): readonly HttpCut[] => {
    const cuts: HttpCut[] = [];
    let noiseFrom = start;
    while (start < end) {
      const { as, size } = measure(final);
      if (size === 'more' && !final) break;
      if (typeof size !== 'number') {
        start += 1;
      } else {
        if (start > noiseFrom) cuts.push({ kind: 'noise', bytes: buffer.slice(noiseFrom, start) });
        cuts.push(...cutOf(as, buffer.slice(start, start + size)));
        start += size;
        noiseFrom = start;
      }
      part = newProgress();
      plan = null;
      searched = 0;
    }
    if (start > noiseFrom) cuts.push({ kind: 'noise', bytes: buffer.slice(noiseFrom, start) });
    if (start === end) {
      start = 0;
      end = 0;
    }
    return cuts;
  };

  return {
    push(chunk) {
      append(chunk);
      return scan(false);
    },
    end: () => scan(true),
    get pending() {
      return end - start;
    },
  };
}

/** The bytes of a message with another body of the same length in place of its own: chunk heads stay. Throws nothing; a body of another length is a bug of the caller and is cut or leaves the rest as it was. */
export function withBody(message: HttpMessage, body: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(message.bytes);
  let taken = 0;
  for (const { from, to } of message.ranges) {
    bytes.set(body.subarray(taken, taken + (to - from)), from);
    taken += to - from;
  }
  return bytes;
}
