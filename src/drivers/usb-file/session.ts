/**
 * One reading of one file: all its bytes, then its punches in pages. Nobody is asked anything, so the serial number is what the
 * settings say, there is no clock and there are no people. A line that is no punch is a finding with its number, never with its
 * content, and makes the count differ; the file stays where it is.
 */
import type { Duplex } from 'node:stream';
import { fail } from '../../core/errors.js';
import { wallToInstant, within } from '../../core/time.js';
import type { PunchPage, PunchRecord, TerminalSession, Wire } from '../driver.js';
import { FILE_BYTES_MAX } from './layout.js';
import { readLog, REASONS, type Reason } from './log.js';
import type { UsbFileOptions } from './options.js';

const PAGE_PUNCHES = 1000;
/** A stick that stops in the middle was pulled out. */
const SILENCE_MS = 10_000;
/** Refused lines that are named one by one; the rest are counted. */
const NAMED_MAX = 20;

export function createSession(link: Duplex, options: UsbFileOptions, wire: Wire, signal: AbortSignal): TerminalSession {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  let broken: Error | null = null;
  let wake: (() => void) | null = null;
  const onData = (chunk: Uint8Array): void => {
    size += chunk.length;
    if (size <= FILE_BYTES_MAX + 1) chunks.push(Uint8Array.from(chunk));
    else link.pause();
    wake?.();
  };
  const onEnd = (): void => {
    ended = true;
    wake?.();
  };
  const onGone = (error?: Error): void => {
    if (!ended)
      broken ??= error instanceof Error && error.name === 'GatewayError' ? error : fail('link-closed', {}, error);
    wake?.();
  };
  const onClose = (): void => onGone();
  link.on('data', onData);
  link.on('end', onEnd);
  link.on('error', onGone);
  link.on('close', onClose);
  if (link.destroyed) onGone();

  const state = (): { readonly ended: boolean; readonly broken: Error | null } => ({ ended, broken });

  const wholeFile = async (): Promise<Uint8Array> => {
    for (;;) {
      signal.throwIfAborted();
      if (state().ended || size > FILE_BYTES_MAX) break;
      const gone = state().broken;
      if (gone) throw gone;
      const before = size;
      const arrival = new Promise<void>((resolve) => (wake = resolve));
      const late = (await within(wire.clock, SILENCE_MS, signal, arrival)) === 'late';
      wake = null;
      if (late && size === before && !state().ended)
        throw fail('link-silent', { ms: SILENCE_MS, waitingFor: 'file', waitingForZh: '读取文件' });
    }
    return Buffer.concat(chunks);
  };

  async function* pages(): AsyncGenerator<PunchPage, void> {
    const log = readLog(await wholeFile(), options);
    const refused = new Map<Reason, number>();
    let [announced, decoded, impossible, minutesOnly] = [0, 0, 0, 0];
    let page: PunchRecord[] = [];
    for (const line of log.lines()) {
      if (line.kind === 'refused') {
        announced += 1;
        const { reason, number } = line;
        refused.set(reason, (refused.get(reason) ?? 0) + 1);
        if (announced - decoded <= NAMED_MAX)
          wire.note({
            code: 'odd',
            text: `Line ${number} is no punch: ${REASONS[reason]}`,
            data: { line: number, reason },
          });
      }
      if (line.kind !== 'punch') continue;
      announced += 1;
      decoded += 1;
      if (!line.seconds) minutesOnly += 1;
      if (wallToInstant(line.punch.wallTime, wire.zone) === null) impossible += 1;
      if (page.length === PAGE_PUNCHES) {
        yield { punches: page, cursor: null, drained: false, count: null };
        signal.throwIfAborted();
        page = [];
      }
      page.push(line.punch);
    }
    tell({ announced, decoded, impossible, minutesOnly, refused });
    yield { punches: page, cursor: null, drained: true, count: { announced, decoded } };
  }

  const tell = (found: {
    readonly announced: number;
    readonly decoded: number;
    readonly impossible: number;
    readonly minutesOnly: number;
    readonly refused: ReadonlyMap<Reason, number>;
  }): void => {
    const { announced, decoded, impossible, minutesOnly, refused } = found;
    if (decoded < announced)
      wire.note({
        code: 'count-mismatch',
        text: `The file has ${announced} lines of data, of which ${decoded} are punches`,
        data: { announced, decoded, ...Object.fromEntries(refused) },
      });
    if (impossible > 0)
      wire.note({
        code: 'impossible-date',
        text: `${impossible} lines have a date that does not exist`,
        data: { lines: impossible },
      });
    // The same punch read over a wire has seconds and is another one then.
    if (minutesOnly > 0)
      wire.note({
        code: 'odd',
        text: `${minutesOnly} lines tell no seconds; a spreadsheet program may have cut them off`,
        data: { lines: minutesOnly },
      });
  };

  return {
    identify: () => Promise.resolve({ serial: options.serial, model: null, firmware: null, details: {} }),
    pages: () => pages(),
    confirm: () => Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      link.off('data', onData);
      link.off('end', onEnd);
      link.off('error', onGone);
      link.off('close', onClose);
      link.on('error', () => undefined);
      onGone();
      await Promise.resolve();
    },
  };
}
