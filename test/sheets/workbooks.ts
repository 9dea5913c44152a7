/** Small workbooks written out by hand, so that a test can spoil any part of them. Independent of the program's own writer. */
import { zipBytes, type ZipPart } from './zip.js';

const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006/relationships';

export interface TestSheet {
  readonly name?: string;
  readonly state?: 'hidden' | 'veryHidden';
  /** Rows of texts (inline), or cells as XML. */
  readonly rows?: readonly (readonly (string | { readonly xml: string })[])[];
  /** What stands before `sheetData`, after it, and inside instead of `rows`. */
  readonly before?: string;
  readonly after?: string;
  readonly data?: string;
}

export interface TestBook {
  readonly sheets?: readonly TestSheet[];
  readonly is1904?: boolean;
  readonly styles?: string;
  readonly texts?: string;
  /** Parts more, or instead of those of the same name. */
  readonly parts?: readonly ZipPart[];
}

export const escape = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

const letters = (column: number): string => String.fromCharCode(64 + column);

export function rowsXml(rows: NonNullable<TestSheet['rows']>): string {
  return rows
    .map((row, index) => {
      const cells = row.map((cell, at) =>
        typeof cell === 'string'
          ? cell === ''
            ? ''
            : `<c r="${letters(at + 1)}${index + 1}" t="inlineStr"><is><t>${escape(cell)}</t></is></c>`
          : cell.xml.replace('{r}', `${letters(at + 1)}${index + 1}`),
      );
      return `<row r="${index + 1}">${cells.join('')}</row>`;
    })
    .join('');
}

export const sheetXml = (sheet: TestSheet): string =>
  `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="${MAIN}">${sheet.before ?? ''}<sheetData>${
    sheet.data ?? rowsXml(sheet.rows ?? [])
  }</sheetData>${sheet.after ?? ''}</worksheet>`;

export function bookParts(book: TestBook): readonly ZipPart[] {
  const sheets = book.sheets ?? [
    {
      rows: [
        ['姓名', '学号'],
        ['欧阳青禾', 'T1'],
      ],
    },
  ];
  const tabs = sheets
    .map(
      ({ name, state }, index) =>
        `<sheet name="${escape(name ?? `Sheet${index + 1}`)}" sheetId="${index + 1}" r:id="rId${index + 1}"${
          state === undefined ? '' : ` state="${state}"`
        }/>`,
    )
    .join('');
  const relation = (id: string, type: string, target: string): string =>
    `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${target}"/>`;
  const parts: ZipPart[] = [
    {
      name: '[Content_Types].xml',
      data: '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    },
    {
      name: '_rels/.rels',
      data: `<Relationships xmlns="${PACKAGE}">${relation('r', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    },
    {
      name: 'xl/workbook.xml',
      data: `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><workbookPr date1904="${book.is1904 === true ? 1 : 0}"/><sheets>${tabs}</sheets></workbook>`,
    },
    {
      name: 'xl/_rels/workbook.xml.rels',
      data: `<Relationships xmlns="${PACKAGE}">${sheets.map((_, index) => relation(`rId${index + 1}`, 'worksheet', `worksheets/sheet${index + 1}.xml`)).join('')}${relation('s', 'sharedStrings', 'sharedStrings.xml')}${relation('t', 'styles', '/xl/styles.xml')}</Relationships>`,
    },
    ...sheets.map((sheet, index) => ({ name: `xl/worksheets/sheet${index + 1}.xml`, data: sheetXml(sheet) })),
  ];
  if (book.texts !== undefined)
    parts.push({ name: 'xl/sharedStrings.xml', data: `<sst xmlns="${MAIN}">${book.texts}</sst>` });
  if (book.styles !== undefined)
    parts.push({ name: 'xl/styles.xml', data: `<styleSheet xmlns="${MAIN}">${book.styles}</styleSheet>` });
  const more = book.parts ?? [];
  return [...parts.filter(({ name }) => !more.some((one) => one.name === name)), ...more];
}

export const bookBytes = (book: TestBook = {}): Buffer => zipBytes(bookParts(book));

/** A workbook with one sheet of texts. */
export const textBook = (rows: NonNullable<TestSheet['rows']>): Buffer => bookBytes({ sheets: [{ rows }] });
