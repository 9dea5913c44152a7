/**
 * Commands out, answers in, one at a time, over a connection that is opened anew whenever it cannot be trusted. A terminal
 * serves one client; an answer that comes after its deadline would be taken for the next one, so after every deadline and every
 * broken message the connection is closed. `Wait` moves the deadline; bytes that come move it too.
 *
 * Wrong key, seen both ways, is `auth-refused`: an answer that does not decrypt, a plain answer to an encrypted command, an
 * encrypted answer to a plain one, and silence under a key that nothing was ever understood with.
 */
import type { Duplex } from 'node:stream';
import { hexWindow } from '../../core/bytes.js';
import { asGatewayError, fail, type GatewayError } from '../../core/errors.js';
import { linkedController, within } from '../../core/time.js';
import type { Wire } from '../driver.js';
import { ANSWER_WORDS, encodeCommand, isDropped, latin, type Argument, type Pair } from './codec.js';
import { keyBytes, looksEncrypted } from './key.js';
import { createLexer, type Lexer, type Token } from './lexer.js';
import type { HanvonOptions } from './options.js';

/** How often a command was tried again, and why. */
export interface Tries {
  silent: number;
  busy: number;
  stale: number;
}

export interface Conversation {
  /** The pairs of the answer as they come, `result` left out. A refusal is `bad-reply`; see `isRefusal`. */
  stream(word: string, args?: readonly Argument[]): AsyncGenerator<Pair, void>;
  /** The whole answer of a short command. One that is not `repeatable` is not sent again when nothing answers. */
  ask(word: string, args?: readonly Argument[], repeatable?: boolean): Promise<Answer>;
  /** Closes what cannot be trusted any more; true when the failed command may be tried again. */
  recover(error: unknown, tries: Tries): Promise<boolean>;
  dispose(): Promise<void>;
}

export interface Answer {
  /** The terminal's reason for refusing, or null: it has done it. */
  readonly refusal: string | null;
  readonly pairs: readonly Pair[];
}

interface Line {
  readonly link: Duplex;
  readonly lexer: Lexer;
  readonly tokens: Token[];
  first: Uint8Array;
  /** Whether a whole message has come over this connection. */
  understood: boolean;
  closed: GatewayError | null;
  lastBytesTicks: number;
  bytesSeen: number;
  wake: (() => void) | null;
  release: () => void;
}

const QUEUE_MAX = 4096;
const WITNESS_BYTES = 16;
const WITNESS_MS = 500;
const DIAL_MS = 15_000;
const CLOSE_MS = 1000;
const SEND_MS = 10_000;
const WAIT_SECONDS_MAX = 600;
const WAITS_MAX = 100;
/** A short answer has no more pairs than this. */
const PAIRS_MAX = 200_000;

export const newTries = (): Tries => ({ silent: 0, busy: 0, stale: 0 });

