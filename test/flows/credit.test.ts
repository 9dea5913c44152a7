import { describe, expect, test } from 'vitest';
import { checkCredits } from '../../src/classes/check-credits.js';
import { importOnline } from '../../src/classes/online-hours.js';
import { GatewayError } from '../../src/core/errors.js';
import type { Instant } from '../../src/core/time.js';
import { createDoorbell, type Doorbell } from '../../src/core/unit.js';
import { createCreditUnit, type CreditUnit } from '../../src/flows/credit.js';
import type { CreditFact, Numbered, PunchFact } from '../../src/rules/facts.js';
import {
  at,
  by,
  CHANGE,
  classText,
  day,
  FULL_DAY,
  openBench,
  person,
  punch,
  take,
  type Bench,
  type ClassText,
} from '../classes/class-fixture.js';

const CLASS = 'BT2026-031';
const MONDAY = '2026-09-07';

interface Rig extends Bench {
  readonly unit: CreditUnit;
  readonly bell: Doorbell;
  /** Rings of the next unit so far. */
  readonly rings: () => number;
  readonly drained: Map<string, Instant>;
}

function rig(bench: Bench = openBench()): Rig {
  const drained = new Map<string, Instant>();
  let rings = 0;
  const bell = createDoorbell(bench.clock);
  const unit = createCreditUnit({
    store: bench.store,
    classes: bench.classes,
    clock: bench.clock,
    bell,
    next: { ring: () => void (rings += 1) },
    lastDrainedAt: (terminal) => drained.get(terminal) ?? null,
  });
  return { ...bench, unit, bell, rings: () => rings, drained };
}

const bring = (bench: Bench, text: ClassText = {}) => bench.classes.importText('class.yaml', classText(text), by);
const one = (bench: Bench): void => void bring(bench, { people: [person(1)] });

const settle = (unit: CreditUnit): number => {
  let steps = 0;
  while (unit.step()) {
    steps += 1;
    if (steps > 1000) throw new Error('the unit never comes to rest');
  }
  return steps;
};

const revisions = (bench: Bench): readonly Numbered<CreditFact>[] =>
  bench.store.facts(0, 10_000, 'credit').flatMap((fact) => (fact.kind === 'credit' ? [fact] : []));

const told = (bench: Bench): readonly string[] =>
  revisions(bench).map((fact) => {
    const { version, supersedes, cause } = fact.result as {
      version: number;
      supersedes: number | null;
      cause: string | null;
    };
    const key = `${fact.traineeNo} ${fact.date} r${fact.rev}`;
    return `${key} v${version} ${fact.state} ${fact.totalHours}h ${supersedes ?? ''} ${cause ?? ''}`;
  });

/** Moves the wall clock to a time of a date. */
const goTo = (bench: Bench, date: string, time: string): void => bench.clock.jump(at(date, time) - bench.clock.now());

const monday = (times: readonly string[] = FULL_DAY) => times.map((time) => punch(MONDAY, time));

