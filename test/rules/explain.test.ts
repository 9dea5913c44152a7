/** Sentences: each code has both languages, and they read as an official expects. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { evaluateCases } from '../../src/commands/credit.js';
import { explainLine, SENTENCES } from '../../src/rules/explain.js';

const source = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../src/rules/${name}.ts`, import.meta.url)), 'utf8');

test('every code that the rules can write has a sentence', () => {
  const lessonCodes = source('hours').match(/LESSON_[A-Z_]+/g) ?? [];
  const reasons = [...source('day-credit').matchAll(/\| '([A-Z_]+)'/g)].map(([, code]) => `PUNCH_${code ?? ''}`);
  const sessions = [
    'LATE',
    'EARLY_LEAVE',
    'ABSENT',
    'MISSING_IN',
    'MISSING_OUT',
    'LEAVE',
    'LEAVE_BUT_PRESENT',
    'MAKEUP',
    'MAKEUP_UNNEEDED',
    'OUTAGE',
  ];
  const slots = ['DEVICE', 'CORRECTED', 'RECEIVED', 'REVIEWED', 'MAKEUP', 'EMPTY'].map((code) => `SLOT_${code}`);
  const codes = [...lessonCodes, ...reasons, ...slots, ...sessions.map((code) => `SESSION_${code}`)];
  expect(reasons).toHaveLength(9);
  expect(lessonCodes.length).toBeGreaterThan(9);
  expect(codes.filter((code) => !(code in SENTENCES))).toEqual([]);
  for (const { zh, en } of Object.values(SENTENCES)) {
    expect(zh).toMatch(/[\u4e00-\u9fff].*。$/);
    expect(en).toMatch(/^[A-Z{].*\.$/);
    const holes = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    expect(holes(zh), zh).toEqual(holes(en));
  }
});

test('a late lesson reads like a sentence', () => {
  const [outcome] = evaluateCases(
    [
      {
        id: 'X',
        kind: 'day',
        date: '2023-03-06',
        punches: [{ deviceTime: '2023-03-06T08:52:00+08:00' }, { deviceTime: '2023-03-06T12:01:00+08:00' }],
      },
    ],
    'x',
  );
  const lesson = outcome?.explanation.find(({ code }) => code === 'LESSON_LATE');
  expect(lesson?.zh).toBe('上午第1节 08:30–09:15 不计\uff1a08:52 签到\uff0c迟到超过 15 分钟宽限。');
  expect(lesson?.en).toBe(
    'Morning, lesson 1, 08:30–09:15 does not count: signed in 08:52, later than the grace of 15 minutes.',
  );
});

test('a code from a newer engine is shown as it is', () => {
  expect(explainLine({ about: 'day', session: null, lesson: null, n: null, code: 'NEW', params: {} }, 'zh')).toBe(
    'NEW',
  );
});

test('an absence does not deny punches that were made and could not be used', () => {
  expect(SENTENCES.SESSION_ABSENT?.zh).toContain('可用的打卡');
  expect(SENTENCES.LESSON_ABSENT?.zh).toContain('可用的打卡');
  expect(SENTENCES.LESSON_ABSENT?.en).toContain('no usable punch');
});
