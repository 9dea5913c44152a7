/**
 * Policy files on disk: the shipped presets of `config/policies`, the layers of the site's own directory, and any file a person
 * names. Reads them, lets the rules lay them upon each other, and hands out the effective policy; knows nothing of classes.
 *
 * Promises: a class is given no layer whose signature does not stand (`policy-unsigned`); every fault has file, line and key.
 * Throws GatewayError (`bad-policy`, `unknown-preset`, `policy-unsigned`, `policy-keys-bad`).
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, GatewayError, systemCode } from './core/errors.js';
import { fileFault, nearestWord, readLocated, type FileFault } from './core/faults.js';
import { placeOf } from './core/located.js';
import { badPolicy, type Policy } from './rules/policy.js';
import { composePolicy, idOf, type ComposedPolicy, type PolicyLayer, type PolicyText } from './rules/policy-layers.js';
import { policyKeys, type PolicyKeys, type SignatureState } from './rules/policy-signature.js';

/** `config/policies` of this installation, seen from `src/` and from `dist/` alike. */
export const POLICY_DIR = fileURLToPath(new URL('../config/policies/', import.meta.url));

const FILE_SIZE_BYTES_MAX = 1024 * 1024;

type Found = PolicyText | { readonly faults: readonly FileFault[] };

export interface PoliciesOptions {
  /** Name of the policy of the site. */
  readonly site: string;
  /** Presets that came with the program; they need no signature. */
  readonly presetsDir?: string | undefined;
  /** Layers of this site, `<id>.yaml`; null: there are none. */
  readonly dir?: string | null | undefined;
  /** JWK set of those who may sign layers; null: nobody may; not given: signatures are read and cannot be checked. */
  readonly keysFile?: string | null | undefined;
}

/** Where a class takes its policy from; read anew at every call, so that a mended file needs no restart. */
export interface Policies {
  /** Presets, then layers, by name. */
  readonly names: readonly string[];
  /** Those of `names` that lie in the site's own directory. */
  readonly local: readonly string[];
  /** The policy of that name, or the site's (null); null when there is none. Throws when it may not be used. */
  readonly get: (name: string | null) => Policy | null;
  /** The policy of the site. Throws `unknown-preset` with the nearest name when there is none, or as `get`. */
  readonly ofSite: () => Policy;
  /** Why it may not be used: every fault, each with its place; empty when it may. */
  readonly problemsOf: (name: string | null) => readonly FileFault[];
  /** With its layers, whether they are signed or not; null when there is none of that name. */
  readonly compose: (name: string | null) => ComposedPolicy | null;
  /** The same of a file anywhere: what it extends is looked for beside it, too. */
  readonly composeFile: (file: string) => ComposedPolicy;
  /** What is wrong with the layers as a whole: their directory, their keys, names that presets have already. */
  readonly faults: () => readonly FileFault[];
}

export function openPolicies(options: PoliciesOptions): Policies {
  const { site, presetsDir = POLICY_DIR, dir = null, keysFile } = options;
  const presets = presetNames(presetsDir);
  const local = dir === null ? [] : presetNames(dir).filter((name) => !presets.includes(name));
  const names = [...presets, ...local];
  const find = (name: string): Found | null => {
    if (presets.includes(name)) return readNamed(join(presetsDir, `${name}.yaml`), name, true);
    return dir !== null && local.includes(name) ? readNamed(join(dir, `${name}.yaml`), name, false) : null;
  };
  const keys = (): PolicyKeys | null =>
    keysFile === undefined ? null : keysFile === null ? new Map() : readPolicyKeys(keysFile);
  /** Unreadable keys are told by `faults`; a signature cannot be good meanwhile. */
  const keysOrNone = (): PolicyKeys | null => {
    try {
      return keys();
    } catch (error) {
      if (error instanceof GatewayError) return new Map();
      throw error;
    }
  };
  const compose = (name: string | null): ComposedPolicy | null => {
    const found = find(name ?? site);
    return found === null ? null : composedOf(found, { find, names, keys: keysOrNone() });
  };
  const self: Policies = {
    names,
    local,
    compose,
    ofSite: () => self.get(null) ?? unknownPreset(site, names, dir ?? presetsDir),
    get(name) {
      const found = compose(name);
      if (found === null) return null;
      const [fault] = found.faults;
      if (found.policy === null) throw badPolicy(fault, fault?.file ?? name ?? site);
      const open = found.layers.find((layer) => !isUsable(layer));
      if (open === undefined) return found.policy;
      keys();
      throw fail('policy-unsigned', { policy: open.id, ...signatureWords(open, keysFile) });
    },
    problemsOf(name) {
      const found = compose(name);
      if (found === null) return [];
      return [...found.faults, ...found.layers.flatMap((layer) => signatureFaults(layer, keysFile))];
    },
    composeFile: (file) =>
      composedOf(readPolicyText(file, isIn(file, presetsDir)), beside(file, { find, names, keys: keysOrNone() })),
    faults: () => [...dirFaults(dir, presets), ...keysFaults(keysFile)],
  };
  return self;
}

