/**
 * The settings: one YAML file, the files of `conf.d/` beside it in name order, the environment, the flags; later wins.
 *
 * Promises: every fault of every file is reported at once, with file, line, dotted key, reason in two languages and the nearest
 * known word; a fault inside one terminal or one upstream parks that one entry and the rest stands; a secret is read from its
 * own file and appears in no fault and no display. Refuses: unknown keys, guessing, and falling back to defaults after a fault.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { fileFault, issuesOf, notOneOfFault, schemaFaults, type FileFault } from './core/faults.js';
import { nodeAt, placeOf, toPlain, type Located, type Path } from './core/located.js';
import { keysAt, writtenSchema } from './core/schema-words.js';
import { hostAndPort, isListening, type ListenReach } from './core/reach.js';
import { zone, type Zone } from './core/time.js';
import { loadCatalog, type Catalog } from './drivers/catalog.js';
import type { Driver } from './drivers/driver.js';
import {
  clashOf,
  makeTerminal,
  makeUpstream,
  type EntryContext,
  type TerminalContext,
  type TerminalSettings,
  type UpstreamSettings,
} from './settings/entries.js';
import { attribute, LISTS, readFiles, unitOf, type ListKey, type SettingsFault } from './settings/files.js';
import { applyOverrides } from './settings/overrides.js';
import { redact } from './settings/redact.js';
import { settingsSchema, terminalSchema, upstreamSchema, type SettingsFile } from './settings/schema.js';
import { createSecretReader } from './settings/secrets.js';

export interface Settings {
  readonly site: {
    readonly institution: string | null;
    readonly name: string;
    readonly room: string;
    readonly timeZone: Zone;
  };
  /** Absolute. */
  readonly dataDir: string;
  readonly web: WebSettings;
  readonly upstreams: readonly UpstreamSettings[];
  readonly terminals: readonly TerminalSettings[];
  /** The ports that terminals call, each once: those of `web.terminalPorts` and those of the terminals themselves. */
  readonly ports: readonly ListenReach[];
  /** Every driver of the program: whoever calls is recognised by one of them. */
  readonly drivers: readonly Driver[];
  readonly cameras: readonly [];
  readonly policy: PolicySettings;
  readonly retention: SettingsFile['retention'];
  readonly exports: SettingsFile['exports'];
  readonly log: SettingsFile['log'];
}

export interface PolicySettings {
  /** Name of the policy of the site: a preset, or a layer of `dir`. */
  readonly preset: string;
  /** Directory of layers, absolute; null: there are none. */
  readonly dir: string | null;
  /** Public keys of those who may sign layers, absolute; null: nobody may. */
  readonly keysFile: string | null;
  /** Directory of calendars that win over the program's, absolute; null: there are none. */
  readonly calendarsDir: string | null;
}

export interface WebSettings {
  /** As written, `127.0.0.1:8080`. */
  readonly listen: string;
  readonly host: string;
  readonly port: number;
  /** Ports that terminals may call, beside those of the terminals themselves. */
  readonly terminalPorts: readonly ListenReach[];
}

/** One terminal or upstream as the file names it, and whether it can run. */
export interface SettingsUnit {
  readonly unit: string;
  readonly ok: boolean;
}

export interface LoadedSettings {
  /** Null when a fault concerns the settings as a whole. Entries with faults are left out. */
  readonly settings: Settings | null;
  /** Errors and warnings, in the order of files and lines. */
  readonly faults: readonly SettingsFault[];
  readonly units: readonly SettingsUnit[];
  /** The settings as written, secrets masked, for display; null when nothing could be read. */
  readonly redacted: unknown;
  /** Where page, data and log are, as well as it can be known: with wrong settings only the page and health run. */
  readonly fallback: { readonly web: WebSettings; readonly dataDir: string; readonly log: SettingsFile['log'] };
  readonly catalog: Catalog;
}

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key, such as `web.listen`. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly drivers: readonly Driver[];
  /** Definitions that came with the program; else `devices/` of the installation. */
  readonly devicesDir?: string;
  /** Presets that came with the program; else `config/policies/` of the installation. */
  readonly policiesDir?: string;
}

const installation = fileURLToPath(new URL('../', import.meta.url));
const words = writtenSchema(settingsSchema);

