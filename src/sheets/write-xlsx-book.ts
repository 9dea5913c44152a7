/**
 * A workbook to be written, as plain objects: sheets of rows of cells, each with a style, and how a sheet is shown and
 * printed. Knows nothing of XML. Rows and columns count from 1, widths are characters of the standard font, heights and sizes
 * are points, margins and images are millimetres.
 */
import { fail } from '../core/errors.js';

export interface CellStyle {
  readonly bold?: boolean;
  /** Points; that of the workbook when left out. */
  readonly size?: number;
  /** `RRGGBB`. */
  readonly color?: string;
  readonly align?: 'left' | 'center' | 'right';
  readonly vertical?: 'top' | 'center' | 'bottom';
  readonly wrap?: boolean;
  /** Make the letters smaller until they fit; not together with `wrap`. */
  readonly shrink?: boolean;
  /** A thin line around the cell, or only below it. */
  readonly border?: 'all' | 'bottom';
  /** Background, `RRGGBB`. */
  readonly fill?: string;
  /** `text` is Excel's `@`: what is typed there stays as typed, as numbers of people and classes must. */
  readonly format?: 'text' | '0' | '0.0' | '0.00';
}

/** A text always stays a text, whatever it begins with. Null: empty, but with the style. */
export type CellValue = string | number | null;

export interface Cell {
  readonly value: CellValue;
  readonly style?: CellStyle;
}

export interface SheetRow {
  /** From column 1 on; null leaves a cell out. */
  readonly cells: readonly (Cell | CellValue)[];
  /** Points; left out: as high as it needs to be. */
  readonly height?: number;
}

export interface SheetColumn {
  /** Characters. */
  readonly width: number;
  /** For cells in which nothing stands yet. */
  readonly style?: CellStyle;
}

/** Both corners belong to it. */
export interface CellRange {
  readonly row: number;
  readonly column: number;
  readonly toRow: number;
  readonly toColumn: number;
}

/** `{page}` and `{pages}` stand for their numbers; everything else is shown as it is. */
export interface HeadOrFoot {
  readonly left?: string;
  readonly center?: string;
  readonly right?: string;
}

/** A4. */
export interface PageSetup {
  readonly orientation: 'landscape' | 'portrait';
  /** The printed sheet is as wide as the paper and as long as it gets. */
  readonly fitToWidth?: boolean;
  /** Millimetres. */
  readonly margins?: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  readonly header?: HeadOrFoot;
  readonly footer?: HeadOrFoot;
  /** Rows that are printed at the head of every page. */
  readonly repeatRows?: { readonly from: number; readonly to: number };
  /** A new page begins after each of these rows. */
  readonly breaksAfter?: readonly number[];
  readonly centered?: boolean;
}

export interface SheetImage {
  readonly png: Uint8Array;
  /** Cell at whose upper left corner the picture begins. */
  readonly row: number;
  readonly column: number;
  readonly widthMm: number;
  readonly heightMm: number;
  /** What a screen reader says of it. */
  readonly words: string;
}

/** Values that a person may choose in a range. */
export interface SheetChoice {
  readonly range: CellRange;
  readonly values: readonly string[];
}

export interface Sheet {
  readonly name: string;
  readonly columns?: readonly SheetColumn[];
  readonly rows: readonly SheetRow[];
  readonly merges?: readonly CellRange[];
  /** Rows above and columns left of the frozen line. */
  readonly freeze?: { readonly rows: number; readonly columns: number };
  readonly page?: PageSetup;
  readonly images?: readonly SheetImage[];
  readonly choices?: readonly SheetChoice[];
}

export interface Workbook {
  readonly title: string;
  /** Points of the standard font, in whose characters columns are measured; 11 when left out. */
  readonly fontSize?: number;
  readonly sheets: readonly Sheet[];
}

const NAME_LENGTH_MAX = 31;
const ROWS_MAX = 1_048_576;
const COLUMNS_MAX = 16_384;

/** Throws `sheet-refused` where the spreadsheet programs would say that the file is damaged. */
export function checkWorkbook(book: Workbook): void {
  if (book.sheets.length === 0) throw refused('it has no sheet');
  const names = new Set<string>();
  for (const sheet of book.sheets) {
    const { name } = sheet;
    if (name === '' || name.length > NAME_LENGTH_MAX || /[:\\/?*[\]\p{Cc}]/u.test(name) || /^'|'$/.test(name))
      throw refused(`"${name}" is no name for a sheet`);
    if (names.has(name.toLowerCase())) throw refused(`two sheets are called "${name}"`);
    names.add(name.toLowerCase());
    const wide = sheet.rows.reduce((most, row) => Math.max(most, row.cells.length), sheet.columns?.length ?? 0);
    if (sheet.rows.length > ROWS_MAX || wide > COLUMNS_MAX) throw refused(`sheet "${name}" is too large`);
    checkMerges(sheet);
  }
}

/** Merged ranges that share a cell make a file that Excel repairs by throwing them all away. */
function checkMerges(sheet: Sheet): void {
  const taken = new Set<string>();
  for (const range of sheet.merges ?? []) {
    if (range.row < 1 || range.column < 1 || range.toRow < range.row || range.toColumn < range.column)
      throw refused(`a merged range of sheet "${sheet.name}" ends before it begins`);
    for (let row = range.row; row <= range.toRow; row += 1)
      for (let column = range.column; column <= range.toColumn; column += 1) {
        const key = `${row} ${column}`;
        if (taken.has(key)) throw refused(`merged ranges of sheet "${sheet.name}" share a cell`);
        taken.add(key);
      }
  }
}

const refused = (reason: string): Error => fail('sheet-refused', { reason });
