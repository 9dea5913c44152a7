/**
 * Serial ports, and the only file that imports serialport. A line (RS-232 or a shared RS-485 bus) is *leased*: `open`
 * of a line in use waits its turn (first come, first served, abortable); the port itself stays open for a moment
 * between leases, because opening it toggles DTR, which resets some adapters.
 *
 * A line is its canonical path, found anew at each open: a by-id link that points to another tty after a re-plug
 * works, and two names of one port are one line. It promises that an unplugged port ends its lease with `link-closed`,
 * and that nothing received before a lease began is heard in it. It refuses two users with different parameters.
 *
 *      lease (Duplex) ── write ──> tap ──> port ──> tty         one lease at a time
 *      lease (Duplex) <── push ─── tap <── port <── tty         between leases: thrown away
 */
import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { SerialPort } from 'serialport';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import { formatReach, type Reach } from '../core/reach.js';
import { linkedController, within, type Clock } from '../core/time.js';
import { disposeStream, type Link } from './socket.js';
import type { TapStream } from './tap.js';

export type SerialReach = Extract<Reach, { kind: 'serial' }>;

export interface SerialLines {
  /** Leases a line. Throws `serial-missing`, `serial-denied`, `serial-in-use`, `link-refused`, `line-conflict`; the signal's reason when aborted while waiting. */
  lease(reach: SerialReach, timeoutMs: number, signal: AbortSignal, tap: TapStream): Promise<Link>;
  /** Ends every lease and closes every port. */
  close(): Promise<void>;
}

/** How long a port stays open after the last lease. */
const LINGER_MS = 5_000;
/** How often a leased port's device node is looked at, for unplugging that the driver did not report. */
const WATCH_MS = 2_000;
const UNREAD_BYTES_MAX = 1_048_576;

interface Waiter {
  readonly reach: SerialReach;
  /** True: it is your turn. False: the line is gone, look the path up again. */
  readonly turn: (yours: boolean) => void;
}

interface Line {
  readonly path: string;
  readonly waiters: Waiter[];
  port: SerialPort | null;
  /** Device node of the open port: a re-plugged one has the same name and another number. */
  node: string;
  /** Parameters of whoever holds the line, or of the open port. */
  reach: SerialReach;
  /** Set from the moment a turn is given until it is given back. */
  taken: boolean;
  holder: SerialLease | null;
  linger: AbortController | null;
}

/** One turn on a line. */
class SerialLease extends Duplex {
  readonly #tap: TapStream;
  readonly #port: SerialPort;
  readonly #release: () => void;
  #abandonWrite: ((error: Error) => void) | null = null;

  constructor(port: SerialPort, tap: TapStream, release: () => void) {
    super();
    this.#port = port;
    this.#tap = tap;
    this.#release = release;
  }

  heard(chunk: Uint8Array): void {
    this.#tap.record('from-device', chunk);
    // A serial line cannot be held back. A reader that sleeps gets it later, up to a bound; then the line was unheard.
    if (this.readableLength < UNREAD_BYTES_MAX) this.push(Uint8Array.from(chunk));
  }

