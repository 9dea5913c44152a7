/**
 * Terminals that call: one unit for each port. Several protocols share a port; the first bytes of a caller decide which one
 * it speaks, and its serial number (or the secret word of its settings) decides whose terminal it is. The link is then handed
 * to that terminal's intake, with every byte still unread.
 *
 * A caller that belongs to no terminal is told so in its own words, so that it keeps its records, and is shown until
 * somebody adopts it. Promises: bounded bytes, time and lists for every caller; nobody is acknowledged here.
 *
 *     port --> first bytes --> driver --> serial --> queue of the terminal --> intake
 *                  |              \--> unclaimed (shown, refused)
 *                  \--> strangers: no protocol of ours, first 16 bytes shown
 */
import type { Duplex } from 'node:stream';
import { hex } from '../core/bytes.js';
import { fail } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { hostAndPort, type ListenReach, type Reach } from '../core/reach.js';
import { linkedController, within, type Clock, type Instant, type Zone } from '../core/time.js';
import type { Unit } from '../core/unit.js';
import type { Driver, Heard, Wire } from '../drivers/driver.js';

/** A terminal that may call, as far as the switchboard needs to know it. */
export interface Callable {
  readonly id: string;
  readonly driver: Driver;
  readonly options: unknown;
  readonly serial: string | null;
  readonly reach: Reach;
}

/** Somebody who called and belongs to no terminal. */
export interface Unclaimed {
  /** Null: it speaks no protocol of ours. */
  readonly driver: string | null;
  /** What it calls itself; null when it did not say. */
  readonly serial: string | null;
  /** Address it called from, without the port. */
  readonly peer: string;
  /** Our port that it called. */
  readonly port: string;
  /** First bytes in hex, of a stranger only: those of our protocols may hold a person. */
  readonly window: string | null;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly calls: number;
}

export interface Switchboard {
  /** The next link of a terminal; waits until it calls. */
  next(terminalId: string, signal: AbortSignal): Promise<Duplex & AsyncDisposable>;
  /** Finds out who calls and hands the link over; resolves when the link is closed. */
  answer(link: Duplex & AsyncDisposable, peer: string, reach: ListenReach, signal: AbortSignal): Promise<void>;
  /** The latest callers whom nobody knows, latest first. */
  unclaimed(): readonly Unclaimed[];
}

export interface SwitchboardParts {
  readonly terminals: readonly Callable[];
  /** Takes in a caller whom no terminal of the settings knows; null refuses it. Absent: refuses all. */
  readonly adopt?: (driver: Driver, serial: string | null) => Callable | null;
  /** Every driver; those whose terminals call recognise their own. */
  readonly drivers: readonly Driver[];
  readonly zone: Zone;
  readonly clock: Clock;
  /** Deadlines of the wire. */
  readonly wire: Clock;
  readonly log: Log;
}

const FIRST_BYTES_MAX = 65_536;
/** A caller that says nothing for so long waits for us. */
const SILENCE_MS = 2000;
/** A caller must have told who it is by then. */
const INTRODUCTION_MS = 20_000;
const ASK_MS = 5000;
const UNCLAIMED_MAX = 100;
/** Links of one terminal that wait for its intake. */
const WAITING_MAX = 16;

type CalledDriver = Driver & { readonly called: NonNullable<Driver['called']> };

interface Line {
  readonly waiting: (Duplex & AsyncDisposable)[];
  current: (Duplex & AsyncDisposable) | null;
  readonly waiters: Set<() => void>;
}

interface Introduction {
  readonly driver: CalledDriver | null;
  readonly heard: Extract<Heard, { is: 'yes' }> | null;
  readonly first: Uint8Array;
}

const isCalled = (driver: Driver): driver is CalledDriver => driver.called !== undefined;

