/** What a start finds in the data directory, and that it never begins anew where something was (P13). */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { verifyDataDir } from '../../src/store/check.js';
import { readWitness } from '../../src/store/witness.js';
import { needs } from '../support/needs.js';
import { open, punch, soundDir, tamper, tempDir } from './fixtures.js';

const code = (wanted: string, reason?: string): Error =>
  expect.objectContaining(
    reason === undefined
      ? { code: wanted }
      : {
          code: wanted,
          context: expect.objectContaining({ reason: expect.stringContaining(reason) as string }) as object,
        },
  ) as Error;

/** Everything in the directory with its bytes, the lock left out. */
function snapshot(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name !== 'lock' && !name.endsWith('-shm') && statSync(join(dir, name)).isFile(),
  );
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(dir, name)).toString('base64')]));
}

test('directories are 0700 and files 0600, and looser ones are tightened', () => {
  const dir = tempDir();
  const { store } = open(dir);
  store.transact((tx) => tx.addPunch(punch(0)));
  const mode = (name: string): number => statSync(join(dir, name)).mode & 0o777;
  for (const name of ['.', 'keys', 'backups', 'captures']) expect([name, mode(name)]).toEqual([name, 0o700]);
  for (const name of ['rollcall.db', 'rollcall.db-wal', 'lock', 'head-witness', 'keys/kek'])
    expect([name, mode(name)]).toEqual([name, 0o600]);
  store[Symbol.dispose]();
  chmodSync(join(dir, 'keys/kek'), 0o644);
  chmodSync(join(dir, 'keys'), 0o755);
  open(dir);
  expect([mode('keys'), mode('keys/kek')]).toEqual([0o700, 0o600]);
});

test('a second opener is refused, in this process and in another, and readers are not', () => {
  const dir = tempDir();
  const { store } = open(dir);
  expect(() => open(dir)).toThrow(code('store-locked'));
  const script = `const D = require('better-sqlite3'); const db = new D(process.argv[1], { timeout: 0 });
    try { db.exec('BEGIN EXCLUSIVE'); console.log('free') } catch (error) { console.log(error.code) }`;
  expect(spawnSync(process.execPath, ['-e', script, join(dir, 'lock')], { encoding: 'utf8' }).stdout.trim()).toBe(
    'SQLITE_BUSY',
  );
  const reader = new Database(join(dir, 'rollcall.db'), { readonly: true });
  expect(reader.prepare('SELECT records FROM v_pending').get()).toEqual({ records: 1 });
  reader.close();
  store[Symbol.dispose]();
  open(dir);
});

test('a directory that cannot be written is named', () => {
  const dir = tempDir();
  writeFileSync(join(dir, 'file'), '');
  expect(() => open(join(dir, 'file', 'data'))).toThrow(code('store-unwritable', 'ENOTDIR'));
  mkdirSync(join(dir, 'data', 'lock'), { recursive: true });
  expect(() => open(join(dir, 'data'))).toThrow(code('store-unwritable'));
});

test.each<[string, (dir: string) => void, string]>([
  ['missing', (dir) => rmSync(join(dir, 'rollcall.db')), 'rollcall.db is missing, but head-witness knows 23 records'],
  ['empty', (dir) => truncateSync(join(dir, 'rollcall.db'), 0), 'rollcall.db is empty'],
  ['cut in half', (dir) => truncateSync(join(dir, 'rollcall.db'), 4096 * 12), 'SQLITE_CORRUPT'],
  ['cut inside its first page', (dir) => truncateSync(join(dir, 'rollcall.db'), 60), 'first page'],
  ['overwritten', (dir) => writeFileSync(join(dir, 'rollcall.db'), Buffer.alloc(40960, 7)), 'first page'],
  ['without its witness', (dir) => rmSync(join(dir, 'head-witness')), 'head-witness is missing'],
  [
    'missing with its witness, its key left',
    (dir) => ['rollcall.db', 'head-witness'].forEach((name) => rmSync(join(dir, name))),
    'keys/kek',
  ],
  ['beside a spoilt witness', (dir) => writeFileSync(join(dir, 'head-witness'), 'x'.repeat(8192)), 'no valid slot'],
  [
    'shorter than its witness',
    (dir) => tamper(dir, 'DELETE FROM punch WHERE n = 23; DELETE FROM journal WHERE n = 23'),
    'ends at record 22',
  ],
  ['without its key', (dir) => rmSync(join(dir, 'keys', 'kek')), 'keys/kek is missing'],
  [
    'beside another key',
    (dir) => writeFileSync(join(dir, 'keys', 'kek'), `${Buffer.alloc(32, 9).toString('base64')}\n`),
    'not the one',
  ],
  [
    'changed behind its back',
    (dir) =>
      tamper(
        dir,
        "UPDATE punch SET wall_time = '2020-01-01 00:00:00' WHERE n = 4; DELETE FROM meta WHERE name = 'verified'",
      ),
    'record 4',
  ],
])('a database that is %s is refused with the reason, and nothing is moved or made', (_what, damage, reason) => {
  const dir = soundDir();
  damage(dir);
  const before = snapshot(dir);
  expect(() => open(dir)).toThrow(code('store-damaged', reason));
  const after = snapshot(dir);
  delete after['rollcall.db-wal'];
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const name of Object.keys(before)) expect([name, after[name] === before[name]]).toEqual([name, true]);
  expect(() => open(dir)).toThrow(code('store-damaged', reason));
});