export function createConversation(
  firstLink: Duplex,
  options: HanvonOptions,
  wire: Wire,
  signal: AbortSignal,
): Conversation {
  const key = keyBytes(options.commKey);
  let everUnderstood = false;
  let line: Line | null = null;

  const attach = (link: Duplex): Line => {
    const lexer = createLexer({ key, words: ANSWER_WORDS, drops: isDropped });
    const onData = (chunk: Uint8Array): void => {
      if (made.first.length < WITNESS_BYTES)
        made.first = Uint8Array.from([...made.first, ...chunk.subarray(0, WITNESS_BYTES - made.first.length)]);
      made.lastBytesTicks = wire.clock.ticks();
      made.bytesSeen += chunk.length;
      for (const token of lexer.push(chunk)) made.tokens.push(token);
      if (made.tokens.length > QUEUE_MAX) link.pause();
      made.wake?.();
    };
    const onGone = (error?: Error): void => {
      made.closed ??= error ? asClosed(error) : fail('link-closed');
      made.wake?.();
    };
    const onEnd = (): void => onGone();
    const made: Line = {
      link,
      lexer,
      tokens: [],
      first: new Uint8Array(0),
      understood: false,
      closed: null,
      lastBytesTicks: wire.clock.ticks(),
      bytesSeen: 0,
      wake: null,
      release: () => {
        link.off('data', onData);
        link.off('error', onGone);
        link.off('end', onEnd);
        link.off('close', onEnd);
        // A link may still fail after we have stopped listening; that is nobody's error any more.
        link.on('error', () => undefined);
        onGone();
      },
    };
    link.on('data', onData);
    link.on('error', onGone);
    link.on('end', onEnd);
    link.on('close', onEnd);
    if (link.destroyed) onGone();
    return made;
  };

  const hangUp = async (): Promise<void> => {
    const old = line;
    line = null;
    if (!old) return;
    old.release();
    if (old.link.closed) return;
    const gone = new Promise<void>((resolve) => old.link.once('close', () => resolve()));
    old.link.destroy();
    // The terminal serves one client: the old connection must be away before the next is dialled.
    await within(wire.clock, CLOSE_MS, new AbortController().signal, gone);
  };

  const dial = async (): Promise<Line> => {
    if (wire.dial === null) throw fail('link-closed');
    const giveUp = linkedController(signal);
    try {
      const link = await within(wire.clock, DIAL_MS, signal, wire.dial(giveUp.signal));
      if (link === 'late') throw silent(DIAL_MS, 'connection');
      return attach(link);
    } finally {
      giveUp.end();
    }
  };

  /** What the first bytes that are no answer say about the peer. */
  const wrongPeer = async (current: Line): Promise<GatewayError> => {
    const until = wire.clock.ticks() + WITNESS_MS;
    while (current.first.length < WITNESS_BYTES && current.closed === null) {
      const left = until - wire.clock.ticks();
      if (left <= 0) break;
      await arrival(current, left);
    }
    const { first } = current;
    const text = first.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d);
    if (looksEncrypted(first) || (key !== null && !text)) return fail('auth-refused');
    return fail('wrong-protocol', { driver: 'hanvon-faceid', window: hexWindow(first) });
  };

  const arrival = async (current: Line, ms: number): Promise<void> => {
    const came = new Promise<void>((resolve) => (current.wake = resolve));
    try {
      await within(wire.clock, ms, signal, came);
    } finally {
      current.wake = null;
    }
  };

  /**
   * The next token of an answer. Bytes move the deadline, and only the time spent waiting counts: whoever stores a page meanwhile
   * may be slow. `deadline` is what a `Wait` asked for, in ticks.
   */
  const receive = async (current: Line, word: string, deadline: number): Promise<Token> => {
    const began = wire.clock.ticks();
    for (;;) {
      signal.throwIfAborted();
      const token = current.tokens.shift();
      if (token) {
        if (current.tokens.length === QUEUE_MAX / 2) current.link.resume();
        return token;
      }
      if (current.closed !== null) throw current.closed;
      const until = Math.max(deadline, Math.max(began, current.lastBytesTicks) + options.answerTimeoutMs);
      const left = until - wire.clock.ticks();
      if (left <= 0) throw silent(options.answerTimeoutMs, word);
      await arrival(current, left);
    }
  };

  const ready = async (): Promise<Line> => {
    signal.throwIfAborted();
    if (line?.closed) await hangUp();
    if (line?.tokens.some((token) => token.kind !== 'noise')) {
      // Two answers to one command: what else would come could be taken for the answer to the next.
      wire.note({ code: 'odd', text: 'The terminal answered a command twice; the connection was closed' });
      await hangUp();
    }
    line ??= await dial();
    line.tokens.length = 0;
    return line;
  };

  const send = async (current: Line, bytes: Uint8Array, word: string): Promise<void> => {
    const written = new Promise<void>((resolve, reject) =>
      current.link.write(bytes, (error) => (error ? reject(asClosed(error)) : resolve())),
    );
    if ((await within(wire.clock, SEND_MS, signal, written)) === 'late') throw silent(SEND_MS, word);
  };

  async function* once(word: string, args: readonly Argument[]): AsyncGenerator<Pair, void> {
    const current = await ready();
    const { bytesSeen, understood } = current;
    try {
      await send(current, encodeCommand(word, args, key, 'gbk'), word);
      yield* readAnswer(current, word);
    } catch (error) {
      // A connection that the terminal had closed after its last answer was no connection: that is not its fault.
      if (isCode(error, 'link-closed') && understood && current.bytesSeen === bytesSeen)
        throw fail('link-closed', { stale: true }, error);
      throw error;
    }
  }

  async function* readAnswer(current: Line, word: string): AsyncGenerator<Pair, void> {
    let deadline = 0;
    let waits = 0;
    let opening = '';
    let result: string | null = null;
    let reason = '';
    for (;;) {
      const token = await receive(current, word, deadline);
      if (token.kind === 'begin') {
        if (token.encrypted !== (key !== null)) throw fail('auth-refused');
        opening = token.word;
      } else if (token.kind === 'pair') {
        const pair: Pair = { key: token.key, value: token.value, size: token.size };
        if (opening === 'Wait' && token.key === 'wait_time') {
          const seconds = Math.min(Number(latin(token.value)) || 0, WAIT_SECONDS_MAX);
          deadline = wire.clock.ticks() + seconds * 1000 + options.answerTimeoutMs;
        } else if (result === null && token.key === 'result') result = latin(token.value);
        else if (result === 'failed' && token.key === 'reason') reason = latin(token.value);
        else if (opening === 'Return') yield pair;
      } else if (token.kind === 'end') {
        current.understood = true;
        everUnderstood = true;
        if (opening === 'Return') {
          finish(word, result, reason);
          return;
        }
        waits += 1;
        if (waits > WAITS_MAX) throw silent(options.answerTimeoutMs, word);
      } else if (token.kind === 'broken' || !token.blank) {
        throw current.understood || token.kind === 'broken' ? badReply(word) : await wrongPeer(current);
      }
    }
  }

  const finish = (word: string, result: string | null, reason: string): void => {
    if (result === 'success') return;
    if (reason === 'device busy') throw fail('terminal-busy', { reason });
    throw fail('bad-reply', {
      request: word,
      requestZh: word,
      reason: reason === '' ? 'the terminal refused' : reason.slice(0, 64),
      reasonZh: reason === '' ? '考勤机拒绝' : reason.slice(0, 64),
      refusal: reason.slice(0, 64),
    });
  };

  const recover = async (error: unknown, tries: Tries): Promise<boolean> => {
    if (signal.aborted) return false;
    if (isCode(error, 'terminal-busy')) {
      if (tries.busy >= options.busyRetries) return false;
      tries.busy += 1;
      await wire.clock.sleep(options.busyWaitMs, signal);
      return true;
    }
    if (isRefusal(error) !== null) return false;
    await hangUp();
    if (isCode(error, 'link-silent')) {
      if (wire.dial !== null && tries.silent < options.retries) {
        tries.silent += 1;
        return true;
      }
      if (key !== null && !everUnderstood) throw fail('auth-refused', {}, error);
    }
    if (isStale(error) && wire.dial !== null && tries.stale === 0) {
      tries.stale += 1;
      return true;
    }
    return false;
  };

  line = attach(firstLink);
  return {
    stream: (word, args = []) => once(word, args),
    async ask(word, args = [], repeatable = true) {
      const tries = newTries();
      for (;;) {
        const pairs: Pair[] = [];
        try {
          for await (const pair of once(word, args)) if (pairs.length < PAIRS_MAX) pairs.push(pair);
          return { refusal: null, pairs };
        } catch (error) {
          const refusal = isRefusal(error);
          if (refusal !== null) return { refusal, pairs };
          const again = repeatable || isCode(error, 'terminal-busy') || isStale(error);
          if (!(await recover(error, tries)) || !again) throw error;
        }
      }
    },
    recover,
    dispose: async () => {
      line?.release();
      line?.link.destroy();
      line = null;
      await Promise.resolve();
    },
  };
}

const silent = (ms: number, word: string): GatewayError =>
  fail('link-silent', { ms: Math.round(ms), waitingFor: word, waitingForZh: word });

const badReply = (word: string): GatewayError =>
  fail('bad-reply', {
    request: word,
    requestZh: word,
    reason: 'the message is broken',
    reasonZh: '报文不完整或不符合协议',
  });

const asClosed = (error: unknown): GatewayError => fail('link-closed', {}, error);

const isCode = (error: unknown, code: string): boolean => asGatewayError(error).code === code;

const isStale = (error: unknown): boolean => {
  const { code, context } = asGatewayError(error);
  return code === 'link-closed' && context.stale === true;
};

/** The terminal's reason when an error is a refusal ('' without one), else null. */
export function isRefusal(error: unknown): string | null {
  const { code, context } = asGatewayError(error);
  return code === 'bad-reply' && typeof context.refusal === 'string' ? context.refusal : null;
}
