/**
 * What is said between the program and the thread that reads tables: a file name goes in, a table or the code and context of
 * an error comes out. Plain data, because classes lose their kind on the way between threads.
 */
import type { ErrorCode, ErrorContext } from '../core/errors.js';
import type { Sheet } from './sheet.js';

export interface WorkerQuestion {
  readonly file: string;
  readonly sheet: string | null;
}

export type WorkerAnswer = { readonly sheet: Sheet } | { readonly code: ErrorCode; readonly context: ErrorContext };
