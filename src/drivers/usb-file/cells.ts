/**
 * Lines to cells. Quotation marks are the business of `csv-parse`, of which this is the only importer in the drivers; a line
 * without any is split where the delimiter stands. A line is a record: a quote that is never closed spoils its own line only.
 */
import { parse } from 'csv-parse/sync';

/** Lines that are parsed together. */
const TOGETHER = 500;

/** The cells of each line, trimmed; null where quotes do not match. */
export function splitCells(lines: readonly string[], delimiter: string): readonly (readonly string[] | null)[] {
  const cells: (readonly string[] | null)[] = [];
  for (let at = 0; at < lines.length; at += TOGETHER)
    cells.push(...together(lines.slice(at, at + TOGETHER), delimiter));
  return cells;
}

function together(lines: readonly string[], delimiter: string): readonly (readonly string[] | null)[] {
  if (!lines.some((line) => line.includes('"'))) return lines.map((line) => line.split(delimiter).map(trim));
  const all = parsed(lines.join('\n'), delimiter);
  if (all?.length === lines.length) return all;
  return lines.map((line) => {
    if (!line.includes('"')) return line.split(delimiter).map(trim);
    const one = parsed(line, delimiter);
    return one?.length === 1 ? (one[0] ?? null) : null;
  });
}

function parsed(text: string, delimiter: string): readonly (readonly string[])[] | null {
  try {
    const rows: string[][] = parse(text, {
      delimiter,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: false,
      record_delimiter: '\n',
    });
    return rows.map((row) => row.map(trim));
  } catch {
    // Quotes that do not match: the caller refuses the line and says so.
    return null;
  }
}

/** Also takes off what spreadsheet programs put around digits to keep them text: `="0017"` and a leading apostrophe. */
function trim(cell: string): string {
  const text = cell.trim();
  return /^="?([^"]*)"?$/.exec(text)?.[1]?.trim() ?? text.replace(/^'(?=\d)/, '');
}
