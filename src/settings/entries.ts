/**
 * One terminal or one upstream of the settings, made ready for use: model and driver looked up, options checked by the driver,
 * secrets read, addresses parsed, clashes between entries found. A fault here parks that one entry and nothing else.
 */
import { asGatewayError } from '../core/errors.js';
import {
  fileFault,
  isSecretKey,
  notOneOfFault,
  schemaFaults,
  unknownKeyFault,
  type FileFault,
} from '../core/faults.js';
import { placeOf, type Located, type Path } from '../core/located.js';
import { formatReach, isListening, parseReach, type Reach } from '../core/reach.js';
import { zone, type Zone } from '../core/time.js';
import { optionNames, optionType, resolveTerminal, type Catalog } from '../drivers/catalog.js';
import type { Capability, Driver } from '../drivers/driver.js';
import type { TerminalEntry, UpstreamEntry } from './schema.js';
import type { SecretReader } from './secrets.js';

export interface TerminalSettings {
  readonly id: string;
  /** Id of the definition, or null when only a driver is named. */
  readonly model: string | null;
  readonly driver: Driver;
  /** Checked by the driver; contains secrets, so it is never shown: use `redact`. */
  readonly options: unknown;
  readonly capabilities: ReadonlySet<Capability>;
  /** SHA-256 of the definition file, or null. */
  readonly definitionHash: string | null;
  readonly reach: Reach;
  readonly timeZone: Zone;
  readonly pollSeconds: number;
  readonly clock: { readonly set: 'never' | 'auto'; readonly maxStepSeconds: number };
  /** Serial number that the terminal must report, or null. */
  readonly serial: string | null;
  /** Whether the people of the classes are put into it and taken out again (R32). */
  readonly pushesRoster: boolean;
}