export function loadSettings(file: string, options: LoadOptions): LoadedSettings {
  const main = resolve(file);
  const baseDir = dirname(main);
  const faults: SettingsFault[] = [];
  const parked = new Set<string>();
  const read = readFiles(main, faults, parked);
  const laid = read === null ? null : applyOverrides(read, words, options.env, options.flags ?? {});
  const fallback = fallbackOf(laid?.root ?? null, baseDir);
  const catalog = loadCatalog({
    drivers: options.drivers,
    directory: options.devicesDir ?? join(installation, 'devices'),
    overlay: join(fallback.dataDir, 'devices'),
  });
  if (laid === null) return { settings: null, faults: inOrder(faults), units: [], redacted: null, fallback, catalog };

  const { root } = laid;
  faults.push(...attribute(laid.faults, root));
  const parsed = parseTree(root, faults);
  faults.push(...presetFaults(root, options.policiesDir ?? join(installation, 'config', 'policies'), baseDir));
  const siteZone = zone(parsed?.site.timeZone ?? '') ?? ('Asia/Shanghai' as Zone);
  const secrets = createSecretReader(baseDir, options.env.CREDENTIALS_DIRECTORY);
  const terminals = makeTerminals(root, { root, secrets, catalog, siteZone }, faults);
  const upstreams = makeUpstreams(root, { root, secrets }, faults);

  for (const fault of faults) if (fault.unit !== null && fault.severity === 'error') parked.add(fault.unit);
  const fatal = faults.some((fault) => fault.unit === null && fault.severity === 'error');
  const settings: Settings | null =
    fatal || !parsed
      ? null
      : {
          ...parsed,
          site: { ...parsed.site, institution: parsed.site.institution ?? null, timeZone: siteZone },
          dataDir: fallback.dataDir,
          policy: policyOf(parsed.policy, baseDir),
          web: fallback.web,
          upstreams: upstreams.filter((one) => !parked.has(`upstream:${one.id}`)),
          terminals: terminals.filter((one) => !parked.has(`terminal:${one.id}`)),
          ports: portsOf(fallback.web.terminalPorts, terminals),
          drivers: options.drivers,
          cameras: [],
        };
  const named = (Object.keys(LISTS) as ListKey[]).flatMap((key) =>
    itemsOf(root, key).map((_, index) => unitOf(root, [key, index]) ?? ''),
  );
  const units = [...new Set([...named, ...parked])].map((unit) => ({ unit, ok: !parked.has(unit) }));
  return { settings, faults: inOrder(faults), units, redacted: redact(toPlain(root)), fallback, catalog };
}

function itemsOf(root: Located, key: ListKey): readonly Located[] {
  const node = nodeAt(root, [key]);
  return node?.kind === 'list' ? node.items : [];
}

/** Every terminal made ready; one with faults is left out, and its other keys are checked all the same. */
function makeTerminals(root: Located, context: TerminalContext, faults: SettingsFault[]): readonly TerminalSettings[] {
  const terminals: TerminalSettings[] = [];
  itemsOf(root, 'terminals').forEach((item, index) => {
    const path = ['terminals', index];
    const { entry, dropped } = tolerant(terminalSchema, item, { id: 'unnamed', reach: 'tcp://unknown:1' });
    if (!entry) return;
    const made = makeTerminal(entry, path, context);
    const clash = made.value && !dropped.has('reach') ? clashOf(made.value, terminals, path, root) : null;
    // A dropped model or driver has been reported; that none is left is no news.
    const hidden = dropped.has('model') || dropped.has('driver') ? new Set([...dropped, 'model', 'driver']) : dropped;
    faults.push(...attribute(visible([...made.faults, ...(clash ? [clash] : [])], path, hidden), root));
    if (made.value && !clash && dropped.size === 0) terminals.push(made.value);
  });
  return terminals;
}

function makeUpstreams(root: Located, context: EntryContext, faults: SettingsFault[]): readonly UpstreamSettings[] {
  const placeholders = {
    id: 'unnamed',
    gw: 'gw00000000',
    zone: 'unknown',
    aud: 'unknown',
    url: 'mqtts://unknown:1',
    platformKeysFile: '-',
  };
  return itemsOf(root, 'upstreams').flatMap((item, index) => {
    const path = ['upstreams', index];
    const { entry, dropped } = tolerant(upstreamSchema, item, placeholders);
    if (!entry) return [];
    const made = makeUpstream(entry, path, context);
    faults.push(...attribute(visible(made.faults, path, dropped), root));
    return made.value && dropped.size === 0 ? [made.value] : [];
  });
}

/** An entry with its faulty keys left out and placeholders for what is required, so that the other keys can be checked. */
function tolerant<T>(
  schema: z.ZodType<T>,
  item: Located,
  placeholders: object,
): { entry: T | undefined; dropped: ReadonlySet<string> } {
  const plain = toPlain(item);
  const issues = issuesOf(schema, plain);
  const dropped = new Set(
    issues.flatMap((one) =>
      one.code === 'unrecognized_keys' && one.path.length === 0 ? one.keys : [String(one.path[0])],
    ),
  );
  const kept =
    typeof plain === 'object' && plain !== null ? Object.entries(plain).filter(([key]) => !dropped.has(key)) : [];
  return {
    entry: schema.safeParse(dropped.size === 0 ? plain : { ...placeholders, ...Object.fromEntries(kept) }).data,
    dropped,
  };
}

