/**
 * One work sheet to rows and cells (ECMA-376 part 1, §18.3). Only cells that hold something count: a formatted but empty row
 * a million rows down is no row. Hidden rows and columns that hold something are refused, because nobody has looked at them.
 */
import { fail, type GatewayError } from '../core/errors.js';
import type { Archive } from './archive.js';
import { cellText, refuseFarCell, sheetWords, type SheetWords } from './cell-text.js';
import { numberCell, type NumberFormat } from './number-format.js';
import {
  cellName,
  columnLetters,
  columnNumber,
  EMPTY_CELL,
  SHEET_LIMITS,
  type Cell,
  type MergedRange,
  type SheetRow,
} from './sheet.js';
import { isTrue, unescapeText, type SheetEntry, type Workbook } from './workbook.js';
import { readXml } from './xml.js';

export interface Worksheet {
  readonly rows: readonly SheetRow[];
  readonly merged: readonly MergedRange[];
}

const PLAIN: NumberFormat = { shows: 'number', digits: 0 };
const RANGES_MAX = 2000;
/** Below these a row (points) or column (characters) cannot be seen, whatever it says of being hidden. */
const SEEN_HEIGHT_MIN = 1;
const SEEN_WIDTH_MIN = 0.2;

/** Whether a sheet holds nothing at all; stops at the first thing it finds. */
export async function isBlank(archive: Archive, entry: SheetEntry): Promise<boolean> {
  let isEmpty = true;
  await readXml(archive, entry.part, {
    open(element, _, within) {
      if (['v', 'f', 'is'].includes(element) && within.at(-1) === 'c') isEmpty = false;
    },
    close: (element) => (element === 'sheetData' || !isEmpty ? false : undefined),
  });
  return isEmpty;
}

/** A cell while its elements are read. */
interface Draft {
  readonly row: number;
  readonly column: number;
  readonly type: string;
  readonly style: number;
  value: string;
  inline: string;
  hasFormula: boolean;
  hasValue: boolean;
}

/** Throws `sheet-broken`, `sheet-far-cell`, `sheet-hidden`, and what `cellText` and `readXml` throw. */
export async function readWorksheet(archive: Archive, workbook: Workbook, entry: SheetEntry): Promise<Worksheet> {
  const words = sheetWords(entry.name);
  const collector = createCollector(workbook, entry, words);
  const merged: MergedRange[] = [];
  await readXml(archive, entry.part, {
    open(element, attributes, within) {
      const parent = within.at(-1);
      if (element === 'row' && parent === 'sheetData') collector.row(attributes);
      else if (element === 'c' && parent === 'row') collector.cell(attributes);
      else if (element === 'mergeCell' && parent === 'mergeCells') {
        if (merged.length < RANGES_MAX) merged.push(mergedRange(attributes.ref ?? '', entry.part));
      } else if (element === 'col' && parent === 'cols') collector.columns(attributes);
      else if (element === 'sheetFormatPr') collector.defaults(attributes);
      else collector.inside(element, within);
    },
    text: (text) => collector.text(text),
    close(element) {
      collector.close(element);
      return undefined;
    },
  });
  return { rows: collector.finish(), merged };
}

function mergedRange(range: string, part: string): MergedRange {
  const match = /^\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?$/.exec(range);
  const fromColumn = columnNumber(match?.[1] ?? '');
  const toColumn = columnNumber(match?.[3] ?? match?.[1] ?? '');
  if (match === null || fromColumn === null || toColumn === null) throw brokenAt(part, 'a merged range', '合并区域');
  const fromRow = Number(match[2]);
  return { range, fromRow, toRow: Number(match[4] ?? fromRow), fromColumn, toColumn };
}

const brokenAt = (part: string, what: string, whatZh: string): GatewayError =>
  fail('sheet-broken', { place: part, reason: `${what} has no place`, reasonZh: `${whatZh}的位置有误` });

interface Collector {
  row(attributes: Readonly<Record<string, string>>): void;
  cell(attributes: Readonly<Record<string, string>>): void;
  columns(attributes: Readonly<Record<string, string>>): void;
  defaults(attributes: Readonly<Record<string, string>>): void;
  inside(element: string, within: readonly string[]): void;
  text(text: string): void;
  close(element: string): void;
  finish(): readonly SheetRow[];
}

