/**
 * The list of a class for the county (R50, R77): each trainee with hours by their origin and both thresholds, keyed by either number of
 * the class. Document numbers are masked; nothing says that somebody has passed.
 */
import type { CellValue } from '../sheets/write-xlsx-book.js';
import { dateWords, GAP, originLines, shortOrigin, statusWords, thresholdLines } from './attendance-words.js';
import type { AttendancePerson, AttendanceTable } from './attendance.js';
import type { ListTable } from './list-table.js';

const answer = (value: boolean | null): string => (value === null ? '未设' : value ? '达到' : '未达到');

export function traineeList(table: AttendanceTable): ListTable {
  const { attendancePercent, examPercent } = table.thresholds;
  const kinds = { city: '市编号', regional: '自治区编号' } as const;
  const other = table.otherClassNo === null ? '' : `（另一编号 ${table.otherClassNo}）`;
  const last = table.days.at(-1);
  return {
    title: `${table.institution} 学员课时名单${table.status === 'provisional' ? '（临时 provisional）' : ''}`,
    sheet: '学员名单',
    head: [
      `班级：${table.className}${GAP}${kinds[table.classNoKind]} ${table.classNo}${other}${GAP}${table.occupation}`,
      `培训期间：${table.from} 至 ${table.to}${GAP}总课时：${table.plannedHours}${GAP}结果状态：${statusWords(table).zh}${last === undefined ? '' : `${GAP}最后上课日：${dateWords(last.date)}`}`,
    ],
    columns: [
      { head: kinds[table.classNoKind], width: 18, isId: true },
      { head: '学员编号', width: 17, isId: true },
      { head: '姓名', width: 18 },
      { head: '证件号码（脱敏）', width: 20, isId: true },
      { head: '打卡课时', width: 9 },
      { head: '补签课时', width: 9 },
      { head: '线上课时', width: 9 },
      { head: '累计课时', width: 9 },
      { head: '总课时', width: 8 },
      { head: '出勤率%', width: 9 },
      { head: `出勤线${attendancePercent === null ? '' : ` ≥${attendancePercent}%`}`, width: 12 },
      { head: `结业考试线${examPercent === null ? '' : ` ≥${examPercent}%`}`, width: 14 },
      { head: '备注', width: 28, isLeft: true },
    ],
    rows: table.people.map((person) => rowOf(table, person)),
    remarks: [
      ...thresholdLines(table),
      '达到与否只是算术，是否合格由旗县区确认。 Reached or not is arithmetic; the county decides what follows.',
      ...originLines(table),
    ],
    foot: `${table.classNo} · ${shortOrigin(table)}`,
  };
}

const rowOf = (table: AttendanceTable, person: AttendancePerson): readonly CellValue[] => [
  ...[table.classNo, person.traineeNo, person.name, person.maskedDocument],
  ...[person.hoursByPunch, person.makeupCounted, person.onlineCounted, person.totalHours, person.requiredHours],
  ...[person.percent, answer(person.attendanceQualified), answer(person.examEligible), person.remarks.join('；')],
];
