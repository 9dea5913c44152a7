/**
 * Cuts a byte stream into the tokens of this protocol, incrementally and in linear time: `Word(key="value" key=value …)`.
 * Values can hold `(` and `)`: a message ends at the first `)` outside quotes, never at the end of a chunk. There is no
 * escape for `"`, so a closing quote is believed only when something well-formed follows it: a name with quotation marks
 * must not make the log of a terminal unreadable. Values of keys that `drops` names are counted and never gathered.
 *
 * With a key each message is tried encrypted and plain, because a terminal whose key was removed answers plainly.
 */

import { isSpace, isWhole, isWord, mayGrow, OPEN, PLAIN_WORDS, wordAt, WORD_MAX } from './words.js';

export type Token =
  | { readonly kind: 'begin'; readonly word: string; readonly at: number; readonly encrypted: boolean }
  | {
      readonly kind: 'pair';
      readonly key: string;
      readonly keyAt: number;
      /** Null: dropped. */
      readonly value: Uint8Array | null;
      readonly size: number;
      readonly valueAt: number;
      readonly valueEnd: number;
    }
  /** A message is complete; `at` is the offset after its last byte. */
  | { readonly kind: 'end'; readonly at: number }
  /** The message that had begun is none: everything from its begin to `at`. */
  | { readonly kind: 'broken'; readonly at: number; readonly reason: string }
  /** Bytes that belong to no message; `blank`: only white space. */
  | { readonly kind: 'noise'; readonly at: number; readonly end: number; readonly blank: boolean };

export interface LexerOptions {
  readonly key: Uint8Array | null;
  /** Words that may begin a message; null: every word, and under a key those of `PLAIN_WORDS` where it is not encrypted. */
  readonly words: readonly string[] | null;
  readonly drops: (key: string) => boolean;
}

export interface Lexer {
  push(chunk: Uint8Array): readonly Token[];
  /** The stream has ended: what is incomplete is broken or noise. */
  end(): readonly Token[];
  /** Whether a message has begun and is not complete. */
  readonly inside: boolean;
}

/** One value may be a photo of some megapixels in base64. */
export const VALUE_BYTES_MAX = 2 * 1024 * 1024;
/** Longest run after a closing quote that may turn out to belong to the value. */
const TAIL_MAX = 256;
/** Values without quotes are numbers. */
const BARE_MAX = 1024;
const RUN_BYTES = 4096;

const QUOTE = 0x22;
const CLOSE = 0x29;
const EQUALS = 0x3d;

type State = 'idle' | 'word' | 'gap' | 'key' | 'after-key' | 'equals' | 'quoted' | 'bare';

/** A way in which the first word of a message may be written: encrypted or plain. */
interface Trial {
  readonly key: Uint8Array | null;
  word: string;
}

/** A pair whose value is being read, or was closed and waits for what follows. */
interface Pair {
  readonly key: string;
  readonly keyAt: number;
  readonly drop: boolean;
  readonly parts: Uint8Array[];
  size: number;
  valueAt: number;
  valueEnd: number;
}

