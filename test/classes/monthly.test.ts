/** Monthly figures as of the 25th: head counts apart, hours of the period, classes that meet it. */
import { expect, test } from 'vitest';
import { monthlyFigures } from '../../src/classes/monthly.js';
import { sealClass } from '../../src/classes/seal.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { at, by, classText, FULL_DAY, openBench, person, punch, take, type Bench } from './class-fixture.js';

function settle({ store, classes, clock }: Bench): void {
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

/** From 21 September to 2 October: nine class days, so the 25th cuts it; T003 leaves on the 24th. */
function twoMonths(): Bench {
  const bench = openBench();
  const dates = ['21', '22', '23', '24', '25', '28', '29'].map((one) => `{ date: 2026-09-${one} }`);
  bench.classes.importText(
    'c.yaml',
    classText({
      period: '{ from: 2026-09-21, to: 2026-09-30 }',
      head: 'approval: 昆人社培〔2026〕31号\napprovedHeadcount: 30',
      timetable: `[${dates.join(', ')}]`,
      people: [person(1), person(2), person(3, ', enrolledTo: 2026-09-24')],
    }),
    by,
  );
  take(
    bench,
    ...['2026-09-21', '2026-09-25', '2026-09-28'].flatMap((date) => FULL_DAY.map((time) => punch(date, time))),
    ...FULL_DAY.slice(0, 2).map((time) => punch('2026-09-21', time, { user: 'T003' })),
    ...FULL_DAY.slice(0, 2).map((time) => punch('2026-09-29', time, { user: 'T002' })),
  );
  bench.clock.jump(at('2026-10-02', '08:00') - bench.clock.now());
  settle(bench);
  return bench;
}

test('a period is from the 26th to the 25th, and counts what lies in it', () => {
  const { store } = twoMonths();
  const figures = monthlyFigures(store, '2026-09');
  expect(figures).toMatchObject({ month: '2026-09', from: '2026-08-26', to: '2026-09-25' });
  expect(figures.classes).toMatchObject([
    {
      classNo: 'BT2026-031',
      state: 'active',
      approval: '昆人社培〔2026〕31号',
      approvedHeadcount: 30,
      enrolled: 2,
      present: 2,
      plannedHours: 40,
      plannedInPeriod: 40,
      attendedHours: 16,
      deliveredHours: null,
      personHours: 20,
      results: 'final',
    },
  ]);
  const october = monthlyFigures(store, '2026-10').classes;
  expect(october).toMatchObject([
    { state: 'ended', enrolled: 2, present: 2, plannedInPeriod: 16, attendedHours: 12, personHours: 12 },
  ]);
  expect(monthlyFigures(store, '2026-11').classes).toEqual([]);
  expect(monthlyFigures(store, '2026-08').classes).toEqual([]);
});

test('totals add up the classes; an approval that nobody told stays unknown', () => {
  const bench = twoMonths();
  bench.classes.importText(
    'b.yaml',
    classText({ classNo: 'A1', people: [person(4)], period: '{ from: 2026-09-07, to: 2026-09-11 }' }),
    by,
  );
  const { totals, classes } = monthlyFigures(bench.store, '2026-09');
  expect(classes.map(({ classNo }) => classNo)).toEqual(['A1', 'BT2026-031']);
  expect(classes[0]).toMatchObject({ state: 'ended', approvedHeadcount: null, present: 0, personHours: 0 });
  expect(totals).toEqual({
    classes: 2,
    approvedHeadcount: 30,
    enrolled: 3,
    present: 2,
    plannedHours: 80,
    plannedInPeriod: 80,
    attendedHours: 16,
    deliveredHours: null,
    personHours: 20,
  });
  expect(monthlyFigures(bench.store, '2027-01').totals).toMatchObject({ classes: 0, approvedHeadcount: null });
});

test('a sealed class says so, with the same figures', () => {
  const { store, clock } = twoMonths();
  const before = monthlyFigures(store, '2026-10').classes[0];
  sealClass(store, 'BT2026-031', { by: '李主任', at: clock.now() });
  expect(monthlyFigures(store, '2026-10').classes[0]).toEqual({ ...before, state: 'sealed', results: 'sealed' });
});

test('another day, the turn of a year, and what is no month', () => {
  const { store } = openBench();
  expect(monthlyFigures(store, '2026-01')).toMatchObject({ from: '2025-12-26', to: '2026-01-25' });
  expect(monthlyFigures(store, '2026-03', 28)).toMatchObject({ from: '2026-03-01', to: '2026-03-28' });
  expect(monthlyFigures(store, '2028-03', 28)).toMatchObject({ from: '2028-02-29', to: '2028-03-28' });
  for (const month of ['2026-13', '2026', '2026-1', '2026-09-01', 'x'])
    expect(() => monthlyFigures(store, month)).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error);
  for (const day of [0, 29, 1.5])
    expect(() => monthlyFigures(store, '2026-09', day)).toThrow(
      expect.objectContaining({ code: 'bad-argument' }) as Error,
    );
});
