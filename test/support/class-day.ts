/**
 * A small class day in which everything happens once: records from before the gateway came, live punches, punches behind a
 * pulled terminal cable, hours without the platform, several batches, the close of the day. The gateway may die anywhere in
 * it; whoever runs the world starts it again.
 */
import type { WallTime } from '../../src/core/time.js';
import { openSite } from './harness.js';
import type { Site } from './site.js';
import { brokenPromises, createWatchman } from './promises.js';
import { SITE_CLASS, type SiteOptions } from './site-files.js';

export const SMALL_DAY: SiteOptions = {
  people: 2,
  healthMs: 10_000,
  terminals: [
    // Polled often and read whole only once a month, so that a flag cleared too early is a punch lost.
    {
      id: 'shop',
      driver: 'anviz-tcb',
      options: { gapMs: 0, fullReadHours: 720 },
      settings: { pollSeconds: 10 },
      records: [
        { userId: '20250001', wallTime: '2026-09-09 08:20:00' as WallTime },
        { userId: '20250002', wallTime: '2026-09-09 08:21:00' as WallTime },
      ],
    },
    { id: 'hall', driver: 'zk-standalone', options: { keepAliveSeconds: 10 } },
  ],
};

export async function playSmallDay(site: Site): Promise<void> {
  const [one = '', two = ''] = site.people;
  const [shop, hall] = [site.station('shop'), site.station('hall')];
  await site.start();
  await site.run(8_000);
  await site.goTo('08:20');
  hall.terminal.punch(one);
  shop.terminal.punch(two);
  await site.run(15_000);
  await site.goTo('12:02');
  hall.pull();
  site.city.faults.refuse = true;
  site.city.cutAll('the network is gone');
  hall.terminal.punch(one);
  shop.terminal.punch(two);
  await site.run(12_000);
  hall.plug();
  await site.goTo('13:50');
  hall.terminal.punch(two);
  await site.run(200);
  hall.terminal.punch(one);
  await site.run(12_000);
  site.city.faults.refuse = false;
  await site.goTo('17:33');
  shop.terminal.punch(one);
  hall.terminal.punch(two);
  await site.run(15_000);
  await site.goTo('18:20');
  await site.run(15_000);
  await site.goTo('23:31');
  await site.until(
    'the day is closed and delivered',
    () => finalResults(site) === site.people.length && site.delivered(),
  );
}

export const finalResults = (site: Site): number =>
  site
    .life()
    ?.gateway.store.creditsOf(SITE_CLASS)
    .filter((credit) => credit.state === 'final').length ?? 0;

export interface Played {
  readonly commits: number;
  readonly crashes: number;
  readonly platformCommits: number;
  readonly platformDeaths: number;
  readonly broken: readonly string[];
  /** Total hours by trainee. */
  readonly hours: Readonly<Record<string, number>>;
}

/** Plays the day once; `arrange` sets traps. */
export async function playOnce(options: SiteOptions, arrange: (site: Site) => void): Promise<Played> {
  await using site = await openSite(options);
  const watchman = createWatchman(site);
  arrange(site);
  const trap = site.watch;
  let lives = 0;
  site.watch = (place, count) => {
    if (site.crashes() !== lives) {
      lives = site.crashes();
      watchman.begun();
    }
    if (place === 'after') watchman.look();
    return trap?.(place, count) ?? false;
  };
  try {
    await playSmallDay(site);
  } catch (error) {
    return { ...counts(site), broken: [`never done: ${String(error)}`, ...watchman.broken], hours: {} };
  }
  site.beforeChecks?.();
  const hours = Object.fromEntries(
    site
      .gateway()
      .store.creditsOf(SITE_CLASS)
      .map((credit) => [credit.traineeNo, credit.totalHours]),
  );
  const counted = counts(site);
  return { ...counted, hours, broken: [...watchman.broken, ...(await brokenPromises(site))] };
}

const counts = (site: Site): Pick<Played, 'commits' | 'crashes' | 'platformCommits' | 'platformDeaths'> => ({
  commits: site.commits(),
  crashes: site.crashes(),
  platformCommits: site.city.commits(),
  platformDeaths: site.city.deaths(),
});

/** Plays the day once for every commit it has, killing the gateway before or after that one; what broke, with its place. */
export async function killEverywhere(place: 'before' | 'after'): Promise<readonly string[]> {
  const clean = await playOnce(SMALL_DAY, () => undefined);
  const broken = clean.broken.map((one) => `undisturbed: ${one}`);
  for (let at = 1; at <= clean.commits; at += 1) {
    const played = await playOnce(SMALL_DAY, (site) => {
      site.watch = (where, count) => where === place && count === at;
    });
    const hours = JSON.stringify(played.hours);
    broken.push(...played.broken.map((one) => `${place} commit ${at}: ${one}`));
    if (played.crashes !== 1) broken.push(`${place} commit ${at}: ${played.crashes} crashes`);
    if (hours !== JSON.stringify(clean.hours)) broken.push(`${place} commit ${at}: hours ${hours}`);
  }
  return broken;
}
