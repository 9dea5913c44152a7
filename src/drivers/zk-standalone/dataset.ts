/**
 * Reading one data set (users, attendance log) in whichever of the three ways the terminal answers: prepared and
 * fetched in chunks, one small packet, or the old direct read. One chunk is asked at a time; bytes are counted, never
 * packets; only silence ends the waiting, never total time. Every path gives the same thing: parts of the set, in
 * order, without gaps, whose first four bytes are its length.
 */
import { Reader } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { Clock } from '../../core/time.js';
import type { Finding } from '../driver.js';
import { COMMAND, commandName, isRefusal } from './codes.js';
import { decodePrepared, encodeChunkRequest, encodeDataRequest, NO_DATA, type ReceivedPacket } from './codec.js';
import { unlessSilent, type Conversation, type RequestOptions, type Turn } from './conversation.js';

export interface DataSetRequest {
  /** 13 attendance, 9 users. */
  readonly command: number;
  /** Function number: 0 or 1 attendance, 5 users. */
  readonly what: number;
}

export interface DataSetContext {
  readonly conversation: Conversation;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly silenceMs: number;
  readonly note: (finding: Finding) => void;
}

export interface DataSet {
  /** Bytes of the records, without the four bytes of length. */
  readonly totalBytes: number;
  /** The records' bytes in parts, each as it arrives. The last part ends exactly at `totalBytes`. */
  parts(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Tells the terminal to forget its copy of the set. */
  free(): Promise<void>;
}

export const EMPTY_SET: DataSet = {
  totalBytes: 0,
  // eslint-disable-next-line @typescript-eslint/no-empty-function
  async *parts() {},
  free: async () => undefined,
};

/** Largest chunk a terminal gives on TCP. */
const CHUNK_BYTES_MAX = 0xffc0;
const CHUNK_TRIES = 4;
const LENGTH_BYTES = 4;
const SET_BYTES_MAX = 64 * 1024 * 1024;
const BUSY_PAUSE_MS = 1000;
const CLOSING_ACK_MS = 2000;

type Opened =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'prepared'; readonly sizeBytes: number }
  | { readonly kind: 'refused' };

/** Throws `bad-reply` when the terminal refuses or answers nonsense, `link-silent` when it does not answer. */
export async function openDataSet(context: DataSetContext, request: DataSetRequest): Promise<DataSet> {
  const name = commandName(request.command);
  const opened = await openAnyWay(context, request, name);
  if (opened.kind === 'refused')
    throw fail('bad-reply', { request: name, reason: 'the terminal refuses to read it', reasonZh: '考勤机拒绝读取' });
  return opened.kind === 'whole' ? wholeSet(context, opened.bytes, name) : preparedSet(context, opened.sizeBytes, name);
}

async function openAnyWay(context: DataSetContext, request: DataSetRequest, name: string): Promise<Opened> {
  const data = encodeDataRequest(request.command, request.what);
  const first = await openOnce(context, COMMAND.DATA_WRRQ, data, name);
  if (first.kind !== 'refused') return first;
  // A busy terminal refuses as an old one does: ask once more before falling back to the way of old firmware.
  await context.clock.sleep(BUSY_PAUSE_MS, context.signal);
  const second = await openOnce(context, COMMAND.DATA_WRRQ, data, name);
  if (second.kind !== 'refused') return second;
  const direct = request.command === COMMAND.USERTEMP_RRQ ? Uint8Array.of(request.what) : NO_DATA;
  return openOnce(context, request.command, direct, name);
}

const readOptions = (context: DataSetContext): RequestOptions => ({
  timeoutMs: context.silenceMs,
  bytesAreLife: true,
});

async function openOnce(context: DataSetContext, command: number, data: Uint8Array, name: string): Promise<Opened> {
  const open = (): Promise<Gathered & { readonly opened: Opened }> =>
    context.conversation.stream(command, data, readOptions(context), async (first, turn) => {
      const trusted = context.conversation.trusts(first);
      if (isRefusal(first.command)) return { opened: { kind: 'refused' }, bytes: NO_DATA, trusted };
      if (first.command === COMMAND.ACK_OK) {
        const sizeBytes = decodePrepared(first.data);
        const opened: Opened = sizeBytes === null ? { kind: 'whole', bytes: NO_DATA } : { kind: 'prepared', sizeBytes };
        return { opened, bytes: first.data, trusted };
      }
      const gathered = await gather(context, first, turn, name, SET_BYTES_MAX);
      return { ...gathered, opened: { kind: 'whole', bytes: gathered.bytes } };
    });
  return (await believed(context, name, open)).opened;
}

interface Gathered {
  readonly bytes: Uint8Array;
  /** Whether every packet had a checksum to believe. */
  readonly trusted: boolean;
}

/**
 * Repeats a reading that was lost, spoilt or refused. A reading with a wrong checksum is believed when a second one
 * has the same bytes: then it is the terminal's arithmetic and not the line.
 */
async function believed<T extends Gathered>(context: DataSetContext, name: string, read: () => Promise<T>): Promise<T> {
  let doubtful: T | null = null;
  let lost: GatewayError | null = null;
  for (let left = CHUNK_TRIES; left > 0; left -= 1) {
    try {
      const found = await read();
      if (found.trusted) return found;
      if (doubtful && Buffer.compare(doubtful.bytes, found.bytes) === 0) {
        context.conversation.ignoreChecksums();
        return found;
      }
      doubtful = found;
    } catch (error) {
      if (!(error instanceof GatewayError) || !['link-silent', 'bad-reply'].includes(error.code)) throw error;
      lost = error;
    }
  }
  throw (
    lost ??
    fail('bad-reply', {
      request: name,
      reason: 'its checksums were wrong and no two readings agree',
      reasonZh: '校验和错误，且多次读取结果不一致',
    })
  );
}

