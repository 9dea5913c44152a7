/**
 * Requests and answers with one terminal: one at a time, matched by transaction code and serial number, asked again when
 * nothing answers. Each frame that is sent has a code of its own (+1), so an answer that is late is known as an answer to
 * its own request and never taken for data of the next. It knows what else may come in between: the echo of an RS-485
 * adapter, live records, keep-alives, connection tests, a neighbour on the bus. A terminal that calls us and calls again goes
 * on in the same conversation: the new connection takes the place of the old one.
 */
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { fail, GatewayError } from '../../core/errors.js';
import { hex } from '../../core/bytes.js';
import { linkedController } from '../../core/time.js';
import type { Wire } from '../driver.js';
import { createExchange, type Exchange } from '../exchange.js';
import {
  ANSWER,
  ANY_SN,
  CODE_MAX,
  CODE_MIN,
  COMMAND,
  createFrameRule,
  encodeRequest,
  FLAG,
  parseFrame,
  STATUS,
  UNASKED,
  WATCH,
  type Command,
  type Frame,
} from './codec.js';
import { passwordBytes, type FcardOptions } from './options.js';
import { LIVE_BYTES } from './records.js';

export interface AskOptions {
  readonly retries?: number;
  /** Looks at each frame that answers; true when it was the last. Without it the first one is. */
  readonly collect?: (frame: Frame) => boolean;
  /** Codes whose answers are accepted too; the codes of this request are added. */
  readonly codes?: Set<number>;
}

export interface Conversation {
  /** The frame that ends the answer: `21 01` or data. Throws `link-silent`, `link-closed`, `auth-refused`, `bad-reply`, `wrong-protocol`. */
  ask(command: Command, data?: Uint8Array, how?: AskOptions): Promise<Frame>;
  /** The answer, or null when the terminal refuses the command or does not know it. */
  tryAsk(command: Command, data?: Uint8Array): Promise<Frame | null>;
  /** From now on this terminal is addressed, and only what it says is heard. */
  callBy(sn: string): void;
  /** Listens for what comes by itself, at most `ms`; returns early when a live record is there. */
  listen(ms: number): Promise<void>;
  /** Takes the live records (17 bytes each) that have arrived. */
  takeLive(): readonly Uint8Array[];
  /** Sends without waiting for an answer, as the last word. */
  farewell(command: Command): void;
  dispose(): void;
}

const FOREIGN_BYTES = 16;
const PATIENCE_MAX = 4;
const LIVE_MAX = 10_000;
/** How long a terminal that calls may take to call again before the session is given up. */
const CALL_AGAIN_MS = 15_000;

const isCode = (error: unknown, code: string): boolean => error instanceof GatewayError && error.code === code;
export const isSilence = (error: unknown): boolean => isCode(error, 'link-silent');

