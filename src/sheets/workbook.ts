/**
 * The frame of a workbook (ECMA-376 part 1, §18.2 to §18.8): which sheets it has and which are visible, its list of texts,
 * its number formats, its date system. Macros and links to other files are noted and never followed.
 */
import { fail } from '../core/errors.js';
import type { Archive } from './archive.js';
import { numberFormat, type NumberFormat } from './number-format.js';
import { SHEET_LIMITS, type SheetNote } from './sheet.js';
import { readXml } from './xml.js';

export interface SheetEntry {
  readonly name: string;
  /** Name of its part in the archive. */
  readonly part: string;
  readonly hidden: boolean;
}

export interface Workbook {
  /** Work sheets alone, in the order of the tabs. */
  readonly sheets: readonly SheetEntry[];
  readonly texts: readonly string[];
  /** By the index that a cell's `s` gives. */
  readonly formats: readonly NumberFormat[];
  readonly is1904: boolean;
  readonly notes: readonly SheetNote[];
}

interface Relation {
  readonly id: string;
  /** Last word of the relationship's type. */
  readonly type: string;
  readonly target: string;
}

/** Throws `sheet-foreign` when the archive is no workbook. */
export async function readWorkbook(archive: Archive): Promise<Workbook> {
  const part = await workbookPart(archive);
  const relations = await readRelations(archive, part);
  const frame = await readFrame(archive, part);
  const byId = new Map(relations.map((one) => [one.id, one]));
  const sheets = frame.sheets.flatMap(({ name, id, hidden }) => {
    const relation = byId.get(id);
    return relation?.type === 'worksheet' ? [{ name, part: relation.target, hidden }] : [];
  });
  const ofType = (type: string): string | undefined =>
    relations.find((one) => one.type === type && archive.has(one.target))?.target;
  const texts = ofType('sharedStrings');
  const styles = ofType('styles');
  const notes: SheetNote[] = [];
  if (archive.names.some((name) => /vbaProject\.bin$|\/macrosheets\//i.test(name))) {
    notes.push({ code: 'macros', en: 'the workbook has macros; they are ignored', zh: '工作簿含有宏，已忽略' });
  }
  if (archive.names.some((name) => /\/externalLinks\//i.test(name))) {
    notes.push({
      code: 'external-links',
      en: 'the workbook links to other files; they are not opened',
      zh: '工作簿链接了其他文件，未打开',
    });
  }
  return {
    sheets,
    texts: texts === undefined ? [] : await readTexts(archive, texts),
    formats: styles === undefined ? [] : await readFormats(archive, styles),
    is1904: frame.is1904,
    notes,
  };
}

async function workbookPart(archive: Archive): Promise<string> {
  if (archive.has('mimetype') || archive.has('content.xml')) {
    throw fail('sheet-foreign', { what: 'an OpenDocument file (.ods)', whatZh: 'OpenDocument 文件(.ods)' });
  }
  if (!archive.has('_rels/.rels') || !archive.has('[Content_Types].xml')) {
    throw fail('sheet-foreign', { what: 'a ZIP archive that is no workbook', whatZh: '不是工作簿的 ZIP 压缩包' });
  }
  const main = (await readRelations(archive, '')).find((one) => one.type === 'officeDocument');
  if (main?.target.toLowerCase().endsWith('.bin') === true) {
    throw fail('sheet-foreign', { what: 'a binary workbook (.xlsb)', whatZh: '二进制工作簿(.xlsb)' });
  }
  if (main === undefined || !archive.has(main.target)) {
    throw fail('sheet-foreign', { what: 'an Office file without a document', whatZh: '缺少正文的 Office 文件' });
  }
  return main.target;
}

/** Relations of a part to others inside the archive; those that lead outside are left out. */
async function readRelations(archive: Archive, part: string): Promise<readonly Relation[]> {
  const slash = part.lastIndexOf('/') + 1;
  const folder = part.slice(0, slash);
  const name = `${folder}_rels/${part.slice(slash)}.rels`;
  const relations: Relation[] = [];
  await readXml(archive, name, {
    open(element, attributes) {
      const { Id: id, Type: type, Target: target } = attributes;
      if (element !== 'Relationship' || id === undefined || type === undefined || target === undefined) return;
      if (attributes.TargetMode === 'External' || !isPartName(target)) return;
      relations.push({ id, type: type.slice(type.lastIndexOf('/') + 1), target: resolve(folder, target) });
    },
  });
  return relations;
}

/** Names of parts stand in errors: nothing that breaks a line or turns the direction of writing, and no book for a name. */
const isPartName = (target: string): boolean => target.length <= 255 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(target);

/** A target that is relative to the folder of its part, without `.` and `..`; it only ever names a part of the archive. */
function resolve(folder: string, target: string): string {
  const steps = (target.startsWith('/') ? target : folder + target).split('/');
  const path: string[] = [];
  for (const step of steps) {
    if (step === '..') path.pop();
    else if (step !== '' && step !== '.') path.push(step);
  }
  return path.join('/');
}

async function readFrame(
  archive: Archive,
  part: string,
): Promise<{
  readonly sheets: readonly { readonly name: string; readonly id: string; readonly hidden: boolean }[];
  readonly is1904: boolean;
}> {
  const sheets: { readonly name: string; readonly id: string; readonly hidden: boolean }[] = [];
  let is1904 = false;
  const roots: string[] = [];
  await readXml(archive, part, {
    open(element, attributes, within) {
      if (within.length === 0) roots.push(element);
      if (element === 'workbookPr') is1904 = isTrue(attributes.date1904);
      if (element !== 'sheet' || within.at(-1) !== 'sheets') return;
      const name = sheetName(attributes.name ?? '');
      sheets.push({ name, id: attributes.id ?? '', hidden: (attributes.state ?? 'visible') !== 'visible' });
      if (sheets.length > SHEET_LIMITS.sheetsMax) {
        const most = SHEET_LIMITS.sheetsMax;
        throw fail('sheet-bomb', {
          place: part,
          reason: `more than ${most} sheets`,
          reasonZh: `工作表超过 ${most} 个`,
        });
      }
    },
  });
  if (roots[0] !== 'workbook') {
    throw fail('sheet-foreign', { what: 'an Office document that is no workbook', whatZh: '不是工作簿的 Office 文档' });
  }
  return { sheets, is1904 };
}

const NAME_CHARACTERS_MAX = 64;

/** Excel allows 31 characters; a name stands in errors and notes, so nothing in it breaks a line or turns the direction of writing. */
const sheetName = (written: string): string =>
  Array.from(written.normalize('NFC').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ''))
    .slice(0, NAME_CHARACTERS_MAX)
    .join('');

export const isTrue = (value: string | undefined): boolean => value === '1' || value === 'true' || value === 'on';

/** Characters that XML cannot hold are written `_x000D_` (ECMA-376 part 1, §22.9.2.19). */
export const unescapeText = (text: string): string =>
  text.replace(/_x([0-9A-F]{4})_/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Texts that cells share: plain or in runs; phonetic hints (`rPh`) are not part of a text. */
async function readTexts(archive: Archive, part: string): Promise<readonly string[]> {
  const texts: string[] = [];
  let current = '';
  let isText = false;
  let characters = 0;
  await readXml(archive, part, {
    open(element, _, within) {
      if (element === 'si') current = '';
      isText = element === 't' && !within.includes('rPh');
    },
    text(text) {
      if (isText) current += text;
    },
    close(element) {
      isText = false;
      if (element !== 'si') return undefined;
      characters += current.length + 8;
      if (characters > 2 * SHEET_LIMITS.charactersMax) {
        throw fail('sheet-bomb', { place: part, reason: 'too many texts', reasonZh: '文本过多' });
      }
      // Joined pieces keep what they were cut from; a copy lets the part go.
      texts.push(unescapeText(Buffer.from(current, 'utf8').toString('utf8')));
      return undefined;
    },
  });
  return texts;
}

const FORMATS_MAX = 65_536;

async function readFormats(archive: Archive, part: string): Promise<readonly NumberFormat[]> {
  const codes = new Map<number, string>();
  const ids: number[] = [];
  await readXml(archive, part, {
    open(element, attributes, within) {
      const id = Number(attributes.numFmtId ?? 0);
      if (element === 'numFmt' && within.at(-1) === 'numFmts' && codes.size < FORMATS_MAX) {
        codes.set(id, (attributes.formatCode ?? '').slice(0, 255));
      }
      if (element === 'xf' && within.at(-1) === 'cellXfs' && ids.length < FORMATS_MAX) ids.push(id);
    },
  });
  const known = new Map<number, NumberFormat>();
  return ids.map((id) => {
    const format = known.get(id) ?? numberFormat(id, codes.get(id));
    known.set(id, format);
    return format;
  });
}
