/**
 * A site in one process: the whole gateway as `gateway.ts` builds it, on a real store, with simulated terminals on
 * `duplexPair` wires and the city side in memory. Time is that of a simulated world. The gateway can be killed at any commit:
 * what is on its disk at that moment is copied away, everything in memory is cut off, and the next life opens the copy.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { dateAt, type LocalDate } from '../../src/core/time.js';
import { userId } from '../../src/demo/people.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { buildGateway, signingKeyOf, type Gateway } from '../../src/gateway.js';
import { loadSettings, type Settings } from '../../src/settings.js';
import type { SettingsFault } from '../../src/settings/files.js';
import { layoutOf } from '../../src/store/layout.js';
import type { UplinkTimings } from '../../src/uplink/uplink.js';
import { createCity, type City } from './city.js';
import { createDoors, type Doors } from './doors.js';
import type { CommitWatch, Life, Site } from './site.js';
import { classText, settingsText, SITE_CLASS, SITE_DATE, UPSTREAM, type SiteOptions } from './site-files.js';
import { callsGateway, createStation, drivers, SITE_ZONE, type OpenStation, type Station } from './station.js';
import { createProcessClock, createWorldClock, type WorldClock } from './world-clock.js';

class Crash extends Error {
  override readonly name = 'Crash';
}

/** Files in memory where the machine has that: crashes of processes are played here, not of disks. */
const baseDir = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Quick enough for a short day, with the same rules. */
const TIMINGS: Partial<UplinkTimings> = {
  startSpreadMs: 500,
  backoffMinMs: 500,
  backoffStepMs: 500,
  backoffMaxMs: 4000,
};

export async function openSite(options: SiteOptions): Promise<Site> {
  const seed = options.seed ?? 1;
  const random = seededRandom(seed);
  const root = mkdtempSync(join(baseDir, 'rollcall-site-'));
  const world = createWorldClock(dateAt(SITE_DATE, options.begins ?? '07:50', SITE_ZONE));
  mkdirSync(join(root, 'platform'));
  const city = createCity(join(root, 'platform'), world, random);
  const people = Array.from({ length: options.people ?? 3 }, (_, at) => userId(at));
  const stations = new Map(
    options.terminals.map((plan, at) => [plan.id, createStation(plan, world, people, seed * 100 + at)]),
  );
  const config = join(root, 'gateway.yaml');
  const keepSecret = (name: string, text: string): string => {
    writeFileSync(join(root, name), `${text}\n`, { mode: 0o600 });
    return name;
  };
  writeFileSync(config, settingsText(options, city, keepSecret), { mode: 0o600 });
  const loaded = loadSettings(config, { env: {}, drivers });
  if (loaded.settings === null) throw new Error(`settings: ${loaded.faults.map((one) => one.en).join('; ')}`);
  const settings: Settings = {
    ...loaded.settings,
    terminals: loaded.settings.terminals.map((one) => {
      const { wrap, without = [] } = options.terminals.find(({ id }) => id === one.id) ?? {};
      const capabilities = new Set([...one.capabilities].filter((word) => !without.includes(word)));
      return { ...one, capabilities, driver: wrap ? wrap(one.driver) : one.driver };
    }),
  };
  return new SimulatedSite({ options, root, world, city, random, people, stations, settings, faults: loaded.faults });
}

interface SiteParts {
  readonly options: SiteOptions;
  readonly root: string;
  readonly world: WorldClock;
  readonly city: City;
  readonly random: () => number;
  readonly people: readonly string[];
  readonly stations: ReadonlyMap<string, OpenStation>;
  readonly settings: Settings;
  readonly faults: readonly SettingsFault[];
}

/** What ends a process: `sever` cuts everything that leads out of it. */
interface Mortal {
  dead: boolean;
  readonly sever: () => void;
}

class SimulatedSite implements Site {
  readonly world: WorldClock;
  readonly city: City;
  readonly random: () => number;
  readonly people: readonly string[];
  readonly stations: ReadonlyMap<string, OpenStation>;
  readonly faults: readonly SettingsFault[];
  readonly #options: SiteOptions;
  readonly #root: string;
  readonly #settings: Settings;
  /** Which terminal stands at an address, where it is not its own. */
  readonly #at = new Map<string, string>();
  readonly #endings: Promise<void>[] = [];
  /** Where terminals call in the present life. */
  #doors: Doors | null = null;
  readonly #calling = new AbortController();
  #process: (Life & { readonly own: Mortal }) | null = null;
  #dir: string;
  #images = 0;
  #commits = 0;
  #crashes = 0;
  #diedAt = 0;
  watch: CommitWatch | null = null;
  beforeChecks: (() => void) | null = null;
  disk: (() => Error | null) | null = null;
  clockErrorMs = 0;

