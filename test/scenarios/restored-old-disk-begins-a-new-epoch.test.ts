/**
 * Yesterday's copy of the data directory is put back: the platform is ahead, so a new epoch continues the old one, what the
 * copy does not know is read from the terminals again (also what they were told to forget), and nothing doubles (§9, C4).
 */
import { expect, test } from 'vitest';
import { GW } from '../support/city.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';
import { UPSTREAM } from '../support/site-files.js';

test('the copy of the morning comes back in the evening', async () => {
  await using site = await openSite({
    terminals: [
      { id: 'hall', driver: 'zk-standalone' },
      { id: 'shop', driver: 'anviz-tcb', options: { fullReadHours: 720 } },
    ],
  });
  const [one = '', two = ''] = site.people;
  await site.start();
  await site.goTo('08:20');
  site.station('hall').terminal.punch(one);
  site.station('shop').terminal.punch(two);
  await site.run(20_000);
  await site.until('the morning is delivered', () => site.delivered());
  await site.stop();
  const morning = site.backup();
  const before = site.city.ledger.openEpoch(GW);
  await site.start();
  await site.goTo('12:02');
  site.station('hall').terminal.punch(one);
  site.station('shop').terminal.punch(two);
  await site.run(20_000);
  await site.until('noon is delivered', () => site.delivered());
  await site.stop();
  const noon = site.city.ledger.openEpoch(GW);
  expect(noon?.head.seq).toBeGreaterThan(before?.head.seq ?? Infinity);

  site.restore(morning);
  await site.start();
  await site.until('a new epoch', () => site.gateway().store.upstream(UPSTREAM)?.ep !== before?.ep, 120_000);
  expect(site.gateway().store.upstream(UPSTREAM)?.cont).toEqual({
    ep: noon?.ep,
    seq: noon?.head.seq,
    hash: noon?.head.hash,
    why: 'restore',
  });
  await site.until('read again', () => site.gateway().store.punchCount() === site.given().length, 120_000);
  await site.until('delivered under the new epoch', () => site.delivered());
  const after = site.city.ledger.openEpoch(GW);
  expect(after?.ep).toBe(site.gateway().store.upstream(UPSTREAM)?.ep);
  expect(site.city.ledger.counts(GW)).toMatchObject({ forks: 0, parked: 0, punches: 4 });
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});
