/**
 * The "encryption" of the protocol: each byte is XORed with one of eight key bytes, the position begins anew with every
 * message in both directions. The key bytes come from a communication key of one to eight digits. This hides nothing from
 * anybody who knows the protocol, since every answer begins with the same word; it is here because terminals ask for it.
 */

const KEY_BYTES = 8;
const ZERO = 0x30;
/** What is added at each place: floor(2^i / 2). */
const SHIFT: readonly number[] = Array.from({ length: KEY_BYTES }, (_, place) => Math.floor(2 ** place / 2));

/** The key bytes of a communication key; null without one. `digits` is one to eight digits, white space around them ignored. */
export function keyBytes(digits: string | number | undefined): Uint8Array | null {
  const text = digits === undefined ? '' : String(digits).trim();
  if (text === '') return null;
  return Uint8Array.from(SHIFT, (shift, place) => (place < text.length ? text.charCodeAt(place) : 0) + shift);
}

/** Encrypts or decrypts one whole message; a copy, also without a key. */
export function xor(message: Uint8Array, key: Uint8Array | null): Uint8Array {
  const out = Uint8Array.from(message);
  if (key === null) return out;
  for (let at = 0; at < out.length; at += 1) out[at] = (out[at] ?? 0) ^ (key[at % KEY_BYTES] ?? 0);
  return out;
}

/** The first bytes of every answer. */
const OPENINGS = ['Return(r', 'Wait(wai'].map((text) => Buffer.from(text, 'latin1'));

/** Whether `first` is an answer under some communication key: each place must come out as a digit, or as no digit to the end. */
export function looksEncrypted(first: Uint8Array): boolean {
  if (first.length < KEY_BYTES) return false;
  return OPENINGS.some((opening) => {
    let ended = false;
    return SHIFT.every((shift, place) => {
      const value = ((first[place] ?? 0) ^ (opening[place] ?? 0)) - shift;
      if (value === 0 && place > 0) ended = true;
      return ended ? value === 0 : value >= ZERO && value <= ZERO + 9;
    });
  });
}
