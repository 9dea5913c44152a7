/** Rosters from tables: files of people's programs, every fault at its row and column, no value in any sentence. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sheetFaultLine, type SheetFault } from '../../src/classes/sheet-faults.js';
import { parseRosterSheet, type RosterSheet, type RosterSheetOptions } from '../../src/classes/sheet-roster.js';
import type { LocalDate } from '../../src/core/time.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { bookBytes, textBook, type TestSheet } from '../sheets/workbooks.js';
import { PEOPLE } from '../sheets/people.js';

const today = '2026-09-01' as LocalDate;
const HEADER = ['姓名', '身份证号', '学员编号'];
const [P1, P2, P3] = ['欧阳青禾', '司马知远', '上官若水'].map((name, index) => [
  name,
  PEOPLE[index]?.id ?? '',
  `T00${index + 1}`,
]);
const [one, two, three] = [P1 ?? [], P2 ?? [], P3 ?? []];
type Rows = NonNullable<TestSheet['rows']>;

const file = async (name: string, more: Partial<RosterSheetOptions> = {}): Promise<RosterSheet> => {
  const bytes = readFileSync(new URL(`../sheets/files/${name}`, import.meta.url));
  return parseRosterSheet(await readSheetBytes(bytes, null), { today, ...more });
};
const rows = async (table: Rows, more: Partial<RosterSheetOptions> = {}, after = ''): Promise<RosterSheet> => {
  const bytes = after === '' ? textBook(table) : bookBytes({ sheets: [{ rows: table, after }] });
  return parseRosterSheet(await readSheetBytes(bytes, null), { today, ...more });
};
const lines = (faults: readonly SheetFault[]): readonly string[] => faults.map((fault) => sheetFaultLine(fault));
const number = (value: string): { readonly xml: string } => ({ xml: `<c r="{r}"><v>${value}</v></c>` });

/** No name, no number of a person, no unfilled word. */
function expectDiscreet({ faults, notes }: RosterSheet): void {
  for (const fault of [...faults, ...notes]) {
    const all = `${sheetFaultLine(fault, 'zh')} ${sheetFaultLine(fault, 'en')} ${fault.remedyZh} ${fault.remedyEn}`;
    expect(all).not.toMatch(/欧阳|司马|上官|青禾|知远|若水|15020319|\{\w+\}/);
    expect(fault.zh).toMatch(/\p{Script=Han}/u);
  }
}

describe('sixty people', () => {
  test.each([
    'roster-60.xlsx',
    'roster-gb18030.csv',
    'roster-utf8-bom.csv',
    'roster-semicolon.csv',
    'roster-unicode-text.txt',
    'roster-libreoffice.csv',
  ])('%s', async (name) => {
    const { entries, faults, notes } = await file(name);
    expect(faults).toEqual([]);
    expect(entries.map((entry) => [entry.traineeNo, entry.nameWritten, entry.documentNumber])).toEqual(
      PEOPLE.map((person) => [person.no, person.name, person.id]),
    );
    expect(entries[0]).toMatchObject({ enrolledFrom: '2026-09-07', enrolledTo: null, deviceUserId: PEOPLE[0]?.no });
    expect(entries[59]?.enrolledFrom).toBe('2026-09-09');
    expect(lines(notes)).toEqual([
      '第 2 行 A 列(序号)：该列不使用：无需导入。',
      '第 2 行 E 列(电话)：该列不使用：电话号码一律不保存。',
      '第 2 行 G 列(备注)：该列不使用：无需导入。',
      '第 63 行：已跳过该行：合计行。',
    ]);
  });
});

describe('files that must be mended first', () => {
  test.each([
    [
      'formula.xlsx',
      'sheet-formula',
      '第 3 行 D 列(学员编号)：该单元格是公式；不采用公式的计算结果。',
      /粘贴为 “数值”/,
    ],
    ['merged.xlsx', 'sheet-merged', '第 3 行 D 列(学员编号)：表头或数据中有合并单元格 D3:D4。', /取消合并/],
    [
      'numbers.xlsx',
      'sheet-stored-as-number',
      '第 3 行 C 列(身份证号)：该列曾按数字保存，可能已丢失数位。',
      /设为文本格式/,
    ],
    [
      'numbers.csv',
      'sheet-stored-as-number',
      '第 3 行 C 列(身份证号)：该列曾按数字保存，可能已丢失数位。',
      /设为文本格式/,
    ],
  ] as const)('%s: %s', async (name, code, line, remedy) => {
    const result = await file(name);
    expect(result.faults[0]).toMatchObject({ code });
    expect(lines(result.faults)).toContain(line);
    expect(result.faults[0]?.remedyZh).toMatch(remedy);
    expectDiscreet(result);
  });
});

