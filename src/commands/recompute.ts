/**
 * `rollcall recompute --config FILE`: credit anew from raw (P5). Says whose result would change and why; with `--policy` it tries another
 * policy on the same raw data (the policy lab) and changes nothing. Without `--dry-run` the days that differ are handed to the
 * daemon, which makes new versions of them at its next start; sealed classes never change (R84).
 *
 * Exit code 0 when nothing would change, 1 when something would. Persons are named by their number.
 */
import { createClassIndex, type ClassIndex } from '../classes/class-index.js';
import { loadClasses, type ClassRecord } from '../classes/class-tables.js';
import { totalsOf } from '../classes/class-totals.js';
import { sealOf } from '../classes/evidence.js';
import {
  compareClass,
  differenceOf,
  judgeDay,
  recordedCredit,
  type ComparedDay,
  type DayDifference,
} from '../classes/recompute.js';
import { fail } from '../core/errors.js';
import { systemClock, type LocalDate } from '../core/time.js';
import { openPolicies } from '../policies.js';
import type { ClassPersonTotal } from '../rules/class-totals.js';
import { creditDay, hasResult } from '../rules/day.js';
import type { DayCredit } from '../rules/day-credit.js';
import { explainLine } from '../rules/explain.js';
import type { Policy } from '../rules/policy.js';
import type { Settings } from '../settings.js';
import { openStore } from '../store/database.js';
import type { Store } from '../store/store.js';
import { chosen, readClasses, settingsOf, typedDate, type ReadingOptions } from './class-reading.js';
import { EXIT, progressLine, type Console } from './console.js';
import { findPolicy, tellFaults } from './policy-lookup.js';
import { differenceLines, summaryLine, totalChangeLine } from './recompute-text.js';

export interface RecomputeArguments {
  readonly config: string;
  readonly class?: string;
  readonly from?: string;
  readonly to?: string;
  /** Name or file. */
  readonly policy?: string;
  readonly dryRun: boolean;
}

export interface RecomputeOptions extends ReadingOptions {
  readonly version: string;
}

/** A person's total under the policy in force and under the tried one. */
export interface TotalChange {
  readonly traineeNo: string;
  readonly before: Pick<ClassPersonTotal, 'totalHours' | 'percent' | 'attendanceQualified' | 'examEligible'>;
  readonly after: TotalChange['before'];
  readonly requiredHours: number;
}

export interface ClassOutcome {
  readonly classNo: string;
  readonly sealed: boolean;
  readonly days: number;
  readonly changes: readonly (DayDifference & { readonly pending: boolean })[];
  /** Only where a policy is tried on whole classes. */
  readonly totals: readonly TotalChange[];
}

type Source = Pick<Store, 'db'>;

interface Question {
  readonly from: LocalDate | null;
  readonly to: LocalDate | null;
  readonly policy: Policy | null;
}

export function runRecompute(args: RecomputeArguments, options: RecomputeOptions, io: Console): number {
  if (args.policy !== undefined && !args.dryRun)
    throw fail('bad-argument', {
      argument: '--policy',
      reason: 'a class keeps the policy it was activated with; another can only be tried, with --dry-run',
      reasonZh: '班级沿用启用时的政策；其他政策只能试算，请加 --dry-run',
    });
  const [from, to] = [typedDate('--from', args.from), typedDate('--to', args.to)];
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const policy = args.policy === undefined ? null : triedPolicy(args.policy, settings, options, io);
  if (args.policy !== undefined && policy === null) return EXIT.usage;
  const question = { from, to, policy };
  const outcomes = args.dryRun
    ? (readClasses(settings, args.class, options, ({ reader, index, records }) =>
        outcomesOf(reader, index, records, question, io),
      ) ?? [])
    : apply(settings, args.class, question, options, io);
  for (const outcome of outcomes) tell(outcome, question.policy, io);
  const isTried = question.policy !== null;
  const live = outcomes.filter((one) => isTried || !one.sealed);
  const changed = live.reduce((sum, one) => sum + one.changes.length, 0);
  const people = new Set(live.flatMap((one) => one.changes.map((day) => `${one.classNo}/${day.traineeNo}`))).size;
  const days = outcomes.reduce((sum, one) => sum + one.days, 0);
  const summary = { classes: outcomes.length, days, changed, people, written: !args.dryRun && changed > 0 };
  if (io.json) io.out(JSON.stringify({ kind: 'summary', ...summary }));
  io.err(summaryLine(summary));
  return changed === 0 ? EXIT.good : EXIT.no;
}

/** The policy that the word means; null after its faults were told. Throws `policy-unknown`. */
function triedPolicy(word: string, settings: Settings, options: RecomputeOptions, io: Console): Policy | null {
  const site = settings.policy;
  const found = findPolicy(word, {
    policies: openPolicies({ ...site, site: site.preset, presetsDir: options.policiesDir }),
    settings,
    classes: () => readClasses(settings, undefined, options, ({ records }) => records) ?? [],
  });
  if ('policy' in found) return found.policy;
  tellFaults(found.faults, io);
  return null;
}

function outcomesOf(
  source: Source,
  index: ClassIndex,
  records: readonly ClassRecord[],
  question: Question,
  io: Console,
): readonly ClassOutcome[] {
  const progress = progressLine(io);
  try {
    return records.map((record) =>
      outcomeOf(source, index, record, question, (days) => {
        progress.show(`${record.classNo}: 重算 recomputing ${days}`);
      }),
    );
  } finally {
    progress.end();
  }
}

const PROGRESS_EVERY = 200;

