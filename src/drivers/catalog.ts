/**
 * The terminal models we know: loads `devices/*.yaml`, lays the overlay directory of the machine upon it (the overlay wins
 * by id), and resolves what a person wrote for one terminal into a driver and its checked options.
 *
 * A definition is data and is checked like data: a wrong one is reported with file, line and key and disables only itself.
 * A quirk may only use an option that its driver declares; a capability only one that its driver has. Refused: code.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { core } from 'zod';
import { systemCode } from '../core/errors.js';
import {
  fileFault,
  issuesOf,
  notOneOfFault,
  readLocated,
  schemaFaults,
  unknownKeyFault,
  type FileFault,
} from '../core/faults.js';
import { nodeAt, placeOf, toPlain, type Located } from '../core/located.js';
import { keysAt, schemaAt, writtenSchema, type SchemaNode } from '../core/schema-words.js';
import { definitionSchema, type Definition } from './definition.js';
import type { Capability, Driver } from './driver.js';

export interface CatalogEntry {
  readonly definition: Definition;
  readonly driver: Driver;
  /** What the driver can do and the definition does not take away. */
  readonly capabilities: ReadonlySet<Capability>;
  /** Lower-case hex SHA-256 of the file's bytes, as `sha256sum` prints it. */
  readonly hash: string;
  readonly file: string;
  /** It replaces a definition that came with the program. */
  readonly overlaid: boolean;
}

export interface Catalog {
  readonly drivers: readonly Driver[];
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  /** Faults of the definitions, and of no terminal. */
  readonly faults: readonly FileFault[];
  /** Ids whose definition is wrong, with its first fault. */
  readonly disabled: ReadonlyMap<string, FileFault>;
}

/** A terminal as the settings name it: by model, or by driver alone. */
export interface TerminalChoice {
  readonly model?: string | undefined;
  readonly driver?: string | undefined;
  readonly options: Readonly<Record<string, unknown>>;
}

export type Resolution =
  | {
      readonly ok: true;
      readonly driver: Driver;
      /** Definition's quirks with the terminal's own options upon them, checked and completed by the driver. */
      readonly options: unknown;
      readonly capabilities: ReadonlySet<Capability>;
      readonly definition: Definition | null;
      readonly definitionHash: string | null;
    }
  | { readonly ok: false; readonly why: 'model' | 'driver'; readonly known: readonly string[] }
  | { readonly ok: false; readonly why: 'disabled'; readonly fault: FileFault }
  | {
      readonly ok: false;
      readonly why: 'options';
      readonly driver: Driver;
      readonly issues: readonly core.$ZodIssue[];
    };

export interface CatalogSource {
  readonly drivers: readonly Driver[];
  /** The definitions that came with the program. */
  readonly directory: string;
  /** Definitions of this machine, normally `dataDir/devices`; need not exist. */
  readonly overlay?: string | undefined;
}

const schemaWords = writtenSchema(definitionSchema);

export function loadCatalog(source: CatalogSource): Catalog {
  const entries = new Map<string, CatalogEntry>();
  const disabled = new Map<string, FileFault>();
  const faults: FileFault[] = [];
  for (const directory of [source.directory, source.overlay]) {
    if (directory === undefined || !existsSync(directory)) continue;
    const seen = new Map<string, string>();
    for (const name of readdirSync(directory)
      .filter((one) => one.endsWith('.yaml'))
      .sort()) {
      const read = readDefinition(join(directory, name), source.drivers);
      faults.push(...read.faults);
      const { id, entry } = read;
      if (id === null) continue;
      const twice = seen.get(id);
      if (twice !== undefined) {
        faults.push(fileFault('definition-twice', { found: id, other: twice }, read.place, 'id'));
        continue;
      }
      seen.set(id, name);
      if (entry) {
        entries.set(id, { ...entry, overlaid: entries.has(id) });
        disabled.delete(id);
      } else {
        // A wrong overlay must not silently fall back to the definition it was meant to replace.
        entries.delete(id);
        const first = read.faults[0];
        if (first) disabled.set(id, first);
      }
    }
  }
  return { drivers: source.drivers, entries, faults, disabled };
}

interface ReadDefinition {
  readonly id: string | null;
  readonly place: { readonly file: string; readonly line: number; readonly column: number };
  readonly entry: CatalogEntry | null;
  readonly faults: readonly FileFault[];
}

