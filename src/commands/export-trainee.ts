/**
 * `rollcall export trainee`: the record of one trainee or of everybody in a class (R87), a file each. Reads the data directory
 * beside the running daemon, at one moment, and changes nothing. Names and masked numbers are inside the files only; file names,
 * output and errors go by class and trainee number.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadClasses } from '../classes/class-tables.js';
import { fail, systemCode } from '../core/errors.js';
import { instantToDate, systemClock } from '../core/time.js';
import { openFonts, type FontBook } from '../exports/fonts.js';
import { findClass, gatherAttendance, type ClassNoKind } from '../exports/gather.js';
import { creditOf } from '../exports/gather-days.js';
import type { Unprintable } from '../exports/pdf.js';
import { isSigned } from '../exports/token.js';
import { traineePdf } from '../exports/trainee-pdf.js';
import { traineeRecord, type Explanations, type TraineeRecord } from '../exports/trainee-record.js';
import type { Settings } from '../settings.js';
import { creditsOf } from '../store/credits.js';
import { openReader, type Reader } from '../store/reader.js';
import { inSnapshot } from '../store/statements.js';
import { settingsOf, type ReadingOptions } from './class-reading.js';
import { EXIT, progressLine, type Console } from './console.js';
import { fileOf, refuseExisting, writeExport, type ExportTarget } from './export-file.js';
import { tokenSigner, UNSIGNED_WORDS } from './token-signer.js';
import { unprintableLines } from './unprintable.js';

export interface ExportTraineeArguments extends ExportTarget {
  readonly config: string;
  readonly classNo: string;
  /** Trainee numbers; with `all` everybody on the roster. */
  readonly trainees: readonly string[];
  readonly all: boolean;
  /** Which number of the class the record goes by (R3). */
  readonly by: ClassNoKind;
  readonly madeBy: string;
  readonly format: 'pdf' | 'json';
}

export interface ExportTraineeOptions extends ReadingOptions {
  /** Fonts instead of those of this machine. */
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
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const fonts = args.format === 'json' ? null : (options.fonts ?? openFonts({ files: settings.exports.fonts }));
  const records = recordsOf(args, settings, options);
  if (records.length > 1) makeDirectory(args.out);
  const files = new Map(
    records.map((record) => [
      record,
      records.length > 1 ? join(args.out, nameOf(record, args)) : fileOf(args.out, nameOf(record, args)),
    ]),
  );
  for (const file of files.values()) refuseExisting(file, args);
  const progress = progressLine(io);
  let done = 0;
  for (const [record, file] of files) {
    progress.show(`学员课时凭证 records ${String(++done)}/${String(records.length)}`);
    const made = fonts === null ? asJson(record) : await traineePdf(record, fonts);
    const { sha256 } = writeExport(made.bytes, file, args);
    const { classNo, traineeNo, digest, status, token } = record;
    const { pages, unprintable } = made;
    progress.end();
    if (io.json) {
      const figures = { classNo, traineeNo, digest, pages, status, signed: isSigned(token), unprintable };
      io.out(JSON.stringify({ kind: 'trainee', file, sha256, ...figures }));
    } else io.out(`${file}  sha256 ${sha256}`);
    for (const line of unprintableLines(unprintable)) io.err(line);
  }
  warn(records, io);
  return EXIT.good;
}

function warn(records: readonly TraineeRecord[], io: Console): void {
  if (records.some(({ status }) => status === 'provisional'))
    io.err('结果尚未定稿，凭证上已标明“临时”。 Some results are provisional, and the record says so.');
  if (records.some(({ token }) => !isSigned(token))) io.err(UNSIGNED_WORDS);
}

/** Throws what `gatherAttendance` throws, `class-unknown` and `export-trainee-unknown`. */
function recordsOf(
  args: ExportTraineeArguments,
  settings: Settings,
  options: ReadingOptions,
): readonly TraineeRecord[] {
  const clock = options.clock ?? systemClock();
  using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir: options.env.CREDENTIALS_DIRECTORY });
  if (reader === null) throw fail('class-unknown', { classNo: args.classNo });
  const madeOn = instantToDate(clock.now(), settings.site.timeZone);
  const { table, explanations } = inSnapshot(reader.db, () => ({
    table: gatherAttendance(reader, {
      ...{ classNo: args.classNo, by: args.by, from: null, to: null },
      ...{ madeBy: args.madeBy, madeOn, sign: null },
    }),
    explanations: explanationsOf(reader, args.classNo),
  }));
  const sign = tokenSigner(settings.dataDir);
  const wanted = args.all ? table.people.map(({ traineeNo }) => traineeNo) : [...new Set(args.trainees)];
  return wanted.map((traineeNo) => {
    const record = traineeRecord(table, traineeNo, explanations, sign);
    if (record === null) throw fail('export-trainee-unknown', { traineeNo, classNo: table.classNo });
    return record;
  });
}

/** Why each day is what it is, out of the results in force. */
function explanationsOf(reader: Reader, classNo: string): Explanations {
  const { classNo: own } = findClass(loadClasses(reader), classNo);
  const credits = new Map(creditsOf(reader.db, own).map((fact) => [fact.id, fact]));
  return (traineeNo, date) => creditOf(credits.get(`${own}/${traineeNo}/${date}`))?.explanation ?? [];
}

interface Made {
  readonly bytes: Uint8Array;
  readonly pages: number | null;
  readonly unprintable: readonly Unprintable[];
}

function asJson(record: TraineeRecord): Made {
  return { bytes: Buffer.from(`${JSON.stringify(record, null, 2)}\n`), pages: null, unprintable: [] };
}

/** `学员课时凭证_BT2026-031_T001.pdf`: numbers only. They are given by others, so what has a meaning in paths is taken out. */
function nameOf({ classNo, traineeNo }: TraineeRecord, { format }: ExportTraineeArguments): string {
  const word = (text: string): string => text.replace(/[^\p{L}\p{N}._-]+/gu, '_');
  return `学员课时凭证_${word(classNo)}_${word(traineeNo)}.${format}`;
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fail('export-file-failed', { file: path, reason: systemCode(error) ?? 'unwritable' }, error);
  }
}
