/**
 * Answers HTTP requests that come over Duplexes: terminals that call us, and simulated terminals. Node's parser does the
 * reading; nothing listens here, connections are handed in with `take` and belong to the desk from then on. A request is
 * read whole, up to a size, before it is shown; the answer carries the exact length and the date of our clock.
 *
 * It never answers by itself but for what cannot be heard out (413). What is no HTTP is told with its first bytes and closed.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { hex } from '../core/bytes.js';
import { isoUtc, linkedController, type Clock, type Instant } from '../core/time.js';

export interface HttpCall {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  /** The target without query and without `http://host`, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  /** `Date` (from the clock) and the exact `Content-Length` are added. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Instead of `body`: pieces without a length, written as they come; the connection is closed after the last. For simulators. */
  readonly pieces?: AsyncIterable<Uint8Array | string>;
}

export interface HttpDesk extends AsyncDisposable {
  /** The link belongs to the desk from now on; disposing the desk destroys it. */
  take(link: Duplex): void;
  /** Connections at the moment. */
  readonly open: number;
}

export interface HttpDeskParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A larger request is refused with 413; 8 MiB when not said. */
  readonly sizeBytesMax?: number;
  /** Its signal aborts when the caller is gone. Null closes the connection without an answer; so does an error. */
  readonly onCall: (call: HttpCall, signal: AbortSignal) => Promise<HttpReply | null>;
  /** A caller spoke no HTTP: hex of at most 16 bytes. */
  readonly onBroken?: (window: string) => void;
  /** `onCall` threw. The connection is closed; the caller will come again. */
  readonly onFailed?: (error: unknown) => void;
  /** A connection came to its end. */
  readonly onGone?: (link: Duplex) => void;
}

const SIZE_BYTES_MAX = 8 * 1024 * 1024;
/** A terminal has a few; one that leaves each open, or somebody who opens many, must not take those of the others. */
const LINKS_MAX = 32;
const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The form of RFC 9110, 5.6.7: `Mon, 01 Sep 2025 00:05:30 GMT`. */
export function httpDate(at: Instant): string {
  const iso = isoUtc(at);
  const day = DAYS[((Math.floor(at / 86_400_000) % 7) + 7) % 7] ?? '';
  const month = MONTHS[Number(iso.slice(5, 7)) - 1] ?? '';
  return `${day}, ${iso.slice(8, 10)} ${month} ${iso.slice(0, 4)} ${iso.slice(11, 19)} GMT`;
}

const flat = (headers: IncomingMessage['headers']): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

/** The path and the query of a request target; some terminals send the whole address. */
export function splitTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const local = target.replace(/^https?:\/\/[^/?]*/i, '');
  const at = local.indexOf('?');
  const path = at < 0 ? local : local.slice(0, at);
  return { path: path === '' ? '/' : path, query: new URLSearchParams(at < 0 ? '' : local.slice(at + 1)) };
}

/** The whole body, null when it is larger than allowed. Rejects when the caller goes away in the middle. */
async function readBody(request: IncomingMessage, sizeBytesMax: number, gone: AbortSignal): Promise<Uint8Array | null> {
  gone.throwIfAborted();
  if (Number(request.headers['content-length'] ?? '0') > sizeBytesMax) return null;
  let leave: () => void = () => undefined;
  try {
    return await new Promise<Uint8Array | null>((resolve, reject) => {
      const pieces: Uint8Array[] = [];
      let size = 0;
      request.on('data', (piece: Uint8Array) => {
        size += piece.length;
        if (size > sizeBytesMax) resolve(null);
        else pieces.push(piece);
      });
      request.on('end', () => resolve(Buffer.concat(pieces)));
      request.on('error', reject);
      leave = () => reject(gone.reason as Error);
      gone.addEventListener('abort', leave, { once: true });
    });
  } finally {
    gone.removeEventListener('abort', leave);
  }
}

async function writePieces(
  response: ServerResponse,
  pieces: AsyncIterable<Uint8Array | string>,
  gone: AbortSignal,
): Promise<void> {
  response.flushHeaders();
  for await (const piece of pieces) {
    if (gone.aborted) return;
    if (response.write(piece)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        response.off('drain', go);
        gone.removeEventListener('abort', go);
        resolve();
      };
      response.once('drain', go);
      gone.addEventListener('abort', go, { once: true });
    });
  }
}

