/**
 * Where reading stands, as the cursor keeps it: how far the terminal was read by its own clock, the last record number, when the
 * last days were read, how far a first reading has come, and what was learned of this firmware. A cursor of rubbish is the beginning.
 */
import { parseWallTime, type WallTime } from '../../core/time.js';
import type { Cursor } from '../driver.js';
import { DATE_FORMS, type DateForm } from './device-time.js';
import { SEARCH_MODES, type SearchMode } from './search.js';

export interface Standing {
  /** Latest time of any event that a finished search has brought; null before the first. */
  readonly seenTo: WallTime | null;
  /** Greatest record number seen. */
  readonly serial: number | null;
  /** Gateway time of the last search of the last days. */
  readonly deepAt: number | null;
  /** Events of the first reading that are stored, how many the terminal had then, and the time of the last of them. */
  readonly partial: { readonly position: number; readonly total: number; readonly reached: WallTime | null } | null;
  readonly form: DateForm | null;
  readonly mode: SearchMode;
}

export const BEGINNING: Standing = { seenTo: null, serial: null, deepAt: null, partial: null, form: null, mode: 'all' };

const wholeNumber = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);

export function readStanding(cursor: Cursor | null): Standing {
  if (!cursor) return BEGINNING;
  const { position, total, reached } = cursor;
  const at = wholeNumber(position);
  const of = wholeNumber(total);
  const wall = (value: unknown): WallTime | null => (typeof value === 'string' ? parseWallTime(value) : null);
  return {
    seenTo: wall(cursor.seenTo),
    serial: wholeNumber(cursor.serial),
    deepAt: wholeNumber(cursor.deepAt),
    partial: at !== null && of !== null && at > 0 ? { position: at, total: of, reached: wall(reached) } : null,
    form: DATE_FORMS.find((form) => form === cursor.form) ?? null,
    mode: SEARCH_MODES.find((mode) => mode === cursor.mode) ?? 'all',
  };
}

export function writeStanding(standing: Standing): Cursor {
  return {
    seenTo: standing.seenTo,
    serial: standing.serial,
    deepAt: standing.deepAt,
    form: standing.form,
    mode: standing.mode,
    ...(standing.partial ?? {}),
  };
}
