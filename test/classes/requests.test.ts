/** Leave, make-ups and reviews: what may be asked for, who decides, and which days are computed anew. */
import { expect, test } from 'vitest';
import type { GatewayError } from '../../src/core/errors.js';
import { dateAt } from '../../src/core/time.js';
import { loadEvidence, openText } from '../../src/classes/evidence.js';
import { openRequests, type MakeupAsk, type Requests } from '../../src/classes/requests.js';
import type { DayResult } from '../../src/rules/day-credit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { createDoorbell } from '../../src/core/unit.js';
import { by, classText, day, FULL_DAY, openBench, person, punch, take, ZONE, type Bench } from './class-fixture.js';

const CLASS = 'BT2026-031';
const MONDAY = day('2026-09-07');
const paper = { kind: 'document' as const, sha256: 'a'.repeat(64) };

function openClassBench(text = classText()): Bench & { readonly requests: Requests } {
  const bench = openBench();
  bench.classes.importText('class.yaml', text, by);
  bench.clock.jump(14 * 3_600_000); // 21:00
  for (const one of bench.store.touchedDays(100)) bench.store.transact((tx) => tx.untouchDay(one));
  return { ...bench, requests: openRequests(bench.store, { clock: bench.clock }) };
}

const makeup: MakeupAsk = {
  classNo: CLASS,
  traineeNo: 'T001',
  date: MONDAY,
  slot: 'AM_IN',
  reason: 'deviceFault',
  evidence: [paper],
  requestedBy: 'S01',
};

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as GatewayError).code;
  }
  return 'none';
}

const events = (bench: Bench): readonly unknown[] =>
  bench.store
    .facts(0, 1000, 'event')
    .flatMap((fact) => (fact.kind === 'event' && fact.data.request !== undefined ? [[fact.what, fact.data]] : []));

test('a make-up is a row, an event without texts, and nothing more until another person approves', () => {
  const { requests, ...bench } = openClassBench();
  const row = requests.makeup({ ...makeup, text: '考勤机断电，欧阳青禾在场' });
  expect(row).toMatchObject({ state: 'open', place: 'AM_IN', requestedBy: 'S01', evidence: [paper] });
  expect(bench.store.touchedDays(10)).toEqual([]);
  expect(openText(bench.store, 'class_request', row.id)).toBe('考勤机断电，欧阳青禾在场');
  expect(JSON.stringify(events({ ...bench }))).not.toContain('青禾');
  expect(loadEvidence(bench.store, CLASS).of('T001', MONDAY).makeups).toEqual([]);

  expect(refusal(() => requests.decide([row.id], 'approved', ' s01 '))).toBe('request-second-person');
  expect(requests.decide([row.id], 'approved', 'S02', '已核实')).toMatchObject([
    { id: row.id, state: 'approved', decidedBy: 'S02' },
  ]);
  expect(bench.store.touchedDays(10)).toMatchObject([
    { classNo: CLASS, traineeNo: 'T001', date: MONDAY, cause: 'makeup' },
  ]);
  expect(loadEvidence(bench.store, CLASS).of('T001', MONDAY).makeups).toEqual(['AM_IN']);
  expect(events({ ...bench })).toMatchObject([
    ['makeup', { request: row.id, classId: CLASS, traineeNo: 'T001', state: 'open', by: 'S01', evidence: [paper] }],
    ['makeup', { request: row.id, state: 'approved', by: 'S02', requestedBy: 'S01', reason: 'deviceFault' }],
  ]);
  expect(refusal(() => requests.decide([row.id], 'rejected', 'S03'))).toBe('request-decided');
});

