/**
 * The packets of one answer put together to its bytes. On a byte stream they come in order and complete, or not at all. Over
 * datagrams each may be missing, doubled or too early: there the running index in the session field of DATA is what tells, and
 * what lies before a gap is still good. Where a firmware has no index, an answer of several datagrams is believed only when a
 * second reading agrees (`trusted: false`).
 */
import { Reader } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { Clock } from '../../core/time.js';
import type { Finding } from '../driver.js';
import { COMMAND, commandName } from './codes.js';
import { NO_DATA, type ReceivedPacket } from './codec.js';
import { unlessSilent, type Conversation, type Turn } from './conversation.js';
import type { SetDesk } from './desk.js';

export interface DataSetContext {
  readonly conversation: Conversation;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly silenceMs: number;
  readonly note: (finding: Finding) => void;
  readonly desk: SetDesk;
}

export interface Gathered {
  readonly bytes: Uint8Array;
  /** Whether every packet had a checksum to believe, and their order is known. */
  readonly trusted: boolean;
  /** Datagrams are missing after these bytes. */
  readonly gap?: boolean;
}

/** What is asked for: its name for errors, the most bytes it may have, and how long an answer without PREPARE_DATA must be. */
export interface Wanted {
  readonly name: string;
  readonly bytesMax: number;
  /** Length of the whole answer as its first bytes tell it; null when they cannot. */
  lengthOf(head: Uint8Array): number | null;
  /** Whether bytes before a gap are of use. */
  readonly partial: boolean;
}

const READING_TRIES = 4;
const CLOSING_ACK_MS = 2000;
/** Over datagrams: how long what was overtaken may still come after the closing ACK, and the ACK after the last data. */
const STRAGGLER_MS = 300;

export const refusedAnswer = (name: string, reason: string, reasonZh: string): GatewayError =>
  fail('bad-reply', { request: name, reason, reasonZh });

/** Whether asking once more may help. */
export const isLost = (error: unknown): error is GatewayError =>
  error instanceof GatewayError && ['link-silent', 'bad-reply'].includes(error.code);

/**
 * Repeats a reading that was lost, spoilt or refused. A reading that cannot be trusted is believed when a second one has
 * the same bytes: then it is the terminal's arithmetic and not the line.
 */
export async function believed<T extends Gathered>(
  context: DataSetContext,
  name: string,
  read: () => Promise<T>,
): Promise<T> {
  let doubtful: T | null = null;
  let lost: GatewayError | null = null;
  for (let left = READING_TRIES; left > 0; left -= 1) {
    try {
      const found = await read();
      if (found.trusted) return found;
      if (doubtful && Buffer.compare(doubtful.bytes, found.bytes) === 0) {
        if (!context.conversation.datagrams) context.conversation.ignoreChecksums();
        return found;
      }
      doubtful = found;
    } catch (error) {
      if (!isLost(error)) throw error;
      lost = error;
    }
  }
  throw (
    lost ??
    refusedAnswer(name, 'its checksums were wrong and no two readings agree', '校验和错误，且多次读取结果不一致')
  );
}

/** All DATA of one answer: a single DATA packet, or PREPARE_DATA, DATA ..., ACK_OK. */
export function gather(context: DataSetContext, first: ReceivedPacket, turn: Turn, wanted: Wanted): Promise<Gathered> {
  return context.conversation.datagrams
    ? gatherDatagrams(context, first, turn, wanted)
    : gatherStream(context, first, turn, wanted);
}

function promiseOf(packet: ReceivedPacket, { name, bytesMax }: Wanted): number {
  const promised = new Reader(packet.data, 'little').u32();
  if (promised > bytesMax) throw refusedAnswer(name, `it promises ${promised} bytes`, `声明的长度为 ${promised} 字节`);
  return promised;
}

