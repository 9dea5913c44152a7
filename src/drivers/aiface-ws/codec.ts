/**
 * Messages of the protocol, both ways: `{"cmd":…}` asks, `{"ret":…}` answers, and there are no numbers to tell one request
 * from another. Numbers come as text and truth values as 0 and 1 from some firmware; we always send the plain kind.
 *
 * Ids are text here and stay so beyond 2^53. Photos, templates and names never get out of a message by way of `raw`.
 */
import { fail } from '../../core/errors.js';
import {
  itemsOf,
  memberOf,
  numberOf,
  objectOf,
  readJson,
  textOf,
  truthOf,
  type JsonNode,
  type JsonObject,
  type JsonText,
} from './json-text.js';

export type Plain = string | number | bigint | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };
export type Fields = Readonly<Record<string, Plain>>;

/** Requests that erase; nothing in this program may send one. */
const FORBIDDEN = new Set(['cleanlog', 'cleanuser', 'cleanadmin', 'initsys', 'cleanuserlock']);

const written = (value: Plain): string => {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Plain[]).map(written).join(',')}]`;
  const pairs = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${written(one)}`);
  return `{${pairs.join(',')}}`;
};

/** One message as text. Throws `forbidden-request` for what would erase. */
export function encodeMessage(fields: Fields): Uint8Array {
  const { cmd } = fields;
  if (typeof cmd === 'string' && FORBIDDEN.has(cmd)) throw fail('forbidden-request', { request: cmd, window: '' });
  return Buffer.from(written(fields));
}

/** An id as it is sent: a number where it can be one. */
export function idValue(id: string): Plain {
  return /^(?:0|[1-9]\d{0,18})$/.test(id) ? BigInt(id) : id;
}

export interface Message {
  readonly kind: 'request' | 'answer';
  /** The word after `cmd` or `ret`. */
  readonly name: string;
  readonly json: JsonText;
}

/** Null where the bytes are no message of this protocol. */
export function parseMessage(bytes: Uint8Array): Message | null {
  const json = readJson(bytes);
  if (json.state !== 'whole') return null;
  const cmd = textOf(json, memberOf(json, 'cmd'))?.trim();
  if (cmd !== undefined && cmd !== '') return { kind: 'request', name: cmd, json };
  const ret = textOf(json, memberOf(json, 'ret'))?.trim();
  return ret === undefined || ret === '' ? null : { kind: 'answer', name: ret, json };
}

export const textIn = ({ json }: Message, key: string): string | undefined => textOf(json, memberOf(json, key));
export const numberIn = ({ json }: Message, key: string): number | undefined => numberOf(json, memberOf(json, key));
/** `gettime` is answered without `result`, so only a plain no is a refusal. */
export const isRefusal = ({ json }: Message): boolean => truthOf(json, memberOf(json, 'result')) === false;

/** The reason of a refusal where it is a number or a plain word; other text may name somebody. */
export function reasonIn(message: Message): string {
  const text = textIn(message, 'reason')?.trim() ?? '';
  return /^[\w -]{1,40}$/.test(text) ? text : 'no reason';
}

/** What a terminal tells about itself in `reg`. */
export interface Registration {
  readonly serial: string;
  readonly model: string | null;
  readonly firmware: string | null;
  /** Its clock as it wrote it. */
  readonly time: string | null;
  readonly records: number | null;
  readonly newRecords: number | null;
  readonly recordCapacity: number | null;
  readonly users: number | null;
  readonly userCapacity: number | null;
  readonly mac: string | null;
}

export function readRegistration(message: Message): Registration {
  const { json } = message;
  const info = objectOf(memberOf(json, 'devinfo'));
  const text = (key: string): string | null => {
    const told = textOf(json, memberOf(info, key))?.trim().slice(0, 64);
    return told === undefined || told === '' ? null : told;
  };
  const number = (key: string): number | null => numberOf(json, memberOf(info, key)) ?? null;
  return {
    serial: textIn(message, 'sn')?.trim() ?? '',
    model: text('modelname'),
    firmware: text('firmware'),
    time: text('time'),
    records: number('usedlog'),
    newRecords: number('usednewlog'),
    recordCapacity: number('logsize'),
    users: number('useduser'),
    userCapacity: number('usersize'),
    mac: text('mac'),
  };
}

/** A line of the terminal's log. */
export interface LogRecord {
  readonly enrollId: string;
  readonly time: string;
  readonly mode: number | null;
  readonly inout: number | null;
  readonly event: number | null;
  readonly verifyMode: number | null;
  /** It came with a photo, which was dropped. */
  readonly photo: boolean;
  /** The record as received, with photo and name left empty. */
  readonly raw: Uint8Array;
}

/** Values that are no business of a journal: who looks how, who is called what. */
const EMPTIED = new Set(['image', 'photo', 'name', 'username', 'record']);
const LONG_BYTES = 256;

function rawOf(json: JsonText, record: JsonObject): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = record.at;
  for (const { key, value } of record.members) {
    if (!EMPTIED.has(key) && value.end - value.at <= LONG_BYTES) continue;
    parts.push(json.bytes.subarray(from, value.at), Buffer.from('""'));
    from = value.end;
  }
  parts.push(json.bytes.subarray(from, record.end));
  return Uint8Array.from(Buffer.concat(parts));
}

function readRecord(json: JsonText, node: JsonNode): LogRecord | null {
  const record = objectOf(node);
  const enrollId = textOf(json, memberOf(record, 'enrollid'))?.trim().slice(0, 64);
  const time = textOf(json, memberOf(record, 'time'))?.trim().slice(0, 40);
  if (!record || !enrollId || !time) return null;
  const number = (key: string): number | null => numberOf(json, memberOf(record, key)) ?? null;
  return {
    enrollId,
    time,
    mode: number('mode'),
    inout: number('inout'),
    event: number('event'),
    verifyMode: number('verifymode'),
    photo: memberOf(record, 'image') !== undefined,
    raw: rawOf(json, record),
  };
}

export interface RecordList {
  readonly records: readonly LogRecord[];
  /** Entries without an id or a time: no punch can be made of them. */
  readonly broken: number;
  /** How many entries the list had. `count` may be wrong, the list is not. */
  readonly length: number;
}

export function readRecords({ json }: Message): RecordList {
  const items = itemsOf(memberOf(json, 'record'));
  const records = items.flatMap((item) => readRecord(json, item) ?? []);
  return { records, broken: items.length - records.length, length: items.length };
}

/** Ids in an answer to `getuserlist`, which has one entry for each finger, face, card and password. */
export function readUserIds({ json }: Message): readonly string[] {
  return itemsOf(memberOf(json, 'record')).flatMap((item) => {
    const id =
      textOf(json, memberOf(objectOf(item), 'enrollid'))
        ?.trim()
        .slice(0, 64) ?? '';
    return id === '' ? [] : [id];
  });
}
