/**
 * HTTP/1.1 as a client over Duplexes: requests strictly one at a time on one kept connection, answered wholly or not at all,
 * every wait with a deadline on `wire.clock`. When the terminal has closed the connection, another is dialled. An answer that
 * is late costs the connection, so that it can never be taken for the answer to the next request. Endless answers
 * (`stream`) get a connection of their own.
 *
 * Digest with a reused nonce and rising counter; Basic only where nothing else is offered or the scheme says so. After two
 * real refusals `auth-refused` for good: terminals lock the account. A peer that is no HTTP server is `wrong-protocol`.
 */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { hex } from '../core/bytes.js';
import { fail, GatewayError } from '../core/errors.js';
import { linkedController, within } from '../core/time.js';
import type { Wire } from './driver.js';
import { createHttpLogin } from './http-login.js';

export interface HttpAsk {
  readonly method: string;
  /** Path with query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** For the whole answer (of a stream: for its head); 10 s when not said. */
  readonly timeoutMs?: number;
  /** A larger body is `bad-reply`; 8 MiB when not said. */
  readonly sizeBytesMax?: number;
  /** For the error text, in English. Never a path with a secret in it. */
  readonly waitingFor: string;
  /** How often it is asked again, on a new connection, when nothing answers or the connection breaks. None when not said: only for what may be asked twice. */
  readonly retries?: number;
  /** Never sent twice, not even when a kept connection closes without a word: it may have been heard. For changes. */
  readonly once?: boolean;
  /** Ends this request or stream alone, besides the signal of the client. */
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface HttpStream extends AsyncDisposable {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The next bytes of the body, null at its end; throws `link-silent` after `timeoutMs` without any (nothing is lost, read again), `link-closed`. */
  read(timeoutMs: number, waitingFor: string): Promise<Uint8Array | null>;
}

export interface HttpClient extends AsyncDisposable {
  /** Any status but 401 is an answer; 401 too when no login was given. */
  ask(ask: HttpAsk): Promise<HttpAnswer>;
  /** Opens a connection of its own by `wire.dial`; the caller disposes it. */
  stream(ask: HttpAsk): Promise<HttpStream>;
}

export interface HttpClientParts {
  readonly link: Duplex;
  readonly wire: Wire;
  readonly signal: AbortSignal;
  readonly driver: string;
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly scheme?: 'auto' | 'digest' | 'basic';
}

const TIMEOUT_MS = 10_000;
const SIZE_BYTES_MAX = 8 * 1024 * 1024;

/** One connection and what it has shown of itself. */
interface Line {
  readonly link: Duplex;
  /** Dialled here, so closed here. */
  readonly own: boolean;
  first: Uint8Array;
  /** At least one whole head of an answer has come. */
  spoke: boolean;
  requests: number;
  /** Bytes since the request began. */
  heardBytes: number;
  busy: boolean;
  spoilt: boolean;
}

const usable = ({ link, spoilt }: Line): boolean =>
  !spoilt && !link.destroyed && !link.readableEnded && link.writable && link.readable;

function createLine(link: Duplex, own: boolean): Line {
  // A link may fail while nobody asks anything; the next request finds out.
  link.on('error', () => undefined);
  return { link, own, first: new Uint8Array(0), spoke: false, requests: 0, heardBytes: 0, busy: false, spoilt: false };
}

function listen(line: Line): void {
  line.link.on('data', (chunk: Uint8Array) => {
    line.heardBytes += chunk.length;
    if (line.first.length < 16) line.first = Buffer.concat([line.first, chunk]).subarray(0, 16);
    // Nobody has asked: whatever it is, it must not become the answer to the next question.
    if (!line.busy) line.spoilt = true;
  });
}

const flat = (headers: IncomingMessage['headers']): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

const retryable = (error: unknown): boolean =>
  error instanceof GatewayError && (error.code === 'link-silent' || error.code === 'link-closed');

/** What the engine said about a connection, in our words. */
function translate(error: unknown, line: Line, parts: HttpClientParts, ask: HttpAsk): Error {
  if (error instanceof GatewayError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') return fail('link-closed', {}, error);
  if (!line.spoke) return fail('wrong-protocol', { driver: parts.driver, window: hex(line.first) });
  return fail('bad-reply', {
    request: ask.waitingFor,
    reason: `no HTTP answer (${code})`,
    reasonZh: `不是 HTTP 应答(${code})`,
  });
}

interface Begun {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
}

/** Writes a request and waits for the head of the answer; no deadline here. */
function begin(
  line: Line,
  ask: HttpAsk,
  host: string,
  authorization: string | null,
  started: (request: ClientRequest) => void,
): Promise<Begun> {
  const body = typeof ask.body === 'string' ? Buffer.from(ask.body, 'utf8') : ask.body;
  const sends = body !== undefined || ask.method === 'POST' || ask.method === 'PUT';
  line.requests += 1;
  line.heardBytes = 0;
  line.busy = true;
  return new Promise<Begun>((resolve, reject) => {
    const request = httpRequest({
      method: ask.method,
      path: ask.path,
      setHost: false,
      headers: {
        Host: host,
        ...ask.headers,
        ...(sends ? { 'Content-Length': String(body?.length ?? 0) } : {}),
        ...(authorization === null ? {} : { Authorization: authorization }),
        Connection: 'keep-alive',
      },
      createConnection: () => line.link,
    });
    started(request);
    // Only now: a listener before the parser's would let bytes flow past it.
    if (line.requests === 1) request.on('socket', () => listen(line));
    request.on('error', reject);
    request.on('response', (response) => {
      line.spoke = true;
      const cut = (): void => {
        if (!response.complete) response.destroy(fail('link-closed'));
      };
      line.link.once('end', cut);
      response.once('close', () => line.link.off('end', cut));
      resolve({ request, response });
    });
    request.on('close', () => reject(fail('link-closed')));
    request.end(body);
  });
}

/** The whole body; no deadline here. */
function readBody(response: IncomingMessage, ask: HttpAsk): Promise<Uint8Array> {
  const limit = ask.sizeBytesMax ?? SIZE_BYTES_MAX;
  return new Promise<Uint8Array>((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let size = 0;
    response.on('data', (piece: Uint8Array) => {
      size += piece.length;
      pieces.push(piece);
      if (size > limit)
        reject(
          fail('bad-reply', {
            request: ask.waitingFor,
            reason: `more than ${limit} bytes`,
            reasonZh: `超过 ${limit} 字节`,
          }),
        );
    });
    response.on('end', () => resolve(Buffer.concat(pieces)));
    response.on('error', reject);
    response.on('close', () => reject(fail('link-closed')));
    // Broken off before anybody could listen.
    if (response.destroyed) reject(fail('link-closed'));
  });
}

export function createHttpClient(parts: HttpClientParts): HttpClient {
  const { wire, signal } = parts;
  const { clock } = wire;
  const host = wire.host ?? 'terminal';
  const account = createHttpLogin(parts.login, parts.scheme ?? 'auto');
  const streams = new Set<Line>();
  let line = createLine(parts.link, false);
  let queue: Promise<unknown> = Promise.resolve();
  let disposed = false;

  const silent = (ask: HttpAsk, ms: number): Error =>
    fail('link-silent', { ms: Math.round(ms), waitingFor: ask.waitingFor });

  const dial = async (ask: HttpAsk): Promise<Line> => {
    if (!wire.dial || disposed) throw fail('link-closed');
    const timeoutMs = ask.timeoutMs ?? TIMEOUT_MS;
    const dialled = wire.dial(signal);
    const link = await within(clock, timeoutMs, signal, dialled).catch((error: unknown) => {
      dialled.then(
        (late) => late.destroy(),
        () => undefined,
      );
      throw error;
    });
    if (link !== 'late') return createLine(link, true);
    dialled.then(
      (late) => late.destroy(),
      () => undefined,
    );
    throw silent(ask, timeoutMs);
  };

  const fresh = async (ask: HttpAsk): Promise<Line> => {
    if (!usable(line)) {
      line.link.destroy();
      line = await dial(ask);
    }
    return line;
  };

  /** One request on one line. `whole` false leaves the body to the caller. Whatever goes wrong ends the line. */
  const attempt = async (
    on: Line,
    ask: HttpAsk,
    authorization: string | null,
    whole: (status: number) => boolean,
  ): Promise<Begun & { readonly answer: HttpAnswer | null }> => {
    const timeoutMs = ask.timeoutMs ?? TIMEOUT_MS;
    let started: ClientRequest | null = null;
    const work = async (): Promise<Begun & { readonly answer: HttpAnswer | null }> => {
      const begun = await begin(on, ask, host, authorization, (request) => (started = request));
      const { response } = begun;
      const status = response.statusCode ?? 0;
      if (!whole(status)) return { ...begun, answer: null };
      const body = await readBody(response, ask);
      on.busy = false;
      // Answered before the request was written out: what is left of it would be taken for the next one.
      if (!begun.request.writableFinished) on.spoilt = true;
      return { ...begun, answer: { status, headers: flat(response.headers), body } };
    };
    let good = false;
    const over = linkedController(signal, ...(ask.signal ? [ask.signal] : []));
    try {
      over.signal.throwIfAborted();
      const done = await within(clock, timeoutMs, over.signal, work());
      if (done === 'late') throw silent(ask, timeoutMs);
      good = true;
      return done;
    } catch (error) {
      over.signal.throwIfAborted();
      throw translate(error, on, parts, ask);
    } finally {
      over.end();
      if (!good) {
        on.spoilt = true;
        (started as ClientRequest | null)?.destroy();
        on.link.destroy();
      }
    }
  };

  /** Asks until the terminal lets us in. */
  const authorised = async (
    ask: HttpAsk,
    lineFor: () => Promise<Line>,
    whole: (status: number) => boolean,
  ): Promise<Begun & { readonly answer: HttpAnswer | null; readonly on: Line }> => {
    let stale = false;
    for (;;) {
      const on = await lineFor();
      const sent = account.header(ask.method, ask.path);
      const reused = on.requests > 0;
      const done = await attempt(on, ask, sent, whole).catch((error: unknown) => {
        // A kept connection that the terminal closed in the very moment of asking: it has heard nothing.
        const unheard = reused && on.heardBytes === 0 && error instanceof GatewayError && error.code === 'link-closed';
        if (!unheard || !wire.dial || ask.once === true) throw error;
        return null;
      });
      if (done === null) continue;
      if (parts.login === null || done.response.statusCode !== 401) {
        if (done.response.statusCode !== 401) account.accepted();
        return { ...done, on };
      }
      stale = account.challenged(done.answer?.headers['www-authenticate'] ?? '', sent, stale) === 'stale' || stale;
    }
  };

  const askOnce = async (ask: HttpAsk): Promise<HttpAnswer> => {
    for (let left = ask.retries ?? 0; ; left -= 1) {
      try {
        const { answer } = await authorised(
          ask,
          () => fresh(ask),
          () => true,
        );
        if (answer) return answer;
      } catch (error) {
        if (left <= 0 || !retryable(error) || !wire.dial) throw error;
      }
    }
  };

  return {
    ask(ask) {
      const turn = queue.then(() => askOnce(ask));
      queue = turn.catch(() => undefined);
      return turn;
    },
    async stream(ask) {
      let on: Line | null = null;
      const lineFor = async (): Promise<Line> => {
        if (on && usable(on)) return on;
        on?.link.destroy();
        on = await dial(ask);
        streams.add(on);
        return on;
      };
      const close = (): void => {
        on?.link.destroy();
        if (on) streams.delete(on);
      };
      try {
        const { response, on: used } = await authorised(
          ask,
          lineFor,
          (status) => status === 401 && parts.login !== null,
        );
        return openStream(ask, response, used, close);
      } catch (error) {
        close();
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      for (const one of streams) one.link.destroy();
      if (line.own || line.busy) line.link.destroy();
      await Promise.resolve();
    },
  };

  function openStream(asked: HttpAsk, response: IncomingMessage, on: Line, close: () => void): HttpStream {
    const pieces = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown>;
    let next: ReturnType<typeof pieces.next> | null = null;
    return {
      status: response.statusCode ?? 0,
      headers: flat(response.headers),
      async read(timeoutMs, waitingFor) {
        const ask = { ...asked, waitingFor };
        const over = linkedController(signal, ...(ask.signal ? [ask.signal] : []));
        over.signal.throwIfAborted();
        next ??= pieces.next();
        const piece = await within(clock, timeoutMs, over.signal, next)
          .catch((error: unknown) => {
            over.signal.throwIfAborted();
            throw translate(error, on, parts, ask);
          })
          .finally(over.end);
        if (piece === 'late') throw silent(ask, timeoutMs);
        next = null;
        return piece.done === true ? null : piece.value;
      },
      async [Symbol.asyncDispose]() {
        close();
        next?.catch(() => undefined);
        response.on('error', () => undefined);
        response.destroy();
        await Promise.resolve();
      },
    };
  }
}
