/**
 * The user table of a simulated terminal: records with everything that a person may have there (password, card, group,
 * privilege), so that a client which forgets to keep them is found out. Writing is refused where a terminal refuses it.
 */
import { Reader } from '../../core/bytes.js';
import type { SimulatedUser } from '../driver.js';
import { decodeUser, encodeUser, userFields, type UserBytes } from './records.js';
import { faultNumber, uidOf, withLength, type SimulatorState } from './simulator-state.js';

const UID_MAX = 65_534;

const encodingOf = (state: SimulatorState): 'gbk' | 'utf-8' =>
  state.faults.has('gbk-name') ? 'gbk' : state.options.encoding;

/** The record of a person whom nobody has written: with a card, a password and a group of its own, made from the slot. */
function freshRecord(state: SimulatorState, user: SimulatedUser): Uint8Array {
  const uid = uidOf(state, user.id);
  const size: UserBytes = state.options.userBytes;
  const raw = encodeUser(
    { uid, id: user.id, name: user.name, privilege: uid % 7 === 6 ? 14 : 0, card: 1_000_000 + uid },
    size,
    encodingOf(state),
  );
  const { passwordAt, groupAt } = userFields(size);
  raw.set(Buffer.from(String(1000 + (uid % 9000))), passwordAt);
  raw[groupAt] = 1 + (uid % 5);
  return raw;
}

export function userRecord(state: SimulatorState, user: SimulatedUser): Uint8Array {
  const written = state.userRecords.get(user.id);
  return written ?? freshRecord(state, user);
}

/** The user table as a data set. */
export function userSet(state: SimulatorState): Uint8Array {
  const lost = faultNumber(state, 'truncate-users', 1) ?? 0;
  return withLength(
    state.users.slice(0, Math.max(0, state.users.length - lost)).map((user) => userRecord(state, user)),
    state.options.userBytes,
  );
}

/** Takes a record of USER_WRQ. False: refused. Whoever had the slot before is gone, as on a real terminal. */
export function writeUser(state: SimulatorState, raw: Uint8Array): boolean {
  const { options, users } = state;
  if (raw.length !== options.userBytes) return false;
  const { uid, id, name } = decodeUser(raw, encodingOf(state));
  if (uid < 1 || uid > UID_MAX || id === '' || id === '0' || id.length > options.idDigits) return false;
  const known = users.findIndex((user) => user.id === id);
  if (known >= 0 && uidOf(state, id) !== uid) return false;
  const usurped = users.findIndex((user) => user.id !== id && uidOf(state, user.id) === uid);
  if (known < 0 && usurped < 0 && users.length >= options.userCapacity) return false;
  if (usurped >= 0) dropUser(state, usurped);
  state.uids.set(id, uid);
  state.userRecords.set(id, Uint8Array.from(raw));
  const at = users.findIndex((user) => user.id === id);
  if (at < 0) users.push({ id, name });
  else users[at] = { id, name };
  return true;
}

/** Takes the data of DELETE_USER. False: nobody has that slot. */
export function deleteUser(state: SimulatorState, data: Uint8Array): boolean {
  const uid = new Reader(data, 'little').u16();
  const at = state.users.findIndex((user) => uidOf(state, user.id) === uid);
  if (at < 0) return false;
  dropUser(state, at);
  return true;
}

/** The log keeps the slot number of a deleted person. */
function dropUser(state: SimulatorState, at: number): void {
  for (const user of state.users.splice(at, 1)) state.userRecords.delete(user.id);
}
