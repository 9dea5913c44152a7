/** `rollcall export monthly` (R79) and `export template` (R102): figures of a month for all classes, and empty tables to be filled in. */
import { monthlyFigures } from '../classes/monthly.js';
import { fail } from '../core/errors.js';
import { instantToDate, systemClock } from '../core/time.js';
import { listCsv, listXlsx } from '../exports/list-table.js';
import { monthlyTable } from '../exports/monthly-table.js';
import { templateXlsx, TEMPLATES, type TemplateKind } from '../exports/templates.js';
import type { CsvEncoding } from '../sheets/write-csv.js';
import { openReader } from '../store/reader.js';
import { inSnapshot } from '../store/statements.js';
import { settingsOf, type ReadingOptions } from './class-reading.js';
import { EXIT, type Console } from './console.js';
import { fileOf, refuseExisting, writeExport, type ExportTarget } from './export-file.js';
import { guess } from './options.js';

export interface MonthlyArguments extends ExportTarget {
  readonly config: string;
  /** `YYYY-MM`. */
  readonly month: string;
  /** Day of the month that the figures are as of; left out: the 25th. */
  readonly day?: number;
  readonly format: 'xlsx' | 'csv';
  readonly encoding: CsvEncoding;
}

export async function runExportMonthly(args: MonthlyArguments, options: ReadingOptions, io: Console): Promise<number> {
  const settings = settingsOf(args.config, options, io);
  if (settings === null) return EXIT.usage;
  const clock = options.clock ?? systemClock();
  using reader = openReader(settings.dataDir, { now: clock.now(), credentialsDir: options.env.CREDENTIALS_DIRECTORY });
  if (reader === null) throw fail('export-nothing', { dir: settings.dataDir });
  const figures = inSnapshot(reader.db, () => monthlyFigures(reader, args.month, args.day));
  const file = fileOf(args.out, `月度统计_${args.month}.${args.format}`);
  refuseExisting(file, args);
  const list = monthlyTable(figures, instantToDate(clock.now(), settings.site.timeZone));
  const bytes = args.format === 'csv' ? listCsv(list, args.encoding) : await listXlsx(list);
  const written = writeExport(bytes, file, args);
  const { from, to, totals } = figures;
  if (io.json) io.out(JSON.stringify({ kind: 'export', ...written, month: args.month, from, to, totals }));
  else io.out(`${written.file}  ${from} – ${to}  ${totals.classes} 个班级 classes  sha256 ${written.sha256}`);
  return EXIT.good;
}

export async function runExportTemplate(name: string, target: ExportTarget, io: Console): Promise<number> {
  const kind = TEMPLATES.find((one): one is TemplateKind => one === name);
  if (kind === undefined) throw fail('bad-argument', { argument: name, ...guess(name, TEMPLATES) });
  const file = fileOf(target.out, `${kind}.xlsx`);
  refuseExisting(file, target);
  const written = writeExport(await templateXlsx(kind), file, target);
  if (io.json) io.out(JSON.stringify({ kind: 'export', template: kind, ...written }));
  else io.out(written.file);
  return EXIT.good;
}
