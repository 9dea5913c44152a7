/**
 * The words of the CGI and of its JSON twin, both directions, pure: answers of `key=value` lines, records grouped by the
 * index in brackets, times in three spellings, and the arithmetic of the JSON-RPC login. Unknown keys are kept, strange
 * values stay text. Nothing here knows a connection.
 *
 * Line form: vendor's HTTP API for access control, "recordFinder.cgi"; a value may hold `=`, so a line ends its key at the
 * first one, and indices may have gaps (rphpires/FacialEmulator shows both).
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import iconv from 'iconv-lite';
import { hexWindow } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import { instantToWall, parseWallTime, type Instant, type WallTime, type Zone } from '../../core/time.js';
import { isPersonal, jsonWithoutPersons } from '../persons.js';

/** One record or event, flat: `Doors[0]` and `Info.Name` are keys. Always text, as a line would show it. */
export type Fields = Readonly<Record<string, string>>;

export interface Group {
  readonly fields: Fields;
  /** The lines or the JSON of this record as received. */
  readonly raw: Uint8Array;
}

export interface Line {
  readonly key: string;
  readonly value: string;
  readonly bytes: Uint8Array;
}

const LF = 0x0a;
const CR = 0x0d;

/** Text of a terminal: UTF-8 when it is that, else GBK, which older Chinese firmware sends. */
export function decodeText(bytes: Uint8Array): string {
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : iconv.decode(Buffer.from(bytes), 'gbk');
}

/** The lines that have a key. Anything else in the body (blank lines, `OK`, `Error`) is not among them. */
export function parseLines(body: Uint8Array): readonly Line[] {
  const lines: Line[] = [];
  for (let from = 0; from < body.length;) {
    const found = body.indexOf(LF, from);
    const next = found < 0 ? body.length : found;
    const end = next > from && body[next - 1] === CR ? next - 1 : next;
    const bytes = body.subarray(from, end);
    const equals = bytes.indexOf(0x3d);
    if (equals > 0) {
      const key = Buffer.from(bytes.subarray(0, equals)).toString('latin1').trim();
      lines.push({ key, value: decodeText(bytes.subarray(equals + 1)), bytes });
    }
    from = next + 1;
  }
  return lines;
}

/** The value of a key, or null. The first line wins. */
export function valueOf(lines: readonly Line[], key: string): string | null {
  return lines.find((line) => line.key === key)?.value.trim() ?? null;
}

/** Lines `name[7].Key=value` by their index, in the order in which the indices first came. */
export function groupLines(lines: readonly Line[], name: string): readonly Group[] {
  const groups = new Map<string, { readonly fields: Record<string, string>; readonly bytes: Uint8Array[] }>();
  const head = `${name}[`;
  for (const { key, value, bytes } of lines) {
    if (!key.startsWith(head)) continue;
    const close = key.indexOf('].', head.length);
    if (close < 0) continue;
    const index = key.slice(head.length, close);
    let group = groups.get(index);
    if (!group) groups.set(index, (group = { fields: blank(), bytes: [] }));
    group.fields[key.slice(close + 2)] = value;
    group.bytes.push(isPersonal(key) ? Buffer.from(`${key}=`) : bytes, Uint8Array.of(LF));
  }
  return [...groups.values()].map(({ fields, bytes }) => ({ fields, raw: Uint8Array.from(Buffer.concat(bytes)) }));
}

