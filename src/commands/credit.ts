/**
 * `rollcall credit FILE`: cases to results, and where a case says what it expects, the differences. Sentences for people
 * go to standard error in Chinese and English, one JSON object a case to standard output with `--json`.
 * Ends 0 when everything agrees, 1 when something differs, 2 for bad input.
 */
import { readFile } from 'node:fs/promises';
import { asGatewayError, fail, GatewayError, systemCode } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import { loadPolicyFile, loadPreset } from '../policies.js';
import { creditDay, hasResult } from '../rules/day.js';
import type { DayCredit, DayQuestion } from '../rules/day-credit.js';
import { explainLine } from '../rules/explain.js';
import { parsePolicy, withValues, type Policy } from '../rules/policy.js';
import { dayCloseOf, nextVersion, sameOutcome, type Version } from '../rules/revision.js';
import { personTotal } from '../rules/totals.js';
import { EXIT } from './console.js';
import { parseCase, questionOf, type ClassCase, type CreditCase, type DayCase, type DayInput } from './credit-case.js';

export interface CreditOptions {
  /** A policy file in place of the preset each case names. */
  readonly policy?: string;
  readonly json: boolean;
  /** Print a sentence for every lesson; default true. */
  readonly explain?: boolean;
  /** One line of data. */
  readonly out: (line: string) => void;
  /** Words for people. */
  readonly err: (line: string) => void;
}

export interface Difference {
  readonly path: string;
  readonly expected: unknown;
  /** null also when the result has no such key. */
  readonly actual: unknown;
}

export interface CaseOutcome {
  readonly id: string;
  readonly kind: 'day' | 'class' | null;
  readonly title: string;
  /** null: the case expects nothing, or could not be computed. */
  readonly agrees: boolean | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly differences: readonly Difference[];
  readonly explanation: readonly Readonly<Record<string, unknown>>[];
  readonly error: { readonly code: string; readonly zh: string; readonly en: string } | null;
}

export async function runCredit(file: string, options: CreditOptions): Promise<number> {
  let outcomes: readonly CaseOutcome[];
  try {
    outcomes = evaluateCases(await readCases(file), file, options.policy);
  } catch (error) {
    const known = asGatewayError(error);
    options.err(worded(known, 'zh'));
    options.err(worded(known, 'en'));
    return EXIT.usage;
  }
  for (const outcome of outcomes) {
    if (options.json) options.out(JSON.stringify(outcome));
    if (!options.json || outcome.error !== null) options.err(page(outcome, options.explain ?? true));
  }
  const compared = outcomes.filter(({ agrees }) => agrees !== null);
  const agreed = compared.filter(({ agrees }) => agrees === true).length;
  const failed = outcomes.filter(({ error }) => error !== null);
  options.err(
    `共 ${outcomes.length} 例：相符 ${agreed}，不符 ${compared.length - agreed}，未计算 ${failed.length}。 ` +
      `${outcomes.length} cases: ${agreed} agree, ${compared.length - agreed} differ, ${failed.length} not computed.`,
  );
  if (failed.length > 0) return EXIT.usage;
  return agreed < compared.length ? EXIT.no : EXIT.good;
}

async function readCases(file: string): Promise<readonly unknown[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw fail('file-unreadable', { file, reason: systemCode(error) ?? 'unknown' }, error);
  }
  try {
    // Some editors put a byte order mark before the text.
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return Array.isArray(value) ? (value as unknown[]) : [value];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw fail('bad-case', { id: '-', file, path: '', reason: `${reason}.`, reasonZh: `${reason}。` }, error);
  }
}

/** Every case of a parsed file. A case that cannot be read or computed carries its error and does not stop the others. */
export function evaluateCases(values: readonly unknown[], file: string, policyFile?: string): readonly CaseOutcome[] {
  const named = policyFile === undefined ? null : loadPolicyFile(policyFile).plain;
  return values.map((value, at) => {
    let input: CreditCase | null = null;
    try {
      input = parseCase(value, file, at);
      return evaluate(input, file, policyOf(input, file, named));
    } catch (error) {
      return failedOutcome(input, value, at, asGatewayError(error));
    }
  });
}

