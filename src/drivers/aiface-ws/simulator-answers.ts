/**
 * What a simulated terminal answers. As strict as the real one: requests need the plain kinds of values, a list must be
 * begun before it goes on, an unknown request is never answered, and a restart leaves nothing behind.
 */
import { addDays, parseLocalDate } from '../../core/time.js';
import type { WallTime } from '../../core/time.js';
import type { Fields, Message, Plain } from './codec.js';
import { numberIn, textIn } from './codec.js';
import { itemsOf, memberOf, objectOf, textOf } from './json-text.js';
import {
  devinfo,
  recordFields,
  setClock,
  wallClock,
  written,
  type DeviceState,
  type StoredRecord,
} from './simulator-state.js';

const USER_PAGE = 40;
const WHOLE_USER = 13;

/** Lists that were begun on one connection. */
export interface Lists {
  readonly logs: Map<string, { readonly records: readonly StoredRecord[]; at: number }>;
  users: { readonly entries: readonly Fields[]; at: number } | null;
}

export type Answer = Fields | 'nothing' | 'restart';

const refused = (name: string, reason: Plain = 1): Fields => ({ ret: name, result: false, reason });

export function answerTo(state: DeviceState, lists: Lists, message: Message): Answer {
  const { name } = message;
  const sn = state.setup.serial;
  if (state.faults.has('busy-error') && message.kind === 'request' && name.startsWith('get')) {
    const left = Number(state.faults.get('busy-error') ?? '') || 1;
    if (left <= 1) state.faults.delete('busy-error');
    else state.faults.set('busy-error', String(left - 1));
    return { ret: name, result: false };
  }
  switch (name) {
    case 'getnewlog':
    case 'getalllog':
      return logPage(state, lists, message);
    case 'getuserlist':
      return userPage(state, lists, message);
    case 'gettime':
      return state.options.knowsGetTime ? { ret: name, sn, time: written(state, wallClock(state)) } : 'nothing';
    case 'settime':
      return setClock(state, textIn(message, 'cloudtime') ?? '') ? { ret: name, sn, result: true } : refused(name);
    case 'getdevinfo':
      return { ret: name, sn, result: true, ...devinfo(state) };
    case 'getusername':
    case 'setusername':
    case 'setuserinfo':
    case 'deleteuser':
    case 'enableuser':
      return userAnswer(state, message);
    case 'reboot':
      return 'restart';
    default:
      state.violations += 1;
      return 'nothing';
  }
}

/** `stn` must be a truth value; text is refused. */
function begins(message: Message): boolean | null {
  const node = memberOf(message.json, 'stn');
  const text = node?.kind === 'bare' ? textOf(message.json, node) : undefined;
  return text === 'true' ? true : text === 'false' ? false : null;
}

function logPage(state: DeviceState, lists: Lists, message: Message): Answer {
  const { name } = message;
  const { options, faults } = state;
  const begun = begins(message);
  if (begun === null) return refused(name);
  if (begun) lists.logs.set(name, { records: listed(state, message), at: 0 });
  const list = lists.logs.get(name);
  if (!list) return refused(name);
  if (list.at > 0 && faults.has('reboot-mid-transfer')) {
    faults.delete('reboot-mid-transfer');
    return 'restart';
  }
  const page = list.records.slice(list.at, list.at + options.pageRecords);
  const from = list.at;
  list.at += page.length;
  if (name === 'getnewlog') {
    const done = list.at >= list.records.length;
    if (options.fetched === 'sent') for (const record of page) record.isNew = false;
    else if (done) for (const record of list.records) record.isNew = false;
  }
  if (page.length > 0 && faults.has('lost-page')) {
    const left = Number(faults.get('lost-page') ?? '') || 1;
    if (left > 1) faults.set('lost-page', String(left - 1));
    else {
      faults.delete('lost-page');
      return 'nothing';
    }
  }
  const total = options.countOf === 'page' ? page.length : list.records.length;
  const odd = faults.has('impossible-date');
  const records = page.map((record, index) => recordFields(state, record, odd && index === 0));
  if (faults.has('door-event') && from === 0 && page.length > 0)
    records.unshift({ enrollid: 0, time: written(state, wallClock(state)), mode: 0, inout: 1, event: 1 });
  return {
    ret: name,
    sn: state.setup.serial,
    result: true,
    count: total + (records.length - page.length) + (faults.has('wrong-count') && total > 0 ? 3 : 0),
    from: page.length === 0 ? 0 : from,
    to: page.length === 0 ? 0 : list.at - 1,
    record: records,
  };
}

