/**
 * The way of a simulated terminal's datagrams: lost, doubled, overtaken. `lose`, `repeat` and `reorder` take a share below 1
 * (0.1 without a value, drawn from the seed) or a whole number n for every n-th datagram; `lose` acts in both directions.
 * The faults of byte streams that cut and join have no meaning here and are left out.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/time.js';
import { createFaultyWire, type FaultyWire } from '../faults.js';

export interface DatagramPipe extends FaultyWire {
  /** Whether a datagram from the gateway arrives. */
  arrives(): boolean;
}

const SHARE = 0.1;
const STREAM_FAULTS = ['fragment', 'coalesce'];

/** The faults of the moment without those that only a byte stream has. */
class DatagramFaults extends Map<string, string> {
  readonly #all: Map<string, string>;

  constructor(all: Map<string, string>) {
    super();
    this.#all = all;
  }
  override has(name: string): boolean {
    return !STREAM_FAULTS.includes(name) && this.#all.has(name);
  }
  override get(name: string): string | undefined {
    return this.has(name) ? this.#all.get(name) : undefined;
  }
  override set(name: string, value: string): this {
    this.#all.set(name, value);
    return this;
  }
  override delete(name: string): boolean {
    return this.#all.delete(name);
  }
}

export function createDatagramPipe(
  link: Duplex,
  faults: Map<string, string>,
  random: () => number,
  clock: Clock,
): DatagramPipe {
  const wire = createFaultyWire(link, new DatagramFaults(faults), random, clock);
  const counts = { out: 0, repeated: 0, overtaken: 0, in: 0 };
  let held: Uint8Array | null = null;

  const strikes = (value: string | undefined, kind: keyof typeof counts): boolean => {
    if (value === undefined) return false;
    const number = Number(value) || SHARE;
    if (number < 1) return random() < number;
    counts[kind] += 1;
    return counts[kind] % Math.round(number) === 0;
  };
  const sendAll = async (datagrams: readonly Uint8Array[], signal: AbortSignal): Promise<boolean> => {
    for (const datagram of datagrams) if (!(await wire.send(datagram, signal))) return false;
    return true;
  };

  return {
    async send(bytes, signal) {
      if (strikes(faults.get('lose'), 'out')) return !link.destroyed;
      if (held === null && strikes(faults.get('reorder'), 'overtaken')) {
        held = bytes;
        return true;
      }
      const late = held === null ? [] : [held];
      held = null;
      const twice = strikes(faults.get('repeat'), 'repeated') ? [bytes] : [];
      return sendAll([bytes, ...twice, ...late], signal);
    },
    async flush() {
      const late = held === null ? [] : [held];
      held = null;
      return (await sendAll(late, new AbortController().signal)) && wire.flush();
    },
    received: (chunk) => wire.received(chunk),
    arrives: () => !strikes(faults.get('lose'), 'in'),
  };
}