  constructor(parts: SiteParts) {
    const { options, root, world, city } = parts;
    this.world = world;
    this.city = city;
    this.random = parts.random;
    this.people = parts.people;
    this.stations = parts.stations;
    this.faults = parts.faults;
    this.#options = options;
    this.#root = root;
    this.#settings = parts.settings;
    this.#dir = join(root, 'gateway');
    mkdirSync(this.#dir, { mode: 0o700 });
    // The reserve costs 16 MB of writing and is no part of what is tested here.
    writeFileSync(layoutOf(this.#dir).reserve, '');
    city.register(signingKeyOf(this.#dir).publicJwk);
    for (const one of this.stations.values())
      if (callsGateway(one.plan)) one.callInto(() => this.#doors?.answering() ?? null, this.#calling.signal);
  }

  station(id: string): Station {
    const found = this.stations.get(id);
    if (!found) throw new Error(`no terminal ${id}`);
    return found;
  }
  swap(id: string, other: string): void {
    this.station(id).pull();
    this.station(other).plug();
    this.#at.set(id, other);
    // It cannot stand at two addresses.
    this.#at.set(other, '');
  }
  readonly life = (): Life | null => this.#process;
  readonly dir = (): string => this.#dir;
  readonly commits = (): number => this.#commits;
  readonly crashes = (): number => this.#crashes;
  gateway(): Gateway {
    if (!this.#process) throw new Error('the gateway is dead');
    return this.#process.gateway;
  }
  given(): readonly string[] {
    return [...this.stations.values()].flatMap((one) => one.given());
  }

  jump(ms: number): void {
    this.clockErrorMs += ms;
    if (this.#process) this.#process.clock.errorMs += ms;
  }

  #stationAt(address: string): OpenStation | undefined {
    return this.stations.get(this.#at.get(address) ?? address);
  }

  /** Copies the disk as it is at this moment, as the next process will find it. */
  #image(): string {
    this.#images += 1;
    const to = join(this.#root, `gateway-${this.#images}`);
    cpSync(this.#dir, to, { recursive: true, preserveTimestamps: true });
    return to;
  }

  #hook(own: Mortal, place: 'before' | 'after'): void {
    if (own.dead) throw new Crash('dead');
    this.world.stir();
    if (place === 'before') {
      this.#commits += 1;
      const refused = this.disk?.() ?? null;
      if (refused) throw refused;
    }
    if (this.watch?.(place, this.#commits) !== true) return;
    this.#die(own);
    throw new Crash(`killed ${place} commit ${this.#commits}`);
  }

  #die(own: Mortal): void {
    this.#dir = this.#image();
    this.#crashes += 1;
    this.#diedAt = this.world.ticks();
    own.dead = true;
    own.sever();
    const process = this.#process;
    this.#process = null;
    // The old process is only waste now; it ends when the present call has returned.
    if (process) this.#endings.push(Promise.resolve().then(() => process.gateway.stop()));
  }

  async start(): Promise<void> {
    if (this.#process) throw new Error('the gateway runs already');
    const { world, city } = this;
    const clock = createProcessClock(world, this.clockErrorMs, this.#options.healthMs);
    const doors = createDoors();
    this.#doors = doors;
    const uplinks = new Set<{ cut(): void }>();
    const own: Mortal = {
      dead: false,
      sever: () => {
        doors.sever();
        for (const one of uplinks) one.cut();
      },
    };
    try {
      const gateway = buildGateway({ ...this.#settings, dataDir: this.#dir }, this.faults, {
        version: 'test',
        clock,
        wire: clock,
        log: silentLog(),
        timings: this.#options.timings ?? TIMINGS,
        timeSource: async () => 'ntp',
        seams: {
          storeHooks: {
            beforeCommit: () => this.#hook(own, 'before'),
            afterCommit: () => this.#hook(own, 'after'),
          },
          openLink: async (reach, signal) => {
            await clock.sleep(2, signal);
            const address = 'host' in reach ? reach.host : 'path' in reach ? reach.path.slice(1) : '';
            const station = this.#stationAt(address.replace('.invalid', ''));
            if (!station || own.dead) throw fail('link-refused', { reach: reach.kind, reason: 'nobody there' });
            return doors.link(station.open());
          },
          listen: doors.listen,
          createUplink: () => {
            const uplink = city.uplink();
            uplinks.add(uplink);
            return uplink;
          },
          freeSpace: async () => 1e12,
          random: this.random,
        },
      });
      this.#process = { gateway, clock, dir: this.#dir, own };
      if (gateway.classes.get(SITE_CLASS) === null)
        gateway.classes.importText('class.yaml', classText(this.#options), {
          importedBy: 'test',
          source: 'class.yaml',
        });
      await gateway.start();
    } catch (error) {
      if (!own.dead) {
        this.#process = null;
        throw error;
      }
    }
    await world.settle();
  }

  async stop(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    let stopped = false;
    const ending = process.gateway.stop().then(() => (stopped = true));
    for (let turn = 0; turn < 200 && !isTrue(stopped); turn += 1) await this.world.settle();
    if (!isTrue(stopped)) await this.world.run(() => stopped, 5000);
    await ending;
    this.#process = null;
    this.#diedAt = this.world.ticks();
  }

  kill(): void {
    const process = this.#process;
    if (process) this.#die(process.own);
  }

  async #step(done: () => boolean, endsAt: number): Promise<boolean> {
    const { restartAfterMs = 1500 } = this.#options;
    for (;;) {
      if (done()) return true;
      const left = endsAt - this.world.ticks();
      if (left <= 0) return false;
      if (this.#process || restartAfterMs === null) {
        if (await this.world.run(() => done() || (restartAfterMs !== null && this.#process === null), left)) continue;
        return done();
      }
      await this.world.run(
        () => false,
        Math.min(left, Math.max(1, this.#diedAt + restartAfterMs - this.world.ticks())),
      );
      await this.start();
    }
  }

  async until(what: string, done: () => boolean, atMostMs = 300_000): Promise<void> {
    if (await this.#step(done, this.world.ticks() + atMostMs)) return;
    throw new Error(`not within ${atMostMs} ms of the world: ${what}\n${this.#story()}`);
  }

  async run(ms: number): Promise<void> {
    await this.#step(() => false, this.world.ticks() + ms);
  }

  async live(id: string): Promise<void> {
    const state = (): string | undefined =>
      this.#process?.gateway.status().terminals.find((one) => one.id === id)?.state;
    await this.until(`${id} is live`, () => state() === 'live');
    // Events are asked for after the log was read.
    await this.run(1000);
  }

  async goTo(time: string, date: LocalDate = SITE_DATE): Promise<void> {
    const left = dateAt(date, time, SITE_ZONE) - this.world.now();
    if (left > 10_000) await this.world.leap(left - 5000);
    if (left > 0) await this.run(dateAt(date, time, SITE_ZONE) - this.world.now());
  }

  backup(): string {
    return this.#image();
  }
  restore(copy: string): void {
    if (this.#process) throw new Error('not while it runs');
    this.#dir = copy;
  }

  delivered(): boolean {
    return this.#process?.gateway.store.pending(UPSTREAM).records === 0 && this.city.busy() === 0;
  }

  #missing(): readonly string[] {
    const facts = this.#process?.gateway.store.facts(0, 100_000, 'punch') ?? [];
    const stored = new Set(
      facts.map((one) => (one.kind === 'punch' ? `${one.deviceSn} ${one.deviceUserId} ${one.wallTime}` : '')),
    );
    return this.given()
      .filter((one) => !stored.has(one))
      .slice(0, 5);
  }

  #story(): string {
    const status = this.#process?.gateway.status();
    if (!status) return 'the gateway is dead';
    const terminals = status.terminals.map(
      (one) => `${one.id} ${one.state} ${one.trouble?.code ?? ''} ${JSON.stringify(one.details)}`,
    );
    const upstreams = status.upstreams.map((one) => `${one.id} ${one.state} ${one.trouble?.code ?? ''}`);
    const { pendingRecords, pendingBatches, punches } = status;
    return [
      ...terminals,
      ...upstreams,
      JSON.stringify({ pendingRecords, pendingBatches, punches, given: this.given().length, missing: this.#missing() }),
    ].join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watch = null;
    this.disk = null;
    await this.stop();
    this.#calling.abort();
    for (const station of this.stations.values()) station.pull();
    this.city.cutAll('the end');
    // What died earlier waits for its deadline at most.
    await this.world.run(() => false, 6000);
    await Promise.allSettled(this.#endings);
    this.city.close();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

// A function, because the compiler believes that an await cannot change the flag.
const isTrue = (flag: boolean): boolean => flag;
