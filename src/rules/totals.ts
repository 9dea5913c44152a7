/**
 * What a person's day results add up to in a class, and whether thresholds are reached (requirements 4.11), and the
 * numbers of an inspection (4.12). Pure integers; nothing here says "passed": both ratios stand side by side and the
 * county judges.
 */
import type { DayResult } from './day-credit.js';
import type { SessionId } from './grid.js';
import type { Policy } from './policy.js';

/** Hours of a part of the course, for thresholds over theory or practice alone. */
export interface PartHours {
  readonly hours: number;
  readonly required: number;
}

export type DatedHours = readonly (readonly [date: string, hours: number])[];

export interface PersonDays {
  readonly traineeNo: string;
  /** Sum over the day results. */
  readonly hoursByPunch: number;
  readonly makeupHoursByDate: DatedHours;
  readonly onlineHoursByDate: DatedHours;
  /** null: the parts are not told apart; then the whole course stands for each. */
  readonly theory: PartHours | null;
  readonly practice: PartHours | null;
}

export interface PersonTotal {
  readonly traineeNo: string;
  readonly hoursByPunch: number;
  readonly makeupCounted: number;
  readonly makeupRaw: number;
  readonly onlineCounted: number;
  readonly onlineRaw: number;
  readonly totalHours: number;
  readonly requiredHours: number;
  /** One decimal, rounded down. */
  readonly percent: number;
  /** null: the policy sets no threshold. */
  readonly attendanceQualified: boolean | null;
  readonly examEligible: boolean | null;
  readonly flags: readonly string[];
  /** Hours of each make-up and online day that count, in order of date. */
  readonly counted: { readonly makeup: DatedHours; readonly online: DatedHours };
}

/** Hours to whole hundredths: what a result carries has two decimals at most. */
export const centi = (hours: number): number => Math.round(hours * 100);

/** What the two class caps leave of make-up and online hours, in order of date. */
export function classCaps(
  person: Pick<PersonDays, 'makeupHoursByDate' | 'onlineHoursByDate'>,
  requiredHours: number,
  policy: Policy,
): { readonly makeup: Capped; readonly online: Capped; readonly flags: readonly string[] } {
  const flags: string[] = [];
  const makeup = capped(person.makeupHoursByDate, wholeShare(requiredHours, policy.makeup.maxPercentOfRequired));
  if (makeup.counted < makeup.raw) flags.push('MAKEUP_CAP');
  const cut = capped(person.onlineHoursByDate, wholeShare(requiredHours, policy.online.totalCapPercent));
  if (cut.counted < cut.raw) flags.push('ONLINE_TOTAL_CAP');
  const online = policy.online.overCap === 'cap' ? cut : capped(person.onlineHoursByDate, Infinity);
  return { makeup, online, flags };
}

/** `requiredHours` are the planned hours of the class, more than 0. */
export function personTotal(person: PersonDays, requiredHours: number, policy: Policy): PersonTotal {
  const required = centi(requiredHours);
  const { makeup, online, flags } = classCaps(person, requiredHours, policy);
  const total = centi(person.hoursByPunch) + makeup.counted + online.counted;
  const { examPercent } = policy.thresholds;
  return {
    traineeNo: person.traineeNo,
    hoursByPunch: person.hoursByPunch,
    makeupCounted: makeup.counted / 100,
    makeupRaw: makeup.raw / 100,
    onlineCounted: online.counted / 100,
    onlineRaw: online.raw / 100,
    totalHours: total / 100,
    requiredHours,
    percent: Math.floor((total * 1000) / required) / 10,
    attendanceQualified: attendanceQualified(person, total, required, policy),
    examEligible: examPercent === null ? null : reaches(total, required, examPercent),
    flags,
    counted: { makeup: makeup.days, online: online.days },
  };
}

/** Every threshold that is set must be reached, except the one of the examination; null when none is set. */
function attendanceQualified(person: PersonDays, total: number, required: number, policy: Policy): boolean | null {
  const { attendancePercent, theoryPercent, practicePercent } = policy.thresholds;
  const answers: boolean[] = [];
  if (attendancePercent !== null) answers.push(reaches(total, required, attendancePercent));
  const parts = [
    [theoryPercent, person.theory],
    [practicePercent, person.practice],
  ] as const;
  for (const [percent, part] of parts) {
    if (percent === null) continue;
    const [hours, whole] = part === null ? [total, required] : [centi(part.hours), centi(part.required)];
    answers.push(reaches(hours, whole, percent));
  }
  return answers.length === 0 ? null : !answers.includes(false);
}

/** `percent` % or more, in integers. */
function reaches(hours: number, required: number, percent: number): boolean {
  return hours * 100 >= required * percent;
}

/** A share of the required hours, down to whole hours; in hundredths. */
function wholeShare(requiredHours: number, percent: number): number {
  return Math.floor((centi(requiredHours) * percent) / 10_000) * 100;
}

/** Hundredths of an hour; `days` in hours. */
interface Capped {
  readonly raw: number;
  readonly counted: number;
  readonly days: DatedHours;
}

function capped(byDate: DatedHours, cap: number): Capped {
  let counted = 0;
  let raw = 0;
  const days = [...byDate]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([date, hours]) => {
      const takes = Math.min(centi(hours), cap - counted);
      raw += centi(hours);
      counted += takes;
      return [date, takes / 100] as const;
    });
  return { raw, counted, days };
}

export interface SpotCheck {
  readonly expected: number;
  readonly present: number;
  readonly reached: boolean;
  /** People to be phoned. */
  readonly phoneSample: number;
}

/**
 * Whether a person counts as present while a session runs: signed in, and no punch in the out-window yet. `result` is the day
 * with the punches known at that moment; a made-up sign-out is no punch.
 */
export function isPresent({ slots }: Pick<DayResult, 'slots'>, session: SessionId): boolean {
  const [first, last] = [slots[`${session}_IN`], slots[`${session}_OUT`]];
  return first != null && last?.by !== 'punch';
}

/** `onLeave` are those of the expected who are on leave; the policy says whether they stay expected. */
export function spotCheck(enrolled: number, onLeave: number, present: number, policy: Policy): SpotCheck {
  const expected = policy.spotCheck.excludeLeave ? enrolled - onLeave : enrolled;
  const [part = 1, whole = 1] = policy.spotCheck.phoneShare.split('/').map(Number);
  return {
    expected,
    present,
    reached: reaches(present, expected, policy.spotCheck.passPercent),
    phoneSample: Math.ceil((expected * part) / whole),
  };
}

export function inspectionsDue(
  plannedHours: number,
  policy: Policy,
): { readonly city: number; readonly county: number } {
  return plannedHours <= policy.inspections.hoursLimit ? policy.inspections.upToLimit : policy.inspections.above;
}