describe('columns', () => {
  test.each([
    [['学员姓名（必填）', '公民身份号码*', '学 号']],
    [['name', 'ID Number', 'traineeNo']],
    [['姓名', '证件号码', '平台编号']],
  ])('%j', async (header) => {
    const { entries, faults } = await rows([header, one, two]);
    expect(faults).toEqual([]);
    expect(entries.map(({ traineeNo }) => traineeNo)).toEqual(['T001', 'T002']);
  });

  test('what is missing is named with what was found and what is near', async () => {
    const result = await rows([['姓名', '身份证号', '学员编码'], one]);
    expect(lines(result.faults)).toEqual(['第 1 行：缺少 “学员编号” 列；已有：姓名, 身份证号, 学员编码。']);
    expect(result.faults[0]?.remedyZh).toContain('可能是 --map traineeNo=学员编码');
    expect(result.entries).toEqual([]);
  });

  test('a table without header quotes none of its rows', async () => {
    const result = await rows([one, two]);
    expect(result.faults.map(({ code }) => code)).toEqual(['sheet-header-missing']);
    expectDiscreet(result);
  });

  test('one known word in a row of persons quotes no person', async () => {
    const result = await rows([['姓名', one[0] ?? '', one[1] ?? '']]);
    expect(result.faults.map(({ code }) => code)).toContain('sheet-header-missing');
    for (const fault of result.faults) expect(fault.zh + fault.remedyZh).not.toMatch(/欧阳|15020/);
  });

  test('header alone, double header', async () => {
    expect((await rows([HEADER])).faults.map(({ code }) => code)).toEqual(['sheet-no-rows']);
    const twice = await rows([
      [...HEADER, '学号'],
      [...one, 'X1'],
    ]);
    expect(lines(twice.faults)).toEqual(['第 1 行 D 列(学号)：有两列都表示 “学员编号”：C 列和 D 列。']);
    expect(
      (
        await rows(
          [
            [...HEADER, '学号'],
            [...one, 'X1'],
          ],
          { mapping: { 学员编号: 'D' } },
        )
      ).entries[0]?.traineeNo,
    ).toBe('X1');
  });

  test('--map by letter and by header', async () => {
    const table = [['花名', '号码', '代码'], one, two];
    const mapping = { 姓名: '花名', documentNumber: 'B', traineeNo: 'c' };
    expect((await rows(table, { mapping })).entries).toHaveLength(2);
    for (const [left, right] of [
      ['颜色', 'B'],
      ['name', '没有这列'],
      ['身份证号', 'C'],
    ] as const) {
      const found = (await rows([HEADER, one], { mapping: { 学员编号: 'C', [left]: right } })).faults;
      expect(
        found.map(({ code }) => code),
        left,
      ).toContain('sheet-map-unknown');
    }
  });

  test('telephone numbers and unknown columns are named and left alone', async () => {
    const result = await rows([
      [...HEADER, '联系电话', '血型', ''],
      [...one, '13900000000', 'A', 'x'],
    ]);
    expect(lines(result.notes)).toEqual([
      '第 1 行 D 列(联系电话)：该列不使用：电话号码一律不保存。',
      '第 1 行 E 列(血型)：该列不使用：列名未识别。',
      '第 1 行 F 列：该列不使用：没有列名。',
    ]);
    expect(JSON.stringify(result)).not.toContain('139000');
  });

  test('merged titles are usual, blank rows and repeated headers are skipped with a note', async () => {
    const table = [['花名册'], HEADER, one, [''], HEADER, two, ['', '', '', '制表人']];
    const result = await rows(table, {}, '<mergeCells><mergeCell ref="A1:C1"/></mergeCells>');
    expect(result.faults).toEqual([]);
    expect(result.entries).toHaveLength(2);
    expect(lines(result.notes)).toEqual([
      '第 2 行 D 列：该列不使用：没有列名。',
      '第 4 行：已跳过该行：空行。',
      '第 5 行：已跳过该行：重复的表头。',
      '第 7 行：已跳过该行：所用各列均为空。',
    ]);
  });
});

