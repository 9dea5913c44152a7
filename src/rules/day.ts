/**
 * A day's credit for one person in one class (requirements 4.1 to 4.10): four slots, eight hours, and a reason for every
 * lesson and every punch. Pure: no clock, no disk, no machine zone; integers inside; the same input gives the same bytes.
 *
 * Strange punches never make it throw, they become findings. A timetable that does not fit the policy is refused with
 * `bad-timetable`: it should have been refused when it was imported.
 */
import { fail } from '../core/errors.js';
import {
  RULES_ENGINE,
  type DayCredit,
  type DayQuestion,
  type DayResult,
  type IgnoredPunch,
  type IgnoredReason,
  type SessionCredit,
  type SlotFill,
  type SlotId,
} from './day-credit.js';
import { explanationOf, notEnrolledExplanation, type SessionOutcome } from './explanation.js';
import { minuteText, planSessions, type PlannedSession, type SessionId } from './grid.js';
import { sessionHours } from './hours.js';
import { dayHours, type DayHours } from './online.js';
import type { Policy } from './policy.js';
import { fillSlots, filledBy, tie, type Candidate, type SessionSlots, type Slot } from './slots.js';
import {
  belongsTo,
  contest,
  contestOf,
  isEnrolled,
  judge,
  timePunch,
  type Claimant,
  type TimedPunch,
} from './usable.js';

interface Sifted {
  readonly candidates: readonly Candidate[];
  readonly unused: readonly Unused[];
  readonly flags: readonly string[];
}

interface Unused {
  readonly timed: TimedPunch;
  readonly reason: IgnoredReason;
}

export function creditDay(question: DayQuestion, policy: Policy): DayCredit {
  const plan = planSessions(question.sessions, policy);
  const fault = plan.faults[0];
  if (fault) {
    throw fail('bad-timetable', {
      classNo: question.classNo,
      date: question.date,
      reason: fault.en,
      reasonZh: fault.zh,
    });
  }
  const all = timedPunches(question, policy);
  const today = all.filter((timed) => belongsTo(timed, question, policy));
  if (!isEnrolled(question.enrolment, question.date)) return notEnrolled(question, policy, today);

  const sifted = sift(today, all, plan.sessions, question, policy);
  const { filled, leftovers } = fillSlots(plan.sessions, sifted.candidates, question, policy);
  const outcomes = filled.map((slots) => outcomeOf(slots, question, policy));
  const hours = dayHours(outcomes, question.online, policy);
  const ignored = listed([...sifted.unused, ...leftovers]);
  const flags = new Set([...sifted.flags, ...hours.flags, ...outcomes.flatMap((outcome) => outcome.flags)]);
  if (!question.gatewayClockTrusted) flags.add('GATEWAY_CLOCK_UNTRUSTED');
  for (const slots of filled) for (const flag of fillFlags(slots, policy)) flags.add(flag);
  const sorted = [...flags].sort();
  const explanation = explanationOf({ question, policy, outcomes, hours, ignored, flags: sorted });
  return creditOf(question, policy, { dayResult: resultOf(outcomes, hours), flags: sorted, ignored, explanation });
}

/**
 * Whether this person has a result for the date at all (4.10): on every class day, and on another date only with a
 * punch or an online record.
 */
export function hasResult(question: DayQuestion, credit: DayCredit): boolean {
  if (credit.dayResult === null) return credit.flags.length > 0;
  return question.sessions.length > 0 || credit.ignored.length > 0 || question.online.length > 0;
}

/** Journal numbers of the punches that fill slots, in order of the slots. */
export function usedPunches(credit: DayCredit): readonly number[] {
  return Object.values(credit.dayResult?.slots ?? {}).flatMap((fill) => (fill?.n == null ? [] : [fill.n]));
}