function createCollector(workbook: Workbook, entry: SheetEntry, words: SheetWords): Collector {
  const rows = new Map<number, Cell[]>();
  const hidden = { rows: new Set<number>(), columns: new Set<number>(), isRowHidden: false, byDefault: false };
  const used = new Set<number>();
  let [rowNo, column, characters] = [0, 0, 0];
  let draft: Draft | null = null;
  let target: 'value' | 'inline' | null = null;

  const put = (done: Draft): void => {
    if (!done.hasFormula && !done.hasValue && done.inline === '') return;
    const cell = cellOf(done, workbook, words);
    if (cell.kind === 'empty') return;
    refuseFarCell(done.row, done.column, words);
    characters += cell.text.length;
    if (characters > SHEET_LIMITS.charactersMax) {
      throw fail('sheet-bomb', { place: entry.part, reason: 'too much text', reasonZh: '文字过多' });
    }
    const cells = rows.get(done.row) ?? [];
    while (cells.length < done.column - 1) cells.push(EMPTY_CELL);
    cells.push(cell);
    rows.set(done.row, cells);
    used.add(done.column);
    if (hidden.isRowHidden) hidden.rows.add(done.row);
  };

  return {
    row(attributes) {
      const given = attributes.r === undefined ? rowNo + 1 : Number(attributes.r);
      if (!Number.isInteger(given) || given <= rowNo || given > 1_048_576) throw brokenAt(entry.part, 'a row', '行');
      [rowNo, column] = [given, 0];
      hidden.isRowHidden =
        attributes.hidden === undefined ? hidden.byDefault && attributes.ht === undefined : isTrue(attributes.hidden);
      if (attributes.ht !== undefined && Number(attributes.ht) < SEEN_HEIGHT_MIN) hidden.isRowHidden = true;
    },
    cell(attributes) {
      const match = /^([A-Z]{1,3})(\d{1,7})$/.exec(attributes.r ?? `${columnLetters(column + 1)}${rowNo}`);
      const at = columnNumber(match?.[1] ?? '');
      if (at === null || at <= column || Number(match?.[2]) !== rowNo) throw brokenAt(entry.part, 'a cell', '单元格');
      column = at;
      const [type, style] = [attributes.t ?? 'n', Number(attributes.s ?? 0)];
      draft = { row: rowNo, column, type, style, value: '', inline: '', hasFormula: false, hasValue: false };
    },
    columns({ min, max, hidden: isHidden, width }) {
      if (!isTrue(isHidden) && !(width !== undefined && Number(width) < SEEN_WIDTH_MIN)) return;
      const [from, to] = [Number(min), Number(max)];
      if (!Number.isInteger(from) || !Number.isInteger(to) || from < 1) throw brokenAt(entry.part, 'a column', '列');
      for (let at = from; at <= Math.min(to, SHEET_LIMITS.columnsMax); at += 1) hidden.columns.add(at);
    },
    defaults: (attributes) => void (hidden.byDefault = isTrue(attributes.zeroHeight)),
    inside(element, within) {
      target = null;
      if (draft === null) return;
      if (element === 'f') draft.hasFormula = true;
      if (element === 'v') [target, draft.hasValue] = ['value', true];
      if (element === 't' && within.includes('is') && !within.includes('rPh')) target = 'inline';
    },
    text(text) {
      if (draft === null || target === null) return;
      draft[target] += text;
      if (draft[target].length > 100_000) throw longCell(draft, words);
    },
    close(element) {
      target = null;
      if (element !== 'c' || draft === null) return;
      put(draft);
      draft = null;
    },
    finish() {
      const columns = [...hidden.columns].filter((at) => used.has(at)).map(columnLetters);
      if (columns.length > 0) throw hiddenThere(columns, 'columns', '列', words);
      if (hidden.rows.size > 0) throw hiddenThere([...hidden.rows].map(String), 'rows', '行', words);
      return [...rows].map(([no, cells]) => ({ no, cells }));
    },
  };
}

const SHOWN = 8;

function hiddenThere(which: readonly string[], what: string, whatZh: string, words: SheetWords): GatewayError {
  const list = which.slice(0, SHOWN).join(', ') + (which.length > SHOWN ? ' …' : '');
  return fail('sheet-hidden', { sheet: words.en, sheetZh: words.zh, what, whatZh, which: list });
}

const longCell = (draft: Draft, words: SheetWords): GatewayError =>
  fail('sheet-long-cell', {
    cell: cellName(draft.row, draft.column),
    sheet: words.en,
    sheetZh: words.zh,
    max: SHEET_LIMITS.cellCharactersMax,
  });

const textCell = (raw: string, draft: Draft, words: SheetWords): Cell => {
  const text = cellText(raw, draft.row, draft.column, words);
  return text === '' ? EMPTY_CELL : { kind: 'text', text, value: null };
};

/** By the cell's type (§18.18.11). The stored result of a formula is not looked at. */
function cellOf(draft: Draft, workbook: Workbook, words: SheetWords): Cell {
  if (draft.hasFormula) return { kind: 'formula', text: '', value: null };
  const written = draft.value.trim();
  switch (draft.type) {
    case 's': {
      const text = /^\d{1,9}$/.test(written) ? workbook.texts[Number(written)] : undefined;
      if (text === undefined) {
        const place = cellName(draft.row, draft.column);
        throw fail('sheet-broken', { place, reason: 'its text is missing', reasonZh: '缺少文本内容' });
      }
      return textCell(text, draft, words);
    }
    case 'inlineStr':
      return textCell(unescapeText(draft.inline), draft, words);
    case 'str':
    case 'd':
      return textCell(unescapeText(draft.value), draft, words);
    case 'b':
      return { kind: 'boolean', text: isTrue(written) ? 'TRUE' : 'FALSE', value: null };
    case 'e':
      return { kind: 'error', text: /^#[A-Z0-9/!?_]{1,20}$/.test(written) ? written : '#ERROR', value: null };
    default:
      if (written === '') return EMPTY_CELL;
      return numberCell(written, workbook.formats[draft.style] ?? PLAIN, workbook.is1904);
  }
}