describe('revisions', () => {
  test('each punch that changes the outcome makes one, with the punches that filled slots', () => {
    const r = rig();
    one(r);
    for (const fact of monday()) {
      take(r, fact);
      settle(r.unit);
    }
    expect(told(r)).toEqual([
      'T001 2026-09-07 r1 v1 provisional 0h  ',
      'T001 2026-09-07 r2 v1 provisional 4h  ',
      'T001 2026-09-07 r3 v1 provisional 4h  ',
      'T001 2026-09-07 r4 v1 provisional 8h  ',
    ]);
    const last = revisions(r).at(-1);
    const punches = r.store.facts(0, 100, 'punch').map((fact) => fact.n);
    expect(last).toMatchObject({
      id: `${CLASS}/T001/${MONDAY}`,
      punches,
      result: { status: 'provisional', version: 1, flags: [] },
    });
    expect(r.store.touchedDays(10)).toEqual([]);
    expect(r.rings()).toBe(4);
  });

  test('the same outcome makes none, and the work is done all the same', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    settle(r.unit);
    const head = r.store.head();
    r.store.transact((tx) => tx.touchDay({ classNo: CLASS, traineeNo: 'T001', date: day(MONDAY), cause: 'punch' }));
    expect(settle(r.unit)).toBe(1);
    expect(r.store.head()).toEqual(head);
    expect(r.store.touchedDays(10)).toEqual([]);
    expect(r.rings()).toBe(1);
  });

  test('another roster version alone changes no result', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    settle(r.unit);
    const before = told(r);
    bring(r, { people: [person(1), person(2)], timetable: '{ weekdays: [mon, tue, wed, thu] }', extra: CHANGE });
    expect(r.store.touchedDays(10)).toHaveLength(1);
    settle(r.unit);
    expect(told(r)).toEqual(before);
  });

  test('the order of arrival does not matter', () => {
    const results = [monday(), [...monday()].reverse()].map((punches) => {
      const r = rig();
      one(r);
      for (const fact of punches) {
        take(r, fact);
        settle(r.unit);
      }
      const { sessionHours, totalHours } = revisions(r).at(-1)?.result.dayResult as Record<string, unknown>;
      return { sessionHours, totalHours };
    });
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toMatchObject({ totalHours: 8 });
  });

  test('a punch of somebody unknown stays in the journal and makes no result', () => {
    const r = rig();
    one(r);
    take(r, punch(MONDAY, '08:20', { user: 'X1' }));
    expect(settle(r.unit)).toBe(0);
    expect(revisions(r)).toEqual([]);
    expect(r.store.punchCount()).toBe(1);
  });

  test('a punch on a date without lessons has a result that says so', () => {
    const r = rig();
    bring(r, { people: [person(1)], timetable: '{ weekdays: [tue, wed] }' });
    take(r, punch(MONDAY, '08:20'));
    settle(r.unit);
    expect(revisions(r)).toMatchObject([{ date: MONDAY, totalHours: 0, result: { flags: ['NOT_SCHEDULED'] } }]);
  });
});

