/**
 * Random class days for tests of the rules: every mode, precision, direction and clock, half days, online sessions, make-ups,
 * leave, outages, rival classes, gaps in enrolment, reviews and told times that do not exist, with a liking for the minutes at
 * which something changes. The same seed gives the same days; making one costs microseconds.
 */
import {
  addDays,
  instant,
  wallToInstant,
  type Instant,
  type LocalDate,
  type WallTime,
  type Zone,
} from '../../src/core/time.js';
import { loadPreset } from '../../src/policies.js';
import type { DayPunch, DayQuestion, Enrolment, RivalClass, SlotId } from '../../src/rules/day-credit.js';
import { minuteOf, minuteText, planSessions, type Session, type SessionId } from '../../src/rules/grid.js';
import { parsePolicy, withValues, type Policy } from '../../src/rules/policy.js';

export interface RandomDay {
  readonly question: DayQuestion;
  readonly policy: Policy;
}

export interface Dice {
  /** A whole number from 0 to `below` - 1. */
  readonly int: (below: number) => number;
  readonly chance: (percent: number) => boolean;
  readonly pick: <T>(values: readonly T[]) => T;
  readonly shuffle: <T>(values: readonly T[]) => T[];
}

/** Mulberry32: small, fast, the same everywhere. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  return {
    int,
    chance: (percent) => int(100) < percent,
    pick: <T>(values: readonly T[]): T => values[int(values.length)] as T,
    shuffle: <T>(values: readonly T[]): T[] => {
      const mixed = [...values];
      for (let at = mixed.length - 1; at > 0; at -= 1) {
        const other = int(at + 1);
        [mixed[at], mixed[other]] = [mixed[other] as T, mixed[at] as T];
      }
      return mixed;
    },
  };
}

const base = loadPreset('baotou-2023');
const DATES = ['2023-03-06', '2023-02-28', '2024-02-29', '2023-12-31', '2023-03-26', '2023-10-29'] as LocalDate[];
const AROUND = new Map(DATES.map((date) => [date, [addDays(date, -1), date, addDays(date, 1)] as const]));
const SLOTS: readonly SlotId[] = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'];
const SOME_TIME = instant(1_678_000_000_000);
const TERMINALS = ['T1', 'T2', 'T9'] as const;

export interface Wanted {
  readonly modes: readonly Policy['credit']['mode'][];
  readonly zones: readonly string[];
}

export const ANYTHING: Wanted = {
  modes: ['lessons', 'lessons', 'session', 'slot', 'proportional'],
  zones: ['Asia/Shanghai', 'Asia/Shanghai', 'Asia/Shanghai', 'Europe/Berlin', 'Asia/Kathmandu'],
};

/** Days without end. Policies come from a set of some dozens, because to check one costs more than a day. */
export function randomDays(seed: number, wanted: Wanted = ANYTHING): () => RandomDay {
  const roll = dice(seed);
  const policies = Array.from({ length: 60 }, () => randomPolicy(roll, wanted));
  const plans = new Map(
    policies.map((policy) => [policy, Array.from({ length: 12 }, () => randomSessions(roll, policy))]),
  );
  const sessionsFor = (policy: Policy): readonly Session[] => roll.pick(plans.get(policy) ?? []);
  return () => {
    const policy = roll.pick(policies);
    const date = roll.pick(DATES);
    const sessions = sessionsFor(policy);
    const question: DayQuestion = {
      classNo: 'C2',
      traineeNo: 'S1',
      date,
      sessions,
      classDates: roll.chance(50) ? [...(AROUND.get(date) ?? [])].filter((one) => one !== date) : [],
      terminals: roll.chance(80) ? ['T1', 'T2'] : ['T1'],
      enrolment: randomEnrolment(roll, date),
      grantedMethods: roll.chance(50) ? ['card'] : [],
      gatewayClockTrusted: roll.chance(90),
      punches: randomPunches(roll, date, sessions, policy.timezone),
      leaves: (['AM', 'PM'] as const).filter(() => roll.chance(15)),
      makeups: SLOTS.flatMap((slot) => (roll.chance(20) ? (roll.chance(20) ? [slot, slot] : [slot]) : [])),
      online: Array.from({ length: roll.chance(30) ? 1 + roll.int(3) : 0 }, () => ({
        kind: roll.chance(70) ? ('theory' as const) : ('practice' as const),
        minutes: roll.pick([0, 44, 45, 90, 135, roll.int(400)]),
      })),
      outages: Array.from({ length: roll.chance(20) ? 1 + roll.int(2) : 0 }, () =>
        randomOutage(roll, date, sessions, policy.timezone),
      ),
      rivals: roll.chance(15)
        ? Array.from({ length: 1 + roll.int(2) }, () => randomRival(roll, date, policies, sessionsFor))
        : [],
      timetableVersion: '3',
      rosterVersion: '1',
    };
    return { question, policy };
  };
}

