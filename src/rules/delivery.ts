/**
 * Which planned lessons were delivered (R18): somebody was present, and a frame of the room exists. Subsidy depends on all planned
 * hours being delivered, so every planned lesson has a line, also the one that nobody came to.
 *
 * Choices, where the documents are silent:
 * - A trainee is present in a lesson when both slots of the session are filled by punches and the time between them holds the
 *   lesson within the grace, in every credit mode. Make-ups prove hours, not presence.
 * - Any frame taken during the session proves the room for its lessons; `ownFrame` says whether the lesson has one of its own (R54).
 * - An online lesson has no room: it is delivered when it is attended, and the k-th online lesson of a date is attended when
 *   somebody has at least k online hours that day.
 */
import type { LocalDate } from '../core/time.js';
import type { DayCredit, DayResult, SlotFill } from './day-credit.js';
import { minuteOf, planSessions, type Lesson, type SessionId } from './grid.js';
import type { LessonForm, TimetableDay } from './planned-day.js';
import type { Policy } from './policy.js';

/** A frame that is evidence: of the room, usable, taken while the session ran. */
export interface FrameProof {
  readonly date: LocalDate;
  readonly session: SessionId;
  /** Lesson in which it was taken, from 1; null: in a break, or not known. */
  readonly lesson: number | null;
}

export interface LessonDelivery {
  readonly date: LocalDate;
  readonly session: SessionId;
  /** From 1. */
  readonly lesson: number;
  readonly form: LessonForm;
  readonly online: boolean;
  readonly attended: boolean;
  /** null: no frames are taken yet, so that nothing can be said. */
  readonly delivered: boolean | null;
  readonly ownFrame: boolean | null;
}

/** `frames: null` means that no frames are taken at all; an empty list means that there are none. */
export function lessonDeliveries(
  timetable: readonly TimetableDay[],
  credits: readonly DayCredit[],
  frames: readonly FrameProof[] | null,
  policy: Policy,
): readonly LessonDelivery[] {
  const results = new Map<LocalDate, DayResult[]>();
  for (const { date, dayResult } of credits) {
    if (dayResult === null) continue;
    const ofDay = results.get(date);
    if (ofDay) ofDay.push(dayResult);
    else results.set(date, [dayResult]);
  }
  const framed = frames === null ? null : framedOf(frames);
  return timetable.flatMap((day) => {
    const ofDay = results.get(day.date) ?? [];
    return [...offlineLessons(day, ofDay, framed, policy), ...onlineLessons(day, ofDay)];
  });
}

/** Keys `date session` and `date session lesson`. */
function framedOf(frames: readonly FrameProof[]): ReadonlySet<string> {
  return new Set(
    frames.flatMap(({ date, session, lesson }) => [`${date} ${session}`, `${date} ${session} ${lesson ?? '-'}`]),
  );
}

function offlineLessons(
  day: TimetableDay,
  results: readonly DayResult[],
  framed: ReadonlySet<string> | null,
  policy: Policy,
): readonly LessonDelivery[] {
  return planSessions(day.sessions, policy).sessions.flatMap(({ id, lessons }) => {
    const form = day.sessions.find((one) => one.id === id)?.form ?? 'theory';
    const stays = results.map((result) => stayOf(result, id, policy)).filter((stay) => stay !== null);
    return lessons.map((lesson): LessonDelivery => {
      const attended = stays.some((stay) => holds(stay, lesson, policy));
      return {
        ...{ date: day.date, session: id, lesson: lesson.no, form, online: false, attended },
        delivered: framed === null ? null : attended && framed.has(`${day.date} ${id}`),
        ownFrame: framed === null ? null : framed.has(`${day.date} ${id} ${lesson.no}`),
      };
    });
  });
}

interface Stay {
  readonly in: number;
  readonly out: number;
}

/** Seconds of the day between which somebody was there by two punches. */
function stayOf({ slots }: DayResult, session: SessionId, policy: Policy): Stay | null {
  const [first, last] = [slots[`${session}_IN`], slots[`${session}_OUT`]];
  if (first?.by !== 'punch' || last?.by !== 'punch') return null;
  return { in: secondOf(first, policy), out: secondOf(last, policy) };
}

function secondOf({ time, effective }: SlotFill, policy: Policy): number {
  const seconds = policy.punch.precision === 'minute' || effective === null ? 0 : Math.floor(effective / 1000) % 60;
  return (minuteOf(time) ?? 0) * 60 + seconds;
}

function holds(stay: Stay, lesson: Lesson, { grace }: Policy): boolean {
  return stay.in <= (lesson.start + grace.lateMinutes) * 60 && stay.out >= (lesson.end - grace.earlyMinutes) * 60;
}

function onlineLessons(day: TimetableDay, results: readonly DayResult[]): readonly LessonDelivery[] {
  const most = results.reduce((hours, result) => Math.max(hours, result.onlineHours), 0);
  let before = 0;
  return day.sessions
    .filter((session) => session.online === true)
    .sort((a, b) => (a.start < b.start ? -1 : 1))
    .flatMap(({ id, lessons, form }) =>
      Array.from({ length: lessons }, (_, at): LessonDelivery => {
        before += 1;
        const attended = most >= before;
        return {
          ...{ date: day.date, session: id, lesson: at + 1, form, online: true, attended },
          delivered: attended,
          ownFrame: null,
        };
      }),
    );
}
