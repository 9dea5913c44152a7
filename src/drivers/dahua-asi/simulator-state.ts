/**
 * What a simulated terminal knows, whoever asks: its clock, its log with record numbers, its people, its faults. State that
 * survives connections. Times are told as this firmware would tell them, so a wrong zone shows in the records and not on the
 * display.
 */
import {
  instantToWall,
  parseWallTime,
  wallToInstant,
  type Instant,
  type WallTime,
  type Zone,
} from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import type { DahuaSimulatorOptions } from './options.js';

/** One line of the log: a punch, a refusal, or a door without a person. */
export interface LogRecord {
  readonly recNo: number;
  readonly wall: WallTime;
  readonly userId: string;
  readonly method: number;
  readonly attendance: number;
  readonly error: number;
}

export interface Person {
  readonly recNo: number;
  readonly id: string;
  name: string;
  /** Everything else that was written with this person. */
  readonly more: Readonly<Record<string, unknown>>;
}

export interface State {
  readonly setup: SimulatorSetup;
  readonly options: DahuaSimulatorOptions;
  readonly faults: Map<string, string>;
  readonly log: LogRecord[];
  readonly made: SimulatedPunch[];
  readonly people: Person[];
  readonly realm: string;
  nextRecNo: number;
  nextPerson: number;
  offsetMs: number;
  /** Who wants to hear of a new record. */
  readonly ears: Set<(record: LogRecord) => void>;
}

const METHODS: Readonly<Record<string, number>> = { card: 1, face: 15, password: 0, finger: 6 };
const ATTENDANCE: Readonly<Record<string, number>> = { in: 1, out: 2 };
const UTC = 'UTC' as Zone;

export function createState(setup: SimulatorSetup, options: DahuaSimulatorOptions, realm: string): State {
  const state: State = {
    setup,
    options,
    faults: new Map(setup.faults),
    log: [],
    made: [],
    people: [],
    realm,
    nextRecNo: 1,
    nextPerson: 1,
    offsetMs: 0,
    ears: new Set(),
  };
  for (const user of setup.users) addPerson(state, user, {});
  for (const record of setup.records) addRecord(state, record);
  return state;
}

/** Whether this fault is due now; a number counts down, none means always. */
export function faultFires(state: State, name: string): boolean {
  const value = state.faults.get(name);
  if (value === undefined) return false;
  const left = Number(value);
  if (value === '' || !Number.isFinite(left)) return true;
  if (left <= 1) state.faults.delete(name);
  else state.faults.set(name, String(left - 1));
  return left > 0;
}

export function faultNumber(state: State, name: string): number {
  const value = Number(state.faults.get(name) ?? '0');
  return state.faults.has(name) && (!Number.isFinite(value) || value === 0) ? 1 : value;
}

export function wallClock(state: State): WallTime {
  if (state.faults.has('clock-jump')) {
    const jump = faultNumber(state, 'clock-jump');
    state.faults.delete('clock-jump');
    state.offsetMs += jump * 1000;
  }
  return instantToWall((state.setup.world.now() + state.offsetMs) as Instant, state.setup.zone);
}

export function setWallClock(state: State, text: string): boolean {
  const wall = parseWallTime(text);
  const at = wall === null ? null : wallToInstant(wall, state.setup.zone);
  if (at === null) return false;
  state.offsetMs = at - state.setup.world.now();
  return true;
}

export function addPerson(state: State, user: SimulatedUser, more: Readonly<Record<string, unknown>>): Person {
  const known = state.people.find(({ id }) => id === user.id);
  if (known) {
    known.name = user.name;
    return known;
  }
  const person = { recNo: state.nextPerson, id: user.id, name: user.name, more };
  state.nextPerson += 1;
  state.people.push(person);
  return person;
}

function append(state: State, record: Omit<LogRecord, 'recNo'>): LogRecord {
  if (state.faults.has('seq-reset')) {
    state.faults.delete('seq-reset');
    clearLog(state);
  }
  const kept = { ...record, recNo: state.nextRecNo };
  state.nextRecNo += 1;
  state.log.push(kept);
  if (state.log.length > state.options.recordCapacity) state.log.shift();
  return kept;
}

export function addRecord(state: State, record: SimulatedPunch): LogRecord {
  const kept = append(state, {
    wall: record.wallTime,
    userId: record.userId,
    method: METHODS[record.verify ?? 'face'] ?? 15,
    attendance: ATTENDANCE[record.direction ?? 'unknown'] ?? 0,
    error: 0,
  });
  // After `append`, which may have emptied the log.
  state.made.push(record);
  return kept;
}

/** A face that was seen and not let in, or a button at the door: records that are no punches. */
export function addRefusal(state: State, userId: string): LogRecord {
  return append(state, { wall: wallClock(state), userId, method: 15, attendance: 0, error: 16 });
}

/** What its owner may do at the terminal, and the gateway never does. */
export function clearLog(state: State): void {
  state.log.length = 0;
  state.made.length = 0;
  state.nextRecNo = 1;
}

const secondsIn = (wall: WallTime, zone: Zone): number => Math.floor((wallToInstant(wall, zone) ?? 0) / 1000);

/** The terminal's own idea of the moment, by the zone it is set to. */
export function plainSeconds(state: State, wall: WallTime): number {
  const { zoneMinutes } = state.options;
  return zoneMinutes === null ? secondsIn(wall, state.setup.zone) : secondsIn(wall, UTC) - zoneMinutes * 60;
}

const createTimeText = (state: State, wall: WallTime): string => {
  const seconds = plainSeconds(state, wall);
  if (state.options.createTime === 'text' || seconds <= 0) return wall;
  return state.options.createTime === 'milliseconds' ? String(seconds * 1000) : String(seconds);
};

/** The fields of a record in the order in which the firmware tells them. */
export function recordFields(state: State, record: LogRecord): Readonly<Record<string, string>> {
  const person = state.people.find(({ id }) => id === record.userId);
  return {
    AttendanceState: String(record.attendance),
    CardName: person?.name ?? '',
    CardNo: '',
    CardType: '0',
    CreateTime: createTimeText(state, record.wall),
    ...(state.options.realUtc ? { CreateTimeRealUTC: String(secondsIn(record.wall, state.setup.zone)) } : {}),
    Door: '0',
    ErrorCode: String(record.error),
    Method: String(record.method),
    ReaderID: '1',
    RecNo: String(record.recNo),
    Status: record.error === 0 ? '1' : '0',
    Type: 'Entry',
    URL: `/mnt/appdata1/userpic/SnapShot/${record.wall.slice(0, 10)}/${record.userId}_98_100.jpg`,
    UserID: record.userId,
  };
}
