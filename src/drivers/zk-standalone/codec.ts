/**
 * Packets of the ZKTeco standalone protocol, as bytes and as values. Pure. A packet is the same on TCP and UDP; TCP puts
 * eight bytes before it, and only `TCP_FRAMES` and `tcpFrame` know of them.
 *
 *   TCP   50 50 82 7D | u32 length      then the packet
 *         u16 command | u16 checksum | u16 session | u16 reply | data
 *
 * Little-endian everywhere. A wrong checksum is a value (`checksum: 'wrong'`), never an exception: on TCP the transport
 * has a checksum of its own, and clients in the field compute this one differently by one.
 */
import { Reader, Writer } from '../../core/bytes.js';
import type { FrameRule } from '../framing.js';

export interface Packet {
  readonly command: number;
  /** In an answer: the session. In DATA: a running packet index. In an event: the event code. In STATE: the state. */
  readonly session: number;
  readonly reply: number;
  readonly data: Uint8Array;
}

export interface ReceivedPacket extends Packet {
  /** `near`: off by one, as several widespread clients and firmwares compute it. */
  readonly checksum: 'exact' | 'near' | 'wrong';
}

export const HEADER_BYTES = 8;
export const TCP_PREFIX_BYTES = 8;
const TCP_MAGIC = [0x50, 0x50, 0x82, 0x7d] as const;
const PACKET_BYTES_MAX = 1024 * 1024;
export const NO_DATA: Uint8Array = new Uint8Array(0);

/** Sum of little-endian 16-bit words with end-around carry, complemented; the checksum field counts as zero. */
export function checksum(packet: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < packet.length; at += 2) {
    if (at !== 2) sum += (packet[at] ?? 0) | ((packet[at + 1] ?? 0) << 8);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

export function encodePacket(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + packet.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, packet.command, true);
  view.setUint16(4, packet.session, true);
  view.setUint16(6, packet.reply, true);
  bytes.set(packet.data, HEADER_BYTES);
  view.setUint16(2, checksum(bytes), true);
  return bytes;
}

/** Throws `short-frame` below eight bytes. */
export function decodePacket(bytes: Uint8Array): ReceivedPacket {
  const reader = new Reader(bytes, 'little');
  const command = reader.u16();
  const told = reader.u16();
  const session = reader.u16();
  const reply = reader.u16();
  const off = (told - checksum(bytes) + 0x10000) % 0x10000;
  return {
    command,
    session,
    reply,
    data: reader.rest(),
    checksum: off === 0 ? 'exact' : off === 1 || off === 0xffff ? 'near' : 'wrong',
  };
}

/** A packet with its TCP prefix. */
export function tcpFrame(packet: Packet): Uint8Array {
  const bytes = encodePacket(packet);
  return new Writer('little').raw(Uint8Array.from(TCP_MAGIC)).u32(bytes.length).raw(bytes).bytes();
}

/** The packet in a complete TCP frame. */
export function untcp(frame: Uint8Array): ReceivedPacket {
  return decodePacket(frame.subarray(TCP_PREFIX_BYTES));
}

/** A frame is told by its magic and a length of 8 bytes to 1 MiB. The checksum does not decide (see above). */
export const TCP_FRAMES: FrameRule = {
  sizeBytesMax: TCP_PREFIX_BYTES + PACKET_BYTES_MAX,
  measure(at) {
    for (let index = 0; index < Math.min(at.length, TCP_MAGIC.length); index += 1) {
      if (at[index] !== TCP_MAGIC[index]) return 'no';
    }
    if (at.length < TCP_PREFIX_BYTES) return 'more';
    const length = new Reader(at, 'little', 4).u32();
    return length < HEADER_BYTES || length > PACKET_BYTES_MAX ? 'no' : TCP_PREFIX_BYTES + length;
  },
  check: () => true,
};

/** Data of AUTH: the comm key (0 to 999999), scrambled with the session id. `tick` is 50 in every known client. */
export function scrambleCommKey(commKey: number, session: number, tick = 50): Uint8Array {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) reversed = (reversed << 1) | ((commKey >>> bit) & 1);
  const mixed = ((reversed >>> 0) + session) >>> 0;
  const byte = (index: number): number => ((mixed >>> (8 * index)) & 0xff) ^ (0x4f534b5a >>> (8 * index));
  return Uint8Array.of(byte(2) ^ tick, byte(3) ^ tick, tick, byte(1) ^ tick);
}

/** Data of DATA_WRRQ: 1, command, function, extra 0. */
export function encodeDataRequest(command: number, what: number): Uint8Array {
  return new Writer('little').u8(1).u16(command).u32(what).u32(0).bytes();
}

/** Data of DATA_RDY. */
export function encodeChunkRequest(start: number, length: number): Uint8Array {
  return new Writer('little').u32(start).u32(length).bytes();
}

/** Bytes that a prepared answer (ACK_OK with at least five bytes: 0, size, size again) promises; null when it is another thing. */
export function decodePrepared(data: Uint8Array): number | null {
  return data.length < 5 ? null : new Reader(data, 'little', 1).u32();
}
