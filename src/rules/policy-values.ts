/**
 * The values of a policy one by one, as people ask for them: each with its description, the clause it comes from, and how it
 * differs from that of another policy. Pure.
 */
import type { Policy } from './policy.js';
import { DEFAULT_PATTERNS, policyPaths } from './policy-schema.js';

export interface PolicyValue {
  readonly path: string;
  readonly zh: string;
  readonly en: string;
  /** A list is one value; null: none. */
  readonly value: unknown;
  /** Null: no document says it; it is an assumption (假定). */
  readonly source: string | null;
}

export interface PolicyDifference {
  readonly path: string;
  readonly zh: string;
  readonly en: string;
  /** Of the head of the file (name, version, area, basis): no value that rules anything, and without a source. */
  readonly head: boolean;
  readonly before: unknown;
  readonly after: unknown;
  readonly sourceBefore: string | null;
  readonly sourceAfter: string | null;
}

/** Every value that rules something, in the order of the form; the head of the file is not among them. */
export function policyValues(policy: Policy): readonly PolicyValue[] {
  return leaves(policy, (one) => one.citable);
}

/** Every value of the file that differs, its head included, and values that are equal and cite another source. */
export function comparePolicies(before: Policy, after: Policy): readonly PolicyDifference[] {
  const others = new Map(leaves(after, () => true).map((one) => [one.path, one]));
  return leaves(before, () => true).flatMap((one) => {
    const other = others.get(one.path);
    if (other === undefined) return [];
    const { path, zh, en } = one;
    const same = JSON.stringify(one.value) === JSON.stringify(other.value) && one.source === other.source;
    const values = { before: one.value, after: other.value, sourceBefore: one.source, sourceAfter: other.source };
    const head = policyPaths().get(path)?.citable !== true;
    return same ? [] : [{ path, zh, en, head, ...values }];
  });
}

function leaves(policy: Policy, wanted: (one: { readonly citable: boolean }) => boolean): readonly PolicyValue[] {
  const whole = { ...policy, patterns: policy.patterns ?? DEFAULT_PATTERNS };
  return [...policyPaths().values()]
    .filter((one) => !one.group && wanted(one))
    .map(({ path, zh, en }) => ({ path, zh, en, value: valueAt(whole, path), source: sourceOf(policy, path) }));
}

function valueAt(root: unknown, path: string): unknown {
  let node = root;
  for (const step of path.split('.'))
    node = typeof node === 'object' && node !== null ? (node as Readonly<Record<string, unknown>>)[step] : undefined;
  return node ?? null;
}

/** The clause of a value, or of the nearest group it stands in; null: an assumption. */
export function sourceOf(policy: Pick<Policy, 'sources'>, path: string): string | null {
  const cited = new Map(Object.entries(policy.sources ?? {}));
  const steps = path.split('.');
  for (let length = steps.length; length > 0; length -= 1) {
    const clause = cited.get(steps.slice(0, length).join('.'));
    if (clause !== undefined) return clause;
  }
  return null;
}
