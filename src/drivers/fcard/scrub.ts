/**
 * Takes the persons out of one direction of a capture, frame by frame: user numbers are masked, names, cards and the other
 * texts become filler, the password too; data that is not understood becomes zeros, and so does noise. A masked frame is
 * never longer on the wire than before: masked numbers have no more escaped bytes than the true ones, and the filler for
 * the password is chosen so that the checksum needs no escape. What it is shorter is filled with flags before it, which
 * are empty frames and ignored by every reader.
 */
import { Reader, Writer } from '../../core/bytes.js';
import type { Masks } from '../driver.js';
import { createFramer } from '../framing.js';
import {
  ANSWER,
  checksumOf,
  COMMAND,
  createFrameRule,
  FLAG,
  parseFrame,
  resealed,
  STATUS,
  WATCH,
  type Frame,
} from './codec.js';
import { PERSON_BYTES, PRIVATE_FIELDS } from './person.js';
import { LIVE_BYTES, RECORD_BYTES } from './records.js';

const TRIES = 64;
const u32 = (value: number): Uint8Array => new Writer('big').u32(value).bytes();
const escapes = (bytes: Uint8Array): number => bytes.filter((byte) => byte === 0x7e || byte === 0x7f).length;

/** The mask of a user number; masked again while it is no u32 or has more escaped bytes, so always the same for the same number. */
function maskNumber(value: number, masks: Masks): number {
  let text = String(value);
  for (let tries = 0; tries < TRIES; tries += 1) {
    text = masks.id(text);
    const masked = Number(text);
    if (/^\d+$/.test(text) && masked <= 0xffffffff && escapes(u32(masked)) <= escapes(u32(value))) return masked;
  }
  return 0;
}

function maskAt(data: Uint8Array, at: number, masks: Masks): void {
  if (at + 4 > data.length) {
    data.fill(0, at);
    return;
  }
  const value = new Reader(data, 'big', at).u32();
  // Empty slots and nobody.
  if (value !== 0 && value !== 0xffffffff) data.set(u32(maskNumber(value, masks)), at);
}

function maskPerson(data: Uint8Array, at: number, masks: Masks): void {
  maskAt(data, at, masks);
  for (const [from, size] of PRIVATE_FIELDS) {
    const field = data.subarray(at + from, at + from + size);
    if (field.some((byte) => byte !== 0 && byte !== 0xff)) field.set(masks.filler(field.length));
  }
}

/** Frames whose data tells nobody, by type and index: device, then gateway. */
const PLAIN = new Set(
  [
    ...[COMMAND.readSn, COMMAND.version, COMMAND.readClock, COMMAND.personCounts, COMMAND.stores].map(
      (one) => `${one.type + ANSWER}/${one.index}`,
    ),
    ...[COMMAND.writeClock, COMMAND.setReadIndex, COMMAND.readRecords, COMMAND.readPersons].map(
      (one) => `${one.type}/${one.index}`,
    ),
  ].values(),
);

const each = (data: Uint8Array, from: number, size: number, work: (at: number) => void): void => {
  for (let at = from; at < data.length; at += size) work(at);
};

/** The data of a frame without persons. */
function masked(frame: Frame, from: 'device' | 'gateway', masks: Masks): Uint8Array {
  const { type, index, par } = frame;
  const data = Uint8Array.from(frame.data);
  const is = (one: { readonly type: number; readonly index: number }): boolean =>
    (from === 'device' ? one.type + ANSWER : one.type) === type && one.index === index;
  if (data.length === 0 || (from === 'device' && type === STATUS)) return data;
  if (from === 'device' && type === WATCH && index === 0x01 && data.length === LIVE_BYTES) maskAt(data, 4, masks);
  else if (from === 'device' && is(COMMAND.readRecords)) {
    const count = data.length >= 4 ? new Reader(data, 'big').u32() : 0;
    if (par === 0xff) return data;
    if (data.length === 4 + count * RECORD_BYTES) each(data, 4, RECORD_BYTES, (at) => maskAt(data, at + 8, masks));
    else data.fill(0, 4);
  } else if (is(COMMAND.readPerson)) {
    if (from === 'gateway') maskAt(data, 0, masks);
    else if (data.length === PERSON_BYTES) maskPerson(data, 0, masks);
    else data.fill(0);
  } else if ((from === 'device' && is(COMMAND.readPersons)) || (from === 'gateway' && is(COMMAND.addPerson))) {
    each(data, 1, PERSON_BYTES, (at) => maskPerson(data, at, masks));
  } else if (is(COMMAND.deletePerson)) each(data, 1, 4, (at) => maskAt(data, at, masks));
  else if (is(COMMAND.addPerson)) each(data, 4, 4, (at) => maskAt(data, at, masks));
  else if (!PLAIN.has(`${type}/${index}`)) data.fill(0);
  return data;
}

/** A password of the masks whose last letter lets the checksum stand without an escape. */
function withPassword(frame: Frame, from: 'device' | 'gateway', data: Uint8Array, masks: Masks): Uint8Array {
  const password = Uint8Array.from(masks.filler(4));
  for (;;) {
    const bytes = resealed(frame, from, password, data);
    const sum = checksumOf(bytes);
    if (sum !== 0x7e && sum !== 0x7f) return bytes;
    password[3] = password[3] === 0x41 ? 0x44 : 0x41;
  }
}

/** See the head of the file. Throws nothing but GatewayError. */
export function scrub(from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array {
  const framer = createFramer(createFrameRule());
  const parts = [...framer.push(bytes), ...framer.flush()].map((cut) => {
    if (cut.kind === 'noise') return new Uint8Array(cut.bytes.length);
    const frame = parseFrame(cut.bytes, from);
    const clean = withPassword(frame, from, masked(frame, from, masks), masks);
    // One flag may open this frame and close the one before: then there is none to spare, and `clean` brought its own.
    const opened = cut.bytes[0] === FLAG ? clean : clean.subarray(1);
    return Buffer.concat([new Uint8Array(Math.max(0, cut.bytes.length - opened.length)).fill(FLAG), opened]);
  });
  return Buffer.concat(parts);
}
