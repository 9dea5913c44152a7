/**
 * What a simulated terminal answers to ISAPI requests: strict about major and minor, the form of dates and the page cap, with a
 * status of its own inside answers of status 200. Never throws for what is asked.
 */
import type { HttpCall, HttpReply } from '../http-server.js';
import type { WallTime } from '../../core/time.js';
import { isTree, listAt, numberAt, readTree, textAt, treeAt, wallOf } from './codec.js';
import {
  addRecord,
  addUser,
  dated,
  faultFires,
  offsetOf,
  rightForm,
  searched,
  setWallClock,
  wallClock,
  type State,
  type StoredEvent,
} from './simulator-state.js';
import { BOUNDARY, streamParts } from './simulator-stream.js';
import { writeXml, type Tree } from './xml.js';

const PEOPLE_MAX = 1000;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  1: 'OK',
  2: 'Device Busy',
  3: 'Device Error',
  4: 'Invalid Operation',
  5: 'Invalid XML Format',
  6: 'Invalid Content',
  7: 'Reboot Required',
};

export interface Api {
  answer(call: HttpCall, gone: AbortSignal): HttpReply | 'drop';
}

export function createApi(state: State): Api {
  const { options, setup } = state;

  const xml = (root: string, tree: Tree): HttpReply => ({
    status: 200,
    headers: { 'Content-Type': 'application/xml; charset="UTF-8"' },
    body: writeXml(root, tree),
  });
  const json = (tree: Tree): HttpReply => {
    // Some firmware answers in the other language than its header says.
    const swapped = state.faults.has('xml-in-json');
    const [root = 'Answer'] = Object.keys(tree);
    const inside = tree[root];
    return {
      status: 200,
      headers: { 'Content-Type': 'application/json; charset="UTF-8"' },
      body: swapped && isTree(inside) ? writeXml(root, inside) : JSON.stringify(tree),
    };
  };
  const status = (code: number, sub: string, field = '', httpStatus = 200): HttpReply => {
    const told = {
      statusCode: code,
      statusString: STATUS_TEXT[code] ?? 'Error',
      subStatusCode: sub,
      ...(field === '' ? {} : { errorMsg: field }),
    };
    if (state.faults.has('xml-in-json')) return { ...json({ ResponseStatus: told }), status: httpStatus };
    return { status: httpStatus, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(told) };
  };
  const ok = (): HttpReply => status(1, 'ok');
  const bodyOf = (call: HttpCall, key: string): Tree | null => treeAt(readTree(call.body), key);

  const search = (call: HttpCall): HttpReply | 'drop' => {
    const cond = bodyOf(call, 'AcsEventCond');
    const [major, minor] = [numberAt(cond, 'major'), numberAt(cond, 'minor')];
    if (!cond || major === null) return status(6, 'MessageParametersLack', 'major', 400);
    if (minor === null) return status(6, 'MessageParametersLack', 'minor', 400);
    if (options.minorZero === 'refused' && minor === 0) return status(6, 'badJsonContent', 'minor');
    if (options.minorZero === 'major-zero-only' && minor === 0 && major !== 0)
      return status(6, 'badJsonContent', 'minor');
    const range: WallTime[] = [];
    for (const key of ['startTime', 'endTime']) {
      const wall = wallOf(textAt(cond, key), setup.zone);
      if (wall === null || !rightForm(textAt(cond, key), options.dateForm))
        return status(6, 'badJsonContent', key, 400);
      range.push(wall);
    }
    const [from = '', to = ''] = range;
    const searchID = textAt(cond, 'searchID');
    if (!/^[0-9a-f-]{36}$/.test(searchID)) return status(6, 'badJsonContent', 'searchID', 400);
    if ((numberAt(cond, 'searchResultPosition') ?? 0) > 0 && faultFires(state, 'interleave-event')) {
      state.faults.delete('interleave-event');
      addRecord(state, { userId: setup.users[0]?.id ?? '1', wallTime: wallClock(state) }, true);
    }
    const found = state.events.filter(
      (event) =>
        (major === 0 || event.major === major) &&
        (minor === 0 || event.minor === minor) &&
        event.wall >= from &&
        event.wall <= to,
    );
    return searchPage(cond, searchID, found);
  };

  const searchPage = (cond: Tree, searchID: string, found: readonly StoredEvent[]): HttpReply | 'drop' => {
    const position = numberAt(cond, 'searchResultPosition') ?? 0;
    const size = Math.min(options.pageMax, numberAt(cond, 'maxResults') ?? 30);
    const page = found.slice(position, position + size);
    const total = found.length + (faultFires(state, 'wrong-count') ? 3 : 0);
    if (position > 0 && state.faults.has('reboot-mid-transfer')) {
      state.faults.delete('reboot-mid-transfer');
      return 'drop';
    }
    if (page.length === 0)
      return json({ AcsEvent: { searchID, totalMatches: total, responseStatusStrg: 'NO MATCH', numOfMatches: 0 } });
    const list = page.map((event) => searched(state, event));
    const [first] = list;
    if (first && faultFires(state, 'duplicate-record')) list.unshift(first);
    if (list.length > 1 && faultFires(state, 'truncate-dataset')) list.pop();
    const more = position + page.length < found.length;
    return json({
      AcsEvent: {
        searchID,
        totalMatches: total,
        responseStatusStrg: more ? 'MORE' : 'OK',
        numOfMatches: list.length,
        InfoList: list,
      },
    });
  };

  const people = (call: HttpCall): HttpReply => {
    const cond = bodyOf(call, 'UserInfoSearchCond');
    const searchID = textAt(cond, 'searchID');
    const wanted = listAt(cond, 'EmployeeNoList').map((one) => textAt(one, 'employeeNo'));
    const found = [...state.people.values()].filter(
      (person) => wanted.length === 0 || wanted.includes(textAt(person, 'employeeNo')),
    );
    const position = numberAt(cond, 'searchResultPosition') ?? 0;
    const page = found.slice(position, position + Math.min(options.pageMax, numberAt(cond, 'maxResults') ?? 30));
    const more = position + page.length < found.length;
    return json({
      UserInfoSearch: {
        searchID,
        responseStatusStrg: page.length === 0 ? 'NO MATCH' : more ? 'MORE' : 'OK',
        numOfMatches: page.length,
        totalMatches: found.length,
        ...(page.length === 0 ? {} : { UserInfo: page }),
      },
    });
  };

  const write = (call: HttpCall, mode: 'new' | 'known'): HttpReply => {
    const person = bodyOf(call, 'UserInfo');
    const id = textAt(person, 'employeeNo');
    if (!person || id === '' || Buffer.byteLength(id) > 32) return status(6, 'badJsonContent', 'employeeNo', 400);
    const valid = treeAt(person, 'Valid');
    if (textAt(valid, 'endTime') > '2037-12-31T23:59:59') return status(6, 'badJsonContent', 'endTime', 400);
    const before = state.people.get(id);
    if (mode === 'new' && before) return status(6, 'employeeNoAlreadyExist', 'employeeNo', 400);
    if (mode === 'known' && !before) return status(6, 'employeeNoNotExist', 'employeeNo', 400);
    if (!before && (state.faults.has('memory-full') || state.people.size >= PEOPLE_MAX))
      return status(4, 'userNumberOverLimit', '', 400);
    if (!before) addUser(state, { id, name: '' });
    // What is not in the request is lost; counts of faces and cards belong to the terminal.
    const { numOfFace, numOfFP, numOfCard } = before ?? { numOfFace: 0, numOfFP: 0, numOfCard: 0 };
    state.people.set(id, { ...person, numOfFace, numOfFP, numOfCard });
    return ok();
  };

  const remove = (call: HttpCall): HttpReply => {
    const ids = listAt(bodyOf(call, 'UserInfoDelCond'), 'EmployeeNoList').map((one) => textAt(one, 'employeeNo'));
    if (ids.length === 0) return status(6, 'badJsonContent', 'EmployeeNoList', 400);
    if (ids.some((id) => !state.people.has(id))) return status(6, 'employeeNoNotExist', 'employeeNo', 400);
    for (const id of ids) state.people.delete(id);
    return ok();
  };

  const time = (call: HttpCall): HttpReply => {
    if (call.method === 'PUT') {
      const told = bodyOf(call, 'Time');
      const wall = wallOf(textAt(told, 'localTime'), setup.zone);
      if (!wall) return status(6, 'badXmlContent', 'localTime', 400);
      if (state.timeMode === 'NTP') return status(4, 'invalidOperation', 'timeMode', 403);
      setWallClock(state, wall);
      return ok();
    }
    const wall = wallClock(state);
    const shown = options.showsDateForm ? dated(state, wall) : `${wall.replace(' ', 'T')}${offsetOf(state, wall)}`;
    const zone = offsetOf(state, wall);
    const posix = `CST${zone.startsWith('-') ? '+' : '-'}${Number(zone.slice(1, 3))}:${zone.slice(4)}:00`;
    return xml('Time', { timeMode: state.timeMode, localTime: shown, timeZone: posix });
  };

  const hosts = (call: HttpCall): HttpReply => {
    if (call.method === 'PUT') {
      const [slot] = listAt(bodyOf(call, 'HttpHostNotificationList'), 'HttpHostNotification');
      if (!slot || textAt(slot, 'url') === '') return status(6, 'badXmlContent', 'url', 400);
      state.slot = slot;
      state.push = { url: textAt(slot, 'url') };
      state.faults.delete('push-stops');
      for (const listener of [...state.listeners]) listener();
      return ok();
    }
    return xml('HttpHostNotificationList', { HttpHostNotification: state.slot ?? { id: '1', url: '' } });
  };

  const deviceInfo = (): HttpReply =>
    xml('DeviceInfo', {
      deviceName: 'gate',
      model: options.model,
      serialNumber: setup.serial,
      macAddress: '02:00:00:00:00:09',
      firmwareVersion: options.firmware,
      deviceType: 'ACS',
    });

  const stream = (gone: AbortSignal): HttpReply =>
    state.faults.has('stream-refused')
      ? status(4, 'notSupport', '', 403)
      : {
          status: 200,
          headers: { 'MIME-Version': '1.0', 'Content-Type': `multipart/mixed; boundary=${BOUNDARY}` },
          pieces: streamParts(state, gone),
        };

  return {
    answer(call, gone) {
      const route = `${call.method} ${call.path.replace(/\/1$/, '')}`;
      if (route !== 'GET /ISAPI/Event/notification/alertStream') {
        if (faultFires(state, 'busy-error')) return status(2, 'deviceBusy');
        if (faultFires(state, 'error-inside-ok')) return status(3, 'deviceError');
      }
      switch (route) {
        case 'GET /ISAPI/System/deviceInfo':
          return deviceInfo();
        case 'GET /ISAPI/System/time':
        case 'PUT /ISAPI/System/time':
          return time(call);
        case 'POST /ISAPI/AccessControl/AcsEvent':
          return search(call);
        case 'GET /ISAPI/Event/notification/alertStream':
          return stream(gone);
        case 'GET /ISAPI/Event/notification/httpHosts':
        case 'PUT /ISAPI/Event/notification/httpHosts':
          return hosts(call);
        case 'POST /ISAPI/AccessControl/UserInfo/Search':
          return people(call);
        case 'POST /ISAPI/AccessControl/UserInfo/Record':
          return write(call, 'new');
        case 'PUT /ISAPI/AccessControl/UserInfo/Modify':
          return write(call, 'known');
        case 'PUT /ISAPI/AccessControl/UserInfo/Delete':
          return remove(call);
        default:
          return status(4, 'notSupport', '', 404);
      }
    },
  };
}
