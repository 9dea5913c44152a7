/**
 * Patterns that an inspector should look at (R36): many trainees at once on one terminal, one person in two rooms, a whole day that
 * came later, a burst of make-ups, one photo twice. They inform; they never change hours, and a day result never carries them.
 *
 * Only times that a terminal's own clock gave are compared: a page of late punches received in one second says nothing. What is
 * in the list depends on the punches alone, not on their order; the work is n log n.
 */
import { instantToDate, type Instant, type LocalDate } from '../core/time.js';
import type { DayCredit, DayPunch } from './day-credit.js';
import { effectiveTime } from './effective-time.js';
import type { Policy } from './policy.js';
import { DEFAULT_PATTERNS } from './policy-schema.js';

export type PatternCode = 'CROWD_AT_ONCE' | 'TWO_PLACES' | 'ALL_BACKFILLED' | 'MAKEUP_BURST' | 'SAME_PHOTO';

/** A punch of a trainee of the class, on whichever terminal. */
export interface PatternPunch {
  readonly traineeNo: string;
  readonly punch: DayPunch;
  /** Room of the terminal; null: not known, and then no second place. */
  readonly room: string | null;
  /** SHA-256 of the photo of the punch; null: none. */
  readonly photo: string | null;
}

export interface PatternFinding {
  readonly code: PatternCode;
  readonly date: LocalDate;
  /** null: not one person's. */
  readonly traineeNo: string | null;
  readonly terminal: string | null;
  /** People at once, terminals, slots, make-ups, or punches with one photo. */
  readonly count: number;
  /** Journal numbers of the punches, ascending. */
  readonly ns: readonly number[];
}

/** Findings by date, code, person, terminal, first punch. */
export function patternFindings(
  punches: readonly PatternPunch[],
  credits: readonly DayCredit[],
  policy: Policy,
): readonly PatternFinding[] {
  const seen = new Map(punches.map((one) => [one.punch.n, one]));
  const timed = [...seen.values()].flatMap((one): readonly Timed[] => {
    const { at, by } = effectiveTime(one.punch, policy.clock);
    return at === null || (by !== 'device' && by !== 'corrected') ? [] : [{ ...one, at, n: one.punch.n }];
  });
  timed.sort((a, b) => a.at - b.at || a.n - b.n);
  const findings = [
    ...crowds(timed, policy),
    ...twoPlaces(timed, policy),
    ...allBackfilled(credits),
    ...makeupBursts(credits, policy),
    ...samePhotos([...seen.values()], policy),
  ];
  return findings.sort(
    (a, b) =>
      byText(a.date, b.date) ||
      byText(a.code, b.code) ||
      byText(a.traineeNo ?? '', b.traineeNo ?? '') ||
      byText(a.terminal ?? '', b.terminal ?? '') ||
      (a.ns[0] ?? 0) - (b.ns[0] ?? 0),
  );
}

interface Timed extends PatternPunch {
  readonly at: Instant;
  readonly n: number;
}

const limits = (policy: Policy): NonNullable<Policy['patterns']> => policy.patterns ?? DEFAULT_PATTERNS;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const numbers = (punches: readonly { readonly n: number }[]): readonly number[] =>
  punches.map(({ n }) => n).sort((a, b) => a - b);

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** Spans of a terminal's punches in which enough people punched within the seconds; spans that touch are one finding. */
function crowds(timed: readonly Timed[], policy: Policy): readonly PatternFinding[] {
  const { crowdTrainees, crowdSeconds } = limits(policy);
  return [...grouped(timed, (one) => one.punch.terminal)].flatMap(([terminal, punches]) => {
    const findings: PatternFinding[] = [];
    const people = new Map<string, number>();
    let first = 0;
    let span: { from: number; to: number } | null = null;
    const close = (): void => {
      if (span) findings.push(crowdOf(punches.slice(span.from, span.to + 1), terminal, policy));
      span = null;
    };
    punches.forEach((one, last) => {
      people.set(one.traineeNo, (people.get(one.traineeNo) ?? 0) + 1);
      for (;;) {
        const oldest = punches[first];
        if (!oldest || one.at - oldest.at <= crowdSeconds * 1000) break;
        const left = (people.get(oldest.traineeNo) ?? 0) - 1;
        if (left > 0) people.set(oldest.traineeNo, left);
        else people.delete(oldest.traineeNo);
        first += 1;
      }
      if (people.size < crowdTrainees) return;
      if (span && span.to >= first) span.to = last;
      else {
        close();
        span = { from: first, to: last };
      }
    });
    close();
    return findings;
  });
}

