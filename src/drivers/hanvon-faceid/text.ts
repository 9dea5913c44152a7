/**
 * Texts of the protocol. The maker's client speaks GB2312 to every terminal (FaceIdClient.java, `DeviceCharset`), reports of
 * UTF-8 exist: UTF-8 where that is valid, else GBK; the option `encoding` decides otherwise. Nothing escapes a quotation mark.
 */
import iconv from 'iconv-lite';

export type TextEncoding = 'auto' | 'gbk' | 'utf-8';

export function decodeText(bytes: Uint8Array, encoding: TextEncoding): string {
  if (encoding !== 'gbk') {
    try {
      return new TextDecoder('utf-8', { fatal: encoding === 'auto' }).decode(bytes);
    } catch {
      // Not valid UTF-8: GBK, below.
    }
  }
  return iconv.decode(Buffer.from(bytes), 'gbk');
}

export function encodeText(text: string, encoding: Exclude<TextEncoding, 'auto'>): Uint8Array {
  return Uint8Array.from(encoding === 'gbk' ? iconv.encode(text, 'gbk') : Buffer.from(text, 'utf8'));
}

/** Whether a terminal can be told this text: no quotation mark, no control character, nothing its encoding lacks. */
export function canTell(text: string, encoding: Exclude<TextEncoding, 'auto'>): boolean {
  return !/["\u0000-\u001f\u007f]/.test(text) && decodeText(encodeText(text, encoding), encoding) === text;
}
