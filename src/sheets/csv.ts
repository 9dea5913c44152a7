/**
 * CSV text to rows: comma, semicolon or tab, found out from the first lines or told by `sep=`; quotes, any line ends. Every
 * cell is text; `="0012"`, which programs write to keep zeros, is the text 0012, and any other `=…` is a formula.
 */
import { parse } from 'csv-parse/sync';
import { fail, GatewayError } from '../core/errors.js';
import { cellText, refuseFarCell, sheetWords } from './cell-text.js';
import { EMPTY_CELL, SHEET_LIMITS, type Cell, type SheetRow } from './sheet.js';

const WORDS = sheetWords(null);
const SEPARATORS = [',', ';', '\t'] as const;
const SAMPLE_CHARACTERS = 20_000;

/** Rows that hold something. Throws `sheet-quotes`, `sheet-far-cell`, and what `cellText` throws. */
export function parseCsv(text: string): readonly SheetRow[] {
  const told = /^sep=(.)\r?\n/.exec(text)?.[1];
  // The line that tells the separator is the spreadsheet's own and counts as row 1 nowhere: Excel hides it.
  const body = withoutTail(told === undefined ? text : text.slice(text.indexOf('\n') + 1));
  const delimiter = told !== undefined && /[,;\t|]/.test(told) ? told : separatorOf(body);
  const rows: SheetRow[] = [];
  const onRecord = (record: readonly string[], { records }: { readonly records: number }): null => {
    const row = rowOf(record, records);
    if (row !== null) rows.push(row);
    return null;
  };
  try {
    parse(quotedWhole(body, delimiter), {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      max_record_size: SHEET_LIMITS.columnsMax * (SHEET_LIMITS.cellCharactersMax + 4),
      on_record: onRecord,
    });
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw quotesFault(error);
  }
  return rows;
}

/** Without blank rows at the end: a spreadsheet that was formatted to its last row writes a million of them (`,,,`). */
function withoutTail(text: string): string {
  let end = text.length;
  while (end > 0 && ' ,;\t\r\n'.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** A cell `="0012"` as a quoted one: its quotation marks stand inside the text, which is no CSV and is common all the same. */
function quotedWhole(text: string, delimiter: string): string {
  const edge = `${delimiter === '|' ? '\\|' : delimiter}\\r\\n`;
  const kept = new RegExp(`(^|[${edge}])(="[^"\\r\\n]+")(?=[${edge}]|$)`, 'g');
  return text.replace(kept, (_, before: string, cell: string) => `${before}"${cell.replace(/"/g, '""')}"`);
}

function rowOf(record: readonly string[], no: number): SheetRow | null {
  const cells: Cell[] = [];
  record.forEach((raw, index) => {
    const cell = cellOf(raw, no, index + 1);
    if (cell.kind === 'empty') return;
    refuseFarCell(no, index + 1, WORDS);
    while (cells.length < index) cells.push(EMPTY_CELL);
    cells.push(cell);
  });
  return cells.length === 0 ? null : { no, cells };
}

function cellOf(raw: string, row: number, column: number): Cell {
  const text = cellText(raw, row, column, WORDS);
  if (text === '') return EMPTY_CELL;
  if (!text.startsWith('=')) return { kind: 'text', text, value: null };
  const kept = /^="([^"]*)"$/.exec(text)?.[1];
  if (kept === undefined) return { kind: 'formula', text: '', value: null };
  return kept.trim() === '' ? EMPTY_CELL : { kind: 'text', text: kept.trim(), value: null };
}

/** The separator that stands in most of the first lines outside quotes; of equals the one that stands there most often. */
function separatorOf(text: string): string {
  const lines = text
    .slice(0, SAMPLE_CHARACTERS)
    .replace(/"(?:[^"]|"")*"/g, '')
    .split(/\r\n|\n|\r/)
    .filter((line) => line.trim() !== '')
    .slice(0, 10);
  const scored = SEPARATORS.map((separator) => {
    const counts = lines.map((line) => line.split(separator).length - 1);
    return { separator, lines: counts.filter((count) => count > 0).length, sum: counts.reduce((a, b) => a + b, 0) };
  });
  const [best] = scored.sort((a, b) => b.lines - a.lines || b.sum - a.sum);
  return best?.separator ?? ',';
}

/** The parser's own sentences may quote a cell; only its code and line are told. */
function quotesFault(error: unknown): GatewayError {
  const line = error instanceof Error && 'lines' in error && typeof error.lines === 'number' ? error.lines : 0;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [reason, reasonZh] = code.includes('MAX_RECORD')
    ? ['a row is too long, or a quotation mark is not closed', '某行过长，或引号未闭合']
    : code.includes('QUOTE')
      ? ['a quotation mark is not closed or stands inside a text', '引号未闭合或位于文字中间']
      : ['its rows cannot be told apart', '无法区分各行'];
  return fail('sheet-quotes', { line, reason, reasonZh }, error);
}
