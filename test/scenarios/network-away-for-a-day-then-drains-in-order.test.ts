/** A day without the platform: everything is kept, the page says what waits, and it drains by itself, oldest first (P8, F6). */
import { expect, test } from 'vitest';
import { addDays } from '../../src/core/time.js';
import { GW } from '../support/city.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_DATE, UPSTREAM } from '../support/site-files.js';

test('a day without network', { timeout: 60_000 }, async () => {
  const tomorrow = addDays(SITE_DATE, 1);
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone' },
      { id: 'shop', driver: 'anviz-tcb', settings: { pollSeconds: 30 } },
    ],
    dates: [SITE_DATE, tomorrow],
    healthMs: 30_000,
  });
  await site.start();
  await site.until('greeted', () => site.gateway().status().upstreams[0]?.state === 'connected');
  site.city.cutAll('the network is gone');
  site.city.faults.refuse = true;
  let given = 0;
  for (const date of [SITE_DATE, tomorrow]) {
    for (const time of ['08:20', '12:02', '13:50', '17:33']) {
      await site.goTo(time, date);
      for (const person of site.people) {
        site.station(given % 2 === 0 ? 'hall' : 'shop').terminal.punch(person);
        given += 1;
        await site.run(4000);
      }
      await site.run(40_000);
    }
  }
  const away = site.gateway().status();
  expect(away.punches).toBe(given);
  expect(away.upstreams[0]).toMatchObject({ state: 'offline', trouble: { code: 'uplink-unreachable' } });
  expect(away.pendingRecords).toBeGreaterThan(given);
  expect(away.pendingBatches).toBeGreaterThan(8);
  expect(away.oldestPendingAt).toBeLessThan(site.world.now() - 24 * 3_600_000);
  const waiting = site.gateway().store.upstream(UPSTREAM);
  site.city.faults.refuse = false;
  await site.until('drained', () => site.delivered(), 180_000);
  const ep = waiting?.ep ?? '';
  expect(site.city.headSeq(ep)).toBeGreaterThanOrEqual(waiting?.headSeq ?? Infinity);
  expect(site.city.arrivals().filter((seq, at, all) => all.indexOf(seq) === at)).toEqual(
    Array.from({ length: site.city.headSeq(ep) }, (_, at) => at + 1),
  );
  expect(site.city.ledger.counts(GW)).toMatchObject({ repeated: 0, early: 0 });
  await site.goTo('23:31', tomorrow);
  await site.run(70_000);
  await site.until('results delivered', () => site.delivered());
  expect(await brokenPromises(site)).toEqual([]);
});
