/**
 * One visit to one terminal: who it is, its clock, its people, its records. Visits are short, because a terminal serves one
 * client and the maker's own software uses the same port: `pages` ends when everything is read, also when the caller follows,
 * and the caller comes back after its polling interval. Reading changes nothing in the terminal, so there is nothing to confirm.
 */
import { fail } from '../../core/errors.js';
import { wallToInstant, type WallTime, type Zone } from '../../core/time.js';
import type { Cursor, PunchPage, TerminalIdentity, TerminalSession, TerminalUsers, Wire } from '../driver.js';
import { countOf, formatTime, parseTime, valueOf, type Pair } from './codec.js';
import type { Answer, Conversation } from './conversation.js';
import type { HanvonOptions } from './options.js';
import { createPeople } from './people.js';
import { readLog } from './reading.js';
import { planRead } from './window.js';

export interface HanvonSession extends TerminalSession {
  readonly users: TerminalUsers;
}

const UNKNOWN = 'unknown command';
/** A `dev_id` of fewer characters is the number that somebody gave the terminal in its menu, the same on many of them. */
const SERIAL_LENGTH = 6;
const PLAIN = 'Etc/UTC' as Zone;
const COUNTS = [
  'real_faceregist',
  'max_faceregist',
  'real_facerecord',
  'max_facerecord',
  'real_employee',
  'max_employee',
];

export function createSession(conversation: Conversation, options: HanvonOptions, wire: Wire): HanvonSession {
  /** Whether this model knows GetDateTime and SetDateTime; null: not tried yet. */
  let knowsDateTime: boolean | null = null;
  let shown: WallTime | null = null;
  let stored: number | null = null;

  const deviceInfo = async (): Promise<readonly Pair[]> => {
    const pairs = accepted('GetDeviceInfo', await conversation.ask('GetDeviceInfo'));
    shown = parseTime(valueOf(pairs, 'time') ?? '');
    stored = countOf(pairs, 'real_facerecord');
    return pairs;
  };

  const serialOf = async (info: readonly Pair[]): Promise<string> => {
    const own = valueOf(info, 'sn') ?? valueOf(info, 'dev_id') ?? '';
    if (own.length >= SERIAL_LENGTH) return own;
    const more = await conversation.ask('GetMAC_SN');
    const told = [valueOf(more.pairs, 'sn'), valueOf(more.pairs, 'mac'), valueOf(info, 'mac'), options.serial];
    const serial = told.find((one) => one !== null && one !== undefined && one.length >= SERIAL_LENGTH);
    if (serial) return serial;
    throw fail('bad-reply', {
      request: 'GetDeviceInfo',
      requestZh: 'GetDeviceInfo',
      reason: 'the terminal tells no serial number; write it into the option "serial"',
      reasonZh: '考勤机没有给出序列号，请填写选项 “serial”',
    });
  };

  const identify = async (): Promise<TerminalIdentity> => {
    const info = await deviceInfo();
    const serial = (await serialOf(info)).replace(/[^\x21-\x7e]/g, '?').slice(0, 64);
    const counts = COUNTS.flatMap((key) => {
      const count = countOf(info, key);
      return count === null ? [] : [[key, count] as const];
    });
    const [used, most] = [stored, countOf(info, 'max_facerecord')];
    if (used !== null && most !== null && most > 0 && used >= most * 0.9)
      wire.note({ code: 'memory-low', text: 'The record memory of the terminal is nearly full', data: { used, most } });
    return {
      serial,
      model: valueOf(info, 'type') ?? valueOf(info, 'model'),
      firmware: valueOf(info, 'edition'),
      details: Object.fromEntries(counts),
    };
  };

  const readClock = async (): Promise<WallTime> => {
    if (knowsDateTime !== false) {
      const answer = await conversation.ask('GetDateTime');
      knowsDateTime = answer.refusal !== UNKNOWN;
      if (knowsDateTime) {
        const pairs = accepted('GetDateTime', answer);
        const style = countOf(pairs, 'style') ?? 1;
        const told = parseTime(`${valueOf(pairs, 'date') ?? ''} ${valueOf(pairs, 'time') ?? ''}`, style);
        if (told !== null) return (shown = told);
      }
    }
    await deviceInfo();
    if (shown !== null) return shown;
    throw fail('bad-reply', {
      request: 'GetDeviceInfo',
      requestZh: 'GetDeviceInfo',
      reason: 'the terminal tells no time',
      reasonZh: '考勤机没有给出时间',
    });
  };

  const setClock = async (to: WallTime): Promise<void> => {
    // Not asked again by itself: the time to set would be old by then. The caller comes back with a new one.
    if (knowsDateTime === null) await readClock();
    if (knowsDateTime === true) {
      const [date = '', time = ''] = to.split(' ');
      const answer = await conversation.ask(
        'SetDateTime',
        [
          ['date', date],
          ['time', time],
        ],
        false,
      );
      if (answer.refusal !== UNKNOWN) {
        accepted('SetDateTime', answer);
        return;
      }
    }
    const args = [
      ['time', formatTime(to)],
      ['week', String(weekday(to))],
    ] as const;
    accepted('SetDeviceInfo', await conversation.ask('SetDeviceInfo', args, false));
  };

  async function* pages(after: Cursor | null): AsyncGenerator<PunchPage, void> {
    if (stored === null && shown === null) await deviceInfo();
    const since = options.since === undefined ? null : (options.since.padEnd(19, ' 00:00:00').slice(0, 19) as WallTime);
    const plan = planRead({
      after,
      now: wire.clock.now(),
      zone: wire.zone,
      shown,
      since,
      overlapMinutes: options.overlapMinutes,
    });
    yield* readLog({ conversation, options, wire, stored }, plan);
  }

  return {
    identify,
    readClock,
    setClock,
    pages: (after) => pages(after),
    confirm: () => Promise.resolve(),
    users: createPeople(conversation, options),
    [Symbol.asyncDispose]: () => conversation.dispose(),
  };
}

/** Monday 1 to Sunday 7, as SetDeviceInfo wants it. 1970-01-01 was a Thursday. */
function weekday(wall: WallTime): number {
  const at = wallToInstant(wall, PLAIN) ?? 0;
  return ((Math.floor(at / 86_400_000) + 3) % 7) + 1;
}

function accepted(request: string, answer: Answer): readonly Pair[] {
  if (answer.refusal === null) return answer.pairs;
  const reason = answer.refusal === '' ? 'the terminal refused' : answer.refusal;
  throw fail('bad-reply', { request, requestZh: request, reason, reasonZh: reason });
}
