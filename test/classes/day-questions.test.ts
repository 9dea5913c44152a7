/** One path for a day and for a class: whatever was punched and approved, `all` asks to the byte what `one` asks. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createClassIndex } from '../../src/classes/class-index.js';
import { loadClasses } from '../../src/classes/class-tables.js';
import { createQuestions, type AskedDay, type DayQuestions } from '../../src/classes/day-questions.js';
import { addDays, instant, instantToWall, type Instant, type LocalDate, type WallTime } from '../../src/core/time.js';
import { creditDay, hasResult } from '../../src/rules/day.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { openReader } from '../../src/store/reader.js';
import { inSnapshot } from '../../src/store/statements.js';
import type { Store } from '../../src/store/store.js';
import { at, by, classText, day, FULL_DAY, openBench, person, punch, take, ZONE, type Bench } from './class-fixture.js';

const CLASS = 'BT2026-031';
const OTHER = 'A1';
const DATES = ['2026-09-05', '2026-09-07', '2026-09-08', '2026-09-09', '2026-09-11', '2026-09-13'].map(day);

const ask = (source: Pick<Store, 'db'>): DayQuestions => createQuestions(source, createClassIndex(loadClasses(source)));

/** Two classes that share people and a terminal; one person joins late. */
function twoClasses(): Bench {
  const bench = openBench();
  bench.classes.importText(
    'a.yaml',
    classText({
      people: [person(1), person(2, ', enrolledFrom: 2026-09-09, alternativeMethods: [card]'), person(3)],
      terminals: '[{ terminal: gate }, { terminal: workshop, from: 2026-09-09 }]',
    }),
    by,
  );
  bench.classes.importText(
    'b.yaml',
    classText({
      classNo: OTHER,
      people: [person(1, ', deviceUserId: "71"'), person(4)],
      terminals: '[{ terminal: gate }]',
    }),
    by,
  );
  return bench;
}

interface Approved {
  readonly kind: 'leave' | 'makeup' | 'review';
  readonly traineeNo: string;
  readonly date: LocalDate;
  readonly place: string;
  readonly effective?: Instant;
}

let requests = 0;

function approve(store: Store, one: Approved, verdict: 'approved' | 'rejected' = 'approved'): void {
  requests += 1;
  const id = `R${requests}`;
  store.transact(() => {
    store.db
      .prepare(
        `INSERT INTO class_request (id, class_no, kind, trainee_no, date, place, effective, reason, text, evidence, requested_by, requested_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'forgot', NULL, '[]', 'A', ?)`,
      )
      .run(id, CLASS, one.kind, one.traineeNo, one.date, one.place, one.effective ?? null, requests);
    store.db
      .prepare(
        "INSERT INTO class_decision (request, verdict, text, decided_by, decided_at) VALUES (?, ?, NULL, 'B', 1)",
      )
      .run(id, verdict);
  });
}

function online(store: Store, rows: readonly { readonly traineeNo: string; readonly date: LocalDate }[]): void {
  if (rows.length === 0) return;
  store.transact(() => {
    const digest = '0'.repeat(64);
    const { lastInsertRowid } = store.db
      .prepare(
        `INSERT INTO class_online_import (class_no, sha256, source, origin, digest, records, imported_by, imported_at)
         VALUES (?, ?, 'o.csv', 'test', ?, ?, 'A', 1)`,
      )
      .run(CLASS, String(requests).padStart(64, '0'), digest, rows.length);
    rows.forEach((row, index) =>
      store.db
        .prepare(
          "INSERT INTO class_online (import, row, class_no, trainee_no, date, lesson, kind, minutes, proof) VALUES (?, ?, ?, ?, ?, ?, 'theory', 90, '{}')",
        )
        .run(lastInsertRowid, index + 1, CLASS, row.traineeNo, row.date, String(index)),
    );
  });
}

const somePunch = fc
  .record({
    date: fc.constantFrom(...DATES),
    minute: fc.integer({ min: 0, max: 24 * 60 - 1 }),
    user: fc.constantFrom('T001', 'T002', 'T003', 'T004', '71', 'X'),
    terminal: fc.constantFrom('gate', 'workshop', 'other'),
    verify: fc.constantFrom('face' as const, 'card' as const),
    clock: fc.constantFrom('good', 'gone', 'years', 'odd', 'late'),
    trusted: fc.boolean(),
  })
  .map(({ date, minute, user, terminal, verify, clock, trusted }): PunchFact => {
    const told = instant(at(date, '00:00') + minute * 60_000);
    const base = { verify, clockTrusted: trusted, wallTime: instantToWall(told, ZONE), instant: told };
    const over: Readonly<Record<string, Partial<PunchFact>>> = {
      good: {},
      // Nobody measured this clock, and the punch came later: it cannot be timed.
      gone: { offsetMs: null, offsetAgeMs: null, effective: null, delivery: 'backfill' },
      years: {
        wallTime: '2000-01-01 00:03:00' as WallTime,
        instant: at('2000-01-01', '00:03'),
        effective: null,
        offsetMs: null,
      },
      odd: { wallTime: '2026-02-30 08:00:00' as WallTime, instant: null, effective: null, offsetMs: null },
      late: { rx: instant(told + 50 * 3_600_000), delivery: 'backfill' },
    };
    return punch(date, '00:00', {
      user,
      terminal,
      over: { effective: told, rx: instant(told + 2000), ...base, ...over[clock] },
    });
  });

const keyOf = ({ question }: AskedDay): string => `${question.traineeNo}/${question.date}`;

