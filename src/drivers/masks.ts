/**
 * Persons out of a capture: every id is replaced by another one of the same length, the same for the same person within one
 * capture and for nobody else, so that a capture still shows who came twice. The key lives as long as the masks: nobody can
 * undo them.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Masks } from './driver.js';

const DIGITS = /^\d+$/;
/** Ids of so many digits may be kept in two or four bytes: their masks must not be greater than they are. */
const TIGHT_LENGTHS = new Set([5, 10, 12, 13]);
const TRIES = 200;

/** One byte for each character of the id, from the key, the id and the try. */
function* randomFor(key: Uint8Array, told: string, attempt: number): Generator<number, never> {
  for (let block = 0; ; block += 1)
    yield* createHmac('sha256', key).update(`${attempt}:${block}:${told}`, 'utf8').digest();
}

/** Signs stay. Another character takes as many bytes in UTF-8, and a Chinese one in GBK too. */
function otherCharacter(char: string, value: number): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return char;
  if (code < 0x800) return String.fromCodePoint(0x3b1 + (value % 17));
  return String.fromCodePoint(code < 0x1_0000 ? 0x4e00 + value * 8 : 0x2_0000 + value);
}

function masked(told: string, random: Generator<number, never>): string {
  const digitsOnly = DIGITS.test(told);
  let tight = digitsOnly && TIGHT_LENGTHS.has(told.length);
  return Array.from(told, (char, index) => {
    const value = random.next().value;
    if (/[a-z]/.test(char)) return String.fromCharCode(97 + (value % 26));
    if (/[A-Z]/.test(char)) return String.fromCharCode(65 + (value % 26));
    if (!/\d/.test(char)) return otherCharacter(char, value);
    const digit = Number(char);
    // No leading zero where there was none, and none lost.
    const least = index === 0 && digit > 0 ? 1 : 0;
    if (index === 0 && digit === 0) return '0';
    if (!tight) return String(least + (value % (10 - least)));
    if (digit <= least) return char;
    tight = false;
    return String(least + (value % (digit - least)));
  }).join('');
}

/** Masks of one capture. */
export function createMasks(key: Uint8Array = randomBytes(32)): Masks {
  const known = new Map<string, string>();
  const taken = new Set<string>();
  return {
    id(told) {
      const before = known.get(told);
      if (before !== undefined) return before;
      let mask = '';
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        mask = masked(told, randomFor(key, told, attempt));
        if (!taken.has(mask) && mask !== told) break;
      }
      known.set(told, mask);
      taken.add(mask);
      return mask;
    },
    filler: (length) => new Uint8Array(length).fill(0x78),
  };
}