export function createSwitchboard(parts: SwitchboardParts): Switchboard {
  const { clock, wire, log } = parts;
  const called = parts.drivers.filter(isCalled);
  const lines = new Map<string, Line>();
  const lineOf = (terminalId: string): Line => {
    const known = lines.get(terminalId);
    if (known) return known;
    const line: Line = { waiting: [], current: null, waiters: new Set() };
    lines.set(terminalId, line);
    return line;
  };
  const unclaimed = new Map<string, Unclaimed>();

  const remember = (entry: Omit<Unclaimed, 'firstAt' | 'lastAt' | 'calls'>): void => {
    const key = JSON.stringify([entry.driver, entry.serial, entry.serial === null ? entry.peer : '']);
    const before = unclaimed.get(key);
    // Put back at the end: the oldest fall out first.
    unclaimed.delete(key);
    unclaimed.set(key, {
      ...entry,
      firstAt: before?.firstAt ?? clock.now(),
      lastAt: clock.now(),
      calls: (before?.calls ?? 0) + 1,
    });
    if (before === undefined)
      log.warn({ driver: entry.driver, serial: entry.serial, peer: entry.peer, port: entry.port }, 'unclaimed caller');
    const oldest = unclaimed.size > UNCLAIMED_MAX ? unclaimed.keys().next().value : undefined;
    if (oldest !== undefined) unclaimed.delete(oldest);
  };

  /** Callers of this port that wait for us to speak: their drivers, in the order of the settings. */
  const silentOn = (reach: ListenReach): readonly Callable[] =>
    parts.terminals.filter((one) => {
      const { driver, reach: own } = one;
      return isCalled(driver) && driver.called.waitsForUs && 'port' in own && own.port === reach.port;
    });

  /** Which protocol the first bytes are, and who says so. Leaves every byte unread. */
  const introduce = async (link: Duplex, signal: AbortSignal): Promise<Introduction> => {
    let first: Uint8Array = new Uint8Array(0);
    const began = wire.ticks();
    try {
      for (;;) {
        const opinions = called.map((driver) => ({ driver, heard: driver.called.hear(first) }));
        for (const { driver, heard } of opinions) if (heard.is === 'yes') return { driver, heard, first };
        const undecided = opinions.some(({ heard }) => heard.is === 'more') && first.length < FIRST_BYTES_MAX;
        if (first.length > 0 && !undecided) return { driver: null, heard: null, first };
        const left = INTRODUCTION_MS - (wire.ticks() - began);
        const chunk =
          left <= 0 ? null : await read(link, Math.min(left, first.length === 0 ? SILENCE_MS : left), wire, signal);
        if (chunk === null) return { driver: null, heard: null, first };
        first = Buffer.concat([first, chunk]);
      }
    } finally {
      if (first.length > 0 && !link.destroyed) link.unshift(first);
    }
  };

  const quiet: Wire = {
    ...{ clock: wire, note: () => undefined, zone: parts.zone },
    ...{ host: null, dial: null, nextCall: null },
  };

  const ask = async (driver: CalledDriver, link: Duplex, signal: AbortSignal): Promise<string | null> => {
    if (!driver.called.ask) return null;
    const told = await within(wire, ASK_MS, signal, driver.called.ask(link, quiet, signal)).catch(() => null);
    return told === 'late' ? null : told;
  };

  const knows = (one: Callable, driver: CalledDriver, serial: string | null, key: string | undefined): boolean => {
    if (one.driver.name !== driver.name) return false;
    const word = driver.called.keyOf(one.options);
    if (word !== null) return word === key;
    return serial !== null && one.serial === serial;
  };

  /** Whose link this is; null: nobody's, and it has been told so. */
  const claim = async (
    link: Duplex,
    peer: string,
    reach: ListenReach,
    signal: AbortSignal,
  ): Promise<{ readonly terminal: Callable; readonly driver: CalledDriver } | null> => {
    const met = await introduce(link, signal);
    const silent = silentOn(reach);
    // Who says nothing at all belongs to a protocol in which we speak first, if this port has one.
    const [only] = silent;
    const driver = met.driver ?? (met.first.length === 0 && only && isCalled(only.driver) ? only.driver : null);
    const entry = { peer, port: hostAndPort(reach) };
    if (driver === null || link.destroyed) {
      if (met.first.length > 0)
        remember({ ...entry, driver: null, serial: null, window: hex(met.first.subarray(0, 16)) });
      return null;
    }
    const key = met.heard?.key;
    const named = met.heard?.serial ?? null;
    const serial = named ?? (key === undefined ? await ask(driver, link, signal) : null);
    const terminal = parts.terminals.find((one) => knows(one, driver, serial, key));
    if (terminal) return { terminal, driver };
    // One that will not say who it is goes to the only terminal that may be meant; its session finds out the rest.
    const candidates = silent.filter((one) => one.driver.name === driver.name);
    const [sole] = candidates;
    if (sole && candidates.length === 1 && (serial === null || sole.serial === null)) return { terminal: sole, driver };
    const adopted = parts.adopt?.(driver, serial) ?? null;
    if (adopted !== null) return { terminal: adopted, driver };
    remember({ ...entry, driver: driver.name, serial, window: null });
    await within(wire, ASK_MS, signal, driver.called.refuse?.(link, quiet, signal) ?? Promise.resolve()).catch(
      () => undefined,
    );
    return null;
  };

  const connect = (link: Duplex & AsyncDisposable, terminal: Callable, driver: CalledDriver): void => {
    const line = lineOf(terminal.id);
    if (driver.called.connections === 'one') {
      const replaced = [...line.waiting.splice(0), ...(line.current ? [line.current] : [])];
      line.current = null;
      for (const old of replaced) old.destroy(fail('call-replaced'));
    } else if (line.waiting.length >= WAITING_MAX) line.waiting.shift()?.destroy(fail('call-replaced'));
    line.waiting.push(link);
    for (const wake of line.waiters) wake();
  };

  return {
    async next(terminalId, signal) {
      const line = lineOf(terminalId);
      for (;;) {
        signal.throwIfAborted();
        const link = line.waiting.shift();
        if (link?.destroyed === false) {
          line.current = link;
          return link;
        }
        if (link) continue;
        let wake = (): void => undefined;
        try {
          await new Promise<void>((resolve) => {
            wake = resolve;
            line.waiters.add(wake);
            signal.addEventListener('abort', wake);
          });
        } finally {
          line.waiters.delete(wake);
          signal.removeEventListener('abort', wake);
        }
      }
    },
    async answer(link, peer, reach, signal) {
      // Until a session listens, a link that fails is nobody's error.
      link.on('error', () => undefined);
      const closed = new Promise<void>((resolve) => link.once('close', () => resolve()));
      const address = peer.replace(/:\d+$/, '').replace(/^::ffff:/, '');
      const claimed = await claim(link, address, reach, signal);
      if (claimed === null || link.destroyed) return;
      connect(link, claimed.terminal, claimed.driver);
      await closed;
    },
    unclaimed: () => [...unclaimed.values()].reverse(),
  };
}

