#!/usr/bin/env node
/**
 * The command line: names, options and exit codes of the contract, nothing else. Each command's work is loaded only when
 * it is called, so that `--help` and small commands start at once.
 */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { createConsole, EXIT, guarded, outputReader, type Console } from './commands/console.js';
import { collect, examples, helpTitle, wrongUsage } from './commands/usage.js';
import { zone, type Zone } from './core/time.js';
import { DRIVERS } from './drivers/index.js';

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number, please / 请输入整数');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('a number above 0, please / 请输入大于 0 的数');
  return value;
}

function zoneName(text: string): Zone {
  const found = zone(text);
  if (found === null) throw new InvalidArgumentError('an IANA zone such as Asia/Shanghai, please / 请输入时区名');
  return found;
}

/** An option that may be given several times. */
const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(collect).default([], '无 none');

/** Aborts on the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let asked = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      asked += 1;
      if (asked > 1) process.exit(name === 'SIGINT' ? 130 : 143);
      stop.abort(new Error(name));
    });
  }
  return stop.signal;
}

/** Ends a reading when somebody stops it, and when nobody reads what it prints. */
const readingSignal = (): AbortSignal => AbortSignal.any([stopSignal(), outputReader()]);

interface Common {
  readonly json?: boolean;
}

/** Runs a command's work and leaves its exit code. */
function action<A extends unknown[]>(
  work: (io: Console, ...args: A) => Promise<number>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    const options = args.find(
      (arg): arg is A[number] & Common =>
        typeof arg === 'object' && arg !== null && !Array.isArray(arg) && !(arg instanceof Command),
    );
    const io = createConsole(options?.json === true);
    process.exitCode = await guarded(io, () => work(io, ...args));
  };
}

const JSON_FLAG = ['--json', '每行一个 JSON 对象 one JSON object a line'] as const;
const driverNames = DRIVERS.map((driver) => driver.name).join(', ');
const SET_WORDS = '驱动选项，可重复；密码用 commKeyFile=文件 driver option, repeatable; a password as commKeyFile=FILE';

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

