/**
 * A ZKTeco standalone terminal made of software, on TCP and UDP: one session at a time, comm key, log and users in every
 * layout, prepared, small and direct answers, live events, and the faults of the field. See README.md for the list.
 */
import type { Duplex } from 'node:stream';
import { GatewayError } from '../../core/errors.js';
import { isDatagramLink, type SimulatedPunch, type SimulatedTerminal, type SimulatorSetup } from '../driver.js';
import { createFaultyWire } from '../faults.js';
import { createFramer } from '../framing.js';
import {
  decodePacket,
  encodePacket,
  HEADER_BYTES,
  TCP_FRAMES,
  tcpFrame,
  untcp,
  type Packet,
  type ReceivedPacket,
} from './codec.js';
import { zkSimulatorOptions } from './options.js';
import { createConnection, type SimulatedConnection } from './simulator-connection.js';
import { createDatagramPipe } from './simulator-datagrams.js';
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

/** Who may hold the one session. Over datagrams nobody says that a peer has gone, so silence has to do. */
interface Peer {
  readonly datagrams: boolean;
  heardTicks: number;
}

const SESSION_IDLE_MS = 60_000;

/** Throws what `zkSimulatorOptions` throws for options it does not know. */
export function createSimulator(setup: SimulatorSetup): SimulatedTerminal {
  const state = createState(setup, zkSimulatorOptions.parse(setup.options));
  const connections = new Set<Live>();
  let holder: Peer | null = null;
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
          const gone = holder?.datagrams === true && state.wire.ticks() - holder.heardTicks > SESSION_IDLE_MS;
          if (holder !== null && holder !== me && !gone && state.options.secondSession === 'refuse') return false;
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
  readonly takeSession: (me: Peer) => boolean;
  readonly holdsSession: (me: Peer) => boolean;
  readonly leave: (me: Peer) => void;
}

/** How packets travel over one kind of link, with the faults of the moment. */
interface Carrier {
  send(packet: Packet, signal: AbortSignal): Promise<boolean>;
  flush(): Promise<boolean>;
  received(chunk: Uint8Array): readonly ReceivedPacket[];
}

function stream(state: SimulatorState, link: Duplex): Carrier {
  const wire = createFaultyWire(link, state.faults, state.random, state.wire);
  const framer = createFramer(TCP_FRAMES);
  return {
    send: (packet, signal) => wire.send(tcpFrame(packet), signal),
    flush: () => wire.flush(),
    received(chunk) {
      wire.received(chunk);
      return framer.push(chunk).flatMap((cut) => (cut.kind === 'frame' ? [untcp(cut.bytes)] : []));
    },
  };
}

function datagrams(state: SimulatorState, link: Duplex): Carrier {
  const pipe = createDatagramPipe(link, state.faults, state.random, state.wire);
  return {
    send: (packet, signal) => pipe.send(encodePacket(packet), signal),
    flush: () => pipe.flush(),
    received(datagram) {
      if (!pipe.arrives()) return [];
      pipe.received(datagram);
      return datagram.length < HEADER_BYTES ? [] : [decodePacket(datagram)];
    },
  };
}

async function serve(
  state: SimulatorState,
  link: Duplex,
  signal: AbortSignal,
  connections: Set<Live>,
  sessions: Sessions,
): Promise<void> {
  const me: Peer = { datagrams: isDatagramLink(link), heardTicks: state.wire.ticks() };
  const packets: ReceivedPacket[] = [];
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  let wake: () => void = () => undefined;
  const carrier = me.datagrams ? datagrams(state, link) : stream(state, link);

  const onData = (chunk: Uint8Array): void => {
    me.heardTicks = state.wire.ticks();
    packets.push(...carrier.received(chunk));
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
    send: (packet) => carrier.send(packet, ended),
    datagrams: me.datagrams,
    signal: ended,
    cut,
    punchNow: sessions.punchNow,
    takeSession: () => sessions.takeSession(me),
    holdsSession: () => sessions.holdsSession(me),
    leaveSession: () => sessions.leave(me),
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
        await carrier.flush();
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
