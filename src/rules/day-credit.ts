/**
 * What a day is asked with and answered with: the input `DayQuestion` and the result `DayCredit` of `creditDay`.
 * Plain JSON on both sides and nothing derived from the machine: the same question and policy give the same bytes.
 */
import type { Direction } from '../core/punch-words.js';
import type { Instant, LocalDate, WallTime } from '../core/time.js';
import type { TimedBy } from './effective-time.js';
import { clockedPunch } from './effective-time.js';
import type { Delivery, Numbered, PunchFact } from './facts.js';
import type { Session, SessionId, SlotKind } from './grid.js';
import type { Policy } from './policy.js';

/** Rises when a change of the rules can change a result. */
export const RULES_ENGINE = 'rollcall-rules/2';

export type SlotId = `${SessionId}_${SlotKind}`;

/** One punch of the person, on whichever terminal and date. */
export interface DayPunch {
  /** Journal number; the same number twice is the same punch. */
  readonly n: number;
  /** Serial number of the terminal. */
  readonly terminal: string;
  /** Exactly what the terminal said. */
  readonly wallTime: WallTime;
  /** `wallTime` as an instant; null when it does not exist. */
  readonly instant: Instant | null;
  readonly rx: Instant;
  readonly offsetSeconds: number | null;
  readonly offsetAgeSeconds: number | null;
  readonly delivery: Delivery;
  /** How the person was verified; words that no policy lists are simply not accepted. */
  readonly verify: string;
  readonly score: number | null;
  readonly direction: Direction;
  /** The time that a reviewer gave a punch which could not be timed; null or absent: none did. */
  readonly reviewed?: Instant | null;
}

/** Both days included; `to: null` is open. */
export interface Enrolment {
  readonly from: LocalDate;
  readonly to: LocalDate | null;
}

/** Another class of the person that shares a terminal, as far as it can claim a punch (4.5, last paragraph). */
export interface RivalClass {
  readonly classNo: string;
  readonly enrolment: readonly Enrolment[] | null;
  readonly terminals: readonly string[];
  readonly grantedMethods: readonly string[];
  readonly sessions: readonly Session[];
  readonly policy: Policy;
}

export interface OnlineRecord {
  readonly kind: 'theory' | 'practice';
  /** Whole minutes. */
  readonly minutes: number;
}

export interface DayQuestion {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** The timetable's sessions of this date; empty: not a class day. */
  readonly sessions: readonly Session[];
  /** Other dates of the class with a session; only those that untimed punches name are looked at. */
  readonly classDates: readonly LocalDate[];
  /** Serial numbers of the terminals assigned to the class on this date. */
  readonly terminals: readonly string[];
  /** null: enrolled throughout. */
  readonly enrolment: readonly Enrolment[] | null;
  /** Methods a supervisor granted this person (R34). */
  readonly grantedMethods: readonly string[];
  readonly gatewayClockTrusted: boolean;
  readonly punches: readonly DayPunch[];
  /** Sessions with approved leave. */
  readonly leaves: readonly SessionId[];
  /** Slots with an approved make-up; a second one for the same slot adds nothing. */
  readonly makeups: readonly SlotId[];
  readonly online: readonly OnlineRecord[];
  /** Times at which terminal, power or network was out; `to: null` still is. */
  readonly outages: readonly { readonly from: Instant; readonly to: Instant | null }[];
  readonly rivals: readonly RivalClass[];
  readonly timetableVersion: string | null;
  readonly rosterVersion: string | null;
}

/** Why a punch fills no slot, in the order in which reasons are tried. */
export type IgnoredReason =
  | 'CLOCK_UNTRUSTED'
  | 'NOT_ENROLLED'
  | 'WRONG_CLASS'
  | 'METHOD_REJECTED'
  | 'NOT_SCHEDULED'
  | 'OUT_OF_WINDOW'
  | 'DOUBLE_ENROLMENT'
  | 'DUPLICATE'
  | 'EXTRA';

export interface IgnoredPunch {
  readonly n: number;
  readonly terminal: string;
  readonly wallTime: WallTime;
  readonly reason: IgnoredReason;
}

export interface SlotFill {
  /** Minute used for windows, `HH:mm`. */
  readonly time: string;
  readonly by: 'punch' | 'makeup';
  /** Journal number of the punch; null for a make-up. */
  readonly n: number | null;
  readonly effective: Instant | null;
  /** How the time was determined; null for a make-up. */
  readonly timedBy: TimedBy | null;
  readonly delivery: Delivery | null;
}

export interface SessionCredit {
  readonly id: SessionId;
  readonly start: string;
  readonly end: string;
  readonly lessons: number;
  readonly hours: number;
  /** Whole minutes after the start or before the end, also inside the grace; null: slot empty. */
  readonly minutesLate: number | null;
  readonly minutesEarly: number | null;
  readonly onLeave: boolean;
}

export interface DayResult {
  readonly sessions: readonly SessionCredit[];
  readonly slots: Readonly<Partial<Record<SlotId, SlotFill | null>>>;
  readonly sessionHours: Readonly<Partial<Record<SessionId, number>>>;
  /** By punches and make-ups, after the day cap. */
  readonly offlineHours: number;
  readonly hoursByPunch: number;
  readonly hoursFromMakeup: number;
  readonly onlineHours: number;
  readonly totalHours: number;
}

export type Params = Readonly<Record<string, string | number>>;

/** One sentence as code and parameters; `explain.ts` turns it into Chinese and English. */
export interface ExplanationLine {
  readonly about: 'day' | 'slot' | 'session' | 'lesson' | 'punch';
  readonly session: SessionId | null;
  readonly lesson: number | null;
  readonly n: number | null;
  readonly code: string;
  readonly params: Params;
}

export interface DayCredit {
  readonly engine: string;
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
  readonly timetableVersion: string | null;
  readonly rosterVersion: string | null;
  /** null: the person was not enrolled on the date. */
  readonly dayResult: DayResult | null;
  /** Each once, by character code. */
  readonly flags: readonly string[];
  /** By told time. */
  readonly ignored: readonly IgnoredPunch[];
  readonly explanation: readonly ExplanationLine[];
}

/**
 * The journal's punch as the rules see it. Offsets become whole seconds (nearest, halves away from zero: a terminal
 * shows no finer), ages are rounded up.
 */
export function dayPunchOf(fact: Numbered<PunchFact>): DayPunch {
  return {
    n: fact.n,
    terminal: fact.deviceSn,
    wallTime: fact.wallTime,
    ...clockedPunch(fact),
    verify: fact.verify,
    score: fact.score,
    direction: fact.direction,
  };
}
