/**
 * One sheet as SpreadsheetML. The order of the elements is the format's own (ECMA-376 part 1, 18.3.1.99): Excel refuses a
 * sheet whose parts stand in another order.
 */
import type { Cell, CellRange, CellValue, PageSetup, Sheet, SheetRow } from './write-xlsx-book.js';
import type { StyleBook } from './write-xlsx-styles.js';
import { cellName, headText, rangeName, xmlText } from './write-xlsx-text.js';

/** Number of a shared text. */
export type SharedText = (text: string) => number;

const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const MARGINS = { left: 10, right: 10, top: 12, bottom: 14 } as const;

export function sheetXml(sheet: Sheet, styles: StyleBook, shared: SharedText, isFirst: boolean): string {
  const rows = sheet.rows.map((row, index) => rowXml(row, index + 1, styles, shared)).join('');
  const width = sheet.rows.reduce((most, row) => Math.max(most, row.cells.length), 1);
  return [
    `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="${RELATIONS}">`,
    sheet.page?.fitToWidth === true ? '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>' : '',
    `<dimension ref="A1:${cellName(Math.max(1, sheet.rows.length), width)}"/>`,
    viewXml(sheet, isFirst),
    '<sheetFormatPr defaultRowHeight="15"/>',
    columnsXml(sheet, styles),
    `<sheetData>${rows}</sheetData>`,
    mergesXml(sheet.merges ?? []),
    choicesXml(sheet),
    sheet.page === undefined ? '' : pageXml(sheet.page),
    (sheet.images ?? []).length === 0 ? '' : '<drawing r:id="rId1"/>',
    '</worksheet>',
  ].join('');
}

function viewXml(sheet: Sheet, isFirst: boolean): string {
  const selected = isFirst ? ' tabSelected="1"' : '';
  const { rows, columns } = sheet.freeze ?? { rows: 0, columns: 0 };
  if (rows === 0 && columns === 0) return `<sheetViews><sheetView${selected} workbookViewId="0"/></sheetViews>`;
  const split = (columns > 0 ? ` xSplit="${columns}"` : '') + (rows > 0 ? ` ySplit="${rows}"` : '');
  const active = rows > 0 && columns > 0 ? 'bottomRight' : rows > 0 ? 'bottomLeft' : 'topRight';
  const pane = `<pane${split} topLeftCell="${cellName(rows + 1, columns + 1)}" activePane="${active}" state="frozen"/>`;
  return `<sheetViews><sheetView${selected} workbookViewId="0">${pane}<selection pane="${active}"/></sheetView></sheetViews>`;
}

function columnsXml(sheet: Sheet, styles: StyleBook): string {
  const columns = (sheet.columns ?? []).map(({ width, style }, index) => {
    const number = style === undefined ? '' : ` style="${styles.number(style, false)}"`;
    return `<col min="${index + 1}" max="${index + 1}" width="${width}"${number} customWidth="1"/>`;
  });
  return columns.length === 0 ? '' : `<cols>${columns.join('')}</cols>`;
}

function rowXml(row: SheetRow, number: number, styles: StyleBook, shared: SharedText): string {
  const height = row.height === undefined ? '' : ` ht="${row.height}" customHeight="1"`;
  const cells = row.cells.map((cell, index) => cellXml(cell, cellName(number, index + 1), styles, shared)).join('');
  return cells === '' && height === '' ? '' : `<row r="${number}"${height}>${cells}</row>`;
}

function cellXml(given: Cell | CellValue, at: string, styles: StyleBook, shared: SharedText): string {
  if (given === null) return '';
  const { value, style } = typeof given === 'object' ? given : { value: given, style: undefined };
  const isText = typeof value === 'string';
  const number = styles.number(style, isText && /^[=+\-@]/.test(value));
  const open = `<c r="${at}"${number === 0 ? '' : ` s="${number}"`}`;
  if (isText && value !== '') return `${open} t="s"><v>${shared(value)}</v></c>`;
  if (typeof value === 'number' && Number.isFinite(value)) return `${open}><v>${value}</v></c>`;
  return number === 0 ? '' : `${open}/>`;
}

function mergesXml(merges: readonly CellRange[]): string {
  const refs = merges
    .filter((one) => one.row !== one.toRow || one.column !== one.toColumn)
    .map((one) => `<mergeCell ref="${rangeName(one)}"/>`);
  return refs.length === 0 ? '' : `<mergeCells count="${refs.length}">${refs.join('')}</mergeCells>`;
}

function choicesXml(sheet: Sheet): string {
  const choices = (sheet.choices ?? []).map(({ range, values }) => {
    const formula = xmlText(`"${values.join(',')}"`);
    return `<dataValidation type="list" allowBlank="1" showErrorMessage="1" sqref="${rangeName(range)}"><formula1>${formula}</formula1></dataValidation>`;
  });
  return choices.length === 0 ? '' : `<dataValidations count="${choices.length}">${choices.join('')}</dataValidations>`;
}

const inches = (mm: number): string => (mm / 25.4).toFixed(4);

function pageXml(page: PageSetup): string {
  const { left, right, top, bottom } = page.margins ?? MARGINS;
  const margins =
    `<pageMargins left="${inches(left)}" right="${inches(right)}" top="${inches(top)}" bottom="${inches(bottom)}"` +
    ` header="${inches(5)}" footer="${inches(5)}"/>`;
  const fit = page.fitToWidth === true ? ' fitToWidth="1" fitToHeight="0"' : '';
  const heads = [
    page.header === undefined ? '' : `<oddHeader>${xmlText(headText(page.header))}</oddHeader>`,
    page.footer === undefined ? '' : `<oddFooter>${xmlText(headText(page.footer))}</oddFooter>`,
  ].join('');
  const breaks = (page.breaksAfter ?? []).map((row) => `<brk id="${row}" max="16383" man="1"/>`);
  return [
    page.centered === true ? '<printOptions horizontalCentered="1"/>' : '',
    margins,
    `<pageSetup paperSize="9" orientation="${page.orientation}"${fit}/>`,
    heads === '' ? '' : `<headerFooter>${heads}</headerFooter>`,
    breaks.length === 0
      ? ''
      : `<rowBreaks count="${breaks.length}" manualBreakCount="${breaks.length}">${breaks.join('')}</rowBreaks>`,
  ].join('');
}
