/**
 * Simulated Anviz terminals on a line: one alone, or several on one RS-485 bus. Each hears every request, answers those
 * for its address and those for address 0; where two answer at once, their bytes collide. Faults of the wire apply to
 * each terminal's own sending; `echo` belongs to the adapter and is shown once. See README.md for the list of faults.
 *
 * It never throws for what the peer sends, and says nothing about a wire.
 */
import type { Duplex } from 'node:stream';
import type { SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom, type FaultyWire } from '../faults.js';
import { createFramer } from '../framing.js';
import type { Clock } from '../../core/time.js';
import { COMMAND, encodeRequest, frameRule, parseFrame } from './codec.js';
import { createDevice, type Device, type DeviceConnection } from './device.js';
import { anvizSimulatorOptions } from './options.js';

export interface AnvizTerminal extends SimulatedTerminal {
  readonly address: number;
  /** Records whose "new" flag stands. */
  newRecords(): number;
  /** Whether it tells records as they happen. */
  realTime(): boolean;
  /** For a bus. */
  readonly device: Device;
  readonly wire: Clock;
  readonly random: () => number;
}

export interface AnvizBus {
  /** Serves the line until it closes or the signal aborts. */
  serve(link: Duplex, signal: AbortSignal): Promise<void>;
}

interface Station {
  readonly device: Device;
  readonly connection: DeviceConnection;
  readonly wire: FaultyWire;
}

/** A terminal gives up an incomplete request after this silence. */
const SILENCE_MS = 200;
const DEAF_AFTER_RESTART = 2;

/** Two who talk at once on one pair of wires: a dominant zero wins. */
function collide(frames: readonly Uint8Array[]): Uint8Array {
  const size = Math.max(...frames.map((frame) => frame.length));
  return Uint8Array.from({ length: size }, (_, at) =>
    frames.reduce((mixed, frame) => mixed & (frame[at] ?? 0xff), 0xff),
  );
}

export function createAnvizBus(terminals: readonly AnvizTerminal[]): AnvizBus {
  return {
    async serve(link, signal) {
      const [first] = terminals;
      if (!first) return;
      if (first.device.faults.has('second-session-refused') && first.device.connections > 0) {
        link.destroy();
        return;
      }
      const framer = createFramer(frameRule);
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
        station.connection.list = null;
        station.connection.lastPage = null;
        station.connection.deaf = DEAF_AFTER_RESTART;
        // Alone on a line its restart drops the line (TCP); on a bus the others keep it.
        if (stations.length === 1) link.destroy();
      };

      const answer = async (bytes: Uint8Array): Promise<void> => {
        const frame = parseFrame(bytes);
        const answering: { readonly station: Station; readonly frames: readonly Uint8Array[] }[] = [];
        for (const station of stations) {
          if (frame.address !== 0 && frame.address !== station.device.address) continue;
          const response = station.device.answer(frame, station.connection);
          if (response === 'restart') restart(station);
          else if (response.length > 0) answering.push({ station, frames: response });
        }
        const [one, ...others] = answering;
        if (!one) return;
        if (one.station.device.faults.has('heartbeat')) {
          await one.station.wire.send(encodeRequest(one.station.device.address, COMMAND.heartbeat), signal);
        }
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

      try {
        await new Promise<void>((resolve) => {
          const end = (): void => resolve();
          link.on('data', onData);
          for (const event of ['end', 'close', 'error']) link.once(event, end);
          signal.addEventListener('abort', end, { once: true });
          if (link.destroyed || signal.aborted) end();
        });
      } finally {
        link.off('data', onData);
        // A wire may still fail after we have stopped listening; that is nobody's error any more.
        link.on('error', () => undefined);
        for (const { device, connection } of stations) device.disconnect(connection);
      }
    },
  };
}

function createTerminal(setup: SimulatorSetup, address: number, serial: string, seed: number): AnvizTerminal {
  const options = { ...anvizSimulatorOptions.parse(setup.options), address };
  const device = createDevice({ ...setup, serial }, options);
  const terminal: AnvizTerminal = {
    address,
    device,
    wire: setup.wire,
    random: seededRandom(seed),
    serve: (link, signal) => createAnvizBus([terminal]).serve(link, signal),
    addUser: (user) => device.addUser(user),
    punch: (userId, how = {}) => device.punch(userId, how),
    addRecord: (record) => void device.addRecord(record),
    users: () => device.users(),
    records: () => device.records(),
    newRecords: () => device.newRecords(),
    realTime: () => device.realTime(),
    setClockOffset: (ms) => device.setClockOffset(ms),
    wallClock: () => device.wallClock(),
    setFault(name, value) {
      if (value === null) device.faults.delete(name);
      else device.faults.set(name, value);
    },
  };
  return terminal;
}

/** A terminal, with `neighbours` on the same line if the options say so. Serial numbers of neighbours end in their address. */
export function simulateAnviz(setup: SimulatorSetup): AnvizTerminal {
  const options = anvizSimulatorOptions.parse(setup.options);
  const terminal = createTerminal(setup, options.address, setup.serial, setup.seed);
  if (options.neighbours.length === 0) return terminal;
  const bus = createAnvizBus([
    terminal,
    ...options.neighbours.map((address) =>
      createTerminal(
        { ...setup, faults: new Map() },
        address,
        `${setup.serial.slice(0, 10)}-${address}`,
        setup.seed + address,
      ),
    ),
  ]);
  return { ...terminal, serve: (link, signal) => bus.serve(link, signal) };
}