describe('finality', () => {
  test('final at day close when the terminal has been read since the last window', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    r.drained.set('gate', at(MONDAY, '18:02'));
    goTo(r, MONDAY, '23:29');
    settle(r.unit);
    expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 8h  ']);
    goTo(r, MONDAY, '23:30');
    settle(r.unit);
    expect(told(r)[1]).toBe('T001 2026-09-07 r2 v1 final 8h  ');
    expect(settle(r.unit)).toBe(0);
  });

  test('a terminal that has not reported keeps it provisional, until the next day close at most', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    r.drained.set('gate', at(MONDAY, '17:40'));
    goTo(r, '2026-09-08', '23:29');
    settle(r.unit);
    expect(revisions(r).map((fact) => fact.state)).toEqual(['provisional']);
    goTo(r, '2026-09-08', '23:30');
    settle(r.unit);
    expect(told(r)).toContain('T001 2026-09-07 r2 v1 final 8h  ');
  });

  test('the terminal that reports at last makes it final', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    goTo(r, '2026-09-08', '07:00');
    settle(r.unit);
    r.drained.set('gate', at('2026-09-08', '07:01'));
    settle(r.unit);
    expect(told(r).at(-1)).toBe('T001 2026-09-07 r2 v1 final 8h  ');
  });

  test('what comes later makes the next version, with what it supersedes and why', () => {
    const r = rig();
    one(r);
    take(r, ...monday(['08:20', '12:05', '13:50']));
    r.drained.set('gate', at('2026-09-08', '07:00'));
    goTo(r, '2026-09-08', '07:00');
    settle(r.unit);
    take(r, punch(MONDAY, '17:35', { received: at('2026-09-08', '09:00') }));
    settle(r.unit);
    take(r, punch(MONDAY, '17:35', { received: at('2026-09-08', '09:00') }));
    settle(r.unit);
    expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 final 4h  ', 'T001 2026-09-07 r2 v2 final 8h 1 backfill']);
    expect(revisions(r)[1]?.result.flags).toContain('BACKFILLED');
    expect(revisions(r)[0]).toMatchObject({ totalHours: 4, result: { flags: ['PM:MISSING_OUT'] } });
  });

  test('after a final one there is no provisional one, also when a restart forgot what was read', () => {
    const r = rig();
    one(r);
    take(r, ...monday(['08:20', '12:05', '13:50']));
    r.drained.set('gate', at('2026-09-08', '07:00'));
    goTo(r, '2026-09-08', '07:00');
    settle(r.unit);
    const again = rig(r.reopen());
    take(again, punch(MONDAY, '17:35', { received: at('2026-09-08', '09:00') }));
    settle(again.unit);
    expect(told(again)).toEqual(['T001 2026-09-07 r1 v1 final 4h  ', 'T001 2026-09-07 r2 v2 final 8h 1 backfill']);
  });

  test('who never punched is absent on every class day that has closed, and on no other', () => {
    const r = rig();
    bring(r, { people: [person(1), person(2, ', enrolledFrom: 2026-09-08'), person(3, ', enrolledTo: 2026-09-07')] });
    take(r, ...monday());
    goTo(r, '2026-09-08', '23:45');
    settle(r.unit);
    const absent = revisions(r).filter((fact) => fact.traineeNo !== 'T001');
    expect(absent.map((fact) => [fact.traineeNo, fact.date, fact.state, fact.result.flags])).toEqual([
      ['T003', '2026-09-07', 'final', ['AM:ABSENT', 'PM:ABSENT']],
      ['T002', '2026-09-08', 'provisional', ['AM:ABSENT', 'PM:ABSENT']],
    ]);
    expect(settle(r.unit)).toBe(0);
  });

  test('a jump of a clock that nobody vouches for closes no day, until somebody does', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    settle(r.unit);
    r.clock.setTrusted(false);
    r.clock.jump(365 * 86_400_000);
    settle(r.unit);
    expect(revisions(r).map((fact) => fact.state)).toEqual(['provisional']);
    r.clock.setTrusted(true);
    settle(r.unit);
    expect(revisions(r).filter((fact) => fact.state === 'final')).toHaveLength(5);
  });

  test('a day of many absent people is closed piece by piece, and not looked at again after a restart', () => {
    const r = rig();
    const people = Array.from({ length: 40 }, (_, index) => person(index + 1));
    bring(r, { people });
    goTo(r, '2026-09-08', '23:30');
    r.drained.set('gate', r.clock.now());
    expect(r.unit.step()).toBe(true);
    expect(revisions(r)).toHaveLength(16);
    const again = rig(r.reopen());
    again.drained.set('gate', again.clock.now());
    settle(again.unit);
    expect(revisions(again).map((fact) => fact.state)).toEqual(Array.from({ length: 80 }, () => 'final'));
    expect(settle(rig(again.reopen()).unit)).toBe(0);
  });

  test('an import after the close gives new people their absent days', () => {
    const r = rig();
    one(r);
    goTo(r, '2026-09-09', '00:00');
    settle(r.unit);
    bring(r, { people: [person(1), person(2)] });
    settle(r.unit);
    expect(told(r).filter((line) => line.startsWith('T002'))).toHaveLength(2);
  });

  test('a day on which only an older punch is received has no result before it closes', () => {
    const r = rig();
    one(r);
    goTo(r, '2026-09-08', '09:00');
    take(r, punch(MONDAY, '17:35', { received: at('2026-09-08', '09:00') }));
    settle(r.unit);
    expect(revisions(r).map((fact) => fact.date)).toEqual([MONDAY]);
    goTo(r, '2026-09-08', '23:30');
    settle(r.unit);
    expect(told(r)).toContain('T001 2026-09-08 r1 v1 provisional 0h  ');
  });

  const comeAndGo = (r: Rig): void => {
    bring(r, { people: [person(1), person(2)] });
    take(r, ...monday());
    settle(r.unit);
    bring(r, { people: [person(2)] });
    settle(r.unit);
    bring(r, { people: [person(1), person(2)] });
    settle(r.unit);
  };
  const mine = (r: Rig): readonly string[] =>
    told(r).flatMap((line) => (line.startsWith(`T001 ${MONDAY} `) ? [line.slice(16)] : []));

  test('who is taken from the roster has the results withdrawn, and gets them back when he returns', () => {
    const r = rig();
    comeAndGo(r);
    expect(mine(r)).toEqual(['r1 v1 provisional 8h  ', 'r2 v1 withdrawn 0h  ', 'r3 v1 provisional 8h  ']);
    expect(revisions(r)[1]).toMatchObject({ punches: [], result: { dayResult: null, status: 'withdrawn' } });
  });

  test('a final result that is withdrawn and given back is a version each time', () => {
    const r = rig();
    goTo(r, '2026-09-08', '23:30');
    comeAndGo(r);
    expect(mine(r)).toEqual(['r1 v1 final 8h  ', 'r2 v2 withdrawn 0h 1 import', 'r3 v3 final 8h 2 import']);
  });
});

