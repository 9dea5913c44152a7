/**
 * Requests and answers on one line: one at a time, matched by command and address, asked again when nothing answers.
 * It knows what else may come in between: the echo of an RS-485 adapter, a live record, a heartbeat, an answer that is
 * late, a neighbour on the bus. Promises that an answer which came before its request was sent is never taken for it,
 * and that a heartbeat is answered at once on a network, also between two requests and in the middle of one; on a
 * serial line it waits until the line is free.
 *
 *   quiet line, gap ── request ──> echo? live record? neighbour? late answer? ── answer of this command and address
 */
import type { Duplex } from 'node:stream';
import { hex, parseHex } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import { linkedController } from '../../core/time.js';
import type { Wire } from '../driver.js';
import { createExchange } from '../exchange.js';
import { isCall } from './called.js';
import {
  authRequest,
  COMMAND,
  commandName,
  decodeRecord,
  encodeAnswer,
  encodeRequest,
  lineRule,
  parseFrame,
  retText,
  START,
} from './codec.js';
import { RECORD_BYTES, type AnvizRecord, type Command, type Frame } from './codec.js';
import { credentialText, type AnvizOptions } from './options.js';

export interface Answer {
  readonly ret: number;
  readonly data: Uint8Array;
}

export interface LiveRecord {
  readonly record: AnvizRecord;
  /** Monotonic time of its arrival. */
  readonly ticks: number;
}

export interface AskOptions {
  readonly timeoutMs?: number;
  readonly retries?: number;
}

/** An authentication lapses after 300 s without traffic; before that it is renewed. */
const AUTH_IDLE_MS = 240_000;
/** A refusal so soon after an accepted password has another reason. */
const AUTH_FRESH_MS = 60_000;

export interface Conversation {
  /** The answer, whatever its return code. Throws `link-silent`, `link-closed`, `wrong-protocol`, `bus-address-needed`. */
  ask(command: Command, data?: Uint8Array, options?: AskOptions): Promise<Answer>;
  /** The data of a successful answer; throws `bad-reply` for another return code, `auth-refused` where a password is missing. */
  request(command: Command, data?: Uint8Array, options?: AskOptions): Promise<Uint8Array>;
  /** The data, or null when the terminal refuses the command or does not know it. */
  tryRequest(command: Command, data?: Uint8Array): Promise<Uint8Array | null>;
  authenticate(): Promise<void>;
  /** Listens for what comes by itself, at most `ms`; returns early when a live record is there. */
  listen(ms: number): Promise<void>;
  /** Hears out whatever still comes and keeps only live records of it, until the line was silent for `quietMs`. */
  settle(quietMs: number): Promise<void>;
  /** Takes the live records that have arrived. */
  takeLive(): readonly LiveRecord[];
  dispose(): void;
}

const FOREIGN_BYTES = 16;
const LIVE_MAX = 10_000;
const SETTLE_FRAMES_MAX = 1_000;
/** A chattering line is not waited for longer; the request then has to get through as it can. */
const QUIET_MAX_MS = 1_000;

