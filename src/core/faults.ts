/**
 * Faults of a file written by a person: code, file, line, dotted key, what is wrong in Chinese and English, and the nearest
 * known word. Turns the findings of a zod schema into them, all at once and never one after the other.
 *
 * A fault never quotes the value of a key that may hold a secret. The only importer of `fastest-levenshtein`.
 */
import { closest, distance } from 'fastest-levenshtein';
import type { core, z } from 'zod';
import { fail, type ErrorCode, type ErrorContext } from './errors.js';
import { nodeAt, parseLocated, placeOf, type EmptyKey, type Located, type Path, type Place } from './located.js';

export interface FileFault extends Place {
  /** Dotted key, list items by number from 0: `terminals.0.reach`. Empty: the file as a whole. */
  readonly path: string;
  readonly code: ErrorCode;
  /** A warning does not stop anything. */
  readonly severity: 'error' | 'warning';
  readonly en: string;
  readonly zh: string;
  readonly remedyEn: string;
  readonly remedyZh: string;
  /** The known word most like the one written, when one is like it. */
  readonly nearest: string | null;
}

/** Separates the English from the Chinese half of a message inside a zod schema. */
const HALVES = ' ‖ ';

/** A message for a zod check in both languages; `schemaFaults` takes it apart again. */
export function bilingual(en: string, zh: string): string {
  return `${en}${HALVES}${zh}`;
}

export function fileFault(
  code: ErrorCode,
  context: ErrorContext,
  place: Place,
  path: string,
  options: { readonly severity?: 'error' | 'warning'; readonly nearest?: string | null } = {},
): FileFault {
  const error = fail(code, { at: path, ...context });
  const [en, zh] = [error.explain('en'), error.explain('zh')];
  return {
    file: place.file,
    line: place.line,
    column: place.column,
    path,
    code,
    severity: options.severity ?? 'error',
    en: en.what,
    zh: zh.what,
    remedyEn: en.remedy,
    remedyZh: zh.remedy,
    nearest: options.nearest ?? null,
  };
}

/** Parses a file; its syntax faults as faults. */
export function readLocated(
  file: string,
  text: string,
): { readonly root: Located | null; readonly faults: readonly FileFault[]; readonly empty: readonly EmptyKey[] } {
  const { root, problems, empty } = parseLocated(file, text);
  return {
    root,
    empty,
    faults: problems.map((one) =>
      fileFault(one.code, { reason: one.reason, reasonZh: one.reasonZh }, one.place, dotted(one.path)),
    ),
  };
}

export function dotted(path: Path): string {
  return path.join('.');
}

/** The known word that is like `word`, or null when none is: at most a third of its letters differ, or one contains the other. */
export function nearestWord(word: string, known: readonly string[]): string | null {
  // One number is not a misspelling of another.
  if (known.length === 0 || /^-?[\d.]+$/.test(word)) return null;
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ ]/g, '');
  const same = known.find((candidate) => plain(candidate) === plain(word));
  if (same !== undefined) return same;
  const best = closest(word, [...known]);
  if (
    distance(word.toLowerCase(), best.toLowerCase()) <= Math.max(1, Math.ceil(Math.max(word.length, best.length) / 3))
  )
    return best;
  return known.find((candidate) => plain(word).length > 2 && plain(candidate).includes(plain(word))) ?? null;
}

/** Keys whose value is a secret wherever they stand. */
export function isSecretKey(key: string): boolean {
  return /(?:key|password|secret|token)$/i.test(key);
}

const KINDS: Readonly<Record<string, readonly [string, string]>> = {
  string: ['text', '文本'],
  number: ['a number', '数字'],
  int: ['a whole number', '整数'],
  boolean: ['true or false', 'true 或 false'],
  array: ['a list', '列表'],
  object: ['a group of keys', '一组键值'],
  record: ['a group of keys', '一组键值'],
};

export interface SchemaFaultOptions {
  /** Path of the checked value inside `root`. */
  readonly prefix?: Path;
  /** Keys the schema knows at `path` (relative to the checked value), for "nearest". */
  readonly knownAt: (path: Path) => readonly string[];
}

/** Every finding of a zod check as a fault with its place. */
export function schemaFaults(
  issues: readonly core.$ZodIssue[],
  root: Located,
  options: SchemaFaultOptions,
): readonly FileFault[] {
  return issues.flatMap((issue) => issueFaults(issue, root, options));
}

