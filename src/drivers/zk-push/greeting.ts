/**
 * What the gateway tells a terminal that greets (`options=all`): one `Key=Value` a line after the line that names it. Every
 * line ends in LF, the last one too, because firmware reads line by line and forgets what has no end. It asks for
 * punches and operations and for nothing else: no photos, no fingers, no faces.
 *
 * The time zone matters most: the terminal sets its own clock from the `Date` header and this number.
 */
import { instantToWall, wallToInstant, zone, type Instant, type Zone } from '../../core/time.js';
import { decodeText } from './text.js';

export type Dialect = 'auto' | '1.0' | '2.4' | 'us';

export interface Greeting {
  readonly serial: string;
  readonly dialect: Dialect;
  /** Stamp of the last ATTLOG that was stored; null: none. 0 makes the terminal upload everything again. */
  readonly attlogStamp: string | null;
  readonly operlogStamp: string | null;
  readonly offsetMinutes: number;
  readonly delaySeconds: number;
  readonly errorDelaySeconds: number;
  readonly transTimes: string;
  readonly transIntervalMinutes: number;
}

const UTC = zone('UTC');

/** Minutes by which a zone is ahead of UTC at an instant. */
export function offsetMinutesAt(at: Instant, where: Zone): number {
  const seconds = Math.floor(at / 1000) * 1000;
  const shown = UTC === null ? null : wallToInstant(instantToWall(at, where), UTC);
  return shown === null ? 0 : Math.round((shown - seconds) / 60_000);
}

/** `+08:00`. */
export function offsetText(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** Hours where they are whole and from -12 to 12, else minutes; the US edition wants `-05:00`. */
export function timeZoneValue(minutes: number, dialect: Dialect): string {
  if (dialect === 'us') return offsetText(minutes);
  const hours = minutes / 60;
  return Number.isInteger(hours) && Math.abs(hours) <= 12 ? String(hours) : String(minutes);
}

/** The reverse, as a terminal reads it: a number above 24 is minutes. Null when it is none. */
export function readTimeZone(value: string, dialect: Dialect): number | null {
  const text = /^([+-])(\d{2}):(\d{2})$/.exec(value);
  if (text && dialect === 'us') return (text[1] === '-' ? -1 : 1) * (Number(text[2]) * 60 + Number(text[3]));
  // Integer firmware reads digits up to the first other character: "+08:00" becomes 8, "-05:30" becomes -5.
  const number = /^[+-]?\d+/.exec(value);
  if (!number) return null;
  const amount = Number(number[0]);
  return Math.abs(amount) > 24 ? amount : amount * 60;
}

const NO_BIO = Array.from({ length: 11 }, () => '0').join(':');

export function composeGreeting(greeting: Greeting): string {
  const { dialect } = greeting;
  const lines = [`GET OPTION FROM: ${greeting.serial}`];
  const say = (key: string, value: string | number): void => void lines.push(`${key}=${value}`);
  if (dialect !== '2.4') {
    // Whole numbers: old firmware would read `None` as 0, which means everything again.
    say('Stamp', greeting.attlogStamp ?? 9999);
    say('OpStamp', greeting.operlogStamp ?? 9999);
    say('PhotoStamp', 9999);
  }
  if (dialect !== '1.0') {
    say('ATTLOGStamp', greeting.attlogStamp ?? 'None');
    say('OPERLOGStamp', greeting.operlogStamp ?? 9999);
    say('ATTPHOTOStamp', 'None');
  }
  say('ErrorDelay', greeting.errorDelaySeconds);
  say('Delay', greeting.delaySeconds);
  say('TransTimes', greeting.transTimes);
  say('TransInterval', greeting.transIntervalMinutes);
  say('TransFlag', 'TransData AttLog\tOpLog');
  say('TimeZone', timeZoneValue(greeting.offsetMinutes, dialect));
  say('Realtime', 1);
  say('Encrypt', 'None');
  if (dialect !== '1.0') {
    say('ServerVer', '2.4.1');
    say('PushProtVer', '2.4.1');
    say('PhotoSupport', 0);
    say('MultiBioDataSupport', NO_BIO);
    say('MultiBioPhotoSupport', NO_BIO);
  }
  return `${lines.join('\n')}\n`;
}

/** As a terminal reads it. Null when the first line is not the one that names it: it will greet again. */
export function parseGreeting(
  body: Uint8Array,
): { readonly serial: string; readonly keys: Map<string, string> } | null {
  // What follows the last LF was never ended.
  const [first = '', ...lines] = decodeText(body, 'auto').split(/\r?\n/).slice(0, -1);
  const serial = /^GET OPTION FROM: ?(.+)$/.exec(first)?.[1];
  if (serial === undefined) return null;
  const keys = new Map<string, string>();
  for (const line of lines) {
    const at = line.indexOf('=');
    if (at > 0) keys.set(line.slice(0, at), line.slice(at + 1));
  }
  return { serial, keys };
}

/** Fill levels as a terminal tells them with its first poll: firmware, users, fingers, records, address, … */
export interface Info {
  readonly firmware: string | null;
  readonly users: number | null;
  readonly records: number | null;
}

const count = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,9}$/.test(text.trim()) ? Number(text) : null;

export function parsePollInfo(text: string): Info {
  const [firmware = '', users, , records] = text.split(',');
  return { firmware: firmware.trim() === '' ? null : firmware.trim(), users: count(users), records: count(records) };
}

/** The same from the answer to `INFO`, whose keys differ by firmware; `~` may stand before them. */
export function parseInfoPairs(
  pairs: readonly (readonly [string, string])[],
): Info & { readonly model: string | null } {
  const find = (...keys: readonly string[]): string | undefined =>
    pairs.find(([key]) => keys.includes(key.replace(/^~/, '')))?.[1];
  const text = (value: string | undefined): string | null => {
    const told = value?.trim().slice(0, 64) ?? '';
    return told === '' ? null : told;
  };
  return {
    firmware: text(find('FWVersion', 'FirmVer')),
    model: text(find('DeviceName')),
    users: count(find('UserCount')),
    records: count(find('TransactionCount', 'AttLogCount')),
  };
}
