/** The commands about leave, make-ups, reviews and online hours, as they are typed: request …, import online. */
import type { Command } from 'commander';
import { LEAVE_REASONS, MAKEUP_REASONS, REVIEW_REASONS } from '../classes/requests.js';
import type { Driver } from '../drivers/driver.js';
import { action, JSON_FLAG, repeatable, stopSignal, whole } from './command-line.js';
import type { AskArguments, LeaveArguments, ListArguments, MakeupArguments, ReviewArguments } from './request.js';
import { reasonHelp } from './request-words.js';
import { examples } from './usage.js';

const CONFIG = ['--config <file>', '设置文件 settings file'] as const;
const HOW = [
  '',
  '申请人和批准人必须是两个人；目前只按 --by 的名字区分。写入前请先停止网关：systemctl stop rollcall。',
  'Who asks and who approves must be two people; for now only the names after --by tell them apart.',
  'Stop the gateway before writing: systemctl stop rollcall.',
  '证据只保存文件的 SHA-256，原件须由机构保存。 Of evidence only the SHA-256 is kept; the institution keeps the paper.',
].join('\n');

interface Shared {
  readonly drivers: readonly Driver[];
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
}

/** What every kind of request is asked with. */
function asking(command: Command, reasons: readonly string[]): Command {
  return command
    .addHelpText('after', HOW)
    .requiredOption('--class <number>', '班级编号 class number')
    .requiredOption('--date <date>', '日期 YYYY-MM-DD')
    .requiredOption('--reason <code>', `原因 reason: ${reasonHelp(reasons)}`)
    .requiredOption('--by <name>', '申请人 who asks')
    .option('--text <words>', '说明，加密保存 what happened; kept sealed')
    .addOption(repeatable('--evidence <file>', '证明文件，可重复 a document as evidence, repeatable'))
    .addOption(repeatable('--frame <file>', '画面截图，可重复 a picture of the room as evidence, repeatable'))
    .requiredOption(...CONFIG)
    .option(...JSON_FLAG);
}

export function requestCommands(program: Command, drivers: readonly Driver[], version: string): void {
  const options: Shared = { drivers, env: process.env, version };
  const request = program.command('request').description('请假、补签、打卡复核 leave, make-ups, reviews of punches');
  askingCommands(request, options);
  decidingCommands(request, options);
  const imports = program.commands.find((one) => one.name() === 'import');
  if (imports) importOnlineCommand(imports, options);
}

function askingCommands(request: Command, options: Shared): void {
  asking(
    request
      .command('makeup')
      .description('申请补签一个打卡时点 ask for a make-up of one slot')
      .addHelpText(
        'after',
        examples(
          'request makeup --class BT2026-031 --trainee T001 --date 2026-09-07 --slot AM_IN --reason deviceFault --evidence report.pdf --by S01 --config gateway.yaml',
          'request makeup --class BT2026-031 --all-missing --date 2026-09-07 --slot AM_IN --reason powerOutage --frame room.jpg --by S01 --config gateway.yaml',
        ),
      )
      .requiredOption('--slot <slot>', '时点 slot: AM_IN, AM_OUT, PM_IN, PM_OUT')
      .option('--trainee <number>', '学员编号 trainee number')
      .option('--all-missing', '当前结果中该时点为空的全部在册学员 everybody enrolled whose slot is empty')
      .addOption(repeatable('--except <number>', '除外的学员，可重复 a trainee to leave out, repeatable')),
    MAKEUP_REASONS,
  ).action(
    action(async (io, o: MakeupArguments) => {
      const { runRequestMakeup } = await import('./request.js');
      return runRequestMakeup(o, options, io);
    }),
  );
  asking(
    request
      .command('leave')
      .description('申请请假，半天或全天 ask for leave, of one session or the whole day')
      .addHelpText(
        'after',
        examples(
          'request leave --class BT2026-031 --trainee T001 --date 2026-09-07 --session PM --reason sick --by S01 --config gateway.yaml',
        ),
      )
      .requiredOption('--trainee <number>', '学员编号 trainee number')
      .option('--session <session>', '时段 AM 或 PM；省略为全天 session AM or PM; the whole day when left out'),
    LEAVE_REASONS,
  ).action(
    action(async (io, o: LeaveArguments) => {
      const { runRequestLeave } = await import('./request.js');
      return runRequestLeave(o, options, io);
    }),
  );
  asking(
    request
      .command('review')
      .argument('<punch>', '打卡编号 journal number of the punch', whole)
      .description(
        '复核无法定时的打卡（CLOCK_UNTRUSTED） ask for the review of a punch that could not be timed, by its number',
      )
      .addHelpText(
        'after',
        examples(
          'request review 1207 --class BT2026-031 --trainee T001 --date 2026-09-07 --time 08:21 --reason clockWrong --by S01 --config gateway.yaml',
        ),
      )
      .requiredOption('--trainee <number>', '学员编号 trainee number')
      .requiredOption('--time <time>', '认定的时间 HH:mm 或 HH:mm:ss the time that was found right'),
    REVIEW_REASONS,
  ).action(
    action(async (io, punch: number, o: AskArguments & { time: string }) => {
      const { runRequestReview } = await import('./request.js');
      const args: ReviewArguments = { ...o, punch };
      return runRequestReview(args, options, io);
    }),
  );
}

