/** Every kind of file that is refused: its code, its place, and a sentence in both languages that names no person. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import iconv from 'iconv-lite';
import { describe, expect, test } from 'vitest';
import { GatewayError, type ErrorCode } from '../../src/core/errors.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { PEOPLE } from './people.js';
import { bookBytes, bookParts, sheetXml, textBook } from './workbooks.js';
import { zipBytes, type ZipPart } from './zip.js';

const file = (name: string): Buffer => readFileSync(new URL(`./files/${name}`, import.meta.url));
const HEAD = ['姓名', '学号'];
const ROW = ['欧阳青禾', 'T1'];
const cell = (xml: string): { readonly xml: string } => ({ xml });
const sheet1 = 'xl/worksheets/sheet1.xml';
const part = (name: string, data: string | Buffer, more: Partial<ZipPart> = {}): Buffer =>
  bookBytes({ parts: [{ name, data, ...more }] });
const compound = (text: string): Buffer =>
  Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(504), Buffer.from(text, 'utf16le')]);
const good = sheetXml({ rows: [HEAD, ROW] });
const csv = (text: string): Buffer => Buffer.from(text, 'utf8');

/** A comment of some MiB that packs about a hundred to one: below the limit of ratio. */
function bulk(mebibytes: number): Buffer {
  const blocks = Array.from({ length: mebibytes * 16 }, () =>
    Buffer.concat([Buffer.from(randomBytes(256).toString('hex')), Buffer.alloc(65_536 - 512, ' ')]),
  );
  return Buffer.concat([csv('<!--'), ...blocks, csv('-->')]);
}

interface Case {
  readonly name: string;
  readonly bytes: () => Buffer;
  readonly code: ErrorCode;
  /** Words that both sentences must hold: the place. */
  readonly place: string;
  readonly sheet?: string;
}

