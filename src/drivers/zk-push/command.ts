/**
 * The command channel as text: `C:<id>:<command>` lines from the gateway, and what comes back at `devicecmd`:
 *
 *   ID=17&Return=0&CMD=DATA                     one line a command, several in one body
 *   ID=18&Return=0&CMD=INFO LF Key=Value LF …   further lines belong to the command before them
 *   ID=19&Return=0&CMD=VERIFY SUM&StartTime=…&EndTime=…&AttlogSum=40    (AttlogCount in the firmware that was read)
 *   ID=20 LF SN=… LF Return=5 LF CMD=Shell LF Content=…
 *
 * Commands that erase or run programs cannot be composed here.
 */
import type { WallTime } from '../../core/time.js';
import { decodeText, encodeText, type TextEncoding } from './text.js';

/** Most lines and bytes of one answer to a poll. */
const LINES_MAX = 200;
const BYTES_MAX = 40_960;

export interface Command {
  readonly id: string;
  readonly text: string;
}

export const query = {
  info: (): string => 'INFO',
  check: (): string => 'CHECK',
  punches: (from: WallTime, until: WallTime): string => `DATA QUERY ATTLOG StartTime=${from}\tEndTime=${until}`,
  sum: (from: WallTime, until: WallTime): string => `VERIFY SUM ATTLOG StartTime=${from}\tEndTime=${until}`,
  users: (pin?: string): string => `DATA QUERY USERINFO${pin === undefined ? '' : ` PIN=${pin}`}`,
  update: (pairs: readonly (readonly [key: string, value: string])[]): string =>
    `DATA UPDATE USERINFO ${pairs.map(([key, value]) => `${key}=${value}`).join('\t')}`,
  remove: (pin: string): string => `DATA DELETE USERINFO PIN=${pin}`,
} as const;

/** Whether a value can stand in a command: nothing that ends a field or a line. */
export const isPlain = (value: string): boolean => !/\p{Cc}/u.test(value);

/** The answer to a poll, and how many of the commands are in it. */
export function composeCommands(
  commands: readonly Command[],
  encoding: 'gbk' | 'utf-8',
): { readonly body: Uint8Array; readonly taken: number } {
  const lines: Uint8Array[] = [];
  let size = 0;
  for (const { id, text } of commands) {
    const line = encodeText(`C:${id}:${text}\n`, encoding);
    if (lines.length >= LINES_MAX || (size + line.length > BYTES_MAX && lines.length > 0)) break;
    lines.push(line);
    size += line.length;
  }
  return { body: lines.length === 0 ? encodeText('OK', 'utf-8') : Buffer.concat(lines), taken: lines.length };
}

/** As a terminal reads them; a line without end or of another form is left out. */
export function parseCommands(body: Uint8Array, encoding: TextEncoding): Command[] {
  return decodeText(body, encoding)
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const match = /^C:([A-Za-z0-9]{1,16}):(.+?)\r?$/.exec(line);
      return match ? [{ id: match[1] ?? '', text: match[2] ?? '' }] : [];
    });
}

export interface CommandResult {
  readonly id: string;
  /** Success from 0 on. */
  readonly returned: number;
  readonly command: string;
  /** Everything else that was told with it. */
  readonly pairs: readonly (readonly [string, string])[];
}

const pair = (piece: string): (readonly [string, string])[] => {
  const at = piece.indexOf('=');
  return at < 1 ? [] : [[piece.slice(0, at).trim(), piece.slice(at + 1)]];
};

function toResult(pairs: readonly (readonly [string, string])[]): CommandResult[] {
  const value = (key: string): string | undefined => pairs.find(([name]) => name.toUpperCase() === key)?.[1]?.trim();
  const [id, returned] = [value('ID'), value('RETURN')];
  if (id === undefined || returned === undefined || !/^[+-]?\d{1,9}$/.test(returned)) return [];
  const rest = pairs.filter(([key]) => !['ID', 'RETURN', 'CMD', 'SN'].includes(key.toUpperCase()));
  return [{ id, returned: Number(returned), command: value('CMD') ?? '', pairs: rest }];
}

/** Every result of a `devicecmd` body. What is none is left out. */
export function parseResults(body: Uint8Array, encoding: TextEncoding): CommandResult[] {
  const results: CommandResult[] = [];
  let open: (readonly [string, string])[] | null = null;
  const close = (): void => {
    if (open) results.push(...toResult(open));
  };
  for (const line of decodeText(body, encoding).split(/\r?\n/)) {
    if (/^(?:SN=[^&]*&)?ID=/i.test(line)) {
      close();
      open = line.split('&').flatMap(pair);
    } else open?.push(...pair(line));
  }
  close();
  return results;
}

/** For the simulator. `lines` follow on lines of their own, `fields` on the same. */
export function encodeResult(result: {
  readonly id: string;
  readonly returned: number;
  readonly command: string;
  readonly fields?: readonly (readonly [string, string | number])[];
  readonly lines?: readonly (readonly [string, string | number])[];
}): string {
  const head = [`ID=${result.id}`, `Return=${result.returned}`, `CMD=${result.command}`];
  const fields = (result.fields ?? []).map(([key, value]) => `${key}=${value}`);
  const lines = (result.lines ?? []).map(([key, value]) => `${key}=${value}\n`);
  return `${[...head, ...fields].join('&')}\n${lines.join('')}`;
}

/** How many punches `VERIFY SUM ATTLOG` counted; null when the answer does not say. */
export function sumOf(result: CommandResult): number | null {
  const told = result.pairs.find(([key]) => /^attlog(?:sum|count)$/i.test(key))?.[1]?.trim();
  return result.returned >= 0 && told !== undefined && /^\d{1,9}$/.test(told) ? Number(told) : null;
}