/** A record without the names that every object of the engine has: keys are the terminal's. */
function blank(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

const DEPTH_MAX = 6;

/** A JSON object in the flat form of the lines. Deeper than six levels is left out: no record is. */
export function flatten(value: unknown): Fields {
  const out = blank();
  const walk = (at: unknown, path: string, depth: number): void => {
    if (at === null || at === undefined || depth > DEPTH_MAX) return;
    if (Array.isArray(at)) at.forEach((one, index) => walk(one, `${path}[${index}]`, depth + 1));
    else if (typeof at === 'object')
      for (const [key, one] of Object.entries(at)) walk(one, path === '' ? key : `${path}.${key}`, depth + 1);
    else if (path !== '') out[path] = typeof at === 'string' ? at : JSON.stringify(at);
  };
  walk(value, '', 0);
  return out;
}

/** A record from JSON, with its JSON as the raw bytes; what is about the person is left empty. */
export function groupOfJson(value: unknown): Group {
  return { fields: flatten(value), raw: Buffer.from(jsonWithoutPersons(value)) };
}

/** JSON of a terminal, or `bad-reply` with the first bytes. */
export function parseJson(bytes: Uint8Array, request: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(decodeText(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below, with what came instead.
  }
  throw fail('bad-reply', {
    request,
    requestZh: request,
    reason: `no JSON object (${hexWindow(bytes)})`,
    reasonZh: `不是 JSON 对象(${hexWindow(bytes)})`,
  });
}

/** A whole number as text, or null. */
export function wholeOf(text: string | undefined): number | null {
  if (text === undefined || !/^\s*-?\d{1,15}\s*$/.test(text)) return null;
  return Number(text);
}

/** A moment as told: seconds since 1970 with the key they stood under, or the display's text. */
export type ToldTime =
  | { readonly kind: 'epoch'; readonly key: 'real' | 'plain'; readonly seconds: number }
  | { readonly kind: 'text'; readonly wall: WallTime };

/** Above this a number counts milliseconds: as seconds it would be the year 5138. */
const MILLISECONDS_FROM = 1e11;
/** The year 2200: what lies beyond is no time of a terminal. */
const SECONDS_MAX = 7_258_118_400;

function toldIn(value: string | undefined, key: 'real' | 'plain'): ToldTime | null {
  const text = value?.trim() ?? '';
  if (/^\d{1,16}(?:\.\d+)?$/.test(text)) {
    const number = Number(text);
    const seconds = Math.floor(number > MILLISECONDS_FROM ? number / 1000 : number);
    return seconds > 0 && seconds <= SECONDS_MAX ? { kind: 'epoch', key, seconds } : null;
  }
  const wall = parseWallTime(text.replace('T', ' '));
  return wall === null ? null : { kind: 'text', wall };
}

/**
 * When it happened. A real UTC is preferred where the firmware has one; the plain keys follow the terminal's own idea of
 * its zone. Null when no key holds a time.
 */
export function toldTime(fields: Fields): ToldTime | null {
  return (
    toldIn(fields.CreateTimeRealUTC, 'real') ??
    toldIn(fields.RealUTC, 'real') ??
    toldIn(fields.CreateTime, 'plain') ??
    toldIn(fields.UTC, 'plain')
  );
}

/** What a display in `zone` shows at these seconds, moved by `shiftS`. */
export function secondsToWall(seconds: number, shiftS: number, zone: Zone): WallTime {
  return instantToWall(((seconds + shiftS) * 1000) as Instant, zone);
}

/** What one access record says, as far as we understand it. */
export interface Access {
  readonly recNo: number | null;
  readonly userId: string;
  readonly told: ToldTime | null;
  /** CreateTime by itself: what StartTime is compared with. */
  readonly created: ToldTime | null;
  readonly method: number | null;
  readonly attendance: number | null;
  readonly granted: boolean;
}

/** ErrorCode, where there is one, says more than Status; a record with neither is taken as granted, so that it is not lost. */
export function accessOf(fields: Fields): Access {
  const error = wholeOf(fields.ErrorCode);
  const status = wholeOf(fields.Status);
  return {
    recNo: wholeOf(fields.RecNo),
    userId: fields.UserID?.trim() ?? '',
    told: toldTime(fields),
    created: toldIn(fields.CreateTime, 'plain'),
    method: wholeOf(fields.Method),
    attendance: wholeOf(fields.AttendanceState),
    granted: error !== null ? error === 0 : status !== 0,
  };
}

const md5 = (text: string): string => createHash('md5').update(text, 'utf8').digest('hex').toUpperCase();

/** The word that answers the challenge of `global.login` (passwordType Default). */
export function rpcPassword(user: string, password: string, realm: string, random: string): string {
  return md5(`${user}:${random}:${md5(`${user}:${realm}:${password}`)}`);
}

/** Lines of records as a terminal answers them; `keys` in the order given. */
export function encodeRecords(records: readonly Fields[], totalCount: number | null): string {
  const lines = totalCount === null ? [] : [`totalCount=${totalCount}`];
  lines.push(`found=${records.length}`);
  records.forEach((fields, index) => {
    for (const [key, value] of Object.entries(fields)) lines.push(`records[${index}].${key}=${value}`);
  });
  return `${lines.join('\r\n')}\r\n`;
}

/** `path?key=value&…` with every value encoded; brackets stay, as the firmware wants them. */
export function cgi(file: string, query: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  return `/cgi-bin/${file}.cgi?${parts.join('&')}`;
}

const NAME_BYTES_MAX = 32;

/** A name of at most 32 bytes in UTF-8, cut between characters: a terminal refuses a longer one and does not cut it. */
export function fitName(name: string): { readonly name: string; readonly cut: boolean } {
  let fitted = '';
  let bytes = 0;
  for (const char of name) {
    bytes += Buffer.byteLength(char);
    if (bytes > NAME_BYTES_MAX) return { name: fitted, cut: true };
    fitted += char;
  }
  return { name: fitted, cut: false };
}