function terminalCommands(program: Command): void {
  program
    .command('pull')
    .description(
      '读取一台考勤机：身份、全部打卡、汇总；不存储、不清除 talk to one terminal; stores nothing, never clears',
    )
    .addHelpText(
      'after',
      examples(
        'pull --driver zk-standalone --reach tcp://192.168.1.201:4370',
        'pull --driver zk-standalone --reach tcp://192.168.1.201 --set commKeyFile=key.txt --since 2026-09-01',
        'pull --driver anviz-tcb --reach "serial:///dev/ttyUSB0?baud=9600" --set address=2 --json',
      ),
    )
    .requiredOption('--driver <name>', `驱动 driver: ${driverNames}`)
    .requiredOption('--reach <reach>', '连接方式 reach, such as tcp://192.168.1.201:4370')
    .addOption(repeatable('--set <key=value>', SET_WORDS))
    .option('--since <time>', '只显示此时间之后的打卡 only punches from this wall time on')
    .option('--for <seconds>', '读完后继续监听若干秒 go on listening for new punches', positive)
    .option('--zone <name>', '考勤机时区 time zone of the terminal', zoneName, 'Asia/Shanghai' as Zone)
    .option(...JSON_FLAG)
    .action(
      action(
        async (io, o: { driver: string; reach: string; set: string[]; since?: string; for?: number; zone: Zone }) => {
          const { runPull } = await import('./commands/pull.js');
          const { for: forSeconds, ...rest } = o;
          return runPull(
            { ...rest, ...(forSeconds === undefined ? {} : { forSeconds }) },
            DRIVERS,
            io,
            readingSignal(),
          );
        },
      ),
    );
  program
    .command('capture <file>')
    .description(
      '读取一台考勤机并记录线路数据，去除人员信息 read one terminal and record every byte on the wire, without the persons',
    )
    .addHelpText(
      'after',
      examples('capture front.cap --driver zk-standalone --reach tcp://192.168.1.201:4370', 'replay front.cap'),
    )
    .requiredOption('--driver <name>', `驱动 driver: ${driverNames}`)
    .requiredOption('--reach <reach>', '连接方式 reach')
    .addOption(repeatable('--set <key=value>', SET_WORDS))
    .option('--for <seconds>', '读完后继续监听若干秒 go on listening', positive)
    .option('--zone <name>', '考勤机时区 time zone of the terminal', zoneName, 'Asia/Shanghai' as Zone)
    .option(...JSON_FLAG)
    .action(
      action(
        async (io, file: string, o: { driver: string; reach: string; set: string[]; for?: number; zone: Zone }) => {
          const { runPull } = await import('./commands/pull.js');
          const { for: forSeconds, ...rest } = o;
          return runPull(
            { ...rest, captureFile: file, ...(forSeconds === undefined ? {} : { forSeconds }) },
            DRIVERS,
            io,
            readingSignal(),
          );
        },
      ),
    );
  program
    .command('replay <file>')
    .description('把线路记录回放给驱动，如同考勤机在场 play a capture to its driver as if the terminal were there')
    .addHelpText('after', examples('replay front.cap', 'replay --driver anviz-tcb --json front.cap'))
    .option('--driver <name>', `驱动，缺省按文件头 driver; else the one named in the file: ${driverNames}`)
    .addOption(repeatable('--set <key=value>', SET_WORDS))
    .option('--zone <name>', '考勤机时区 time zone of the terminal', zoneName, 'Asia/Shanghai' as Zone)
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: { driver?: string; set: string[]; zone: Zone }) => {
        const { runReplay } = await import('./commands/capture.js');
        return runReplay({ file, ...o }, DRIVERS, io, stopSignal());
      }),
    );
  program
    .command('decode [file]')
    .description('把十六进制或抓包文件解码为消息与打卡 hex, a capture file or raw bytes to messages and punches')
    .addHelpText(
      'after',
      examples(
        'decode --driver anviz-tcb front.cap',
        'decode --driver anviz-tcb --from gateway frames.hex',
        'decode --driver zk-standalone --raw --split 1 bytes.bin',
      ),
    )
    .requiredOption('--driver <name>', `驱动 driver: ${driverNames}`)
    .addOption(
      new Option('--from <side>', '字节由哪一方发出 which side sent the bytes')
        .choices(['device', 'gateway'])
        .default('device'),
    )
    .option('--split <n>', '每次喂入 n 字节 feed n bytes at a time', whole, 0)
    .option('--raw', '输入为原始字节 the input is raw bytes')
    .addOption(repeatable('--set <key=value>', SET_WORDS))
    .option('--zone <name>', '考勤机时区 time zone of the terminal', zoneName, 'Asia/Shanghai' as Zone)
    .option(...JSON_FLAG)
    .action(
      action(
        async (
          io,
          file: string | undefined,
          o: { driver: string; from: string; split: number; raw?: boolean; set: string[]; zone: Zone },
        ) => {
          const { runDecode } = await import('./commands/decode.js');
          const from = o.from === 'gateway' ? 'gateway' : 'device';
          return runDecode({ ...o, from, raw: o.raw === true, ...(file === undefined ? {} : { file }) }, DRIVERS, io);
        },
      ),
    );
  const simulate = program.command('simulate').description('模拟设备 simulated devices');
  simulate
    .command('terminal')
    .description('模拟考勤机，真实线路上的另一端 the other end of the wire, in a process of its own')
    .addHelpText(
      'after',
      examples(
        'simulate terminal --driver zk-standalone --reach tcp://127.0.0.1:4370 --records 100000 --fault fragment=7',
      ),
    )
    .addHelpText('after', () =>
      DRIVERS.map((driver) => `\n故障 Faults, ${driver.name}: ${driver.faults.join(' ')}`).join(''),
    )
    .requiredOption('--driver <name>', `驱动 driver: ${driverNames}`)
    .requiredOption('--reach <reach>', '网关连接它的方式 how the gateway reaches it')
    .option('--users <n>', '用户数 users', whole, 24)
    .option('--records <n>', '历史打卡数 past punches', whole, 100)
    .addOption(repeatable('--fault <name[=value]>', '故障，可重复 fault, repeatable'))
    .addOption(repeatable('--set <key=value>', '模拟器选项，可重复 simulator option, repeatable'))
    .option('--control <port>', '控制端口（本机） control port on loopback', whole)
    .option('--serial <serial>', '序列号 serial number', 'TEST0001')
    .option('--seed <n>', '随机种子 seed', whole, 1)
    .option('--zone <name>', '考勤机时区 time zone of the terminal', zoneName, 'Asia/Shanghai' as Zone)
    .action(
      action(
        async (
          io,
          o: {
            driver: string;
            reach: string;
            users: number;
            records: number;
            fault: string[];
            set: string[];
            control?: number;
            serial: string;
            seed: number;
            zone: Zone;
          },
        ) => {
          const { runSimulateTerminal } = await import('./commands/simulate.js');
          return runSimulateTerminal(o, DRIVERS, io, stopSignal());
        },
      ),
    );
}

function recordCommands(program: Command): void {
  program
    .command('credit <file>')
    .description('按规则计算用例文件，并与期望比较 cases to results; 0 only if all agree')
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
    .description('核验数据目录或批次文件 verify a data directory or a file of batches')
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
  const imports = program.command('import').description('导入 import');
  imports
    .command('class <file>')
    .description('导入班级文件（花名册、课程表、考勤机） import a class: roster, timetable, terminals')
    .requiredOption('--config <file>', '设置文件 settings file')
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: { config: string }) => {
        const { runImportClass } = await import('./commands/import-class.js');
        return runImportClass(file, o.config, { drivers: DRIVERS, env: process.env, version }, io);
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
terminalCommands(program);
recordCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  // commander throws instead of exiting: help and version end well, wrong usage is exit code 2.
  const code = error instanceof Error && 'exitCode' in error ? Number(error.exitCode) : 1;
  process.exitCode = code === 0 ? EXIT.good : EXIT.usage;
}
