/**
 * What a simulated terminal knows: people, events with their record numbers, its clock, where it pushes to, and its faults. State
 * survives connections. Pure but for the two clocks of the setup; nothing here knows HTTP.
 */
import { instant, instantToWall, parseWallTime, wallToInstant, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { minorOf, STATUS_WORDS } from './codes.js';
import { offsetText, writeTime, type DateForm } from './device-time.js';
import type { HikSimulatorOptions } from './options.js';
import type { Tree } from './xml.js';

export interface StoredEvent {
  readonly serial: number;
  readonly major: number;
  readonly minor: number;
  readonly wall: WallTime;
  readonly userId: string;
  readonly status: string;
  /** Made while it ran, so told live. */
  readonly live: boolean;
  pushed: boolean;
}

export interface PushTarget {
  readonly url: string;
}

export interface State {
  readonly setup: SimulatorSetup;
  readonly options: HikSimulatorOptions;
  readonly faults: Map<string, string>;
  readonly people: Map<string, Tree>;
  events: StoredEvent[];
  readonly records: SimulatedPunch[];
  serial: number;
  clockOffsetMs: number;
  timeMode: string;
  push: PushTarget | null;
  slot: Tree | null;
  /** Called after every new event. */
  readonly listeners: Set<() => void>;
}

const FIRST_SERIAL = 1000;
const STORED_PUSHES = 3;

export function createState(setup: SimulatorSetup, options: HikSimulatorOptions): State {
  const state: State = {
    setup,
    options,
    faults: new Map(setup.faults),
    people: new Map(),
    events: [],
    records: [],
    serial: FIRST_SERIAL,
    clockOffsetMs: 0,
    timeMode: options.timeMode,
    push: options.pushKey === undefined ? null : { url: `/hik/${options.pushKey}` },
    slot: null,
    listeners: new Set(),
  };
  for (const user of setup.users) addUser(state, user);
  for (const record of setup.records) addRecord(state, record, false);
  // What was recorded while the gateway was away is pushed later, with its old time.
  if (state.push) for (const event of state.events.slice(-STORED_PUSHES)) event.pushed = false;
  return state;
}

/** Whether a fault with a count fires now; it counts down and ends by itself. Without a count it fires every time. */
export function faultFires(state: State, name: string): boolean {
  const value = state.faults.get(name);
  if (value === undefined) return false;
  const left = Number(value);
  if (value === '' || !Number.isFinite(left)) return true;
  if (left <= 1) state.faults.delete(name);
  else state.faults.set(name, String(left - 1));
  return left >= 1;
}

export function addUser(state: State, user: SimulatedUser): void {
  const before = state.people.get(user.id);
  state.people.set(user.id, before ? { ...before, name: user.name } : newPerson(user));
}

const newPerson = (user: SimulatedUser): Tree => ({
  employeeNo: user.id,
  name: user.name,
  userType: 'normal',
  closeDelayEnabled: false,
  Valid: { enable: true, beginTime: '2025-01-01T00:00:00', endTime: '2037-12-31T23:59:59', timeType: 'local' },
  password: '135790',
  doorRight: '1',
  RightPlan: [{ doorNo: 1, planTemplateNo: '1' }],
  numOfFace: 1,
  numOfFP: 0,
  numOfCard: 1,
});

export const personName = (state: State, id: string): string => {
  const name = state.people.get(id)?.name;
  return typeof name === 'string' ? name : '';
};

export function wallClock(state: State): WallTime {
  return instantToWall(instant(state.setup.world.now() + state.clockOffsetMs), state.setup.zone);
}

export function setWallClock(state: State, to: WallTime): void {
  const at = wallToInstant(to, state.setup.zone);
  if (at !== null) state.clockOffsetMs = at - state.setup.world.now();
}

function addEvent(state: State, event: Omit<StoredEvent, 'serial' | 'pushed'>): void {
  state.serial += 1;
  state.events.push({ ...event, serial: state.serial, pushed: !event.live });
}

/** A punch and, where the model has a door, what the lock does. */
export function addRecord(state: State, record: SimulatedPunch, live: boolean): SimulatedPunch {
  let wall = record.wallTime;
  if (state.faults.has('impossible-date')) {
    state.faults.delete('impossible-date');
    wall = parseWallTime(`${wall.slice(0, 5)}02-30${wall.slice(10)}`) ?? wall;
  }
  if (state.faults.has('seq-reset')) {
    state.faults.delete('seq-reset');
    state.serial = 0;
    state.events = [];
    state.records.length = 0;
  }
  const told = { ...record, wallTime: wall };
  const base = { major: 5, wall, live, status: '' };
  if (state.options.doorEvents) addEvent(state, { ...base, minor: 76, userId: record.userId });
  addEvent(state, {
    ...base,
    minor: minorOf(record.verify ?? 'face'),
    userId: record.userId,
    status: STATUS_WORDS[record.direction ?? 'unknown'],
  });
  if (state.options.doorEvents) {
    addEvent(state, { ...base, minor: 21, userId: '' });
    addEvent(state, { ...base, minor: 22, userId: '' });
    // An operation at the menu: the same minor as a finger, another major.
    addEvent(state, { ...base, major: 3, minor: 38, userId: record.userId });
  }
  state.records.push(told);
  if (live) for (const listener of [...state.listeners]) listener();
  return told;
}

export function dated(state: State, wall: WallTime): string {
  return writeTime(wall, state.options.dateForm, offsetOf(state, wall), state.setup.zone);
}

export const offsetOf = (state: State, wall: WallTime): string =>
  offsetText(wall, state.setup.zone, state.setup.world.now());

export const shortSerial = (state: State): string => state.setup.serial.slice(-9);

/** An event as a search tells it. */
export function searched(state: State, event: StoredEvent): Tree {
  return {
    major: event.major,
    minor: event.minor,
    time: dated(state, event.wall),
    cardType: 1,
    ...(event.userId === '' ? {} : { name: personName(state, event.userId) }),
    cardReaderNo: 1,
    doorNo: 1,
    ...(event.userId === '' ? {} : { employeeNoString: event.userId }),
    type: 0,
    serialNo: event.serial,
    userType: 'normal',
    currentVerifyMode: event.userId === '' ? 'invalid' : 'faceOrFpOrCardOrPw',
    ...(event.status === '' ? {} : { attendanceStatus: event.status }),
    mask: 'no',
    ...(event.minor === 75
      ? { pictureURL: `http://192.0.2.9/LOCALS/pic/acsLinkCap/1_${event.serial}.jpeg@WEB${event.serial}` }
      : {}),
  };
}

/** An event as streams and pushes tell it. `current` null: the field is missing. */
export function alerted(state: State, event: StoredEvent, current: boolean | null, pictures: number): Tree {
  return {
    ipAddress: '192.0.2.9',
    portNo: 80,
    protocol: 'HTTP',
    macAddress: '02:00:00:00:00:09',
    channelID: 1,
    dateTime: dated(state, event.wall),
    activePostCount: 1,
    eventType: 'AccessControllerEvent',
    eventState: 'active',
    eventDescription: 'Access Controller Event',
    shortSerialNumber: shortSerial(state),
    AccessControllerEvent: {
      deviceName: 'gate',
      majorEventType: event.major,
      subEventType: event.minor,
      cardType: 1,
      name: personName(state, event.userId),
      cardReaderKind: 1,
      cardReaderNo: 1,
      verifyNo: 12,
      ...(event.userId === '' ? {} : { employeeNoString: event.userId }),
      serialNo: event.serial,
      userType: 'normal',
      currentVerifyMode: 'faceOrFpOrCardOrPw',
      ...(current === null ? {} : { currentEvent: current }),
      frontSerialNo: event.serial - 1,
      attendanceStatus: event.status === '' ? 'undefined' : event.status,
      label: '',
      statusValue: 0,
      mask: 'no',
      picturesNumber: pictures,
    },
  };
}

/** Whether a date of a search has the form that this firmware wants. */
export function rightForm(text: string, form: DateForm): boolean {
  const pattern = { offset: /\d[+-]\d{2}:\d{2}$/, none: /T\d{2}:\d{2}:\d{2}$/, z: /Z$/ }[form];
  return pattern.test(text);
}
