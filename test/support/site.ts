/** What scenarios may ask of a simulated site and do to it. `harness.ts` builds one. */
import type { LocalDate } from '../../src/core/time.js';
import type { Gateway } from '../../src/gateway.js';
import type { SettingsFault } from '../../src/settings/files.js';
import type { City } from './city.js';
import type { Station } from './station.js';
import type { ProcessClock, WorldClock } from './world-clock.js';

/** Called with the number of the commit over all lives; true kills the gateway at this very place. */
export type CommitWatch = (place: 'before' | 'after', count: number) => boolean;

export interface Life {
  readonly gateway: Gateway;
  readonly clock: ProcessClock;
  readonly dir: string;
}

export interface Site extends AsyncDisposable {
  readonly world: WorldClock;
  readonly city: City;
  readonly random: () => number;
  readonly stations: ReadonlyMap<string, Station>;
  station(id: string): Station;
  /** The terminal at the address of `id` gives its place to the one of `other`. */
  swap(id: string, other: string): void;
  readonly people: readonly string[];
  /** The running gateway; throws when it is dead. */
  gateway(): Gateway;
  readonly life: () => Life | null;
  /** Where the next life opens. */
  readonly dir: () => string;
  readonly faults: readonly SettingsFault[];
  readonly commits: () => number;
  readonly crashes: () => number;
  watch: CommitWatch | null;
  /** For planted bugs: called when the world has been run and before promises are looked at. */
  beforeChecks: (() => void) | null;
  /** Error of the store's hook, thrown before each commit while it is there: a disk that refuses. */
  disk: (() => Error | null) | null;
  /** How wrong the gateway's clock is in lives to come; `jump` changes the present one too. */
  clockErrorMs: number;
  jump(ms: number): void;
  start(): Promise<void>;
  /** A polite stop; the next life opens the same directory. */
  stop(): Promise<void>;
  /** kill -9 now. */
  kill(): void;
  /** Runs the world until `done`, starting a dead gateway again. Throws with the state of things when it is not done in time. */
  until(what: string, done: () => boolean, atMostMs?: number): Promise<void>;
  run(ms: number): Promise<void>;
  /** Until this terminal is read and tells what happens. */
  live(id: string): Promise<void>;
  /** To a time of day of the site's date, the last seconds of it step by step. */
  goTo(time: string, date?: LocalDate): Promise<void>;
  /** A copy of the data directory as it is now, and its return in place of the present one (while dead). */
  backup(): string;
  restore(copy: string): void;
  given(): readonly string[];
  delivered(): boolean;
}