export interface UpstreamSettings {
  readonly id: string;
  readonly gw: string;
  readonly zone: string;
  readonly aud: string;
  readonly url: string;
  /** Topic prefix without slashes at its ends, or empty. */
  readonly prefix: string;
  readonly mqtt: {
    readonly version: '5' | 'auto';
    readonly username: string;
    readonly keepAliveSeconds: number;
    /** Absolute paths, found readable; they are read at each connection, so that a renewed certificate is taken up. */
    readonly passwordFile: string | undefined;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  readonly platformKeysFile: string;
  readonly platformRootKeyFile: string | undefined;
  /** Contents of these two files. */
  readonly platformKeys: string;
  readonly platformRootKey: string | null;
  /** What may leave the house; what is not named here follows the upstream's own defaults. */
  readonly fieldSet: { readonly name: boolean; readonly document: boolean; readonly photo: boolean };
  readonly spreadSeconds: number;
  readonly lingerSeconds: number;
}

export interface EntryContext {
  readonly root: Located;
  readonly secrets: SecretReader;
}

export interface TerminalContext extends EntryContext {
  readonly catalog: Catalog;
  /** Zone of terminals that name none. */
  readonly siteZone: Zone;
}

export interface Made<T> {
  readonly value: T | null;
  readonly faults: readonly FileFault[];
}

const isFault = (fault: FileFault): boolean => fault.severity === 'error';

export function makeTerminal(entry: TerminalEntry, path: Path, context: TerminalContext): Made<TerminalSettings> {
  const { root, catalog } = context;
  const at = (...steps: string[]): [ReturnType<typeof placeOf>, string] => [
    placeOf(root, [...path, ...steps]),
    [...path, ...steps].join('.'),
  ];
  if ((entry.model === undefined) === (entry.driver === undefined)) {
    const [found, foundZh] = entry.model === undefined ? ['neither', '两者皆无'] : ['both', '两者皆有'];
    const where = entry.model === undefined ? path : [...path, 'driver'];
    const fault = fileFault('model-or-driver', { found, foundZh }, placeOf(root, where), [...path, 'driver'].join('.'));
    return { value: null, faults: [fault] };
  }
  const driver =
    catalog.entries.get(entry.model ?? '')?.driver ?? catalog.drivers.find((one) => one.name === entry.driver);
  const reach = readReach(entry.reach, driver, at('reach'));
  const options = driver
    ? readOptions(entry.options, driver, [...path, 'options'], context)
    : { value: {}, absent: new Set<unknown>(), faults: [] };
  const faults: FileFault[] = [...reach.faults, ...options.faults];
  const resolved = resolveTerminal(catalog, { model: entry.model, driver: entry.driver, options: options.value ?? {} });
  if (!resolved.ok) {
    if (resolved.why === 'options') {
      // An option whose secret file could not be read is missing for that reason and is not reported twice.
      const issues = resolved.issues.filter((issue) => !options.absent.has(issue.path[0]));
      const known = optionNames(resolved.driver);
      faults.push(
        ...schemaFaults(issues, root, {
          prefix: [...path, 'options'],
          knownAt: (inner) => (inner.length === 0 ? known : []),
        }),
      );
    } else if (resolved.why === 'disabled') {
      const { file, line, path: key, en, zh, remedyEn, remedyZh } = resolved.fault;
      const place = `${file}:${line}${key === '' ? '' : ` ${key}`}`;
      const why = { why: `${en} ${remedyEn}`, whyZh: `${zh}${remedyZh}` };
      faults.push(fileFault('definition-disabled', { found: entry.model, place, ...why }, ...at('model')));
    } else {
      const word = resolved.why === 'model' ? (entry.model ?? '') : (entry.driver ?? '');
      faults.push(notOneOfFault(word, resolved.known, placeOf(root, [...path, resolved.why]), [...path, resolved.why]));
    }
    return { value: null, faults };
  }
  if (reach.value !== null) faults.push(...unfit(reach.value, resolved, entry, at));
  if (reach.value === null || faults.some(isFault)) return { value: null, faults };
  return {
    value: {
      id: entry.id,
      model: entry.model ?? null,
      driver: resolved.driver,
      options: resolved.options,
      capabilities: resolved.capabilities,
      definitionHash: resolved.definitionHash,
      reach: reach.value,
      timeZone: (entry.timeZone === undefined ? null : zone(entry.timeZone)) ?? context.siteZone,
      pollSeconds: entry.pollSeconds,
      clock: entry.clock,
      serial: entry.serial ?? null,
      pushesRoster: entry.roster === 'push',
    },
    faults,
  };
}

/** What this driver cannot be reached by, and a caller whom nothing names. */
function unfit(
  reach: Reach,
  { driver, options }: { readonly driver: Driver; readonly options: unknown },
  entry: TerminalEntry,
  at: (...steps: string[]) => [ReturnType<typeof placeOf>, string],
): readonly FileFault[] {
  if (!driver.reaches.has(reach.kind)) {
    const expected = [...driver.reaches].map((kind) => `${kind}://`).join(', ');
    return [fileFault('reach-unfit', { driver: driver.name, found: `${reach.kind}://`, expected }, ...at('reach'))];
  }
  const { called } = driver;
  const named = entry.serial !== undefined || called?.waitsForUs === true;
  if (!isListening(reach) || !called || named || called.keyOf(options) !== null) return [];
  return [fileFault('serial-needed', {}, ...at('reach'))];
}

function readReach(
  text: string,
  driver: Driver | undefined,
  [place, path]: [ReturnType<typeof placeOf>, string],
): Made<Reach> {
  try {
    return { value: parseReach(text, driver?.defaultPort ?? undefined), faults: [] };
  } catch (error) {
    const known = asGatewayError(error);
    return { value: null, faults: [fileFault(known.code, known.context, place, path)] };
  }
}

/** Options with every `…File` key that stands for a secret of the driver replaced by the secret. */
function readOptions(
  options: Readonly<Record<string, unknown>>,
  driver: Driver,
  path: Path,
  context: EntryContext,
): Made<Record<string, unknown>> & { readonly absent: ReadonlySet<unknown> } {
  const absent = new Set<unknown>();
  const known = optionNames(driver);
  const value: Record<string, unknown> = {};
  const faults: FileFault[] = [];
  for (const [key, given] of Object.entries(options)) {
    const place = placeOf(context.root, [...path, key]);
    const dottedKey = [...path, key].join('.');
    const base = key.endsWith('File') && !known.includes(key) ? key.slice(0, -4) : null;
    if (base !== null && known.includes(base)) {
      if (typeof given !== 'string') {
        faults.push(
          fileFault(
            'wrong-type',
            { expected: 'text', expectedZh: '文本', found: typeof given, foundZh: '其他' },
            place,
            dottedKey,
          ),
        );
        continue;
      }
      const read = context.secrets.read(given, place, dottedKey);
      faults.push(...read.faults);
      if (read.text === null) absent.add(base);
      else value[base] = asOption(read.text, optionType(driver, base));
    } else if (known.includes(key) && isSecretKey(key)) {
      absent.add(key);
      faults.push(fileFault('secret-plain', {}, place, dottedKey));
    } else if (!known.includes(key)) {
      const names = known.map((name) => (isSecretKey(name) ? `${name}File` : name));
      faults.push(unknownKeyFault(key, names, place, dottedKey));
    } else {
      value[key] = given;
    }
  }
  return { value, faults, absent };
}

function asOption(text: string, type: string | undefined): string | number {
  return (type === 'number' || type === 'integer') && /^\d+$/.test(text) ? Number(text) : text;
}

interface Checked {
  readonly file: string | undefined;
  readonly text: string | null;
}

export function makeUpstream(entry: UpstreamEntry, path: Path, context: EntryContext): Made<UpstreamSettings> {
  const faults: FileFault[] = [];
  const check = (named: string | undefined, steps: readonly string[], open: boolean): Checked => {
    if (named === undefined) return { file: undefined, text: null };
    const at = [...path, ...steps];
    const result = context.secrets.read(named, placeOf(context.root, at), at.join('.'), open);
    faults.push(...result.faults);
    return { file: context.secrets.locate(named) ?? undefined, text: result.text };
  };
  const password = check(entry.mqtt.passwordFile, ['mqtt', 'passwordFile'], false);
  const ca = check(entry.mqtt.caFile, ['mqtt', 'caFile'], true);
  const cert = check(entry.mqtt.certFile, ['mqtt', 'certFile'], true);
  const key = check(entry.mqtt.keyFile, ['mqtt', 'keyFile'], false);
  const keys = check(entry.platformKeysFile, ['platformKeysFile'], true);
  const rootKey = check(entry.platformRootKeyFile, ['platformRootKeyFile'], true);
  for (const [one, other] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
  ] as const) {
    if (entry.mqtt[one] !== undefined && entry.mqtt[other] === undefined) {
      faults.push(
        fileFault('key-missing', {}, placeOf(context.root, [...path, 'mqtt', one]), [...path, 'mqtt', other].join('.')),
      );
    }
  }
  if (entry.url.startsWith('mqtt://') && !/^mqtt:\/\/(?:localhost|127\.|\[::1\])/.test(entry.url)) {
    faults.push(
      fileFault('plain-mqtt', {}, placeOf(context.root, [...path, 'url']), [...path, 'url'].join('.'), {
        severity: 'warning',
      }),
    );
  }
  if (keys.file === undefined || keys.text === null || faults.some(isFault)) return { value: null, faults };
  return {
    value: {
      id: entry.id,
      gw: entry.gw,
      zone: entry.zone,
      aud: entry.aud,
      url: entry.url,
      prefix: entry.prefix ?? '',
      mqtt: {
        version: entry.mqtt.version,
        username: entry.mqtt.username ?? entry.gw,
        keepAliveSeconds: entry.mqtt.keepAliveSeconds,
        passwordFile: password.file,
        caFile: ca.file,
        certFile: cert.file,
        keyFile: key.file,
      },
      platformKeysFile: keys.file,
      platformRootKeyFile: rootKey.file,
      platformKeys: keys.text,
      platformRootKey: rootKey.text,
      fieldSet: {
        name: entry.fieldSet.name,
        document: entry.fieldSet.documentNumber === 'digest',
        photo: false,
      },
      spreadSeconds: entry.spreadSeconds,
      lingerSeconds: entry.lingerSeconds,
    },
    faults,
  };
}

