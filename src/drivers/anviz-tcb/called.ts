/**
 * Terminals in client mode: they dial the gateway and then wait to be asked, as on a line that we dialled. The first
 * bytes, if any come at all, are a heartbeat or a live record, and neither tells a serial number; so a silent caller is
 * asked for it once (0x24, address 0). One connection at a time: a terminal that calls again has given up the one before.
 *
 * A terminal that wants a password before it answers stays unknown here; then the only terminal on the port gets the call.
 */
import type { Duplex } from 'node:stream';
import { fail } from '../../core/errors.js';
import { within } from '../../core/time.js';
import type { CalledSide, Heard, Wire } from '../driver.js';
import { createFramer } from '../framing.js';
import { COMMAND, decodeAscii, encodeAnswer, encodeRequest, lineRule, parseFrame } from './codec.js';
import type { AnvizOptions } from './options.js';

const TRIES = 2;
const TRY_MS = 1_500;

function hear(first: Uint8Array): Heard {
  if (first.length === 0) return { is: 'more' };
  const size = lineRule.measure(first);
  if (size === 'no' || (size !== 'more' && size > lineRule.sizeBytesMax)) return { is: 'no' };
  if (size === 'more' || size > first.length) return { is: 'more' };
  return lineRule.check(first.subarray(0, size)) ? { is: 'yes', serial: null } : { is: 'no' };
}

/** Asks once; what came besides the answer goes back into the link, heartbeats are answered. */
async function ask(link: Duplex, wire: Wire, signal: AbortSignal): Promise<string | null> {
  const framer = createFramer(lineRule);
  const others: Uint8Array[] = [];
  let told: string | null = null;
  let finished: () => void = () => undefined;
  const onData = (chunk: Uint8Array): void => {
    for (const cut of framer.push(chunk)) {
      const frame = cut.kind === 'frame' ? parseFrame(cut.bytes) : null;
      if (frame?.kind === 'request' && frame.command === COMMAND.heartbeat) {
        link.write(encodeAnswer(frame.address, COMMAND.heartbeat, 0));
      } else if (frame?.kind === 'answer' && frame.command === COMMAND.serial) {
        told = (frame.ret === 0 && decodeAscii(frame.data)) || null;
        finished();
      } else others.push(cut.bytes);
    }
  };
  const onGone = (): void => finished();
  link.on('data', onData);
  for (const event of ['end', 'close', 'error']) link.on(event, onGone);
  // It may still fail after we have stopped listening; that is the listener's business.
  link.on('error', () => undefined);
  link.resume();
  try {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (link.destroyed || !link.writable) throw fail('link-closed');
      const answered = new Promise<void>((resolve) => (finished = resolve));
      link.write(encodeRequest(0, COMMAND.serial));
      if ((await within(wire.clock, TRY_MS, signal, answered)) !== 'late') break;
    }
    return told;
  } finally {
    link.off('data', onData);
    for (const event of ['end', 'close', 'error']) link.off(event, onGone);
    link.pause();
    for (const cut of framer.flush()) others.push(cut.bytes);
    if (others.length > 0 && !link.destroyed && !link.readableEnded) link.unshift(Buffer.concat(others));
  }
}

/** Whether the terminal has made this link, which is then kept; one that we opened is left when it is read. */
export const isCall = (wire: Pick<Wire, 'dial' | 'nextCall'>): boolean => wire.nextCall !== null && wire.dial === null;

export const anvizCalled: CalledSide<AnvizOptions> = {
  hear,
  waitsForUs: true,
  ask,
  keyOf: () => null,
  connections: 'one',
};
