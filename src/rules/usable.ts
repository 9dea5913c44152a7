/**
 * Which punches can fill a slot, and why the others cannot (requirements 4.5). The first reason that applies is the
 * one that is named. Pure; the order in which punches are given does not matter.
 */
import type { Direction } from '../core/punch-words.js';
import type { LocalDate } from '../core/time.js';
import { instantToDate, instantToLocal, wallDate, type Instant } from '../core/time.js';
import type { DayPunch, DayQuestion, Enrolment, IgnoredReason, RivalClass } from './day-credit.js';
import { effectiveTime, type TimedBy } from './effective-time.js';
import { planSessions, type PlannedSession, type SessionId, type SlotKind } from './grid.js';
import type { Policy } from './policy.js';

export interface TimedPunch {
  readonly punch: DayPunch;
  readonly at: Instant | null;
  readonly by: TimedBy;
  /** Local date and second of the day of `at`; empty and -1 when untimed. */
  readonly date: string;
  readonly second: number;
}

/** A class as far as it can claim a punch on one date. */
export interface Claimant {
  readonly enrolled: boolean;
  readonly terminals: ReadonlySet<string>;
  readonly granted: ReadonlySet<string>;
  /** Whether the date has any session, offline or online. */
  readonly scheduled: boolean;
  readonly sessions: readonly PlannedSession[];
  readonly policy: Policy;
}

export interface Place {
  readonly session: SessionId;
  readonly kind: SlotKind;
}

export type Verdict =
  { readonly reason: IgnoredReason; readonly place: null } | { readonly reason: null; readonly place: Place };

export function timePunch(punch: DayPunch, policy: Policy): TimedPunch {
  const { at, by } = effectiveTime(punch, policy.clock);
  if (at === null) return { punch, at, by, date: '', second: -1 };
  const { date, second } = instantToLocal(at, policy.timezone);
  return { punch, at, by, date, second };
}

export function isEnrolled(enrolment: readonly Enrolment[] | null, date: LocalDate): boolean {
  return enrolment === null || enrolment.some(({ from, to }) => from <= date && (to === null || date <= to));
}

/** Whether the punch belongs to this date's result: by its effective date, or, untimed, by what it told or its receipt. */
export function belongsTo(timed: TimedPunch, question: DayQuestion, policy: Policy): boolean {
  if (timed.at !== null) return timed.date === question.date;
  const told = wallDate(timed.punch.wallTime);
  const toldOnClassDay =
    told === question.date ? question.sessions.length > 0 : question.classDates.some((date) => date === told);
  return toldOnClassDay ? told === question.date : instantToDate(timed.punch.rx, policy.timezone) === question.date;
}

export function judge(timed: TimedPunch, claimant: Claimant): Verdict {
  const refuse = (reason: IgnoredReason): Verdict => ({ reason, place: null });
  const { punch } = timed;
  const { policy } = claimant;
  if (timed.at === null) return refuse('CLOCK_UNTRUSTED');
  if (!claimant.enrolled) return refuse('NOT_ENROLLED');
  if (!claimant.terminals.has(punch.terminal)) return refuse('WRONG_CLASS');
  const accepted =
    policy.punch.acceptedMethods.some((method) => method === punch.verify) || claimant.granted.has(punch.verify);
  const { minScore } = policy.punch;
  if (!accepted || (minScore !== null && punch.score !== null && punch.score < minScore))
    return refuse('METHOD_REJECTED');
  if (!claimant.scheduled) return refuse('NOT_SCHEDULED');
  const place = windowOf(timed, claimant);
  return place ? { reason: null, place } : refuse('OUT_OF_WINDOW');
}

/** Breaks and overtime tell a direction too: whoever comes back comes in. */
const DIRECTION: Readonly<Record<Direction, SlotKind | null>> = {
  in: 'IN',
  'break-in': 'IN',
  'ot-in': 'IN',
  out: 'OUT',
  'break-out': 'OUT',
  'ot-out': 'OUT',
  unknown: null,
};

function windowOf(timed: TimedPunch, { sessions, policy }: Claimant): Place | null {
  const minute = Math.floor(timed.second / 60);
  const wanted = policy.punch.direction === 'require' ? [DIRECTION[timed.punch.direction]] : (['IN', 'OUT'] as const);
  for (const session of sessions) {
    for (const kind of wanted) {
      if (kind === null) continue;
      const { open, close } = session.windows[kind];
      if (open <= minute && minute <= close) return { session: session.id, kind };
    }
  }
  return null;
}

/** The other classes of the person, made ready once for all punches of a date. */
export interface Contest {
  readonly date: LocalDate;
  readonly rivals: readonly {
    readonly claimant: Claimant;
    /** The rival goes first: enrolled earlier, or on the same day with the smaller class number. */
    readonly first: boolean;
  }[];
}

export function contestOf(
  own: { readonly classNo: string; readonly enrolment: readonly Enrolment[] | null },
  rivals: readonly RivalClass[],
  date: LocalDate,
): Contest {
  const ownSince = enrolledSince(own.enrolment, date);
  return {
    date,
    rivals: rivals.map((rival) => {
      const since = enrolledSince(rival.enrolment, date);
      const first = since < ownSince || (since === ownSince && rival.classNo < own.classNo);
      return { claimant: rivalClaimant(rival, date), first };
    }),
  };
}

/**
 * Whether a rival class takes this punch from us: a window of it contains the punch, it could use it, and it goes first.
 * `contested` is true whoever wins.
 */
export function contest(
  punch: DayPunch,
  { date, rivals }: Contest,
): { readonly contested: boolean; readonly lost: boolean } {
  const claims = rivals.filter(({ claimant }) => {
    const timed = timePunch(punch, claimant.policy);
    return timed.date === date && judge(timed, claimant).place !== null;
  });
  return { contested: claims.length > 0, lost: claims.some(({ first }) => first) };
}

function rivalClaimant(rival: RivalClass, date: LocalDate): Claimant {
  return {
    enrolled: isEnrolled(rival.enrolment, date),
    terminals: new Set(rival.terminals),
    granted: new Set(rival.grantedMethods),
    scheduled: rival.sessions.length > 0,
    sessions: planSessions(rival.sessions, rival.policy).sessions,
    policy: rival.policy,
  };
}

/** First day of the enrolment in force on `date`; empty (earliest) when enrolled throughout. */
function enrolledSince(enrolment: readonly Enrolment[] | null, date: LocalDate): string {
  if (enrolment === null) return '';
  const inForce = enrolment
    .filter(({ from, to }) => from <= date && (to === null || date <= to))
    .map(({ from }) => from);
  return inForce.sort()[0] ?? '';
}
