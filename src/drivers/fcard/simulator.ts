/**
 * Simulated FC-8x00 terminals on a line: one alone, or several on one RS-485 bus. Each hears every request and answers those
 * for its serial number; to the question for a serial number all answer, and where two do at once their bytes collide. One
 * that calls dials the gateway, tells who it is with a keep-alive and is then asked like any other. Faults of the wire
 * apply to each terminal's own sending; `echo` belongs to the adapter and is shown once. See README.md for the faults.
 */
import type { Duplex } from 'node:stream';
import type { SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom, type FaultyWire } from '../faults.js';
import { createFramer } from '../framing.js';
import { linkedController, type Clock } from '../../core/time.js';
import { ANY_SN, createFrameRule, parseFrame } from './codec.js';
import { createDevice, type Device, type DeviceConnection } from './device.js';
import { fcardSimulatorOptions } from './options.js';

export interface FcardTerminal extends SimulatedTerminal {
  readonly device: Device;
  readonly wire: Clock;
  readonly random: () => number;
}

export interface FcardBus {
  /** Serves the line until it closes or the signal aborts. */
  serve(link: Duplex, signal: AbortSignal): Promise<void>;
}

interface Station {
  readonly device: Device;
  readonly connection: DeviceConnection;
  readonly wire: FaultyWire;
}

/** A terminal gives up an incomplete request after this silence. */
const SILENCE_MS = 2000;
const DEAF_AFTER_RESTART = 2;

/** Two who talk at once on one pair of wires: a dominant zero wins. */
function collide(frames: readonly Uint8Array[]): Uint8Array {
  const size = Math.max(...frames.map((frame) => frame.length));
  return Uint8Array.from({ length: size }, (_, at) =>
    frames.reduce((mixed, frame) => mixed & (frame[at] ?? 0xff), 0xff),
  );
}

export function createFcardBus(terminals: readonly FcardTerminal[]): FcardBus {
  return { serve: async (link, signal) => serveBus(terminals, link, signal, null) };
}

async function serveBus(
  terminals: readonly FcardTerminal[],
  link: Duplex,
  signal: AbortSignal,
  /** A terminal that called tells who it is, at once and then every so many seconds. */
  keepAliveMs: number | null,
): Promise<void> {
  const [first] = terminals;
  if (!first) return;
  if (first.device.faults.has('second-session-refused') && first.device.connections > 0) {
    link.destroy();
    return;
  }
  const framer = createFramer(createFrameRule());
  const serving = linkedController(signal);
  let sending: Promise<void> = Promise.resolve();
  let heardAt = first.wire.ticks();

  // One after the other: a terminal waits for an idle line before it talks.
  const inTurn = (work: () => Promise<void>): void => {
    sending = sending.then(work).catch(() => undefined);
  };
  const stations: Station[] = terminals.map(({ device, wire, random }) => {
    const faulty = createFaultyWire(link, device.faults, random, wire);
    const connection = device.connect((frame) =>
      inTurn(async () => {
        await faulty.send(frame, signal);
        await faulty.flush();
      }),
    );
    return { device, connection, wire: faulty };
  });

  const restart = (station: Station): void => {
    station.connection.watching = false;
    station.connection.deaf = DEAF_AFTER_RESTART;
    // Alone on a line its restart drops the line (TCP); on a bus the others keep it.
    if (stations.length === 1) link.destroy();
  };

  const answer = async (bytes: Uint8Array): Promise<void> => {
    const frame = parseFrame(bytes, 'gateway');
    const answering: { readonly station: Station; readonly frames: readonly Uint8Array[] }[] = [];
    for (const station of stations) {
      if (frame.sn !== ANY_SN && frame.sn !== station.device.sn) continue;
      const response = station.device.answer(frame, station.connection);
      if (response === 'restart') restart(station);
      else if (response.length > 0) answering.push({ station, frames: response });
    }
    const [one, ...others] = answering;
    if (!one) return;
    if (others.length > 0) {
      await one.station.wire.send(collide(answering.flatMap(({ frames }) => frames.slice(-1))), signal);
    } else {
      for (const out of one.frames) if (!(await one.station.wire.send(out, signal))) return;
    }
    await one.station.wire.flush();
  };

  const onData = (chunk: Uint8Array): void => {
    stations.find(({ device }) => device.faults.has('echo'))?.wire.received(chunk);
    const now = first.wire.ticks();
    if (framer.pending > 0 && now - heardAt > SILENCE_MS) framer.flush();
    heardAt = now;
    for (const cut of framer.push(chunk)) if (cut.kind === 'frame') inTurn(() => answer(cut.bytes));
  };

  const keepAlive = async (everyMs: number): Promise<void> => {
    for (;;) {
      stations[0]?.connection.tell(first.device.keepAlive());
      await first.wire.sleep(everyMs, serving.signal);
    }
  };

  try {
    await new Promise<void>((resolve) => {
      const end = (): void => resolve();
      link.on('data', onData);
      for (const event of ['end', 'close', 'error']) link.once(event, end);
      signal.addEventListener('abort', end, { once: true });
      if (link.destroyed || signal.aborted) end();
      else if (keepAliveMs !== null) keepAlive(keepAliveMs).catch(end);
    });
  } finally {
    serving.end();
    link.off('data', onData);
    // A wire may still fail after we have stopped listening; that is nobody's error any more.
    link.on('error', () => undefined);
    for (const { device, connection } of stations) device.disconnect(connection);
  }
}

function createTerminal(setup: SimulatorSetup, serial: string, seed: number): FcardTerminal {
  const options = fcardSimulatorOptions.parse(setup.options);
  const device = createDevice({ ...setup, serial }, options);
  const terminal: FcardTerminal = {
    device,
    wire: setup.wire,
    random: seededRandom(seed),
    serve: (link, signal) => createFcardBus([terminal]).serve(link, signal),
    async call(dial, signal) {
      const everyMs = options.keepAliveSeconds * 1000;
      while (!signal.aborted) {
        try {
          const link = await dial(signal);
          await serveBus([terminal], link, signal, everyMs);
          link.destroy();
        } catch {
          // The gateway is away; it is called again later.
        }
        await setup.wire.sleep(everyMs, signal).catch(() => undefined);
      }
    },
    addUser: (user) => device.addUser(user),
    punch: (userId, how = {}) => device.punch(userId, how),
    addRecord: (record) => void device.addRecord(record),
    users: () => device.users(),
    records: () => device.store.records(),
    setClockOffset: (ms) => device.setClockOffset(ms),
    wallClock: () => device.wallClock(),
    setFault(name, value) {
      if (value === null) device.faults.delete(name);
      else device.faults.set(name, value);
    },
  };
  return terminal;
}

/** A terminal, with `neighbours` on the same line if the options say so. */
export function simulateFcard(setup: SimulatorSetup): FcardTerminal {
  const options = fcardSimulatorOptions.parse(setup.options);
  const terminal = createTerminal(setup, setup.serial, setup.seed);
  if (options.neighbours.length === 0) return terminal;
  const bus = createFcardBus([
    terminal,
    ...options.neighbours.map((serial, at) =>
      createTerminal({ ...setup, faults: new Map() }, serial, setup.seed + at + 1),
    ),
  ]);
  return { ...terminal, serve: (link, signal) => bus.serve(link, signal) };
}
