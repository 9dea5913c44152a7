/**
 * Where a verified batch belongs: the findings of upstream §7 and the epochs of §9, inside the caller's transaction.
 *
 * Promises: the head rises only over batches that are stored, contiguous, signed by a key valid at their place and
 * linked by `prev`, whatever order they arrive in; content never blocks the chain (§8); whatever contradicts the chain
 * is kept as evidence. Refuses to judge signatures: what comes in here was verified.
 */
import { checkChain, decodeBatch, type DecodedBatch } from '../uplink/batch.js';
import { genesisHash } from '../uplink/envelope.js';
import type { RejCode } from '../uplink/messages.js';
import type { Keyring } from './keyring.js';
import { storeRecords } from './records.js';
import type { EpochRow, GatewayRow, HeadRow, PlatformStore } from './store.js';

/** Batches accepted ahead of the head (§18). */
export const SPAN = 64;

export type Finding = 'moved' | 'resent' | 'early' | 'far' | 'fork' | 'chain' | 'key' | 'epoch' | 'waiting';

export interface Rejection {
  readonly seq: number;
  readonly code: RejCode;
}

export interface Verdict {
  readonly finding: Finding;
  /** Batches whose notes belong into the acknowledgement. */
  readonly noteSeqs: readonly number[];
  readonly rej: readonly Rejection[];
}

export interface Chain {
  /** Judges and stores a verified batch of an enrolled gateway. */
  accept(batch: DecodedBatch, jws: string, now: number): Verdict;
  /** A person accepts a parked epoch; its batches are chained as if they had just arrived. False: nothing was parked. */
  acceptEpoch(gw: string, ep: string, now: number): boolean;
}

const verdict = (finding: Finding, rej: readonly Rejection[] = [], noteSeqs: readonly number[] = []): Verdict => ({
  finding,
  rej,
  noteSeqs,
});

