/** SIGTERM while a page is on the wire, or between its commit and its confirmation: ends within five seconds, loses nothing (F15). */
import { expect, test } from 'vitest';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { simulatedHistory } from '../../src/demo/people.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_DATE } from '../support/site-files.js';

test.each(['zk-standalone', 'anviz-tcb'] as const)('%s', async (driver) => {
  const records = simulatedHistory(200, 10, SITE_DATE);
  const options = driver === 'anviz-tcb' ? { fullReadHours: 720, pageRecords: 25 } : {};
  const simulatorOptions = driver === 'anviz-tcb' ? {} : { smallAnswerBytes: 64, packetPauseMs: 100 };
  await using site = await openSite({
    terminals: [{ id: 'hall', driver, records, options, simulatorOptions }],
    restartAfterMs: null,
  });
  site.station('hall').terminal.setFault('delay', '200');
  for (const afterMs of [700, 1900, 3500, 5200]) {
    await site.start();
    await site.run(afterMs);
    const began = site.world.ticks();
    await site.stop();
    expect(site.world.ticks() - began).toBeLessThanOrEqual(5000);
  }
  site.station('hall').terminal.setFault('delay', null);
  await site.start();
  await site.until('read', () => site.gateway().store.punchCount() === 200);
  await site.run(10_000);
  if (driver === 'anviz-tcb') expect((site.station('hall').terminal as AnvizTerminal).newRecords()).toBe(0);
  await site.until('delivered', () => site.delivered());
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
