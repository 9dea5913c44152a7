/**
 * A timetable from a table (R14, R16, R17): one row a session, put together to days and judged like the timetable of a class
 * file. What a row leaves out (start, end, hours) is taken from the session of the policy.
 */
import type { LocalDate } from '../core/time.js';
import type { Sheet } from '../sheets/sheet.js';
import type { ClassPolicy, Teacher } from './class-file.js';
import type { ColumnMapping } from './sheet-columns.js';
import type { SheetFault } from './sheet-faults.js';
import type { ClassDay } from './timetable.js';

export interface TimetableSheetOptions {
  readonly policy: ClassPolicy;
  readonly period: { readonly from: LocalDate; readonly to: LocalDate };
  readonly teachers: readonly Pick<Teacher, 'teacherNo' | 'name'>[];
  readonly mapping?: ColumnMapping | undefined;
  /** With it, a sum that differs and an online share above the cap become notes. */
  readonly plannedHours?: number | undefined;
}

export interface TimetableSheet {
  /** Ascending; only to be used when there are no faults. */
  readonly days: readonly ClassDay[];
  readonly faults: readonly SheetFault[];
  readonly notes: readonly SheetFault[];
}

export declare function parseTimetableSheet(sheet: Sheet, options: TimetableSheetOptions): TimetableSheet;
