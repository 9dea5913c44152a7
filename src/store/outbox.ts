/**
 * Sealed batches until the platform has acknowledged them, then receipts. One row of state for each upstream and epoch;
 * exactly one epoch of an upstream is the present one. A batch is inserted once, with its JWS verbatim, and never changed.
 *
 * Every move is checked against the state before it is made: a batch that does not continue the chain, or a receipt that
 * does not fit what was sealed, is a fault of the caller (`store-misuse`) and rolls the transaction back.
 */
import { fail } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import type { JsonValue, SealedBatch } from '../rules/facts.js';
import type { Db, Receipt, UpstreamState } from './store.js';

export interface Outbox {
  putUpstream(state: UpstreamState): void;
  addBatch(batch: SealedBatch, journalN: number): void;
  acknowledge(receipt: Receipt): void;
  unacknowledge(upstream: string, ep: string, through: number): void;
  setPlatAt(upstream: string, at: number): void;

  upstream(upstream: string): UpstreamState | null;
  batches(upstream: string, ep: string, after: number, limit: number): readonly SealedBatch[];
  batch(upstream: string, ep: string, seq: number): SealedBatch | null;
  lastReceipt(upstream: string): Receipt | null;
}

interface StateRow {
  readonly upstream: string;
  readonly ep: string;
  readonly gw: string;
  readonly aud: string;
  readonly head_seq: number;
  readonly head_hash: string;
  readonly acked_seq: number;
  readonly acked_hash: string;
  readonly sealed_n: number;
  readonly acked_n: number;
  readonly cont: string;
  readonly plat_at: number;
}

const stateOfRow = (row: StateRow): UpstreamState => ({
  upstream: row.upstream,
  ep: row.ep,
  gw: row.gw,
  aud: row.aud,
  headSeq: row.head_seq,
  headHash: row.head_hash,
  ackedSeq: row.acked_seq,
  ackedHash: row.acked_hash,
  sealedN: row.sealed_n,
  ackedN: row.acked_n,
  cont: JSON.parse(row.cont) as JsonValue,
  platAt: row.plat_at,
});

interface BatchRow extends Omit<SealedBatch, 'sealedAt'> {
  readonly sealed_at: number;
}

const batchOfRow = ({ sealed_at, ...row }: BatchRow): SealedBatch => ({ ...row, sealedAt: sealed_at as Instant });

const BATCH = 'SELECT upstream, ep, seq, hash, prev, n0, n1, records, sealed_at, jws FROM batch';

