/**
 * Reading one data set (users, attendance log) in whichever of the three ways the terminal answers: prepared and
 * fetched in chunks, one small packet, or the old direct read. One chunk is asked at a time; bytes are counted, never
 * packets; only silence ends the waiting, never total time. Every path gives the same thing: parts of the set, in
 * order, without gaps, whose first four bytes are its length.
 */
import { Reader } from '../../core/bytes.js';
import { fail, type GatewayError } from '../../core/errors.js';
import { COMMAND, commandName, isRefusal } from './codes.js';
import { decodePrepared, encodeChunkRequest, encodeDataRequest, NO_DATA } from './codec.js';
import { unlessSilent, type RequestOptions } from './conversation.js';
import { DATAGRAM_CHUNK_BYTES } from './desk.js';
import {
  believed,
  gather,
  isLost,
  refusedAnswer,
  type DataSetContext,
  type Gathered,
  type Wanted,
} from './gathering.js';

export interface DataSetRequest {
  /** 13 attendance, 9 users. */
  readonly command: number;
  /** Function number: 0 or 1 attendance, 5 users. */
  readonly what: number;
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
/** Smallest chunk worth asking for over datagrams: one datagram of data. */
const CHUNK_BYTES_MIN = 1024;
/** Over datagrams a chunk is asked for once and three times more. */
const CHUNK_TRIES = 4;
const LENGTH_BYTES = 4;
const SET_BYTES_MAX = 64 * 1024 * 1024;
const BUSY_PAUSE_MS = 1000;
/** How much of what was read is compared when a set had to be prepared anew. */
const OVERLAP_BYTES = 512;

type Opened =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'prepared'; readonly sizeBytes: number }
  | { readonly kind: 'refused' };

/**
 * Opens a set. With `inTurn` false the caller is already in its turn at the desk, and stays there until the set is read.
 * Throws `bad-reply` when the terminal refuses or answers nonsense, `link-silent` when it does not answer.
 */
export async function openDataSet(
  context: DataSetContext,
  request: DataSetRequest,
  { inTurn = true }: { readonly inTurn?: boolean } = {},
): Promise<DataSet> {
  const name = commandName(request.command);
  const turn = <T>(work: () => Promise<T>): Promise<T> => (inTurn ? context.desk.inTurn(work) : work());
  return turn(async () => {
    const opened = await openAnyWay(context, request, name);
    if (opened.kind === 'refused') throw refusedAnswer(name, 'the terminal refuses to read it', '考勤机拒绝读取');
    return opened.kind === 'whole'
      ? wholeSet(context, opened.bytes, name)
      : preparedSet(context, request, opened.sizeBytes, turn);
  });
}

async function openAnyWay(context: DataSetContext, request: DataSetRequest, name: string): Promise<Opened> {
  const { desk } = context;
  // Whatever comes of this, the terminal has forgotten the set that it had prepared.
  desk.holder = null;
  if (!desk.direct) {
    const data = encodeDataRequest(request.command, request.what);
    const first = await openOnce(context, COMMAND.DATA_WRRQ, data, name);
    if (first.kind !== 'refused') return first;
    // A busy terminal refuses as an old one does: ask once more before falling back to the way of old firmware.
    await context.clock.sleep(BUSY_PAUSE_MS, context.signal);
    const second = await openOnce(context, COMMAND.DATA_WRRQ, data, name);
    if (second.kind !== 'refused') return second;
  }
  const direct = request.command === COMMAND.USERTEMP_RRQ ? Uint8Array.of(request.what) : NO_DATA;
  const opened = await openOnce(context, request.command, direct, name);
  desk.direct = opened.kind !== 'refused';
  return opened;
}

const readOptions = (context: DataSetContext): RequestOptions => ({
  timeoutMs: context.silenceMs,
  bytesAreLife: true,
});

