/** The commands about sums and about computing anew, as they are typed: totals, recompute. */
import type { Command } from 'commander';
import type { Driver } from '../drivers/driver.js';
import { action, JSON_FLAG } from './command-line.js';
import { examples } from './usage.js';

interface RecomputeFlags {
  readonly config: string;
  readonly class?: string;
  readonly from?: string;
  readonly to?: string;
  readonly policy?: string;
  readonly dryRun?: true;
}

export function totalsCommands(program: Command, drivers: readonly Driver[], version: string): void {
  program
    .command('totals')
    .description('每名学员和每个班级的累计课时、比例与线 hours, ratios and thresholds of people and classes')
    .addHelpText(
      'after',
      examples(
        'totals --config /etc/rollcall/gateway.yaml --class BT2026-031',
        'totals --config /etc/rollcall/gateway.yaml --json',
      ),
    )
    .requiredOption('--config <file>', '设置文件 settings file')
    .option('--class <number>', '只看一个班级 one class only')
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: { config: string; class?: string }) => {
        const { runTotals } = await import('./totals.js');
        return runTotals(o, { drivers, env: process.env }, io);
      }),
    );
  program
    .command('recompute')
    .description(
      '从原始记录重算课时，列出会变的结果及原因；试算其他政策 compute credit anew from raw: whose result would change and why; try another policy. 0 nothing, 1 something',
    )
    .addHelpText(
      'after',
      examples(
        'recompute --config /etc/rollcall/gateway.yaml --dry-run',
        'recompute --config /etc/rollcall/gateway.yaml --class BT2026-031 --policy guyang-2026.yaml --dry-run',
        'recompute --config /etc/rollcall/gateway.yaml --class BT2026-031 --from 2026-09-07 --to 2026-09-11',
      ),
    )
    .requiredOption('--config <file>', '设置文件 settings file')
    .option('--class <number>', '只算一个班级 one class only')
    .option('--from <date>', '从这一天起 from this date')
    .option('--to <date>', '到这一天止 to this date')
    .option(
      '--policy <name>',
      '试用的政策：名称或文件，须与 --dry-run 同用 a policy to try: its name or a file; with --dry-run only',
    )
    .option('--dry-run', '只列出，不写入；可与守护进程同时运行 only tell; works beside the running daemon')
    .option(...JSON_FLAG)
    .action(
      action(async (io, o: RecomputeFlags) => {
        const { runRecompute } = await import('./recompute.js');
        return runRecompute({ ...o, dryRun: o.dryRun === true }, { drivers, env: process.env, version }, io);
      }),
    );
}
