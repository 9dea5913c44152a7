/**
 * One conversation with one terminal: who it is, its clock, its log and its people. The terminal keeps its log whatever
 * happens here; nothing is acknowledged and nothing erased, so `confirm` has nothing to do. Requests go one at a time, and
 * the event stream beside them is the only second connection.
 */
import { fail } from '../../core/errors.js';
import { parseWallTime, type WallTime } from '../../core/time.js';
import type { Cursor, PageOptions, PunchPage, TerminalIdentity, TerminalSession, Wire } from '../driver.js';
import { notOurs, type Api } from './api.js';
import { cgi, valueOf, wholeOf } from './codec.js';
import { createCorrection, zoneMinutes } from './correction.js';
import { querySize } from './finder.js';
import { catchUp, follow } from './following.js';
import { createHistory } from './history.js';
import type { DahuaOptions } from './options.js';
import { createPeople } from './people.js';

const noAnswer = (request: string, requestZh: string, status: number): Error =>
  fail('bad-reply', { request, requestZh, reason: `status ${status}`, reasonZh: `状态 ${status}` });

export function createSession(api: Api, options: DahuaOptions, wire: Wire, signal: AbortSignal): TerminalSession {
  const identify = async (): Promise<TerminalIdentity> => {
    const info = await api.get(cgi('magicBox', { action: 'getSystemInfo' }), 'system information');
    const known = ['serialNumber', 'deviceType', 'processor', 'appAutoStart'].some(
      (key) => valueOf(info.lines, key) !== null,
    );
    if (!info.ok || !known) {
      if (info.status >= 500 || info.status === 429) throw noAnswer('system information', '设备信息', info.status);
      throw notOurs(info.body);
    }
    const told = async (action: string, key: string): Promise<string | null> => {
      const answer = await api.get(cgi('magicBox', { action }), action);
      return answer.ok ? valueOf(answer.lines, key) : null;
    };
    const serial = valueOf(info.lines, 'serialNumber') ?? (await told('getSerialNo', 'sn')) ?? '';
    if (serial === '')
      throw fail('bad-reply', {
        request: 'serial',
        requestZh: '序列号',
        reason: 'the terminal tells no serial number',
        reasonZh: '考勤机没有给出序列号',
      });
    const firmware = await told('getSoftwareVersion', 'version');
    const records = await querySize(api);
    const hardware = valueOf(info.lines, 'hardwareVersion');
    return {
      serial,
      model: valueOf(info.lines, 'updateSerial') ?? valueOf(info.lines, 'deviceType'),
      firmware,
      details: { ...(hardware === null ? {} : { hardware }), ...(records === null ? {} : { records }) },
    };
  };

  const readClock = async (): Promise<WallTime> => {
    const answer = await api.get(cgi('global', { action: 'getCurrentTime' }), 'clock');
    const wall = parseWallTime(valueOf(answer.lines, 'result') ?? '');
    if (!answer.ok || wall === null) throw noAnswer('clock', '时钟', answer.status);
    return wall;
  };

  async function* pages(after: Cursor | null, { follow: stays }: PageOptions): AsyncGenerator<PunchPage, void> {
    const correction = createCorrection(options, wire, after);
    if (correction.wantsZone) {
      const config = await api.get(cgi('configManager', { action: 'getConfig', name: 'NTP' }), 'zone');
      const index = config.ok ? wholeOf(valueOf(config.lines, 'table.NTP.TimeZone') ?? undefined) : null;
      const minutes = zoneMinutes(index);
      if (minutes !== null) correction.zoneTold(minutes);
    }
    const history = createHistory(api, options, wire, correction, after);
    if (stays) yield* follow({ api, history, correction, options, wire, signal, shown: readClock });
    else yield* catchUp(history, options, wire, options.overlapHours * 3600);
  }

  return {
    identify,
    readClock,
    // Not asked again by itself: the time to set would be old by then.
    async setClock(to) {
      const answer = await api.change(cgi('global', { action: 'setCurrentTime', time: to }), 'clock');
      if (!answer.ok) throw noAnswer('set clock', '设置时钟', answer.status);
    },
    pages,
    confirm: async () => Promise.resolve(),
    users: createPeople(api, wire),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}