describe('questions of a whole class', () => {
  test('are those of each day for itself, whatever was punched and approved', () => {
    fc.assert(
      fc.property(
        fc.array(somePunch, { maxLength: 40 }),
        fc.array(
          fc.record({
            kind: fc.constantFrom('leave' as const, 'makeup' as const, 'review' as const),
            traineeNo: fc.constantFrom('T001', 'T002', 'T003'),
            date: fc.constantFrom(...DATES),
            verdict: fc.constantFrom('approved' as const, 'rejected' as const),
            which: fc.nat(39),
          }),
          { maxLength: 8 },
        ),
        fc.array(fc.record({ traineeNo: fc.constantFrom('T001', 'T003'), date: fc.constantFrom(...DATES) }), {
          maxLength: 4,
        }),
        (punches, decided, records) => {
          const bench = twoClasses();
          take(bench, ...punches);
          const ns = bench.store.facts(0, 1000, 'punch').map(({ n }) => n);
          for (const { kind, traineeNo, date, verdict, which } of decided) {
            const place = { leave: 'AM', makeup: 'PM_OUT', review: String(ns[which % Math.max(1, ns.length)] ?? 1) }[
              kind
            ];
            const effective = kind === 'review' ? { effective: at(date, '08:25') } : {};
            approve(bench.store, { kind, traineeNo, date, place, ...effective }, verdict);
          }
          online(bench.store, records);
          const questions = ask(bench.store);
          for (const classNo of [CLASS, OTHER]) {
            const all = [...questions.all(classNo)];
            for (const asked of all) {
              const { traineeNo, date } = asked.question;
              expect(JSON.stringify(asked)).toBe(JSON.stringify(questions.one(classNo, traineeNo, date)));
            }
            // Nothing of the period that has a result is left out.
            const known = new Set(all.map(keyOf));
            for (let date = day('2026-09-07'); date <= '2026-09-11'; date = addDays(date, 1)) {
              for (const traineeNo of ['T001', 'T002', 'T003', 'T004']) {
                const asked = questions.one(classNo, traineeNo, date);
                if (asked === null || !hasResult(asked.question, creditDay(asked.question, asked.policy))) continue;
                expect(known).toContain(`${traineeNo}/${date}`);
              }
            }
          }
          bench.store[Symbol.dispose]();
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);

  test('come by person in the order of the roster and by date, and can be narrowed', () => {
    const { store } = twoClasses();
    const questions = ask(store);
    const keys = [...questions.all(CLASS, { from: day('2026-09-08'), to: day('2026-09-09') })].map(keyOf);
    expect(keys).toEqual(['T001', 'T002', 'T003'].flatMap((one) => [`${one}/2026-09-08`, `${one}/2026-09-09`]));
    expect([...questions.all(CLASS, { traineeNo: 'T003' })].map(keyOf)).toHaveLength(5);
    expect([...questions.all('B9')]).toEqual([]);
    expect([...questions.all(CLASS, { from: day('2027-01-01') })]).toEqual([]);
  });
});

describe('evidence in the question', () => {
  test('approved leave, make-ups and online hours stand in it, refused ones do not', () => {
    const { store } = twoClasses();
    const monday = day('2026-09-07');
    approve(store, { kind: 'leave', traineeNo: 'T001', date: monday, place: 'AM' });
    approve(store, { kind: 'makeup', traineeNo: 'T001', date: monday, place: 'PM_IN' });
    approve(store, { kind: 'makeup', traineeNo: 'T001', date: monday, place: 'PM_OUT' }, 'rejected');
    online(store, [{ traineeNo: 'T001', date: monday }]);
    const asked = ask(store).one(CLASS, 'T001', monday);
    expect(asked?.question).toMatchObject({
      leaves: ['AM'],
      makeups: ['PM_IN'],
      online: [{ kind: 'theory', minutes: 90 }],
    });
    expect(ask(store).one(CLASS, 'T003', monday)?.question).toMatchObject({ leaves: [], makeups: [], online: [] });
  });

  test('a reviewed punch belongs to the day of the review and carries its time wherever it is looked at', () => {
    const bench = twoClasses();
    const over = { wallTime: '2000-01-01 00:03:00' as WallTime, instant: at('2000-01-01', '00:03'), effective: null };
    take(
      bench,
      punch('2026-09-11', '10:00', { over: { ...over, offsetMs: null, offsetAgeMs: null, delivery: 'backfill' } }),
    );
    const n = bench.store.facts(0, 100, 'punch')[0]?.n ?? 0;
    const effective = at('2026-09-07', '08:20');
    approve(bench.store, { kind: 'review', traineeNo: 'T001', date: day('2026-09-07'), place: String(n), effective });
    const questions = ask(bench.store);
    for (const date of ['2026-09-07', '2026-09-11'])
      expect(questions.one(CLASS, 'T001', day(date))?.question.punches).toMatchObject([{ n, reviewed: effective }]);
    expect(questions.one(CLASS, 'T001', day('2026-09-09'))?.question.punches).toEqual([]);
  });
});

test('a reader beside the open store asks the same, of one moment', () => {
  const bench = twoClasses();
  take(bench, ...FULL_DAY.map((time) => punch('2026-09-07', time)));
  using reader = openReader(bench.dir, { now: bench.clock.now() });
  if (!reader) throw new Error('no reader');
  inSnapshot(reader.db, () => {
    const before = [...ask(reader).all(CLASS)];
    take(bench, ...FULL_DAY.map((time) => punch('2026-09-08', time)));
    expect([...ask(reader).all(CLASS)]).toEqual(before);
  });
  expect([...ask(reader).all(CLASS)]).toEqual([...ask(bench.store).all(CLASS)]);
  const told = ask(reader)
    .one(CLASS, 'T001', day('2026-09-08'))
    ?.question.punches.map((one) => one.wallTime);
  expect(told?.filter((one) => one.startsWith('2026-09-08'))).toHaveLength(4);
});
