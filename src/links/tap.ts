/**
 * The tap: what went over every link, for support. It keeps the last 64 KiB of each reach in both directions, across
 * reconnects, and turns them into a capture file: text, a header of `#` lines, then `> hex` (gateway to terminal) and
 * `< hex` (terminal to gateway), each with the milliseconds since the first line.
 *
 * Where a terminal is talked to over several connections at once, each has its number (`c2` behind the time), so that their
 * bytes can be told apart. It promises bounded memory and bounded files. It knows no protocol: a capture holds whatever was
 * on the wire, persons and passwords too, until its driver has scrubbed it.
 */
import { rename, writeFile } from 'node:fs/promises';
import { hex, parseHex } from '../core/bytes.js';
import { fail } from '../core/errors.js';
import { isoUtc, type Clock } from '../core/time.js';

export type TapDirection = 'to-device' | 'from-device';

export interface CaptureEntry {
  readonly direction: TapDirection;
  /** Milliseconds since the first entry of the capture. */
  readonly atMs: number;
  readonly bytes: Uint8Array;
  /** Which connection of the reach, from 1 in the order of opening. */
  readonly connection: number;
}

/** Header lines by name: `driver`, `reach`, `date`, `who`, `model`, `firmware`, … Names are lower case. */
export type CaptureHeader = Readonly<Record<string, string>>;

export interface Capture {
  readonly header: CaptureHeader;
  readonly entries: readonly CaptureEntry[];
}

/** The tap of one connection; its link reports to it. */
export interface TapStream {
  record(direction: TapDirection, bytes: Uint8Array): void;
}

export interface Tap {
  /** A new connection of a reach, as `formatReach` writes it. */
  stream(reach: string): TapStream;
  /** Every reach that was ever opened. */
  reaches(): readonly string[];
  /** The last bytes of a reach, oldest first; empty when it was never opened. */
  snapshot(reach: string, header?: CaptureHeader): Capture;
  /** Hears every chunk of every reach until the returned function is called. A listener must not throw. */
  subscribe(listener: (reach: string, entry: CaptureEntry) => void): () => void;
}

export interface TapOptions {
  /** Bytes kept for each reach, both directions together. */
  readonly sizeBytesMax?: number;
}

interface Kept {
  readonly direction: TapDirection;
  readonly ticks: number;
  readonly bytes: Uint8Array;
  readonly connection: number;
}

interface Ring {
  kept: Kept[];
  sizeBytes: number;
  connections: number;
}

const KEPT_BYTES = 65_536;
const REACHES_MAX = 256;
const LINE_BYTES = 32;
/** A capture file is never longer; what is older is left out. */
export const CAPTURE_BYTES_MAX = 1_048_576;