export function createLexer(options: LexerOptions): Lexer {
  const modes = options.key === null ? [null] : [options.key, null];
  let state: State = 'idle';
  let offset = 0;
  let messageAt = 0;
  let mode: Uint8Array | null = null;
  let trials: Trial[] = [];
  /** The bytes of the token being read, as they came, to be read again when it leads nowhere. */
  let token: number[] = [];
  let tokenAt = 0;
  let word = '';
  let pair: Pair | null = null;
  /** The value of `pair` was closed by a quote; `tail` is what came since. */
  let closed = false;
  let tail: number[] = [];
  let noiseAt = -1;
  let blank = true;
  let out: Token[] = [];
  /** Bytes to be read again, the next one last. */
  const again: number[] = [];
  // Read by a function, because the compiler believes that a call cannot change it.
  let restarted = false;
  const hasRestarted = (): boolean => restarted;

  // Encrypted bytes may look like a short plain word, so under a key a plain one must be known.
  const wordsOf = (key: Uint8Array | null): readonly string[] | null =>
    options.words ?? (options.key !== null && key === null ? PLAIN_WORDS : null);

  const tellNoise = (end: number): void => {
    if (noiseAt >= 0 && end > noiseAt) out.push({ kind: 'noise', at: noiseAt, end, blank });
    noiseAt = -1;
    blank = true;
  };

  const emit = (): void => {
    if (pair === null) return;
    const { drop, parts, ...told } = pair;
    out.push({
      kind: 'pair',
      ...told,
      value: drop ? null : parts.length === 1 ? (parts[0] ?? null) : Buffer.concat(parts),
    });
    pair = null;
    closed = false;
    tail = [];
  };

  /** Reads `bytes`, which begin at offset `from`, again as if no message had begun. */
  const restart = (from: number, bytes: readonly number[]): void => {
    state = 'idle';
    mode = null;
    pair = null;
    closed = false;
    tail = [];
    offset = from;
    restarted = true;
    for (let at = bytes.length - 1; at >= 0; at -= 1) again.push(bytes[at] ?? 0);
  };

  const startToken = (raw: number): void => {
    token = [raw];
    tokenAt = offset;
  };

  const broken = (reason: string): void => {
    out.push({ kind: 'broken', at: tokenAt, reason });
    restart(tokenAt, token);
  };

  const grow = (bytes: Uint8Array): void => {
    if (pair === null) return;
    pair.size += bytes.length;
    if (!pair.drop) pair.parts.push(bytes);
  };

  /** What followed a closing quote is no key: then that quote belongs to the value, unless there is no quote to return to. */
  const unexpected = (byte: number): void => {
    if (pair === null || !closed || tail.length > TAIL_MAX) {
      broken('unexpected byte');
      return;
    }
    grow(Uint8Array.of(QUOTE, ...tail));
    tail = [];
    if (byte === QUOTE) {
      pair.valueEnd = offset;
      state = 'gap';
    } else {
      grow(Uint8Array.of(byte));
      closed = false;
      state = 'quoted';
    }
  };

  const startPair = (key: string, keyAt: number): void => {
    emit();
    pair = { key, keyAt, drop: options.drops(key), parts: [], size: 0, valueAt: offset + 1, valueEnd: offset + 1 };
    state = 'equals';
  };

  const finish = (): void => {
    emit();
    state = 'idle';
    mode = null;
    out.push({ kind: 'end', at: offset + 1 });
  };

  /**
   * What was read is no word. Its first byte begins nothing; the others may. They are tried where they lie, for read again one
   * by one each byte of a long run of letters would cost thirty-two.
   */
  const noWord = (): void => {
    if (noiseAt < 0) noiseAt = tokenAt;
    for (let from = 1; from <= token.length; from += 1) {
      blank &&= isSpace(token[from - 1] ?? 0);
      const tried = modes.map((key) => ({ key, found: wordAt(token, from, key, wordsOf(key)) }));
      if (tried.some(({ found }) => found === 'whole')) {
        restart(tokenAt + from, token.slice(from));
        return;
      }
      trials = tried.flatMap(({ key, found }) =>
        found === null || found === 'whole' ? [] : [{ key, word: found.text }],
      );
      if (trials.length === 0) continue;
      token = token.slice(from);
      tokenAt += from;
      state = token.length === 0 ? 'idle' : 'word';
      return;
    }
  };

  const inWord = (raw: number): void => {
    const place = offset - tokenAt;
    // In place: in noise this runs many times for each byte.
    let alive = 0;
    for (const trial of trials) {
      const byte = trial.key === null ? raw : raw ^ (trial.key[place & 7] ?? 0);
      const words = wordsOf(trial.key);
      if (byte === OPEN && isWhole(trial.word, words)) {
        tellNoise(tokenAt);
        messageAt = tokenAt;
        mode = trial.key;
        out.push({ kind: 'begin', word: trial.word, at: messageAt, encrypted: mode !== null });
        state = 'gap';
        return;
      }
      if (!mayGrow(trial.word, byte, words)) continue;
      trial.word += String.fromCharCode(byte);
      trials[alive] = trial;
      alive += 1;
    }
    trials.length = alive;
    if (alive === 0) noWord();
  };

  const inGap = (byte: number, raw: number): void => {
    if (byte === CLOSE) {
      finish();
      return;
    }
    if (isSpace(byte)) {
      if (closed) tail.push(byte);
      return;
    }
    startToken(raw);
    if (!isWord(byte)) {
      unexpected(byte);
      return;
    }
    word = String.fromCharCode(byte);
    if (closed) tail.push(byte);
    state = 'key';
  };

  const inKey = (byte: number, raw: number): void => {
    token.push(raw);
    if (byte === EQUALS) {
      startPair(word, tokenAt);
    } else if (state === 'key' && isWord(byte) && word.length < WORD_MAX) {
      word += String.fromCharCode(byte);
      if (closed) tail.push(byte);
    } else if (isSpace(byte) && token.length <= 2 * WORD_MAX) {
      if (closed) tail.push(byte);
      state = 'after-key';
    } else {
      unexpected(byte);
    }
  };

  const afterEquals = (byte: number, raw: number): void => {
    if (isSpace(byte) || pair === null) return;
    startToken(raw);
    pair.valueAt = byte === QUOTE ? offset + 1 : offset;
    pair.valueEnd = pair.valueAt;
    if (byte === QUOTE) {
      state = 'quoted';
    } else if (byte === CLOSE) {
      finish();
    } else if (byte === OPEN || byte === EQUALS) {
      broken('a value is missing');
    } else {
      grow(Uint8Array.of(byte));
      state = 'bare';
    }
  };

  const inBare = (byte: number, raw: number): void => {
    if (pair === null) return;
    pair.valueEnd = offset;
    if (byte === CLOSE) {
      finish();
    } else if (isSpace(byte)) {
      emit();
      state = 'gap';
    } else if (
      byte === EQUALS &&
      !pair.drop &&
      pair.size <= WORD_MAX &&
      pair.parts.every(([one]) => isWord(one ?? 0))
    ) {
      // `weigen= ip="…"`: the value was empty, and what was taken for it is the next key.
      const next = Buffer.concat(pair.parts).toString('latin1');
      const nextAt = pair.valueAt;
      pair = { ...pair, parts: [], size: 0, valueEnd: nextAt };
      startPair(next, nextAt);
    } else if (byte === QUOTE || byte === OPEN || byte === EQUALS || pair.size >= BARE_MAX) {
      startToken(raw);
      broken('unexpected byte');
    } else {
      grow(Uint8Array.of(byte));
    }
  };

  /** A run of plain bytes inside quotes; returns how many of them were used. */
  const inQuotes = (run: Uint8Array): number => {
    const quote = run.indexOf(QUOTE);
    const part = quote < 0 ? run : run.subarray(0, quote);
    if (pair === null || pair.size + part.length > VALUE_BYTES_MAX) {
      tokenAt = offset;
      token = [];
      broken('a value is longer than 2 MiB');
      return 0;
    }
    if (part.length > 0) grow(part);
    if (quote < 0) return run.length;
    pair.valueEnd = offset + quote;
    closed = true;
    state = 'gap';
    return quote + 1;
  };

  const plain = (raw: number, at: number): number => (mode === null ? raw : raw ^ (mode[(at - messageAt) & 7] ?? 0));

  const feed = (raw: number): void => {
    restarted = false;
    if (state === 'idle') {
      startToken(raw);
      trials = modes.map((key) => ({ key, word: '' }));
      state = 'word';
      inWord(raw);
    } else if (state === 'word') {
      token.push(raw);
      inWord(raw);
    } else {
      const byte = plain(raw, offset);
      if (state === 'gap') inGap(byte, raw);
      else if (state === 'equals') afterEquals(byte, raw);
      else if (state === 'bare') inBare(byte, raw);
      else if (state === 'quoted') {
        if (inQuotes(Uint8Array.of(byte)) === 0) again.push(raw);
      } else inKey(byte, raw);
    }
    if (!hasRestarted()) offset += 1;
  };

  const take = (): readonly Token[] => {
    const told = out;
    out = [];
    return told;
  };

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length || again.length > 0) {
        if (again.length > 0) {
          feed(again.pop() ?? 0);
        } else if (state === 'quoted') {
          // In pieces, so that an encrypted value of a large chunk is not decrypted far beyond its closing quote.
          const run = chunk.subarray(at, at + RUN_BYTES);
          const used = inQuotes(
            mode === null ? Uint8Array.from(run) : run.map((raw, index) => plain(raw, offset + index)),
          );
          at += used;
          offset += used;
        } else {
          feed(chunk[at] ?? 0);
          at += 1;
        }
      }
      if (state === 'idle') tellNoise(offset);
      if (state === 'word' && noiseAt >= 0) tellNoise(tokenAt);
      return take();
    },
    end() {
      if (state === 'word' || state === 'idle') {
        if (noiseAt < 0 && state === 'word') noiseAt = tokenAt;
        blank &&= state === 'idle';
        tellNoise(offset);
      } else {
        out.push({ kind: 'broken', at: offset, reason: 'incomplete message' });
      }
      state = 'idle';
      mode = null;
      pair = null;
      return take();
    },
    get inside() {
      return state !== 'idle' && state !== 'word';
    },
  };
}
