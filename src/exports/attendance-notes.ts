/** The sheets beside the table: 补签与请假 with reason and approver, and 说明 with notes on flags, in both languages. */
import type { CellStyle, CellValue, Sheet, SheetRow } from '../sheets/write-xlsx-book.js';
import { GRID, linesIn, pageOf } from './attendance-form.js';
import {
  MARK_WORDS,
  originLines,
  PRESENT,
  REQUEST_WORDS,
  statusWords,
  thresholdLines,
  titleOf,
} from './attendance-words.js';
import type { AttendanceTable } from './attendance.js';

interface Column {
  readonly head: string;
  readonly width: number;
  readonly style?: CellStyle;
}

export const noteSheets = (table: AttendanceTable): readonly Sheet[] => [makeupSheet(table), wordsSheet(table)];

const MAKEUP_COLUMNS: readonly Column[] = [
  { head: '序号', width: 5 },
  { head: '日期', width: 11 },
  { head: '学员编号', width: 17, style: GRID.id },
  { head: '姓名', width: 18 },
  { head: '类别', width: 7 },
  { head: '时段', width: 22 },
  { head: '事由', width: 13 },
  { head: '说明', width: 42, style: GRID.text },
  { head: '申请人', width: 13 },
  { head: '批准人', width: 13 },
  { head: '批准时间', width: 17 },
];

function makeupSheet(table: AttendanceTable): Sheet {
  const rows = table.makeups.map((one, index) =>
    listRow(MAKEUP_COLUMNS, [
      ...[index + 1, one.date, one.traineeNo, one.name, REQUEST_WORDS[one.kind], one.place, one.reasonZh],
      ...[one.text ?? '', one.requestedBy, one.approvedBy, one.approvedAt],
    ]),
  );
  return listSheet(table, '补签与请假', MAKEUP_COLUMNS, rows, '没有已批准的补签、请假或复核。 None approved.');
}

const WORD_COLUMNS: readonly Column[] = [
  { head: '日期', width: 12 },
  { head: '学员编号', width: 17, style: GRID.id },
  { head: '姓名', width: 18 },
  { head: '代码', width: 26, style: GRID.text },
  { head: '说明', width: 46, style: GRID.text },
  { head: 'English', width: 58, style: GRID.text },
];

function wordsSheet(table: AttendanceTable): Sheet {
  const flags = table.flags.map((one) =>
    listRow(WORD_COLUMNS, [one.date ?? '', one.traineeNo ?? '', one.name ?? '', one.code, one.zh, one.en]),
  );
  const notes = table.notes.map((one) =>
    listRow(WORD_COLUMNS, [one.date ?? '', '', '', '备注 note', `${one.text}（${one.by}，${one.on}）`, '']),
  );
  const sheet = listSheet(table, '说明', WORD_COLUMNS, [...flags, ...notes], '没有标记和备注。 No flags, no notes.');
  const before = sheet.rows.length + 1;
  const said = aboutLines(table);
  const [zhWidth, enWidth] = [totalOf(WORD_COLUMNS.slice(0, -1)), totalOf(WORD_COLUMNS.slice(-1))];
  return {
    ...sheet,
    rows: [
      ...sheet.rows,
      { cells: [], height: 8 },
      ...said.map(([zh, en]): SheetRow => ({
        height: Math.max(linesIn(zh, zhWidth), linesIn(en, enWidth)) * GRID.lineHeight + 4,
        cells: [
          { value: zh, style: GRID.line },
          ...Array.from({ length: WORD_COLUMNS.length - 2 }, () => null),
          { value: en, style: GRID.line },
        ],
      })),
    ],
    merges: [
      ...(sheet.merges ?? []),
      ...said.map((_, at) => {
        const row = before + at + 1;
        return { row, column: 1, toRow: row, toColumn: WORD_COLUMNS.length - 1 };
      }),
    ],
  };
}

const totalOf = (columns: readonly Column[]): number => columns.reduce((sum, { width }) => sum + width, 0);

/** What a reader of the table has to know, Chinese and English. */
function aboutLines(table: AttendanceTable): readonly (readonly [zh: string, en: string])[] {
  const { hours, thresholds, plannedHours } = table;
  const words = statusWords(table);
  const marks = Object.entries(MARK_WORDS);
  const delivered =
    hours.delivered === null
      ? ([
          '尚未采集教室画面，授课课时无法判断',
          'no frames of the room are taken, so delivered hours are not known',
        ] as const)
      : ([`有画面佐证 ${hours.delivered} 课时`, `${hours.delivered} hours with a frame of the room`] as const);
  return [
    [`结果状态：${words.zh}`, `Results: ${words.en}`],
    [
      `标记：${PRESENT} 按时打卡，${marks.map(([mark, { zh }]) => `${mark} ${zh}`).join('，')}`,
      `Marks: ${PRESENT} in time, ${marks.map(([mark, { en }]) => `${mark} ${en}`).join(', ')}`,
    ],
    ...thresholdLines(table).map((line): readonly [string, string] => [line, '']),
    [
      '两条线回答不同的问题，均予列出；是否符合由旗县区确认',
      `Both thresholds are shown with numerator and denominator (${thresholds.attendancePercent ?? '-'} % and ${thresholds.examPercent ?? '-'} % of ${plannedHours} hours); the county decides`,
    ],
    [
      `课时：计划 ${plannedHours}，课程表 ${hours.timetable}，有学员到课 ${hours.attended}；${delivered[0]}`,
      `Hours: planned ${plannedHours}, timetable ${hours.timetable}, attended ${hours.attended}; ${delivered[1]}`,
    ],
    [
      '应到：当日在册人数；实到：该次打卡已有记录（含补签）',
      'Expected: enrolled on the date; present: that slot is filled, make-ups included',
    ],
    ...originLines(table).map((line): readonly [string, string] => [line, '']),
  ];
}

function listRow(columns: readonly Column[], values: readonly CellValue[]): SheetRow {
  const lines = columns.map((column, at) => linesIn(String(values[at] ?? ''), column.width));
  return {
    height: Math.max(...lines) * GRID.lineHeight + 6,
    cells: columns.map((column, at) => ({ value: values[at] ?? null, style: column.style ?? GRID.body })),
  };
}

const HEAD_ROWS = 2;

function listSheet(
  table: AttendanceTable,
  name: string,
  columns: readonly Column[],
  rows: readonly SheetRow[],
  empty: string,
): Sheet {
  const last = columns.length;
  const none: SheetRow[] = rows.length > 0 ? [] : [{ cells: [{ value: empty, style: GRID.line }], height: 20 }];
  const title = `${titleOf(table)} · ${name}`;
  return {
    name,
    columns: columns.map(({ width }) => ({ width })),
    rows: [
      { cells: [{ value: title, style: { ...GRID.title, size: 13 } }], height: 24 },
      { cells: columns.map(({ head }) => ({ value: head, style: GRID.head })), height: 18 },
      ...rows,
      ...none,
    ],
    merges: [
      { row: 1, column: 1, toRow: 1, toColumn: last },
      ...(none.length > 0 ? [{ row: HEAD_ROWS + 1, column: 1, toRow: HEAD_ROWS + 1, toColumn: last }] : []),
    ],
    freeze: { rows: HEAD_ROWS, columns: 0 },
    page: pageOf(table, HEAD_ROWS),
  };
}
