/**
 * A simulated terminal. It calls the gateway, registers, repeats that as its heartbeat, pushes each punch until it is
 * answered, and obeys the requests that a real one obeys. What comes is one message a piece, or it is not understood.
 * See README.md for the list of faults.
 *
 * It never throws for what the peer sends.
 */
import type { Duplex } from 'node:stream';
import iconv from 'iconv-lite';
import { within } from '../../core/time.js';
import type { SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom } from '../faults.js';
import { encodeMessage, isRefusal, parseMessage, type Fields, type Message, type Plain } from './codec.js';
import { aifaceSimulatorOptions } from './options.js';
import { answerTo, type Lists } from './simulator-answers.js';
import {
  addRecord,
  addUser,
  createState,
  devinfo,
  punchNow,
  recordFields,
  usersOf,
  wallClock,
  written,
  type DeviceState,
  type StoredRecord,
} from './simulator-state.js';
import { createSplitter } from './splitter.js';

export interface AifaceTerminal extends SimulatedTerminal {
  /** Records that nobody has fetched or taken. */
  newRecords(): number;
  /** Whether the gateway has answered its `reg` on the present connection. */
  registered(): boolean;
  /** Pieces that were no message, and requests it does not know. */
  violations(): number;
  /** Credentials enrolled for somebody. */
  credentials(userId: string): readonly number[];
}

/** An unanswered message is sent again. */
const AGAIN_MS = 20_000;
const LATE_MS = 10_500;

interface Presence {
  registered: boolean;
  wake: () => void;
}

const leave = (presence: Presence): void => void (presence.registered = false);

/** Numbers as text and truth values as digits, for firmware that writes them so. */
function dressed(value: Plain, state: DeviceState): Plain {
  if (typeof value === 'boolean') return state.options.numericTruth ? (value ? 1 : 0) : value;
  if (typeof value === 'number' || typeof value === 'bigint') return state.options.textNumbers ? String(value) : value;
  if (Array.isArray(value)) return (value as readonly Plain[]).map((one) => dressed(one, state));
  if (value === null || typeof value === 'string') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, dressed(one, state)]));
}

function encode(fields: Fields, state: DeviceState): Uint8Array {
  let text = Buffer.from(encodeMessage(dressed(fields, state) as Fields)).toString();
  if (state.faults.has('trailing-comma')) text = text.replace(/\}$/, ',}').replace(/\]/, ',]');
  if (state.faults.has('nul-end')) text += '\0\n';
  return state.faults.has('gbk-name') ? iconv.encode(text, 'gbk') : Buffer.from(text);
}

