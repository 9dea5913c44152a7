/**
 * What a table made by a person is once it has been read: rows and cells, wherever they came from (XLSX or CSV), with the row
 * numbers and column letters that the person sees. Knows the limits of such a table and nothing of what its columns mean.
 *
 * A cell's text is what was entered, never what a formula computed: a formula has no text here.
 */

export const SHEET_LIMITS = {
  /** The file as it lies on the disk. */
  fileBytesMax: 5 * 1024 * 1024,
  /** One part of a workbook, unpacked. */
  partBytesMax: 16 * 1024 * 1024,
  /** All parts that are unpacked for one reading. */
  unpackedBytesMax: 64 * 1024 * 1024,
  /** Unpacked bytes for one packed byte, once a part is larger than `ratioFromBytes`. */
  ratioMax: 200,
  ratioFromBytes: 1024 * 1024,
  entriesMax: 512,
  xmlDepthMax: 64,
  /** Row number of the last row that may hold anything. */
  rowsMax: 2000,
  columnsMax: 64,
  cellCharactersMax: 2000,
  /** All texts of the table, or of the list of texts of a workbook. */
  charactersMax: 4_000_000,
  sheetsMax: 64,
} as const;

/** `date` holds dates, times of day and durations of a workbook; in a CSV file everything is `text`. */
export type CellKind = 'empty' | 'text' | 'number' | 'date' | 'boolean' | 'error' | 'formula';

export interface Cell {
  readonly kind: CellKind;
  /**
   * Without outer blanks. A number as plain decimals with the leading zeros that its format shows; a date `YYYY-MM-DD`, a time
   * `HH:mm:ss` (hours may pass 24), both `YYYY-MM-DD HH:mm:ss`; a boolean `TRUE` or `FALSE`; an error `#N/A`; a formula and an empty cell nothing.
   */
  readonly text: string;
  /** The number or serial date as stored; null for everything else. */
  readonly value: number | null;
}

export interface SheetRow {
  /** From 1, as the person sees it. */
  readonly no: number;
  /** From column A; cells after the last filled one are left out. */
  readonly cells: readonly Cell[];
}

/** A merged range; rows and columns count from 1 and are included. */
export interface MergedRange {
  readonly range: string;
  readonly fromRow: number;
  readonly toRow: number;
  readonly fromColumn: number;
  readonly toColumn: number;
}

/** Something worth knowing that stops nothing. */
export interface SheetNote {
  readonly code: 'hidden-sheet' | 'empty-sheet' | 'macros' | 'external-links';
  readonly en: string;
  readonly zh: string;
}

export interface Sheet {
  readonly format: 'xlsx' | 'csv';
  /** Of a CSV file; null for a workbook. */
  readonly encoding: 'utf-8' | 'utf-16' | 'gb18030' | null;
  readonly sheetName: string | null;
  /** Names of the sheets that were not read. */
  readonly otherSheets: readonly string[];
  /** Rows that hold something, by number. */
  readonly rows: readonly SheetRow[];
  readonly merged: readonly MergedRange[];
  readonly notes: readonly SheetNote[];
  /** Of the file's bytes that were read: lower-case hex SHA-256, and their number. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export const EMPTY_CELL: Cell = { kind: 'empty', text: '', value: null };

/** `A` for 1, `XFD` for 16384. */
export function columnLetters(column: number): string {
  let letters = '';
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  }
  return letters;
}

/** 1 for `A`; null when the text names no column that a workbook can have. */
export function columnNumber(letters: string): number | null {
  if (!/^[A-Z]{1,3}$/i.test(letters)) return null;
  let column = 0;
  for (const letter of letters.toUpperCase()) column = column * 26 + letter.charCodeAt(0) - 64;
  return column <= 16_384 ? column : null;
}

/** `B17`. */
export function cellName(row: number, column: number): string {
  return `${columnLetters(column)}${row}`;
}
