/**
 * How a fact becomes bytes and rows. The record chain hashes
 * `rollcall-journal-1 LF previous hash (hex) LF n SP kind SP at LF canonical JSON (RFC 8785) of the fact` with SHA-256 (clause C1),
 * so `sha256sum` alone can check it. A punch is kept in typed columns only; its JSON is rebuilt from them to verify,
 * which halves the disk space. Pure: no database, no clock.
 */
import type { Direction, PunchSource, Verify } from '../core/punch-words.js';
import { hash as digest } from 'node:crypto';
import canonicalizeJson from 'canonicalize';
import type { Instant, WallTime } from '../core/time.js';
import type { CreditFact, Delivery, EventFact, FactKind, JsonValue, PunchFact } from '../rules/facts.js';

/** `journal.kind` in the database is the position here, from 1. Only ever append. */
export const KINDS: readonly FactKind[] = ['punch', 'event', 'credit'];
/** The number columns of `punch` are positions in these lists. Only ever append. */
export const DIRECTIONS: readonly Direction[] = ['unknown', 'in', 'out', 'break-out', 'break-in', 'ot-in', 'ot-out'];
export const VERIFIES: readonly Verify[] = [
  'unknown',
  'face',
  'finger',
  'card',
  'password',
  'palm',
  'iris',
  'qr',
  'combo',
  'remote',
];
export const SOURCES: readonly PunchSource[] = ['realtime', 'poll', 'push', 'replay'];
export const DELIVERIES: readonly Delivery[] = ['live', 'backfill'];

const HALF_DAY_MS = 43_200_000;

/** Hash before record 1 of the journal with this id. */
export function genesisHash(journalId: string): string {
  return digest('sha256', `rollcall-journal-1 genesis ${journalId}`, 'hex');
}

/** Hash of record `n`; `json` is the canonical JSON of its fact. */
export function recordHash(previous: string, n: number, kind: FactKind, at: number, json: string): string {
  return digest('sha256', `rollcall-journal-1\n${previous}\n${n} ${kind} ${at}\n${json}`, 'hex');
}

