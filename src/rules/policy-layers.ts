/**
 * Layers of a policy (R41, requirements 5): a county or a class lays a partial file over a complete policy with `extends`. Groups
 * merge key by key, lists replace lists, an empty key or `null` takes a value away, and the whole is checked again.
 *
 * Promises: every fault is told with the line of the layer that caused it; a value that a layer sets loses the clause that was
 * cited for the former one; the result says of what layers it is made. Pure: files are found by the caller's `find`.
 */
import { fileFault, notOneOfFault, unknownKeyFault, type FileFault } from '../core/faults.js';
import {
  nodeAt,
  placeOf,
  toPlain,
  type EmptyKey,
  type Located,
  type LocatedEntry,
  type Place,
} from '../core/located.js';
import { parsePolicy, policyFaults, type Policy } from './policy.js';
import { policyPaths } from './policy-schema.js';
import { checkSignature, layerDigest, type PolicyKeys, type SignatureVerdict } from './policy-signature.js';

/** Files in one chain, the complete policy among them. */
const LAYERS_MAX = 4;

/** One policy file as it was read. */
export interface PolicyText {
  readonly root: Located;
  readonly empty: readonly EmptyKey[];
  /** Came with the program, so that it needs no signature. */
  readonly shipped: boolean;
}

export interface PolicyLayer {
  readonly id: string;
  readonly version: number;
  readonly file: string;
  readonly shipped: boolean;
  /** What results name: of a shipped preset its own hash, of a layer the digest its signature covers. */
  readonly sha256: string;
  readonly signature: SignatureVerdict;
  /** Where the signature stands, or should. */
  readonly signedAt: Place;
}

export interface ComposedPolicy {
  /** Null when there are faults. */
  readonly policy: Policy | null;
  /** The effective values as written, for overriding single ones; null when there are faults. */
  readonly plain: unknown;
  readonly faults: readonly FileFault[];
  /** From the complete policy up to the topmost layer; empty when there are faults. */
  readonly layers: readonly PolicyLayer[];
  /** Id of the layer that set a value, by its dotted path. */
  readonly origin: (path: string) => string;
}

export interface LayerContext {
  readonly find: (id: string) => PolicyText | { readonly faults: readonly FileFault[] } | null;
  readonly names: readonly string[];
  /** Null: signatures are read and not checked. */
  readonly keys: PolicyKeys | null;
}

type MapNode = Extract<Located, { kind: 'map' }>;

/** Keys of a layer file that are not values of the policy. */
const OF_A_LAYER: ReadonlySet<string> = new Set(['extends', 'signature']);
/** What a layer must say of itself; the rest it takes from what it extends. */
const REQUIRED = ['id', 'version', 'basis', 'effectiveFrom'];

/** The effective policy of the file `top`. Never throws on bad files. */
export function composePolicy(top: PolicyText, context: LayerContext): ComposedPolicy {
  const chain = chainOf(top, context);
  if ('faults' in chain) return refused(chain.faults);
  const [first, ...rest] = chain.texts;
  if (first === undefined) return refused([]);
  let merged = withoutOwnKeys(first.root);
  let faults = [...headFaults(first), ...policyFaults(merged).map((fault) => relocate(fault, first))];
  for (const text of rest) {
    // What lies below is mended first: on a broken ground every layer would seem to be broken.
    if (faults.length > 0) break;
    const below = merged;
    merged = layUpon(below, text);
    faults = [...headFaults(text), ...emptyFaults(text), ...dateFaults(below, text)];
    if (faults.length === 0) faults = policyFaults(merged).map((fault) => relocate(fault, text));
  }
  if (faults.length > 0) return refused(faults);
  return composed(chain.texts, merged, context);
}

function composed(texts: readonly PolicyText[], merged: Located, context: LayerContext): ComposedPolicy {
  const layers = texts.map((text): PolicyLayer => {
    const content = contentOf(text);
    const sha256 = text.shipped ? parsePolicy(toPlain(withoutOwnKeys(text.root))).sha256 : layerDigest(content);
    const signature = checkSignature(content, context.keys);
    const version = Number(content.version);
    const { at } = text.root;
    const signedAt =
      content.signature === undefined ? { ...at, line: 1, column: 1 } : placeOf(text.root, ['signature']);
    return { id: idOf(text), version, file: at.file, shipped: text.shipped, sha256, signature, signedAt };
  });
  const plain = toPlain(merged) as Record<string, unknown>;
  // One file that nobody signed is its own content and nothing more: the hash of a preset is the hash of its values.
  const isPlain = layers.every((one) => one.signature.state === 'absent') && layers.length === 1;
  const named = layers.map(({ id, version, sha256, signature }) => ({
    ...{ id, version, sha256, signedBy: signature.keyId },
  }));
  const policy = parsePolicy(isPlain ? plain : { ...plain, layers: named });
  const byFile = new Map(layers.map((one) => [one.file, one.id]));
  const removed = new Map(texts.flatMap((text) => text.empty.map((one) => [one.path.join('.'), idOf(text)])));
  const origin = (path: string): string => {
    const steps = path.split('.');
    const file = nodeAt(merged, steps) === undefined ? undefined : placeOf(merged, steps).file;
    return (file === undefined ? removed.get(path) : byFile.get(file)) ?? layers[0]?.id ?? policy.id;
  };
  return { policy, plain, faults: [], layers, origin };
}