export function createConversation(
  first: Duplex,
  options: FcardOptions,
  wire: Wire,
  signal: AbortSignal,
): Conversation {
  const { clock } = wire;
  const password = passwordBytes(options.commPassword);
  const calls = linkedController(signal);
  const newExchange = (on: Duplex): Exchange =>
    createExchange(on, createFrameRule(), { idleFlushMs: options.silenceMs }, wire, signal);
  const live: Uint8Array[] = [];
  let link = first;
  let exchange = newExchange(link);
  /** Rises with each connection. */
  let generation = 0;
  let wake: () => void = () => undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let sent: Uint8Array = new Uint8Array(0);
  let answeredAt = -Infinity;
  let code = randomInt(CODE_MIN, CODE_MAX);
  let sn = options.address ?? null;
  let testedAt: number | null = null;
  /** A slow terminal gets more time after each silence: asking again only lengthens what it still has to answer. */
  let patience = 1;

  const replace = (next: Duplex): void => {
    const old = link;
    exchange[Symbol.dispose]();
    link = next;
    exchange = newExchange(next);
    generation += 1;
    old.destroy();
    wake();
  };
  const awaitCalls = async (next: (signal: AbortSignal) => Promise<Duplex>): Promise<void> => {
    for (;;) replace(await next(calls.signal));
  };
  if (wire.nextCall) awaitCalls(wire.nextCall).catch(() => undefined);

  /** Requests of concurrent callers take turns. */
  const exclusive = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const isOurs = (frame: Frame): boolean => {
    if (options.address !== undefined) return frame.sn === options.address;
    // Asked as whoever is alone, only one may answer; two would take turns in spoiling our reading.
    if (sn !== null && frame.sn !== sn) throw fail('bus-address-needed', { first: sn, second: frame.sn });
    sn = frame.sn;
    return true;
  };

  /** Takes care of what answers nothing; returns the frame if it may be an answer. */
  const sift = (bytes: Uint8Array): Frame | null => {
    if (bytes.length === sent.length && hex(bytes) === hex(sent)) return null;
    const frame = parseFrame(bytes, 'device');
    if (!isOurs(frame)) return null;
    if (frame.code !== UNASKED || frame.type !== WATCH) return frame;
    if (frame.index === 0xa0) testedAt = clock.ticks();
    if (frame.index !== 0x01) return null;
    if (frame.data.length !== LIVE_BYTES) {
      wire.note({ code: 'unknown-layout', text: `A live record of ${frame.data.length} bytes` });
    } else if (live.length < LIVE_MAX) {
      // Beyond the bound nothing is lost: the store has the record.
      live.push(Uint8Array.from(frame.data));
    }
    return null;
  };

  /** Waits until a terminal whose connection is gone has called again; throws `error` where it does not. */
  const calledAgain = async (since: number, error: unknown): Promise<void> => {
    if (!wire.nextCall) throw error;
    const began = clock.ticks();
    while (generation === since) {
      const leftMs = CALL_AGAIN_MS - (clock.ticks() - began);
      if (leftMs <= 0) throw error;
      const nap = linkedController(signal);
      wake = () => nap.end();
      try {
        await clock.sleep(leftMs, nap.signal);
      } catch {
        signal.throwIfAborted();
      } finally {
        nap.end();
      }
    }
  };

  /** What is done on a connection; when that breaks and the terminal calls again, it counts as silence. */
  const onLine = async <T>(work: () => Promise<T>): Promise<T> => {
    const since = generation;
    try {
      return await work();
    } catch (error) {
      if (!isCode(error, 'link-closed')) throw error;
      await calledAgain(since, error);
      throw fail('link-silent', { ms: 0, waitingFor: 'the terminal to call again', waitingForZh: '考勤机重新连接' });
    }
  };

  const send = async (command: Command, data?: Uint8Array): Promise<number> => {
    const waitMs = answeredAt + options.gapMs - clock.ticks();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    code = code >= CODE_MAX ? CODE_MIN : code + 1;
    sent = encodeRequest({ sn: sn ?? ANY_SN, password, code }, command, data);
    await exchange.send(sent);
    return code;
  };

  const siftWaiting = async (): Promise<void> => {
    for (let bytes = exchange.poll(); bytes !== null; bytes = exchange.poll()) sift(bytes);
    if (testedAt === null) return;
    testedAt = null;
    await send(COMMAND.connected);
  };

  /** Only foreign bytes ever came: a printer, a panel, another vendor's terminal. After a few it is not asked again. */
  const throwIfForeign = (final: boolean, error: unknown): void => {
    const { firstBytes } = exchange;
    if (exchange.framesSeen > 0 || firstBytes.length === 0) return;
    if (firstBytes.includes(FLAG)) {
      if (!final) return;
      const reason = 'only broken frames arrive: a wrong baud rate, or two terminals that answer at once';
      const reasonZh = '收到的报文全部损坏，可能是波特率不符，或两台考勤机同时应答';
      throw fail('bad-reply', { request: 'everything', requestZh: '所有请求', reason, reasonZh }, error);
    }
    if (final || firstBytes.length >= FOREIGN_BYTES)
      throw fail('wrong-protocol', { driver: 'fcard', window: hex(firstBytes) }, error);
  };

  /** Whether a frame is the end of the answer; throws for a refusal. */
  const judge = (frame: Frame, command: Command, collect: AskOptions['collect']): 'end' | 'more' | 'again' => {
    if (frame.type === STATUS) {
      if (frame.index === 0x01) return 'end';
      if (frame.index === 0x02)
        throw fail('auth-refused', { reason: 'wrong communication password', reasonZh: '通信密码错误' });
      // The terminal got a spoilt frame: the same as silence.
      if (frame.index === 0x03) return 'again';
      throw fail('bad-reply', {
        request: command.name,
        reason: `status ${frame.index} ${frame.par}`,
        reasonZh: `状态 ${frame.index} ${frame.par}`,
      });
    }
    if (frame.type !== command.type + ANSWER || frame.index !== command.index) return 'more';
    return collect === undefined || collect(frame) ? 'end' : 'more';
  };

  const askOnce = async (
    command: Command,
    data: Uint8Array | undefined,
    codes: Set<number>,
    how: AskOptions,
  ): Promise<Frame> => {
    await siftWaiting();
    codes.add(await send(command, data));
    const timeoutMs = options.answerTimeoutMs * patience;
    let began = clock.ticks();
    try {
      for (;;) {
        const leftMs = timeoutMs - (clock.ticks() - began);
        const frame = sift(await exchange.receive(Math.max(1, leftMs), command.name));
        if (frame && codes.has(frame.code)) {
          const verdict = judge(frame, command, how.collect);
          if (verdict === 'end') return frame;
          if (verdict === 'again') throw fail('link-silent', { ms: 0, waitingFor: command.name });
          began = clock.ticks();
        } else if (leftMs <= 0) throw fail('link-silent', { ms: timeoutMs, waitingFor: command.name });
      }
    } finally {
      answeredAt = clock.ticks();
    }
  };

  const askInTurn = async (command: Command, data: Uint8Array | undefined, how: AskOptions): Promise<Frame> => {
    const retries = how.retries ?? options.retries;
    const codes = how.codes ?? new Set<number>();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await onLine(() => askOnce(command, data, codes, how));
      } catch (error) {
        if (!isSilence(error)) throw error;
        patience = Math.min(PATIENCE_MAX, patience * 2);
        throwIfForeign(attempt >= retries, error);
        if (attempt >= retries) throw error;
      }
    }
  };

  const ask: Conversation['ask'] = async (command, data, how = {}) =>
    exclusive(async () => {
      // Without a serial number nothing but the question for it is answered.
      if (sn === null && command !== COMMAND.readSn) await askInTurn(COMMAND.readSn, undefined, {});
      return askInTurn(command, data, how);
    });

  return {
    ask,
    async tryAsk(command, data) {
      try {
        // Once more only: a terminal that does not know a command may say nothing at all.
        return await ask(command, data, { retries: Math.min(1, options.retries) });
      } catch (error) {
        if (isSilence(error) || isCode(error, 'bad-reply')) return null;
        throw error;
      }
    },
    callBy: (told) => void (sn = options.address ?? told),
    async listen(ms) {
      await exclusive(async () => {
        const began = clock.ticks();
        while (live.length === 0) {
          const leftMs = ms - (clock.ticks() - began);
          if (leftMs <= 0) break;
          try {
            await onLine(async () => {
              sift(await exchange.receive(leftMs, 'a live record'));
              await siftWaiting();
            });
          } catch (error) {
            if (!isSilence(error)) throw error;
          }
        }
      });
    },
    takeLive: () => live.splice(0),
    farewell(command) {
      if (signal.aborted || link.destroyed || !link.writable) return;
      const last = code >= CODE_MAX ? CODE_MIN : code + 1;
      link.write(encodeRequest({ sn: sn ?? ANY_SN, password, code: last }, command), () => undefined);
    },
    dispose() {
      calls.end();
      exchange[Symbol.dispose]();
      // Of several connections the caller only knows the first.
      if (link !== first) link.destroy();
    },
  };
}
