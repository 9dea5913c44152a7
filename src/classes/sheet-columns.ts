/**
 * Which column of a table is what: the header row among the first rows, its words in Chinese and English, and what a person
 * says with `--map`. Columns that mean nothing here are named and left alone; telephone numbers are never taken.
 *
 * Promises that only words of a header row are ever quoted: a row is one when it holds at least one name of a column that is known here
 * and no long number, because a row of a person says 身份证 as well.
 */
import { nearestWord } from '../core/faults.js';
import { columnLetters, columnNumber, EMPTY_CELL, type Cell, type Sheet, type SheetRow } from '../sheets/sheet.js';
import { sheetFault, WHOLE_SHEET, type SheetFault, type SheetPlace } from './sheet-faults.js';

/** What `--map` said: a field (`name`, `姓名`) to a letter of a column or the words at its head. */
export type ColumnMapping = Readonly<Record<string, string>>;

/** What a table may tell, and the words that people write above it. */
export interface SheetField<F extends string> {
  readonly key: F;
  readonly zh: string;
  readonly words: readonly string[];
  readonly required: boolean;
}

export const sheetField = <F extends string>(
  key: F,
  zh: string,
  required: boolean,
  ...words: readonly string[]
): SheetField<F> => ({ key, zh, words, required });

/** Above the number of a trainee, in whatever table. */
export const TRAINEE_NO_WORDS: readonly string[] = [
  '学号',
  '学员号',
  '学员学号',
  '平台编号',
  '平台学员编号',
  '学员平台编号',
  'trainee no',
  'trainee number',
  'student no',
];

/** Above the number of an identity document, in whatever table. */
export const DOCUMENT_NUMBER_WORDS: readonly string[] = [
  '身份证号码',
  '身份证',
  '证件号',
  '证件号码',
  '公民身份号码',
  '居民身份证号',
  '居民身份证号码',
  '身份证件号码',
  '身份证件号',
  'id number',
  'id no',
  'id card',
  'document no',
];

/** A table whose columns are known. */
export interface SheetTable<F extends string> {
  /** Rows with data, in order; blank rows, sums and repeated headers are left out. */
  readonly rows: readonly SheetRow[];
  has(field: F): boolean;
  /** The empty cell where the table has no such column. */
  cell(row: SheetRow, field: F): Cell;
  /** Row null: the header. */
  place(row: SheetRow | null, field: F): SheetPlace;
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

const HEADER_ROWS_MAX = 10;
const SHOWN_CHARACTERS = 20;

/** Half-width, lower case, without blanks, marks and what stands in brackets: 学员姓名（必填）* is 学员姓名. */
function plainHeader(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/\([^)]*\)|\[[^\]]*\]|【[^】]*】/g, '')
    .replace(/[\s*:_.\-、/]/g, '')
    .toLowerCase();
}

const IGNORED = new Map<string, readonly [string, string]>([
  ...[
    '电话',
    '手机',
    '联系电话',
    '手机号',
    '手机号码',
    '联系方式',
    '电话号码',
    '电话号',
    '紧急联系电话',
    'phone',
    'mobile',
    'tel',
    'telephone',
  ].map((word) => [word, ['telephone numbers are never stored', '电话号码一律不保存']] as const),
  ...[
    '序号',
    '编号顺序',
    'no',
    '#',
    '备注',
    '说明',
    'remarks',
    'note',
    '性别',
    'sex',
    'gender',
    '年龄',
    'age',
    '民族',
    '出生日期',
    '出生年月',
    '学历',
    '文化程度',
    '地址',
    '家庭住址',
    '户籍地址',
    '户籍',
    '住址',
    'address',
    '人员类别',
    '银行卡号',
    '工作单位',
    '签名',
    '照片',
    '星期',
  ].map((word) => [word, ['not needed', '无需导入']] as const),
]);

interface Column {
  readonly column: number;
  readonly header: string;
}