async function converse(state: DeviceState, presence: Presence, link: Duplex, signal: AbortSignal): Promise<void> {
  const { setup, options, faults } = state;
  const wire = createFaultyWire(link, faults, seededRandom(setup.seed + state.restarts), setup.wire);
  const splitter = createSplitter();
  const lists: Lists = { logs: new Map(), users: null };
  let sending: Promise<void> = Promise.resolve();
  const end = { reached: link.destroyed };
  let pushing: readonly StoredRecord[] = [];
  let regAt = setup.wire.ticks();
  let pushAt = setup.wire.ticks();
  leave(presence);

  const inTurn = (work: () => Promise<void>): void => {
    sending = sending.then(work).catch(() => undefined);
  };
  const tell = (fields: Fields): void =>
    inTurn(async () => {
      await wire.send(encode(fields, state), signal);
      await wire.flush();
    });

  const pushLog = (): void => {
    pushing = state.toPush.slice(0, options.pushRecords);
    const photo = faults.has('image');
    const image = 'A'.repeat(1024 * (Number(faults.get('image') ?? '') || 4));
    const record: Fields[] = pushing.map((one) => ({
      ...recordFields(state, one, false),
      verifymode: 0,
      ...(photo ? { image } : {}),
    }));
    const time = written(state, wallClock(state));
    if (faults.has('stranger')) record.push({ enrollid: 99_999_999, time, mode: 8, inout: 0, event: 0, verifymode: 0 });
    if (faults.has('door-event')) record.push({ enrollid: 0, time, mode: 0, inout: 1, event: 5, verifymode: 0 });
    const logindex = state.log.findIndex((one) => one === pushing[0]) + 1;
    const fields: Fields = { cmd: 'sendlog', sn: setup.serial, count: pushing.length, logindex, record };
    tell(fields);
    if (faults.has('duplicate-record')) tell(fields);
    pushAt = setup.wire.ticks() + AGAIN_MS;
  };

  const taken = (message: Message): void => {
    if (isRefusal(message)) return;
    for (const record of pushing) {
      record.isNew = false;
      const at = state.toPush.indexOf(record);
      if (at >= 0) state.toPush.splice(at, 1);
    }
    pushing = [];
    pushAt = setup.wire.ticks();
    presence.wake();
  };

  const onAnswer = (message: Message): void => {
    if (message.name === 'sendlog') {
      taken(message);
      return;
    }
    if (message.name !== 'reg' || isRefusal(message)) return;
    const told = parseMessageTime(message);
    if (told !== null) answerTo(state, lists, told);
    if (presence.registered) return;
    presence.registered = true;
    regAt = setup.wire.ticks() + options.heartbeatSeconds * 1000;
    if (faults.has('enrol-push'))
      tell({ cmd: 'senduser', enrollid: 7, name: 'Li Si', backupnum: 50, admin: 0, record: 'QUJD' });
    presence.wake();
  };

  const onRequest = (message: Message): void => {
    if (faults.has('interleave-event') && message.name.endsWith('log')) {
      faults.delete('interleave-event');
      punchNow(state, [...state.users.keys()][0] ?? '1', {}, true);
      pushLog();
    }
    const answer = answerTo(state, lists, message);
    if (answer === 'restart') {
      state.restarts += 1;
      link.destroy();
      return;
    }
    if (answer === 'nothing') return;
    if (faults.has('late-answer') && message.name.endsWith('log')) {
      faults.delete('late-answer');
      void setup.wire.sleep(LATE_MS, signal).then(
        () => tell(answer),
        () => undefined,
      );
      return;
    }
    tell(answer);
  };

  const onData = (chunk: Uint8Array): void => {
    wire.received(chunk);
    const cuts = splitter.push(chunk);
    // On a WebSocket each message stands for itself: half of one, or two at once, is nothing to this terminal.
    if (options.strictMessages && (cuts.length !== 1 || splitter.pending > 0)) {
      state.violations += 1;
      splitter.flush();
      return;
    }
    for (const cut of cuts) {
      const message = cut.kind === 'message' ? parseMessage(cut.bytes) : null;
      if (message?.kind === 'answer') onAnswer(message);
      else if (message) onRequest(message);
    }
  };
  // A function, because the compiler believes that an await cannot change the flag.
  const isGone = (): boolean => end.reached || link.destroyed;
  const onGone = (): void => {
    end.reached = true;
    presence.wake();
  };

  const reset = (): void => {
    if (!faults.has('seq-reset')) return;
    faults.delete('seq-reset');
    state.log.splice(0, state.log.length);
    state.toPush.splice(0, state.toPush.length);
  };

  link.on('data', onData);
  for (const event of ['end', 'close', 'error']) link.on(event, onGone);
  try {
    while (!isGone()) {
      const now = setup.wire.ticks();
      if (now >= regAt) {
        reset();
        const silent = presence.registered && faults.has('no-heartbeat');
        if (!silent) tell({ cmd: 'reg', sn: setup.serial, cpusn: '0', devinfo: devinfo(state) });
        regAt = now + (presence.registered ? options.heartbeatSeconds * 1000 : AGAIN_MS);
      }
      if (presence.registered && state.toPush.length > 0 && now >= pushAt) pushLog();
      const next = presence.registered && state.toPush.length > 0 ? Math.min(regAt, pushAt) : regAt;
      const woken = new Promise<void>((resolve) => (presence.wake = resolve));
      if (isGone()) break;
      await within(setup.wire, next - setup.wire.ticks(), signal, woken);
    }
  } finally {
    leave(presence);
    link.off('data', onData);
    // A wire may still fail after we have stopped listening; that is nobody's error any more.
    link.on('error', () => undefined);
  }
}

/** A `cloudtime` in an answer sets the clock as `settime` does. */
function parseMessageTime(message: Message): Message | null {
  return message.json.members.some((member) => member.key === 'cloudtime')
    ? { ...message, kind: 'request', name: 'settime' }
    : null;
}

export function simulateAiface(setup: SimulatorSetup): AifaceTerminal {
  const options = aifaceSimulatorOptions.parse(setup.options);
  const state = createState(setup, options);
  const presence: Presence = { registered: false, wake: () => undefined };

  const serve = async (link: Duplex, signal: AbortSignal): Promise<void> => {
    link.on('error', () => undefined);
    try {
      await converse(state, presence, link, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };

  return {
    serve,
    async call(dial, signal) {
      while (!signal.aborted) {
        try {
          const link = await dial(signal);
          await serve(link, signal);
          link.destroy();
        } catch {
          // The gateway is away; it is called again.
        }
        await setup.wire.sleep(options.reconnectSeconds * 1000, signal).catch(() => undefined);
      }
    },
    addUser: (user) => addUser(state, user),
    punch(userId, how = {}) {
      const punch = punchNow(state, userId, how, !options.serverApproval || presence.registered);
      presence.wake();
      return punch;
    },
    addRecord: (record) => void addRecord(state, record),
    users: () => usersOf(state),
    records: () => state.ever,
    newRecords: () => state.log.filter((record) => record.isNew).length,
    registered: () => presence.registered,
    violations: () => state.violations,
    credentials: (userId) => [...(state.users.get(userId)?.credentials ?? [])],
    setClockOffset: (ms) => void (state.clockOffsetMs = ms),
    wallClock: () => wallClock(state),
    setFault(name, value) {
      if (value === null) state.faults.delete(name);
      else state.faults.set(name, value);
    },
  };
}
