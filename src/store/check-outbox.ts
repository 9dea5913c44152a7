/**
 * Promises 6 to 9: the outbox. Batches are unpacked here with the standard library alone (split at the dots, base64url, gzip, JSON), so
 * that the check does not share the code that made them. Inflating stops at the protocol's limit (upstream, section 18).
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { CheckContext, Finding } from './check.js';
import type { Db } from './store.js';

const INFLATED_BYTES_MAX = 4 * 1024 * 1024;

interface BatchRow {
  readonly upstream: string;
  readonly ep: string;
  readonly seq: number;
  readonly hash: string;
  readonly prev: string;
  readonly n0: number;
  readonly n1: number;
  readonly records: number;
  readonly at: number;
  readonly jws: string;
  readonly gw: string;
  readonly aud: string;
}

interface BatchPayload {
  readonly gw?: unknown;
  readonly aud?: unknown;
  readonly ep?: unknown;
  readonly seq?: unknown;
  readonly prev?: unknown;
  readonly at?: unknown;
  readonly n0?: unknown;
  readonly n1?: unknown;
  readonly omit?: unknown;
  readonly journal?: { readonly n?: unknown; readonly hash?: unknown };
  readonly recs?: readonly { readonly n?: unknown }[];
}

function* batchesOf(db: Db): Generator<BatchRow> {
  yield* db
    .prepare<[], BatchRow>(
      `SELECT batch.upstream, batch.ep, seq, hash, prev, n0, n1, records, sealed_at AS at, jws, gw, aud
       FROM batch LEFT JOIN upstream ON upstream.upstream = batch.upstream AND upstream.ep = batch.ep ORDER BY batch.upstream, batch.ep, seq`,
    )
    .iterate();
}

function payloadOf(jws: string): unknown {
  const [head = '', body = ''] = jws.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString('utf8')) as { cty?: string };
  const bytes = Buffer.from(body, 'base64url');
  return JSON.parse(
    (header.cty === undefined ? bytes : gunzipSync(bytes, { maxOutputLength: INFLATED_BYTES_MAX })).toString('utf8'),
  );
}

const signingHash = (jws: string): string =>
  createHash('sha256')
    .update(jws.slice(0, Math.max(0, jws.lastIndexOf('.'))), 'ascii')
    .digest('hex');

const nameOf = (row: { readonly upstream: string; readonly seq: number }): string =>
  `batch ${row.seq} of ${row.upstream}`;

/** 6: batches of an epoch continue one another, in number, hash and range, inside the journal. */
export function checkBatches({ db, head }: CheckContext): Finding {
  let last: BatchRow | null = null;
  for (const row of batchesOf(db)) {
    const next: BatchRow | null = last !== null && last.upstream === row.upstream && last.ep === row.ep ? last : null;
    const fault = (reason: string): Finding => ({ n: row.n0, reason: `${nameOf(row)} ${reason}` });
    const genesis = createHash('sha256').update(`genesis:${row.gw}:${row.aud}:${row.ep}`, 'ascii').digest('hex');
    if (row.seq !== (next?.seq ?? 0) + 1) return fault('does not follow the one before it');
    if (row.prev !== (next?.hash ?? genesis)) return fault('does not carry the hash of the one before it');
    if (next && row.n0 !== next.n1 + 1) return fault('leaves a gap in the journal or covers a record twice');
    if (row.n1 < row.n0 || row.n1 > head.n) return fault(`covers ${row.n0} to ${row.n1}, which is not in the journal`);
    last = row;
  }
  return null;
}

function contentsFault(context: CheckContext, row: BatchRow): string | null {
  if (signingHash(row.jws) !== row.hash) return 'is not the text that was sealed';
  let payload: BatchPayload;
  try {
    payload = payloadOf(row.jws) as BatchPayload;
  } catch {
    return 'cannot be unpacked';
  }
  const members = ['gw', 'aud', 'ep', 'seq', 'prev', 'at', 'n0', 'n1'] as const;
  const wrong = members.find((member) => payload[member] !== row[member]);
  if (wrong !== undefined) return `says another ${wrong} than its row`;
  const numbers = (payload.recs ?? []).map((record) => record.n);
  const ordered = numbers.every(
    (n, index) =>
      typeof n === 'number' && n >= row.n0 && n <= row.n1 && (index === 0 || n > Number(numbers[index - 1])),
  );
  if (!ordered || numbers.length !== row.records) return 'does not hold the records of its range';
  if (numbers.length + Number(payload.omit ?? 0) !== row.n1 - row.n0 + 1)
    return 'counts other records than its range has';
  const { hash } =
    (context.db.prepare('SELECT hash FROM journal WHERE n = ?').get(row.n1) as { hash: Buffer } | undefined) ?? {};
  if (payload.journal?.n !== row.n1 || payload.journal.hash !== hash?.toString('hex')) {
    return `was sealed over another journal: record ${row.n1} or one before it was changed since`;
  }
  if (context.verifySignature(row.jws, 'gateway', row.upstream) === false) return 'has a wrong signature';
  return null;
}

