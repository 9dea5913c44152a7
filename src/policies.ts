/**
 * Policy files on disk: the shipped presets of `config/policies` and any file a person names. Reads, checks with line
 * numbers, and hands the result to the rules; knows nothing of classes. Throws GatewayError (`bad-policy`,
 * `unknown-preset`, `settings-unreadable`).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from './core/errors.js';
import { nearestWord, readLocated, type FileFault } from './core/faults.js';
import { toPlain } from './core/located.js';
import { badPolicy, parsePolicy, policyFaults, type Policy } from './rules/policy.js';

/** `config/policies` of this installation, seen from `src/` and from `dist/` alike. */
export const POLICY_DIR = fileURLToPath(new URL('../config/policies/', import.meta.url));

export interface PolicyText {
  /** The checked policy; null when there are faults. */
  readonly policy: Policy | null;
  /** The values as written, for overriding single ones. */
  readonly plain: unknown;
  readonly faults: readonly FileFault[];
}

/** Checks a policy text and reports all faults with their lines. Never throws on bad text. */
export function checkPolicyText(file: string, text: string): PolicyText {
  const { root, faults } = readLocated(file, text);
  if (root === null || faults.length > 0) return { policy: null, plain: null, faults };
  const found = policyFaults(root);
  const plain = toPlain(root);
  return { policy: found.length === 0 ? parsePolicy(plain, file) : null, plain, faults: found };
}

/** Reads one policy file. Throws `bad-policy` with the line of the first fault. */
export function loadPolicyFile(file: string): { readonly policy: Policy; readonly plain: unknown } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw fail('bad-policy', { policy: file, key: '', reason: `${reason}.`, reasonZh: `${reason}。` }, error);
  }
  const { policy, plain, faults } = checkPolicyText(file, text);
  if (policy === null) throw badPolicy(faults[0], file);
  return { policy, plain };
}

/** Names of the presets in a directory, sorted. */
export function presetNames(dir: string = POLICY_DIR): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => name.slice(0, -'.yaml'.length))
      .sort();
  } catch {
    return [];
  }
}

/** Reads a preset by name. Throws `unknown-preset` with the nearest known name. */
export function loadPreset(
  name: string,
  dir: string = POLICY_DIR,
): { readonly policy: Policy; readonly plain: unknown } {
  const known = presetNames(dir);
  if (known.includes(name)) return loadPolicyFile(join(dir, `${name}.yaml`));
  const nearest = nearestWord(name, known);
  throw fail('unknown-preset', {
    name,
    dir,
    known: known.join(', ') || '-',
    nearest: nearest === null ? '' : ` (did you mean "${nearest}"?)`,
    nearestZh: nearest === null ? '' : `（是否应为 “${nearest}”?）`,
  });
}