test('a hot log that was deleted shows, because the witness had seen more', () => {
  const dir = tempDir();
  const { store } = open(dir);
  for (let index = 0; index < 300; index += 1) store.transact((tx) => tx.addPunch(punch(index)));
  const copy = tempDir();
  for (const name of ['rollcall.db', 'head-witness']) copyFileSync(join(dir, name), join(copy, name));
  expect(() => open(copy)).toThrow(code('store-damaged'));
});

test('a start that a person forces is recorded with what was found', () => {
  const dir = soundDir();
  tamper(
    dir,
    'DELETE FROM punch WHERE n = 23; DELETE FROM journal WHERE n = 23; UPDATE device SET punches = punches - 1',
  );
  const { store } = open(dir, { accept: { reason: 'backup of yesterday put back' } });
  expect(store.fact(23)).toMatchObject({
    what: 'start',
    data: { reason: 'backup of yesterday put back', accepted: expect.stringContaining('ends at record 22') as string },
  });
  expect(store.disk.accepted).toContain('ends at record 22');
  store.transact((tx) => tx.addPunch(punch(500)));
  store[Symbol.dispose]();
  expect(verifyDataDir(dir)).toMatchObject({ ok: true, records: 24 });
  open(dir);
});

test('a first start that is cut short at any file goes on at the next', () => {
  const finished = tempDir();
  open(finished).store[Symbol.dispose]();
  const names = ['head-witness', 'rollcall.db'];
  for (let kept = 0; kept <= names.length; kept += 1) {
    const dir = tempDir();
    // The witness of a start that was begun is written first; then comes the empty file.
    open(dir).store[Symbol.dispose]();
    rmSync(join(dir, 'keys', 'kek'));
    rmSync(join(dir, 'rollcall.db'));
    rmSync(join(dir, 'head-witness.previous'), { force: true });
    if (kept === 0) rmSync(join(dir, 'head-witness'));
    else writeBegun(join(dir, 'head-witness'));
    if (kept === 2) writeFileSync(join(dir, 'rollcall.db'), '');
    expect(open(dir).store.head().n).toBe(1);
  }
});

function writeBegun(path: string): void {
  const other = tempDir();
  try {
    open(other, { migrations: [{ version: 1, name: 'x.sql', sql: 'SELECT broken' }] });
  } catch {
    copyFileSync(join(other, 'head-witness'), path);
  }
}

test('the witness follows every 256 records, after a minute, and at close', async () => {
  const dir = tempDir();
  const { store, clock } = open(dir);
  const witnessed = (): number => readWitness(join(dir, 'head-witness'))?.n ?? -1;
  expect(witnessed()).toBe(1);
  store.transact((tx) => {
    for (let index = 0; index < 255; index += 1) tx.addPunch(punch(index));
  });
  expect(witnessed()).toBe(1);
  store.transact((tx) => tx.addPunch(punch(255)));
  expect(witnessed()).toBe(257);
  await clock.advance(60_000);
  store.transact((tx) => tx.addPunch(punch(256)));
  expect(witnessed()).toBe(258);
  store.transact((tx) => tx.addPunch(punch(257)));
  store.maintain();
  expect(witnessed()).toBe(259);
  store.transact((tx) => tx.addPunch(punch(258)));
  store[Symbol.dispose]();
  expect(readWitness(join(dir, 'head-witness'))).toMatchObject({ n: 260, punches: 259, startN: 1 });
});

test('one torn slot of the witness is survived', () => {
  const dir = soundDir();
  const path = join(dir, 'head-witness');
  const newest = readWitness(path);
  const bytes = readFileSync(path);
  bytes.fill(0, ((newest?.turn ?? 0) % 2) * 4096 + 20, ((newest?.turn ?? 0) % 2) * 4096 + 60);
  writeFileSync(path, bytes);
  expect(readWitness(path)?.turn).toBe((newest?.turn ?? 0) - 1);
  open(dir);
});

test('maintain finds what was changed while the daemon ran, and stops the store', () => {
  const dir = tempDir();
  const { store } = open(dir);
  store.transact((tx) => tx.addPunch(punch(0)));
  const other = new Database(join(dir, 'rollcall.db'));
  other.exec("DROP TRIGGER punch_no_update; UPDATE punch SET trainee_no = 'T9'");
  other.close();
  expect(() => store.maintain()).toThrow(code('store-damaged', 'record 2'));
  expect(() => store.transact((tx) => tx.addPunch(punch(1)))).toThrow(code('store-damaged', 'record 2'));
});

const sqlite3 = needs('sqlite3');
test.skipIf(!sqlite3.available)(`the views can be read by others while the daemon runs ${sqlite3.reason}`, () => {
  const dir = tempDir();
  const { store } = open(dir);
  store.transact((tx) => {
    tx.addPunch(punch(0));
    tx.addEvent({ kind: 'event', what: 'clock', at: 5 as never, data: { source: 'gateway', beforeMs: 1, afterMs: 2 } });
  });
  const read = (sql: string): string =>
    spawnSync('sqlite3', ['-readonly', join(dir, 'rollcall.db'), sql], { encoding: 'utf8' }).stdout.trim();
  expect(read('SELECT n, device_sn, device_user_id, wall_time, source FROM v_punch')).toBe(
    '2|AF4C202260001|1001|2026-09-10 08:43:00|poll',
  );
  expect(read('SELECT at, before_ms, after_ms, source FROM v_clock_event')).toBe('5|1|2|gateway');
  expect(read('SELECT records, batches FROM v_pending')).toBe('3|0');
  expect(existsSync(join(dir, 'rollcall.db-wal'))).toBe(true);
});
