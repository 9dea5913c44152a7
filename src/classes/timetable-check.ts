/**
 * The timetable of a class file, judged: dates inside the period and once each, sessions whole, lesson grid that fits the
 * policy (§4.2), practice never online where the policy says so (R16), teachers from the class's own list.
 */
import type { Path } from '../core/located.js';
import type { LocalDate } from '../core/time.js';
import { planSessions } from '../rules/grid.js';
import type { ClassPolicy, FaultBook } from './class-file.js';
import type { ClassParts, SessionEntry } from './class-schema.js';
import { datesBetween, weekdayOf, TIMETABLE_DAYS_MAX, type ClassDay, type ClassSession } from './timetable.js';

type Book = Pick<FaultBook, 'add'>;
type Plan = Pick<ClassParts, 'timetable' | 'period' | 'teachers'>;

/** The days of the class; faults go into the book, and what cannot be read is left out. */
export function checkTimetable(content: Plan, policy: ClassPolicy | null, book: Book): readonly ClassDay[] {
  const { timetable, period } = content;
  if (policy === null || timetable === undefined || (period !== undefined && period.to < period.from)) return [];
  if (Array.isArray(timetable)) return judgedDays(listedDays(content, timetable, policy, book), book);
  const [from, to] = [timetable.from ?? period?.from, timetable.to ?? period?.to];
  // Weekdays mean dates only when somebody says from when to when.
  if (from === undefined || to === undefined) return [];
  return judgedDays(patternDays(content, { ...timetable, from, to }, policy, book), book);
}

function judgedDays(days: readonly ClassDay[], book: Book): readonly ClassDay[] {
  if (days.length === 0) book.add(['timetable'], { en: 'it names no day of the class', zh: '课程表中没有任何上课日' });
  return days;
}

type Timetable = NonNullable<ClassParts['timetable']>;
type Listed = Extract<Timetable, readonly unknown[]>;
type Pattern = Exclude<Timetable, readonly unknown[]> & { readonly from: LocalDate; readonly to: LocalDate };

function listedDays(content: Plan, listed: Listed, policy: ClassPolicy, book: Book): readonly ClassDay[] {
  const seen = new Map<LocalDate, number>();
  const days = listed.flatMap((day, index) => {
    const path = ['timetable', index];
    const first = seen.get(day.date);
    if (first !== undefined) {
      book.add([...path, 'date'], { en: `the same date as in row ${first + 1}`, zh: `与第 ${first + 1} 行日期重复` });
      return [];
    }
    seen.set(day.date, index);
    if (isOutside(content, day.date)) {
      book.add([...path, 'date'], { en: 'outside the period of the class', zh: '不在培训起止日期之内' });
    }
    const sessions = wholeSessions(day.sessions, [...path, 'sessions'], content, policy, book);
    return sessions.length === 0 ? [] : [{ date: day.date, sessions }];
  });
  return days.sort((a, b) => (a.date < b.date ? -1 : 1));
}

const isOutside = ({ period }: Plan, date: LocalDate): boolean =>
  period !== undefined && (date < period.from || date > period.to);

function patternDays(content: Plan, pattern: Pattern, policy: ClassPolicy, book: Book): readonly ClassDay[] {
  const { from, to } = pattern;
  if (isOutside(content, from) || isOutside(content, to)) {
    const key = isOutside(content, from) ? 'from' : 'to';
    book.add(['timetable', key], { en: 'outside the period of the class', zh: '不在培训起止日期之内' });
    return [];
  }
  const dates = datesBetween(from, to);
  if (dates.length > TIMETABLE_DAYS_MAX) {
    book.add(['timetable'], { en: `longer than ${TIMETABLE_DAYS_MAX} days`, zh: `超过 ${TIMETABLE_DAYS_MAX} 天` });
    return [];
  }
  pattern.except.forEach((date, index) => {
    if (date < from || date > to) {
      book.add(['timetable', 'except', index], {
        en: 'outside the dates of the timetable',
        zh: '不在课程表日期范围内',
      });
    }
  });
  const sessions = wholeSessions(pattern.sessions, ['timetable', 'sessions'], content, policy, book);
  if (sessions.length === 0) return [];
  const weekdays = new Set(pattern.weekdays);
  const except = new Set(pattern.except);
  return dates.filter((date) => weekdays.has(weekdayOf(date)) && !except.has(date)).map((date) => ({ date, sessions }));
}

/** Sessions with nothing left open: an id alone, and what a session leaves out, is taken from the policy. */
function wholeSessions(
  entries: readonly SessionEntry[] | undefined,
  path: Path,
  content: Plan,
  policy: ClassPolicy,
  book: Book,
): readonly ClassSession[] {
  const add = (at: Path, en: string, zh: string): void => book.add(at, { en, zh });
  const wanted: readonly SessionEntry[] = entries ?? policy.sessions.map((session) => session.id);
  const sessions = wanted.flatMap((entry, index): readonly ClassSession[] => {
    const given = typeof entry === 'string' ? { id: entry, online: false, form: 'theory' as const } : entry;
    const preset = policy.sessions.find((session) => session.id === given.id);
    const start = ('start' in given ? given.start : undefined) ?? preset?.start;
    const end = ('end' in given ? given.end : undefined) ?? preset?.end;
    const lessons = ('lessons' in given ? given.lessons : undefined) ?? preset?.lessons;
    if (start === undefined || end === undefined || lessons === undefined) {
      add(
        [...path, index],
        `the policy has no session ${given.id}: give start, end and lessons`,
        `策略中没有时段 ${given.id}：请写明 start、end 和 lessons`,
      );
      return [];
    }
    if (given.online && given.form === 'practice' && !policy.online.practiceOnline) {
      add([...path, index, 'online'], 'practice must not be held online', '实操课不得安排在线上');
    }
    const teacher = ('teacher' in given ? given.teacher : undefined) ?? null;
    const isKnown = content.teachers?.some((one) => one.teacherNo === teacher) ?? true;
    if (teacher !== null && !isKnown) {
      add([...path, index, 'teacher'], 'no such teacher on the list of the class', '教师名单中没有该教师编号');
    }
    const text = typeof entry === 'string' ? null : entry;
    return [
      {
        id: given.id,
        start,
        end,
        lessons,
        online: given.online,
        form: given.form,
        content: text?.content ?? null,
        teacher,
        room: text?.room ?? null,
      },
    ];
  });
  for (const fault of planSessions(sessions, policy).faults) add([...path, fault.index, fault.key], fault.en, fault.zh);
  return [...sessions].sort((a, b) => (a.start < b.start ? -1 : 1));
}
