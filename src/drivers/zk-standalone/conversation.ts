/**
 * One conversation with one terminal: requests strictly one at a time, answers matched by reply id, events taken out of
 * the stream wherever they appear, acknowledged, and queued. One pump reads the wire from beginning to end, so an event
 * is never mistaken for an answer and a request may be made while somebody waits for events.
 *
 * A request that is repeated gets a new reply id, so a late answer to the first try cannot be taken for data of the
 * second. Over datagrams a single request keeps its id when it is sent again, since any answer to it will do; what is
 * answered by many packets gets a new one there too. The session field of answers is never checked: it is a packet
 * index, a state or an event code.
 */
import type { Duplex } from 'node:stream';
import { fail, GatewayError } from '../../core/errors.js';
import { within, type Clock } from '../../core/time.js';
import type { Wire } from '../driver.js';
import { createBell, createTally, type Bell } from './bells.js';
import { COMMAND, commandName } from './codes.js';
import { NO_DATA, type ReceivedPacket } from './codec.js';
import { createPacketWire } from './packet-wire.js';

export interface RequestOptions {
  readonly timeoutMs: number;
  /** How often to send in all; 3 unless told. */
  readonly tries?: number;
  /** Bytes that arrive count as life, for answers of many packets. */
  readonly bytesAreLife?: boolean;
}

export interface Turn {
  /** The next packet that answers this request. */
  next(timeoutMs?: number): Promise<ReceivedPacket>;
}

export interface Conversation {
  /** Session id given by CONNECT; part of everything sent from then on. */
  adopt(session: number): void;
  /** Packets are datagrams: they may be lost, doubled, and overtaken. */
  readonly datagrams: boolean;
  /** The session id in use; some firmwares write it into every packet of data. */
  readonly session: number;
  /** Sends and gives the one answer. Busy answers (retry, repeat) and silence are asked again. Refusals are returned. */
  request(command: number, data: Uint8Array, options: RequestOptions): Promise<ReceivedPacket>;
  /** Like `request`, and throws `bad-reply` when the answer is not ACK_OK. */
  command(command: number, data: Uint8Array, options: RequestOptions): Promise<ReceivedPacket>;
  /** Sends once, then hands the answer to `work`, packet by packet; no other request is made meanwhile. */
  stream<T>(
    command: number,
    data: Uint8Array,
    options: RequestOptions,
    work: (first: ReceivedPacket, turn: Turn) => Promise<T>,
  ): Promise<T>;
  /** Whether the bytes of a packet may be believed: its checksum is right, or this terminal's checksums mean nothing. */
  trusts(packet: ReceivedPacket): boolean;
  /** Two readings with wrong checksums were equal: from now on checksums of this terminal are counted only. */
  ignoreChecksums(): void;
  /** Events received and not yet taken, in order. */
  takeEvents(): readonly ReceivedPacket[];
  /** Waits until an event is there or `ms` pass; throws when the link is gone. */
  waitForEvent(ms: number): Promise<void>;
  /** Monotonic time of the last sign of life. */
  readonly lastBytesTicks: number;
  readonly firstBytes: Uint8Array;
  readonly framesSeen: number;
  /** Ends the conversation with these commands and EXIT where the link still lives; does not wait long, never throws. */
  close(before?: readonly number[]): Promise<void>;
}

const REPLIES_MAX = 8192;
const EVENTS_MAX = 100_000;
const EXIT_WAIT_MS = 500;
const BUSY_PAUSE_MS = 1000;
/** First pause before a datagram without answer is sent again; each further pause is twice as long. */
const RESEND_MS = 1000;