test('nothing can be asked for that no roster, no timetable or no policy knows', () => {
  const { requests } = openClassBench(
    classText({
      people: [person(1), person(2, ', enrolledFrom: 2026-09-08'), person(3)],
      timetable:
        '[{ date: 2026-09-07, sessions: [AM] }, { date: 2026-09-08 }, { date: 2026-09-09 }, { date: 2026-09-10 }, { date: 2026-09-11 }]',
      head: 'approval: x',
    }).replace('plannedHours: 40', 'plannedHours: 36'),
  );
  const refused = (over: Partial<MakeupAsk>): string => refusal(() => requests.makeup({ ...makeup, ...over }));
  expect(refused({ classNo: 'X' })).toBe('request-class');
  expect(refused({ traineeNo: 'T009' })).toBe('request-person');
  expect(refused({ traineeNo: 'T002' })).toBe('request-person');
  expect(refused({ slot: 'PM_IN' })).toBe('request-place');
  expect(refused({ date: day('2026-09-06') })).toBe('request-place');
  expect(refused({ date: day('2026-09-08') })).toBe('request-early');
  expect(refused({ evidence: [] })).toBe('request-evidence');
  expect(refused({ requestedBy: '  ' })).toBe('bad-argument');
  expect(refused({})).toBe('none');
});

test('the last day of the deadline counts, the day after does not', () => {
  const { requests, clock } = openClassBench();
  clock.jump(3 * 86_400_000 - 1); // Thursday 20:59:59
  const row = requests.makeup(makeup);
  requests.decide([row.id], 'rejected', 'S02');
  clock.jump(3 * 3_600_000 + 1000); // Friday 00:00
  expect(() => requests.makeup(makeup)).toThrow('until 2026-09-10');
});

test('a second make-up for the slot is refused until the first was rejected or withdrawn', () => {
  const { requests } = openClassBench();
  const first = requests.makeup(makeup);
  expect(() => requests.makeup({ ...makeup, reason: 'forgot', requestedBy: 'S09' })).toThrow(first.id);
  requests.makeup({ ...makeup, slot: 'AM_OUT' });
  expect(refusal(() => requests.decide([first.id], 'withdrawn', 'S02'))).toBe('request-not-own');
  requests.decide([first.id], 'withdrawn', 'S01');
  const second = requests.makeup(makeup);
  requests.decide([second.id], 'approved', 'S02');
  expect(refusal(() => requests.makeup(makeup))).toBe('request-repeated');
});

test('several decisions are one transaction: all or none', () => {
  const { requests, ...bench } = openClassBench();
  const ids = (['AM_IN', 'PM_OUT'] as const).map((slot) => requests.makeup({ ...makeup, slot }).id);
  const head = bench.store.head().n;
  expect(refusal(() => requests.decide([...ids, 'ffffffffff'], 'approved', 'S02'))).toBe('request-unknown');
  expect(bench.store.head().n).toBe(head);
  expect(requests.decide(ids, 'approved', 'S02')).toHaveLength(2);
});

test('leave for the whole day is one request for each session that has none', () => {
  const { requests, ...bench } = openClassBench();
  const ask = {
    classNo: CLASS,
    traineeNo: 'T002',
    date: day('2026-09-10'),
    reason: 'sick' as const,
    requestedBy: 'S01',
  };
  const [morning] = requests.leave({ ...ask, session: 'AM' });
  const rest = requests.leave({ ...ask, session: null });
  expect(rest.map((row) => row.place)).toEqual(['PM']);
  expect(refusal(() => requests.leave({ ...ask, session: null }))).toBe('request-repeated');
  expect(refusal(() => requests.leave({ ...ask, session: 'AM' }))).toBe('request-repeated');
  expect(refusal(() => requests.leave({ ...ask, date: day('2026-09-12'), session: null }))).toBe('request-place');
  requests.decide([morning?.id ?? ''], 'approved', 'S02');
  expect(loadEvidence(bench.store, CLASS).of('T002', ask.date).leaves).toEqual(['AM']);
  expect(bench.store.touchedDays(10)).toMatchObject([{ cause: 'leave', date: '2026-09-10' }]);
});

/** A punch of Monday 08:21 from a terminal whose clock nobody knows, read at 09:00. */
const untimed = punch('2026-09-07', '08:21', {
  received: dateAt(MONDAY, '09:00', ZONE),
  over: { offsetMs: null, offsetAgeMs: null, effective: null, delivery: 'backfill' },
});

