/** The platform comes back as its own copy of the morning: it says how far it is, and gets the rest again from the outbox (§8). */
import { expect, test } from 'vitest';
import { GW } from '../support/city.js';
import { openSite } from '../support/harness.js';
import type { Site } from '../support/site.js';
import { brokenPromises } from '../support/promises.js';

const deliver = async (site: Site, time: string): Promise<void> => {
  await site.goTo(time);
  for (const person of site.people) {
    site.station('hall').terminal.punch(person);
    await site.run(5000);
  }
  await site.until('delivered', () => site.delivered());
};

test.each([false, true])('a restore, with a restart of the gateway meanwhile: %s', async (restart) => {
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }] });
  await site.start();
  await deliver(site, '08:20');
  const copy = site.city.backup();
  await deliver(site, '12:02');
  await deliver(site, '13:50');
  expect(site.city.ledger.counts(GW).punches).toBe(9);
  if (restart) await site.stop();
  site.city.restore(copy);
  expect(site.city.ledger.counts(GW).punches).toBe(3);
  if (restart) await site.start();
  await site.until('everything is there again', () => site.city.ledger.counts(GW).punches === 9, 120_000);
  await site.until('acknowledged again', () => site.delivered());
  await deliver(site, '17:33');
  expect(site.city.ledger.counts(GW)).toMatchObject({ punches: 12, repeated: 0, forks: 0 });
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
