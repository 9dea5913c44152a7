/**
 * What stands beside the attendance table: approved make-ups, leave and reviews with reason and approver, flags in words, and what
 * people noted. Opens sealed texts; the caller answers for showing them (R70).
 */
import { loadNotes } from '../classes/class-changes.js';
import type { ClassRecord } from '../classes/class-tables.js';
import { loadRequests, openText, type RequestRow } from '../classes/evidence.js';
import { instantToDate, instantToWall } from '../core/time.js';
import type { ClassTotals } from '../rules/class-totals.js';
import type { SlotId } from '../rules/day-credit.js';
import { flagWords } from '../rules/flags.js';
import type { SessionId } from '../rules/grid.js';
import { punchAt } from '../store/punches.js';
import type { Store } from '../store/store.js';
import type { AttendanceDay, FlagLine, MakeupLine, NoteLine } from './attendance.js';
import { SESSION_WORDS, SLOT_WORDS } from './attendance-words.js';
import { creditOf, inRange, type DayCredits, type DayRange } from './gather-days.js';

type Source = Pick<Store, 'db' | 'vault'>;
type Names = ReadonlyMap<string, string>;

/** Reasons of make-ups (requirements 4.8), leave and reviews; another word stands as it was given. */
const REASONS: Readonly<Record<string, string>> = {
  deviceFault: '考勤机故障',
  powerOutage: '停电',
  networkOutage: '网络中断',
  forgot: '忘记打卡',
  faceFailed: '人脸识别失败',
  sick: '病假',
  personal: '事假',
  official: '公假',
  clockWrong: '考勤机时钟有误',
  clockUnknown: '考勤机时钟误差不明',
  other: '其他',
};

export const reasonWords = (reason: string): string => REASONS[reason] ?? reason;

/** Approved requests by date, then in the order of the class. */
export function makeupLines(source: Source, record: ClassRecord, names: Names, range: DayRange): readonly MakeupLine[] {
  const order = placesOf(names);
  return loadRequests(source, record.classNo)
    .filter((one) => one.state === 'approved' && inRange(one.date, range) && names.has(one.traineeNo))
    .map((one): MakeupLine => {
      const { timezone } = record.policy;
      return {
        date: one.date,
        traineeNo: one.traineeNo,
        name: names.get(one.traineeNo) ?? '',
        kind: one.kind,
        place: placeWords(source, record, one),
        reasonZh: reasonWords(one.reason),
        text: openText(source, 'class_request', one.id),
        requestedBy: one.requestedBy,
        approvedBy: one.decidedBy ?? '',
        approvedAt: one.decidedAt === null ? '' : instantToWall(one.decidedAt, timezone).slice(0, 16),
      };
    })
    .sort((a, b) => (a.date === b.date ? order(a.traineeNo) - order(b.traineeNo) : a.date < b.date ? -1 : 1));
}

function placeWords(source: Source, record: ClassRecord, request: RequestRow): string {
  const { kind, place, effective } = request;
  if (kind === 'leave') return SESSION_WORDS[place as SessionId];
  if (kind === 'makeup') return SLOT_WORDS[place as SlotId];
  const told = punchAt(source.db, Number(place))?.wallTime ?? `记录 ${place}`;
  const found = effective === null ? '' : `，核定 ${instantToWall(effective, record.policy.timezone)}`;
  return `终端显示 ${told}${found}`;
}

const placesOf = (names: Names): ((traineeNo: string) => number) => {
  const order = new Map([...names.keys()].map((no, index) => [no, index]));
  return (traineeNo) => order.get(traineeNo) ?? names.size;
};

/** Not said of a day that may still change. */
const TOO_EARLY = new Set(['ABSENT', 'MISSING_IN', 'MISSING_OUT']);

