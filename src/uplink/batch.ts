/**
 * The wire contract of a batch (upstream §6): facts to a sealed JWS and back, and the chain of batches (§7). Pure.
 *
 * Promises: `recs.length + omit = n1 - n0 + 1`; what the records hold is decided in records.ts; a batch stays within
 * 500 records, 96 KiB estimated and 128 KiB hard, and inflates to less than 4 MiB; a single record that is too large
 * for any batch is sent reduced, with the hash of the whole, so that it stops nothing. Decoding ignores unknown members,
 * keeps unknown kinds as they are, and reports a record it cannot use instead of refusing the batch (§8).
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { fail, systemCode } from '../core/errors.js';
import { EPOCH, GATEWAY_ID, randomHex } from '../core/ids.js';
import type { Instant } from '../core/time.js';
import type { JsonValue, Numbered, SealedBatch } from '../rules/facts.js';
import {
  BATCH_JWS_BYTES_MAX,
  batchHash,
  genesisHash,
  signJws,
  verifyJws,
  type KeyLookup,
  type Signer,
} from './envelope.js';
import { count, hashHex, time } from './messages.js';
import {
  decodeRecord,
  recordsOf,
  reduced,
  type DecodedRecord,
  type FieldSet,
  type PersonLookup,
  type WireRecord,
} from './records.js';

export const BATCH_RECORDS_MAX = 500;
/** A batch is sealed before its JWS is estimated to pass this. */
export const BATCH_JWS_BYTES_AIM = 98_304;
export const BATCH_INFLATED_BYTES_MAX = 4 * 1024 * 1024;
/** Own limit of the JSON text, so that a very compressible batch stays below the receiver's limit too. */
const BATCH_JSON_BYTES_MAX = 3 * 1024 * 1024;
/** JWS bytes for each byte of JSON, rounded up: gzip leaves 8 to 20 %, base64 adds a third. For deciding when to seal only. */
const JWS_PER_JSON_BYTE = 0.25;

/** Estimated JWS size of a batch of these facts, in bytes; cheap, for the decision when to seal. */
export function estimateJwsBytes(facts: readonly Numbered[], fields: FieldSet): number {
  const text = JSON.stringify(recordsOf(facts, { ...fields, name: false, document: false }));
  return 700 + Math.ceil(text.length * JWS_PER_JSON_BYTE);
}

/** The last known head of the epoch before (§6, §9). */
export interface Continuation {
  readonly ep?: string;
  readonly seq?: number;
  readonly hash?: string;
  readonly why: 'restore' | 'rebuild' | 'replace';
}

/** Numbers and hashes of an epoch at its beginning (§6, §9): a random id, nothing sealed, nothing acknowledged. */
export function freshEpoch(
  gw: string,
  aud: string,
): { ep: string; headSeq: number; headHash: string; ackedSeq: number; ackedHash: string } {
  const ep = randomHex(16);
  const genesis = genesisHash(gw, aud, ep);
  return { ep, headSeq: 0, headHash: genesis, ackedSeq: 0, ackedHash: genesis };
}

export interface SealPlan {
  readonly upstream: string;
  readonly gw: string;
  readonly aud: string;
  readonly ep: string;
  readonly seq: number;
  /** Hash of batch `seq - 1`, or the genesis hash. */
  readonly prev: string;
  readonly at: Instant;
  /** Facts right after the last sealed journal number, gap-free and in order; as many as fit are taken. */
  readonly facts: readonly Numbered[];
  /** Head hash of the journal's own chain at a journal number. */
  readonly journalHashAt: (n: number) => string;
  /** Only in batch 1 of a later epoch. */
  readonly cont?: JsonValue;
  readonly fields: FieldSet;
  readonly signer: Signer;
  readonly persons?: PersonLookup;
  /** Size to stay below, for a broker that takes less; 96 KiB otherwise. A single record may pass it. */
  readonly jwsBytesAim?: number;
}

function batchText(plan: SealPlan, facts: readonly Numbered[], records: readonly WireRecord[]): string {
  const n0 = facts[0]?.n ?? 0;
  const n1 = facts.at(-1)?.n ?? 0;
  const omit = facts.length - records.length;
  return JSON.stringify({
    v: 1,
    gw: plan.gw,
    aud: plan.aud,
    ep: plan.ep,
    seq: plan.seq,
    prev: plan.prev,
    at: plan.at,
    n0,
    n1,
    ...(omit > 0 ? { omit } : {}),
    journal: { n: n1, hash: plan.journalHashAt(n1) },
    ...(plan.cont !== undefined && plan.cont !== null ? { cont: plan.cont } : {}),
    recs: records,
  });
}

