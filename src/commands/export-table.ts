/**
 * What the exports of one class share: settings, a reader beside the running daemon, the table of the class, and the key that signs
 * its QR where it is within reach. Reads only; a missing key is never made here.
 */
import { fail } from '../core/errors.js';
import { instantToDate, systemClock, type LocalDate } from '../core/time.js';
import { gatherAttendance, type ClassNoKind } from '../exports/gather.js';
import type { AttendanceTable } from '../exports/attendance.js';
import { tableToken } from '../exports/token.js';
import type { Settings } from '../settings.js';
import { openReader } from '../store/reader.js';
import { typedDate, type ReadingOptions } from './class-reading.js';
import { NOBODY } from './export-words.js';
import { tokenSigner } from './token-signer.js';

export interface TableArguments {
  readonly class: string;
  readonly by?: string;
  readonly from?: string;
  readonly to?: string;
  readonly madeBy?: string;
}

/** The table of a class as the database has it now. Throws what `gatherAttendance` throws, and `class-unknown` where nothing is stored. */
export function tableOf(settings: Settings, args: TableArguments, options: ReadingOptions): AttendanceTable {
  const clock = options.clock ?? systemClock();
  const [from, to] = [typedDate('--from', args.from), typedDate('--to', args.to)];
  using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir: options.env.CREDENTIALS_DIRECTORY });
  if (reader === null) throw fail('class-unknown', { classNo: args.class });
  const sign = tokenSigner(settings.dataDir);
  return gatherAttendance(reader, {
    classNo: args.class,
    by: kindOf(args.by),
    ...{ from, to },
    madeBy: args.madeBy ?? NOBODY,
    madeOn: instantToDate(clock.now(), settings.site.timeZone),
    sign: (table) => tableToken(table, sign),
  });
}

export function kindOf(by: string | undefined): ClassNoKind {
  return by === 'regional' ? 'regional' : 'city';
}

/** `考勤表_BT2026-031_2026-09-07_2026-09-25`: numbers and dates, no people. */
export function fileName(what: string, table: AttendanceTable, ending: string): string {
  const dates: readonly LocalDate[] = table.days.map(({ date }) => date);
  return `${what}_${table.classNo}_${dates[0] ?? table.from}_${dates.at(-1) ?? table.to}.${ending}`;
}