async function gatherStream(
  context: DataSetContext,
  first: ReceivedPacket,
  turn: Turn,
  wanted: Wanted,
): Promise<Gathered> {
  const trusts = (packet: ReceivedPacket): boolean => context.conversation.trusts(packet);
  const { name } = wanted;
  if (first.command === COMMAND.DATA) return { bytes: first.data, trusted: trusts(first) };
  if (first.command !== COMMAND.PREPARE_DATA)
    throw fail('bad-reply', { request: name, reason: commandName(first.command) });
  const promised = promiseOf(first, wanted);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let trusted = trusts(first);
  while (bytes < promised) {
    const packet = await turn.next();
    if (packet.command !== COMMAND.DATA) {
      // The closing ACK before all bytes came: what is there is in order, the rest is asked for by the caller.
      if (packet.command === COMMAND.ACK_OK) return { bytes: Buffer.concat(pieces), trusted };
      const between = commandName(packet.command);
      throw refusedAnswer(name, `${between} between its data`, `数据中夹有 ${between}`);
    }
    pieces.push(packet.data);
    bytes += packet.data.length;
    trusted &&= trusts(packet);
  }
  await unlessSilent(turn.next(CLOSING_ACK_MS));
  if (bytes > promised)
    throw refusedAnswer(name, `${bytes} bytes instead of ${promised}`, `收到 ${bytes} 字节，应为 ${promised} 字节`);
  return { bytes: pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces), trusted };
}

/** The DATA datagrams of one answer, in whatever order they come. */
interface Pile {
  add(packet: ReceivedPacket): void;
  /** Bytes of different datagrams. */
  readonly bytes: number;
  readonly indexed: boolean;
  /** The first bytes of the answer; null while it is not known which they are. */
  head(): Uint8Array | null;
  /** All there is, in order, up to the first gap. */
  run(): Uint8Array;
}

function createPile(session: number): Pile {
  const arrived: ReceivedPacket[] = [];
  const byIndex = new Map<number, Uint8Array>();
  let [arrivedBytes, indexedBytes] = [0, 0];
  let indexed = false;
  return {
    add(packet) {
      if (packet.session !== session) indexed = true;
      arrived.push(packet);
      arrivedBytes += packet.data.length;
      if (byIndex.has(packet.session)) return;
      byIndex.set(packet.session, packet.data);
      indexedBytes += packet.data.length;
    },
    get bytes() {
      return indexed ? indexedBytes : arrivedBytes;
    },
    get indexed() {
      return indexed;
    },
    head: () => (indexed ? byIndex.get(0) : arrived[0]?.data) ?? null,
    run() {
      if (!indexed) return Buffer.concat(arrived.map((packet) => packet.data));
      const pieces: Uint8Array[] = [];
      for (let index = 0; ; index += 1) {
        const piece = byIndex.get(index);
        if (!piece) return Buffer.concat(pieces);
        pieces.push(piece);
      }
    },
  };
}

async function gatherDatagrams(
  context: DataSetContext,
  first: ReceivedPacket,
  turn: Turn,
  wanted: Wanted,
): Promise<Gathered> {
  const { name } = wanted;
  const pile = createPile(context.conversation.session);
  let promised: number | null = null;
  let [datagrams, acknowledged] = [0, false];
  for (let packet: ReceivedPacket | null = first; packet;) {
    if (packet.command === COMMAND.PREPARE_DATA) promised = promiseOf(packet, wanted);
    else if (packet.command === COMMAND.ACK_OK) acknowledged = true;
    else if (packet.command === COMMAND.DATA) {
      pile.add(packet);
      datagrams += 1;
    } else throw fail('bad-reply', { request: name, reason: commandName(packet.command) });
    const head = promised === null ? pile.head() : null;
    const length = promised ?? (head && wanted.lengthOf(head));
    if (length !== null && pile.bytes === length) {
      const bytes = pile.run();
      if (bytes.length === length) {
        if (promised !== null && !acknowledged) await unlessSilent(turn.next(STRAGGLER_MS));
        return { bytes, trusted: pile.indexed || datagrams === 1 };
      }
    }
    packet = await unlessSilent(turn.next(acknowledged ? STRAGGLER_MS : context.silenceMs));
  }
  context.desk.datagramsMissing();
  const bytes = wanted.partial && pile.indexed ? pile.run() : NO_DATA;
  if (bytes.length === 0) throw refusedAnswer(name, 'datagrams were lost', '有数据报丢失');
  return { bytes, trusted: true, gap: true };
}
