/** Files as people's programs wrote them: a Chinese Excel's CSV, LibreOffice's workbooks. What was meant comes out. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import type { Cell, Sheet } from '../../src/sheets/sheet.js';
import { HEADER, inGbk, PEOPLE, ROSTER_ROWS } from './people.js';
import { bookBytes, textBook } from './workbooks.js';
import { zipBytes } from './zip.js';

const read = (name: string): Promise<Sheet> =>
  readSheetBytes(readFileSync(new URL(`./files/${name}`, import.meta.url)), null);
const texts = (sheet: Sheet, row: number): readonly string[] =>
  sheet.rows.find(({ no }) => no === row)?.cells.map(({ text }) => text) ?? [];
const cells = async (rows: readonly string[], book: Parameters<typeof bookBytes>[0] = {}): Promise<readonly Cell[]> => {
  const xml = rows.map((one) => ({ xml: one }));
  return (await readSheetBytes(bookBytes({ sheets: [{ rows: [xml] }], ...book }), null)).rows[0]?.cells ?? [];
};

describe('sixty people', () => {
  test.each([
    ['roster-gb18030.csv', 'csv', 'gb18030'],
    ['roster-utf8-bom.csv', 'csv', 'utf-8'],
    ['roster-semicolon.csv', 'csv', 'utf-8'],
    ['roster-unicode-text.txt', 'csv', 'utf-16'],
    ['roster-libreoffice.csv', 'csv', 'utf-8'],
    ['roster-60.xlsx', 'xlsx', null],
  ] as const)('%s', async (name, format, encoding) => {
    const sheet = await read(name);
    expect(sheet).toMatchObject({ format, encoding, notes: [], merged: [] });
    expect(sheet.rows).toHaveLength(63);
    expect(texts(sheet, 1)[0]).toBe(ROSTER_ROWS[0]?.[0]);
    expect(texts(sheet, 2)).toEqual([...HEADER]);
    PEOPLE.forEach(({ no, name: person, id }, index) => {
      expect(texts(sheet, index + 3).slice(0, 4)).toEqual([String(index + 1), person, id, no]);
    });
    expect(sheet.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('GBK holds all but the rarest names', async () => {
    const sheet = await read('roster-gbk.csv');
    expect(sheet.encoding).toBe('gb18030');
    const people = PEOPLE.filter(({ name }) => inGbk(name));
    expect(people.length).toBeGreaterThan(50);
    expect(sheet.rows.slice(2, -1).map(({ cells: row }) => row[1]?.text)).toEqual(people.map(({ name }) => name));
  });

  test('a date of a workbook is a date, with the number of its column beside', async () => {
    const sheet = await read('roster-60.xlsx');
    expect(sheet.rows[2]?.cells[5]).toEqual({ kind: 'date', text: '2026-09-07', value: 46_272 });
    expect(sheet.rows[2]?.cells[0]).toEqual({ kind: 'number', text: '1', value: 1 });
  });
});

describe('cells of a workbook', () => {
  test('formula, merged range and rounded number, as LibreOffice wrote them', async () => {
    expect((await read('formula.xlsx')).rows[2]?.cells[3]).toEqual({ kind: 'formula', text: '', value: null });
    expect((await read('merged.xlsx')).merged).toEqual([
      { range: 'D3:D4', fromRow: 3, toRow: 4, fromColumn: 4, toColumn: 4 },
    ]);
    expect((await read('numbers.xlsx')).rows[2]?.cells[2]).toMatchObject({ kind: 'number' });
    expect((await read('numbers.xlsx')).rows[2]?.cells[2]?.text).toMatch(/^1\.50203\d*E\+17$/);
    expect((await read('numbers.csv')).rows[2]?.cells[2]?.kind).toBe('text');
  });

  test('shared texts in runs, without phonetic hints', async () => {
    const shared =
      '<si><r><t>欧</t></r><r><t>阳</t></r><rPh sb="0" eb="1"><t>ou</t></rPh></si><si><t xml:space="preserve"> a_x000D_b </t></si>';
    const found = await cells(['<c r="{r}" t="s"><v>0</v></c>', '<c r="{r}" t="s"><v>1</v></c>'], { texts: shared });
    expect(found.map(({ text }) => text)).toEqual(['欧阳', 'a\rb']);
  });

  const styles =
    '<numFmts><numFmt numFmtId="164" formatCode="0000"/><numFmt numFmtId="165" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;;@"/>' +
    '<numFmt numFmtId="166" formatCode="[h]:mm:ss"/><numFmt numFmtId="167" formatCode="#,##0.00&quot;天&quot;"/><numFmt numFmtId="168" formatCode="[$-804]上午/下午h&quot;时&quot;mm&quot;分&quot;"/>' +
    '<numFmt numFmtId="169" formatCode="0.00E+00"/><numFmt numFmtId="170" formatCode="General"/></numFmts><cellXfs>' +
    [0, 14, 164, 165, 166, 167, 168, 31, 20, 58, 169, 170].map((id) => `<xf numFmtId="${id}"/>`).join('') +
    '</cellXfs>';
  const styled = async (style: number, value: string, is1904 = false): Promise<Cell | undefined> =>
    (await cells([`<c r="{r}" s="${style}"><v>${value}</v></c>`], { styles, is1904 }))[0];

  test.each([
    [0, '46272', 'number', '46272'],
    [1, '46272', 'date', '2026-09-07'],
    [2, '12', 'number', '0012'],
    [3, '46272.354166666664', 'date', '2026-09-07 08:30:00'],
    [4, '1.0625', 'date', '25:30:00'],
    [5, '12.5', 'number', '12.5'],
    [6, '0.58333333333333337', 'date', '14:00:00'],
    [7, '1', 'date', '1900-01-01'],
    [7, '59', 'date', '1900-02-28'],
    [7, '60', 'error', '#DATE'],
    [7, '61', 'date', '1900-03-01'],
    [7, '-1', 'error', '#DATE'],
    [7, '99999999', 'error', '#DATE'],
    [8, '0.3541666666666667', 'date', '08:30:00'],
    [8, '0.9999999', 'date', '24:00:00'],
    [9, '46272', 'date', '2026-09-07'],
    [10, '1500', 'number', '1500'],
    [11, '0.30000000000000004', 'number', '0.3'],
    [0, '1.50203190001010E+17', 'number', '1.5020319000101E+17'],
    [0, '0x10', 'error', '#NUM!'],
    [0, '1e999', 'error', '#NUM!'],
  ] as const)('format %i of %s is %s %s', async (style, value, kind, text) => {
    if (text === '24:00:00') expect((await styled(style, value))?.text).not.toBe('24:00:00');
    else expect(await styled(style, value)).toMatchObject({ kind, text });
  });

  test('the date system of 1904', async () => {
    expect(await styled(1, '44810', true)).toMatchObject({ kind: 'date', text: '2026-09-07' });
    expect(await styled(1, '0', true)).toMatchObject({ kind: 'date', text: '1904-01-01' });
  });

  test('booleans, errors, cells without number', async () => {
    const xml = [
      '<c t="b"><v>1</v></c>',
      '<c t="e"><v>#N/A</v></c>',
      '<c t="e"><v>欧阳青禾</v></c>',
      '<c t="d"><v>2026-09-07</v></c>',
    ];
    expect((await cells(xml)).map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      'boolean TRUE',
      'error #N/A',
      'error #ERROR',
      'text 2026-09-07',
    ]);
  });
});

describe('which sheet', () => {
  const rows = [
    ['姓名', '学号'],
    ['欧阳青禾', 'T1'],
  ];
  test('the only one that holds something; empty and hidden ones are told', async () => {
    const book = {
      sheets: [{ name: '空表' }, { name: '名单', rows }, { name: '草稿', state: 'hidden' as const, rows }],
    };
    const sheet = await readSheetBytes(bookBytes(book), null);
    expect(sheet.sheetName).toBe('名单');
    expect(sheet.otherSheets).toEqual(['空表', '草稿']);
    expect(sheet.notes.map(({ code }) => code).sort()).toEqual(['empty-sheet', 'hidden-sheet']);
  });

  test('the one that is named', async () => {
    const book = bookBytes({
      sheets: [
        { name: '一班', rows },
        { name: '二班', rows: rows.slice(0, 1) },
      ],
    });
    expect((await readSheetBytes(book, ' 二班 ')).rows).toHaveLength(1);
  });

  test('macros and links to other files are noted and left alone', async () => {
    const book = bookBytes({
      parts: [
        { name: 'xl/vbaProject.bin', data: 'x' },
        { name: 'xl/externalLinks/externalLink1.xml', data: '<' },
      ],
    });
    expect((await readSheetBytes(book, null)).notes.map(({ code }) => code)).toEqual(['macros', 'external-links']);
  });

  test('formatted but empty rows and hidden empty columns are nothing', async () => {
    const data = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576" hidden="1"><c r="XFD1048576" s="1"/></row>';
    const before = '<cols><col min="2" max="16384" hidden="1"/></cols>';
    expect((await readSheetBytes(bookBytes({ sheets: [{ before, data }] }), null)).rows).toHaveLength(1);
  });
});

describe('CSV', () => {
  const csv = async (text: string): Promise<readonly (readonly string[])[]> =>
    (await readSheetBytes(Buffer.from(text), null)).rows.map(({ no, cells: row }) => [
      String(no),
      ...row.map(({ kind, text: word }) => (kind === 'formula' ? '=' : word)),
    ]);

  test('an .xlsx is told from its bytes, and so is a CSV', async () => {
    expect((await readSheetBytes(textBook([['a', 'b']]), null)).format).toBe('xlsx');
    expect((await readSheetBytes(Buffer.from('a,b\n'), null)).format).toBe('csv');
    await expect(readSheetBytes(zipBytes([]), null)).rejects.toMatchObject({ code: 'sheet-foreign' });
  });

  test.each([
    [
      'a;b;"c,d"\n1;2;3\n',
      [
        ['1', 'a', 'b', 'c,d'],
        ['2', '1', '2', '3'],
      ],
    ],
    [
      'a\tb\r1\t2\r',
      [
        ['1', 'a', 'b'],
        ['2', '1', '2'],
      ],
    ],
    ['sep=;\r\na;b\r\n', [['1', 'a', 'b']]],
    [
      'a,b\r\n\r\n"x\r\ny",2\r\n',
      [
        ['1', 'a', 'b'],
        ['3', 'x\r\ny', '2'],
      ],
    ],
    ['a,"say ""hi"""\n', [['1', 'a', 'say "hi"']]],
    ['="0012",=1+1,\t12\t\n', [['1', '0012', '=', '12']]],
    ['only\n', [['1', 'only']]],
  ])('%j', async (text, expected) => {
    expect(await csv(text)).toEqual(expected);
  });
});
