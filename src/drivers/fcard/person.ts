/**
 * A person as the terminal keeps them, 161 bytes: u32 user, u64 card, 4 password, 5 expiry, time group, uses, identity,
 * card type, status, four texts of 30 bytes in UTF-16 big-endian (name, number, department, job), holidays, direction, last
 * time, face and finger marks (Person.java of the vendor's library). Only user and name are read or changed; every other
 * byte goes back as it came. Cards, passwords and the other texts never leave this file.
 */
import { Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import type { TerminalUser } from '../driver.js';

export const PERSON_BYTES = 161;
const NAME_AT = 27;
export const TEXT_BYTES = 30;
/** Where the four texts, the card and the password stand, for whoever must hide them. */
export const PRIVATE_FIELDS: readonly (readonly [at: number, size: number])[] = [
  [4, 8],
  [12, 4],
  [NAME_AT, TEXT_BYTES],
  [NAME_AT + TEXT_BYTES, TEXT_BYTES],
  [NAME_AT + 2 * TEXT_BYTES, TEXT_BYTES],
  [NAME_AT + 3 * TEXT_BYTES, TEXT_BYTES],
];

/** UTF-16 big-endian, cut at a whole character so that the name always fits. */
export function encodeName(name: string): Uint8Array {
  let text = '';
  for (const char of name) {
    if ((text.length + char.length) * 2 > TEXT_BYTES) break;
    text += char;
  }
  return new Writer('big').field(Buffer.from(text, 'utf16le').swap16(), TEXT_BYTES).bytes();
}

export function decodeName(field: Uint8Array): string {
  const text = Buffer.from(field.subarray(0, field.length & ~1))
    .swap16()
    .toString('utf16le');
  // FF fills texts that were never written.
  return (text.split(/[\0\uffff]/, 1)[0] ?? '').trim();
}

/** The name as the terminal will hold it. */
export const nameThatFits = (name: string): string => decodeName(encodeName(name));

export const decodePerson = (bytes: Uint8Array): TerminalUser => ({
  id: String(new Reader(bytes, 'big').u32()),
  name: decodeName(bytes.subarray(NAME_AT, NAME_AT + TEXT_BYTES)),
});

/** The record with another name and nothing else changed. */
export function withName(bytes: Uint8Array, name: string): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed.set(encodeName(name), NAME_AT);
  return changed;
}

/** Somebody new: no card, no password, valid until the last date the terminal knows (2089-12-31), time group 1, no limit of uses. */
export function newPerson(user: number, name: string): Uint8Array {
  return new Writer('big')
    .u32(user)
    .raw(new Uint8Array(8))
    .u32(0xffffffff)
    .raw(Uint8Array.of(0x89, 0x12, 0x31, 0x23, 0x59))
    .u8(1)
    .u16(65_535)
    .raw(new Uint8Array(3))
    .raw(encodeName(name))
    .raw(new Uint8Array(3 * TEXT_BYTES))
    .u32(0xffffffff)
    .raw(new Uint8Array(1 + 6 + 1 + 2))
    .bytes();
}

/** u8 n and n records. Throws `bad-reply` when the length does not fit. */
export function decodePersons(data: Uint8Array): readonly Uint8Array[] {
  const count = data[0] ?? 0;
  if (data.length !== 1 + count * PERSON_BYTES) {
    throw fail('bad-reply', {
      request: 'read-persons (07 13)',
      reason: `${data.length} bytes are no 1 + ${count} * ${PERSON_BYTES}`,
      reasonZh: `${data.length} 字节不符合 1 + ${count} × ${PERSON_BYTES}`,
    });
  }
  return Array.from({ length: count }, (_, at) => {
    const from = 1 + at * PERSON_BYTES;
    return Uint8Array.from(data.subarray(from, from + PERSON_BYTES));
  });
}

/** A user number of this protocol: a whole number from 1 to 2^32 - 1 without leading zeros; null for any other id. */
export function userNumber(id: string): number | null {
  if (!/^[1-9]\d{0,9}$/.test(id)) return null;
  const value = Number(id);
  return value <= 0xffffffff ? value : null;
}
