/**
 * What a byte stream of ISAPI says, for `rollcall decode` and for captures: requests and answers, the parts of an alert stream, and the
 * punches in them. Names, cards, passwords, credentials and the secret word of the push path stay out of the fields.
 */
import type { Zone } from '../../core/time.js';
import type { Decoded, Decoder, PunchRecord } from '../driver.js';
import { createHttpSplitter, type HttpCut, type HttpMessage } from '../http-message.js';
import type { HttpPart } from '../http-parts.js';
import {
  listAt,
  noticeOf,
  numberAt,
  punchOf,
  readTree,
  searchedEvent,
  statusOf,
  textAt,
  treeAt,
  type HikEvent,
  type PunchOptions,
} from './codec.js';
import { pushedEvents, PUSH_PREFIX } from './push.js';
import type { Tree } from './xml.js';

type Fields = Record<string, unknown>;

/** Only a time that ends in `Z` asks for a zone; here it is shown as it was told. */
const AS_TOLD = 'UTC' as Zone;

const shownTarget = (target: string): string =>
  target.startsWith(PUSH_PREFIX) ? `${PUSH_PREFIX}…` : (target.split('?')[0] ?? target);

const eventFields = (event: HikEvent): Fields => ({
  major: event.major,
  minor: event.minor,
  time: event.time,
  employeeNo: event.employee,
  serialNo: event.serial,
  ...(event.front === null ? {} : { frontSerialNo: event.front }),
  ...(event.current ? {} : { currentEvent: false }),
  status: event.status,
});

/** What a body says without persons in it. */
function bodyFields(tree: Tree): { readonly name: string; readonly fields: Fields; readonly events: HikEvent[] } {
  const search = treeAt(tree, 'AcsEvent');
  if (search) {
    const events = listAt(search, 'InfoList').map(searchedEvent);
    return {
      name: 'AcsEvent',
      fields: {
        totalMatches: numberAt(search, 'totalMatches'),
        numOfMatches: numberAt(search, 'numOfMatches'),
        status: textAt(search, 'responseStatusStrg'),
      },
      events,
    };
  }
  const condition = treeAt(tree, 'AcsEventCond');
  if (condition)
    return {
      name: 'AcsEventCond',
      fields: {
        position: numberAt(condition, 'searchResultPosition'),
        major: numberAt(condition, 'major'),
        minor: numberAt(condition, 'minor'),
        startTime: textAt(condition, 'startTime'),
        endTime: textAt(condition, 'endTime'),
      },
      events: [],
    };
  const notice = noticeOf(tree);
  if (notice?.kind === 'event') return { name: 'event', fields: eventFields(notice.event), events: [notice.event] };
  if (notice) return { name: notice.type, fields: {}, events: [] };
  const status = statusOf(tree);
  if (status) return { name: 'ResponseStatus', fields: { ...status }, events: [] };
  const info = treeAt(tree, 'DeviceInfo');
  const time = treeAt(tree, 'Time');
  if (info)
    return {
      name: 'DeviceInfo',
      fields: {
        serial: textAt(info, 'serialNumber'),
        model: textAt(info, 'model'),
        firmware: textAt(info, 'firmwareVersion'),
      },
      events: [],
    };
  if (time)
    return {
      name: 'Time',
      fields: { localTime: textAt(time, 'localTime'), timeMode: textAt(time, 'timeMode') },
      events: [],
    };
  const people = treeAt(tree, 'UserInfoSearch');
  if (people)
    return {
      name: 'UserInfoSearch',
      fields: { ids: listAt(people, 'UserInfo').map((one) => textAt(one, 'employeeNo')) },
      events: [],
    };
  return { name: Object.keys(tree)[0] ?? 'data', fields: {}, events: [] };
}

const punchesOf = (
  events: readonly HikEvent[],
  options: PunchOptions,
  path: PunchRecord['source'],
): readonly Decoded[] =>
  events.flatMap((event): readonly Decoded[] => {
    const punch = punchOf(event, options, AS_TOLD, event.current ? path : 'replay');
    return punch ? [{ kind: 'punch', punch }] : [];
  });

function decodeMessage(message: HttpMessage, options: PunchOptions): readonly Decoded[] {
  const { kind, method, target, status, headers, body, bytes } = message;
  const line = kind === 'request' ? `${method} ${shownTarget(target)}` : `answer ${status}`;
  const pushed = kind === 'request' && target.startsWith(PUSH_PREFIX);
  const events = pushed ? pushedEvents(headers['content-type'] ?? '', body) : null;
  if (events) {
    const fields = { events: events.map(eventFields) };
    return [{ kind: 'message', name: line, fields, bytes }, ...punchesOf(events, options, 'push')];
  }
  const tree = body.length > 0 ? readTree(body) : null;
  if (!tree) {
    const fields = body.length > 0 ? { sizeBytes: body.length } : {};
    return [{ kind: 'message', name: line, fields, bytes }];
  }
  const told = bodyFields(tree);
  return [
    { kind: 'message', name: `${line} ${told.name}`, fields: told.fields, bytes },
    ...punchesOf(told.events, options, 'poll'),
  ];
}

function decodePart(part: HttpPart, options: PunchOptions): readonly Decoded[] {
  const { headers, body, bytes } = part;
  if (part.last) return [{ kind: 'message', name: 'end of parts', fields: {}, bytes }];
  const tree = readTree(body);
  const told = tree && bodyFields(tree);
  if (!told) {
    const fields = { type: headers['content-type'] ?? '', sizeBytes: body.length };
    return [{ kind: 'message', name: 'part', fields, bytes }];
  }
  return [
    { kind: 'message', name: `part ${told.name}`, fields: told.fields, bytes },
    ...punchesOf(told.events, options, 'realtime'),
  ];
}

export function createDecoder(options: PunchOptions): Decoder {
  const splitter = createHttpSplitter();
  const told = (cuts: readonly HttpCut[]): readonly Decoded[] =>
    cuts.flatMap((cut) => {
      if (cut.kind === 'message') return decodeMessage(cut.message, options);
      if (cut.kind === 'part') return decodePart(cut.part, options);
      return [{ kind: 'noise' as const, bytes: cut.bytes, reason: 'no HTTP message' }];
    });
  return { push: (chunk) => told(splitter.push(chunk)), end: () => told(splitter.end()) };
}
