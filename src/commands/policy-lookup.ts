/**
 * Finds the policy that a word on the command line means: a name, a file, or (with settings) the beginning of the SHA-256 that a
 * class was activated with. Reads only; the data directory beside a running daemon.
 */
import { existsSync } from 'node:fs';
import { loadClasses, type ClassRecord } from '../classes/class-tables.js';
import { fail } from '../core/errors.js';
import { nearestWord, type FileFault } from '../core/faults.js';
import { systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { openPolicies, type Policies } from '../policies.js';
import type { Policy } from '../rules/policy.js';
import type { PolicyLayer } from '../rules/policy-layers.js';
import { loadSettings, type Settings } from '../settings.js';
import { openReader } from '../store/reader.js';
import { faultLines } from './check-config.js';
import type { Console } from './console.js';

export interface PolicyOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly devicesDir?: string;
  readonly policiesDir?: string;
}

/** Where policies are looked for. */
export interface PolicyPlace {
  readonly policies: Policies;
  /** Null: no settings were given, so there is no site and no class. */
  readonly settings: Settings | null;
  /** Classes of the data directory with the policies they keep. */
  readonly classes: () => readonly ClassRecord[];
}

/** A policy that was found, and as much of its making as is known. */
export interface FoundPolicy {
  readonly policy: Policy;
  /** Empty for the pinned policy of a class: its files are not asked. */
  readonly layers: readonly PolicyLayer[];
  /** Id of the layer that set a value; empty where it is not known. */
  readonly origin: (path: string) => string;
}

export type Lookup = FoundPolicy | { readonly faults: readonly FileFault[] };

/** Null when the settings are wrong; their faults are printed. */
export function policyPlace(config: string | undefined, options: PolicyOptions, io: Console): PolicyPlace | null {
  const { drivers, env, devicesDir, policiesDir } = options;
  if (config === undefined)
    return {
      policies: openPolicies({ site: 'baotou-2023', presetsDir: policiesDir }),
      settings: null,
      classes: () => [],
    };
  const { settings, faults } = loadSettings(config, {
    ...{ drivers, env },
    ...(devicesDir === undefined ? {} : { devicesDir }),
    ...(policiesDir === undefined ? {} : { policiesDir }),
  });
  if (settings === null) {
    for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
    return null;
  }
  const policies = openPolicies({ ...settings.policy, site: settings.policy.preset, presetsDir: policiesDir });
  for (const fault of policies.faults()) for (const line of faultLines(fault, null)) io.err(line);
  const clock = options.clock ?? systemClock();
  const classes = (): readonly ClassRecord[] => {
    using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir: env.CREDENTIALS_DIRECTORY });
    return reader === null ? [] : loadClasses(reader);
  };
  return { policies, settings, classes };
}

/** Throws `policy-unknown` with the nearest name. */
export function findPolicy(word: string, place: PolicyPlace): Lookup {
  const { policies } = place;
  const composed = policies.compose(word) ?? (existsSync(word) ? policies.composeFile(word) : null);
  if (composed !== null) {
    const { policy, faults, layers, origin } = composed;
    return policy === null ? { faults } : { policy, layers, origin };
  }
  const pinned = /^[0-9a-f]{6,64}$/.test(word)
    ? place.classes().find((one) => one.policy.sha256.startsWith(word))
    : undefined;
  if (pinned) return pinnedPolicy(pinned.policy);
  const nearest = nearestWord(word, policies.names);
  throw fail('policy-unknown', {
    name: word,
    known: policies.names.join(', '),
    nearest: nearest === null ? '' : ` (did you mean "${nearest}"?)`,
    nearestZh: nearest === null ? '' : `（是否应为 “${nearest}”?）`,
  });
}

/** The policy that a class keeps. Throws `class-unknown` when there is none of that number. */
export function policyOfClass(classNo: string, place: PolicyPlace): FoundPolicy {
  const classes = place.classes();
  const found = classes.find((one) => one.classNo === classNo);
  if (found) return pinnedPolicy(found.policy);
  const known = classes.map((one) => one.classNo);
  throw fail('policy-no-class', { classNo, known: known.slice(0, 20).join(', ') || '-' });
}

function pinnedPolicy(policy: Policy): FoundPolicy {
  const [only, second] = policy.layers ?? [];
  const origin = second === undefined ? (only?.id ?? policy.id) : '';
  return { policy, layers: [], origin: () => origin };
}

/** Prints every fault of a policy that cannot be used. */
export function tellFaults(faults: readonly FileFault[], io: Console): void {
  for (const fault of faults) {
    if (io.json) io.out(JSON.stringify({ kind: 'fault', ...fault }));
    for (const line of faultLines(fault, null)) io.err(line);
  }
}
