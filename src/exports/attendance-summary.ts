/** The variant without days: one line a trainee, with the hours by their origin and both thresholds. */
import type { CellValue, Sheet } from '../sheets/write-xlsx-book.js';
import { bottomOf, COLUMNS, GRID, linesIn, pageOf } from './attendance-form.js';
import { headParts, percentText, titleOf } from './attendance-words.js';
import type { AttendancePerson, AttendanceTable } from './attendance.js';

interface Column {
  readonly head: string;
  readonly width: number;
  readonly isText?: true;
  readonly value: (person: AttendancePerson) => CellValue;
}

const answer = (value: boolean | null): string => (value === null ? '' : value ? '达到' : '未达到');

function columnsOf(table: AttendanceTable): readonly Column[] {
  const { attendancePercent, examPercent } = table.thresholds;
  return [
    { head: '序号', width: COLUMNS.no, value: (one) => one.no },
    { head: '学员编号', width: 17, isText: true, value: (one) => one.traineeNo },
    { head: '姓名', width: 16, value: (one) => one.name },
    { head: '身份证号（脱敏）', width: COLUMNS.document, isText: true, value: (one) => one.maskedDocument },
    { head: '打卡课时', width: 9, value: (one) => one.hoursByPunch },
    { head: '补签课时', width: 9, value: (one) => one.makeupCounted },
    { head: '线上课时', width: 9, value: (one) => one.onlineCounted },
    { head: '累计课时', width: 9, value: (one) => one.totalHours },
    { head: '总课时', width: 8, value: (one) => one.requiredHours },
    { head: '出勤率', width: 8, value: (one) => percentText(one.percent) },
    ...(attendancePercent === null
      ? []
      : [
          {
            head: `出勤${attendancePercent}%线`,
            width: 10,
            value: (one: AttendancePerson) => answer(one.attendanceQualified),
          },
        ]),
    ...(examPercent === null
      ? []
      : [{ head: `考试${examPercent}%线`, width: 10, value: (one: AttendancePerson) => answer(one.examEligible) }]),
    { head: '学员签名', width: 13, value: () => null },
    { head: '备注', width: 26, value: (one) => one.remarks.join('\n') },
  ];
}

const HEAD_ROWS = 3;

export function summarySheet(table: AttendanceTable, png: Uint8Array): Sheet {
  const columns = columnsOf(table);
  const widths = columns.map(({ width }) => width);
  const last = columns.length;
  const headText = headParts(table).join('\u3000');
  const people = table.people.map((person) => ({
    height: Math.max(2, linesIn(person.name, 16), linesIn(person.remarks.join('\n'), 26)) * GRID.lineHeight,
    cells: columns.map((column) => ({
      value: column.value(person),
      style: column.head === '备注' ? GRID.remark : column.isText === true ? GRID.id : GRID.body,
    })),
  }));
  const bottom = bottomOf(table, 'summary', { row: HEAD_ROWS + people.length + 1, widths }, png);
  const headLines = linesIn(
    headText,
    widths.reduce((sum, width) => sum + width, 0),
  );
  return {
    name: '考勤汇总',
    columns: widths.map((width) => ({ width })),
    rows: [
      { cells: [{ value: titleOf(table), style: GRID.title }], height: 26 },
      { cells: [{ value: headText, style: GRID.line }], height: 13 * headLines + 4 },
      { cells: columns.map(({ head }) => ({ value: head, style: GRID.head })), height: 26 },
      ...people,
      ...bottom.rows,
    ],
    merges: [1, 2].map((row) => ({ row, column: 1, toRow: row, toColumn: last })).concat(bottom.merges),
    freeze: { rows: HEAD_ROWS, columns: 3 },
    page: pageOf(table, HEAD_ROWS),
    images: bottom.images,
  };
}
