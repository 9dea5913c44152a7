/**
 * `rollcall check-config FILE`: every fault of the settings, with file, line, key, reason and the nearest known word, in Chinese
 * and English, or as JSON lines. Ends 0 when nothing would be refused or parked (warnings are allowed), else 2. Opens no
 * connection and no database, and prints no secret.
 */
import { loadCalendar } from '../calendars.js';
import type { Driver } from '../drivers/driver.js';
import type { FileFault } from '../core/faults.js';
import { openPolicies, sitePolicyFaults } from '../policies.js';
import { loadSettings, type Settings } from '../settings.js';
import type { SettingsFault } from '../settings/files.js';

export interface CheckConfigOptions {
  readonly json: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Data: JSON lines, or the good news. */
  readonly out: (line: string) => void;
  /** Words for people. */
  readonly err: (line: string) => void;
  readonly drivers: readonly Driver[];
  readonly devicesDir?: string;
  readonly policiesDir?: string;
}

export async function runCheckConfig(file: string, options: CheckConfigOptions): Promise<number> {
  const { devicesDir, policiesDir } = options;
  const loaded = loadSettings(file, {
    env: options.env,
    drivers: options.drivers,
    ...(devicesDir === undefined ? {} : { devicesDir }),
    ...(policiesDir === undefined ? {} : { policiesDir }),
  });
  // A wrong definition disables only itself: for the settings that is a warning, unless a terminal names it.
  const definitions = loaded.catalog.faults.map((fault) => ({ ...fault, severity: 'warning' as const, unit: null }));
  const policy = loaded.settings === null ? [] : policyFaults(loaded.settings, policiesDir);
  const faults = [...loaded.faults, ...policy, ...definitions];
  const errors = faults.filter((fault) => fault.severity === 'error').length;
  const warnings = faults.length - errors;
  if (options.json) {
    for (const fault of faults) options.out(JSON.stringify(fault));
    options.out(JSON.stringify({ ok: errors === 0, file, errors, warnings, units: loaded.units }));
  } else {
    for (const fault of faults) for (const line of faultLines(fault, fault.unit)) options.err(line);
    if (errors === 0)
      options.out(`${file}: 配置正确 / settings are good${warnings > 0 ? ` (警告 / warnings: ${warnings})` : ''}`);
    else options.err(`${file}: 错误 / errors: ${errors}, 警告 / warnings: ${warnings}`);
  }
  return errors === 0 ? 0 : 2;
}

/** What is wrong with the policy of the site (errors), with its other layers and with calendars (warnings). */
export function policyFaults(settings: Settings, policiesDir?: string): readonly SettingsFault[] {
  const policies = openPolicies({ ...settings.policy, site: settings.policy.preset, presetsDir: policiesDir });
  const calendars = loadCalendar({ overlay: settings.policy.calendarsDir }).faults;
  // A broken calendar shifts due dates and no hours: it is told, and stops nothing.
  const warnings = calendars.map((fault) => ({ ...fault, severity: 'warning' as const }));
  return [...sitePolicyFaults(policies), ...warnings].map((fault) => ({ ...fault, unit: null }));
}

/** One fault for people: where, then Chinese, then English. */
export function faultLines(fault: FileFault, unit: string | null): readonly string[] {
  const where = fault.line > 0 ? `${fault.file}:${fault.line}:${fault.column}` : fault.file;
  const word = fault.severity === 'error' ? '错误 error' : '警告 warning';
  const key = fault.path === '' ? '' : ` ${fault.path}`;
  const parked = unit !== null && fault.severity === 'error' ? ` [仅停用 / parks only ${unit}]` : '';
  return [
    `${where}: ${word} ${fault.code}${key}${parked}`,
    `  ${fault.zh}${fault.remedyZh}`,
    `  ${fault.en} ${fault.remedyEn}`,
  ];
}
