/** What every command of the command line shares: checked arguments, signals that end it, and its exit code. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { zone, type Zone } from '../core/time.js';
import { createConsole, guarded, outputReader, type Console } from './console.js';
import { collect } from './usage.js';

export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number, please / 请输入整数');
  return value;
}

export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('a number above 0, please / 请输入大于 0 的数');
  return value;
}

export function zoneName(text: string): Zone {
  const found = zone(text);
  if (found === null) throw new InvalidArgumentError('an IANA zone such as Asia/Shanghai, please / 请输入时区名');
  return found;
}

/** An option that may be given several times. */
export const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(collect).default([], '无 none');

/** Aborts on the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
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
export const readingSignal = (): AbortSignal => AbortSignal.any([stopSignal(), outputReader()]);

interface Common {
  readonly json?: boolean;
}

/** Runs a command's work and leaves its exit code. */
export function action<A extends unknown[]>(
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

export const JSON_FLAG = ['--json', '每行一个 JSON 对象 one JSON object a line'] as const;
export const SET_WORDS =
  '驱动选项，可重复；密码用 commKeyFile=文件 driver option, repeatable; a password as commKeyFile=FILE';
