/**
 * What a simulated terminal remembers between connections: people, log, clock, and which records are still new. See README.md
 * for the list of faults.
 */
import { instant, instantToWall, wallToInstant, zone as zoneOf } from '../../core/time.js';
import type { Instant, WallTime, Zone } from '../../core/time.js';
import type { Direction, Verify } from '../../core/punch-words.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { idValue, type Fields } from './codec.js';
import type { AifaceSimulatorOptions } from './options.js';
import { PROFILES } from './punch.js';

const UTC = zoneOf('UTC') ?? ('UTC' as Zone);
const JUMP_MS = 3_600_000;

export interface StoredRecord {
  readonly punch: SimulatedPunch;
  /** Nobody has fetched it, nor taken it when it was pushed. */
  isNew: boolean;
}

export interface StoredUser {
  name: string;
  admin: number;
  /** What was enrolled: number of the credential to what it holds. Never given out by this simulator. */
  readonly credentials: Set<number>;
}

export interface DeviceState {
  readonly setup: SimulatorSetup;
  readonly options: AifaceSimulatorOptions;
  readonly faults: Map<string, string>;
  readonly users: Map<string, StoredUser>;
  /** What the log holds; `ever` is what it held in all its life. */
  readonly log: StoredRecord[];
  readonly ever: SimulatedPunch[];
  /** Records to push, oldest first. */
  readonly toPush: StoredRecord[];
  clockOffsetMs: number;
  restarts: number;
  /** Messages that came in pieces or joined, and requests that no program should send. */
  violations: number;
}

export function createState(setup: SimulatorSetup, options: AifaceSimulatorOptions): DeviceState {
  const state: DeviceState = {
    setup,
    options,
    faults: new Map(setup.faults),
    users: new Map(),
    log: [],
    ever: [],
    toPush: [],
    clockOffsetMs: 0,
    restarts: 0,
    violations: 0,
  };
  for (const user of setup.users) addUser(state, user);
  for (const record of setup.records) addRecord(state, record);
  return state;
}

export function addUser(state: DeviceState, user: SimulatedUser): void {
  state.users.set(user.id, { name: user.name, admin: 0, credentials: new Set([20, 50]) });
}

export function usersOf(state: DeviceState): readonly SimulatedUser[] {
  return [...state.users].map(([id, { name }]) => ({ id, name }));
}

export function addRecord(state: DeviceState, punch: SimulatedPunch): StoredRecord {
  const record = { punch, isNew: true };
  state.log.push(record);
  state.ever.push(punch);
  if (state.options.pushBacklog) state.toPush.push(record);
  return record;
}

/** The terminal's own idea of now. */
const ownNow = (state: DeviceState): Instant => instant(state.setup.world.now() + state.clockOffsetMs);

export function wallClock(state: DeviceState): WallTime {
  return instantToWall(ownNow(state), state.setup.zone);
}

/** Time as this terminal writes it. */
export function written(state: DeviceState, wall: WallTime): string {
  const at = state.options.clockMode === 'utc' ? wallToInstant(wall, state.setup.zone) : null;
  const text = at === null ? wall : instantToWall(at, UTC);
  return state.faults.has('iso-time') ? `${text.replace(' ', 'T')}Z` : text;
}

export function setClock(state: DeviceState, told: string): boolean {
  const match = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(told);
  const at = match ? wallToInstant(told as WallTime, state.options.clockMode === 'utc' ? UTC : state.setup.zone) : null;
  if (at === null) return false;
  state.clockOffsetMs = at - state.setup.world.now();
  return true;
}

export function punchNow(
  state: DeviceState,
  userId: string,
  how: { readonly verify?: Verify; readonly direction?: Direction },
  taken: boolean,
): SimulatedPunch {
  if (state.faults.has('clock-jump')) {
    state.faults.delete('clock-jump');
    state.clockOffsetMs += JUMP_MS;
  }
  const punch = { userId, wallTime: wallClock(state), verify: how.verify ?? 'face', direction: how.direction ?? 'in' };
  // With "server approval" the terminal takes no punch that the gateway cannot hear of.
  if (!taken) return punch;
  const record = addRecord(state, punch);
  if (!state.toPush.includes(record)) state.toPush.push(record);
  return punch;
}

export function modeOf(state: DeviceState, verify: Verify | undefined): number {
  const found = Object.entries(PROFILES[state.options.profile]).find(([, word]) => word === (verify ?? 'face'));
  return Number(found?.[0] ?? 8);
}

/** A record as it is told. */
export function recordFields(state: DeviceState, { punch }: StoredRecord, odd: boolean): Fields {
  const wall = odd ? (`2025-02-30 ${punch.wallTime.slice(11)}` as WallTime) : punch.wallTime;
  return {
    enrollid: idValue(punch.userId),
    time: written(state, wall),
    mode: modeOf(state, punch.verify),
    inout: punch.direction === 'out' ? 1 : 0,
    event: 0,
  };
}

export function devinfo(state: DeviceState): Fields {
  const { options, log } = state;
  const full = state.faults.has('memory-full');
  return {
    modelname: options.model,
    usersize: options.userCapacity,
    facesize: options.userCapacity,
    fpsize: options.userCapacity,
    cardsize: options.userCapacity,
    pwdsize: options.userCapacity,
    logsize: full ? log.length : options.recordCapacity,
    useduser: state.users.size,
    usedface: state.users.size,
    usedfp: 0,
    usedcard: 0,
    usedpwd: 0,
    usedlog: log.length,
    usednewlog: log.filter((record) => record.isNew).length,
    fpalgo: 'thbio3.0',
    firmware: options.firmware,
    time: written(state, wallClock(state)),
    mac: '00-01-A9-01-00-01',
  };
}