test('a review times a punch that could not be timed, and only such a one of that person', () => {
  const { requests, ...bench } = openClassBench();
  take({ ...bench }, untimed, punch('2026-09-07', '12:05'));
  const [n = 0, timed = 0] = bench.store.facts(0, 100, 'punch').map((fact) => fact.n);
  const ask = {
    ...{ classNo: CLASS, traineeNo: 'T001', date: MONDAY, punch: n, reason: 'clockUnknown' as const },
    ...{ effective: dateAt(MONDAY, '08:21', ZONE), requestedBy: 'S01' },
  };
  const refused = (over: Partial<typeof ask>): string => refusal(() => requests.review({ ...ask, ...over }));
  expect(refused({ punch: 1 })).toBe('request-punch');
  expect(refused({ punch: timed })).toBe('request-punch');
  expect(refused({ traineeNo: 'T002' })).toBe('request-punch');
  expect(refused({ effective: dateAt(MONDAY, '09:01', ZONE) })).toBe('request-punch');
  expect(refused({ date: day('2026-09-08') })).toBe('request-punch');
  const row = requests.review(ask);
  expect(refused({ effective: dateAt(MONDAY, '08:22', ZONE) })).toBe('request-repeated');
  for (const one of bench.store.touchedDays(100)) bench.store.transact((tx) => tx.untouchDay(one));
  requests.decide([row.id], 'approved', 'S02');
  expect(bench.store.touchedDays(10)).toMatchObject([{ traineeNo: 'T001', date: MONDAY, cause: 'review' }]);
  bench.classes.reload();
  const asked = bench.classes.dayQuestion(CLASS, 'T001', MONDAY);
  expect(asked?.question.punches.find((one) => one.n === n)?.reviewed).toBe(ask.effective);
});

test('the wizard asks for everybody whose slot is empty, also who has no result, once', () => {
  const { requests, ...bench } = openClassBench();
  take({ ...bench }, ...FULL_DAY.map((time) => punch('2026-09-07', time)));
  take({ ...bench }, punch('2026-09-07', '12:04', { user: 'T002' }));
  const bell = createDoorbell(bench.clock);
  const credit = createCreditUnit({ ...bench, bell, next: bell, lastDrainedAt: () => null });
  while (credit.step());
  const result = bench.store.credit(`${CLASS}/T002/2026-09-07`)?.result.dayResult as unknown as DayResult;
  expect(result.slots.AM_IN).toBeNull();
  const { classNo, date, slot, reason, evidence, requestedBy } = makeup;
  const rest = { classNo, date, slot, reason, evidence, requestedBy };
  const made = requests.makeupForMissing(rest);
  expect(made.map((row) => row.traineeNo)).toEqual(['T002', 'T003']);
  expect(requests.makeupForMissing(rest)).toEqual([]);
  expect(requests.makeupForMissing({ ...rest, slot: 'AM_OUT' }).map((row) => row.traineeNo)).toEqual(['T003']);
  requests.decide(
    made.map((row) => row.id),
    'approved',
    'S02',
  );
  while (credit.step());
  const after = bench.store.credit(`${CLASS}/T002/2026-09-07`)?.result.dayResult as unknown as DayResult;
  expect(after.slots.AM_IN).toMatchObject({ by: 'makeup' });
  expect(after.hoursFromMakeup).toBe(4);
});

test('after sealing nothing is asked for and nothing approved; what is open can be rejected', () => {
  const { requests, ...bench } = openClassBench();
  const row = requests.makeup(makeup);
  bench.store.transact(() =>
    bench.store.db.prepare('INSERT INTO class_seal VALUES (?, ?, 0, ?, 0)').run(CLASS, 'a'.repeat(64), 'S01'),
  );
  expect(refusal(() => requests.makeup({ ...makeup, slot: 'PM_IN' }))).toBe('class-sealed');
  expect(refusal(() => requests.decide([row.id], 'approved', 'S02'))).toBe('class-sealed');
  expect(requests.decide([row.id], 'rejected', 'S02')).toMatchObject([{ state: 'rejected' }]);
});