/** A terminal that another one before it excludes: the same address, or the same serial line with other parameters. */
export function clashOf(
  terminal: TerminalSettings,
  before: readonly TerminalSettings[],
  path: Path,
  root: Located,
): FileFault | null {
  const reach = formatReach(terminal.reach);
  const place = placeOf(root, [...path, 'reach']);
  const key = [...path, 'reach'].join('.');
  for (const other of before) {
    const [mine, theirs] = [terminal.reach, other.reach];
    if (mine.kind === 'serial' && theirs.kind === 'serial') {
      if (mine.path === theirs.path && reach !== formatReach(theirs)) {
        return fileFault('line-mismatch', { other: other.id, reach: formatReach(theirs) }, place, key);
      }
      // Terminals may share an RS-485 line, each with its own address among its options.
      if (mine.path === theirs.path && JSON.stringify(terminal.options) === JSON.stringify(other.options)) {
        return fileFault('reach-twice', { other: other.id, reach }, place, key);
      }
    } else if (isListening(mine)) {
      if (terminal.serial !== null && terminal.serial === other.serial && terminal.driver.name === other.driver.name)
        return fileFault('serial-twice', { other: other.id }, place, [...path, 'serial'].join('.'));
    } else if (reach.toLowerCase() === formatReach(theirs).toLowerCase()) {
      return fileFault('reach-twice', { other: other.id, reach }, place, key);
    }
  }
  return null;
}
