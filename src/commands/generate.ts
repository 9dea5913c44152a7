/**
 * `npm run generate`: the documents that are made from the program and never by hand. The key table of `config/README.md`, the
 * JSON Schemas for editors, and `docs/errors.md`. A test compares them with what the program says now, so they cannot go stale.
 * Text outside the marked part of a README is left as it is.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ERRORS, fail, type ErrorKind } from '../core/errors.js';
import { isSecretKey } from '../core/faults.js';
import { writtenSchema, type SchemaNode } from '../core/schema-words.js';
import { definitionSchema } from '../drivers/definition.js';
import type { Driver } from '../drivers/driver.js';
import { settingsSchema } from '../settings/schema.js';

const BEGIN = '<!-- generated: keys (npm run generate) -->';
const END = '<!-- end of generated part -->';

export interface GenerateOptions {
  readonly drivers: readonly Driver[];
  readonly out: (line: string) => void;
  /** The checkout; else the one this program belongs to. */
  readonly root?: string;
  /** Only name what is stale, and end 1 when something is. */
  readonly check?: boolean;
}

/** Every generated file by its path below `root`, as it should read now. */
export function generate(root: string, drivers: readonly Driver[]): Map<string, string> {
  return new Map([
    ['config/README.md', withTable(root, 'config/README.md', keyTable(writtenSchema(settingsSchema)))],
    ['config/gateway.schema.json', jsonSchema(settingsSchema, 'Rollcall settings / 考勤网关配置')],
    [
      'devices/README.md',
      withTable(root, 'devices/README.md', `${keyTable(writtenSchema(definitionSchema))}\n${driverTables(drivers)}`),
    ],
    ['devices/device.schema.json', jsonSchema(definitionSchema, 'Rollcall terminal definition / 考勤机型号定义')],
    ['docs/errors.md', errorDocument()],
  ]);
}

/** Writes what changed and names it. */
export async function runGenerate(options: GenerateOptions): Promise<number> {
  const root = options.root ?? fileURLToPath(new URL('../../', import.meta.url));
  let stale = 0;
  for (const [path, text] of generate(root, options.drivers)) {
    const file = join(root, path);
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    stale += 1;
    options.out(path);
    if (options.check === true) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return options.check === true && stale > 0 ? 1 : 0;
}

/** What a quirk, or a terminal's `options`, may say for each driver; secrets under the name that names their file. */
function driverTables(drivers: readonly Driver[]): string {
  return drivers
    .map((driver) => {
      const { properties = {}, required = [] } = writtenSchema(driver.options);
      const rows = Object.entries(properties).map(([name, node]) => {
        const secret = isSecretKey(name);
        const cells = [
          `\`${secret ? `${name}File` : name}\``,
          secret ? '文件 file' : typeWords(node),
          defaultWords(node, node.default === undefined && required.includes(name)),
        ];
        return `| ${cells.map(cell).join(' | ')} |`;
      });
      const head = ['| 选项 Option | 类型 Type | 缺省 Default |', '|---|---|---|'];
      return [
        `## 驱动 Driver \`${driver.name}\``,
        '',
        `能力 Capabilities: ${[...driver.capabilities].join(', ')}`,
        '',
        ...head,
        ...rows,
        '',
      ].join('\n');
    })
    .join('\n');
}

function jsonSchema(schema: z.ZodType, title: string): string {
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return `${JSON.stringify({ ...made, title }, null, 2)}\n`;
}

function withTable(root: string, path: string, table: string): string {
  const text = readFileSync(join(root, path), 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from)
    throw fail('settings-unreadable', { file: path, reason: `it lacks the line "${BEGIN}" or "${END}"` });
  return `${text.slice(0, from + BEGIN.length)}\n\n${table}\n${text.slice(to)}`;
}

function keyTable(root: SchemaNode): string {
  const head = ['| 键 Key | 类型 Type | 缺省 Default | 单位 Unit | 含义 | Meaning |', '|---|---|---|---|---|---|'];
  return [...head, ...rowsOf(root, '')].join('\n') + '\n';
}

/** A row for each key below `node`, groups before their keys; `[]` stands for every entry of a list. */
function rowsOf(node: SchemaNode, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const path = `${prefix}${key}`;
    const cells = [
      `\`${path}\``,
      typeWords(child),
      defaultWords(child, node.required?.includes(key) === true),
      unitWords(key),
      child.zh ?? '',
      child.description ?? '',
    ];
    const inner = child.items?.properties ? rowsOf(child.items, `${path}[].`) : rowsOf(child, `${path}.`);
    return [`| ${cells.map(cell).join(' | ')} |`, ...inner];
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function typeWords(node: SchemaNode): string {
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(' ');
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.anyOf) return node.anyOf.map(typeWords).join(' / ');
  if (node.type === 'integer' || node.type === 'number') {
    const word = node.type === 'integer' ? '整数 whole number' : '数字 number';
    const small = (value: number | undefined): value is number =>
      value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
    return small(node.minimum) && small(node.maximum) ? `${word} ${node.minimum}–${node.maximum}` : word;
  }
  if (node.type === 'string') return '文本 text';
  if (node.type === 'boolean') return 'true / false';
  if (node.type === 'array') return node.items?.enum ? `列表 list: ${typeWords(node.items)}` : '列表 list';
  return '组 group';
}

function defaultWords(node: SchemaNode, required: boolean): string {
  if (required) return '**必填 required**';
  if (node.default === undefined) return '—';
  // The default of a group is made of the defaults of its keys, which have rows of their own.
  if (typeof node.default === 'object' && !Array.isArray(node.default)) return '—';
  return `\`${JSON.stringify(node.default)}\``;
}

function unitWords(key: string): string {
  if (key.endsWith('Seconds')) return '秒 s';
  if (key.endsWith('Years')) return '年 years';
  if (key.includes('Days')) return '天 days';
  if (key === 'baud') return 'Bd';
  return '';
}

const KIND_WORDS: Readonly<Record<ErrorKind, readonly [string, string]>> = {
  retry: ['外部暂时不可用：自动退避重试', 'the world is down: the gateway backs off and tries again by itself'],
  peer: [
    '对方的应答不可接受：丢弃、留存字节、计数',
    'the other side answered what cannot be accepted: dropped, bytes kept, counted',
  ],
  settings: ['需要人处理：相应单元停用，页面提示', 'a person must change something: the unit is parked and says what'],
  storage: ['磁盘已满或损坏：停止向考勤机确认', 'the disk is full or sick: nothing is confirmed to terminals any more'],
  bug: ['程序缺陷：请把日志发给维护人员', 'a fault of the program: send the log to the maintainers'],
};

function errorDocument(): string {
  const kinds = Object.entries(KIND_WORDS).map(([kind, [zh, en]]) => `| \`${kind}\` | ${zh} | ${en} |`);
  const codes = Object.entries(ERRORS).sort(([a], [b]) => (a < b ? -1 : 1));
  const sections = codes.map(([code, one]) =>
    [`### ${code}`, '', `\`${one.kind}\``, '', `- ${one.zh}${one.remedyZh}`, `- ${one.en} ${one.remedyEn}`, ''].join(
      '\n',
    ),
  );
  return [
    '# 错误代码 Error codes',
    '',
    '由程序生成(`npm run generate`)，请勿手改。花括号内为运行时填入的内容。',
    '',
    'Generated from the program (`npm run generate`); do not edit. Words in braces are filled in at run time.',
    '',
    '| 类别 Kind | 含义 | Meaning |',
    '|---|---|---|',
    ...kinds,
    '',
    ...sections,
  ].join('\n');
}
