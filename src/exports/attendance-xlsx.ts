/**
 * The attendance table 学员考勤表 as a workbook (requirements 9.1): A4 landscape, at most five class days a sheet, heads repeated
 * on every printed page and frozen on the screen, document numbers as text; then the make-ups and the notes. The same table
 * gives the same bytes.
 *
 * Colour is never the only sign: what is late is written 迟. Nothing says that somebody has passed; the thresholds stand with
 * their hours, and the county judges.
 */
import type { CellStyle, CellValue, Sheet, SheetColumn, SheetRow } from '../sheets/write-xlsx-book.js';
import { xlsxBytes } from '../sheets/write-xlsx.js';
import { COLUMNS, GRID, type Bottom, bottomOf, linesIn, pageOf, stretched } from './attendance-form.js';
import { noteSheets } from './attendance-notes.js';
import { summarySheet } from './attendance-summary.js';
import {
  dateWords,
  daySheets,
  endHeads,
  headParts,
  hoursText,
  onlineText,
  percentText,
  SLOT_HEADS,
  slotText,
  thresholdWords,
  titleOf,
  totalText,
} from './attendance-words.js';
import type { AttendanceDay, AttendancePerson, AttendanceTable, TableVariant } from './attendance.js';
import { qrPng } from './qr.js';

/** The bytes of the workbook, and how many sheets it has. */
export async function attendanceXlsx(
  table: AttendanceTable,
  variant: TableVariant,
): Promise<{ readonly bytes: Uint8Array; readonly sheets: number }> {
  const png = await qrPng(table.token);
  const parts = variant === 'summary' ? [] : daySheets(table.days);
  const sheets = [
    ...(variant === 'summary' ? [summarySheet(table, png)] : []),
    ...parts.map((days, index) => daySheet(table, variant, days, index, png)),
    ...noteSheets(table),
  ];
  const bytes = await xlsxBytes({ title: `${table.classNo} 学员考勤表`, fontSize: GRID.size, sheets });
  return { bytes, sheets: sheets.length };
}

/** One column of the table between the document number and the totals. */
interface DayColumn {
  readonly head: string;
  readonly width: number;
  /** Place of the day in the table. */
  readonly place: number;
  readonly text: (person: AttendancePerson) => CellValue;
  readonly total: (kind: TotalKind) => CellValue;
}

type TotalKind = 'expected' | 'present' | 'percent';

function daySheet(
  table: AttendanceTable,
  variant: TableVariant,
  days: readonly AttendanceDay[],
  index: number,
  png: Uint8Array,
): Sheet {
  const columns = days.flatMap((day) => columnsOf(table, variant, day));
  const widths = stretched(
    [COLUMNS.no, COLUMNS.name, COLUMNS.document],
    columns.map(({ width }) => width),
    [COLUMNS.total, COLUMNS.percent, COLUMNS.signature, COLUMNS.remarks],
  );
  const head = headRows(table, days, columns, widths);
  const [nameWidth = COLUMNS.name, remarksWidth = COLUMNS.remarks] = [widths[1], widths.at(-1)];
  const people = table.people.map((person) =>
    personRow(table, person, columns, { name: nameWidth, remarks: remarksWidth }),
  );
  const totals = totalRows(columns);
  const bottom = bottomOf(table, variant, { row: head.rows.length + people.length + totals.length + 1, widths }, png);
  return {
    name: `考勤表${index + 1}`,
    columns: widths.map((width): SheetColumn => ({ width })),
    rows: [...head.rows, ...people, ...totals, ...bottom.rows],
    merges: [...head.merges, ...totalMerges(head.rows.length + people.length, totals.length), ...bottom.merges],
    freeze: { rows: head.rows.length, columns: 3 },
    page: pageOf(table, head.rows.length),
    images: bottom.images,
  };
}

