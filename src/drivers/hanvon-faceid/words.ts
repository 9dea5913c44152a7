/**
 * Words that begin a message of this protocol, and the letters they are made of. `wordAt` says what bytes that led nowhere may still
 * become when they are read from a later byte on, so that noise is not read again and again. Pure.
 */

/** Every word of the protocol that the sources name. */
export const PLAIN_WORDS: readonly string[] = (
  'Return Wait GetDeviceInfo SetDeviceInfo GetMAC_SN GetNetInfo SetNetInfo DetectDevice GetDateTime SetDateTime GetRecord ' +
  'GetEmployeeID GetEmployee SetEmployee DeleteEmployee SetNameTable AddNameTable GetPictureName GetPicture OpenDoor ' +
  'RestartDevice DetectEmployeeData DeleteAllRecord DeleteAllEmployee InitDevice SDFormat'
).split(' ');
export const WORD_MAX = 32;
export const OPEN = 0x28;

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
const isLetter = (byte: number): boolean => (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
export const isWord = (byte: number): boolean => isLetter(byte) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f;

/** Whether `text` is a word that a message may begin with; `words` null: any of at least two letters. */
export const isWhole = (text: string, words: readonly string[] | null): boolean =>
  words?.includes(text) ?? text.length > 1;

/** Whether `byte` may follow `before` in such a word. */
export function mayGrow(before: string, byte: number, words: readonly string[] | null): boolean {
  if (!(before === '' ? isLetter(byte) : isWord(byte))) return false;
  if (words === null) return before.length < WORD_MAX;
  const text = before + String.fromCharCode(byte);
  return words.some((known) => known.startsWith(text));
}

/** The word that all bytes from `from` on may still become; `whole` when a message begins there; null when neither. */
export function wordAt(
  bytes: readonly number[],
  from: number,
  key: Uint8Array | null,
  words: readonly string[] | null,
): { readonly text: string } | 'whole' | null {
  if (words === null && bytes.length - from > WORD_MAX + 1) return null;
  let text = '';
  for (let at = from; at < bytes.length; at += 1) {
    const byte = (bytes[at] ?? 0) ^ (key?.[(at - from) & 7] ?? 0);
    if (byte === OPEN && isWhole(text, words)) return 'whole';
    if (!mayGrow(text, byte, words)) return null;
    text += String.fromCharCode(byte);
  }
  return { text };
}
