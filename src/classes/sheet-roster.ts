/**
 * A roster from a table (R1, R10, R102): which column is what, then each row judged like a row of a class file. Everything
 * that is wrong is told at once, by row and column; telephone numbers and other columns are left where they are.
 */
import type { LocalDate } from '../core/time.js';
import type { Sheet } from '../sheets/sheet.js';
import type { RosterEntry, Teacher } from './class-file.js';
import type { ColumnMapping } from './sheet-columns.js';
import type { SheetFault } from './sheet-faults.js';

export interface RosterSheetOptions {
  readonly today: LocalDate;
  readonly mapping?: ColumnMapping | undefined;
  /** Period of the class, where it is known. */
  readonly from?: LocalDate | undefined;
  readonly to?: LocalDate | undefined;
  /** Teachers of the class, whose device user ids are taken. */
  readonly teachers?: readonly Pick<Teacher, 'deviceUserId'>[] | undefined;
}

export interface RosterSheet {
  /** In the order of the table; only to be used when there are no faults. */
  readonly entries: readonly RosterEntry[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

export declare function parseRosterSheet(sheet: Sheet, options: RosterSheetOptions): RosterSheet;
