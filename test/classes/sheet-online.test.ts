/** Records of an online platform from tables: whole minutes downward, persons of the class only, proof as it was written. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sheetFaultLine } from '../../src/classes/sheet-faults.js';
import { parseOnlineSheet, type OnlineSheet, type OnlineSheetOptions } from '../../src/classes/sheet-online.js';
import { minutesValue } from '../../src/classes/sheet-values.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { PEOPLE } from '../sheets/people.js';
import { textBook, type TestSheet } from '../sheets/workbooks.js';

const trainees = new Set(['T001', 'T002']);
const parse = async (
  rows: NonNullable<TestSheet['rows']>,
  more: Partial<OnlineSheetOptions> = {},
): Promise<OnlineSheet> => parseOnlineSheet(await readSheetBytes(textBook(rows), null), { trainees, ...more });
const lines = (result: OnlineSheet): readonly string[] => result.faults.map((fault) => sheetFaultLine(fault));
const HEADER = ['学号', '日期', '课程名称', '课程类型', '学习时长(分钟)'];

describe('records', () => {
  test('with everything a platform tells', async () => {
    const { records, faults, notes } = await parse([
      [...HEADER, '签到', '学习进度', '答疑', '测验成绩', '手机号'],
      ['T001', '2026-09-07 19:30:05', '安全用电', '理论', '90', '19:30', '100%', '2次', '88', '13900000000'],
      ['T002', '2026/9/8', '电工基础', '实操', '45.9'],
    ]);
    expect(faults).toEqual([]);
    expect(records).toEqual([
      {
        row: 2,
        traineeNo: 'T001',
        date: '2026-09-07',
        lesson: '安全用电',
        kind: 'theory',
        minutes: 90,
        proof: { signIn: '19:30', learned: '100%', tutoring: '2次', test: '88' },
      },
      { row: 3, traineeNo: 'T002', date: '2026-09-08', lesson: '电工基础', kind: 'practice', minutes: 45, proof: {} },
    ]);
    expect(notes.map((note) => sheetFaultLine(note))).toEqual([
      '第 1 行 J 列(手机号)：该列不使用：电话号码一律不保存。',
    ]);
    expect(JSON.stringify(records)).not.toContain('139');
  });

  test('a person by document number', async () => {
    const id = PEOPLE[0]?.id ?? '';
    const personByDocument = (type: string, number: string): string | null =>
      type === 'idCard' && number === id ? 'T001' : null;
    const rows = [
      ['姓名', '身份证号', '日期', '时长（小时）'],
      ['欧阳青禾', id.toLowerCase(), '2026-09-07', '1.5'],
      ['司马知远', PEOPLE[1]?.id ?? '', '2026-09-07', '1'],
    ];
    const result = await parse(rows, { personByDocument });
    expect(result.records.map(({ traineeNo, minutes, lesson, kind }) => [traineeNo, minutes, lesson, kind])).toEqual([
      ['T001', 90, '', 'theory'],
    ]);
    expect(lines(result)).toEqual(['第 3 行 B 列(身份证号)：本班花名册中没有此人。']);
    expect(result.notes.map(({ zh }) => zh)).toEqual(['该列不使用：列名未识别。', '没有 “类型” 列；全部按理论计。']);
    expect((await parse(rows)).faults.map(({ code }) => code)).toContain('sheet-column-missing');
  });

  test('a lesson that is told twice, and numbers without unit, are worth a note', async () => {
    const { records, notes } = await parse([
      ['学号', '日期', '课程', '类型', '学习时长'],
      ['T001', '2026-09-07', '1', '理论', '30'],
      ['T001', '2026-09-07', '1', '理论', '40'],
    ]);
    expect(records).toHaveLength(2);
    expect(notes.map((note) => sheetFaultLine(note))).toEqual([
      '第 1 行 E 列(学习时长)：没有单位的数字按分钟计；如不是分钟，请在列名中写明单位。',
      '第 3 行 B 列(日期)：与第 2 行的学员、日期、课程相同；只计后一行。',
    ]);
  });

  test.each([
    [['T009', '2026-09-07', '', '', '30'], '第 2 行 A 列(学号)：本班花名册中没有此人。'],
    [['', '2026-09-07', '', '', '30'], '第 2 行 A 列(学号)：内容为空。'],
    [['T001', '', '', '', '30'], '第 2 行 B 列(日期)：内容为空。'],
    [['T001', '2026-09-07', '', '观摩', '30'], '第 2 行 D 列(课程类型)：不是可用的取值：理论, 实操。'],
    [['T001', '2026-09-07', '', '', ''], '第 2 行 E 列(学习时长(分钟))：内容为空。'],
    [
      ['T001', '2026-09-07', '', '', '-5'],
      '第 2 行 E 列(学习时长(分钟))：不是时长；请写分钟数、时:分:秒、90分钟 或 1小时30分。',
    ],
    [['T001', '2026-09-07', '', '', '1441'], '第 2 行 E 列(学习时长(分钟))：超过一天。'],
    [
      ['T001', '2026-09-07', '', '', '1:30'],
      '第 2 行 E 列(学习时长(分钟))：不是时长；请写分钟数、时:分:秒、90分钟 或 1小时30分。',
    ],
  ] as const)('%j', async (row, line) => {
    const result = await parse([HEADER, [...row]]);
    expect(lines(result)).toEqual([line]);
    expect(result.records).toEqual([]);
  });
});

describe('durations', () => {
  const minutes = (text: string, unit: 'hours' | 'minutes' | 'seconds' = 'minutes'): number | null => {
    const value = minutesValue({ kind: 'text', text, value: null }, unit);
    return value.ok ? value.value : null;
  };

  test.each([
    ['90', 90],
    ['９０', 90],
    ['90分钟', 90],
    ['90 分', 90],
    ['1小时30分', 90],
    ['1小时30分钟59秒', 90],
    ['1.5小时', 90],
    ['1h30m', 90],
    ['1:30:00', 90],
    ['01:30:59', 90],
    ['0:00:59', 0],
    ['59秒', 0],
    ['60s', 1],
    ['24:00:00', 1440],
    ['1:60:00', null],
    ['分钟', null],
    ['', null],
    ['1e3', null],
    ['九十分钟', null],
  ] as const)('%s is %s', (text, expected) => {
    expect(minutes(text)).toBe(expected);
  });

  test('whole minutes downward, in every unit and way of writing', () => {
    fc.assert(
      fc.property(fc.nat(86_400), (seconds) => {
        const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
        const two = (value: number): string => String(value).padStart(2, '0');
        const expected = Math.floor(seconds / 60);
        expect(minutes(String(seconds), 'seconds')).toBe(expected);
        expect(minutes(`${h}:${two(m)}:${two(s)}`)).toBe(expected);
        expect(minutes(`${h}小时${m}分${s}秒`)).toBe(expected);
        expect(minutesValue({ kind: 'number', text: '', value: seconds / 3600 }, 'hours')).toEqual({
          ok: true,
          value: expected,
        });
        expect(minutesValue({ kind: 'number', text: '', value: seconds / 60 }, 'minutes')).toEqual({
          ok: true,
          value: expected,
        });
      }),
    );
  });
});