function creditOf(
  question: DayQuestion,
  policy: Policy,
  found: Pick<DayCredit, 'dayResult' | 'flags' | 'ignored' | 'explanation'>,
): DayCredit {
  return {
    engine: RULES_ENGINE,
    classNo: question.classNo,
    traineeNo: question.traineeNo,
    date: question.date,
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    timetableVersion: question.timetableVersion,
    rosterVersion: question.rosterVersion,
    dayResult: found.dayResult,
    flags: found.flags,
    ignored: found.ignored,
    explanation: found.explanation,
  };
}

/** Each punch once, in an order that does not depend on the order given. */
function timedPunches(question: DayQuestion, policy: Policy): readonly TimedPunch[] {
  const byNumber = new Map(question.punches.map((punch) => [punch.n, punch]));
  return [...byNumber.values()].map((punch) => timePunch(punch, policy)).sort(byTold);
}

function byTold(a: TimedPunch, b: TimedPunch): number {
  return (a.punch.instant ?? a.punch.rx) - (b.punch.instant ?? b.punch.rx) || tie(a, b);
}

function listed(unused: readonly Unused[]): readonly IgnoredPunch[] {
  return [...unused]
    .sort((a, b) => byTold(a.timed, b.timed))
    .map(({ timed: { punch }, reason }) => ({
      n: punch.n,
      terminal: punch.terminal,
      wallTime: punch.wallTime,
      reason,
    }));
}

function notEnrolled(question: DayQuestion, policy: Policy, today: readonly TimedPunch[]): DayCredit {
  const ignored = listed(
    today.map((timed) => ({ timed, reason: timed.at === null ? 'CLOCK_UNTRUSTED' : 'NOT_ENROLLED' })),
  );
  const flags = ignored.length > 0 ? ['NOT_ENROLLED'] : [];
  const explanation = notEnrolledExplanation(ignored, policy);
  return creditOf(question, policy, { dayResult: null, flags, ignored, explanation });
}

/** Parts the day's punches into those that may fill a slot and those that may not. */
function sift(
  today: readonly TimedPunch[],
  all: readonly TimedPunch[],
  sessions: readonly PlannedSession[],
  question: DayQuestion,
  policy: Policy,
): Sifted {
  const own: Claimant = {
    enrolled: true,
    terminals: new Set(question.terminals),
    granted: new Set(question.grantedMethods),
    scheduled: question.sessions.length > 0,
    sessions,
    policy,
  };
  const candidates: Candidate[] = [];
  const unused: Unused[] = [];
  const flags = new Set<string>();
  const others = contestOf(question, question.rivals, question.date);
  const ownTimes = all
    .filter(({ at, punch }) => at !== null && own.terminals.has(punch.terminal))
    .map(({ at }) => at ?? 0)
    .sort((a, b) => a - b);
  for (const timed of today) {
    const verdict = judge(timed, own);
    if (verdict.place === null) {
      unused.push({ timed, reason: verdict.reason });
      flags.add(verdict.reason);
      if (verdict.reason === 'WRONG_CLASS' && isConcurrent(timed.at ?? 0, ownTimes, policy))
        flags.add('CONCURRENT_PRESENCE');
      continue;
    }
    const { contested, lost } = contest(timed.punch, others);
    if (contested) flags.add('DOUBLE_ENROLMENT');
    if (lost) unused.push({ timed, reason: 'DOUBLE_ENROLMENT' });
    else candidates.push({ timed, place: verdict.place });
  }
  return { candidates, unused, flags: [...flags] };
}

/** Whether one of the times, which are ascending, lies within the policy's seconds of `at`. */
function isConcurrent(at: number, ownTimes: readonly number[], policy: Policy): boolean {
  const within = policy.concurrent.withinSeconds * 1000;
  // The first time that is not too early; a person's day may have many punches, so it is found by halves.
  let [low, high] = [0, ownTimes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ownTimes[middle] ?? 0) < at - within) low = middle + 1;
    else high = middle;
  }
  return (ownTimes[low] ?? Infinity) <= at + within;
}

