/**
 * The inside of a simulated FC-8x00 terminal: people, a record store with write and read index, a clock, and what it
 * answers to each command. Strict: another serial number or an unknown command meets silence, a wrong password a refusal.
 * It can show the faults of the protocol itself; those of the wire live elsewhere. See README.md for the list.
 */
import type { Direction, Verify } from '../../core/punch-words.js';
import { Reader, Writer } from '../../core/bytes.js';
import { instant, instantToWall, wallToInstant, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { eventOf } from '../fcard-events.js';
import { ANSWER, ANY_SN, COMMAND, encodeAnswer, STATUS, UNASKED, WATCH, type Command, type Frame } from './codec.js';
import { createDeviceStore, type DeviceStore, type Kept } from './device-store.js';
import { passwordBytes, type FcardSimulatorOptions } from './options.js';
import { decodePerson, newPerson, PERSON_BYTES } from './person.js';
import { decodeClock, encodeClock, encodeSlots, encodeStores, LIVE_BYTES, STORE } from './records.js';

/** What a connection remembers of its own. */
export interface DeviceConnection {
  watching: boolean;
  /** Requests that a terminal which is starting up does not hear. */
  deaf: number;
  bulks: number;
  tell(frame: Uint8Array): void;
}

/** Frames to send, in order; `restart`: the terminal loses power and drops the line. */
export type Response = readonly Uint8Array[] | 'restart';

export interface Device {
  readonly sn: string;
  readonly faults: Map<string, string>;
  readonly store: DeviceStore;
  connect(tell: (frame: Uint8Array) => void): DeviceConnection;
  disconnect(connection: DeviceConnection): void;
  readonly connections: number;
  answer(frame: Frame, connection: DeviceConnection): Response;
  keepAlive(): Uint8Array;
  /** Answers to a connection test that came. */
  readonly testsAnswered: number;
  /** The record of one person as it is kept. */
  person(id: string): Uint8Array | undefined;
  setPerson(record: Uint8Array): void;
  addUser(user: SimulatedUser): void;
  users(): readonly SimulatedUser[];
  addRecord(record: SimulatedPunch): SimulatedPunch;
  punch(userId: string, how: { readonly verify?: Verify; readonly direction?: Direction }): SimulatedPunch;
  setClockOffset(ms: number): void;
  wallClock(): WallTime;
}

const ODD_CLOCK = Uint8Array.of(0x5a, 0xbb, 0xff, 0xff, 0x1f, 0x01, 0x25);
const PERSONS_PAGE = 5;

const accessOf = (direction: Direction | undefined): number => (direction === 'out' ? 2 : 1);

export function createDevice(setup: SimulatorSetup, options: FcardSimulatorOptions): Device {
  const faults = new Map(setup.faults);
  const password = passwordBytes(options.commPassword);
  const people = new Map<number, Uint8Array>();
  const connections = new Set<DeviceConnection>();
  const store = createDeviceStore(faults, options);
  let offsetMs = 0;
  let testsAnswered = 0;
  let packets = 0;

  const number = (fault: string, otherwise: number): number => {
    const value = Number(faults.get(fault) ?? '');
    return Number.isFinite(value) && value > 0 ? value : otherwise;
  };
  const wallClock = (): WallTime => instantToWall(instant(setup.world.now() + offsetMs), setup.zone);
  const sn = setup.serial;
  const frameOf = (code: number, type: number, index: number, par: number, data?: Uint8Array): Uint8Array =>
    encodeAnswer({ sn, password, code }, { type, index, par }, data);
  const status = (asked: Frame, index: number): Response => [frameOf(asked.code, STATUS, index, 0)];
  const data = (asked: Frame, bytes: Uint8Array, par = 0): Uint8Array =>
    frameOf(asked.code, asked.type + ANSWER, asked.index, par, bytes);
  const live = (kept: Kept): Uint8Array => frameOf(UNASKED, WATCH, 0x01, 0x00, kept.bytes.subarray(0, LIVE_BYTES));

  const addUser = ({ id, name }: SimulatedUser): void => {
    const user = Number(id);
    people.set(user, newPerson(user, name));
  };
  setup.users.forEach(addUser);

  const keep = (record: SimulatedPunch): Kept =>
    store.add(
      { ...record, userId: String(Number(record.userId)) },
      {
        user: Number(record.userId),
        wallTime: record.wallTime,
        access: accessOf(record.direction),
        event: eventOf(record.verify),
        photo: 0,
      },
    );
  for (const record of setup.records) keep(record);

  const punch: Device['punch'] = (userId, how) => {
    const kept = keep({ userId, wallTime: wallClock(), ...how });
    for (const connection of connections) if (connection.watching) connection.tell(live(kept));
    return kept.told;
  };

  const bulk = (frame: Frame, connection: DeviceConnection): Response => {
    const reader = new Reader(frame.data, 'big');
    const [which, first, count] = [reader.u8(), reader.u32(), reader.u32()];
    connection.bulks += 1;
    if (faults.has('reboot-mid-transfer') && connection.bulks > number('reboot-mid-transfer', 1)) {
      faults.delete('reboot-mid-transfer');
      return 'restart';
    }
    let slots = which === STORE ? [...store.slots(first, Math.min(count, 60))] : [];
    if (faults.has('truncate-dataset'))
      slots = slots.slice(0, Math.max(0, slots.length - number('truncate-dataset', 1)));
    if (faults.has('duplicate-record')) slots = [...slots.slice(0, 1), ...slots];
    if (faults.has('read-index-moves') && slots.length > 0) store.setRead(first + slots.length - 1);
    const frames: Uint8Array[] = [];
    for (let at = 0; at < slots.length; at += options.packetRecords) {
      packets += 1;
      if (faults.has('lost-packet') && packets % number('lost-packet', 2) === 0) continue;
      frames.push(data(frame, encodeSlots(slots.slice(at, at + options.packetRecords))));
    }
    if (faults.has('interleave-event')) {
      // Somebody passes between two packets.
      const left = number('interleave-event', 1);
      if (left <= 1) faults.delete('interleave-event');
      else faults.set('interleave-event', String(left - 1));
      const passer = [...people.keys()][0] ?? 1;
      frames.splice(1, 0, live(keep({ userId: String(passer), wallTime: wallClock() })));
    }
    frames.push(data(frame, new Writer('big').u32(slots.length).bytes(), 0xff));
    return frames;
  };

  const setReadIndex = (frame: Frame): Response => {
    if (frame.data.length !== (faults.has('six-byte-index') ? 6 : 5)) return status(frame, 3);
    const reader = new Reader(frame.data, 'big');
    if (reader.u8() !== STORE) return status(frame, 3);
    store.setRead(reader.u32());
    return status(frame, 1);
  };

  const setClock = (frame: Frame): Response => {
    const at = wallToInstant(decodeClock(frame.data), setup.zone);
    if (at === null) return status(frame, 3);
    offsetMs = at - setup.world.now();
    return status(frame, 1);
  };

  const watch = (frame: Frame, connection: DeviceConnection, on: boolean): Response => {
    connection.watching = on;
    return status(frame, 1);
  };

  const readPersons = (frame: Frame): Response => {
    const reader = new Reader(frame.data, 'big');
    const start = reader.u32();
    const page = [...people.values()].slice(start, start + Math.min(reader.u8(), PERSONS_PAGE));
    return [data(frame, Buffer.concat([Uint8Array.of(page.length), ...page]))];
  };

  const addPerson = (frame: Frame): Response => {
    const record = Uint8Array.from(frame.data.subarray(1));
    if (frame.data[0] !== 1 || record.length !== PERSON_BYTES) return status(frame, 3);
    const user = new Reader(record, 'big').u32();
    if (!people.has(user) && (faults.has('memory-full') || people.size >= options.personCapacity))
      return [data(frame, new Writer('big').u32(1).u32(user).bytes(), 0xff)];
    people.set(user, record);
    return status(frame, 1);
  };

  const deletePersons = (frame: Frame): Response => {
    const reader = new Reader(frame.data, 'big');
    for (let count = reader.u8(); count > 0; count -= 1) people.delete(reader.u32());
    return status(frame, 1);
  };

  const counts = (): Uint8Array => {
    const max = faults.has('memory-full') ? people.size : options.personCapacity;
    const writer = new Writer('big').u32(max).u32(people.size);
    return writer.u32(max).u32(0).u32(max).u32(people.size).bytes();
  };

  const obeys: readonly (readonly [Command, (frame: Frame, connection: DeviceConnection) => Response])[] = [
    [COMMAND.readSn, (frame) => [data(frame, new Writer('big').field(Buffer.from(sn, 'latin1'), 16).bytes())]],
    [COMMAND.version, (frame) => [data(frame, Buffer.from(options.version, 'latin1'))]],
    [COMMAND.startWatch, (frame, connection) => watch(frame, connection, true)],
    [COMMAND.stopWatch, (frame, connection) => watch(frame, connection, false)],
    [COMMAND.readClock, (frame) => [data(frame, faults.has('impossible-date') ? ODD_CLOCK : encodeClock(wallClock()))]],
    [COMMAND.writeClock, setClock],
    [COMMAND.stores, (frame) => [data(frame, encodeStores([store.told(), ...store.others()]))]],
    [COMMAND.readRecords, bulk],
    [COMMAND.setReadIndex, setReadIndex],
    [COMMAND.personCounts, (frame) => [data(frame, counts())]],
    [
      COMMAND.readPerson,
      (frame) => [
        data(frame, people.get(new Reader(frame.data, 'big').u32()) ?? new Uint8Array(PERSON_BYTES).fill(0xff), 1),
      ],
    ],
    [COMMAND.readPersons, readPersons],
    [COMMAND.addPerson, addPerson],
    [COMMAND.deletePerson, deletePersons],
  ];

  const obey = (frame: Frame, connection: DeviceConnection): Response => {
    if (frame.type === WATCH) {
      testsAnswered += 1;
      return [];
    }
    if (frame.sn === ANY_SN && (frame.type !== COMMAND.readSn.type || frame.index !== COMMAND.readSn.index)) return [];
    if (Buffer.compare(frame.password, password) !== 0) return status(frame, 2);
    if (faults.has('busy-error')) {
      const left = number('busy-error', 1);
      if (left <= 1) faults.delete('busy-error');
      else faults.set('busy-error', String(left - 1));
      return status(frame, 3);
    }
    const found = obeys.find(([one]) => one.type === frame.type && one.index === frame.index && one.par === frame.par);
    return found ? found[1](frame, connection) : [];
  };

  return {
    sn,
    faults,
    store,
    connect(tell) {
      const connection: DeviceConnection = { watching: false, deaf: 0, bulks: 0, tell };
      connections.add(connection);
      return connection;
    },
    disconnect: (connection) => void connections.delete(connection),
    get connections() {
      return connections.size;
    },
    answer(frame, connection) {
      if (connection.deaf > 0) {
        connection.deaf -= 1;
        return [];
      }
      if (faults.has('clock-jump')) {
        offsetMs += number('clock-jump', 3600) * 1000;
        faults.delete('clock-jump');
      }
      const response = obey(frame, connection);
      if (!faults.has('connection-test') || response === 'restart') return response;
      faults.delete('connection-test');
      return [frameOf(UNASKED, WATCH, 0xa0, 0), ...response];
    },
    keepAlive: () => frameOf(UNASKED, WATCH, 0x22, 0),
    get testsAnswered() {
      return testsAnswered;
    },
    person: (id) => people.get(Number(id)),
    setPerson: (record) => void people.set(new Reader(record, 'big').u32(), record),
    addUser,
    users: () => [...people.values()].map(decodePerson),
    addRecord: (record) => keep(record).told,
    punch,
    setClockOffset: (ms) => void (offsetMs = ms),
    wallClock,
  };
}
