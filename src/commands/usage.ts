/**
 * How the command line speaks about itself: headings, examples and wrong usage, Chinese first, then English. Knows
 * commander's sentences and nothing of what the commands do; a sentence it does not know stays English.
 */
const TITLES: Readonly<Record<string, string>> = {
  'Usage:': '用法 Usage:',
  'Arguments:': '参数 Arguments:',
  'Options:': '选项 Options:',
  'Commands:': '命令 Commands:',
};

export const helpTitle = (title: string): string => TITLES[title] ?? title;

const WRONG: readonly (readonly [RegExp, string])[] = [
  [/^required option '(.+?)' not specified/, '缺少必需的选项 $1'],
  [/^missing required argument '(.+?)'/, '缺少参数 $1'],
  [/^option '(.+?)' argument missing/, '选项 $1 缺少取值'],
  [/^option '(.+?)' argument '(.*?)' is invalid/, '选项 $1 的取值 “$2” 无效'],
  [/^unknown option '(.+?)'/, '没有选项 $1'],
  [/^unknown command '(.+?)'/, '没有命令 $1'],
  [/^too many arguments/, '参数过多'],
];

/** One sentence of commander about wrong usage, in both languages. */
export function wrongUsage(text: string): string {
  const english = text.replace(/^error: /, '');
  for (const [pattern, zh] of WRONG) {
    const match = pattern.exec(english);
    if (match)
      return `用法有误：${zh.replace(/\$(\d)/g, (_, at: string) => match[Number(at)] ?? '')}。\nWrong usage: ${english}`;
  }
  return `用法有误 wrong usage: ${english}`;
}

/** For an option that may be given several times. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** Lines under a command's help. */
export const examples = (...lines: readonly string[]): string =>
  ['', '例 Examples:', ...lines.map((line) => `  rollcall ${line}`)].join('\n');
