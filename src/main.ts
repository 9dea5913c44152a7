#!/usr/bin/env node
/**
 * The command line: names, options and exit codes of the contract, nothing else. Each command's work is loaded only when
 * it is called, so that `--help` and small commands start at once.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { classCommands } from './commands/class-commands.js';
import { action, JSON_FLAG, positive, repeatable, SET_WORDS, stopSignal, whole } from './commands/command-line.js';
import { EXIT } from './commands/console.js';
import { policyCommands } from './commands/policy-commands.js';
import { requestCommands } from './commands/request-commands.js';
import { exportCommands } from './commands/export-commands.js';
import { terminalCommands } from './commands/terminal-commands.js';
import { totalsCommands } from './commands/totals-commands.js';
import { examples, helpTitle, wrongUsage } from './commands/usage.js';
import { DRIVERS } from './drivers/index.js';

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

function daemonCommands(program: Command): void {
  program
    .command('run')
    .description('运行守护进程 the daemon')
    .requiredOption('--config <file>', '设置文件 settings file')
    .option('--listen <address>', '网页地址，覆盖 web.listen web address, over web.listen')
    .action(
      action(async (io, options: { config: string; listen?: string }) => {
        const { runDaemon } = await import('./commands/run.js');
        return runDaemon({ ...options, version, drivers: DRIVERS, env: process.env }, io, stopSignal());
      }),
    );
  program
    .command('check-config <file>')
    .description(
      '检查设置文件，列出全部问题 every fault of a settings file, with line, key, reason and the nearest known key',
    )
    .addHelpText('after', examples('check-config /etc/rollcall/gateway.yaml'))
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string) => {
        const { runCheckConfig } = await import('./commands/check-config.js');
        return runCheckConfig(file, { json: io.json, env: process.env, out: io.out, err: io.err, drivers: DRIVERS });
      }),
    );
  program
    .command('keys')
    .description("显示本网关的公钥，供平台登记 the gateway's public key, for the platform to register")
    .addHelpText('after', examples('keys --config /etc/rollcall/gateway.yaml > keys.json'))
    .requiredOption('--config <file>', '设置文件 settings file')
    .option(...JSON_FLAG)
    .action(
      action(async (io, options: { config: string }) => {
        const { runKeys } = await import('./commands/keys.js');
        return runKeys(options.config, { drivers: DRIVERS, env: process.env }, io);
      }),
    );
  const platform = program.command('platform').description('参考平台 the reference receiver of the city side');
  platform
    .command('run')
    .description('运行参考平台 run it')
    .requiredOption('--config <file>', '平台配置文件 platform settings file')
    .action(
      action(async (io, options: { config: string }) => {
        const { runPlatform } = await import('./commands/platform.js');
        const { createLog } = await import('./core/log.js');
        return runPlatform(options.config, { signal: stopSignal(), log: createLog(), out: io.out });
      }),
    );
}

interface PunchesFlags {
  readonly terminal: string;
  readonly config: string;
  readonly set: string[];
  readonly driver: string;
  readonly serial?: string;
  readonly dryRun?: true;
}

function peopleCommands(program: Command): void {
  const imports = program.command('import').description('导入 import');
  imports
    .command('class <file>')
    .description(
      '导入班级文件；资料不全或未获审批的存为草稿 import a class; an incomplete or unapproved one becomes a draft',
    )
    .addHelpText('after', examples('import class class.yaml --by A01 --config /etc/rollcall/gateway.yaml'))
    .requiredOption('--config <file>', '设置文件 settings file')
    .option('--by <name>', '经办人编号或账号 who imports: a number or account', 'cli')
    .option('--dry-run', '只显示差异，不写入 only show the difference')
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: { config: string; by: string; dryRun?: true }) => {
        const { runImportClass } = await import('./commands/import-class.js');
        const options = { drivers: DRIVERS, env: process.env, version, by: o.by, dryRun: o.dryRun === true };
        return runImportClass(file, o.config, options, io);
      }),
    );
  imports
    .command('punches <file>')
    .description('导入 U 盘拷来的考勤记录 import an attendance log that was carried here on a stick')
    .addHelpText(
      'after',
      examples(
        'import punches /media/usb/1_attlog.dat --terminal front --config /etc/rollcall/gateway.yaml --dry-run',
        'import punches GLG_001.TXT --terminal front --serial TEST0001 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .requiredOption('--terminal <id>', '记录属于哪台考勤机（设置中的编号） whose log it is: its id in the settings')
    .requiredOption('--config <file>', '设置文件 settings file')
    .addOption(repeatable('--set <key=value>', SET_WORDS))
    .option('--driver <name>', '读文件的驱动 driver that reads the file', 'usb-file')
    .option('--serial <serial>', '序列号；从未读取过时须给出 serial number, where it was never read over a wire')
    .option('--dry-run', '只试运行，不写入 only tell what it would do')
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: PunchesFlags) => {
        const { runImportPunches } = await import('./commands/import-punches.js');
        const options = { drivers: DRIVERS, env: process.env, version };
        return runImportPunches({ ...o, file, dryRun: o.dryRun === true }, options, io, stopSignal());
      }),
    );
  program
    .command('roster')
    .description('每名学员在每台考勤机的登记情况 who is enrolled in which terminal')
    .addHelpText('after', examples('roster --config /etc/rollcall/gateway.yaml'))
    .requiredOption('--config <file>', '设置文件 settings file')
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: { config: string }) => {
        const { runRoster } = await import('./commands/roster.js');
        return runRoster(o.config, { drivers: DRIVERS, env: process.env }, io);
      }),
    );
}

function recordCommands(program: Command): void {
  program
    .command('credit <file>')
    .description('按规则计算用例文件，并与期望比较 cases to results; 0 only if all agree')
    .addHelpText('after', examples('credit test/golden/worked-days.json'))
    .option('--policy <file>', '政策文件 policy file')
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: { policy?: string }) => {
        const { runCredit } = await import('./commands/credit.js');
        return runCredit(file, {
          json: io.json,
          out: io.out,
          err: io.err,
          ...(o.policy === undefined ? {} : { policy: o.policy }),
        });
      }),
    );
  program
    .command('verify <paths...>')
    .description(
      '核验数据目录、批次文件，或纸面二维码的内容 verify a data directory, a file of batches, or what a QR code on our paper holds',
    )
    .addHelpText(
      'after',
      examples('verify /var/lib/rollcall', 'verify batches.jws --keys keys.json', 'verify code.txt --keys keys.json'),
    )
    .option(
      '--keys <file>',
      '批次文件的公钥；数据目录则为平台公钥文件 public keys for a file of batches; for a data directory the file of platform keys',
    )
    .option(...JSON_FLAG)
    .action(
      action(async (io, paths: string[], o: { keys?: string }) => {
        const { runVerify } = await import('./commands/verify.js');
        return runVerify({ paths, ...(o.keys === undefined ? {} : { keysFile: o.keys }) }, io);
      }),
    );
  program
    .command('demo')
    .description('模拟课堂的一天 a simulated classroom day')
    .option('--once', '尽快播放一个教学日，打印考勤表后结束 play one class day as fast as possible, then end')
    .option('--speed <x>', '时间加速倍数 how much faster than real time', positive, 120)
    .option('--port <n>', '网页端口，缺省 8080 port of the page; 8080 when not given', whole)
    .option('--broker <url>', '使用外部 MQTT 代理 an MQTT broker of your own, mqtt://host:port')
    .option('--seed <n>', '随机种子 seed', whole, 1)
    .action(
      action(async (io, o: { once?: boolean; speed: number; port: number; broker?: string; seed: number }) => {
        const { runDemo } = await import('./demo/demo.js');
        return runDemo(
          { ...o, once: o.once === true, version, drivers: DRIVERS },
          { out: io.out, err: io.err, tty: process.stdout.isTTY },
          stopSignal(),
        );
      }),
    );
  program
    .command('generate', { hidden: true })
    .description('regenerate documents that are made from the code')
    .action(
      action(async (io) => {
        const { runGenerate } = await import('./commands/generate.js');
        return runGenerate({ drivers: DRIVERS, out: io.out });
      }),
    );
}

const program = new Command('rollcall')
  .description('考勤网关 Rollcall: attendance-terminal edge gateway')
  .version(version, '-V, --version', '显示版本 show the version')
  .helpOption('-h, --help', '显示帮助 show help')
  .helpCommand('help [command]', '显示某个命令的帮助 show the help of a command')
  .configureHelp({ styleTitle: helpTitle })
  .configureOutput({
    outputError: (text, write) => write(wrongUsage(text)),
  })
  .showHelpAfterError('（rollcall --help 查看帮助 for help）')
  .exitOverride();
daemonCommands(program);
terminalCommands(program, DRIVERS);
peopleCommands(program);
classCommands(program, DRIVERS, version);
recordCommands(program);
exportCommands(program, DRIVERS);
requestCommands(program, DRIVERS, version);
totalsCommands(program, DRIVERS, version);
policyCommands(program, DRIVERS);

try {
  await program.parseAsync();
} catch (error) {
  // commander throws instead of exiting: help and version end well, wrong usage is exit code 2.
  const code = error instanceof Error && 'exitCode' in error ? Number(error.exitCode) : 1;
  process.exitCode = code === 0 ? EXIT.good : EXIT.usage;
}
