/**
 * Why a day is what it is, as codes with parameters (requirements 4.10, R43): a line for every session, slot and lesson,
 * for every punch that was not used, and for the caps. No words here: `explain.ts` has them in two languages.
 */
import type { DayQuestion, ExplanationLine, IgnoredPunch, Params } from './day-credit.js';
import { minuteText, type SessionId } from './grid.js';
import type { Centihours, LessonFinding } from './hours.js';
import type { DayHours } from './online.js';
import type { Policy } from './policy.js';
import { filledBy, type SessionSlots, type Slot } from './slots.js';

export interface SessionOutcome {
  readonly slots: SessionSlots;
  readonly lessons: readonly LessonFinding[];
  readonly centihours: Centihours;
  /** The same by punches alone. */
  readonly byPunch: Centihours;
  readonly onLeave: boolean;
  /** Flag codes without the session's prefix, and with it. */
  readonly codes: readonly string[];
  readonly flags: readonly string[];
  readonly minutesLate: number | null;
  readonly minutesEarly: number | null;
}

export interface Explained {
  readonly question: DayQuestion;
  readonly policy: Policy;
  readonly outcomes: readonly SessionOutcome[];
  readonly hours: DayHours;
  readonly ignored: readonly IgnoredPunch[];
  readonly flags: readonly string[];
}

/** Flags of the day that get a sentence of their own; the others are told by the punch that raised them. */
const DAY_SENTENCES = [
  'GATEWAY_CLOCK_UNTRUSTED',
  'CONCURRENT_PRESENCE',
  'DOUBLE_ENROLMENT',
  'PRACTICE_ONLINE',
  'ONLINE_DAY_CAP',
  'DAY_CAP',
];

export function explanationOf(day: Explained): readonly ExplanationLine[] {
  const { question, policy, outcomes, hours, ignored, flags } = day;
  const lines = outcomes.flatMap((outcome) => sessionLines(outcome, policy));
  for (const session of question.sessions) {
    if (session.online === true) lines.push(line('session', { session: session.id }, 'SESSION_ONLINE', {}));
  }
  if (question.sessions.length === 0) lines.push(line('day', {}, 'DAY_NOT_SCHEDULED', {}));
  lines.push(...ignored.map((punch) => punchLine(punch, policy)));
  if (question.online.length > 0) {
    const params = {
      minutes: hours.onlineMinutes,
      lessonMinutes: policy.online.lessonMinutes,
      hours: hours.online / 100,
    };
    lines.push(line('day', {}, 'DAY_ONLINE', params));
  }
  const caps = {
    cap: policy.dayCapHours,
    onlineCap: policy.online.dayCapHours,
    seconds: policy.concurrent.withinSeconds,
  };
  lines.push(...DAY_SENTENCES.filter((flag) => flags.includes(flag)).map((flag) => line('day', {}, flag, caps)));
  const { byPunch, fromMakeup, online, total } = hours;
  lines.push(
    line('day', {}, 'DAY_TOTAL', {
      total: total / 100,
      byPunch: byPunch / 100,
      fromMakeup: fromMakeup / 100,
      online: online / 100,
    }),
  );
  return lines;
}

export function notEnrolledExplanation(ignored: readonly IgnoredPunch[], policy: Policy): readonly ExplanationLine[] {
  return [line('day', {}, 'DAY_NOT_ENROLLED', {}), ...ignored.map((punch) => punchLine(punch, policy))];
}

function line(
  about: ExplanationLine['about'],
  at: { readonly session?: SessionId; readonly lesson?: number; readonly n?: number | null },
  code: string,
  params: Params,
): ExplanationLine {
  return { about, session: at.session ?? null, lesson: at.lesson ?? null, n: at.n ?? null, code, params };
}

function sessionLines(outcome: SessionOutcome, policy: Policy): ExplanationLine[] {
  const { slots, codes } = outcome;
  const at = { session: slots.session.id };
  const params = {
    hours: outcome.centihours / 100,
    lessons: slots.session.lessons.length,
    start: minuteText(slots.session.start),
    end: minuteText(slots.session.end),
  };
  const detail: Params = {
    late: outcome.minutesLate ?? 0,
    early: outcome.minutesEarly ?? 0,
    lateGrace: policy.grace.lateMinutes,
    earlyGrace: policy.grace.earlyMinutes,
  };
  return [
    line('session', at, 'SESSION_HOURS', params),
    slotLine(slots.in, slots),
    slotLine(slots.out, slots),
    ...codes.map((code) => line('session', at, `SESSION_${code}`, detail)),
    ...outcome.lessons.map((lesson) => lessonLine(lesson, outcome, policy)),
  ];
}

function slotLine(slot: Slot, { session }: SessionSlots): ExplanationLine {
  const at = { session: session.id, n: slot.punch?.punch.n ?? null };
  const window = session.windows[slot.kind];
  const base = { slot: slot.id, open: minuteText(window.open), close: minuteText(window.close) };
  if (slot.punch) {
    const { punch, by, second } = slot.punch;
    const params = {
      ...base,
      time: clockText(second),
      told: punch.wallTime,
      terminal: punch.terminal,
      offset: punch.offsetSeconds ?? 0,
    };
    return line('slot', at, `SLOT_${by.toUpperCase()}`, params);
  }
  if (!slot.byMakeup) return line('slot', at, 'SLOT_EMPTY', base);
  return line('slot', at, 'SLOT_MAKEUP', {
    ...base,
    time: minuteText(slot.kind === 'IN' ? session.start : session.end),
  });
}

function lessonLine(lesson: LessonFinding, outcome: SessionOutcome, policy: Policy): ExplanationLine {
  const filled = filledBy(outcome.slots, policy, true);
  const missing = filled.in === null || filled.out === null;
  const code = outcome.onLeave && missing && lesson.code !== 'LESSON_BY_SLOTS' ? 'LESSON_LEAVE' : lesson.code;
  const shown = (second: number | null): string =>
    second === null
      ? '-'
      : policy.punch.precision === 'minute'
        ? minuteText(Math.floor(second / 60))
        : clockText(second);
  return line('lesson', { session: outcome.slots.session.id, lesson: lesson.no }, code, {
    start: minuteText(lesson.start),
    end: minuteText(lesson.end),
    counted: lesson.counted ? 1 : 0,
    in: shown(filled.in),
    out: shown(filled.out),
    lateGrace: policy.grace.lateMinutes,
    earlyGrace: policy.grace.earlyMinutes,
    minutes: lesson.minutes,
    hours: outcome.centihours / 100,
  });
}

function punchLine(punch: IgnoredPunch, policy: Policy): ExplanationLine {
  return line('punch', { n: punch.n }, `PUNCH_${punch.reason}`, {
    told: punch.wallTime,
    terminal: punch.terminal,
    seconds: policy.punch.dedupeSeconds,
  });
}

function clockText(second: number): string {
  return `${minuteText(Math.floor(second / 60))}:${String(second % 60).padStart(2, '0')}`;
}
