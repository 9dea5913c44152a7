/**
 * From a reach to a link: the one door through which terminals are reached, with the tap in between. Promises that
 * every failure is a GatewayError with a remedy, that opening has a deadline and obeys the signal, and that after
 * `close` nothing stays open. The signal governs opening only; an open link is closed by disposing it.
 */
import type { Socket } from 'node:net';
import { fail } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { formatReach, type ListenReach, type Reach } from '../core/reach.js';
import { within, type Clock } from '../core/time.js';
import { openDatagrams } from './datagram.js';
import { openFile } from './file.js';
import { dialSecure } from './secure.js';
import { createSerialLines } from './serial.js';
import { accept, dial, socketLink, type Link, type Listening } from './socket.js';
import { createTap, type Tap, type TapStream } from './tap.js';
import { asksForWebSocket, dialWebSocket, upgrade } from './websocket.js';

export interface OpenOptions {
  /** Deadline of the dial, or of opening the port; waiting for one's turn on a shared line does not count. */
  readonly timeoutMs?: number;
}

export interface Links extends AsyncDisposable {
  readonly tap: Tap;
  /** Opens a link: dials, leases a serial line (waiting its turn), opens a file. A listening reach cannot be opened. */
  open(reach: Reach, signal: AbortSignal, options?: OpenOptions): Promise<Link>;
  /**
   * Accepts links on a listening reach until the signal aborts; resolves when it listens. A link is closed when `onLink`
   * settles. All kinds of listening are one: a caller that asks for a WebSocket gets one on every port.
   */
  listen(
    reach: ListenReach,
    onLink: (link: Link, peer: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<Listening>;
  /** Ends every serial lease and closes every port that was kept open. */
  close(): Promise<void>;
}

export interface LinksOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly tap?: Tap;
  /** How long a serial port stays open after its last lease; 5000 when not given. */
  readonly serialLingerMs?: number;
}

const CONNECT_MS = 10_000;

export function createLinks(options: LinksOptions): Links {
  const { clock, log } = options;
  const tap = options.tap ?? createTap(clock);
  const lines = createSerialLines(
    clock,
    options.serialLingerMs === undefined ? {} : { lingerMs: options.serialLingerMs },
  );
  const dialled = async (reach: Reach, timeoutMs: number, signal: AbortSignal, stream: TapStream): Promise<Link> => {
    switch (reach.kind) {
      case 'tcp':
      case 'http':
        return dial(reach, clock, timeoutMs, signal, stream);
      case 'https':
        return dialSecure(reach, clock, timeoutMs, signal, stream);
      case 'udp':
        return openDatagrams(reach, clock, timeoutMs, signal, stream);
      case 'ws':
        return dialWebSocket(reach, clock, timeoutMs, signal, stream);
      case 'serial':
        return lines.lease(reach, timeoutMs, signal, stream);
      case 'file':
        return openFile(reach, signal);
      case 'tcp-listen':
      case 'http-listen':
      case 'ws-listen':
        throw fail('bad-reach', {
          reach: formatReach(reach),
          reason: 'there the terminal calls; it cannot be opened from here',
          reasonZh: '这种方式由考勤机呼叫网关，网关不能主动连接',
        });
    }
  };

  return {
    tap,
    async open(reach, signal, { timeoutMs = CONNECT_MS } = {}) {
      const name = formatReach(reach);
      const began = clock.ticks();
      const stream = tap.stream(name);
      const link = await dialled(reach, timeoutMs, signal, stream);
      log.debug({ reach: name, afterMs: Math.round(clock.ticks() - began) }, 'link open');
      return link;
    },
    async listen(reach, onLink, signal) {
      const prepare = async (socket: Socket, peer: string): Promise<Link> => {
        const stream = tap.stream(`${formatReach(reach)} ${peer.replace(/:\d+$/, '')}`);
        return (await wantsWebSocket(socket, clock, signal))
          ? upgrade(socket, clock, signal, stream)
          : socketLink(socket, stream);
      };
      const listening = await accept(reach, onLink, signal, prepare);
      log.info({ reach: formatReach(reach), port: listening.port }, 'listening');
      return listening;
    },
    close: () => lines.close(),
    [Symbol.asyncDispose]: () => lines.close(),
  };
}

/** How long a caller may be silent before it is taken for one that waits for us. */
const FIRST_BYTES_MS = 1500;

/** Looks at the first bytes of a caller and leaves them unread. One that says nothing for a while wants no WebSocket. */
async function wantsWebSocket(socket: Socket, clock: Clock, signal: AbortSignal): Promise<boolean> {
  let first: Uint8Array = new Uint8Array(0);
  const began = clock.ticks();
  try {
    for (;;) {
      const asks = asksForWebSocket(first);
      if (asks !== 'more' && first.length > 0) return asks;
      const leftMs = FIRST_BYTES_MS - (clock.ticks() - began);
      if (leftMs <= 0) return false;
      const arrival = new Promise<Buffer | null>((resolve) => {
        socket.once('readable', () => resolve(socket.read() as Buffer | null));
        socket.once('end', () => resolve(null));
        socket.once('close', () => resolve(null));
      });
      const chunk = await within(clock, leftMs, signal, arrival);
      if (chunk === 'late' || chunk === null) return false;
      first = Buffer.concat([first, chunk]);
    }
  } finally {
    socket.removeAllListeners('readable');
    if (first.length > 0) socket.unshift(first);
  }
}