  override _read(): void {
    // Bytes come when they come.
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tap.record('to-device', chunk);
    // The port forgets a write that is under way when it is unplugged; whoever waits for it must not.
    this.#abandonWrite = done;
    this.#port.write(chunk, (error) => {
      if (this.#abandonWrite !== done) return;
      this.#abandonWrite = null;
      done(error ? fail('link-closed', {}, error) : null);
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#release();
    this.#abandonWrite?.(error ?? fail('link-closed'));
    this.#abandonWrite = null;
    done(error);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await disposeStream(this);
  }
}

const sameParameters = (a: SerialReach, b: SerialReach): boolean =>
  a.baud === b.baud && a.parity === b.parity && a.dataBits === b.dataBits && a.stopBits === b.stopBits;

const nodeOf = async (path: string): Promise<string> => {
  const { dev, ino, rdev } = await stat(path);
  return `${dev}:${ino}:${rdev}`;
};

function portError(reach: SerialReach, error: unknown): GatewayError {
  const code = systemCode(error);
  const text = error instanceof Error ? error.message : String(error);
  const context = { reach: formatReach(reach), path: reach.path, reason: code ?? text.replace(/^Error:\s*/, '') };
  // The package reports most failures of open(2) as text only.
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO' || /No such (?:file|device)/i.test(text))
    return fail('serial-missing', context, error);
  if (code === 'EACCES' || code === 'EPERM' || /Permission denied/i.test(text))
    return fail('serial-denied', context, error);
  if (code === 'EBUSY' || /Cannot lock port|resource busy/i.test(text)) return fail('serial-in-use', context, error);
  return fail('link-refused', context, error);
}

/** Opens the port; its 'error' and 'close' are for the caller to hear from then on. */
async function openPort(
  path: string,
  reach: SerialReach,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SerialPort> {
  await access(path, constants.R_OK | constants.W_OK);
  const port = new SerialPort({
    path,
    baudRate: reach.baud,
    parity: reach.parity,
    dataBits: reach.dataBits,
    stopBits: reach.stopBits,
    autoOpen: false,
  });
  const opened = new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? reject(error) : resolve()));
  });
  const abandon = (): void => {
    // The system call goes on after we have given up; its port must not stay locked.
    port.on('error', () => undefined);
    opened.then(
      () => port.close(() => undefined),
      () => undefined,
    );
  };
  try {
    if ((await within(clock, timeoutMs, signal, opened)) !== 'late') return port;
    throw fail('link-refused', {
      reach: formatReach(reach),
      reason: `not open within ${timeoutMs} ms`,
      reasonZh: `${timeoutMs} 毫秒内未能打开`,
    });
  } catch (error) {
    abandon();
    throw error;
  }
}

const closePort = async (port: SerialPort): Promise<void> =>
  new Promise<void>((resolve) => {
    if (!port.isOpen) resolve();
    else port.close(() => resolve());
  });

/** A serial port of this machine, with the name that stays when it is plugged in elsewhere. */
export interface SerialPortInfo {
  readonly path: string;
  /** Link under /dev/serial/by-id, which the settings should use; null where there is none. */
  readonly byId: string | null;
  readonly maker: string | null;
  readonly vendorId: string | null;
  readonly productId: string | null;
}

/** The serial ports that are plugged in; built-in ports that no hardware stands behind are left out. */
export async function listSerialPorts(): Promise<readonly SerialPortInfo[]> {
  const byId = new Map<string, string>();
  for (const name of await readdir(BY_ID).catch(() => [])) {
    const link = join(BY_ID, name);
    byId.set(await realpath(link).catch(() => link), link);
  }
  const ports = await SerialPort.list();
  return ports
    .filter((port) => port.pnpId !== undefined || port.vendorId !== undefined || byId.has(port.path))
    .map((port) => ({
      path: port.path,
      byId: byId.get(port.path) ?? null,
      maker: port.manufacturer ?? null,
      vendorId: port.vendorId ?? null,
      productId: port.productId ?? null,
    }));
}

const BY_ID = '/dev/serial/by-id';

