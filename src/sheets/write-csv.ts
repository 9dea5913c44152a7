/**
 * Writes a table as CSV for spreadsheet programs: CRLF, quotes where they are needed, UTF-8 with a byte order mark or GB18030. A text that
 * a spreadsheet would take for a formula gets an apostrophe before it, because a CSV cannot say that it is a text.
 */
import iconv from 'iconv-lite';
import type { CellValue } from './write-xlsx-book.js';

export type CsvEncoding = 'utf-8' | 'gb18030';

export function csvBytes(rows: readonly (readonly CellValue[])[], encoding: CsvEncoding): Uint8Array {
  const text = rows.map((row) => `${row.map(csvField).join(',')}\r\n`).join('');
  return encoding === 'utf-8' ? Buffer.from(`\ufeff${text}`, 'utf8') : iconv.encode(text, 'gb18030');
}

function csvField(value: CellValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const plain = value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\p{Surrogate}/gu, '');
  const text = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
