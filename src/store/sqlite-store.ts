/**
 * The store itself: one connection, its transactions, the witness beside it, and upkeep. `transact` returns only when the commit is
 * synced and leaves nothing when it throws. What follows a commit (checkpoint, witness) may fail without making the commit look
 * failed. A connection that had an I/O error is not used again; the next call opens a new one and reads the head anew, because a
 * commit whose sync failed may still have reached the disk.
 */
import { closeSync, openSync } from 'node:fs';
import type { Statement } from 'better-sqlite3';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import { silentLog, type Log } from '../core/log.js';
import type { Clock, Instant } from '../core/time.js';
import { createChainWalk, type ChainMark } from './chain.js';
import { asStoreError, createDiskHealth, isFull, type DiskHealth } from './disk-health.js';
import { createJournal, type Journal } from './journal.js';
import { inspect, layoutOf, prepareDirectories, sizeOf, type Layout } from './layout.js';
import type { Opener, StoreOptions } from './options.js';
import { createOutbox, type Outbox } from './outbox.js';
import { freeReserve, keepReserve } from './reserve.js';
import { loadMigrations, migrate } from './schema.js';
import {
  CHAIN_SLICE,
  checkStart,
  compareWithWitness,
  lastTouched,
  OUTAGE_MIN_MS,
  saveMark,
  startEvent,
} from './start.js';
import type { Db, DiskState, Store, Tx, Vault } from './store.js';
import { openVault } from './vault.js';
import { createWitness, touchWitness, writeWitness, type Witness } from './witness.js';
import { createWork, type Work } from './work.js';

const WITNESS_EVERY_RECORDS = 256;
const WITNESS_EVERY_MS = 60_000;
/** Pages of the log not yet in the database that make a checkpoint due: about 4 MB. */
const CHECKPOINT_PAGES = 1000;
const TRUNCATE_WAL_BYTES = 64 * 1024 * 1024;
const VACUUM_PAGES = 200;
const NOBODY: Witness = { turn: 0, n: 0, hash: '', punches: 0, startN: 0 };

/** Everything that belongs to one connection. */
interface Parts {
  readonly db: Db;
  readonly journal: Journal;
  readonly work: Work;
  readonly outbox: Outbox;
  readonly logPages: Statement<[], { log: number; checkpointed: number }>;
}

function bind(db: Db): Parts {
  const journal = createJournal(db);
  return {
    db,
    journal,
    work: createWork(db, journal.head().n),
    outbox: createOutbox(db),
    logPages: db.prepare('PRAGMA wal_checkpoint(NOOP)'),
  };
}

export class SqliteStore implements Store {
  readonly dir: string;
  readonly vault: Vault;
  readonly keysSealed: boolean;
  readonly #options: StoreOptions;
  readonly #opener: Opener;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #layout: Layout;
  readonly #lock: Disposable;
  readonly #health: DiskHealth;
  readonly #accepted: string | null;
  #parts: Parts | null;
  #closed = false;
  #inside = false;
  #count = 0;
  #startN = 0;
  #startPending = true;
  readonly #touchedAt: Instant | null;
  #witness: Witness;
  #witnessTicks: number;
  #verified: ChainMark;
  #savedN: number;
  #damage: string | null = null;