export function createConversation(link: Duplex, options: AnvizOptions, wire: Wire, signal: AbortSignal): Conversation {
  const { clock } = wire;
  /** Both sides may talk at once: nobody else is on a network connection. */
  const isNetwork = wire.host !== null || isCall(wire);
  const ended = linkedController(signal);
  const live: LiveRecord[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  let turns = 0;
  let sent: Uint8Array = new Uint8Array(0);
  let exchangeEndedAt = -Infinity;
  let peer: number | null = options.address === 0 ? null : options.address;
  let heartbeatFrom: number | null = null;
  let reauthenticated = false;
  let authenticatedAt = -Infinity;
  /** Found while nobody asked; told to whoever asks next. */
  let idleError: GatewayError | null = null;
  /** Sound frames that are not our own echo. */
  let heard = 0;
  /** The first bytes that belong to no frame. */
  let foreign: Uint8Array = new Uint8Array(0);
  /** Broken frames that begin like the answer to what was just asked. */
  let collisions = 0;

  const note: Wire['note'] = (finding) => {
    wire.note(finding);
    const window = finding.code === 'noise' ? finding.data?.window : undefined;
    if (typeof window !== 'string') return;
    const bytes = parseHex(window);
    if (foreign.length === 0) foreign = bytes;
    const command = sent[5];
    if (command !== undefined && bytes.some((byte, at) => byte === START && bytes[at + 5] === (command | 0x80)))
      collisions += 1;
  };
  const exchange = createExchange(link, lineRule, { idleFlushMs: options.silenceMs }, { ...wire, note }, signal);

  /** Requests of concurrent callers take turns. */
  const exclusive = async <T>(work: () => Promise<T>): Promise<T> => {
    turns += 1;
    const mine = turn.then(work, work).finally(() => (turns -= 1));
    turn = mine.catch(() => undefined);
    return mine;
  };

  const isOurs = (address: number): boolean => {
    if (options.address !== 0) return address === options.address;
    // Addressed at everybody, only one may answer; two would take turns in spoiling our reading.
    if (peer !== null && address !== peer) throw fail('bus-address-needed', { first: peer, second: address });
    peer = address;
    return true;
  };

  /** Takes care of what answers nothing; returns the frame if it may be an answer. */
  const sift = (bytes: Uint8Array): Extract<Frame, { kind: 'answer' }> | null => {
    if (bytes.length === sent.length && hex(bytes) === hex(sent)) return null;
    heard += 1;
    const frame = parseFrame(bytes);
    if (frame.kind === 'request') {
      if (frame.command === COMMAND.heartbeat && (options.address === 0 || frame.address === options.address))
        heartbeatFrom = frame.address;
      return null;
    }
    if (!isOurs(frame.address)) return null;
    if (frame.command !== COMMAND.realTime) return frame;
    if (frame.data.length < RECORD_BYTES) {
      wire.note({ code: 'unknown-layout', text: `A live record of ${frame.data.length} bytes` });
    } else if (live.length < LIVE_MAX) {
      // Beyond the bound nothing is lost: the terminal keeps the record as new.
      live.push({ record: decodeRecord(frame.data), ticks: clock.ticks() });
    }
    return null;
  };

  const siftWaiting = (): void => {
    for (let bytes = exchange.poll(); bytes !== null; bytes = exchange.poll()) sift(bytes);
  };

  /** Waits for the gap between exchanges and for a line on which nobody talks. */
  const quiet = async (): Promise<void> => {
    const began = clock.ticks();
    for (;;) {
      const now = clock.ticks();
      const waitMs = Math.max(
        exchangeEndedAt + options.gapMs - now,
        options.idleMs === 0 ? 0 : exchange.lastBytesTicks + options.idleMs - now,
      );
      if (waitMs <= 0 || now - began >= QUIET_MAX_MS) return;
      try {
        await clock.sleep(waitMs, ended.signal);
      } catch (error) {
        signal.throwIfAborted();
        throw fail('link-closed', {}, error);
      }
    }
  };

  const answerHeartbeat = async (): Promise<void> => {
    if (heartbeatFrom === null) return;
    const to = heartbeatFrom;
    heartbeatFrom = null;
    if (!isNetwork) await quiet();
    await exchange.send(encodeAnswer(to, COMMAND.heartbeat, 0));
    if (!isNetwork) exchangeEndedAt = clock.ticks();
  };

  /** What comes while nobody asks: live records are kept with the time of their arrival, heartbeats answered. */
  const attend = (): void => {
    if (turns > 0) return;
    exclusive(async () => {
      siftWaiting();
      await answerHeartbeat();
    }).catch((error: unknown) => {
      // An abort is told by whoever asks next.
      if (error instanceof GatewayError) idleError ??= error;
    });
  };
  link.on('data', attend);

  const awaitAnswer = async (command: Command, timeoutMs: number): Promise<Answer> => {
    const began = clock.ticks();
    for (;;) {
      const leftMs = timeoutMs - (clock.ticks() - began);
      const frame = sift(await exchange.receive(Math.max(1, leftMs), commandName(command)));
      if (isNetwork) await answerHeartbeat();
      if (frame?.command === command) return { ret: frame.ret, data: frame.data };
      if (leftMs <= 0) throw fail('link-silent', { ms: timeoutMs, waitingFor: commandName(command) });
    }
  };

  /** Only foreign bytes ever came: a printer, a panel, another vendor's terminal. After a few it is not asked again. */
  const throwIfForeign = (final: boolean, error: unknown): void => {
    // Behind an adapter that echoes, the first bytes are our own.
    const first = exchange.framesSeen === 0 ? exchange.firstBytes : foreign;
    if (heard > 0 || first.length === 0) return;
    // Everybody was asked, and what came begins like the answer and is broken each time: more than one answered.
    if (final && options.address === 0 && collisions > 0)
      throw fail('bus-address-needed', { first: '?', second: '?' }, error);
    if (first[0] === START) {
      if (!final) return;
      const reason = 'only broken frames arrive: a wrong baud rate, or two terminals with the same address';
      const reasonZh = '收到的报文全部损坏，可能是波特率不符，或同一线路上有两台地址相同的考勤机';
      throw fail('bad-reply', { request: 'everything', requestZh: '所有请求', reason, reasonZh }, error);
    }
    if (final || (first.length >= FOREIGN_BYTES && !first.includes(START)))
      throw fail('wrong-protocol', { driver: 'anviz-tcb', window: hex(first) }, error);
  };

  const askOnce = async (command: Command, data: Uint8Array | undefined, timeoutMs: number): Promise<Answer> => {
    if (idleError !== null) throw idleError;
    siftWaiting();
    await answerHeartbeat();
    await quiet();
    siftWaiting();
    sent = encodeRequest(options.address, command, data);
    await exchange.send(sent);
    try {
      return await awaitAnswer(command, timeoutMs);
    } finally {
      exchangeEndedAt = clock.ticks();
      // What came in the same piece as the answer: nothing else would wake us for it.
      queueMicrotask(attend);
    }
  };

  const askInTurn = async (command: Command, data: Uint8Array | undefined, how: AskOptions): Promise<Answer> => {
    const retries = how.retries ?? options.retries;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await askOnce(command, data, how.timeoutMs ?? options.answerTimeoutMs);
        // The terminal itself says that it was too slow: the same as silence.
        if (answer.ret !== 0x08 || attempt >= retries) return answer;
      } catch (error) {
        if (!isSilence(error)) throw error;
        throwIfForeign(attempt >= retries, error);
        if (attempt >= retries) throw error;
      }
    }
  };

  const login = async (): Promise<void> => {
    const data = authRequest(credentialText(options.authUser), credentialText(options.authPassword ?? ''));
    const { ret } = await askInTurn(COMMAND.auth, data, {});
    if (ret !== 0) throw fail('auth-refused', { reason: retText(ret) });
    authenticatedAt = clock.ticks();
  };

  /** Before a request after a long silence, so that nothing is refused or left unanswered. */
  const renewLogin = async (): Promise<void> => {
    const lastTicks = Math.max(exchangeEndedAt, authenticatedAt);
    if (options.authPassword !== undefined && clock.ticks() - lastTicks >= AUTH_IDLE_MS) await login();
  };

  const ask: Conversation['ask'] = async (command, data, how = {}) =>
    exclusive(async () => {
      await renewLogin();
      const answer = await askInTurn(command, data, how);
      if (answer.ret !== 0x01 || options.authPassword === undefined) return answer;
      // Once, and later only when the password was accepted a while ago: a terminal that locks accounts counts tries.
      if (reauthenticated && clock.ticks() - authenticatedAt < AUTH_FRESH_MS) return answer;
      reauthenticated = true;
      await login();
      return askInTurn(command, data, how);
    });

  const request: Conversation['request'] = async (command, data, how) => {
    const { ret, data: told } = await ask(command, data, how);
    if (ret === 0) return told;
    throw fail('bad-reply', { request: commandName(command), reason: retText(ret), ret });
  };

  return {
    ask,
    request,
    async tryRequest(command, data) {
      try {
        // Once more only: a terminal that does not know a command may say nothing at all.
        return await request(command, data, { retries: Math.min(1, options.retries) });
      } catch (error) {
        if (error instanceof GatewayError && (error.code === 'bad-reply' || error.code === 'link-silent')) return null;
        throw error;
      }
    },
    async authenticate() {
      if (options.authPassword !== undefined) await exclusive(login);
    },
    async listen(ms) {
      await exclusive(async () => {
        const began = clock.ticks();
        while (live.length === 0) {
          const leftMs = ms - (clock.ticks() - began);
          if (leftMs <= 0) break;
          try {
            sift(await exchange.receive(leftMs, 'a live record'));
          } catch (error) {
            if (!isSilence(error)) throw error;
          }
          await answerHeartbeat();
        }
      });
    },
    async settle(quietMs) {
      await exclusive(async () => {
        try {
          for (let frames = 0; frames < SETTLE_FRAMES_MAX; frames += 1)
            sift(await exchange.receive(quietMs, 'silence'));
        } catch (error) {
          if (!isSilence(error)) throw error;
        }
      });
    },
    takeLive() {
      return live.splice(0);
    },
    dispose() {
      link.off('data', attend);
      ended.end();
      exchange[Symbol.dispose]();
    },
  };
}

export function isSilence(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'link-silent';
}
