/**
 * A ZKTeco standalone terminal made of software, TCP side: one session at a time, comm key, log and users in every
 * layout, prepared, small and direct answers, live events, and the faults of the field. See README.md for the list.
 */
import type { Duplex } from 'node:stream';
import { GatewayError } from '../../core/errors.js';
import type { SimulatedPunch, SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire } from '../faults.js';
import { createFramer } from '../framing.js';
import { TCP_FRAMES, untcp, type ReceivedPacket } from './codec.js';
import { zkSimulatorOptions } from './options.js';
import { createConnection, type SimulatedConnection } from './simulator-connection.js';
import {
  addRecord,
  addUser,
  createState,
  faultNumber,
  setFault,
  wallClock,
  type SimulatorState,
} from './simulator-state.js';

interface Live {
  readonly connection: SimulatedConnection;
  /** Something is there to be done: a packet or an event. */
  wake(): void;
}

/** Throws what `zkSimulatorOptions` throws for options it does not know. */
export function createSimulator(setup: SimulatorSetup): SimulatedTerminal {
  const state = createState(setup, zkSimulatorOptions.parse(setup.options));
  const connections = new Set<Live>();
  let holder: object | null = null;
  let lastInterleaved = 0;

  const record = (made: SimulatedPunch, tell: boolean): SimulatedPunch => {
    addRecord(state, made);
    if (tell) {
      for (const live of connections) {
        live.connection.queueEvent(made);
        live.wake();
      }
    }
    return made;
  };
  const punchNow = (): SimulatedPunch => {
    lastInterleaved += 1;
    const user = state.users[lastInterleaved % Math.max(1, state.users.length)];
    return record({ userId: user?.id ?? '1', wallTime: wallClock(state), verify: 'face', direction: 'in' }, false);
  };

  return {
    serve: (link, signal) =>
      serve(state, link, signal, connections, {
        punchNow,
        takeSession: (me) => {
          if (holder !== null && holder !== me && state.options.secondSession === 'refuse') return false;
          holder = me;
          return true;
        },
        holdsSession: (me) => holder === me,
        leave: (me) => {
          if (holder === me) holder = null;
        },
      }),
    addUser: (user) => addUser(state, user),
    punch: (userId, options) =>
      record(
        {
          userId,
          wallTime: wallClock(state),
          verify: options?.verify ?? 'face',
          direction: options?.direction ?? 'in',
        },
        true,
      ),
    addRecord: (made) => void record(made, false),
    users: () => state.users,
    records: () => state.all,
    setClockOffset: (ms) => void (state.clockOffsetMs = ms),
    wallClock: () => wallClock(state),
    setFault: (name, value) => setFault(state, name, value),
  };
}

interface Sessions {
  readonly punchNow: () => SimulatedPunch;
  readonly takeSession: (me: object) => boolean;
  readonly holdsSession: (me: object) => boolean;
  readonly leave: (me: object) => void;
}

async function serve(
  state: SimulatorState,
  link: Duplex,
  signal: AbortSignal,
  connections: Set<Live>,
  sessions: Sessions,
): Promise<void> {
  const me = {};
  const framer = createFramer(TCP_FRAMES);
  const packets: ReceivedPacket[] = [];
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  let wake: () => void = () => undefined;
  const wire = createFaultyWire(link, state.faults, state.random, state.wire);

  const onData = (chunk: Uint8Array): void => {
    wire.received(chunk);
    for (const cut of framer.push(chunk)) if (cut.kind === 'frame') packets.push(untcp(cut.bytes));
    wake();
  };
  const onGone = (): void => {
    over.abort();
    wake();
  };
  link.on('data', onData);
  for (const event of ['end', 'close', 'error']) link.on(event, onGone);
  ended.addEventListener('abort', () => wake(), { once: true });

  const cut = (): void => void link.destroy();
  const connection = createConnection(state, {
    wire,
    signal: ended,
    cut,
    punchNow: sessions.punchNow,
    takeSession: () => sessions.takeSession(me),
    holdsSession: () => sessions.holdsSession(me),
  });
  const waiting = { events: false };
  const live: Live = {
    connection,
    wake: () => {
      waiting.events = true;
      wake();
    },
  };
  connections.add(live);
  try {
    if (link.destroyed || state.wire.ticks() < state.bootedAt + (faultNumber(state, 'boot', 60_000) ?? 0)) cut();
    while (!isOver(ended)) {
      const packet = packets.shift();
      if (packet) await connection.handle(packet);
      else if (waiting.events) {
        waiting.events = false;
        await connection.sendEvents();
      } else {
        await wire.flush();
        if (packets.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } catch (error) {
    // What the peer sends, and an abort in a pause, end the connection and nothing else.
    if (!isOver(ended) && !(error instanceof GatewayError)) throw error;
  } finally {
    connections.delete(live);
    sessions.leave(me);
    link.off('data', onData);
    for (const event of ['end', 'close', 'error']) link.off(event, onGone);
    link.on('error', () => undefined);
    link.destroy();
  }
}

// A function, because the compiler believes that an await cannot change `aborted`.
const isOver = (signal: AbortSignal): boolean => signal.aborted;
