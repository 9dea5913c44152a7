/**
 * Writes a workbook as an XLSX file: a ZIP of SpreadsheetML parts (ECMA-376). The same workbook gives the same bytes: no time,
 * no random number, and a fixed order of the parts.
 *
 * Throws `sheet-refused` for what spreadsheet programs would call damaged. Texts never become formulas, and characters
 * that XML cannot hold are left out.
 */
import { ZipFile } from 'yazl';
import { instant, nativeDate } from '../core/time.js';
import { checkWorkbook, type Workbook } from './write-xlsx-book.js';
import {
  contentTypesXml,
  drawingRelationsXml,
  drawingXml,
  propertiesXml,
  rootRelationsXml,
  sheetRelationsXml,
  workbookRelationsXml,
  workbookXml,
} from './write-xlsx-parts.js';
import { sheetXml } from './write-xlsx-sheet.js';
import { createStyleBook } from './write-xlsx-styles.js';
import { cellText } from './write-xlsx-text.js';

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';

/** The bytes of a whole `.xlsx` file. */
export async function xlsxBytes(book: Workbook): Promise<Uint8Array> {
  checkWorkbook(book);
  return zipped(partsOf(book));
}

function partsOf(book: Workbook): ReadonlyMap<string, Uint8Array> {
  const parts = new Map<string, Uint8Array>();
  const put = (name: string, xml: string): void => void parts.set(name, Buffer.from(XML + xml, 'utf8'));
  const styles = createStyleBook(book.fontSize);
  const texts = new Map<string, number>();
  const shared = (text: string): number => {
    const number = texts.get(text) ?? texts.size;
    texts.set(text, number);
    return number;
  };
  const sheets = book.sheets.map((sheet, index) => sheetXml(sheet, styles, shared, index === 0));

  put('[Content_Types].xml', contentTypesXml(book.sheets));
  put('_rels/.rels', rootRelationsXml());
  put('docProps/core.xml', propertiesXml(book));
  put('xl/workbook.xml', workbookXml(book));
  put('xl/_rels/workbook.xml.rels', workbookRelationsXml(book.sheets));
  put('xl/styles.xml', styles.xml());
  put('xl/sharedStrings.xml', sharedStringsXml([...texts.keys()]));
  sheets.forEach((xml, index) => put(`xl/worksheets/sheet${index + 1}.xml`, xml));
  book.sheets.forEach(({ images = [] }, index) => {
    if (images.length === 0) return;
    const no = index + 1;
    const files = images.map((_, place) => `image${no}-${place + 1}.png`);
    put(`xl/worksheets/_rels/sheet${no}.xml.rels`, sheetRelationsXml(no));
    put(`xl/drawings/drawing${no}.xml`, drawingXml(images));
    put(`xl/drawings/_rels/drawing${no}.xml.rels`, drawingRelationsXml(files));
    images.forEach((image, place) => parts.set(`xl/media/${files[place] ?? ''}`, image.png));
  });
  return parts;
}

function sharedStringsXml(texts: readonly string[]): string {
  const items = texts.map((text) => `<si><t xml:space="preserve">${cellText(text)}</t></si>`).join('');
  return `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="${texts.length}">${items}</sst>`;
}

/** A ZIP of these parts. Their time is the earliest that a ZIP can tell, in every time zone. */
async function zipped(parts: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const zip = new ZipFile();
  const options = { mtime: nativeDate(instant(0)), mode: 0o100644, forceDosTimestamp: true };
  for (const [name, bytes] of parts) zip.addBuffer(Buffer.from(bytes), name, options);
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}
