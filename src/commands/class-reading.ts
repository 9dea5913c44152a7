/**
 * What commands share that look at classes beside a running daemon: settings, a reader, one moment of the database, dates that a person
 * typed, and the choice of classes. Nothing is written.
 */
import { createClassIndex, type ClassIndex } from '../classes/class-index.js';
import { loadClasses, type ClassRecord } from '../classes/class-tables.js';
import { fail } from '../core/errors.js';
import {
  addDays,
  dateAt,
  instantToDate,
  parseLocalDate,
  systemClock,
  type Clock,
  type LocalDate,
} from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { loadSettings, type Settings } from '../settings.js';
import { openReader, type Reader } from '../store/reader.js';
import { inSnapshot } from '../store/statements.js';
import { faultLines } from './check-config.js';
import type { Console } from './console.js';

export interface ReadingOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly devicesDir?: string;
  readonly policiesDir?: string;
}

/** The settings, or null after every fault of them was told. */
export function settingsOf(configFile: string, options: ReadingOptions, io: Console): Settings | null {
  const { drivers, env, devicesDir, policiesDir } = options;
  const { settings, faults } = loadSettings(configFile, {
    drivers,
    env,
    ...(devicesDir === undefined ? {} : { devicesDir }),
    ...(policiesDir === undefined ? {} : { policiesDir }),
  });
  if (settings === null) for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
  return settings;
}

export interface ClassReading {
  readonly reader: Reader;
  readonly index: ClassIndex;
  /** The classes asked for, by number. */
  readonly records: readonly ClassRecord[];
}

/** Reads in one moment of the database. Null where nothing was ever stored. Throws `class-unknown`. */
export function readClasses<T>(
  settings: Settings,
  classNo: string | undefined,
  options: ReadingOptions,
  work: (reading: ClassReading) => T,
): T | null {
  const clock = options.clock ?? systemClock();
  using reader = openReader(settings.dataDir, {
    now: clock.now(),
    credentialsDir: options.env.CREDENTIALS_DIRECTORY,
  });
  if (reader === null) {
    if (classNo !== undefined) throw fail('class-unknown', { classNo });
    return null;
  }
  return inSnapshot(reader.db, () => {
    const all = loadClasses(reader);
    return work({ reader, index: createClassIndex(all), records: chosen(all, classNo) });
  });
}

/** The class of this number, city or regional; all for undefined. Throws `class-unknown`. */
export function chosen(all: readonly ClassRecord[], classNo: string | undefined): readonly ClassRecord[] {
  if (classNo === undefined) return all;
  const found = all.filter((one) => one.classNo === classNo);
  const records = found.length > 0 ? found : all.filter((one) => one.regionalClassNo === classNo);
  if (records.length === 0) throw fail('class-unknown', { classNo });
  return records;
}

/** A typed date; throws `bad-argument` naming the option. */
export function typedDate(option: string, text: string | undefined): LocalDate | null {
  if (text === undefined) return null;
  const date = parseLocalDate(text);
  if (date === null)
    throw fail('bad-argument', {
      argument: `${option} ${text}`,
      reason: 'write YYYY-MM-DD',
      reasonZh: '请写成 YYYY-MM-DD',
    });
  return date;
}

/** The last date of the class's zone that is over by its `dayClose`. */
export function lastClosedDate({ policy }: ClassRecord, clock: Clock): LocalDate {
  const today = instantToDate(clock.now(), policy.timezone);
  return clock.now() >= dateAt(today, policy.dayClose, policy.timezone) ? today : addDays(today, -1);
}
