/**
 * A file on the disk to a table, in the thread that calls it: looks at the bytes, then reads a workbook or CSV text.
 * The caller gives it a thread, a limit of memory and a deadline.
 */
import type { Sheet } from './sheet.js';

export declare function readSheetFile(file: string, sheetName: string | null): Promise<Sheet>;