export function createHttpDesk(parts: HttpDeskParts): HttpDesk {
  const sizeBytesMax = parts.sizeBytesMax ?? SIZE_BYTES_MAX;
  const ends = new Map<Duplex, ReturnType<typeof linkedController>>();
  const firsts = new WeakMap<Duplex, Uint8Array>();
  /** Requests that are being answered, by connection. */
  const asking = new Map<Duplex, number>();
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  server.timeout = 0;

  const drop = (link: Duplex): void => {
    link.destroy();
  };

  const answer = async (request: IncomingMessage, response: ServerResponse, link: Duplex): Promise<void> => {
    const gone = ends.get(link)?.signal ?? parts.signal;
    const body = await readBody(request, sizeBytesMax, gone);
    response.sendDate = false;
    const date = { Date: httpDate(parts.clock.now()) };
    if (body === null) {
      response.writeHead(413, { ...date, 'Content-Length': '0', Connection: 'close' });
      response.end(() => drop(link));
      return;
    }
    const target = request.url ?? '';
    const reply = await parts.onCall(
      { method: request.method ?? '', target, ...splitTarget(target), headers: flat(request.headers), body },
      gone,
    );
    if (reply === null) {
      drop(link);
      return;
    }
    if (gone.aborted) return;
    if (reply.pieces) {
      // No length and no chunks: the body lasts until the connection ends.
      response.useChunkedEncodingByDefault = false;
      response.writeHead(reply.status, { ...date, ...reply.headers, Connection: 'close' });
      await writePieces(response, reply.pieces, gone);
      response.end(() => drop(link));
      return;
    }
    const bytes = typeof reply.body === 'string' ? Buffer.from(reply.body, 'utf8') : (reply.body ?? new Uint8Array(0));
    response.writeHead(reply.status, { ...date, ...reply.headers, 'Content-Length': String(bytes.length) });
    response.end(bytes);
  };

  server.on('request', (request, response) => {
    const link: Duplex = request.socket;
    response.on('error', () => undefined);
    asking.set(link, (asking.get(link) ?? 0) + 1);
    answer(request, response, link)
      .catch((error: unknown) => {
        const gone = ends.get(link)?.signal.aborted ?? true;
        drop(link);
        if (!gone) parts.onFailed?.(error);
      })
      .finally(() => {
        const left = (asking.get(link) ?? 1) - 1;
        if (left > 0 && ends.has(link)) asking.set(link, left);
        else asking.delete(link);
      });
  });
  server.on('clientError', (error, link) => {
    const { rawPacket, code } = error as Error & { rawPacket?: Uint8Array; code?: string };
    const known = firsts.get(link);
    const window = known === undefined || known.length === 0 ? (rawPacket ?? new Uint8Array(0)) : known;
    if (code?.startsWith('HPE_') === true && code !== 'HPE_INVALID_EOF_STATE')
      parts.onBroken?.(hex(window.subarray(0, 16)));
    drop(link);
  });

  const hangUpAll = (): void => {
    for (const link of ends.keys()) drop(link);
  };
  parts.signal.addEventListener('abort', hangUpAll, { once: true });

  /** Makes room for one more: the oldest that asks nothing goes first. */
  const makeRoom = (): void => {
    const links = [...ends.keys()].filter((link) => !link.destroyed);
    if (links.length < LINKS_MAX) return;
    const [oldest] = links;
    const idle = links.find((link) => !asking.has(link)) ?? oldest;
    if (idle) drop(idle);
  };

  return {
    take(link) {
      makeRoom();
      const end = linkedController(parts.signal);
      ends.set(link, end);
      link.on('error', () => undefined);
      const gone = (): void => {
        if (!ends.delete(link)) return;
        end.end();
        link.destroy();
        parts.onGone?.(link);
      };
      for (const event of ['end', 'close']) link.on(event, gone);
      server.emit('connection', link);
      // After the parser's own listener, which would otherwise take a socket's bytes before they become events.
      link.on('data', (chunk: Uint8Array) => {
        const known = firsts.get(link) ?? new Uint8Array(0);
        if (known.length < 16) firsts.set(link, Buffer.concat([known, chunk.subarray(0, 16)]).subarray(0, 16));
      });
      if (link.destroyed || parts.signal.aborted) gone();
    },
    get open() {
      return ends.size;
    },
    async [Symbol.asyncDispose]() {
      parts.signal.removeEventListener('abort', hangUpAll);
      hangUpAll();
      for (const link of ends.keys()) link.emit('end');
      server.removeAllListeners('request');
      await Promise.resolve();
    },
  };
}
