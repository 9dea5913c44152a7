/**
 * Verification of a chain of batches from their text alone, as an auditor does it (upstream §7): signatures, links,
 * numbers, and how far acknowledgements of the platform anchor it. Pure.
 *
 * Lines are batch JWS in order of `seq`, epoch after epoch; acknowledgement JWS may stand between them. A file may
 * begin in the middle of a chain. Without keys the chain is checked and the result says that signatures were not.
 * Refuses nothing: the first fault is in the result.
 */
import { fail, GatewayError } from '../core/errors.js';
import { checkChain, decodeBatch, type ChainHead, type DecodedBatch } from '../uplink/batch.js';
import {
  BATCH_JWS_BYTES_MAX,
  batchHash,
  generateSigningKeyPem,
  genesisHash,
  keyLookup,
  registeredKey,
  signerFromPem,
  signJws,
  verifyJws,
  type KeyLookup,
  type PublicJwk,
} from '../uplink/envelope.js';
import { ackSchema, parsePayload } from '../uplink/messages.js';

export interface BatchFault {
  /** Line number, from 1. */
  readonly line: number;
  readonly seq: number | null;
  /** `malformed`, `sig`, `key`, `chain`, `gap`, `schema`, `epoch`, `ack` */
  readonly code: string;
  readonly text: string;
}

export interface BatchFileResult {
  readonly ok: boolean;
  readonly records: number;
  readonly batches: number;
  readonly head: { readonly gw: string; readonly ep: string; readonly seq: number; readonly hash: string } | null;
  /** Highest batch of the last epoch that a genuine acknowledgement in the file covers; 0: none. */
  readonly anchoredUpTo: number;
  readonly firstFault: BatchFault | null;
  readonly signaturesChecked: boolean;
}

export interface VerifyKeys {
  /** Signing keys of the gateway; keys announced by rotation events in the chain join them. */
  readonly gateway: readonly PublicJwk[];
  /** Acknowledgement keys of the platform; without them acknowledgements anchor nothing. */
  readonly platform?: readonly PublicJwk[];
}

interface Progress {
  batches: number;
  records: number;
  head: (ChainHead & { readonly gw: string; readonly ep: string }) | null;
  hashes: Map<number, string>;
  anchored: number;
}

export function verifyBatchFile(lines: Iterable<string>, keys?: VerifyKeys): BatchFileResult {
  const ring = createRing(keys);
  const progress: Progress = { batches: 0, records: 0, head: null, hashes: new Map(), anchored: 0 };
  let fault: BatchFault | null = null;
  let line = 0;
  for (const raw of lines) {
    line += 1;
    const jws = raw.trim();
    if (jws === '') continue;
    const found = typOf(jws) === 'att-ack+jws' ? readAck(jws, ring, progress) : readBatch(jws, ring, progress);
    if (found) {
      fault = { line, ...found };
      break;
    }
  }
  const { head } = progress;
  return {
    ok: fault === null && progress.batches > 0,
    records: progress.records,
    batches: progress.batches,
    head: head && { gw: head.gw, ep: head.ep, seq: head.seq, hash: head.hash },
    anchoredUpTo: progress.anchored,
    firstFault: fault,
    signaturesChecked: keys !== undefined,
  };
}

interface Ring {
  readonly checked: boolean;
  readonly gateway: KeyLookup;
  readonly platform: KeyLookup | null;
  learn(batch: DecodedBatch): void;
}

function createRing(keys: VerifyKeys | undefined): Ring {
  const gateway = new Map((keys?.gateway ?? []).map((jwk) => registeredKey(jwk)).map((key) => [key.kid, key]));
  const platform = keys?.platform
    ? new Map(keys.platform.map((jwk) => registeredKey(jwk)).map((key) => [key.kid, key]))
    : null;
  return {
    checked: keys !== undefined,
    gateway: (kid) => gateway.get(kid),
    platform: platform && ((kid) => platform.get(kid)),
    learn(batch) {
      for (const { known, raw } of batch.records) {
        if (known?.k !== 'event' || known.what !== 'key') continue;
        const { jwk } = raw as { jwk?: PublicJwk };
        try {
          if (jwk) gateway.set(registeredKey(jwk).kid, registeredKey(jwk));
        } catch {
          // A key that is none cannot sign anything, so the next batch fails by itself.
        }
      }
    },
  };
}

