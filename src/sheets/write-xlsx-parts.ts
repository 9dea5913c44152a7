/**
 * The parts of an XLSX file around its sheets: content types, relations, the workbook, its properties, and drawings that hold
 * pictures (ECMA-376 parts 1 and 2). No part carries a time, so that the same workbook gives the same file.
 */
import type { Sheet, SheetImage, Workbook } from './write-xlsx-book.js';
import { plainText, quotedName, xmlText } from './write-xlsx-text.js';

const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006';
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006';
const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006';
const SPREADSHEET = 'application/vnd.openxmlformats-officedocument.spreadsheetml';
const EMU_PER_MM = 36_000;

const hasImages = (sheet: Sheet): boolean => (sheet.images ?? []).length > 0;

export function contentTypesXml(sheets: readonly Sheet[]): string {
  const part = (name: string, type: string): string => `<Override PartName="${name}" ContentType="${type}"/>`;
  return [
    `<Types xmlns="${PACKAGE}/content-types">`,
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>',
    '<Default Extension="xml" ContentType="application/xml"/>',
    '<Default Extension="png" ContentType="image/png"/>',
    part('/xl/workbook.xml', `${SPREADSHEET}.sheet.main+xml`),
    ...sheets.map((_, index) => part(`/xl/worksheets/sheet${index + 1}.xml`, `${SPREADSHEET}.worksheet+xml`)),
    ...sheets.flatMap((sheet, index) =>
      hasImages(sheet)
        ? [part(`/xl/drawings/drawing${index + 1}.xml`, 'application/vnd.openxmlformats-officedocument.drawing+xml')]
        : [],
    ),
    part('/xl/styles.xml', `${SPREADSHEET}.styles+xml`),
    part('/xl/sharedStrings.xml', `${SPREADSHEET}.sharedStrings+xml`),
    part('/docProps/core.xml', 'application/vnd.openxmlformats-package.core-properties+xml'),
    '</Types>',
  ].join('');
}

interface Relation {
  readonly type: string;
  readonly target: string;
}

/** Relations are called rId1, rId2, … in their order. */
function relationsXml(relations: readonly Relation[]): string {
  const items = relations.map(
    ({ type, target }, index) => `<Relationship Id="rId${index + 1}" Type="${type}" Target="${target}"/>`,
  );
  return `<Relationships xmlns="${PACKAGE}/relationships">${items.join('')}</Relationships>`;
}

export const rootRelationsXml = (): string =>
  relationsXml([
    { type: `${OFFICE}/relationships/officeDocument`, target: 'xl/workbook.xml' },
    { type: `${PACKAGE}/relationships/metadata/core-properties`, target: 'docProps/core.xml' },
  ]);

export const workbookRelationsXml = (sheets: readonly Sheet[]): string =>
  relationsXml([
    ...sheets.map((_, index) => ({
      type: `${OFFICE}/relationships/worksheet`,
      target: `worksheets/sheet${index + 1}.xml`,
    })),
    { type: `${OFFICE}/relationships/styles`, target: 'styles.xml' },
    { type: `${OFFICE}/relationships/sharedStrings`, target: 'sharedStrings.xml' },
  ]);

export const sheetRelationsXml = (no: number): string =>
  relationsXml([{ type: `${OFFICE}/relationships/drawing`, target: `../drawings/drawing${no}.xml` }]);

export const drawingRelationsXml = (files: readonly string[]): string =>
  relationsXml(files.map((file) => ({ type: `${OFFICE}/relationships/image`, target: `../media/${file}` })));

export function propertiesXml(book: Workbook): string {
  return [
    `<cp:coreProperties xmlns:cp="${PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">`,
    `<dc:title>${xmlText(plainText(book.title))}</dc:title><dc:creator>Rollcall 考勤网关</dc:creator>`,
    '</cp:coreProperties>',
  ].join('');
}

export function workbookXml(book: Workbook): string {
  const sheets = book.sheets.map(
    ({ name }, index) => `<sheet name="${xmlText(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`,
  );
  const titles = book.sheets.flatMap(({ name, page }, index) => {
    const rows = page?.repeatRows;
    if (rows === undefined) return [];
    const reference = xmlText(`${quotedName(name)}!$${rows.from}:$${rows.to}`);
    return [`<definedName name="_xlnm.Print_Titles" localSheetId="${index}">${reference}</definedName>`];
  });
  return [
    `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="${OFFICE}/relationships">`,
    '<bookViews><workbookView/></bookViews>',
    `<sheets>${sheets.join('')}</sheets>`,
    titles.length === 0 ? '' : `<definedNames>${titles.join('')}</definedNames>`,
    '</workbook>',
  ].join('');
}

export function drawingXml(images: readonly SheetImage[]): string {
  const anchors = images.map((image, index) => {
    const [width, height] = [image.widthMm, image.heightMm].map((mm) => Math.round(mm * EMU_PER_MM));
    const words = xmlText(plainText(image.words));
    return [
      `<xdr:oneCellAnchor><xdr:from><xdr:col>${image.column - 1}</xdr:col><xdr:colOff>0</xdr:colOff>`,
      `<xdr:row>${image.row - 1}</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="${width}" cy="${height}"/>`,
      `<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="${index + 2}" name="${words}" descr="${words}"/><xdr:cNvPicPr>`,
      '<a:picLocks noChangeAspect="1"/></xdr:cNvPicPr></xdr:nvPicPr>',
      `<xdr:blipFill><a:blip r:embed="rId${index + 1}"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill>`,
      `<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="${width}" cy="${height}"/></a:xfrm>`,
      '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic><xdr:clientData/></xdr:oneCellAnchor>',
    ].join('');
  });
  return [
    `<xdr:wsDr xmlns:xdr="${DRAWING}/spreadsheetDrawing" xmlns:a="${DRAWING}/main" xmlns:r="${OFFICE}/relationships">`,
    ...anchors,
    '</xdr:wsDr>',
  ].join('');
}