/** On one line, also where a header was broken into several (Alt+Enter); marks that turn the direction of writing are left out. */
const shown = (text: string): string =>
  Array.from(text.replace(/\s+/g, ' ').replace(/\p{Cf}/gu, ''))
    .slice(0, SHOWN_CHARACTERS)
    .join('');
const cellAt = (row: SheetRow, column: number): Cell => row.cells[column - 1] ?? EMPTY_CELL;

interface Work<F extends string> {
  readonly sheet: Sheet;
  readonly fields: readonly SheetField<F>[];
  readonly faults: SheetFault[];
  readonly notes: SheetFault[];
  readonly columns: Map<F, Column>;
}

/** Finds the columns of `fields` in `sheet`. What is missing or double is among the faults; the table then has what was found. */
export function findColumns<F extends string>(
  sheet: Sheet,
  fields: readonly SheetField<F>[],
  mapping: ColumnMapping = {},
): SheetTable<F> {
  const work: Work<F> = { sheet, fields, faults: [], notes: sheetNotes(sheet), columns: new Map() };
  const header = headerRow(sheet, fields, mapping);
  let rows: readonly SheetRow[] = [];
  if (header === null) {
    const wanted = fields.filter((field) => field.required);
    work.faults.push(
      sheetFault(
        'sheet-header-missing',
        {
          rows: HEADER_ROWS_MAX,
          wanted: wanted.map(({ key }) => key).join(', '),
          wantedZh: wanted.map(({ zh }) => zh).join('、'),
        },
        WHOLE_SHEET,
      ),
    );
  } else {
    takeMapped(work, header, mapping);
    takeKnown(work, header);
    noteIgnored(work, header);
    nameMissing(work, header);
    rows = dataRows(work, header);
  }
  return {
    rows,
    has: (field) => work.columns.has(field),
    cell: (row, field) => cellAt(row, work.columns.get(field)?.column ?? 0),
    place: (row, field) => {
      const found = work.columns.get(field);
      const no = row?.no ?? header?.no ?? null;
      return found === undefined ? { row: no, column: null, header: null } : { row: no, ...found };
    },
    faults: work.faults,
    notes: work.notes,
  };
}

const sheetNotes = (sheet: Sheet): SheetFault[] =>
  sheet.notes.map(({ en, zh }) => sheetFault('sheet-value', { reason: en, reasonZh: zh }, WHOLE_SHEET, 'warning'));

function fieldOf<F extends string>(fields: readonly SheetField<F>[], word: string): F | null {
  const plain = plainHeader(word);
  if (plain === '') return null;
  const found = fields.find(({ key, zh, words }) => [key, zh, ...words].some((one) => plainHeader(one) === plain));
  return found?.key ?? null;
}

/** Five digits in a row are a number of a person, a document or a telephone, and never the name of a column. */
const holdsNumber = ({ text }: Cell): boolean => /\d{5}/.test(text.normalize('NFKC'));

/** Of the first rows the one that names most columns; of equals the first. Titles above a table name none. */
function headerRow<F extends string>(
  sheet: Sheet,
  fields: readonly SheetField<F>[],
  mapping: ColumnMapping,
): SheetRow | null {
  const mapped = new Set(Object.values(mapping).map(plainHeader));
  let best: { readonly row: SheetRow; readonly score: number } | null = null;
  for (const row of sheet.rows.slice(0, HEADER_ROWS_MAX)) {
    const words = row.cells.filter(({ kind }) => kind === 'text').map(({ text }) => text);
    if (words.length < 2 || row.cells.some(holdsNumber)) continue;
    const known = new Set(words.map((word) => fieldOf(fields, word)).filter((key) => key !== null)).size;
    const score = known + words.filter((word) => mapped.has(plainHeader(word))).length;
    if (score > 0 && (best === null || score > best.score)) best = { row, score };
  }
  return best?.row ?? null;
}