/** Flags of the class, then those of the people, then those of the days by date. */
export function flagLines(
  totals: ClassTotals,
  credits: DayCredits,
  names: Names,
  days: readonly AttendanceDay[],
): readonly FlagLine[] {
  const shown = new Set(days.map((day) => day.date));
  const line = (code: string, date: FlagLine['date'], traineeNo: string | null, more = ''): FlagLine => {
    const words = flagWords(code);
    const name = traineeNo === null ? null : (names.get(traineeNo) ?? null);
    return { date, traineeNo, name, code, zh: words.zh + more, en: words.en };
  };
  // Teachers and patterns have lines of their own, with their dates.
  const dated = new Set<string>([...totals.teachers, ...totals.patterns].map(({ code }) => code));
  const ofClass = Object.entries(totals.flags.class)
    .filter(([code]) => !dated.has(code))
    .map(([code, count]) => line(code, null, null, count > 1 ? `（${count} 次）` : ''));
  const ofPeople = totals.people.flatMap((one) => one.flags.map((code) => line(code, null, one.traineeNo)));
  const ofTeachers = totals.teachers
    .filter(({ date }) => shown.has(date))
    .map((one) => {
      const present = one.present.length === 0 ? '' : `，实到 ${one.present.join('、')}`;
      return line(`${one.session}:${one.code}`, one.date, null, `（教师 ${one.planned}${present}）`);
    });
  const ofPatterns = totals.patterns
    .filter(({ date }) => shown.has(date))
    .map((one) => line(one.code, one.date, one.traineeNo, `（${one.count}）`));
  const ofDays = [...credits.values()].flatMap((fact) => {
    if (!shown.has(fact.date) || !names.has(fact.traineeNo)) return [];
    const isOpen = fact.state === 'provisional';
    const flags = (creditOf(fact)?.flags ?? []).filter((flag) => !isOpen || !TOO_EARLY.has(flag.replace(/^\w+:/, '')));
    return flags.map((code) => line(code, fact.date, fact.traineeNo));
  });
  const order = placesOf(names);
  const byDay = [...ofTeachers, ...ofPatterns, ...ofDays].sort((a, b) => {
    const [dateA, dateB] = [a.date ?? '', b.date ?? ''];
    if (dateA !== dateB) return dateA < dateB ? -1 : 1;
    const place = (one: FlagLine): number => (one.traineeNo === null ? -1 : order(one.traineeNo));
    return place(a) - place(b) || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);
  });
  return [...ofClass, ...ofPeople, ...gathered(byDay, order)];
}

/** From so many people on, a flag of one date is told once, with their rows on the table: a day read late concerns everybody. */
const TOLD_TOGETHER_FROM = 5;

/** Lines sorted by date; those told together stand where the first of them stood, and name nobody. */
function gathered(lines: readonly FlagLine[], order: (traineeNo: string) => number): readonly FlagLine[] {
  const groups = new Map<FlagLine | string, FlagLine[]>();
  for (const one of lines) {
    const key = one.traineeNo === null ? one : `${one.date ?? ''} ${one.code}`;
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const rows = new Set(group.flatMap(({ traineeNo }) => (traineeNo === null ? [] : [order(traineeNo) + 1])));
    if (first === undefined || rows.size < TOLD_TOGETHER_FROM) return group;
    const words = flagWords(first.code);
    const list = rangesOf([...rows].sort((a, b) => a - b));
    return {
      ...{ date: first.date, traineeNo: null, name: null, code: first.code },
      zh: `${words.zh}（${rows.size} 人，序号 ${list.join('、')}）`,
      en: `${words.en} (${rows.size} people, rows ${list.join(', ')})`,
    };
  });
}

/** `1–3`, `5`: rising numbers in short. */
function rangesOf(numbers: readonly number[]): readonly string[] {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`));
}

export function noteLines(source: Source, record: ClassRecord, range: DayRange): readonly NoteLine[] {
  return loadNotes(source, record.classNo)
    .filter(({ date }) => date === null || inRange(date, range))
    .map(({ date, text, by, at }) => ({ date, text: text ?? '', by, on: instantToDate(at, record.policy.timezone) }));
}
