/**
 * Text that people write: YAML whose every value still knows its file, line and column, so that a fault can be
 * reported where a technician will look for it. Settings, device definitions and policies are read through here.
 *
 * Refused: anchors and aliases (a small file must stay small), several documents in one file, keys given twice, files
 * above 1 MiB. A key without a value counts as not given. The only importer of the package `yaml`.
 */
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, stringify, type YAMLError } from 'yaml';

/** Where a value stands; line and column from 1, or 0 for what is not in a file (`file` then names the variable or flag). */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Located =
  | { readonly kind: 'map'; readonly at: Place; readonly entries: ReadonlyMap<string, LocatedEntry> }
  | { readonly kind: 'list'; readonly at: Place; readonly items: readonly Located[] }
  | { readonly kind: 'scalar'; readonly at: Place; readonly value: string | number | boolean };

export interface LocatedEntry {
  readonly keyAt: Place;
  readonly value: Located;
}

/** Why a text could not be read at some place. */
export interface SyntaxProblem {
  readonly code: 'yaml-syntax' | 'key-twice';
  readonly place: Place;
  readonly path: Path;
  readonly reason: string;
  readonly reasonZh: string;
}

export type Path = readonly (string | number)[];

const TEXT_SIZE_BYTES_MAX = 1024 * 1024;
const DEPTH_MAX = 32;

const SYNTAX_ZH: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: '缩进只能用空格，不能用制表符',
  BAD_INDENT: '缩进不一致',
  MISSING_CHAR: '缺少字符（引号、冒号或括号未成对）',
  BLOCK_AS_IMPLICIT_KEY: '冒号后缺少换行，或一行中有两个冒号',
  MULTILINE_IMPLICIT_KEY: '键不能跨行，可能漏写冒号',
  MULTIPLE_DOCS: '一个文件只能有一份文档',
  UNEXPECTED_TOKEN: '出现了意外的字符',
  BAD_ALIAS: '不支持锚点和别名',
};

/** A key that stands in a map without a value, or with `null`. */
export interface EmptyKey {
  readonly path: Path;
  readonly place: Place;
}

export interface LocatedText {
  /** Null: nothing could be read, or it is no map. */
  readonly root: Located | null;
  readonly problems: readonly SyntaxProblem[];
  /** Keys left out of `root` because they are empty: what is laid over another file may mean "none" by them. */
  readonly empty: readonly EmptyKey[];
}

/** Parses a whole file; every syntax fault is reported, and what could be read is returned. */
export function parseLocated(file: string, text: string): LocatedText {
  if (Buffer.byteLength(text) > TEXT_SIZE_BYTES_MAX) {
    const problem = syntax({ file, line: 1, column: 1 }, 'larger than 1 MiB', '文件超过 1 MiB');
    return { root: null, problems: [problem], empty: [] };
  }
  const empty: EmptyKey[] = [];
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const problems = document.errors.map((error) => yamlProblem(file, lines, error));
  const place = (node: unknown): Place => {
    const offset = (node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0;
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };

  const build = (node: unknown, path: Path): Located | null => {
    if (path.length > DEPTH_MAX) {
      problems.push(syntax(place(node), 'nested too deeply', '嵌套过深'));
      return null;
    }
    if (isAlias(node)) {
      problems.push(syntax(place(node), 'anchors and aliases are not supported', '不支持锚点和别名'));
      return null;
    }
    if (isMap(node)) {
      const entries = new Map<string, LocatedEntry>();
      const keys = new Set<string>();
      for (const pair of node.items) {
        if (!isPair(pair)) continue;
        const key = isScalar(pair.key) ? String(pair.key.value) : '?';
        if (keys.has(key)) {
          problems.push({ ...syntax(place(pair.key), '', ''), code: 'key-twice', path: [...path, key] });
          continue;
        }
        keys.add(key);
        const value = build(pair.value, [...path, key]);
        if (value !== null) entries.set(key, { keyAt: place(pair.key), value });
        else if (pair.value === null || isScalar(pair.value))
          empty.push({ path: [...path, key], place: place(pair.key) });
      }
      return { kind: 'map', at: place(node), entries };
    }
    if (isSeq(node)) {
      const items = node.items.map((item, index) => build(item, [...path, index])).filter((item) => item !== null);
      return { kind: 'list', at: place(node), items };
    }
    if (!isScalar(node) || node.value === null) return null;
    const value = node.value;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return { kind: 'scalar', at: place(node), value };
    }
    return { kind: 'scalar', at: place(node), value: node.source ?? '' };
  };

  const root = build(document.contents, []);
  if (root !== null && root.kind !== 'map') {
    if (problems.length === 0)
      problems.push(syntax(root.at, 'not a list of "key: value"', '内容不是 “键： 值” 的形式'));
    return { root: null, problems, empty: [] };
  }
  return { root, problems, empty };
}

