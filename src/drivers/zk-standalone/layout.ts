/**
 * Which layout the records of a data set have. The protocol never says it: the size is the bytes of the set divided by
 * the count asked just before, and a punch in between, a wrong counter or a truncated set spoil that division. So a
 * division that works is believed only while its records look like records, and otherwise the looks decide.
 */
import { hexWindow } from '../../core/bytes.js';
import type { WallTime } from '../../core/time.js';
import { decodeTime, isRealDate, RECORD_SIZES, USER_SIZES, type RecordBytes, type UserBytes } from './records.js';

export interface Layout<Size extends number> {
  /** Null: no known layout fits. */
  readonly size: Size | null;
  /** What was odd about the choice, for a finding; null when the division was clean. */
  readonly anomaly: string | null;
}

const SAMPLE_RECORDS = 64;
const KNOWN_STATES = 6;

const text = (bytes: Uint8Array): boolean => {
  const end = bytes.indexOf(0);
  const shown = end < 0 ? bytes : bytes.subarray(0, end);
  return shown.length > 0 && shown.every((byte) => byte >= 0x20 && byte !== 0x7f);
};

const timeAt = (bytes: Uint8Array, at: number): WallTime =>
  decodeTime(new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true));
const YEAR_END = '2080';
const date = (bytes: Uint8Array, at: number): boolean => {
  const wall = timeAt(bytes, at);
  return isRealDate(wall) && wall < YEAR_END;
};
/** A date that need not exist. */
const anyDate = (bytes: Uint8Array, at: number): boolean => timeAt(bytes, at) < YEAR_END;

/** An id is never zero. */
const some = (bytes: Uint8Array, at: number, length: number): boolean =>
  bytes.subarray(at, at + length).some((byte) => byte > 0);
const state = (value: number | undefined): boolean => value !== undefined && (value < KNOWN_STATES || value === 255);
const method = (value: number | undefined): boolean =>
  value !== undefined && (value <= 30 || (value >= 128 && value <= 160) || value === 200);

function looksLikeAttendance(record: Uint8Array): boolean {
  return mayBeAttendance(record, date);
}

/** Whether a record of 8, 16 or 40 bytes can be an attendance record; its date may be an impossible one. */
export function mayBeAttendance(record: Uint8Array, date = anyDate): boolean {
  if (record.length === 40) {
    const reserved = record.subarray(32).every((byte) => byte === 0 || byte === 0xff);
    return text(record.subarray(2, 26)) && method(record[26]) && date(record, 27) && reserved;
  }
  if (record.length === 16) {
    const codes = (method(record[8]) && method(record[9])) || state(record[8]) || state(record[9]);
    return some(record, 0, 4) && date(record, 4) && codes && record[10] === 0 && record[11] === 0;
  }
  return some(record, 0, 2) && date(record, 3) && method(record[2]) && state(record[7]);
}

/** Whether a record of 28 or 72 bytes can be a user. */
export function looksLikeUser(record: Uint8Array): boolean {
  const privilege = (record[2] ?? 255) <= 15;
  if (record.length === 72) return privilege && text(record.subarray(48, 72));
  return privilege && (record[27] ?? 255) < 0x80 && record.subarray(24, 28).some((byte) => byte > 0);
}

/** Share of the first records, 0 to 1, that look right if each has `size` bytes. */
function share(body: Uint8Array, size: number, looks: (record: Uint8Array) => boolean): number {
  const count = Math.min(SAMPLE_RECORDS, Math.floor(body.length / size));
  let good = 0;
  for (let index = 0; index < count; index += 1) {
    if (looks(body.subarray(index * size, (index + 1) * size))) good += 1;
  }
  return count === 0 ? 0 : good / count;
}

function rank<Size extends number>(
  sizes: readonly Size[],
  body: Uint8Array,
  totalBytes: number,
  looks: (record: Uint8Array) => boolean,
): readonly { readonly size: Size; readonly share: number }[] {
  return sizes
    .filter((size) => totalBytes % size === 0)
    .map((size) => ({ size, share: share(body, size, looks) }))
    .sort((a, b) => b.share - a.share);
}

/** Whether a set whose request was not seen is a user table rather than attendance. */
export function looksLikeUsers(body: Uint8Array): boolean {
  const best = (ranked: readonly { readonly share: number }[]): number => ranked[0]?.share ?? 0;
  const users = best(rank(USER_SIZES, body, body.length, looksLikeUser));
  return users >= 0.5 && users > best(rank(RECORD_SIZES, body, body.length, looksLikeAttendance));
}

function choose<Size extends number>(
  sizes: readonly Size[],
  body: Uint8Array,
  totalBytes: number,
  count: number | null,
  looks: (record: Uint8Array) => boolean,
): Layout<Size> {
  const quotient = count !== null && count > 0 ? totalBytes / count : null;
  const exact = sizes.find((size) => size === quotient);
  const ranked = rank(sizes, body, totalBytes, looks);
  const best = ranked[0];
  if (exact !== undefined) {
    const own = ranked.find((one) => one.size === exact)?.share ?? 0;
    if (!best || own >= best.share || best.share < 0.9) return { size: exact, anomaly: null };
  }
  const told = `${totalBytes} bytes for ${count ?? 'an unknown number of'} records`;
  if (best && best.share >= 0.5) {
    return { size: best.size, anomaly: count === null ? null : `${told}: ${best.size} bytes each by their looks` };
  }
  const floor = sizes.find((size) => quotient !== null && size === Math.floor(quotient));
  if (floor !== undefined) return { size: floor, anomaly: `${told}: ${floor} bytes each, rounded down` };
  return { size: null, anomaly: `${told}: no known layout, the first bytes are ${hexWindow(body, 0, 4)}` };
}

/** `body` is what has been read of the records so far; `totalBytes` all of them; `count` what the terminal announced just before. */
export function attendanceLayout(body: Uint8Array, totalBytes: number, count: number | null): Layout<RecordBytes> {
  return choose(RECORD_SIZES, body, totalBytes, count, looksLikeAttendance);
}

export function userLayout(body: Uint8Array, totalBytes: number, count: number | null): Layout<UserBytes> {
  return choose(USER_SIZES, body, totalBytes, count, looksLikeUser);
}

/** Self check for records of 16 bytes: a method is often above 5, a state never is (255: none). */
export function stateComesFirst(body: Uint8Array): boolean {
  let [firstHigh, secondHigh] = [0, 0];
  for (let at = 0; at + 16 <= body.length && at < SAMPLE_RECORDS * 16; at += 16) {
    if (!state(body[at + 8])) firstHigh += 1;
    if (!state(body[at + 9])) secondHigh += 1;
  }
  return secondHigh > 0 && firstHigh === 0;
}
