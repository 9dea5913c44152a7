import { expect, test } from 'vitest';
import type { Instant } from '../../src/core/time.js';
import { credit, event, open, punch, T0, tempDir } from './fixtures.js';

test('a first start records itself and a second start goes on from there', () => {
  const dir = tempDir();
  const first = open(dir);
  expect(first.store.head().n).toBe(1);
  const head = first.store.head();
  expect(first.store.fact(1)).toMatchObject({
    kind: 'event',
    what: 'start',
    n: 1,
    data: { software: '0.1.0', previous: { n: 0 } },
  });
  first.store[Symbol.dispose]();
  const { store } = open(dir);
  expect(store.fact(2)).toMatchObject({ what: 'start', data: { previous: { n: 1, hash: head.hash } } });
});

test('facts come back as they went in, in order, with numbers without gaps', () => {
  const { store } = open(tempDir());
  const numbers = store.transact((tx) => [
    tx.addPunch(punch(0)),
    tx.addEvent(event()),
    tx.addCredit(credit(1)),
    tx.addPunch(punch(1)),
  ]);
  expect(numbers).toEqual([2, 3, 4, 5]);
  expect(store.facts(1, 10)).toEqual([
    { ...punch(0), n: 2 },
    { ...event(), n: 3 },
    { ...credit(1), n: 4 },
    { ...punch(1), n: 5 },
  ]);
  expect(store.facts(1, 2).map((fact) => fact.n)).toEqual([2, 3]);
  expect(store.facts(2, 10, 'punch').map((fact) => fact.n)).toEqual([5]);
  expect(store.fact(4)).toEqual({ ...credit(1), n: 4 });
  expect(store.fact(9)).toBeNull();
  expect(store.factAt(5)).toBe(T0);
});

test('a punch with the same identity is stored once, whatever else differs', () => {
  const { store } = open(tempDir());
  expect(store.transact((tx) => tx.addPunch(punch(0)))).toBe(2);
  expect(
    store.transact((tx) =>
      tx.addPunch(punch(0, { source: 'push', direction: 'out', seq: 77, rx: (T0 + 99999) as Instant })),
    ),
  ).toBeNull();
  expect(store.transact((tx) => tx.addPunch(punch(0, { deviceSn: 'OTHER' })))).toBe(3);
  expect(store.punchCount()).toBe(2);
  expect(store.punchCount('OTHER')).toBe(1);
  expect(store.punchCount('NONE')).toBe(0);
});

test('where the driver trusts its record numbers, they join the identity', () => {
  const { store } = open(tempDir());
  const add = (seq: number) => store.transact((tx) => tx.addPunch(punch(0, { seq, seqIsIdentity: true })));
  expect([add(5), add(6), add(5)]).toEqual([2, 3, null]);
  expect(store.fact(3)).toMatchObject({ seq: 6, seqIsIdentity: true });
});

test('a throw leaves nothing: no fact, no number, no cursor, no device', () => {
  const { store } = open(tempDir());
  const before = store.head();
  expect(() =>
    store.transact((tx) => {
      tx.addPunch(punch(0));
      tx.setCursor('AF4C202260001', { at: 7 });
      throw new Error('crash');
    }),
  ).toThrow('crash');
  expect(store.head()).toEqual(before);
  expect(store.cursor('AF4C202260001')).toBeNull();
  expect(store.punchCount()).toBe(0);
  store.transact((tx) => {
    expect(tx.addPunch(punch(0))).toBe(2);
    tx.setCursor('AF4C202260001', { at: 7 });
  });
  expect(store.cursor('AF4C202260001')).toEqual({ at: 7 });
});

test('forgotten positions are gone for every terminal, and for good only with their transaction', () => {
  const { store } = open(tempDir());
  store.transact((tx) => {
    tx.setCursor('ONE', { at: 1 });
    tx.setCursor('TWO', { at: 2 });
  });
  expect(() =>
    store.transact((tx) => {
      tx.forgetCursors();
      throw new Error('no');
    }),
  ).toThrow('no');
  expect([store.cursor('ONE'), store.cursor('TWO')]).toEqual([{ at: 1 }, { at: 2 }]);
  store.transact((tx) => tx.forgetCursors());
  expect([store.cursor('ONE'), store.cursor('TWO')]).toEqual([null, null]);
});
