/**
 * The days of the attendance table: which columns a date has, what stands in each cell of a person, and the sums of a slot. Pure;
 * takes the results in force as they are recorded and computes no hours.
 *
 * An empty slot of a provisional result stays empty: as long as punches may still come, nobody is said to be missing.
 */
import { enrolledFrom, enrolledTo } from '../classes/class-index.js';
import type { ClassRecord, Member } from '../classes/class-tables.js';
import { recordedCredit } from '../classes/recompute.js';
import type { LocalDate } from '../core/time.js';
import type { DayCredit, DayResult, SlotId } from '../rules/day-credit.js';
import type { CreditFact, Numbered } from '../rules/facts.js';
import type { SessionId } from '../rules/grid.js';
import type { AttendanceDay, Mark, PersonDay, SlotCell, SlotTotal } from './attendance.js';

/** Results in force by `classNo/traineeNo/date`. */
export type DayCredits = ReadonlyMap<string, Numbered<CreditFact>>;

export interface DayRange {
  readonly from: LocalDate | null;
  readonly to: LocalDate | null;
}

export const inRange = (date: LocalDate, { from, to }: DayRange): boolean =>
  (from === null || from <= date) && (to === null || date <= to);

export const isEnrolled = (record: ClassRecord, member: Member, date: LocalDate): boolean =>
  enrolledFrom(record, member) <= date && date <= enrolledTo(record, member);

/** The result of a day; null: none, or withdrawn. */
export function creditOf(fact: Numbered<CreditFact> | undefined): DayCredit | null {
  return fact === undefined ? null : recordedCredit(fact);
}

/** Class days, and other dates on which hours were earned online, so that the hours on paper add up. */
export function daysOf(record: ClassRecord, credits: DayCredits, range: DayRange): readonly AttendanceDay[] {
  const online = new Set<LocalDate>();
  for (const fact of credits.values()) {
    if ((creditOf(fact)?.dayResult?.onlineHours ?? 0) > 0) online.add(fact.date);
  }
  const planned = new Map(record.days.map((day) => [day.date, day.sessions]));
  return [...new Set([...planned.keys(), ...online])]
    .filter((date) => inRange(date, range))
    .sort()
    .map((date) => {
      const sessions = planned.get(date) ?? [];
      const held = sessions.filter((session) => !session.online).map(({ id }) => id);
      return {
        date,
        slots: held.flatMap((id): SlotId[] => [`${id}_IN`, `${id}_OUT`]),
        sessions: held,
        online: online.has(date) || sessions.some((session) => session.online),
      };
    });
}

export function personDay(record: ClassRecord, member: Member, day: AttendanceDay, credits: DayCredits): PersonDay {
  const { date, slots } = day;
  const fact = credits.get(`${record.classNo}/${member.traineeNo}/${date}`);
  const credit = creditOf(fact);
  const result = credit?.dayResult ?? null;
  if (!isEnrolled(record, member, date)) {
    const away = slots.map((slot): SlotCell => ({ slot, time: null, marks: ['—'] }));
    return { date, slots: away, hours: null, onlineHours: 0, status: null };
  }
  if (fact === undefined || credit === null || result === null) {
    const empty = slots.map((slot): SlotCell => ({ slot, time: null, marks: [] }));
    return { date, slots: empty, hours: null, onlineHours: 0, status: null };
  }
  const isOpen = fact.state === 'provisional';
  return {
    date,
    slots: slots.map((slot) => cellOf(slot, result, credit.flags, isOpen)),
    hours: result.totalHours,
    onlineHours: result.onlineHours,
    status: isOpen ? 'provisional' : fact.result.status === 'sealed' ? 'sealed' : 'final',
  };
}

function cellOf(slot: SlotId, result: DayResult, flags: readonly string[], isOpen: boolean): SlotCell {
  const [session, kind] = slot.split('_') as [SessionId, 'IN' | 'OUT'];
  const fill = result.slots[slot] ?? null;
  const has = (code: string): boolean => flags.includes(`${session}:${code}`);
  if (fill === null) {
    const mark: readonly Mark[] = has('LEAVE') ? ['假'] : isOpen ? [] : ['缺'];
    return { slot, time: null, marks: mark };
  }
  // The minute of a make-up is that of the timetable: nobody has seen the person then.
  if (fill.by === 'makeup') return { slot, time: null, marks: ['补'] };
  const marks: readonly Mark[] =
    kind === 'IN' && has('LATE') ? ['迟'] : kind === 'OUT' && has('EARLY_LEAVE') ? ['退'] : [];
  return { slot, time: fill.time, marks };
}

/** For each slot of each date that has a result: enrolled on the date, and how many of them have the slot filled. */
export function slotTotalsOf(
  record: ClassRecord,
  days: readonly AttendanceDay[],
  credits: DayCredits,
): readonly SlotTotal[] {
  return days.flatMap(({ date, slots }) => {
    const enrolled = record.members.filter((member) => isEnrolled(record, member, date));
    const results = enrolled.flatMap(
      (member) => creditOf(credits.get(`${record.classNo}/${member.traineeNo}/${date}`))?.dayResult ?? [],
    );
    if (results.length === 0) return [];
    const expected = enrolled.length;
    return slots.map((slot) => {
      const present = results.filter((result) => (result.slots[slot] ?? null) !== null).length;
      return { date, slot, expected, present, percent: Math.floor((present * 1000) / expected) / 10 };
    });
  });
}
