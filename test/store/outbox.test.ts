import { expect, test } from 'vitest';
import type { Instant } from '../../src/core/time.js';
import { event, freshUpstream, nextBatch, open, punch, receiptFor, T0, tempDir, type Opened } from './fixtures.js';

const misuse = expect.objectContaining({ code: 'store-misuse' }) as Error;
const EP = freshUpstream().ep;

/** A store whose upstream has `count` sealed batches of one event each. */
function sealed(count: number): Opened {
  const opened = open(tempDir());
  const { store } = opened;
  store.transact((tx) => tx.putUpstream(freshUpstream()));
  for (let index = 0; index < count; index += 1) {
    store.transact((tx) => tx.addEvent(event({ index })));
    const batch = nextBatch(store);
    store.transact((tx) => tx.addBatch(batch));
  }
  return opened;
}

test('batches come back verbatim and in order, and the state moves with them', () => {
  const { store } = sealed(3);
  const all = store.batches('city', EP, 0, 10);
  expect(all.map(({ seq, n0, n1 }) => [seq, n0, n1])).toEqual([
    [1, 1, 2],
    [2, 3, 3],
    [3, 4, 4],
  ]);
  expect(store.batch('city', EP, 2)).toEqual(all[1]);
  expect(store.batches('city', EP, 1, 1)).toEqual([all[1]]);
  expect(store.batches('other', EP, 0, 10)).toEqual([]);
  expect(store.upstream('city')).toMatchObject({
    headSeq: 3,
    headHash: all[2]?.hash,
    sealedN: 4,
    ackedSeq: 0,
    ackedN: 0,
  });
});

test('a batch that does not continue the chain is refused and leaves nothing', () => {
  const { store } = sealed(1);
  store.transact((tx) => tx.addEvent(event()));
  const good = nextBatch(store);
  for (const bad of [
    { ...good, seq: 3 },
    { ...good, prev: '0'.repeat(64) },
    { ...good, n0: good.n0 + 1 },
    { ...good, n1: good.n1 + 1 },
    { ...good, n1: good.n0 - 1 },
    { ...good, ep: 'f'.repeat(32) },
    { ...good, upstream: 'nobody' },
  ]) {
    expect(() => store.transact((tx) => tx.addBatch(bad))).toThrow(misuse);
  }
  expect(store.upstream('city')).toMatchObject({ headSeq: 1 });
  store.transact((tx) => tx.addBatch(good));
});

test('a receipt is cumulative; late, repeated and foreign ones change nothing', () => {
  const { store } = sealed(3);
  const [first, second, third] = store.batches('city', EP, 0, 10);
  if (!first || !second || !third) throw new Error('three batches');
  store.transact((tx) => tx.acknowledge(receiptFor(second)));
  expect(store.upstream('city')).toMatchObject({ ackedSeq: 2, ackedHash: second.hash, ackedN: 3 });
  store.transact((tx) => {
    tx.acknowledge(receiptFor(second));
    tx.acknowledge(receiptFor(first));
  });
  expect(store.lastReceipt('city')).toEqual(receiptFor(second));
  expect(store.db.prepare('SELECT count(*) AS n FROM receipt').get()).toEqual({ n: 1 });
  expect(() => store.transact((tx) => tx.acknowledge({ ...receiptFor(third), hash: first.hash }))).toThrow(misuse);
  expect(() => store.transact((tx) => tx.acknowledge({ ...receiptFor(third), through: 9 }))).toThrow(misuse);
  expect(store.pending('city')).toEqual({ records: 1, batches: 1, oldestAt: T0 });
  expect(store.db.prepare('SELECT * FROM v_pending').get()).toEqual({ records: 1, batches: 1, oldest_at: T0 });
});

test('a platform that went back to an older copy gets the stored bytes again', () => {
  const { store } = sealed(3);
  const [first, , third] = store.batches('city', EP, 0, 10);
  if (!first || !third) throw new Error('three batches');
  store.transact((tx) => tx.acknowledge(receiptFor(third)));
  store.transact((tx) => tx.unacknowledge('city', EP, 1));
  expect(store.upstream('city')).toMatchObject({ ackedSeq: 1, ackedHash: first.hash, ackedN: 2, headSeq: 3 });
  store.transact((tx) => tx.unacknowledge('city', EP, 0));
  expect(store.upstream('city')).toMatchObject({ ackedSeq: 0, ackedHash: freshUpstream().headHash, ackedN: 0 });
  expect(store.lastReceipt('city')).toEqual(receiptFor(third));
  store.transact((tx) => tx.acknowledge(receiptFor(third)));
  expect(store.pending('city')).toMatchObject({ records: 0, batches: 0, oldestAt: null });
});

test('a new epoch begins anew, and the old batches stay', () => {
  const { store } = sealed(2);
  const ep = 'a'.repeat(32);
  const cont = { ep: EP, seq: 2, hash: 'x', why: 'restore' };
  const fresh = freshUpstream({ ep, sealedN: 1, ackedN: 1, cont });
  store.transact((tx) => tx.putUpstream(fresh));
  expect(store.upstream('city')).toEqual(fresh);
  expect(store.batches('city', EP, 0, 10)).toHaveLength(2);
  const batch = nextBatch(store);
  expect(batch).toMatchObject({ seq: 1, n0: 2, ep });
  store.transact((tx) => tx.addBatch(batch));
  expect(() => store.transact((tx) => tx.unacknowledge('city', EP, 0))).toThrow(misuse);
});

