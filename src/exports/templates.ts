/**
 * Empty tables to be filled in (R102): roster, timetable, online hours, with the heads that the import knows, a line of example
 * that it leaves out, and a second sheet that explains every column in both languages. Columns of numbers are formatted as text, so that
 * neither a zero at the head nor the last digits of a document number are lost.
 */
import { ONLINE_FIELDS } from '../classes/sheet-online.js';
import { ROSTER_FIELDS } from '../classes/sheet-roster.js';
import { TIMETABLE_FIELDS } from '../classes/sheet-timetable.js';
import type { CellStyle, Sheet, SheetChoice } from '../sheets/write-xlsx-book.js';
import { xlsxBytes } from '../sheets/write-xlsx.js';
import { GRID, linesIn } from './attendance-form.js';

export const TEMPLATES = ['roster', 'timetable', 'online'] as const;
export type TemplateKind = (typeof TEMPLATES)[number];

interface TemplateColumn {
  readonly key: string;
  readonly width: number;
  readonly example: string;
  readonly zh: string;
  readonly en: string;
  readonly choices?: readonly string[];
  /** In brackets after the head. */
  readonly unit?: string;
}

interface Template {
  readonly title: string;
  readonly sheet: string;
  readonly fields: readonly { readonly key: string; readonly zh: string; readonly required: boolean }[];
  readonly columns: readonly TemplateColumn[];
}

const TRAINEE_NO: TemplateColumn = {
  key: 'traineeNo',
  width: 18,
  example: '示例 20260001',
  zh: '平台学员编号，按原样填写，保留前导零',
  en: 'the platform number of the trainee, as it is, with its zeros',
};

const ROSTER: readonly TemplateColumn[] = [
  TRAINEE_NO,
  {
    key: 'name',
    width: 22,
    example: '阿依古丽·买买提',
    zh: '证件上的姓名；间隔号写 ·',
    en: 'legal name; the middle dot is ·',
  },
  {
    key: 'documentType',
    width: 26,
    example: '居民身份证',
    zh: '空白为居民身份证',
    en: 'kind of document; blank: citizen identity card',
    choices: [
      ...['居民身份证', '港澳台居民居住证', '港澳居民来往内地通行证', '台湾居民来往大陆通行证'],
      ...['外国人永久居留身份证', '护照'],
    ],
  },
  {
    key: 'documentNumber',
    width: 24,
    example: '150203190001011020',
    zh: '18 位；本列为文本格式，请勿改为数字',
    en: '18 characters; the column is text and must stay so',
  },
  {
    key: 'deviceUserId',
    width: 12,
    example: '2',
    zh: '考勤机内的编号；空白为学员编号',
    en: 'number inside the terminal; blank: the trainee number',
  },
  {
    key: 'enrolledFrom',
    width: 13,
    example: '2026-09-09',
    zh: '空白为开班首日',
    en: 'first day of the enrolment; blank: that of the class',
  },
  {
    key: 'enrolledTo',
    width: 13,
    example: '2026-09-25',
    zh: '含当日；空白为结束日',
    en: 'last day, included; blank: that of the class',
  },
  {
    key: 'alternativeMethods',
    width: 16,
    example: '刷卡',
    zh: '负责人批准的其他验证方式：指纹、刷卡、密码、掌纹、虹膜、二维码',
    en: 'other methods that a supervisor granted',
  },
];

const TIMETABLE: readonly TemplateColumn[] = [
  { key: 'date', width: 18, example: '示例 2026-09-07', zh: '上课日期', en: 'date, YYYY-MM-DD' },
  {
    key: 'session',
    width: 9,
    example: '上午',
    zh: '上午或下午；一行一个时段',
    en: 'morning or afternoon; a row each',
    choices: ['上午', '下午'],
  },
  { key: 'start', width: 9, example: '08:30', zh: '空白按政策', en: 'HH:mm; blank: as the policy says' },
  { key: 'end', width: 9, example: '12:00', zh: '空白按政策', en: 'HH:mm; blank: as the policy says' },
  { key: 'lessons', width: 8, example: '4', zh: '课时数；空白按政策', en: 'hours; blank: as the policy says' },
  { key: 'content', width: 30, example: '安全用电', zh: '教学内容', en: 'content' },
  {
    key: 'form',
    width: 9,
    example: '理论',
    zh: '理论或实操；空白为理论',
    en: 'theory or practice; blank: theory',
    choices: ['理论', '实操'],
  },
  {
    key: 'online',
    width: 9,
    example: '线下',
    zh: '线下或线上；空白为线下；实操不得线上',
    en: 'offline or online; blank: offline; practice is held in the room',
    choices: ['线下', '线上'],
  },
  { key: 'teacher', width: 14, example: 'J01', zh: '教师编号或姓名', en: 'number or name of the teacher' },
  { key: 'room', width: 14, example: 'A301', zh: '教室', en: 'room' },
];

