/**
 * Opens the store and runs its transactions. The only file here that opens SQLite.
 *
 * Promises: one process per data directory, held by an open file (F19); a start never begins anew where something was (P13);
 * `transact` returns only when the commit is synced (`synchronous=FULL`, asserted after the first read, D1), and leaves nothing when it
 * throws; a connection that had an I/O error is not used again (F4). Refuses SQLite before 3.51.3 (D2).
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import BetterSqlite3 from 'better-sqlite3';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import { silentLog, type Log } from '../core/log.js';
import type { Clock } from '../core/time.js';
import { createChainWalk, type ChainMark } from './chain.js';
import { createJournal, type Journal } from './journal.js';
import { inspect, layoutOf, prepareDirectories, sizeOf, type Layout } from './layout.js';
import { createOutbox, type Outbox } from './outbox.js';
import { genesisHash } from './record.js';
import { assertOurs, loadMigrations, migrate, type Migration } from './schema.js';
import type { Db, DiskState, Store, Tx } from './store.js';
import { openVault } from './vault.js';
import { createWitness, writeWitness, type Witness } from './witness.js';
import { createWork, type Work } from './work.js';

const SQLITE_LEAST = [3, 51, 3] as const;
const WITNESS_EVERY_RECORDS = 256;
const WITNESS_EVERY_MS = 60_000;
const CHECKPOINT_WAL_BYTES = 4 * 1024 * 1024;
const TRUNCATE_WAL_BYTES = 64 * 1024 * 1024;
const START_CHECK_MS = 2000;
const CHAIN_SLICE = 5000;
const FAILURES_MAX = 3;
const RETRY_MS = 5000;

export interface StoreHooks {
  /** Called with the number of the transaction since the start; a throw rolls back, as a crash before the commit would. */
  readonly beforeCommit?: (count: number) => void;
  /** A throw here is a crash after the commit: the work is kept. */
  readonly afterCommit?: (count: number) => void;
}

export interface StoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Version of the program, for the start event. */
  readonly software: string;
  readonly log?: Log;
  readonly hooks?: StoreHooks;
  /** Opens although start-up found damage, because a person said so; the reason and the finding become an event. */
  readonly accept?: { readonly reason: string };
  readonly migrations?: readonly Migration[];
  /** `$CREDENTIALS_DIRECTORY`; taken from the environment when left out. */
  readonly credentialsDir?: string;
}

/** Everything that belongs to one connection. */
interface Parts {
  readonly db: Db;
  readonly journal: Journal;
  readonly work: Work;
  readonly outbox: Outbox;
}

function assertSqlite(db: Db): void {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  const parts = version.split('.').map(Number);
  const first = SQLITE_LEAST.findIndex((least, index) => (parts[index] ?? 0) !== least);
  if (first >= 0 && (parts[first] ?? 0) < (SQLITE_LEAST[first] ?? 0))
    throw fail('store-misuse', { reason: `SQLite ${version} is too old` });
}

/** A read-only connection: for checks beside a running daemon, and on copies. */
export function openReadOnly(path: string): Db {
  const db = new BetterSqlite3(path, { readonly: true, fileMustExist: true, timeout: 5000 });
  assertSqlite(db);
  return db;
}

