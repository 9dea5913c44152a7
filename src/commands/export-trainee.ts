/**
 * `rollcall export trainee`: the record of one trainee or of everybody in a class (R87), a file each. Reads the data directory
 * beside the running daemon and changes nothing. Names and masked numbers are inside the files only; file names, output and
 * errors go by class and trainee number.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import { instantToDate, systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import type { AttendanceTable } from '../exports/attendance.js';
import { openFonts, type FontBook } from '../exports/fonts.js';
import { gatherAttendance, type ClassNoKind } from '../exports/gather.js';
import { creditOf } from '../exports/gather-days.js';
import type { Unprintable } from '../exports/pdf.js';
import { isSigned } from '../exports/token.js';
import { traineePdf } from '../exports/trainee-pdf.js';
import { traineeRecord, type Explanations, type TraineeRecord } from '../exports/trainee-record.js';
import { loadSettings, type Settings } from '../settings.js';
import { creditsOf } from '../store/credits.js';
import { openReader, type Reader } from '../store/reader.js';
import { faultLines } from './check-config.js';
import { EXIT, type Console } from './console.js';
import { tokenSigner, UNSIGNED_WORDS } from './token-signer.js';

export interface ExportTraineeArguments {
  readonly config: string;
  readonly classNo: string;
  /** Trainee numbers; with `all` everybody on the roster. */
  readonly trainees: readonly string[];
  readonly all: boolean;
  /** Which number of the class its papers go by (R3). */
  readonly by: ClassNoKind;
  readonly madeBy: string;
  /** A directory; for one trainee also the name of a file. */
  readonly out: string;
  /** Replace files that are there. */
  readonly force: boolean;
  readonly format: 'pdf' | 'json';
}

export interface ExportTraineeOptions {
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly devicesDir?: string;
  /** For tests: fonts instead of those of this machine. */
  readonly fonts?: FontBook;
}

export async function runExportTrainee(
  args: ExportTraineeArguments,
  options: ExportTraineeOptions,
  io: Console,
): Promise<number> {
  if (args.all === args.trainees.length > 0) {
    io.err('请用 --trainee 指定学员编号，或用 --all 导出全班。 Give --trainee with numbers, or --all.');
    return EXIT.usage;
  }
  const { drivers, env, devicesDir } = options;
  const { settings, faults } = loadSettings(args.config, {
    ...{ drivers, env },
    ...(devicesDir === undefined ? {} : { devicesDir }),
  });
  if (settings === null) {
    for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
    return EXIT.usage;
  }
  const clock = options.clock ?? systemClock();
  const records = recordsOf(args, settings, clock, env.CREDENTIALS_DIRECTORY);
  const fonts = args.format === 'json' ? null : (options.fonts ?? openFonts({ files: settings.exports.fonts }));
  const target = targetOf(args, records.length);
  for (const record of records) {
    const made = fonts === null ? asJson(record) : await traineePdf(record, fonts);
    const file = target(record);
    write(file, made.bytes, args.force);
    tell(record, file, made, io);
  }
  if (records.some(({ token }) => !isSigned(token))) io.err(UNSIGNED_WORDS);
  return EXIT.good;
}

function recordsOf(
  args: ExportTraineeArguments,
  settings: Settings,
  clock: Clock,
  credentialsDir: string | undefined,
): readonly TraineeRecord[] {
  using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir });
  if (reader === null) throw fail('export-class-unknown', { classNo: args.classNo, classes: 0 });
  const table = gatherAttendance(reader, {
    ...{ classNo: args.classNo, by: args.by, from: null, to: null, madeBy: args.madeBy, sign: null },
    madeOn: instantToDate(clock.now(), settings.site.timeZone),
  });
  const sign = tokenSigner(settings.dataDir);
  const explanations = explanationsOf(reader, table);
  const wanted = args.all ? table.people.map(({ traineeNo }) => traineeNo) : [...new Set(args.trainees)];
  return wanted.map((traineeNo) => {
    const record = traineeRecord(table, traineeNo, explanations, sign);
    if (record === null) throw fail('export-trainee-unknown', { traineeNo, classNo: table.classNo });
    return record;
  });
}

/** Why each day is what it is, out of the results in force. */
function explanationsOf({ db }: Reader, table: AttendanceTable): Explanations {
  // Results go by the city's number, whichever number the reader goes by.
  const classNo = table.classNoKind === 'city' ? table.classNo : (table.otherClassNo ?? table.classNo);
  const credits = new Map(creditsOf(db, classNo).map((fact) => [fact.id, fact]));
  return (traineeNo, date) => creditOf(credits.get(`${classNo}/${traineeNo}/${date}`))?.explanation ?? [];
}

interface Made {
  readonly bytes: Uint8Array;
  readonly pages: number | null;
  readonly unprintable: readonly Unprintable[];
}

function asJson(record: TraineeRecord): Made {
  return { bytes: Buffer.from(`${JSON.stringify(record, null, 2)}\n`), pages: null, unprintable: [] };
}

/** Where the record of a trainee goes. */
function targetOf(args: ExportTraineeArguments, count: number): (record: TraineeRecord) => string {
  const isFile = count === 1 && args.out.endsWith(`.${args.format}`) && !isDirectory(args.out);
  if (isFile) return () => args.out;
  try {
    mkdirSync(args.out, { recursive: true });
  } catch (error) {
    throw fail('export-file-failed', { file: args.out, reason: systemCode(error) ?? 'unwritable' }, error);
  }
  return ({ classNo, traineeNo }) => join(args.out, `${fileWord(classNo)}-${fileWord(traineeNo)}.${args.format}`);
}

/** Numbers are given by others; only letters, digits, dot, underscore and hyphen reach a file name. */
const fileWord = (text: string): string => text.replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/^\.+/, '_');

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function write(file: string, bytes: Uint8Array, force: boolean): void {
  try {
    // Names are inside: nobody else on this machine needs to read them.
    writeFileSync(file, bytes, { mode: 0o600, flag: force ? 'w' : 'wx' });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw fail('export-file-exists', { file });
    throw fail('export-file-failed', { file, reason: systemCode(error) ?? 'unwritable' }, error);
  }
}

function tell(record: TraineeRecord, file: string, made: Made, io: Console): void {
  const { classNo, traineeNo, token, digest, status } = record;
  const { pages, unprintable } = made;
  const isSound = isSigned(token);
  if (io.json)
    io.out(
      JSON.stringify({
        kind: 'trainee',
        classNo,
        traineeNo,
        file,
        pages,
        status,
        signed: isSound,
        digest,
        unprintable,
      }),
    );
  else io.out(file);
  for (const line of unprintableLines(unprintable)) io.err(line);
}

/** What stands on the paper as 〓, by number and code point, never by name. */
export function unprintableLines(unprintable: readonly Unprintable[]): readonly string[] {
  return unprintable.map(({ traineeNo, column, codePoints }) => {
    const who = traineeNo === null ? '' : `学员 trainee ${traineeNo}，`;
    return `注意：${who}${column}：字体缺字 ${codePoints.join(' ')}，印作 〓。可安装 fonts-hanazono 或 fonts-babelstone-han 后重新导出。 Characters that no font has were printed as 〓; install one of these fonts and export again.`;
  });
}
