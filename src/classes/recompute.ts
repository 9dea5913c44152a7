/**
 * Credit computed anew from raw: what the rules say now of the punches, the class and the evidence, beside what was recorded. The two
 * must agree (promise 18); where they do not, or where another policy is tried, the difference says what and why.
 *
 * Reads only. Nothing of the machine enters: two people who recompute the same database see the same differences.
 */
import type { LocalDate } from '../core/time.js';
import { RULES_ENGINE, type DayCredit, type DayQuestion, type ExplanationLine } from '../rules/day-credit.js';
import { creditDay, hasResult, usedPunches } from '../rules/day.js';
import { explainLine } from '../rules/explain.js';
import type { CreditFact, Numbered } from '../rules/facts.js';
import { OUTCOME, sameJson } from '../rules/revision.js';
import { creditsOf, pendingDays } from '../store/credits.js';
import type { Store } from '../store/store.js';
import type { ClassIndex } from './class-index.js';
import { createQuestions, type QuestionRange } from './day-questions.js';

type Source = Pick<Store, 'db'>;

/** One day of one person: what is recorded, and what comes out now. */
export interface ComparedDay {
  /** `classNo/traineeNo/date`. */
  readonly id: string;
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** The revision in force, also a withdrawn one; null: there is none. */
  readonly recorded: Numbered<CreditFact> | null;
  /** Null: there is no result for this person and date. */
  readonly computed: DayCredit | null;
  /** What was asked; null: the person is on the roster no more. */
  readonly question: DayQuestion | null;
  /** Waits to be computed by the daemon, so a difference is no fault. */
  readonly pending: boolean;
}

/**
 * Every day of a class that has a result or should have one, by person in the order of the roster and by date; then what is
 * recorded of people who are on the roster no more. Throws `bad-timetable` where the timetable does not fit the policy.
 */
export function* compareClass(
  source: Source,
  index: ClassIndex,
  classNo: string,
  range: QuestionRange = {},
): Generator<ComparedDay> {
  const { from = null, to = null, traineeNo = null } = range;
  const pending = pendingDays(source.db);
  const recorded = new Map(creditsOf(source.db, classNo).map((credit) => [credit.id, credit]));
  for (const asked of createQuestions(source, index).all(classNo, range)) {
    const { question } = asked;
    const credit = creditDay(question, asked.policy);
    const id = `${classNo}/${question.traineeNo}/${question.date}`;
    const before = recorded.get(id) ?? null;
    recorded.delete(id);
    const computed = hasResult(question, credit) ? credit : null;
    if (before === null && computed === null) continue;
    const { traineeNo: whose, date } = question;
    yield { id, classNo, traineeNo: whose, date, recorded: before, computed, question, pending: pending.has(id) };
  }
  for (const [id, before] of recorded) {
    const { date } = before;
    if ((from !== null && date < from) || (to !== null && date > to)) continue;
    if (traineeNo !== null && before.traineeNo !== traineeNo) continue;
    const { traineeNo: whose } = before;
    yield {
      id,
      classNo,
      traineeNo: whose,
      date,
      recorded: before,
      computed: null,
      question: null,
      pending: pending.has(id),
    };
  }
}

/** What another policy may change; its own name and limits stand in the explanation of every day. */
const TRIED = ['dayResult', 'flags', 'ignored'] as const;

export type DayJudgement =
  | { readonly verdict: 'same' }
  /** Nothing can be said: another engine made it and it differs, or the daemon has not computed it yet. */
  | { readonly verdict: 'unchecked'; readonly why: 'pending' | 'engine' | 'open' }
  | { readonly verdict: 'differs'; readonly what: string };

/** Whether the record is what the raw data give. What another engine made may differ: it was asked less, or counted otherwise. */
export function judgeDay(day: ComparedDay): DayJudgement {
  if (day.pending) return { verdict: 'unchecked', why: 'pending' };
  const judged = compareDay(day);
  const isForeign = day.recorded !== null && day.recorded.result.engine !== RULES_ENGINE;
  return isForeign && judged.verdict === 'differs' ? { verdict: 'unchecked', why: 'engine' } : judged;
}

