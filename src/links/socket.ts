/**
 * TCP, dialled or accepted. Promises: a dial has a deadline; an established link has no delay (Nagle off, because a
 * request is one small packet) and is probed by the kernel, so that a terminal that lost its power is noticed. A link
 * that failed tells it as one GatewayError. It knows nothing of what is said on the wire.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import { formatReach, type ListenReach, type NetworkReach, type Reach } from '../core/reach.js';
import { within, type Clock } from '../core/time.js';
import type { TapStream } from './tap.js';

export type TcpReach = Extract<NetworkReach, { kind: 'tcp' | 'http' }>;

/** A byte stream to a terminal. Disposing closes it and waits until it is closed; it never throws. */
export type Link = Duplex & AsyncDisposable;

const KEEPALIVE_MS = 30_000;

const WORDS: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  ECONNREFUSED: ['nothing listens there', '该端口没有程序在监听'],
  EHOSTUNREACH: ['no route to the host', '到该主机没有路由'],
  ENETUNREACH: ['no route to the network', '到该网络没有路由'],
  EHOSTDOWN: ['the host is down', '主机未开机'],
  ETIMEDOUT: ['no answer', '没有应答'],
  ECONNRESET: ['closed by the other side', '被对方关闭'],
  ENOTFOUND: ['the name is unknown', '主机名无法解析'],
  EAI_AGAIN: ['the name server does not answer', '域名服务器没有应答'],
  EADDRINUSE: ['the port is already in use', '端口已被占用'],
  EADDRNOTAVAIL: ['this machine does not have the address', '本机没有该地址'],
  EACCES: ['this user may not use the port', '当前账户无权使用该端口'],
};

/** A failure to open, as `link-refused`; the system's code is part of the reason in every language. */
export function refused(reach: Reach, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = systemCode(error);
  const words = code === undefined ? undefined : WORDS[code];
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  const [en, zh] = words ? words.map((word) => `${reason}, ${word}`) : [reason, reason];
  return fail('link-refused', { reach: formatReach(reach), reason: en ?? reason, reasonZh: zh ?? reason }, error);
}

/** A dial that nobody answered in time. */
export function timedOut(reach: Reach, timeoutMs: number): GatewayError {
  return fail('link-refused', {
    reach: formatReach(reach),
    reason: `no connection within ${timeoutMs} ms`,
    reasonZh: `${timeoutMs} 毫秒内未能连接`,
  });
}

/** A socket with the tap in between. */
class TcpLink extends Duplex {
  readonly #socket: Socket;
  readonly #tap: TapStream;
  #ended = false;

  constructor(socket: Socket, tap: TapStream) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#tap = tap;
    socket.on('data', (chunk: Uint8Array) => {
      this.#tap.record('from-device', chunk);
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.push(null);
    });
    socket.on('error', (error) => this.destroy(fail('link-closed', {}, error)));
    socket.on('close', () => {
      // After an orderly end the reader may still have bytes to take; the stream destroys itself when it has them.
      if (!this.#ended) this.destroy();
    });
    if (socket.destroyed) this.destroy();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tap.record('to-device', chunk);
    this.#socket.write(chunk, (error) => done(error ? fail('link-closed', {}, error) : null));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#socket.closed) {
      done(error);
      return;
    }
    this.#socket.once('close', () => done(error));
    this.#socket.destroy();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await disposeStream(this);
  }
}

/** Destroys a stream without an error and waits until it is closed. */
export async function disposeStream(stream: Duplex): Promise<void> {
  if (stream.closed) return;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  // A failure while closing is nobody's error any more.
  stream.on('error', () => undefined);
  stream.destroy();
  await closed;
}

/** A connected socket as a link. */
export function socketLink(socket: Socket, tap: TapStream): Link {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
  return new TcpLink(socket, tap);
}

/** Dials. Throws `link-refused` on failure and after `timeoutMs`; the signal's reason when aborted before. */
export async function dial(
  reach: TcpReach,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  tap: TapStream,
): Promise<Link> {
  signal.throwIfAborted();
  const socket = connect({ host: reach.host, port: reach.port });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  try {
    const outcome = await within(clock, timeoutMs, signal, connected);
    if (outcome === 'late') throw timedOut(reach, timeoutMs);
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    signal.throwIfAborted();
    throw refused(reach, error);
  }
  return socketLink(socket, tap);
}

export interface Listening {
  readonly host: string;
  /** The port really used; tells what 0 became. */
  readonly port: number;
  /** Resolves when the listener and all its links are closed. */
  readonly closed: Promise<void>;
}

/** More callers at once than any classroom has are turned away. */
const CALLERS_MAX = 512;

/**
 * Accepts connections until the signal aborts; then closes the listener and every link. `onLink` may return a
 * promise; the link is closed when it settles. A rejection ends that link only. `prepare` makes the link of a socket.
 */
export async function accept(
  reach: ListenReach,
  onLink: (link: Link, peer: string) => Promise<void>,
  signal: AbortSignal,
  prepare: (socket: Socket, peer: string) => Link | Promise<Link>,
): Promise<Listening> {
  signal.throwIfAborted();
  const links = new Set<Link>();
  const serve = async (socket: Socket, peer: string): Promise<void> => {
    // Whoever leaves while its first bytes are looked at is nobody's error.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    const link = await Promise.resolve(prepare(socket, peer)).catch(() => null);
    if (link === null) {
      socket.destroy();
      return;
    }
    links.add(link);
    if (isAborted(signal)) link.destroy();
    try {
      await onLink(link, peer);
    } catch (error) {
      // The error belongs to this link: its stream carries it, the listener lives on.
      link.on('error', () => undefined);
      link.destroy(error instanceof Error ? error : undefined);
    } finally {
      await disposeStream(link);
      links.delete(link);
    }
  };
  const server: Server = createServer((socket) => {
    const peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    void serve(socket, peer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(refused(reach, error)));
    server.listen({ host: reach.host, port: reach.port }, () => resolve());
  });
  server.maxConnections = CALLERS_MAX;
  // After it listens, a server's error (too many open files) costs one connection, not the listener.
  server.on('error', () => undefined);
  const address = server.address();
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const stop = (): void => {
    server.close();
    for (const link of links) void disposeStream(link);
  };
  signal.addEventListener('abort', stop, { once: true });
  if (isAborted(signal)) stop();
  return {
    host: reach.host,
    port: typeof address === 'object' && address !== null ? address.port : reach.port,
    closed,
  };
}

// A function, because the compiler believes that an await cannot change `aborted`.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