export function createSerialLines(clock: Clock, options: { readonly lingerMs?: number } = {}): SerialLines {
  const lines = new Map<string, Line>();
  const life = new AbortController();
  const lingerMs = options.lingerMs ?? LINGER_MS;

  const forget = (line: Line): void => {
    if (lines.get(line.path) === line) lines.delete(line.path);
  };

  /** The port is gone: end the lease, send the waiters to look the path up again. */
  const lost = (line: Line, port: SerialPort, error: Error | null): void => {
    if (line.port !== port) return;
    line.port = null;
    line.linger?.abort();
    if (!line.taken) forget(line);
    void closePort(port);
    line.holder?.destroy(fail('link-closed', { path: line.path }, error));
  };

  const handOn = (line: Line): void => {
    const next = line.waiters.shift();
    if (next && line.port !== null && !life.signal.aborted) {
      next.turn(true);
      return;
    }
    line.taken = false;
    // Without a port the name may mean another device by now: everybody looks again, in order.
    next?.turn(false);
    for (const waiter of line.waiters.splice(0)) waiter.turn(false);
    if (line.port === null) forget(line);
    else void linger(line, line.port);
  };

  const linger = async (line: Line, port: SerialPort): Promise<void> => {
    const stop = new AbortController();
    line.linger = stop;
    const either = linkedController(stop.signal, life.signal);
    try {
      await clock.sleep(lingerMs, either.signal);
    } catch {
      return;
    } finally {
      either.end();
    }
    if (line.taken || line.port !== port) return;
    line.port = null;
    forget(line);
    await closePort(port);
  };

  const watch = async (line: Line, port: SerialPort, ended: AbortSignal): Promise<void> => {
    try {
      for (;;) {
        await clock.sleep(WATCH_MS, ended);
        const node = await nodeOf(line.path).catch(() => 'gone');
        ended.throwIfAborted();
        if (node !== line.node) lost(line, port, null);
      }
    } catch {
      // The lease has ended.
    }
  };

  const waitTurn = async (line: Line, reach: SerialReach, signal: AbortSignal): Promise<boolean> =>
    new Promise<boolean>((resolve, reject) => {
      const abort = (): void => {
        line.waiters.splice(line.waiters.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        reach,
        turn: (yours) => {
          signal.removeEventListener('abort', abort);
          resolve(yours);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      line.waiters.push(waiter);
    });

  /** Takes the line, waiting if need be. Null: the line changed while waiting, begin again. */
  const take = async (path: string, reach: SerialReach, signal: AbortSignal): Promise<Line | null> => {
    // Aborted while the path was looked up: an aborted signal tells nobody a second time.
    signal.throwIfAborted();
    life.signal.throwIfAborted();
    const known = lines.get(path);
    if (!known?.taken) {
      const line = known ?? {
        path,
        waiters: [],
        port: null,
        node: '',
        reach,
        taken: true,
        holder: null,
        linger: null,
      };
      line.taken = true;
      line.linger?.abort();
      lines.set(path, line);
      return line;
    }
    if (!sameParameters(known.reach, reach)) {
      throw fail('line-conflict', { path, first: formatReach(known.reach), second: formatReach(reach) });
    }
    return (await waitTurn(known, reach, signal)) ? known : null;
  };

  /** The line's open port: the one left from the lease before, if it is still the same device, else a new one. */
  const ready = async (line: Line, reach: SerialReach, timeoutMs: number, signal: AbortSignal): Promise<SerialPort> => {
    const node = await nodeOf(line.path);
    signal.throwIfAborted();
    const kept = line.port;
    if (kept?.isOpen && node === line.node && sameParameters(line.reach, reach)) {
      await new Promise<void>((resolve) => kept.flush(() => resolve()));
      if (line.port === kept) return kept;
    } else if (kept) {
      line.port = null;
      await closePort(kept);
    }
    line.reach = reach;
    const port = await openPort(line.path, reach, clock, timeoutMs, signal);
    line.port = port;
    line.node = node;
    port.on('data', (chunk: Uint8Array) => line.holder?.heard(chunk));
    port.on('error', (error) => lost(line, port, error));
    port.on('close', (error: Error | null) => lost(line, port, error));
    return port;
  };

  return {
    async lease(reach, timeoutMs, signal, tap) {
      for (;;) {
        signal.throwIfAborted();
        life.signal.throwIfAborted();
        const path = await realpath(reach.path).catch((error: unknown) => {
          throw portError(reach, error);
        });
        const line = await take(path, reach, signal);
        if (!line) continue;
        const either = linkedController(signal, life.signal);
        try {
          const port = await ready(line, reach, timeoutMs, either.signal);
          const ended = new AbortController();
          const lease: SerialLease = new SerialLease(port, tap, () => {
            ended.abort();
            line.holder = null;
            handOn(line);
          });
          line.holder = lease;
          void watch(line, port, ended.signal);
          return lease;
        } catch (error) {
          handOn(line);
          signal.throwIfAborted();
          throw error instanceof GatewayError ? error : portError(reach, error);
        } finally {
          either.end();
        }
      }
    },
    async close() {
      life.abort(fail('link-closed'));
      const open = [...lines.values()];
      lines.clear();
      for (const line of open) {
        const port = line.port;
        line.port = null;
        line.holder?.destroy();
        if (port) await closePort(port);
      }
    },
  };
}
