/** Layers of a policy: what they may say, what they may not, and the line that is told for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import type { LocalDate } from '../../src/core/time.js';
import { loadPolicyFile, loadPreset, openPolicies, POLICY_DIR } from '../../src/policies.js';
import { canonicalJson, isInForce, parsePolicy, requireInForce } from '../../src/rules/policy.js';
import type { ComposedPolicy } from '../../src/rules/policy-layers.js';
import { policySchema, DEFAULT_PATTERNS, policyPaths } from '../../src/rules/policy-schema.js';
import { comparePolicies, policyValues, sourceOf } from '../../src/rules/policy-values.js';

let dir = '';
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'rollcall-layers-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const preset = loadPreset('baotou-2023').policy;
const HEAD = 'version: 1\nbasis: ["固人社发〔2026〕12号"]\neffectiveFrom: 2026-03-01\n';

/** A layer upon the default preset; its own lines begin at line 6. */
const layer = (lines: string, id = 'county', base = 'baotou-2023'): string =>
  `extends: ${base}\nid: ${id}\n${HEAD}${lines}\n`;

function put(name: string, text: string): string {
  const file = join(dir, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}

function compose(text: string, name = 'county'): ComposedPolicy {
  put(name, text);
  const composed = openPolicies({ site: name, dir }).compose(null);
  if (composed === null) throw new Error('not found');
  return composed;
}

const good = (text: string): NonNullable<ComposedPolicy['policy']> => {
  const { policy, faults } = compose(text);
  expect(faults).toEqual([]);
  if (policy === null) throw new Error('no policy');
  return policy;
};

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('the effective policy', () => {
  test('takes what a layer says and keeps the rest; groups merge, lists replace', () => {
    const policy = good(
      layer(
        'grace: { lateMinutes: 5 }\npunch: { acceptedMethods: [face, card] }\nsessions:\n  - { id: AM, start: "08:30", end: "12:00", lessons: 4 }',
      ),
    );
    expect(policy).toMatchObject({
      id: 'county',
      version: 1,
      effectiveFrom: '2026-03-01',
      jurisdiction: { code: '150200' },
    });
    expect(policy.grace).toEqual({ lateMinutes: 5, earlyMinutes: 15 });
    expect(policy.punch.acceptedMethods).toEqual(['face', 'card']);
    expect(policy.sessions.map((one) => one.id)).toEqual(['AM']);
    expect(policy.thresholds).toEqual(preset.thresholds);
  });

  test('names its bases each once, and the layers it was made of', () => {
    const policy = good(layer('').replace('basis: [', 'basis: ["NM119 §10, §19", '));
    expect(policy.basis).toEqual([...preset.basis, '固人社发〔2026〕12号']);
    expect(policy.layers).toEqual([
      { id: 'baotou-2023', version: 1, sha256: preset.sha256, signedBy: null },
      { id: 'county', version: 1, sha256: policy.layers?.[1]?.sha256, signedBy: null },
    ]);
    expect(policy.layers?.[1]?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(preset.layers).toBeUndefined();
  });

  test('an empty key takes a value away', () => {
    expect(good(layer('thresholds: { attendancePercent: null }')).thresholds.attendancePercent).toBeNull();
    expect(good(layer('thresholds:\n  attendancePercent:')).thresholds.attendancePercent).toBeNull();
  });

  test('a value that a layer sets loses the clause of the former one, a group keeps it for the rest', () => {
    const policy = good(
      layer(
        'thresholds: { attendancePercent: 85, examPercent: 90 }\ninspections: { above: { county: 3 } }\nsources: { thresholds.examPercent: 第三条 }',
      ),
    );
    expect(sourceOf(preset, 'thresholds.attendancePercent')).toBe('BT 三(二)');
    expect(sourceOf(policy, 'thresholds.attendancePercent')).toBeNull();
    expect(sourceOf(policy, 'thresholds.examPercent')).toBe('第三条');
    expect(sourceOf(policy, 'inspections.above.county')).toBeNull();
    expect(sourceOf(policy, 'inspections.above.city')).toBe('BT 三(一)3');
    expect(sourceOf(policy, 'spotCheck.passPercent')).toBe('BT 三(一)2');
  });

  test('tells which layer set a value', () => {
    put('county', layer('grace: { lateMinutes: 5 }\nthresholds: { examPercent: null }'));
    const { origin, policy, layers } = compose(layer('makeup: { deadlineDays: 1 }', 'evening', 'county'), 'evening');
    expect(layers.map((one) => one.id)).toEqual(['baotou-2023', 'county', 'evening']);
    expect(
      ['makeup.deadlineDays', 'grace.lateMinutes', 'grace.earlyMinutes', 'thresholds.examPercent'].map(origin),
    ).toEqual(['evening', 'county', 'baotou-2023', 'county']);
    expect(policy).toMatchObject({ id: 'evening', grace: { lateMinutes: 5 }, makeup: { deadlineDays: 1 } });
  });
});

test('a complete file is refused with the line of a key that is empty, and a share above the whole', () => {
  const text = readFileSync(join(POLICY_DIR, 'baotou-2023.yaml'), 'utf8')
    .replace(/^id: .*$/m, 'id: county')
    .replace(/^dayCapHours: .*$/m, 'dayCapHours: null')
    .replace('"1/3"', '"3/1"');
  const line = text.split('\n').indexOf('dayCapHours: null') + 1;
  const { policy, faults } = compose(text);
  expect(policy).toBeNull();
  expect(faults).toMatchObject([
    { code: 'key-missing', path: 'dayCapHours', line },
    { code: 'wrong-value', path: 'spotCheck.phoneShare' },
  ]);
});

describe('a layer is refused with its own line', () => {
  test.each([
    ['grace:\n  lateMinits: 3', 7, 'grace.lateMinits', 'lateMinutes'],
    ['grace:\n  lateMinits:', 7, 'grace.lateMinits', 'lateMinutes'],
    ['credit: { mode: lesson }', 6, 'credit.mode', 'lessons'],
    ['grace: { lateMinutes: soon }', 6, 'grace.lateMinutes', null],
    ['grace: { lateMinutes: -1 }', 6, 'grace.lateMinutes', null],
    ['makeup: { allowed: null }', 6, 'makeup.allowed', null],
    // The sessions stand in the preset; the lesson of the layer is what does not fit.
    ['# \nlesson: { minutes: 50 }', 7, 'sessions.0.lessons', null],
    ['windows: { openBeforeMinutes: 0 }\nclock:\n  okSeconds: 700', 8, 'clock.correctMaxSeconds', null],
    ['effectiveTo: 2026-02-01', 6, 'effectiveTo', null],
    ['layers: []', 6, 'layers', null],
    [
      'sources: { thresholds.attendancePercnt: x }',
      6,
      'sources.thresholds.attendancePercnt',
      'thresholds.attendancePercent',
    ],
    ['sources: { id: x }', 6, 'sources.id', null],
    ['patterns: { crowdTrainees: 1 }', 6, 'patterns.crowdTrainees', null],
  ])('%j', (lines, line, path, nearest) => {
    const { policy, faults } = compose(layer(lines));
    expect(policy).toBeNull();
    expect(faults.map((one) => [one.file, one.line, one.path])).toContainEqual([join(dir, 'county.yaml'), line, path]);
    if (nearest !== null) expect(faults[0]?.nearest).toBe(nearest);
    for (const fault of faults) expect(`${fault.zh}${fault.remedyZh}`).toMatch(/[\u4e00-\u9fff]/);
  });

  test('when a window is empty, the fault names the session and stands in the layer', () => {
    const lines =
      'lesson: { minutes: 1, breakMinutes: 0 }\nsessions:\n  - { id: AM, start: "08:00", end: "08:01", lessons: 1 }\n  - { id: PM, start: "08:01", end: "08:02", lessons: 1 }';
    expect(compose(layer(lines)).faults[0]).toMatchObject({ path: 'sessions.0.end', line: 8 });
  });

  test('when it extends what is not there, with the nearest name', () => {
    expect(compose(layer('', 'county', 'baotou-2032')).faults[0]).toMatchObject({
      ...{ path: 'extends', line: 1, code: 'not-one-of', nearest: 'baotou-2023' },
    });
  });

  test.each(['id', 'version', 'basis', 'effectiveFrom'])('without %s', (key) => {
    const text = layer('').replace(new RegExp(`^${key}:.*\\n`, 'm'), '');
    expect(compose(text).faults[0]).toMatchObject({ code: 'key-missing', path: key });
  });

  test('in a circle, and in a chain of more than four files', () => {
    put('one', layer('', 'one', 'two'));
    expect(compose(layer('', 'two', 'one'), 'two').faults[0]).toMatchObject({ code: 'policy-chain', path: 'extends' });
    put('a', layer('', 'a'));
    put('b', layer('', 'b', 'a'));
    expect(compose(layer('', 'c', 'b'), 'c').faults).toEqual([]);
    expect(compose(layer('', 'd', 'c'), 'd').faults[0]).toMatchObject({
      code: 'policy-chain',
      path: 'extends',
      line: 1,
    });
  });

  test('when it would be in force before or after what it extends', () => {
    put('county', layer('effectiveTo: 2026-12-31'));
    const upon = (lines: string): unknown =>
      compose(layer(lines, 'evening', 'county'), 'evening').faults.map((one) => [one.path, one.line]);
    expect(upon('')).toEqual([]);
    expect(upon('effectiveTo: 2027-01-01')).toEqual([['effectiveTo', 6]]);
    expect(upon('effectiveTo: null')).toEqual([['effectiveTo', 1]]);
    const early = layer('', 'evening', 'county').replace('2026-03-01', '2026-02-28');
    expect(compose(early, 'evening').faults.map((one) => [one.path, one.line])).toEqual([['effectiveFrom', 5]]);
  });

  test('when what lies below is broken, with the line of that file', () => {
    put('county', layer('grace: { lateMinutes: -1 }'));
    const [fault] = compose(layer('', 'evening', 'county'), 'evening').faults;
    expect(fault).toMatchObject({ file: join(dir, 'county.yaml'), line: 6 });
  });

  test('when it calls itself otherwise than its file, or a preset has the name', () => {
    expect(compose(layer('', 'other')).faults[0]).toMatchObject({ path: 'id', line: 2 });
    put('baotou-2023', layer('', 'baotou-2023'));
    const policies = openPolicies({ site: 'baotou-2023', dir });
    expect(policies.get(null)?.sha256).toBe(preset.sha256);
    expect(policies.faults()[0]).toMatchObject({ severity: 'warning', path: 'id' });
  });
});

describe('the hash', () => {
  test('of a policy does not depend on order, comments or quotes, of a layer neither', () => {
    const [a, b] = [
      good(layer('grace: { lateMinutes: 5, earlyMinutes: 6 }\nmakeup: { deadlineDays: 1 }')),
      good(layer('# wird erklärt\nmakeup:\n  deadlineDays: 1 # 天\n\ngrace: { earlyMinutes: 6, lateMinutes: 5 }')),
    ];
    expect(b.sha256).toBe(a.sha256);
    expect(good(layer('grace: { lateMinutes: 5, earlyMinutes: 7 }\nmakeup: { deadlineDays: 1 }')).sha256).not.toBe(
      a.sha256,
    );
  });

  test('of what a class keeps stays when its text is read back', () => {
    for (const policy of [preset, good(layer('grace: { lateMinutes: 5 }'))]) {
      const { sha256, ...content } = policy;
      expect(parsePolicy(JSON.parse(canonicalJson(content))).sha256).toBe(sha256);
    }
  });

  test('of the file of a preset is that of the preset', () => {
    const file = new URL('../../config/policies/baotou-2023.yaml', import.meta.url).pathname;
    expect(loadPolicyFile(file).policy.sha256).toBe(preset.sha256);
  });
});

test('a policy is in force from its first to its last day', () => {
  const day = (text: string): LocalDate => text as LocalDate;
  const ending = { ...preset, effectiveTo: day('2026-12-31') };
  expect(['2023-02-22', '2023-02-23', '2026-12-31', '2027-01-01'].map((text) => isInForce(ending, day(text)))).toEqual([
    ...[false, true, true, false],
  ]);
  expect(isInForce(preset, day('2099-01-01'))).toBe(true);
  expect(codeOf(() => requireInForce(preset, day('2023-02-22')))).toBe('policy-not-in-force');
  expect(codeOf(() => requireInForce(preset, day('2023-02-23')))).toBe('nothing was thrown');
});

test('every place of the form is described, and the presets cite only places and documents they name', () => {
  const bare = [...policyPaths().values()].filter((one) => !/[\u4e00-\u9fff]/.test(one.zh) || !/[A-Za-z]/.test(one.en));
  expect(bare).toEqual([]);
  expect(policyPaths().size).toBeGreaterThan(70);
  for (const name of ['baotou-2023', 'neimenggu-2023', 'liaoning-2022-knowledge', 'liaoning-2022-practical']) {
    const { policy } = loadPreset(name);
    const clauses = policyValues(policy).flatMap((one) => (one.source === null ? [] : [one.source]));
    expect(clauses.length).toBeGreaterThan(15);
    for (const clause of clauses) {
      const [document = ''] = /^[A-Z]+\d*/.exec(clause) ?? [];
      expect(policy.basis.some((one) => one.startsWith(`${document} = `))).toBe(true);
    }
    expect(sourceOf(policy, 'grace.lateMinutes')).toBeNull();
    expect(policy.patterns).toEqual(DEFAULT_PATTERNS);
  }
});

test('a policy without patterns is one with the usual numbers', () => {
  const { patterns, sha256, ...rest } = preset;
  expect(patterns).toEqual({ crowdTrainees: 5, crowdSeconds: 1, placesWithinSeconds: 60, makeupBurst: 10 });
  const without = parsePolicy(rest);
  expect(without.sha256).not.toBe(sha256);
  expect('patterns' in policySchema.parse(rest)).toBe(false);
  expect(comparePolicies(preset, without)).toEqual([]);
});