const ONLINE: readonly TemplateColumn[] = [
  TRAINEE_NO,
  { key: 'date', width: 13, example: '2026-09-09', zh: '学习日期', en: 'date, YYYY-MM-DD' },
  { key: 'lesson', width: 26, example: '职业道德', zh: '课程名称或编号', en: 'name or number of the lesson' },
  {
    key: 'kind',
    width: 9,
    example: '理论',
    zh: '理论或实操；空白为理论',
    en: 'theory or practice; blank: theory',
    choices: ['理论', '实操'],
  },
  { key: 'minutes', unit: '分钟', width: 12, example: '90', zh: '学习分钟数', en: 'minutes' },
  {
    key: 'signIn',
    width: 18,
    example: '2026-09-09 19:02',
    zh: '签到记录，平台有则填',
    en: 'sign-in, where the platform tells it',
  },
  {
    key: 'learned',
    width: 12,
    example: '100%',
    zh: '学习记录，平台有则填',
    en: 'learning record, where the platform tells it',
  },
  { key: 'tutoring', width: 14, example: '', zh: '辅导记录，平台有则填', en: 'tutoring, where the platform tells it' },
  { key: 'test', width: 10, example: '92', zh: '测试成绩，平台有则填', en: 'tests, where the platform tells them' },
];

const DEFINED: Readonly<Record<TemplateKind, Template>> = {
  roster: { title: '学员花名册', sheet: '花名册', fields: ROSTER_FIELDS, columns: ROSTER },
  timetable: { title: '课程表', sheet: '课程表', fields: TIMETABLE_FIELDS, columns: TIMETABLE },
  online: { title: '线上学习记录', sheet: '线上学习', fields: ONLINE_FIELDS, columns: ONLINE },
};

/** Rows that are prepared for typing. */
const ROWS = 500;
const TEXT: CellStyle = { format: 'text' };

export async function templateXlsx(kind: TemplateKind): Promise<Uint8Array> {
  const template = DEFINED[kind];
  return xlsxBytes({ title: template.title, sheets: [fillIn(template), explained(template)] });
}

/** The words of the import itself, so that a template always fits it; `*` marks what has to be filled in. */
function headOf({ fields }: Template, { key, unit }: TemplateColumn): string {
  const field = fields.find((one) => one.key === key);
  return field === undefined ? key : field.zh + (unit === undefined ? '' : `（${unit}）`) + (field.required ? '*' : '');
}

function fillIn(template: Template): Sheet {
  const { columns } = template;
  const choices = columns.flatMap((column, index): SheetChoice[] => {
    if (column.choices === undefined) return [];
    return [{ range: { row: 2, column: index + 1, toRow: ROWS, toColumn: index + 1 }, values: column.choices }];
  });
  return {
    name: template.sheet,
    columns: columns.map(({ width }) => ({ width, style: TEXT })),
    rows: [
      { cells: columns.map((column) => ({ value: headOf(template, column), style: GRID.head })), height: 24 },
      { cells: columns.map(({ example }) => ({ value: example, style: { ...TEXT, color: '7F7F7F' } })) },
    ],
    freeze: { rows: 1, columns: 1 },
    choices,
    page: { orientation: 'landscape', fitToWidth: true, repeatRows: { from: 1, to: 1 } },
  };
}

function explained(template: Template): Sheet {
  const widths = [18, 8, 26, 46, 52];
  const rows = template.columns.map((column) => [
    headOf(template, column).replace('*', ''),
    headOf(template, column).endsWith('*') ? '必填' : '可空',
    column.example.replace(/^示例 /, ''),
    column.zh,
    column.en,
  ]);
  const notes = [
    '第二行为示例，导入时自动略去，可保留也可删除。 The second row is an example; the import leaves it out.',
    '标 * 的列必填；其他列（如电话）不会导入。 Columns with * are needed; others, such as telephone numbers, are never taken.',
    '请勿合并单元格，不要插入公式。 Do not merge cells, and use no formulas.',
  ];
  return {
    name: '填写说明 Help',
    columns: widths.map((width) => ({ width })),
    rows: [
      { cells: ['列', '必填', '示例', '说明', 'English'].map((value) => ({ value, style: GRID.head })), height: 20 },
      ...rows.map((values) => ({
        height: Math.max(...values.map((value, at) => linesIn(value, widths[at] ?? 10))) * 14 + 4,
        cells: values.map((value) => ({ value, style: GRID.text })),
      })),
      { cells: [], height: 8 },
      ...notes.map((value) => ({ cells: [value] })),
    ],
    page: { orientation: 'landscape', fitToWidth: true },
  };
}
