/** The commands about classes, as they are typed: class list, show, activate, note, seal; import roster and timetable. */
import type { Command } from 'commander';
import type { Driver } from '../drivers/driver.js';
import { action, JSON_FLAG, repeatable, stopSignal } from './command-line.js';
import type { ClassOptions } from './class-desk.js';
import type { RosterFlags, SheetFlags, TimetableFlags } from './import-sheet.js';
import { examples } from './usage.js';

const CONFIG = ['--config <file>', '设置文件 settings file'] as const;
const BY = ['--by <name>', '经办人编号或账号，不写姓名 who does it: a number or account, not a name'] as const;

type Flags<T extends SheetFlags> = Omit<T, 'dryRun'> & { readonly dryRun?: true };

export function classCommands(program: Command, drivers: readonly Driver[], version: string): void {
  const options: ClassOptions = { drivers, env: process.env, version };
  lookCommands(program, options);
  const imports = program.commands.find((one) => one.name() === 'import') ?? program.command('import');
  sheetCommands(imports, options);
}

function lookCommands(program: Command, options: ClassOptions): void {
  const classes = program
    .command('class')
    .description('班级：查看、启用、加注、封存 classes: look, activate, note, seal');
  classes
    .command('list')
    .description('全部班级和草稿及其状态 every class and draft and where it stands')
    .addHelpText('after', examples('class list --config /etc/rollcall/gateway.yaml'))
    .requiredOption(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: { config: string }) => {
        const { runClassList } = await import('./class-show.js');
        return runClassList(o.config, options, io);
      }),
    );
  classes
    .command('show <classNo>')
    .description('一个班级的全部情况：状态、缺项、版本、调整、备注、封存 all about one class')
    .addHelpText('after', examples('class show BT2026-031 --config /etc/rollcall/gateway.yaml'))
    .requiredOption(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, classNo: string, o: { config: string }) => {
        const { runClassShow } = await import('./class-show.js');
        return runClassShow(classNo, o.config, options, io);
      }),
    );
  activateCommand(classes, options);
  closeCommands(classes, options);
}

function activateCommand(classes: Command, options: ClassOptions): void {
  classes
    .command('activate <classNo>')
    .description('启用资料齐全的班级 activate a class of which nothing is missing')
    .addHelpText(
      'after',
      examples(
        'class activate BT2026-031 --approval 昆人社培〔2026〕31号 --by S01 --config /etc/rollcall/gateway.yaml',
        'class activate BT2026-031 --unapproved-by S01 --reason 审批文件在途 --by A01 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .requiredOption(...CONFIG)
    .requiredOption(...BY)
    .option(
      '--approval <reference>',
      '开班审批文号；草稿中已有则可省略 approval of the opening, unless the draft has it',
    )
    .option(
      '--unapproved-by <name>',
      '无审批启用的负责人；班级带 UNAPPROVED_CLASS 标志 the supervisor who opens it without one',
    )
    .option('--reason <text>', '无审批启用的原因 why it is opened without one')
    .option(...JSON_FLAG)
    .action(
      action(
        async (
          io,
          classNo: string,
          o: { config: string; by: string; approval?: string; unapprovedBy?: string; reason?: string },
        ) => {
          const { runClassActivate } = await import('./class-activate.js');
          return runClassActivate(classNo, o, options, io);
        },
      ),
    );
}

function closeCommands(classes: Command, options: ClassOptions): void {
  classes
    .command('note <classNo>')
    .description('给班级或某一天加注；已过去的日期只能加注，不能更改 a remark on a class or one of its dates')
    .addHelpText(
      'after',
      examples(
        'class note BT2026-031 --date 2026-09-08 --text 上午停电半小时 --by A01 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .requiredOption(...CONFIG)
    .requiredOption(...BY)
    .requiredOption('--text <text>', '内容，加密保存 the remark; kept sealed')
    .option('--date <date>', '日期，省略则为整个班级 the date; left out: the class as a whole')
    .option(...JSON_FLAG)
    .action(
      action(async (io, classNo: string, o: { config: string; by: string; text: string; date?: string }) => {
        const { runClassNote } = await import('./class-close.js');
        return runClassNote(classNo, o, options, io);
      }),
    );
  classes
    .command('seal <classNo>')
    .description(
      '封存已结束的班级，结果不再改变；不可撤销 fix the results of a class that has ended; this cannot be undone',
    )
    .addHelpText('after', examples('class seal BT2026-031 --by S01 --config /etc/rollcall/gateway.yaml'))
    .requiredOption(...CONFIG)
    .requiredOption(...BY)
    .option(...JSON_FLAG)
    .action(
      action(async (io, classNo: string, o: { config: string; by: string }) => {
        const { runClassSeal } = await import('./class-close.js');
        return runClassSeal(classNo, o, options, io);
      }),
    );
}

/** What both tables take. */
const sheetOptions = (command: Command): Command =>
  command
    .requiredOption('--class <classNo>', '班级或草稿的编号 number of the class or draft')
    .requiredOption(...CONFIG)
    .addOption(
      repeatable('--map <field=column>', '字段在哪一列，可重复，如 姓名=B which column a field is in, repeatable'),
    )
    .option('--sheet <name>', '工作表名称 name of the sheet, where there are several')
    .option(...BY)
    .option('--dry-run', '只显示差异，不写入 only show the difference')
    .option(...JSON_FLAG);

function sheetCommands(imports: Command, options: ClassOptions): void {
  sheetOptions(imports.command('roster <file>'))
    .description('导入花名册(XLSX、CSV)到草稿或已启用的班级 a roster into a draft or an active class')
    .addHelpText(
      'after',
      examples(
        'import roster 花名册.xlsx --class BT2026-031 --dry-run --config /etc/rollcall/gateway.yaml',
        'import roster roster.csv --class BT2026-031 --map 姓名=C --by A01 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .option('--correction-reason <text>', '启用后更改姓名或证件的原因 why a name or document changes after activation')
    .option('--requested-by <name>', '更正的申请人 who asks for the correction')
    .option('--approved-by <name>', '更正的批准人，须为另一人 who approves it: another person')
    .action(
      action(async (io, file: string, o: Flags<RosterFlags>) => {
        const { runImportRoster } = await import('./import-sheet.js');
        return runImportRoster(file, { ...o, dryRun: o.dryRun === true }, options, io, stopSignal());
      }),
    );
  sheetOptions(imports.command('timetable <file>'))
    .description('导入课程表(XLSX、CSV)到草稿或已启用的班级 a timetable into a draft or an active class')
    .addHelpText(
      'after',
      examples(
        'import timetable 课程表.xlsx --class BT2026-031 --dry-run --config /etc/rollcall/gateway.yaml',
        'import timetable plan.csv --class BT2026-031 --reason 教师病假 --by A01 --approved-by S01 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .option('--reason <text>', '启用后调整课程表的原因 why the timetable changes after activation')
    .option('--approved-by <name>', '批准人，须为另一人 who approves it: another person')
    .action(
      action(async (io, file: string, o: Flags<TimetableFlags>) => {
        const { runImportTimetable } = await import('./import-sheet.js');
        return runImportTimetable(file, { ...o, dryRun: o.dryRun === true }, options, io, stopSignal());
      }),
    );
}
