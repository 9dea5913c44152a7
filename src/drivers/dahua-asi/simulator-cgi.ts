/**
 * The CGI pages of the simulated terminal. Strict as a real one: unknown actions, missing names and a card without its number
 * are answered 400 with the word `Error`; pages are capped and begin with the oldest record of the range.
 */
import iconv from 'iconv-lite';
import type { HttpCall, HttpReply } from '../http-server.js';
import { encodeRecords, type Fields } from './codec.js';
import { zoneIndex } from './correction.js';
import { eventPieces, STREAM_TYPE } from './simulator-events.js';
import {
  addPerson,
  addRecord,
  faultFires,
  faultNumber,
  plainSeconds,
  recordFields,
  setWallClock,
  wallClock,
  type State,
} from './simulator-state.js';

const BAD: HttpReply = { status: 400, body: 'Error\r\nBad Request!\r\n' };
const SITE_ZONE_MINUTES = 480;

export function answerCgi(state: State, call: HttpCall, gone: AbortSignal): HttpReply | null {
  const page = /^\/cgi-bin\/(\w+)\.cgi$/.exec(call.path)?.[1] ?? '';
  const action = call.query.get('action') ?? '';
  switch (page) {
    case 'magicBox':
      return about(state, action);
    case 'global':
      if (action === 'getCurrentTime') return text(state, [`result=${wallClock(state)}`]);
      return action === 'setCurrentTime' && setWallClock(state, call.query.get('time') ?? '')
        ? text(state, ['OK'])
        : BAD;
    case 'configManager':
      return zone(state, call.query);
    case 'recordFinder':
      return find(state, action, call.query);
    case 'recordUpdater':
      return update(state, action, call.query);
    case 'eventManager':
      if (action !== 'attach' || state.options.events === 'refused') return BAD;
      return { status: 200, headers: { 'Content-Type': STREAM_TYPE }, pieces: eventPieces(state, call.query, gone) };
    default:
      return { status: 404, body: 'Not Found' };
  }
}

function text(state: State, lines: readonly string[]): HttpReply {
  const end = state.options.lineEnd === 'lf' ? '\n' : '\r\n';
  const all = `${lines.join(end)}${end}`;
  const body = state.faults.has('gbk-name') ? Uint8Array.from(iconv.encode(all, 'gbk')) : all;
  return { status: 200, headers: { 'Content-Type': 'text/plain;charset=utf-8' }, body };
}

function about(state: State, action: string): HttpReply {
  const { model, firmware } = state.options;
  const { serial } = state.setup;
  switch (action) {
    case 'getSystemInfo':
      return text(state, [
        'appAutoStart=true',
        `deviceType=${model}`,
        'hardwareVersion=1.00',
        'processor=ST7108',
        `serialNumber=${serial}`,
        `updateSerial=${model}`,
      ]);
    case 'getSerialNo':
      return text(state, [`sn=${serial}`]);
    case 'getSoftwareVersion':
      return text(state, [`version=${firmware}`]);
    case 'getDeviceType':
      return text(state, [`type=${model}`]);
    case 'getMachineName':
      return text(state, ['name=gate']);
    default:
      return BAD;
  }
}

function zone(state: State, query: URLSearchParams): HttpReply {
  if (query.get('action') !== 'getConfig' || query.get('name') !== 'NTP' || !state.options.zoneTold) return BAD;
  const index = zoneIndex(state.options.zoneMinutes ?? SITE_ZONE_MINUTES);
  return text(state, ['table.NTP.Enable=false', `table.NTP.TimeZone=${index ?? 0}`, 'table.NTP.UpdatePeriod=60']);
}

const personFields = (state: State): Fields[] =>
  state.people.map(({ recNo, id, name, more }) => ({
    CardName: name,
    CardNo: '',
    CardStatus: '0',
    ...Object.fromEntries(Object.entries(more).map(([key, value]) => [key, String(value)])),
    RecNo: String(recNo),
    UserID: id,
    ValidDateStart: '20200101 000000',
    ValidDateEnd: '20371231 235959',
  }));

function find(state: State, action: string, query: URLSearchParams): HttpReply {
  const name = query.get('name');
  const people = name === 'AccessControlCard';
  if (!people && name !== 'AccessControlCardRec') return BAD;
  if (people && state.options.accessUser) return BAD;
  if (action === 'getQuerySize') {
    const size = people
      ? state.people.length
      : state.log.length + (state.faults.has('wrong-count') ? faultNumber(state, 'wrong-count') : 0);
    return text(state, [`count=${size}`]);
  }
  if (action !== 'find') return BAD;
  const asked = Number(query.get('count') ?? '0');
  if (people) return records(state, personFields(state).slice(0, asked), state.people.length);
  if (state.faults.has('interleave-event') && faultFires(state, 'interleave-event')) {
    const userId = state.people[0]?.id ?? '1';
    const made = addRecord(state, { userId, wallTime: wallClock(state) });
    for (const ear of state.ears) ear(made);
  }
  const start = state.options.ignoreStartTime ? 0 : Number(query.get('StartTime') ?? '0');
  const end = Number(query.get('EndTime') ?? 'Infinity');
  const kept = state.faults.has('truncate-dataset')
    ? state.log.slice(0, -faultNumber(state, 'truncate-dataset'))
    : state.log;
  const timed = kept.map((record) => ({ record, at: plainSeconds(state, record.wall) }));
  // The oldest first, by time and not by number.
  const range = timed
    .filter(({ at }) => at >= start && at <= end)
    .sort((a, b) => a.at - b.at || a.record.recNo - b.record.recNo);
  const page = range
    .slice(0, Math.min(asked, state.options.pageRecordsMax))
    .map(({ record }) => recordFields(state, record));
  const [first] = page;
  if (first && state.faults.has('impossible-date')) page[0] = { ...first, CreateTime: '2025-02-30 08:05:30' };
  if (first && state.faults.has('duplicate-record')) page.unshift(first);
  return records(state, page, range.length);
}

function records(state: State, page: readonly Fields[], total: number): HttpReply {
  const told = encodeRecords(page, state.options.totalCount && page.length > 0 ? total : null);
  return text(state, told.trimEnd().split('\r\n'));
}

function update(state: State, action: string, query: URLSearchParams): HttpReply | null {
  // Firmware with AccessUser refuses the old way.
  if (query.get('name') !== 'AccessControlCard' || state.options.accessUser) return BAD;
  const at = state.people.findIndex(({ recNo }) => String(recNo) === query.get('recno'));
  const person = state.people[at];
  if (action === 'remove') {
    if (at >= 0) state.people.splice(at, 1);
    return text(state, ['OK']);
  }
  const name = query.get('CardName') ?? '';
  if (Buffer.byteLength(name) > 32) return BAD;
  if (action === 'update') {
    if (!person) return BAD;
    person.name = name;
    return text(state, ['OK']);
  }
  const id = query.get('UserID') ?? '';
  const card = query.get('CardNo') ?? '';
  const refused = action !== 'insert' || id === '' || !/^(?:[0-9A-Fa-f]{2})+$/.test(card);
  if (refused || state.people.length >= state.options.userCapacity || state.faults.has('memory-full')) return BAD;
  const made = addPerson(state, { id, name }, { CardNo: card });
  if (faultFires(state, 'lost-insert')) return null;
  return text(state, [`RecNo=${made.recNo}`]);
}
