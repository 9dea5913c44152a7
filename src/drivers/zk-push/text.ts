/**
 * Bytes to text and lines. Bodies are text with LF ends (CRLF is accepted, the last end may be missing, NULs occur); names
 * are UTF-8, or GBK where a Chinese terminal sends them so, and nothing in the body says which. Lines are cut in bytes,
 * before decoding, because the raw line is kept with every punch. GBK has no byte 0A, 0D or 09 inside a character.
 */
import { isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';

export type TextEncoding = 'auto' | 'gbk' | 'utf-8';

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;
const SPACE = 0x20;

/** What is neither an end of line nor padding: a line that consists of these is no line. */
const isBlank = (byte: number | undefined): boolean => byte === NUL || byte === CR || byte === SPACE || byte === 0x09;

/** The lines that hold anything, without their ends and without NULs and CRs around them. Views, not copies. */
export function splitLines(body: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(LF, start);
    const next = found < 0 ? body.length : found;
    let [from, to] = [start, next];
    while (to > from && (body[to - 1] === CR || body[to - 1] === NUL)) to -= 1;
    while (from < to && (body[from] === NUL || body[from] === CR)) from += 1;
    if (!body.subarray(from, to).every(isBlank)) lines.push(body.subarray(from, to));
    start = next + 1;
  }
  return lines;
}

/** Text of a line; NULs inside it are left out. Bytes that belong to no character become U+FFFD, never an error. */
export function decodeText(bytes: Uint8Array, encoding: TextEncoding): string {
  const gbk = encoding === 'gbk' || (encoding === 'auto' && !isUtf8(bytes));
  const text = gbk ? iconv.decode(Buffer.from(bytes), 'gbk') : new TextDecoder('utf-8').decode(bytes);
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}

/** Which encoding these bytes show, or null where ASCII leaves it open. */
export function shownEncoding(bytes: Uint8Array): 'gbk' | 'utf-8' | null {
  if (bytes.every((byte) => byte < 0x80)) return null;
  return isUtf8(bytes) ? 'utf-8' : 'gbk';
}

export function encodeText(text: string, encoding: 'gbk' | 'utf-8'): Uint8Array {
  return Uint8Array.from(encoding === 'gbk' ? iconv.encode(text, 'gbk') : Buffer.from(text, 'utf8'));
}
