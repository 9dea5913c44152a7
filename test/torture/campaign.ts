/**
 * Kills the parts of a town in turn, at seeded moments while punches flow, starts each again, and waits until everything
 * has arrived. The first kills hit while the terminal is being read, the others are spread over what is left to drain.
 */
import { systemClock } from '../../src/core/time.js';
import type { GatewayStatus } from '../../src/web/status.js';
import { eventually } from '../support/process.js';
import type { Part, Town } from './town.js';

export type Target = 'daemon' | 'platform' | 'broker';

export interface CampaignOptions {
  readonly seed: number;
  readonly records: number;
  readonly kills: readonly Target[];
  /** How many of the kills come by what was read from the terminal; the rest by what the platform has acknowledged. */
  readonly killsByReading: number;
  readonly deadlineMs: number;
}

export interface CampaignReport {
  readonly kills: Readonly<Record<Target, number>>;
  /** Kills before the terminal was read to its end, and kills while something was unacknowledged. */
  readonly whileReading: number;
  readonly whileDraining: number;
  /** Resend timers that fired, as far as they were seen before the daemon was killed. */
  readonly resends: number;
  readonly seconds: number;
}

const clock = systemClock();
const never = new AbortController().signal;

/** Mulberry32: small, and the same everywhere for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `rounds` times each target, in another order every round. */
export function inTurn(rounds: number, random: () => number): readonly Target[] {
  return Array.from({ length: rounds }, () => {
    const left: Target[] = ['daemon', 'platform', 'broker'];
    return [3, 2, 1].flatMap((size) => left.splice(Math.floor(random() * size), 1));
  }).flat();
}

const acknowledged = (status: GatewayStatus): number => status.journal.n - status.pendingRecords;

function partOf(town: Town, target: Target, random: () => number): Part {
  if (target === 'daemon') return town.daemon;
  if (target === 'broker') return town.broker;
  const part = town.platforms[Math.floor(random() * town.platforms.length)];
  if (!part) throw new Error('a town without a platform');
  return part;
}

interface Watch {
  /** Waits for a status of which `holds` is true. */
  until(what: string, holds: (status: GatewayStatus) => boolean): Promise<GatewayStatus>;
  /** Resend timers of all lives of the daemon, as far as they were seen. */
  resends(): number;
  seconds(): number;
}

function watch(town: Town, options: CampaignOptions): Watch {
  const since = clock.ticks();
  const seen: { status: GatewayStatus | null; resends: number; earlierResends: number } = {
    ...{ status: null, resends: 0, earlierResends: 0 },
  };
  const explain = (): string => {
    const { status } = seen;
    const last = status && { acknowledged: acknowledged(status), punches: status.punches, upstreams: status.upstreams };
    return `\nseed ${options.seed}, last seen ${JSON.stringify(last)}${town.explain()}`;
  };
  const look = async (): Promise<GatewayStatus | null> => {
    for (const part of [town.daemon, town.broker, ...town.platforms])
      if (!part.program.running()) throw new Error(`${part.name} ended by itself${explain()}`);
    const status = await town.status();
    if (status === null) return null;
    const resends = Number(status.upstreams[0]?.details.resends ?? 0);
    if (resends < seen.resends) seen.earlierResends += seen.resends;
    Object.assign(seen, { status, resends });
    return status;
  };
  return {
    until: (what, holds) =>
      eventually(
        what,
        options.deadlineMs - (clock.ticks() - since),
        async () => {
          const status = await look();
          return status !== null && holds(status) ? status : null;
        },
        { explain },
      ),
    resends: () => seen.earlierResends + seen.resends,
    seconds: () => (clock.ticks() - since) / 1000,
  };
}

/** Starts the daemon, kills what is to be killed, and returns when nothing is pending any more. */
export async function campaign(town: Town, options: CampaignOptions): Promise<CampaignReport> {
  const { records, kills, killsByReading } = options;
  const random = seededRandom(options.seed);
  const count: Record<Target, number> = { daemon: 0, platform: 0, broker: 0 };
  let [whileReading, whileDraining, base] = [0, 0, 0];
  const watched = watch(town, options);

  await town.daemon.start();
  for (const [index, target] of kills.entries()) {
    const byReading = index < killsByReading;
    if (index === killsByReading) base = acknowledged(await watched.until('an answer', () => true));
    const from = byReading ? 0 : base;
    const [step, steps] = byReading ? [index, killsByReading] : [index - killsByReading, kills.length - killsByReading];
    const goal = from + ((records - from) * (step + 0.1 + 0.8 * random())) / (steps + 0.3);
    const status = await watched.until(`kill ${index + 1}, ${target}, at ${Math.round(goal)}`, (one) =>
      byReading ? one.punches >= goal : acknowledged(one) >= goal,
    );
    await clock.sleep(random() * 50, never);
    const part = partOf(town, target, random);
    await part.kill();
    count[target] += 1;
    if (status.punches < records) whileReading += 1;
    if (status.pendingRecords > 0 || status.punches < records) whileDraining += 1;
    if (process.env.TORTURE_TRACE !== undefined) {
      const where = `${status.punches} read, ${acknowledged(status)} acknowledged`;
      console.log(`${watched.seconds().toFixed(1)} s: killed ${target} at ${where}`);
    }
    await clock.sleep(random() * 300, never);
    await part.start();
  }
  await watched.until(
    'everything is acknowledged',
    (one) => one.punches >= records && one.pendingRecords === 0 && one.terminals[0]?.details.lastDrainedAt !== null,
  );
  return { kills: count, whileReading, whileDraining, resends: watched.resends(), seconds: watched.seconds() };
}
