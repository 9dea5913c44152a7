/** The first thing a newcomer sees: one class day, its attendance table, and the platform's verdict. */
import { expect, test } from 'vitest';
import { runOnce } from './run-once.js';

test('demo --once prints the table and ends 0 only because everything was verified', async () => {
  const { code, out, err } = await runOnce(['demo', '--once']);
  expect(err).not.toMatch(/错误/);
  expect(out).toMatch(/^verified: 219 punches, \d+ batches$/m);
  expect(out.split('\n').filter((line) => /^\d+ +\S+ +T\d{4}/.test(line))).toHaveLength(24);
  expect(out).toMatch(/T0010 .*8:57.* 7 +AM:LATE/);
  expect(out).toMatch(/迟到超过 15 分钟宽限/);
  expect(out).toMatch(/later than the grace of 15 minutes/);
  expect(code).toBe(0);
}, 60_000);