describe('rows', () => {
  const faultsOf = async (row: Rows[number], header: readonly string[] = HEADER): Promise<readonly string[]> => {
    const result = await rows([[...header], row, [...three]]);
    expectDiscreet(result);
    expect(result.entries).toHaveLength(result.faults.length > 0 ? 1 : 2);
    return lines(result.faults);
  };

  test.each([
    ['name missing', ['', two[1], two[2]], '第 2 行 A 列(姓名)：内容为空。'],
    ['placeholder', ['测试', two[1], two[2]], '第 2 行 A 列(姓名)：不能用占位名代替真实姓名。'],
    ['check character', [two[0], '150203190001010011', two[2]], '第 2 行 B 列(身份证号)：校验码错误。'],
    ['birth date', [two[0], '150204190002290013', two[2]], '第 2 行 B 列(身份证号)：其中的出生日期不存在。'],
    [
      '15 digits',
      [two[0], '150203000101001', two[2]],
      '第 2 行 B 列(身份证号)：这是 15 位旧号码；请填写现行身份证上的 18 位号码。',
    ],
    ['rounded text', [two[0], '1.50203E+17', two[2]], '第 2 行 B 列(身份证号)：该列曾按数字保存，可能已丢失数位。'],
    ['number missing', [two[0], two[1], ''], '第 2 行 C 列(学员编号)：内容为空。'],
    [
      'number with blank',
      [two[0], two[1], 'T 1'],
      '第 2 行 C 列(学员编号)：1 至 64 个字母、汉字、数字或 “.”、“_”、“-”。',
    ],
  ] as const)('%s', async (_, row, line) => {
    expect(await faultsOf(row.map((text) => text ?? ''))).toEqual([line]);
  });

  test('the same person, the same number: by the rows of the table', async () => {
    const result = await rows([['名单'], HEADER, one, ['司马知远', one[1] ?? '', 'T001']]);
    expect(lines(result.faults)).toEqual([
      '第 4 行 B 列(身份证号)：与第 3 行重复。',
      '第 4 行 C 列(学员编号)：与第 3 行重复。',
    ]);
  });

  test('documents of other types, dates, device ids, methods', async () => {
    const header = [...HEADER, '证件类型', '考勤号', '入班日期', '退出日期', '其他验证方式'];
    const { entries, faults } = await rows([
      header,
      ['Anna Maria', 'e12345678', 'T9', '护照', '９０１', '２０２６年９月７日', '2026.9.30', '指纹、刷卡'],
    ]);
    expect(faults).toEqual([]);
    expect(entries).toEqual([
      {
        traineeNo: 'T9',
        name: 'Anna Maria',
        nameWritten: 'Anna Maria',
        documentType: 'passport',
        documentNumber: 'E12345678',
        deviceUserId: '901',
        enrolledFrom: '2026-09-07',
        enrolledTo: '2026-09-30',
        alternativeMethods: ['card', 'finger'],
      },
    ]);
  });

  test('an enrolment that ends before the class begins, a device id that a teacher has', async () => {
    const table = [
      [...HEADER, '退出日期', '机内编号'],
      [...one, '2026-09-01', '7'],
    ];
    const result = await rows(table, { from: '2026-09-07' as LocalDate, teachers: [{ deviceUserId: '7' }] });
    expect(lines(result.faults)).toEqual([
      '第 2 行 E 列(机内编号)：与某位教师的机内编号相同。',
      '第 2 行 D 列(退出日期)：退出日期早于入班日期。',
    ]);
  });

  test('numbers of trainees: stored as numbers with a warning, shown zeros kept, long ones refused', async () => {
    const result = await rows([HEADER, [one[0] ?? '', one[1] ?? '', number('2026001')]]);
    expect(result.entries[0]?.traineeNo).toBe('2026001');
    expect(result.notes.map(({ code, column, row }) => [code, column, row])).toEqual([
      ['sheet-stored-as-number', 'C', 1],
    ]);
    const long = await rows([HEADER, [one[0] ?? '', one[1] ?? '', number('2.0260010000000001E+16')]]);
    expect(long.faults.map(({ code }) => code)).toEqual(['sheet-stored-as-number']);
    const zeros = bookBytes({
      sheets: [{ rows: [HEADER, [one[0] ?? '', one[1] ?? '', { xml: '<c r="{r}" s="0"><v>12</v></c>' }]] }],
      styles: '<numFmts><numFmt numFmtId="164" formatCode="0000"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs>',
    });
    expect(parseRosterSheet(await readSheetBytes(zeros, null), { today }).entries[0]?.traineeNo).toBe('0012');
  });
});

describe('a table without header row', () => {
  test.each(['身份证', '居民身份证'])('quotes nobody, although the rows say %s and 学员', async (document) => {
    const people = [one, two].map(([name = '', id = '', no = '']) => [no, name, document, id, '学员']);
    const sheet = await rows(people);
    expect(sheet.faults.map(({ code }) => code)).toContain('sheet-header-missing');
    expectDiscreet(sheet);
  });

  test('a header broken into lines is quoted on one', async () => {
    const sheet = await rows([
      ['姓名', '身份\n证号', '学员编号', '其\n他'],
      [...one, 'x'],
    ]);
    expect(sheet.faults).toEqual([]);
    expect(lines(sheet.notes).join('')).not.toContain('\n');
  });
});

test('merged cells of a column that is not used stop nothing', async () => {
  const table = [
    [...HEADER, '备注'],
    [...one, '共用'],
    [...two, ''],
  ];
  const after = (range: string): string => `<mergeCells><mergeCell ref="${range}"/></mergeCells>`;
  expect((await rows(table, {}, after('D2:D3'))).faults).toEqual([]);
  expect((await rows(table, {}, after('A2:A3'))).faults.map(({ code }) => code)).toContain('sheet-merged');
});
