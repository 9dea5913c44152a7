/** Timetables from tables: sessions to days, judged like those of a class file, faults at their cells. */
import { describe, expect, test } from 'vitest';
import type { ClassPolicy } from '../../src/classes/class-file.js';
import { sheetFaultLine } from '../../src/classes/sheet-faults.js';
import { parseTimetableSheet, type TimetableSheet } from '../../src/classes/sheet-timetable.js';
import type { LocalDate } from '../../src/core/time.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { bookBytes, type TestSheet } from '../sheets/workbooks.js';
import { preset } from './class-fixture.js';

const HEADER = ['日期', '时段', '开始', '结束', '课时', '内容', '类型', '方式', '教师', '教室'];
const policy: ClassPolicy = preset.policy;
const period = { from: '2026-09-07' as LocalDate, to: '2026-09-11' as LocalDate };
const teachers = [
  { teacherNo: 'J1', name: '南宫老师傅' },
  { teacherNo: 'J2', name: '司徒望舒' },
  { teacherNo: 'J3', name: '司徒望舒' },
];
const STYLES = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="20"/></cellXfs>';

async function parse(rows: NonNullable<TestSheet['rows']>, plannedHours?: number): Promise<TimetableSheet> {
  const sheet = await readSheetBytes(bookBytes({ sheets: [{ rows }], styles: STYLES }), null);
  return parseTimetableSheet(sheet, { policy, period, teachers, plannedHours });
}
const faultLines = async (...row: readonly string[]): Promise<readonly string[]> =>
  (await parse([HEADER, [...row]])).faults.map((fault) => sheetFaultLine(fault));

test('a column headed 形式 is read and judged, never passed over: practice online would be theory', async () => {
  const header = ['日期', '时段', '形式', '方式'];
  const online = await parse([header, ['2026-09-07', 'AM', '实操', '线上']]);
  expect(online.faults).toHaveLength(1);
  const kept = await parse([header, ['2026-09-07', 'AM', '实操', '线下']]);
  expect(kept.days[0]?.sessions[0]?.form).toBe('practice');
  // It is used for the other meaning, too; then the cell is named.
  const mode = await parse([
    ['日期', '时段', '形式'],
    ['2026-09-07', 'AM', '线上'],
  ]);
  expect(mode.faults).toHaveLength(1);
  // And beside a column of the first meaning nothing is guessed.
  const both = await parse([
    ['日期', '时段', '类型', '形式'],
    ['2026-09-07', 'AM', '理论', '线上'],
  ]);
  expect(both.faults.length).toBeGreaterThan(0);
});

describe('days', () => {
  test('as people write them: Excel dates and times, texts, the policy for what is left out', async () => {
    const date = { xml: '<c r="{r}" s="1"><v>46272</v></c>' };
    const time = (value: string): { readonly xml: string } => ({ xml: `<c r="{r}" s="2"><v>${value}</v></c>` });
    const { days, faults, notes } = await parse(
      [
        ['电工四级课程表'],
        HEADER,
        [date, '下午', '14：00', '17:30', '4课时', '安全用电', '实操', '线下', '南宫老师傅', '实训室'],
        [
          '2026/9/7',
          '上午',
          time('0.35416666666666669'),
          time('0.5'),
          { xml: '<c r="{r}"><v>4</v></c>' },
          '电工基础',
          '理论',
          '面授',
          'J2',
          'A301',
        ],
        ['2026年9月8日(星期二)', 'AM', '', '', '', '', '', '线上'],
        ['合计', '', '', '', '12'],
      ],
      40,
    );
    expect(faults).toEqual([]);
    expect(days).toEqual([
      {
        date: '2026-09-07',
        sessions: [
          {
            id: 'AM',
            start: '08:30',
            end: '12:00',
            lessons: 4,
            online: false,
            form: 'theory',
            content: '电工基础',
            teacher: 'J2',
            room: 'A301',
          },
          {
            id: 'PM',
            start: '14:00',
            end: '17:30',
            lessons: 4,
            online: false,
            form: 'practice',
            content: '安全用电',
            teacher: 'J1',
            room: '实训室',
          },
        ],
      },
      {
        date: '2026-09-08',
        sessions: [
          {
            id: 'AM',
            start: '08:30',
            end: '12:00',
            lessons: 4,
            online: true,
            form: 'theory',
            content: null,
            teacher: null,
            room: null,
          },
        ],
      },
    ]);
    expect(notes.map((note) => sheetFaultLine(note))).toEqual([
      '第 6 行：已跳过该行：合计行。',
      '课程表合计 12 课时，比计划的 40 课时少 28 课时。',
    ]);
  });

  test('too much online is a note (R17), not a fault', async () => {
    const row = (date: string, mode: string): string[] => [date, '上午', '', '', '', '', '', mode];
    const { faults, notes } = await parse([HEADER, row('2026-09-07', '线上'), row('2026-09-08', '线下')], 8);
    expect(faults).toEqual([]);
    expect(notes.map(({ zh }) => zh)).toEqual(['计划线上 4 课时，超过总课时 8 的 40%。']);
  });

  test('a range of times in one column', async () => {
    const { days, faults } = await parse([
      ['日期', '时段', '时间'],
      ['2026-09-07', '上午', '8:30—12:00'],
    ]);
    expect(faults).toEqual([]);
    expect(days[0]?.sessions[0]).toMatchObject({ start: '08:30', end: '12:00' });
  });
});

