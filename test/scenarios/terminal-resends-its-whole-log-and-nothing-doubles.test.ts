/** A ZK terminal has no cursor: each connection brings the whole log (P2). An Anviz terminal that lost its flags does the same. */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import { openSite } from '../support/harness.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_DATE } from '../support/site-files.js';

test('the log comes again with every connection and is stored once', async () => {
  const records = simulatedHistory(120, 10, SITE_DATE);
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone', records }] });
  const hall = site.station('hall');
  await site.start();
  const details = () => site.gateway().status().terminals[0]?.details;
  await site.until('read', () => details()?.stored === 120);
  for (let round = 1; round <= 3; round += 1) {
    const repeated = Number(details()?.repeated);
    await site.run(1500);
    hall.drop();
    hall.terminal.punch(site.people[0] ?? '');
    await site.until('read again', () => Number(details()?.repeated) >= repeated + 120);
    expect(site.gateway().store.punchCount()).toBe(120 + round);
  }
  await site.until('delivered', () => site.delivered());
  expect(await brokenPromises(site, { credit: false })).toEqual([]);
});

test('what came live is known again when the log brings it', async () => {
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }] });
  const hall = site.station('hall');
  await site.start();
  await site.live('hall');
  for (const person of site.people) {
    hall.terminal.punch(person);
    await site.run(1500);
  }
  const before = site.gateway().store.facts(0, 1000, 'punch');
  expect(before.map((fact) => fact.kind === 'punch' && [fact.source, fact.delivery])).toEqual(
    site.people.map(() => ['realtime', 'live']),
  );
  hall.drop();
  await site.run(20_000);
  expect(site.gateway().store.facts(0, 1000, 'punch')).toEqual(before);
});
