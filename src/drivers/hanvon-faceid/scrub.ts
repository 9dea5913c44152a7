/**
 * Takes the persons out of a capture: ids become other ids, every value that is not known to be harmless becomes filler, faces
 * and photos with them. What is no message becomes zeros. The result is plain text even where the terminal encrypts: an encrypted
 * capture tells its communication key to everybody who knows how answers begin, and the decoder reads plain text under any key.
 */
import type { Masks } from '../driver.js';
import { ANSWER_WORDS } from './codec.js';
import { HARMLESS } from './decoder.js';
import { keyBytes } from './key.js';
import { createLexer, type Token } from './lexer.js';
import type { HanvonOptions } from './options.js';

/** Commands whose keys are ids and whose values are names: `SetNameTable(42="…")`. */
const NAME_TABLES = new Set(['SetNameTable', 'AddNameTable']);

type PairToken = Extract<Token, { kind: 'pair' }>;

export function scrub(options: HanvonOptions, from: 'device' | 'gateway', bytes: Uint8Array, masks: Masks): Uint8Array {
  const key = keyBytes(options.commKey);
  const lexer = createLexer({ key, words: from === 'device' ? ANSWER_WORDS : null, drops: () => false });
  const out = new Uint8Array(bytes.length);
  let begin: Extract<Token, { kind: 'begin' }> | null = null;
  let pairs: PairToken[] = [];

  const masked = (pair: PairToken, word: string): void => {
    const room = pair.valueEnd - pair.valueAt;
    if (NAME_TABLES.has(word)) {
      out.set(sameLength(masks.id(pair.key), pair.key.length, masks), pair.keyAt);
      out.set(masks.filler(room), pair.valueAt);
    } else if (pair.key === 'id') {
      const told = Buffer.from(pair.value ?? []).toString('latin1');
      const plain = /^[\x20-\x7e]+$/.test(told);
      out.set(plain ? sameLength(masks.id(told), room, masks) : masks.filler(room), pair.valueAt);
    } else if (!HARMLESS.has(pair.key)) {
      out.set(masks.filler(room), pair.valueAt);
    }
  };

  for (const token of [...lexer.push(bytes), ...lexer.end()]) {
    if (token.kind === 'begin') {
      begin = token;
      pairs = [];
    } else if (token.kind === 'pair') {
      pairs.push(token);
    } else if (token.kind === 'end' && begin !== null) {
      const { at, encrypted, word } = begin;
      for (let place = at; place < token.at; place += 1)
        out[place] = (bytes[place] ?? 0) ^ (encrypted && key !== null ? (key[(place - at) & 7] ?? 0) : 0);
      for (const pair of pairs) masked(pair, word);
      begin = null;
    } else {
      // Noise and broken messages stay zeros.
      begin = null;
    }
  }
  return out;
}

/** Text of exactly `length` bytes: a mask of another length would move everything behind it. */
function sameLength(text: string, length: number, masks: Masks): Uint8Array {
  const bytes = Buffer.from(text, 'latin1');
  return bytes.length === length ? bytes : masks.filler(length);
}
