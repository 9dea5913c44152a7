/**
 * Text in fixed fields. It ends at the first NUL (what follows may be rubbish, and a field may end in half a character),
 * and is UTF-8 where that is valid, else GBK, as Chinese terminals send names; the option `encoding` decides otherwise.
 */
import iconv from 'iconv-lite';

export type TextEncoding = 'auto' | 'gbk' | 'utf-8';

export function decodeText(field: Uint8Array, encoding: TextEncoding): string {
  const end = field.indexOf(0);
  const length = end < 0 ? field.length : end;
  let text = '';
  for (let at = 0; at < length; at += 1) {
    const byte = field[at] ?? 0;
    if (byte > 0x7f) return decodeWide(field.subarray(0, length), encoding);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** A field that is full may end in half a character, which is left out. */
function decodeWide(bytes: Uint8Array, encoding: TextEncoding): string {
  if (encoding !== 'gbk') {
    try {
      return new TextDecoder('utf-8', { fatal: encoding === 'auto' }).decode(bytes, { stream: true });
    } catch {
      // Not valid UTF-8: GBK, below.
    }
  }
  return iconv.decode(Buffer.from(bytes), 'gbk').replace(/[\ufffd?]$/, (last) => (bytes.at(-1) === 0x3f ? last : ''));
}

/** Whether these bytes can be UTF-8; a field that is full may end in half a character. */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** As much of the text as fits into a field, cut between two characters. */
export function textThatFits(text: string, sizeBytes: number, encoding: 'gbk' | 'utf-8'): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += encodeText(character, encoding).length;
    if (bytes > sizeBytes) break;
    kept += character;
  }
  return kept;
}

export function encodeText(text: string, encoding: 'gbk' | 'utf-8'): Uint8Array {
  return Uint8Array.from(encoding === 'gbk' ? iconv.encode(text, 'gbk') : Buffer.from(text, 'utf8'));
}