describe('faults', () => {
  test.each([
    [['2026-09-07', '上午', '', '', '', '', '实操', '线上'], '第 2 行 H 列(方式)：实操课不得安排在线上。'],
    [['2026-09-31', '上午'], '第 2 行 A 列(日期)：不是真实存在的日期；请写成 2026-09-07 或 2026年9月7日。'],
    [['2026-09-14', '上午'], '第 2 行 A 列(日期)：不在培训起止日期之内。'],
    [['46272', '上午'], '第 2 行 A 列(日期)：不是真实存在的日期；请写成 2026-09-07 或 2026年9月7日。'],
    [['2026-09-07', '晚上'], '第 2 行 B 列(时段)：不是可用的取值：上午, 下午, AM, PM。'],
    [['2026-09-07', ''], '第 2 行 B 列(时段)：内容为空。'],
    [['2026-09-07', '上午', '25:00'], '第 2 行 C 列(开始)：不是时刻；请写成 08:30。'],
    [['2026-09-07', '上午', '8:30', '12:00', '2.5'], '第 2 行 E 列(课时)：不是整数。'],
    [['2026-09-07', '上午', '', '', '', '', '', '', '无此人'], '第 2 行 I 列(教师)：教师名单中没有该教师。'],
    [['2026-09-07', '上午', '', '', '', '', '', '', '司徒望舒'], '第 2 行 I 列(教师)：有同名教师；请填写教师编号。'],
  ] as const)('%j', async (row, line) => {
    expect(await faultLines(...row)).toEqual([line]);
  });

  test('a grid that does not fit stands at its hours', async () => {
    const [line = ''] = await faultLines('2026-09-07', '上午', '8:30', '12:00', '5');
    expect(line).toMatch(/^第 2 行 E 列\(课时\)：从 08:30 起 5 节课/);
  });

  test('the same session twice, a third session', async () => {
    const day = ['2026-09-07', '上午'];
    const twice = (await parse([HEADER, day, day])).faults;
    expect(twice.map((fault) => sheetFaultLine(fault))).toEqual(['第 3 行 B 列(时段)：时段 AM 重复。']);
    const thrice = (await parse([HEADER, day, ['2026-09-07', '下午'], day])).faults;
    expect(thrice.map(({ row, column }) => [row, column])).toEqual([[4, 'A']]);
  });

  test('columns that are missing', async () => {
    const { faults } = await parse([
      ['日期', '内容'],
      ['2026-09-07', '安全'],
    ]);
    expect(faults.map(({ code, zh }) => [code, zh])).toEqual([
      ['sheet-column-missing', '缺少 “时段” 列；已有：日期, 内容。'],
    ]);
  });
});