function prepare(db: Db) {
  return {
    retire: db.prepare<[string]>('UPDATE upstream SET present = 0 WHERE upstream = ? AND present = 1'),
    put: db.prepare(`INSERT INTO upstream (upstream, ep, present, gw, aud, head_seq, head_hash, acked_seq, acked_hash, sealed_n, acked_n, cont, plat_at)
      VALUES (@upstream, @ep, 1, @gw, @aud, @headSeq, @headHash, @ackedSeq, @ackedHash, @sealedN, @ackedN, @cont, @platAt)
      ON CONFLICT DO UPDATE SET present = 1, gw = excluded.gw, aud = excluded.aud, head_seq = excluded.head_seq, head_hash = excluded.head_hash,
        acked_seq = excluded.acked_seq, acked_hash = excluded.acked_hash, sealed_n = excluded.sealed_n, acked_n = excluded.acked_n,
        cont = excluded.cont, plat_at = excluded.plat_at`),
    state: db.prepare<[string], StateRow>('SELECT * FROM upstream WHERE upstream = ? AND present = 1'),
    addBatch: db.prepare(`INSERT INTO batch (upstream, ep, seq, hash, prev, n0, n1, records, sealed_at, jws)
      VALUES (@upstream, @ep, @seq, @hash, @prev, @n0, @n1, @records, @sealedAt, @jws)`),
    moveHead: db.prepare<[number, string, number, string, string]>(
      'UPDATE upstream SET head_seq = ?, head_hash = ?, sealed_n = ? WHERE upstream = ? AND ep = ?',
    ),
    moveAcked: db.prepare<[number, string, number, string, string]>(
      'UPDATE upstream SET acked_seq = ?, acked_hash = ?, acked_n = ? WHERE upstream = ? AND ep = ?',
    ),
    addReceipt: db.prepare(
      'INSERT INTO receipt (upstream, ep, through, hash, at, jws) VALUES (@upstream, @ep, @through, @hash, @at, @jws)',
    ),
    setPlatAt: db.prepare<[number, string]>('UPDATE upstream SET plat_at = ? WHERE upstream = ? AND present = 1'),
    batches: db.prepare<[string, string, number, number], BatchRow>(
      `${BATCH} WHERE upstream = ? AND ep = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    batch: db.prepare<[string, string, number], BatchRow>(`${BATCH} WHERE upstream = ? AND ep = ? AND seq = ?`),
    lastReceipt: db.prepare<[string], Receipt>(
      'SELECT upstream, ep, through, hash, at, jws FROM receipt WHERE upstream = ? ORDER BY id DESC LIMIT 1',
    ),
  };
}

export function createOutbox(db: Db): Outbox {
  const sql = prepare(db);
  const stateOf = (upstream: string): UpstreamState | null => {
    const row = sql.state.get(upstream);
    return row ? stateOfRow(row) : null;
  };
  const present = (upstream: string, ep: string): UpstreamState => {
    const state = stateOf(upstream);
    if (state?.ep !== ep)
      throw fail('store-misuse', { reason: `epoch ${ep} is not the present one of upstream ${upstream}` });
    return state;
  };
  const batchOf = (upstream: string, ep: string, seq: number): SealedBatch => {
    const row = sql.batch.get(upstream, ep, seq);
    if (!row) throw fail('store-misuse', { reason: `upstream ${upstream} has no batch ${seq} in epoch ${ep}` });
    return batchOfRow(row);
  };

  return {
    putUpstream(state) {
      sql.retire.run(state.upstream);
      sql.put.run({ ...state, cont: JSON.stringify(state.cont) });
    },
    addBatch(batch, journalN) {
      const state = present(batch.upstream, batch.ep);
      const fits =
        batch.seq === state.headSeq + 1 &&
        batch.prev === state.headHash &&
        batch.n0 === state.sealedN + 1 &&
        batch.n1 >= batch.n0;
      if (!fits || batch.n1 > journalN) {
        throw fail('store-misuse', {
          reason: `batch ${batch.seq} (${batch.n0}..${batch.n1}) does not continue upstream ${batch.upstream}`,
        });
      }
      sql.addBatch.run(batch);
      sql.moveHead.run(batch.seq, batch.hash, batch.n1, batch.upstream, batch.ep);
    },
    acknowledge(receipt) {
      const state = present(receipt.upstream, receipt.ep);
      // A receipt for what is acknowledged already proves nothing new; only those that moved the head are kept (upstream, section 8).
      if (receipt.through <= state.ackedSeq) return;
      const batch = batchOf(receipt.upstream, receipt.ep, receipt.through);
      if (batch.hash !== receipt.hash) {
        throw fail('store-misuse', {
          reason: `the receipt for batch ${receipt.through} of ${receipt.upstream} has another hash`,
        });
      }
      sql.addReceipt.run(receipt);
      sql.moveAcked.run(batch.seq, batch.hash, batch.n1, receipt.upstream, receipt.ep);
    },
    unacknowledge(upstream, ep, through) {
      const state = present(upstream, ep);
      if (through >= state.ackedSeq) return;
      const first = through > 0 ? null : batchOf(upstream, ep, 1);
      if (first) sql.moveAcked.run(0, first.prev, first.n0 - 1, upstream, ep);
      else {
        const batch = batchOf(upstream, ep, through);
        sql.moveAcked.run(through, batch.hash, batch.n1, upstream, ep);
      }
    },
    setPlatAt: (upstream, at) => void sql.setPlatAt.run(at, upstream),

    upstream: stateOf,
    batches: (upstream, ep, after, limit) => sql.batches.all(upstream, ep, after, limit).map(batchOfRow),
    batch(upstream, ep, seq) {
      const row = sql.batch.get(upstream, ep, seq);
      return row ? batchOfRow(row) : null;
    },
    lastReceipt: (upstream) => sql.lastReceipt.get(upstream) ?? null,
  };
}