/** Seals as many of the facts as fit into one batch. Throws `batch-invalid` (a bug) when there are none or they have a gap. */
export function sealBatch(plan: SealPlan): SealedBatch {
  let facts = plan.facts.slice(0, BATCH_RECORDS_MAX);
  const first = facts[0];
  if (first === undefined) throw fail('batch-invalid', { reason: 'no facts to seal' });
  facts.forEach((fact, index) => {
    if (fact.n !== first.n + index) throw fail('batch-invalid', { reason: `a gap in the journal before ${fact.n}` });
  });
  const aim = plan.jwsBytesAim ?? BATCH_JWS_BYTES_AIM;
  for (;;) {
    let records = recordsOf(facts, plan.fields, plan.persons);
    let text = batchText(plan, facts, records);
    let jws = pack(plan.signer, text);
    if (facts.length === 1 && (jws.length > BATCH_JWS_BYTES_MAX || Buffer.byteLength(text) > BATCH_JSON_BYTES_MAX)) {
      records = records.map(reduced);
      text = batchText(plan, facts, records);
      jws = pack(plan.signer, text);
    }
    const overfull = Math.max(jws.length / aim, Buffer.byteLength(text) / BATCH_JSON_BYTES_MAX);
    if (overfull <= 1 || facts.length === 1) {
      return {
        upstream: plan.upstream,
        ep: plan.ep,
        seq: plan.seq,
        hash: batchHash(jws),
        prev: plan.prev,
        n0: first.n,
        n1: facts.at(-1)?.n ?? first.n,
        records: records.length,
        sealedAt: plan.at,
        jws,
      };
    }
    facts = facts.slice(0, Math.max(1, Math.min(facts.length - 1, Math.floor((facts.length / overfull) * 0.9))));
  }
}

function pack(signer: Signer, text: string): string {
  return signJws(signer, 'att-batch+jws', gzipSync(text), true);
}

/** Inflates gzip up to `bytesMax`; throws `payload-too-big` beyond it and `payload-unreadable` for anything else. */
export function inflate(payload: Uint8Array, what: string, bytesMax = BATCH_INFLATED_BYTES_MAX): Uint8Array {
  try {
    return gunzipSync(payload, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (systemCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw fail('payload-too-big', { what, bytesMax }, cause);
    throw fail('payload-unreadable', { what, reason: 'it is not gzip' }, cause);
  }
}

/** What must be right for a batch to have a place in a chain at all. */
const chainSchema = z.object({
  v: z.literal(1),
  gw: z.string().regex(GATEWAY_ID),
  aud: z.string().max(128),
  ep: z.string().regex(EPOCH),
  seq: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  prev: hashHex,
  at: time,
  n0: count,
  n1: count,
  omit: count.optional(),
  journal: z.object({ n: count, hash: hashHex }).optional(),
  cont: z
    .object({
      ep: z.string().regex(EPOCH).optional(),
      seq: count.optional(),
      hash: hashHex.optional(),
      why: z.string().max(32),
    })
    .optional(),
  recs: z.array(z.unknown()),
});

export interface DecodedBatch {
  readonly gw: string;
  readonly aud: string;
  readonly ep: string;
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly at: number;
  readonly n0: number;
  readonly n1: number;
  readonly omit: number;
  readonly journal: { readonly n: number; readonly hash: string } | null;
  readonly cont: {
    readonly ep?: string | undefined;
    readonly seq?: number | undefined;
    readonly hash?: string | undefined;
    readonly why: string;
  } | null;
  readonly records: readonly DecodedRecord[];
  /** What is wrong with the batch as a whole although it is signed: counts or ranges that do not add up. */
  readonly problems: readonly string[];
  readonly kid: string;
}

/**
 * Verifies and decodes a batch. Throws what `verifyJws` throws, `payload-too-big` for a bomb, and `payload-unreadable`
 * when the batch has no place in any chain; a record that cannot be used is reported in `records`, never thrown.
 */
export function decodeBatch(jws: string | Uint8Array, keys: KeyLookup, bytesMax = BATCH_JWS_BYTES_MAX): DecodedBatch {
  const verified = verifyJws(jws, { typ: 'att-batch+jws', keys, bytesMax });
  const inflated = inflate(verified.payload, 'a batch');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(inflated));
  } catch {
    throw fail('payload-unreadable', { what: 'a batch', reason: 'it is not JSON in UTF-8' });
  }
  const parsed = chainSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fail('payload-unreadable', {
      what: 'a batch',
      reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    });
  }
  const batch = parsed.data;
  const omit = batch.omit ?? 0;
  const problems: string[] = [];
  if (batch.recs.length + omit !== batch.n1 - batch.n0 + 1) problems.push('recs and omit do not cover n0 to n1');
  if (batch.recs.length > BATCH_RECORDS_MAX) problems.push(`more than ${BATCH_RECORDS_MAX} records`);
  if (batch.recs.length === 0 && omit === 0) problems.push('the batch is empty');
  if (batch.journal?.n !== batch.n1) problems.push('journal is not the head after n1');
  let after = batch.n0 - 1;
  const records = batch.recs.map((raw) => {
    const record = decodeRecord(raw as JsonValue, after, batch.n1);
    if (record.n !== null && record.n > after) after = record.n;
    return record;
  });
  return {
    ...batch,
    omit,
    hash: verified.hash,
    kid: verified.kid,
    journal: batch.journal ?? null,
    cont: batch.cont ?? null,
    records,
    problems,
  };
}

/** The end of a chain so far. `n1` null: not known, so it is not compared. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
  readonly n1: number | null;
}

/** `chain` broken order or link · `gap` journal numbers missing between two batches · null all right (§6, §7). */
export function checkChain(
  before: ChainHead,
  batch: Pick<DecodedBatch, 'seq' | 'prev' | 'n0'>,
): 'chain' | 'gap' | null {
  if (batch.seq !== before.seq + 1 || batch.prev !== before.hash) return 'chain';
  return before.n1 !== null && batch.n0 !== before.n1 + 1 ? 'gap' : null;
}
