/** A simulated terminal on a wire of a simulated world: what it was given, and a cable that can be pulled, put back or broken once. */
import { duplexPair, type Duplex } from 'node:stream';
import { fail } from '../../src/core/errors.js';
import type { Zone } from '../../src/core/time.js';
import { personName } from '../../src/demo/people.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import type { Driver, SimulatedPunch, SimulatedTerminal } from '../../src/drivers/driver.js';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import type { WorldClock } from './world-clock.js';

export const SITE_ZONE = 'Asia/Shanghai' as Zone;
export const drivers: readonly Driver[] = [zkStandalone, anvizTcb];

export interface TerminalPlan {
  readonly id: string;
  readonly driver: 'zk-standalone' | 'anviz-tcb';
  readonly serial?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly simulatorOptions?: Readonly<Record<string, unknown>>;
  readonly records?: readonly SimulatedPunch[];
  readonly faults?: Readonly<Record<string, string>>;
  /** Members of the terminal's entry in the settings file, over the harness's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** For planted bugs. */
  readonly wrap?: (driver: Driver) => Driver;
}

export interface Station {
  readonly plan: TerminalPlan;
  readonly serial: string;
  readonly terminal: SimulatedTerminal;
  /** The wire is cut and stays cut until `plug`. */
  pull(): void;
  plug(): void;
  /** Breaks the present connection only. */
  drop(): void;
  /** Identities of all it was ever given. */
  given(): readonly string[];
}

export const identityOf = (serial: string, one: SimulatedPunch): string => `${serial} ${one.userId} ${one.wallTime}`;

function watched(link: Duplex, stir: () => void): Duplex {
  const write = link.write.bind(link) as (...args: unknown[]) => boolean;
  Object.defineProperty(link, 'write', {
    value: (...args: unknown[]) => {
      stir();
      return write(...args);
    },
  });
  link.on('error', () => undefined);
  return link;
}

export interface Wire {
  readonly link: Duplex;
  cut(): void;
}

/** A station that a gateway can dial. */
export interface OpenStation extends Station {
  readonly open: () => Wire;
}

export function createStation(
  plan: TerminalPlan,
  world: WorldClock,
  users: readonly string[],
  seed: number,
): OpenStation {
  const driver = drivers.find((one) => one.name === plan.driver);
  if (!driver) throw new Error(`no driver ${plan.driver}`);
  const serial = plan.serial ?? `SIM-${plan.id.toUpperCase()}`.slice(0, 16);
  const terminal = driver.simulate({
    serial,
    zone: SITE_ZONE,
    world,
    wire: world,
    users: users.map((id, at) => ({ id, name: personName(at) })),
    records: plan.records ?? [],
    faults: new Map(Object.entries(plan.faults ?? {})),
    options: driver.simulatorOptions.parse(plan.simulatorOptions ?? {}) as Record<string, unknown>,
    seed,
  });
  const wires = new Set<Wire>();
  let plugged = true;
  const drop = (): void => [...wires].forEach((wire) => wire.cut());
  return {
    plan,
    serial,
    terminal,
    pull() {
      plugged = false;
      drop();
    },
    plug: () => void (plugged = true),
    drop,
    given: () => [...new Set(terminal.records().map((one) => identityOf(serial, one)))],
    open() {
      if (!plugged) throw fail('link-refused', { reach: plan.id, reason: 'unplugged' });
      const [near, far] = duplexPair();
      const [ours, theirs] = [near, far].map((side) => watched(side, () => world.stir())) as [Duplex, Duplex];
      const serving = new AbortController();
      void terminal.serve(theirs, serving.signal).catch(() => undefined);
      const wire: Wire = {
        link: ours,
        cut() {
          wires.delete(wire);
          world.stir();
          serving.abort();
          ours.destroy();
          theirs.destroy();
        },
      };
      wires.add(wire);
      ours.once('close', () => wire.cut());
      return wire;
    },
  };
}
