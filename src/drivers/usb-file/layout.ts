/**
 * What kind of log a file is: its encoding, its lines, its columns. The header decides where there is one, because nobody has
 * published the column set of GLG and AGL files and every export tool has its own; titles above the header are passed over.
 * A file that is none of the known kinds is `log-file-unknown`, with what is missing.
 */
import { isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { fail } from '../../core/errors.js';
import { splitCells } from './cells.js';
import { parseMoment } from './moment.js';
import type { Role, UsbFileOptions } from './options.js';
import { plain, rolesOf } from './words.js';

/** Columns by role, from 0. */
export type Roles = Readonly<Partial<Record<Role, number | undefined>>>;

export interface Layout {
  readonly format: 'zk' | 'timmy' | 'csv';
  readonly delimiter: string;
  /** Index of the header line; -1: none. */
  readonly header: number;
  readonly headerText: string;
  /** Columns by role, for lines of any width but `narrow`. */
  readonly roles: Roles;
  /** A header with empty cells in it may stand above lines without them: columns for lines of exactly that width. */
  readonly narrow: { readonly width: number; readonly roles: Roles } | null;
}

export interface Text {
  readonly encoding: 'gbk' | 'utf-8';
  /** Where each line begins, and after the last the length of the file. */
  readonly starts: readonly number[];
  /** The line without its end and without a byte order mark. */
  line(index: number): string;
}

/** Exports of years are some megabytes. */
export const FILE_BYTES_MAX = 64 * 1024 * 1024;
const LINES_LOOKED_AT = 30;
const DELIMITERS = ['\t', ',', ';'] as const;

const unknown = (reason: string, reasonZh: string): Error => fail('log-file-unknown', { reason, reasonZh });

export function textOf(bytes: Uint8Array, wanted: UsbFileOptions['encoding']): Text {
  if (bytes.length > FILE_BYTES_MAX) throw unknown('it is longer than 64 MiB', '超过 64 MiB');
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw unknown('it is UTF-16; save it as CSV UTF-8', '编码为 UTF-16，请另存为 CSV UTF-8');
  if (bytes.subarray(0, 4096).includes(0)) throw unknown('it is no text', '不是文本文件');
  const encoding = wanted === 'auto' ? (isUtf8(bytes) ? 'utf-8' : 'gbk') : wanted;
  const mark = first === 0xef && second === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const starts = [0];
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) starts.push(at + 1);
  if (starts.at(-1) !== bytes.length) starts.push(bytes.length);
  return {
    encoding,
    starts,
    line(index) {
      const from = (starts[index] ?? 0) + (index === 0 ? mark : 0);
      let to = starts[index + 1] ?? from;
      while (to > from && (bytes[to - 1] === 0x0a || bytes[to - 1] === 0x0d)) to -= 1;
      const slice = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
      return encoding === 'gbk' ? iconv.decode(slice, 'gbk') : slice.toString('utf8');
    },
  };
}

export function layoutOf(text: Text, options: UsbFileOptions): Layout | null {
  const head: { readonly index: number; readonly line: string }[] = [];
  for (let index = 0; index + 1 < text.starts.length && head.length < LINES_LOOKED_AT; index += 1) {
    const line = text.line(index);
    if (line.trim() !== '') head.push({ index, line });
  }
  const [first] = head;
  // Nothing in it at all: an empty log.
  if (!first) return null;
  const { format } = options;
  if (format === 'zk' || (format === 'auto' && isAttlog(first.line, options))) return attlog(options);
  for (const { index, line } of head) {
    for (const delimiter of DELIMITERS) {
      const cells = splitCells([line], delimiter)[0] ?? [];
      const roles = chosen(cells, options);
      const timmy = cells.some((cell) => plain(cell) === 'enno');
      if (cells.length < 2 || !isEnough(roles) || (format === 'timmy' && !timmy)) continue;
      // Columns that were named by number may stand above no header: then this is a punch already.
      const bare = isMoment(cells, roles, options);
      return {
        format: timmy && format !== 'csv' ? 'timmy' : 'csv',
        delimiter,
        header: bare ? -1 : index,
        headerText: bare ? '' : line,
        roles,
        narrow: bare ? null : narrowOf(cells, options),
      };
    }
  }
  throw unknown(
    'no line names a column for the id and one for the time; say which they are with the option "columns"',
    '没有找到含有人员编号列和时间列的表头，请用选项 “columns” 指定',
  );
}

const isEnough = (roles: Roles): boolean =>
  roles.id !== undefined && (roles.dateTime !== undefined || roles.date !== undefined || roles.time !== undefined);

function isMoment(cells: readonly string[], roles: Roles, options: UsbFileOptions): boolean {
  const cell = (role: Role): string => cells[roles[role] ?? -1] ?? '';
  return [cell('dateTime'), `${cell('date')} ${cell('time')}`].some(
    (text) => parseMoment(text, options.dateOrder).wall !== null,
  );
}

/** What the header says, and over it what the technician says. */
function chosen(cells: readonly string[], options: UsbFileOptions): Roles {
  const roles: Partial<Record<Role, number | undefined>> = { ...rolesOf(cells) };
  const names = cells.map(plain);
  for (const [role, column] of Object.entries(options.columns ?? {}) as [Role, string | number | undefined][]) {
    if (column === undefined) continue;
    const index = typeof column === 'number' ? column - 1 : names.indexOf(plain(column));
    roles[role] = index >= 0 && index < cells.length ? index : undefined;
  }
  return roles;
}

function narrowOf(cells: readonly string[], options: UsbFileOptions): Layout['narrow'] {
  const filled = cells.filter((cell) => cell.trim() !== '');
  return filled.length < cells.length ? { width: filled.length, roles: chosen(filled, options) } : null;
}

/** Id, date and time, terminal number, state, method, work code; without a header. */
function attlog(options: UsbFileOptions): Layout {
  const roles: Partial<Record<Role, number>> = { id: 0, dateTime: 1, status: 3, verify: 4 };
  for (const [role, column] of Object.entries(options.columns ?? {}) as [Role, string | number | undefined][])
    if (typeof column === 'number') roles[role] = column - 1;
  return { format: 'zk', delimiter: '\t', header: -1, headerText: '', roles, narrow: null };
}

function isAttlog(line: string, options: UsbFileOptions): boolean {
  const [id = '', time = ''] = line.split('\t');
  return /^\s*\w+\s*$/.test(id) && parseMoment(time, options.dateOrder).wall !== null;
}