const CASES: readonly Case[] = [
  { name: 'an empty file', bytes: () => Buffer.alloc(0), code: 'sheet-empty', place: '' },
  { name: 'only commas', bytes: () => csv(',,,\r\n,,,\r\n'), code: 'sheet-empty', place: '' },
  { name: 'a workbook without rows', bytes: () => textBook([]), code: 'sheet-empty', place: 'Sheet1' },
  { name: 'an old .xls', bytes: () => file('roster-old.xls'), code: 'sheet-foreign', place: '.xls' },
  { name: 'an old document', bytes: () => compound('WordDocument'), code: 'sheet-foreign', place: 'Office' },
  { name: 'a web page named .xls', bytes: () => file('roster-page.xls'), code: 'sheet-foreign', place: 'XML' },
  { name: 'OpenDocument', bytes: () => file('roster.ods'), code: 'sheet-foreign', place: '.ods' },
  { name: 'a PDF', bytes: () => csv('%PDF-1.7\n'), code: 'sheet-foreign', place: 'PDF' },
  { name: 'any ZIP', bytes: () => zipBytes([{ name: 'a.txt', data: 'a' }]), code: 'sheet-foreign', place: 'ZIP' },
  {
    name: 'a text document',
    bytes: () => part('xl/workbook.xml', '<w:document xmlns:w="w"/>'),
    code: 'sheet-foreign',
    place: 'Office',
  },
  { name: 'a password', bytes: () => compound('EncryptedPackage'), code: 'sheet-encrypted', place: '' },
  {
    name: 'an encrypted part',
    bytes: () => part(sheet1, good, { lie: { flags: 1 } }),
    code: 'sheet-encrypted',
    place: sheet1,
  },
  { name: 'a truncated ZIP', bytes: () => textBook([HEAD, ROW]).subarray(0, 700), code: 'sheet-broken', place: 'ZIP' },
  {
    name: 'a changed digit under the check sum',
    bytes: () => part(sheet1, good, { lie: { crc: crc32(good.replace('T1', 'T7')) } }),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'a size that lies',
    bytes: () => part(sheet1, good, { lie: { size: 20 } }),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'two parts of one name',
    bytes: () => zipBytes([...bookParts({}), { name: `/${sheet1.toUpperCase()}`, data: good }]),
    code: 'sheet-broken',
    place: 'ZIP',
  },
  { name: 'XML that ends early', bytes: () => part(sheet1, good.slice(0, -20)), code: 'sheet-broken', place: sheet1 },
  {
    name: 'XML nested too deep',
    bytes: () => part(sheet1, `${'<a>'.repeat(200)}${'</a>'.repeat(200)}`),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'a part that is not UTF-8',
    bytes: () => part(sheet1, iconv.encode(good, 'gbk')),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'cells out of order',
    bytes: () => bookBytes({ sheets: [{ data: '<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row>' }] }),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'a shared text that is not there',
    bytes: () =>
      bookBytes({ sheets: [{ rows: [[cell('<c r="{r}" t="s"><v>7</v></c>')]] }], texts: '<si><t>a</t></si>' }),
    code: 'sheet-broken',
    place: 'A1',
  },
  {
    name: 'billions of laughs',
    bytes: () => part(sheet1, `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>`),
    code: 'sheet-declarations',
    place: sheet1,
  },
  {
    name: 'an entity from a file',
    bytes: () => part('xl/workbook.xml', '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'),
    code: 'sheet-declarations',
    place: 'xl/workbook.xml',
  },
  { name: 'an unknown entity', bytes: () => part(sheet1, '<x>&nbsp;</x>'), code: 'sheet-declarations', place: sheet1 },
  {
    name: 'a bomb by ratio',
    bytes: () => part(sheet1, `<x>${' '.repeat(4_000_000)}</x>`),
    code: 'sheet-bomb',
    place: sheet1,
  },
  {
    name: 'a bomb by size whose header says ten bytes',
    bytes: () =>
      part('xl/styles.xml', Buffer.concat([csv('<x>'), Buffer.alloc(17 << 20, 'ab c')]), { lie: { size: 10 } }),
    code: 'sheet-broken',
    place: 'xl/styles.xml',
  },
  {
    name: 'a stored part larger than any',
    bytes: () => part(sheet1, Buffer.alloc(4 << 20, 'a'), { stored: true }),
    code: 'sheet-broken',
    place: sheet1,
  },
  {
    name: 'too many parts',
    bytes: () => zipBytes(Array.from({ length: 513 }, (_, at) => ({ name: `p${at}`, data: '' }))),
    code: 'sheet-bomb',
    place: '512',
  },
  {
    name: 'the farthest cell',
    bytes: () => bookBytes({ sheets: [{ data: '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' }] }),
    code: 'sheet-far-cell',
    place: 'XFD1048576',
  },
  {
    name: 'row 2001',
    bytes: () => bookBytes({ sheets: [{ data: '<row r="2001"><c r="B2001"><v>1</v></c></row>' }] }),
    code: 'sheet-far-cell',
    place: 'B2001',
  },
  { name: 'row 2001 of a CSV', bytes: () => csv('a,b\n'.repeat(2001)), code: 'sheet-far-cell', place: 'A2001' },
  { name: 'column 65 of a CSV', bytes: () => csv(`${','.repeat(64)}x\n`), code: 'sheet-far-cell', place: 'BM1' },
  {
    name: 'a cell of a novel',
    bytes: () => textBook([HEAD, ['长'.repeat(2001), 'T1']]),
    code: 'sheet-long-cell',
    place: 'A2',
  },
  {
    name: 'a hidden row',
    bytes: () => bookBytes({ sheets: [{ data: '<row r="7" hidden="1"><c r="A7"><v>1</v></c></row>' }] }),
    code: 'sheet-hidden',
    place: '7',
  },
  {
    name: 'a hidden column',
    bytes: () =>
      bookBytes({ sheets: [{ before: '<cols><col min="2" max="3" hidden="1"/></cols>', rows: [HEAD, ROW] }] }),
    code: 'sheet-hidden',
    place: 'B',
  },
  {
    name: 'a row of no height',
    bytes: () => bookBytes({ sheets: [{ data: '<row r="9" ht="0"><c r="A9"><v>1</v></c></row>' }] }),
    code: 'sheet-hidden',
    place: '9',
  },
  {
    name: 'two sheets that hold something',
    bytes: () =>
      bookBytes({
        sheets: [
          { name: '一班', rows: [HEAD, ROW] },
          { name: '二班', rows: [HEAD, ROW] },
        ],
      }),
    code: 'sheet-choice',
    place: '"一班", "二班"',
  },
  {
    name: 'a hidden sheet that is asked for',
    bytes: () =>
      bookBytes({ sheets: [{ rows: [HEAD, ROW] }, { name: '隐藏', state: 'veryHidden', rows: [HEAD, ROW] }] }),
    code: 'sheet-unknown',
    place: 'Sheet1',
    sheet: '隐藏',
  },
  { name: 'NUL bytes', bytes: () => csv('姓名,学号\n欧阳\0青禾,T1\n'), code: 'sheet-characters', place: '2' },
  {
    name: 'a bell in a name',
    bytes: () => csv('姓名,学号\n欧阳\u0007青禾,T1\n'),
    code: 'sheet-characters',
    place: 'A2',
  },
  {
    name: 'an escaped control character',
    bytes: () => textBook([HEAD, ['欧阳_x0007_青禾', 'T1']]),
    code: 'sheet-characters',
    place: 'A2',
  },
  {
    name: 'half of a surrogate pair',
    bytes: () => textBook([HEAD, ['欧阳_xD800_青禾', 'T1']]),
    code: 'sheet-characters',
    place: 'A2',
  },
  {
    name: 'mixed encodings',
    bytes: () => Buffer.concat([iconv.encode('姓名,学号\r\n欧阳青禾,T1\r\n', 'gbk'), csv('司马青禾,T2\r\n')]),
    code: 'sheet-encoding',
    place: '3',
  },
  {
    name: 'neither encoding',
    bytes: () => Buffer.concat([iconv.encode('姓名\n', 'gbk'), Buffer.from('ffffff', 'hex')]),
    code: 'sheet-encoding',
    place: '2',
  },
  {
    name: 'a mark that lies',
    bytes: () => Buffer.concat([Buffer.from('efbbbf', 'hex'), iconv.encode('姓名\n', 'gbk')]),
    code: 'sheet-encoding',
    place: '1',
  },
  { name: 'text that could be either', bytes: () => iconv.encode('学员\n', 'gbk'), code: 'sheet-encoding', place: '' },
  {
    name: 'a quotation mark that is not closed',
    bytes: () => csv('姓名,学号\n"欧阳青禾,T1\n'),
    code: 'sheet-quotes',
    place: '',
  },
  { name: 'a quotation mark inside', bytes: () => csv('姓名,学号\n欧阳"青"禾,T1\n'), code: 'sheet-quotes', place: '2' },
  { name: 'six mebibytes', bytes: () => Buffer.alloc(6 << 20, 'a'), code: 'sheet-too-big', place: '6291456' },
];

