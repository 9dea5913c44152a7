/**
 * Takes the persons out of one direction of a capture: ids of people and their slots, names, cards, passwords and keys. What is
 * understood is masked field by field, so that the capture still shows what it was recorded for; what is not understood and
 * could hold a person (noise, unknown sets, templates, other events) becomes zeros. Lengths stay, checksums are mended, and one
 * that was off stays off by as much. Photos and templates never survive.
 */
import { Reader } from '../../core/bytes.js';
import type { Masks } from '../driver.js';
import { checksum, decodePrepared } from './codec.js';
import { COMMAND, EVENT_ATTENDANCE } from './codes.js';
import { createPacketCutter } from './cutting.js';
import { attendanceLayout, looksLikeUser, looksLikeUsers, mayBeAttendance, userLayout } from './layout.js';
import { createFieldMasks, type FieldMasks } from './masking.js';
import type { ZkOptions } from './options.js';
import { decodeSizes, eventStride, type UserBytes } from './records.js';

/** Data of requests that says nothing about anybody, by its largest length. */
const PLAIN_REQUESTS: ReadonlyMap<number, number> = new Map([
  [COMMAND.DATA_WRRQ, 11],
  [COMMAND.DATA_RDY, 8],
  [COMMAND.REG_EVENT, 4],
  [COMMAND.SET_TIME, 4],
  [COMMAND.USERTEMP_RRQ, 1],
]);
const SECRET_OPTION = /key|pass|pwd|pin\b|token/i;
const LENGTH_BYTES = 4;

/** Views into the result, piece by piece: one data set lies in many packets. */
interface Collecting {
  readonly promised: number;
  readonly pieces: Uint8Array[];
  bytes: number;
}