function outcomeOf(slots: SessionSlots, question: DayQuestion, policy: Policy): SessionOutcome {
  const { session } = slots;
  const filled = filledBy(slots, policy, true);
  const { centihours, lessons } = sessionHours(session, filled, policy);
  const byPunch = sessionHours(session, filledBy(slots, policy, false), policy).centihours;
  const onLeave = question.leaves.includes(session.id);
  const codes: string[] = [];
  if (filled.in !== null && filled.in > (session.start + policy.grace.lateMinutes) * 60) codes.push('LATE');
  if (filled.out !== null && filled.out < (session.end - policy.grace.earlyMinutes) * 60) codes.push('EARLY_LEAVE');
  const missing =
    filled.in === null ? (filled.out === null ? 'ABSENT' : 'MISSING_IN') : filled.out === null ? 'MISSING_OUT' : null;
  if (missing !== null) codes.push(onLeave ? 'LEAVE' : missing);
  else if (onLeave) codes.push('LEAVE_BUT_PRESENT');
  if (slots.in.byMakeup || slots.out.byMakeup) codes.push('MAKEUP');
  if (slots.in.makeupUnneeded || slots.out.makeupUnneeded) codes.push('MAKEUP_UNNEEDED');
  if (slots.in.outage || slots.out.outage) codes.push('OUTAGE');
  return {
    slots,
    lessons,
    centihours,
    byPunch,
    onLeave,
    codes,
    flags: codes.map((code) => `${session.id}:${code}`),
    minutesLate: filled.in === null ? null : Math.max(0, Math.floor((filled.in - session.start * 60) / 60)),
    minutesEarly: filled.out === null ? null : Math.max(0, Math.floor((session.end * 60 - filled.out) / 60)),
  };
}

/** Flags that only punches which fill a slot raise. */
function fillFlags(slots: SessionSlots, policy: Policy): readonly string[] {
  const flags: string[] = [];
  for (const { punch: timed } of [slots.in, slots.out]) {
    if (!timed) continue;
    if (timed.by === 'corrected' || timed.by === 'received') flags.push('CLOCK_CORRECTED');
    if (timed.punch.delivery === 'backfill') flags.push('BACKFILLED');
    if (!policy.punch.acceptedMethods.some((method) => method === timed.punch.verify)) flags.push('ALTERNATIVE_METHOD');
  }
  return flags;
}

function resultOf(outcomes: readonly SessionOutcome[], hours: DayHours): DayResult {
  const slots: Partial<Record<SlotId, SlotFill | null>> = {};
  const perSession: Partial<Record<SessionId, number>> = {};
  for (const { slots: own, centihours } of outcomes) {
    slots[own.in.id] = fillOf(own.in, own.session.start);
    slots[own.out.id] = fillOf(own.out, own.session.end);
    perSession[own.session.id] = centihours / 100;
  }
  return {
    sessions: outcomes.map(sessionCredit),
    slots,
    sessionHours: perSession,
    offlineHours: hours.offline / 100,
    hoursByPunch: hours.byPunch / 100,
    hoursFromMakeup: hours.fromMakeup / 100,
    onlineHours: hours.online / 100,
    totalHours: hours.total / 100,
  };
}

function fillOf(slot: Slot, madeAt: number): SlotFill | null {
  if (slot.punch) {
    const { punch, at, by, second } = slot.punch;
    const time = minuteText(Math.floor(second / 60));
    return { time, by: 'punch', n: punch.n, effective: at, timedBy: by, delivery: punch.delivery };
  }
  if (!slot.byMakeup) return null;
  return { time: minuteText(madeAt), by: 'makeup', n: null, effective: null, timedBy: null, delivery: null };
}

function sessionCredit(outcome: SessionOutcome): SessionCredit {
  const { session } = outcome.slots;
  return {
    id: session.id,
    start: minuteText(session.start),
    end: minuteText(session.end),
    lessons: session.lessons.length,
    hours: outcome.centihours / 100,
    minutesLate: outcome.minutesLate,
    minutesEarly: outcome.minutesEarly,
    onLeave: outcome.onLeave,
  };
}
