/**
 * From a reach to a link: the one door through which terminals are reached, with the tap in between. Promises that
 * every failure is a GatewayError with a remedy, that opening has a deadline and obeys the signal, and that after
 * `close` nothing stays open. The signal governs opening only; an open link is closed by disposing it.
 */
import { fail } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { formatReach, type Reach } from '../core/reach.js';
import type { Clock } from '../core/time.js';
import { createSerialLines } from './serial.js';
import { accept, dial, type Link, type Listening } from './socket.js';
import { createTap, type Tap } from './tap.js';

export interface OpenOptions {
  /** Deadline of the dial, or of opening the port; waiting for one's turn on a shared line does not count. */
  readonly timeoutMs?: number;
}

export interface Links extends AsyncDisposable {
  readonly tap: Tap;
  /** Opens a link: dials `tcp`, leases `serial`. Waits its turn on a serial line in use. */
  open(reach: Reach, signal: AbortSignal, options?: OpenOptions): Promise<Link>;
  /** Accepts links on a `tcp-listen` reach until the signal aborts; resolves when it listens. A link is closed when `onLink` settles. */
  listen(reach: Reach, onLink: (link: Link, peer: string) => Promise<void>, signal: AbortSignal): Promise<Listening>;
  /** Ends every serial lease and closes every port that was kept open. */
  close(): Promise<void>;
}

export interface LinksOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly tap?: Tap;
  /** How long a serial port stays open after its last lease; 5000 when not given. */
  readonly serialLingerMs?: number;
}

const CONNECT_MS = 10_000;

export function createLinks(options: LinksOptions): Links {
  const { clock, log } = options;
  const tap = options.tap ?? createTap(clock);
  const lines = createSerialLines(
    clock,
    options.serialLingerMs === undefined ? {} : { lingerMs: options.serialLingerMs },
  );
  const unsupported = (reach: Reach, way: string, wayZh: string): never => {
    throw fail('bad-reach', {
      reach: formatReach(reach),
      reason: `${reach.kind} cannot be ${way}`,
      reasonZh: `本版本${wayZh} ${reach.kind}`,
    });
  };

  return {
    tap,
    async open(reach, signal, { timeoutMs = CONNECT_MS } = {}) {
      const name = formatReach(reach);
      const began = clock.ticks();
      const stream = tap.stream(name);
      const link =
        reach.kind === 'tcp'
          ? await dial(reach, clock, timeoutMs, signal, stream)
          : reach.kind === 'serial'
            ? await lines.lease(reach, timeoutMs, signal, stream)
            : unsupported(reach, 'opened by this gateway', '尚不能打开');
      log.debug({ reach: name, afterMs: Math.round(clock.ticks() - began) }, 'link open');
      return link;
    },
    async listen(reach, onLink, signal) {
      if (reach.kind !== 'tcp-listen') return unsupported(reach, 'listened on', '不能监听');
      const listening = await accept(reach, onLink, signal, (peer) =>
        tap.stream(`${formatReach(reach)} ${peer.replace(/:\d+$/, '')}`),
      );
      log.info({ reach: formatReach(reach), port: listening.port }, 'listening');
      return listening;
    },
    close: () => lines.close(),
    [Symbol.asyncDispose]: () => lines.close(),
  };
}
