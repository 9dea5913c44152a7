/** The terminal announces more than it gives: told once, read again, and until then nothing counts as reported (F10). */
import { expect, test } from 'vitest';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { simulatedHistory } from '../../src/demo/people.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_DATE } from '../support/site-files.js';

test.each(['zk-standalone', 'anviz-tcb'] as const)('%s gives three records fewer than it has', async (driver) => {
  const records = simulatedHistory(40, 10, SITE_DATE);
  await using site = await openSite({
    terminals: [{ id: 'hall', driver, records, faults: { 'truncate-dataset': '3' } }],
  });
  const details = () => site.gateway().status().terminals[0]?.details;
  await site.start();
  await site.until('read short', () => details()?.announced === 40);
  await site.run(90_000);
  expect(site.gateway().store.punchCount()).toBe(37);
  expect(details()).toMatchObject({ announced: 40, decoded: 37, lastDrainedAt: null });
  expect(site.gateway().status().terminals[0]?.trouble?.code).toBe('read-incomplete');
  if (driver === 'anviz-tcb') expect((site.station('hall').terminal as AnvizTerminal).newRecords()).toBe(40);
  const told = site
    .gateway()
    .store.facts(0, 1000, 'event')
    .filter((fact) => fact.kind === 'event' && fact.what === 'count-mismatch');
  expect(told).toHaveLength(1);

  site.station('hall').terminal.setFault('truncate-dataset', null);
  if (driver === 'zk-standalone') site.station('hall').drop();
  await site.until('read whole', () => site.gateway().store.punchCount() === 40, 2 * 3_600_000);
  await site.run(10_000);
  expect(details()).toMatchObject({ announced: null, decoded: null });
  expect(Number(details()?.lastDrainedAt)).toBeGreaterThan(0);
  await site.until('delivered', () => site.delivered());
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
