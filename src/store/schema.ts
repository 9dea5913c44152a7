/**
 * Brings a database to today's schema: the numbered files of `migrations/` in order, each in one transaction with the change of
 * `user_version`, so that a cut leaves either the step before or the step after. Before any step but the first, a copy goes to
 * `backups/`. A database newer than the program is refused untouched.
 */
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../core/errors.js';
import { syncDirectory, syncFile } from './durable-file.js';
import { sizeOf } from './layout.js';
import type { Db } from './store.js';

/** `RCAL`: marks the file as ours (`PRAGMA application_id`). */
export const APPLICATION_ID = 0x5243414c;

/** The migrations that brought classes, and what stands beside them: a directory of an older program is checked without these. */
export const CLASS_SCHEMA = 2;
export const EVIDENCE_SCHEMA = 4;

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** The migrations beside this file, in order. Throws `store-misuse` when their numbers have a gap. */
export function loadMigrations(directory = new URL('./migrations/', import.meta.url)): readonly Migration[] {
  const names = readdirSync(directory)
    .filter((name) => /^\d{3}-[a-z0-9-]+\.sql$/.test(name))
    .sort();
  return names.map((name, index) => {
    const version = Number(name.slice(0, 3));
    if (version !== index + 1) throw fail('store-misuse', { reason: `migration ${name} is out of order` });
    return { version, name, sql: readFileSync(new URL(name, directory), 'utf8') };
  });
}

export function schemaVersion(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number;
}

/** Throws `store-newer` or `store-damaged` when the file is not ours to open. */
export function assertOurs(db: Db, known: number, dir: string): void {
  const version = schemaVersion(db);
  const id = db.pragma('application_id', { simple: true }) as number;
  if (version > 0 && id !== APPLICATION_ID)
    throw fail('store-damaged', { reason: 'rollcall.db belongs to another program', dir });
  if (version > known) throw fail('store-newer', { found: version, known });
}

/** A consistent copy of the open database, synced. Does nothing when it is there already. */
export function backup(db: Db, path: string): void {
  if (sizeOf(path) !== null) return;
  const part = `${path}.part`;
  rmSync(part, { force: true });
  db.prepare('VACUUM INTO ?').run(part);
  syncFile(part);
  renameSync(part, path);
  syncDirectory(join(path, '..'));
}

/** Applies what is missing; the version reached. */
export function migrate(db: Db, migrations: readonly Migration[], backupsDir: string): number {
  const from = schemaVersion(db);
  const missing = migrations.filter((step) => step.version > from);
  if (from > 0 && missing.length > 0) {
    const { last } = db.prepare('SELECT coalesce(max(n), 0) AS last FROM journal').get() as { last: number };
    backup(db, join(backupsDir, `before-schema-${migrations.at(-1)?.version ?? 0}-at-${last}.db`));
  }
  for (const step of missing) {
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(step.sql);
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${step.version}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
  return schemaVersion(db);
}