describe('causes', () => {
  const decide = (r: Rig, kind: string, place: string, effective: Instant | null = null): void => {
    r.store.db
      .prepare(
        `INSERT INTO class_request (id, class_no, kind, trainee_no, date, place, effective, reason, evidence, requested_by, requested_at)
         VALUES ('r1', ?, ?, 'T001', ?, ?, ?, 'other', '[]', 'A1', 1)`,
      )
      .run(CLASS, kind, MONDAY, place, effective);
    r.store.db
      .prepare(
        `INSERT INTO class_decision (request, verdict, decided_by, decided_at) VALUES ('r1', 'approved', 'S1', 2)`,
      )
      .run();
  };
  const learn = (r: Rig): void => {
    r.store.db
      .prepare(
        `INSERT INTO class_online_import (id, class_no, sha256, source, origin, digest, records, imported_by, imported_at)
         VALUES (1, ?, ?, 'f', 'o', ?, 1, 'A1', 1)`,
      )
      .run(CLASS, '0'.repeat(64), '0'.repeat(64));
    r.store.db
      .prepare(
        `INSERT INTO class_online (import, row, class_no, trainee_no, date, lesson, kind, minutes, proof)
         VALUES (1, 1, ?, 'T001', ?, '', 'theory', 90, '{}')`,
      )
      .run(CLASS, MONDAY);
  };
  /** A day that lacks the last punch, or has it at a time that nobody knows; final. */
  const finalDay = (last: readonly PunchFact[]): Rig => {
    const r = rig();
    one(r);
    take(r, ...monday(FULL_DAY.slice(0, 3)), ...last);
    settle(r.unit);
    goTo(r, '2026-09-08', '23:31');
    settle(r.unit);
    return r;
  };
  const untimed = punch(MONDAY, '17:35', {
    over: { effective: null, offsetMs: null, offsetAgeMs: null, delivery: 'backfill' },
  });

  test.each([
    ['makeup', [], (r: Rig) => decide(r, 'makeup', 'PM_OUT'), 8],
    ['leave', [], (r: Rig) => decide(r, 'leave', 'PM'), 4],
    ['online', [], learn, 6],
    [
      'review',
      [untimed],
      (r: Rig) => decide(r, 'review', String(r.store.facts(0, 100, 'punch').at(-1)?.n), at(MONDAY, '17:35')),
      8,
    ],
  ] as const)('a final day changed by %s is a version that says so', (cause, last, change, hours) => {
    const r = finalDay(last);
    change(r);
    r.store.transact((tx) => tx.touchDay({ classNo: CLASS, traineeNo: 'T001', date: day(MONDAY), cause }));
    settle(r.unit);
    expect(told(r).at(-1)).toMatch(new RegExp(`^T001 ${MONDAY} r\\d+ v2 final ${hours}h 1 ${cause}$`));
  });
});

test('online hours on a date without lessons are recorded also before the day closes', () => {
  const r = rig();
  bring(r, { people: [person(1)], timetable: '{ weekdays: [tue, wed] }' });
  const row = { row: 2, traineeNo: 'T001', date: day(MONDAY), lesson: '1', kind: 'theory' as const, proof: {} };
  const rows = [{ ...row, minutes: 90 }];
  const file = { classNo: CLASS, sha256: 'b'.repeat(64), source: 'a.csv', origin: 'o', rows, importedBy: 'S1' };
  importOnline(r.store, file, { clock: r.clock });
  settle(r.unit);
  expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 2h  ']);
  goTo(r, '2026-09-08', '23:31');
  settle(r.unit);
  expect(told(r)).toContain('T001 2026-09-07 r2 v1 final 2h  ');
});

test('online hours stay when their date is taken out of the timetable', () => {
  const r = rig();
  one(r);
  const row = { row: 2, traineeNo: 'T001', date: day(MONDAY), lesson: '1', kind: 'theory' as const, proof: {} };
  const rows = [{ ...row, minutes: 90 }];
  const file = { classNo: CLASS, sha256: 'b'.repeat(64), source: 'a.csv', origin: 'o', rows, importedBy: 'S1' };
  importOnline(r.store, file, { clock: r.clock });
  settle(r.unit);
  bring(r, { people: [person(1)], timetable: '{ weekdays: [tue, wed] }', extra: CHANGE });
  settle(r.unit);
  expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 2h  ']);
});

