/**
 * The slots of a day filled with punches and make-ups (requirements 4.5, 4.7, 4.8): IN takes the earliest punch of its
 * window, OUT the latest; what is left over is DUPLICATE or EXTRA. A make-up fills only an empty slot. Pure.
 */
import type { DayQuestion, SlotId } from './day-credit.js';
import type { PlannedSession, SlotKind } from './grid.js';
import type { Policy } from './policy.js';
import type { Filled } from './hours.js';
import type { Place, TimedPunch } from './usable.js';
import { instantToLocal, type Instant } from '../core/time.js';

export interface Slot {
  readonly id: SlotId;
  readonly kind: SlotKind;
  /** The punch that fills it. */
  readonly punch: TimedPunch | null;
  readonly byMakeup: boolean;
  /** A make-up was approved for a slot that a punch fills. */
  readonly makeupUnneeded: boolean;
  /** An outage touched the window and no punch fills the slot. */
  readonly outage: boolean;
}

export interface SessionSlots {
  readonly session: PlannedSession;
  readonly in: Slot;
  readonly out: Slot;
}

export interface Candidate {
  readonly timed: TimedPunch;
  readonly place: Place;
}

export interface Leftover {
  readonly timed: TimedPunch;
  readonly reason: 'DUPLICATE' | 'EXTRA';
}

/** Seconds of the day as the policy compares them with lessons. */
function creditSecond(second: number, policy: Policy): number {
  return policy.punch.precision === 'minute' ? Math.floor(second / 60) * 60 : second;
}

export function fillSlots(
  sessions: readonly PlannedSession[],
  candidates: readonly Candidate[],
  question: DayQuestion,
  policy: Policy,
): { readonly filled: readonly SessionSlots[]; readonly leftovers: readonly Leftover[] } {
  const leftovers: Leftover[] = [];
  const makeups = new Set(policy.makeup.allowed ? question.makeups : []);
  const slotOf = (session: PlannedSession, kind: SlotKind): Slot => {
    const here = candidates
      .filter(({ place }) => place.session === session.id && place.kind === kind)
      .map(({ timed }) => timed);
    const [punch = null, ...others] = here.sort(kind === 'IN' ? earliestFirst : latestFirst);
    for (const timed of others) leftovers.push({ timed, reason: leftoverReason(timed, punch, policy) });
    const id: SlotId = `${session.id}_${kind}`;
    const wanted = makeups.has(id);
    return {
      id,
      kind,
      punch,
      byMakeup: wanted && punch === null,
      makeupUnneeded: wanted && punch !== null,
      outage: punch === null && touched(session, kind, question, policy),
    };
  };
  const filled = sessions.map((session) => ({ session, in: slotOf(session, 'IN'), out: slotOf(session, 'OUT') }));
  return { filled, leftovers };
}

/** What the slots are worth with make-ups, or by punches alone. */
export function filledBy(slots: SessionSlots, policy: Policy, withMakeups: boolean): Filled {
  const second = (slot: Slot, made: number): number | null => {
    if (slot.punch) return creditSecond(slot.punch.second, policy);
    return withMakeups && slot.byMakeup ? made * 60 : null;
  };
  return { in: second(slots.in, slots.session.start), out: second(slots.out, slots.session.end) };
}

function leftoverReason(timed: TimedPunch, used: TimedPunch | null, policy: Policy): 'DUPLICATE' | 'EXTRA' {
  if (used?.at == null || timed.at === null) return 'EXTRA';
  return Math.abs(timed.at - used.at) <= policy.punch.dedupeSeconds * 1000 ? 'DUPLICATE' : 'EXTRA';
}

const earliestFirst = (a: TimedPunch, b: TimedPunch): number => (a.at ?? 0) - (b.at ?? 0) || tie(a, b);
const latestFirst = (a: TimedPunch, b: TimedPunch): number => (b.at ?? 0) - (a.at ?? 0) || tie(a, b);

/** Equal effective times: the smaller told time, then the terminal, then the journal number, in both windows. */
export function tie(a: TimedPunch, b: TimedPunch): number {
  const told = (a.punch.instant ?? Infinity) - (b.punch.instant ?? Infinity);
  if (told !== 0 && !Number.isNaN(told)) return told;
  return (
    byText(a.punch.wallTime, b.punch.wallTime) || byText(a.punch.terminal, b.punch.terminal) || a.punch.n - b.punch.n
  );
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Both ends of a window and of an outage belong to it, by the minute. */
function touched(session: PlannedSession, kind: SlotKind, question: DayQuestion, policy: Policy): boolean {
  const { open, close } = session.windows[kind];
  return question.outages.some(({ from, to }) => {
    const [first, last] = [
      minuteOn(from, question.date, policy),
      to === null ? Infinity : minuteOn(to, question.date, policy),
    ];
    return first <= close && open <= last;
  });
}

/** Minute of `date` at an instant; before that date -1, after it Infinity. */
function minuteOn(at: Instant, date: string, policy: Policy): number {
  const local = instantToLocal(at, policy.timezone);
  if (local.date !== date) return local.date < date ? -1 : Infinity;
  return Math.floor(local.second / 60);
}
