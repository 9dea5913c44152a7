/**
 * What a simulated ZKTeco terminal keeps across connections: users, the log, its clock, the faults of the moment. It
 * also holds every record ever made, which is the truth that a test compares the gateway with.
 */
import { instant, instantToWall, wallToInstant, type Clock, type WallTime, type Zone } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { seededRandom } from '../faults.js';
import { directionCode, verifyCode } from './codes.js';
import type { ZkSimulatorOptions } from './options.js';
import { encodeAttendance, type AttendanceFields, type RecordBytes } from './records.js';

export interface SimulatorState {
  readonly options: ZkSimulatorOptions;
  readonly serial: string;
  readonly zone: Zone;
  readonly world: Clock;
  readonly wire: Clock;
  readonly users: SimulatedUser[];
  /** Every record ever made. */
  readonly all: SimulatedPunch[];
  /** What its memory holds now. */
  log: SimulatedPunch[];
  readonly faults: Map<string, string>;
  readonly random: () => number;
  readonly uids: Map<string, number>;
  /** Records of people whom a client has written, by id. */
  readonly userRecords: Map<string, Uint8Array>;
  /** How many records the log holds before it forgets its oldest. */
  recordCapacity: number;
  clockOffsetMs: number;
  /** Monotonic time of the wire at which a reboot is over. */
  bootedAt: number;
}

const NON_NUMERIC = 'T-0042';
const GBK_NAMED = '20259901';

export function createState(setup: SimulatorSetup, options: ZkSimulatorOptions): SimulatorState {
  const state: SimulatorState = {
    options,
    serial: setup.serial,
    zone: setup.zone,
    world: setup.world,
    wire: setup.wire,
    users: [],
    all: [...setup.records],
    log: [...setup.records],
    faults: new Map(),
    random: seededRandom(setup.seed),
    uids: new Map(),
    userRecords: new Map(),
    recordCapacity: options.recordCapacity,
    clockOffsetMs: 0,
    bootedAt: 0,
  };
  for (const user of setup.users) addUser(state, user);
  for (const [name, value] of setup.faults) setFault(state, name, value);
  return state;
}

export function addUser(state: SimulatorState, user: SimulatedUser): void {
  uidOf(state, user.id);
  state.users.push(user);
}

/** Slot of a user id; one that is not in the user table (a deleted user) has a slot of its own. */
export function uidOf(state: SimulatorState, userId: string): number {
  const known = state.uids.get(userId);
  if (known !== undefined) return known;
  const uid = Math.max(0, ...state.uids.values()) + 1;
  state.uids.set(userId, uid);
  return uid;
}

export function addRecord(state: SimulatorState, record: SimulatedPunch): void {
  state.all.push(record);
  state.log.push(record);
  if (state.log.length > state.recordCapacity) state.log = state.log.slice(-state.recordCapacity);
}

export function wallClock(state: SimulatorState): WallTime {
  return instantToWall(instant(state.world.now() + state.clockOffsetMs), state.zone);
}

/** An impossible time leaves the clock as it is. */
export function setClock(state: SimulatorState, to: WallTime): void {
  const at = wallToInstant(to, state.zone);
  if (at !== null) state.clockOffsetMs = at - state.world.now();
}

/** Sets or, with null, removes a fault. Some act once, at this moment: see README.md. */
export function setFault(state: SimulatorState, name: string, value: string | null): void {
  if (value === null) {
    state.faults.delete(name);
    return;
  }
  const userId = state.users[0]?.id ?? '1';
  switch (name) {
    case 'impossible-date':
      addRecord(state, { userId, wallTime: (value === '' ? '2025-02-30 08:05:30' : value) as WallTime });
      return;
    case 'non-numeric-id':
      addUser(state, { id: value === '' ? NON_NUMERIC : value, name: 'Letters' });
      addRecord(state, { userId: value === '' ? NON_NUMERIC : value, wallTime: '2025-09-01 08:06:02' as WallTime });
      return;
    case 'gbk-name':
      addUser(state, { id: GBK_NAMED, name: value === '' ? '欧阳晓明' : value });
      addRecord(state, { userId: GBK_NAMED, wallTime: '2025-09-01 08:07:00' as WallTime });
      break;
    case 'clock-jump':
      state.clockOffsetMs += Number(value) || 3_600_000;
      return;
    case 'small-ring':
      state.recordCapacity = Number(value) || Math.max(1, state.log.length);
      state.log = state.log.slice(-state.recordCapacity);
      return;
    case 'seq-reset':
      state.log = [];
      return;
    default:
  }
  state.faults.set(name, value);
}

/** The number of a fault, or `otherwise` when none is given; null when the fault is off. */
export function faultNumber(state: SimulatorState, name: string, otherwise: number): number | null {
  const value = state.faults.get(name);
  if (value === undefined) return null;
  const number = Number(value);
  return value !== '' && Number.isFinite(number) ? number : otherwise;
}

/** Whether a fault that acts a number of times (1 unless told) acts now; counts down. */
export function faultFires(state: SimulatorState, name: string): boolean {
  const left = faultNumber(state, name, 1);
  if (left === null || left <= 0) return false;
  if (left <= 1) state.faults.delete(name);
  else state.faults.set(name, String(left - 1));
  return true;
}

export function fieldsOf(state: SimulatorState, record: SimulatedPunch): AttendanceFields {
  return {
    uid: uidOf(state, record.userId),
    userId: record.userId,
    verify: verifyCode(record.verify ?? 'face'),
    state: directionCode(record.direction ?? 'in'),
    wallTime: record.wallTime,
  };
}

/** Records that the counter tells. */
export function toldRecords(state: SimulatorState): number {
  const duplicates = state.faults.has('duplicate-record') && state.log.length > 0 ? 1 : 0;
  return Math.max(0, state.log.length + duplicates + (faultNumber(state, 'wrong-count', 3) ?? 0));
}

export const withLength = (records: readonly Uint8Array[], size: number): Uint8Array => {
  const set = new Uint8Array(4 + records.length * size);
  new DataView(set.buffer).setUint32(0, records.length * size, true);
  records.forEach((record, index) => set.set(record, 4 + index * size));
  return set;
};

/** The attendance log as a data set, as of now. */
export function attendanceSet(state: SimulatorState): Uint8Array {
  const size: RecordBytes = state.options.recordBytes;
  const stateFirst = state.options.verifyStateOrder === 'state-first';
  const lost = faultNumber(state, 'truncate-dataset', Math.ceil(state.log.length / 2)) ?? 0;
  const kept = state.log.slice(0, Math.max(0, state.log.length - lost));
  const first = kept[0];
  if (state.faults.has('duplicate-record') && first) kept.push(first);
  return withLength(
    kept.map((record) => encodeAttendance(fieldsOf(state, record), size, stateFirst)),
    size,
  );
}
