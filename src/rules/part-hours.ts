/**
 * A person's day results as the sums of the class, with the theory and practice hours for thresholds over a part of the course
 * (requirements 4.11). A day result knows hours by session; which form a session had stands in the timetable. Integers
 * (hundredths of an hour), never rounded up.
 *
 * Choices, where the documents are silent:
 * - Hours of a session belong to the form of that session on that date. A session that the timetable does not name (any more)
 *   belongs to neither form: nothing is guessed in anyone's favour.
 * - Hours that the day cap took count in no form; the earlier session keeps its hours first, those by punches before those by
 *   make-ups, as in the day result itself.
 * - Make-up hours count as far as they count in the total, under the class cap, in order of date; within a date the earlier
 *   session first. Online hours count as far as they count in the total, too.
 * - Online hours are theory. Where the policy lets practice be held online, the minutes of each kind are turned into whole
 *   hours for themselves: theory first, and an hour made of minutes of both kinds belongs to neither.
 */
import type { DayResult, OnlineRecord, SessionCredit } from './day-credit.js';
import { bySlots, type Centihours } from './hours.js';
import { plannedOf, type CreditedDay, type LessonForm, type TimetableDay } from './planned-day.js';
import type { Policy } from './policy.js';
import { centi, classCaps, type DatedHours, type PersonDays } from './totals.js';

/** One result for each date of the person, in any order. `requiredHours` are the planned hours of the class. */
export function personDays(
  traineeNo: string,
  days: readonly CreditedDay[],
  timetable: readonly TimetableDay[],
  requiredHours: number,
  policy: Policy,
): PersonDays {
  const dated = (key: 'hoursFromMakeup' | 'onlineHours'): DatedHours =>
    days
      .map(({ credit }) => [credit.date, credit.dayResult?.[key] ?? 0] as const)
      .filter(([, hours]) => hours > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const hoursByPunch = days.reduce((sum, { credit }) => sum + centi(credit.dayResult?.hoursByPunch ?? 0), 0) / 100;
  const sums = { hoursByPunch, makeupHoursByDate: dated('hoursFromMakeup'), onlineHoursByDate: dated('onlineHours') };
  const parts = partHours(days, sums, timetable, requiredHours, policy);
  const part = (form: LessonForm): PersonDays['theory'] => ({
    hours: parts[form] / 100,
    required: plannedOf(timetable, form),
  });
  return { traineeNo, ...sums, theory: part('theory'), practice: part('practice') };
}

type Parts = Readonly<Record<LessonForm, Centihours>>;

function partHours(
  days: readonly CreditedDay[],
  sums: Pick<PersonDays, 'makeupHoursByDate' | 'onlineHoursByDate'>,
  timetable: readonly TimetableDay[],
  requiredHours: number,
  policy: Policy,
): Parts {
  const caps = classCaps(sums, requiredHours, policy);
  const makeup = new Map(caps.makeup.days);
  const online = new Map(caps.online.days);
  const forms = new Map(timetable.map((day) => [day.date, new Map(day.sessions.map((one) => [one.id, one.form]))]));
  const parts = { theory: 0, practice: 0 };
  for (const { credit, online: records } of days) {
    if (credit.dayResult === null) continue;
    const formOf = forms.get(credit.date);
    const add = (session: SessionCredit, hours: Centihours): void => {
      const form = formOf?.get(session.id);
      if (form !== undefined) parts[form] += hours;
    };
    offlineParts(credit.dayResult, centi(makeup.get(credit.date) ?? 0), policy, add);
    const ofDay = onlineParts(records, centi(online.get(credit.date) ?? 0), policy);
    parts.theory += ofDay.theory;
    parts.practice += ofDay.practice;
  }
  return parts;
}

function offlineParts(
  result: DayResult,
  makeup: Centihours,
  policy: Policy,
  add: (session: SessionCredit, hours: Centihours) => void,
): void {
  const sessions = [...result.sessions].sort((a, b) => (a.start < b.start ? -1 : 1));
  let punchedLeft = centi(result.hoursByPunch);
  let madeUpLeft = makeup;
  for (const session of sessions) {
    const byPunch = punchedHours(session, result, policy);
    const punched = Math.min(punchedLeft, byPunch);
    const madeUp = Math.min(madeUpLeft, centi(session.hours) - byPunch);
    punchedLeft -= punched;
    madeUpLeft -= madeUp;
    add(session, punched + madeUp);
  }
}

/** Hours of a session by punches alone: a slot that is made up leaves nothing but, in mode `slot`, the other half. */
function punchedHours(session: SessionCredit, result: DayResult, policy: Policy): Centihours {
  const fills = [result.slots[`${session.id}_IN`], result.slots[`${session.id}_OUT`]];
  if (!fills.some((fill) => fill?.by === 'makeup')) return centi(session.hours);
  if (policy.credit.mode !== 'slot') return 0;
  return bySlots(session.lessons, fills.filter((fill) => fill?.by === 'punch').length, policy);
}

function onlineParts(records: readonly OnlineRecord[], counted: Centihours, policy: Policy): Parts {
  const { lessonMinutes, practiceOnline } = policy.online;
  if (!practiceOnline) return { theory: counted, practice: 0 };
  const hoursOf = (kind: LessonForm): Centihours =>
    Math.floor(records.reduce((sum, one) => sum + (one.kind === kind ? one.minutes : 0), 0) / lessonMinutes) * 100;
  const theory = Math.min(counted, hoursOf('theory'));
  return { theory, practice: Math.min(counted - theory, hoursOf('practice')) };
}
