/**
 * The fields of records that name a person, masked in place. The id that a person types and the slot number go through the same
 * mask, since short events may hold either and records of 8 bytes are joined by it; two slots never become one. Text is masked up
 * to its first NUL and zeroed after it, because firmwares leave rubbish there.
 */
import type { Masks } from '../driver.js';
import { eventIdBytes, userFields, type UserBytes } from './records.js';
import { decodeText, type TextEncoding } from './text.js';

export interface FieldMasks {
  /** A slot number, u16 at `at`. */
  slot(bytes: Uint8Array, at: number): void;
  /** Any bytes, all of them: a key, a password. */
  hide(bytes: Uint8Array): void;
  /** A user record of 28 or 72 bytes. */
  user(record: Uint8Array): void;
  /** An attendance record of 8, 16 or 40 bytes. */
  attendance(record: Uint8Array): void;
  /** One record of an attendance event. */
  event(record: Uint8Array): void;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Most that year, month, day, hour, minute and second of an event can be. */
const TIME_MOST = [99, 12, 31, 23, 59, 59];
const SLOT_MAX = 0xffff;
/** Above it a number of four bytes no longer looks like an id to us. */
const NUMBER_MAX = 0x7fffffff;

export function createFieldMasks(masks: Masks, encoding: TextEncoding): FieldMasks {
  const slots = new Map<number, number>();
  const given = new Set<number>();

  /** The mask of a number, as a number of as many digits that is not above `most`. */
  const numberMask = (value: number, most: number): number => {
    const masked = masks.id(String(value));
    const number = Number(masked);
    if (Number.isSafeInteger(number) && number > 0 && number <= most) return number;
    return Number(`1${masked.slice(1).replace(/\D/g, '0')}`) || 1;
  };
  const slotMask = (value: number): number => {
    const known = slots.get(value);
    if (value === 0 || known !== undefined) return known ?? 0;
    let masked = numberMask(value, SLOT_MAX);
    while (given.has(masked)) masked = (masked % SLOT_MAX) + 1;
    given.add(masked);
    slots.set(value, masked);
    return masked;
  };
  const slot = (bytes: Uint8Array, at: number): void => {
    const view = viewOf(bytes);
    view.setUint16(at, slotMask(view.getUint16(at, true)), true);
  };
  const number = (bytes: Uint8Array, at: number): void => {
    const view = viewOf(bytes);
    const value = view.getUint32(at, true);
    if (value > 0) view.setUint32(at, numberMask(value, NUMBER_MAX), true);
  };
  const hide = (bytes: Uint8Array): void => bytes.set(masks.filler(bytes.length).subarray(0, bytes.length));
  const shownPart = (field: Uint8Array): Uint8Array => {
    const end = field.indexOf(0);
    if (end >= 0) field.fill(0, end);
    return end < 0 ? field : field.subarray(0, end);
  };
  const text = (field: Uint8Array): void => hide(shownPart(field));
  const id = (field: Uint8Array): void => {
    const shown = shownPart(field);
    if (shown.length === 0) return;
    const masked = Buffer.from(masks.id(decodeText(shown, encoding)), 'utf8');
    if (masked.length === shown.length) shown.set(masked);
    else hide(shown);
  };
  /** Bytes that are reserved; only the two values that occur there are kept. */
  const reserved = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== 0xff) bytes[at] = 0;
  };

  /** Group and time zones are small numbers; what is no such thing may be a name of a record out of step. */
  const small = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += 1) if ((bytes[at] ?? 0) >= 0x20) bytes[at] = 0;
  };

  return {
    slot,
    hide,
    user(record) {
      const at = userFields(record.length as UserBytes);
      slot(record, 0);
      text(record.subarray(at.passwordAt, at.passwordAt + at.passwordBytes));
      text(record.subarray(at.nameAt, at.nameAt + at.nameBytes));
      const card = record.subarray(at.cardAt, at.cardAt + 4);
      if (card.some((byte) => byte > 0)) hide(card);
      small(record.subarray(at.cardAt + 4, at.idAt));
      if (at.idBytes === 4) number(record, at.idAt);
      else id(record.subarray(at.idAt, at.idAt + at.idBytes));
    },
    attendance(record) {
      if (record.length === 40) {
        slot(record, 0);
        id(record.subarray(2, 26));
        reserved(record.subarray(32));
      } else if (record.length === 16) {
        number(record, 0);
        reserved(record.subarray(10, 12));
        // A work code is a small number.
        if (record[14] !== 0 || record[15] !== 0) record.fill(0, 12);
      } else slot(record, 0);
    },
    event(record) {
      const idBytes = eventIdBytes(record.length);
      // What tells no time of day is no such record, and anything could lie in it.
      const time = Array.from(record.subarray(idBytes + 2, idBytes + 8));
      if (!time.every((value, at) => value <= (TIME_MOST[at] ?? 0))) {
        record.fill(0);
        return;
      }
      if (idBytes === 2) slot(record, 0);
      else if (idBytes === 4) number(record, 0);
      else id(record.subarray(0, idBytes));
      record.fill(0, idBytes + 8);
    },
  };
}
