/**
 * UDP to one terminal: a link of datagrams. Each chunk read is one datagram, each write sends one; nothing is joined, split,
 * ordered or repeated, that is the session's business. Datagrams of other senders are not heard. When nobody reads, the
 * oldest wait and the newest are dropped, as a network would do.
 */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { Duplex } from 'node:stream';
import { fail } from '../core/errors.js';
import type { NetworkReach } from '../core/reach.js';
import { within, type Clock } from '../core/time.js';
import { disposeStream, refused, timedOut, type Link } from './socket.js';
import type { TapStream } from './tap.js';

export type UdpReach = Extract<NetworkReach, { kind: 'udp' }>;

const UNREAD_MAX = 1024;

class DatagramLink extends Duplex {
  readonly #socket: Socket;
  readonly #tap: TapStream;

  constructor(socket: Socket, tap: TapStream) {
    super({
      readableObjectMode: true,
      writableObjectMode: true,
      readableHighWaterMark: UNREAD_MAX,
      allowHalfOpen: false,
    });
    this.#socket = socket;
    this.#tap = tap;
    socket.on('message', (datagram) => {
      if (this.readableLength >= UNREAD_MAX) return;
      tap.record('from-device', datagram);
      this.push(datagram);
    });
    socket.on('error', (error) => this.destroy(fail('link-closed', {}, error)));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    // Datagrams come when they come.
  }

  override _write(datagram: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tap.record('to-device', datagram);
    this.#socket.send(datagram, (error) => done(error ? fail('link-closed', {}, error) : null));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#socket.close(() => done(error));
    } catch {
      // It is closed already.
      done(error);
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await disposeStream(this);
  }
}

/** Binds a socket that only hears this terminal. Throws `link-refused`; the signal's reason when aborted. */
export async function openDatagrams(
  reach: UdpReach,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  tap: TapStream,
): Promise<Link> {
  signal.throwIfAborted();
  const socket = createSocket(reach.host.includes(':') ? 'udp6' : 'udp4');
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(reach.port, reach.host, () => resolve());
  });
  try {
    if ((await within(clock, timeoutMs, signal, connected)) === 'late') throw timedOut(reach, timeoutMs);
  } catch (error) {
    socket.on('error', () => undefined);
    socket.close();
    signal.throwIfAborted();
    throw refused(reach, error);
  }
  socket.removeAllListeners('error');
  return new DatagramLink(socket, tap);
}

/**
 * Sends one datagram to everybody on the local networks and hears the answers until the signal aborts. Throws `port-in-use`
 * when the port that terminals answer to is taken.
 */
export async function broadcast(
  search: { readonly port: number; readonly fromPort: number; readonly request: Uint8Array },
  addresses: readonly string[],
  onAnswer: (datagram: Uint8Array, from: string) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => reject(fail('port-in-use', { host: '0.0.0.0', port: search.fromPort }, error)));
    socket.bind(search.fromPort, () => resolve());
  });
  socket.removeAllListeners('error');
  // A network that is down hears nothing; the others do.
  socket.on('error', () => undefined);
  socket.on('message', (datagram, { address }) => onAnswer(datagram, address));
  socket.setBroadcast(true);
  for (const address of addresses) socket.send(search.request, search.port, address, () => undefined);
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  socket.close();
}

/** Broadcast addresses of the networks that this machine is on, and of loopback. */
export function broadcastAddresses(): readonly string[] {
  const found = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? [])
      .filter((one) => one.family === 'IPv4' && !one.internal)
      .map(({ address, netmask }) => {
        const mask = netmask.split('.').map(Number);
        return address
          .split('.')
          .map((part, index) => Number(part) | (~(mask[index] ?? 255) & 255))
          .join('.');
      }),
  );
  return [...new Set(['255.255.255.255', ...found])];
}

/**
 * The other end, for simulators: one port, a datagram link for every peer that sends to it. Links end with the signal.
 * Resolves when it listens, with the port in use.
 */
export async function serveDatagrams(
  reach: UdpReach,
  onLink: (link: Link) => Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly port: number; readonly closed: Promise<void> }> {
  signal.throwIfAborted();
  const socket = createSocket(reach.host.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => reject(refused(reach, error)));
    socket.bind(reach.port, reach.host, () => resolve());
  });
  socket.removeAllListeners('error');
  socket.on('error', () => undefined);
  const peers = new Map<string, Duplex>();
  socket.on('message', (datagram, { address, port }) => {
    const name = `${address} ${port}`;
    let link = peers.get(name);
    if (!link) {
      const fresh: Link = new Duplex({
        readableObjectMode: true,
        writableObjectMode: true,
        readableHighWaterMark: UNREAD_MAX,
        read: () => undefined,
        write: (chunk: Uint8Array, _encoding, done) => socket.send(chunk, port, address, (error) => done(error)),
      });
      link = fresh;
      peers.set(name, fresh);
      fresh.on('error', () => undefined);
      fresh.on('close', () => peers.delete(name));
      void onLink(fresh).then(
        () => fresh.destroy(),
        () => fresh.destroy(),
      );
    }
    link.push(datagram);
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const stop = (): void => {
    for (const link of peers.values()) link.destroy();
    socket.close();
  };
  signal.addEventListener('abort', stop, { once: true });
  return { port: socket.address().port, closed };
}
