/**
 * Simulated Anviz terminals on a line: one alone, or several on one RS-485 bus. Each hears every request, answers those
 * for its address and those for address 0; where two answer at once, their bytes collide. Faults of the wire apply to
 * each terminal's own sending; `echo` belongs to the adapter and is shown once. See README.md for the list of faults.
 * In client mode a terminal dials, waits to be asked, sends a heartbeat every five minutes and dials again when the
 * connection is gone or nobody answers its heartbeats.
 *
 * It never throws for what the peer sends, and says nothing about a wire.
 */
import type { Duplex } from 'node:stream';
import type { SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom, type FaultyWire } from '../faults.js';
import { createFramer } from '../framing.js';
import { linkedController, type Clock } from '../../core/time.js';
import { COMMAND, encodeRequest, frameRule, parseFrame } from './codec.js';
import { createDevice, type Device, type DeviceConnection } from './device.js';
import { anvizSimulatorOptions } from './options.js';
import { encodeSearchAnswer, isSearchRequest } from './search.js';
import type { WritableUser } from './users.js';

export interface AnvizTerminal extends SimulatedTerminal {
  readonly address: number;
  call(dial: (signal: AbortSignal) => Promise<Duplex>, signal: AbortSignal): Promise<void>;
  /** What it answers to one datagram of a search; null: nothing. */
  answerSearch(datagram: Uint8Array): Uint8Array | null;
  addUser(user: WritableUser): void;
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
  /** Serves the line until it closes or the signal aborts; with heartbeats of the first terminal where it has dialled. */
  serve(link: Duplex, signal: AbortSignal, heartbeatMs?: number): Promise<void>;
}

interface Station {
  readonly device: Device;
  readonly connection: DeviceConnection;
  readonly wire: FaultyWire;
}

/** A terminal gives up an incomplete request after this silence. */
const SILENCE_MS = 200;
const DEAF_AFTER_RESTART = 2;
const HEARTBEATS_UNANSWERED = 2;

/** Two who talk at once on one pair of wires: a dominant zero wins. */
function collide(frames: readonly Uint8Array[]): Uint8Array {
  const size = Math.max(...frames.map((frame) => frame.length));
  return Uint8Array.from({ length: size }, (_, at) =>
    frames.reduce((mixed, frame) => mixed & (frame[at] ?? 0xff), 0xff),
  );
}

export function createAnvizBus(terminals: readonly AnvizTerminal[]): AnvizBus {
  return {
    async serve(link, signal, heartbeatMs) {
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

      const ending = linkedController(signal);
      const beat = async (everyMs: number): Promise<void> => {
        const [station] = stations;
        for (;;) {
          await first.wire.sleep(everyMs, ending.signal);
          if (!station || station.connection.heartbeats >= HEARTBEATS_UNANSWERED) break;
          station.connection.heartbeats += 1;
          station.connection.live(encodeRequest(first.address, COMMAND.heartbeat));
        }
        link.destroy();
      };
      const beating = heartbeatMs === undefined ? Promise.resolve() : beat(heartbeatMs).catch(() => undefined);

      try {
        await new Promise<void>((resolve) => {
          const end = (): void => resolve();
          link.on('data', onData);
          for (const event of ['end', 'close', 'error']) link.once(event, end);
          signal.addEventListener('abort', end, { once: true });
          if (link.destroyed || signal.aborted) end();
        });
      } finally {
        ending.end();
        await beating;
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
  /** Leaves the present connection as it is and dials a new one. */
  let giveUp: () => void = () => undefined;
  const call: AnvizTerminal['call'] = async (dial, signal) => {
    const heartbeatMs = options.heartbeatSeconds * 1000;
    /** Connections that it has given up, closed or not. */
    const stale: Duplex[] = [];
    while (!signal.aborted) {
      try {
        const link = await dial(signal);
        const leaving = linkedController(signal);
        const gone = createAnvizBus([terminal]).serve(link, leaving.signal, heartbeatMs);
        const left = new Promise<void>((resolve) => (giveUp = resolve));
        if (device.faults.has('half-open')) giveUp();
        await Promise.race([gone, left]);
        device.faults.delete('half-open');
        leaving.end();
        await gone;
        stale.push(link);
      } catch {
        // The gateway is away: it tries again.
      }
      await setup.wire.sleep(options.redialSeconds * 1000, signal).catch(() => undefined);
    }
    for (const link of stale) link.destroy();
  };
  const terminal: AnvizTerminal = {
    address,
    device,
    wire: setup.wire,
    random: seededRandom(seed),
    serve: (link, signal) => createAnvizBus([terminal]).serve(link, signal),
    call,
    answerSearch: (datagram) =>
      isSearchRequest(datagram)
        ? encodeSearchAnswer(
            {
              channel: address,
              serial,
              model: options.model,
              firmware: options.firmware,
              address: options.ip,
              port: 5010,
              mode: 'server',
              server: '0.0.0.0',
            },
            options.searchBytes,
          )
        : null,
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
      if (name === 'half-open' && value !== null) giveUp();
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
