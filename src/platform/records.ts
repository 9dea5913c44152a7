/**
 * Records of a chained batch to rows: punches with columns, the rest as JSON, each punch once by its identity.
 *
 * Promises: nothing in here throws for content; what cannot be used is stored as it is, marked quarantined and noted
 * with a code of upstream §13, and the chain goes on (§8). A key event takes effect here, in the order of the chain.
 */
import type { DecodedBatch } from '../uplink/batch.js';
import type { PunchRecord } from '../uplink/records.js';
import type { Keyring, Place } from './keyring.js';
import type { PlatformStore } from './store.js';

type DecodedRecord = DecodedBatch['records'][number];
type Note = (code: 'schema' | 'unknown-kind', text: string) => void;

/** At most this many faults of one batch are noted; the batch is kept verbatim anyway. */
const NOTES_MAX = 8;

function isPunch(known: DecodedRecord['known']): known is PunchRecord {
  return known?.k === 'punch';
}

export function storeRecords(
  store: PlatformStore,
  keyring: Keyring,
  batch: DecodedBatch,
  place: Place,
  say: Note,
): void {
  let faults = 0;
  const note: Note = (code, text) => {
    faults += 1;
    if (faults <= NOTES_MAX) say(code, text);
  };
  for (const problem of batch.problems) note('schema', problem);
  let stored = 0;
  for (const record of batch.records) {
    if (record.problem !== null)
      note(
        record.problem,
        `record ${record.n ?? '?'} (${record.k.slice(0, 24)}): ${record.reason ?? 'kind not known'}`,
      );
    if (record.n === null) continue;
    if (storeRecord(store, batch, record, record.n)) stored += 1;
    else note('schema', `record ${record.n} was delivered before in this epoch`);
    if (record.known?.k === 'event' && record.known.what === 'key') {
      const rotation = { gw: batch.gw, ep: batch.ep, n: record.n, oldKid: batch.kid, record: record.raw };
      const wrong = keyring.rotate(rotation, place);
      if (wrong !== null) note('schema', wrong);
    }
  }
  store.markChained(batch.gw, batch.ep, batch.seq, stored, faults > 0);
}

function storeRecord(store: PlatformStore, batch: DecodedBatch, record: DecodedRecord, n: number): boolean {
  const { gw, ep, seq } = batch;
  const { known } = record;
  if (!isPunch(known)) {
    return store.addRecord({
      gw,
      ep,
      n,
      seq,
      kind: record.k.slice(0, 64),
      deviceSn: null,
      deviceUserId: null,
      wallTime: null,
      trainee: null,
      instant: null,
      effective: null,
      quarantined: record.problem === null ? 0 : 1,
      rest: JSON.stringify(record.raw),
    });
  }
  const added = store.addRecord({
    gw,
    ep,
    n,
    seq,
    kind: 'punch',
    deviceSn: known.deviceSn,
    deviceUserId: known.deviceUserId,
    wallTime: known.wallTime,
    trainee: known.traineeNo,
    instant: known.instant,
    effective: known.effective,
    quarantined: 0,
    rest: otherMembers(known),
  });
  if (added) store.addPunch([gw, known.deviceSn, known.deviceUserId, known.wallTime], ep, n);
  return added;
}

/** Members without a column. Written out, because this runs for every punch of a fleet and spreading costs several times as much. */
function otherMembers(punch: PunchRecord): string {
  return JSON.stringify({
    rx: punch.rx,
    offsetMs: punch.offsetMs,
    direction: punch.direction,
    verify: punch.verify,
    verifyRaw: punch.verifyRaw,
    source: punch.source,
    delivery: punch.delivery,
    score: punch.score,
    firmware: punch.firmware,
    seq: punch.seq,
    seqEpoch: punch.seqEpoch,
    rawSha256: punch.rawSha256,
    pic: punch.pic,
    docDigest: punch.docDigest,
    name: punch.name,
    flags: punch.flags,
  });
}
