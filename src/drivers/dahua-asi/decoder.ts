/**
 * What a byte stream of this protocol says, for `rollcall decode` and for captures: requests, answers, events, and the
 * punches in them. Names, cards, addresses of pictures and logins stay out of the fields. Without a site the epochs are shown
 * in China's time, moved by the option `epochShiftMinutes`.
 */
import { asGatewayError } from '../../core/errors.js';
import type { PunchSource } from '../../core/punch-words.js';
import type { Zone } from '../../core/time.js';
import type { Decoded, Decoder } from '../driver.js';
import { splitTarget } from '../http-server.js';
import type { HttpMessage } from '../http-message.js';
import { groupLines, groupOfJson, parseJson, parseLines, secondsToWall, type Group, type ToldTime } from './codec.js';
import { createFrames, type Frame } from './frames.js';
import type { DahuaOptions } from './options.js';
import { parseEvents, type Part } from './parts.js';
import { readRecord } from './punch.js';

type Told = Readonly<Record<string, string | number | boolean>>;

const SHOWN = /^(?:totalCount|found|count|result|sn|version|serialNumber|deviceType|table\.NTP\.TimeZone|RecNo)$/;
const ASKED = ['action', 'name', 'StartTime', 'EndTime', 'count', 'codes', 'heartbeat', 'time', 'recno'];
const ZONE = 'Asia/Shanghai' as Zone;

/** Whether a group is a record of an access and not of a person's card. */
const isAccess = ({ fields }: Group): boolean =>
  ('Method' in fields || 'Status' in fields || 'ErrorCode' in fields) &&
  !('ValidDateStart' in fields) &&
  !('CardStatus' in fields);

export function createDecoder(options: DahuaOptions, from: 'device' | 'gateway'): Decoder {
  const frames = createFrames(from);
  const shiftS = options.epochShiftMinutes === 'auto' ? 0 : options.epochShiftMinutes * 60;
  const wallOf = (told: ToldTime | null): ReturnType<typeof secondsToWall> | null => {
    if (told === null) return null;
    return told.kind === 'text' ? told.wall : secondsToWall(told.seconds, told.key === 'plain' ? shiftS : 0, ZONE);
  };
  const punches = (groups: readonly Group[], source: PunchSource): Decoded[] =>
    groups.filter(isAccess).flatMap((group) => {
      const { punch } = readRecord(group, options, wallOf, source);
      return punch ? [{ kind: 'punch' as const, punch }] : [];
    });

  const ofJson = (message: HttpMessage, name: string): Decoded[] => {
    const value = parseJson(message.body, name);
    const params =
      typeof value.params === 'object' && value.params !== null ? (value.params as Record<string, unknown>) : {};
    const records = params.records ?? params.info;
    const groups = Array.isArray(records) ? records.map(groupOfJson) : [];
    const fields: Told = {
      ...(message.kind === 'response' ? { status: message.status } : {}),
      ...(typeof value.method === 'string' ? { method: value.method } : {}),
      ...(typeof value.id === 'number' ? { id: value.id } : {}),
      ...(typeof value.result === 'boolean' || typeof value.result === 'number' ? { result: value.result } : {}),
      ...(groups.length > 0 ? { records: groups.length } : {}),
    };
    return [{ kind: 'message', name, fields, bytes: message.bytes }, ...punches(groups, 'poll')];
  };

  const ofRequest = (message: HttpMessage): Decoded[] => {
    const { path, query } = splitTarget(message.target);
    const name = `${message.method} ${path.replace(/^\/cgi-bin\//, '')}`;
    if (message.method === 'POST' && message.body[0] === 0x7b) return ofJson(message, name);
    const fields: Record<string, string> = {};
    for (const key of ASKED) {
      const value = query.get(key);
      if (value !== null) fields[key] = value;
    }
    return [{ kind: 'message', name, fields, bytes: message.bytes }];
  };

  const ofAnswer = (message: HttpMessage): Decoded[] => {
    if (message.body[0] === 0x7b) return ofJson(message, 'answer');
    const lines = parseLines(message.body);
    const groups = groupLines(lines, 'records');
    const fields: Record<string, string | number> = { status: message.status };
    for (const { key, value } of lines) if (SHOWN.test(key)) fields[key] = value;
    if (groups.length > 0) fields.records = groups.length;
    const name = message.bytes.length === message.headBytes && message.status === 200 ? 'answer begins' : 'answer';
    return [{ kind: 'message', name, fields, bytes: message.bytes }, ...punches(groups, 'poll')];
  };

  const ofPart = ({ bytes, type, body }: Part): Decoded[] => {
    if (type.startsWith('image/'))
      return [{ kind: 'message', name: 'picture', fields: { sizeBytes: body.length }, bytes }];
    const events = parseEvents(body);
    const [first] = events;
    const name = first ? `event ${first.code}` : 'part';
    const fields: Told =
      first?.code === 'Heartbeat' ? {} : { events: events.length, ...(first ? { action: first.action } : {}) };
    const access = events.filter(({ code }) => code === 'AccessControl');
    return [{ kind: 'message', name, fields, bytes }, ...punches(access, 'realtime')];
  };

  const decodeFrame = (frame: Frame): Decoded[] => {
    if (frame.kind === 'noise') return [{ kind: 'noise', bytes: frame.bytes, reason: reasonOf(frame.bytes) }];
    const bytes = frame.kind === 'part' ? frame.part.bytes : frame.message.bytes;
    try {
      if (frame.kind === 'part') return ofPart(frame.part);
      return frame.message.kind === 'request' ? ofRequest(frame.message) : ofAnswer(frame.message);
    } catch (error) {
      // Sound HTTP whose content makes no sense is shown as such, with the reason.
      return [{ kind: 'message', name: 'unreadable', fields: { error: asGatewayError(error).code }, bytes }];
    }
  };

  return {
    push: (chunk) => frames.push(chunk).flatMap(decodeFrame),
    end: () => frames.end().flatMap(decodeFrame),
  };
}

const reasonOf = (bytes: Uint8Array): string =>
  bytes.every((byte) => byte === 0x0d || byte === 0x0a) ? 'blank lines' : 'belongs to no message';
