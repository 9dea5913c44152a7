/**
 * Days touched to revisions of credit: takes a touched day, asks the rules, and appends revision n+1 when the outcome or its
 * state changed; the same outcome makes none. Revision and removal of the work are one transaction, so a crash anywhere
 * repeats the work and never the record.
 *
 * It also closes days (§4.10): when `dayClose` has passed, everybody enrolled gets a result, also who never punched. Nothing is
 * written to wait for that: on waking it looks which days are due. After the first final result every later one is final
 * too, with the version it supersedes and the cause.
 *
 * A sealed class gets no revision any more (R84). What would have changed a day of it is said once, as an event, and changes nothing.
 */
import { instant, type Clock, type Instant, type LocalDate } from '../core/time.js';
import type { Bell, Doorbell, Unit } from '../core/unit.js';
import type { Classes, DayClosing } from '../classes/classes.js';
import { closedDays, markClosed, openDays, type ClassRecord } from '../classes/class-tables.js';
import { sealOf } from '../classes/evidence.js';
import { flagLateDay } from '../classes/seal.js';
import { creditDay, hasResult, usedPunches } from '../rules/day.js';
import type { DayCredit } from '../rules/day-credit.js';
import type { CreditFact, JsonValue, Numbered } from '../rules/facts.js';
import { sameOutcome } from '../rules/revision.js';
import type { Store, Tx } from '../store/store.js';

export interface CreditParts {
  readonly store: Store;
  readonly classes: Classes;
  readonly clock: Clock;
  /** Rung when days were touched. */
  readonly bell: Doorbell;
  /** Rung when revisions were added. */
  readonly next: Bell;
  /** When the terminal with this id was last read to the end; null: not since this start. */
  readonly lastDrainedAt: (terminalId: string) => Instant | null;
}

export interface CreditUnit extends Unit {
  /** One piece of work, one transaction; false when there was none. */
  step(): boolean;
}

interface Day {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  readonly cause: string;
}

/** A day takes one to three milliseconds; the page and the terminals must not wait longer than a blink. */
const DAYS_PER_TRANSACTION = 16;
/** How often the unit looks whether a day has closed or an awaited terminal has reported. Reads memory only. */
const LOOK_EVERY_MS = 60_000;
/** A wall clock that is not trusted and differs from the monotonic one by more has jumped. */
const JUMP_MS = 3_600_000;

const idOf = (day: Omit<Day, 'cause'>): string => `${day.classNo}/${day.traineeNo}/${day.date}`;

