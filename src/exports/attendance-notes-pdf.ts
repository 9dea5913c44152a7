/**
 * The pages behind the attendance table: make-ups, leave and reviewed punches with reason and approver, and the notes on flags in
 * both languages. A list that is empty says so, because a missing page could be a lost one.
 */
import type { Content, TableCell } from 'pdfmake/interfaces.js';
import { REQUEST_WORDS } from './attendance-words.js';
import type { AttendanceTable } from './attendance.js';
import { FORM_LAYOUT, innerWidths, type Ink, type Style } from './pdf.js';

const BODY: Style = { fontSize: 8 };
const HEAD: Style = { fontSize: 8, bold: true, alignment: 'center' };

export function noteSections(table: AttendanceTable, ink: Ink): readonly Content[] {
  return [makeupSection(table, ink), { stack: [flagSection(table, ink), noteSection(table, ink)] }];
}

interface Column {
  readonly title: string;
  readonly width: number | '*';
}

function listOf(
  title: string,
  columns: readonly Column[],
  rows: readonly { readonly traineeNo: string | null; readonly cells: readonly string[] }[],
  ink: Ink,
): Content {
  const heading = {
    ...ink.text(title, { column: title }, { fontSize: 10, bold: true }),
    margin: [0, 0, 0, 4] as [number, number, number, number],
  };
  if (rows.length === 0) return { stack: [heading, ink.text('无 none', { column: title }, BODY)] };
  const body: TableCell[][] = [
    columns.map((column) => ink.text(column.title, { column: title }, HEAD)),
    ...rows.map(({ traineeNo, cells }) =>
      cells.map((value, index) =>
        ink.text(
          value,
          { ...(traineeNo === null ? {} : { traineeNo }), column: `${title}：${columns[index]?.title ?? ''}` },
          BODY,
        ),
      ),
    ),
  ];
  return {
    stack: [
      heading,
      {
        layout: FORM_LAYOUT,
        table: { headerRows: 1, dontBreakRows: true, widths: innerWidths(columns.map((column) => column.width)), body },
      },
    ],
  };
}

function makeupSection(table: AttendanceTable, ink: Ink): Content {
  const columns: readonly Column[] = [
    { title: '日期', width: 48 },
    { title: '学员编号', width: 62 },
    { title: '姓名', width: 110 },
    { title: '类别', width: 38 },
    { title: '时段', width: 70 },
    { title: '原因', width: 80 },
    { title: '说明', width: '*' },
    { title: '申请人', width: 56 },
    { title: '批准人', width: 56 },
    { title: '批准时间', width: 72 },
  ];
  const rows = table.makeups.map((one) => ({
    traineeNo: one.traineeNo,
    cells: [
      ...[one.date, one.traineeNo, one.name, REQUEST_WORDS[one.kind], one.place, one.reasonZh, one.text ?? ''],
      ...[one.requestedBy, one.approvedBy, one.approvedAt],
    ],
  }));
  return listOf('补签与请假', columns, rows, ink);
}

/** What people wrote; left out where nobody did. */
function noteSection(table: AttendanceTable, ink: Ink): Content {
  const columns: readonly Column[] = [
    { title: '日期', width: 48 },
    { title: '备注', width: '*' },
    { title: '记录人', width: 70 },
    { title: '记录日期', width: 60 },
  ];
  const rows = table.notes.map((one) => ({
    traineeNo: null,
    cells: [one.date ?? '全班', one.text, one.by, one.on],
  }));
  return rows.length === 0 ? [] : { stack: [listOf('备注', columns, rows, ink)], margin: [0, 10, 0, 0] };
}

function flagSection(table: AttendanceTable, ink: Ink): Content {
  const columns: readonly Column[] = [
    { title: '日期', width: 48 },
    { title: '学员编号', width: 62 },
    { title: '姓名', width: 130 },
    { title: '代码', width: 150 },
    { title: '说明', width: '*' },
  ];
  const { attended, delivered, timetable } = table.hours;
  const hours = `课程表 ${String(timetable)} 课时，有学员到课 ${String(attended)} 课时${
    delivered === null ? '' : `，另有画面佐证 ${String(delivered)} 课时`
  }。`;
  const rows = table.flags.map((one) => ({
    traineeNo: one.traineeNo,
    cells: [one.date ?? '全班', one.traineeNo ?? '', one.name ?? '', one.code, `${one.zh} ${one.en}`],
  }));
  const whole = ink.text(hours, { column: '说明' }, BODY);
  return { stack: [listOf('说明', columns, rows, ink), { ...whole, margin: [0, 4, 0, 0] }] };
}
