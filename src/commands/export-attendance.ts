/**
 * `rollcall export attendance` and `export list`: the attendance table of a class, and the list of its trainees for the county, as
 * files. Works beside the running daemon and writes nothing into its data. Neither says who has passed: both thresholds stand with
 * their hours.
 */
import { attendancePdf } from '../exports/attendance-pdf.js';
import { attendanceXlsx } from '../exports/attendance-xlsx.js';
import type { AttendanceTable, TableVariant } from '../exports/attendance.js';
import { openFonts } from '../exports/fonts.js';
import { listCsv, listXlsx } from '../exports/list-table.js';
import { isSigned } from '../exports/token.js';
import { traineeList } from '../exports/trainee-list.js';
import type { CsvEncoding } from '../sheets/write-csv.js';
import { settingsOf, type ReadingOptions } from './class-reading.js';
import { EXIT, type Console } from './console.js';
import { fileOf, refuseExisting, writeExport, type ExportTarget, type WrittenFile } from './export-file.js';
import { fileName, tableOf, type TableArguments } from './export-table.js';
import { UNSIGNED_WORDS } from './token-signer.js';
import { unprintableLines } from './unprintable.js';

export interface AttendanceArguments extends TableArguments, ExportTarget {
  readonly config: string;
  readonly variant: TableVariant;
  readonly format: 'xlsx' | 'pdf';
}

/** Each variant has a file of its own, so that all three fit into one directory. */
const FILE_WORDS: Readonly<Record<TableVariant, string>> = {
  times: '学员考勤表',
  marks: '学员考勤表（标记）',
  summary: '学员考勤表（汇总）',
};

export async function runExportAttendance(
  args: AttendanceArguments,
  options: ReadingOptions,
  io: Console,
): Promise<number> {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const table = tableOf(settings, args, options);
  const file = fileOf(args.out, fileName(FILE_WORDS[args.variant], table, args.format));
  refuseExisting(file, args);
  if (args.format === 'xlsx') {
    const { bytes, sheets } = await attendanceXlsx(table, args.variant);
    tell(table, writeExport(bytes, file, args), { sheets }, io);
    return EXIT.good;
  }
  const printed = await attendancePdf(table, {
    variant: args.variant,
    fonts: openFonts({ files: settings.exports.fonts }),
  });
  tell(table, writeExport(printed.bytes, file, args), { pages: printed.pages, unprintable: printed.unprintable }, io);
  for (const line of unprintableLines(printed.unprintable)) io.err(line);
  return EXIT.good;
}

export interface ListArguments extends TableArguments, ExportTarget {
  readonly config: string;
  readonly format: 'xlsx' | 'csv';
  readonly encoding: CsvEncoding;
}

export async function runExportList(args: ListArguments, options: ReadingOptions, io: Console): Promise<number> {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const table = tableOf(settings, args, options);
  const file = fileOf(args.out, fileName('学员名单', table, args.format));
  refuseExisting(file, args);
  const list = traineeList(table);
  const bytes = args.format === 'csv' ? listCsv(list, args.encoding) : await listXlsx(list);
  tell(table, writeExport(bytes, file, args), {}, io);
  return EXIT.good;
}

/** One line: where it is, its hash, the digest of its data, and how final it is. */
function tell(
  table: AttendanceTable,
  written: WrittenFile,
  more: Readonly<Record<string, unknown>>,
  io: Console,
): void {
  const { digest, status, throughN, classNo, people, days } = table;
  const figures = { classNo, digest, ...more, people: people.length, days: days.length, status, throughN };
  if (io.json) io.out(JSON.stringify({ kind: 'export', ...written, ...figures }));
  else io.out(`${written.file}  ${people.length} 人 people  ${days.length} 天 days  sha256 ${written.sha256}`);
  if (!isSigned(table.token)) io.err(UNSIGNED_WORDS);
  if (status === 'provisional')
    io.err('结果尚未定稿，表上已标明“临时”。 Some results are provisional, and the table says so.');
}
