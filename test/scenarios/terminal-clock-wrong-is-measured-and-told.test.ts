/** A terminal's clock is wrong: what it told stays as it is, the error is measured before its punches are read, and told (F11, P6). */
import { expect, test } from 'vitest';
import { instantToWall, wallToInstant } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import type { Site } from '../support/site.js';
import { brokenPromises } from '../support/promises.js';
import { SITE_CLASS } from '../support/site-files.js';
import { SITE_ZONE } from '../support/station.js';

const MINUTE = 60_000;

const drifts = (site: Site): readonly unknown[] =>
  site
    .gateway()
    .store.facts(0, 10_000, 'event')
    .flatMap((fact) => (fact.kind === 'event' && fact.what === 'clock' ? [fact.data.driftMs] : []));

async function dayWith(offsetMs: number, settings: Readonly<Record<string, unknown>> = {}): Promise<Site> {
  const site = await openSite({ people: 1, terminals: [{ id: 'hall', driver: 'zk-standalone', settings }] });
  site.station('hall').terminal.setClockOffset(offsetMs);
  await site.start();
  await site.live('hall');
  return site;
}
const punchAll = async (site: Site): Promise<void> => {
  for (const time of ['08:20', '12:02', '13:50', '17:33']) {
    await site.goTo(time);
    site.station('hall').terminal.punch(site.people[0] ?? '');
    await site.run(5000);
  }
};

test('five minutes fast: corrected, told time kept, eight hours', async () => {
  await using site = await dayWith(5 * MINUTE);
  await punchAll(site);
  const facts = site
    .gateway()
    .store.facts(0, 1000, 'punch')
    .flatMap((fact) => (fact.kind === 'punch' ? [fact] : []));
  for (const fact of facts) {
    expect(fact.offsetMs).toBe(5 * MINUTE);
    expect(fact.wallTime).toBe(instantToWall(fact.instant ?? fact.rx, SITE_ZONE));
    expect((fact.instant ?? 0) - (fact.effective ?? 0)).toBe(5 * MINUTE);
  }
  expect(facts).toHaveLength(4);
  expect(drifts(site)).toEqual([5 * MINUTE]);
  const [credit] = site.gateway().store.creditsOf(SITE_CLASS);
  expect(credit?.totalHours).toBe(8);
  expect(credit?.result.flags).toContain('CLOCK_CORRECTED');
  await site.goTo('23:31');
  await site.run(70_000);
  await site.until('delivered', () => site.delivered());
  expect(await brokenPromises(site)).toEqual([]);
});

test('two hours fast: live punches count by their receipt, old ones wait for a person', async () => {
  await using site = await dayWith(120 * MINUTE);
  await site.goTo('08:20');
  site.station('hall').terminal.punch(site.people[0] ?? '');
  await site.run(5000);
  site.station('hall').pull();
  await site.goTo('12:02');
  site.station('hall').terminal.punch(site.people[0] ?? '');
  await site.run(2000);
  site.station('hall').plug();
  await site.until('read', () => site.gateway().store.punchCount() === 2);
  const [live, old] = site
    .gateway()
    .store.facts(0, 1000, 'punch')
    .flatMap((fact) => (fact.kind === 'punch' ? [fact] : []));
  expect(live).toMatchObject({ delivery: 'live', effective: Math.floor((live?.rx ?? 0) / 1000) * 1000 });
  expect(old).toMatchObject({ delivery: 'backfill', effective: null });
  await site.run(5000);
  expect(site.gateway().store.creditsOf(SITE_CLASS)[0]?.result.flags).toContain('CLOCK_UNTRUSTED');
});

test('a clock that jumps while it is followed is told within a keep-alive', async () => {
  await using site = await dayWith(0);
  expect(drifts(site)).toEqual([]);
  site.station('hall').terminal.setClockOffset(-90 * MINUTE);
  await site.run(65_000);
  expect(drifts(site)).toEqual([-90 * MINUTE]);
  expect(site.gateway().status().terminals[0]?.details.offsetMs).toBe(-90 * MINUTE);
});

test('set by the gateway where that is wanted, only after everything was read', async () => {
  await using site = await dayWith(2 * MINUTE, { clock: { set: 'auto', maxStepSeconds: 300 } });
  await site.run(5000);
  expect(drifts(site)).toEqual([2 * MINUTE, 0]);
  // What is set has whole seconds, so it is up to one behind.
  const shown = wallToInstant(site.station('hall').terminal.wallClock(), SITE_ZONE) ?? 0;
  expect(site.world.now() - shown).toBeGreaterThanOrEqual(0);
  expect(site.world.now() - shown).toBeLessThan(2000);
});
