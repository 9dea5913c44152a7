/**
 * What every command about classes begins with: the settings, the clock, policies and terminals, and then either the store (to
 * write; refused while the daemon runs) or a reader beside it. Also the words that such commands share.
 */
import { openClasses, type Classes, type PolicySource } from '../classes/classes.js';
import { fail } from '../core/errors.js';
import type { FileFault } from '../core/faults.js';
import { instantToDate, parseLocalDate, systemClock, type Clock, type LocalDate } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { loadCalendar } from '../calendars.js';
import { openPolicies, type Policies } from '../policies.js';
import type { Calendar } from '../rules/calendar.js';
import { loadSettings, type LoadedSettings, type Settings } from '../settings.js';
import { openStore } from '../store/database.js';
import { openReader, type Reader } from '../store/reader.js';
import type { Store } from '../store/store.js';
import { faultLines } from './check-config.js';
import { EXIT, type Console } from './console.js';

export interface ClassOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly clock?: Clock;
  readonly devicesDir?: string;
  readonly policiesDir?: string;
}

export interface ClassDesk {
  readonly settings: Settings;
  readonly policies: PolicySource;
  /** Ids of the terminals of the settings. */
  readonly terminals: readonly string[];
  readonly clock: Clock;
  /** Public holidays, as far as they are known. */
  readonly calendar: Calendar;
  /** At the site. */
  readonly today: LocalDate;
  readonly options: ClassOptions;
}

/** Null: the settings have faults, which were printed. */
export function openDesk(configFile: string, options: ClassOptions, io: Console): ClassDesk | null {
  const clock = options.clock ?? systemClock(() => false);
  const { devicesDir, policiesDir, drivers, env } = options;
  const loaded = loadSettings(configFile, {
    env,
    drivers,
    ...(devicesDir === undefined ? {} : { devicesDir }),
    ...(policiesDir === undefined ? {} : { policiesDir }),
  });
  const { settings } = loaded;
  if (settings === null) {
    refuse(configFile, loaded.faults, io);
    return null;
  }
  return {
    settings,
    policies: presetPolicies(settings.policy, policiesDir),
    terminals: terminalIds(loaded),
    clock,
    calendar: loadCalendar({ overlay: settings.policy.calendarsDir }).calendar,
    today: instantToDate(clock.now(), settings.site.timeZone),
    options,
  };
}

/** Runs with the store, which nobody else has meanwhile. Throws `store-locked` while the daemon runs. */
export function withStore<T>(desk: ClassDesk, work: (store: Store, classes: Classes) => T): T {
  const { settings, policies, terminals, clock, options } = desk;
  using store = openStore({ dir: settings.dataDir, clock, software: options.version });
  return work(store, openClasses(store, { clock, zone: settings.site.timeZone, policies, terminals }));
}

/** Runs beside the daemon; null: nothing was ever stored there. */
export function withReader<T>(desk: ClassDesk, work: (reader: Reader | null) => T): T {
  const { settings, clock, options } = desk;
  using reader = openReader(settings.dataDir, {
    now: clock.now(),
    credentialsDir: options.env.CREDENTIALS_DIRECTORY,
  });
  return work(reader);
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

const PERSON = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u;

/** Who does something: a short name without blanks, because it stands in the journal. Throws `bad-argument`. */
export function personOf(option: string, text: string): string {
  if (PERSON.test(text)) return text.normalize('NFC');
  throw fail('bad-argument', {
    argument: option,
    reason: 'write the number or account of a person: 1 to 64 letters, digits, ".", "_" or "-"',
    reasonZh: '请填写人员编号或账号：1 至 64 个字母、汉字、数字或 “.”、“_”、“-”',
  });
}

/** One line of text for the records. Throws `bad-argument`. */
export function wordsOf(option: string, text: string, charactersMax = 200): string {
  const words = text.trim().normalize('NFC');
  if (words !== '' && words.length <= charactersMax && !/[\u0000-\u001f\u007f]/.test(words)) return words;
  throw fail('bad-argument', {
    argument: option,
    reason: `write one line of text, at most ${charactersMax} characters`,
    reasonZh: `请填写一行文字，最多 ${charactersMax} 个字符`,
  });
}

export function dateOf(option: string, text: string): LocalDate {
  const date = parseLocalDate(text);
  if (date !== null) return date;
  throw fail('bad-argument', {
    argument: `${option} ${text}`,
    reason: 'write a date YYYY-MM-DD that exists',
    reasonZh: '请填写真实存在的日期 YYYY-MM-DD',
  });
}

/** Options that mean something only together. Throws `bad-argument` with what is missing. */
export function together(given: Readonly<Record<string, string | undefined>>): boolean {
  const names = Object.keys(given);
  const missing = names.filter((name) => given[name] === undefined);
  if (missing.length === names.length) return false;
  if (missing.length === 0) return true;
  throw fail('bad-argument', {
    argument: names.join(' '),
    reason: `give them together; missing: ${missing.join(', ')}`,
    reasonZh: `须一起给出；缺少：${missing.join('、')}`,
  });
}