const refusal = async (bytes: Buffer, sheet: string | null = null): Promise<GatewayError> => {
  try {
    await readSheetBytes(bytes, sheet);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  }
  throw new Error('it was read');
};

describe('refused', () => {
  test.each(CASES)('$name: $code', async ({ bytes, code, place, sheet }) => {
    const error = await refusal(bytes(), sheet ?? null);
    expect(error.code).toBe(code);
    expect(error.kind).toBe('settings');
    for (const language of ['zh', 'en'] as const) {
      const { what, remedy } = error.explain(language);
      expect(what).toContain(place);
      expect(what + remedy).not.toMatch(/\{\w+\}/);
      expect(what + remedy).not.toMatch(/欧阳|司马|青禾/);
      for (const { id, no } of PEOPLE.slice(0, 2)) expect(what + remedy).not.toContain(id.slice(0, 10) + no);
    }
    expect(error.explain('zh').what).toMatch(/\p{Script=Han}/u);
  });

  test('16 MiB in one part and 64 MiB in all, whatever the ratio', async () => {
    const part17 = bookBytes({ parts: [{ name: sheet1, data: bulk(17) }] });
    expect((await refusal(part17)).explain('en').what).toContain('more than 16 MiB');
    const names = ['1', '2', '3', '4', '5'];
    // A sheet is not read beyond its rows, so the bulk stands in front of them.
    const front = Buffer.concat([bulk(14), csv(sheetXml({ rows: [] }).replace(/<\?xml.*?\?>/, ''))]);
    const bytes = bookBytes({
      sheets: names.map((name) => ({ name })),
      parts: names.map((name) => ({ name: `xl/worksheets/sheet${name}.xml`, data: front })),
    });
    expect(bytes.length).toBeLessThan(5 << 20);
    expect((await refusal(bytes)).explain('en').what).toContain('more than 64 MiB in all');
  });

  test('a name in the ZIP that climbs out of it is only a name', async () => {
    const bytes = zipBytes([{ name: '../../../../tmp/rollcall-was-here', data: 'x' }, ...bookParts({})]);
    expect((await readSheetBytes(bytes, null)).rows).toHaveLength(2);
  });

  test('a relationship that climbs out names no part', async () => {
    const rels =
      '<Relationships xmlns="p"><Relationship Id="rId1" Type="o/worksheet" Target="../../../../etc/passwd"/></Relationships>';
    expect((await refusal(part('xl/_rels/workbook.xml.rels', rels))).context.place).toBe('etc/passwd');
  });
});

