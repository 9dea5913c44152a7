import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { verifyDataDir } from '../../src/store/check.js';
import { openStore } from '../../src/store/database.js';
import { loadMigrations, migrate } from '../../src/store/schema.js';
import { createFakeClock } from '../support/fake-clock.js';
import { open, punch, T0, tamper, tempDir } from './fixtures.js';

const normal = (sql: string): string =>
  sql
    .replace(/--[^\n]*/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/\s*([(),])\s*/g, '$1')
    .trim();

function schemaOf(db: Database.Database): Record<string, string> {
  const rows = db.prepare('SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name').all() as {
    name: string;
    sql: string;
  }[];
  return Object.fromEntries(rows.map(({ name, sql }) => [name, normal(sql)]));
}

test('a migrated database has the schema that schema.sql explains', () => {
  const migrated = new Database(':memory:');
  migrate(migrated, loadMigrations(), tempDir());
  const written = new Database(':memory:');
  written.exec(readFileSync(new URL('../../src/store/schema.sql', import.meta.url), 'utf8'));
  expect(schemaOf(migrated)).toEqual(schemaOf(written));
});

test('opening an older database migrates it after a backup, and keeps every row', () => {
  const dir = tempDir();
  const all = loadMigrations();
  const older = open(dir, { migrations: all.slice(0, 1) });
  older.store.transact((tx) => tx.addPunch(punch(0)));
  const before = older.store.facts(0, 10);
  older.store[Symbol.dispose]();
  const { store } = open(dir);
  expect(store.facts(0, 2)).toEqual(before);
  expect(store.db.pragma('user_version', { simple: true })).toBe(all.length);
  const [backup] = readdirSync(join(dir, 'backups'));
  const kept = new Database(join(dir, 'backups', backup ?? ''), { readonly: true });
  expect(kept.pragma('user_version', { simple: true })).toBe(1);
  expect(kept.prepare('SELECT count(*) AS n FROM journal').get()).toEqual({ n: 2 });
  kept.close();
  expect(verifyDataDir(dir).ok).toBe(true);
});

test('a migration that fails leaves the step before and the rows, and works when tried again', () => {
  const dir = tempDir();
  const first = open(dir);
  first.store.transact((tx) => tx.addPunch(punch(0)));
  first.store[Symbol.dispose]();
  const all = loadMigrations();
  const version = all.length + 1;
  const broken = [...all, { version, name: 'x.sql', sql: 'CREATE TABLE later (a TEXT) STRICT; SELECT nonsense();' }];
  expect(() => openStore({ dir, clock: createFakeClock(T0), software: 'x', migrations: broken })).toThrow('nonsense');
  const copy = tempDir();
  cpSync(dir, copy, { recursive: true });
  expect(open(copy).store.punchCount()).toBe(1);
  const good = [...all, { version, name: 'x.sql', sql: 'CREATE TABLE later (a TEXT) STRICT;' }];
  const { store } = open(dir, { migrations: good });
  expect(store.db.prepare('SELECT count(*) AS n FROM later').get()).toEqual({ n: 0 });
});

test('a database newer than the program is refused and not touched', () => {
  const dir = tempDir();
  open(dir).store[Symbol.dispose]();
  tamper(dir, 'PRAGMA user_version = 99');
  const before = readFileSync(join(dir, 'rollcall.db'));
  expect(() => open(dir)).toThrow(expect.objectContaining({ code: 'store-newer', kind: 'settings' }) as Error);
  expect(readFileSync(join(dir, 'rollcall.db')).equals(before)).toBe(true);
});

test('a database of another program is refused', () => {
  const dir = tempDir();
  open(dir).store[Symbol.dispose]();
  tamper(dir, 'PRAGMA application_id = 1');
  expect(() => open(dir)).toThrow(expect.objectContaining({ code: 'store-damaged' }) as Error);
});
