/**
 * A simulated terminal on a wire of a simulated world: what it was given, what it was asked, and a cable that can be pulled, put
 * back or broken once. It is dialled, or it calls the gateway, or both.
 */
import { duplexPair, type Duplex } from 'node:stream';
import { fail } from '../../src/core/errors.js';
import type { ReachKind } from '../../src/core/reach.js';
import type { Zone } from '../../src/core/time.js';
import { personName } from '../../src/demo/people.js';
import type { Capability, Driver, SimulatedPunch, SimulatedTerminal, SimulatedUser } from '../../src/drivers/driver.js';
import { DRIVERS } from '../../src/drivers/index.js';
import type { WorldClock } from './world-clock.js';

export const SITE_ZONE = 'Asia/Shanghai' as Zone;
export const drivers: readonly Driver[] = DRIVERS;

export interface TerminalPlan {
  readonly id: string;
  readonly driver: string;
  readonly serial?: string;
  /** How the gateway reaches it; the first way that its driver has when left out. */
  readonly reach?: ReachKind;
  /** It calls the gateway; where it can only be called, left out means true. */
  readonly calls?: boolean;
  /** Who is in it; the people of the site when left out. */
  readonly users?: readonly SimulatedUser[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly simulatorOptions?: Readonly<Record<string, unknown>>;
  readonly records?: readonly SimulatedPunch[];
  readonly faults?: Readonly<Record<string, string>>;
  /** Members of the terminal's entry in the settings file, over the harness's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** What its definition takes away from it. */
  readonly without?: readonly Capability[];
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
  /** Everything the gateway wrote to it, piece by piece. */
  asked(): readonly Uint8Array[];
}

export const identityOf = (serial: string, one: SimulatedPunch): string => `${serial} ${one.userId} ${one.wallTime}`;

/** The ways in which a terminal is reached here, the usual one first. */
const REACHES: readonly ReachKind[] = ['tcp', 'http', 'http-listen', 'ws-listen', 'tcp-listen', 'file'];

/** The port that every terminal calls, whatever it speaks. */
export const CALL_PORT = 7788;

export function reachKindOf(plan: TerminalPlan): ReachKind {
  const { reaches } = driverOf(plan);
  return plan.reach ?? REACHES.find((kind) => reaches.has(kind)) ?? 'tcp';
}

export const callsGateway = (plan: TerminalPlan): boolean => plan.calls ?? reachKindOf(plan).endsWith('-listen');

export const serialOf = (plan: TerminalPlan): string => plan.serial ?? `SIM-${plan.id.toUpperCase()}`.slice(0, 16);

function driverOf(plan: TerminalPlan): Driver {
  const driver = drivers.find((one) => one.name === plan.driver);
  if (!driver) throw new Error(`no driver ${plan.driver}`);
  return driver;
}

function watched(link: Duplex, written: (bytes: unknown) => void): Duplex {
  const write = link.write.bind(link) as (...args: unknown[]) => boolean;
  Object.defineProperty(link, 'write', {
    value: (...args: unknown[]) => {
      written(args[0]);
      return write(...args);
    },
  });
  link.on('error', () => undefined);
  return link;
}

export interface Wire {
  /** The gateway's end. */
  readonly link: Duplex;
  cut(): void;
}

/** Where a terminal that calls is answered; null: nobody listens there. */
export type Door = (wire: Wire) => void;

/** A station that a gateway can dial. */
export interface OpenStation extends Station {
  readonly open: () => Wire;
  /** Begins to call, for as long as the signal lasts. */
  readonly callInto: (door: () => Door | null, signal: AbortSignal) => void;
}

export function createStation(
  plan: TerminalPlan,
  world: WorldClock,
  users: readonly string[],
  seed: number,
): OpenStation {
  const driver = driverOf(plan);
  const serial = serialOf(plan);
  const terminal = driver.simulate({
    serial,
    zone: SITE_ZONE,
    world,
    wire: world,
    users: plan.users ?? users.map((id, at) => ({ id, name: personName(at) })),
    records: plan.records ?? [],
    faults: new Map(Object.entries(plan.faults ?? {})),
    options: driver.simulatorOptions.parse(plan.simulatorOptions ?? {}) as Record<string, unknown>,
    seed,
  });
  const wires = new Set<Wire>();
  const asked: Uint8Array[] = [];
  const given = new Set<string>();
  const datagrams = reachKindOf(plan) === 'udp';
  let plugged = true;
  const drop = (): void => [...wires].forEach((wire) => wire.cut());
  const lay = (cutToo: () => void): Wire & { readonly far: Duplex } => {
    if (!plugged) throw fail('link-refused', { reach: plan.id, reason: 'unplugged' });
    const [near, far] = duplexPair(datagrams ? { readableObjectMode: true, writableObjectMode: true } : {});
    watched(near, (bytes) => {
      world.stir();
      if (typeof bytes === 'string') asked.push(Buffer.from(bytes));
      else if (bytes instanceof Uint8Array) asked.push(Uint8Array.from(bytes));
    });
    watched(far, () => world.stir());
    const wire = {
      link: near,
      far,
      cut: () => {
        wires.delete(wire);
        world.stir();
        cutToo();
        near.destroy();
        far.destroy();
      },
    };
    wires.add(wire);
    for (const end of [near, far]) end.once('close', () => wire.cut());
    return wire;
  };
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
    given() {
      // A log that was erased meanwhile was given all the same.
      for (const one of terminal.records()) given.add(identityOf(serial, one));
      return [...given];
    },
    asked: () => asked,
    open() {
      const serving = new AbortController();
      const wire = lay(() => serving.abort());
      void terminal.serve(wire.far, serving.signal).catch(() => undefined);
      return wire;
    },
    callInto(door, signal) {
      const dial = async (stop: AbortSignal): Promise<Duplex> => {
        await world.sleep(2, stop);
        const answer = door();
        if (!answer) throw fail('link-refused', { reach: plan.id, reason: 'nobody listens' });
        const wire = lay(() => undefined);
        answer(wire);
        return wire.far;
      };
      if (!terminal.call) throw new Error(`${plan.driver}: its simulator does not call`);
      void terminal.call(dial, signal).catch(() => undefined);
    },
  };
}