const refused = (faults: readonly FileFault[]): ComposedPolicy => ({
  ...{ policy: null, plain: null, faults, layers: [] },
  origin: () => '',
});

/** What a signature covers, and the signature: all that is written, an empty key as null. */
export function contentOf(text: PolicyText): Readonly<Record<string, unknown>> {
  const plain = toPlain(text.root) as Record<string, unknown>;
  for (const { path } of text.empty) {
    let node: unknown = plain;
    for (const step of path.slice(0, -1)) node = isRecord(node) ? node[String(step)] : undefined;
    const last = path.at(-1);
    if (isRecord(node) && last !== undefined)
      Object.defineProperty(node, String(last), { value: null, writable: true, enumerable: true, configurable: true });
  }
  return plain;
}

/** The id a file gives itself; empty when it gives none. */
export function idOf(text: PolicyText): string {
  const node = nodeAt(text.root, ['id']);
  return node?.kind === 'scalar' ? String(node.value) : '';
}

function chainOf(
  top: PolicyText,
  context: LayerContext,
): { readonly texts: readonly PolicyText[] } | { readonly faults: readonly FileFault[] } {
  const texts = [top];
  const seen = new Set([idOf(top)]);
  for (;;) {
    const text = texts[0] ?? top;
    const node = nodeAt(text.root, ['extends']);
    if (node === undefined) return { texts };
    const name = node.kind === 'scalar' ? String(node.value) : '';
    const at = placeOf(text.root, ['extends']);
    if (seen.has(name)) {
      const reason = `"${name}" extends itself again`;
      return { faults: [chainFault(idOf(top), at, reason, `“${name}” 又扩展了自身`)] };
    }
    if (texts.length >= LAYERS_MAX) {
      const [en, zh] = [`there are more than ${LAYERS_MAX} files`, `超过 ${LAYERS_MAX} 个文件`];
      return { faults: [chainFault(idOf(top), at, en, zh)] };
    }
    const found = context.find(name);
    if (found === null) return { faults: [notOneOfFault(name, context.names, at, ['extends'])] };
    if ('faults' in found) return { faults: found.faults };
    seen.add(name);
    texts.unshift(found);
  }
}

function chainFault(policy: string, place: Place, reason: string, reasonZh: string): FileFault {
  return fileFault('policy-chain', { policy, reason, reasonZh }, place, 'extends');
}

function headFaults(text: PolicyText): readonly FileFault[] {
  const { root } = text;
  const written = nodeAt(root, ['layers']);
  const own = written === undefined ? [] : [unknownKeyFault('layers', [], placeOf(root, ['layers']), 'layers')];
  if (nodeAt(root, ['extends']) === undefined) return own;
  const missing = REQUIRED.filter((key) => nodeAt(root, [key]) === undefined);
  return [...own, ...missing.map((key) => fileFault('key-missing', {}, placeOf(root, [key]), key))];
}

/** An empty key takes away what lies below it; one that is no key of a policy is a slip of the pen. */
function emptyFaults(text: PolicyText): readonly FileFault[] {
  return text.empty.flatMap(({ path, place }) => {
    const [key, parent] = [String(path.at(-1)), path.slice(0, -1).join('.')];
    if (path.some((step) => typeof step === 'number') || path[0] === 'sources' || OF_A_LAYER.has(key)) return [];
    if (policyPaths().has(path.join('.'))) return [];
    const siblings = [...policyPaths().keys()].filter((known) => known.replace(/\.?[^.]+$/, '') === parent);
    const names = siblings.map((known) => known.slice(known.lastIndexOf('.') + 1));
    return [unknownKeyFault(key, names, place, path.join('.'))];
  });
}

/** A layer cannot be in force on a day on which what it extends is not. */
function dateFaults(below: Located, { root, empty }: PolicyText): readonly FileFault[] {
  const value = (from: Located, key: string): string => {
    const node = nodeAt(from, [key]);
    return node?.kind === 'scalar' ? String(node.value) : '';
  };
  const [from, to] = [value(below, 'effectiveFrom'), value(below, 'effectiveTo')];
  const wrong = (key: string, en: string, zh: string): FileFault =>
    fileFault('wrong-value', { reason: en, reasonZh: zh }, placeOf(root, [key]), key);
  // Not given, it is that of the policy below; emptied, it would reach beyond.
  const opened = empty.find(({ path }) => path.join('.') === 'effectiveTo');
  const [ownFrom, ownTo] = [value(root, 'effectiveFrom'), value(root, 'effectiveTo')];
  return [
    ...(ownFrom !== '' && ownFrom < from
      ? [wrong('effectiveFrom', `what it extends begins on ${from}`, `所扩展的政策自 ${from} 起生效`)]
      : []),
    ...(to !== '' && (ownTo > to || opened !== undefined)
      ? [wrong('effectiveTo', `what it extends ends on ${to}`, `所扩展的政策至 ${to} 止`)]
      : []),
  ];
}