function openWriter(layout: Layout): Db {
  const db = new BetterSqlite3(layout.database, { timeout: 5000 });
  try {
    assertSqlite(db);
    db.pragma('auto_vacuum = INCREMENTAL');
    if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal')
      throw fail('store-unwritable', { dir: layout.dir, reason: 'no write-ahead log on this file system' });
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    db.pragma('recursive_triggers = ON');
    db.pragma('trusted_schema = OFF');
    db.pragma('wal_autocheckpoint = 0');
    db.pragma(`journal_size_limit = ${CHECKPOINT_WAL_BYTES}`);
    db.pragma('cache_size = -16000');
    // The driver's build falls back to NORMAL at the first statement in WAL mode, so the setting is asserted after a read (D1).
    db.prepare('SELECT count(*) FROM sqlite_master').get();
    const synchronous = db.pragma('synchronous', { simple: true });
    if (synchronous !== 2) throw fail('store-misuse', { reason: `synchronous is ${String(synchronous)}, not FULL` });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Holds an exclusive transaction on a file of its own; it ends with the process, however that ends. */
function acquireLock(layout: Layout): Db {
  let db: Db | null = null;
  try {
    closeSync(openSync(layout.lock, 'a', 0o600));
    db = new BetterSqlite3(layout.lock, { timeout: 0 });
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    const code = systemCode(error) ?? 'unknown';
    if (code.startsWith('SQLITE_BUSY')) throw fail('store-locked', { dir: layout.dir }, error);
    throw fail('store-unwritable', { dir: layout.dir, reason: code }, error);
  }
}

/** An SQLite error as the house's error; others unchanged. */
export function asStoreError(error: unknown, dir: string): unknown {
  const code = systemCode(error);
  if (error instanceof GatewayError || code?.startsWith('SQLITE_') !== true) return error;
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) return fail('store-damaged', { reason: code, dir }, error);
  if (/^SQLITE_(?:FULL|IOERR|READONLY|CANTOPEN|NOMEM|BUSY|LOCKED|PROTOCOL|PERM)/.test(code))
    return fail('store-failed', { reason: code }, error);
  return fail('store-misuse', { reason: `${code}: ${(error as Error).message}` }, error);
}

function build(layout: Layout): Parts {
  const db = openWriter(layout);
  return bind(db);
}

function bind(db: Db): Parts {
  const journal = createJournal(db);
  return { db, journal, work: createWork(db, journal.head().n), outbox: createOutbox(db) };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** Compares the database with its witness, read-only, so that a bad one is left exactly as it was found. Null: good. */
function compareWithWitness(layout: Layout, witness: Witness, known: number): string | null {
  const db = openReadOnly(layout.database);
  try {
    assertOurs(db, known, layout.dir);
    if (witness.n === 0) return null;
    if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'journal'").get())
      return 'rollcall.db has lost its tables';
    const { n } = db.prepare('SELECT coalesce(max(n), 0) AS n FROM journal').get() as { n: number };
    if (n < witness.n)
      return `rollcall.db ends at record ${n}, but head-witness knows ${witness.n}: it is an older copy or its write-ahead log was lost`;
    const row = db.prepare('SELECT hash FROM journal WHERE n = ?').get(witness.n) as { hash: Buffer } | undefined;
    if (row?.hash.toString('hex') !== witness.hash) return `record ${witness.n} is not the one that head-witness knows`;
    return null;
  } finally {
    db.close();
  }
}

/** `quick_check` table by table, smallest first, while the budget lasts (D12). Null: good as far as looked. */
function quickCheck(db: Db, clock: Clock): string | null {
  const until = clock.ticks() + START_CHECK_MS;
  const tables = db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as { name: string }[];
  const big = ['journal', 'punch'];
  const order = [
    ...tables.filter((table) => !big.includes(table.name)),
    ...tables.filter((table) => big.includes(table.name)),
  ];
  for (const { name } of order) {
    if (clock.ticks() > until) return null;
    const result = db.pragma(`quick_check('${name.replaceAll("'", "''")}')`, { simple: true });
    if (result !== 'ok') return `table ${name}: ${String(result)}`;
  }
  return null;
}

class SqliteStore implements Store {
  readonly dir: string;
  readonly vault: Store['vault'];
  readonly keysSealed: boolean;
  readonly #options: StoreOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #layout: Layout;
  readonly #lock: Db;
  #parts: Parts | null;
  #closed = false;
  #inside = false;
  #count = 0;
  #startN = 0;
  #startPending = true;
  #witness: Witness;
  #witnessTicks: number;
  #verified: ChainMark;
  #accepted: string | null;
  #failures = 0;
  #reason: string | null = null;
  #failedTicks = 0;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog();
    this.dir = options.dir;
    this.#layout = layoutOf(options.dir);
    const migrations = options.migrations ?? loadMigrations();
    prepareDirectories(this.#layout);
    this.#lock = acquireLock(this.#layout);
    let db: Db | null = null;
    try {
      const { witness, fault } = this.#examine(migrations.length);
      this.#witness = witness;
      db = openWriter(this.#layout);
      migrate(db, migrations, this.#layout.backups);
      const opened = openVault(db, {
        keysDir: this.#layout.keys,
        credentialsDir: options.credentialsDir ?? process.env['CREDENTIALS_DIRECTORY'],
        now: this.#clock.now(),
      });
      this.vault = opened.vault;
      this.keysSealed = opened.sealed;
      this.#parts = bind(db);
      const { mark, fault: broken } = this.#checkStart(this.#parts);
      this.#verified = mark;
      this.#accepted = this.#judge(fault ?? broken);
      this.#witnessTicks = this.#clock.ticks();
      this.#start();
    } catch (error) {
      db?.close();
      this.#lock.close();
      throw asStoreError(error, options.dir);
    }
  }

  /** Throws what was found, unless a person has accepted it. */
  #judge(fault: string | null): string | null {
    if (fault === null) return null;
    if (!this.#options.accept) throw fail('store-damaged', { reason: fault, dir: this.dir });
    this.#log.warn({ fault }, 'store opened although damaged, as told');
    return fault;
  }

  /** Looks at the files before anything is opened for writing; makes witness and empty file of a first start. */
  #examine(known: number): { witness: Witness; fault: string | null } {
    const found = inspect(this.#layout, this.#options.accept !== undefined);
    const zero: Witness = { turn: 0, n: 0, hash: '', punches: 0, startN: 0 };
    if (found.state === 'first') {
      createWitness(this.#layout.witness, zero);
      closeSync(openSync(this.#layout.database, 'a', 0o600));
      return { witness: zero, fault: found.fault };
    }
    const fault = found.fault ?? (found.witness ? compareWithWitness(this.#layout, found.witness, known) : null);
    this.#judge(fault);
    if (!found.witness) createWitness(this.#layout.witness, zero);
    return { witness: found.witness ?? zero, fault };
  }

  #checkStart(parts: Parts): { mark: ChainMark; fault: string | null } {
    const genesis: ChainMark = { n: 0, hash: genesisHash(parts.journal.journalId) };
    const { value } =
      (parts.db.prepare("SELECT value FROM meta WHERE name = 'verified'").get() as { value: string } | undefined) ?? {};
    let mark = value === undefined ? genesis : (JSON.parse(value) as ChainMark);
    const damage = quickCheck(parts.db, this.#clock);
    if (damage !== null) return { mark, fault: damage };
    const head = parts.journal.head();
    if (mark.n > head.n || parts.journal.hashAt(mark.n) !== mark.hash)
      return { mark: genesis, fault: `record ${mark.n} was changed since it was verified` };
    const walk = createChainWalk(parts.db);
    const until = this.#clock.ticks() + START_CHECK_MS;
    for (let done = false; !done && this.#clock.ticks() <= until;) {
      const step = walk.step(mark, CHAIN_SLICE);
      mark = step.mark;
      done = step.done;
      if (step.fault) return { mark, fault: `record ${step.fault.n}: ${step.fault.reason}` };
    }
    return { mark, fault: null };
  }

  /** Records this start (D9) and sets the witness. On a full disk that waits for the first transaction that fits. */
  #start(): void {
    try {
      this.transact(() => undefined);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'store-failed') throw error;
      this.#log.warn({ code: error.code, context: error.context }, 'start not recorded yet');
    }
    this.#testify();
  }

  #recordStart(parts: Parts): void {
    const previous = parts.journal.head();
    const now = this.#clock.now();
    this.#startN = parts.journal.addEvent(
      {
        kind: 'event',
        what: 'start',
        at: now,
        data: {
          boot: bootId(),
          start: randomUUID(),
          software: this.#options.software,
          schema: parts.db.pragma('user_version', { simple: true }) as number,
          previous: { n: previous.n, hash: previous.hash },
          ticks: Math.round(this.#clock.ticks()),
          uptimeMs: Math.round(uptime() * 1000),
          trusted: this.#clock.trusted(),
          verifiedN: this.#verified.n,
          ...(this.#accepted === null ? {} : { accepted: this.#accepted, reason: this.#options.accept?.reason ?? '' }),
        },
      },
      now,
    );
    parts.db
      .prepare("INSERT INTO meta (name, value) VALUES ('verified', ?) ON CONFLICT DO UPDATE SET value = excluded.value")
      .run(JSON.stringify(this.#verified));
  }

  /** The parts of a connection that may be used; opens a new one when the last was given up. */
  #use(): Parts {
    if (this.#closed) throw fail('store-misuse', { reason: 'the store is closed' });
    if (!this.#parts) {
      try {
        this.#parts = build(this.#layout);
      } catch (error) {
        throw asStoreError(error, this.dir);
      }
    }
    return this.#parts;
  }

  transact<T>(work: (tx: Tx) => T): T {
    if (this.#inside) throw fail('store-misuse', { reason: 'transact inside transact' });
    if (this.#failures >= FAILURES_MAX) {
      if (this.#clock.ticks() - this.#failedTicks < RETRY_MS) {
        throw fail('store-failed', {
          reason: `${this.#failures} writes in a row failed (${this.#reason ?? 'unknown'}); no more are tried for now`,
        });
      }
      this.#abandon();
    }
    let result: T;
    try {
      result = this.#run(this.#use(), work);
    } catch (error) {
      throw this.#failed(asStoreError(error, this.dir));
    }
    this.#failures = 0;
    this.#reason = null;
    this.#afterCommit();
    this.#options.hooks?.afterCommit?.(this.#count);
    return result;
  }

  #run<T>(parts: Parts, work: (tx: Tx) => T): T {
    const { db, journal } = parts;
    const scope = { open: true };
    this.#inside = true;
    journal.begin();
    try {
      db.exec('BEGIN IMMEDIATE');
      if (this.#startPending) this.#recordStart(parts);
      const result = work(this.#txOf(parts, scope));
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function')
        throw fail('store-misuse', { reason: 'transact was given asynchronous work' });
      journal.flush();
      this.#count += 1;
      this.#options.hooks?.beforeCommit?.(this.#count);
      db.exec('COMMIT');
      journal.commit();
      this.#startPending = false;
      return result;
    } catch (error) {
      journal.rollback();
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    } finally {
      scope.open = false;
      this.#inside = false;
    }
  }

  #txOf({ journal, work, outbox }: Parts, scope: { readonly open: boolean }): Tx {
    const now = this.#clock.now();
    const guard =
      <A extends unknown[], R>(does: (...args: A) => R) =>
      (...args: A): R => {
        if (!scope.open) throw fail('store-misuse', { reason: 'a transaction was used after its end' });
        return does(...args);
      };
    return {
      addPunch: guard((punch) => journal.addPunch(punch, now)),
      addEvent: guard((event) => journal.addEvent(event, now)),
      addCredit: guard((credit) => journal.addCredit(credit, now)),
      setCursor: guard(journal.setCursor),
      touchDay: guard(work.touchDay),
      untouchDay: guard(work.untouchDay),
      putUpstream: guard(outbox.putUpstream),
      addBatch: guard((batch) => outbox.addBatch(batch, journal.openHead().n)),
      acknowledge: guard(outbox.acknowledge),
      unacknowledge: guard(outbox.unacknowledge),
      setPlatAt: guard(outbox.setPlatAt),
    };
  }

  /** Counts a failed write. After an I/O error the connection is given up: what its fsync lost is unknown (F4). */
  #failed(error: unknown): unknown {
    if (!(error instanceof GatewayError) || error.kind !== 'storage') return error;
    const reason = String(error.context['reason']);
    this.#reason = reason;
    this.#failedTicks = this.#clock.ticks();
    if (reason.startsWith('SQLITE_IOERR')) {
      this.#failures += 1;
      this.#abandon();
    }
    return error;
  }

  #abandon(): void {
    const parts = this.#parts;
    this.#parts = null;
    try {
      parts?.db.close();
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'giving up a connection failed');
    }
  }

  /** What follows a commit must never make it look failed: the caller's record is on the disk. */
  #afterCommit(): void {
    const wal = sizeOf(this.#layout.wal) ?? 0;
    if (wal >= CHECKPOINT_WAL_BYTES) this.#checkpoint(wal >= TRUNCATE_WAL_BYTES ? 'TRUNCATE' : 'PASSIVE');
    const head = this.#parts?.journal.head();
    if (!head || head.n === this.#witness.n) return;
    const due =
      head.n - this.#witness.n >= WITNESS_EVERY_RECORDS || this.#clock.ticks() - this.#witnessTicks >= WITNESS_EVERY_MS;
    if (due || wal >= CHECKPOINT_WAL_BYTES) this.#testify();
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      this.#parts?.db.pragma(`wal_checkpoint(${mode})`);
    } catch (error) {
      this.#failed(asStoreError(error, this.dir));
      this.#log.warn({ code: systemCode(error) }, 'checkpoint failed');
    }
  }

  #testify(): void {
    const journal = this.#parts?.journal;
    const head = journal?.head();
    if (!journal || !head || head.n === 0 || head.n === this.#witness.n) return;
    const next: Witness = {
      turn: this.#witness.turn + 1,
      n: head.n,
      hash: head.hash,
      punches: journal.punchCount(),
      startN: this.#startN,
    };
    try {
      writeWitness(this.#layout.witness, next);
      this.#witness = next;
      this.#witnessTicks = this.#clock.ticks();
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'head witness not written');
    }
  }

  maintain(): void {
    const parts = this.#use();
    this.#testify();
    const step = createChainWalk(parts.db).step(this.#verified, CHAIN_SLICE);
    this.#verified = step.mark;
    if (step.fault)
      throw fail('store-damaged', { reason: `record ${step.fault.n}: ${step.fault.reason}`, dir: this.dir });
    parts.db.pragma('incremental_vacuum(200)');
    if ((sizeOf(this.#layout.wal) ?? 0) >= CHECKPOINT_WAL_BYTES) this.#checkpoint('PASSIVE');
  }

  get db(): Db {
    return this.#use().db;
  }

  get disk(): DiskState {
    return {
      failures: this.#failures,
      refusing: this.#failures >= FAILURES_MAX,
      reason: this.#reason,
      walBytes: sizeOf(this.#layout.wal) ?? 0,
      verifiedN: this.#verified.n,
      accepted: this.#accepted,
    };
  }

  head: Store['head'] = () => this.#use().journal.head();
  facts: Store['facts'] = (...args) => this.#use().journal.facts(...args);
  fact: Store['fact'] = (n) => this.#use().journal.fact(n);
  factAt: Store['factAt'] = (n) => this.#use().journal.factAt(n);
  hashAt: Store['hashAt'] = (n) => this.#use().journal.hashAt(n);
  cursor: Store['cursor'] = (deviceSn) => this.#use().journal.cursor(deviceSn);
  punchCount: Store['punchCount'] = (deviceSn) => this.#use().journal.punchCount(deviceSn);
  punchesAround: Store['punchesAround'] = (...args) => this.#use().journal.punchesAround(...args);
  credit: Store['credit'] = (id) => this.#use().journal.credit(id);
  creditsOf: Store['creditsOf'] = (...args) => this.#use().journal.creditsOf(...args);
  touchedDays: Store['touchedDays'] = (limit) => this.#use().work.touchedDays(limit);
  upstream: Store['upstream'] = (upstream) => this.#use().outbox.upstream(upstream);
  batches: Store['batches'] = (...args) => this.#use().outbox.batches(...args);
  batch: Store['batch'] = (...args) => this.#use().outbox.batch(...args);
  lastReceipt: Store['lastReceipt'] = (upstream) => this.#use().outbox.lastReceipt(upstream);
  pending: Store['pending'] = (upstream) => {
    const { journal, outbox } = this.#use();
    const state = outbox.upstream(upstream);
    const acked = state?.ackedN ?? 0;
    return {
      records: journal.head().n - acked,
      batches: state ? state.headSeq - state.ackedSeq : 0,
      oldestAt: journal.factAt(acked + 1),
    };
  };

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#testify();
    if (this.#parts) this.#checkpoint('TRUNCATE');
    this.#abandon();
    this.#closed = true;
    this.#lock.close();
  }
}

/**
 * Opens the store in `dir`, or makes it on a first start. Throws `store-locked`, `store-unwritable`, `store-newer`, `store-damaged`,
 * `key-exposed` or `key-unreadable`; then nothing stays open.
 */
export function openStore(options: StoreOptions): Store {
  return new SqliteStore(options);
}
