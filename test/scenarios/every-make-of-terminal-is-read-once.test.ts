/** One terminal of each make with a past, punches of today, a cut wire and a gateway that dies: everything is stored once (P1, P2). */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import { openSite } from '../support/harness.js';
import { MAKES } from '../support/makes.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_DATE } from '../support/site-files.js';

test.each(MAKES)('$name', { timeout: 60_000 }, async (make) => {
  const records = simulatedHistory(45, 10, SITE_DATE);
  await using site = await openSite({ terminals: [{ ...make, id: 'hall', records }] });
  const hall = site.station('hall');
  const stored = (): number => site.life()?.gateway.store.punchCount() ?? 0;
  await site.start();
  await site.until('the past is read', () => stored() === 45, 1_800_000);
  hall.terminal.punch(site.people[0] ?? '');
  await site.until('a punch of today', () => stored() === 46, 600_000);
  hall.pull();
  hall.terminal.punch(site.people[1] ?? '');
  await site.run(30_000);
  hall.plug();
  await site.until('a punch behind a cut wire', () => stored() === 47, 1_800_000);
  site.kill();
  hall.terminal.punch(site.people[2] ?? '');
  await site.until('a punch while the gateway was dead', () => stored() === 48, 1_800_000);
  await site.until('delivered', () => site.delivered(), 600_000);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
