/**
 * Takes the persons out of a log file, byte for byte of the same length: ids become other ids, times, states and methods stay, every
 * other cell becomes filler (names, departments, cards). Titles and lines that are no punch lose everything but their delimiters,
 * because nobody knows what they hold. A file that is not understood becomes zeros.
 */
import { GatewayError } from '../../core/errors.js';
import type { Masks } from '../driver.js';
import { readLog, rolesFor, type Log, type LogLine } from './log.js';
import type { Role, UsbFileOptions } from './options.js';

interface Range {
  readonly from: number;
  readonly to: number;
}

const KEPT: readonly Role[] = ['dateTime', 'date', 'time', 'status', 'verify'];
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const QUOTE = 0x22;

export function scrub(
  options: UsbFileOptions,
  from: 'device' | 'gateway',
  bytes: Uint8Array,
  masks: Masks,
): Uint8Array {
  if (from === 'gateway') return new Uint8Array(bytes.length);
  const out = Uint8Array.from(bytes);
  try {
    const log = readLog(bytes, options);
    let at = 0;
    for (const line of log.lines()) {
      if (line.kind !== 'header' && line.kind !== 'blank')
        mask(out.subarray(at, at + line.bytes.length), line, log, masks);
      at += line.bytes.length;
    }
    return out;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return new Uint8Array(bytes.length);
  }
}

/** Masks one line in place. */
function mask(line: Uint8Array, told: LogLine, log: Log, masks: Masks): void {
  const delimiter = (log.layout?.delimiter ?? '\t').charCodeAt(0);
  const cells = cellsOf(line, delimiter);
  const roles = log.layout
    ? rolesFor(
        cells.map(({ from, to }) => (from === to ? '' : 'x')),
        log.layout,
      )
    : {};
  cells.forEach((cell, column) => {
    const role = (Object.keys(roles) as Role[]).find((one) => roles[one] === column);
    if (told.kind === 'punch' && role !== undefined && KEPT.includes(role)) return;
    const inner = innerOf(line, cell);
    const id = told.kind === 'punch' && role === 'id' ? told.punch.deviceUserId : null;
    const text = Buffer.from(line.subarray(inner.from, inner.to)).toString('latin1');
    // The padding before an id stays: it would be part of the other id else.
    const from = id !== null && text.endsWith(id) ? inner.to - id.length : inner.from;
    const masked = id !== null && /^[\x21-\x7e]+$/.test(id) ? Buffer.from(masks.id(id), 'latin1') : null;
    const size = inner.to - from;
    line.set(masked?.length === size ? masked : masks.filler(size), from);
  });
}

/** Places of the cells of a line, its end and a byte order mark left out. A doubled quote inside quotes ends and begins them. */
function cellsOf(line: Uint8Array, delimiter: number): readonly Range[] {
  let end = line.length;
  while (end > 0 && (line[end - 1] === 0x0a || line[end - 1] === 0x0d)) end -= 1;
  const cells: Range[] = [];
  let from = MARK.equals(line.subarray(0, 3)) ? 3 : 0;
  let quoted = false;
  for (let at = from; at <= end; at += 1) {
    if (at < end && line[at] === QUOTE) quoted = !quoted;
    if (at < end && (quoted || line[at] !== delimiter)) continue;
    cells.push({ from, to: at });
    from = at + 1;
  }
  return cells;
}

/** The cell without white space, quotes and what spreadsheet programs put around digits. */
function innerOf(line: Uint8Array, cell: Range): Range {
  let { from, to } = cell;
  const around = (byte: number | undefined): boolean =>
    byte !== undefined && [QUOTE, 0x20, 0x09, 0x27, 0x3d].includes(byte);
  while (from < to && around(line[from])) from += 1;
  while (to > from && around(line[to - 1])) to -= 1;
  return { from, to };
}
