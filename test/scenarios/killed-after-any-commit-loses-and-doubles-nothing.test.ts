/** kill -9 right after every commit, before anything learns of it: no page confirmed, nothing published, no bell rung (F1). */
import { expect, test } from 'vitest';
import { killEverywhere } from '../support/class-day.js';

test('killed after each commit in turn', { timeout: 180_000 }, async () => {
  expect(await killEverywhere('after')).toEqual([]);
});