export function createChain(store: PlatformStore, keyring: Keyring): Chain {
  const chain: Chain = {
    accept(batch, jws, now) {
      const gateway = store.gateway(batch.gw);
      if (!gateway) throw new Error('a batch of a gateway that is not enrolled must not get here');
      if (batch.aud !== gateway.aud) return refuse(batch, jws, now, 'epoch', 'sealed for another platform');
      const epoch = store.epoch(batch.gw, batch.ep) ?? introduce(gateway, batch, now);
      if (epoch.state === 'open') return place(epoch, batch, jws, now);
      if (epoch.state === 'closed') return afterClose(epoch, batch, jws, now);
      if (epoch.state === 'parked') return park(batch, jws, now);
      return whileWaiting(gateway, epoch, batch, jws, now);
    },
    acceptEpoch(gw, ep, now) {
      const epoch = store.epoch(gw, ep);
      const gateway = store.gateway(gw);
      if (!gateway || (epoch?.state !== 'parked' && epoch?.state !== 'waiting')) return false;
      open(gateway, ep, epoch.cont, now);
      promote(gw, ep, now);
      return true;
    },
  };

  function open(gateway: GatewayRow, ep: string, cont: string | null, now: number): EpochRow {
    if (gateway.ep !== null) {
      const old = store.epoch(gateway.gw, gateway.ep);
      if (old) store.putEpoch({ ...old, state: 'closed' }, now);
    }
    const row: EpochRow = { gw: gateway.gw, ep, ord: store.lastOrd(gateway.gw) + 1, state: 'open', cont };
    store.putEpoch(row, now);
    store.putHead(gateway.gw, ep, { seq: 0, hash: genesisHash(gateway.gw, gateway.aud, ep), n1: null });
    store.setOpenEpoch(gateway.gw, ep);
    return row;
  }

  /** First sight of an epoch: the first one of a gateway is taken, a later one waits for its batch 1. */
  function introduce(gateway: GatewayRow, batch: DecodedBatch, now: number): EpochRow {
    if (gateway.ep === null) return open(gateway, batch.ep, null, now);
    const row: EpochRow = { gw: batch.gw, ep: batch.ep, ord: null, state: 'waiting', cont: null };
    store.putEpoch(row, now);
    return row;
  }

  function whileWaiting(gateway: GatewayRow, epoch: EpochRow, batch: DecodedBatch, jws: string, now: number): Verdict {
    if (batch.seq > SPAN) return verdict('far');
    if (batch.seq > 1) {
      store.park(batch.gw, batch.ep, batch.seq, batch.hash, jws, now);
      return verdict('waiting');
    }
    const cont = batch.cont === null ? null : JSON.stringify(batch.cont);
    const last = gateway.ep === null ? null : store.head(batch.gw, gateway.ep);
    const fits =
      batch.cont !== null &&
      batch.cont.ep === gateway.ep &&
      batch.cont.seq === last?.seq &&
      batch.cont.hash === last?.hash;
    if (!fits || !keyring.validAt(batch.gw, batch.kid, { ord: store.lastOrd(batch.gw) + 1, seq: 1 })) {
      store.putEpoch({ ...epoch, state: 'parked', cont }, now);
      return park(batch, jws, now);
    }
    const opened = open(gateway, batch.ep, cont, now);
    const first = place(opened, batch, jws, now);
    const rest = promote(batch.gw, batch.ep, now);
    return verdict(first.finding, [...first.rej, ...rest.rej], [...first.noteSeqs, ...rest.noteSeqs]);
  }

  function promote(gw: string, ep: string, now: number): Pick<Verdict, 'rej' | 'noteSeqs'> {
    const epoch = store.epoch(gw, ep);
    const parked = store.parked(gw, ep);
    store.unpark(gw, ep);
    const verdicts = epoch
      ? parked.map((row) => place(epoch, decodeBatch(row.jws, keyring.lookup(gw)), row.jws, now))
      : [];
    return { rej: verdicts.flatMap((one) => one.rej), noteSeqs: verdicts.flatMap((one) => one.noteSeqs) };
  }

  function park(batch: DecodedBatch, jws: string, now: number): Verdict {
    store.park(batch.gw, batch.ep, batch.seq, batch.hash, jws, now);
    store.addNote(
      { gw: batch.gw, ep: batch.ep, seq: 0, code: 'epoch', text: 'epoch parked until a person decides' },
      now,
    );
    return verdict('epoch', [{ seq: batch.seq, code: 'epoch' }]);
  }

  function afterClose(epoch: EpochRow, batch: DecodedBatch, jws: string, now: number): Verdict {
    if (store.batchHash(batch.gw, batch.ep, batch.seq) !== null) return place(epoch, batch, jws, now);
    return refuse(batch, jws, now, 'epoch', 'the epoch was closed by a later one');
  }

  /** Keeps the batch as evidence and says no. */
  function refuse(
    batch: DecodedBatch,
    jws: string,
    now: number,
    code: 'fork' | 'chain' | 'key' | 'epoch',
    text: string,
  ): Verdict {
    store.addFork(batch.gw, batch.ep, batch.seq, batch.hash, code, jws, now);
    store.addNote({ gw: batch.gw, ep: batch.ep, seq: batch.seq, code, text }, now);
    return verdict(code, [{ seq: batch.seq, code }]);
  }

  function place(epoch: EpochRow, batch: DecodedBatch, jws: string, now: number): Verdict {
    const { gw, ep, seq } = batch;
    const stored = store.batchHash(gw, ep, seq);
    if (stored === batch.hash) return verdict('resent', [], [seq]);
    if (stored !== null) {
      const first = store.batch(gw, ep, seq);
      if (first) store.addFork(gw, ep, seq, first.hash, 'fork', first.jws, now);
      return refuse(batch, jws, now, 'fork', `two signed versions of batch ${seq}`);
    }
    const head = store.head(gw, ep);
    if (!head || seq > head.seq + SPAN) return verdict('far');
    if (!keyring.validAt(gw, batch.kid, { ord: epoch.ord ?? 0, seq }))
      return refuse(batch, jws, now, 'key', 'the key is not valid for this batch');
    if (seq === head.seq + 1 && batch.prev !== head.hash)
      return refuse(batch, jws, now, 'chain', 'prev is not the hash of the batch before');
    store.addBatch({ gw, ep, seq, hash: batch.hash, prev: batch.prev, jws, received: now });
    if (seq > head.seq + 1) return verdict('early');
    return advance(epoch, head, batch, now);
  }

  /** Moves the head over `first`, which fits, and over all that waited behind it. */
  function advance(epoch: EpochRow, from: HeadRow, first: DecodedBatch, now: number): Verdict {
    const { gw, ep } = epoch;
    const noteSeqs: number[] = [];
    const rej: Rejection[] = [];
    let head = from;
    for (let next: DecodedBatch | null = first; next !== null; next = readStored(gw, ep, head.seq + 1)) {
      const place = { ord: epoch.ord ?? 0, seq: next.seq };
      const finding = checkChain(head, next);
      const code = finding === 'chain' ? 'chain' : keyring.validAt(gw, next.kid, place) ? null : 'key';
      if (code !== null) {
        rej.push(...evict(next, code, now));
        break;
      }
      if (finding === 'gap')
        note(next, 'schema', `journal numbers missing: n0 is ${next.n0} after ${head.n1 ?? 0}`, now);
      storeRecords(store, keyring, next, place, (code, text) => note(next, code, text, now));
      head = { seq: next.seq, hash: next.hash, n1: next.n1 };
      noteSeqs.push(next.seq);
    }
    store.putHead(gw, ep, head);
    return verdict('moved', rej, noteSeqs);
  }

  function note(batch: DecodedBatch, code: string, text: string, now: number): void {
    store.addNote({ gw: batch.gw, ep: batch.ep, seq: batch.seq, code, text: text.slice(0, 160) }, now);
  }

  function readStored(gw: string, ep: string, seq: number): DecodedBatch | null {
    const row = store.batch(gw, ep, seq);
    return row ? decodeBatch(row.jws, keyring.lookup(gw)) : null;
  }

  /** An early batch that turned out not to fit gives its place to the one that will. */
  function evict(batch: DecodedBatch, code: 'chain' | 'key', now: number): readonly Rejection[] {
    const row = store.batch(batch.gw, batch.ep, batch.seq);
    store.dropBatch(batch.gw, batch.ep, batch.seq);
    const text = code === 'chain' ? 'prev is not the hash of the batch before' : 'the key is not valid for this batch';
    return refuse(batch, row?.jws ?? '', now, code, text).rej;
  }

  return chain;
}