function visible(faults: readonly FileFault[], path: Path, hidden: ReadonlySet<string>): readonly FileFault[] {
  return faults.filter((fault) => !hidden.has(fault.path.split('.')[path.length] ?? ''));
}

/** The whole tree through the schema. Findings inside an entry are reported for it; the rest is parsed without the entries. */
function parseTree(root: Located, faults: SettingsFault[]): SettingsFile | null {
  const broken = firstBrokenLines(faults);
  const found = settingsSchema.safeParse(toPlain(root));
  if (!found.success) {
    const knownAt = (path: readonly (string | number)[]): readonly string[] => keysAt(words, path);
    const all = schemaFaults(found.error.issues, root, { knownAt });
    // Below a line that is not YAML nothing can be trusted, and a key may only seem to be missing.
    const trusted = all.filter((fault) => {
      const limit = broken.get(fault.file);
      return limit === undefined || (fault.line < limit && fault.code !== 'key-missing');
    });
    faults.push(...attribute(trusted, root));
  }
  const cameras = nodeAt(root, ['cameras']);
  if (cameras?.kind === 'list' && cameras.items.length > 0) {
    faults.push({ ...fileFault('cameras-later', {}, placeOf(root, ['cameras', 0]), 'cameras'), unit: null });
  }
  const plain = toPlain(root) as Record<string, unknown>;
  const whole = settingsSchema.safeParse({ ...plain, terminals: [], upstreams: [], cameras: [] });
  return whole.success ? whole.data : null;
}

function firstBrokenLines(faults: readonly SettingsFault[]): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  for (const fault of faults) {
    if (fault.code === 'yaml-syntax') lines.set(fault.file, Math.min(fault.line, lines.get(fault.file) ?? fault.line));
  }
  return lines;
}

function presetFaults(root: Located, directory: string, baseDir: string): readonly SettingsFault[] {
  const policy = settingsSchema.shape.policy.safeParse((toPlain(root) as Record<string, unknown>).policy);
  if (!policy.success) return [];
  const { preset, dir } = policyOf(policy.data, baseDir);
  if (dir !== null && !existsSync(dir)) {
    const place = placeOf(root, ['policy', 'dir']);
    const reason = { reason: `there is no directory ${dir}`, reasonZh: `没有目录 ${dir}` };
    return [{ ...fileFault('wrong-value', reason, place, 'policy.dir'), unit: null }];
  }
  const known = [directory, ...(dir === null ? [] : [dir])].flatMap(namesIn);
  if (known.includes(preset)) return [];
  const path = ['policy', 'preset'];
  return [{ ...notOneOfFault(preset, [...new Set(known)].sort(), placeOf(root, path), path), unit: null }];
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).flatMap((name) => (name.endsWith('.yaml') ? [name.slice(0, -'.yaml'.length)] : []));
  } catch {
    return [];
  }
}

function policyOf(written: SettingsFile['policy'], baseDir: string): PolicySettings {
  const at = (path: string | undefined): string | null => (path === undefined ? null : resolve(baseDir, path));
  const { preset, dir, keysFile, calendarsDir } = written;
  return { preset, dir: at(dir), keysFile: at(keysFile), calendarsDir: at(calendarsDir) };
}

function portsOf(open: readonly ListenReach[], terminals: readonly TerminalSettings[]): readonly ListenReach[] {
  const reaches = [...open, ...terminals.map((one) => one.reach).filter(isListening)];
  return [...new Map(reaches.map((reach) => [hostAndPort(reach), reach])).values()];
}

function webOf(listen: string, terminalPorts: readonly string[]): WebSettings {
  return {
    listen,
    ...addressOf(listen),
    terminalPorts: terminalPorts.map((one) => ({ kind: 'tcp-listen', ...addressOf(one) })),
  };
}

function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const cut = listen.lastIndexOf(':');
  return { host: listen.slice(0, cut).replace(/^\[|\]$/g, ''), port: Number(listen.slice(cut + 1)) };
}

function fallbackOf(root: Located | null, baseDir: string): LoadedSettings['fallback'] {
  const plain = (root ? toPlain(root) : {}) as Record<string, unknown>;
  const { web, dataDir, log } = settingsSchema.shape;
  const given = web.safeParse(plain.web).data;
  const dir = dataDir.safeParse(plain.dataDir).data ?? '/var/lib/rollcall';
  return {
    web: webOf(given?.listen ?? '127.0.0.1:8080', given?.terminalPorts ?? []),
    dataDir: resolve(baseDir, dir),
    log: log.safeParse(plain.log).data ?? { level: 'info' },
  };
}

function inOrder(faults: readonly SettingsFault[]): readonly SettingsFault[] {
  const files = [...new Set(faults.map((fault) => fault.file))];
  return [...faults].sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}
