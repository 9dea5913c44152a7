/**
 * A recorded stream of one direction cut into packets. TCP says where a packet ends; of datagrams written one after the other
 * nothing says it, so there a packet ends where its checksum is right and another packet or the end follows. The stream itself
 * tells which of the two it is, with its first packet. Whatever belongs to no packet is noise; all bytes come out, in order.
 */
import { createFramer } from '../framing.js';
import { decodePacket, HEADER_BYTES, TCP_FRAMES, TCP_PREFIX_BYTES, type ReceivedPacket } from './codec.js';
import { isKnownCommand } from './codes.js';

export type PacketCut =
  | {
      readonly kind: 'packet';
      readonly bytes: Uint8Array;
      /** Bytes before the packet: the TCP prefix or none. */
      readonly prefixBytes: number;
      readonly packet: ReceivedPacket;
    }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array };

export interface PacketCutter {
  push(chunk: Uint8Array): readonly PacketCut[];
  end(): readonly PacketCut[];
}

/** No datagram of this protocol is longer. */
const DATAGRAM_BYTES_MAX = 4096;
const MAGIC = [0x50, 0x50, 0x82, 0x7d] as const;

/** How far the search for the end of one datagram has come. */
interface Search {
  length: number;
  sum: number;
  /** A length with the right checksum, after which nothing known follows. */
  doubtful: number | null;
}
type Found = number | 'more' | 'none';

const word = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
const magicAt = (bytes: Uint8Array, at: number): 'yes' | 'no' | 'more' => {
  for (let index = 0; index < MAGIC.length; index += 1) {
    if (at + index >= bytes.length) return 'more';
    if (bytes[at + index] !== MAGIC[index]) return 'no';
  }
  return 'yes';
};

/** Goes on with `search` for the end of the datagram at the beginning of `bytes`. */
function findEnd(bytes: Uint8Array, search: Search, final: boolean, doubtfulToo: boolean): Found {
  const told = word(bytes, 2);
  for (; search.length <= Math.min(bytes.length, DATAGRAM_BYTES_MAX); search.length += 1) {
    const { length } = search;
    // The sum of all whole words before, and of a last odd byte.
    if (length % 2 === 0 && length > HEADER_BYTES) search.sum += word(bytes, length - 2);
    let sum = search.sum + (length % 2 === 1 ? (bytes[length - 1] ?? 0) : 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    const off = (told - (~sum & 0xffff) + 0x10000) % 0x10000;
    if (off > 1 && off !== 0xffff) continue;
    const after = bytes.length - length;
    if (after >= HEADER_BYTES ? isKnownCommand(word(bytes, length)) : final && after === 0) return length;
    if (after < HEADER_BYTES && !final) {
      // This length is looked at once more when what follows is here.
      if (length % 2 === 0 && length > HEADER_BYTES) search.sum -= word(bytes, length - 2);
      return 'more';
    }
    search.doubtful ??= length;
  }
  if (!final && bytes.length < DATAGRAM_BYTES_MAX + HEADER_BYTES) return 'more';
  return doubtfulToo && search.doubtful !== null ? search.doubtful : 'none';
}

const newSearch = (bytes: Uint8Array): Search => ({
  length: HEADER_BYTES,
  sum: word(bytes, 0) + word(bytes, 4) + word(bytes, 6),
  doubtful: null,
});

export function createPacketCutter(): PacketCutter {
  const framer = createFramer(TCP_FRAMES);
  let mode: 'unknown' | 'stream' | 'datagrams' = 'unknown';
  let buffer: Uint8Array = new Uint8Array(0);
  let search: Search | null = null;

  const framed = (cuts: ReturnType<typeof framer.push>): PacketCut[] =>
    cuts.map((cut) =>
      cut.kind === 'noise'
        ? cut
        : {
            kind: 'packet',
            bytes: cut.bytes,
            prefixBytes: TCP_PREFIX_BYTES,
            packet: decodePacket(cut.bytes.subarray(TCP_PREFIX_BYTES)),
          },
    );

  const scan = (final: boolean): readonly PacketCut[] => {
    const cuts: PacketCut[] = [];
    let [start, noiseFrom] = [0, 0];
    const endNoise = (): void => {
      if (start > noiseFrom) cuts.push({ kind: 'noise', bytes: buffer.slice(noiseFrom, start) });
      noiseFrom = start;
    };
    const keep = (): readonly PacketCut[] => {
      endNoise();
      buffer = buffer.slice(start);
      return cuts;
    };
    while (start < buffer.length) {
      const magic = mode === 'unknown' ? magicAt(buffer, start) : 'no';
      if (magic === 'more' && !final) return keep();
      if (magic === 'yes') {
        mode = 'stream';
        endNoise();
        const rest = buffer.subarray(start);
        buffer = new Uint8Array(0);
        return [...cuts, ...framed(framer.push(rest)), ...(final ? framed(framer.flush()) : [])];
      }
      const left = buffer.subarray(start);
      const header = left.length >= HEADER_BYTES;
      if (!header && !final) return keep();
      if (!header || !isKnownCommand(word(left, 0))) {
        start += 1;
        continue;
      }
      search ??= newSearch(left);
      const found = findEnd(left, search, final, mode === 'datagrams');
      if (found === 'more') return keep();
      search = null;
      if (found === 'none') start += 1;
      else {
        mode = 'datagrams';
        endNoise();
        const bytes = left.slice(0, found);
        cuts.push({ kind: 'packet', bytes, prefixBytes: 0, packet: decodePacket(bytes) });
        start += found;
        noiseFrom = start;
      }
    }
    return keep();
  };

  return {
    push(chunk) {
      if (mode === 'stream') return framed(framer.push(chunk));
      buffer = buffer.length === 0 ? Uint8Array.from(chunk) : Buffer.concat([buffer, chunk]);
      return scan(false);
    },
    end: () => (mode === 'stream' ? framed(framer.flush()) : scan(true)),
  };
}
