/**
 * A log file as lines: each is a header, blank, a punch, or refused with a reason. Nothing is invented: a line whose id or time a
 * spreadsheet program has damaged is refused, because a wrong person is worse than a missing line that everybody can see. An
 * impossible date is a punch all the same and keeps its digits.
 */
import type { PunchRecord } from '../driver.js';
import { splitCells } from './cells.js';
import { layoutOf, textOf, type Layout, type Text } from './layout.js';
import { parseMoment, type Moment } from './moment.js';
import type { Role, UsbFileOptions } from './options.js';
import { directionOf, verifyOf } from './words.js';

export const REASONS = {
  'spreadsheet-id': 'the id was damaged by a spreadsheet program (1.5E+17); export again and do not save it there',
  'spreadsheet-date': 'the date was turned into a number by a spreadsheet program',
  'date-order': 'day and month cannot be told apart; set the option dateOrder',
  'no-time': 'there is no date and time',
  'no-id': 'there is no id',
  'bad-quotes': 'quotation marks do not match',
} as const;
export type Reason = keyof typeof REASONS;

export type LogLine = { readonly number: number; readonly bytes: Uint8Array } & (
  | { readonly kind: 'header' | 'title' | 'blank' }
  | { readonly kind: 'punch'; readonly punch: PunchRecord; readonly seconds: boolean }
  | { readonly kind: 'refused'; readonly reason: Reason }
);

export interface Log {
  readonly format: Layout['format'] | 'empty';
  readonly encoding: Text['encoding'];
  readonly layout: Layout | null;
  /** Every byte of the file is in exactly one line. */
  lines(): Generator<LogLine>;
}

const BATCH = 500;
/** `1.5E+17`, `1.50E17`: digits beyond the shown ones are lost. */
const DAMAGED = /^\d(?:[.,]\d+)?E\+?\d+$/i;
const ID_MAX = 64;

/** Reads a file. Throws `log-file-unknown`. */
export function readLog(bytes: Uint8Array, options: UsbFileOptions): Log {
  const text = textOf(bytes, options.encoding);
  const layout = layoutOf(text, options);
  const count = text.starts.length - 1;
  const bytesOf = (index: number): Uint8Array => bytes.subarray(text.starts[index] ?? 0, text.starts[index + 1] ?? 0);
  return {
    format: layout?.format ?? 'empty',
    encoding: text.encoding,
    layout,
    *lines() {
      for (let from = 0; from < count; from += BATCH) {
        const to = Math.min(count, from + BATCH);
        const lines = Array.from({ length: to - from }, (_, index) => text.line(from + index));
        const cells = splitCells(lines, layout?.delimiter ?? '\t');
        for (const [place, line] of lines.entries()) {
          const index = from + place;
          yield lineOf({ index, line, cells: cells[place] ?? null, bytes: bytesOf(index) }, layout, options);
        }
      }
    },
  };
}

interface Given {
  readonly index: number;
  readonly line: string;
  readonly cells: readonly string[] | null;
  readonly bytes: Uint8Array;
}

const RAW_ROLES: readonly Role[] = ['id', 'dateTime', 'date', 'time', 'status', 'verify'];

function lineOf({ index, line, cells, bytes }: Given, layout: Layout | null, options: UsbFileOptions): LogLine {
  const at = { number: index + 1, bytes };
  if (layout === null || line.trim() === '') return { ...at, kind: 'blank' };
  if (index < layout.header) return { ...at, kind: 'title' };
  // Two exports joined into one file bring the header twice.
  if (index === layout.header || (layout.header >= 0 && line === layout.headerText)) return { ...at, kind: 'header' };
  if (cells === null) return { ...at, kind: 'refused', reason: 'bad-quotes' };
  if (cells.every((cell) => cell === '')) return { ...at, kind: 'blank' };

  const roles = rolesFor(cells, layout);
  const cell = (role: Role): string => {
    const column = roles[role];
    return column === undefined ? '' : (cells[column] ?? '');
  };
  const id = idOf(cell('id'), layout, options);
  if (DAMAGED.test(id)) return { ...at, kind: 'refused', reason: 'spreadsheet-id' };
  if (id === '' || id.length > ID_MAX) return { ...at, kind: 'refused', reason: 'no-id' };
  const moment = momentOf(cell, options);
  if (moment.wall === null)
    return { ...at, kind: 'refused', reason: moment.reason === 'none' ? 'no-time' : moment.reason };

  const [status, method] = [cell('status').slice(0, 64), cell('verify').slice(0, 64)];
  const zk = layout.format === 'zk';
  const punch: PunchRecord = {
    deviceUserId: id,
    deviceUid: null,
    wallTime: moment.wall,
    direction: options.directionMap?.[status] ?? directionOf(status, zk),
    directionRaw: /^\d{1,9}$/.test(status) ? Number(status) : null,
    verify: options.verifyMap?.[method] ?? verifyOf(method, zk),
    verifyRaw: method === '' ? null : /^\d{1,9}$/.test(method) ? Number(method) : method,
    score: null,
    seq: null,
    source: 'replay',
    // An attlog has numbers only; what stands in other columns, names first of all, is none of the journal's business.
    raw: zk ? withoutEnd(bytes) : Buffer.from(RAW_ROLES.map((role) => cell(role)).join('\t')),
  };
  return { ...at, kind: 'punch', punch, seconds: moment.seconds };
}

/** Empty cells at the end of a line are the habit of some exports and no columns. */
export function rolesFor(cells: readonly string[], layout: Layout): Layout['roles'] {
  const { narrow } = layout;
  if (narrow === null) return layout.roles;
  let width = cells.length;
  while (width > narrow.width && cells[width - 1] === '') width -= 1;
  return width === narrow.width ? narrow.roles : layout.roles;
}

/** GLG and AGL files pad numbers with zeros to a fixed width; everywhere else a zero was typed. */
function idOf(cell: string, layout: Layout, options: UsbFileOptions): string {
  const strip = options.idZeros === 'strip' || (options.idZeros === 'auto' && layout.format === 'timmy');
  return strip && /^\d+$/.test(cell) ? cell.replace(/^0+(?=\d)/, '') : cell;
}

/** Date and time stand in one column or in two; a column called "time" may hold both. */
function momentOf(cell: (role: Role) => string, options: UsbFileOptions): Moment {
  const [both, date, time] = [cell('dateTime'), cell('date'), cell('time')];
  const tries = [both, time, `${date} ${both}`, `${date} ${time}`, date].map((text) =>
    parseMoment(text, options.dateOrder),
  );
  return (
    tries.find((one) => one.wall !== null) ??
    tries.find((one) => one.wall === null && one.reason !== 'none') ?? { wall: null, reason: 'none' }
  );
}

function withoutEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  return Uint8Array.from(bytes.subarray(0, end));
}