function yamlProblem(file: string, lines: LineCounter, error: YAMLError): SyntaxProblem {
  const { line, col } = lines.linePos(error.pos[0]);
  const place = { file, line: Math.max(1, line), column: Math.max(1, col) };
  return syntax(place, error.message, SYNTAX_ZH[error.code] ?? error.message);
}

function syntax(place: Place, reason: string, reasonZh: string): SyntaxProblem {
  return { code: 'yaml-syntax', place, path: [], reason, reasonZh };
}

/** The value without its places. Keys such as `__proto__` become plain own keys, which a strict schema then refuses. */
export function toPlain(node: Located): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toPlain(entry.value)]));
}

/** The node at `path`, or undefined. */
export function nodeAt(root: Located, path: Path): Located | undefined {
  let node: Located | undefined = root;
  for (const step of path) {
    if (node?.kind === 'map') node = node.entries.get(String(step))?.value;
    else if (node?.kind === 'list') node = typeof step === 'number' ? node.items[step] : undefined;
    else return undefined;
  }
  return node;
}

/** Place of the key (or list item) at `path`; of the nearest thing above it that is written when it is missing. */
export function placeOf(root: Located, path: Path): Place {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = nodeAt(root, path.slice(0, length - 1));
    const last = path[length - 1];
    if (parent?.kind === 'map') {
      const entry = parent.entries.get(String(last));
      if (entry) return entry.keyAt;
    } else if (parent?.kind === 'list' && typeof last === 'number') {
      const item = parent.items[last];
      if (item) return item.at;
    }
  }
  return root.at;
}

/**
 * `over` laid upon `base`: maps merge key by key; lists whose items carry an `id` merge by it, new ids at the end;
 * anything else is replaced.
 */
export function mergeLocated(base: Located, over: Located): Located {
  if (base.kind === 'map' && over.kind === 'map') {
    const entries = new Map(base.entries);
    for (const [key, entry] of over.entries) {
      const below = entries.get(key);
      entries.set(key, below ? { keyAt: entry.keyAt, value: mergeLocated(below.value, entry.value) } : entry);
    }
    return { kind: 'map', at: base.at, entries };
  }
  if (base.kind === 'list' && over.kind === 'list' && over.items.length > 0 && over.items.every((item) => idOf(item))) {
    const items = [...base.items];
    for (const item of over.items) {
      const index = base.items.findIndex((known) => idOf(known) === idOf(item));
      const below = items[index];
      if (below) items[index] = mergeLocated(below, item);
      else items.push(item);
    }
    return { kind: 'list', at: base.at, items };
  }
  return over;
}

/** The `id` of a list item, where it has one that is text. */
export function idOf(item: Located): string | undefined {
  const id = item.kind === 'map' ? item.entries.get('id')?.value : undefined;
  return id?.kind === 'scalar' && typeof id.value === 'string' ? id.value : undefined;
}

/** Plain values as YAML; text that looks like a number or a date is put in quotes. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}
