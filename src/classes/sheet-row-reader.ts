/**
 * One row of a table, value by value: what cannot be read becomes a fault at its cell, and the caller gets null. Formulas,
 * error values and numbers that should have been text are refused in the same way for every kind of table.
 */
import type { Cell, SheetRow } from '../sheets/sheet.js';
import type { Finding } from './identity.js';
import type { SheetTable } from './sheet-columns.js';
import { sheetFault, valueFault, type SheetFault } from './sheet-faults.js';
import type { Value } from './sheet-values.js';

export interface RowReader<F extends string> {
  readonly row: SheetRow;
  /** The cell when it holds something usable; null when it is empty or a fault was told. */
  cell(field: F): Cell | null;
  /** Whether the cell holds anything; when it does not, that is a fault. */
  isThere(field: F): boolean;
  /** A number of a person or thing, as text. A spreadsheet number is taken only while it has kept all its digits. */
  id(field: F): string | null;
  /** A number of a document as text; a spreadsheet number is refused, because eighteen digits do not fit into one. */
  document(field: F): string | null;
  take<T>(field: F, read: (cell: Cell) => Value<T>): T | null;
  fault(field: F, found: Finding): void;
  /** Whether nothing in this row was faulty so far. */
  isGood(): boolean;
}

const EMPTY: Finding = { en: 'it is empty', zh: '内容为空' };
/** Digits that a spreadsheet keeps of a number. */
const DIGITS_MAX = 15;

/** Text that a spreadsheet made of a number which was too long for it. */
const isRounded = (text: string): boolean => /^\d(?:\.\d+)?E\+?\d+$/i.test(text.normalize('NFKC').trim());

export function createRowReader<F extends string>(
  table: SheetTable<F>,
  row: SheetRow,
  faults: SheetFault[],
): RowReader<F> {
  let count = 0;
  const push = (fault: SheetFault): null => {
    count += 1;
    faults.push(fault);
    return null;
  };
  const cell = (field: F): Cell | null => {
    const found = table.cell(row, field);
    if (found.kind === 'empty') return null;
    if (found.kind === 'formula') return push(sheetFault('sheet-formula', {}, table.place(row, field)));
    if (found.kind !== 'error') return found;
    const words = { en: `it holds the error ${found.text}`, zh: `单元格为错误值 ${found.text}` };
    return push(valueFault(words, table.place(row, field)));
  };
  const isThere = (field: F): boolean => {
    if (table.cell(row, field).kind !== 'empty') return true;
    // A missing column was told once, for the whole table.
    if (table.has(field)) push(valueFault(EMPTY, table.place(row, field)));
    return false;
  };
  return {
    row,
    cell,
    isThere,
    id(field) {
      const found = cell(field);
      if (found === null) return null;
      const isNumber = found.kind === 'number';
      const isWhole = /^\d+$/.test(found.text) && found.text.length <= DIGITS_MAX;
      if ((isNumber && !isWhole) || found.kind === 'date' || isRounded(found.text)) {
        return push(sheetFault('sheet-stored-as-number', {}, table.place(row, field)));
      }
      return found.text
        .normalize('NFKC')
        .replace(/^['`‘’]+/, '')
        .trim();
    },
    document(field) {
      const found = cell(field);
      if (found === null) return null;
      if (found.kind === 'text' && !isRounded(found.text)) return found.text;
      return push(sheetFault('sheet-stored-as-number', {}, table.place(row, field)));
    },
    take(field, read) {
      const found = cell(field);
      if (found === null) return null;
      const result = read(found);
      return result.ok ? result.value : push(valueFault(result.finding, table.place(row, field)));
    },
    fault: (field, found) => void push(valueFault(found, table.place(row, field))),
    isGood: () => count === 0,
  };
}

/** One warning at the head of a column of ids whose cells are numbers: zeros in front would be gone. */
export function noteNumberColumn<F extends string>(table: SheetTable<F>, field: F): readonly SheetFault[] {
  const isStored = table.rows.some((row) => {
    const { kind, text, value } = table.cell(row, field);
    return kind === 'number' && text === String(value);
  });
  return isStored ? [sheetFault('sheet-stored-as-number', {}, table.place(null, field), 'warning')] : [];
}
