/**
 * Reading the attendance log of one terminal from beginning to end, page by page. Every read is a full read: the
 * protocol has no date filter. The counter asked just before gives the size of a record and the number to compare with;
 * punches may be added while we read, so more than announced is normal and fewer is a finding.
 */
import { GatewayError } from '../../core/errors.js';
import type { PunchRecord } from '../driver.js';
import { COMMAND } from './codes.js';
import { NO_DATA } from './codec.js';
import { EMPTY_SET, openDataSet, type DataSet } from './dataset.js';
import type { DataSetContext } from './gathering.js';
import { attendanceLayout, stateComesFirst, userLayout } from './layout.js';
import type { ZkOptions } from './options.js';
import { createOddities, createUserTable, makePunch, type MadePunch, type UserTable } from './punches.js';
import { decodeAttendance, decodeSizes, decodeUser, type RecordBytes, type Sizes, type User } from './records.js';

export interface LogContext extends DataSetContext {
  readonly options: ZkOptions;
  /** The user table of this session, once read. */
  users: UserTable | null;
  /** Records hold slot numbers only, so every read needs the user table of its moment. */
  slotsOnly: boolean;
  /** Whose slot a record meant, by slot, for logs that hold slot numbers only; kept in the cursor (see `slotsText`). */
  slots: Map<number, string>;
  /** The keypad was locked for a reading and is not known to be free again. */
  keypadLocked: boolean;
  /** Already told that the log is nearly full. */
  memoryLow: boolean;
}

export const PAGE_RECORDS = 1000;
const MEMORY_LOW_SHARE = 0.05;
const FUNCTION_USERS = 5;

export async function readSizes(context: LogContext): Promise<Sizes> {
  const { conversation, options } = context;
  const answer = await conversation.request(COMMAND.GET_FREE_SIZES, NO_DATA, { timeoutMs: options.answerTimeoutMs });
  return decodeSizes(answer.command === COMMAND.ACK_OK ? answer.data : NO_DATA);
}

/** Tells a log that is nearly full, once until it is so no more. */
export function noteMemory(context: LogContext, sizes: Sizes): void {
  const { records, recordCapacity, recordsFree } = sizes;
  if (records === null || !recordCapacity) return;
  const free = recordsFree ?? Math.max(0, recordCapacity - records);
  const low = free < recordCapacity * MEMORY_LOW_SHARE;
  if (low && !context.memoryLow)
    context.note({
      code: 'memory-low',
      text: `the log holds ${records} of ${recordCapacity} records`,
      data: { records, recordCapacity, free },
    });
  context.memoryLow = low;
}

/** A person with the record as the terminal keeps it. It holds the password: it is written back and shown nowhere. */
export interface UserRecord {
  readonly user: User;
  readonly raw: Uint8Array;
}

/** Reads the user table into the context. Unreadable layouts give an empty table and a finding. Waits for its turn. */
export async function readUsers(context: LogContext, sizes: Sizes): Promise<void> {
  await context.desk.inTurn(() => readUserTable(context, sizes));
}

/** Like `readUsers`, for whoever is in turn at the desk already. Null: there are people, in a layout that nobody knows. */
export async function readUserTable(context: LogContext, sizes: Sizes): Promise<readonly UserRecord[] | null> {
  const { options } = context;
  const set = await openDataSet(context, { command: COMMAND.USERTEMP_RRQ, what: FUNCTION_USERS }, { inTurn: false });
  const pieces: Uint8Array[] = [];
  for await (const part of set.parts()) pieces.push(part);
  await set.free();
  const body = Buffer.concat(pieces);
  const layout =
    options.userBytes === 'auto'
      ? userLayout(body, set.totalBytes, sizes.users)
      : { size: options.userBytes, anomaly: null };
  if (layout.anomaly !== null && set.totalBytes > 0)
    context.note({ code: 'unknown-layout', text: `users: ${layout.anomaly}` });
  const records: UserRecord[] = [];
  const { size } = layout;
  for (let at = 0; size !== null && at + size <= body.length; at += size) {
    const raw = body.subarray(at, at + size);
    records.push({ user: decodeUser(raw, options.encoding), raw });
  }
  context.users = createUserTable(
    records.map((record) => record.user),
    context.slots,
  );
  return size === null && set.totalBytes > 0 ? null : records;
}

export interface LogRead {
  readonly announced: number;
  readonly decoded: number;
}

interface Shape {
  readonly size: RecordBytes | null;
  readonly stateFirst: boolean;
}

interface OpenedLog {
  readonly set: DataSet;
  readonly shape: Shape;
  readonly announced: number | null;
  /** The set's bytes from the first on. */
  readonly parts: AsyncIterable<Uint8Array>;
}

/** Opens the log and learns its layout from the first part. */
async function openShaped(context: LogContext, sizes: Sizes): Promise<OpenedLog> {
  if (context.slotsOnly) await readUsers(context, sizes);
  const set = await openLog(context, sizes);
  const parts = set.parts();
  const first = (await parts.next()).value ?? NO_DATA;
  const shape = shapeOf(context, first, set.totalBytes, sizes.records);
  if (shape.size === 8 && !context.slotsOnly) {
    // Users must come first: the terminal keeps one prepared set at a time.
    context.slotsOnly = true;
    await set.free();
    return openShaped(context, await readSizes(context));
  }
  const all = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    if (first.length > 0) yield first;
    yield* parts;
  };
  return { set, shape, announced: sizes.records, parts: all() };
}

