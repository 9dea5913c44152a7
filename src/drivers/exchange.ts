/**
 * The wire of one session: bytes out, frames in, each wait with a deadline. It keeps frames in order, hands noise to
 * the finding, and turns a closed or broken link into one GatewayError. What a frame means, whether it answers the
 * request or is an event, and how often to ask again is the session's business.
 */
import type { Duplex } from 'node:stream';
import { hexWindow } from '../core/bytes.js';
import { fail } from '../core/errors.js';
import { within } from '../core/time.js';
import type { Wire } from './driver.js';
import { createFramer, type FrameRule } from './framing.js';

export interface Exchange extends Disposable {
  /** Writes bytes; waits for room when the link is slow. */
  send(bytes: Uint8Array): Promise<void>;
  /** The next frame; throws `link-silent` after `timeoutMs` without a complete frame, `link-closed` when the link is gone. */
  receive(timeoutMs: number, waitingFor: string): Promise<Uint8Array>;
  /** The next frame if one is there already. */
  poll(): Uint8Array | null;
  /** Counts since the session began. */
  readonly noiseBytes: number;
  readonly framesSeen: number;
  /** Monotonic time of the last bytes of any kind; before the first, when the session began. */
  readonly lastBytesTicks: number;
  /** The first bytes that ever arrived (at most 16): the witness for `wrong-protocol`. */
  readonly firstBytes: Uint8Array;
}

export interface ExchangeOptions {
  /** Gives up an incomplete frame after this silence (serial lines). Null: never. */
  readonly idleFlushMs: number | null;
  /** Longest a write may wait for the link to take it. */
  readonly sendTimeoutMs?: number;
}

const QUEUE_MAX = 4096;

export function createExchange(
  link: Duplex,
  rule: FrameRule,
  options: ExchangeOptions,
  wire: Wire,
  signal: AbortSignal,
): Exchange {
  const framer = createFramer(rule);
  const frames: Uint8Array[] = [];
  let noiseBytes = 0;
  let framesSeen = 0;
  let lastBytesTicks = wire.clock.ticks();
  let firstBytes: Uint8Array = new Uint8Array(0);
  let closed: Error | null = null;
  let wake: (() => void) | null = null;
  let giveUpSending: ((error: Error) => void) | null = null;

  // A function, because the compiler believes that a push cannot change `pending`.
  const pending = (): number => framer.pending;

  const notice = (cuts: ReturnType<typeof framer.push>): void => {
    for (const cut of cuts) {
      if (cut.kind === 'frame') {
        frames.push(cut.bytes);
        framesSeen += 1;
      } else {
        noiseBytes += cut.bytes.length;
        wire.note({
          code: 'noise',
          text: `${cut.bytes.length} bytes belong to no frame`,
          data: { bytes: cut.bytes.length, window: hexWindow(cut.bytes) },
        });
      }
    }
    if (frames.length > QUEUE_MAX) link.pause();
    if (cuts.length > 0) wake?.();
  };
  const onData = (chunk: Uint8Array): void => {
    lastBytesTicks = wire.clock.ticks();
    const pendingBefore = framer.pending;
    if (firstBytes.length < 16)
      firstBytes = Uint8Array.from([...firstBytes, ...chunk.subarray(0, 16 - firstBytes.length)]);
    notice(framer.push(chunk));
    // Every further piece of a frame only moves `lastBytesTicks`: a 3 MB answer in pieces of 7 bytes wakes nobody.
    if (pendingBefore === 0 && pending() > 0) wake?.();
  };
  const onGone = (error?: Error): void => {
    closed ??= fail('link-closed', {}, error);
    // A link that breaks in the middle of a write may never say what became of it.
    giveUpSending?.(closed);
    notice(framer.flush());
    wake?.();
  };
  const onEnd = (): void => onGone();
  link.on('data', onData);
  link.on('error', onGone);
  link.on('end', onEnd);
  link.on('close', onEnd);
  if (link.destroyed) onGone();

  const take = (): Uint8Array | null => {
    const frame = frames.shift() ?? null;
    if (frame && frames.length === QUEUE_MAX / 2) link.resume();
    return frame;
  };

  return {
    async send(bytes) {
      signal.throwIfAborted();
      if (closed) throw closed;
      const written = new Promise<void>((resolve, reject) => {
        giveUpSending = reject;
        link.write(bytes, (error) => (error ? reject(fail('link-closed', {}, error)) : resolve()));
      });
      const timeoutMs = options.sendTimeoutMs ?? 10_000;
      if ((await within(wire.clock, timeoutMs, signal, written)) === 'late') {
        throw fail('link-silent', { ms: Math.round(timeoutMs), waitingFor: 'room to write', waitingForZh: '等待写入' });
      }
    },
    async receive(timeoutMs, waitingFor) {
      const began = wire.clock.ticks();
      for (;;) {
        signal.throwIfAborted();
        const frame = take();
        if (frame) return frame;
        if (closed) throw closed;
        const left = timeoutMs - (wire.clock.ticks() - began);
        if (left <= 0) throw fail('link-silent', { ms: Math.round(timeoutMs), waitingFor });
        const idleMs = framer.pending > 0 ? options.idleFlushMs : null;
        const idleLeft = idleMs === null ? left : lastBytesTicks + idleMs - wire.clock.ticks();
        if (idleLeft <= 0) {
          notice(framer.flush());
          continue;
        }
        const arrival = new Promise<void>((resolve) => (wake = resolve));
        await within(wire.clock, Math.min(left, idleLeft), signal, arrival);
        wake = null;
      }
    },
    poll: () => take(),
    get noiseBytes() {
      return noiseBytes;
    },
    get framesSeen() {
      return framesSeen;
    },
    get lastBytesTicks() {
      return lastBytesTicks;
    },
    get firstBytes() {
      return firstBytes;
    },
    [Symbol.dispose]() {
      link.off('data', onData);
      link.off('error', onGone);
      link.off('end', onEnd);
      link.off('close', onEnd);
      // A link may still fail after we have stopped listening; that is nobody's error any more.
      link.on('error', () => undefined);
      onGone();
    },
  };
}
