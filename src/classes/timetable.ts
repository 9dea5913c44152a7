/**
 * A timetable: which sessions a class has on which date (requirements §4.2, R14). Expands the short form of the class
 * file (from, to, weekdays, except) into dated days, and knows weekdays without a clock.
 *
 * Promises days in ascending order, each date once. Whether a lesson grid fits is the rules' matter (`planSessions`).
 */
import { addDays, type LocalDate } from '../core/time.js';
import type { Session } from '../rules/grid.js';

export type Form = 'theory' | 'practice';

/** A session as a timetable plans it. */
export interface ClassSession extends Session {
  readonly online: boolean;
  readonly form: Form;
  readonly content: string | null;
  /** Number of the teacher on the class's list. */
  readonly teacher: string | null;
  readonly room: string | null;
}

export interface ClassDay {
  readonly date: LocalDate;
  /** By start; never empty. */
  readonly sessions: readonly ClassSession[];
}

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A year of days is more than any class lasts, and bounds what a mistyped year can cost. */
export const TIMETABLE_DAYS_MAX = 366;

const MONTH_SHIFT = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4] as const;

/** The day of the week of a calendar date (Sakamoto's congruence; Gregorian). */
export function weekdayOf(date: LocalDate): Weekday {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  const shifted = month < 3 ? year - 1 : year;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return WEEKDAYS[(shifted + leaps + (MONTH_SHIFT[month - 1] ?? 0) + day) % 7] ?? 'sun';
}

/** Every date from `from` to `to`, both included; at most `TIMETABLE_DAYS_MAX` and one. */
export function datesBetween(from: LocalDate, to: LocalDate): readonly LocalDate[] {
  const dates: LocalDate[] = [];
  for (let date = from; date <= to && dates.length <= TIMETABLE_DAYS_MAX; date = addDays(date, 1)) dates.push(date);
  return dates;
}

/** Sum of the hours of all sessions. */
export function plannedLessons(days: readonly ClassDay[]): number {
  return days.reduce((sum, day) => sum + day.sessions.reduce((hours, session) => hours + session.lessons, 0), 0);
}

/** Sum of the hours of sessions held online. */
export function onlineLessons(days: readonly ClassDay[]): number {
  return days.reduce(
    (sum, day) => sum + day.sessions.reduce((hours, session) => hours + (session.online ? session.lessons : 0), 0),
    0,
  );
}
