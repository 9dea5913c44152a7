/** The commands that talk to terminals, as they are typed: pull, capture, replay, discover, decode, simulate. */
import { Option, type Command } from 'commander';
import type { Zone } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import {
  action,
  JSON_FLAG,
  positive,
  readingSignal,
  repeatable,
  SET_WORDS,
  stopSignal,
  whole,
  zoneName,
} from './command-line.js';
import { examples } from './usage.js';

export function terminalCommands(program: Command, drivers: readonly Driver[]): void {
  const driverNames = drivers.map((driver) => driver.name).join(', ');
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
          const { runPull } = await import('./pull.js');
          const { for: forSeconds, ...rest } = o;
          return runPull(
            { ...rest, ...(forSeconds === undefined ? {} : { forSeconds }) },
            drivers,
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
          const { runPull } = await import('./pull.js');
          const { for: forSeconds, ...rest } = o;
          return runPull(
            { ...rest, captureFile: file, ...(forSeconds === undefined ? {} : { forSeconds }) },
            drivers,
            io,
            readingSignal(),
          );
        },
      ),
    );
  program
    .command('discover')
    .description(
      '查找考勤机：广播、串口、网段扫描、未登记的呼叫 find terminals: broadcast, serial ports, subnet, callers',
    )
    .addHelpText(
      'after',
      examples(
        'discover',
        'discover --scan 192.168.1.0/24',
        'discover --config /etc/rollcall/gateway.yaml',
        'discover --config /etc/rollcall/gateway.yaml --adopt TEST0001 --as front-door',
      ),
    )
    .option('--scan <subnet>', '逐个查看网段中的地址 look at every address of a subnet, such as 192.168.1.0/24')
    .option('--config <file>', '列出呼叫过运行中网关的未登记设备 show who called the running gateway unclaimed')
    .option('--adopt <serial>', '登记其中一台 adopt one of them')
    .option('--as <id>', '登记后的编号 its id in the settings')
    .option('--seconds <n>', '等待广播应答的时间 how long to wait for answers', positive, 3)
    .option('--zone <name>', '考勤机时区 time zone of the terminals', zoneName, 'Asia/Shanghai' as Zone)
    .option(...JSON_FLAG)
    .action(
      action(
        async (io, o: { scan?: string; config?: string; adopt?: string; as?: string; seconds: number; zone: Zone }) => {
          const { runDiscover } = await import('./discover.js');
          return runDiscover({ ...o, env: process.env }, drivers, io, stopSignal());
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
        const { runReplay } = await import('./capture.js');
        return runReplay({ file, ...o }, drivers, io, stopSignal());
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
          const { runDecode } = await import('./decode.js');
          const from = o.from === 'gateway' ? 'gateway' : 'device';
          return runDecode({ ...o, from, raw: o.raw === true, ...(file === undefined ? {} : { file }) }, drivers, io);
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
      drivers.map((driver) => `\n故障 Faults, ${driver.name}: ${driver.faults.join(' ')}`).join(''),
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
          const { runSimulateTerminal } = await import('./simulate.js');
          return runSimulateTerminal(o, drivers, io, stopSignal());
        },
      ),
    );
}
