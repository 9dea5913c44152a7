/** The commands that make files for offices, as they are typed: export attendance, list, trainee, monthly, template. */
import { Option, type Command } from 'commander';
import type { Driver } from '../drivers/driver.js';
import type { TableVariant } from '../exports/attendance.js';
import type { CsvEncoding } from '../sheets/write-csv.js';
import { action, JSON_FLAG, repeatable, whole } from './command-line.js';
import { NOBODY } from './export-words.js';
import type { TableArguments } from './export-table.js';
import { examples } from './usage.js';

const CONFIG = ['--config <file>', '设置文件 settings file'] as const;
const OUT = ['--out <path>', '写到文件或目录 a file, or a directory that exists'] as const;
const FORCE = ['--force', '覆盖已有文件 replace a file that is there'] as const;

interface OutFlags {
  readonly out: string;
  readonly force?: true;
}

interface TableFlags extends TableArguments, OutFlags {
  readonly config: string;
}

interface TraineeFlags extends OutFlags {
  readonly config: string;
  readonly class: string;
  readonly trainee: string[];
  readonly all?: true;
  readonly by: 'city' | 'regional';
  readonly madeBy?: string;
  readonly format: 'pdf' | 'json';
}

const byNumber = (): Option =>
  new Option('--by <kind>', '按哪个编号 which number of the class the file goes by')
    .choices(['city', 'regional'])
    .default('city');

const encoding = (): Option =>
  new Option('--encoding <name>', 'CSV 编码 encoding of a CSV').choices(['utf-8', 'gb18030']).default('utf-8');

const format = (...choices: readonly string[]): Option =>
  new Option('--format <name>', '文件格式 form of the file').choices(choices).default('xlsx');

export function exportCommands(program: Command, drivers: readonly Driver[]): Command {
  const options = { drivers, env: process.env };
  const exports = program
    .command('export')
    .description('导出：考勤表、名单、月报、模板 files for offices: attendance table, lists, figures, templates');
  classExports(exports, options);
  traineeExport(exports, options);
  exports
    .command('monthly')
    .description('月度统计（截至 25 日） figures of a month for all classes, as of the 25th')
    .addHelpText('after', examples('export monthly --config /etc/rollcall/gateway.yaml --month 2026-09 --out .'))
    .requiredOption(...CONFIG)
    .requiredOption('--month <month>', '月份 month, YYYY-MM')
    .requiredOption(...OUT)
    .option('--day <n>', '截至哪一日，缺省 25 as of which day; 25 when not given', whole)
    .addOption(format('xlsx', 'csv'))
    .addOption(encoding())
    .option(...FORCE)
    .option(...JSON_FLAG)
    .action(
      action(
        async (
          io,
          o: OutFlags & {
            config: string;
            month: string;
            day?: number;
            format: 'xlsx' | 'csv';
            encoding: CsvEncoding;
          },
        ) => {
          const { runExportMonthly } = await import('./export-monthly.js');
          return runExportMonthly({ ...o, force: o.force === true }, options, io);
        },
      ),
    );
  exports
    .command('template <kind>')
    .description('空白模板：roster 花名册、timetable 课程表、online 线上学习 empty tables to be filled in')
    .addHelpText('after', examples('export template roster --out roster.xlsx'))
    .requiredOption(...OUT)
    .option(...FORCE)
    .option(...JSON_FLAG)
    .action(
      action(async (io, kind: string, o: OutFlags) => {
        const { runExportTemplate } = await import('./export-monthly.js');
        return runExportTemplate(kind, { ...o, force: o.force === true }, io);
      }),
    );
  return exports;
}

