/**
 * Who taught (R19): a session whose planned teacher did not punch between the opening of its first window and the end of its last is
 * `TEACHER_MISSING`; if another teacher of the class did, `TEACHER_CHANGED`. Online sessions have no terminal and are left out,
 * as are sessions without a planned teacher. The finding informs: no hour depends on it.
 */
import { instantToLocal, type Instant, type LocalDate } from '../core/time.js';
import { planSessions, type SessionId } from './grid.js';
import type { TimetableDay } from './planned-day.js';
import type { Policy } from './policy.js';

/** A punch of a teacher of the class on a terminal of the class. */
export interface TeacherPunch {
  readonly teacherNo: string;
  /** Effective time; a punch that could not be timed is no punch here. */
  readonly at: Instant;
}

export interface TeacherFinding {
  readonly code: 'TEACHER_MISSING' | 'TEACHER_CHANGED';
  readonly date: LocalDate;
  readonly session: SessionId;
  /** Number of the planned teacher. */
  readonly planned: string;
  /** Numbers of those who punched instead, sorted; empty when nobody did. */
  readonly present: readonly string[];
}

/**
 * `timetable` are the days to judge: only such as are over. `held` says whether a session took place at all (somebody came);
 * one that nobody came to was not taught without its teacher. Findings in the order of the timetable.
 */
export function teacherFindings(
  timetable: readonly TimetableDay[],
  punches: readonly TeacherPunch[],
  held: (date: LocalDate, session: SessionId) => boolean,
  policy: Policy,
): readonly TeacherFinding[] {
  const byDate = new Map<string, { readonly teacherNo: string; readonly minute: number }[]>();
  for (const { teacherNo, at } of punches) {
    const { date, second } = instantToLocal(at, policy.timezone);
    const one = { teacherNo, minute: Math.floor(second / 60) };
    const ofDay = byDate.get(date);
    if (ofDay) ofDay.push(one);
    else byDate.set(date, [one]);
  }
  return timetable.flatMap(({ date, sessions }) =>
    planSessions(sessions, policy).sessions.flatMap((planned): readonly TeacherFinding[] => {
      const teacher = sessions.find((one) => one.id === planned.id)?.teacher ?? null;
      if (teacher === null || !held(date, planned.id)) return [];
      const { open } = planned.windows.IN;
      const { close } = planned.windows.OUT;
      const there = (byDate.get(date) ?? []).filter(({ minute }) => open <= minute && minute <= close);
      if (there.some(({ teacherNo }) => teacherNo === teacher)) return [];
      const present = [...new Set(there.map(({ teacherNo }) => teacherNo))].sort();
      const code = present.length === 0 ? 'TEACHER_MISSING' : 'TEACHER_CHANGED';
      return [{ code, date, session: planned.id, planned: teacher, present }];
    }),
  );
}