/** One chunk; null when the caller is silent for so long, or gone. */
async function read(link: Duplex, atMostMs: number, clock: Clock, signal: AbortSignal): Promise<Uint8Array | null> {
  const there = link.read() as Uint8Array | null;
  if (there !== null) return there;
  if (link.destroyed || link.readableEnded) return null;
  let stop = (): void => undefined;
  const arrival = new Promise<Uint8Array | null>((resolve) => {
    const onReadable = (): void => {
      const chunk = link.read() as Uint8Array | null;
      // 'readable' without data is the end.
      if (chunk !== null || link.readableEnded || link.destroyed) resolve(chunk);
    };
    const onGone = (): void => resolve(null);
    link.on('readable', onReadable);
    link.on('end', onGone);
    link.on('close', onGone);
    stop = () => {
      link.off('readable', onReadable);
      link.off('end', onGone);
      link.off('close', onGone);
    };
  });
  try {
    const chunk = await within(clock, atMostMs, signal, arrival);
    return chunk === 'late' ? null : chunk;
  } finally {
    stop();
  }
}

/** Accepts links on a port until the signal aborts; resolves when it listens. A link is closed when `onLink` settles. */
export type Listen = (
  reach: ListenReach,
  onLink: (link: Duplex & AsyncDisposable, peer: string) => Promise<void>,
  signal: AbortSignal,
) => Promise<{ readonly port: number; readonly closed: Promise<void> }>;

/** Listens on one port for as long as the gateway runs. */
export function createReception(
  reach: ListenReach,
  switchboard: Switchboard,
  listen: Listen,
  onListening: (port: number) => void = () => undefined,
): Unit {
  return {
    name: `port:${hostAndPort(reach)}`,
    async run(signal) {
      const life = linkedController(signal);
      try {
        const { port, closed } = await listen(
          reach,
          (link, peer) => switchboard.answer(link, peer, reach, life.signal),
          life.signal,
        );
        onListening(port);
        await closed;
      } finally {
        life.end();
      }
    },
  };
}
