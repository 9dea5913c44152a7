/** What is gathered for the sums of a class: evidence, teachers, rooms, and flags that the journal and other rosters tell. */
import { expect, test } from 'vitest';
import { createClassIndex } from '../../src/classes/class-index.js';
import { loadClasses } from '../../src/classes/class-tables.js';
import { recordedResults, totalsOf } from '../../src/classes/class-totals.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import type { ClassTotals } from '../../src/rules/class-totals.js';
import {
  at,
  by,
  classText,
  day,
  documentOf,
  FULL_DAY,
  nameOf,
  openBench,
  person,
  punch,
  take,
  type Bench,
} from './class-fixture.js';

const CLASS = 'BT2026-031';

function settle({ store, classes, clock }: Bench, date: string): void {
  clock.jump(at(date, '23:45') - clock.now());
  const next = { ring: () => undefined };
  const unit = createCreditUnit({
    store,
    classes,
    clock,
    bell: createDoorbell(clock),
    next,
    lastDrainedAt: () => null,
  });
  for (let steps = 0; unit.step(); steps += 1) if (steps > 1000) throw new Error('the unit never comes to rest');
}

function totals({ store }: Bench, classNo = CLASS, through: string | null = null): ClassTotals {
  const found = totalsOf(store, createClassIndex(loadClasses(store)), classNo, {
    through: through === null ? null : day(through),
  });
  if (!found) throw new Error('no class');
  return found;
}

test('of people who are on the roster no more nothing is added, of the others every day', () => {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText(), by);
  take(bench, ...['T001', 'T002'].flatMap((user) => FULL_DAY.map((time) => punch('2026-09-07', time, { user }))));
  settle(bench, '2026-09-08');
  bench.classes.importText('c.yaml', classText({ people: [person(1), person(3)] }), by);
  const found = totals(bench);
  expect(found.people.map(({ traineeNo, totalHours, percent }) => [traineeNo, totalHours, percent])).toEqual([
    ['T001', 8, 20],
    ['T003', 0, 0],
  ]);
  expect(found).toMatchObject({ attendedHours: 8, sessionsHeld: 2, present: 2, expected: 4 });
  expect(totalsOf(bench.store, createClassIndex(loadClasses(bench.store)), 'NONE', { through: null })).toBeNull();
});

test('a person who repeats an occupation, an opening without approval and a plan that shrank are flags', () => {
  const bench = openBench();
  const again = `  - { traineeNo: "T001", name: ${nameOf(1)}, documentNumber: "${documentOf(1)}" }`;
  bench.classes.importText(
    'before.yaml',
    classText({ classNo: 'A1', period: '{ from: 2026-08-03, to: 2026-08-07 }', people: [again] }),
    by,
  );
  const open = { head: 'unapproved: { by: 张督导, reason: 待批 }' };
  bench.classes.importText('c.yaml', classText(open), by);
  const change = 'change: { reason: 教室停电, by: 李老师 }';
  bench.classes.importText(
    'c.yaml',
    classText({ ...open, timetable: '{ weekdays: [mon, tue, wed, thu] }', extra: change }),
    by,
  );
  const found = totals(bench);
  expect(found.people[0]?.flags).toEqual(['REPEAT_OCCUPATION']);
  expect(found.people[1]?.flags).toEqual([]);
  expect(found.flags.class).toEqual({ HOURS_REDUCED: 1, TIMETABLE_CHANGED: 1, UNAPPROVED_CLASS: 1 });
  expect(found).toMatchObject({ plannedHours: 40, timetableHours: 32 });
});

test('a replaced device is a flag of the classes it served then, and of no others', () => {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText({ terminals: '[{ terminal: gate, to: 2026-09-09 }]' }), by);
  const rebound = (terminal: string, date: string): void =>
    void bench.store.transact((tx) =>
      tx.addEvent({
        kind: 'event',
        what: 'device',
        at: at(date, '08:00'),
        data: { terminal, state: 'DEVICE_REBOUND' },
      }),
    );
  rebound('workshop', '2026-09-08');
  rebound('gate', '2026-09-11');
  expect(totals(bench).flags.class).toEqual({});
  rebound('gate', '2026-09-08');
  expect(totals(bench).flags.class).toEqual({ DEVICE_REBOUND: 1 });
});

test('rooms of terminals come from the classes there: one person in two rooms is a pattern', () => {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText(), by);
  const other = classText({ classNo: 'B2', people: [person(4)], terminals: '[{ terminal: workshop }]' });
  bench.classes.importText('b.yaml', other.replace('room: A301', 'room: B102'), by);
  take(bench, punch('2026-09-07', '08:20'), punch('2026-09-07', '08:21', { terminal: 'workshop' }));
  expect(totals(bench).patterns).toMatchObject([{ code: 'TWO_PLACES', traineeNo: 'T001', date: '2026-09-07' }]);
  // A terminal of which nobody says where it hangs is no second place.
  take(bench, punch('2026-09-08', '08:20'), punch('2026-09-08', '08:21', { terminal: 'other' }));
  expect(totals(bench).patterns).toHaveLength(1);
});

test('a lesson without its teacher is found once its day is over, also when another teacher came', () => {
  const bench = openBench();
  const sessions = 'sessions: [{ id: AM, start: "08:30", end: "12:00", lessons: 4, teacher: J1 }]';
  const text = classText({ timetable: `[{ date: 2026-09-07, ${sessions} }, { date: 2026-09-08, ${sessions} }]` });
  bench.classes.importText(
    'c.yaml',
    text
      .replace('plannedHours: 40', 'plannedHours: 8')
      .replace('teachers: [', 'teachers: [{ teacherNo: J2, name: 司徒老师傅 }, '),
    by,
  );
  for (const date of ['2026-09-07', '2026-09-08'])
    take(bench, ...FULL_DAY.slice(0, 2).map((time) => punch(date, time)));
  take(bench, punch('2026-09-07', '08:15', { user: 'J2' }), punch('2026-09-08', '08:15', { user: 'J1' }));
  settle(bench, '2026-09-09');
  expect(totals(bench, CLASS, '2026-09-08').teachers).toMatchObject([
    { code: 'TEACHER_CHANGED', date: '2026-09-07', planned: 'J1', present: ['J2'] },
  ]);
  expect(totals(bench).teachers).toEqual([]);
});

test('the results of a class are provisional as soon as one is', () => {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText({ people: [person(1)] }), by);
  expect(recordedResults(bench.store, CLASS)).toEqual({ credits: [], status: null, throughN: 0 });
  take(bench, punch('2026-09-07', '08:20'));
  settle(bench, '2026-09-07');
  expect(recordedResults(bench.store, CLASS)).toMatchObject({ status: 'provisional' });
  settle(bench, '2026-09-12');
  const { status, credits, throughN } = recordedResults(bench.store, CLASS);
  expect([status, credits.length]).toEqual(['final', 5]);
  expect(throughN).toBe(bench.store.head().n);
});
