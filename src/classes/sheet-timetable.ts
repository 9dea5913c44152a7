/**
 * A timetable from a table (R14, R16, R17): one row a session, put together to days and judged like the timetable of a class
 * file. What a row leaves out (start, end, hours) is taken from the session of the policy.
 */
import { issueWords } from '../core/faults.js';
import type { Path } from '../core/located.js';
import type { LocalDate } from '../core/time.js';
import type { SessionId } from '../rules/grid.js';
import type { Cell, Sheet, SheetRow } from '../sheets/sheet.js';
import type { ClassPolicy, Teacher } from './class-file.js';
import { checkHours } from './class-judge.js';
import { SESSION_SCHEMA, type SessionEntry } from './class-schema.js';
import { normaliseName } from './identity.js';
import { findColumns, sheetField, type ColumnMapping, type SheetField, type SheetTable } from './sheet-columns.js';
import { valueFault, WHOLE_SHEET, type SheetFault } from './sheet-faults.js';
import { createRowReader, type RowReader } from './sheet-row-reader.js';
import { dateValue, timeRangeValue, timeValue, wholeValue, wordTable, wordValue, type Value } from './sheet-values.js';
import { checkTimetable } from './timetable-check.js';
import type { ClassDay, Form } from './timetable.js';

export interface TimetableSheetOptions {
  readonly policy: ClassPolicy;
  readonly period: { readonly from: LocalDate; readonly to: LocalDate };
  readonly teachers: readonly Pick<Teacher, 'teacherNo' | 'name'>[];
  readonly mapping?: ColumnMapping | undefined;
  /** With it, a sum that differs and an online share above the cap become notes. */
  readonly plannedHours?: number | undefined;
}