/** Yields the punches of the log in pages of at most `PAGE_RECORDS`; returns the counts. */
export async function* readLog(
  context: LogContext,
  sizes: Sizes,
): AsyncGenerator<readonly PunchRecord[], LogRead, undefined> {
  const { set, shape, announced, parts } = await openShaped(context, sizes);
  const oddities = createOddities(context.note);
  let rest: Uint8Array = NO_DATA;
  let decoded = 0;
  for await (const part of parts) {
    if (shape.size === null) continue;
    const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const wholeBytes = bytes.length - (bytes.length % shape.size);
    rest = bytes.subarray(wholeBytes);
    for (let from = 0; from < wholeBytes; from += PAGE_RECORDS * shape.size) {
      const page = decodePage(
        context,
        bytes.subarray(from, Math.min(wholeBytes, from + PAGE_RECORDS * shape.size)),
        shape,
        oddities.see,
      );
      decoded += page.length;
      yield page;
    }
  }
  await set.free();
  oddities.tell();
  if (rest.length > 0)
    context.note({ code: 'count-mismatch', text: `${rest.length} bytes after the last whole record were left` });
  // Where the counter was cut off, what the set itself promises is all we know.
  return { announced: announced ?? (shape.size === null ? 0 : Math.floor(set.totalBytes / shape.size)), decoded };
}

function decodePage(
  context: LogContext,
  bytes: Uint8Array,
  shape: Shape,
  see: (made: MadePunch) => void,
): readonly PunchRecord[] {
  const { options, users } = context;
  const making = { users, directionMap: options.directionMap, source: 'poll' as const };
  const page: PunchRecord[] = [];
  const size = shape.size ?? bytes.length;
  for (let at = 0; at < bytes.length; at += size) {
    const record = decodeAttendance(bytes.subarray(at, at + size), shape.stateFirst, options.encoding);
    const made = makePunch(record, making);
    if (!made) continue;
    see(made);
    page.push(made.punch);
    if (record.userId === null && record.uid !== null && !made.unknownSlot)
      context.slots.set(record.uid, made.punch.deviceUserId);
  }
  return page;
}

/**
 * A log of slot numbers means the people of today's user table. Without this memory the punches of somebody who is deleted
 * would come again under their slot number, and be another person's.
 */
export function slotsText(slots: ReadonlyMap<number, string>): string {
  return JSON.stringify([...slots]);
}

/** Reads `slotsText` back; nothing where the text is not ours. */
export function slotsOf(text: unknown): Map<number, string> {
  if (typeof text !== 'string') return new Map();
  try {
    const pairs: unknown = JSON.parse(text);
    return new Map(
      (Array.isArray(pairs) ? (pairs as unknown[]) : []).flatMap((pair) =>
        Array.isArray(pair) && typeof pair[0] === 'number' && typeof pair[1] === 'string'
          ? [[pair[0], pair[1]] as const]
          : [],
      ),
    );
  } catch {
    return new Map();
  }
}

/** Opens the log with function 0, then 1 where 0 yields nothing though the counter says otherwise. */
async function openLog(context: LogContext, sizes: Sizes): Promise<DataSet> {
  const { attendanceFunction } = context.options;
  const command = COMMAND.ATTLOG_RRQ;
  const first = attendanceFunction === 'auto' ? 0 : attendanceFunction;
  try {
    const set = await openDataSet(context, { command, what: first });
    if (attendanceFunction !== 'auto' || set.totalBytes > 0 || sizes.records === 0) return set;
    await set.free();
    return await openDataSet(context, { command, what: 1 });
  } catch (error) {
    // Some terminals refuse to read a log that is empty.
    if (sizes.records === 0 && error instanceof GatewayError && error.code === 'bad-reply') return EMPTY_SET;
    throw error;
  }
}

function shapeOf(context: LogContext, bytes: Uint8Array, totalBytes: number, count: number | null): Shape {
  const { options } = context;
  const layout =
    options.recordBytes === 'auto'
      ? attendanceLayout(bytes, totalBytes, count)
      : { size: options.recordBytes, anomaly: null };
  if (layout.anomaly !== null && totalBytes > 0)
    context.note({ code: 'unknown-layout', text: `attendance: ${layout.anomaly}`, data: { bytes: totalBytes, count } });
  if (layout.size !== 16) return { size: layout.size, stateFirst: false };
  const swapped = stateComesFirst(bytes);
  if (options.verifyStateOrder === 'auto') return { size: 16, stateFirst: swapped };
  if (swapped && options.verifyStateOrder === 'verify-first')
    context.note({ code: 'odd', text: 'values in the state byte show that verifyStateOrder should be state-first' });
  return { size: 16, stateFirst: options.verifyStateOrder === 'state-first' };
}