describe('a class that comes or changes later', () => {
  const other = (over: ClassText = {}): ClassText => ({
    classNo: 'A-1',
    people: [person(1, ', deviceUserId: "701"')],
    teacher: '{ teacherNo: J2, name: 百里老师傅 }',
    ...over,
  });
  const agrees = (r: Rig): void => expect(checkCredits(r.store).fault).toBeNull();

  test('takes the punches that the same person made under the id of another class', () => {
    const r = rig();
    one(r);
    take(r, ...monday());
    settle(r.unit);
    bring(r, other());
    settle(r.unit);
    agrees(r);
    expect(told(r)).toContain('T001 2026-09-07 r1 v1 provisional 8h  ');
    expect(told(r)).toContain('T001 2026-09-07 r2 v1 provisional 0h  ');
  });

  test('gives them back when its timetable no longer wants them', () => {
    const r = rig();
    bring(r, other());
    one(r);
    take(r, ...monday());
    settle(r.unit);
    bring(r, other({ timetable: '{ weekdays: [tue] }', extra: CHANGE }));
    settle(r.unit);
    agrees(r);
  });
});

describe('crashes', () => {
  test('a crash before the commit keeps the work, and afterwards there is one revision', () => {
    let armed = false;
    const bench = openBench({
      hooks: {
        beforeCommit: () => {
          if (armed) throw new GatewayError('store-failed', { reason: 'test' });
        },
      },
    });
    const r = rig(bench);
    one(r);
    take(r, ...monday());
    armed = true;
    expect(() => r.unit.step()).toThrow();
    expect(r.store.touchedDays(10)).toHaveLength(1);
    expect(r.rings()).toBe(0);
    armed = false;
    settle(r.unit);
    expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 8h  ']);
  });

  test('a crash while absent people are written leaves none of them, and a second try all', () => {
    let armed = false;
    const bench = openBench({
      hooks: {
        beforeCommit: () => {
          if (armed) throw new GatewayError('store-failed', { reason: 'test' });
        },
      },
    });
    const r = rig(bench);
    bring(r);
    goTo(r, MONDAY, '23:40');
    armed = true;
    expect(() => r.unit.step()).toThrow();
    armed = false;
    expect(revisions(r)).toEqual([]);
    settle(r.unit);
    expect(told(r)).toHaveLength(3);
  });

  test('a crash after the commit is made good at the next start of the unit', async () => {
    let armed = false;
    const bench = openBench({
      hooks: {
        afterCommit: () => {
          if (armed) throw new GatewayError('store-failed', { reason: 'test' });
        },
      },
    });
    const r = rig(bench);
    one(r);
    settle(r.unit);
    take(r, ...monday());
    armed = true;
    await expect(r.unit.run(new AbortController().signal)).rejects.toThrow();
    armed = false;
    expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 8h  ']);
    r.drained.set('gate', at(MONDAY, '18:02'));
    goTo(r, MONDAY, '23:30');
    const stop = new AbortController();
    const running = r.unit.run(stop.signal);
    running.catch(() => undefined);
    await r.clock.advance(10);
    stop.abort();
    expect(told(r)[1]).toBe('T001 2026-09-07 r2 v1 final 8h  ');
  });

  test('a new start closes what an earlier one left provisional', () => {
    const bench = openBench();
    const r = rig(bench);
    one(r);
    take(r, ...monday());
    settle(r.unit);
    goTo(r, '2026-09-08', '23:30');
    const again = rig(bench.reopen());
    settle(again.unit);
    expect(told(again)).toContain('T001 2026-09-07 r2 v1 final 8h  ');
  });
});

describe('the unit', () => {
  test('works on a ring, and closes the day by itself without writing while it waits', async () => {
    const r = rig();
    one(r);
    const stop = new AbortController();
    const running = r.unit.run(stop.signal);
    running.catch(() => undefined);
    await r.clock.advance(10);
    take(r, ...monday());
    r.bell.ring();
    await r.clock.advance(10);
    expect(told(r)).toEqual(['T001 2026-09-07 r1 v1 provisional 8h  ']);
    const head = r.store.head();
    await r.clock.advance(at(MONDAY, '23:29') - r.clock.now());
    expect(r.store.head()).toEqual(head);
    r.drained.set('gate', r.clock.now());
    await r.clock.advance(120_000);
    expect(told(r)[1]).toBe('T001 2026-09-07 r2 v1 final 8h  ');
    stop.abort();
    await expect(running).rejects.toThrow();
  });
});
