/** Online hours: a file is imported once or not at all, a later one corrects an earlier one, and every day concerned is touched. */
import { expect, test } from 'vitest';
import type { GatewayError } from '../../src/core/errors.js';
import { loadEvidence } from '../../src/classes/evidence.js';
import { importOnline, onlineFaults, planOnline, type OnlineFile } from '../../src/classes/online-hours.js';
import type { OnlineRow } from '../../src/classes/sheet-online.js';
import { by, classText, day, openBench, person, type Bench } from './class-fixture.js';

const CLASS = 'BT2026-031';

function bench(): Bench {
  const made = openBench();
  const people = [person(1), person(2, ', enrolledFrom: 2026-09-08'), person(3)];
  made.classes.importText('class.yaml', classText({ people }), by);
  made.clock.jump(2 * 86_400_000); // Wednesday
  return made;
}

const row = (no: number, over: Partial<OnlineRow> = {}): OnlineRow => ({
  ...{ row: no, traineeNo: 'T001', date: day('2026-09-08'), lesson: `L${no}`, kind: 'theory', minutes: 50, proof: {} },
  ...over,
});

const file = (rows: readonly OnlineRow[], over: Partial<OnlineFile> = {}): OnlineFile => ({
  classNo: CLASS,
  sha256: 'b'.repeat(64),
  source: '张三的网课.xlsx',
  origin: '包头网校',
  rows,
  importedBy: 'S01',
  ...over,
});

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as GatewayError).code;
  }
  return 'none';
};

test('a file is imported once, with its event, and touches each day once', () => {
  const { store, clock } = bench();
  const rows = [row(2), row(3), row(4, { traineeNo: 'T002', kind: 'practice', proof: { signIn: '08:30' } })];
  expect(importOnline(store, file(rows), { clock })).toEqual({
    ...{ classNo: CLASS, result: 'imported', records: 3, trainees: 2, minutes: 150 },
    ...{ replaced: 0, repeated: 0, overwritten: 0 },
  });
  expect(store.touchedDays(10)).toMatchObject([
    { traineeNo: 'T001', date: '2026-09-08', cause: 'online' },
    { traineeNo: 'T002', date: '2026-09-08', cause: 'online' },
  ]);
  const event = store.facts(0, 100, 'event').at(-1);
  expect(event).toMatchObject({
    what: 'online',
    data: { classId: CLASS, import: 1, sha256: 'b'.repeat(64), records: 3, origin: '包头网校', by: 'S01' },
  });
  expect(JSON.stringify(event)).not.toContain('张三');
  const { n } = store.head();
  expect(importOnline(store, file(rows), { clock })).toMatchObject({ result: 'same' });
  expect(store.head().n).toBe(n);
  expect(loadEvidence(store, CLASS).of('T001', day('2026-09-08')).online).toEqual([
    { kind: 'theory', minutes: 50 },
    { kind: 'theory', minutes: 50 },
  ]);
});

test('a later file corrects an earlier one, and the import says how many', () => {
  const { store, clock } = bench();
  importOnline(store, file([row(2), row(3), row(4)]), { clock });
  const later = file([row(2), row(3, { minutes: 90 }), row(9, { lesson: 'L3', minutes: 45 }), row(5)], {
    sha256: 'c'.repeat(64),
  });
  expect(planOnline(store, later, clock.now())).toMatchObject({ result: 'checked', replaced: 1 });
  expect(importOnline(store, later, { clock })).toMatchObject({
    ...{ result: 'imported', replaced: 1, repeated: 1, overwritten: 1, minutes: 145 },
  });
  const minutes = loadEvidence(store, CLASS)
    .of('T001', day('2026-09-08'))
    .online.map((one) => one.minutes);
  expect(minutes.sort((a, b) => a - b)).toEqual([45, 50, 50, 50]);
});

test('one row that cannot be right refuses the whole file, and every such row is told', () => {
  const { store, clock, classes } = bench();
  const rows = [
    row(2),
    row(3, { traineeNo: 'T009' }),
    row(4, { traineeNo: 'T002', date: day('2026-09-07') }),
    row(5, { date: day('2026-09-10') }),
  ];
  const record = classes.get(CLASS);
  expect(record && onlineFaults(record, rows, clock.now()).map((fault) => fault.row)).toEqual([3, 4, 5]);
  const { n } = store.head();
  expect(() => importOnline(store, file(rows), { clock })).toThrow('3 faults, the first in row 3');
  expect(() => importOnline(store, file([]), { clock })).toThrow('faults');
  expect(store.head().n).toBe(n);
  expect(refusal(() => importOnline(store, file([row(2)], { classNo: 'X' }), { clock }))).toBe('request-class');
});

test('after sealing nothing is imported', () => {
  const { store, clock } = bench();
  store.transact(() =>
    store.db.prepare('INSERT INTO class_seal VALUES (?, ?, 0, ?, 0)').run(CLASS, 'a'.repeat(64), 'S01'),
  );
  expect(refusal(() => importOnline(store, file([row(2)]), { clock }))).toBe('class-sealed');
});