  constructor(options: StoreOptions, opener: Opener) {
    this.#options = options;
    this.#opener = opener;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog();
    this.#health = createDiskHealth(options.clock);
    this.#layout = layoutOf(options.dir);
    this.dir = options.dir;
    const migrations = options.migrations ?? loadMigrations();
    prepareDirectories(this.#layout);
    this.#lock = opener.lock(this.#layout);
    let db: Db | null = null;
    try {
      this.#touchedAt = lastTouched(this.#layout, this.#clock.now());
      const { witness, fault } = this.#examine(migrations.length);
      this.#witness = witness;
      this.#witnessTicks = this.#clock.ticks();
      db = opener.writer(this.#layout);
      migrate(db, migrations, this.#layout.backups);
      const opened = openVault(db, {
        keysDir: this.#layout.keys,
        credentialsDir: options.credentialsDir ?? process.env.CREDENTIALS_DIRECTORY,
        now: this.#clock.now(),
      });
      this.vault = opened.vault;
      this.keysSealed = opened.sealed;
      this.#parts = bind(db);
      const checked = checkStart(db, this.#parts.journal, this.#clock);
      this.#accepted = this.#judge(fault ?? checked.fault);
      this.#verified = this.#accepted === null ? checked.mark : this.#parts.journal.head();
      this.#savedN = this.#verified.n;
      this.#start();
    } catch (error) {
      db?.close();
      this.#lock[Symbol.dispose]();
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

  /** Looks at the files before anything is opened for writing; makes the witness and the empty file of a first start. */
  #examine(known: number): { witness: Witness; fault: string | null } {
    const found = inspect(this.#layout, this.#options.accept !== undefined);
    if (found.state === 'first') {
      createWitness(this.#layout.witness, NOBODY);
      closeSync(openSync(this.#layout.database, 'a', 0o600));
      return { witness: NOBODY, fault: found.fault };
    }
    let fault = found.fault;
    const db = this.#opener.readOnly(this.#layout.database);
    try {
      fault ??= compareWithWitness(db, found.witness ?? NOBODY, known, this.dir);
    } finally {
      db.close();
    }
    this.#judge(fault);
    if (!found.witness) createWitness(this.#layout.witness, NOBODY);
    return { witness: found.witness ?? NOBODY, fault };
  }

  /** Records this start (D9) and sets the witness. On a full disk the record waits for the first transaction that fits (F3). */
  #start(): void {
    try {
      this.transact(() => undefined);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'store-failed') throw error;
      this.#log.warn({ code: error.code, context: error.context }, 'start not recorded yet');
    }
    this.#testify();
  }

  #recordStart({ db, journal, work }: Parts): void {
    const { alive, event } = startEvent(db, journal, this.#clock, {
      software: this.#options.software,
      touchedAt: this.#touchedAt,
      accepted: this.#accepted === null ? null : { fault: this.#accepted, reason: this.#options.accept?.reason ?? '' },
    });
    this.#startN = journal.addEvent(event, event.at);
    // The outage may have touched what was not settled when the gateway went down; what was settled lies before it.
    if (alive !== null && event.at - alive > OUTAGE_MIN_MS) work.touchOpenDays('backfill');
    saveMark(db, this.#verified);
  }

  /** The parts of a connection that may be used; opens a new one when the last was given up. */
  #use(): Parts {
    if (this.#closed) throw fail('store-misuse', { reason: 'the store is closed' });
    if (!this.#parts) {
      try {
        this.#parts = bind(this.#opener.writer(this.#layout));
      } catch (error) {
        throw asStoreError(error, this.dir);
      }
    }
    return this.#parts;
  }

  transact<T>(work: (tx: Tx) => T): T {
    if (this.#inside) throw fail('store-misuse', { reason: 'transact inside transact' });
    if (this.#damage !== null) throw fail('store-damaged', { reason: this.#damage, dir: this.dir });
    if (this.#health.mayWrite()) this.#abandon();
    let result: T;
    try {
      result = this.#run(this.#use(), work);
    } catch (error) {
      const known = asStoreError(error, this.dir);
      if (this.#health.failed(known)) this.#abandon();
      if (isFull(known) && freeReserve(this.#layout.reserve)) this.#log.warn('disk full: the reserve is used up');
      throw known;
    }
    this.#health.worked();
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
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
        throw fail('store-misuse', { reason: 'transact was given asynchronous work' });
      }
      journal.flush();
      this.#count += 1;
      this.#options.hooks?.beforeCommit?.(this.#count);
      db.exec('COMMIT');
      journal.commit();
      this.#startPending = false;
      return result;
    } catch (error) {
      journal.rollback();
      this.#rollBack(db);
      throw error;
    } finally {
      scope.open = false;
      this.#inside = false;
    }
  }

  /** Ends the open transaction; where even that fails the connection is given up, and the first error stays the one that is told. */
  #rollBack(db: Db): void {
    try {
      if (db.inTransaction) db.exec('ROLLBACK');
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'rollback failed');
      this.#abandon();
    }
  }

  #txOf({ journal, work, outbox }: Parts, scope: { readonly open: boolean }): Tx {
    const now = this.#clock.now();
    const inside = <A extends unknown[], R>(does: (...args: A) => R): ((...args: A) => R) => {
      return (...args) => {
        if (!scope.open) throw fail('store-misuse', { reason: 'a transaction was used after its end' });
        return does(...args);
      };
    };
    return {
      addPunch: inside((punch) => journal.addPunch(punch, now)),
      addEvent: inside((event) => journal.addEvent(event, now)),
      addCredit: inside((credit) => journal.addCredit(credit, now)),
      setCursor: inside((deviceSn, cursor) => journal.setCursor(deviceSn, cursor)),
      forgetCursors: inside(() => journal.forgetCursors()),
      touchDay: inside((day) => work.touchDay(day)),
      untouchDay: inside((day) => work.untouchDay(day)),
      putUpstream: inside((state) => outbox.putUpstream(state)),
      addBatch: inside((batch) => outbox.addBatch(batch, journal.openHead().n)),
      acknowledge: inside((receipt) => outbox.acknowledge(receipt)),
      unacknowledge: inside((upstream, ep, through) => outbox.unacknowledge(upstream, ep, through)),
      setPlatAt: inside((upstream, at) => outbox.setPlatAt(upstream, at)),
    };
  }

  #abandon(): void {
    const parts = this.#parts;
    this.#parts = null;
    try {
      parts?.db.close();
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'closing the database failed');
    }
  }

  #afterCommit(): void {
    const checkpointed = this.#checkpointIfDue();
    const records = (this.#parts?.journal.head().n ?? 0) - this.#witness.n;
    const due = records >= WITNESS_EVERY_RECORDS || this.#clock.ticks() - this.#witnessTicks >= WITNESS_EVERY_MS;
    if (checkpointed || due) this.#testify();
  }

  /** The log keeps its size when it is begun anew, so its pages are asked for, not its bytes. */
  #checkpointIfDue(): boolean {
    const log = this.#parts?.logPages.get();
    if (!log || log.log - log.checkpointed < CHECKPOINT_PAGES) return false;
    this.#checkpoint((sizeOf(this.#layout.wal) ?? 0) >= TRUNCATE_WAL_BYTES ? 'TRUNCATE' : 'PASSIVE');
    return true;
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      this.#parts?.db.pragma(`wal_checkpoint(${mode})`);
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'checkpoint failed');
      if (this.#health.failed(asStoreError(error, this.dir))) this.#abandon();
    }
  }

  #testify(): void {
    const journal = this.#parts?.journal;
    const head = journal?.head();
    if (!journal || !head || head.n === 0 || head.n === this.#witness.n) return;
    const { turn } = this.#witness;
    const next: Witness = {
      turn: turn + 1,
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
      this.#log.warn({ code: systemCode(error) }, 'head-witness could not be written');
    }
  }

  /** The next start reads from it how long nobody was here. */
  #sayAlive(): void {
    try {
      touchWitness(this.#layout.witness, this.#clock.now());
    } catch (error) {
      this.#log.warn({ code: systemCode(error) }, 'head-witness could not be touched');
    }
  }

  maintain(): void {
    const { db } = this.#use();
    this.#testify();
    this.#sayAlive();
    const step = createChainWalk(db).step(this.#verified, CHAIN_SLICE);
    this.#verified = step.mark;
    if (step.fault) {
      this.#damage = `record ${step.fault.n}: ${step.fault.reason}`;
      throw fail('store-damaged', { reason: this.#damage, dir: this.dir });
    }
    if (this.#verified.n - this.#savedN >= CHAIN_SLICE) {
      this.transact(() => saveMark(this.db, this.#verified));
      this.#savedN = this.#verified.n;
    }
    db.pragma(`incremental_vacuum(${VACUUM_PAGES})`);
    keepReserve(this.#layout.reserve, this.dir);
    this.#checkpointIfDue();
  }

  get db(): Db {
    return this.#use().db;
  }

  get disk(): DiskState {
    const { failures, refusing, reason } = this.#health;
    const walBytes = sizeOf(this.#layout.wal) ?? 0;
    return { failures, refusing, reason, walBytes, verifiedN: this.#verified.n, accepted: this.#accepted };
  }

  readonly head: Store['head'] = () => this.#use().journal.head();
  readonly facts: Store['facts'] = (...args) => this.#use().journal.facts(...args);
  readonly fact: Store['fact'] = (n) => this.#use().journal.fact(n);
  readonly factAt: Store['factAt'] = (n) => this.#use().journal.factAt(n);
  readonly hashAt: Store['hashAt'] = (n) => this.#use().journal.hashAt(n);
  readonly cursor: Store['cursor'] = (deviceSn) => this.#use().journal.cursor(deviceSn);
  readonly punchCount: Store['punchCount'] = (deviceSn) => this.#use().journal.punchCount(deviceSn);
  readonly punchesAround: Store['punchesAround'] = (...args) => this.#use().journal.punchesAround(...args);
  readonly credit: Store['credit'] = (id) => this.#use().journal.credit(id);
  readonly creditsOf: Store['creditsOf'] = (...args) => this.#use().journal.creditsOf(...args);
  readonly touchedDays: Store['touchedDays'] = (limit) => this.#use().work.touchedDays(limit);
  readonly upstream: Store['upstream'] = (upstream) => this.#use().outbox.upstream(upstream);
  readonly batches: Store['batches'] = (...args) => this.#use().outbox.batches(...args);
  readonly batch: Store['batch'] = (...args) => this.#use().outbox.batch(...args);
  readonly lastReceipt: Store['lastReceipt'] = (upstream) => this.#use().outbox.lastReceipt(upstream);
  readonly pending: Store['pending'] = (upstream) => {
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
    this.#lock[Symbol.dispose]();
  }
}