const isIn = (file: string, dir: string): boolean => dirname(resolve(file)) === resolve(dir);

type Context = Parameters<typeof composePolicy>[1];

function composedOf(found: Found, context: Context): ComposedPolicy {
  if (!('faults' in found)) {
    const composed = composePolicy(found, context);
    return { ...composed, faults: composed.faults.map(withGuide) };
  }
  return { policy: null, plain: null, faults: found.faults.map(withGuide), layers: [], origin: () => '' };
}

/** The words of these faults point to the guide of the settings; a policy has its own. */
function withGuide(fault: FileFault): FileFault {
  if (!['key-missing', 'wrong-value'].includes(fault.code)) return fault;
  const example = 'config/policies/baotou-2023.yaml';
  const missing = fault.code === 'key-missing';
  return {
    ...fault,
    remedyZh: `${missing ? '请补上' : '请改正'}；每个键的说明见 ${example}。`,
    remedyEn: `${missing ? 'Add it' : 'Correct it'}; ${example} explains every key.`,
  };
}

/** Looks beside a file first for what it extends, then among the known ones. */
function beside(file: string, context: Context): Context {
  const dir = dirname(file);
  const near = presetNames(dir);
  return {
    ...context,
    names: [...new Set([...context.names, ...near])],
    find: (name) =>
      context.find(name) ?? (near.includes(name) ? readPolicyText(join(dir, `${name}.yaml`), false) : null),
  };
}

/** Reads one file; its syntax faults, or why it could not be read, as faults. */
export function readPolicyText(file: string, shipped: boolean): Found {
  let text: string;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new RangeError('not a file');
    if (stat.size > FILE_SIZE_BYTES_MAX) throw new RangeError('larger than 1 MiB');
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const known = error instanceof TypeError ? 'not UTF-8' : systemCode(error);
    const reason = error instanceof RangeError ? error.message : (known ?? 'unknown');
    const fault = fileFault('policy-unreadable', { reason }, { file, line: 0, column: 0 }, '');
    return { faults: [fault] };
  }
  return parsedText(file, text, shipped);
}

function parsedText(file: string, text: string, shipped: boolean): Found {
  const { root, faults, empty } = readLocated(file, text);
  if (faults.length > 0) return { faults };
  // An empty file is a policy without a single key.
  const at = { file, line: 1, column: 1 };
  return { root: root ?? { kind: 'map', at, entries: new Map() }, empty, shipped };
}

/** A file that is looked up by its name must call itself by it. */
function readNamed(file: string, name: string, shipped: boolean): Found {
  const found = readPolicyText(file, shipped);
  if ('faults' in found || idOf(found) === name || idOf(found) === '') return found;
  const words = { reason: `the file is named ${name}.yaml`, reasonZh: `文件名为 ${name}.yaml` };
  return { faults: [fileFault('wrong-value', words, placeOf(found.root, ['id']), 'id')] };
}

/** Whether a class may use what this layer gives. */
export function isUsable(layer: PolicyLayer): boolean {
  return layer.shipped || layer.signature.state === 'good';
}

export function signatureFaults(layer: PolicyLayer, keysFile: string | null | undefined): readonly FileFault[] {
  if (isUsable(layer)) return [];
  const context = { policy: layer.id, ...signatureWords(layer, keysFile) };
  return [fileFault('policy-unsigned', context, layer.signedAt, 'signature')];
}

const STATES: Readonly<Record<SignatureState, readonly [string, string]>> = {
  good: ['its signature is good', '签名有效'],
  absent: ['it has no signature', '没有签名'],
  unread: [
    'its signature is not of the form that "rollcall policy sign" writes',
    '签名不是 “rollcall policy sign” 写出的形式',
  ],
  'unknown-key': ['nobody in policy.keysFile has the key', 'policy.keysFile 中没有此密钥'],
  wrong: ['the signature does not fit the values: they were changed after signing', '签名与内容不符：签名后内容被改动'],
  unchecked: ['its signature was not checked', '签名未经核验'],
};

/** Why a signature does not stand, as context of an error. */
function signatureWords(
  layer: PolicyLayer,
  keysFile: string | null | undefined,
): { readonly reason: string; readonly reasonZh: string } {
  const { state, keyId } = layer.signature;
  const [en, zh] = STATES[state];
  const key = keyId === null ? '' : ` (${keyId})`;
  if (state === 'unknown-key' && keysFile === null)
    return { reason: `policy.keysFile is not set${key}`, reasonZh: `未设置 policy.keysFile${key}` };
  return { reason: `${en}${key}`, reasonZh: `${zh}${key}` };
}

