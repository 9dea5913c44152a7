/**
 * The words of ISAPI as far as attendance needs them: pure, both directions. A body is XML or JSON whatever its Content-Type
 * says, so the first character decides; an answer with status 200 may still be an error, told by a `ResponseStatus`. Events
 * come in two spellings, that of the search and that of streams and pushes, and become one.
 *
 * A record keeps its time as told and its text as it came. Nothing here throws for what a terminal says but `GatewayError`.
 */
import { isUtf8 } from 'node:buffer';
import { parseWallTime, instantToWall, parseIso, type WallTime, type Zone } from '../../core/time.js';
import type { PunchRecord } from '../driver.js';
import { jsonWithoutPersons } from '../persons.js';
import { directionOf, kindOf, MAJOR_EVENT, PASS } from './codes.js';
import type { HikOptions } from './options.js';
import { parseXml, type Tree } from './xml.js';

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseJson(text: string): Tree | null {
  try {
    const value: unknown = JSON.parse(text);
    return isTree(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * A body as a tree with its root element or keys; null when it is neither XML nor a JSON object. A name that ends in half a
 * character, or is in GBK, must not cost the events beside it.
 */
export function readTree(body: Uint8Array): Tree | null {
  const text = new TextDecoder('utf-8').decode(body).trim();
  if (text.startsWith('{'))
    return parseJson(text) ?? (isUtf8(body) ? null : parseJson(new TextDecoder('gbk').decode(body).trim()));
  return text.startsWith('<') && isUtf8(body) ? parseXml(text) : null;
}

export const treeAt = (tree: Tree | null, key: string): Tree | null => {
  const value = tree && Object.hasOwn(tree, key) ? tree[key] : undefined;
  return isTree(value) ? value : null;
};

/** A list; XML shows a list of one as the element itself. Texts and numbers among it are left out. */
export const listAt = (tree: Tree | null, key: string): readonly Tree[] => {
  const value = tree && Object.hasOwn(tree, key) ? tree[key] : undefined;
  return (Array.isArray(value) ? value : [value]).filter(isTree);
};

export const textAt = (tree: Tree | null, key: string): string => {
  const value = tree && Object.hasOwn(tree, key) ? tree[key] : undefined;
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : '';
};

/** A whole number, however it was written; null when there is none. */
export const numberAt = (tree: Tree | null, key: string): number | null => {
  const text = textAt(tree, key);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null;
};

/** What a terminal says about a request, statusCode 1 being good. */
export interface Status {
  readonly code: number;
  readonly sub: string;
  /** The field it does not like, where it names one. */
  readonly field: string;
}

const word = (text: string): string => (/^[\w .:-]{0,60}$/.test(text) ? text : '');

/** The status in an answer: `ResponseStatus`, or its keys at the top. Null: the answer has none, so it is data. */
export function statusOf(tree: Tree): Status | null {
  const at = treeAt(tree, 'ResponseStatus') ?? tree;
  const code = numberAt(at, 'statusCode');
  if (code === null) return null;
  return { code, sub: word(textAt(at, 'subStatusCode')), field: word(textAt(at, 'errorMsg')) };
}

/** One access event, from whichever path. */
export interface HikEvent {
  readonly major: number;
  readonly minor: number;
  /** As told, with its offset if it has one. */
  readonly time: string;
  readonly employee: string;
  readonly status: string;
  readonly serial: number | null;
  /** Serial number of the event before this one, where the stream tells it. */
  readonly front: number | null;
  /** False: an event of the past that is told again. */
  readonly current: boolean;
  /** End of the terminal's serial number; '' where it is not told. */
  readonly shortSerial: string;
  /** The record as text without the person's name and card, for `raw`. */
  readonly raw: string;
}

/** An entry of `AcsEvent.InfoList`. */
export function searchedEvent(item: Tree): HikEvent {
  return {
    major: numberAt(item, 'major') ?? -1,
    minor: numberAt(item, 'minor') ?? -1,
    time: textAt(item, 'time'),
    employee: employeeOf(item),
    status: textAt(item, 'attendanceStatus'),
    serial: numberAt(item, 'serialNo'),
    front: null,
    current: true,
    shortSerial: '',
    raw: jsonWithoutPersons(item),
  };
}

/** `employeeNoString`, else the older number: 0 there means nobody. */
function employeeOf(item: Tree): string {
  const text = textAt(item, 'employeeNoString');
  const number = textAt(item, 'employeeNo');
  return text !== '' ? text : number === '0' ? '' : number;
}

export type Notice =
  | { readonly kind: 'event'; readonly event: HikEvent }
  /** Something else, such as the heartbeat `videoloss`. */
  | { readonly kind: 'other'; readonly type: string };

/** What a stream or a push tells; null when it is no notification. */
export function noticeOf(tree: Tree): Notice | null {
  const alert = treeAt(tree, 'EventNotificationAlert') ?? tree;
  const type = textAt(alert, 'eventType');
  const inner = treeAt(alert, 'AccessControllerEvent');
  if (!inner) return type === '' ? null : { kind: 'other', type };
  return {
    kind: 'event',
    event: {
      major: numberAt(inner, 'majorEventType') ?? -1,
      minor: numberAt(inner, 'subEventType') ?? -1,
      time: textAt(alert, 'dateTime'),
      employee: employeeOf(inner),
      status: textAt(inner, 'attendanceStatus'),
      serial: numberAt(inner, 'serialNo'),
      front: numberAt(inner, 'frontSerialNo'),
      current: textAt(inner, 'currentEvent') !== 'false',
      shortSerial: textAt(alert, 'shortSerialNumber'),
      raw: jsonWithoutPersons(alert),
    },
  };
}

const TOLD_TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/;

/** The wall time of a told time: its own digits, whatever offset follows; only `Z` is turned into the terminal's zone. Null when it is no time. */
export function wallOf(told: string, zone: Zone): WallTime | null {
  const match = TOLD_TIME.exec(told.trim());
  if (!match) return null;
  const wall = parseWallTime(`${match[1] ?? ''} ${match[2] ?? ''}`);
  const at = match[3] === 'Z' ? parseIso(told.trim()) : null;
  return at === null ? wall : instantToWall(at, zone);
}

/** Whether the time exists as a date; an impossible one is kept all the same. */
export function suffixOf(told: string): string | null {
  const match = TOLD_TIME.exec(told.trim());
  return match ? (match[3] ?? '') : null;
}

const TIME_CHARS_MAX = 40;

export type PunchOptions = Pick<HikOptions, 'passMinors' | 'directionMap' | 'verifyMap'>;

/** The punch in an event; null when it is none: another major, nobody named, a failure, a door. */
export function punchOf(
  event: HikEvent,
  options: PunchOptions,
  zone: Zone,
  source: PunchRecord['source'],
): PunchRecord | null {
  if (event.major !== MAJOR_EVENT || event.employee === '') return null;
  const kind = kindOf(event.major, event.minor, options.passMinors);
  // A time in a form that nobody knows stays as it was told: the punch was made all the same.
  const wallTime = wallOf(event.time, zone) ?? (event.time.trim().slice(0, TIME_CHARS_MAX) as WallTime);
  if (kind === 'other' || wallTime === '') return null;
  const minor = String(event.minor);
  const mapped = options.verifyMap && Object.hasOwn(options.verifyMap, minor) ? options.verifyMap[minor] : undefined;
  return {
    deviceUserId: event.employee,
    deviceUid: null,
    wallTime,
    direction: directionOf(event.status, options.directionMap),
    directionRaw: null,
    verify: mapped ?? (Object.hasOwn(PASS, event.minor) ? PASS[event.minor] : undefined) ?? 'unknown',
    verifyRaw: event.minor,
    score: null,
    seq: event.serial,
    source,
    raw: Buffer.from(event.raw, 'utf8'),
  };
}