function outcomeOf(
  source: Source,
  index: ClassIndex,
  record: ClassRecord,
  { from, to, policy }: Question,
  progress: (days: number) => void,
): ClassOutcome {
  const { classNo } = record;
  const changes: (DayDifference & { readonly pending: boolean })[] = [];
  const [before, after]: [DayCredit[], DayCredit[]] = [[], []];
  let days = 0;
  for (const day of compareClass(source, index, classNo, { from, to })) {
    days += 1;
    if (days % PROGRESS_EVERY === 0) progress(days);
    const [old, now] = policy === null ? sidesOf(day) : triedSides(day, policy);
    if (old !== null) before.push(old);
    if (now !== null) after.push(now);
    const difference = policy === null ? changeOf(day, [old, now]) : differenceOf(day, old, now, true);
    if (difference !== null) changes.push({ ...difference, pending: day.pending });
  }
  const isWhole = from === null && to === null;
  const totals = policy === null || !isWhole ? [] : totalChanges(source, index, record, { before, after, policy });
  return { classNo, sealed: sealOf(source, classNo) !== null, days, changes, totals };
}

type Sides = readonly [before: DayCredit | null, after: DayCredit | null];

/** What is recorded, and what comes out; a class day that the daemon has still to close is no change. */
function sidesOf(day: ComparedDay): Sides {
  const judged = judgeDay({ ...day, pending: false });
  const recorded = recordedCredit(day.recorded);
  if (judged.verdict === 'unchecked' && judged.why === 'open') return [null, null];
  if (judged.verdict === 'same') return [recorded, recorded];
  return [recorded, day.computed];
}

/** A record may also differ in a sum beside its result; then hours say so. */
function changeOf(day: ComparedDay, [old, now]: Sides): DayDifference | null {
  const difference = differenceOf(day, old, now, false);
  if (difference !== null || judgeDay({ ...day, pending: false }).verdict !== 'differs') return difference;
  const same = { flags: now?.flags ?? [], policy: now?.policy.sha256 ?? '' };
  const { classNo, traineeNo, date, recorded } = day;
  return {
    ...{ classNo, traineeNo, date, flagsAdded: [], flagsRemoved: [], lines: [] },
    before: { hours: recorded?.totalHours ?? 0, ...same },
    after: { hours: now?.dayResult?.totalHours ?? 0, ...same },
  };
}

/** What the class has, recorded or due, and what the same raw data give under another policy. */
function triedSides(day: ComparedDay, policy: Policy): Sides {
  const { question } = day;
  if (question === null) return [null, null];
  const tried = creditDay(question, policy);
  return [recordedCredit(day.recorded) ?? day.computed, hasResult(question, tried) ? tried : null];
}

function totalChanges(
  source: Source,
  index: ClassIndex,
  { classNo }: ClassRecord,
  given: { readonly before: readonly DayCredit[]; readonly after: readonly DayCredit[]; readonly policy: Policy },
): readonly TotalChange[] {
  const before = totalsOf(source, index, classNo, { through: null, credits: given.before });
  const after = totalsOf(source, index, classNo, { through: null, credits: given.after, policy: given.policy });
  return (before?.people ?? []).flatMap((old, at) => {
    const now = after?.people[at];
    if (!now) return [];
    const [was, is] = [figuresOf(old), figuresOf(now)];
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    return [{ traineeNo: old.traineeNo, before: was, after: is, requiredHours: old.requiredHours }];
  });
}

const figuresOf = ({
  totalHours,
  percent,
  attendanceQualified,
  examEligible,
}: ClassPersonTotal): TotalChange['before'] => ({
  ...{ totalHours, percent, attendanceQualified, examEligible },
});

/** Touches what differs, in the store; the daemon computes it when it starts. */
function apply(
  settings: Settings,
  classNo: string | undefined,
  question: Question,
  options: RecomputeOptions,
  io: Console,
): readonly ClassOutcome[] {
  const clock = options.clock ?? systemClock(() => false);
  using store = openStore({ dir: settings.dataDir, clock, software: options.version });
  const all = loadClasses(store);
  const outcomes = outcomesOf(store, createClassIndex(all), chosen(all, classNo), question, io);
  const due = outcomes.filter((one) => !one.sealed).flatMap((one) => one.changes.filter((day) => !day.pending));
  if (due.length > 0)
    store.transact((tx) => {
      for (const day of due)
        tx.touchDay({ classNo: day.classNo, traineeNo: day.traineeNo, date: day.date, cause: 'review' });
    });
  return outcomes;
}

function tell({ classNo, sealed, days, changes, totals }: ClassOutcome, policy: Policy | null, io: Console): void {
  const tried = policy === null ? null : { id: policy.id, ver: policy.version, sha256: policy.sha256 };
  for (const change of changes) {
    const lines = change.lines.map(({ before, after }) => ({ before: told(before), after: told(after) }));
    if (io.json) io.out(JSON.stringify({ kind: 'day', ...change, sealed, lines }));
    else for (const line of differenceLines({ ...change, sealed, lines })) io.out(line);
  }
  for (const total of totals) {
    if (io.json) io.out(JSON.stringify({ kind: 'person', classNo, ...total }));
    else io.out(totalChangeLine(classNo, total));
  }
  const people = new Set(changes.map((day) => day.traineeNo)).size;
  if (io.json)
    io.out(JSON.stringify({ kind: 'class', classNo, sealed, days, changed: changes.length, people, policy: tried }));
}

/** A line of the explanation with its words in both languages. */
export interface ToldLine {
  readonly code: string;
  readonly zh: string;
  readonly en: string;
}

function told(line: DayDifference['lines'][number]['before']): ToldLine | null {
  return line === null ? null : { code: line.code, zh: explainLine(line, 'zh'), en: explainLine(line, 'en') };
}