export interface TimetableSheet {
  /** Ascending; only to be used when there are no faults. */
  readonly days: readonly ClassDay[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

type Field =
  'date' | 'session' | 'start' | 'end' | 'time' | 'lessons' | 'content' | 'form' | 'online' | 'teacher' | 'room';

const field = sheetField<Field>;

export const TIMETABLE_FIELDS: readonly SheetField<Field>[] = [
  field('date', '日期', true, '上课日期', '培训日期', '授课日期', '年月日', 'day'),
  field('session', '时段', true, '上午下午', '午别', '课时段', '上下午', '半天', 'session', 'half day'),
  field('start', '开始', false, '开始时间', '上课时间', '起始时间', '上课', 'start time', 'from'),
  field('end', '结束', false, '结束时间', '下课时间', '终止时间', '下课', 'end time', 'to'),
  field('time', '起止时间', false, '时间', '授课时间', '培训时间', '时间段', 'time'),
  field('lessons', '课时', false, '课时数', '学时', '学时数', '节数', 'hours'),
  field(
    'content',
    '内容',
    false,
    '课程内容',
    '授课内容',
    '培训内容',
    '教学内容',
    '课程',
    '课程名称',
    '课题',
    'course',
    'subject',
  ),
  field(
    'form',
    '类型',
    false,
    '课程类型',
    '教学类型',
    '授课类型',
    '理论实操',
    '课程性质',
    '形式',
    '课程形式',
    'type',
    'kind',
  ),
  field('online', '方式', false, '授课方式', '教学方式', '培训方式', '线上线下', '上课方式', 'mode', 'online/offline'),
  field(
    'teacher',
    '教师',
    false,
    '授课教师',
    '任课教师',
    '教师姓名',
    '教师编号',
    '老师',
    '讲师',
    '主讲教师',
    '授课老师',
    'teacher no',
  ),
  field('room', '教室', false, '地点', '上课地点', '授课地点', '培训地点', '场地', 'location', 'classroom'),
];

const SESSIONS = wordTable<SessionId>([
  ['AM', ['am', '上午', '早上', 'morning', '上']],
  ['PM', ['pm', '下午', 'afternoon', '下']],
]);
const FORMS = wordTable<Form>([
  ['theory', ['theory', '理论', '理论课', '理论教学', '理论培训']],
  ['practice', ['practice', 'practical', '实操', '实操课', '实训', '实践', '操作', '技能', '实际操作', '技能操作']],
]);
const MODES = wordTable<boolean>([
  [false, ['offline', '线下', '面授', '现场', '线下授课', '集中面授']],
  [true, ['online', '线上', '网络', '网课', '线上授课', '在线']],
]);

/** A row that can be read, as the class file would have it. */
interface ReadRow {
  readonly reader: RowReader<Field>;
  readonly date: LocalDate;
  readonly entry: Exclude<SessionEntry, string>;
}

/** Everything that a table of sessions says, and everything that is wrong with it. */
export function parseTimetableSheet(sheet: Sheet, options: TimetableSheetOptions): TimetableSheet {
  const { policy, period, plannedHours } = options;
  const table = findColumns(sheet, TIMETABLE_FIELDS, options.mapping);
  const faults = [...table.faults];
  const notes = [...table.notes];
  const byDate = new Map<LocalDate, ReadRow[]>();
  for (const row of table.rows) {
    const read = sessionRow(table, row, faults, options);
    if (read === null) continue;
    const day = byDate.get(read.date) ?? [];
    if (day.length < SESSIONS_MAX) byDate.set(read.date, [...day, read]);
    else read.reader.fault('date', TOO_MANY);
  }
  const listed = [...byDate].sort(([a], [b]) => (a < b ? -1 : 1));
  if (listed.length === 0) return { days: [], faults, notes };
  const timetable = listed.map(([date, rows]) => ({ date, sessions: rows.map(({ entry }) => entry) }));
  const days = checkTimetable({ timetable, period }, policy, {
    add(path, found) {
      const place = placeOf(path, listed);
      if (place === null) faults.push(valueFault(found, WHOLE_SHEET));
      else place.reader.fault(told(table, place.key), found);
    },
  });
  // Rows with faults are left out of the days, so their sum would say nothing.
  if (faults.length > 0) return { days, faults, notes };
  checkHours({ plannedHours }, days, policy, {
    note: (_, found) => void notes.push(valueFault(found, WHOLE_SHEET, 'warning')),
  });
  return { days, faults, notes };
}

const SESSIONS_MAX = 2;
const TOO_MANY = {
  en: 'a third session on that date; a day has one in the morning and one in the afternoon',
  zh: '该日期的第三个时段；一天最多上午、下午各一个',
};

/** `timetable.DAY.sessions.SESSION.KEY` of the class file's words back to the row. */
function placeOf(
  path: Path,
  listed: readonly (readonly [LocalDate, readonly ReadRow[]])[],
): { readonly reader: RowReader<Field>; readonly key: Field } | null {
  const [, day, part, session, name] = path;
  const rows = typeof day === 'number' ? listed[day]?.[1] : undefined;
  const row = part === 'sessions' && typeof session === 'number' ? rows?.[session] : rows?.[0];
  if (row === undefined) return null;
  const key = part === 'date' ? 'date' : name === 'id' || name === undefined ? 'session' : name;
  return { reader: row.reader, key: TIMETABLE_FIELDS.find((one) => one.key === key)?.key ?? 'session' };
}

/** A fault of a value that the table does not give stands at the session, and one of a range at the range. */
function told(table: SheetTable<Field>, key: Field): Field {
  if (table.has(key)) return key;
  if ((key === 'start' || key === 'end') && table.has('time')) return 'time';
  return 'session';
}

function sessionRow(
  table: SheetTable<Field>,
  row: SheetRow,
  faults: SheetFault[],
  options: TimetableSheetOptions,
): ReadRow | null {
  const reader = createRowReader(table, row, faults);
  const date = reader.isThere('date') ? reader.take('date', (cell) => dateValue(cell)) : null;
  const id = reader.isThere('session')
    ? reader.take('session', (cell) => wordValue(cell, SESSIONS, '上午, 下午, AM, PM'))
    : null;
  const range = reader.take('time', timeRangeValue);
  const entry = {
    start: reader.take('start', timeValue) ?? range?.[0],
    end: reader.take('end', timeValue) ?? range?.[1],
    lessons: reader.take('lessons', (cell) => wholeValue(cell, /(?:课时|学时|节课?|hours?)$/i)) ?? undefined,
    online: reader.take('online', (cell) => wordValue(cell, MODES, '线下, 线上')) ?? false,
    form: reader.take('form', (cell) => wordValue(cell, FORMS, '理论, 实操')) ?? ('theory' as const),
    content: reader.take('content', (cell) => line(cell, 200)) ?? undefined,
    teacher: reader.take('teacher', (cell) => teacherValue(cell, options.teachers)) ?? undefined,
    room: reader.take('room', (cell) => line(cell, 64)) ?? undefined,
  };
  if (date === null || id === null || !reader.isGood()) return null;
  const checked = SESSION_SCHEMA.safeParse({ id, ...entry });
  if (checked.success) return { reader, date, entry: checked.data };
  for (const issue of checked.error.issues) {
    const key = TIMETABLE_FIELDS.find((one) => one.key === issue.path[0])?.key ?? 'session';
    reader.fault(told(table, key), issueWords(issue));
  }
  return null;
}

function line({ text }: Cell, max: number): Value<string> {
  const value = text.normalize('NFC').replace(/\s+/g, ' ');
  return Array.from(value).length <= max
    ? { ok: true, value }
    : { ok: false, finding: { en: `longer than ${max} characters`, zh: `超过 ${max} 个字符` } };
}

/** By number or by name; a name that two teachers have needs the number. */
function teacherValue(cell: Cell, teachers: TimetableSheetOptions['teachers']): Value<string> {
  const number = cell.text.normalize('NFC').trim();
  if (teachers.some((one) => one.teacherNo === number)) return { ok: true, value: number };
  const named = teachers.filter((one) => normaliseName(one.name) === normaliseName(cell.text));
  const [found] = named;
  if (found !== undefined && named.length === 1) return { ok: true, value: found.teacherNo };
  return {
    ok: false,
    finding:
      named.length > 1
        ? { en: 'two teachers have that name; write the number', zh: '有同名教师；请填写教师编号' }
        : { en: 'no such teacher on the list of the class', zh: '教师名单中没有该教师' },
  };
}
