/** The policy file: presets load, faults name key, line and the nearest word, the hash follows the content, every value is described. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { GatewayError } from '../../src/core/errors.js';
import { checkPolicyText, loadPolicyFile, loadPreset, presetNames } from '../../src/policies.js';
import { parsePolicy, withValues } from '../../src/rules/policy.js';
import { policySchema } from '../../src/rules/policy-schema.js';

const base = loadPreset('baotou-2023');

function errorOf(work: () => unknown): GatewayError {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const refused = (values: Record<string, unknown>): GatewayError =>
  errorOf(() => parsePolicy(withValues(base.plain, values)));

test('the four presets load and differ where they should', () => {
  expect(presetNames()).toEqual([
    'baotou-2023',
    'liaoning-2022-knowledge',
    'liaoning-2022-practical',
    'neimenggu-2023',
  ]);
  const differing = (name: string): string[] => {
    const flat = (value: unknown, path: string): [string, unknown][] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => flat(inner, path === '' ? key : `${path}.${key}`))
        : [[path, value]];
    const [ours, theirs] = [new Map(flat(base.policy, '')), new Map(flat(loadPreset(name).policy, ''))];
    return [...new Set([...ours.keys(), ...theirs.keys()])]
      .filter((key) => ours.get(key) !== theirs.get(key))
      .filter((key) => !/^(id|sha256|jurisdiction\.|basis\.|effective|sources\.)/.test(key))
      .sort();
  };
  const four = ['attendancePercent', 'examPercent', 'practicePercent', 'theoryPercent'].map(
    (key) => `thresholds.${key}`,
  );
  expect(differing('neimenggu-2023')).toEqual(['thresholds.attendancePercent']);
  expect(differing('liaoning-2022-practical')).toEqual(['online.totalCapPercent', ...four]);
  expect(differing('liaoning-2022-knowledge')).toEqual(['online.totalCapPercent', ...four]);
});

test('the hash is SHA-256 over the sorted JSON of the values, whatever the order of the keys', () => {
  const { sha256, ...values } = base.policy;
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, inner]) => [key, sorted(inner)]),
          )
        : value;
  expect(sha256).toBe(
    createHash('sha256')
      .update(JSON.stringify(sorted(values)))
      .digest('hex'),
  );
  const reversed = Object.fromEntries(Object.entries(base.plain ?? {}).reverse());
  expect(parsePolicy(reversed).sha256).toBe(sha256);
  expect(parsePolicy(withValues(base.plain, { 'grace.lateMinutes': 16 })).sha256).not.toBe(sha256);
});

test.each([
  [{ 'grace.lateMinits': 3 }, 'grace.lateMinits', 'lateMinutes'],
  [{ 'credit.mode': 'lesson' }, 'credit.mode', 'lessons'],
  [{ 'windows.cut': 'end' }, 'windows.cut', ''],
  [{ 'leave.creditHours': 1 }, 'leave.creditHours', ''],
  [{ timezone: '+08:00' }, 'timezone', 'Asia/Shanghai'],
  [{ effectiveFrom: '2023-02-30' }, 'effectiveFrom', 'YYYY-MM-DD'],
  [{ effectiveTo: '2020-01-01' }, 'effectiveTo', 'effectiveFrom'],
  [{ 'retention.recordsYears': 4 }, 'retention.recordsYears', '5'],
  [{ 'lesson.minutes': 50 }, 'sessions.0.lessons', '12:20'],
  [{ 'clock.okSeconds': 700 }, 'clock.correctMaxSeconds', 'okSeconds'],
  [{ __proto__x: 1 }, '__proto__x', ''],
])('%j is refused at %s', (values, key, hint) => {
  const error = refused(values);
  expect(error.code).toBe('bad-policy');
  expect(error.context.key).toBe(key);
  expect(error.context.reason).toContain(hint);
  expect(error.explain('zh').what).toMatch(/[\u4e00-\u9fff]/);
  expect(error.message).not.toMatch(/[{}]/);
});

test('sessions that overlap, or leave a window empty, are refused', () => {
  const tiny = (start: string, end: string): object => ({
    'lesson.minutes': 1,
    sessions: [
      { id: 'AM', start: '08:00', end: '08:01', lessons: 1 },
      { id: 'PM', start, end, lessons: 1 },
    ],
  });
  expect(refused({ ...tiny('08:00', '08:01') }).context.key).toBe('sessions.1.start');
  // 08:00-08:01 and 08:01-08:02 part at 08:01: the AM sign-out would be 08:01 to 08:00.
  expect(refused({ ...tiny('08:01', '08:02') }).context).toMatchObject({
    key: 'sessions.0.end',
    reason: '"sessions.0.end" is not allowed as written: the AM_OUT window is empty.',
  });
});

test('a fault in a file has its line; an unknown preset the nearest names', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'county.yaml');
  writeFileSync(file, 'id: county\nversion: 1\ngrace:\n  lateMinits: 15\n');
  const checked = checkPolicyText(file, 'id: county\nversion: one\n');
  expect(checked.policy).toBeNull();
  expect(checked.faults.find(({ path }) => path === 'version')).toMatchObject({ line: 2, code: 'wrong-type' });
  expect(errorOf(() => loadPolicyFile(file)).message).toContain('county.yaml:');
  const unknown = errorOf(() => loadPreset('baotou-2032'));
  expect(unknown.code).toBe('unknown-preset');
  expect(unknown.message).toContain('"baotou-2023"');
  expect(errorOf(() => loadPolicyFile('/nowhere/x.yaml')).code).toBe('bad-policy');
  expect(errorOf(() => loadPreset('../baotou-2023')).code).toBe('unknown-preset');
});

test('every value has a description in Chinese and English', () => {
  const missing: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (schema instanceof z.ZodObject) {
      for (const [key, inner] of Object.entries(schema.shape)) {
        const meta = (inner as z.ZodType).meta();
        if (!/[\u4e00-\u9fff]/.test(String(meta?.zh)) || !/[A-Za-z]/.test(meta?.description ?? ''))
          missing.push(`${path}${key}`);
        walk(inner, `${path}${key}.`);
      }
    } else if (schema instanceof z.ZodArray) walk(schema.element, path);
  };
  walk(policySchema, '');
  expect(missing).toEqual([]);
  expect(Object.keys(policySchema.shape).length).toBeGreaterThan(20);
});
