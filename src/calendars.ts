/**
 * Calendars on disk: one file a year in `config/calendars`, and those of the site's own directory, which win by year. A later
 * year's arrangement is published each autumn, so it is a file that is added, not a new version of the program.
 *
 * A file with a fault is left out and told: its year then counts Monday to Friday, which `fallbackYears` says with every date.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemCode } from './core/errors.js';
import { fileFault, readLocated, type FileFault } from './core/faults.js';
import { placeOf, toPlain, type Located } from './core/located.js';
import { calendarFaults, calendarSchema, createCalendar, type Calendar, type CalendarYear } from './rules/calendar.js';

/** `config/calendars` of this installation, seen from `src/` and from `dist/` alike. */
export const CALENDAR_DIR = fileURLToPath(new URL('../config/calendars/', import.meta.url));

export interface LoadedCalendar {
  readonly calendar: Calendar;
  readonly faults: readonly FileFault[];
}

/** All years of the program, those of `overlay` laid over them. Never throws: a broken file is a fault. */
export function loadCalendar(
  options: { readonly dir?: string | undefined; readonly overlay?: string | null | undefined } = {},
): LoadedCalendar {
  const years = new Map<number, CalendarYear>();
  const faults: FileFault[] = [];
  for (const dir of [options.dir ?? CALENDAR_DIR, ...(options.overlay == null ? [] : [options.overlay])]) {
    for (const name of filesIn(dir)) {
      const read = readYear(join(dir, name), name);
      faults.push(...read.faults);
      if (read.year !== null) years.set(read.year.year, read.year);
    }
  }
  return { calendar: createCalendar([...years.values()]), faults };
}

function filesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => /^\d{4}\.yaml$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

interface ReadYear {
  readonly year: CalendarYear | null;
  readonly faults: readonly FileFault[];
}

function readYear(file: string, name: string): ReadYear {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const words = { file, reason: systemCode(error) ?? 'unknown', reasonZh: systemCode(error) ?? 'unknown' };
    return { year: null, faults: [fileFault('calendar-bad', words, { file, line: 0, column: 0 }, '')] };
  }
  const read = checkCalendarText(file, text, Number(name.slice(0, 4)));
  return { ...read, faults: read.faults.map(withGuide) };
}

/** The words of these faults point to the guide of the settings; a calendar has its own example. */
function withGuide(fault: FileFault): FileFault {
  if (!['key-missing', 'wrong-value'].includes(fault.code)) return fault;
  const remedyZh = '请改正；形式见 config/calendars/2026.yaml。';
  return { ...fault, remedyZh, remedyEn: 'Correct it; config/calendars/2026.yaml shows the form.' };
}

/** Checks the text of one year. `wanted` is the year that the name of the file says. */
export function checkCalendarText(file: string, text: string, wanted: number): ReadYear {
  const { root, faults } = readLocated(file, text);
  if (faults.length > 0) return { year: null, faults };
  const node: Located = root ?? { kind: 'map', at: { file, line: 1, column: 1 }, entries: new Map() };
  const found = calendarFaults(node);
  if (found.length > 0) return { year: null, faults: found };
  const year = calendarSchema.parse(toPlain(node));
  if (year.year === wanted) return { year, faults: [] };
  const words = { reason: `the file is named for ${wanted}`, reasonZh: `文件名为 ${wanted} 年` };
  return { year: null, faults: [fileFault('wrong-value', words, placeOf(node, ['year']), 'year')] };
}
