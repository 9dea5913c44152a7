/**
 * `rollcall policy show` and `rollcall policy diff`: every value of a policy with its description, its clause or that it is an
 * assumption (假定), and the layer that set it; and what two policies do differently. Changes nothing.
 */
import { comparePolicies, policyValues, type PolicyDifference } from '../rules/policy-values.js';
import { EXIT, type Console } from './console.js';
import {
  findPolicy,
  policyOfClass,
  policyPlace,
  tellFaults,
  type FoundPolicy,
  type PolicyOptions,
  type PolicyPlace,
} from './policy-lookup.js';
import { headLines, periodWords, SIGNATURES, sourceText, valueText } from './policy-words.js';

export interface ShowArguments {
  /** Name, file or beginning of a hash; not given: the list of what there is. */
  readonly word?: string;
  readonly config?: string;
  readonly classNo?: string;
}

export function runPolicyShow(args: ShowArguments, options: PolicyOptions, io: Console): number {
  const { word, config, classNo } = args;
  const place = policyPlace(config, options, io);
  if (place === null) return EXIT.usage;
  if (classNo !== undefined) {
    if (place.settings === null || word !== undefined) {
      io.err('--class 须与 --config 同用，且不再给名称。 --class needs --config, and no name beside it.');
      return EXIT.usage;
    }
    return show(policyOfClass(classNo, place), io, classNo);
  }
  if (word === undefined) return list(place, io);
  const found = findPolicy(word, place);
  if ('faults' in found) {
    tellFaults(found.faults, io);
    return EXIT.usage;
  }
  return show(found, io, null);
}

function show({ policy, layers, origin }: FoundPolicy, io: Console, classNo: string | null): number {
  const values = policyValues(policy).map((one) => ({ ...one, layer: origin(one.path) }));
  if (io.json) {
    const { id, version, sha256, jurisdiction, basis, effectiveFrom, effectiveTo } = policy;
    const head = { id, version, sha256, jurisdiction, basis, effectiveFrom, effectiveTo };
    io.out(JSON.stringify({ kind: 'policy', ...head, layers: policy.layers ?? [], class: classNo }));
    for (const { layer, ...one } of values)
      io.out(JSON.stringify({ kind: 'value', ...one, assumption: one.source === null, layer: layer || null }));
    return EXIT.good;
  }
  if (classNo !== null) io.out(`班级 class ${classNo}: 开班时的政策，不再改变 the policy it was activated with`);
  for (const line of headLines(policy, layers)) io.out(line);
  const layered = (policy.layers?.length ?? 0) > 1;
  for (const { path, value, zh, en, source, layer } of values) {
    io.out('');
    io.out(`${path}: ${valueText(value)}`);
    io.out(`    ${zh} · ${en}`);
    io.out(`    ${sourceText(source)}${layered && layer !== '' ? ` · 层 layer ${layer}` : ''}`);
  }
  return EXIT.good;
}

/** What there is to choose from, and which of it cannot be used. */
function list({ policies, settings }: PolicyPlace, io: Console): number {
  for (const name of policies.names) {
    const composed = policies.compose(name);
    const faults = composed?.faults ?? [];
    const isSite = settings?.policy.preset === name;
    const policy = composed?.policy ?? null;
    const top = composed?.layers.at(-1);
    const signature = top === undefined || top.shipped ? null : top.signature.state;
    if (io.json) {
      const { version = null, sha256 = null, effectiveFrom = null, effectiveTo = null } = policy ?? {};
      const usable = policies.problemsOf(name).length === 0;
      const facts = { version, sha256, effectiveFrom, effectiveTo, signature, usable, site: isSite };
      io.out(JSON.stringify({ kind: 'policy', name, ...facts, faults: faults.length }));
      continue;
    }
    const site = isSite ? ' · 本站点 this site' : '';
    if (policy === null) io.out(`${name} · 有错误 has faults: ${faults.length}${site}`);
    else {
      const state = signature === null ? '' : ` · ${SIGNATURES[signature]}`;
      io.out(`${name} v${policy.version} · ${policy.jurisdiction.name} · ${periodWords(policy)}${state}${site}`);
    }
  }
  return EXIT.good;
}

/** Exit code 0 when both are the same to the last value, 1 when they differ, 2 when one cannot be read. */
export function runPolicyDiff(
  words: readonly [string, string],
  config: string | undefined,
  options: PolicyOptions,
  io: Console,
): number {
  const place = policyPlace(config, options, io);
  if (place === null) return EXIT.usage;
  const [before, after] = [findPolicy(words[0], place), findPolicy(words[1], place)];
  const faults = [before, after].flatMap((one) => ('faults' in one ? one.faults : []));
  if ('faults' in before || 'faults' in after) {
    tellFaults(faults, io);
    return EXIT.usage;
  }
  const [a, b] = [before.policy, after.policy];
  const differences = comparePolicies(a, b);
  const same = a.sha256 === b.sha256;
  for (const one of differences) {
    if (io.json) io.out(JSON.stringify({ kind: 'difference', ...one }));
    else for (const line of differenceLines(one)) io.out(line);
  }
  const side = (policy: typeof a): object => ({ id: policy.id, version: policy.version, sha256: policy.sha256 });
  if (io.json) io.out(JSON.stringify({ kind: 'summary', same, differing: differences.length, a: side(a), b: side(b) }));
  else {
    io.err(`A ${a.id} v${a.version} ${a.sha256}`);
    io.err(`B ${b.id} v${b.version} ${b.sha256}`);
    io.err(summary(same, differences));
  }
  return same ? EXIT.good : EXIT.no;
}

function summary(same: boolean, differences: readonly PolicyDifference[]): string {
  if (same) return '两者完全相同。 The two are the same.';
  if (differences.length === 0)
    return '各值相同，只有层或签名不同。 Every value is the same; only layers or signatures differ.';
  return `不同之处 differences: ${differences.length}`;
}

function differenceLines(one: PolicyDifference): readonly string[] {
  const lines = [one.path, `    ${one.zh} · ${one.en}`];
  if (one.path === 'basis') {
    const [before, after] = [texts(one.before), texts(one.after)];
    const gone = before.filter((text) => !after.includes(text)).map((text) => `  A ${text}`);
    return [...lines, ...gone, ...after.filter((text) => !before.includes(text)).map((text) => `  B ${text}`)];
  }
  const line = (mark: string, value: unknown, source: string | null): string =>
    `  ${mark} ${valueText(value)}${one.head ? '' : `    ${sourceText(source)}`}`;
  return [...lines, line('A', one.before, one.sourceBefore), line('B', one.after, one.sourceAfter)];
}

const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
