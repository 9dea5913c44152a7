/**
 * What a byte stream of this protocol says, for `rollcall decode` and for captures: messages of both directions and the
 * punches in them. Passwords, names and cards stay out of the fields. `scrub` takes persons out of a capture: a masked
 * frame is never longer, and flags before it (empty frames, which every reader ignores) keep its length.
 */
import { isUtf8 } from 'node:buffer';
import { Reader } from '../../core/bytes.js';
import { asGatewayError } from '../../core/errors.js';
import type { Decoded, Decoder, PunchRecord } from '../driver.js';
import { createFramer, type Cut } from '../framing.js';
import {
  ANSWER,
  COMMAND,
  createFrameRule,
  FLAG,
  frameName,
  parseFrame,
  snText,
  STATUS,
  WATCH,
  type Frame,
} from './codec.js';
import { decodePerson, decodePersons, PERSON_BYTES } from './person.js';
import {
  decodeClock,
  decodeRecord,
  decodeSlots,
  decodeStores,
  LIVE_BYTES,
  punchOf,
  RECORD_BYTES,
  type AuthRecord,
} from './records.js';
import { decodeCounts } from './users.js';

type Fields = Record<string, unknown>;

interface Told {
  readonly fields: Fields;
  readonly punches?: readonly PunchRecord[];
}

const sizeOnly = (data: Uint8Array): Fields => (data.length === 0 ? {} : { sizeBytes: data.length });

function requestFields({ type, index, data }: Frame): Fields {
  const reader = new Reader(data, 'big');
  const is = (one: { readonly type: number; readonly index: number }): boolean =>
    one.type === type && one.index === index;
  if (is(COMMAND.readRecords)) return { store: reader.u8(), first: reader.u32(), count: reader.u32() };
  if (is(COMMAND.setReadIndex)) return { store: reader.u8(), index: reader.u32() };
  if (is(COMMAND.readPersons)) return { start: reader.u32(), count: reader.u8() };
  if (is(COMMAND.readPerson) && data.length >= 4) return { user: String(reader.u32()) };
  if (is(COMMAND.writeClock)) return { wallTime: decodeClock(data) };
  if (is(COMMAND.addPerson)) return { ids: decodePersons(data).map((one) => decodePerson(one).id) };
  if (is(COMMAND.deletePerson)) {
    const count = reader.u8();
    return { ids: Array.from({ length: count }, () => String(reader.u32())) };
  }
  return sizeOnly(data);
}

/** An authentication that is no punch is shown by its event. */
const recordsTold = (
  records: readonly { readonly record: AuthRecord; readonly raw: Uint8Array }[],
  source: PunchRecord['source'],
  fields: Fields,
): Told => {
  const punches = records.flatMap(({ record, raw }) => punchOf(record, raw, source) ?? []);
  const refusals = records.filter(({ record, raw }) => punchOf(record, raw, source) === null);
  const events = refusals.length === 0 ? {} : { refusals: refusals.map(({ record }) => record.event) };
  return { fields: { ...fields, ...events }, punches };
};

function bulkTold({ par, data }: Frame): Told {
  if (par === 0xff) return { fields: { total: new Reader(data, 'big').u32() } };
  const count = new Reader(data, 'big').u32();
  // Other stores have other sizes and no persons.
  if (data.length !== 4 + count * RECORD_BYTES) return { fields: { records: count, sizeBytes: data.length } };
  const slots = decodeSlots(data);
  const records = slots.flatMap(({ record, bytes }) => (record ? [{ record, raw: bytes }] : []));
  const indices = slots.map((slot) => slot.index);
  return recordsTold(records, 'poll', { records: count, first: indices[0] ?? null, last: indices.at(-1) ?? null });
}

function answerTold(frame: Frame): Told {
  const { type, index, data } = frame;
  const is = (one: { readonly type: number; readonly index: number }): boolean =>
    one.type + ANSWER === type && one.index === index;
  if (type === WATCH && index === 0x01 && data.length === LIVE_BYTES) {
    const record = decodeRecord(data);
    return recordsTold([{ record, raw: data }], 'realtime', { serial: record.serial });
  }
  if (is(COMMAND.readRecords)) return bulkTold(frame);
  if (is(COMMAND.stores)) return { fields: { stores: decodeStores(data) } };
  if (is(COMMAND.readClock)) return { fields: { wallTime: decodeClock(data) } };
  if (is(COMMAND.readSn) || is(COMMAND.version)) return { fields: { text: snText(data) } };
  if (is(COMMAND.personCounts)) return { fields: { ...decodeCounts(data) } };
  if (is(COMMAND.readPersons)) return { fields: { ids: decodePersons(data).map((one) => decodePerson(one).id) } };
  if (is(COMMAND.readPerson) && data.length === PERSON_BYTES) return { fields: { ids: [decodePerson(data).id] } };
  return { fields: type === STATUS ? {} : sizeOnly(data) };
}

function decodeFrame(bytes: Uint8Array, from: 'device' | 'gateway'): readonly Decoded[] {
  const frame = parseFrame(bytes, from);
  const name = frameName(frame.type, frame.index, frame.par, from);
  const head = { sn: frame.sn, code: frame.code.toString(16).toUpperCase().padStart(8, '0') };
  try {
    const { fields, punches = [] }: Told = from === 'gateway' ? { fields: requestFields(frame) } : answerTold(frame);
    return [
      { kind: 'message', name, fields: { ...head, ...fields }, bytes },
      ...punches.map((punch): Decoded => ({ kind: 'punch', punch })),
    ];
  } catch (error) {
    // A sound frame whose content makes no sense is shown as such, with the reason.
    return [{ kind: 'message', name, fields: { ...head, error: asGatewayError(error).message }, bytes }];
  }
}

const reasonOf = (bytes: Uint8Array, atEnd: boolean): string => {
  if (bytes[0] === FLAG) return atEnd ? 'incomplete frame' : 'checksum, escape or length wrong';
  return isUtf8(bytes) && bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d)
    ? 'text, another protocol'
    : 'no frame begins here';
};

export function createDecoder(from: 'device' | 'gateway'): Decoder {
  const framer = createFramer(createFrameRule());
  const told = (cuts: readonly Cut[], atEnd: boolean): readonly Decoded[] =>
    cuts.flatMap((cut) =>
      cut.kind === 'frame'
        ? decodeFrame(cut.bytes, from)
        : [{ kind: 'noise' as const, bytes: cut.bytes, reason: reasonOf(cut.bytes, atEnd) }],
    );
  return { push: (chunk) => told(framer.push(chunk), false), end: () => told(framer.flush(), true) };
}
