/**
 * The inside of a simulated Anviz terminal: users, records with a "new" flag each, a clock, and what it answers to each
 * command. A download freezes the list; the cursor and the last page belong to one connection. It can show the faults
 * of the protocol itself (a wrong counter, a record twice, a restart in the middle); those of the wire live elsewhere.
 *
 * Told to, it erases records, as the real one does: a test then sees what a driver must never send.
 */
import type { Direction, Verify } from '../../core/punch-words.js';
import { instant, instantToWall, wallToInstant, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { Reader, Writer } from '../../core/bytes.js';
import {
  authRequest,
  COMMAND,
  decodeClock,
  encodeAnswer,
  encodeClock,
  encodeCounters,
  encodePage,
  encodeRecord,
  wallToSeconds,
} from './codec.js';
import type { Frame } from './codec.js';
import { createDeviceStaff, type StaffAnswer, type StaffCursor } from './device-staff.js';
import { credentialText, type AnvizSimulatorOptions } from './options.js';
import type { WritableUser } from './users.js';

interface Kept {
  readonly told: SimulatedPunch;
  readonly raw: Uint8Array;
  isNew: boolean;
}

/** What a connection remembers of its own. */
export interface DeviceConnection extends StaffCursor {
  authenticated: boolean;
  /** When it was last asked for anything. */
  askedAt: number;
  /** Heartbeats that nobody has answered yet. */
  heartbeats: number;
  list: readonly Uint8Array[] | null;
  at: number;
  lastPage: Uint8Array | null;
  pagesSent: number;
  /** Requests that a terminal which is starting up does not hear. */
  deaf: number;
  live(frame: Uint8Array): void;
}

/** Frames to send, in order; `restart`: the terminal loses power and drops the line. */
export type Response = readonly Uint8Array[] | 'restart';

export interface Device {
  readonly address: number;
  readonly faults: Map<string, string>;
  connect(live: (frame: Uint8Array) => void): DeviceConnection;
  disconnect(connection: DeviceConnection): void;
  readonly connections: number;
  answer(frame: Frame, connection: DeviceConnection): Response;
  addUser(user: WritableUser): void;
  users(): readonly SimulatedUser[];
  /** The record of a person as it is kept; null: nobody. */
  userRecord(id: string): Uint8Array | null;
  addRecord(record: SimulatedPunch): SimulatedPunch;
  punch(userId: string, how: { readonly verify?: Verify; readonly direction?: Direction }): SimulatedPunch;
  records(): readonly SimulatedPunch[];
  /** Records whose "new" flag stands. */
  newRecords(): number;
  setClockOffset(ms: number): void;
  wallClock(): WallTime;
  realTime(): boolean;
}

const STATES: readonly Direction[] = ['in', 'out'];
const IMPOSSIBLE_CLOCK = Uint8Array.of(0, 13, 32, 25, 61, 61);
/** Without traffic for so long, an authentication is over. */
const AUTH_LAPSE_MS = 300_000;

export function createDevice(setup: SimulatorSetup, options: AnvizSimulatorOptions): Device {
  const faults = new Map(setup.faults);
  const staff = createDeviceStaff(options, faults);
  for (const user of setup.users) staff.add(user);
  let kept: Kept[] = [];
  /** Also those that were erased. */
  const everMade: SimulatedPunch[] = [];
  let offsetMs = 0;
  const config2 = Uint8Array.of(3, 0, 0, 0, options.realTime ? 1 : 0, 1, 0, 5, 0, 0, 50, 0, 0, 0, 0);
  const connections = new Set<DeviceConnection>();

  const number = (fault: string, otherwise: number): number => {
    const value = Number(faults.get(fault) ?? '');
    return Number.isFinite(value) && value > 0 ? value : otherwise;
  };
  const wallClock = (): WallTime => instantToWall(instant(setup.world.now() + offsetMs), setup.zone);
  const answer = (command: number, data?: Uint8Array, ret = 0): Uint8Array =>
    encodeAnswer(options.address, command, ret, data);
  const live = (raw: Uint8Array): Uint8Array => answer(COMMAND.realTime, raw);

  const verifyCode = (verify: Verify | undefined): number => {
    const codes: Partial<Record<Verify, number>> = {
      finger: 1,
      password: 4,
      card: 8,
      combo: 5,
      face: options.faceCode,
    };
    return codes[verify ?? 'face'] ?? 0;
  };

  const keep = (record: SimulatedPunch, doorOpened: boolean): Kept => {
    const raw = encodeRecord({
      userId: record.userId,
      seconds: wallToSeconds(record.wallTime, options.epoch) ?? 0,
      backup: verifyCode(record.verify),
      state: Math.max(0, STATES.indexOf(record.direction ?? 'in')) + (doorOpened ? 0x80 : 0),
      workCode: 0,
    });
    const one: Kept = { told: { ...record, userId: String(Number(record.userId)) }, raw, isNew: true };
    kept.push(one);
    everMade.push(one.told);
    return one;
  };
  for (const record of setup.records) keep(record, false);

  const punch: Device['punch'] = (userId, how) => {
    const one = keep({ userId, wallTime: wallClock(), ...how }, true);
    if (config2[4] !== 0) for (const connection of connections) connection.live(live(one.raw));
    return one.told;
  };

  const freeze = (parameter: number): readonly Uint8Array[] => {
    let list = (parameter === 2 ? kept.filter((one) => one.isNew) : kept).map((one) => one.raw);
    if (faults.has('truncate-dataset')) list = list.slice(0, Math.max(0, list.length - number('truncate-dataset', 1)));
    const [first] = list;
    if (faults.has('duplicate-record') && first) list = [first, ...list];
    if (faults.has('impossible-date') && first) {
      const spoilt = Uint8Array.from(first);
      spoilt.fill(0xff, 5, 9);
      list = [spoilt, ...list.slice(1)];
    }
    return list;
  };

  const recordPage = (data: Uint8Array, connection: DeviceConnection): Response => {
    const parameter = data[0] ?? 0;
    const count = Math.min(data[1] ?? 0, options.pageRecordsMax);
    if (faults.has('reboot-mid-transfer') && connection.pagesSent >= number('reboot-mid-transfer', 1)) {
      faults.delete('reboot-mid-transfer');
      return 'restart';
    }
    if (parameter === 1 || parameter === 2) {
      connection.list = freeze(parameter);
      connection.at = 0;
    } else if (connection.list === null || (parameter === 0x10 && connection.lastPage === null)) {
      return [answer(COMMAND.records, undefined, 1)];
    }
    if (parameter !== 0x10) {
      const page = encodePage(connection.list.slice(connection.at, connection.at + count));
      connection.at += count;
      if (faults.has('wrong-page-count')) page[0] = ((page[0] ?? 0) + 1) & 0xff;
      connection.lastPage = page;
    }
    connection.pagesSent += 1;
    const frames = [answer(COMMAND.records, connection.lastPage ?? undefined)];
    if (!faults.has('interleave-event')) return frames;
    // Somebody passes between the request and its page.
    const left = number('interleave-event', 1);
    if (left <= 1) faults.delete('interleave-event');
    else faults.set('interleave-event', String(left - 1));
    const passer = staff.users()[0]?.id ?? '1';
    const one = keep({ userId: passer, wallTime: wallClock() }, true);
    return config2[4] === 0 ? frames : [live(one.raw), ...frames];
  };

  const told = (command: number, { ret, data }: StaffAnswer): Response => [answer(command, data, ret)];

  const clear = (data: Uint8Array): Response => {
    const reader = new Reader(data, 'big');
    const type = reader.u8();
    const count = reader.u24();
    const fresh = kept.filter((one) => one.isNew);
    const cleared = type === 0 ? kept.length : type === 1 ? fresh.length : Math.min(count, fresh.length);
    if (type === 0) kept = [];
    for (const one of fresh.slice(0, cleared)) one.isNew = false;
    return [answer(COMMAND.clearNew, new Writer('big').u24(cleared).bytes())];
  };

  const counters = (): Uint8Array => {
    if (faults.has('seq-reset')) {
      // Somebody erases the log at its menu.
      faults.delete('seq-reset');
      kept = [];
    }
    const wrong = faults.has('wrong-count') ? number('wrong-count', 1) : 0;
    return encodeCounters({
      users: staff.users().length,
      fingers: 0,
      passwords: 0,
      cards: 0,
      records: kept.length + wrong,
      newRecords: kept.filter((one) => one.isNew).length + wrong,
    });
  };

  const capacity = (): Uint8Array =>
    new Writer('big').u24(options.userCapacity).u24(options.userCapacity).u24(options.recordCapacity).bytes();

  const setClock = (data: Uint8Array): Response => {
    const at = wallToInstant(decodeClock(data), setup.zone);
    if (at === null) return [answer(COMMAND.setClock, undefined, 1)];
    offsetMs = at - setup.world.now();
    return [answer(COMMAND.setClock)];
  };

  const configure = (data: Uint8Array): Response => {
    data.subarray(0, config2.length).forEach((value, index) => {
      if (value !== 0xff) config2[index] = value;
    });
    return [answer(COMMAND.setConfig2)];
  };

  const obey = (frame: Frame, connection: DeviceConnection): Response => {
    const { command, data } = frame;
    switch (command) {
      case COMMAND.serial:
        return [answer(command, new Writer('big').field(Buffer.from(setup.serial, 'latin1'), 16).bytes())];
      case COMMAND.model:
        return [answer(command, new Writer('big').field(Buffer.from(options.model, 'latin1'), 8).bytes())];
      case COMMAND.config1:
        return [answer(command, new Writer('big').field(Buffer.from(options.firmware, 'latin1'), 18).bytes())];
      case COMMAND.config2:
        return [answer(command, config2)];
      case COMMAND.setConfig2:
        return configure(data);
      case COMMAND.address:
        return [answer(command, new Writer('big').u32(options.address).bytes())];
      case COMMAND.clock:
        return [answer(command, faults.has('impossible-date') ? IMPOSSIBLE_CLOCK : encodeClock(wallClock()))];
      case COMMAND.setClock:
        return setClock(data);
      case COMMAND.counters:
        return [answer(command, counters())];
      case COMMAND.records:
        return recordPage(data, connection);
      case COMMAND.users:
      case COMMAND.usersOld:
        return told(command, staff.page(data, command, connection));
      case COMMAND.setUsers:
      case COMMAND.setUsersOld:
        return told(command, staff.store(data, command));
      case COMMAND.deleteUser:
        return told(command, staff.remove(data));
      case COMMAND.capacity:
        return [answer(command, capacity())];
      case COMMAND.clearNew:
        return data.length < 4 ? [answer(command, undefined, 1)] : clear(data);
      default:
        return [answer(command, undefined, 1)];
    }
  };

  const login = (data: Uint8Array, connection: DeviceConnection): Response => {
    const wanted = authRequest(credentialText(options.authUser), credentialText(options.authPassword ?? ''));
    connection.authenticated = options.authPassword === undefined || Buffer.compare(data, wanted) === 0;
    return [answer(COMMAND.auth, undefined, connection.authenticated ? 0 : 1)];
  };

  return {
    address: options.address,
    faults,
    connect(tell) {
      const connection: DeviceConnection = {
        authenticated: options.authPassword === undefined,
        list: null,
        at: 0,
        lastPage: null,
        users: null,
        usersAt: 0,
        lastUsers: null,
        askedAt: setup.wire.ticks(),
        heartbeats: 0,
        pagesSent: 0,
        deaf: 0,
        live: tell,
      };
      connections.add(connection);
      return connection;
    },
    disconnect: (connection) => void connections.delete(connection),
    get connections() {
      return connections.size;
    },
    answer(frame, connection) {
      // Device-initiated requests have no answer; neither has what the gateway sends as the answer to one.
      if (frame.kind === 'answer' && frame.command === COMMAND.heartbeat) connection.heartbeats = 0;
      if (frame.kind !== 'request' || frame.command === COMMAND.heartbeat) return [];
      const silentMs = setup.wire.ticks() - connection.askedAt;
      connection.askedAt = setup.wire.ticks();
      if (options.authPassword !== undefined && silentMs >= AUTH_LAPSE_MS) connection.authenticated = false;
      if (connection.deaf > 0) {
        connection.deaf -= 1;
        return [];
      }
      if (faults.has('clock-jump')) {
        offsetMs += number('clock-jump', 3600) * 1000;
        faults.delete('clock-jump');
      }
      if (frame.command === COMMAND.auth) return login(frame.data, connection);
      if (!connection.authenticated)
        return options.withoutAuth === 'silent' ? [] : [answer(frame.command, undefined, 1)];
      if (faults.has('busy-error')) {
        const left = number('busy-error', 1);
        if (left <= 1) faults.delete('busy-error');
        else faults.set('busy-error', String(left - 1));
        return [answer(frame.command, undefined, 8)];
      }
      return obey(frame, connection);
    },
    addUser: (user) => staff.add(user),
    users: () => staff.users(),
    userRecord: (id) => staff.record(id),
    addRecord: (record) => keep(record, false).told,
    punch,
    records: () => everMade,
    newRecords: () => kept.filter((one) => one.isNew).length,
    setClockOffset: (ms) => void (offsetMs = ms),
    wallClock,
    realTime: () => config2[4] !== 0,
  };
}