function listed(state: DeviceState, message: Message): readonly StoredRecord[] {
  if (message.name === 'getnewlog') return state.log.filter((record) => record.isNew);
  const date = (key: string): string | null => {
    const match = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(textIn(message, key) ?? '');
    const [, year = '', month = '', day = ''] = match ?? [];
    return match ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}` : null;
  };
  const [from, to] = [date('from') ?? '', date('to')];
  const end = to === null ? null : parseLocalDate(to);
  // Both bounds are compared with the date as this terminal writes it.
  const until = end === null ? '9999' : state.options.toExclusive ? end : addDays(end, 1);
  const dateOf = (wall: WallTime): string => written(state, wall).slice(0, 10);
  return state.log.filter(({ punch }) => dateOf(punch.wallTime) >= from && dateOf(punch.wallTime) < until);
}

function userPage(state: DeviceState, lists: Lists, message: Message): Answer {
  const { name } = message;
  const begun = begins(message);
  if (begun === null) return refused(name);
  if (begun) {
    const entries = [...state.users].flatMap(([id, user]) =>
      [...user.credentials].map((backupnum) => ({ enrollid: idOf(id), admin: user.admin, backupnum })),
    );
    lists.users = { entries, at: 0 };
  }
  const list = lists.users;
  if (!list) return refused(name);
  const record = list.entries.slice(list.at, list.at + USER_PAGE);
  const from = list.at;
  list.at += record.length;
  // `count` is the page here and the whole list elsewhere, as in the published text.
  const to = record.length === 0 ? 0 : list.at - 1;
  return { ret: name, sn: state.setup.serial, result: true, count: record.length, from, to, record };
}

const idOf = (id: string): Plain => (/^[1-9]\d*$/.test(id) ? BigInt(id) : id);

/** An id must be a number, unless it is none. */
function toldId(message: Message): string | null {
  const node = memberOf(message.json, 'enrollid');
  const text = textOf(message.json, node);
  return text === undefined || (node?.kind === 'string' && /^[1-9]\d*$/.test(text)) ? null : text;
}

function userAnswer(state: DeviceState, message: Message): Fields {
  const { name } = message;
  const done: Fields = { ret: name, sn: state.setup.serial, result: true };
  if (name === 'setusername') return rename(state, message) ? done : refused(name);
  const id = toldId(message);
  const user = id === null ? undefined : state.users.get(id);
  if (name === 'getusername') return user ? { ...done, record: user.name } : refused(name);
  const slot = numberIn(message, 'backupnum');
  if (name === 'setuserinfo') {
    if (id === null || slot === undefined || slot !== 10 || numberIn(message, 'record') === undefined)
      return refused(name);
    if (!user && state.users.size >= state.options.userCapacity) return refused(name, 'full');
    const held = user ?? { name: '', admin: 0, credentials: new Set<number>() };
    held.name = textIn(message, 'name') ?? '';
    held.admin = numberIn(message, 'admin') ?? 0;
    held.credentials.add(slot);
    state.users.set(id, held);
    return done;
  }
  if (!user || id === null) return refused(name);
  if (name === 'deleteuser' && slot === WHOLE_USER) state.users.delete(id);
  else if (name === 'deleteuser') user.credentials.delete(slot ?? -1);
  return done;
}

function rename(state: DeviceState, { json }: Message): boolean {
  const entries = itemsOf(memberOf(json, 'record')).map((item) => {
    const entry = objectOf(item);
    return {
      user: state.users.get(textOf(json, memberOf(entry, 'enrollid')) ?? ''),
      name: textOf(json, memberOf(entry, 'name')),
    };
  });
  if (entries.length === 0 || entries.length > 50) return false;
  if (entries.some(({ user, name }) => !user || name === undefined)) return false;
  for (const { user, name } of entries) if (user && name !== undefined) user.name = name;
  return true;
}
