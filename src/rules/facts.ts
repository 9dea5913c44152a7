/**
 * The nouns that cross rooms. Pure data, no behaviour: what a punch, a day's credit, an event, a sealed batch and an
 * acknowledgement are, whoever handles them. Names follow requirements §11 and the punch model of the drivers.
 */
import type { Direction, PunchSource, Verify } from '../core/punch-words.js';
import type { Instant, LocalDate, WallTime } from '../core/time.js';

/** Live: pushed as it happened, or polled while the terminal had been connected and drained since the poll before. */
export type Delivery = 'live' | 'backfill';

/** A raw punch as the journal keeps it for ever. Identity: `(deviceSn, deviceUserId, wallTime)`, plus `seq` where the driver says so. */
export interface PunchFact {
  readonly kind: 'punch';
  /** Serial number that the terminal itself reported; never an address. */
  readonly deviceSn: string;
  /** Id of the terminal in the settings at the time of reading. */
  readonly terminalId: string;
  readonly deviceUserId: string;
  readonly deviceUid: number | null;
  /** Exactly what the terminal said. */
  readonly wallTime: WallTime;
  /** Derived with the terminal's zone; null when `wallTime` does not exist. */
  readonly instant: Instant | null;
  /** Gateway wall clock when the punch was read. */
  readonly rx: Instant;
  /** Gateway monotonic milliseconds then (with the start's boot id, clause C5). */
  readonly rxTicks: number;
  /** Gateway clock quality then. */
  readonly clockTrusted: boolean;
  /** Terminal clock minus gateway clock as last measured before the punch was received; null: unknown. */
  readonly offsetMs: number | null;
  /** Age of that measurement at receipt. */
  readonly offsetAgeMs: number | null;
  /** Time used for credit under the site's clock rule; null: cannot be timed. */
  readonly effective: Instant | null;
  readonly direction: Direction;
  readonly directionRaw: number | null;
  readonly verify: Verify;
  readonly verifyRaw: number | string | null;
  readonly score: number | null;
  readonly source: PunchSource;
  readonly delivery: Delivery;
  /** The terminal's own record number and the epoch of that numbering. */
  readonly seq: number | null;
  readonly seqEpoch: number | null;
  /** True where the driver declares `seq` trustworthy on every path: it then joins the identity (contract, settled point 1). */
  readonly seqIsIdentity?: boolean;
  readonly firmware: string | null;
  /** Record bytes as received (D5) and the version of the decoder that read them. */
  readonly raw: Uint8Array;
  readonly decoder: string;
  /** Trainee known for this id on that terminal when the punch was read; null: unmatched. */
  readonly traineeNo: string | null;
}

export type EventWhat =
  | 'start'
  | 'clock'
  | 'device'
  | 'count-mismatch'
  | 'pic-lost'
  | 'key'
  | 'epoch'
  | 'config'
  | 'command'
  | 'tamper'
  | 'storage'
  | 'operator'
  | 'purge'
  | 'class'
  | 'leave'
  | 'makeup'
  | 'review'
  | 'online';

/** Something that happened and is evidence. `data` is JSON without persons or secrets. */
export interface EventFact {
  readonly kind: 'event';
  readonly what: EventWhat;
  readonly at: Instant;
  readonly data: Readonly<Record<string, JsonValue>>;
}

/** One revision of one person's day in one class. `result` is the day result of requirements §4.10, as the rules made it. */
export interface CreditFact {
  readonly kind: 'credit';
  /** `classNo/traineeNo/date`. */
  readonly id: string;
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** Journal revisions of this id, from 1; every change of the result is a new one. */
  readonly rev: number;
  readonly state: 'provisional' | 'final' | 'withdrawn';
  readonly totalHours: number;
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  /** Journal numbers of the punches that filled slots. */
  readonly punches: readonly number[];
  /** The whole DayCredit as JSON. */
  readonly result: Readonly<Record<string, JsonValue>>;
}

export type Fact = PunchFact | EventFact | CreditFact;
export type FactKind = Fact['kind'];
/** A fact with its journal number. */
export type Numbered<T extends Fact = Fact> = T & { readonly n: number };

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A batch as it lies in the outbox: sealed once, never rebuilt. */
export interface SealedBatch {
  readonly upstream: string;
  readonly ep: string;
  readonly seq: number;
  /** Lower-case hex SHA-256 of the JWS signing input. */
  readonly hash: string;
  readonly prev: string;
  readonly n0: number;
  readonly n1: number;
  readonly records: number;
  readonly sealedAt: Instant;
  readonly jws: string;
}
