/**
 * The policy in force: a checked policy file and the SHA-256 of its canonical JSON (RFC 8785), which every result
 * carries, so that a changed preset can never be taken for the one a class was activated with.
 *
 * Pure: takes parsed values, not files. Every fault names its key in Chinese and English.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import canonicalizeModule from 'canonicalize';
import { fail } from '../core/errors.js';
import { issuesOf, schemaFaults, type FileFault } from '../core/faults.js';
import { toPlain, type Located, type Path } from '../core/located.js';
import type { LocalDate } from '../core/time.js';
import { policyPaths, policySchema, type PolicyFile } from './policy-schema.js';

export type Policy = PolicyFile & {
  /** Lower-case hex SHA-256 over the RFC 8785 form of the effective policy. */
  readonly sha256: string;
};

/** The package is CommonJS and its types name a default export; at run time the module itself is the function. */
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string;

export function canonicalJson(value: unknown): string {
  return canonicalize(value);
}

/** Checks a plain value. Throws `bad-policy` with the first fault's `key`, `reason` and `reasonZh`. */
export function parsePolicy(value: unknown, name = 'policy'): Policy {
  const result = policySchema.safeParse(value);
  if (result.success) return withHash(result.data);
  const fault = policyFaults(locate(value))[0];
  throw badPolicy(fault, name);
}

/** Every fault of a policy text that is already parsed, each with its place; empty when it is good. */
export function policyFaults(root: Located): readonly FileFault[] {
  return schemaFaults(issuesOf(policySchema, toPlain(root)), root, { knownAt: knownKeys });
}

export function badPolicy(fault: FileFault | undefined, name: string): Error {
  return fail('bad-policy', {
    policy: fault && fault.line > 0 ? `${name}:${fault.line}` : name,
    key: fault?.path ?? '',
    reason: fault?.nearest == null ? (fault?.en ?? 'not a policy') : `${fault.en} ${fault.remedyEn}`,
    reasonZh: fault?.nearest == null ? (fault?.zh ?? '不是政策文件') : `${fault.zh}${fault.remedyZh}`,
  });
}

/** Whether the policy is in force on that date; both ends belong to its time. */
export function isInForce(policy: Pick<PolicyFile, 'effectiveFrom' | 'effectiveTo'>, date: LocalDate): boolean {
  return policy.effectiveFrom <= date && (policy.effectiveTo === null || date <= policy.effectiveTo);
}

/** Throws `policy-not-in-force`: a class is activated only with a policy that is in force on its first day (R42). */
export function requireInForce(policy: PolicyFile, firstDay: LocalDate): void {
  if (isInForce(policy, firstDay)) return;
  const { id, effectiveFrom: from, effectiveTo: to } = policy;
  throw fail('policy-not-in-force', {
    policy: id,
    date: firstDay,
    period: to === null ? `from ${from} on` : `from ${from} to ${to}`,
    periodZh: to === null ? ` ${from} 起` : ` ${from} 至 ${to}`,
  });
}

function withHash(file: PolicyFile): Policy {
  return { ...file, sha256: createHash('sha256').update(canonicalJson(file)).digest('hex') };
}

/** A plain value as if it stood in a file, so that one code path words all faults. */
export function locate(value: unknown): Located {
  const at = { file: '', line: 0, column: 0 };
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map(locate) };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([key, inner]) => [key, { keyAt: at, value: locate(inner) }] as const);
    return { kind: 'map', at, entries: new Map(entries) };
  }
  const scalar =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
  return { kind: 'scalar', at, value: scalar };
}

/** Keys that the schema knows at `path`, for "did you mean". */
function knownKeys(path: Path): readonly string[] {
  if (path.length === 1 && path[0] === 'sources')
    return [...policyPaths().values()].filter((one) => one.citable).map((one) => one.path);
  let schema: unknown = policySchema;
  for (const step of path) {
    if (schema instanceof z.ZodExactOptional) schema = schema.unwrap();
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, unknown>)[String(step)];
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else return [];
  }
  if (schema instanceof z.ZodExactOptional) schema = schema.unwrap();
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/**
 * A copy of a policy's plain value with single values replaced by dotted path (`lesson.minutes`). Paths need not exist:
 * the schema refuses what it does not know. A later layer (county, class) is applied the same way.
 */
export function withValues(base: unknown, values: Readonly<Record<string, unknown>>): unknown {
  const copy = structuredClone(base);
  for (const [path, value] of Object.entries(values)) setAt(copy, path.split('.'), value);
  return copy;
}

function setAt(root: unknown, path: readonly string[], value: unknown): void {
  let node = root;
  for (const step of path.slice(0, -1)) {
    if (typeof node !== 'object' || node === null) return;
    const record = node as Record<string, unknown>;
    if (!Object.hasOwn(record, step)) define(record, step, {});
    node = record[step];
  }
  const last = path.at(-1);
  if (last !== undefined && typeof node === 'object' && node !== null) define(node, last, value);
}

/** An own property whatever its name: `__proto__` must reach the schema as an unknown key. */
function define(record: object, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}