/** The keys of a JWK set. Throws `policy-keys-bad`. */
function readPolicyKeys(file: string): PolicyKeys {
  const bad = (reason: string, reasonZh: string): GatewayError =>
    fail('policy-keys-bad', { file, reason, reasonZh, form: '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"…"}]}' });
  let value: unknown;
  try {
    if (statSync(file).size > FILE_SIZE_BYTES_MAX) throw bad('larger than 1 MiB', '文件超过 1 MiB');
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = systemCode(error);
    throw code === undefined ? bad('it is not JSON', '不是 JSON') : bad(code, code);
  }
  const keys = policyKeys(value);
  if (keys === null) throw bad('it is no set of Ed25519 public keys', '不是 Ed25519 公钥集');
  return keys;
}

function keysFaults(file: string | null | undefined): readonly FileFault[] {
  if (file === null || file === undefined) return [];
  try {
    readPolicyKeys(file);
    return [];
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return [fileFault(error.code, error.context, { file, line: 0, column: 0 }, 'policy.keysFile')];
  }
}

function dirFaults(dir: string | null, presets: readonly string[]): readonly FileFault[] {
  if (dir === null) return [];
  return presetNames(dir)
    .filter((name) => presets.includes(name))
    .map((name) => {
      const file = join(dir, `${name}.yaml`);
      const words = { reason: 'a preset of the program has this name', reasonZh: '与随程序提供的政策同名' };
      return fileFault('wrong-value', words, { file, line: 1, column: 1 }, 'id', { severity: 'warning' });
    });
}

/**
 * Every fault that the policy of the site has, and as warnings those of its other layers: they stop only the class that
 * asks for them. For `check-config`, and for the daemon before it starts.
 */
export function sitePolicyFaults(policies: Policies): readonly FileFault[] {
  const others = policies.local.flatMap((name) => policies.problemsOf(name));
  const own = policies.problemsOf(null);
  const said = new Set(own.map((fault) => `${fault.file}:${fault.line}:${fault.path}`));
  const rest = others.filter((fault) => !said.has(`${fault.file}:${fault.line}:${fault.path}`));
  const unique = [...new Map(rest.map((fault) => [`${fault.file}:${fault.line}:${fault.path}`, fault])).values()];
  return [...policies.faults(), ...own, ...unique.map((fault) => ({ ...fault, severity: 'warning' as const }))];
}

export interface CheckedPolicy {
  /** The checked policy; null when there are faults. */
  readonly policy: Policy | null;
  /** The effective values as written, for overriding single ones. */
  readonly plain: unknown;
  readonly faults: readonly FileFault[];
}

/** Checks a policy text and reports all faults with their lines. Never throws on bad text. */
export function checkPolicyText(file: string, text: string): CheckedPolicy {
  const { find, names } = shippedOnly();
  return composedOf(parsedText(file, text, false), beside(file, { find, names, keys: null }));
}

/** Reads one policy file, its layers unchecked for signatures. Throws `bad-policy` with the line of the first fault. */
export function loadPolicyFile(file: string): { readonly policy: Policy; readonly plain: unknown } {
  const { find, names } = shippedOnly();
  const { policy, plain, faults } = composedOf(
    readPolicyText(file, isIn(file, POLICY_DIR)),
    beside(file, { find, names, keys: null }),
  );
  if (policy === null) throw badPolicy(faults[0], faults[0]?.file ?? file);
  return { policy, plain };
}

function shippedOnly(): Pick<Context, 'find' | 'names'> {
  const names = presetNames();
  const find = (name: string): Found | null =>
    names.includes(name) ? readPolicyText(join(POLICY_DIR, `${name}.yaml`), true) : null;
  return { names, find };
}

/** Names of the policies in a directory, sorted. */
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
  const policies = openPolicies({ site: name, presetsDir: dir });
  const found = policies.compose(null);
  if (found?.policy) return { policy: found.policy, plain: found.plain };
  if (found) throw badPolicy(found.faults[0], found.faults[0]?.file ?? name);
  return unknownPreset(name, policies.names, dir);
}

function unknownPreset(name: string, known: readonly string[], dir: string): never {
  const nearest = nearestWord(name, known);
  throw fail('unknown-preset', {
    name,
    dir,
    known: known.join(', ') || '-',
    nearest: nearest === null ? '' : ` (did you mean "${nearest}"?)`,
    nearestZh: nearest === null ? '' : `（是否应为 “${nearest}”?）`,
  });
}
