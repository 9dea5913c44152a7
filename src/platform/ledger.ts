/**
 * What the platform can be asked about: counts, punches, findings, and the whole chain verified again from the stored
 * text. Read-only; for the demonstration, tests and an auditor.
 *
 * Promises: a punch is counted once by its identity, whatever epochs delivered it; only chained batches count.
 */
import { verifyBatchFile, type BatchFileResult } from './verify-batches.js';
import type { HeadRow, NoteRow, PlatformStore } from './store.js';

export interface GatewayCounts {
  readonly gw: string;
  /** Chained batches of all epochs. */
  readonly batches: number;
  readonly records: number;
  /** Different punches. */
  readonly punches: number;
  /** Punches that another epoch had delivered before. */
  readonly repeated: number;
  readonly quarantined: number;
  /** Stored ahead of the head, waiting for a batch that is missing. */
  readonly early: number;
  readonly parked: number;
  readonly forks: number;
}

export interface PunchIdentity {
  readonly deviceSn: string;
  readonly deviceUserId: string;
  readonly wallTime: string;
}

/** `missing`: batches between the head and one that arrived early; the other codes are those of notes and rejections. */
export type LedgerFinding = NoteRow;

export interface ChainReport {
  readonly gw: string;
  readonly ok: boolean;
  readonly batches: number;
  readonly records: number;
  readonly epochs: readonly (BatchFileResult & { readonly ep: string })[];
  /** Disagreements between the text and the tables. */
  readonly faults: readonly string[];
}

export interface Ledger {
  gateways(): readonly string[];
  counts(gw: string): GatewayCounts;
  /** Different punches of all gateways or of one, in order of identity. */
  punches(gw?: string): readonly PunchIdentity[];
  findings(gw: string): readonly LedgerFinding[];
  head(gw: string, ep: string): HeadRow | null;
  /** The open epoch with its head; null before the first batch. */
  openEpoch(gw: string): { readonly ep: string; readonly head: HeadRow } | null;
  /** Stored batches of an epoch as text, in order; what an auditor takes home. */
  batchLines(gw: string, ep: string): readonly string[];
  health(gw: string): unknown;
  verifyGateway(gw: string): ChainReport;
}

export function createLedger(store: PlatformStore): Ledger {
  const { db } = store;
  const inChain = 'FROM batch AS b JOIN head AS h ON h.gw = b.gw AND h.ep = b.ep WHERE b.gw = $gw AND b.seq <= h.seq';
  const counts = db.prepare<{ gw: string }, Omit<GatewayCounts, 'gw'>>(`SELECT
    (SELECT count(*) ${inChain}) AS batches,
    (SELECT count(*) FROM record WHERE gw = $gw) AS records,
    (SELECT count(*) FROM punch WHERE gw = $gw) AS punches,
    (SELECT count(*) FROM punch_again WHERE gw = $gw) AS repeated,
    (SELECT count(*) FROM batch WHERE gw = $gw AND quarantined = 1) AS quarantined,
    (SELECT count(*) FROM batch AS b JOIN head AS h ON h.gw = b.gw AND h.ep = b.ep WHERE b.gw = $gw AND b.seq > h.seq) AS early,
    (SELECT count(*) FROM parked WHERE gw = $gw) AS parked,
    (SELECT count(*) FROM fork WHERE gw = $gw AND code = 'fork') AS forks`);
  const identity = 'SELECT device_sn AS deviceSn, device_user_id AS deviceUserId, wall_time AS wallTime FROM punch';
  const punches = db.prepare<[], PunchIdentity>(`${identity} ORDER BY device_sn, device_user_id, wall_time, nth`);
  const punchesOf = db.prepare<[string], PunchIdentity>(
    `${identity} WHERE gw = ? ORDER BY device_sn, device_user_id, wall_time, nth`,
  );
  const notes = db.prepare<[string], NoteRow>(
    'SELECT gw, ep, seq, code, text FROM note WHERE gw = ? ORDER BY ep, seq, code, text',
  );
  const early = db.prepare<[string], { ep: string; head: number; next: number }>(
    `SELECT h.ep, h.seq AS head, min(b.seq) AS next FROM head AS h JOIN batch AS b ON b.gw = h.gw AND b.ep = h.ep AND b.seq > h.seq
     WHERE h.gw = ? GROUP BY h.ep, h.seq`,
  );
  const recordCount = db.prepare<[string, string], { count: number }>(
    'SELECT count(*) AS count FROM record WHERE gw = ? AND ep = ?',
  );

  function batchLines(gw: string, ep: string): string[] {
    const head = store.head(gw, ep)?.seq ?? 0;
    return [...store.batches(gw, ep)].filter((row) => row.seq <= head).map((row) => row.jws);
  }

  function verifyEpoch(gw: string, ep: string, faults: string[]): BatchFileResult & { ep: string } {
    const keys = store.keys(gw).map(({ x }) => ({ kty: 'OKP', crv: 'Ed25519', x }) as const);
    const result = verifyBatchFile(
      (function* lines() {
        const head = store.head(gw, ep)?.seq ?? 0;
        for (const row of store.batches(gw, ep)) if (row.seq <= head) yield row.jws;
      })(),
      { gateway: keys },
    );
    const head = store.head(gw, ep);
    if ((result.head?.seq ?? 0) !== (head?.seq ?? 0))
      faults.push(`${ep}: the chain reaches ${result.head?.seq ?? 0}, the head says ${head?.seq ?? 0}`);
    else if (result.head && result.head.hash !== head?.hash)
      faults.push(`${ep}: the head has another hash than the chain`);
    const rows = recordCount.get(gw, ep)?.count ?? 0;
    if (rows > result.records) faults.push(`${ep}: ${rows} records are stored and ${result.records} were signed`);
    return { ...result, ok: result.ok || (head?.seq ?? 0) === 0, ep };
  }

  return {
    gateways: () => store.gateways().map((row) => row.gw),
    counts: (gw) => ({
      gw,
      ...(counts.get({ gw }) ?? {
        batches: 0,
        records: 0,
        punches: 0,
        repeated: 0,
        quarantined: 0,
        early: 0,
        parked: 0,
        forks: 0,
      }),
    }),
    punches: (gw) => (gw === undefined ? punches.all() : punchesOf.all(gw)),
    findings: (gw) => [
      ...notes.all(gw),
      ...early.all(gw).map(({ ep, head, next }) => ({
        gw,
        ep,
        seq: head + 1,
        code: 'missing',
        text: `batches ${head + 1} to ${next - 1} have not come`,
      })),
    ],
    head: (gw, ep) => store.head(gw, ep),
    openEpoch(gw) {
      const ep = store.gateway(gw)?.ep ?? null;
      const head = ep === null ? null : store.head(gw, ep);
      return ep === null || head === null ? null : { ep, head };
    },
    batchLines,
    health: (gw) => JSON.parse(store.health(gw)?.body ?? 'null') as unknown,
    verifyGateway(gw) {
      const faults: string[] = [];
      const epochs = store
        .epochs(gw)
        .filter((epoch) => epoch.ord !== null)
        .map((epoch) => verifyEpoch(gw, epoch.ep, faults));
      return {
        gw,
        ok: faults.length === 0 && epochs.every((epoch) => epoch.ok),
        batches: epochs.reduce((sum, epoch) => sum + epoch.batches, 0),
        records: epochs.reduce((sum, epoch) => sum + epoch.records, 0),
        epochs,
        faults,
      };
    },
  };
}
