/**
 * From files to one tree: reads the main file and `conf.d/*.yaml`, lays one upon the other, and says which terminal or upstream
 * a fault belongs to. Entries of the two lists are named by their `id` everywhere, never by their place in a list.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../core/errors.js';
import { fileFault, readLocated, type FileFault } from '../core/faults.js';
import { idOf, mergeLocated, nodeAt, placeOf, type Located, type Path } from '../core/located.js';

export const LISTS = { terminals: 'terminal', upstreams: 'upstream' } as const;
export type ListKey = keyof typeof LISTS;

export interface SettingsFault extends FileFault {
  /** `terminal:front` or `upstream:city` when only that entry is parked; null when the settings as a whole are refused. */
  readonly unit: string | null;
}

/** The main file with `conf.d/*.yaml` laid upon it. Faults of form go to `faults`; null when the main file cannot be used. */
export function readFiles(main: string, faults: SettingsFault[], parked: Set<string>): Located | null {
  const unreadable = (file: string, error: unknown): void => {
    const reason = systemCode(error) ?? 'unknown';
    const fault = fileFault('settings-unreadable', { file, reason }, { file, line: 0, column: 0 }, '');
    faults.push({ ...fault, unit: null });
  };
  const overlayDir = join(dirname(main), 'conf.d');
  let overlays: readonly string[] = [];
  try {
    if (existsSync(overlayDir))
      overlays = readdirSync(overlayDir)
        .filter((name) => name.endsWith('.yaml'))
        .sort()
        .map((name) => join(overlayDir, name));
  } catch (error) {
    unreadable(overlayDir, error);
  }
  let merged: Located | null = null;
  for (const file of [main, ...overlays]) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      unreadable(file, error);
      continue;
    }
    const { root, faults: syntax } = readLocated(file, text);
    if (root === null && syntax.length === 0 && file !== main) continue;
    const empty: Located = { kind: 'map', at: { file, line: 1, column: 1 }, entries: new Map() };
    const tree = root ?? empty;
    faults.push(...attribute(syntax, tree));
    if (root === null && syntax.length > 0) continue;
    const unique = withoutTwins(tree, faults, parked);
    merged = merged === null ? unique : mergeLocated(merged, unique);
  }
  return merged;
}

/** Takes out every list entry whose id an entry before it in the same file already has. */
function withoutTwins(root: Located, faults: SettingsFault[], parked: Set<string>): Located {
  if (root.kind !== 'map') return root;
  const entries = new Map(root.entries);
  for (const [key, word] of Object.entries(LISTS)) {
    const entry = entries.get(key);
    if (entry?.value.kind !== 'list') continue;
    const seen = new Map<string, Located>();
    const items = entry.value.items.filter((item, index) => {
      const id = idOf(item);
      const first = id === undefined ? undefined : seen.get(id);
      if (id === undefined || !first) {
        if (id !== undefined) seen.set(id, item);
        return true;
      }
      const unit = `${word}:${id}#${index + 1}`;
      const place = placeOf(root, [key, index, 'id']);
      faults.push({ ...fileFault('given-twice', { found: id, other: first.at.line }, place, `${key}.${id}.id`), unit });
      parked.add(unit);
      return false;
    });
    entries.set(key, { keyAt: entry.keyAt, value: { ...entry.value, items } });
  }
  return { ...root, entries };
}

/** The unit an entry's path belongs to; an entry without a usable id is named by its number from 1. */
export function unitOf(root: Located, path: Path): string | null {
  const word = LISTS[path[0] as ListKey] as string | undefined;
  const item = word === undefined || typeof path[1] !== 'number' ? undefined : nodeAt(root, path.slice(0, 2));
  if (!item || word === undefined) return null;
  return `${word}:${idOf(item) ?? `#${Number(path[1]) + 1}`}`;
}

/** Adds the unit, and names entries by id in the dotted key. */
export function attribute(faults: readonly FileFault[], root: Located): readonly SettingsFault[] {
  return faults.map((fault) => {
    const match = /^(terminals|upstreams)\.(\d+)(.*)$/.exec(fault.path);
    const [key = '', number = '', rest = ''] = match?.slice(1) ?? [];
    const unit = match ? unitOf(root, [key, Number(number)]) : null;
    if (unit === null) return { ...fault, unit };
    const name = unit.slice(unit.indexOf(':') + 1);
    const readable = (text: string): string => text.replaceAll(fault.path, `${key}.${name}${rest}`);
    return {
      ...fault,
      unit,
      path: readable(fault.path),
      en: readable(fault.en),
      zh: readable(fault.zh),
      remedyEn: readable(fault.remedyEn),
      remedyZh: readable(fault.remedyZh),
    };
  });
}
