/**
 * `rollcall import class FILE --config FILE`: checks a class file and imports it, printing every fault, or what the import
 * changed. Nothing is written when there is a single fault. No name and no document number is printed.
 *
 * Only one process may write the data directory (D3): while the daemon runs, the file is still checked, and the import is refused
 * with `store-locked` and its remedy.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { openClasses, type PolicySource } from '../classes/classes.js';
import { readClassFile } from '../classes/class-file.js';
import type { ImportOutcome } from '../classes/class-import.js';
import { fail, systemCode } from '../core/errors.js';
import type { FileFault } from '../core/faults.js';
import { instantToDate, systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { openPolicies, type Policies } from '../policies.js';
import { loadSettings, type LoadedSettings, type Settings } from '../settings.js';
import { openStore } from '../store/database.js';
import { faultLines } from './check-config.js';
import { EXIT, type Console } from './console.js';

export interface ImportClassOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly clock?: Clock;
  readonly devicesDir?: string;
  readonly policiesDir?: string;
}

const FILE_SIZE_BYTES_MAX = 1024 * 1024;

/** Exit code 0 when the class is as the file says, 2 when file or settings have faults. Throws GatewayError for the rest. */
export async function runImportClass(
  file: string,
  configFile: string,
  options: ImportClassOptions,
  io: Console,
): Promise<number> {
  const clock = options.clock ?? systemClock(() => false);
  const { devicesDir, policiesDir, drivers, env } = options;
  const loaded = loadSettings(configFile, {
    env,
    drivers,
    ...(devicesDir === undefined ? {} : { devicesDir }),
    ...(policiesDir === undefined ? {} : { policiesDir }),
  });
  const { settings } = loaded;
  if (settings === null) return refuse(configFile, loaded.faults, io);

  const text = readText(file);
  const policies = presetPolicies(settings.policy, policiesDir);
  const terminals = terminalIds(loaded);
  const checked = readClassFile(file, text, {
    today: instantToDate(clock.now(), settings.site.timeZone),
    policy: policies.get,
    policyNames: policies.names,
    terminals,
  });
  // A class that is already active keeps an older policy, so this early look may not refuse what only the store can decide.
  const isSure = checked.faults.every((fault) => fault.code !== 'not-one-of' && !fault.path.startsWith('timetable'));
  if (checked.faults.length > 0 && isSure) return refuse(file, checked.faults, io);
  return importWith({ settings, text, file, policies, terminals, clock, version: options.version }, io);
}

interface Work {
  readonly settings: Settings;
  readonly text: string;
  readonly file: string;
  readonly policies: PolicySource;
  readonly terminals: readonly string[];
  readonly clock: Clock;
  readonly version: string;
}

function importWith(work: Work, io: Console): number {
  const { settings, text, file, policies, terminals, clock, version } = work;
  using store = openStore({ dir: settings.dataDir, clock, software: version });
  const classes = openClasses(store, { clock, zone: settings.site.timeZone, policies, terminals });
  const { definition, faults, notes } = classes.check(file, text);
  if (definition === null) return refuse(file, faults, io);
  const outcome = classes.import(definition, { source: basename(file), importedBy: 'cli' });
  for (const note of notes) for (const line of faultLines(note, null)) io.err(line);
  for (const note of outcome.notes) {
    const where = `${note.traineeNo} ${note.code} (${note.otherClassNo})`;
    io.err(`注意 note ${where}: ${note.zh} / ${note.en}`);
  }
  if (io.json) io.out(JSON.stringify({ ok: true, ...outcome }));
  else for (const line of outcomeLines(outcome)) io.out(line);
  return EXIT.good;
}

/** Prints every fault; nothing was imported. */
export function refuse(file: string, faults: readonly FileFault[], io: Console): number {
  for (const fault of faults) {
    if (io.json) io.out(JSON.stringify(fault));
    for (const line of faultLines(fault, null)) io.err(line);
  }
  const errors = faults.filter((fault) => fault.severity === 'error').length;
  if (io.json) io.out(JSON.stringify({ ok: false, file, errors }));
  io.err(`${file}: 未导入，错误 ${errors} 处 / nothing imported, errors: ${errors}`);
  return EXIT.usage;
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > FILE_SIZE_BYTES_MAX) throw new RangeError('larger than 1 MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const reason = systemCode(error) ?? (error instanceof RangeError ? error.message : 'not UTF-8');
    throw fail('class-file-unreadable', { file, reason });
  }
}

/** The presets that came with the program (or those of `dir`) and the layers of the site. */
export function presetPolicies(policy: Settings['policy'], dir: string | undefined): Policies {
  return openPolicies({ site: policy.preset, dir: policy.dir, keysFile: policy.keysFile, presetsDir: dir });
}

/** Also those that are parked for a fault of their own: a class may be prepared before its terminal works. */
export function terminalIds(loaded: LoadedSettings): readonly string[] {
  const named = loaded.units.flatMap(({ unit }) =>
    unit.startsWith('terminal:') ? [unit.slice('terminal:'.length)] : [],
  );
  return [...new Set([...named, ...(loaded.settings?.terminals.map((one) => one.id) ?? [])])];
}

const RESULT = {
  created: '已导入 / imported',
  changed: '已更新 / updated',
  same: '无变化 / nothing changed',
} as const;

/** What the import did, for people. */
export function outcomeLines(outcome: ImportOutcome): readonly string[] {
  const { diff } = outcome;
  const lines = [
    `${outcome.classNo}: ${RESULT[outcome.result]}`,
    `  学员 trainees ${outcome.trainees} · 上课日 class days ${outcome.classDays} · 策略 policy ${outcome.policy.id} v${outcome.policy.ver}`,
    `  花名册 roster v${outcome.rosterVersion} ${outcome.rosterHash.slice(0, 16)} · 课程表 timetable v${outcome.timetableVersion} ${outcome.timetableHash.slice(0, 16)}`,
  ];
  if (diff === null || outcome.result === 'same') return lines;
  const list = (mark: string, words: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push(`  ${mark} ${words}: ${items.join(', ')}`);
  };
  list('~', '班级信息 class', diff.head);
  list('+', '新增学员 added', diff.roster.added);
  list('-', '移除学员 removed', diff.roster.removed);
  list(
    '~',
    '更改学员 changed',
    diff.roster.changed.map((one) => `${one.traineeNo} (${one.fields.join(', ')})`),
  );
  list('~', '教师 teachers', diff.roster.teachers ? ['*'] : []);
  list('+', '新增日期 dates added', diff.timetable.added);
  list('-', '取消日期 dates removed', diff.timetable.removed);
  list('~', '更改日期 dates changed', diff.timetable.changed);
  const { hoursBefore, hoursAfter } = diff.timetable;
  if (hoursBefore !== hoursAfter) lines.push(`  ~ 课时 hours: ${hoursBefore} -> ${hoursAfter}`);
  return lines;
}
