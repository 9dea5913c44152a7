/**
 * What travels inside a batch (upstream §6, requirements §8.4): journal facts to wire records under a field set, the
 * schemas of wire records, and reading one record back. Pure.
 *
 * Promises: nothing leaves that the field set does not allow, names and document numbers are removed from credits and
 * events wherever they stand; unknown members are ignored, unknown kinds stay as they are, and a record that cannot be
 * used is a finding, never an exception (§8).
 */
import { z } from 'zod';
import type { CreditFact, EventFact, JsonValue, Numbered, PunchFact } from '../rules/facts.js';
import { sha256Hex } from './envelope.js';
import { count, hashHex, time } from './messages.js';

/** What of the records may leave the house (requirements §8.4). Kinds that are off count as `omit`. */
export interface FieldSet {
  /** Names, where the platform has no number for a person. */
  readonly name: boolean;
  /** Keyed digest of the document number; never the number itself. */
  readonly document: boolean;
  /** Hashes of punch photos. The photos travel another way (§14). */
  readonly photo: boolean;
  readonly score: boolean;
  /** SHA-256 of the terminal's own record bytes; 45 bytes a punch. */
  readonly rawSha256: boolean;
  readonly credits: boolean;
  readonly events: boolean;
}

export const DEFAULT_FIELD_SET: FieldSet = {
  name: false,
  document: false,
  photo: false,
  score: true,
  rawSha256: false,
  credits: true,
  events: true,
};

/** What is known of a person besides the platform's number; asked only when the field set allows it. */
export interface PersonFields {
  readonly name?: string;
  readonly docDigest?: string;
}
export type PersonLookup = (traineeNo: string) => PersonFields | null;

export type WireRecord = Readonly<Record<string, JsonValue>> & { readonly n: number; readonly k: string };

/** Members that never travel inside a credit or an event, whatever a writer of facts put there (second fence, §8.4). */
const PERSONAL = new Set(
  ['name', 'traineeName', 'fullName', 'phone', 'tel', 'address', 'doc', 'documentNumber', 'documentType', 'idNumber']
    .concat(['photo', 'face', 'template', 'personCategory'])
    .map((member) => member.toLowerCase()),
);

function withoutPersons(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(withoutPersons);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([member]) => !PERSONAL.has(member.toLowerCase()))
      .map(([member, inner]) => [member, withoutPersons(inner)]),
  );
}

function punchRecord(
  fact: Numbered<PunchFact>,
  fields: FieldSet,
  firmwareSeen: Map<string, string>,
  person: PersonFields | null,
): WireRecord {
  const firmwareChanged = fact.firmware !== null && firmwareSeen.get(fact.deviceSn) !== fact.firmware;
  if (fact.firmware !== null) firmwareSeen.set(fact.deviceSn, fact.firmware);
  return {
    n: fact.n,
    k: 'punch',
    deviceSn: fact.deviceSn,
    traineeNo: fact.traineeNo,
    deviceUserId: fact.deviceUserId,
    wallTime: fact.wallTime,
    instant: fact.instant,
    rx: fact.rx,
    offsetMs: fact.offsetMs,
    effective: fact.effective,
    direction: fact.direction,
    verify: fact.verify,
    verifyRaw: fact.verifyRaw,
    source: fact.source,
    delivery: fact.delivery,
    ...(fields.score && fact.score !== null ? { score: fact.score } : {}),
    ...(firmwareChanged ? { firmware: fact.firmware } : {}),
    ...(fact.seq !== null ? { seq: fact.seq, seqEpoch: fact.seqEpoch ?? 0 } : {}),
    ...(fields.rawSha256 ? { rawSha256: sha256Hex(fact.raw) } : {}),
    ...(fields.name && person?.name !== undefined ? { name: person.name } : {}),
    ...(fields.document && person?.docDigest !== undefined ? { docDigest: person.docDigest } : {}),
    ...(fact.clockTrusted ? {} : { flags: ['clock-untrusted'] }),
  };
}

function creditRecord(fact: Numbered<CreditFact>): WireRecord {
  const figures = withoutPersons(fact.result) as Readonly<Record<string, JsonValue>>;
  return {
    ...figures,
    n: fact.n,
    k: 'credit',
    id: fact.id,
    traineeNo: fact.traineeNo,
    classId: fact.classNo,
    date: fact.date,
    totalHours: fact.totalHours,
    policy: { ...fact.policy },
    punches: fact.punches,
    rev: fact.rev,
    state: fact.state,
  };
}

function eventRecord(fact: Numbered<EventFact>): WireRecord {
  const data = withoutPersons(fact.data) as Readonly<Record<string, JsonValue>>;
  return { ...data, n: fact.n, k: 'event', at: fact.at, what: fact.what };
}

/** A record that no batch can hold, reduced to what identifies it and the hash of the whole text. */
export function reduced(record: WireRecord): WireRecord {
  const keep = ['n', 'k', 'id', 'traineeNo', 'classId', 'date', 'totalHours', 'policy', 'rev', 'state', 'at', 'what'];
  const kept = Object.entries(record).filter(([member]) => keep.includes(member));
  return { ...Object.fromEntries(kept), n: record.n, k: record.k, cutSha256: sha256Hex(JSON.stringify(record)) };
}