function classExports(
  exports: Command,
  options: { readonly drivers: readonly Driver[]; readonly env: NodeJS.ProcessEnv },
): void {
  exports
    .command('attendance')
    .description('学员考勤表 attendance table of a class; holds names, so keep the file safe')
    .addHelpText(
      'after',
      examples(
        'export attendance --config /etc/rollcall/gateway.yaml --class BT2026-031 --out .',
        'export attendance --config /etc/rollcall/gateway.yaml --class NM-2026-004417 --by regional --format pdf --out table.pdf',
        'export attendance --config /etc/rollcall/gateway.yaml --class BT2026-031 --variant marks --from 2026-09-07 --to 2026-09-11 --out .',
      ),
    )
    .requiredOption(...CONFIG)
    .requiredOption('--class <number>', '班级编号（市或自治区） number of the class, either of its two')
    .requiredOption(...OUT)
    .addOption(
      new Option('--variant <name>', 'times 时间 · marks 标记 marks only · summary 汇总 no days')
        .choices(['times', 'marks', 'summary'])
        .default('times'),
    )
    .addOption(format('xlsx', 'pdf'))
    .addOption(byNumber())
    .option('--from <date>', '从这一天起 from this date')
    .option('--to <date>', '到这一天止 to this date')
    .option('--made-by <name>', '制表人 who makes the table')
    .option(...FORCE)
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: TableFlags & { variant: TableVariant; format: 'xlsx' | 'pdf' }) => {
        const { runExportAttendance } = await import('./export-attendance.js');
        return runExportAttendance({ ...o, force: o.force === true }, options, io);
      }),
    );
  exports
    .command('list')
    .description('学员课时名单（含 80 % 与 95 % 两条线） trainees with hours and both thresholds, for the county')
    .addHelpText(
      'after',
      examples(
        'export list --config /etc/rollcall/gateway.yaml --class BT2026-031 --out .',
        'export list --config /etc/rollcall/gateway.yaml --class BT2026-031 --by regional --format csv --encoding gb18030 --out list.csv',
      ),
    )
    .requiredOption(...CONFIG)
    .requiredOption('--class <number>', '班级编号（市或自治区） number of the class, either of its two')
    .requiredOption(...OUT)
    .addOption(format('xlsx', 'csv'))
    .addOption(encoding())
    .addOption(byNumber())
    .option(...FORCE)
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: TableFlags & { format: 'xlsx' | 'csv'; encoding: CsvEncoding }) => {
        const { runExportList } = await import('./export-attendance.js');
        return runExportList({ ...o, force: o.force === true }, options, io);
      }),
    );
}

function traineeExport(
  exports: Command,
  options: { readonly drivers: readonly Driver[]; readonly env: NodeJS.ProcessEnv },
): void {
  exports
    .command('trainee')
    .description('学员个人课时记录（电子化凭证），每人一个文件 record of a trainee, a file each')
    .addHelpText(
      'after',
      examples(
        'export trainee --config /etc/rollcall/gateway.yaml --class BT2026-031 --trainee 20260001 --out record.pdf',
        'export trainee --config /etc/rollcall/gateway.yaml --class BT2026-031 --all --out records',
      ),
    )
    .requiredOption(...CONFIG)
    .requiredOption('--class <number>', '班级编号（市或自治区） number of the class, either of its two')
    .addOption(repeatable('--trainee <number>', '学员编号，可重复 trainee number, repeatable'))
    .option('--all', '全班 everybody in the class')
    .requiredOption('--out <path>', '目录；一人时也可为文件 a directory; for one trainee also a file')
    .addOption(new Option('--format <name>', '文件格式 form of the file').choices(['pdf', 'json']).default('pdf'))
    .addOption(byNumber())
    .option('--made-by <name>', '制表人 who makes the record')
    .option(...FORCE)
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: TraineeFlags) => {
        const { runExportTrainee } = await import('./export-trainee.js');
        const { class: classNo, trainee: trainees, madeBy = NOBODY, ...rest } = o;
        return runExportTrainee(
          { ...rest, classNo, trainees, madeBy, all: o.all === true, force: o.force === true },
          options,
          io,
        );
      }),
    );
}
