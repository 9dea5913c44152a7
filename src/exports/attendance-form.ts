/**
 * How the form looks in a workbook: widths, styles, how many lines a text takes, and the part under the table: signatures, legend,
 * what the thresholds mean, where the data come from, and the QR. That part is one tall row, because a page never breaks within
 * a row.
 */
import type { CellRange, CellStyle, Sheet, SheetImage, SheetRow } from '../sheets/write-xlsx-book.js';
import {
  COUNT_WORDS,
  GAP,
  JUDGED_WORDS,
  legendText,
  originLines,
  shortOrigin,
  signatureNote,
  signatureParts,
  thresholdLines,
} from './attendance-words.js';
import type { AttendanceTable, TableVariant } from './attendance.js';

const SIZE = 9;
const BODY: CellStyle = { size: SIZE, align: 'center', vertical: 'center', wrap: true, border: 'all' };

export const GRID = {
  size: SIZE,
  lineHeight: 11.5,
  marginMm: 8,
  title: { size: 16, bold: true, align: 'center', vertical: 'center' },
  line: { size: SIZE, align: 'left', vertical: 'center', wrap: true },
  sign: { size: 10, align: 'center', vertical: 'center', wrap: true },
  head: { ...BODY, bold: true, fill: 'EFEFEF' },
  body: BODY,
  small: { ...BODY, size: 8, wrap: false, shrink: true },
  id: { ...BODY, format: 'text', wrap: false, shrink: true },
  remark: { ...BODY, size: 8, align: 'left' },
  text: { ...BODY, align: 'left' },
  foot: { size: 8, align: 'left', vertical: 'top', wrap: true },
} as const satisfies Record<string, CellStyle | number>;

/** Characters of the standard font; a Chinese one takes two. */
export const COLUMNS = {
  no: 4.5,
  name: 11,
  document: 17.5,
  time: 5.8,
  mark: 4.6,
  online: 5.8,
  hours: 4.4,
  total: 8.5,
  percent: 6.8,
  signature: 10,
  remarks: 13,
} as const;

/** Width of a form of five full days: others are stretched to it, so that every sheet of a table is printed equally small. */
const FORM_WIDTH =
  COLUMNS.no +
  COLUMNS.name +
  COLUMNS.document +
  5 * (4 * COLUMNS.time + COLUMNS.hours) +
  COLUMNS.total +
  COLUMNS.percent +
  COLUMNS.signature +
  COLUMNS.remarks;

/** Gives what is left of the form's width to name, signature and remarks, and to the columns of the days as far as it helps. */
export function stretched(
  begin: readonly number[],
  days: readonly number[],
  end: readonly number[],
): readonly number[] {
  const sum = (widths: readonly number[]): number => widths.reduce((total, one) => total + one, 0);
  const spare = Math.max(0, FORM_WIDTH - sum([...begin, ...days, ...end]));
  const perDay = days.length === 0 ? 0 : Math.min(3.5, (spare * 0.6) / days.length);
  const rest = spare - perDay * days.length;
  const [no = 0, name = 0, document = 0] = begin;
  const [total = 0, percent = 0, signature = 0, remarks = 0] = end;
  return [
    ...[no, name + rest * 0.25, document],
    ...days.map((width) => width + perDay),
    ...[total, percent, signature + rest * 0.3, remarks + rest * 0.45],
  ].map((width) => Math.round(width * 100) / 100);
}

/** How wide a text is, in half-width characters. */
export function widthOf(text: string): number {
  return Array.from(text).reduce((sum, char) => sum + ((char.codePointAt(0) ?? 0) < 0x2e80 ? 1 : 2), 0);
}

/** Lines that a text takes in a column of this width; a little is left for borders. */
export function linesIn(text: string, width: number): number {
  const room = Math.max(2, width - 0.8);
  return text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / room)), 0);
}

/** Rows, ranges and pictures that belong together. */
export interface Bottom {
  readonly rows: readonly SheetRow[];
  readonly merges: readonly CellRange[];
  readonly images: readonly SheetImage[];
}

/** Millimetres of one character of 宋体 9 at 96 dots an inch, and what A4 landscape leaves between the margins. */
const CHARACTER_MM = 1.6;
const PAPER_MM = 297 - 2 * GRID.marginMm;
const MM_PER_POINT = 25.4 / 72;
const QR_MM = 40;

/** What stands under the table, from `row` on. */
export function bottomOf(
  table: AttendanceTable,
  variant: TableVariant,
  { row, widths }: { readonly row: number; readonly widths: readonly number[] },
  png: Uint8Array,
): Bottom {
  const width = widths.reduce((sum, one) => sum + one, 0);
  // The sheet is made smaller to fit the paper; the code must not become too small to read.
  const shrunk = Math.min(1, PAPER_MM / (width * CHARACTER_MM));
  const qrMm = QR_MM / shrunk;
  const last = widths.length;
  let qrColumn = last;
  for (let room = 0; qrColumn > 2; qrColumn -= 1) {
    room += (widths[qrColumn - 1] ?? 0) * CHARACTER_MM;
    if (room >= qrMm + 3) break;
  }
  const left = widths.slice(0, qrColumn - 1).reduce((sum, one) => sum + one, 0);
  const lines = [
    legendText(variant, table),
    ...(variant === 'summary' ? [] : [COUNT_WORDS]),
    ...thresholdLines(table),
    JUDGED_WORDS,
    ...originLines(table),
    signatureNote(table.token),
  ];
  // Letters of 8 points in a grid of characters of 9.
  const count = lines.reduce((sum, line) => sum + linesIn(line, (left * SIZE) / 8), 0);
  const height = Math.max(count * 11.2 + 8, (qrMm + 3) / MM_PER_POINT);
  return {
    rows: [
      { cells: [{ value: signatureParts(table).join(GAP.repeat(6)), style: GRID.sign }], height: 36 },
      { cells: [{ value: lines.join('\n'), style: GRID.foot }], height },
    ],
    merges: [
      { row, column: 1, toRow: row, toColumn: last },
      { row: row + 1, column: 1, toRow: row + 1, toColumn: qrColumn - 1 },
    ],
    images: [{ png, row: row + 1, column: qrColumn, widthMm: qrMm, heightMm: qrMm, words: '核验二维码 QR to verify' }],
  };
}

/** How every sheet of the form is printed. */
export const pageOf = (table: AttendanceTable, headRows: number): NonNullable<Sheet['page']> => ({
  orientation: 'landscape',
  fitToWidth: true,
  centered: true,
  margins: { left: GRID.marginMm, right: GRID.marginMm, top: 9, bottom: 12 },
  footer: { left: `${table.classNo} · ${shortOrigin(table)}`, right: '第 {page} 页 共 {pages} 页' },
  repeatRows: { from: 1, to: headRows },
});
