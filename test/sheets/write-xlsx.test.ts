/** Workbooks are read back by others: an XML parser, LibreOffice and a ZIP reader, none of which shares code with the writer. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SaxesParser } from 'saxes';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { xlsxBytes } from '../../src/sheets/write-xlsx.js';
import type { Sheet, Workbook } from '../../src/sheets/write-xlsx-book.js';
import { cellText, columnName, headText, plainText } from '../../src/sheets/write-xlsx-text.js';
import { needs } from '../support/needs.js';

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** One red dot. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
  'base64',
);

const book = (...sheets: readonly Sheet[]): Workbook => ({ title: '试卷', sheets });
const sheet = (over: Partial<Sheet> = {}): Sheet => ({ name: '表一', rows: [{ cells: ['甲'] }], ...over });

const FULL = book(
  sheet({
    columns: [{ width: 6 }, { width: 20, style: { format: 'text' } }],
    rows: [
      { cells: [{ value: '标题', style: { bold: true, size: 16, align: 'center' } }, null], height: 30 },
      { cells: ['=1+1', '+86', '-3', '@x', { value: '150203190001010011', style: { format: 'text', border: 'all' } }] },
      { cells: ['a\u0000b\u000bc\ud800d', '𠮷野·阿卜杜', '_x0041_', '<&>"', 'line\r\nbreak'] },
      { cells: [42, { value: 99.5, style: { format: '0.0', fill: 'DDDDDD', color: 'FF0000' } }, null, '', Number.NaN] },
    ],
    merges: [
      { row: 1, column: 1, toRow: 1, toColumn: 2 },
      { row: 2, column: 2, toRow: 2, toColumn: 2 },
    ],
    freeze: { rows: 1, columns: 1 },
    page: {
      orientation: 'landscape',
      fitToWidth: true,
      centered: true,
      repeatRows: { from: 1, to: 1 },
      breaksAfter: [2],
      header: { center: 'R&D' },
      footer: { left: '2026', right: '第 {page} 页 共 {pages} 页' },
    },
    images: [{ png: PNG, row: 5, column: 1, widthMm: 20, heightMm: 20, words: '二维码 "QR"' }],
    choices: [{ range: { row: 2, column: 3, toRow: 9, toColumn: 3 }, values: ['idCard', 'passport'] }],
  }),
  sheet({ name: "第二张 'x'y", page: { orientation: 'portrait', repeatRows: { from: 1, to: 2 } } }),
);

async function partsOf(bytes: Uint8Array): Promise<Map<string, Buffer>> {
  const zip = await fromBufferPromise(Buffer.from(bytes));
  const parts = new Map<string, Buffer>();
  for await (const entry of zip.eachEntry()) {
    const stream = await zip.openReadStreamPromise(entry);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
    parts.set(entry.fileName, Buffer.concat(chunks));
  }
  return parts;
}

/** Throws at the first thing that is not well-formed. */
function parse(xml: string): string[] {
  const names: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name }) => void names.push(name));
  parser.write(xml).close();
  return names;
}

let profileDir: string | null = null;
afterAll(() => {
  if (profileDir !== null) rmSync(profileDir, { recursive: true, force: true });
});

