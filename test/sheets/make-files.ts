/**
 * Makes the files in `test/sheets/files/` anew; not part of the tests. Compile it (`npx tsc --outDir DIR --rootDir .
 * --noEmit false`) and run it with the folder as argument when a file is to change, with LibreOffice installed: the workbooks and two CSV files are written by it, as a witness that is not ours.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import iconv from 'iconv-lite';
import { inGbk, ROSTER_ROWS } from './people.js';
import { escape } from './workbooks.js';

const target = process.argv[2] ?? '.';
const work = mkdtempSync(join(tmpdir(), 'rollcall-files-'));
const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
const csv = (rows: readonly (readonly string[])[], separator = ','): string =>
  rows.map((row) => row.map(quoted).join(separator) + '\r\n').join('');

/** Flat OpenDocument: cells with types, so that LibreOffice writes real dates, numbers, formulas and merged cells. */
const flat = (rows: readonly (readonly string[])[], table = ''): string => {
  const cell = (text: string): string => {
    if (text.startsWith('<')) return text;
    const date = /^(\d{4})\/(\d{1,2})\/(\d{1,2})$/.exec(text);
    if (date) {
      const iso = `${date[1] ?? ''}-${(date[2] ?? '').padStart(2, '0')}-${(date[3] ?? '').padStart(2, '0')}`;
      return `<table:table-cell table:style-name="d" office:value-type="date" office:date-value="${iso}"/>`;
    }
    if (/^\d{1,3}$/.test(text)) return `<table:table-cell office:value-type="float" office:value="${text}"/>`;
    if (text === '') return '<table:table-cell/>';
    return `<table:table-cell office:value-type="string"><text:p>${escape(text)}</text:p></table:table-cell>`;
  };
  const lines = rows.map((row) => `<table:table-row>${row.map(cell).join('')}</table:table-row>`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0" office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.spreadsheet">
<office:automatic-styles><number:date-style style:name="N1"><number:year number:style="long"/><number:text>年</number:text><number:month/><number:text>月</number:text><number:day/><number:text>日</number:text></number:date-style>
<style:style style:name="d" style:family="table-cell" style:data-style-name="N1"/></office:automatic-styles>
<office:body><office:spreadsheet><table:table table:name="花名册">${table}${lines}</table:table></office:spreadsheet></office:body></office:document>`;
};

const office = (name: string, as: string, filter: string): void => {
  execFileSync(
    'soffice',
    [
      '--headless',
      `-env:UserInstallation=file://${work}/profile`,
      '--convert-to',
      filter,
      '--outdir',
      work,
      join(work, name),
    ],
    { stdio: 'ignore' },
  );
  copyFileSync(join(work, `${name.replace(/\..*$/, '')}.${filter.split(':')[0] ?? ''}`), join(target, as));
};

const gbkRows = ROSTER_ROWS.filter((row) => inGbk(row[1] ?? ''));
writeFileSync(join(target, 'roster-gbk.csv'), iconv.encode(csv(gbkRows), 'gbk'));
writeFileSync(join(target, 'roster-gb18030.csv'), iconv.encode(csv(ROSTER_ROWS), 'gb18030'));
writeFileSync(join(target, 'roster-utf8-bom.csv'), `\ufeff${csv(ROSTER_ROWS)}`);
writeFileSync(join(target, 'roster-semicolon.csv'), csv(ROSTER_ROWS, ';').replace(/\r\n/g, '\n'));
writeFileSync(join(target, 'roster-unicode-text.txt'), iconv.encode(`\ufeff${csv(ROSTER_ROWS, '\t')}`, 'utf-16le'));

writeFileSync(join(work, 'roster.fods'), flat(ROSTER_ROWS));
office('roster.fods', 'roster-60.xlsx', 'xlsx:Calc MS Excel 2007 XML');
office('roster.fods', 'roster-libreoffice.csv', 'csv:Text - txt - csv (StarCalc):44,34,76,1');
office('roster.fods', 'roster.ods', 'ods:calc8');
office('roster.fods', 'roster-old.xls', 'xls:MS Excel 97');
office('roster.fods', 'roster-page.xls', 'html:HTML (StarCalc)');

const [title = [], header = [], first = [], second = []] = ROSTER_ROWS;
const formula =
  '<table:table-cell table:formula="of:=CONCATENATE(&quot;BT26&quot;;&quot;0001&quot;)" office:value-type="string" office:string-value="BT260001"/>';
writeFileSync(
  join(work, 'formula.fods'),
  flat([title, header, first.map((text, at) => (at === 3 ? formula : text)), second]),
);
office('formula.fods', 'formula.xlsx', 'xlsx:Calc MS Excel 2007 XML');

const merged =
  '<table:table-cell table:number-columns-spanned="1" table:number-rows-spanned="2" office:value-type="string"><text:p>BT260001</text:p></table:table-cell>';
writeFileSync(
  join(work, 'merged.fods'),
  flat([
    title,
    header,
    first.map((text, at) => (at === 3 ? merged : text)),
    second.map((text, at) => (at === 3 ? '<table:covered-table-cell/>' : text)),
  ]),
);
office('merged.fods', 'merged.xlsx', 'xlsx:Calc MS Excel 2007 XML');

const asNumber = (id: string): string =>
  `<table:table-cell office:value-type="float" office:value="${id.replace('X', '0')}"/>`;
writeFileSync(
  join(work, 'numbers.fods'),
  flat([title, header, ...[first, second].map((row) => row.map((text, at) => (at === 2 ? asNumber(text) : text)))]),
);
office('numbers.fods', 'numbers.xlsx', 'xlsx:Calc MS Excel 2007 XML');
office('numbers.fods', 'numbers.csv', 'csv:Text - txt - csv (StarCalc):44,34,76,1');