function columnsOf(table: AttendanceTable, variant: TableVariant, day: AttendanceDay): readonly DayColumn[] {
  const place = table.days.indexOf(day);
  const none = (): CellValue => null;
  const slots = day.slots.map((slot, at): DayColumn => {
    const total = table.slotTotals.find((one) => one.date === day.date && one.slot === slot);
    return {
      head: SLOT_HEADS[slot],
      width: variant === 'times' ? COLUMNS.time : COLUMNS.mark,
      place,
      text: (person) => slotText(person.days[place]?.slots[at], variant),
      total: (kind) => (kind === 'percent' ? percentText(total?.percent ?? null) : (total?.[kind] ?? null)),
    };
  });
  const online: DayColumn = {
    head: '线上',
    width: COLUMNS.online,
    place,
    text: (person) => {
      const own = person.days[place];
      return own === undefined ? null : onlineText(own);
    },
    total: none,
  };
  const hours: DayColumn = {
    head: '课时',
    width: COLUMNS.hours,
    place,
    text: (person) => {
      const own = person.days[place];
      return own === undefined ? null : own.status === 'provisional' ? hoursText(own) : (own.hours ?? hoursText(own));
    },
    total: none,
  };
  return [...slots, ...(day.online ? [online] : []), hours];
}

const cell = (value: CellValue, style: CellStyle): { value: CellValue; style: CellStyle } => ({ value, style });

function headRows(
  table: AttendanceTable,
  days: readonly AttendanceDay[],
  columns: readonly DayColumn[],
  widths: readonly number[],
): Bottom {
  const last = widths.length;
  const headText = headParts(table).join('\u3000');
  const headLines = linesIn(
    headText,
    widths.reduce((sum, width) => sum + width, 0),
  );
  const upper: CellValue[] = ['序号', '姓名', '身份证号（脱敏）'];
  const lower: CellValue[] = [null, null, null];
  const merges = [1, 2, 3].map((column) => ({ row: 3, column, toRow: 4, toColumn: column }));
  let at = 4;
  for (const day of days) {
    const own = columns.filter(({ place }) => table.days[place] === day);
    upper.push(dateWords(day.date), ...own.slice(1).map(() => null));
    lower.push(...own.map(({ head }) => head));
    merges.push({ row: 3, column: at, toRow: 3, toColumn: at + own.length - 1 });
    at += own.length;
  }
  for (const words of endHeads(table, days)) {
    upper.push(words);
    lower.push(null);
    merges.push({ row: 3, column: at, toRow: 4, toColumn: at });
    at += 1;
  }
  const headed = (values: readonly CellValue[]): SheetRow => ({
    cells: values.map((value) => cell(value, GRID.head)),
    height: 17,
  });
  return {
    rows: [
      { cells: [cell(titleOf(table), GRID.title)], height: 26 },
      { cells: [cell(headText, GRID.line)], height: 13 * headLines + 4 },
      headed(upper),
      headed(lower),
    ],
    merges: [
      { row: 1, column: 1, toRow: 1, toColumn: last },
      { row: 2, column: 1, toRow: 2, toColumn: last },
      ...merges,
    ],
    images: [],
  };
}

function personRow(
  table: AttendanceTable,
  person: AttendancePerson,
  columns: readonly DayColumn[],
  widths: { readonly name: number; readonly remarks: number },
): SheetRow {
  const remarks = [...thresholdWords(table, person), ...person.remarks].join('\n');
  const lines = Math.max(linesIn(person.name, widths.name), linesIn(remarks, widths.remarks), 2);
  return {
    height: lines * GRID.lineHeight + 3,
    cells: [
      cell(person.no, GRID.body),
      cell(person.name, GRID.body),
      cell(person.maskedDocument, GRID.id),
      ...columns.map((column) => cell(column.text(person), GRID.body)),
      cell(totalText(person), GRID.id),
      cell(percentText(person.percent), GRID.body),
      cell(null, GRID.body),
      cell(remarks, GRID.remark),
    ],
  };
}

const TOTALS: readonly (readonly [TotalKind, string])[] = [
  ['expected', '应到'],
  ['present', '实到'],
  ['percent', '出勤率'],
];

function totalRows(columns: readonly DayColumn[]): readonly SheetRow[] {
  return TOTALS.map(([kind, words], index) => ({
    height: GRID.lineHeight + 5,
    cells: [
      cell(index === 0 ? '合计' : null, GRID.head),
      cell(words, GRID.head),
      cell(null, GRID.head),
      ...columns.map((column) => cell(column.total(kind), kind === 'percent' ? GRID.small : GRID.body)),
      ...[1, 2, 3, 4].map(() => cell(null, GRID.body)),
    ],
  }));
}

function totalMerges(before: number, rows: number): NonNullable<Sheet['merges']> {
  const first = before + 1;
  return [
    { row: first, column: 1, toRow: first + rows - 1, toColumn: 1 },
    ...Array.from({ length: rows }, (_, at) => ({ row: first + at, column: 2, toRow: first + at, toColumn: 3 })),
  ];
}
