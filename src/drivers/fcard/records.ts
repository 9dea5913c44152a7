/**
 * What the data of a frame holds: clock, record stores, records of store 1 and their bulk packets. Layouts after the
 * vendor's Java and .NET libraries for face terminals. Times are BCD; digits above 9 (a clock without its battery) stay
 * in the text as they were told. An all-FF or all-00 record is an empty slot.
 */
import { hex, Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import { wallToInstant, type WallTime, type Zone } from '../../core/time.js';
import { directionOf, methodOf } from '../fcard-events.js';
import type { PunchRecord } from '../driver.js';

/** BCD digits as they stand: a byte of 0x3A gives `3A`. */
const digits = (byte: number | undefined): string => (byte ?? 0).toString(16).toUpperCase().padStart(2, '0');

const wallOf = (second: number, minute: number, hour: number, day: number, month: number, year: number): WallTime =>
  `20${digits(year)}-${digits(month)}-${digits(day)} ${digits(hour)}:${digits(minute)}:${digits(second)}` as WallTime;

/** `ss mm hh dd MM yy`. */
const decodeTime = (reader: Reader): WallTime =>
  wallOf(reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8());

/** Two digits of a wall time as BCD; letters survive as they came. */
const bcd = (wall: WallTime, at: number): number => Number.parseInt(wall.slice(at, at + 2), 16) || 0;

const encodeTime = (writer: Writer, wall: WallTime): Writer =>
  [17, 14, 11, 8, 5, 2].reduce((into, at) => into.u8(bcd(wall, at)), writer);

/** Clock, 7 BCD: `ss mm hh dd MM ww yy`. The day of the week is not looked at. */
export function decodeClock(data: Uint8Array): WallTime {
  const reader = new Reader(data, 'big');
  const [second, minute, hour, day, month] = [reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8()];
  reader.skip(1);
  return wallOf(second, minute, hour, day, month, reader.u8());
}

// Wall time has no zone: the day of the week is computed as if the wall were in Greenwich.
const UTC = 'UTC' as Zone;
const DAY_MS = 86_400_000;

/** 1 Monday to 7 Sunday; 1970-01-01 was a Thursday. That Sunday is 7 and not 0 is the libraries' word. */
const weekday = (wall: WallTime): number => {
  const at = wallToInstant(wall, UTC);
  return at === null ? 1 : ((Math.floor(at / DAY_MS) + 3) % 7) + 1;
};

export function encodeClock(wall: WallTime): Uint8Array {
  const [yy = 0, mm = 0, dd = 0, hour = 0, minute = 0, second = 0] = [2, 5, 8, 11, 14, 17].map((at) => bcd(wall, at));
  return Uint8Array.of(second, minute, hour, dd, mm, weekday(wall), yy);
}

/** One of the stores: `write` is the index of the newest record, `read` how far somebody has marked it read. */
export interface Store {
  readonly capacity: number;
  readonly write: number;
  readonly read: number;
  /** Records were written over others since the flag was last cleared. */
  readonly wrapped: boolean;
}

const STORE_BYTES = 13;

/** Store 1 comes first; three or four follow one another. Throws `short-frame`. */
export function decodeStores(data: Uint8Array): readonly Store[] {
  const reader = new Reader(data, 'big');
  const stores: Store[] = [];
  do {
    stores.push({ capacity: reader.u32(), write: reader.u32(), read: reader.u32(), wrapped: reader.u8() !== 0 });
  } while (reader.left >= STORE_BYTES);
  return stores;
}

export function encodeStores(stores: readonly Store[]): Uint8Array {
  const writer = new Writer('big');
  for (const one of stores)
    writer
      .u32(one.capacity)
      .u32(one.write)
      .u32(one.read)
      .u8(one.wrapped ? 1 : 0);
  return writer.bytes();
}

/** Authentication, the only store with persons. */
export const STORE = 1;

export const recordsRequest = (first: number, count: number): Uint8Array =>
  new Writer('big').u8(STORE).u32(first).u32(count).bytes();

/** Moves the read index of store 1. Face terminals take 5 bytes; one library sends a 6th, which clears the wrapped flag. */
export const readIndexRequest = (index: number, sixBytes: boolean): Uint8Array => {
  const writer = new Writer('big').u8(STORE).u32(index);
  return sixBytes ? writer.u8(0).bytes() : writer.bytes();
};

export interface AuthRecord {
  /** Number of the record; slots are reused, numbers are not. */
  readonly serial: number;
  readonly user: number;
  readonly wallTime: WallTime;
  /** 1 in, 2 out. */
  readonly access: number;
  readonly event: number;
  readonly photo: number;
}

/** As a record is told live. */
export const LIVE_BYTES = 17;
/** With its index in the store before it. */
export const RECORD_BYTES = 21;

/** The 17 bytes of a live record. */
export function decodeRecord(bytes: Uint8Array): AuthRecord {
  const reader = new Reader(bytes, 'big');
  return {
    serial: reader.u32(),
    user: reader.u32(),
    wallTime: decodeTime(reader),
    access: reader.u8(),
    event: reader.u8(),
    photo: reader.u8(),
  };
}

export function encodeRecord(record: AuthRecord): Uint8Array {
  const writer = new Writer('big').u32(record.serial).u32(record.user);
  return encodeTime(writer, record.wallTime).u8(record.access).u8(record.event).u8(record.photo).bytes();
}

/** A slot of the store; `bytes` are all 21. */
export interface Slot {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** Null: the slot is empty. */
  readonly record: AuthRecord | null;
}

const isEmpty = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0xff) || bytes.every((byte) => byte === 0);

export function decodeSlot(bytes: Uint8Array): Slot {
  const body = bytes.subarray(4, RECORD_BYTES);
  const own = Uint8Array.from(bytes.subarray(0, RECORD_BYTES));
  return { index: new Reader(bytes, 'big').u32(), bytes: own, record: isEmpty(body) ? null : decodeRecord(body) };
}

/** A bulk packet: u32 n and n slots. Throws `bad-reply` when the length fits no whole number of slots of store 1. */
export function decodeSlots(data: Uint8Array): readonly Slot[] {
  const count = new Reader(data, 'big').u32();
  if (data.length !== 4 + count * RECORD_BYTES) {
    throw fail('bad-reply', {
      request: 'records (08 04)',
      reason: `${data.length} bytes are no 4 + ${count} * ${RECORD_BYTES}`,
      reasonZh: `${data.length} 字节不符合 4 + ${count} × ${RECORD_BYTES}`,
    });
  }
  return Array.from({ length: count }, (_, at) => decodeSlot(data.subarray(4 + at * RECORD_BYTES)));
}

export function encodeSlots(slots: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([new Writer('big').u32(slots.length).bytes(), ...slots]);
}

/** A record as a punch; null for refusals and for changes of the list of people. */
export function punchOf(record: AuthRecord, raw: Uint8Array, source: PunchRecord['source']): PunchRecord | null {
  const verify = methodOf(record.event);
  if (verify === null) return null;
  return {
    deviceUserId: String(record.user),
    deviceUid: null,
    wallTime: record.wallTime,
    direction: directionOf(record.access),
    directionRaw: record.access,
    verify,
    verifyRaw: record.event,
    score: null,
    seq: record.serial,
    source,
    raw: Uint8Array.from(raw),
  };
}

/** Whether a time has digits that no clock shows. */
export const hasOddDigits = (wall: WallTime): boolean => /[A-F]/.test(wall);

/** Hex of data for a finding. */
export const dataHex = (data: Uint8Array): string => hex(data.subarray(0, 16));
