/**
 * What a simulated PUSH terminal holds: people, records, its clock, and what still waits to be uploaded. It executes the
 * commands of the gateway the way firmware does: data goes into the queue of uploads, the result behind it. It is strict:
 * what a real terminal refuses is refused, and keys left out of a person are reset.
 */
import { instant, instantToWall, wallToInstant, type WallTime } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { encodeAttlog } from './attlog.js';
import { CODE_OF, OPERATION, STATE_OF } from './codes.js';
import { encodeResult, type Command } from './command.js';
import { offsetMinutesAt } from './greeting.js';
import { parsePairs } from './operlog.js';
import type { ZkPushSimulatorOptions } from './options.js';
import { encodeText } from './text.js';

/** Faults beside those of the wire; README.md says what each does. */
export const PROTOCOL_FAULTS = [
  'interleave-event',
  'no-result',
  'result-first',
  'query-dropped',
  'duplicate-body',
  'duplicate-record',
  'truncate-dataset',
  'wrong-count',
  'impossible-date',
  'non-numeric-id',
  'spoilt-line',
  'nul-bytes',
  'stamp-back',
  'clock-jump',
  'seq-reset',
  'busy-error',
  'memory-full',
  'reboot-mid-transfer',
  'close-mid-body',
  'photo',
  'unasked-tables',
] as const;

export interface Upload {
  /** Table, or null for results of commands. */
  readonly table: string | null;
  readonly body: Uint8Array;
  /** What happens by itself and what was asked for wait apart: one that gets no answer holds up only its own kind. */
  readonly lane: Lane;
}

export type Lane = 'live' | 'asked';

export interface PushDevice {
  readonly faults: Map<string, string>;
  readonly outbox: Upload[];
  /** Keys of the last greeting. */
  greeting: ReadonlyMap<string, string>;
  greeted: boolean;
  /** The numbers of a first poll. */
  info(): string;
  execute(command: Command): void;
  /** Every record again, as after a greeting with stamp 0. */
  uploadAll(): void;
  /** `Date` of an answer: sets the clock if it differs by more than ten seconds. */
  obey(date: number, offsetMinutes: number): void;
  addUser(user: SimulatedUser): void;
  punch(userId: string, how: Partial<Pick<SimulatedPunch, 'verify' | 'direction'>>): SimulatedPunch;
  addRecord(record: SimulatedPunch): void;
  users(): readonly SimulatedUser[];
  /** Everything it keeps of a person. */
  person(id: string): ReadonlyMap<string, string> | undefined;
  records(): readonly SimulatedPunch[];
  setClockOffset(ms: number): void;
  wallClock(): WallTime;
  stamp(): string;
  setFault(name: string, value: string | null): void;
}

const OBEY_MS = 10_000;
const RANGE = /StartTime=([\d :-]{19})\tEndTime=([\d :-]{19})$/;

/** Whether a fault shows now; where a number of times is given, it counts down to none. */
export function faultFires(state: { readonly faults: Map<string, string> }, name: string): boolean {
  const value = state.faults.get(name);
  if (value === undefined) return false;
  const left = Number(value);
  if (Number.isInteger(left) && left > 0) {
    if (left === 1) state.faults.delete(name);
    else state.faults.set(name, String(left - 1));
  }
  return true;
}

/** Faults that happen in the moment in which they are switched on. */
function happen(name: string, what: { readonly clear: () => void; readonly jump: () => void }): void {
  switch (name) {
    case 'seq-reset':
      what.clear();
      return;
    case 'clock-jump':
      what.jump();
      return;
    default:
  }
}