export function createCreditUnit(parts: CreditParts): CreditUnit {
  const { store, classes, clock, bell, next, lastDrainedAt } = parts;
  /** Days whose present result is provisional; null until they were read from the store. */
  let provisional: Map<string, Omit<Day, 'cause'>> | null = null;
  /** Class days where everybody enrolled has a result. An import makes new records, and so forgets them here and on the disk. */
  const settled = new WeakMap<ClassRecord, Set<LocalDate>>();

  let anchor = { wall: clock.now(), ticks: clock.ticks() };

  /** The wall clock, unless it jumped and nobody vouches for it: a step of a year must not make a year of people absent. */
  const businessNow = (): Instant => {
    const [wall, ticks] = [clock.now(), clock.ticks()];
    const projected = instant(anchor.wall + ticks - anchor.ticks);
    if (!clock.trusted() && Math.abs(wall - projected) > JUMP_MS) return projected;
    anchor = { wall, ticks };
    return wall;
  };

  const isOver = (closing: DayClosing): boolean => {
    const now = businessNow();
    if (now < closing.closesAt) return false;
    const { windowsClosedAt } = closing;
    if (now >= closing.closesAtLatest || windowsClosedAt === null) return true;
    return closing.terminals.every((terminal) => (lastDrainedAt(terminal) ?? -Infinity) >= windowsClosedAt);
  };

  /** The revision that this day needs now, or null when the last one still says it. */
  const revisionFor = (day: Day): CreditFact | null => {
    const last = store.credit(idOf(day));
    const asked = classes.dayQuestion(day.classNo, day.traineeNo, day.date);
    const closing = classes.closing(day.classNo, day.date);
    if (asked === null || closing === null) return last === null ? null : withdrawal(last, day.cause);
    const credit = creditDay(asked.question, asked.policy);
    if (!hasResult(asked.question, credit)) return last === null ? null : withdrawal(last, day.cause);
    // A punch touches also the date of its receipt; a running day that no punch belongs to has nothing to say yet.
    // On a class day its close comes back to everybody; on another date nothing would, and what was imported says it now.
    const isAwaited = asked.question.sessions.length > 0 && isSilent(credit);
    if (last === null && isAwaited && businessNow() < closing.closesAt) return null;
    const version = versionAfter(last);
    const state = version > 1 || isOver(closing) ? 'final' : 'provisional';
    if (last?.state === state && sameOutcome(last.result, credit)) return null;
    return {
      kind: 'credit',
      id: idOf(day),
      classNo: day.classNo,
      traineeNo: day.traineeNo,
      date: day.date,
      rev: (last?.rev ?? 0) + 1,
      state,
      totalHours: credit.dayResult?.totalHours ?? 0,
      policy: credit.policy,
      punches: usedPunches(credit),
      result: { ...jsonOf(credit), version, status: state, ...lineage(version, day.cause) },
    };
  };

  /** What the day would be now if it were not sealed is something else than what was sealed. */
  const isLate = (day: Day): boolean => {
    const last = store.credit(idOf(day));
    const sealed = last === null || last.state === 'withdrawn' ? null : last.result;
    const asked = classes.dayQuestion(day.classNo, day.traineeNo, day.date);
    const credit = asked === null ? null : creditDay(asked.question, asked.policy);
    const now = asked !== null && credit !== null && hasResult(asked.question, credit) ? credit : null;
    // On a date without a result, a person who is merely absent brings nothing new.
    if (sealed === null && credit !== null && isSilent(credit)) return false;
    return now === null || sealed === null ? now !== sealed : !sameOutcome(now, sealed);
  };

  /** One transaction: revisions for these days, and `finish`, which takes the work out of its table. */
  const revise = (days: readonly Day[], finish: (tx: Tx) => void): void => {
    const { changed: added, flagged } = store.transact((tx) => {
      const isSealed = (day: Day): boolean => sealOf(store, day.classNo) !== null;
      const revisions = days.filter((day) => !isSealed(day)).map(revisionFor);
      const changed = revisions.filter((revision) => revision !== null);
      for (const revision of changed) tx.addCredit(revision);
      const late = days.filter((day) => isSealed(day) && isLate(day));
      const flagged = late.filter((day) => flagLateDay(store, tx, day, clock.now()));
      finish(tx);
      return { changed, flagged };
    });
    // Memory follows the disk, never the other way round: a transaction that failed has changed nothing here.
    for (const revision of added) {
      if (revision.state === 'provisional') provisional?.set(revision.id, revision);
      else provisional?.delete(revision.id);
    }
    if (added.length + flagged.length > 0) next.ring();
  };

  const reviseTouched = (): boolean => {
    const touched = store.touchedDays(DAYS_PER_TRANSACTION);
    if (touched.length === 0) return false;
    revise(touched, (tx) => touched.forEach((day) => tx.untouchDay(day)));
    return true;
  };

  /** Results that waited for the end of their day or for a terminal. */
  const closeProvisional = (): boolean => {
    provisional ??= new Map(openDays(store).map((day) => [idOf(day), day]));
    const due: Day[] = [];
    for (const day of provisional.values()) {
      const closing = classes.closing(day.classNo, day.date);
      if (closing !== null && !isOver(closing)) continue;
      due.push({ ...day, cause: 'day-close' });
      if (due.length === DAYS_PER_TRANSACTION) break;
    }
    if (due.length === 0) return false;
    revise(due, () => undefined);
    // What is due and made no final revision would be due for ever.
    for (const day of due) provisional.delete(idOf(day));
    return true;
  };

  /** People who never punched on a class day that has closed: one class and date at a time. */
  const closeAbsent = (): boolean => {
    for (const record of classes.all()) {
      if (sealOf(store, record.classNo) !== null) continue;
      const done = settled.get(record) ?? new Set(closedDays(store, record.classNo));
      settled.set(record, done);
      for (const { date } of record.days) {
        const closing = done.has(date) ? null : classes.closing(record.classNo, date);
        if (closing === null || businessNow() < closing.closesAt) continue;
        const known = new Set(store.creditsOf(record.classNo, date).map((credit) => credit.traineeNo));
        const missing = classes.enrolledOn(record.classNo, date).filter((traineeNo) => !known.has(traineeNo));
        const isLast = missing.length <= DAYS_PER_TRANSACTION;
        const now = missing.slice(0, DAYS_PER_TRANSACTION);
        revise(
          now.map((traineeNo) => ({ classNo: record.classNo, traineeNo, date, cause: 'day-close' })),
          () => (isLast ? markClosed(store, record.classNo, date) : undefined),
        );
        if (isLast) done.add(date);
        return true;
      }
    }
    return false;
  };

  const step = (): boolean => reviseTouched() || closeProvisional() || closeAbsent();

  return {
    name: 'credit',
    step,
    async run(signal) {
      // Read anew at every start, because a unit that failed may have left memory and disk apart.
      provisional = null;
      for (;;) {
        signal.throwIfAborted();
        if (step()) await clock.sleep(0, signal);
        else await bell.wait(LOOK_EVERY_MS, signal);
      }
    },
  };
}