/** Columns that the person named; they win over the words at the head. */
function takeMapped<F extends string>(work: Work<F>, header: SheetRow, mapping: ColumnMapping): void {
  const { fields, columns } = work;
  const refuse = (written: string, reason: string, reasonZh: string): void => {
    const known = fields.map(({ key, zh }) => `${zh}(${key})`).join(', ');
    work.faults.push(sheetFault('sheet-map-unknown', { written, reason, reasonZh, known }, WHOLE_SHEET));
  };
  for (const [left, right] of Object.entries(mapping)) {
    const written = `${left}=${right}`;
    const field = fieldOf(fields, left);
    if (field === null) {
      refuse(written, 'nothing here has that name', '没有这样的项目');
      continue;
    }
    const plain = plainHeader(right);
    const byHeader = header.cells.findIndex((cell) => cell.kind === 'text' && plainHeader(cell.text) === plain) + 1;
    const column = byHeader > 0 && plain !== '' ? byHeader : columnNumber(right.trim());
    if (column === null) {
      refuse(written, 'no column has that header', '没有这样的列名');
    } else if ([...columns.values()].some((one) => one.column === column)) {
      refuse(written, 'the column is named twice', '同一列被指定了两次');
    } else if (columns.has(field)) {
      refuse(written, 'it is said twice', '同一项目被指定了两次');
    } else {
      columns.set(field, { column, header: shown(cellAt(header, column).text) });
    }
  }
}

/** The other columns, by their words. Two columns of one meaning are a fault. */
function takeKnown<F extends string>(work: Work<F>, header: SheetRow): void {
  const mapped = new Set(work.columns.keys());
  const taken = new Set([...work.columns.values()].map(({ column }) => column));
  header.cells.forEach((cell, index) => {
    const column = index + 1;
    if (cell.kind !== 'text' || taken.has(column)) return;
    const field = fieldOf(work.fields, cell.text);
    if (field === null || mapped.has(field)) return;
    const first = work.columns.get(field);
    if (first === undefined) {
      work.columns.set(field, { column, header: shown(cell.text) });
      return;
    }
    const context = {
      key: field,
      wanted: field,
      wantedZh: work.fields.find(({ key }) => key === field)?.zh ?? field,
      first: columnLetters(first.column),
      second: columnLetters(column),
    };
    const place = { row: header.no, column, header: shown(cell.text) };
    work.faults.push(sheetFault('sheet-column-twice', context, place));
  });
}

function noteIgnored<F extends string>(work: Work<F>, header: SheetRow): void {
  const taken = new Set([...work.columns.values()].map(({ column }) => column));
  // A row with one known word may still be a row of data: what else stands in it is then not quoted.
  const isSure = taken.size >= 2;
  const columns = Math.max(...work.sheet.rows.filter(({ no }) => no >= header.no).map(({ cells }) => cells.length));
  for (let column = 1; column <= columns; column += 1) {
    if (taken.has(column)) continue;
    const cell = cellAt(header, column);
    const place = { row: header.no, column, header: cell.kind === 'text' && isSure ? shown(cell.text) : null };
    if (fieldOf(work.fields, cell.text) !== null) continue;
    const isFilled = work.sheet.rows.some((row) => row.no >= header.no && cellAt(row, column).kind !== 'empty');
    if (!isFilled) continue;
    const plain = plainHeader(cell.text);
    const [why, whyZh] =
      IGNORED.get(plain) ??
      (/电话|手机|phone|mobile/.test(plain)
        ? ['telephone numbers are never stored', '电话号码一律不保存']
        : plain === ''
          ? ['it has no header', '没有列名']
          : ['its header is not known here', '列名未识别']);
    work.notes.push(sheetFault('sheet-column-ignored', { why, whyZh }, place, 'warning'));
  }
}

