/**
 * The inside of a simulated terminal: people, records, clock, and what it answers to each command. It is as strict as the maker's
 * manual says terminals are: unknown words, missing or malformed values and full memories are refused with their reason, and
 * commands that erase everything are unknown here. Faces are numbers of templates without content.
 */
import type { Direction } from '../../core/punch-words.js';
import { instant, instantToWall, parseWallTime, wallToInstant, type WallTime, type Zone } from '../../core/time.js';
import type { SimulatedPunch, SimulatedUser, SimulatorSetup } from '../driver.js';
import { formatTime, latin, parseTime, type Argument, type Message } from './codec.js';
import type { HanvonSimulatorOptions } from './options.js';
import { decodeText } from './text.js';

interface Person {
  readonly id: string;
  name: string;
  faces: number;
  /** Every other field as it was written. */
  fields: Readonly<Record<string, string>>;
}

/** `args` of the Return; null: the connection breaks after `args` instead of ending. */
export interface Reply {
  readonly args: readonly Argument[];
  readonly breaks: boolean;
}

export interface Device {
  readonly faults: Map<string, string>;
  answer(message: Message): Reply;
  people: Map<string, Person>;
  punches: SimulatedPunch[];
  setClockOffset(ms: number): void;
  wallClock(): WallTime;
}

const FIELDS: Readonly<Record<string, string>> = {
  calid: '',
  card_num: '0Xffffffff',
  authority: '0X0',
  check_type: 'face',
  opendoor_type: 'face',
};
const DUTY: Partial<Readonly<Record<Direction, readonly [status: string, duty: string]>>> = {
  in: ['1', 'cardtype_on'],
  out: ['2', 'cardtype_off'],
  'break-out': ['3', 'cardtype_out'],
  'break-in': ['4', 'cardtype_back'],
  'ot-in': ['5', 'cardtype_addon'],
  'ot-out': ['6', 'cardtype_addoff'],
};
const F810 = new Set(['GetDateTime', 'SetDateTime', 'GetMAC_SN', 'GetNetInfo', 'DetectDevice']);
const FACE = 'RkFDRQ==';
const PLAIN = 'Etc/UTC' as Zone;

const good = (args: readonly Argument[] = []): Reply => ({ args: [['result', 'success'], ...args], breaks: false });
const refuse = (reason: string): Reply => ({
  args: [
    ['result', 'failed'],
    ['reason', reason],
  ],
  breaks: false,
});

