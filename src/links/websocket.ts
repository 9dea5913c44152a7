/**
 * WebSockets, and the only file that imports ws. A caller's handshake is done here, so that a driver sees a byte stream of
 * message texts: one write is one text message, and what is read are the texts one after the other.
 *
 * Promises: messages up to 8 MiB, no compression; a peer that is silent for a minute is pinged and given up when it does not
 * answer within ten seconds. It knows nothing of what the messages say.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { fail } from '../core/errors.js';
import { hostAndPort, type NetworkReach } from '../core/reach.js';
import { within, type Clock } from '../core/time.js';
import { disposeStream, refused, timedOut, type Link } from './socket.js';
import type { TapStream } from './tap.js';

export type WebSocketReach = Extract<NetworkReach, { kind: 'ws' }>;

const MESSAGE_BYTES_MAX = 8 * 1_048_576;
const SILENCE_MS = 60_000;
const PONG_MS = 10_000;
const HANDSHAKE_MS = 10_000;

class WebSocketLink extends Duplex {
  readonly #socket: WebSocket;
  readonly #tap: TapStream;
  readonly #over = new AbortController();
  #heardTicks: number;

  constructor(socket: WebSocket, tap: TapStream, clock: Clock) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#tap = tap;
    this.#heardTicks = clock.ticks();
    socket.on('message', (data: Buffer) => {
      this.#heardTicks = clock.ticks();
      tap.record('from-device', data);
      if (!this.push(data)) socket.pause();
    });
    socket.on('pong', () => (this.#heardTicks = clock.ticks()));
    socket.on('ping', () => (this.#heardTicks = clock.ticks()));
    socket.on('error', (error) => this.destroy(fail('link-closed', {}, error)));
    socket.on('close', () => this.push(null));
    void this.#watch(clock);
  }

  async #watch(clock: Clock): Promise<void> {
    const { signal } = this.#over;
    try {
      for (;;) {
        await clock.sleep(SILENCE_MS, signal);
        if (clock.ticks() - this.#heardTicks < SILENCE_MS) continue;
        this.#socket.ping();
        await clock.sleep(PONG_MS, signal);
        if (clock.ticks() - this.#heardTicks < PONG_MS) continue;
        this.destroy(fail('link-silent', { ms: SILENCE_MS + PONG_MS, waitingFor: 'pong', waitingForZh: '心跳应答' }));
        return;
      }
    } catch {
      // The link has ended.
    }
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tap.record('to-device', chunk);
    this.#socket.send(chunk, { binary: false }, (error) => done(error ? fail('link-closed', {}, error) : null));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#over.abort();
    this.#socket.terminate();
    done(error);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await disposeStream(this);
  }
}

/** Calls a WebSocket server, as a terminal does. Throws `link-refused`; the signal's reason when aborted. */
export async function dialWebSocket(
  reach: WebSocketReach,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  tap: TapStream,
): Promise<Link> {
  signal.throwIfAborted();
  const socket = new WebSocket(`ws://${hostAndPort(reach)}/pub/chat`, {
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  // What the server says at once comes with its answer to the handshake and must not be missed.
  const link = new WebSocketLink(socket, tap, clock);
  link.on('error', () => undefined);
  try {
    if ((await within(clock, timeoutMs, signal, opened)) === 'late') throw timedOut(reach, timeoutMs);
  } catch (error) {
    link.destroy();
    signal.throwIfAborted();
    throw refused(reach, error);
  }
  link.removeAllListeners('error');
  return link;
}

/**
 * Does the handshake on a connection whose first bytes, still unread, ask for it. Throws `link-closed` when the caller leaves
 * meanwhile, `link-silent` when it does not finish.
 */
export async function upgrade(socket: Duplex, clock: Clock, signal: AbortSignal, tap: TapStream): Promise<Link> {
  const server = createServer();
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX });
  const upgraded = new Promise<Link>((resolve, reject) => {
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) =>
      sockets.handleUpgrade(request, stream, head, (webSocket) => resolve(new WebSocketLink(webSocket, tap, clock))),
    );
    server.on('request', () => reject(fail('link-closed')));
    socket.once('close', () => reject(fail('link-closed')));
  });
  server.emit('connection', socket);
  const link = await within(clock, HANDSHAKE_MS, signal, upgraded);
  if (link === 'late') {
    socket.destroy();
    throw fail('link-silent', { ms: HANDSHAKE_MS, waitingFor: 'WebSocket handshake', waitingForZh: 'WebSocket 握手' });
  }
  return link;
}

/** Whether the first bytes of a connection ask for a WebSocket; `more` until the head of the request is complete. */
export function asksForWebSocket(first: Uint8Array): boolean | 'more' {
  const text = Buffer.from(first.subarray(0, 16_384)).toString('latin1');
  if (!'GET '.startsWith(text.slice(0, 4))) return false;
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return first.length >= 16_384 ? false : 'more';
  return /\r\nupgrade:[ \t]*websocket[ \t]*\r\n/i.test(text.slice(0, end + 2));
}
