/** NTP, a person or a dead battery moves the gateway's clock by an hour or a year, running or stopped (F12, P6). */
import { expect, test } from 'vitest';
import type { EventFact, Numbered } from '../../src/rules/facts.js';
import { openSite } from '../support/harness.js';
import type { Site } from '../support/site.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_CLASS } from '../support/site-files.js';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

const clockEvents = (site: Site): readonly Numbered<EventFact>[] =>
  site
    .gateway()
    .store.facts(0, 10_000, 'event')
    .flatMap((fact) =>
      fact.kind === 'event' && fact.what === 'clock' && fact.data.source === 'gateway' ? [fact] : [],
    );

const punch = async (site: Site, at: number): Promise<void> => {
  const stored = site.gateway().store.punchCount();
  site.station('hall').terminal.punch(site.people[at % 3] ?? '');
  await site.until('stored within two seconds', () => site.gateway().store.punchCount() > stored, 2000);
};

test.each([-HOUR, HOUR, -YEAR, YEAR])(
  'a jump of %i ms while it runs is an event; intake and delivery go on',
  async (ms) => {
    await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }] });
    await site.start();
    await site.live('hall');
    await punch(site, 0);
    site.jump(ms);
    await site.run(1000);
    expect(clockEvents(site).map((event) => event.data.stepMs)).toEqual([ms]);
    await site.run(2000);
    await punch(site, 1);
    site.jump(-ms);
    await site.run(2000);
    await punch(site, 2);
    expect(clockEvents(site).map((event) => event.data.stepMs)).toEqual([ms, -ms]);
    const facts = site.gateway().store.facts(0, 1000, 'punch');
    expect(facts.map((fact) => fact.kind === 'punch' && fact.deviceUserId)).toEqual(site.people);
    await site.until('delivered', () => site.delivered(), 60_000);
    expect(await brokenPromises(site, { credit: false })).toEqual([]);
  },
);

test('a clock set back while the gateway was off shows at the next start, once', async () => {
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }] });
  await site.start();
  await site.run(5000);
  await site.stop();
  site.jump(-HOUR);
  await site.start();
  await site.run(5000);
  expect(clockEvents(site).map((event) => Math.round(Number(event.data.stepMs) / 60_000))).toEqual([-60]);
  expect(clockEvents(site)[0]?.data).toMatchObject({ running: false });
  await site.stop();
  await site.start();
  await site.run(5000);
  expect(clockEvents(site)).toHaveLength(1);
});

test('punches taken while nobody vouches for the clock say so in the result', async () => {
  await using site = await openSite({ terminals: [{ id: 'hall', driver: 'zk-standalone' }], people: 1 });
  await site.start();
  await site.goTo('08:20');
  const life = site.life();
  if (life) life.clock.isTrusted = false;
  site.station('hall').terminal.punch(site.people[0] ?? '');
  await site.run(3000);
  const [credit] = site.gateway().store.creditsOf(SITE_CLASS);
  expect(credit?.result.flags).toContain('GATEWAY_CLOCK_UNTRUSTED');
});

test('a wrong year for a minute does not tell the terminals read until then', async () => {
  await using site = await openSite({
    terminals: [{ id: 'hall', driver: 'zk-standalone', options: { keepAliveSeconds: 2 } }],
  });
  await site.start();
  await site.live('hall');
  site.jump(YEAR);
  await site.run(60_000);
  site.station('hall').pull();
  site.jump(-YEAR);
  await site.run(1000);
  expect(Number(site.gateway().status().terminals[0]?.details.lastDrainedAt)).toBeLessThanOrEqual(site.world.now());
});