function readDefinition(file: string, drivers: readonly Driver[]): ReadDefinition {
  const start = { file, line: 1, column: 1 };
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const fault = fileFault('settings-unreadable', { file, reason: systemCode(error) ?? 'unknown' }, start, '');
    return { id: null, place: start, entry: null, faults: [fault] };
  }
  const { root, faults: syntax } = readLocated(file, bytes.toString('utf8'));
  if (root === null) return { id: null, place: start, entry: null, faults: syntax };
  const idNode = nodeAt(root, ['id']);
  const id = idNode?.kind === 'scalar' && typeof idNode.value === 'string' ? idNode.value : null;
  const place = placeOf(root, ['id']);
  const parsed = definitionSchema.safeParse(toPlain(root));
  if (!parsed.success || syntax.length > 0) {
    const issues = parsed.success ? [] : parsed.error.issues;
    const knownAt = (path: readonly (string | number)[]): readonly string[] => keysAt(schemaWords, path);
    return { id, place, entry: null, faults: [...syntax, ...schemaFaults(issues, root, { knownAt })] };
  }
  const definition = parsed.data;
  const driver = drivers.find((one) => one.name === definition.driver);
  if (!driver) {
    const names = drivers.map((one) => one.name);
    return {
      id,
      place,
      entry: null,
      faults: [notOneOfFault(definition.driver, names, placeOf(root, ['driver']), ['driver'])],
    };
  }
  const faults = [...quirkFaults(definition, driver, root), ...capabilityFaults(definition, driver, root)];
  if (faults.length > 0) return { id, place, entry: null, faults };
  const capabilities = new Set(definition.capabilities.filter((one) => driver.capabilities.has(one)));
  const hash = createHash('sha256').update(bytes).digest('hex');
  return { id, place, entry: { definition, driver, capabilities, hash, file, overlaid: false }, faults: [] };
}

function capabilityFaults(definition: Definition, driver: Driver, root: Located): readonly FileFault[] {
  return definition.capabilities.flatMap((capability, index) => {
    if (driver.capabilities.has(capability)) return [];
    const path = ['capabilities', index];
    return [notOneOfFault(capability, [...driver.capabilities], placeOf(root, path), path)];
  });
}

function quirkFaults(definition: Definition, driver: Driver, root: Located): readonly FileFault[] {
  const known = optionNames(driver);
  const unknown = definition.quirks.flatMap((quirk, index) => {
    if (known.includes(quirk.option)) return [];
    const path = ['quirks', index, 'option'];
    return [unknownKeyFault(quirk.option, known, placeOf(root, path), path.join('.'))];
  });
  if (unknown.length > 0) return unknown;
  const issues = issuesOf(driver.options, quirkOptions(definition));
  return definition.quirks.flatMap((quirk, index) => {
    const own = issues.filter((issue) => issue.path[0] === quirk.option);
    const moved = own.map((issue) => ({ ...issue, path: issue.path.slice(1) }));
    return schemaFaults(moved, root, { prefix: ['quirks', index, 'value'], knownAt: () => [] });
  });
}

export function quirkOptions(definition: Definition): Record<string, unknown> {
  return Object.fromEntries(definition.quirks.map((quirk) => [quirk.option, quirk.value]));
}

/** Names of the options that a driver declares. */
export function optionNames(driver: Driver): readonly string[] {
  return keysAt(optionWords(driver), []);
}

/** Kind of value of one option, as JSON Schema says it; undefined when the driver does not know the option. */
export function optionType(driver: Driver, name: string): string | undefined {
  return schemaAt(optionWords(driver), [name])?.type;
}

function optionWords(driver: Driver): SchemaNode {
  return writtenSchema(driver.options);
}

/** The driver and the checked options for one terminal of the settings. */
export function resolveTerminal(catalog: Catalog, choice: TerminalChoice): Resolution {
  const entry = choice.model === undefined ? undefined : catalog.entries.get(choice.model);
  if (choice.model !== undefined && !entry) {
    const fault = catalog.disabled.get(choice.model);
    if (fault) return { ok: false, why: 'disabled', fault };
    return { ok: false, why: 'model', known: [...catalog.entries.keys()].sort() };
  }
  const driver = entry?.driver ?? catalog.drivers.find((one) => one.name === choice.driver);
  if (!driver) return { ok: false, why: 'driver', known: catalog.drivers.map((one) => one.name) };
  const given = { ...(entry ? quirkOptions(entry.definition) : {}), ...choice.options };
  const parsed = driver.options.safeParse(given);
  if (!parsed.success) return { ok: false, why: 'options', driver, issues: parsed.error.issues };
  return {
    ok: true,
    driver,
    options: parsed.data,
    capabilities: entry?.capabilities ?? driver.capabilities,
    definition: entry?.definition ?? null,
    definitionHash: entry?.hash ?? null,
  };
}