test('the last platform state is remembered', () => {
  const { store } = sealed(0);
  store.transact((tx) => tx.setPlatAt('city', 77));
  expect(store.upstream('city')?.platAt).toBe(77);
});

test('an upstream nobody set up has everything pending and nothing sealed', () => {
  const { store } = open(tempDir());
  expect(store.upstream('city')).toBeNull();
  expect(store.pending('city')).toEqual({ records: 1, batches: 0, oldestAt: T0 });
  expect(store.lastReceipt('city')).toBeNull();
});

test('pending with two upstreams counts what the slower one lacks', () => {
  const { store } = sealed(2);
  store.transact((tx) =>
    tx.putUpstream(freshUpstream({ upstream: 'region', ep: 'b'.repeat(32), sealedN: 3, ackedN: 3 })),
  );
  const batch = store.batch('city', EP, 1);
  if (!batch) throw new Error('no batch');
  store.transact((tx) => tx.acknowledge(receiptFor(batch)));
  expect(store.db.prepare('SELECT * FROM v_pending').get()).toEqual({ records: 1, batches: 1, oldest_at: T0 });
  expect(store.pending('region').records).toBe(0);
});

test('of several causes the first is told, but one that a person stands for comes before what merely happened', () => {
  const { store } = open(tempDir());
  const day = { classNo: 'C1', traineeNo: 'T1', date: '2026-09-10' as never };
  for (const [cause, told] of [
    ['punch', 'punch'],
    ['backfill', 'punch'],
    ['makeup', 'makeup'],
    ['import', 'makeup'],
    ['punch', 'makeup'],
  ] as const) {
    store.transact((tx) => tx.touchDay({ ...day, cause }));
    expect(store.touchedDays(10)).toMatchObject([{ cause: told }]);
  }
});

test('a touched day is only done with the stamp it was taken with, and stamps rise over restarts', () => {
  const dir = tempDir();
  const first = open(dir);
  const day = { classNo: 'C1', traineeNo: 'T1', date: '2026-09-10' as never, cause: 'punch' };
  first.store.transact((tx) => tx.touchDay(day));
  const [taken] = first.store.touchedDays(10);
  if (!taken) throw new Error('no day');
  first.store.transact((tx) => tx.touchDay({ ...day, cause: 'backfill' }));
  first.store.transact((tx) => tx.untouchDay(taken));
  const [again] = first.store.touchedDays(10);
  expect(again).toMatchObject({ cause: 'punch' });
  expect(again?.stamp).toBeGreaterThan(taken.stamp);
  first.store.transact((tx) => again && tx.untouchDay(again));
  expect(first.store.touchedDays(10)).toEqual([]);
  first.store[Symbol.dispose]();
  const { store } = open(dir);
  store.transact((tx) => tx.touchDay(day));
  expect(store.touchedDays(10)[0]?.stamp).toBeGreaterThan(again?.stamp ?? Infinity);
});

test('touched days come oldest touch first, within the limit', () => {
  const { store } = open(tempDir());
  const touch = (traineeNo: string) =>
    store.transact((tx) => tx.touchDay({ classNo: 'C1', traineeNo, date: '2026-09-10' as never, cause: 'punch' }));
  ['T3', 'T1', 'T2', 'T3'].forEach(touch);
  expect(store.touchedDays(2).map((day) => day.traineeNo)).toEqual(['T1', 'T2']);
});

const HOUR = 3_600_000;
const DAY = { from: (T0 - 9 * HOUR) as Instant, to: (T0 + 15 * HOUR) as Instant };

test('punches of a day are found by told, used and receipt time, and those of other days and people are not', () => {
  const { store } = open(tempDir());
  const add = (over: Parameters<typeof punch>[1], index = 0) => store.transact((tx) => tx.addPunch(punch(index, over)));
  const at = (ms: number): Instant => ms as Instant;
  const plain = add({ deviceUserId: '7' });
  const dead = add({
    deviceUserId: '7',
    wallTime: '2000-01-01 00:00:00' as never,
    instant: at(946_656_000_000),
    effective: T0,
  });
  const impossible = add({
    deviceUserId: '7',
    wallTime: '2026-02-30 08:00:00' as never,
    instant: null,
    effective: null,
  });
  const untimed = add({
    deviceUserId: '7',
    wallTime: '2026-09-10 09:00:00' as never,
    instant: at(T0),
    effective: null,
    rx: at(T0 + 900 * HOUR),
  });
  add({ deviceUserId: '7' }, 3 * 86_400);
  add({ deviceUserId: '8' });
  add({
    deviceUserId: '7',
    wallTime: '2001-01-01 00:00:00' as never,
    instant: at(978_278_400_000),
    effective: at(T0 + 100 * HOUR),
  });
  expect(store.punchesAround(['7', '7', '9'], DAY.from, DAY.to).map(({ n }) => n)).toEqual([
    plain,
    dead,
    impossible,
    untimed,
  ]);
  expect(store.punchesAround([], DAY.from, DAY.to)).toEqual([]);
});

test('finding a day reads an index, not the table', () => {
  const { store } = open(tempDir());
  const plan = (where: string): string =>
    (store.db.prepare(`EXPLAIN QUERY PLAN SELECT n FROM punch WHERE ${where}`).all() as { detail: string }[])
      .map(({ detail }) => detail)
      .join();
  expect(plan("device_user_id = '7' AND wall_time BETWEEN 'a' AND 'b'")).toContain('punch_identity');
  expect(plan("astray = 1 AND device_user_id = '7' AND coalesce(effective, rx) BETWEEN 1 AND 2")).toContain(
    'punch_astray',
  );
});
