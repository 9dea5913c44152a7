/**
 * One connection to a simulated ZKTeco terminal: takes packets in order, answers each, and slips live events between
 * the packets of an answer as real terminals do. Pure reaction: it starts nothing by itself.
 */
import { Reader, Writer } from '../../core/bytes.js';
import type { SimulatedPunch } from '../driver.js';
import { COMMAND, EVENT_ATTENDANCE } from './codes.js';
import { NO_DATA, scrambleCommKey, type Packet, type ReceivedPacket } from './codec.js';
import { DATAGRAM_CHUNK_BYTES } from './desk.js';
import { decodeTime, encodeEvent, encodeOption, encodeSizes, encodeTime } from './records.js';
import {
  attendanceSet,
  faultFires,
  faultNumber,
  fieldsOf,
  setClock,
  toldRecords,
  wallClock,
  type SimulatorState,
} from './simulator-state.js';
import { deleteUser, userSet, writeUser } from './simulator-users.js';
import { decodeText } from './text.js';

export interface Line {
  /** Sends one packet in the way of this connection. */
  readonly send: (packet: Packet) => Promise<unknown>;
  /** Each packet is a datagram: small ones only. */
  readonly datagrams: boolean;
  readonly signal: AbortSignal;
  /** Cuts the connection, as a power failure does. */
  readonly cut: () => void;
  /** Makes a punch happen now, as a fault between two packets. */
  readonly punchNow: () => SimulatedPunch;
  /** Whether the one session may be taken by this connection; takes it. */
  readonly takeSession: () => boolean;
  /** False once another connection has taken the session away. */
  readonly holdsSession: () => boolean;
  /** Gives the session back. */
  readonly leaveSession: () => void;
}

export interface SimulatedConnection {
  /** Reacts to one packet; resolves when everything about it has been sent. */
  handle(packet: ReceivedPacket): Promise<void>;
  /** Queues a live event; sent by `sendEvents` or between the packets of an answer. */
  queueEvent(punch: SimulatedPunch): void;
  sendEvents(): Promise<void>;
}

const UNACKNOWLEDGED_MAX = 8;
const CHUNK_BYTES_MAX = 0xffc0;
/** Function of a direct read of users; others would be templates. */
const FUNCTION_USERS = 5;
/** Most bytes of data in one datagram. */
const DATAGRAM_DATA_BYTES = 1024;

