/**
 * The rules a second time, for the mode `lessons` alone: written from the text of requirements 4.2 to 4.9, without the program's
 * own code, and as plainly as the text reads. Slow, knows only the fixed zone +08:00, and shares nothing with `src/rules` but the
 * shape of its question, so that a mistake of one is not a mistake of both.
 */
import type { DayPunch, DayQuestion, Enrolment } from '../../src/rules/day-credit.js';
import type { Policy } from '../../src/rules/policy.js';

export interface OracleDay {
  /** `HH:mm` and the punch, null for an empty slot; n null: a make-up. */
  readonly slots: Record<string, { time: string; n: number | null } | null>;
  readonly sessionHours: Record<string, number>;
  readonly minutes: Record<string, { late: number | null; early: number | null }>;
  readonly offlineHours: number;
  readonly hoursByPunch: number;
  readonly hoursFromMakeup: number;
  readonly onlineHours: number;
  readonly totalHours: number;
}

export interface OracleAnswer {
  readonly day: OracleDay | null;
  readonly flags: string[];
  /** Punches that fill no slot: number to reason. */
  readonly ignored: Record<number, string>;
}

const EIGHT_HOURS = 8 * 3600;

interface Moment {
  /** Seconds since 1970, at +08:00. */
  readonly local: number;
  readonly how: 'device' | 'corrected' | 'received' | 'reviewed';
}

/** 4.4: when was it really? null: nobody knows. */
function whenWas(punch: DayPunch, policy: Policy): Moment | null {
  const local = (ms: number): number => Math.floor(ms / 1000) + EIGHT_HOURS;
  const { okSeconds, correctMaxSeconds, staleAfterHours } = policy.clock;
  const measured =
    punch.instant !== null &&
    punch.offsetSeconds !== null &&
    punch.offsetAgeSeconds !== null &&
    punch.offsetAgeSeconds <= staleAfterHours * 3600;
  if (measured) {
    const size = punch.offsetSeconds < 0 ? -punch.offsetSeconds : punch.offsetSeconds;
    if (size <= okSeconds) return { local: local(punch.instant), how: 'device' };
    if (size <= correctMaxSeconds) return { local: local(punch.instant) - punch.offsetSeconds, how: 'corrected' };
  }
  if (punch.delivery === 'live') return { local: local(punch.rx), how: 'received' };
  if (punch.reviewed !== undefined && punch.reviewed !== null) return { local: local(punch.reviewed), how: 'reviewed' };
  return null;
}

/** Days since 1970 of a calendar date, counted in the plainest way. */
function dayNumber(date: string): number {
  return Date.UTC(Number(date.slice(0, 4)), Number(date.slice(5, 7)) - 1, Number(date.slice(8, 10))) / 86_400_000;
}

const dayOf = (local: number): number => Math.floor(local / 86_400);
const secondOf = (local: number): number => local - dayOf(local) * 86_400;
const clock = (minute: number): string =>
  `${Math.floor(minute / 60) < 10 ? '0' : ''}${Math.floor(minute / 60)}:${minute % 60 < 10 ? '0' : ''}${minute % 60}`;
const minuteIn = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));

interface WindowOfSlot {
  readonly session: string;
  readonly kind: 'IN' | 'OUT';
  open: number;
  close: number;
}

/** 4.3, with the split at noon. */
function windowsOf(sessions: DayQuestion['sessions'], policy: Policy): WindowOfSlot[] {
  const inClass = sessions.filter((one) => one.online !== true);
  inClass.sort((a, b) => minuteIn(a.start) - minuteIn(b.start));
  const windows: WindowOfSlot[] = [];
  for (const one of inClass) {
    const [start, end] = [minuteIn(one.start), minuteIn(one.end)];
    const cut = Math.floor((start + end) / 2);
    windows.push({ session: one.id, kind: 'IN', open: start - policy.windows.openBeforeMinutes, close: cut });
    windows.push({ session: one.id, kind: 'OUT', open: cut + 1, close: end + policy.windows.closeAfterMinutes });
  }
  const [first, second] = inClass;
  const [, firstOut, secondIn] = windows;
  if (first && second && firstOut && secondIn && firstOut.close >= secondIn.open) {
    const split = Math.floor((minuteIn(first.end) + minuteIn(second.start)) / 2);
    firstOut.close = split - 1;
    secondIn.open = split;
  }
  return windows;
}

const enrolledOn = (enrolment: readonly Enrolment[] | null, date: string): boolean =>
  enrolment === null || enrolment.some((one) => one.from <= date && (one.to === null || one.to >= date));

function enrolledSince(enrolment: readonly Enrolment[] | null, date: string): string {
  if (enrolment === null) return '';
  let since = '9999';
  for (const one of enrolment) if (enrolledOn([one], date) && one.from < since) since = one.from;
  return since;
}

interface Course {
  readonly date: string;
  readonly enrolment: readonly Enrolment[] | null;
  readonly terminals: readonly string[];
  readonly grantedMethods: readonly string[];
  readonly sessions: DayQuestion['sessions'];
  readonly policy: Policy;
}