function issueFaults(issue: core.$ZodIssue, root: Located, options: SchemaFaultOptions): readonly FileFault[] {
  const inner = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  const path = [...(options.prefix ?? []), ...inner];
  const place = placeOf(root, path);
  const node = nodeAt(root, path);
  if (issue.code === 'unrecognized_keys') {
    const known = options.knownAt(inner);
    return issue.keys.map((key) => unknownKeyFault(key, known, placeOf(root, [...path, key]), dotted([...path, key])));
  }
  if (node === undefined && !(issue.code === 'custom')) return [fileFault('key-missing', {}, place, dotted(path))];
  if (issue.code === 'invalid_type') {
    const [en, zh] = KINDS[issue.expected] ?? [issue.expected, issue.expected];
    return [fileFault('wrong-type', { expected: en, expectedZh: zh, ...foundWords(node) }, place, dotted(path))];
  }
  if (issue.code === 'invalid_value') {
    const known = issue.values.map(String);
    return [notOneOfFault(node?.kind === 'scalar' ? String(node.value) : '', known, place, path)];
  }
  if (issue.code === 'invalid_union') {
    const values = issue.errors
      .flat()
      .flatMap((one) => (one.code === 'invalid_value' && one.path.length === 0 ? one.values : []));
    const found = node?.kind === 'scalar' ? node.value : undefined;
    // A choice of words, or a value whose kind fits one branch: that branch says best what is wrong.
    const branch = issue.errors.find((errors) => errors.every((one) => one.path.length > 0 || !isKindIssue(one)));
    if (branch) return schemaFaults(branch, root, { ...options, prefix: path });
    if (values.length > 0 && found !== undefined)
      return [notOneOfFault(String(found), values.map(String), place, path)];
  }
  const { en, zh } = issueWords(issue);
  return [fileFault('wrong-value', { reason: en, reasonZh: zh }, place, dotted(path))];
}

/** What a finding of a zod check about one value says, in both languages. */
export function issueWords(issue: core.$ZodIssue): { readonly en: string; readonly zh: string } {
  const [en = issue.message, zh = en] = limitWords(issue) ?? issue.message.split(HALVES);
  return { en, zh };
}

function isKindIssue(issue: core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function foundWords(node: Located | undefined): ErrorContext {
  const [found, foundZh] =
    node === undefined
      ? ['nothing', '空']
      : (KINDS[node.kind === 'list' ? 'array' : node.kind === 'map' ? 'object' : typeof node.value] ?? [
          'something else',
          '其他',
        ]);
  return { found, foundZh };
}

function limitWords(issue: core.$ZodIssue): readonly [string, string] | null {
  if (issue.message.includes(HALVES)) return null;
  if (issue.code === 'too_small') {
    const least = String(issue.minimum);
    if (issue.origin === 'string') return [`at least ${least} characters`, `至少 ${least} 个字符`];
    if (issue.origin === 'array') return [`at least ${least} entries`, `至少 ${least} 项`];
    return [`not below ${least}`, `不得小于 ${least}`];
  }
  if (issue.code === 'too_big') {
    const most = String(issue.maximum);
    if (issue.origin === 'string') return [`at most ${most} characters`, `最多 ${most} 个字符`];
    if (issue.origin === 'array') return [`at most ${most} entries`, `最多 ${most} 项`];
    return [`not above ${most}`, `不得大于 ${most}`];
  }
  return null;
}

export function unknownKeyFault(key: string, known: readonly string[], place: Place, path: string): FileFault {
  const nearest = nearestWord(key, known);
  return fileFault('key-unknown', { word: key, ...suggestion(nearest, known) }, place, path, { nearest });
}

/** A word that must be one of a list and is not. */
export function notOneOfFault(found: string, known: readonly string[], place: Place, path: Path): FileFault {
  const nearest = nearestWord(found, known);
  const shown = isSecretKey(String(path.at(-1) ?? '')) ? '…' : found;
  return fileFault('not-one-of', { found: shown, ...suggestion(nearest, known) }, place, dotted(path), { nearest });
}

function suggestion(nearest: string | null, known: readonly string[]): ErrorContext {
  const list = known.slice(0, 40).join(', ') || '-';
  return {
    suggestion: nearest === null ? `Known here: ${list}.` : `Did you mean "${nearest}"?`,
    suggestionZh: nearest === null ? `此处可用：${list}。` : `是否应为 “${nearest}”?`,
  };
}

/** Whether a zod schema accepts `value`; the issues when it does not. */
export function issuesOf(schema: z.ZodType, value: unknown): readonly core.$ZodIssue[] {
  const result = schema.safeParse(value);
  return result.success ? [] : result.error.issues;
}