export function createDevice(setup: SimulatorSetup, options: HanvonSimulatorOptions): Device {
  const people = new Map<string, Person>(
    setup.users.map((user) => [user.id, { ...user, faces: options.faces, fields: FIELDS }]),
  );
  const punches = [...setup.records];
  const faults = new Map(setup.faults);
  let offsetMs = 0;

  const wallClock = (): WallTime => {
    if (faults.has('clock-jump')) {
      offsetMs += 1000 * (Number(faults.get('clock-jump')) || 3600);
      faults.delete('clock-jump');
    }
    return instantToWall(instant(setup.world.now() + offsetMs), setup.zone);
  };
  const setClock = (wall: WallTime): Reply => {
    const to = wallToInstant(wall, setup.zone);
    if (to === null) return refuse('bad parameter');
    offsetMs = to - setup.world.now();
    return good();
  };
  const told = (wall: WallTime): string => (options.padded ? wall : formatTime(wall));
  const many = (name: string): number => Number(faults.get(name)) || 1;

  const deviceInfo = (): Reply =>
    good([
      ['dev_id', options.serialIn === 'dev_id' ? setup.serial : '1'],
      ['time', faults.has('impossible-date') ? '2025-13-32 25:61:61' : told(wallClock())],
      ['type', options.model],
      ['edition', options.edition],
      ['volume', '1'],
      ['weigen', '0'],
      ['ip', '192.0.2.9'],
      ...(options.serialIn === 'none' ? [['mac', '02:00:00:00:00:09'] as const] : []),
      ['max_faceregist', String(options.peopleMax)],
      ['real_faceregist', String(people.size)],
      ['max_facerecord', '100000'],
      ['real_facerecord', String(punches.length)],
    ]);

  const recordArgs = (punch: SimulatedPunch, first: boolean): readonly Argument[] => {
    const [status, duty] = DUTY[punch.direction ?? 'unknown'] ?? ['0', 'normal'];
    const photo = 'QUJD'.repeat(Math.ceil(options.photoBytes / 4)).slice(0, options.photoBytes);
    return [
      ['time', first && faults.has('impossible-date') ? '2025-2-30 8:05:30' : told(punch.wallTime)],
      ['id', punch.userId],
      ['name', people.get(punch.userId)?.name ?? ''],
      ['workcode', '0'],
      ['status', options.duty === 'status' ? status : '0'],
      ...(options.duty === 'card_type' ? [['card_type', duty] as const] : []),
      ['card_src', 'from_check'],
      ...(punch.verify === 'card' ? [['type', 'card'] as const] : []),
      ...(options.photoBytes > 0 ? [['photo', photo] as const] : []),
    ];
  };

  const getRecord = (message: Message): Reply => {
    const bound = (key: string): WallTime | null | 'bad' => {
      const pair = message.pairs.find((one) => one.key === key);
      return pair === undefined ? null : (parseTime(latin(pair.value)) ?? 'bad');
    };
    const [from, to] = [bound('start_time'), bound('end_time')];
    if (from === 'bad' || to === 'bad') return refuse('bad parameter');
    if (!options.unbounded && (from === null || to === null)) return refuse('bad parameter');
    const wanted = punches.filter(
      (punch) => (from === null || punch.wallTime >= from) && (to === null || punch.wallTime <= to),
    );
    let list = wanted.slice(0, options.answerRecordsMax);
    const breaks = faults.has('reboot-mid-transfer') && list.length > many('reboot-mid-transfer');
    if (breaks) {
      list = list.slice(0, many('reboot-mid-transfer'));
      faults.delete('reboot-mid-transfer');
    }
    if (faults.has('truncate-dataset')) list = list.slice(0, Math.max(0, list.length - many('truncate-dataset')));
    const [first] = list;
    if (faults.has('duplicate-record') && first) list = [first, ...list];
    const doubled = list.length > 0 && faults.has('duplicate-record') ? 1 : 0;
    const total = wanted.length + doubled + (faults.has('wrong-count') ? many('wrong-count') : 0);
    return {
      args: [
        ['result', 'success'],
        ['dev_id', '1'],
        ...(options.total ? [['total', String(total)] as const] : []),
        ...list.flatMap((punch, index) => recordArgs(punch, index === 0)),
      ],
      breaks,
    };
  };

  const idOf = (message: Message): string | null => {
    const id = message.pairs.find((pair) => pair.key === 'id');
    const text = id ? latin(id.value) : '';
    return /^\w{1,32}$/.test(text) ? text : null;
  };

  const getEmployee = (message: Message): Reply => {
    const id = idOf(message);
    if (id === null) return refuse('bad parameter');
    const person = people.get(id);
    if (!person) return refuse('unknown id');
    return good([
      ['id', person.id],
      ['name', person.name],
      ...Object.entries(person.fields),
      ...Array.from({ length: person.faces }, () => ['face_data', FACE] as const),
    ]);
  };

  /** Replaces the person as a whole: whoever sends no face leaves none. */
  const setEmployee = (message: Message): Reply => {
    const id = idOf(message);
    const name = message.pairs.find((pair) => pair.key === 'name');
    if (id === null || !name?.value) return refuse('bad parameter');
    if (!people.has(id) && (faults.has('memory-full') || people.size >= options.peopleMax))
      return refuse('employee overflow');
    const fields = Object.fromEntries(
      message.pairs
        .filter((pair) => !['id', 'name', 'face_data'].includes(pair.key))
        .map((pair) => [pair.key, latin(pair.value)]),
    );
    const missing = Object.keys(FIELDS).some((key) => !(key in fields));
    if (missing) return refuse('bad parameter');
    const faces = message.pairs.filter((pair) => pair.key === 'face_data').length;
    people.set(id, { id, name: decodeText(name.value, options.encoding), faces, fields });
    return good();
  };

  const deleteEmployee = (message: Message): Reply => {
    const id = idOf(message);
    if (id === null) return refuse('bad parameter');
    return people.delete(id) ? good() : refuse('unknown id');
  };

  const setDeviceInfo = (message: Message): Reply => {
    const time = message.pairs.find((pair) => pair.key === 'time');
    const week = message.pairs.find((pair) => pair.key === 'week');
    const wall = time ? parseTime(latin(time.value)) : null;
    if (wall === null || (week && !/^[1-7]$/.test(latin(week.value)))) return refuse('bad parameter');
    const day = ((Math.floor((wallToInstant(wall, PLAIN) ?? 0) / 86_400_000) + 3) % 7) + 1;
    return week && Number(latin(week.value)) !== day ? refuse('bad parameter') : setClock(wall);
  };

  const setDateTime = (message: Message): Reply => {
    const part = (key: string): string => latin(message.pairs.find((pair) => pair.key === key)?.value ?? null);
    const wall = parseWallTime(`${part('date')} ${part('time')}`);
    return wall === null ? refuse('bad parameter') : setClock(wall);
  };

  const getDateTime = (): Reply => {
    const [date = '', time = ''] = told(wallClock()).split(' ');
    return good([
      ['style', '1'],
      ['date', date],
      ['time', time],
    ]);
  };

  const answer = (message: Message): Reply => {
    if (faults.has('busy-error')) {
      const left = Number(faults.get('busy-error')) || 1;
      if (left <= 1) faults.delete('busy-error');
      else faults.set('busy-error', String(left - 1));
      return refuse('device busy');
    }
    if (options.family === 'classic' && F810.has(message.word)) return refuse('unknown command');
    switch (message.word) {
      case 'GetDeviceInfo':
        return deviceInfo();
      case 'SetDeviceInfo':
        return setDeviceInfo(message);
      case 'GetDateTime':
        return getDateTime();
      case 'SetDateTime':
        return setDateTime(message);
      case 'GetMAC_SN':
        return good([
          ['mac', '02:00:00:00:00:09'],
          ...(options.serialIn === 'none' ? [] : [['sn', setup.serial] as const]),
        ]);
      case 'GetNetInfo':
        return good([['ip', '192.0.2.9']]);
      case 'DetectDevice':
        return good();
      case 'GetRecord':
        return getRecord(message);
      case 'GetEmployeeID':
        return good([['total', String(people.size)], ...[...people.keys()].map((id) => ['id', id] as const)]);
      case 'GetEmployee':
        return getEmployee(message);
      case 'SetEmployee':
        return setEmployee(message);
      case 'DeleteEmployee':
        return deleteEmployee(message);
      default:
        return refuse('unknown command');
    }
  };

  return { faults, answer, people, punches, wallClock, setClockOffset: (ms) => void (offsetMs = ms) };
}

/** A person as the outside sees one. */
export const userOf = ({ id, name }: Person): SimulatedUser => ({ id, name });
export const newPerson = ({ id, name }: SimulatedUser, faces: number): Person => ({ id, name, faces, fields: FIELDS });