/** All DATA of one answer: a single DATA packet, or PREPARE_DATA, DATA ..., ACK_OK. */
async function gather(
  context: DataSetContext,
  first: ReceivedPacket,
  turn: Turn,
  name: string,
  bytesMax: number,
): Promise<Gathered> {
  const trusts = (packet: ReceivedPacket): boolean => context.conversation.trusts(packet);
  if (first.command === COMMAND.DATA) return { bytes: first.data, trusted: trusts(first) };
  if (first.command !== COMMAND.PREPARE_DATA)
    throw fail('bad-reply', { request: name, reason: commandName(first.command) });
  const promised = new Reader(first.data, 'little').u32();
  if (promised > bytesMax)
    throw fail('bad-reply', {
      request: name,
      reason: `it promises ${promised} bytes`,
      reasonZh: `声明的长度为 ${promised} 字节`,
    });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let trusted = trusts(first);
  while (bytes < promised) {
    const packet = await turn.next();
    if (packet.command !== COMMAND.DATA) {
      // The closing ACK before all bytes came: what is there is in order, the rest is asked for by the caller.
      if (packet.command === COMMAND.ACK_OK) return { bytes: Buffer.concat(pieces), trusted };
      throw fail('bad-reply', {
        request: name,
        reason: `${commandName(packet.command)} between its data`,
        reasonZh: `数据中夹有 ${commandName(packet.command)}`,
      });
    }
    pieces.push(packet.data);
    bytes += packet.data.length;
    trusted &&= trusts(packet);
  }
  await unlessSilent(turn.next(CLOSING_ACK_MS));
  if (bytes > promised)
    throw fail('bad-reply', {
      request: name,
      reason: `${bytes} bytes instead of ${promised}`,
      reasonZh: `收到 ${bytes} 字节，应为 ${promised} 字节`,
    });
  return { bytes: pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces), trusted };
}

/** The length at the head of a set, compared with what came or was promised. */
function checkedTotal(context: DataSetContext, told: number, present: number, name: string): number {
  if (told === present) return present;
  context.note({
    code: 'count-mismatch',
    text: `the set of ${name} says ${told} bytes, and there are ${present}`,
    data: { told, present },
  });
  return Math.min(told, present);
}

function wholeSet(context: DataSetContext, bytes: Uint8Array, name: string): DataSet {
  const empty = bytes.length < LENGTH_BYTES;
  const present = empty ? 0 : bytes.length - LENGTH_BYTES;
  const totalBytes = empty ? 0 : checkedTotal(context, new Reader(bytes, 'little').u32(), present, name);
  return {
    totalBytes,
    async *parts() {
      if (totalBytes > 0) yield bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + totalBytes);
    },
    free: async () => undefined,
  };
}

async function preparedSet(context: DataSetContext, sizeBytes: number, name: string): Promise<DataSet> {
  if (sizeBytes > SET_BYTES_MAX)
    throw fail('bad-reply', {
      request: name,
      reason: `it promises ${sizeBytes} bytes`,
      reasonZh: `声明的长度为 ${sizeBytes} 字节`,
    });
  const free = async (): Promise<void> => {
    // All bytes are here by now: a terminal that does not answer this has lost us nothing.
    await unlessSilent(context.conversation.request(COMMAND.FREE_DATA, NO_DATA, { timeoutMs: 5000, tries: 1 }));
  };
  const chunk = async (start: number): Promise<Uint8Array> => {
    const length = Math.min(CHUNK_BYTES_MAX, sizeBytes - start);
    const read = (): Promise<Gathered> =>
      context.conversation.stream(
        COMMAND.DATA_RDY,
        encodeChunkRequest(start, length),
        readOptions(context),
        async (first, turn) => {
          const gathered = await gather(context, first, turn, name, length);
          if (gathered.bytes.length === 0 || gathered.bytes.length > length) {
            const reason = `${gathered.bytes.length} bytes for a chunk of ${length}`;
            throw fail('bad-reply', { request: name, reason });
          }
          return gathered;
        },
      );
    return (await believed(context, name, read)).bytes;
  };

  const first = sizeBytes < LENGTH_BYTES ? NO_DATA : await headOf(chunk);
  const empty = first.length < LENGTH_BYTES;
  const present = empty ? 0 : sizeBytes - LENGTH_BYTES;
  const totalBytes = empty ? 0 : checkedTotal(context, new Reader(first, 'little').u32(), present, name);
  return {
    totalBytes,
    async *parts() {
      const end = LENGTH_BYTES + totalBytes;
      let part = first.subarray(LENGTH_BYTES, end);
      let at = first.length;
      if (part.length > 0) yield part;
      while (at < end) {
        part = await chunk(at);
        at += part.length;
        yield part.subarray(0, part.length - Math.max(0, at - end));
      }
    },
    free,
  };
}

/** The first chunk, with at least the four bytes of length in it, however short a terminal cuts it. */
async function headOf(chunk: (start: number) => Promise<Uint8Array>): Promise<Uint8Array> {
  let head = await chunk(0);
  while (head.length < LENGTH_BYTES) head = Buffer.concat([head, await chunk(head.length)]);
  return head;
}