function crowdOf(punches: readonly Timed[], terminal: string, policy: Policy): PatternFinding {
  const at = punches[0]?.at ?? (0 as Instant);
  return {
    code: 'CROWD_AT_ONCE',
    date: instantToDate(at, policy.timezone),
    traineeNo: null,
    terminal,
    count: new Set(punches.map((one) => one.traineeNo)).size,
    ns: numbers(punches),
  };
}

/** One finding for a person and date, with all punches of neighbours in time but not in place. */
function twoPlaces(timed: readonly Timed[], policy: Policy): readonly PatternFinding[] {
  const within = limits(policy).placesWithinSeconds * 1000;
  const placed = timed.filter(({ room }) => room !== null);
  return [...grouped(placed, (one) => one.traineeNo)].flatMap(([traineeNo, punches]) => {
    const ofDate = new Map<LocalDate, Set<Timed>>();
    punches.forEach((one, at) => {
      // Two rooms within the time mean that somewhere between them two neighbours differ.
      const before = punches[at - 1];
      if (!before || before.room === one.room || one.at - before.at > within) return;
      const date = instantToDate(before.at, policy.timezone);
      const found = ofDate.get(date) ?? new Set<Timed>();
      ofDate.set(date, found.add(before).add(one));
    });
    return [...ofDate].map(([date, found]): PatternFinding => ({
      code: 'TWO_PLACES',
      date,
      traineeNo,
      terminal: null,
      count: new Set([...found].map((one) => one.punch.terminal)).size,
      ns: numbers([...found]),
    }));
  });
}

/** Every slot of the person's day is filled by a punch that came later. */
function allBackfilled(credits: readonly DayCredit[]): readonly PatternFinding[] {
  return credits.flatMap(({ date, traineeNo, dayResult }): readonly PatternFinding[] => {
    const fills = Object.values(dayResult?.slots ?? {});
    if (fills.length === 0 || !fills.every((fill) => fill?.by === 'punch' && fill.delivery === 'backfill')) return [];
    const ns = fills.flatMap((fill) => (fill?.n == null ? [] : [fill.n])).sort((a, b) => a - b);
    return [{ code: 'ALL_BACKFILLED', date, traineeNo, terminal: null, count: fills.length, ns }];
  });
}

/** Used make-ups of one class date. */
function makeupBursts(credits: readonly DayCredit[], policy: Policy): readonly PatternFinding[] {
  const counts = new Map<LocalDate, number>();
  for (const { date, dayResult } of credits) {
    const made = Object.values(dayResult?.slots ?? {}).filter((fill) => fill?.by === 'makeup').length;
    counts.set(date, (counts.get(date) ?? 0) + made);
  }
  return [...counts]
    .filter(([, count]) => count >= limits(policy).makeupBurst)
    .map(([date, count]) => ({ code: 'MAKEUP_BURST', date, traineeNo: null, terminal: null, count, ns: [] }));
}

/** The same picture for two people, or for one on two days. The date is that of the first told time. */
function samePhotos(punches: readonly PatternPunch[], policy: Policy): readonly PatternFinding[] {
  const shown = punches.filter(({ photo }) => photo !== null);
  return [...grouped(shown, ({ photo }) => photo ?? '').values()].flatMap((same): readonly PatternFinding[] => {
    const dateOf = ({ punch }: PatternPunch): LocalDate => instantToDate(punch.instant ?? punch.rx, policy.timezone);
    const people = [...new Set(same.map((one) => one.traineeNo))];
    const dates = [...new Set(same.map(dateOf))].sort();
    const [date] = dates;
    if (date === undefined || (people.length < 2 && dates.length < 2)) return [];
    const terminals = [...new Set(same.map(({ punch }) => punch.terminal))];
    const [traineeNo = null] = people.length === 1 ? people : [];
    const [terminal = null] = terminals.length === 1 ? terminals : [];
    return [
      {
        code: 'SAME_PHOTO',
        date,
        traineeNo,
        terminal,
        count: same.length,
        ns: numbers(same.map(({ punch }) => punch)),
      },
    ];
  });
}
