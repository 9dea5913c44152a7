/** The monthly figures (R79) as a list: one row a class and the sums, the three head counts apart and named (R11). No names of people. */
import type { MonthlyClass, MonthlyFigures } from '../classes/monthly.js';
import type { LocalDate } from '../core/time.js';
import type { CellValue } from '../sheets/write-xlsx-book.js';
import { GAP } from './attendance-words.js';
import type { ListTable } from './list-table.js';

const STATES: Readonly<Record<MonthlyClass['state'], string>> = { active: '在训', ended: '已结束', sealed: '已封存' };
const RESULTS = { provisional: '临时', final: '已定', sealed: '已封存' } as const;

export function monthlyTable(figures: MonthlyFigures, madeOn: LocalDate): ListTable {
  const { from, to, classes, totals } = figures;
  const isOpen = classes.some((one) => one.results === 'provisional' || one.results === null);
  return {
    title: `职业技能培训月度统计表（${figures.month}）${isOpen ? '（临时 provisional）' : ''}`,
    sheet: `月度统计 ${figures.month}`,
    head: [`统计期间：${from} 至 ${to}${GAP}班级数：${totals.classes}${GAP}制表日期：${madeOn}`],
    columns: [
      { head: '市编号', width: 16, isId: true },
      { head: '自治区编号', width: 18, isId: true },
      { head: '班级名称', width: 26, isLeft: true },
      { head: '培训机构', width: 22, isLeft: true },
      { head: '职业（工种）', width: 14 },
      { head: '等级', width: 7 },
      { head: '开始日期', width: 11 },
      { head: '结束日期', width: 11 },
      { head: '班级状态', width: 8 },
      { head: '开班审批', width: 20, isId: true },
      { head: '批准人数', width: 7 },
      { head: '在册人数', width: 7 },
      { head: '到课人数', width: 7 },
      { head: '计划课时', width: 7 },
      { head: '期内计划课时', width: 8 },
      { head: '期内到课课时', width: 8 },
      { head: '期内授课课时', width: 8 },
      { head: '期内人课时', width: 9 },
      { head: '结果状态', width: 8 },
      { head: '认定政策', width: 18 },
    ],
    rows: [...classes.map(rowOf), sumRow(figures)],
    remarks: [
      '批准人数：开班文件批准；在册人数：期末（或班级最后一日）在册；到课人数：期内至少有一次有效打卡。三者口径不同，不可互换。',
      '期内到课课时：有学员到课的课时；期内授课课时：另有教室画面佐证，空白为尚未采集画面；期内人课时：打卡、补签、线上合计，未经班级总量上限。',
      'Approved, enrolled and present are three counts. Attended: somebody was present; delivered: a frame of the room proves it, blank where none are taken.',
    ],
    foot: `${from} – ${to}`,
  };
}

const rowOf = (one: MonthlyClass): readonly CellValue[] => [
  ...[one.classNo, one.regionalClassNo ?? '', one.name, one.institution, one.occupation.name, one.occupation.level],
  ...[one.from, one.to, STATES[one.state], one.approval ?? '无审批'],
  ...[one.approvedHeadcount, one.enrolled, one.present, one.plannedHours, one.plannedInPeriod, one.attendedHours],
  ...[one.deliveredHours, one.personHours, one.results === null ? '无结果' : RESULTS[one.results]],
  `${one.policy.id} v${one.policy.ver}`,
];

function sumRow({ totals }: MonthlyFigures): readonly CellValue[] {
  return [
    ...['合计', '', '', '', '', '', '', '', '', ''],
    ...[totals.approvedHeadcount, totals.enrolled, totals.present, totals.plannedHours, totals.plannedInPeriod],
    ...[totals.attendedHours, totals.deliveredHours, totals.personHours, '', ''],
  ];
}