describe('what a file cannot make the sentences say or the reader do', () => {
  const refusal = async (bytes: Buffer): Promise<string> => {
    try {
      await readSheetBytes(bytes, null);
    } catch (error) {
      if (error instanceof GatewayError) return `${error.code} ${error.explain('zh').what}`;
      throw error;
    }
    return 'read';
  };

  test('columns that are hidden from far below nothing, or from between two, are broken and cost no time', async () => {
    for (const min of ['-1e308', '1.5', '0']) {
      const bytes = bookBytes({
        sheets: [{ rows: [HEAD, ROW], before: `<cols><col min="${min}" max="3" hidden="1"/></cols>` }],
      });
      expect(await refusal(bytes)).toMatch(/^sheet-broken /);
    }
  });

  test('rows and columns too small to be seen count as hidden', async () => {
    const flat = sheetXml({ rows: [HEAD, ROW] }).replace('<row r="2">', '<row r="2" ht="0.1" customHeight="1">');
    expect(await refusal(part(sheet1, flat))).toMatch(/^sheet-hidden /);
    const narrow = bookBytes({
      sheets: [{ rows: [HEAD, ROW], before: '<cols><col min="2" max="2" width="0.05"/></cols>' }],
    });
    expect(await refusal(narrow)).toMatch(/^sheet-hidden /);
  });

  test('names of sheets are cut, on one line, and turn nothing round', async () => {
    const name = `\u202e\n花名册${'长'.repeat(5000)}`;
    const bytes = bookBytes({
      sheets: [{ name, rows: [HEAD, ROW], before: '<cols><col min="1" max="1" hidden="1"/></cols>' }],
    });
    const said = await refusal(bytes);
    expect(said).toMatch(/^sheet-hidden /);
    expect(said).not.toMatch(/[\n\u202e]/);
    expect(said.length).toBeLessThan(200);
  });

  test('a million blank rows at the end of a CSV file cost next to nothing', async () => {
    const bytes = csv(`${HEAD.join(',')}\n${ROW.join(',')}\n${',\n'.repeat(1_000_000)}`);
    const before = process.cpuUsage();
    expect((await readSheetBytes(bytes, null)).rows).toHaveLength(2);
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });

  test('UTF-16 without its mark is told as that, not as one bad cell', async () => {
    expect(await refusal(Buffer.from(`${HEAD.join(',')}\n${ROW.join(',')}\n`, 'utf16le'))).toMatch(
      /^sheet-encoding .*UTF-16/,
    );
  });
});