export function scrub(options: ZkOptions, from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array {
  const out = Uint8Array.from(bytes);
  const fields = createFieldMasks(masks, options.encoding);
  const cutter = createPacketCutter();
  const sets = createSetScrubber(options, fields);
  const mended: { readonly packet: Uint8Array; readonly off: number }[] = [];
  let at = 0;
  for (const cut of [...cutter.push(bytes), ...cutter.end()]) {
    const place = out.subarray(at, at + cut.bytes.length);
    at += cut.bytes.length;
    if (cut.kind === 'noise') {
      place.fill(0);
      continue;
    }
    const packet = place.subarray(cut.prefixBytes);
    mended.push({ packet, off: (packet[2] ?? 0) + 256 * (packet[3] ?? 0) - checksum(packet) });
    const data = packet.subarray(8);
    if (from === 'gateway') scrubRequest(cut.packet.command, data, fields);
    else if (cut.packet.command === COMMAND.REG_EVENT) scrubEvent(cut.packet.session, data, fields);
    else sets.see(cut.packet.command, data);
  }
  sets.end();
  for (const { packet, off } of mended) {
    const sum = (checksum(packet) + off + 0x10000) % 0x10000;
    packet.set([sum & 0xff, sum >>> 8], 2);
  }
  return out;
}

function scrubRequest(command: number, data: Uint8Array, fields: FieldMasks): void {
  const plain = PLAIN_REQUESTS.get(command);
  if (plain !== undefined && data.length <= plain) return;
  if (command === COMMAND.AUTH) fields.hide(data);
  else if (command === COMMAND.USER_WRQ && (data.length === 28 || data.length === 72)) fields.user(data);
  else if (command === COMMAND.DELETE_USER && data.length >= 2) {
    fields.slot(data, 0);
    data.fill(0, 2);
  } else if (command === COMMAND.OPTIONS_RRQ || command === COMMAND.OPTIONS_WRQ) scrubOption(data, fields);
  else data.fill(0);
}

/** `Key=Value` stays unless the key says that the value is a secret; what follows the first NUL may be anything. */
function scrubOption(data: Uint8Array, fields: FieldMasks): void {
  const end = data.indexOf(0);
  const shown = end < 0 ? data : data.subarray(0, end);
  if (end >= 0) data.fill(0, end);
  if (!shown.every((byte) => byte >= 0x20 && byte < 0x7f)) {
    shown.fill(0);
    return;
  }
  const equals = shown.indexOf(0x3d);
  if (equals >= 0 && SECRET_OPTION.test(Buffer.from(shown.subarray(0, equals)).toString('latin1')))
    fields.hide(shown.subarray(equals + 1));
}

function scrubEvent(code: number, data: Uint8Array, fields: FieldMasks): void {
  const stride = (code & EVENT_ATTENDANCE) === 0 ? null : eventStride(data.length);
  if (stride === null) {
    data.fill(0);
    return;
  }
  let at = 0;
  for (; at + stride <= data.length; at += stride) fields.event(data.subarray(at, at + stride));
  data.fill(0, at);
}

interface SetScrubber {
  see(command: number, data: Uint8Array): void;
  /** Masks a set that never became whole. */
  end(): void;
}

/** Follows the data sets of a terminal as the decoder does, and masks each when all of it is there. */
function createSetScrubber(options: ZkOptions, fields: FieldMasks): SetScrubber {
  let set: Collecting | null = null;
  let count: number | null = null;

  const finish = (): void => {
    const pieces = set?.pieces ?? [];
    set = null;
    const whole = Buffer.concat(pieces);
    scrubSet(whole, count, options, fields);
    let at = 0;
    for (const piece of pieces) {
      piece.set(whole.subarray(at, at + piece.length));
      at += piece.length;
    }
  };
  const begin = (promised: number): void => {
    finish();
    set = { promised, pieces: [], bytes: 0 };
  };

  return {
    see(command, data) {
      if (command === COMMAND.DATA) {
        set ??= { promised: 0, pieces: [], bytes: 0 };
        set.pieces.push(data);
        set.bytes += data.length;
        if (set.bytes >= set.promised) finish();
      } else if (command === COMMAND.PREPARE_DATA) {
        if (!set && data.length >= 4) begin(new Reader(data, 'little').u32());
        data.fill(0, Math.min(8, data.length));
      } else if (command !== COMMAND.ACK_OK) data.fill(0);
      else if (data.length === 13 && data[0] === 0) begin(decodePrepared(data) ?? 0);
      else if (data.length === 80 || data.length === 92) count = decodeSizes(data).records;
      else if (data.length !== 4) scrubOption(data, fields);
    },
    end: finish,
  };
}

/** A data set, length first. Records that do not look like what they should be are zeroed, and so is a set of no known layout. */
function scrubSet(bytes: Uint8Array, count: number | null, options: ZkOptions, fields: FieldMasks): void {
  if (bytes.length < LENGTH_BYTES) {
    bytes.fill(0);
    return;
  }
  const told = new Reader(bytes, 'little').u32();
  const body = bytes.subarray(LENGTH_BYTES);
  // Where the first bytes are no length, this is not the beginning of a set.
  const sane = told > 0 && told < 0x4000000;
  const users: UserBytes | null = sane && looksLikeUsers(body) ? userLayout(body, told, null).size : null;
  const known = options.recordBytes === 'auto' ? attendanceLayout(body, told, count).size : options.recordBytes;
  const size = sane ? (users ?? known) : null;
  if (size === null) {
    // A length that is right says nothing about anybody.
    (told === body.length ? body : bytes).fill(0);
    return;
  }
  const end = Math.min(told, body.length);
  let [at, strange] = [0, 0];
  for (; at + size <= end; at += size) {
    const record = body.subarray(at, at + size);
    if (users !== null && looksLikeUser(record)) fields.user(record);
    else if (users === null && mayBeAttendance(record)) fields.attendance(record);
    else {
      record.fill(0);
      strange += 1;
    }
  }
  // Most records out of shape: the layout was a wrong guess, and the others only happen to look right.
  body.fill(0, 2 * strange * size > end ? 0 : at);
}