function randomPolicy(roll: Dice, wanted: Wanted): Policy {
  const lesson = roll.pick([
    [45, 10],
    [45, 10],
    [60, 0],
    [40, 5],
  ] as const);
  const sessions = gridOf('AM', 8 * 60 + 30, 4, lesson[0], lesson[1]);
  return parsePolicy(
    withValues(base.plain, {
      timezone: roll.pick(wanted.zones),
      'lesson.minutes': lesson[0],
      'lesson.breakMinutes': lesson[1],
      sessions: [sessions],
      dayCapHours: roll.pick([8, 8, 5, 3]),
      'windows.openBeforeMinutes': roll.pick([30, 30, 0, 90]),
      'windows.closeAfterMinutes': roll.pick([30, 30, 0, 90]),
      'punch.minScore': roll.pick([null, null, 60]),
      'punch.precision': roll.pick(['minute', 'second']),
      'punch.dedupeSeconds': roll.pick([60, 0, 300]),
      'punch.direction': roll.pick(['ignore', 'ignore', 'require']),
      'grace.lateMinutes': roll.pick([15, 15, 0, 50]),
      'grace.earlyMinutes': roll.pick([15, 15, 0, 50]),
      'credit.mode': roll.pick(wanted.modes),
      'credit.roundingStep': roll.pick([1, 0.5, 0.25, 0.1]),
      'clock.okSeconds': roll.pick([30, 0]),
      'concurrent.withinSeconds': roll.pick([60, 0, 900]),
      'makeup.allowed': roll.chance(90),
      'makeup.maxPercentOfRequired': roll.pick([10, 0, 100]),
      'online.dayCapHours': roll.pick([8, 2]),
      'online.practiceOnline': roll.chance(20),
      'online.overCap': roll.pick(['cap', 'cap', 'flag']),
    }),
  );
}

function gridOf(id: SessionId, start: number, lessons: number, minutes: number, pause: number): Session {
  const end = start + lessons * minutes + (lessons - 1) * pause;
  return { id, start: minuteText(start), end: minuteText(end), lessons };
}

function randomSessions(roll: Dice, policy: Policy): readonly Session[] {
  const { minutes, breakMinutes } = policy.lesson;
  for (;;) {
    const am = gridOf('AM', roll.pick([8 * 60, 8 * 60 + 30, 15]), 1 + roll.int(4), minutes, breakMinutes);
    const after = (minuteOf(am.end) ?? 0) + roll.pick([0, 1, 30, 60, 61, 120, 121]);
    const pm = gridOf('PM', after, 1 + roll.int(4), minutes, breakMinutes);
    const sessions = roll
      .pick<readonly Session[]>([[am, pm], [am, pm], [pm, am], [am, pm], [am], [pm], [am, pm], [am, pm], []])
      .map((one) => (roll.chance(12) ? { ...one, online: true } : one));
    if (planSessions(sessions, policy).faults.length === 0) return sessions;
  }
}

function randomEnrolment(roll: Dice, date: LocalDate): readonly Enrolment[] | null {
  const [before, , after] = AROUND.get(date) ?? [date, date, date];
  return roll.pick<readonly Enrolment[] | null>([
    null,
    null,
    null,
    null,
    [{ from: date, to: null }],
    [{ from: before, to: date }],
    [
      { from: before, to: after },
      { from: date, to: date },
    ],
    [
      { from: '2022-01-01' as LocalDate, to: before },
      { from: after, to: null },
    ],
    [
      { from: '2022-01-01' as LocalDate, to: before },
      { from: date, to: null },
    ],
  ]);
}

interface Edge {
  readonly minute: number;
  readonly direction: 'in' | 'out';
}

