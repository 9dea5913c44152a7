/**
 * Lays environment variables and command flags upon the settings of the files. `ROLLCALL_WEB__LISTEN` is `web.listen`: two
 * underscores go one level down, capitals and single underscores do not matter, list items are named by their `id`
 * (`ROLLCALL_TERMINALS__FRONT__REACH`) or by number from 0. Text becomes a number or a truth value where the schema wants one.
 */
import { unknownKeyFault, type FileFault } from '../core/faults.js';
import { idOf, nodeAt, type Located, type LocatedEntry, type Path, type Place } from '../core/located.js';
import { keysAt, schemaAt, type SchemaNode } from '../core/schema-words.js';

const PREFIX = 'ROLLCALL_';

export interface Overrides {
  readonly root: Located;
  readonly faults: readonly FileFault[];
}

/** `flags` by dotted key (`web.listen`); undefined values are left out. Flags win over the environment. */
export function applyOverrides(
  root: Located,
  words: SchemaNode,
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>>,
): Overrides {
  const faults: FileFault[] = [];
  let tree = root;
  const put = (steps: readonly string[], value: string, place: Place): void => {
    const path: (string | number)[] = [];
    for (const step of steps) {
      const next = stepAt(tree, words, path, step);
      if (next === null) {
        const known = knownSteps(tree, words, path);
        faults.push(unknownKeyFault(step, known, place, [...path, step].join('.')));
        return;
      }
      path.push(next);
    }
    tree = setAt(tree, path, { keyAt: place, value: scalar(value, schemaAt(words, path), place) }, place);
  };
  for (const [name, value] of Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === undefined || !name.startsWith(PREFIX)) continue;
    put(name.slice(PREFIX.length).split('__'), value, { file: name, line: 0, column: 0 });
  }
  for (const [name, value] of Object.entries(flags)) {
    if (value !== undefined) put(name.split('.'), value, { file: `--${name}`, line: 0, column: 0 });
  }
  return { root: tree, faults };
}

const plain = (word: string): string => word.toLowerCase().replace(/[-_]/g, '');

function knownSteps(root: Located, words: SchemaNode, path: Path): readonly string[] {
  const node = nodeAt(root, path);
  if (node?.kind === 'list') return node.items.map((item, index) => idOf(item) ?? String(index));
  return keysAt(words, path);
}

/** The real key or list number that `step` means below `path`; null when there is none. */
function stepAt(root: Located, words: SchemaNode, path: Path, step: string): string | number | null {
  const schema = schemaAt(words, path);
  if (schema?.items !== undefined) {
    const node = nodeAt(root, path);
    const items = node?.kind === 'list' ? node.items : [];
    const index = items.findIndex((item) => plain(idOf(item) ?? '') === plain(step));
    if (index >= 0) return index;
    return /^\d+$/.test(step) && Number(step) < items.length ? Number(step) : null;
  }
  const known = keysAt(words, path);
  if (known.length > 0) return known.find((key) => plain(key) === plain(step)) ?? null;
  // A group whose keys only the driver knows: COMM_KEY_FILE is commKeyFile, a flag is taken as written.
  if (schema?.type !== 'object') return null;
  if (step !== step.toUpperCase()) return step;
  return step.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function scalar(value: string, schema: SchemaNode | undefined, place: Place): Located {
  const type = schema?.type;
  const wantsNumber = type === 'number' || type === 'integer' || type === undefined;
  if (wantsNumber && /^-?\d+(?:\.\d+)?$/.test(value)) return { kind: 'scalar', at: place, value: Number(value) };
  if ((type === 'boolean' || type === undefined) && /^(?:true|false)$/.test(value)) {
    return { kind: 'scalar', at: place, value: value === 'true' };
  }
  return { kind: 'scalar', at: place, value };
}

function setAt(node: Located | undefined, path: Path, entry: LocatedEntry, place: Place): Located {
  const [step, ...rest] = path;
  if (step === undefined) return entry.value;
  if (node?.kind === 'list' && typeof step === 'number') {
    return {
      ...node,
      items: node.items.map((item, index) => (index === step ? setAt(item, rest, entry, place) : item)),
    };
  }
  const entries = new Map(node?.kind === 'map' ? node.entries : []);
  const below = entries.get(String(step));
  const value = setAt(below?.value, rest, entry, place);
  entries.set(String(step), { keyAt: rest.length === 0 ? entry.keyAt : (below?.keyAt ?? place), value });
  return { kind: 'map', at: node?.at ?? place, entries };
}