/** 7: each batch is what was sealed, says what its row says, and its journal head is that of the chain. */
export function checkBatchContents(context: CheckContext): Finding {
  for (const row of batchesOf(context.db)) {
    const fault = contentsFault(context, row);
    if (fault !== null) return { n: row.n0, reason: `${nameOf(row)} ${fault}` };
  }
  return null;
}

interface ReceiptRow {
  readonly id: number;
  readonly upstream: string;
  readonly ep: string;
  readonly through: number;
  readonly hash: string;
  readonly jws: string;
  readonly batch_hash: string | null;
  readonly n0: number | null;
}

/** 8: each receipt names a batch that is here, with its hash, and is the platform's own text. */
export function checkReceipts({ db, verifySignature }: CheckContext): Finding {
  const rows = db
    .prepare<[], ReceiptRow>(
      `SELECT receipt.id, receipt.upstream, receipt.ep, through, receipt.hash, receipt.jws, batch.hash AS batch_hash, batch.n0
       FROM receipt LEFT JOIN batch ON batch.upstream = receipt.upstream AND batch.ep = receipt.ep AND batch.seq = receipt.through ORDER BY receipt.id`,
    )
    .iterate();
  let before = 0;
  for (const row of rows) {
    before += 1;
    if (row.id !== before) return { n: row.n0, reason: `receipt ${before} is gone` };
    const fault = (reason: string): Finding => ({
      n: row.n0,
      reason: `the receipt for batch ${row.through} of ${row.upstream} ${reason}`,
    });
    if (row.batch_hash === null) return fault('names a batch that is gone');
    if (row.batch_hash !== row.hash)
      return fault('was given for another batch: it, or a record in it, was changed since');
    let said: { ep?: unknown; through?: unknown; hash?: unknown };
    try {
      said = payloadOf(row.jws) as typeof said;
    } catch {
      return fault('cannot be read');
    }
    if (said.ep !== row.ep || said.through !== row.through || said.hash !== row.hash)
      return fault('says something else than its row');
    if (verifySignature(row.jws, 'platform', row.upstream) === false) return fault('has a wrong signature');
  }
  return null;
}

/** 9: the state of each upstream is that of its batches and receipts; acknowledged never passes sealed. */
export function checkUpstreams({ db, head }: CheckContext): Finding {
  const odd = db
    .prepare(
      `SELECT state.upstream AS upstream, state.acked_n AS acked_n FROM upstream AS state
       LEFT JOIN batch AS last ON last.upstream = state.upstream AND last.ep = state.ep AND last.seq = state.head_seq
       LEFT JOIN batch AS acked ON acked.upstream = state.upstream AND acked.ep = state.ep AND acked.seq = state.acked_seq
       WHERE state.head_seq <> (SELECT coalesce(max(seq), 0) FROM batch WHERE batch.upstream = state.upstream AND batch.ep = state.ep)
         OR (state.head_seq > 0 AND (last.hash <> state.head_hash OR last.n1 <> state.sealed_n))
         OR (state.acked_seq > 0 AND (acked.hash <> state.acked_hash OR acked.n1 <> state.acked_n))
         OR state.acked_seq > state.head_seq OR state.acked_n > state.sealed_n OR state.sealed_n > @n
         OR state.acked_seq > (SELECT coalesce(max(through), 0) FROM receipt WHERE receipt.upstream = state.upstream AND receipt.ep = state.ep)
       LIMIT 1`,
    )
    .get({ n: (db.prepare('SELECT max(n) AS n FROM journal').get() as { n: number | null }).n ?? head.n }) as
    { upstream: string; acked_n: number } | undefined;
  if (odd) return { n: null, reason: `the state of upstream ${odd.upstream} does not fit its batches and receipts` };
  const twice = db
    .prepare('SELECT upstream FROM upstream WHERE present = 1 GROUP BY upstream HAVING count(*) > 1 LIMIT 1')
    .get() as { upstream: string } | undefined;
  return twice ? { n: null, reason: `upstream ${twice.upstream} has two present epochs` } : null;
}
