/**
 * Faults that any simulator can show on its wire, whatever the protocol: how bytes are cut, joined, delayed, echoed,
 * spoilt or dropped. Protocol faults (a busy answer, a truncated data set) live with their simulator.
 *
 * | name | value | effect |
 * |---|---|---|
 * | `fragment` | n | writes of at most n bytes |
 * | `coalesce` | | everything ready is joined into one large write |
 * | `delay` | ms | pause before every write |
 * | `drop-after-n-bytes` | n | the connection closes after n bytes in all, once |
 * | `no-answer` | n | the next n writes vanish; without n, all of them |
 * | `corrupt-checksum` | n | the last byte of every n-th message is spoilt |
 * | `echo` | | what the peer writes comes back to it (RS-485 half duplex) |
 * | `line-noise` | n | up to n random bytes before every message |
 */
import { Duplex } from 'node:stream';
import type { Clock } from '../core/time.js';

/** The names in the table above; every driver's simulator knows them. */
export const WIRE_FAULTS = [
  'fragment',
  'coalesce',
  'delay',
  'drop-after-n-bytes',
  'no-answer',
  'corrupt-checksum',
  'echo',
  'line-noise',
] as const;

export interface FaultyWire {
  /** Sends one message through the faults of the moment. Returns false when the connection is gone. */
  send(bytes: Uint8Array, signal: AbortSignal): Promise<boolean>;
  /** Writes out what `coalesce` has gathered. Call when nothing more is ready to be sent. */
  flush(): Promise<boolean>;
  /** To be called with every chunk received, for `echo`. */
  received(chunk: Uint8Array): void;
}

/** A small seeded generator (mulberry32): the same seed gives the same faults. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const COALESCE_BYTES = 65_536;

export function createFaultyWire(
  link: Duplex,
  faults: Map<string, string>,
  random: () => number,
  clock: Clock,
): FaultyWire {
  let sentBytes = 0;
  let messages = 0;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;

  const number = (name: string, otherwise: number): number => {
    const value = Number(faults.get(name) ?? '');
    return Number.isFinite(value) && value > 0 ? value : otherwise;
  };
  const write = async (bytes: Uint8Array): Promise<boolean> => {
    if (link.destroyed || !link.writable) return false;
    const room = link.write(bytes);
    sentBytes += bytes.length;
    if (!room) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          link.off('drain', done);
          link.off('close', done);
          resolve();
        };
        link.once('drain', done);
        link.once('close', done);
      });
    }
    return !link.destroyed;
  };
  const writeOut = async (bytes: Uint8Array): Promise<boolean> => {
    const limit = faults.has('drop-after-n-bytes') ? number('drop-after-n-bytes', 64) - sentBytes : Infinity;
    const allowed = bytes.subarray(0, Math.max(0, Math.min(bytes.length, limit)));
    const step = faults.has('fragment') ? number('fragment', 1) : Math.max(1, allowed.length);
    for (let at = 0; at < allowed.length; at += step) {
      if (!(await write(allowed.slice(at, at + step)))) return false;
    }
    if (allowed.length < bytes.length) {
      faults.delete('drop-after-n-bytes');
      // Destroying throws away what still waits to be written, so the cut would come earlier than asked.
      await new Promise<void>((resolve) => {
        link.once('close', resolve);
        link.write(new Uint8Array(0), () => resolve());
      });
      link.destroy();
      return false;
    }
    return true;
  };
  const flush = async (): Promise<boolean> => {
    if (gatheredBytes === 0) return !link.destroyed;
    const all = Buffer.concat(gathered);
    gathered = [];
    gatheredBytes = 0;
    return writeOut(all);
  };

  return {
    async send(bytes, signal) {
      if (link.destroyed) return false;
      messages += 1;
      if (faults.has('no-answer')) {
        const left = number('no-answer', Infinity);
        if (left <= 1) faults.delete('no-answer');
        else if (Number.isFinite(left)) faults.set('no-answer', String(left - 1));
        return true;
      }
      let out: Uint8Array = Uint8Array.from(bytes);
      const last = out.length - 1;
      if (faults.has('corrupt-checksum') && messages % number('corrupt-checksum', 1) === 0)
        out[last] = (out[last] ?? 0) ^ 0x5a;
      if (faults.has('line-noise')) {
        const count = Math.floor(random() * (number('line-noise', 4) + 1));
        out = Buffer.concat([Uint8Array.from({ length: count }, () => Math.floor(random() * 256)), out]);
      }
      if (faults.has('delay')) await clock.sleep(number('delay', 100), signal);
      if (faults.has('coalesce')) {
        gathered.push(out);
        gatheredBytes += out.length;
        return gatheredBytes >= COALESCE_BYTES ? flush() : true;
      }
      return writeOut(out);
    },
    flush,
    received(chunk) {
      if (faults.has('echo') && !link.destroyed) link.write(Uint8Array.from(chunk));
    },
  };
}

/**
 * A link whose writes go through the faults of the moment: for simulators that leave their wire to an HTTP library. What the
 * library writes in one turn counts as one message. Destroying either end destroys the other.
 */
export function faultyLink(
  link: Duplex,
  faults: Map<string, string>,
  random: () => number,
  clock: Clock,
  signal: AbortSignal,
): Duplex {
  const wire = createFaultyWire(link, faults, random, clock);
  const send = async (bytes: Uint8Array): Promise<void> => {
    await wire.send(bytes, signal);
    await wire.flush();
  };
  const outer = new Duplex({
    allowHalfOpen: false,
    read: () => void link.resume(),
    write: (chunk: Uint8Array, _encoding, done) => void send(chunk).then(() => done(), done),
    writev: (chunks, done) =>
      void send(Buffer.concat(chunks.map((one) => one.chunk as Uint8Array))).then(() => done(), done),
    final: (done) => {
      link.end();
      done();
    },
    destroy: (error, done) => {
      link.destroy();
      done(error);
    },
  });
  link.on('data', (chunk: Uint8Array) => {
    wire.received(chunk);
    if (!outer.push(chunk)) link.pause();
  });
  link.on('end', () => outer.push(null));
  link.on('error', () => outer.destroy());
  link.on('close', () => outer.destroy());
  return outer;
}
