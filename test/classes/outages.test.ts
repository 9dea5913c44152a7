/** Outages from the journal: terminals that went and came back, a gateway that was down, and what a clock or a moment must not make. */
import { expect, test } from 'vitest';
import { daysTouchedByOutage, loadOutages } from '../../src/classes/outages.js';
import { instant, instantToWall, type Instant } from '../../src/core/time.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { createDoorbell } from '../../src/core/unit.js';
import type { Store } from '../../src/store/store.js';
import { at, by, classText, openBench, punch, take, ZONE } from './class-fixture.js';

const MINUTE = 60_000;
const [FROM, TO] = [at('2026-09-07', '00:00'), at('2026-09-08', '00:00')];

function tell(store: Store, time: string, state: string, terminal = 'gate', date = '2026-09-07'): void {
  store.transact((tx) =>
    tx.addEvent({ kind: 'event', what: 'device', at: at(date, time), data: { state, terminal, deviceSn: 'X' } }),
  );
}

const clockOf = (when: Instant | null): string | null => when && instantToWall(when, ZONE).slice(5, 16);
const shown = (store: Pick<Store, 'db'>, terminals = ['gate'], from = FROM, to = TO): readonly unknown[] =>
  loadOutages(store, terminals, from, to).map((one) => [one.terminal, clockOf(one.from), clockOf(one.to)]);

test('a terminal is out from its loss to its return; a reconnection is none', () => {
  const { store } = openBench();
  tell(store, '07:55', 'online');
  tell(store, '08:10', 'offline');
  tell(store, '08:12', 'online'); // two minutes, no more
  tell(store, '09:00', 'offline');
  tell(store, '09:01', 'clock-odd');
  tell(store, '10:30', 'online');
  tell(store, '10:31', 'offline', 'workshop');
  tell(store, '11:00', 'DEVICE_REBOUND', 'workshop');
  tell(store, '16:00', 'offline');
  expect(shown(store)).toEqual([['gate', '09-07 09:00', '09-07 10:30']]);
  expect(shown(store, ['gate', 'workshop'])).toHaveLength(2);
  expect(shown(store, [])).toEqual([]);
});

test('one that goes on counts once the journal says that it lasts, and reaches into the days after', () => {
  const { store } = openBench();
  tell(store, '07:55', 'online');
  tell(store, '16:00', 'offline');
  expect(shown(store)).toEqual([]);
  tell(store, '16:03', 'still-offline');
  expect(shown(store)).toEqual([['gate', '09-07 16:00', null]]);
  const [later, end] = [at('2026-09-09', '00:00'), at('2026-09-10', '00:00')];
  tell(store, '07:00', 'offline', 'gate', '2026-09-08'); // told again after a restart
  expect(shown(store, ['gate'], later, end)).toEqual([['gate', '09-07 16:00', null]]);
  tell(store, '09:00', 'online', 'gate', '2026-09-09');
  expect(shown(store, ['gate'], later, end)).toEqual([['gate', '09-07 16:00', '09-09 09:00']]);
  expect(shown(store)).toEqual([['gate', '09-07 16:00', '09-09 09:00']]);
  expect(shown(store, ['gate'], end, instant(end + 86_400_000))).toEqual([]);
});

test('a clock that goes back makes no outage', () => {
  const { store } = openBench();
  tell(store, '12:00', 'offline');
  tell(store, '08:00', 'online');
  expect(shown(store)).toEqual([]);
});

test('the gateway was out from its last sign of life to its start, for every terminal', () => {
  const first = openBench();
  first.clock.jump(60 * MINUTE);
  tell(first.store, '08:00', 'online');
  first.clock.jump(90 * MINUTE); // 09:30, idle since 08:00 …
  first.store.maintain(); // … but alive
  first.clock.jump(MINUTE);
  const second = first.reopen(); // a restart
  expect(shown(second.store)).toEqual([]);
  second.clock.jump(10 * MINUTE);
  const third = second.reopen();
  expect(shown(third.store, [])).toEqual([[null, '09-07 09:31', '09-07 09:41']]);
  third.clock.jump(-300 * MINUTE);
  expect(shown(third.reopen().store, [])).toHaveLength(1);
});

test('what an outage can change is touched: results of the days since, with an empty slot, of the terminal', () => {
  const bench = openBench();
  bench.classes.importText('class.yaml', classText(), by);
  const touched = (endsAt: Instant | null): readonly string[] =>
    daysTouchedByOutage(bench.store, bench.classes.all(), 'gate', endsAt).map((one) => `${one.traineeNo} ${one.date}`);
  take(bench, ...['08:20', '12:05', '13:50', '17:35'].map((time) => punch('2026-09-07', time)));
  take(bench, punch('2026-09-07', '08:20', { user: 'T002' }));
  const bell = createDoorbell(bench.clock);
  const credit = createCreditUnit({ ...bench, bell, next: bell, lastDrainedAt: () => null });
  while (credit.step());
  expect(touched(null)).toEqual([]);
  tell(bench.store, '10:00', 'offline');
  expect(touched(null)).toEqual(['T002 2026-09-07']);
  expect(touched(at('2026-09-07', '10:02'))).toEqual([]);
  expect(touched(at('2026-09-07', '10:03'))).toEqual(['T002 2026-09-07']);
  tell(bench.store, '10:03', 'online');
  expect(touched(at('2026-09-07', '11:00'))).toEqual([]);
});

test('a start after an outage touches the days that were not settled', () => {
  const bench = openBench();
  bench.classes.importText('class.yaml', classText(), by);
  take(bench, punch('2026-09-07', '08:20', { user: 'T002' }));
  const bell = createDoorbell(bench.clock);
  const credit = createCreditUnit({ ...bench, bell, next: bell, lastDrainedAt: () => null });
  while (credit.step());
  expect(bench.store.touchedDays(10)).toEqual([]);
  bench.clock.jump(MINUTE);
  const quick = bench.reopen();
  expect(quick.store.touchedDays(10)).toEqual([]);
  quick.clock.jump(3 * MINUTE);
  expect(quick.reopen().store.touchedDays(10)).toMatchObject([
    { traineeNo: 'T002', date: '2026-09-07', cause: 'backfill' },
  ]);
});

test('the two indexes are used, so that a day costs a few look-ups however long the journal is', () => {
  const { store } = openBench();
  const plan = store.db
    .prepare(
      `EXPLAIN QUERY PLAN SELECT n FROM event WHERE what = 'device'
       AND body ->> '$.data.state' IN ('online', 'offline', 'still-offline', 'DEVICE_REBOUND')
       AND body ->> '$.data.terminal' = 'gate' AND body ->> '$.at' >= 5`,
    )
    .all() as { detail: string }[];
  expect(plan.map((one) => one.detail).join()).toContain('event_presence');
  const starts = store.db
    .prepare(`EXPLAIN QUERY PLAN SELECT n FROM event WHERE what = 'start' AND body ->> '$.at' >= 5`)
    .all() as { detail: string }[];
  expect(starts.map((one) => one.detail).join()).toContain('event_start');
});