export function createConnection(state: SimulatorState, line: Line): SimulatedConnection {
  const { options } = state;
  let session = 0;
  let authorised = false;
  let silent = false;
  let mask = 0;
  let prepared: Uint8Array = NO_DATA;
  let unacknowledged = 0;
  let lastEvent: SimulatedPunch | null = null;
  /** The CONNECT that opened the session, while nothing else has come: over datagrams it may come twice. */
  let opened: { readonly reply: number; readonly command: number } | null = null;
  const packetBytes = line.datagrams ? Math.min(options.packetBytes, DATAGRAM_DATA_BYTES) : options.packetBytes;
  const smallBytes = line.datagrams
    ? Math.min(options.smallAnswerBytes, DATAGRAM_DATA_BYTES)
    : options.smallAnswerBytes;
  const events: { readonly punch: SimulatedPunch; readonly forced: boolean }[] = [];

  const write = async (command: number, sessionField: number, reply: number, data: Uint8Array): Promise<void> => {
    if (silent) return;
    await line.send({ command, session: sessionField, reply, data });
    if (options.packetPauseMs > 0 && (line.datagrams || !state.faults.has('coalesce')))
      await state.wire.sleep(options.packetPauseMs, line.signal);
  };
  const answer = (to: ReceivedPacket, command: number, data: Uint8Array = NO_DATA): Promise<void> =>
    write(command, session, to.reply, data);

  const sendEvents = async (): Promise<void> => {
    while (events.length > 0 && unacknowledged < UNACKNOWLEDGED_MAX) {
      const event = events.shift();
      if (!event || (!event.forced && (mask & EVENT_ATTENDANCE) === 0)) continue;
      lastEvent = event.punch;
      const fields = fieldsOf(state, event.punch);
      const large = options.eventBytes === 104;
      const one = encodeEvent(fields, large ? 52 : options.eventBytes);
      unacknowledged += 1;
      await write(COMMAND.REG_EVENT, EVENT_ATTENDANCE, 0, large ? Buffer.concat([one, one]) : one);
    }
  };

  const interleave = async (): Promise<void> => {
    if (faultFires(state, 'interleave-event')) events.push({ punch: line.punchNow(), forced: true });
    await sendEvents();
  };

  /** PREPARE_DATA, DATA ..., ACK_OK. */
  const sendData = async (to: ReceivedPacket, bytes: Uint8Array, head: Uint8Array): Promise<void> => {
    await answer(to, COMMAND.PREPARE_DATA, head);
    let index = 0;
    for (let at = 0; at < bytes.length; at += packetBytes) {
      if (index > 0 || bytes.length <= packetBytes) await interleave();
      const stallMs = index > 0 ? faultNumber(state, 'stall', 20_000) : null;
      if (stallMs !== null) {
        state.faults.delete('stall');
        await state.wire.sleep(stallMs, line.signal);
      }
      const piece = bytes.subarray(at, at + packetBytes);
      await write(COMMAND.DATA, options.dataSession === 'index' ? index : session, to.reply, piece);
      index += 1;
      if (faultFires(state, 'reboot-mid-transfer')) {
        state.bootedAt = state.wire.ticks();
        line.cut();
        return;
      }
    }
    await write(COMMAND.ACK_OK, options.dataSession === 'index' ? index - 1 : session, to.reply, NO_DATA);
  };

  const dataSet = (command: number, what: number | null): Uint8Array | null => {
    if (command === COMMAND.USERTEMP_RRQ) return userSet(state);
    if (command !== COMMAND.ATTLOG_RRQ) return null;
    const wanted = options.attendanceFunction;
    return wanted === 'any' || what === null || what === wanted ? attendanceSet(state) : new Uint8Array(4);
  };

  const onDataRequest = async (packet: ReceivedPacket): Promise<void> => {
    if (options.directOnly)
      return answer(packet, options.directRefusal === 'error' ? COMMAND.ACK_ERROR : COMMAND.UNKNOWN);
    if (faultFires(state, 'refuse-data')) return answer(packet, COMMAND.ACK_ERROR);
    if (state.faults.get('memory-full') === 'silent') return;
    const reader = new Reader(packet.data, 'little', 1);
    const set = dataSet(reader.u16(), reader.u32());
    if (!set) return answer(packet, COMMAND.ERROR_DATA);
    if (set.length <= smallBytes) {
      await interleave();
      return answer(packet, COMMAND.DATA, set);
    }
    prepared = set;
    return answer(packet, COMMAND.ACK_OK, new Writer('little').u8(0).u32(set.length).u32(set.length).u32(0).bytes());
  };

  const onChunkRequest = async (packet: ReceivedPacket): Promise<void> => {
    if (faultFires(state, 'chunk-error')) return answer(packet, COMMAND.ACK_ERROR);
    if (faultFires(state, 'session-stolen')) {
      silent = true;
      return;
    }
    const reader = new Reader(packet.data, 'little');
    const start = reader.u32();
    const asked = reader.u32();
    if (asked > (line.datagrams ? DATAGRAM_CHUNK_BYTES : CHUNK_BYTES_MAX)) return answer(packet, COMMAND.ERROR_DATA);
    const length = Math.min(asked, faultNumber(state, 'short-chunk', 1000) ?? asked);
    const bytes = prepared.subarray(start, start + length);
    if (bytes.length === 0) return answer(packet, COMMAND.ERROR_DATA);
    return sendData(packet, bytes, new Writer('little').u32(bytes.length).u32(packetBytes).bytes());
  };

  const onDirectRequest = async (packet: ReceivedPacket): Promise<void> => {
    if (faultFires(state, 'refuse-data')) return answer(packet, COMMAND.ACK_ERROR);
    if (packet.command === COMMAND.USERTEMP_RRQ && packet.data[0] !== FUNCTION_USERS)
      return answer(packet, COMMAND.ERROR_DATA);
    const set = dataSet(packet.command, null) ?? NO_DATA;
    if (set.length <= smallBytes) return answer(packet, COMMAND.DATA, set);
    return sendData(packet, set, new Writer('little').u32(set.length).bytes());
  };

  const onConnect = async (packet: ReceivedPacket): Promise<void> => {
    const refusal = state.faults.get('second-session-refused');
    if (refusal === '' || faultFires(state, 'second-session-refused') || !line.takeSession())
      return write(COMMAND.ACK_ERROR, 0, packet.reply, NO_DATA);
    const extra = options.connectExtraByte ? Uint8Array.of(0) : NO_DATA;
    if (opened?.reply !== packet.reply) {
      session = 1 + Math.floor(state.random() * 0xfffe);
      authorised = options.commKey === 0;
      mask = 0;
      opened = { reply: packet.reply, command: authorised ? COMMAND.ACK_OK : COMMAND.ACK_UNAUTH };
    }
    return write(opened.command, session, options.connectReplyId, extra);
  };

  const onAuth = async (packet: ReceivedPacket): Promise<void> => {
    const expected = scrambleCommKey(options.commKey, session, packet.data[2]);
    authorised = Buffer.compare(expected, packet.data) === 0;
    return answer(packet, authorised ? COMMAND.ACK_OK : COMMAND.ACK_UNAUTH);
  };

  const values: Readonly<Record<string, () => string>> = {
    '~SerialNumber': () => state.serial,
    '~Platform': () => 'ZLM60_SIM',
    '~DeviceName': () => options.deviceName,
    MAC: () => '00:17:61:00:00:01',
    '~OS': () => '1',
    '~PIN2Width': () => String(options.idDigits),
    '~ZKFPVersion': () => '10',
    ZKFaceVersion: () => '7',
    FaceFunOn: () => '1',
    '~ExtendFmt': () => '1',
    '~UserExtFmt': () => '0',
  };

  const onOption = async (packet: ReceivedPacket): Promise<void> => {
    const key = decodeText(packet.data, 'auto');
    const value = values[key];
    if (key !== '~SerialNumber' && state.faults.has('deaf-to-options')) return;
    return value
      ? answer(packet, COMMAND.ACK_OK, encodeOption(`${key}=${value()}`))
      : answer(packet, COMMAND.ACK_ERROR);
  };

  const ok = (packet: ReceivedPacket): Promise<void> => answer(packet, COMMAND.ACK_OK);
  const onUser = (
    packet: ReceivedPacket,
    change: (state: SimulatorState, data: Uint8Array) => boolean,
  ): Promise<void> => {
    const taken = !faultFires(state, 'refuse-users') && change(state, packet.data);
    return answer(packet, taken ? COMMAND.ACK_OK : COMMAND.ACK_ERROR);
  };
  const handlers: Readonly<Record<number, (packet: ReceivedPacket) => Promise<void>>> = {
    [COMMAND.OPTIONS_RRQ]: onOption,
    [COMMAND.OPTIONS_WRQ]: ok,
    [COMMAND.GET_VERSION]: (packet) => answer(packet, COMMAND.ACK_OK, encodeOption(options.firmware)),
    [COMMAND.GET_FREE_SIZES]: (packet) => answer(packet, COMMAND.ACK_OK, sizesAnswer(state)),
    [COMMAND.GET_TIME]: (packet) =>
      answer(packet, COMMAND.ACK_OK, new Writer('little').u32(encodeTime(wallClock(state))).bytes()),
    [COMMAND.SET_TIME]: (packet) => {
      setClock(state, decodeTime(new Reader(packet.data, 'little').u32()));
      return ok(packet);
    },
    [COMMAND.STATE_RRQ]: (packet) => write(COMMAND.ACK_OK, 0, packet.reply, NO_DATA),
    [COMMAND.REG_EVENT]: (packet) => {
      const refusal = state.faults.get('refuse-events');
      if (refusal === 'silent') return Promise.resolve();
      if (refusal !== undefined) return answer(packet, COMMAND.ACK_ERROR);
      mask = new Reader(packet.data, 'little').u32();
      unacknowledged = 0;
      return ok(packet);
    },
    [COMMAND.USER_WRQ]: (packet) => onUser(packet, writeUser),
    [COMMAND.DELETE_USER]: (packet) => onUser(packet, deleteUser),
    [COMMAND.ENABLE]: ok,
    [COMMAND.DISABLE]: async (packet) => {
      await ok(packet);
      if (state.faults.has('silent-after-disable')) silent = true;
    },
    [COMMAND.REFRESHDATA]: ok,
    [COMMAND.REFRESHOPTION]: ok,
    [COMMAND.FREE_DATA]: (packet) => {
      prepared = NO_DATA;
      return ok(packet);
    },
    [COMMAND.DATA_WRRQ]: onDataRequest,
    [COMMAND.DATA_RDY]: onChunkRequest,
    [COMMAND.ATTLOG_RRQ]: onDirectRequest,
    [COMMAND.USERTEMP_RRQ]: onDirectRequest,
    [COMMAND.EXIT]: async (packet) => {
      if (options.exitAck) await ok(packet);
      authorised = false;
      session = 0;
      line.leaveSession();
    },
  };

  return {
    queueEvent: (punch) => void events.push({ punch, forced: false }),
    sendEvents,
    async handle(packet) {
      if (packet.checksum === 'wrong') return;
      if (packet.command === COMMAND.ACK_OK) {
        unacknowledged = Math.max(0, unacknowledged - 1);
        return sendEvents();
      }
      if (packet.command === COMMAND.CONNECT) return onConnect(packet);
      if (session === 0 || !line.holdsSession()) return;
      opened = null;
      if (packet.session !== session) return answer(packet, COMMAND.ACK_UNAUTH);
      if (packet.command === COMMAND.AUTH) return onAuth(packet);
      if (!authorised) return answer(packet, COMMAND.ACK_UNAUTH);
      if (packet.command !== COMMAND.EXIT && faultFires(state, 'busy-error')) return answer(packet, COMMAND.ACK_RETRY);
      const handler = handlers[packet.command];
      await (handler ? handler(packet) : answer(packet, COMMAND.UNKNOWN));
      if (lastEvent && state.faults.has('repeat-events')) events.push({ punch: lastEvent, forced: false });
      await sendEvents();
    },
  };
}

function sizesAnswer(state: SimulatorState): Uint8Array {
  const records = toldRecords(state);
  const recordCapacity = state.faults.has('memory-full') ? records : state.recordCapacity;
  const { userCapacity, sizesBytes } = state.options;
  return encodeSizes({ users: state.users.length, records, userCapacity, recordCapacity }, sizesBytes);
}