function compareDay({ recorded, computed }: ComparedDay): DayJudgement {
  if (recorded === null) {
    // Who closes days is the daemon: a class day without punches may wait for it, one with punches was touched by them.
    const silent = computed === null || (computed.ignored.length === 0 && usedPunches(computed).length === 0);
    return silent ? { verdict: 'unchecked', why: 'open' } : { verdict: 'differs', what: 'no result is recorded' };
  }
  if (recorded.state === 'withdrawn')
    return computed === null ? { verdict: 'same' } : { verdict: 'differs', what: 'it was withdrawn, and has a result' };
  if (computed === null) return { verdict: 'differs', what: 'a result is recorded where none is due' };
  const key = OUTCOME.find((one) => !sameJson(recorded.result[one], computed[one]));
  if (key !== undefined) return { verdict: 'differs', what: key };
  if (recorded.totalHours !== (computed.dayResult?.totalHours ?? 0)) return { verdict: 'differs', what: 'totalHours' };
  if (!sameJson(recorded.punches, usedPunches(computed))) return { verdict: 'differs', what: 'punches' };
  if (!sameJson(recorded.policy, computed.policy)) return { verdict: 'differs', what: 'policy' };
  return { verdict: 'same' };
}

/** A result as far as people compare it. */
export interface ResultBrief {
  readonly hours: number;
  readonly flags: readonly string[];
  readonly policy: string;
}

export interface DayDifference {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  readonly before: ResultBrief | null;
  readonly after: ResultBrief | null;
  readonly flagsAdded: readonly string[];
  readonly flagsRemoved: readonly string[];
  /** The first lines of the explanation that are not the same, at the same place of the day. */
  readonly lines: readonly { readonly before: ExplanationLine | null; readonly after: ExplanationLine | null }[];
}

const LINES_MAX = 4;

/** What is different between two results of a day; null when nothing is. `tried`: under another policy. */
export function differenceOf(
  day: Pick<ComparedDay, 'classNo' | 'traineeNo' | 'date'>,
  before: DayCredit | null,
  after: DayCredit | null,
  tried: boolean,
): DayDifference | null {
  const keys = tried ? TRIED : OUTCOME;
  if (before === after || (before && after && keys.every((key) => sameJson(before[key], after[key])))) return null;
  const [old, now] = [before?.flags ?? [], after?.flags ?? []];
  return {
    classNo: day.classNo,
    traineeNo: day.traineeNo,
    date: day.date,
    before: briefOf(before),
    after: briefOf(after),
    flagsAdded: now.filter((flag) => !old.includes(flag)),
    flagsRemoved: old.filter((flag) => !now.includes(flag)),
    lines: changedLines(before?.explanation ?? [], after?.explanation ?? []),
  };
}

/** The recorded result as the rules made it; null where there is none in force. */
export function recordedCredit(recorded: CreditFact | null): DayCredit | null {
  if (recorded === null || recorded.state === 'withdrawn') return null;
  return recorded.result as unknown as DayCredit;
}

function briefOf(credit: DayCredit | null): ResultBrief | null {
  if (credit === null) return null;
  return { hours: credit.dayResult?.totalHours ?? 0, flags: credit.flags, policy: credit.policy.sha256 };
}

const placeOf = ({ about, session, lesson, n, params }: ExplanationLine): string =>
  [about, session, lesson, about === 'punch' ? n : null, about === 'slot' ? params.slot : null].join('|');

function changedLines(before: readonly ExplanationLine[], after: readonly ExplanationLine[]): DayDifference['lines'] {
  // Limits that a line carries and does not say are nothing that people would see.
  const text = (line: ExplanationLine): string => [placeOf(line), line.code, line.n, explainLine(line, 'zh')].join('|');
  const [old, now] = [new Set(before.map(text)), new Set(after.map(text))];
  const gone = before.filter((line) => !now.has(text(line)));
  const come = after.filter((line) => !old.has(text(line)));
  const pairs = gone.map((line) => {
    const at = come.findIndex((one) => placeOf(one) === placeOf(line));
    return { before: line, after: at < 0 ? null : (come.splice(at, 1)[0] ?? null) };
  });
  return [...pairs, ...come.map((line) => ({ before: null, after: line }))].slice(0, LINES_MAX);
}