/** RFC 8785 JSON. */
export function canonicalJson(value: EventFact | CreditFact | JsonValue): string {
  const text = (canonicalizeJson as unknown as (value: unknown) => string | undefined)(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}

const wellFormed = (text: string): string =>
  /[\ud800-\udfff]/.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text;
const whole = (value: number | null): number | null => (value === null ? null : Math.round(value));

/** The punch as the columns can hold it: whole milliseconds, text that UTF-8 can carry. Hashed and returned in this form. */
export function normalPunch(punch: PunchFact): PunchFact {
  return {
    ...punch,
    deviceSn: wellFormed(punch.deviceSn),
    terminalId: wellFormed(punch.terminalId),
    deviceUserId: wellFormed(punch.deviceUserId),
    wallTime: wellFormed(punch.wallTime) as WallTime,
    decoder: wellFormed(punch.decoder),
    firmware: punch.firmware === null ? null : wellFormed(punch.firmware),
    traineeNo: punch.traineeNo === null ? null : wellFormed(punch.traineeNo),
    verifyRaw: typeof punch.verifyRaw === 'string' ? wellFormed(punch.verifyRaw) : punch.verifyRaw,
    rxTicks: Math.round(punch.rxTicks),
    offsetMs: whole(punch.offsetMs),
    offsetAgeMs: whole(punch.offsetAgeMs),
  };
}

/** Canonical JSON of a normal punch: the members in the order of RFC 8785, so that the fast engine serialiser is enough. */
export function punchJson(punch: PunchFact): string {
  return JSON.stringify({
    clockTrusted: punch.clockTrusted,
    decoder: punch.decoder,
    delivery: punch.delivery,
    deviceSn: punch.deviceSn,
    deviceUid: punch.deviceUid,
    deviceUserId: punch.deviceUserId,
    direction: punch.direction,
    directionRaw: punch.directionRaw,
    effective: punch.effective,
    firmware: punch.firmware,
    instant: punch.instant,
    kind: punch.kind,
    offsetAgeMs: punch.offsetAgeMs,
    offsetMs: punch.offsetMs,
    raw: Buffer.from(punch.raw.buffer, punch.raw.byteOffset, punch.raw.byteLength).toString('hex'),
    rx: punch.rx,
    rxTicks: punch.rxTicks,
    score: punch.score,
    seq: punch.seq,
    seqEpoch: punch.seqEpoch,
    seqIsIdentity: seqIdentity(punch) >= 0,
    source: punch.source,
    terminalId: punch.terminalId,
    traineeNo: punch.traineeNo,
    verify: punch.verify,
    verifyRaw: punch.verifyRaw,
    wallTime: punch.wallTime,
  });
}

/** The terminal's record number where it belongs to the identity of a punch, else -1 (contract, settled point 1). */
export function seqIdentity(punch: PunchFact): number {
  return punch.seqIsIdentity === true && punch.seq !== null && punch.seq >= 0 ? punch.seq : -1;
}

/**
 * Whether the told time says little about the day the punch may count for: it cannot be timed, or the time used differs from
 * the told one by more than half a day. Such punches have an index of their own, so that both kinds are found without a scan.
 */
export function isAstray(punch: PunchFact): boolean {
  return punch.effective === null || punch.instant === null || Math.abs(punch.effective - punch.instant) > HALF_DAY_MS;
}

export interface PunchRow {
  readonly n: number;
  readonly device_sn: string;
  readonly device_user_id: string;
  readonly wall_time: string;
  readonly seq_identity: number;
  readonly terminal: string;
  readonly decoder: string;
  readonly firmware: string | null;
  readonly device_uid: number | null;
  readonly instant: number | null;
  readonly rx: number;
  readonly rx_ticks: number;
  readonly clock_trusted: number;
  readonly offset_ms: number | null;
  readonly offset_age_ms: number | null;
  readonly effective: number | null;
  readonly direction: number;
  readonly direction_raw: number | null;
  readonly verify: number;
  readonly verify_raw: number | string | null;
  readonly score: number | null;
  readonly source: number;
  readonly delivery: number;
  readonly seq: number | null;
  readonly seq_epoch: number | null;
  readonly trainee_no: string | null;
  readonly astray: number;
  readonly raw: Buffer;
}

/** Reads a `PunchRow`; append WHERE and ORDER. */
export const SELECT_PUNCH = `SELECT punch.n, device.sn AS device_sn, device_user_id, wall_time, seq_identity, terminal.text AS terminal,
  decoder.text AS decoder, firmware.text AS firmware, device_uid, instant, rx, rx_ticks, clock_trusted, offset_ms, offset_age_ms, effective,
  direction, direction_raw, verify, verify_raw, score, source, delivery, seq, seq_epoch, trainee_no, astray, raw
  FROM punch JOIN device ON device.id = punch.device JOIN word AS terminal ON terminal.id = punch.terminal
  JOIN word AS decoder ON decoder.id = punch.decoder LEFT JOIN word AS firmware ON firmware.id = punch.firmware `;

const at = <T>(list: readonly T[], index: number): T => {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no code ${index}`);
  return value;
};

export function punchOfRow(row: PunchRow): PunchFact & { readonly n: number } {
  return {
    n: row.n,
    kind: 'punch',
    deviceSn: row.device_sn,
    terminalId: row.terminal,
    deviceUserId: row.device_user_id,
    deviceUid: row.device_uid,
    wallTime: row.wall_time as WallTime,
    instant: row.instant as Instant | null,
    rx: row.rx as Instant,
    rxTicks: row.rx_ticks,
    clockTrusted: row.clock_trusted === 1,
    offsetMs: row.offset_ms,
    offsetAgeMs: row.offset_age_ms,
    effective: row.effective as Instant | null,
    direction: at(DIRECTIONS, row.direction),
    directionRaw: row.direction_raw,
    verify: at(VERIFIES, row.verify),
    verifyRaw: row.verify_raw,
    score: row.score,
    source: at(SOURCES, row.source),
    delivery: at(DELIVERIES, row.delivery),
    seq: row.seq,
    seqEpoch: row.seq_epoch,
    firmware: row.firmware,
    raw: new Uint8Array(row.raw.buffer, row.raw.byteOffset, row.raw.byteLength),
    decoder: row.decoder,
    traineeNo: row.trainee_no,
    ...(row.seq_identity >= 0 ? { seqIsIdentity: true } : {}),
  };
}
