/** A full disk: no terminal is told to forget anything, the page says why, and within five seconds of space it goes on (F3). */
import { expect, test } from 'vitest';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';

const FULL = (): Error => Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });

test('ten minutes without a free block', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'shop', driver: 'anviz-tcb', options: { fullReadHours: 720 } },
      { id: 'hall', driver: 'zk-standalone' },
    ],
  });
  await site.start();
  await site.until('delivered', () => site.delivered());
  const shop = site.station('shop').terminal as AnvizTerminal;
  const head = site.gateway().store.head().n;
  site.disk = FULL;
  shop.punch(site.people[0] ?? '');
  site.station('hall').terminal.punch(site.people[1] ?? '');
  await site.run(600_000);
  expect(shop.newRecords()).toBe(1);
  expect(site.gateway().store.head().n).toBe(head);
  const full = site.gateway().status();
  expect(full.disk).toMatchObject({ trouble: { code: 'store-failed' } });
  expect(full.disk.trouble?.zh).toContain('SQLITE_FULL');
  expect(full.disk.details.writeFailures).toBeGreaterThan(0);
  expect(full.ready).toBe(true);

  site.disk = null;
  await site.until('stored within five seconds', () => site.gateway().store.punchCount() === 2, 5000);
  expect(shop.newRecords()).toBe(0);
  await site.until('delivered', () => site.delivered());
  // The terminals answered all the time: none of them is said to have been away.
  const offline = site
    .gateway()
    .store.facts(0, 1000, 'event')
    .filter((fact) => fact.kind === 'event' && fact.data.state === 'offline');
  expect(offline).toEqual([]);
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
