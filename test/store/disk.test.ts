/** A full disk, a sick disk, and callers that break the rules. */
import { expect, test, vi } from 'vitest';
import { asStoreError, createDiskHealth } from '../../src/store/disk-health.js';
import { fail } from '../../src/core/errors.js';
import type { Db } from '../../src/store/store.js';
import { createFakeClock } from '../support/fake-clock.js';
import { event, freshUpstream, nextBatch, open, punch, receiptFor, tempDir } from './fixtures.js';

const code = (wanted: string): Error => expect.objectContaining({ code: wanted }) as Error;
const sqliteError = (name: string): Error =>
  Object.assign(new Error('disk I/O error'), { name: 'SqliteError', code: name });

/** Lets COMMIT fail on every connection of this process until restored. */
function failingCommits(db: Db, name: string): { restore(): void } {
  const prototype = Object.getPrototypeOf(db) as Db;
  const exec = Reflect.get<Db, 'exec'>(prototype, 'exec');
  const spy = vi.spyOn(prototype, 'exec').mockImplementation(function (this: Db, sql: string) {
    if (sql === 'COMMIT') throw sqliteError(name);
    return exec.call(this, sql);
  });
  return { restore: () => spy.mockRestore() };
}

test('a full disk keeps nothing, is reported as storage, and work goes on by itself when there is space', () => {
  const { store } = open(tempDir());
  const { n } = store.head();
  store.db.pragma(`max_page_count = ${String(store.db.pragma('page_count', { simple: true }))}`);
  const fill = (): void =>
    store.transact((tx) => {
      for (let index = 0; index < 500; index += 1) tx.addPunch(punch(index));
    });
  for (let round = 1; round <= 4; round += 1) {
    expect(fill).toThrow(expect.objectContaining({ code: 'store-failed', kind: 'storage' }) as Error);
    expect(store.disk).toMatchObject({ failures: round, refusing: false, reason: 'SQLITE_FULL' });
  }
  expect([store.head().n, store.punchCount()]).toEqual([n, 0]);
  store.db.pragma('max_page_count = 100000');
  fill();
  expect(store.disk).toMatchObject({ failures: 0, reason: null });
  expect(store.punchCount()).toBe(500);
});

test('after an I/O error the connection is replaced and the next transaction works', () => {
  const { store } = open(tempDir());
  store.transact((tx) => tx.addPunch(punch(0)));
  const before = store.db;
  const failing = failingCommits(before, 'SQLITE_IOERR_FSYNC');
  expect(() => store.transact((tx) => tx.addPunch(punch(1)))).toThrow(code('store-failed'));
  failing.restore();
  expect(before.open).toBe(false);
  expect(store.head().n).toBe(2);
  expect(store.transact((tx) => tx.addPunch(punch(1)))).toBe(3);
  expect(store.db).not.toBe(before);
});

test('three I/O errors in a row: work is refused, a try every five seconds, and one that works ends it', async () => {
  const { store, clock } = open(tempDir());
  const failing = failingCommits(store.db, 'SQLITE_IOERR_WRITE');
  const add = (index: number) => store.transact((tx) => tx.addPunch(punch(index)));
  for (let index = 0; index < 3; index += 1) expect(() => add(index)).toThrow(code('store-failed'));
  failing.restore();
  expect(store.disk.refusing).toBe(true);
  expect(() => add(3)).toThrow('the next try waits');
  await clock.advance(4999);
  expect(() => add(3)).toThrow('the next try waits');
  await clock.advance(1);
  expect(add(3)).toBe(2);
  expect(store.disk).toMatchObject({ refusing: false, failures: 0 });
});

test('a failed try starts the five seconds anew', async () => {
  const clock = createFakeClock();
  const health = createDiskHealth(clock);
  const ioError = fail('store-failed', { reason: 'SQLITE_IOERR_READ' });
  for (let index = 0; index < 3; index += 1) expect(health.failed(ioError)).toBe(true);
  await clock.advance(5000);
  expect(health.mayWrite()).toBe(true);
  health.failed(ioError);
  expect(() => health.mayWrite()).toThrow(code('store-failed'));
  health.worked();
  expect(health.mayWrite()).toBe(false);
});

test.each([
  ['SQLITE_FULL', 'store-failed'],
  ['SQLITE_IOERR_FSYNC', 'store-failed'],
  ['SQLITE_READONLY', 'store-failed'],
  ['SQLITE_BUSY', 'store-failed'],
  ['SQLITE_CORRUPT_INDEX', 'store-damaged'],
  ['SQLITE_NOTADB', 'store-damaged'],
  ['SQLITE_CONSTRAINT_CHECK', 'store-misuse'],
])('%s becomes %s', (given, wanted) => {
  expect(asStoreError(sqliteError(given), '/data')).toMatchObject({ code: wanted });
});

test('errors of the work itself pass unchanged', () => {
  const { store } = open(tempDir());
  const own = new Error('own');
  expect(() =>
    store.transact(() => {
      throw own;
    }),
  ).toThrow(own);
  expect(store.disk.failures).toBe(0);
});

test('raw and audit rows refuse change, deletion and replacement', () => {
  const { store } = open(tempDir());
  store.transact((tx) => {
    tx.addPunch(punch(0));
    tx.addEvent(event());
    tx.putUpstream(freshUpstream());
  });
  const batch = nextBatch(store);
  store.transact((tx) => tx.addBatch(batch));
  store.transact((tx) => tx.acknowledge(receiptFor(batch)));
  for (const table of ['journal', 'punch', 'event', 'batch', 'receipt', 'word']) {
    const column = (store.db.pragma(`table_info(${table})`) as { name: string }[])[0]?.name ?? '';
    expect(() => store.db.exec(`UPDATE ${table} SET ${column} = ${column}`)).toThrow('never changed');
    expect(() => store.db.exec(`DELETE FROM ${table}`)).toThrow('never deleted');
    expect(() => store.db.exec(`INSERT OR REPLACE INTO ${table} SELECT * FROM ${table}`)).toThrow();
  }
  expect(() => store.db.exec('INSERT INTO journal VALUES (77, 1, 0, zeroblob(32))')).toThrow('no gaps');
});

test('misuse is a bug of the caller: nesting, promises, use after the end, use after closing', () => {
  const { store } = open(tempDir());
  expect(() => store.transact(() => store.transact(() => 1))).toThrow(code('store-misuse'));
  expect(() => store.transact(async () => 1)).toThrow(code('store-misuse'));
  let escaped: (() => unknown) | null = null;
  store.transact((tx) => {
    escaped = () => tx.addPunch(punch(0));
  });
  expect(() => escaped?.()).toThrow(code('store-misuse'));
  expect(() => store.transact((tx) => tx.addPunch(punch(0, { direction: 'sideways' as never })))).toThrow(
    code('store-misuse'),
  );
  expect(store.head().n).toBe(1);
  store[Symbol.dispose]();
  expect(() => store.head()).toThrow(code('store-misuse'));
});