function policyOf(input: CreditCase, file: string, named: unknown): Policy {
  const base = named ?? loadPreset(input.preset).plain;
  // The case's sessions replace those of the preset, so they must fit before the policy is checked.
  const sessions =
    input.kind === 'day' && input.sessions
      ? {
          sessions: input.sessions
            .filter(({ online }) => !online)
            .map(({ id, start, end, lessons }) => ({ id, start, end, lessons })),
        }
      : {};
  try {
    return parsePolicy(withValues(base, { ...sessions, ...input.policy }), input.id);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // The base is sound, so the fault lies in what the case itself gives.
    const { key = '', reason = '', reasonZh = '' } = error.context;
    const path = Object.hasOwn(sessions, String(key).split('.')[0] ?? '') ? key : `policy.${String(key)}`;
    throw fail('bad-case', { id: input.id, file, path, reason, reasonZh }, error);
  }
}

function failedOutcome(input: CreditCase | null, value: unknown, at: number, error: GatewayError): CaseOutcome {
  const given =
    typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
      ? value.id
      : `#${at + 1}`;
  return {
    id: input?.id ?? given,
    kind: input?.kind ?? null,
    title: input?.title ?? '',
    agrees: null,
    result: null,
    differences: [],
    explanation: [],
    error: { code: error.code, zh: worded(error, 'zh'), en: worded(error, 'en') },
  };
}

function evaluate(input: CreditCase, file: string, policy: Policy): CaseOutcome {
  const { result, explanation } =
    input.kind === 'day' ? evaluateDay(input, file, policy) : evaluateClass(input, policy);
  const differences = input.expect === undefined ? [] : compare(input.expect, result, '');
  return {
    id: input.id,
    kind: input.kind,
    title: input.title,
    agrees: input.expect === undefined ? null : differences.length === 0,
    result,
    differences,
    explanation,
    error: null,
  };
}

type Evaluated = Pick<CaseOutcome, 'explanation'> & { readonly result: Readonly<Record<string, unknown>> };

function evaluateDay(input: DayCase, file: string, policy: Policy): Evaluated {
  const day = questionOf(input, file, policy);
  const { credit, version } = lastVersion(day.question, policy);
  const explanation = credit.explanation.map((line) => ({
    ...line,
    zh: explainLine(line, 'zh'),
    en: explainLine(line, 'en'),
  }));
  return { result: dayResultOf(credit, version, day), explanation };
}

/**
 * The day is final since its `dayClose` with what had arrived by then; each later arrival that changes the outcome makes
 * a further version.
 */
function lastVersion(
  question: DayQuestion,
  policy: Policy,
): { readonly credit: DayCredit; readonly version: Version | null } {
  const close = dayCloseOf(question.date, policy);
  const late = [...new Set(question.punches.map(({ rx }) => rx).filter((rx) => rx > close))].sort((a, b) => a - b);
  let version: Version | null = null;
  let credit: DayCredit | null = null;
  for (const until of [close, ...late] satisfies Instant[]) {
    const known: DayQuestion = { ...question, punches: question.punches.filter(({ rx }) => rx <= until) };
    const next = creditDay(known, policy);
    if (hasResult(known, next) && (version === null || credit === null || !sameOutcome(credit, next))) {
      version = nextVersion(version, 'final', 'backfill');
    }
    credit = next;
  }
  return { credit: credit ?? creditDay(question, policy), version };
}

