/**
 * Hours of one session from its two slots (requirements 4.6), in the four modes of a policy, with a finding for every
 * lesson. Integers only: hours are counted in hundredths, times in seconds of the day; rounding is always downward.
 */
import type { PlannedSession } from './grid.js';
import type { Policy } from './policy.js';

/** Hundredths of a class hour. */
export type Centihours = number;

/** Seconds of the day of the punches that fill the slots, already cut to the policy's precision; null: empty. */
export interface Filled {
  readonly in: number | null;
  readonly out: number | null;
}

export interface LessonFinding {
  readonly no: number;
  readonly start: number;
  readonly end: number;
  readonly counted: boolean;
  readonly code: LessonCode;
  /** Whole minutes inside the lesson, in proportional mode; 0 otherwise. */
  readonly minutes: number;
}

export type LessonCode =
  | 'LESSON_COUNTED'
  | 'LESSON_LATE'
  | 'LESSON_EARLY'
  | 'LESSON_LATE_AND_EARLY'
  | 'LESSON_ABSENT'
  | 'LESSON_NO_IN'
  | 'LESSON_NO_OUT'
  | 'LESSON_BY_SESSION'
  | 'LESSON_BY_SLOTS'
  | 'LESSON_BY_MINUTES';

export function sessionHours(
  session: PlannedSession,
  filled: Filled,
  policy: Policy,
): { readonly centihours: Centihours; readonly lessons: readonly LessonFinding[] } {
  const lessons = session.lessons.map((lesson) => {
    const { no, start, end } = lesson;
    const { code, minutes } = finding(lesson, filled, policy);
    const counted = COUNTED.has(code) && (code !== 'LESSON_BY_MINUTES' || minutes > 0);
    return { no, start, end, code, minutes, counted };
  });
  return { centihours: centihoursOf(session, filled, policy, lessons), lessons };
}

const COUNTED: ReadonlySet<LessonCode> = new Set<LessonCode>([
  'LESSON_COUNTED',
  'LESSON_BY_SESSION',
  'LESSON_BY_SLOTS',
  'LESSON_BY_MINUTES',
]);

function centihoursOf(
  session: PlannedSession,
  filled: Filled,
  policy: Policy,
  lessons: readonly LessonFinding[],
): Centihours {
  const both = filled.in !== null && filled.out !== null;
  switch (policy.credit.mode) {
    case 'lessons':
      return both ? lessons.filter((lesson) => lesson.counted).length * 100 : 0;
    case 'session':
      return both ? session.lessons.length * 100 : 0;
    case 'slot': {
      return bySlots(session.lessons.length, (filled.in === null ? 0 : 1) + (filled.out === null ? 0 : 1), policy);
    }
    case 'proportional': {
      if (filled.in === null || filled.out === null) return 0;
      const step = stepOf(policy);
      const [from, to] = [filled.in, filled.out];
      const seconds = session.lessons.reduce((sum, lesson) => sum + overlap(lesson, from, to), 0);
      // One integer division: seconds / (60 minutes) hours, times 100, in steps.
      return Math.floor((seconds * 100) / (policy.lesson.minutes * 60 * step)) * step;
    }
  }
}

/** Mode `slot`: half of the session's lessons for each filled slot, the sum rounded down. */
export function bySlots(lessons: number, slots: number, policy: Policy): Centihours {
  const step = stepOf(policy);
  return Math.floor((lessons * 50 * slots) / step) * step;
}

const stepOf = (policy: Policy): Centihours => Math.round(policy.credit.roundingStep * 100);

function overlap(lesson: { readonly start: number; readonly end: number }, from: number, to: number): number {
  return Math.max(0, Math.min(to, lesson.end * 60) - Math.max(from, lesson.start * 60));
}

function finding(
  lesson: { readonly start: number; readonly end: number },
  filled: Filled,
  policy: Policy,
): { readonly code: LessonCode; readonly minutes: number } {
  const { mode } = policy.credit;
  if (filled.in === null && filled.out === null) return { code: 'LESSON_ABSENT', minutes: 0 };
  if (mode === 'slot') return { code: 'LESSON_BY_SLOTS', minutes: 0 };
  if (filled.in === null) return { code: 'LESSON_NO_IN', minutes: 0 };
  if (filled.out === null) return { code: 'LESSON_NO_OUT', minutes: 0 };
  if (mode === 'session') return { code: 'LESSON_BY_SESSION', minutes: 0 };
  if (mode === 'proportional') {
    return { code: 'LESSON_BY_MINUTES', minutes: Math.floor(overlap(lesson, filled.in, filled.out) / 60) };
  }
  const late = filled.in > (lesson.start + policy.grace.lateMinutes) * 60;
  const early = filled.out < (lesson.end - policy.grace.earlyMinutes) * 60;
  if (late && early) return { code: 'LESSON_LATE_AND_EARLY', minutes: 0 };
  if (late) return { code: 'LESSON_LATE', minutes: 0 };
  return { code: early ? 'LESSON_EARLY' : 'LESSON_COUNTED', minutes: 0 };
}