/** Minutes at which the rules change their mind. */
function edges(sessions: readonly Session[]): readonly Edge[] {
  return sessions.flatMap(({ start, end }) => {
    const [from, to] = [minuteOf(start) ?? 0, minuteOf(end) ?? 0];
    const cut = Math.floor((from + to) / 2);
    const around = { in: [-31, -30, 0, 14, 15, 16, 69, 70, 71], out: [-71, -70, -69, -16, -15, -14, 0, 29, 30, 31] };
    return [...around.in.map((by) => from + by), cut]
      .map((minute): Edge => ({ minute, direction: 'in' }))
      .concat([cut + 1, ...around.out.map((by) => to + by)].map((minute) => ({ minute, direction: 'out' })))
      .filter(({ minute }) => minute >= 0 && minute < 1440);
  });
}

function randomPunches(roll: Dice, date: LocalDate, sessions: readonly Session[], zone: Zone): readonly DayPunch[] {
  const places = edges(sessions);
  // Two days of three are such as a classroom sees: right clocks, right terminals, faces.
  const odd = roll.chance(33);
  const rare = <T>(usual: T, others: readonly T[]): T => (roll.chance(odd ? 60 : 4) ? roll.pick(others) : usual);
  const count = roll.pick([0, 1, 2, 3, 4, 4, 4, 5, 6, 9]);
  const punches: DayPunch[] = [];
  for (let n = 1; n <= count; n += 1) {
    const before = punches.at(-1);
    const edge = places.length > 0 && roll.chance(85) ? roll.pick(places) : null;
    const minute = edge?.minute ?? roll.int(1440);
    const day = (AROUND.get(date) ?? [])[rare(1, [1, 1, 0, 2])] ?? date;
    let wall = `${day} ${minuteText(minute)}:${roll.pick(['00', '00', '01', '30', '59'])}` as WallTime;
    if (before && roll.chance(8)) wall = before.wallTime;
    if (odd && roll.chance(6)) wall = roll.pick(['2000-00-00 00:00:00', '2023-02-30 08:21:00'] as WallTime[]);
    const told = wallToInstant(wall, zone);
    const near = told ?? wallToInstant(`${date} ${minuteText(minute)}:00` as WallTime, zone) ?? SOME_TIME;
    punches.push({
      n,
      terminal: rare(roll.pick(['T1', 'T1', 'T1', 'T2']), TERMINALS),
      wallTime: wall,
      instant: told,
      rx: instant(near + rare(2000, [0, 2999, 61_000, 7_200_000, 86_400_000])),
      offsetSeconds: rare<number | null>(0, [30, -30, 31, -31, 300, -600, 600, 601, null]),
      offsetAgeSeconds: rare<number | null>(0, [86_400, 86_401, null]),
      delivery: rare('live', ['backfill'] as const),
      verify: rare('face', ['card', 'password']),
      score: rare<number | null>(null, [59, 60, 99]),
      direction: rare(edge?.direction ?? 'unknown', ['in', 'out', 'unknown'] as const),
      ...(odd && roll.chance(40)
        ? { reviewed: roll.chance(20) ? null : instant(near + roll.pick([0, 600_000, 999])) }
        : {}),
    });
  }
  return punches;
}

function randomOutage(
  roll: Dice,
  date: LocalDate,
  sessions: readonly Session[],
  zone: Zone,
): DayQuestion['outages'][number] {
  const places = edges(sessions);
  const minute = places.length > 0 ? roll.pick(places).minute : roll.int(1440);
  const from = wallToInstant(`${date} ${minuteText(minute)}:00` as WallTime, zone) ?? SOME_TIME;
  const start = instant(from - roll.pick([0, 1000, 90_000_000]));
  return {
    from: start,
    to: roll.chance(20) ? null : (instant(start + roll.pick([0, 59_000, 3_600_000])) satisfies Instant),
  };
}

function randomRival(
  roll: Dice,
  date: LocalDate,
  policies: readonly Policy[],
  sessionsFor: (policy: Policy) => readonly Session[],
): RivalClass {
  const policy = roll.pick(policies);
  return {
    classNo: roll.pick(['C1', 'C3']),
    enrolment: randomEnrolment(roll, date),
    terminals: roll.pick([['T1'], ['T1', 'T2'], ['T9']]),
    grantedMethods: roll.chance(30) ? ['card'] : [],
    sessions: sessionsFor(policy),
    policy,
  };
}
