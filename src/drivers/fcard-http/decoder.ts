/**
 * What a recorded stream of HTTP push v2 says, for `rollcall decode` and for captures: requests and answers as messages, and
 * the punches in them. Names, cards, identity cards and photos stay out of the fields. `scrub` hides them byte for byte in
 * place: ids are masked, every value that is not known to be harmless becomes filler, compressed parts and noise become zeros.
 */
import { asGatewayError } from '../../core/errors.js';
import { zone, type Zone } from '../../core/time.js';
import type { Decoded, Decoder, Masks } from '../driver.js';
import { createHttpSplitter, withBody, type HttpCut, type HttpMessage } from '../http-message.js';
import { splitTarget } from '../http-server.js';
import { boundaryOf, readMultipart } from '../multipart.js';
import {
  decodeRecord,
  detailOf,
  field,
  listOf,
  parseObject,
  punchOf,
  readForm,
  routeOf,
  textOf,
  type Json,
} from './codec.js';
import type { FcardHttpOptions } from './options.js';

type Fields = Record<string, unknown>;
type Direction = 'device' | 'gateway';

/** Flags and counts that say nothing of a person. */
const SHOWN = [
  ...['Success', 'AddPeople', 'DeletePeople', 'Remote', 'UploadWorkParameter', 'SyncParameter', 'RepostRecord'],
  ...['PushAllPeople', 'PeopleCount', 'DeleteCount', 'SuccessCount', 'Limit', 'PushType', 'FirmwareVerson'],
];

const idsOf = (value: unknown): readonly string[] =>
  listOf(value).map((one) =>
    typeof one === 'object' && one !== null ? textOf(field({ ...one }, 'UserID')) : textOf(one),
  );

function shown(json: Json): Fields {
  const lists = ['PeopleList', 'DeleteList', 'QueryPeople', 'FailList'].flatMap((key) => {
    const ids = idsOf(json[key]);
    return ids.length === 0 ? [] : [[key, ids] as const];
  });
  const plain = SHOWN.flatMap((key) => (json[key] === undefined ? [] : [[key, textOf(json[key])] as const]));
  return Object.fromEntries<unknown>([...plain, ...lists]);
}

function told(
  message: HttpMessage,
  where: Zone,
): { readonly name: string; readonly fields: Fields; readonly punches: readonly Decoded[] } {
  if (message.kind === 'response') {
    const fields = message.body.length === 0 ? {} : shown(parseObject(message.body));
    return { name: `answer ${message.status}`, fields, punches: [] };
  }
  const route = routeOf(splitTarget(message.target).path);
  if (route === null) return { name: message.method, fields: { sizeBytes: message.body.length }, punches: [] };
  const form = readForm(message.headers, message.body);
  const head = { sn: form.sn, ...shown(form.fields) };
  const detail = detailOf(form);
  if (route !== '/Record/UploadIdentifyRecord' || detail === null) {
    const id = textOf(field(form.fields, 'UserID'));
    return { name: route, fields: { ...head, ...(id === '' ? {} : { user: id }) }, punches: [] };
  }
  const record = decodeRecord(detail);
  const punch = punchOf(record, where);
  return {
    name: route,
    fields: { ...head, record: record.id, event: record.event },
    punches: punch ? [{ kind: 'punch', punch }] : [],
  };
}

function decodeCut(cut: HttpCut, where: Zone): readonly Decoded[] {
  if (cut.kind !== 'message') {
    const bytes = cut.kind === 'noise' ? cut.bytes : cut.part.bytes;
    return [{ kind: 'noise', bytes, reason: 'no HTTP message' }];
  }
  const { bytes, kind, method } = cut.message;
  try {
    const { name, fields, punches } = told(cut.message, where);
    return [{ kind: 'message', name, fields, bytes }, ...punches];
  } catch (error) {
    // A whole message whose content makes no sense is shown as such, with the reason.
    const name = kind === 'request' ? method : 'answer';
    return [{ kind: 'message', name, fields: { error: asGatewayError(error).message }, bytes }];
  }
}

const kindOf = (from: Direction): HttpMessage['kind'] => (from === 'device' ? 'request' : 'response');

export function createDecoder(options: FcardHttpOptions, from: Direction): Decoder {
  const where = zone(options.decodeZone) ?? ('UTC' as Zone);
  const splitter = createHttpSplitter({ kind: kindOf(from) });
  const all = (cuts: readonly HttpCut[]): readonly Decoded[] => cuts.flatMap((cut) => decodeCut(cut, where));
  return { push: (chunk) => all(splitter.push(chunk)), end: () => all(splitter.end()) };
}

