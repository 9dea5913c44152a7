/**
 * The bytes of a CSV file to text: UTF-8 with or without its mark, UTF-16 with its mark (Excel's "Unicode text"), else GB18030,
 * which contains GBK and GB 2312 and is what a Chinese Excel writes. Valid UTF-8 wins, because Chinese text in GBK is hardly
 * ever valid UTF-8; where it could be either, or where lines differ, the file is refused and nobody's name is guessed.
 */
import iconv from 'iconv-lite';
import { fail, type GatewayError } from '../core/errors.js';

export interface DecodedText {
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16' | 'gb18030';
}

const unclear = (place: string, placeZh: string, reason: string, reasonZh: string): GatewayError =>
  fail('sheet-encoding', { place, placeZh, reason, reasonZh });

/** Throws `sheet-encoding`, `sheet-characters`. */
export function decodeText(bytes: Buffer): DecodedText {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: utf16(bytes.subarray(2), 'utf-16le'), encoding: 'utf-16' };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { text: utf16(bytes.subarray(2), 'utf-16be'), encoding: 'utf-16' };
  const nul = bytes.indexOf(0);
  if (nul >= 0 && isNoText(bytes)) {
    throw unclear('file', '文件', 'it is no text, or UTF-16 without its mark', '不是文本，或是没有标记的 UTF-16');
  }
  if (nul >= 0) {
    const line = lineAt(bytes, nul);
    throw fail('sheet-characters', { place: `Line ${line}`, placeZh: `第 ${line} 行`, what: 'NUL' });
  }
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const body = hasMark ? bytes.subarray(3) : bytes;
  const text = utf8(body);
  if (text !== null) {
    if (!hasMark) refuseAmbiguous(body, text);
    return { text, encoding: 'utf-8' };
  }
  if (hasMark) {
    const line = firstWrongLine(body);
    throw unclear(`line ${line}`, `第 ${line} 行`, 'it is marked as UTF-8 and is not', '标记为 UTF-8 但内容不是');
  }
  refuseMixed(body);
  return { text: gb18030(body), encoding: 'gb18030' };
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function utf16(bytes: Buffer, label: 'utf-16le' | 'utf-16be'): string {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unclear('file', '文件', 'it is marked as UTF-16 and is not', '标记为 UTF-16 但内容不是');
  }
}

function gb18030(bytes: Buffer): string {
  const text = iconv.decode(bytes, 'gb18030');
  const wrong = text.indexOf('\ufffd');
  if (wrong < 0) return text;
  const line = text.slice(0, wrong).split('\n').length;
  throw unclear(`line ${line}`, `第 ${line} 行`, 'neither UTF-8 nor GB18030', '既不是 UTF-8 也不是 GB18030');
}

/** UTF-16 of digits and line ends has NUL in at least every tenth byte; one in a table of text is a damaged cell. */
function isNoText(bytes: Buffer): boolean {
  const head = bytes.subarray(0, 1000);
  return head.filter((byte) => byte === 0).length * 10 > head.length;
}

const lineAt = (bytes: Uint8Array, end: number): number =>
  bytes.subarray(0, end).reduce((count, byte) => (byte === 10 ? count + 1 : count), 1);

function* linesOf(bytes: Buffer): Iterable<Buffer> {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    yield bytes.subarray(start, end < 0 ? bytes.length : end);
    start = end < 0 ? bytes.length : end + 1;
  }
}

function firstWrongLine(bytes: Buffer): number {
  let line = 0;
  for (const one of linesOf(bytes)) {
    line += 1;
    if (utf8(one) === null) return line;
  }
  return line;
}

const HAN = /\p{Script=Han}/u;

/** Chinese in UTF-8 takes three bytes a character. A line that is whole in UTF-8 and Chinese there, among lines that are not UTF-8. */
function refuseMixed(bytes: Buffer): void {
  let line = 0;
  for (const one of linesOf(bytes)) {
    line += 1;
    const text = utf8(one);
    if (text === null || !HAN.test(text)) continue;
    throw unclear(
      `line ${line}`,
      `第 ${line} 行`,
      'some lines are UTF-8 and some are not',
      '部分行是 UTF-8，部分行不是',
    );
  }
}

/** Two-byte characters alone may be GBK: 学员 in GBK is valid UTF-8 for other letters. */
function refuseAmbiguous(bytes: Buffer, text: string): void {
  if (!/[^\0-\u007f]/.test(text) || /[^\0-\u07ff]/.test(text)) return;
  const other = iconv.decode(bytes, 'gb18030');
  const runs = other.match(/[^\0-\u007f]+/gu) ?? [];
  if (!runs.every((run) => /^\p{Script=Han}{2,}$/u.test(run))) return;
  throw unclear('file', '文件', 'it could be UTF-8 or GB18030', '可能是 UTF-8，也可能是 GB18030');
}
