/** A data directory with settings around it, for the commands that look at classes: a taught class, closed days, and a runner. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openClasses, type Classes } from '../../src/classes/classes.js';
import type { Console } from '../../src/commands/console.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import type { PunchFact } from '../../src/rules/facts.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { at, preset, ZONE } from '../classes/class-fixture.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

export interface Classroom {
  readonly config: string;
  readonly dataDir: string;
  readonly clock: FakeClock;
  readonly options: {
    readonly drivers: readonly (typeof sampleDriver)[];
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly clock: FakeClock;
    readonly devicesDir: string;
    readonly version: string;
  };
  /** Opens the store for the time of `work`, as the daemon would hold it. */
  open<T>(work: (store: Store, classes: Classes) => T): T;
  /** Takes punches as intake does. */
  take(...punches: readonly PunchFact[]): void;
  /** Moves the clock there and computes everything that waits. */
  settle(date: string, time: string): void;
  run(work: (io: Console) => number, json?: boolean): Ran;
}

export interface Ran {
  readonly code: number;
  /** Lines of standard output, read as JSON where they are asked for so. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly out: string;
  readonly err: string;
}

export function openClassroom(): Classroom {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-classroom-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'devices'));
  const config = join(dir, 'gateway.yaml');
  writeFileSync(
    config,
    'site: { name: 东河校区, room: "301" }\ndataDir: data\nterminals:\n  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }\n',
    { mode: 0o600 },
  );
  const clock = createFakeClock(at('2026-09-07', '07:00'));
  const dataDir = join(dir, 'data');
  const self: Classroom = {
    config,
    dataDir,
    clock,
    options: { drivers: [sampleDriver], env: {}, clock, devicesDir: join(dir, 'devices'), version: 'test' },
    open(work) {
      using store = openStore({ dir: dataDir, clock, software: 'test' });
      const policies = { get: () => preset.policy, names: [preset.policy.id] };
      return work(store, openClasses(store, { clock, zone: ZONE, terminals: ['gate'], policies }));
    },
    take: (...punches) =>
      self.open((store, classes) =>
        store.transact((tx) => {
          for (const one of punches) {
            if (tx.addPunch(one) === null) continue;
            for (const touched of classes.daysTouchedBy(one)) tx.touchDay({ ...touched, cause: 'punch' });
          }
        }),
      ),
    settle(date, time) {
      clock.jump(at(date, time) - clock.now());
      self.open((store, classes) => {
        const bell = createDoorbell(clock);
        const next = { ring: () => undefined };
        const unit = createCreditUnit({ store, classes, clock, bell, next, lastDrainedAt: () => null });
        for (let steps = 0; unit.step(); steps += 1) if (steps > 1000) throw new Error('the unit never comes to rest');
      });
    },
    run(work, json = true) {
      const [out, err]: [string[], string[]] = [[], []];
      const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json, tty: false };
      const code = work(io);
      const rows = json ? out.map((line) => JSON.parse(line) as Record<string, unknown>) : [];
      return { code, rows, out: out.join('\n'), err: err.join('\n') };
    },
  };
  return self;
}
