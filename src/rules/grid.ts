/**
 * Sessions, their lesson grid and the windows of their slots (requirements 4.2, 4.3). Pure, whole minutes of the day.
 *
 * `planSessions` is used twice: when a policy is read, so that a grid which does not fit is found at the desk, and for
 * every day, because a timetable may name other times than the policy. It returns faults and never throws.
 */

export type SessionId = 'AM' | 'PM';
export type SlotKind = 'IN' | 'OUT';

export interface Session {
  readonly id: SessionId;
  /** `HH:mm`, wall time of the policy's zone. */
  readonly start: string;
  readonly end: string;
  /** Class hours the session is worth. */
  readonly lessons: number;
  /** Held online: no slots, no grid; earns hours only through online records. */
  readonly online?: boolean;
}

/** Both ends belong to the window; minutes of the day. */
export interface Window {
  readonly open: number;
  readonly close: number;
}

export interface Lesson {
  /** From 1. */
  readonly no: number;
  readonly start: number;
  readonly end: number;
}

export interface PlannedSession {
  readonly id: SessionId;
  readonly start: number;
  readonly end: number;
  readonly lessons: readonly Lesson[];
  readonly windows: Readonly<Record<SlotKind, Window>>;
}

export interface GridRules {
  readonly lesson: { readonly minutes: number; readonly breakMinutes: number };
  readonly windows: { readonly openBeforeMinutes: number; readonly closeAfterMinutes: number };
}

export interface GridFault {
  /** Place of the session in the list that was given. */
  readonly index: number;
  readonly key: 'id' | 'start' | 'end' | 'lessons';
  readonly en: string;
  readonly zh: string;
}

export interface DayPlan {
  /** Offline sessions by start. */
  readonly sessions: readonly PlannedSession[];
  readonly faults: readonly GridFault[];
}

const DAY_MINUTES = 24 * 60;

/** `HH:mm` as minutes of the day; null when it is none. */
export function minuteOf(text: string): number | null {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : null;
}

export function minuteText(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

interface Draft extends PlannedSession {
  readonly index: number;
}

/** Plans by policy and sessions: a class has few kinds of days, and each is asked for once for every person. */
const plans = new WeakMap<GridRules, Map<string, DayPlan>>();
const PLANS_KEPT = 64;

export function planSessions(sessions: readonly Session[], rules: GridRules): DayPlan {
  let known = plans.get(rules);
  if (known === undefined) plans.set(rules, (known = new Map<string, DayPlan>()));
  let key = '';
  for (const { id, start, end, lessons, online } of sessions)
    key += `${id}|${start}|${end}|${lessons}|${online === true ? 1 : 0};`;
  let plan = known.get(key);
  if (plan === undefined) {
    if (known.size >= PLANS_KEPT) known.clear();
    plan = planOf(sessions, rules);
    known.set(key, plan);
  }
  return plan;
}

function planOf(sessions: readonly Session[], rules: GridRules): DayPlan {
  const faults: GridFault[] = [];
  const drafts: Draft[] = [];
  const seen = new Set<SessionId>();
  sessions.forEach((session, index) => {
    if (seen.has(session.id)) {
      faults.push({ index, key: 'id', en: `session ${session.id} is named twice`, zh: `时段 ${session.id} 重复` });
    }
    seen.add(session.id);
    if (session.online === true) return;
    const draft = draftOf(session, index, rules, faults);
    if (draft) drafts.push(draft);
  });
  drafts.sort((a, b) => a.start - b.start);
  if (faults.length > 0) return { sessions: [], faults };
  const split = splitNoon(drafts, faults);
  return faults.length > 0 ? { sessions: [], faults } : { sessions: split, faults };
}

function draftOf(session: Session, index: number, rules: GridRules, faults: GridFault[]): Draft | null {
  const start = minuteOf(session.start);
  const end = minuteOf(session.end);
  if (start === null || end === null) {
    const key = start === null ? 'start' : 'end';
    faults.push({ index, key, en: `"${session[key]}" is not a time HH:mm`, zh: `“${session[key]}” 不是 HH:mm 时间` });
    return null;
  }
  const { minutes, breakMinutes } = rules.lesson;
  const ends = start + session.lessons * minutes + (session.lessons - 1) * breakMinutes;
  if (ends !== end) {
    const shown = ends < DAY_MINUTES ? minuteText(ends) : 'after 24:00';
    faults.push({
      index,
      key: 'lessons',
      en: `${session.lessons} lessons of ${minutes} min with breaks of ${breakMinutes} min from ${session.start} end at ${shown}, not at ${session.end}`,
      zh: `从 ${session.start} 起 ${session.lessons} 节课(每节 ${minutes} 分钟,课间 ${breakMinutes} 分钟)应在 ${shown} 结束,而不是 ${session.end}`,
    });
    return null;
  }
  const cut = Math.floor((start + end) / 2);
  const lessons = Array.from({ length: session.lessons }, (_, at) => {
    const first = start + at * (minutes + breakMinutes);
    return { no: at + 1, start: first, end: first + minutes };
  });
  const open = Math.max(0, start - rules.windows.openBeforeMinutes);
  const close = Math.min(DAY_MINUTES - 1, end + rules.windows.closeAfterMinutes);
  const windows = { IN: { open, close: cut }, OUT: { open: cut + 1, close } };
  return { id: session.id, start, end, lessons, windows, index };
}

/** Where the windows of neighbours meet or overlap, they are parted at the midpoint of the pause between the sessions. */
function splitNoon(drafts: readonly Draft[], faults: GridFault[]): readonly PlannedSession[] {
  const windows = drafts.map((one) => ({ IN: { ...one.windows.IN }, OUT: { ...one.windows.OUT } }));
  drafts.forEach((next, at) => {
    const before = drafts[at - 1];
    const [left, right] = [windows[at - 1], windows[at]];
    if (!before || !left || !right) return;
    if (before.end > next.start) {
      const times = `${minuteText(before.end)} > ${minuteText(next.start)}`;
      faults.push({
        index: next.index,
        key: 'start',
        en: `sessions ${before.id} and ${next.id} overlap (${times})`,
        zh: `时段 ${before.id} 与 ${next.id} 重叠(${times})`,
      });
      return;
    }
    if (left.OUT.close < right.IN.open) return;
    const split = Math.floor((before.end + next.start) / 2);
    left.OUT.close = split - 1;
    right.IN.open = split;
  });
  drafts.forEach((draft, at) => {
    const own = windows[at];
    if (!own) return;
    for (const kind of ['IN', 'OUT'] as const) {
      if (own[kind].open <= own[kind].close) continue;
      faults.push({
        index: draft.index,
        key: kind === 'IN' ? 'start' : 'end',
        en: `the ${draft.id}_${kind} window is empty`,
        zh: `${draft.id}_${kind} 打卡窗口为空`,
      });
    }
  });
  return drafts.map(({ id, start, end, lessons }, at) => ({
    id,
    start,
    end,
    lessons,
    windows: windows[at] ?? { IN: EMPTY, OUT: EMPTY },
  }));
}

const EMPTY: Window = { open: 0, close: -1 };
