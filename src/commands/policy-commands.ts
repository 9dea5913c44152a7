/** The commands about policies, as they are typed: policy validate, sign, diff, show. */
import type { Command } from 'commander';
import type { Driver } from '../drivers/driver.js';
import { action, JSON_FLAG } from './command-line.js';
import { examples } from './usage.js';

const CONFIG = [
  '--config <file>',
  '设置文件：站点的政策层、公钥和班级 settings file: layers, keys and classes of the site',
] as const;

export function policyCommands(program: Command, drivers: readonly Driver[]): void {
  const options = { drivers, env: process.env };
  const policy = program.command('policy').description('课时认定政策及其各层 policies and their layers');
  policy
    .command('validate <files...>')
    .description(
      '检查政策文件：每处错误的行与键、SHA-256、各层与签名 every fault with line and key, hash, layers, signature',
    )
    .addHelpText(
      'after',
      examples(
        'policy validate guyang-2026.yaml',
        'policy validate guyang-2026.yaml --config /etc/rollcall/gateway.yaml',
      ),
    )
    .option(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, files: string[], o: { config?: string }) => {
        const { runPolicyValidate } = await import('./policy.js');
        return runPolicyValidate(files, o.config, options, io);
      }),
    );
  policy
    .command('sign <file>')
    .description('为政策层签名，写入文件，保留注释 sign a layer; the signature goes into the file, comments stay')
    .addHelpText('after', examples('policy sign guyang-2026.yaml --key county-key.pem'))
    .requiredOption('--key <file>', 'Ed25519 私钥（PEM） Ed25519 private key in PEM form')
    .option(...JSON_FLAG)
    .action(
      action(async (io, file: string, o: { key: string }) => {
        const { runPolicySign } = await import('./policy.js');
        return runPolicySign(file, o.key, options, io);
      }),
    );
  policy
    .command('diff <a> <b>')
    .description(
      '两份政策的不同之处：名称、文件或班级所用的 SHA-256 what two policies do differently; 0 the same, 1 not',
    )
    .addHelpText(
      'after',
      examples(
        'policy diff baotou-2023 neimenggu-2023',
        'policy diff baotou-2023 guyang-2026.yaml',
        'policy diff 3f9a52c1 guyang-2026 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .option(...CONFIG)
    .option(...JSON_FLAG)
    .action(
      action(async (io, a: string, b: string, o: { config?: string }) => {
        const { runPolicyDiff } = await import('./policy-show.js');
        return runPolicyDiff([a, b], o.config, options, io);
      }),
    );
  policy
    .command('show [policy]')
    .description(
      '逐项显示政策：取值、含义、依据或假定、由哪一层设定；不给名称则列出全部 every value, what it means and where it comes from',
    )
    .addHelpText(
      'after',
      examples(
        'policy show',
        'policy show baotou-2023',
        'policy show guyang-2026 --config /etc/rollcall/gateway.yaml',
        'policy show --class BT-2026-001 --config /etc/rollcall/gateway.yaml',
      ),
    )
    .option(...CONFIG)
    .option('--class <no>', '该班级开班时的政策 the policy that class keeps')
    .option(...JSON_FLAG)
    .action(
      action(async (io, word: string | undefined, o: { config?: string; class?: string }) => {
        const { runPolicyShow } = await import('./policy-show.js');
        const { class: classNo, config } = o;
        const args = {
          ...(word === undefined ? {} : { word }),
          ...(config === undefined ? {} : { config }),
          ...(classNo === undefined ? {} : { classNo }),
        };
        return runPolicyShow(args, options, io);
      }),
    );
}
