/**
 * What the rest of the program may ask of the store. One writer connection, one process; every `transact` is one
 * SQLite transaction that is on the disk (synchronous=FULL) when it returns, and leaves no trace when its work throws.
 * The store is not an interface with several implementations: tests use the real thing in a temporary directory.
 */
import type { Database } from 'better-sqlite3';
import type { Instant, LocalDate } from '../core/time.js';
import type {
  CreditFact,
  EventFact,
  Fact,
  FactKind,
  JsonValue,
  Numbered,
  PunchFact,
  SealedBatch,
} from '../rules/facts.js';

/** The connection as other files of the store know it; only database.ts opens one. */
export type Db = Database;

export interface JournalHead {
  /** Last journal number; 0 when empty. */
  readonly n: number;
  /** Lower-case hex of the record chain's head hash. */
  readonly hash: string;
}

/** Where an upstream stands. All numbers start at 0. */
export interface UpstreamState {
  readonly upstream: string;
  readonly ep: string;
  readonly gw: string;
  readonly aud: string;
  readonly headSeq: number;
  /** Hash of batch `headSeq`, or the genesis hash. */
  readonly headHash: string;
  readonly ackedSeq: number;
  readonly ackedHash: string;
  /** Last journal number covered by a sealed batch. */
  readonly sealedN: number;
  /** Last journal number that the platform has acknowledged. */
  readonly ackedN: number;
  /** `cont` member that batch 1 of this epoch must carry, as JSON; null in the first epoch. */
  readonly cont: JsonValue;
  /** `at` of the last accepted platform state. */
  readonly platAt: number;
}

export interface Receipt {
  readonly upstream: string;
  readonly ep: string;
  readonly through: number;
  readonly hash: string;
  readonly at: Instant;
  readonly jws: string;
}

export interface TouchedDay {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** Why: `punch`, `backfill`, `import`, `day-close` ...; the first cause since it was last done, of those that a person stands for if there is one. */
  readonly cause: string;
  /** Rises with every touch; `untouch` with a stale stamp does nothing, so a touch during work is not lost. */
  readonly stamp: number;
}

/** What may be done inside `transact`. Throws propagate and roll everything back. */
export interface Tx {
  /** Adds a raw punch; null when a punch with that identity is there already. */
  addPunch(punch: PunchFact): number | null;
  addEvent(event: EventFact): number;
  addCredit(credit: CreditFact): number;
  /** A terminal's reading position: opaque JSON of its driver, keyed by serial number. */
  setCursor(deviceSn: string, cursor: JsonValue): void;
  /** Reading begins anew at every terminal: this database no longer holds all that they were told to forget. */
  forgetCursors(): void;
  touchDay(day: Omit<TouchedDay, 'stamp'>): void;
  untouchDay(day: TouchedDay): void;
  /** Starts or replaces the state of an upstream (first start, restore, rebuild). Old batches stay. */
  putUpstream(state: UpstreamState): void;
  /** Inserts a sealed batch and moves head and `sealedN` with it. */
  addBatch(batch: SealedBatch): void;
  /** Marks all up to the receipt's `through` acknowledged and keeps the receipt. */
  acknowledge(receipt: Receipt): void;
  /** The platform went back to an older copy: acknowledged head falls to `through`. Receipts stay. */
  unacknowledge(upstream: string, ep: string, through: number): void;
  setPlatAt(upstream: string, at: number): void;
}

export interface Pending {
  readonly records: number;
  readonly batches: number;
  /** Receive time of the oldest journal fact not yet acknowledged; null when none. */
  readonly oldestAt: Instant | null;
}

export interface DiskState {
  /** Writes that failed one after the other; 0 when the last one worked. */
  readonly failures: number;
  /** True after three I/O errors in a row: the store refuses work, and tries a fresh connection every five seconds. */
  readonly refusing: boolean;
  /** Why the last one failed; null when the last one worked. */
  readonly reason: string | null;
  /** Bytes of the write-ahead log. */
  readonly walBytes: number;
  /** Journal number up to which the chain has been verified on this disk. */
  readonly verifiedN: number;
  /** What start-up found and was told to accept; null normally. */
  readonly accepted: string | null;
}

export interface Store extends Disposable {
  readonly dir: string;
  transact<T>(work: (tx: Tx) => T): T;

  head(): JournalHead;
  /** Facts with `after < n`, in order, at most `limit`. */
  facts(after: number, limit: number, kind?: FactKind): readonly Numbered[];
  fact(n: number): Numbered | null;
  /** Receive time of fact `n`, for the linger of sealing. */
  factAt(n: number): Instant | null;
  hashAt(n: number): string | null;

  cursor(deviceSn: string): JsonValue;
  punchCount(deviceSn?: string): number;
  /** Punches whose derived or told date may fall on `date` for these device users (widely: told date, effective, receipt). */
  punchesAround(deviceUserIds: readonly string[], from: Instant, to: Instant): readonly Numbered<PunchFact>[];
  credit(id: string): Numbered<CreditFact> | null;
  creditsOf(classNo: string, date?: LocalDate): readonly Numbered<CreditFact>[];
  touchedDays(limit: number): readonly TouchedDay[];

  upstream(upstream: string): UpstreamState | null;
  /** Sealed batches of the present epoch with `after < seq`, in order. */
  batches(upstream: string, ep: string, after: number, limit: number): readonly SealedBatch[];
  batch(upstream: string, ep: string, seq: number): SealedBatch | null;
  lastReceipt(upstream: string): Receipt | null;
  pending(upstream: string): Pending;

  /**
   * The open connection, for rooms that own tables of their own (classes). Write through it only inside `transact`, never to
   * journal tables. Ask for it each time: after an I/O error the store opens a new one, and statements of the old one are dead.
   */
  readonly db: Db;
  /** What the disk did lately; health shows it. */
  readonly disk: DiskState;
  /** Witness, checkpoint, a slice of chain verification and of freeing pages, whatever is due. Health calls it every minute or so. */
  maintain(): void;
  /** Encrypts and decrypts personal fields (S25). */
  readonly vault: Vault;
  /** True when the key that protects personal fields is only a file (S24): shown as "keys are not sealed". */
  readonly keysSealed: boolean;
}

export interface Vault {
  /** AES-256-GCM with the place (`table|row|column`) as associated data. */
  seal(place: string, plain: string): Uint8Array;
  open(place: string, sealed: Uint8Array): string;
  /** HMAC-SHA-256 blind index for equality search. */
  index(purpose: string, plain: string): string;
}

export type { Fact };