/**
 * Version that the next result carries: final ones are counted from 1, and a provisional one has the number it will get. To
 * take back a final one counts, to take back a provisional one does not.
 */
function versionAfter(last: Numbered<CreditFact> | null): number {
  const version = last?.result.version;
  if (last === null || typeof version !== 'number') return 1;
  return last.state === 'final' || (last.state === 'withdrawn' && version > 1) ? version + 1 : version;
}

/** Nobody's punch and nothing imported: the person is on the list, and that is all. */
const isSilent = (credit: DayCredit): boolean => credit.ignored.length === 0 && usedPunches(credit).length === 0;

/** Why there is a version after the first (§4.10). Data that only came late is `backfill`, whatever brought it: the close of a day too. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ['punch', 'backfill'],
  ['day-close', 'backfill'],
  ['backfill', 'backfill'],
  ['makeup', 'makeup'],
  ['leave', 'leave'],
  ['online', 'online'],
  ['review', 'review'],
  ['import', 'import'],
]);

function lineage(
  version: number,
  cause: string,
): { readonly supersedes: number | null; readonly cause: string | null } {
  if (version === 1) return { supersedes: null, cause: null };
  return { supersedes: version - 1, cause: CAUSES.get(cause) ?? 'backfill' };
}

/** The person has no result for this date any more: the last one is taken back, not deleted. Null when it was already. */
function withdrawal(last: Numbered<CreditFact>, cause: string): CreditFact | null {
  if (last.state === 'withdrawn') return null;
  const { kind, id, classNo, traineeNo, date, policy } = last;
  const version = versionAfter(last);
  const empty = { dayResult: null, flags: [], ignored: [], explanation: [] };
  const result = { ...last.result, ...empty, version, status: 'withdrawn', ...lineage(version, cause) };
  return {
    kind,
    id,
    classNo,
    traineeNo,
    date,
    policy,
    rev: last.rev + 1,
    state: 'withdrawn',
    totalHours: 0,
    punches: [],
    result,
  };
}

/** DayCredit is plain JSON by its own promise; the compiler cannot see that through its optional keys. */
function jsonOf(credit: DayCredit): Readonly<Record<string, JsonValue>> {
  return credit as unknown as Readonly<Record<string, JsonValue>>;
}