function nameMissing<F extends string>(work: Work<F>, header: SheetRow): void {
  const taken = new Set([...work.columns.values()].map(({ column }) => column));
  const isSure = work.columns.size >= 2;
  const headers = header.cells.flatMap((cell, index) =>
    cell.kind === 'text' && (isSure || taken.has(index + 1)) ? [shown(cell.text)] : [],
  );
  const free = header.cells.flatMap((cell, index) =>
    cell.kind === 'text' && isSure && !taken.has(index + 1) ? [shown(cell.text)] : [],
  );
  for (const { key, zh, words, required } of work.fields) {
    if (!required || work.columns.has(key)) continue;
    const near = free.find((text) => nearestWord(plainHeader(text), [key, zh, ...words].map(plainHeader)) !== null);
    const context = {
      key,
      wanted: key,
      wantedZh: zh,
      found: headers.join(', ') || '-',
      nearest: near === undefined ? '' : `; perhaps --map ${key}=${near}`,
      nearestZh: near === undefined ? '' : `，可能是 --map ${key}=${near}`,
    };
    work.faults.push(sheetFault('sheet-column-missing', context, { ...WHOLE_SHEET, row: header.no }));
  }
}

/** The line that shows in a template how to fill it in. */
const EXAMPLE = /^(?:示例|example)/i;
/** A sum stands at the end of many tables. */
const SUM = /^(?:合计|总计|小计|共计|总和|total|sum)(?:[\s:(].*)?$/i;

function dataRows<F extends string>(work: Work<F>, header: SheetRow): readonly SheetRow[] {
  const used = [...work.columns.values()].map(({ column }) => column);
  const skip = (no: number, why: string, whyZh: string): void =>
    void work.notes.push(sheetFault('sheet-row-skipped', { why, whyZh }, { ...WHOLE_SHEET, row: no }, 'warning'));
  const rows: SheetRow[] = [];
  let before = header.no;
  for (const row of work.sheet.rows) {
    if (row.no <= header.no) continue;
    const gap = row.no - before - 1;
    if (gap > 0) skip(before + 1, gap === 1 ? 'blank row' : `${gap} blank rows`, gap === 1 ? '空行' : `${gap} 个空行`);
    before = row.no;
    const first = row.cells.find(({ kind }) => kind !== 'empty')?.text ?? '';
    const isHeader = used.every((column) => cellAt(row, column).text === cellAt(header, column).text);
    if (SUM.test(first.normalize('NFKC').replace(/\s/g, ''))) skip(row.no, 'a sum', '合计行');
    else if (EXAMPLE.test(first)) skip(row.no, 'the example of the template', '模板中的示例行');
    else if (used.every((column) => cellAt(row, column).kind === 'empty'))
      skip(row.no, 'no column that is used holds anything', '所用各列均为空');
    else if (isHeader && used.length > 0) skip(row.no, 'the header again', '重复的表头');
    else rows.push(row);
  }
  refuseMerged(work, header, rows);
  if (rows.length === 0) work.faults.push(sheetFault('sheet-no-rows', {}, { ...WHOLE_SHEET, row: header.no }));
  return rows;
}

/** A merged range holds its value once and looks as if every row had it. Titles above the header, and columns that are not used, may be merged. */
function refuseMerged<F extends string>(work: Work<F>, header: SheetRow, rows: readonly SheetRow[]): void {
  const lines = [header.no, ...rows.map(({ no }) => no)];
  const used = [...work.columns.values()].map(({ column }) => column);
  for (const { range, fromRow, toRow, fromColumn, toColumn } of work.sheet.merged) {
    if (!used.some((column) => fromColumn <= column && column <= toColumn)) continue;
    if (!lines.some((no) => fromRow <= no && no <= toRow)) continue;
    const text = cellAt(header, fromColumn);
    const place = { row: fromRow, column: fromColumn, header: text.kind === 'text' ? shown(text.text) : null };
    work.faults.push(sheetFault('sheet-merged', { range }, place));
  }
}
