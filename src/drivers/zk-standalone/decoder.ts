/**
 * Reads a recorded stream of either direction, for `rollcall decode` and for captures: every packet as a message, and
 * the punches in it. A stream of one side does not say what was asked, so the layout of a data set is told by its
 * looks and by the last counter seen. Comm keys and the passwords in user records are never shown.
 * Captures of TCP and of UDP are both read.
 */
import { Reader } from '../../core/bytes.js';
import type { Decoded, Decoder } from '../driver.js';
import { COMMAND, commandName, EVENT_ATTENDANCE } from './codes.js';
import { decodePrepared, type ReceivedPacket } from './codec.js';
import { createPacketCutter, type PacketCut } from './cutting.js';
import { attendanceLayout, looksLikeUsers, stateComesFirst, userLayout } from './layout.js';
import type { ZkOptions } from './options.js';
import { createUserTable, makePunch, type UserTable } from './punches.js';
import {
  decodeAttendance,
  decodeEvent,
  decodeSizes,
  decodeTime,
  decodeUser,
  type Attendance,
  type RecordBytes,
} from './records.js';
import { decodeText } from './text.js';

interface Collecting {
  promised: number;
  readonly pieces: Uint8Array[];
  bytes: number;
}

type Fields = Record<string, unknown>;

export function createDecoder(options: ZkOptions, from: 'device' | 'gateway'): Decoder {
  const cutter = createPacketCutter();
  const punchesOf = from === 'device' ? createPunchReader(options) : (): Decoded[] => [];
  const cuts = (found: readonly PacketCut[]): Decoded[] =>
    found.flatMap((cut): Decoded[] => {
      if (cut.kind === 'noise') return [{ kind: 'noise', bytes: cut.bytes, reason: 'belongs to no packet' }];
      const { packet } = cut;
      const event = packet.command === COMMAND.REG_EVENT && from === 'device';
      const name = event ? 'EVENT' : commandName(packet.command);
      return [
        { kind: 'message', name, fields: fieldsOf(packet, from, options), bytes: cut.bytes },
        ...punchesOf(packet),
      ];
    });
  return { push: (chunk) => cuts(cutter.push(chunk)), end: () => cuts(cutter.end()) };
}

function fieldsOf(packet: ReceivedPacket, from: 'device' | 'gateway', options: ZkOptions): Fields {
  const { command, session, reply, data } = packet;
  const fields: Fields = { session, reply };
  if (packet.checksum !== 'exact') fields.checksum = packet.checksum;
  if (data.length > 0) fields.dataBytes = data.length;
  const words = (names: readonly string[], at = 0): void =>
    names.forEach((name, index) => {
      if (data.length >= at + 4 * index + 4) fields[name] = new Reader(data, 'little', at + 4 * index).u32();
    });
  if (command === COMMAND.PREPARE_DATA) words(['bytes', 'bytesInPacket']);
  if (command === COMMAND.DATA_RDY) words(['start', 'length']);
  if (command === COMMAND.REG_EVENT && from === 'gateway') words(['mask']);
  if (command === COMMAND.SET_TIME && data.length >= 4) fields.time = decodeTime(new Reader(data, 'little').u32());
  if (command === COMMAND.DATA_WRRQ && data.length >= 7) {
    fields.set = commandName(new Reader(data, 'little', 1).u16());
    words(['function'], 3);
  }
  if (command === COMMAND.OPTIONS_RRQ) fields.option = decodeText(data, options.encoding);
  if (from === 'device' && command === COMMAND.ACK_OK) Object.assign(fields, answerFields(data, options));
  return fields;
}

/** What an ACK_OK carries depends on the request, which this side of the stream does not show; its form tells mostly. */
function answerFields(data: Uint8Array, options: ZkOptions): Fields {
  if (data.length === 80 || data.length === 92) return { sizes: decodeSizes(data) };
  if (data.length === 13 && data[0] === 0) return { prepared: decodePrepared(data) };
  if (data.length === 4) return { time: decodeTime(new Reader(data, 'little').u32()) };
  const text = decodeText(data, options.encoding);
  return /^[\x20-\x7e]{3,}$/.test(text) ? { text } : {};
}

/** Follows the data sets of one stream and gives the punches of each as soon as it is whole. */
function createPunchReader(options: ZkOptions): (packet: ReceivedPacket) => Decoded[] {
  let count: number | null = null;
  let set: Collecting | null = null;
  let users: UserTable | null = null;

  const punches = (records: readonly Attendance[], source: 'poll' | 'realtime'): Decoded[] =>
    records.flatMap((record): Decoded[] => {
      const made = makePunch(record, { users, directionMap: options.directionMap, source });
      return made ? [{ kind: 'punch', punch: made.punch }] : [];
    });
  const finished = (bytes: Uint8Array): Decoded[] => {
    set = null;
    if (bytes.length < 4) return [];
    const total = Math.min(new Reader(bytes, 'little').u32(), bytes.length - 4);
    const body = bytes.subarray(4, 4 + total);
    const userSize = looksLikeUsers(body) ? userLayout(body, total, null).size : null;
    if (userSize !== null) {
      users = createUserTable(slices(body, userSize).map((raw) => decodeUser(raw, options.encoding)));
      return [];
    }
    const size = options.recordBytes === 'auto' ? attendanceLayout(body, total, count).size : options.recordBytes;
    return size === null ? [] : punches(recordsOf(body, size, options), 'poll');
  };

  return ({ command, session, data }) => {
    if (command === COMMAND.REG_EVENT)
      return (session & EVENT_ATTENDANCE) === 0 ? [] : punches(decodeEvent(data, options.encoding) ?? [], 'realtime');
    if (command === COMMAND.ACK_OK && (data.length === 80 || data.length === 92)) count = decodeSizes(data).records;
    if (command === COMMAND.ACK_OK && data.length === 13 && data[0] === 0)
      set = { promised: decodePrepared(data) ?? 0, pieces: [], bytes: 0 };
    if (command === COMMAND.PREPARE_DATA && data.length >= 4)
      set ??= { promised: new Reader(data, 'little').u32(), pieces: [], bytes: 0 };
    if (command !== COMMAND.DATA) return [];
    if (!set) return finished(data);
    set.pieces.push(data);
    set.bytes += data.length;
    return set.bytes >= set.promised ? finished(Buffer.concat(set.pieces)) : [];
  };
}

function slices(body: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.floor(body.length / size) }, (_, index) =>
    body.subarray(index * size, (index + 1) * size),
  );
}

function recordsOf(body: Uint8Array, size: RecordBytes, options: ZkOptions): Attendance[] {
  const stateFirst =
    size === 16 &&
    (options.verifyStateOrder === 'state-first' || (options.verifyStateOrder === 'auto' && stateComesFirst(body)));
  return slices(body, size).map((raw) => decodeAttendance(raw, stateFirst, options.encoding));
}
