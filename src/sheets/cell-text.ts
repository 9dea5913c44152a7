/**
 * Text of a cell as it may enter: without outer blanks, no longer than the limit, without characters that are no text. The
 * place of a refusal is the cell, and what stands in it is never quoted.
 */
import { fail } from '../core/errors.js';
import { cellName, SHEET_LIMITS } from './sheet.js';

export interface SheetWords {
  readonly en: string;
  readonly zh: string;
}

export const sheetWords = (name: string | null): SheetWords =>
  name === null ? { en: 'the file', zh: '文件' } : { en: `sheet "${name}"`, zh: `工作表 “${name}” ` };

// Tabs and line breaks are blanks; halves of surrogate pairs and U+FFFD are traces of a wrong decoding.
const BAD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffd\ufffe\uffff]|\p{Cs}/u;

/** Throws `sheet-characters`, `sheet-long-cell`. */
export function cellText(raw: string, row: number, column: number, sheet: SheetWords): string {
  const text = raw.replace(/^[\s\u200b\ufeff]+|[\s\u200b\ufeff]+$/g, '');
  const cell = cellName(row, column);
  if (text.length > SHEET_LIMITS.cellCharactersMax) {
    throw fail('sheet-long-cell', { cell, sheet: sheet.en, sheetZh: sheet.zh, max: SHEET_LIMITS.cellCharactersMax });
  }
  const bad = BAD.exec(text)?.[0];
  if (bad !== undefined) {
    const what = `U+${(bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    throw fail('sheet-characters', {
      place: `Cell ${cell} of ${sheet.en}`,
      placeZh: `${sheet.zh}的单元格 ${cell}`,
      what,
    });
  }
  return text;
}

/** Throws `sheet-far-cell`. */
export function refuseFarCell(row: number, column: number, sheet: SheetWords): void {
  const { rowsMax, columnsMax } = SHEET_LIMITS;
  if (row <= rowsMax && column <= columnsMax) return;
  throw fail('sheet-far-cell', {
    cell: cellName(row, column),
    sheet: sheet.en,
    sheetZh: sheet.zh,
    rows: rowsMax,
    columns: columnsMax,
  });
}