function converted(bytes: Uint8Array, to: string, from = 'book.xlsx'): { readonly dir: string; readonly file: string } {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-xlsx-'));
  dirs.push(dir);
  writeFileSync(join(dir, from), bytes);
  // One profile for the file: LibreOffice takes longer to make one than to convert.
  profileDir ??= mkdtempSync(join(tmpdir(), 'rollcall-soffice-'));
  const profile = `-env:UserInstallation=file://${profileDir}`;
  const run = spawnSync('soffice', [profile, '--headless', '--convert-to', to, '--outdir', dir, join(dir, from)], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(run.status, run.stderr).toBe(0);
  return { dir, file: join(dir, `book.${to.split(':')[0] ?? ''}`) };
}

describe('the file', () => {
  test('the same workbook gives the same bytes, and no part tells a time of today', async () => {
    const [one, two] = [await xlsxBytes(FULL), await xlsxBytes(FULL)];
    expect(Buffer.compare(one, two)).toBe(0);
    const zip = await fromBufferPromise(Buffer.from(one));
    for await (const entry of zip.eachEntry()) expect(entry.getLastModDate().getFullYear()).toBe(1980);
  });

  test('every part is well-formed XML, and every relation leads to a part', async () => {
    const parts = await partsOf(await xlsxBytes(FULL));
    for (const [name, bytes] of parts) if (!name.endsWith('.png')) parse(bytes.toString('utf8'));
    expect(parts.get('xl/media/image1-1.png')).toEqual(PNG);
    for (const [name, bytes] of parts) {
      if (!name.endsWith('.rels')) continue;
      const base = name.replace(/_rels\/[^/]+$/, '');
      for (const [, target = ''] of bytes.toString('utf8').matchAll(/Target="([^"]+)"/g))
        expect([...parts.keys()]).toContain(new URL(target, `file:///${base}`).pathname.slice(1));
    }
  });

  test('parts of a sheet stand in the order that the format wants', async () => {
    const parts = await partsOf(await xlsxBytes(FULL));
    const names = parse(parts.get('xl/worksheets/sheet1.xml')?.toString('utf8') ?? '');
    const order =
      'sheetPr dimension sheetViews sheetFormatPr cols sheetData mergeCells dataValidations printOptions pageMargins pageSetup headerFooter rowBreaks drawing'.split(
        ' ',
      );
    expect(names.filter((name) => order.includes(name))).toEqual(order);
  });

  test('a style is written once however often it is used', async () => {
    const cell = { value: 'x', style: { bold: true } } as const;
    const parts = await partsOf(await xlsxBytes(book(sheet({ rows: [{ cells: [cell, cell, { ...cell }] }] }))));
    expect(parts.get('xl/styles.xml')?.toString('utf8')).toContain('<cellXfs count="2">');
    expect(parts.get('xl/sharedStrings.xml')?.toString('utf8')).toContain('uniqueCount="1"');
  });
});

describe('texts', () => {
  test('what XML cannot hold goes, what looks like an escape stays as written', () => {
    expect(plainText('a\u0000b\u001fc\ud800d\ufffe')).toBe('abcd');
    expect(plainText('𠮷')).toBe('𠮷');
    expect(cellText('_x0041_ & <b>')).toBe('_x005F_x0041_ &amp; &lt;b&gt;');
    expect(plainText('吉'.repeat(40_000))).toHaveLength(32_767);
    expect(plainText(`a${'𠮷'.repeat(20_000)}`)).not.toMatch(/\p{Surrogate}/u);
  });

  test('column names go on after Z', () => {
    expect([1, 26, 27, 52, 53, 702, 703].map(columnName)).toEqual(['A', 'Z', 'AA', 'AZ', 'BA', 'ZZ', 'AAA']);
  });

  test('a header shows & as such and numbers pages', () => {
    expect(headText({ left: '2026 R&D', right: '{page}/{pages}' })).toBe('&L&9 2026 R&&D&R&9&P/&N');
  });
});

describe('what is refused', () => {
  const refused = { code: 'sheet-refused' };
  test.each(['', 'a/b', 'x'.repeat(32), "'a", 'a:b', '[a]', 'a\n'])('sheet name %j', async (name) => {
    await expect(xlsxBytes(book(sheet({ name })))).rejects.toMatchObject(refused);
  });

  test('two sheets of one name, whatever the case', async () => {
    await expect(xlsxBytes(book(sheet({ name: 'ab' }), sheet({ name: 'AB' })))).rejects.toMatchObject(refused);
  });

  test('a workbook without a sheet, and merged ranges that share a cell', async () => {
    await expect(xlsxBytes(book())).rejects.toMatchObject(refused);
    const merges = [
      { row: 1, column: 1, toRow: 2, toColumn: 2 },
      { row: 2, column: 2, toRow: 3, toColumn: 3 },
    ];
    await expect(xlsxBytes(book(sheet({ merges })))).rejects.toMatchObject(refused);
  });
});

const soffice = needs('soffice');
const poppler = needs('pdftotext');
const skipped = [soffice, poppler].find((need) => !need.available);
describe.skipIf(skipped !== undefined)(`LibreOffice opens it ${skipped?.reason ?? ''}`, () => {
  test(
    'the cells hold what was written, numbers as numbers and texts (in quotes) as texts',
    { timeout: 120_000 },
    async () => {
      const { file } = converted(await xlsxBytes(FULL), 'csv:Text - txt - csv (StarCalc):44,34,76,1');
      expect(readFileSync(file, 'utf8').replace(/^\ufeff/, '')).toBe(
        [
          '"标题",,,,',
          '"=1+1","+86","-3","@x","150203190001010011"',
          '"abcd","𠮷野·阿卜杜","_x0041_","<&>""","line\nbreak"',
          '42,99.5,,,',
          '',
        ].join('\n'),
      );
    },
  );

  test('it prints on A4 landscape, with the title rows on every page', { timeout: 120_000 }, async () => {
    const { file } = converted(await xlsxBytes(FULL), 'pdf');
    const info = spawnSync('pdfinfo', ['-f', '1', '-l', '9', file], { encoding: 'utf8' }).stdout;
    expect(info).toMatch(/Page +1 size: +841\.\d+ x 595\.\d+ pts \(A4\)/);
    const pages = spawnSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }).stdout.split('\f');
    expect(pages[0]).toMatch(/标题[^]*第\s*1\s*页\s*共\s*3\s*页/);
    expect(pages[1]).toMatch(/R&D[^]*标题[^]*第\s*2\s*页\s*共\s*3\s*页/);
    const pictures = spawnSync('pdfimages', ['-list', file], { encoding: 'utf8' }).stdout.trim().split('\n');
    expect(pictures).toHaveLength(3);
  });
});