/** Keys whose values tell nothing of a person. Everything else is hidden. */
const HARMLESS = new Set(
  [
    ...SHOWN,
    ...['SN', 'DeviceSN', 'RecordID', 'RecordType', 'RecordDate', 'IsEntry', 'PhotoLen', 'FailCount', 'ErrorCode'],
    ...['RelayStatus', 'KeepOpenStatus', 'DoorSensorStatus', 'LockDoorStatus', 'AlarmStatus', 'DeleteAll', 'TimeZone'],
    ...['AccessType', 'ExpirationDate', 'OpenTimes', 'KeepOpen', 'Timegroup', 'SystemTime', 'Opendoor', 'Restart'],
  ].map((key) => key.toLowerCase()),
);
const IDS = new Set(['userid', 'deletelist', 'deletlist', 'querypeople', 'repeatid']);

const VALUE = /"([A-Za-z0-9_]+)"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\[[^\]{}]*\])/g;

/** JSON text in latin1, with what tells of a person hidden; the same length. */
function hideJson(text: string, masks: Masks): string {
  const filler = (length: number): string => Buffer.from(masks.filler(length)).toString('latin1').slice(0, length);
  const mask = (value: string): string =>
    value.replace(/[A-Za-z0-9]+/g, (id) => masks.id(id).slice(0, id.length).padEnd(id.length, '1'));
  return text.replace(VALUE, (whole, key: string, value: string) => {
    const name = key.toLowerCase();
    const head = whole.slice(0, whole.length - value.length);
    if (HARMLESS.has(name)) return whole;
    if (IDS.has(name)) return head + mask(value);
    if (value.startsWith('"')) return `${head}"${filler(value.length - 2)}"`;
    if (value.startsWith('[')) return `${head}[${' '.repeat(value.length - 2)}]`;
    return head + '1'.repeat(value.length);
  });
}

const zeros = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.length);

function hideText(bytes: Uint8Array, masks: Masks): Uint8Array {
  try {
    parseObject(bytes);
  } catch (error) {
    asGatewayError(error);
    return zeros(bytes);
  }
  return Buffer.from(hideJson(Buffer.from(bytes).toString('latin1'), masks), 'latin1');
}

function hideBody(message: HttpMessage, masks: Masks): Uint8Array {
  const { headers, body } = message;
  if (body.length === 0) return body;
  if (/gzip/i.test(headers['content-encoding'] ?? '')) return zeros(body);
  if (boundaryOf(headers['content-type'] ?? '') === null) return hideText(body, masks);
  const hidden = zeros(body);
  // Boundaries and heads of the parts stay; so nothing of them is lost when a part cannot be read.
  const parts = readMultipart(headers['content-type'] ?? '', body, { partBytesMax: body.length });
  let at = 0;
  for (const part of parts) {
    hidden.set(body.subarray(at, part.from), at);
    at = part.to;
    const name = (part.name ?? '').toLowerCase();
    if (name === 'sn' || name === 'pushtype') hidden.set(part.body, part.from);
    else if (name === 'userid') {
      const id = Buffer.from(part.body).toString('latin1');
      const masked = id.replace(/[A-Za-z0-9]+/g, (one) => masks.id(one));
      hidden.set(Buffer.from(masked, 'latin1').subarray(0, part.body.length), part.from);
    } else if (part.headers['content-encoding'] === undefined && /json|detail/.test(name))
      hidden.set(hideText(part.body, masks), part.from);
    else hidden.set(masks.filler(part.to - part.from).subarray(0, part.to - part.from), part.from);
  }
  if (at > 0) hidden.set(body.subarray(at), at);
  return hidden;
}

/** See the head of the file. Throws nothing but GatewayError. */
export function scrub(from: Direction, bytes: Uint8Array, masks: Masks): Uint8Array {
  const splitter = createHttpSplitter({ kind: kindOf(from) });
  const pieces = [...splitter.push(bytes), ...splitter.end()].map((cut) => {
    if (cut.kind === 'noise') return zeros(cut.bytes);
    if (cut.kind === 'part') return zeros(cut.part.bytes);
    const { message } = cut;
    if (message.kind === 'request' && routeOf(splitTarget(message.target).path) === null) return zeros(message.bytes);
    return withBody(message, hideBody(message, masks));
  });
  return Buffer.concat(pieces);
}
