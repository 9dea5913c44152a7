/**
 * What the timetable planned for a date, as far as sums over a class need it: which sessions, whether theory or practice, in the
 * classroom or online, and under which teacher. The credit of one day never looks at any of this but the session itself.
 */
import type { LocalDate } from '../core/time.js';
import type { DayCredit, OnlineRecord } from './day-credit.js';
import type { Session } from './grid.js';

export type LessonForm = 'theory' | 'practice';

export interface TimetableSession extends Session {
  readonly form: LessonForm;
  /** Number of the teacher on the class's list; null: none was planned. */
  readonly teacher: string | null;
}

export interface TimetableDay {
  readonly date: LocalDate;
  readonly sessions: readonly TimetableSession[];
}

/** One day of a person: the result in force, and the online records that it was asked with. */
export interface CreditedDay {
  readonly credit: DayCredit;
  /** Looked at only where the policy lets practice be held online. */
  readonly online: readonly OnlineRecord[];
}

/** Planned lessons of a form, online ones included. */
export function plannedOf(days: readonly TimetableDay[], form: LessonForm): number {
  return days.reduce(
    (sum, day) => sum + day.sessions.reduce((hours, one) => hours + (one.form === form ? one.lessons : 0), 0),
    0,
  );
}
