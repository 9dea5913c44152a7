/** The key that signed earlier batches is missing at start: delivery parks and says why, collecting goes on, no key is made. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSite } from '../support/harness.js';

test('delivery waits for the key, and goes on with it', async () => {
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }] });
  const [one = '', two = ''] = site.people;
  await site.start();
  await site.goTo('08:20');
  site.station('hall').terminal.punch(one);
  await site.run(20_000);
  await site.until('the first punch is delivered', () => site.delivered());
  await site.stop();
  const key = join(site.dir(), 'keys', 'gateway.pem');
  const away = `${key}.away`;
  renameSync(key, away);
  rmSync(`${key}.previous`, { force: true });

  await site.start();
  expect(site.gateway().status().upstreams).toMatchObject([{ state: 'parked', trouble: { code: 'signing-key-lost' } }]);
  site.station('hall').terminal.punch(two);
  await site.until('the second punch is stored', () => site.gateway().store.punchCount() === 2, 120_000);
  expect(existsSync(key)).toBe(false);
  await site.stop();

  renameSync(away, key);
  await site.start();
  await site.until('all is delivered', () => site.delivered(), 120_000);
  expect(site.city.ledger.gateways().map((gw) => site.city.ledger.counts(gw).punches)).toEqual([2]);
});