/** Makes records of facts, one for each fact that the field set lets out, in order. */
export function recordsOf(facts: readonly Numbered[], fields: FieldSet, persons?: PersonLookup): WireRecord[] {
  const firmwareSeen = new Map<string, string>();
  const records: WireRecord[] = [];
  for (const fact of facts) {
    if (fact.kind === 'punch') {
      const person =
        (fields.name || fields.document) && fact.traineeNo !== null ? (persons?.(fact.traineeNo) ?? null) : null;
      records.push(punchRecord(fact, fields, firmwareSeen, person));
    } else if (fact.kind === 'credit') {
      if (fields.credits) records.push(creditRecord(fact));
    } else if (fields.events) records.push(eventRecord(fact));
  }
  return records;
}

const text = z.string().max(4096);
const orNull = <T extends z.ZodType>(type: T): z.ZodNullable<T> => type.nullable();

/** A punch on the wire. Words of the enumerations are not checked, so that a later gateway may use new ones. */
export const punchRecordSchema = z.object({
  n: count,
  k: z.literal('punch'),
  deviceSn: text,
  traineeNo: orNull(text),
  deviceUserId: text,
  wallTime: text,
  instant: orNull(time),
  rx: time,
  offsetMs: orNull(z.number()),
  effective: orNull(time),
  direction: text,
  verify: text,
  verifyRaw: orNull(z.union([z.number(), text])).optional(),
  source: text,
  delivery: text,
  score: z.number().optional(),
  firmware: text.optional(),
  seq: z.number().int().optional(),
  seqEpoch: z.number().int().optional(),
  rawSha256: hashHex.optional(),
  pic: hashHex.optional(),
  name: text.optional(),
  docDigest: text.optional(),
  flags: z.array(text).optional(),
});
export type PunchRecord = z.infer<typeof punchRecordSchema>;

/** A credit on the wire; the figures in between are those of the rules and stay as they came. */
export const creditRecordSchema = z.looseObject({
  n: count,
  k: z.literal('credit'),
  id: text,
  traineeNo: text,
  classId: text,
  date: text,
  totalHours: z.number().optional(),
  policy: z.object({ id: text, ver: z.number(), sha256: text }),
  punches: z.array(count),
  rev: z.number().int().min(1),
  state: z.enum(['provisional', 'final', 'withdrawn']),
});
export type CreditRecord = z.infer<typeof creditRecordSchema>;

export const eventRecordSchema = z.looseObject({ n: count, k: z.literal('event'), at: time, what: text });
export type EventRecord = z.infer<typeof eventRecordSchema>;

export const frameRecordSchema = z.looseObject({ n: count, k: z.literal('frame'), id: text });
export type FrameRecord = z.infer<typeof frameRecordSchema>;

export type KnownRecord = PunchRecord | CreditRecord | EventRecord | FrameRecord;

export interface DecodedRecord {
  /** Journal number; null when the record does not even have one. */
  readonly n: number | null;
  readonly k: string;
  /** Exactly what was signed. */
  readonly raw: JsonValue;
  /** The record by its schema; null when it cannot be used. */
  readonly known: KnownRecord | null;
  /** Code of the note (§13), or null when all is well. `schema` also for numbers out of the batch's range or order. */
  readonly problem: 'schema' | 'unknown-kind' | null;
  readonly reason?: string;
}

const RECORD_SCHEMAS: Readonly<Record<string, z.ZodType<KnownRecord>>> = {
  punch: punchRecordSchema,
  credit: creditRecordSchema,
  event: eventRecordSchema,
  frame: frameRecordSchema,
};
const KNOWN_WITHOUT_SCHEMA = new Set(['inspection', 'class', 'makeup']);

/** Reads one record of a batch; `after` is the journal number before it, `n1` the last of the batch. */
export function decodeRecord(raw: JsonValue, after: number, n1: number): DecodedRecord {
  const members =
    typeof raw === 'object' && raw !== null && !Array.isArray(raw)
      ? (raw as { readonly n?: JsonValue; readonly k?: JsonValue })
      : {};
  const n = typeof members.n === 'number' && Number.isSafeInteger(members.n) ? members.n : null;
  const k = typeof members.k === 'string' ? members.k : '';
  const wrong = (reason: string): DecodedRecord => ({ n, k, raw, known: null, problem: 'schema', reason });
  if (n === null || k === '') return wrong('n or k is missing');
  if (n <= after || n > n1) return wrong(`n ${n} is out of order or range`);
  const schema = Object.hasOwn(RECORD_SCHEMAS, k) ? RECORD_SCHEMAS[k] : undefined;
  if (schema === undefined) {
    return { n, k, raw, known: null, problem: KNOWN_WITHOUT_SCHEMA.has(k) ? null : 'unknown-kind' };
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { n, k, raw, known: parsed.data, problem: null };
  const issue = parsed.error.issues[0];
  return wrong(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`);
}