export function createTap(clock: Clock, options: TapOptions = {}): Tap {
  const sizeBytesMax = options.sizeBytesMax ?? KEPT_BYTES;
  const streams = new Map<string, Ring>();
  const listeners = new Set<(reach: string, entry: CaptureEntry) => void>();
  const began = clock.ticks();

  const ring = (reach: string): Ring => {
    const known = streams.get(reach);
    if (known) return known;
    const oldest = streams.size >= REACHES_MAX ? streams.keys().next().value : undefined;
    if (oldest !== undefined) streams.delete(oldest);
    const fresh: Ring = { kept: [], sizeBytes: 0, connections: 0 };
    streams.set(reach, fresh);
    return fresh;
  };

  return {
    stream(reach) {
      const opened = ring(reach);
      opened.connections += 1;
      const connection = opened.connections;
      return {
        record(direction, chunk) {
          if (chunk.length === 0) return;
          const into = ring(reach);
          // A copy: the stream that gave us the chunk may use its memory again.
          const bytes = Uint8Array.from(chunk.subarray(Math.max(0, chunk.length - sizeBytesMax)));
          const ticks = clock.ticks();
          into.kept.push({ direction, ticks, bytes, connection });
          into.sizeBytes += bytes.length;
          let drop = 0;
          while (into.sizeBytes > sizeBytesMax) {
            into.sizeBytes -= into.kept[drop]?.bytes.length ?? 0;
            drop += 1;
          }
          if (drop > 0) into.kept.splice(0, drop);
          const entry = { direction, atMs: Math.round(ticks - began), bytes, connection };
          for (const listener of listeners) listener(reach, entry);
        },
      };
    },
    reaches: () => [...streams.keys()],
    snapshot(reach, header = {}) {
      const kept = streams.get(reach)?.kept ?? [];
      const first = kept[0]?.ticks ?? 0;
      const firstConnection = Math.min(...kept.map((one) => one.connection));
      return {
        header: { reach, date: isoUtc(clock.now()), ...header },
        entries: kept.map(({ direction, ticks, bytes, connection }) => ({
          ...{ direction, atMs: Math.round(ticks - first), bytes },
          connection: connection - firstConnection + 1,
        })),
      };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** A capture as text. Entries are cut into lines of 32 bytes; the oldest are left out beyond `sizeBytesMax` of payload. */
export function formatCapture(capture: Capture, sizeBytesMax = CAPTURE_BYTES_MAX): string {
  let from = capture.entries.length;
  for (let size = 0; from > 0; from -= 1) {
    size += capture.entries[from - 1]?.bytes.length ?? 0;
    if (size > sizeBytesMax) break;
  }
  const entries = capture.entries.slice(from);
  const firstMs = entries[0]?.atMs ?? 0;
  const lines = Object.entries(capture.header).map(
    ([name, value]) => `# ${name.toLowerCase()}: ${value.replace(/[\r\n]+/g, ' ')}`,
  );
  if (from > 0) lines.push(`# left-out: ${from} older entries`);
  for (const entry of entries) {
    for (let at = 0; at < entry.bytes.length; at += LINE_BYTES) {
      const mark = entry.direction === 'to-device' ? '>' : '<';
      const which = entry.connection === 1 ? '' : ` c${entry.connection}`;
      const time = at === 0 ? ` # +${entry.atMs - firstMs}${which}` : '';
      lines.push(`${mark}${at === 0 ? '' : '.'} ${hex(entry.bytes.subarray(at, at + LINE_BYTES))}${time}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Reads a capture back. `#` lines of the form `name: value` before the first byte are the header, later ones and what
 * follows a `#` are comments. `# +12 c2` after the bytes or `12` before the mark is their time; `>.` and `<.` continue the
 * line before. Throws `bad-hex` with line and column.
 */
export function parseCapture(text: string): Capture {
  const header: Record<string, string> = {};
  // The pieces of an entry are joined at the end: one of 64 KiB comes in two thousand lines.
  const entries: (Omit<CaptureEntry, 'bytes'> & { readonly pieces: Uint8Array[] })[] = [];
  let lastMs = 0;
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const name = /^#\s*([A-Za-z][\w-]*)\s*:\s*(.*)$/.exec(line);
    if (line.startsWith('#')) {
      if (name?.[1] !== undefined && entries.length === 0) header[name[1].toLowerCase()] = (name[2] ?? '').trim();
      return;
    }
    const match = /^\s*(?:(\d+)\s+)?([<>])(\.?)\s*([^#]*)(?:#\s*(?:\+(\d+)(?:\s+c(\d+))?)?.*)?$/.exec(line);
    if (!match) throw fail('bad-hex', { line: index + 1, column: 1, found: line.slice(0, 1) });
    const direction: TapDirection = match[2] === '>' ? 'to-device' : 'from-device';
    const bytes = parseLine(match[4] ?? '', index + 1, line.length - line.replace(/^[\s\d]*[<>]\.?\s*/, '').length);
    lastMs = Number(match[5] ?? match[1] ?? lastMs);
    const before = entries.at(-1);
    if (match[3] === '.' && before?.direction === direction) before.pieces.push(bytes);
    else if (bytes.length > 0)
      entries.push({ direction, atMs: lastMs, pieces: [bytes], connection: Number(match[6] ?? 1) });
  });
  return {
    header,
    entries: entries.map(({ pieces, ...entry }) => ({ ...entry, bytes: Uint8Array.from(Buffer.concat(pieces)) })),
  };
}

function parseLine(code: string, line: number, columnsBefore: number): Uint8Array {
  try {
    return parseHex(code);
  } catch {
    // Line breaks and blanks in front make parseHex count lines and columns as the file does; only a fault is worth them.
    return parseHex(`${'\n'.repeat(line - 1)}${' '.repeat(Math.max(0, columnsBefore))}${code}`);
  }
}

/** All bytes of one direction, joined: what `decode` wants. */
export function captureBytes(capture: Capture, direction: TapDirection): Uint8Array {
  return Buffer.concat(capture.entries.filter((entry) => entry.direction === direction).map((entry) => entry.bytes));
}

/** Writes a capture file (mode 0600), whole or not at all. Throws `capture-failed`. */
export async function writeCapture(path: string, capture: Capture): Promise<void> {
  try {
    await writeFile(`${path}.part`, formatCapture(capture), { mode: 0o600 });
    await rename(`${path}.part`, path);
  } catch (error) {
    throw fail('capture-failed', { path, reason: error instanceof Error ? error.message : String(error) }, error);
  }
}
