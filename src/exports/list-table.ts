/**
 * A list for an office: title, remarks, columns and rows as data, drawn as a workbook or as CSV. Both hold the same values;
 * numbers of people and classes are texts in a workbook, so that no zero at their head is lost.
 */
import { csvBytes, type CsvEncoding } from '../sheets/write-csv.js';
import type { CellValue, SheetRow } from '../sheets/write-xlsx-book.js';
import { xlsxBytes } from '../sheets/write-xlsx.js';
import { GRID, linesIn } from './attendance-form.js';

export interface ListColumn {
  readonly head: string;
  /** Half-width characters. */
  readonly width: number;
  /** Numbers of people, classes, policies: always text. */
  readonly isId?: true;
  readonly isLeft?: true;
}

export interface ListTable {
  readonly title: string;
  readonly sheet: string;
  /** Stand under the title, and under the rows of a CSV they do not stand at all. */
  readonly head: readonly string[];
  readonly columns: readonly ListColumn[];
  readonly rows: readonly (readonly CellValue[])[];
  /** What the reader has to know; under the table. */
  readonly remarks: readonly string[];
  /** At the foot of every page. */
  readonly foot: string;
}

export async function listXlsx(table: ListTable): Promise<Uint8Array> {
  const { columns, head, remarks } = table;
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  const line = (text: string): SheetRow => ({
    cells: [{ value: text, style: GRID.line }],
    height: linesIn(text, width) * GRID.lineHeight + 4,
  });
  const headRows = 1 + head.length + 1;
  const rows: readonly SheetRow[] = [
    { cells: [{ value: table.title, style: GRID.title }], height: 28 },
    ...head.map(line),
    {
      cells: columns.map((column) => ({ value: column.head, style: GRID.head })),
      height: Math.max(...columns.map((column) => linesIn(column.head, column.width))) * GRID.lineHeight + 8,
    },
    ...table.rows.map((values): SheetRow => {
      const lines = columns.map((column, at) => linesIn(String(values[at] ?? ''), column.width));
      return {
        height: Math.max(...lines) * GRID.lineHeight + 6,
        cells: columns.map((column, at) => ({
          value: values[at] ?? null,
          style: column.isId === true ? GRID.id : column.isLeft === true ? GRID.text : GRID.body,
        })),
      };
    }),
    ...remarks.map(line),
  ];
  const whole = (row: number): { row: number; column: number; toRow: number; toColumn: number } => ({
    ...{ row, column: 1, toRow: row, toColumn: columns.length },
  });
  const after = rows.length - remarks.length;
  return xlsxBytes({
    title: table.title,
    fontSize: GRID.size,
    sheets: [
      {
        name: table.sheet,
        columns: columns.map((column) => ({ width: column.width })),
        rows,
        merges: [
          ...Array.from({ length: headRows - 1 }, (_, at) => whole(at + 1)),
          ...remarks.map((_, at) => whole(after + at + 1)),
        ],
        freeze: { rows: headRows, columns: 0 },
        page: {
          orientation: 'landscape',
          fitToWidth: true,
          centered: true,
          margins: { left: GRID.marginMm, right: GRID.marginMm, top: 9, bottom: 12 },
          footer: { left: table.foot, right: '第 {page} 页 共 {pages} 页' },
          repeatRows: { from: 1, to: headRows },
        },
      },
    ],
  });
}

/** Heads and rows alone, for programs. */
export function listCsv(table: ListTable, encoding: CsvEncoding): Uint8Array {
  return csvBytes([table.columns.map(({ head }) => head), ...table.rows], encoding);
}
