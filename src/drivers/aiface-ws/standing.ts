/**
 * Where reading stands, as it is stored with the punches: whether everything was read once, how many records there were,
 * which night was checked last, from which day a list may have lost a page, and how the clock was found to tell time.
 */
import { addDays, instant, instantToDate, parseLocalDate } from '../../core/time.js';
import type { LocalDate } from '../../core/time.js';
import type { Cursor, Wire } from '../driver.js';
import type { ClockMode } from './device-clock.js';

export interface Standing {
  /** Everything from the configured start has been read completely. */
  complete: boolean;
  /** Records in the terminal's log when it last told. */
  records: number | null;
  /** Day whose night the last days were compared in. */
  checked: LocalDate | null;
  /** A list of new records was begun and not ended: what was in it is to be read again from this day on. */
  owedFrom: LocalDate | null;
  clockMode: ClockMode | null;
  firmware: string | null;
}

/** A day of the check begins at two in the night, when nobody punches. */
const NIGHT_MS = 2 * 3_600_000;

export function standingOf(cursor: Cursor | null): Standing {
  const date = (value: unknown): LocalDate | null => (typeof value === 'string' ? parseLocalDate(value) : null);
  return {
    complete: cursor?.complete === true,
    records: typeof cursor?.records === 'number' ? cursor.records : null,
    checked: date(cursor?.checked),
    owedFrom: date(cursor?.owedFrom),
    clockMode: cursor?.clockMode === 'utc' || cursor?.clockMode === 'local' ? cursor.clockMode : null,
    firmware: typeof cursor?.firmware === 'string' ? cursor.firmware : null,
  };
}

export const cursorOf = (standing: Standing): Cursor => ({ ...standing });

/** The day whose night has begun. */
export const nightOf = ({ clock, zone }: Pick<Wire, 'clock' | 'zone'>): LocalDate =>
  instantToDate(instant(clock.now() - NIGHT_MS), zone);

/** First day of a check: some days back, further when nights were missed or a list was broken off. */
export function checkFrom(standing: Standing, wire: Pick<Wire, 'clock' | 'zone'>, days: number): LocalDate {
  const dates = [addDays(nightOf(wire), -days)];
  if (standing.checked !== null) dates.push(addDays(standing.checked, -1));
  if (standing.owedFrom !== null) dates.push(standing.owedFrom);
  return dates.reduce((first, date) => (date < first ? date : first));
}