interface DecideFlags {
  readonly config: string;
  readonly by: string;
  readonly text?: string;
}

function decidingCommands(request: Command, options: Shared): void {
  const decide = (name: string, verdict: 'approved' | 'rejected' | 'withdrawn', words: string, example: string): void =>
    void request
      .command(`${name} <ids...>`)
      .description(words)
      .addHelpText('after', examples(example) + HOW)
      .requiredOption('--by <name>', '决定人 who decides')
      .option('--text <words>', '说明，加密保存 why; kept sealed')
      .requiredOption(...CONFIG)
      .option(...JSON_FLAG)
      .action(
        action(async (io, ids: string[], o: DecideFlags) => {
          const { runRequestDecide } = await import('./request.js');
          return runRequestDecide({ ...o, ids, verdict }, options, io);
        }),
      );
  decide(
    'approve',
    'approved',
    '批准申请，由另一人进行；全部或一个也不 approve, by another person; all or none',
    'request approve 3f9a1c02d4 --by S02 --config gateway.yaml',
  );
  decide(
    'reject',
    'rejected',
    '驳回申请 reject',
    'request reject 3f9a1c02d4 --by S02 --text "没有证据" --config gateway.yaml',
  );
  decide(
    'withdraw',
    'withdrawn',
    '撤回自己的申请 withdraw, by who asked',
    'request withdraw 3f9a1c02d4 --by S01 --config gateway.yaml',
  );
  request
    .command('list')
    .description('列出申请，可在网关运行时使用 list requests, also while the gateway runs')
    .addHelpText('after', examples('request list --class BT2026-031 --open --config gateway.yaml'))
    .option('--class <number>', '只列出一个班级 of one class')
    .option('--open', '只列出待处理的 only open ones')
    .option('--texts', '显示文字说明（个人信息） show what people wrote; personal data')
    .requiredOption(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: ListArguments) => {
        const { runRequestList } = await import('./request.js');
        return runRequestList(o, options, io);
      }),
    );
}

interface OnlineFlags {
  readonly class: string;
  readonly origin: string;
  readonly config: string;
  readonly map: string[];
  readonly sheet?: string;
  readonly dryRun?: true;
  readonly by: string;
}

function importOnlineCommand(imports: Command, options: Shared): void {
  imports
    .command('online <file>')
    .description('导入线上课时（CSV、XLSX） import hours from the record of an online platform')
    .addHelpText(
      'after',
      examples(
        'import online hours.xlsx --class BT2026-031 --origin 包头网校 --config gateway.yaml --dry-run',
        'import online hours.csv --class BT2026-031 --origin 包头网校 --map minutes=时长 --by S01 --config gateway.yaml',
      ),
    )
    .requiredOption('--class <number>', '班级编号 class number')
    .requiredOption('--origin <name>', '线上平台名称 online platform that made the file')
    .addOption(repeatable('--map <field=column>', '指定列：字段=列字母或列名，可重复 which column is what, repeatable'))
    .option('--sheet <name>', '工作表名称 sheet of the workbook')
    .option('--by <name>', '导入人 who imports', 'cli')
    .option('--dry-run', '只检查，不写入 only say what it would do')
    .requiredOption(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: OnlineFlags) => {
        const { runImportOnline } = await import('./import-online.js');
        return runImportOnline({ ...o, file }, options, io, stopSignal());
      }),
    );
}
