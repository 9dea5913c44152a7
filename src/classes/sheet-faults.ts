/**
 * What is wrong with a table of people or lessons, by row and column as the person sees them in the spreadsheet (R10).
 *
 * Promises that no fault quotes a cell below the header: it says where and what, and the words come from the table of errors.
 */
import { fail, type ErrorCode, type ErrorContext } from '../core/errors.js';
import { columnLetters } from '../sheets/sheet.js';
import type { Finding } from './identity.js';

export interface SheetFault {
  /** A warning does not stop anything. */
  readonly severity: 'error' | 'warning';
  /** Row as the spreadsheet counts it; null: the table as a whole. */
  readonly row: number | null;
  /** Letter of the column. */
  readonly column: string | null;
  /** What stands at the head of that column. */
  readonly header: string | null;
  readonly code: ErrorCode;
  readonly zh: string;
  readonly en: string;
  readonly remedyZh: string;
  readonly remedyEn: string;
}

export interface SheetPlace {
  readonly row: number | null;
  /** From 1; null: no column in particular. */
  readonly column: number | null;
  readonly header: string | null;
}

export const WHOLE_SHEET: SheetPlace = { row: null, column: null, header: null };

export function sheetFault(
  code: ErrorCode,
  context: ErrorContext,
  place: SheetPlace,
  severity: 'error' | 'warning' = 'error',
): SheetFault {
  const error = fail(code, context);
  const [en, zh] = [error.explain('en'), error.explain('zh')];
  return {
    severity,
    row: place.row,
    column: place.column === null ? null : columnLetters(place.column),
    header: place.header,
    code,
    zh: zh.what,
    en: en.what,
    remedyZh: zh.remedy,
    remedyEn: en.remedy,
  };
}

/** A value that cannot be accepted, told by a finding without the value. */
export function valueFault(found: Finding, place: SheetPlace, severity: 'error' | 'warning' = 'error'): SheetFault {
  return sheetFault('sheet-value', { reason: found.en, reasonZh: found.zh }, place, severity);
}

/** `第 5 行 C 列(身份证号)：…` and the same in English. */
export function sheetFaultLine(fault: SheetFault, language: 'zh' | 'en' = 'zh'): string {
  const { row, column, header } = fault;
  const head = header === null ? '' : `(${header})`;
  if (language === 'zh') {
    const place = [row === null ? '' : `第 ${row} 行`, column === null ? '' : `${column} 列${head}`];
    const shown = place.filter((part) => part !== '').join(' ');
    return `${shown === '' ? '' : `${shown}：`}${fault.zh}`;
  }
  const place = [
    row === null ? '' : `row ${row}`,
    column === null ? '' : `column ${column}${head === '' ? '' : ` ${head}`}`,
  ];
  const shown = place.filter((part) => part !== '').join(', ');
  return `${shown === '' ? '' : `${shown}: `}${fault.en}`;
}