/** Where to look in a layer for what made a value of a file below wrong. */
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  sessions: [
    ...['sessions', 'lesson.minutes', 'lesson.breakMinutes', 'lesson'],
    ...['windows.openBeforeMinutes', 'windows.closeAfterMinutes', 'windows'],
  ],
  clock: ['clock.okSeconds', 'clock'],
  effectiveTo: ['effectiveFrom'],
};

/** The fault with a line of the layer: the files below were good before it was laid upon them. */
function relocate(fault: FileFault, text: PolicyText): FileFault {
  const { root, empty } = text;
  const emptied = empty.find(({ path }) => path.join('.') === fault.path);
  if (emptied !== undefined) return { ...fault, ...emptied.place };
  if (fault.file === root.at.file) return fault;
  const causes = CAUSES[fault.path.split('.')[0] ?? ''] ?? [];
  const cause = causes.map((path) => path.split('.')).find((path) => nodeAt(root, path) !== undefined);
  return { ...fault, ...placeOf(root, cause ?? ['extends']) };
}

function withoutOwnKeys(root: Located): Located {
  if (root.kind !== 'map') return root;
  return { ...root, entries: new Map([...root.entries].filter(([key]) => !OF_A_LAYER.has(key))) };
}

function layUpon(below: Located, text: PolicyText): Located {
  const over = withoutOwnKeys(text.root);
  if (below.kind !== 'map' || over.kind !== 'map') return over;
  let merged = mergeMaps(below, over);
  for (const { path } of text.empty) merged = withoutKey(merged, path.map(String));
  const basis = joinedBasis(below, over);
  const sources = joinedSources(below, text);
  const entries = new Map(merged.entries);
  if (basis !== null) entries.set('basis', basis);
  if (sources === null) entries.delete('sources');
  else entries.set('sources', sources);
  return { ...merged, entries };
}

function mergeMaps(below: MapNode, over: MapNode): MapNode {
  const entries = new Map(below.entries);
  for (const [key, entry] of over.entries) {
    const known = entries.get(key)?.value;
    const both = known?.kind === 'map' && entry.value.kind === 'map';
    entries.set(key, both ? { keyAt: entry.keyAt, value: mergeMaps(known, entry.value) } : entry);
  }
  return { ...below, entries };
}

function withoutKey(node: MapNode, path: readonly string[]): MapNode {
  const [key = '', ...rest] = path;
  const entry = node.entries.get(key);
  if (entry === undefined) return node;
  const entries = new Map(node.entries);
  if (rest.length === 0) entries.delete(key);
  else if (entry.value.kind === 'map') entries.set(key, { ...entry, value: withoutKey(entry.value, rest) });
  return { ...node, entries };
}

/** The legal bases of both, each once, those of the lower file first. */
function joinedBasis(below: MapNode, over: MapNode): LocatedEntry | null {
  const [low, high] = [below.entries.get('basis'), over.entries.get('basis')];
  // Anything but two lists is a fault that the schema tells.
  if (low?.value.kind !== 'list' || high?.value.kind !== 'list') return null;
  const said = new Set<unknown>();
  const items = [...low.value.items, ...high.value.items].filter((item) => {
    const word = item.kind === 'scalar' ? item.value : item;
    if (said.has(word)) return false;
    said.add(word);
    return true;
  });
  return { keyAt: high.keyAt, value: { ...high.value, items } };
}

/** The clauses below, but for values this layer sets, and its own. */
function joinedSources(below: MapNode, text: PolicyText): LocatedEntry | null {
  const [low, high] = [below.entries.get('sources'), nodeAt(text.root, ['sources'])];
  const entries = new Map<string, LocatedEntry>();
  if (low?.value.kind === 'map') {
    const paths = [...policyPaths().values()].filter((one) => !one.group && one.citable);
    const isSet = (path: string): boolean =>
      nodeAt(text.root, path.split('.')) !== undefined || text.empty.some((one) => covers(one.path.join('.'), path));
    for (const [cited, clause] of low.value.entries) {
      const values = paths.filter(({ path }) => covers(cited, path));
      const kept = values.filter(({ path }) => !isSet(path));
      if (kept.length === values.length) entries.set(cited, clause);
      // A clause for a group goes on to hold for those of its values that were left as they were.
      else for (const { path } of kept) entries.set(path, clause);
    }
  }
  if (high !== undefined && high.kind !== 'map') return { keyAt: high.at, value: high };
  for (const [path, clause] of high?.entries ?? []) entries.set(path, clause);
  for (const { path } of text.empty) if (path[0] === 'sources' && path.length === 2) entries.delete(String(path[1]));
  if (entries.size === 0) return null;
  const at = low?.keyAt ?? high?.at ?? text.root.at;
  return { keyAt: at, value: { kind: 'map', at, entries } };
}

/** Whether the place `group` is `path` or a group above it. */
export function covers(group: string, path: string): boolean {
  return path === group || path.startsWith(`${group}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
