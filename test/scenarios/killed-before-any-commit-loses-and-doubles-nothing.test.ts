/** kill -9 right before every commit of intake, credit, seal, forward and acknowledgement of a small class day (F1). */
import { expect, test } from 'vitest';
import { killEverywhere, playOnce, SMALL_DAY } from '../support/class-day.js';

test('a day that nobody disturbs keeps all promises and earns everybody eight hours', async () => {
  const played = await playOnce(SMALL_DAY, () => undefined);
  expect(played).toMatchObject({ crashes: 0, broken: [], hours: { T0001: 8, T0002: 8 } });
  expect(played.platformCommits).toBeGreaterThan(5);
});

test('killed before each commit in turn', { timeout: 180_000 }, async () => {
  expect(await killEverywhere('before')).toEqual([]);
});