/** 4.5, rules 3 to 7 for a punch that is of this date: the window it falls into, or the reason why none. */
function windowFor(punch: DayPunch, when: Moment, course: Course): WindowOfSlot | string {
  const { policy } = course;
  if (!enrolledOn(course.enrolment, course.date)) return 'NOT_ENROLLED';
  if (!course.terminals.includes(punch.terminal)) return 'WRONG_CLASS';
  const methods: readonly string[] = [...policy.punch.acceptedMethods, ...course.grantedMethods];
  if (!methods.includes(punch.verify)) return 'METHOD_REJECTED';
  if (policy.punch.minScore !== null && punch.score !== null && punch.score < policy.punch.minScore)
    return 'METHOD_REJECTED';
  if (course.sessions.length === 0) return 'NOT_SCHEDULED';
  const minute = Math.floor(secondOf(when.local) / 60);
  for (const window of windowsOf(course.sessions, policy)) {
    if (policy.punch.direction === 'require' && punch.direction !== window.kind.toLowerCase()) continue;
    if (minute >= window.open && minute <= window.close) return window;
  }
  return 'OUT_OF_WINDOW';
}

export function oracleDay(question: DayQuestion, policy: Policy): OracleAnswer {
  const { date } = question;
  const today = dayNumber(date);
  const own: Course = { ...question, policy };
  const flags = new Set<string>();
  const ignored: Record<number, string> = {};

  const punches = [...new Map(question.punches.map((one) => [one.n, one])).values()];
  const usable: { punch: DayPunch; when: Moment; window: WindowOfSlot }[] = [];
  for (const punch of punches) {
    const when = whenWas(punch, policy);
    if (when === null) {
      const told = punch.wallTime.slice(0, 10);
      const toldIsClassDay =
        told === date ? question.sessions.length > 0 : question.classDates.some((other) => other === told);
      const listedHere = toldIsClassDay ? told === date : dayOf(Math.floor(punch.rx / 1000) + EIGHT_HOURS) === today;
      if (listedHere) ignored[punch.n] = 'CLOCK_UNTRUSTED';
      continue;
    }
    if (dayOf(when.local) !== today) continue;
    const place = windowFor(punch, when, own);
    if (typeof place !== 'string') {
      // The last paragraph of 4.5: does another class of the person want it as well?
      let lost = false;
      for (const rival of question.rivals) {
        const there = whenWas(punch, rival.policy);
        if (there === null || dayOf(there.local) !== today) continue;
        if (typeof windowFor(punch, there, { ...rival, date }) === 'string') continue;
        flags.add('DOUBLE_ENROLMENT');
        const [ours, theirs] = [enrolledSince(question.enrolment, date), enrolledSince(rival.enrolment, date)];
        if (theirs < ours || (theirs === ours && rival.classNo < question.classNo)) lost = true;
      }
      if (lost) ignored[punch.n] = 'DOUBLE_ENROLMENT';
      else usable.push({ punch, when, window: place });
      continue;
    }
    ignored[punch.n] = place;
    if (place !== 'WRONG_CLASS') continue;
    for (const other of punches) {
      const then = whenWas(other, policy);
      if (then === null || !question.terminals.includes(other.terminal)) continue;
      if (Math.abs(then.local - when.local) <= policy.concurrent.withinSeconds) flags.add('CONCURRENT_PRESENCE');
    }
  }
  if (!enrolledOn(question.enrolment, date)) {
    return { day: null, flags: Object.keys(ignored).length > 0 ? ['NOT_ENROLLED'] : [], ignored };
  }

  const toSecond = (when: Moment): number => {
    const second = secondOf(when.local);
    return policy.punch.precision === 'minute' ? second - (second % 60) : second;
  };
  const slots: OracleDay['slots'] = {};
  const sessionHours: Record<string, number> = {};
  const minutes: OracleDay['minutes'] = {};
  let withMakeups = 0;
  let byPunches = 0;
  for (const session of question.sessions) {
    if (session.online === true) continue;
    const [start, end] = [minuteIn(session.start), minuteIn(session.end)];
    const punchOf = { IN: null as null | Moment, OUT: null as null | Moment };
    const madeUp = { IN: false, OUT: false };
    for (const kind of ['IN', 'OUT'] as const) {
      const slot = `${session.id}_${kind}` as const;
      const here = usable.filter((one) => one.window.session === session.id && one.window.kind === kind);
      here.sort((a, b) => {
        const byTime = kind === 'IN' ? a.when.local - b.when.local : b.when.local - a.when.local;
        if (byTime !== 0) return byTime;
        const toldA = a.punch.instant ?? Number.MAX_SAFE_INTEGER;
        const toldB = b.punch.instant ?? Number.MAX_SAFE_INTEGER;
        if (toldA !== toldB) return toldA - toldB;
        if (a.punch.wallTime !== b.punch.wallTime) return a.punch.wallTime < b.punch.wallTime ? -1 : 1;
        if (a.punch.terminal !== b.punch.terminal) return a.punch.terminal < b.punch.terminal ? -1 : 1;
        return a.punch.n - b.punch.n;
      });
      const [used, ...rest] = here;
      slots[slot] = null;
      if (used) {
        punchOf[kind] = used.when;
        slots[slot] = { time: clock(Math.floor(secondOf(used.when.local) / 60)), n: used.punch.n };
        if (used.when.how === 'corrected' || used.when.how === 'received') flags.add('CLOCK_CORRECTED');
        if (used.punch.delivery === 'backfill') flags.add('BACKFILLED');
        if (!(policy.punch.acceptedMethods as readonly string[]).includes(used.punch.verify))
          flags.add('ALTERNATIVE_METHOD');
        for (const one of rest) {
          const near = Math.abs(one.when.local - used.when.local) <= policy.punch.dedupeSeconds;
          ignored[one.punch.n] = near ? 'DUPLICATE' : 'EXTRA';
        }
      }
      if (policy.makeup.allowed && question.makeups.includes(slot)) {
        if (used) flags.add(`${session.id}:MAKEUP_UNNEEDED`);
        else {
          madeUp[kind] = true;
          flags.add(`${session.id}:MAKEUP`);
          slots[slot] = { time: kind === 'IN' ? session.start : session.end, n: null };
        }
      }
      if (!used) {
        const window = windowsOf(question.sessions, policy).find(
          (one) => one.session === session.id && one.kind === kind,
        );
        for (const { from, to } of question.outages) {
          const midnight = today * 86_400 - EIGHT_HOURS;
          const first = midnight + (window?.open ?? 0) * 60;
          const last = midnight + (window?.close ?? 0) * 60 + 59;
          if (Math.floor(from / 1000) <= last && (to === null || Math.floor(to / 1000) >= first))
            flags.add(`${session.id}:OUTAGE`);
        }
      }
    }
    const came = punchOf.IN === null ? (madeUp.IN ? start * 60 : null) : toSecond(punchOf.IN);
    const went = punchOf.OUT === null ? (madeUp.OUT ? end * 60 : null) : toSecond(punchOf.OUT);
    let counted = 0;
    if (came !== null && went !== null) {
      for (let no = 0; no < session.lessons; no += 1) {
        const lessonStart = start + no * (policy.lesson.minutes + policy.lesson.breakMinutes);
        const lessonEnd = lessonStart + policy.lesson.minutes;
        if (came <= (lessonStart + policy.grace.lateMinutes) * 60)
          if (went >= (lessonEnd - policy.grace.earlyMinutes) * 60) counted += 1;
      }
    }
    sessionHours[session.id] = counted;
    withMakeups += counted;
    if (punchOf.IN !== null && punchOf.OUT !== null) byPunches += counted;
    minutes[session.id] = {
      late: came === null ? null : Math.max(0, Math.floor((came - start * 60) / 60)),
      early: went === null ? null : Math.max(0, Math.floor((end * 60 - went) / 60)),
    };
    const say = (code: string): void => void flags.add(`${session.id}:${code}`);
    if (came !== null && came > (start + policy.grace.lateMinutes) * 60) say('LATE');
    if (went !== null && went < (end - policy.grace.earlyMinutes) * 60) say('EARLY_LEAVE');
    if (question.leaves.includes(session.id)) say(came === null || went === null ? 'LEAVE' : 'LEAVE_BUT_PRESENT');
    else if (came === null) say(went === null ? 'ABSENT' : 'MISSING_IN');
    else if (went === null) say('MISSING_OUT');
  }

  const offlineHours = Math.min(withMakeups, policy.dayCapHours);
  const hoursByPunch = Math.min(byPunches, policy.dayCapHours);
  let learnt = 0;
  for (const record of question.online) {
    if (record.kind === 'theory' || policy.online.practiceOnline) learnt += record.minutes;
    else flags.add('PRACTICE_ONLINE');
  }
  const earned = Math.floor(learnt / policy.online.lessonMinutes);
  const ofDay = Math.min(earned, policy.online.dayCapHours);
  if (ofDay < earned) flags.add('ONLINE_DAY_CAP');
  const onlineHours = Math.min(ofDay, policy.dayCapHours - offlineHours);
  if (onlineHours < ofDay || offlineHours < withMakeups) flags.add('DAY_CAP');
  if (!question.gatewayClockTrusted) flags.add('GATEWAY_CLOCK_UNTRUSTED');
  for (const reason of Object.values(ignored)) if (reason !== 'DUPLICATE' && reason !== 'EXTRA') flags.add(reason);
  return {
    day: {
      slots,
      sessionHours,
      minutes,
      offlineHours,
      hoursByPunch,
      hoursFromMakeup: offlineHours - hoursByPunch,
      onlineHours,
      totalHours: offlineHours + onlineHours,
    },
    flags: [...flags].sort(),
    ignored,
  };
}
