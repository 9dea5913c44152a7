/**
 * HTTP push v2 of FC-8x00 terminals: what a request says, after the maker's public HTTPv2 text (version 6.0). Pure, except that
 * nothing here keeps or shows a photo, a template or the number of an identity card: parts that carry them are skipped while
 * reading, and the card number leaves a record before anything else sees it.
 */
import { isUtf8 } from 'node:buffer';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fail } from '../../core/errors.js';
import { instant, instantToWall, type Instant, type Zone } from '../../core/time.js';
import { methodOf } from '../fcard-events.js';
import type { PunchRecord } from '../driver.js';
import { jsonWithoutPersons } from '../persons.js';
import { boundaryOf, readMultipart, type Part } from '../multipart.js';

export const ROUTES = [
  '/Device/Keepalive',
  '/Device/UploadWorkSetting',
  '/Device/RemoteCommand',
  '/Device/RequestAuthorization',
  '/People/RequestAuthorization',
  '/Record/UploadIdentifyRecord',
  '/Record/UploadSystemRecord',
  '/People/DownloadPeopleList',
  '/People/DownloadPeopleListResult',
  '/People/DeletePeopleList',
  '/People/DeletePeopleListResult',
  '/People/PushPeople',
] as const;

export type Route = (typeof ROUTES)[number];

/** The terminal posts to a configured base address, so something may stand before the route. Letter case differs by firmware. */
export const routeOf = (path: string): Route | null =>
  ROUTES.find((route) => path.toLowerCase().endsWith(route.toLowerCase())) ?? null;

export type Json = Readonly<Record<string, unknown>>;

/** Fields of a request by name: the keys of its JSON, or its parts. */
export interface Form {
  readonly sn: string;
  readonly fields: Json;
}

const UNPACKED_BYTES_MAX = 4 * 1024 * 1024;
/** Parts that are read; everything else (Photo, pic, …) is skipped. */
const PARTS = new Set(['sn', 'recorddetail', 'recordjson', 'detail', 'pushtype', 'userid']);

function unpacked(bytes: Uint8Array, encoding: string | undefined): Uint8Array {
  // Some say gzip and send plain text.
  if (!/gzip/i.test(encoding ?? '') || bytes[0] !== 0x1f) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (error) {
    throw badRequest('the compressed part is broken', '压缩内容已损坏', error);
  }
}

const badRequest = (reason: string, reasonZh: string, cause?: unknown): Error =>
  fail('bad-reply', { request: 'upload', requestZh: '上传', reason, reasonZh }, cause);

/** JSON that is an object, in UTF-8 or GBK; white space and NUL around it occur. Throws `bad-reply` and never shows the text. */
export function parseObject(bytes: Uint8Array): Json {
  // A GBK name may hold a backslash, and a record that cannot be read is given up in the end.
  for (const encoding of isUtf8(bytes) ? ['utf-8'] : ['utf-8', 'gbk']) {
    try {
      const value: unknown = JSON.parse(new TextDecoder(encoding).decode(bytes).replaceAll('\0', ''));
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
    } catch {
      // The message of the parser would quote what it read.
    }
  }
  throw badRequest('no JSON object', '不是 JSON 对象');
}

/** A key in any letter case; null for one that is not there. */
export function field(json: Json, ...names: readonly string[]): unknown {
  for (const name of names) {
    const key = Object.keys(json).find((one) => one.toLowerCase() === name.toLowerCase());
    if (key !== undefined) return json[key];
  }
  return null;
}

/** Text or a number as text; '' for anything else. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : '';

const numberOf = (value: unknown): number | null => {
  const text = textOf(value);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null;
};

const wanted = (headers: Part['headers']): boolean => {
  const name = /name\s*=\s*"?([^";\s]+)/i.exec(headers['content-disposition'] ?? '')?.[1] ?? '';
  return PARTS.has(name.toLowerCase());
};

/** What a request carries. Throws `bad-reply` when it cannot be read. */
export function readForm(headers: Readonly<Record<string, string>>, body: Uint8Array): Form {
  const type = headers['content-type'] ?? '';
  const plain = unpacked(body, headers['content-encoding']);
  if (boundaryOf(type) === null) {
    const fields = parseObject(plain);
    return { sn: textOf(field(fields, 'SN', 'DeviceSN')), fields };
  }
  const fields: Record<string, unknown> = {};
  for (const part of readMultipart(type, plain, { keep: wanted })) {
    if (!part.kept || part.name === null || part.body.length === 0) continue;
    const bytes = unpacked(part.body, part.headers['content-encoding']);
    const isJson = /^(?:recorddetail|recordjson|detail)$/i.test(part.name);
    Object.defineProperty(fields, part.name, {
      value: isJson ? parseObject(bytes) : Buffer.from(bytes).toString('utf8').trim(),
      enumerable: true,
    });
  }
  return { sn: textOf(field(fields, 'SN', 'DeviceSN')), fields };
}

const objectOf = (value: unknown): Json | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const detailOf = (form: Form): Json | null =>
  objectOf(field(form.fields, 'RecordDetail', 'recordJson', 'Detail'));

export interface IdentifyRecord {
  readonly id: number | null;
  readonly event: number;
  readonly at: Instant;
  readonly userId: string;
  /** Null when not told. */
  readonly entry: boolean | null;
  readonly raw: Uint8Array;
}

/** A record of `RecordDetail`. Throws `bad-reply` when event or time are missing. */
export function decodeRecord(detail: Json): IdentifyRecord {
  const event = numberOf(field(detail, 'RecordType'));
  const seconds = numberOf(field(detail, 'RecordDate'));
  if (event === null || seconds === null || Math.abs(seconds) > 8e12)
    throw badRequest('a record without RecordType or RecordDate', '记录缺少 RecordType 或 RecordDate');
  const entry = numberOf(field(detail, 'IsEntry'));
  return {
    id: numberOf(field(detail, 'RecordID')),
    event,
    at: instant(seconds * 1000),
    userId: textOf(field(detail, 'UserID')),
    entry: entry === null ? null : entry === 1,
    raw: Buffer.from(jsonWithoutPersons(detail), 'utf8'),
  };
}

/** The record as a punch; null for refusals, and where nobody is named. */
export function punchOf(
  record: IdentifyRecord,
  where: Zone,
  source: PunchRecord['source'] = 'push',
): PunchRecord | null {
  const verify = methodOf(record.event);
  if (verify === null || record.userId === '') return null;
  return {
    deviceUserId: record.userId,
    deviceUid: null,
    wallTime: instantToWall(record.at, where),
    direction: record.entry === null ? 'unknown' : record.entry ? 'in' : 'out',
    directionRaw: record.entry === null ? null : Number(record.entry),
    verify,
    verifyRaw: record.event,
    score: null,
    seq: record.id,
    source,
    raw: record.raw,
  };
}

/** Answers are JSON with `Success`. */
export const answerBody = (fields: Json): string => JSON.stringify({ Success: 1, ...fields });

/** For simulators. */
export const packed = (text: string): Uint8Array => gzipSync(Buffer.from(text, 'utf8'));
