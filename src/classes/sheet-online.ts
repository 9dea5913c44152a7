/**
 * Records of an online platform from a table (R48): per person, day and lesson the minutes, and what the platform tells of
 * sign-in, learning, tutoring and tests. Minutes are whole and rounded downward; nothing is made up where a cell is empty.
 */
import type { LocalDate } from '../core/time.js';
import type { Sheet } from '../sheets/sheet.js';
import type { DocumentType } from './identity.js';
import type { ColumnMapping } from './sheet-columns.js';
import type { SheetFault } from './sheet-faults.js';

/** What the platform supplies beside the minutes, as it wrote it. */
export interface OnlineProof {
  readonly signIn?: string;
  readonly learned?: string;
  readonly tutoring?: string;
  readonly test?: string;
}

export interface OnlineRow {
  /** Row of the table. */
  readonly row: number;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** Name or number of the lesson; empty: the day as a whole. */
  readonly lesson: string;
  readonly kind: 'theory' | 'practice';
  /** 0 to 1440. */
  readonly minutes: number;
  readonly proof: OnlineProof;
}

export interface OnlineSheetOptions {
  /** Numbers of the class's roster. */
  readonly trainees: ReadonlySet<string>;
  readonly mapping?: ColumnMapping | undefined;
  /** Finds the person where the table has no trainee number; null: nobody of the class has that document. */
  readonly personByDocument?: ((type: DocumentType, number: string) => string | null) | undefined;
}

export interface OnlineSheet {
  /** In the order of the table; only to be used when there are no faults. */
  readonly records: readonly OnlineRow[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

export declare function parseOnlineSheet(sheet: Sheet, options: OnlineSheetOptions): OnlineSheet;
