/**
 * A capture played back: the terminal's side of it as links. What the terminal said is said again as soon as the gateway has
 * written as much as it had written then, so a session finds the conversation of the capture at whatever speed it talks. The
 * capture's own times are not waited for. What the gateway says now may be shorter than then (another date, another host): when it
 * has said something and then waits, it is its turn no longer. When everything has been said, the links end.
 */
import { Duplex } from 'node:stream';
import type { Clock } from '../core/time.js';
import type { Capture, CaptureEntry } from './tap.js';

export interface Replay {
  /** The connections of the capture, in the order in which they were opened. */
  readonly links: readonly Duplex[];
  /** Whether every byte of the terminal has been said. */
  readonly finished: () => boolean;
}

/** Silence after which the gateway has said all it wants to say. */
const TURN_MS = 300;

interface Stage {
  readonly datagrams: boolean;
  readonly clock: Clock;
  readonly said: (bytes: number) => void;
}

function play(entries: readonly CaptureEntry[], { datagrams, clock, said }: Stage): Duplex {
  const over = new AbortController();
  let next = 0;
  let heardBytes = 0;
  let owedBytes = 0;
  let writes = 0;
  const turnOver = async (): Promise<void> => {
    writes += 1;
    const mine = writes;
    await clock.sleep(TURN_MS, over.signal);
    if (mine !== writes || heardBytes >= owedBytes) return;
    heardBytes = owedBytes;
    go();
  };
  // Whoever hears an answer may write at once, in the middle of the loop that said it.
  let going = false;
  const go = (): void => {
    if (going) return;
    going = true;
    sayWhatIsDue();
    going = false;
  };
  const sayWhatIsDue = (): void => {
    for (let entry = entries[next]; entry; entry = entries[next]) {
      if (entry.direction === 'to-device') owedBytes += entry.bytes.length;
      else if (heardBytes < owedBytes) return;
      else {
        link.push(entry.bytes);
        said(entry.bytes.length);
      }
      next += 1;
    }
    if (heardBytes >= owedBytes) link.push(null);
  };
  const link: Duplex = new Duplex({
    readableObjectMode: datagrams,
    writableObjectMode: datagrams,
    read: () => undefined,
    write(chunk: Uint8Array, _encoding, done) {
      heardBytes += chunk.length;
      done();
      if (next < entries.length) go();
      if (heardBytes < owedBytes) turnOver().catch(() => undefined);
    },
    destroy(error, done) {
      over.abort();
      done(error);
    },
  });
  // Begin when somebody has taken the link, not while it is made.
  setImmediate(go);
  return link;
}

/** Makes links of a capture. */
export function replayCapture(capture: Capture, clock: Clock): Replay {
  const total = capture.entries.reduce((sum, one) => sum + (one.direction === 'from-device' ? one.bytes.length : 0), 0);
  let saidBytes = 0;
  const numbers = [...new Set(capture.entries.map((one) => one.connection))].sort((a, b) => a - b);
  return {
    links: numbers.map((number) =>
      play(
        capture.entries.filter((one) => one.connection === number),
        {
          clock,
          datagrams: capture.header.reach?.startsWith('udp://') ?? false,
          said: (bytes) => (saidBytes += bytes),
        },
      ),
    ),
    finished: () => saidBytes === total,
  };
}
