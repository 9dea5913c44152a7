/**
 * The preset is changed, and another is made the site's, while a class runs: the class stays as it was to the byte, computed
 * anew or not; the next class takes the new policy; the journal shows both by their hashes (R42, contract point 5).
 */
import { expect, test } from 'vitest';
import { openClasses, type Classes } from '../../src/classes/classes.js';
import { createDoorbell } from '../../src/core/unit.js';
import { runVerify } from '../../src/commands/verify.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { classStatuses } from '../../src/gateway-classes.js';
import type { Policy } from '../../src/rules/policy.js';
import { canonicalJson } from '../../src/store/record.js';
import {
  at,
  by,
  changedPreset,
  classText,
  openBench,
  person,
  preset,
  punch,
  take,
  ZONE,
  type Bench,
} from '../classes/class-fixture.js';

const OLD = 'BT2026-031';
const NEW = 'BT2026-032';
/** Eight minutes late: in time under the old grace, late under the new one. */
const LATE = ['08:38', '12:05', '13:50', '17:35'];

/** The program as it starts with these settings: the site's policy is this one, under the same name. */
function startedWith(bench: Bench, policy: Policy): Bench {
  const policies = { get: () => policy, names: [policy.id] };
  const classes: Classes = openClasses(bench.store, {
    clock: bench.clock,
    zone: ZONE,
    policies,
    terminals: ['gate', 'workshop'],
  });
  return { ...bench, classes };
}

function settle({ store, classes, clock }: Bench, date: string, time: string): void {
  clock.jump(at(date, time) - clock.now());
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

/** Every result of a class in the journal, as the bytes that are hashed. */
const resultsOf = ({ store }: Bench, classNo: string): readonly string[] =>
  store
    .facts(0, 10_000, 'credit')
    .flatMap((fact) => (fact.kind === 'credit' && fact.classNo === classNo ? [canonicalJson(fact)] : []));

test('a class keeps its policy to the byte, and the next class has the new one', () => {
  expect(changedPreset.id).toBe(preset.policy.id);
  expect(changedPreset.sha256).not.toBe(preset.policy.sha256);
  const bench = openBench();
  bench.classes.importText('old.yaml', classText({ people: [person(1)] }), by);
  take(bench, ...LATE.map((time) => punch('2026-09-07', time)));
  settle(bench, '2026-09-08', '23:45');
  const before = resultsOf(bench, OLD);
  expect(before).toHaveLength(2);

  // The preset of that name is another from now on; the program starts anew and everything is computed anew.
  const later = startedWith(bench, changedPreset);
  later.classes.importText(
    'new.yaml',
    classText({ classNo: NEW, people: [person(2)], terminals: '[{ terminal: workshop }]' }),
    by,
  );
  const days = later.store.creditsOf(OLD);
  later.store.transact((tx) => {
    for (const { classNo, traineeNo, date } of days) tx.touchDay({ classNo, traineeNo, date, cause: 'review' });
  });
  take(
    later,
    ...LATE.map((time) => punch('2026-09-09', time)),
    ...LATE.map((time) => punch('2026-09-09', time, { user: 'T002', terminal: 'workshop' })),
  );
  settle(later, '2026-09-10', '23:45');
  expect(resultsOf(later, OLD).slice(0, before.length)).toEqual(before);

  const day = (classNo: string, traineeNo: string, date = '2026-09-09') =>
    later.store.credit(`${classNo}/${traineeNo}/${date}`);
  expect(day(OLD, 'T001', '2026-09-07')).toMatchObject({ totalHours: 8, result: { version: 1 } });
  expect(day(OLD, 'T001')).toMatchObject({ totalHours: 8, policy: { sha256: preset.policy.sha256 } });
  expect(day(NEW, 'T002')).toMatchObject({ totalHours: 7, policy: { sha256: changedPreset.sha256 } });
  // The old class, imported once more under the new preset, is still the same.
  expect(later.classes.importText('old.yaml', classText({ people: [person(1)] }), by).result).toBe('same');

  const activations = later.store
    .facts(0, 10_000, 'event')
    .flatMap((fact) => (fact.kind === 'event' && fact.what === 'class' ? [fact.data] : []));
  expect(activations).toMatchObject([
    { classId: OLD, policy: { id: preset.policy.id, sha256: preset.policy.sha256 } },
    { classId: NEW, policy: { id: preset.policy.id, sha256: changedPreset.sha256 } },
  ]);

  // And so does the status page.
  expect(classStatuses(later.store, later.classes, later.clock, ZONE)).toMatchObject([
    { classNo: OLD, state: 'active', active: { policy: { sha256: preset.policy.sha256 } } },
    { classNo: NEW, state: 'active', active: { policy: { sha256: changedPreset.sha256 } } },
  ]);

  const out: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: () => undefined, json: true, tty: false };
  expect(runVerify({ paths: [later.dir] }, io)).toBe(0);
  expect(JSON.parse(out[0] ?? '')).toMatchObject({ ok: true, unchecked: 0, credits: 8 });
});
