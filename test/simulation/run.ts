/** One simulated life of a site under one seed: disturbed, healed, and asked whether every promise held. */
import { SITE_CLASS, SITE_DATE, type SiteOptions } from '../support/site-files.js';
import { addDays } from '../../src/core/time.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { openSite } from '../support/harness.js';
import type { Site } from '../support/site.js';
import { brokenPromises, createWatchman } from '../support/promises.js';
import { createAdversary } from './adversary.js';

const DEEDS = 60;

function optionsOf(seed: number): SiteOptions {
  const random = seededRandom(seed * 7919);
  const one = <T>(...list: T[]): T | undefined => list[Math.floor(random() * list.length)];
  const realTime = random() < 0.4;
  return {
    seed,
    people: 3,
    healthMs: 5_000,
    restartAfterMs: 1500,
    terminals: [
      {
        id: 'shop',
        driver: 'anviz-tcb',
        // Whole reads only once a month: what is missed must come by its flag.
        options: { gapMs: 0, fullReadHours: 720, realTime, pollSeconds: 20, pageRecords: one(2, 7, 25) },
        settings: { pollSeconds: 10 },
      },
      {
        id: 'hall',
        driver: 'zk-standalone',
        options: { keepAliveSeconds: 10, recountMinutes: 2 },
        simulatorOptions: { recordBytes: one(16, 40), smallAnswerBytes: one(64, 1024) },
      },
    ],
  };
}

const isClosed = (site: Site): boolean => {
  const store = site.life()?.gateway.store;
  if (!store || store.touchedDays(1).length > 0) return false;
  return (
    store.creditsOf(SITE_CLASS, SITE_DATE).filter((credit) => credit.state === 'final').length === site.people.length
  );
};

/** Broken promises of the run under this seed, and what was done to it. */
export async function runSeed(
  seed: number,
  plant = (options: SiteOptions) => options,
  patienceHours = 25,
): Promise<{ readonly broken: readonly string[]; readonly story: readonly string[] }> {
  await using site = await openSite(plant(optionsOf(seed)));
  const adversary = createAdversary(site);
  const watchman = createWatchman(site);
  const broken: string[] = [];
  try {
    await site.start();
    let crashes = 0;
    for (let deed = 0; deed < DEEDS; deed += 1) {
      await adversary.act();
      await site.run(site.random() < 0.5 ? 50 : Math.floor(site.random() * 5000));
      if (site.crashes() !== crashes && site.life()) {
        crashes = site.crashes();
        watchman.begun();
      }
      watchman.look();
    }
    adversary.heal();
    adversary.story.push(`${Math.round(site.world.ticks())} healed`);
    // A parked terminal looks again after ten minutes, a quiet platform is asked again after ten, and what a lying counter
    // hid comes with the next whole read, within a day.
    await site.until('all that was given is stored', () => storedAll(site), patienceHours * 3_600_000);
    await site.goTo('23:31', addDays(SITE_DATE, 2));
    await site.until('closed and delivered', () => isClosed(site) && site.delivered(), 4 * 3_600_000);
  } catch (error) {
    return {
      broken: [
        `liveness: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        ...watchman.broken,
      ],
      story: adversary.story,
    };
  }
  broken.push(...watchman.broken, ...(await brokenPromises(site)));
  return { broken, story: adversary.story };
}

const storedAll = (site: Site): boolean => {
  const store = site.life()?.gateway.store;
  return store !== undefined && store.punchCount() >= new Set(site.given()).size;
};
