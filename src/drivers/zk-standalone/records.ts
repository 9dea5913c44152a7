/**
 * Values inside packets: time, users, attendance records, live events, counters, options. Pure, both directions, so
 * that the simulator and the tests write what the session reads. A record that makes no sense is still a value: dates
 * that do not exist keep their text, codes that are unknown keep their number.
 */
import { Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import { wallTime, type WallTime } from '../../core/time.js';
import { decodeText, encodeText, type TextEncoding } from './text.js';

export type RecordBytes = 8 | 16 | 40;
export type UserBytes = 28 | 72;
export const RECORD_SIZES: readonly RecordBytes[] = [40, 16, 8];
export const USER_SIZES: readonly UserBytes[] = [72, 28];

/** Seconds with every month counted as 31 days: impossible dates can be coded, and occur. */
export function decodeTime(value: number): WallTime {
  const days = Math.floor(value / 86_400);
  const months = Math.floor(days / 31);
  return wallTime(
    Math.floor(months / 12) + 2000,
    (months % 12) + 1,
    (days % 31) + 1,
    Math.floor(value / 3600) % 24,
    Math.floor(value / 60) % 60,
    value % 60,
  );
}

/** The number in `length` digits at `at`. By character codes: this runs for every record of a hundred thousand. */
function digits(text: string, at: number, length: number): number {
  let value = 0;
  for (let index = at; index < at + length; index += 1) value = value * 10 + text.charCodeAt(index) - 48;
  return value;
}

const parts = (wall: WallTime): [number, number, number, number, number, number] => [
  digits(wall, 0, 4),
  digits(wall, 5, 2),
  digits(wall, 8, 2),
  digits(wall, 11, 2),
  digits(wall, 14, 2),
  digits(wall, 17, 2),
];

/** Years 2000 to 2133 fit; others throw `out-of-range`. */
export function encodeTime(wall: WallTime): number {
  const [year, month, day, hour, minute, second] = parts(wall);
  const value = ((year - 2000) * 372 + (month - 1) * 31 + (day - 1)) * 86_400 + hour * 3600 + minute * 60 + second;
  if (!(value >= 0 && value <= 0xffffffff)) throw fail('out-of-range', { value: wall, bytes: 4 });
  return value;
}

/** Whether the calendar has this date and the day this time. */
export function isRealDate(wall: WallTime): boolean {
  const [year, month, day, hour, minute, second] = parts(wall);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

/** One attendance record or event, as told. What a layout does not hold is null. */
export interface Attendance {
  /** User id as text; null in records of 8 bytes, which hold the slot number only. */
  readonly userId: string | null;
  readonly uid: number | null;
  /** A numeric id that is normally the user id, but the slot number on some firmwares (events of 10 and 14 bytes). */
  readonly shortId: number | null;
  readonly verify: number;
  readonly state: number;
  readonly wallTime: WallTime;
  readonly raw: Uint8Array;
}

/** Reads one record of `raw.length` 8, 16 or 40 bytes; other lengths throw `short-frame`. */
export function decodeAttendance(raw: Uint8Array, stateFirst: boolean, encoding: TextEncoding): Attendance {
  const reader = new Reader(raw, 'little');
  if (raw.length === 40) {
    const uid = reader.u16();
    const userId = decodeText(reader.take(24), encoding);
    const verify = reader.u8();
    const at = decodeTime(reader.u32());
    return { userId, uid, shortId: null, verify, state: reader.u8(), wallTime: at, raw };
  }
  if (raw.length === 16) {
    const userId = String(reader.u32());
    const at = decodeTime(reader.u32());
    const [first, second] = [reader.u8(), reader.u8()];
    const [verify, state] = stateFirst ? [second, first] : [first, second];
    return { userId, uid: null, shortId: null, verify, state, wallTime: at, raw };
  }
  if (raw.length !== 8) throw fail('short-frame', { offset: 0, wanted: 8, left: raw.length, window: '' });
  const uid = reader.u16();
  const verify = reader.u8();
  const at = decodeTime(reader.u32());
  return { userId: null, uid, shortId: null, verify, state: reader.u8(), wallTime: at, raw };
}

export interface AttendanceFields {
  readonly uid: number;
  readonly userId: string;
  readonly verify: number;
  readonly state: number;
  readonly wallTime: WallTime;
}

export function encodeAttendance(record: AttendanceFields, size: RecordBytes, stateFirst = false): Uint8Array {
  // Written in place and not with a Writer: a simulator encodes a hundred thousand of them for one request.
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const time = encodeTime(record.wallTime);
  if (size === 16) {
    view.setUint32(0, numericId(record), true);
    view.setUint32(4, time, true);
    bytes.set(stateFirst ? [record.state, record.verify] : [record.verify, record.state], 8);
    return bytes;
  }
  view.setUint16(0, record.uid, true);
  const codesAt = size === 40 ? 26 : 2;
  if (size === 40) bytes.set(encodeText(record.userId, 'utf-8').subarray(0, 24), 2);
  bytes[codesAt] = record.verify;
  view.setUint32(codesAt + 1, time, true);
  bytes[codesAt + 5] = record.state;
  return bytes;
}

/** Layouts with a numeric id cannot say "T-0042"; such a terminal would hold the slot number. */
function numericId(record: { readonly userId: string; readonly uid: number }): number {
  return /^\d{1,9}$/.test(record.userId) ? Number(record.userId) : record.uid;
}

export interface User {
  readonly uid: number;
  readonly id: string;
  readonly name: string;
  readonly privilege: number;
  readonly card: number;
}

/** Where the fields of a user record are that are changed or hidden one by one. */
export interface UserFields {
  readonly passwordAt: number;
  readonly passwordBytes: number;
  readonly nameAt: number;
  readonly nameBytes: number;
  readonly cardAt: number;
  readonly groupAt: number;
  readonly idAt: number;
  /** 4: the id is a number; more: text. */
  readonly idBytes: number;
}

const USER_72: UserFields = {
  passwordAt: 3,
  passwordBytes: 8,
  nameAt: 11,
  nameBytes: 24,
  cardAt: 35,
  groupAt: 39,
  idAt: 48,
  idBytes: 24,
};
const USER_28: UserFields = {
  passwordAt: 3,
  passwordBytes: 5,
  nameAt: 8,
  nameBytes: 8,
  cardAt: 16,
  groupAt: 21,
  idAt: 24,
  idBytes: 4,
};

export function userFields(size: UserBytes): UserFields {
  return size === 72 ? USER_72 : USER_28;
}

/** Reads one user of 28 or 72 bytes. Passwords are skipped and leave this function in no form. */
export function decodeUser(raw: Uint8Array, encoding: TextEncoding): User {
  const reader = new Reader(raw, 'little');
  const uid = reader.u16();
  const privilege = reader.u8();
  const large = raw.length >= 72;
  reader.skip(large ? 8 : 5);
  const name = decodeText(reader.take(large ? 24 : 8), encoding);
  const card = reader.u32();
  reader.skip(large ? 9 : 4);
  const id = large ? decodeText(reader.take(24), encoding) : String(reader.u32());
  return { uid, id, name, privilege, card };
}

export function encodeUser(user: User, size: UserBytes, encoding: 'gbk' | 'utf-8'): Uint8Array {
  const writer = new Writer('little').u16(user.uid).u8(user.privilege);
  const none = new Uint8Array(0);
  const name = encodeText(user.name, encoding);
  if (size === 28) {
    writer.field(none, 5).field(name, 8).u32(user.card).u8(0).u8(1).u16(0);
    return writer.u32(numericId({ userId: user.id, uid: user.uid })).bytes();
  }
  writer.field(none, 8).field(name, 24).u32(user.card).u8(1).field(none, 8);
  return writer.field(encodeText(user.id, 'utf-8'), 24).bytes();
}

/** Counters of GET_FREE_SIZES; null where the answer was cut short before them. */
export interface Sizes {
  readonly users: number | null;
  readonly records: number | null;
  readonly userCapacity: number | null;
  readonly recordCapacity: number | null;
  readonly recordsFree: number | null;
  readonly faces: number | null;
}

export function decodeSizes(data: Uint8Array): Sizes {
  const at = (offset: number): number | null =>
    data.length < offset + 4 ? null : new Reader(data, 'little', offset).u32();
  return {
    users: at(16),
    records: at(32),
    userCapacity: at(60),
    recordCapacity: at(64),
    recordsFree: at(76),
    faces: data.length < 92 ? null : at(80),
  };
}

export function encodeSizes(
  sizes: {
    readonly users: number;
    readonly records: number;
    readonly userCapacity?: number;
    readonly recordCapacity: number;
  },
  bytes: number,
): Uint8Array {
  const userCapacity = sizes.userCapacity ?? 10_000;
  const words = new Array<number>(23).fill(0);
  words[4] = sizes.users;
  words[8] = sizes.records;
  words[14] = 3000;
  words[15] = userCapacity;
  words[16] = sizes.recordCapacity;
  words[18] = Math.max(0, userCapacity - sizes.users);
  words[19] = Math.max(0, sizes.recordCapacity - sizes.records);
  words[20] = sizes.users;
  words[22] = 3000;
  const writer = new Writer('little');
  for (const word of words) writer.u32(word);
  return writer.bytes().subarray(0, bytes);
}

/** Length of one record in an attendance event of `length` bytes, or null when the layout is unknown. */
export function eventStride(length: number): number | null {
  if ([10, 12, 14, 32, 36, 37].includes(length)) return length;
  return length >= 52 ? 52 : null;
}

/** Bytes of the id at the head of an event record: a number of two or four, or text. */
export function eventIdBytes(stride: number): number {
  if (stride === 12) return 4;
  return stride < 32 ? 2 : 24;
}

/** Records of an attendance event; null when the layout is unknown or its bytes are no time of day in two digits. */
export function decodeEvent(data: Uint8Array, encoding: TextEncoding): Attendance[] | null {
  const stride = eventStride(data.length);
  if (stride === null) return null;
  const found: Attendance[] = [];
  for (let at = 0; at + stride <= data.length; at += stride) {
    const raw = data.subarray(at, at + stride);
    const reader = new Reader(raw, 'little');
    const userId = stride === 12 ? String(reader.u32()) : stride >= 32 ? decodeText(reader.take(24), encoding) : null;
    const shortId = userId === null ? reader.u16() : null;
    const [verify, state] = [reader.u8(), reader.u8()];
    const time = Array.from(reader.take(6)) as [number, number, number, number, number, number];
    if (time.some((value) => value > 99)) return null;
    const [year, ...rest] = time;
    found.push({ userId, uid: null, shortId, verify, state, wallTime: wallTime(year + 2000, ...rest), raw });
  }
  return found;
}

/** An event record of `size` bytes; larger events are several of 52. */
export function encodeEvent(record: AttendanceFields, size: number): Uint8Array {
  const [year, ...rest] = parts(record.wallTime);
  const writer = new Writer('little');
  if (size === 10 || size === 14) writer.u16(numericId(record) > 0xffff ? record.uid : numericId(record));
  else if (size === 12) writer.u32(numericId(record));
  else writer.field(encodeText(record.userId, 'utf-8'), 24);
  writer
    .u8(record.verify)
    .u8(record.state)
    .raw(Uint8Array.of(year % 100, ...rest));
  return writer.field(new Uint8Array(0), Math.max(0, size - writer.bytes().length)).bytes();
}

/** `Key=Value\0...` to the value; text after the first NUL is rubbish on some firmwares. */
export function decodeOption(data: Uint8Array, key: string, encoding: TextEncoding): string {
  const text = decodeText(data, encoding);
  return (text.startsWith(`${key}=`) ? text.slice(key.length + 1) : text.replace(/^[^=]*=/, '')).trim();
}

export function encodeOption(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf8');
}
