/**
 * Packets in and out, whatever carries them. On a byte stream each packet has the TCP prefix and a wrong checksum is a value,
 * since the transport has a checksum of its own. A datagram is one packet without prefix; there a wrong checksum means spoilt
 * bytes, and the datagram is dropped as if it had been lost. Which of the two it is, the link says and nobody else asks.
 */
import type { Duplex } from 'node:stream';
import { hexWindow } from '../../core/bytes.js';
import { fail, type GatewayError } from '../../core/errors.js';
import { within } from '../../core/time.js';
import { isDatagramLink, type Wire } from '../driver.js';
import { createExchange } from '../exchange.js';
import { createBell, createTally } from './bells.js';
import {
  decodePacket,
  encodePacket,
  HEADER_BYTES,
  TCP_FRAMES,
  tcpFrame,
  untcp,
  type Packet,
  type ReceivedPacket,
} from './codec.js';
import { isKnownCommand } from './codes.js';

export interface PacketWire extends Disposable {
  /** Packets may be lost, doubled and overtaken by others. */
  readonly datagrams: boolean;
  send(packet: Packet): Promise<void>;
  /** The next packet; waits until there is one, throws `link-closed` when the link is gone. */
  receive(): Promise<ReceivedPacket>;
  /** Bytes that belong to no packet of this protocol. */
  readonly noiseBytes: number;
  readonly framesSeen: number;
  readonly lastBytesTicks: number;
  /** The first bytes that ever arrived (at most 16), the witness for `wrong-protocol`. */
  readonly firstBytes: Uint8Array;
}

const FOREVER_MS = 0x7fffffff;
const IDLE_FLUSH_MS = 5000;
const SEND_TIMEOUT_MS = 10_000;
const QUEUE_MAX = 8192;
const WITNESS_BYTES = 16;

/** Takes the link; disposing gives it back, and closes nothing. */
export function createPacketWire(link: Duplex, wire: Wire, signal: AbortSignal): PacketWire {
  return isDatagramLink(link) ? datagramWire(link, wire, signal) : streamWire(link, wire, signal);
}

function streamWire(link: Duplex, wire: Wire, signal: AbortSignal): PacketWire {
  const exchange = createExchange(link, TCP_FRAMES, { idleFlushMs: IDLE_FLUSH_MS }, wire, signal);
  return {
    datagrams: false,
    send: (packet) => exchange.send(tcpFrame(packet)),
    receive: async () => untcp(await exchange.receive(FOREVER_MS, 'packets')),
    get noiseBytes() {
      return exchange.noiseBytes;
    },
    get framesSeen() {
      return exchange.framesSeen;
    },
    get lastBytesTicks() {
      return exchange.lastBytesTicks;
    },
    get firstBytes() {
      return exchange.firstBytes;
    },
    [Symbol.dispose]: () => exchange[Symbol.dispose](),
  };
}

function datagramWire(link: Duplex, wire: Wire, signal: AbortSignal): PacketWire {
  const packets: ReceivedPacket[] = [];
  const bell = createBell();
  let closed: GatewayError | null = null;
  let giveUpSending: ((error: Error) => void) | null = null;
  const seen = { noiseBytes: 0, frames: 0, lastBytesTicks: wire.clock.ticks(), firstBytes: new Uint8Array(0) };
  const spoilt = createTally((count) =>
    wire.note({ code: 'checksum', text: `${count} datagrams with a wrong checksum so far`, data: { count } }),
  );
  const strange = createTally((count) =>
    wire.note({
      code: 'noise',
      text: `${count} datagrams so far are no packets of this protocol`,
      data: { count, window: hexWindow(seen.firstBytes) },
    }),
  );

  const onData = (datagram: Uint8Array): void => {
    seen.lastBytesTicks = wire.clock.ticks();
    if (seen.firstBytes.length === 0) seen.firstBytes = Uint8Array.from(datagram.subarray(0, WITNESS_BYTES));
    const packet = datagram.length < HEADER_BYTES ? null : decodePacket(datagram);
    if (packet && packet.checksum !== 'wrong') {
      seen.frames += 1;
      if (packets.length < QUEUE_MAX) packets.push(packet);
      bell.ring();
    } else if (packet && isKnownCommand(packet.command)) spoilt();
    else {
      seen.noiseBytes += datagram.length;
      strange();
    }
  };
  const onGone = (error?: Error): void => {
    closed ??= fail('link-closed', {}, error);
    giveUpSending?.(closed);
    bell.ring();
  };
  const onEnd = (): void => onGone();
  link.on('data', onData);
  link.on('error', onGone);
  link.on('end', onEnd);
  link.on('close', onEnd);
  if (link.destroyed) onGone();

  return {
    datagrams: true,
    async send(packet) {
      signal.throwIfAborted();
      if (closed) throw closed;
      const written = new Promise<void>((resolve, reject) => {
        giveUpSending = reject;
        link.write(encodePacket(packet), (error) => (error ? reject(fail('link-closed', {}, error)) : resolve()));
      });
      if ((await within(wire.clock, SEND_TIMEOUT_MS, signal, written)) === 'late')
        throw fail('link-silent', { ms: SEND_TIMEOUT_MS, waitingFor: 'room to write', waitingForZh: '等待写入' });
    },
    async receive() {
      for (;;) {
        signal.throwIfAborted();
        const packet = packets.shift();
        if (packet) return packet;
        if (closed) throw closed;
        await within(wire.clock, FOREVER_MS, signal, bell.next());
      }
    },
    get noiseBytes() {
      return seen.noiseBytes;
    },
    get framesSeen() {
      return seen.frames;
    },
    get lastBytesTicks() {
      return seen.lastBytesTicks;
    },
    get firstBytes() {
      return seen.firstBytes;
    },
    [Symbol.dispose]() {
      link.off('data', onData);
      link.off('error', onGone);
      link.off('end', onEnd);
      link.off('close', onEnd);
      // A link may still fail after we have stopped listening; that is nobody's error any more.
      link.on('error', () => undefined);
      onGone();
    },
  };
}
