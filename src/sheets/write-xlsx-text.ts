/**
 * Texts and addresses as SpreadsheetML wants them (ECMA-376, part 1): characters that XML cannot hold are left out, a text that
 * looks like an escape of the format is escaped, and nothing is ever a formula.
 */
import type { CellRange, HeadOrFoot } from './write-xlsx-book.js';

/** Most UTF-16 units that a cell may hold. */
const TEXT_LENGTH_MAX = 32_767;
const HEAD_LENGTH_MAX = 255;

/** Without what XML 1.0 forbids: control characters, lone surrogates, non-characters. Line breaks become `\n`. */
export function plainText(text: string): string {
  const clean = text
    .replace(/\r\n?/g, '\n')
    .replace(/\p{Surrogate}/gu, '')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, '');
  return clean.length <= TEXT_LENGTH_MAX
    ? clean
    : `${clean.slice(0, TEXT_LENGTH_MAX - 1).replace(/\p{Surrogate}$/u, '')}…`;
}

export function xmlText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Content of a `<t>` element: `_x0041_` would be read as "A" (part 1, 22.9.2.19). */
export function cellText(text: string): string {
  return xmlText(plainText(text).replace(/_(?=x[0-9A-Fa-f]{4}_)/g, '_x005F_'));
}

/** A, B, … Z, AA for 1, 2, … 26, 27. */
export function columnName(column: number): string {
  let name = '';
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26))
    name = String.fromCharCode(65 + ((rest - 1) % 26)) + name;
  return name;
}

export const cellName = (row: number, column: number): string => `${columnName(column)}${row}`;

export const rangeName = (range: CellRange): string =>
  `${cellName(range.row, range.column)}:${cellName(range.toRow, range.toColumn)}`;

/** A sheet's name inside a formula. */
export const quotedName = (name: string): string => `'${name.replace(/'/g, "''")}'`;

/** Header or footer of a page; `&` begins a code there (part 1, 18.3.1.46). Cut to what Excel takes. */
export function headText(parts: HeadOrFoot): string {
  const section = (code: string, text: string | undefined): string =>
    text === undefined
      ? ''
      : `${code}&9${guarded(plainText(text)).replaceAll('{page}', '&P').replaceAll('{pages}', '&N')}`;
  return (section('&L', parts.left) + section('&C', parts.center) + section('&R', parts.right)).slice(
    0,
    HEAD_LENGTH_MAX,
  );
}

/** A digit right after the size would be read as part of it. */
const guarded = (text: string): string => text.replace(/&/g, '&&').replace(/^(?=\d)/, ' ');