async function openOnce(context: DataSetContext, command: number, data: Uint8Array, name: string): Promise<Opened> {
  const wanted: Wanted = {
    name,
    bytesMax: SET_BYTES_MAX,
    lengthOf: (head) => (head.length < LENGTH_BYTES ? head.length : LENGTH_BYTES + new Reader(head, 'little').u32()),
    partial: false,
  };
  const open = (): Promise<Gathered & { readonly opened: Opened }> =>
    context.conversation.stream(command, data, readOptions(context), async (first, turn) => {
      const trusted = context.conversation.trusts(first);
      if (isRefusal(first.command)) return { opened: { kind: 'refused' }, bytes: NO_DATA, trusted };
      if (first.command === COMMAND.ACK_OK) {
        const sizeBytes = decodePrepared(first.data);
        const opened: Opened = sizeBytes === null ? { kind: 'whole', bytes: NO_DATA } : { kind: 'prepared', sizeBytes };
        return { opened, bytes: first.data, trusted };
      }
      const gathered = await gather(context, first, turn, wanted);
      return { ...gathered, opened: { kind: 'whole', bytes: gathered.bytes } };
    });
  return (await believed(context, name, open)).opened;
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

type ReadChunk = (start: number) => Promise<Uint8Array>;

async function preparedSet(
  context: DataSetContext,
  request: DataSetRequest,
  sizeBytes: number,
  turn: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<DataSet> {
  const { desk, conversation } = context;
  const name = commandName(request.command);
  if (sizeBytes > SET_BYTES_MAX)
    throw refusedAnswer(name, `it promises ${sizeBytes} bytes`, `声明的长度为 ${sizeBytes} 字节`);
  const me = {};
  desk.holder = me;
  const chunk: ReadChunk = conversation.datagrams
    ? (start) => datagramChunk(context, name, start, sizeBytes)
    : async (start) => {
        const length = Math.min(CHUNK_BYTES_MAX, sizeBytes - start);
        return (await believed(context, name, () => readChunk(context, name, start, length))).bytes;
      };
  /** The part that begins at `at`. `before` are the last bytes read, for when somebody else has used the desk meanwhile. */
  const part = async (at: number, before: Uint8Array): Promise<Uint8Array> => {
    if (desk.holder === me) return chunk(at);
    const again = await openAnyWay(context, request, name);
    if (again.kind !== 'prepared' || again.sizeBytes < sizeBytes) throw changed(name);
    desk.holder = me;
    const found = await chunk(at - before.length);
    const overlap = Math.min(before.length, found.length);
    if (Buffer.compare(found.subarray(0, overlap), before.subarray(0, overlap)) !== 0) throw changed(name);
    return found.length > before.length ? found.subarray(before.length) : chunk(at);
  };

  const first = sizeBytes < LENGTH_BYTES ? NO_DATA : await headOf(chunk);
  const empty = first.length < LENGTH_BYTES;
  const present = empty ? 0 : sizeBytes - LENGTH_BYTES;
  const totalBytes = empty ? 0 : checkedTotal(context, new Reader(first, 'little').u32(), present, name);
  return {
    totalBytes,
    async *parts() {
      const end = LENGTH_BYTES + totalBytes;
      let piece = first.subarray(LENGTH_BYTES, end);
      let at = first.length;
      if (piece.length > 0) yield piece;
      let last = first.subarray(LENGTH_BYTES);
      while (at < end) {
        last = await turn(() => part(at, last.subarray(-OVERLAP_BYTES)));
        at += last.length;
        piece = last.subarray(0, last.length - Math.max(0, at - end));
        yield piece;
      }
    },
    async free() {
      // All bytes are here by now: a terminal that does not answer this has lost us nothing.
      const forget = { timeoutMs: 5000, tries: 1 };
      await turn(async () => {
        if (desk.holder === me) await unlessSilent(conversation.request(COMMAND.FREE_DATA, NO_DATA, forget));
      });
    },
  };
}

/** The log was cleared or has gone round between two parts of one reading; the next session reads it from the beginning. */
function changed(name: string): GatewayError {
  return refusedAnswer(name, 'it changed while it was being read', '读取过程中内容发生了变化');
}

function readChunk(context: DataSetContext, name: string, start: number, length: number): Promise<Gathered> {
  const wanted: Wanted = { name, bytesMax: length, lengthOf: () => length, partial: true };
  return context.conversation.stream(
    COMMAND.DATA_RDY,
    encodeChunkRequest(start, length),
    readOptions(context),
    async (first, turn) => {
      const gathered = await gather(context, first, turn, wanted);
      if (gathered.bytes.length === 0 || gathered.bytes.length > length) {
        const reason = `${gathered.bytes.length} bytes for a chunk of ${length}`;
        throw fail('bad-reply', { request: name, reason });
      }
      return gathered;
    },
  );
}

/** A chunk over datagrams: what came before a gap is kept, and after each loss less is asked for. */
async function datagramChunk(
  context: DataSetContext,
  name: string,
  start: number,
  sizeBytes: number,
): Promise<Uint8Array> {
  const { desk } = context;
  const fewer = (): number => Math.max(CHUNK_BYTES_MIN, Math.floor(desk.chunkBytes / 2));
  let doubtful: Uint8Array | null = null;
  let lost: GatewayError | null = null;
  for (let left = CHUNK_TRIES; left > 0; left -= 1) {
    const length = Math.min(desk.chunkBytes, sizeBytes - start);
    try {
      const found = await readChunk(context, name, start, length);
      if (found.gap) desk.chunkBytes = fewer();
      else if (found.trusted) desk.chunkBytes = Math.min(DATAGRAM_CHUNK_BYTES, 2 * desk.chunkBytes);
      if (found.trusted || (doubtful && Buffer.compare(doubtful, found.bytes) === 0)) return found.bytes;
      doubtful = found.bytes;
    } catch (error) {
      if (!isLost(error)) throw error;
      lost = error;
      desk.chunkBytes = fewer();
    }
  }
  throw lost ?? refusedAnswer(name, 'no two readings of a chunk agree', '多次读取结果不一致');
}

/** The first chunk, with at least the four bytes of length in it, however short a terminal cuts it. */
async function headOf(chunk: ReadChunk): Promise<Uint8Array> {
  let head = await chunk(0);
  while (head.length < LENGTH_BYTES) head = Buffer.concat([head, await chunk(head.length)]);
  return head;
}
