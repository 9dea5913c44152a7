/**
 * Working days by the State Council's yearly arrangement (requirements 10): public holidays, and the weekend days worked
 * instead (调休). Informs and reckons due dates; it never takes a class day away.
 *
 * A year without a calendar falls back to Monday to Friday, and `fallbackYears` says which years that was. Pure.
 */
import { z } from 'zod';
import { bilingual, fileFault, issuesOf, schemaFaults, type FileFault } from '../core/faults.js';
import { placeOf, toPlain, type Located, type Path } from '../core/located.js';
import { addDays, parseLocalDate, type LocalDate } from '../core/time.js';

const date = z
  .string()
  .refine(
    (text) => parseLocalDate(text) !== null,
    bilingual('a date YYYY-MM-DD that exists is wanted', '应为存在的日期 YYYY-MM-DD'),
  )
  .transform((text) => text as LocalDate);

export const calendarSchema = z.strictObject({
  year: z.int().min(2000).max(2100).meta({ zh: '年份', description: 'Year' }),
  source: z
    .strictObject({
      title: z.string().min(1).meta({ zh: '通知标题', description: 'Title of the notice' }),
      number: z.string().min(1).meta({ zh: '文号', description: 'Number of the notice' }),
    })
    .meta({ zh: '依据', description: 'The notice it was taken from' }),
  holidays: z
    .array(
      z.strictObject({
        date: date.meta({ zh: '日期', description: 'Date' }),
        name: z.string().min(1).meta({ zh: '节日名称', description: 'Name of the holiday' }),
      }),
    )
    .meta({ zh: '放假日期', description: 'Days off' }),
  workdays: z.array(date).meta({ zh: '调休上班日期', description: 'Weekend days worked instead' }),
});

export type CalendarYear = z.output<typeof calendarSchema>;

export interface CalendarAnswer {
  /** Years that no calendar covers and that were needed: Monday to Friday was taken for them. */
  readonly fallbackYears: readonly number[];
}

export interface Calendar {
  isWorkingDay(date: LocalDate): boolean;
  /** The `n`-th working day after `date`; 0 is `date` itself, working day or not. */
  addWorkingDays(date: LocalDate, n: number): CalendarAnswer & { readonly date: LocalDate };
  /** The holiday a date belongs to, weekends without a holiday excepted; null: none. */
  holidayOn(date: LocalDate): string | null;
  /** Years with a calendar, ascending. */
  readonly years: readonly number[];
}

export function createCalendar(years: readonly CalendarYear[]): Calendar {
  const known = new Map(years.map((one) => [one.year, one]));
  const holidays = new Map(years.flatMap((one) => one.holidays.map((day) => [day.date, day.name] as const)));
  const workdays = new Set(years.flatMap((one) => one.workdays));
  const isWorkingDay = (day: LocalDate): boolean => workdays.has(day) || (!isWeekend(day) && !holidays.has(day));
  return {
    isWorkingDay,
    holidayOn: (day) => holidays.get(day) ?? null,
    years: [...known.keys()].sort((a, b) => a - b),
    addWorkingDays(from, n) {
      const fallback = new Set<number>();
      let day = from;
      for (let left = n; left > 0;) {
        day = addDays(day, 1);
        const year = Number(day.slice(0, 4));
        if (!known.has(year)) fallback.add(year);
        if (isWorkingDay(day)) left -= 1;
      }
      return { date: day, fallbackYears: [...fallback] };
    },
  };
}

/** Zeller's congruence: 0 is Saturday, 1 Sunday. */
export function isWeekend(day: LocalDate): boolean {
  const [year = 0, month = 1, date_ = 1] = day.split('-').map(Number);
  const [y, m] = month < 3 ? [year - 1, month + 12] : [year, month];
  const [ofCentury, century] = [y % 100, Math.floor(y / 100)];
  const terms = Math.floor((13 * (m + 1)) / 5) + Math.floor(ofCentury / 4) + Math.floor(century / 4);
  return (date_ + terms + ofCentury + 5 * century) % 7 < 2;
}

/** Every fault of a calendar file; empty when it is good. */
export function calendarFaults(root: Located): readonly FileFault[] {
  const plain = toPlain(root);
  const faults = schemaFaults(issuesOf(calendarSchema, plain), root, { knownAt });
  const parsed = calendarSchema.safeParse(plain);
  return parsed.success ? dayFaults(parsed.data, root) : faults;
}

function dayFaults(calendar: CalendarYear, root: Located): readonly FileFault[] {
  const faults: FileFault[] = [];
  const lines = new Map<LocalDate, number>();
  const look = (day: LocalDate, path: Path): void => {
    const place = placeOf(root, path);
    const key = path.join('.');
    const wrong = (en: string, zh: string): void =>
      void faults.push(fileFault('wrong-value', { reason: en, reasonZh: zh }, place, key));
    const other = lines.get(day);
    if (other !== undefined) faults.push(fileFault('given-twice', { found: day, other }, place, key));
    else lines.set(day, place.line);
    if (Number(day.slice(0, 4)) !== calendar.year)
      wrong(`${day} is not a day of ${calendar.year}`, `${day} 不在 ${calendar.year} 年内`);
    else if (path[0] === 'workdays' && !isWeekend(day))
      wrong(`${day} is no Saturday or Sunday, so it is worked anyway`, `${day} 不是周末，本来就上班`);
  };
  calendar.holidays.forEach((one, index) => look(one.date, ['holidays', index, 'date']));
  calendar.workdays.forEach((day, index) => look(day, ['workdays', index]));
  return faults;
}

function knownAt(path: Path): readonly string[] {
  let schema: unknown = calendarSchema;
  for (const step of path) {
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, unknown>)[String(step)];
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else return [];
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