type Found = Omit<BatchFault, 'line'> | null;

const FAULT_CODES: Readonly<Record<string, string>> = {
  'jws-signature': 'sig',
  'jws-key-unknown': 'key',
  'jws-too-big': 'big',
  'payload-too-big': 'big',
  'payload-unreadable': 'schema',
};

function readBatch(jws: string, ring: Ring, progress: Progress): Found {
  let batch: DecodedBatch;
  try {
    batch = ring.checked ? decodeBatch(jws, ring.gateway) : decodeUnchecked(jws);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { seq: null, code: FAULT_CODES[error.code] ?? 'malformed', text: error.explain('en').what };
  }
  const { seq } = batch;
  const before = progress.head;
  const sameEpoch = before?.ep === batch.ep && before.gw === batch.gw;
  if (before && !sameEpoch) {
    if (seq !== 1) return { seq, code: 'epoch', text: 'another epoch begins with a batch that is not its first' };
    const { cont } = batch;
    if (cont?.ep === before.ep && cont.hash !== undefined && cont.seq === before.seq && cont.hash !== before.hash) {
      return { seq, code: 'epoch', text: 'cont does not name the head of the epoch before' };
    }
  }
  const start: ChainHead | null = sameEpoch
    ? before
    : seq === 1
      ? { seq: 0, hash: genesisHash(batch.gw, batch.aud, batch.ep), n1: null }
      : null;
  const broken = start && checkChain(start, batch);
  if (broken)
    return {
      seq,
      code: broken,
      text: broken === 'chain' ? `batch ${seq} does not follow batch ${start.seq}` : 'journal numbers are missing',
    };
  const [problem] = batch.problems;
  if (problem !== undefined) return { seq, code: 'schema', text: problem };
  if (!sameEpoch) {
    progress.hashes = new Map();
    progress.anchored = 0;
  }
  progress.head = { gw: batch.gw, ep: batch.ep, seq, hash: batch.hash, n1: batch.n1 };
  progress.hashes.set(seq, batch.hash);
  progress.batches += 1;
  progress.records += batch.records.length;
  ring.learn(batch);
  return null;
}

/**
 * The decoder reads only what is signed; a text whose key nobody has is signed again with a key made for this one call.
 * Its hash is that of the original text, so the chain is checked as it is.
 */
function decodeUnchecked(jws: string): DecodedBatch {
  const [head = '', body = '', tail, ...more] = jws.split('.');
  const typed = typOf(jws) === 'att-batch+jws' && tail !== undefined && more.length === 0 && head !== '';
  if (!typed || jws.length > BATCH_JWS_BYTES_MAX)
    throw fail('jws-malformed', { typ: 'att-batch+jws', reason: 'this is not a batch' });
  const signer = signerFromPem(generateSigningKeyPem());
  const again = signJws(signer, 'att-batch+jws', Buffer.from(body, 'base64url'), true);
  return { ...decodeBatch(again, keyLookup([signer.publicJwk]), again.length), hash: batchHash(jws) };
}

function readAck(jws: string, ring: Ring, progress: Progress): Found {
  if (!ring.platform) return null;
  try {
    const ack = parsePayload(
      ackSchema,
      verifyJws(jws, { typ: 'att-ack+jws', keys: ring.platform }).payload,
      'an acknowledgement',
    );
    if (ack.gw !== progress.head?.gw || ack.ep !== progress.head.ep) return null;
    const hash = progress.hashes.get(ack.through);
    if (hash === undefined) return null;
    if (hash !== ack.hash)
      return { seq: ack.through, code: 'fork', text: 'the platform acknowledged another batch of this number' };
    progress.anchored = Math.max(progress.anchored, ack.through);
    return null;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { seq: null, code: 'ack', text: error.explain('en').what };
  }
}

function typOf(jws: string): string | null {
  try {
    const header: unknown = JSON.parse(
      Buffer.from(jws.slice(0, Math.max(0, jws.indexOf('.'))), 'base64url').toString('utf8'),
    );
    return typeof header === 'object' && header !== null && 'typ' in header && typeof header.typ === 'string'
      ? header.typ
      : null;
  } catch {
    return null;
  }
}