export function createConversation(link: Duplex, wire: Wire, signal: AbortSignal): Conversation {
  const { clock } = wire;
  // The exchange outlives the caller's signal by the moment that EXIT needs.
  const life = new AbortController();
  const packets = createPacketWire(link, wire, life.signal);
  const bell = createBell();
  let session = 0;
  let lastReply = -1;
  let waitingReply: number | null = null;
  let connected = false;
  // True once a terminal has given the same answer twice with a checksum we cannot follow: its arithmetic is its own.
  let checksumsUseless = false;
  let broken: GatewayError | null = null;
  let replies: ReceivedPacket[] = [];
  let events: ReceivedPacket[] = [];
  let acknowledging: Promise<unknown> = Promise.resolve();
  let turns: Promise<unknown> = Promise.resolve();

  const wrongChecksum = createTally((count) =>
    wire.note({ code: 'checksum', text: `${count} packets with a wrong checksum so far`, data: { count } }),
  );
  const stray = createTally((count) =>
    wire.note({ code: 'odd', text: `${count} packets so far answer no request of ours`, data: { count } }),
  );
  const stop = (error: unknown): void => {
    broken ??= error instanceof GatewayError ? error : fail('link-closed', {}, error);
    bell.ring();
  };

  const dispatch = (packet: ReceivedPacket): void => {
    if (packet.checksum === 'wrong') wrongChecksum();
    if (packet.command === COMMAND.REG_EVENT && packet.reply === 0) {
      // The log of the terminal keeps the punch whatever happens here, so the acknowledgement need not wait for storage.
      const ack = { command: COMMAND.ACK_OK, session, reply: 0, data: NO_DATA };
      acknowledging = acknowledging.then(() => packets.send(ack)).catch(stop);
      if (events.length < EVENTS_MAX) events.push(packet);
    } else if (waitingReply !== null && replies.length < REPLIES_MAX && (!connected || packet.reply === waitingReply)) {
      replies.push(packet);
    } else {
      stray();
      return;
    }
    bell.ring();
  };
  const pump = async (): Promise<void> => {
    for (;;) dispatch(await packets.receive());
  };
  const pumping = pump().catch(stop);

  const receive = async (waitingFor: string, options: RequestOptions): Promise<ReceivedPacket> => {
    const began = clock.ticks();
    for (;;) {
      signal.throwIfAborted();
      const packet = replies.shift();
      if (packet) return packet;
      if (broken) throw broken;
      const quietSince = options.bytesAreLife ? Math.max(began, packets.lastBytesTicks) : began;
      const left = Math.min(quietSince + options.timeoutMs, began + 6 * options.timeoutMs) - clock.ticks();
      if (left <= 0) throw fail('link-silent', { ms: options.timeoutMs, waitingFor });
      await within(clock, left, signal, bell.next());
    }
  };

  const send = async (command: number, data: Uint8Array): Promise<void> => {
    signal.throwIfAborted();
    lastReply = (lastReply + 1) % 0x10000;
    waitingReply = lastReply;
    replies = [];
    if (broken) throw broken;
    await packets.send({ command, session, reply: lastReply, data });
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turns.then(work).finally(() => (waitingReply = null));
    turns = result.catch(() => undefined);
    return result;
  };

  const answerWithin = async (
    timeoutMs: number,
    command: number,
    options: RequestOptions,
  ): Promise<ReceivedPacket | null> => {
    try {
      return await receive(commandName(command), { ...options, timeoutMs });
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'link-silent') return null;
      throw error;
    }
  };

  /** Null: no answer in the time of one try; over datagrams, of all tries. */
  const askOnce = async (
    command: number,
    data: Uint8Array,
    options: RequestOptions,
  ): Promise<ReceivedPacket | null> => {
    await send(command, data);
    if (!packets.datagrams) return answerWithin(options.timeoutMs, command, options);
    // A datagram that got lost is sent again with its reply id: whichever answer comes, it answers this request, and no other.
    let leftMs = options.timeoutMs * (options.tries ?? 3);
    for (let pauseMs = RESEND_MS; ; pauseMs = Math.min(2 * pauseMs, options.timeoutMs)) {
      const waitMs = Math.min(pauseMs, leftMs);
      const answer = await answerWithin(waitMs, command, options);
      leftMs -= waitMs;
      if (answer || leftMs <= 0 || foreign()) return answer;
      await packets.send({ command, session, reply: lastReply, data });
    }
  };

  /** Something answers, and it is no terminal of this protocol: it is asked no more. */
  const foreign = (): boolean => packets.framesSeen === 0 && packets.noiseBytes > 0;
  const trusts = (packet: ReceivedPacket): boolean => packet.checksum !== 'wrong' || checksumsUseless;

  const ask = async (command: number, data: Uint8Array, options: RequestOptions): Promise<ReceivedPacket> => {
    let spoilt: ReceivedPacket | null = null;
    for (let left = options.tries ?? 3; left > 0; left -= 1) {
      const answer = await askOnce(command, data, options);
      if (answer?.command === COMMAND.ACK_RETRY || answer?.command === COMMAND.ACK_REPEAT) {
        await clock.sleep(BUSY_PAUSE_MS, signal);
      } else if (answer && (trusts(answer) || !connected)) {
        return answer;
      } else if (answer && same(answer, spoilt)) {
        checksumsUseless = true;
        return answer;
      } else if (answer) {
        spoilt = answer;
      }
      if (foreign() || (!answer && packets.datagrams)) break;
    }
    if (spoilt)
      throw fail('bad-reply', {
        request: commandName(command),
        reason: 'its checksum was wrong each time',
        reasonZh: '每次的校验和都错误',
      });
    throw fail('link-silent', { ms: options.timeoutMs, waitingFor: commandName(command) });
  };

  return {
    datagrams: packets.datagrams,
    get session() {
      return session;
    },
    adopt(given) {
      session = given;
      connected = true;
    },
    request: (command, data, options) => inTurn(() => ask(command, data, options)),
    command: async (command, data, options) => {
      const answer = await inTurn(() => ask(command, data, options));
      if (answer.command === COMMAND.ACK_OK) return answer;
      throw fail('bad-reply', { request: commandName(command), reason: commandName(answer.command) });
    },
    stream: (command, data, options, work) =>
      inTurn(async () => {
        await send(command, data);
        const waitingFor = commandName(command);
        const turn: Turn = {
          next: (timeoutMs) => receive(waitingFor, { ...options, timeoutMs: timeoutMs ?? options.timeoutMs }),
        };
        return work(await turn.next(), turn);
      }),
    trusts,
    ignoreChecksums: () => void (checksumsUseless = true),
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    async waitForEvent(ms) {
      signal.throwIfAborted();
      if (events.length > 0) return;
      if (broken) throw broken;
      await within(clock, ms, signal, bell.next());
    },
    get lastBytesTicks() {
      return packets.lastBytesTicks;
    },
    get firstBytes() {
      return packets.firstBytes;
    },
    get framesSeen() {
      return packets.framesSeen;
    },
    async close(before = []) {
      if (connected && !broken) {
        for (const command of [...before, COMMAND.EXIT]) {
          lastReply = (lastReply + 1) % 0x10000;
          waitingReply = lastReply;
          await leaveWithin(clock, packets.send({ command, session, reply: lastReply, data: NO_DATA }), bell);
        }
      }
      life.abort();
      await pumping;
      await acknowledging;
      packets[Symbol.dispose]();
    },
  };
}

const same = (one: ReceivedPacket, other: ReceivedPacket | null): boolean =>
  other !== null && one.command === other.command && Buffer.compare(one.data, other.data) === 0;

/** Waits a moment for the answer to EXIT, which may be missing. */
async function leaveWithin(clock: Clock, sent: Promise<void>, bell: Bell): Promise<void> {
  const unhurried = new AbortController().signal;
  const answered = sent.then(() => bell.next());
  await within(clock, EXIT_WAIT_MS, unhurried, answered).catch(() => undefined);
}

/** For requests whose answer we can do without: silence gives null, every other error is thrown. */
export async function unlessSilent<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'link-silent') return null;
    throw error;
  }
}
