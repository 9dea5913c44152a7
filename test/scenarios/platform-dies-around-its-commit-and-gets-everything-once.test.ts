/** The platform dies before each of its commits, and between each commit and its acknowledgement (P7, F7). */
import { expect, test } from 'vitest';
import { playOnce, SMALL_DAY } from '../support/class-day.js';

test.each(['before-commit', 'before-ack'] as const)('the platform dies %s', { timeout: 120_000 }, async (where) => {
  const clean = await playOnce(SMALL_DAY, () => undefined);
  const broken: string[] = [];
  for (let death = 1; death <= clean.platformCommits; death += 1) {
    const played = await playOnce(SMALL_DAY, ({ city }) => city.dieAt(where, death));
    broken.push(...played.broken.map((one) => `death ${death}: ${one}`));
    if (played.platformDeaths !== 1) broken.push(`death ${death} did not happen`);
    expect(played.hours).toEqual(clean.hours);
  }
  expect(broken).toEqual([]);
});
