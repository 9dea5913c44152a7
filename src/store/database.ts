/**
 * Opens SQLite; the only file here that does. Promises: one process per data directory, held by an open file (F19); every writer has
 * `synchronous=FULL`, asserted after the first read (D1); SQLite before 3.51.3 is refused (D2); only the writer checkpoints, and
 * only when the store tells it to (D3).
 */
import { closeSync, openSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { keepStatements } from '../core/kept-statements.js';
import { fail, systemCode } from '../core/errors.js';
import { isFull } from './disk-health.js';
import { layoutOf, type Layout } from './layout.js';
import type { Opener, StoreOptions } from './options.js';
import { freeReserve } from './reserve.js';
import { SqliteStore } from './sqlite-store.js';
import type { Db, Store } from './store.js';

const SQLITE_LEAST = [3, 51, 3] as const;
const BUSY_MS = 5000;
/** A write-ahead log longer than this is cut back to it when it is reset. */
const WAL_KEPT_BYTES = 4 * 1024 * 1024;

function assertSqlite(db: Db): void {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  const parts = version.split('.').map(Number);
  const differs = SQLITE_LEAST.findIndex((least, index) => parts[index] !== least);
  if (differs >= 0 && (parts[differs] ?? 0) < (SQLITE_LEAST[differs] ?? 0)) {
    throw fail('store-misuse', {
      reason: `SQLite ${version} can corrupt a database; ${SQLITE_LEAST.join('.')} or later is needed`,
    });
  }
}

/** A read-only connection: for checks beside a running daemon, and on copies. It never changes the files, the log included. */
export function openReadOnly(path: string): Db {
  const db = keepStatements(new BetterSqlite3(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS }));
  try {
    assertSqlite(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** An empty database in memory, to compare a schema with. */
export function openScratch(): Db {
  return keepStatements(new BetterSqlite3(':memory:'));
}

function openWriter(layout: Layout): Db {
  const db = keepStatements(new BetterSqlite3(layout.database, { timeout: BUSY_MS }));
  try {
    assertSqlite(db);
    // Before the first table only: on a database that has tables it would be one needless write at each start.
    if (db.pragma('page_count', { simple: true }) === 0) db.pragma('auto_vacuum = INCREMENTAL');
    if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
      throw fail('store-unwritable', { dir: layout.dir, reason: 'this file system cannot hold a write-ahead log' });
    }
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    db.pragma('recursive_triggers = ON');
    db.pragma('trusted_schema = OFF');
    db.pragma('wal_autocheckpoint = 0');
    db.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
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

/** Makes an empty file. One that is there is not opened: closing any descriptor of it would drop the locks this process holds on it. */
function createOnce(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** Holds an exclusive transaction on a file of its own; it ends with the process, however that ends. */
function acquireLock(layout: Layout): Disposable {
  let db: Db | null = null;
  try {
    createOnce(layout.lock);
    db = keepStatements(new BetterSqlite3(layout.lock, { timeout: 0 }));
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    const held = db;
    return { [Symbol.dispose]: () => void held.close() };
  } catch (error) {
    db?.close();
    const code = systemCode(error) ?? 'unknown';
    if (code.startsWith('SQLITE_BUSY')) throw fail('store-locked', { dir: layout.dir }, error);
    throw fail('store-unwritable', { dir: layout.dir, reason: code }, error);
  }
}

const opener: Opener = { writer: openWriter, readOnly: openReadOnly, lock: acquireLock };

/**
 * Opens the store in `dir`, or makes it on a first start. Throws `store-locked`, `store-unwritable`, `store-newer`, `store-damaged`,
 * `key-exposed` or `key-unreadable`; then nothing stays open.
 */
export function openStore(options: StoreOptions): Store {
  try {
    return new SqliteStore(options, opener);
  } catch (error) {
    // SQLite cannot even open on a disk without a free block; the reserve is there for this (F3, F5).
    if (!isFull(error) || !freeReserve(layoutOf(options.dir).reserve)) throw error;
    return new SqliteStore(options, opener);
  }
}
