/**
 * Takes the persons out of one direction of a capture, frame by frame, and mends the checksums. Ids become other ids of
 * as many digits, names, cards, passwords and templates become filler; lengths and framing stay. What it knows to hold
 * nobody (clocks, counters, settings of the network) is left; what it does not know is filled, and bytes that belong to
 * no frame become zero, because a broken frame may hold a person.
 */
import { Writer } from '../../core/bytes.js';
import type { Masks } from '../driver.js';
import { createFramer } from '../framing.js';
import { COMMAND, crc, frameRule, parseFrame, RECORD_BYTES, type Frame } from './codec.js';
import { NAME_AT, NAME_BYTES, splitUsers, type UserLayout } from './users.js';

const ID_BYTES = 5;
const ID_LIMIT = 2 ** 40;
const ID_13_DIGITS = 10 ** 12;
const PASSWORD_AT = 5;
const PASSWORD_BYTES = 3;
const PASSWORD_HIGH_AT: Readonly<Record<UserLayout, number | null>> = { 27: null, 30: 27, 40: 37 };

/** Commands that say nothing about a person, in either direction; of the others only what is handled below is left. */
const IMPERSONAL: ReadonlySet<number> = new Set<number>([
  COMMAND.search,
  COMMAND.serial,
  COMMAND.doorSensor,
  COMMAND.config2,
  COMMAND.setConfig2,
  COMMAND.clock,
  COMMAND.setClock,
  // The network settings, read and written.
  0x3a,
  0x3b,
  COMMAND.counters,
  COMMAND.model,
  COMMAND.clearNew,
  COMMAND.capacity,
  COMMAND.address,
  COMMAND.heartbeat,
]);
/** Requests that begin with the id of the person they are about; a template or a mask may follow. */
const ABOUT_ONE: ReadonlySet<number> = new Set<number>([0x0c, 0x44, 0x45, COMMAND.deleteUser]);
const USER_LISTS: ReadonlySet<number> = new Set<number>([
  COMMAND.users,
  COMMAND.usersOld,
  COMMAND.setUsers,
  COMMAND.setUsersOld,
]);

/** Where a field is unset, all FF, it says nothing and stays. */
function fill(data: Uint8Array, at: number, size: number, masks: Masks): void {
  const field = data.subarray(at, at + size);
  if (field.some((byte) => byte !== 0xff)) field.set(masks.filler(field.length));
}

function maskId(data: Uint8Array, at: number, masks: Masks): void {
  if (data.length < at + ID_BYTES) {
    fill(data, at, ID_BYTES, masks);
    return;
  }
  const told = data.subarray(at, at + ID_BYTES).reduce((value, byte) => value * 256 + byte, 0);
  const wanted = Number(masks.id(String(told)));
  // Thirteen digits are more than five bytes can hold to the end; such an id is no person's, but may be noise of one.
  const fits = wanted < ID_LIMIT ? wanted : ID_13_DIGITS + (wanted % (ID_LIMIT - ID_13_DIGITS));
  data.set(new Writer('big').u40(fits).bytes(), at);
}

function scrubUsers(data: Uint8Array, old: boolean, masks: Masks): void {
  const { layout, records } = splitUsers(data, old);
  if (layout === null) return;
  for (let index = 0; index < records.length; index += 1) {
    const at = 1 + index * layout;
    maskId(data, at, masks);
    fill(data, at + PASSWORD_AT, PASSWORD_BYTES, masks);
    fill(data, at + PASSWORD_AT + PASSWORD_BYTES, NAME_AT[layout] - PASSWORD_AT - PASSWORD_BYTES, masks);
    fill(data, at + NAME_AT[layout], NAME_BYTES[layout], masks);
    const high = PASSWORD_HIGH_AT[layout];
    if (high !== null) fill(data, at + high, 1, masks);
  }
}

function scrubRecords(data: Uint8Array, from: number, masks: Masks): void {
  for (let at = from; at < data.length; at += RECORD_BYTES) {
    if (at + RECORD_BYTES > data.length) fill(data, at, data.length - at, masks);
    else maskId(data, at, masks);
  }
}

/** Changes `data` in place. */
function scrubData({ kind, command }: Frame, data: Uint8Array, masks: Masks): void {
  const all = (): void => fill(data, 0, data.length, masks);
  if (data.length === 0 || IMPERSONAL.has(command)) return;
  if (command === COMMAND.realTime) scrubRecords(data, 0, masks);
  else if (command === COMMAND.records) {
    if (kind === 'answer') scrubRecords(data, 1, masks);
  } else if (command === COMMAND.config1 && kind === 'answer') fill(data, 8, 3, masks);
  else if (ABOUT_ONE.has(command) && kind === 'request') {
    maskId(data, 0, masks);
    if (command !== COMMAND.deleteUser) fill(data, ID_BYTES + 1, Math.max(0, data.length - ID_BYTES - 1), masks);
  } else if (USER_LISTS.has(command)) {
    const writes = command === COMMAND.setUsers || command === COMMAND.setUsersOld;
    // A request for a list says parameter and number; the answer to a written one says flags.
    if (writes !== (kind === 'request')) return;
    try {
      scrubUsers(data, command === COMMAND.usersOld || command === COMMAND.setUsersOld, masks);
    } catch {
      // No layout that we know: nothing of it can be kept.
      all();
    }
  } else all();
}

function scrubFrame(bytes: Uint8Array, masks: Masks): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const frame = parseFrame(copy);
  scrubData(frame, frame.data, masks);
  const end = copy.length - 2;
  const value = crc(copy.subarray(0, end));
  copy.set([value & 0xff, value >>> 8], end);
  return copy;
}

export function scrubAnviz(bytes: Uint8Array, masks: Masks): Uint8Array {
  const framer = createFramer(frameRule);
  const cuts = [...framer.push(bytes), ...framer.flush()];
  return Buffer.concat(
    cuts.map((cut) => (cut.kind === 'frame' ? scrubFrame(cut.bytes, masks) : new Uint8Array(cut.bytes.length))),
  );
}
