/**
 * What a file is, by its first bytes: a ZIP (which may be a workbook), text (which may be CSV), or something else that is
 * refused with a word for what it is. The name of a file says nothing: ".xls" is often a web page, ".xlsx" often CSV.
 */
import { fail } from '../core/errors.js';

export type FileKind = 'zip' | 'text';

const starts = (bytes: Uint8Array, ...head: readonly number[]): boolean =>
  head.every((value, index) => bytes[index] === value);

/** Formats that people mistake for a table: first bytes, then the words for it. */
const FOREIGN: readonly (readonly [readonly number[], string, string])[] = [
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document', 'PDF 文档'],
  [[0xff, 0xd8, 0xff], 'a picture', '图片'],
  [[0x89, 0x50, 0x4e, 0x47], 'a picture', '图片'],
  [[0x47, 0x49, 0x46, 0x38], 'a picture', '图片'],
  [[0x52, 0x61, 0x72, 0x21], 'a RAR archive', 'RAR 压缩包'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive', '7z 压缩包'],
  [[0x1f, 0x8b], 'a gzip archive', 'gzip 压缩包'],
  [[0x09, 0x08], 'an old .xls workbook', '旧版 .xls 工作簿'],
  [[0x09, 0x04], 'an old .xls workbook', '旧版 .xls 工作簿'],
  [[0x09, 0x02], 'an old .xls workbook', '旧版 .xls 工作簿'],
  [[0x09, 0x00, 0x04, 0x00], 'an old .xls workbook', '旧版 .xls 工作簿'],
  [[0x7b, 0x5c, 0x72, 0x74, 0x66], 'a rich-text document', 'RTF 文档'],
];

/** Throws `sheet-empty`, `sheet-encrypted` or `sheet-foreign`. */
export function fileKind(bytes: Buffer): FileKind {
  if (bytes.length === 0) throw fail('sheet-empty', { place: 'the file has no bytes', placeZh: '文件没有内容' });
  if (starts(bytes, 0x50, 0x4b, 0x03, 0x04) || starts(bytes, 0x50, 0x4b, 0x05, 0x06)) return 'zip';
  if (starts(bytes, 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1)) throw compoundFile(bytes);
  for (const [head, what, whatZh] of FOREIGN) if (starts(bytes, ...head)) throw fail('sheet-foreign', { what, whatZh });
  const head = bytes
    .subarray(0, 512)
    .toString('latin1')
    .replace(/\0/g, '')
    .replace(/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, '');
  if (/^\s*<(?:!doctype|html|table|head|meta|style|body|\?xml|!--|div)/i.test(head)) {
    throw fail('sheet-foreign', {
      what: 'a web page or XML text with the name of a workbook',
      whatZh: '以工作簿命名的网页或 XML 文本',
    });
  }
  return 'text';
}

/** A compound file is a workbook with a password (MS-OFFCRYPTO: stream `EncryptedPackage`), an old `.xls`, or another document. */
function compoundFile(bytes: Buffer): Error {
  if (bytes.includes(Buffer.from('EncryptedPackage', 'utf16le'))) {
    return fail('sheet-encrypted', { place: 'the whole file', placeZh: '整个文件' });
  }
  const isWorkbook =
    bytes.includes(Buffer.from('Workbook', 'utf16le')) || bytes.includes(Buffer.from('Book', 'utf16le'));
  return isWorkbook
    ? fail('sheet-foreign', { what: 'an old .xls workbook', whatZh: '旧版 .xls 工作簿' })
    : fail('sheet-foreign', { what: 'an old Office document', whatZh: '旧版 Office 文档' });
}