function dayResultOf(credit: DayCredit, version: Version | null, day: DayInput): Readonly<Record<string, unknown>> {
  const { dayResult } = credit;
  const ignored = credit.ignored.map(({ n, reason }) => ({ deviceTime: day.toldTexts.get(n) ?? '', reason }));
  const tail = { flags: credit.flags, ignored, date: credit.date, policy: credit.policy, engine: credit.engine };
  if (dayResult === null) return { dayResult: null, ...tail };
  const { slots, sessions, ...hours } = dayResult;
  return {
    slots: Object.fromEntries(Object.entries(slots).map(([id, fill]) => [id, fill?.time ?? null])),
    ...hours,
    minutesLate: Object.fromEntries(sessions.map(({ id, minutesLate }) => [id, minutesLate])),
    minutesEarly: Object.fromEntries(sessions.map(({ id, minutesEarly }) => [id, minutesEarly])),
    ...tail,
    ...(version ?? {}),
  };
}

function evaluateClass(input: ClassCase, policy: Policy): Evaluated {
  const people = input.people.map((person) => {
    const onlineHoursByDate = person.onlineHoursByDate ?? [['', person.onlineHours ?? 0] as const];
    const { traineeNo, ...total } = personTotal(
      { ...person, traineeNo: person.trainee, onlineHoursByDate },
      input.requiredHours,
      policy,
    );
    return { trainee: traineeNo, ...total };
  });
  const explanation = people.map(({ trainee, totalHours, requiredHours, percent }) => ({
    about: 'person',
    code: 'PERSON_TOTAL',
    params: { trainee, totalHours, requiredHours, percent },
    zh: `${trainee}:${totalHours} / ${requiredHours} 课时(${percent} %)`,
    en: `${trainee}: ${totalHours} of ${requiredHours} hours (${percent} %)`,
  }));
  return { result: { people, policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 } }, explanation };
}

/**
 * What differs. Of an object only the keys that are expected are compared (an empty one must be empty); a list must have
 * the same length and order, except people, who are found by `trainee`.
 */
export function compare(expected: unknown, actual: unknown, path: string): readonly Difference[] {
  const differs = [{ path, expected, actual: actual ?? null }];
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return differs;
    if (path === 'people')
      return expected.flatMap((one, at) => compare(one, sameTrainee(one, actual), `${path}.${at}`));
    if (expected.length !== actual.length) return differs;
    return expected.flatMap((one, at) => compare(one, actual[at], `${path}.${at}`));
  }
  if (isRecord(expected)) {
    if (!isRecord(actual)) return differs;
    if (Object.keys(expected).length === 0) return Object.keys(actual).length === 0 ? [] : differs;
    return Object.entries(expected).flatMap(([key, value]) =>
      compare(value, Object.hasOwn(actual, key) ? actual[key] : undefined, path === '' ? key : `${path}.${key}`),
    );
  }
  return Object.is(expected, actual) ? [] : differs;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sameTrainee(one: unknown, people: readonly unknown[]): unknown {
  return people.find((person) => isRecord(person) && isRecord(one) && person.trainee === one.trainee);
}

function worded(error: GatewayError, language: 'zh' | 'en'): string {
  const { what, remedy } = error.explain(language);
  return `${what} ${remedy}`;
}

/** A case for people. */
function page(outcome: CaseOutcome, explain: boolean): string {
  const word =
    outcome.error !== null
      ? '未计算 not computed'
      : outcome.agrees === null
        ? '已计算 computed'
        : outcome.agrees
          ? '相符 agrees'
          : '不符 differs';
  const lines = [`${outcome.id} ${outcome.title} — ${word}`];
  if (outcome.error) lines.push(`  ${outcome.error.zh}`, `  ${outcome.error.en}`);
  if (explain) for (const { zh, en } of outcome.explanation) lines.push(`  ${String(zh)}  ${String(en)}`);
  const flags = outcome.result?.flags;
  if (Array.isArray(flags) && flags.length > 0) lines.push(`  标记 flags: ${flags.join(' ')}`);
  for (const { path, expected, actual } of outcome.differences) {
    lines.push(`  ${path}: 应为 expected ${JSON.stringify(expected)}，实为 got ${JSON.stringify(actual)}`);
  }
  return `${lines.join('\n')}\n`;
}
