/** Promise 18 broken on purpose: what is recorded as credit is what the raw data give, or `rollcall verify` says where it is not. */
import { expect, test } from 'vitest';
import { runVerify } from '../../src/commands/verify.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import type { CreditFact, JsonValue, Numbered } from '../../src/rules/facts.js';
import {
  at,
  by,
  classText,
  day,
  FULL_DAY,
  openBench,
  person,
  punch,
  take,
  type Bench,
} from '../classes/class-fixture.js';

const CLASS = 'BT2026-031';
const MONDAY = '2026-09-07';

/** Everything that waits is computed, days that are over are closed. */
function settle({ store, classes, clock }: Bench): void {
  const bell = createDoorbell(clock);
  const unit = createCreditUnit({
    store,
    classes,
    clock,
    bell,
    next: { ring: () => undefined },
    lastDrainedAt: () => null,
  });
  for (let steps = 0; unit.step(); steps += 1) if (steps > 1000) throw new Error('the unit never comes to rest');
}

/** A class whose Monday and Tuesday are over; T001 came on Monday. */
function taught(): Bench {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText({ people: [person(1), person(2)] }), by);
  take(bench, ...FULL_DAY.map((time) => punch(MONDAY, time)));
  bench.clock.jump(at('2026-09-09', '23:45') - bench.clock.now());
  settle(bench);
  return bench;
}

function verify(dir: string): { readonly code: number; readonly found: Record<string, unknown> } {
  const out: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: () => undefined, json: true, tty: false };
  const code = runVerify({ paths: [dir] }, io);
  return { code, found: JSON.parse(out[0] ?? '{}') as Record<string, unknown> };
}

const creditOf = (bench: Bench, traineeNo: string, date = MONDAY): Numbered<CreditFact> => {
  const credit = bench.store.credit(`${CLASS}/${traineeNo}/${date}`);
  if (!credit) throw new Error('no credit');
  return credit;
};

/** One more revision, as somebody would write it who wants another number. */
function forge(bench: Bench, over: (last: Numbered<CreditFact>) => Partial<CreditFact>, traineeNo = 'T001'): void {
  const { n, ...last } = creditOf(bench, traineeNo);
  bench.store.transact((tx) => tx.addCredit({ ...last, rev: last.rev + 1, ...over({ ...last, n }) }));
}

test('what was computed verifies, beside the open store, and says how much was compared', () => {
  const { dir } = taught();
  expect(verify(dir)).toMatchObject({ code: 0, found: { ok: true, credits: 6, unchecked: 0, firstFault: null } });
});

const result = (last: CreditFact, over: Readonly<Record<string, JsonValue>>): Partial<CreditFact> => ({
  result: { ...last.result, ...over },
});

test.each<[string, string, (last: Numbered<CreditFact>) => Partial<CreditFact>]>([
  ['hours', 'totalHours', () => ({ totalHours: 4 })],
  ['the day itself', 'dayResult', (last) => result(last, { dayResult: null })],
  ['a flag', 'flags', (last) => result(last, { flags: ['AM:LATE'] })],
  [
    'an ignored punch',
    'ignored',
    (last) => result(last, { ignored: [{ n: 1, terminal: 'gate', wallTime: '', reason: 'EXTRA' }] }),
  ],
  ['an explanation', 'explanation', (last) => result(last, { explanation: [] })],
  ['the policy', 'policy', (last) => result(last, { policy: { id: 'other', ver: 1, sha256: 'f'.repeat(64) } })],
  ['the punches', 'punches', () => ({ punches: [] })],
  ['that there is a result at all', 'withdrawn', () => ({ state: 'withdrawn' })],
])('18: somebody recorded another result: %s', (_what, word, over) => {
  const bench = taught();
  forge(bench, over);
  const { n } = creditOf(bench, 'T001');
  const { code, found } = verify(bench.dir);
  expect(code).toBe(1);
  expect(found).toMatchObject({ ok: false, firstFault: { promise: 18, n } });
  const { reason } = found.firstFault as { reason: string };
  expect(reason).toContain(`T001 in class ${CLASS} on ${MONDAY}`);
  expect(reason).toContain(word);
});

test('18: a person without a result on the roster has one recorded', () => {
  const bench = taught();
  forge(bench, (last) => ({ id: `${CLASS}/T009/${MONDAY}`, traineeNo: 'T009', rev: 1, result: last.result }));
  expect(verify(bench.dir).found).toMatchObject({ ok: false, firstFault: { promise: 18 } });
});

test('18: a punch that no result knows', () => {
  const bench = taught();
  bench.store.transact((tx) => tx.addPunch(punch('2026-09-08', '08:20')));
  const { n } = creditOf(bench, 'T001', '2026-09-08');
  expect(verify(bench.dir).found).toMatchObject({ ok: false, firstFault: { promise: 18, n } });
});

test('days that wait to be computed and results of another engine are unchecked, and no fault', () => {
  const bench = taught();
  take(bench, punch('2026-09-08', '08:20'));
  forge(bench, (last) => result(last, { engine: 'rollcall-rules/0', flags: ['AM:LATE'] }));
  expect(verify(bench.dir)).toMatchObject({ code: 0, found: { ok: true, credits: 4, unchecked: 2 } });
  settle(bench);
  expect(verify(bench.dir)).toMatchObject({ code: 0, found: { ok: true, credits: 5, unchecked: 1 } });
});

test('what another engine made and comes out the same now is compared like any other', () => {
  const bench = taught();
  forge(bench, (last) => result(last, { engine: 'rollcall-rules/0' }));
  expect(verify(bench.dir)).toMatchObject({ code: 0, found: { ok: true, credits: 6, unchecked: 0 } });
});

test('class days that nobody has closed yet are no fault', () => {
  const bench = openBench();
  bench.classes.importText('c.yaml', classText({ people: [person(1)] }), by);
  bench.clock.jump(at('2026-09-14', '10:00') - bench.clock.now());
  expect(verify(bench.dir)).toMatchObject({ code: 0, found: { ok: true, credits: 0, unchecked: 0 } });
  expect(bench.classes.enrolledOn(CLASS, day(MONDAY))).toEqual(['T001']);
});
