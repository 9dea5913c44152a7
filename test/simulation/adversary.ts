/**
 * Everything that can go wrong on a site, one random deed after the other, all drawn from one seed: terminals that stutter,
 * cables, clocks, a wire that loses and repeats, a platform that dies or comes back as an older copy, a disk that refuses,
 * and a gateway that is killed at any commit. `heal` ends all of it; what was given must then arrive.
 */
import { instantToWall, instant } from '../../src/core/time.js';
import { GOOD_WIRE } from '../support/city.js';
import type { Site } from '../support/site.js';
import { SITE_ZONE } from '../support/station.js';

type Deed = (dice: Dice) => Promise<string> | string;

interface Dice {
  readonly below: (limit: number) => number;
  readonly one: <T>(list: readonly T[]) => T;
  readonly chance: (of: number) => boolean;
}

function createDice(random: () => number): Dice {
  const below = (limit: number): number => Math.floor(random() * limit);
  return {
    below,
    one: (list) => {
      const found = list[below(list.length)];
      if (found === undefined) throw new Error('nothing to choose from');
      return found;
    },
    chance: (of) => random() < of,
  };
}

/** Faults of each protocol that lose no record for ever and invent none: what they hide must come once they are gone. */
const WIRE_FAULTS: readonly (readonly [string, string])[] = [
  ['fragment', '3'],
  ['coalesce', ''],
  ['delay', '400'],
  ['drop-after-n-bytes', '900'],
  ['drop-after-n-bytes', '150'],
  ['no-answer', '2'],
  ['no-answer', ''],
];
const OWN_FAULTS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'anviz-tcb': [
    ['line-noise', '5'],
    ['corrupt-checksum', '3'],
    ['busy-error', '2'],
    ['interleave-event', '1'],
    ['heartbeat', ''],
    ['duplicate-record', ''],
    ['truncate-dataset', '1'],
    ['wrong-count', '2'],
    ['wrong-page-count', ''],
    ['reboot-mid-transfer', '1'],
  ],
  'zk-standalone': [
    ['duplicate-record', ''],
    ['truncate-dataset', '1'],
    ['wrong-count', '2'],
  ],
};
const JUMPS_MS = [3_600_000, -3_600_000, 365 * 86_400_000, -365 * 86_400_000, 10_000, -10_000, 1500];

/** What a run has done so far, for whoever has to understand a seed. */
export interface Adversary {
  readonly story: string[];
  act(): Promise<void>;
  heal(): void;
}

export function createAdversary(site: Site): Adversary {
  const dice = createDice(site.random);
  const story: string[] = [];
  const stations = [...site.stations.values()];
  const { city } = site;
  const copies: string[] = [];
  let past = 0;

  const deeds: readonly (readonly [number, Deed])[] = [
    [
      14,
      ({ one }) => {
        const [station, person] = [one(stations), one(site.people)];
        station.terminal.punch(person);
        return `punch ${person} at ${station.plan.id}`;
      },
    ],
    [
      2,
      ({ one }) => {
        past += 61_000;
        const [station, userId] = [one(stations), one(site.people)];
        const wallTime = instantToWall(instant(site.world.now() - 86_400_000 * 2 + past), SITE_ZONE);
        station.terminal.addRecord({ userId, wallTime });
        return `old record at ${station.plan.id}`;
      },
    ],
    [
      8,
      async ({ below }) => {
        const ms = below(25_000);
        await site.run(ms);
        return `${ms} ms pass`;
      },
    ],
    [
      2,
      async ({ below }) => {
        const ms = below(2_400_000);
        await site.world.leap(ms);
        return `the machine sleeps ${ms} ms`;
      },
    ],
    [
      4,
      ({ one }) => {
        const station = one(stations);
        const [name, value] = one([...WIRE_FAULTS, ...(OWN_FAULTS[station.plan.driver] ?? [])]);
        station.terminal.setFault(name, value);
        return `${station.plan.id}: ${name}=${value}`;
      },
    ],
    [
      3,
      ({ one }) => {
        const station = one(stations);
        endFaults(station);
        return `${station.plan.id}: well again`;
      },
    ],
    [
      2,
      ({ one, chance }) => {
        const station = one(stations);
        if (chance(0.5)) station.pull();
        else station.drop();
        return `${station.plan.id}: cable`;
      },
    ],
    [
      2,
      ({ one }) => {
        const station = one(stations);
        station.plug();
        return `${station.plan.id}: plugged`;
      },
    ],
    [
      2,
      ({ one, below }) => {
        const station = one(stations);
        const ms = below(5) === 0 ? one(JUMPS_MS) : below(120_000) - 60_000;
        station.terminal.setClockOffset(ms);
        return `${station.plan.id}: clock ${ms} ms`;
      },
    ],
    [
      4,
      ({ one, below }) => {
        const place = one(['before', 'after'] as const);
        const at = site.commits() + 1 + below(12);
        site.watch = (where, count) => where === place && count === at;
        return `killed ${place} commit ${at}`;
      },
    ],
    [
      1,
      () => {
        site.kill();
        return 'killed now';
      },
    ],
    [
      2,
      ({ one, chance }) => {
        const ms = one(JUMPS_MS);
        site.jump(ms);
        const life = site.life();
        if (life) life.clock.isTrusted = chance(0.5);
        return `gateway clock ${ms} ms`;
      },
    ],
    [
      1,
      () => {
        site.disk = () => Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' });
        return 'disk full';
      },
    ],
    [
      2,
      () => {
        site.disk = null;
        return 'disk well';
      },
    ],
    [
      4,
      ({ below, chance }) => {
        Object.assign(city.faults, {
          refuse: chance(0.15),
          silent: chance(0.15),
          loseUp: below(4) / 8,
          loseDown: below(4) / 8,
          twice: below(4) / 8,
          delayMs: chance(0.5) ? below(9000) : 0,
        });
        return `wire ${JSON.stringify(city.faults)}`;
      },
    ],
    [
      1,
      () => {
        Object.assign(city.faults, GOOD_WIRE);
        return 'wire well';
      },
    ],
    [
      2,
      () => {
        city.cutAll('cut');
        return 'connections cut';
      },
    ],
    [
      2,
      ({ one, below }) => {
        const where = one(['before-commit', 'before-ack'] as const);
        city.dieAt(where, 1 + below(3));
        return `platform dies ${where}`;
      },
    ],
    [
      1,
      () => {
        copies.push(city.backup());
        return 'platform backed up';
      },
    ],
    [
      1,
      ({ one }) => {
        if (copies.length === 0) return 'no backup yet';
        city.restore(one(copies));
        return 'platform restored';
      },
    ],
  ];
  const total = deeds.reduce((sum, [weight]) => sum + weight, 0);

  function endFaults(station: (typeof stations)[number]): void {
    for (const [name] of [...WIRE_FAULTS, ...Object.values(OWN_FAULTS).flat()]) station.terminal.setFault(name, null);
  }

  return {
    story,
    async act() {
      let left = dice.below(total);
      const deed = deeds.find(([weight]) => (left -= weight) < 0)?.[1];
      const at = Math.round(site.world.ticks());
      if (deed) story.push(`${at} ${await deed(dice)}`);
    },
    heal() {
      site.watch = null;
      site.disk = null;
      site.jump(-site.clockErrorMs);
      const life = site.life();
      if (life) life.clock.isTrusted = true;
      for (const station of stations) {
        endFaults(station);
        station.plug();
        station.terminal.setClockOffset(0);
      }
      Object.assign(city.faults, GOOD_WIRE);
    },
  };
}