export function createDevice(setup: SimulatorSetup, options: ZkPushSimulatorOptions): PushDevice {
  const faults = new Map(setup.faults);
  const people = new Map<string, Map<string, string>>();
  const records: SimulatedPunch[] = [...setup.records];
  const outbox: Upload[] = [];
  /** Records before this one were cleared away. */
  let cleared = 0;
  let offsetMs = 0;
  let stamp = 9000;

  const state = { faults };
  const wallClock = (): WallTime => instantToWall(instant(setup.world.now() + offsetMs), setup.zone);
  const keep = (): readonly SimulatedPunch[] => records.slice(cleared);

  const codeOf = (record: SimulatedPunch): number => {
    const { verify = 'face' } = record;
    if (options.verify === 'new') return CODE_OF[verify] ?? 0;
    return { password: 0, finger: 1, card: 2 }[verify as string] ?? 15;
  };
  const lineOf = (record: SimulatedPunch): string =>
    encodeAttlog(
      {
        pin: record.userId,
        wallTime: record.wallTime,
        state: record.direction === undefined ? 255 : (STATE_OF[record.direction] ?? 255),
        method: codeOf(record),
      },
      options.fields,
    );

  const bodyOf = (lines: readonly string[]): Uint8Array => {
    const end = `${faults.has('nul-bytes') ? '\0' : ''}${options.crlf ? '\r\n' : '\n'}`;
    const text = lines.join(end);
    return encodeText(options.lastLf ? `${text}${end}` : text, options.nameEncoding);
  };
  const upload = (lane: Lane, table: string, lines: readonly string[]): void => {
    const spoilt = table === 'ATTLOG' && faultFires(state, 'spoilt-line');
    outbox.push({ table, lane, body: bodyOf(spoilt ? [...lines, '??? no punch'] : lines) });
  };
  const uploadPunches = (lane: Lane, wanted: readonly SimulatedPunch[]): void => {
    for (let at = 0; at < wanted.length; at += options.postLines) {
      upload(lane, 'ATTLOG', wanted.slice(at, at + options.postLines).map(lineOf));
      if (at === 0 && faultFires(state, 'interleave-event')) device.punch(wanted[0]?.userId ?? '1', {});
    }
  };
  const operation = (code: number): void => upload('live', 'OPERLOG', [`OPLOG ${code}\t0\t${wallClock()}\t0\t0\t0\t0`]);

  const result = (id: string, returned: number, command: string, more: object = {}): void => {
    if (faults.has('no-result')) return;
    const body = encodeText(encodeResult({ id, returned, command, ...more }), options.nameEncoding);
    outbox.push({ table: null, lane: 'asked', body });
  };

  const within = (text: string): readonly SimulatedPunch[] | null => {
    const range = RANGE.exec(text);
    if (!range) return null;
    const [from, until] = [range[1] ?? '', range[2] ?? ''];
    return keep().filter(({ wallTime }) => wallTime >= from && wallTime <= until);
  };

  const queryPunches = (id: string, text: string): void => {
    const found = within(text);
    if (!options.knowsQuery) {
      result(id, -1002, 'DATA');
      return;
    }
    if (!found) {
      result(id, -1, 'DATA');
      return;
    }
    if (faults.has('result-first')) result(id, 0, 'DATA');
    const first = found[0];
    const doubled = first && faults.has('duplicate-record') ? [first, ...found] : found;
    const sent = faults.has('truncate-dataset') ? doubled.slice(0, -1) : doubled;
    if (faultFires(state, 'query-dropped')) {
      uploadPunches('asked', sent.slice(0, 1));
      result(id, -3, 'DATA');
      return;
    }
    uploadPunches('asked', sent);
    if (faultFires(state, 'reboot-mid-transfer')) {
      outbox.splice(1);
      device.greeted = false;
      return;
    }
    if (!faults.has('result-first')) result(id, 0, 'DATA');
  };

  const userLine = (id: string, person: ReadonlyMap<string, string>): string =>
    `USER PIN=${id}\t${[...person].map(([key, value]) => `${key}=${value}`).join('\t')}`;

  const fresh = (name: string): Map<string, string> =>
    new Map([
      ...[['Name', name] as const, ['Pri', '0'] as const, ['Passwd', ''] as const, ['Card', ''] as const],
      ...[['Grp', '1'] as const, ['TZ', '0000000100000000'] as const, ['Verify', '0'] as const],
    ]);

  const updateUser = (id: string, text: string): void => {
    const pairs = parsePairs(text);
    const pin = pairs.find(([key]) => key === 'PIN')?.[1] ?? '';
    if (pin === '') {
      result(id, -1, 'DATA');
      return;
    }
    if (faults.has('memory-full') || (!people.has(pin) && people.size >= options.userCapacity)) {
      result(id, -1001, 'DATA');
      return;
    }
    const person = fresh('');
    for (const [key, value] of pairs) {
      if (key === options.privilegeKey) person.set('Pri', value);
      else if (key !== 'PIN' && key !== 'Pri' && key !== 'Privilege') person.set(key, value);
    }
    people.set(pin, person);
    result(id, 0, 'DATA');
  };

  const data = (id: string, text: string): void => {
    const [, verb = '', table = '', rest = ''] = /^DATA (\w+) (\w+) ?(.*)$/.exec(text) ?? [];
    if (table === 'ATTLOG' && verb === 'QUERY') {
      queryPunches(id, rest);
      return;
    }
    if (table !== 'USERINFO') {
      result(id, -1002, 'DATA');
      return;
    }
    if (verb === 'UPDATE') {
      updateUser(id, rest);
      return;
    }
    const pin = parsePairs(rest).find(([key]) => key === 'PIN')?.[1];
    if (verb === 'DELETE') {
      result(id, pin !== undefined && people.delete(pin) ? 0 : -10, 'DATA');
      return;
    }
    if (verb !== 'QUERY') {
      result(id, -1002, 'DATA');
      return;
    }
    const found = [...people].filter(([one]) => pin === undefined || one === pin);
    if (found.length === 0) {
      result(id, pin === undefined ? 0 : -10, 'DATA');
      return;
    }
    upload(
      'asked',
      'OPERLOG',
      found.map(([one, person]) => userLine(one, person)),
    );
    result(id, 0, 'DATA');
  };

  const sum = (id: string, text: string): void => {
    const found = options.knowsSum ? within(text) : null;
    if (!found) {
      result(id, options.knowsSum ? -1 : -22, 'UNKNOWN CMD');
      return;
    }
    const doubled = found.length > 0 && faults.has('duplicate-record') ? 1 : 0;
    const count = found.length + doubled + (faults.has('wrong-count') ? 1 : 0);
    result(id, 0, 'VERIFY SUM', { fields: [[options.sumKey, count]] });
  };

  const told = (): readonly (readonly [string, string | number])[] => [
    ['~DeviceName', options.model],
    ['FWVersion', options.firmware],
    ['UserCount', people.size],
    ['TransactionCount', keep().length],
  ];

  const device: PushDevice = {
    faults,
    outbox,
    greeting: new Map(),
    greeted: !options.greets,
    info: () => `${options.firmware},${people.size},0,${keep().length},192.0.2.9,10,7,0,0,11111`,
    execute({ id, text }) {
      if (text === 'REBOOT') {
        outbox.splice(0);
        device.greeted = false;
      } else if (faultFires(state, 'busy-error')) result(id, -1005, text.split(' ')[0] ?? '');
      else if (/^(?:DATA DEL|USER ADD|USER DEL)\b/.test(text)) result(id, -1002, 'DATA');
      else if (text.startsWith('DATA ')) data(id, text);
      else if (text.startsWith('VERIFY SUM ATTLOG ')) sum(id, text);
      else if (text === 'INFO' && options.knowsInfo) result(id, 0, 'INFO', { lines: told() });
      else if (text === 'INFO') result(id, -1, 'INFO');
      else if (text === 'CHECK') {
        device.greeted = false;
        result(id, 0, 'CHECK');
      } else if (text === 'LOG' || text === 'RELOAD OPTIONS') result(id, 0, text);
      else if (/^SET OPTION \w+=/.test(text)) result(id, 0, 'SET OPTION');
      else result(id, -22, 'UNKNOWN CMD');
    },
    uploadAll: () => uploadPunches('live', keep()),
    obey(date, offsetMinutes) {
      if (!options.obeysDate) return;
      // The wire's clock stands for the true time, so that a class day may run in another one.
      const zoneMinutes = offsetMinutesAt(setup.world.now(), setup.zone);
      const wanted = date - setup.wire.now() + (offsetMinutes - zoneMinutes) * 60_000;
      if (Math.abs(wanted - offsetMs) > OBEY_MS) offsetMs = wanted;
    },
    addUser: (user) => void people.set(user.id, fresh(user.name)),
    punch(userId, how) {
      const record: SimulatedPunch = { userId, wallTime: wallClock(), verify: how.verify ?? 'face', ...how };
      records.push(record);
      const name = `${record.wallTime.replace(/\D/g, '')}-${userId}.jpg`;
      const photo = Buffer.concat([
        Buffer.from(`PIN=${name}\nSN=${setup.serial}\nsize=6\nCMD=realupload\0`),
        Uint8Array.of(0xff, 0xd8, 0xff, 0xd9, 0, 0),
      ]);
      const photoWhen = faults.get('photo');
      if (photoWhen === 'before') outbox.push({ table: 'ATTPHOTO', lane: 'live', body: photo });
      upload('live', 'ATTLOG', [lineOf(record)]);
      if (photoWhen !== undefined && photoWhen !== 'before')
        outbox.push({ table: 'ATTPHOTO', lane: 'live', body: photo });
      return record;
    },
    addRecord: (record) => void records.push(record),
    users: () => [...people].map(([id, person]) => ({ id, name: person.get('Name') ?? '' })),
    person: (id) => people.get(id),
    records: () => records,
    setClockOffset: (ms) => void (offsetMs = ms),
    wallClock,
    stamp: () => String((stamp += faults.has('stamp-back') ? -1 : 1)),
    setFault(name, value) {
      if (value === null) {
        faults.delete(name);
        return;
      }
      faults.set(name, value);
      happen(name, {
        clear: () => {
          cleared = records.length;
          operation(OPERATION.LOG_CLEARED);
        },
        jump: () => {
          const ms = Number(value);
          offsetMs += Number.isFinite(ms) && ms !== 0 ? ms : 3_600_000;
          operation(OPERATION.TIME_SET);
        },
      });
    },
  };
  for (const user of setup.users) people.set(user.id, fresh(user.name));
  const someone = setup.users[0]?.id ?? '1';
  if (faults.has('impossible-date')) records.push({ userId: someone, wallTime: '2025-02-30 08:00:00' as WallTime });
  if (faults.has('non-numeric-id'))
    records.push({ userId: 'A-017', wallTime: instantToWall(setup.world.now(), setup.zone) });
  if (options.backlog === 'all') uploadPunches('live', records);
  return device;
}

const UTC_ZONE = 'UTC' as Parameters<typeof wallToInstant>[1];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Mon, 01 Sep 2025 00:05:30 GMT`; null when it is none. */
export function parseHttpDate(text: string): number | null {
  const match = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/.exec(text);
  const month = MONTHS.indexOf(match?.[2] ?? '') + 1;
  if (!match || month === 0) return null;
  const wall = `${match[3] ?? ''}-${String(month).padStart(2, '0')}-${match[1] ?? ''} ${match[4] ?? ''}`;
  return wallToInstant(wall as WallTime, UTC_ZONE);
}
