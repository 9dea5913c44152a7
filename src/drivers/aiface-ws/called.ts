/**
 * A terminal that calls: who is it? The first message carries its serial number, and which of its keys comes first is the
 * firmware's business. Says no to bytes of other protocols as soon as they cannot be this one.
 */
import type { Duplex } from 'node:stream';
import { within } from '../../core/time.js';
import type { CalledSide, Heard, Wire } from '../driver.js';
import { encodeMessage } from './codec.js';
import { isGap, memberOf, readJson, textOf } from './json-text.js';
import type { AifaceOptions } from './options.js';

/** `reg` comes first by the protocol; a terminal that believes itself registered may begin with what it has to tell. */
const OPENINGS = new Set(['reg', 'sendlog', 'senduser', 'sendqrcode']);
const REFUSE_TIMEOUT_MS = 2000;
const NO: Heard = { is: 'no' };
const MORE: Heard = { is: 'more' };

function hear(first: Uint8Array): Heard {
  const start = first.findIndex((byte) => !isGap(byte));
  if (start < 0) return MORE;
  if (first[start] !== 0x7b) return NO;
  const json = readJson(first, start);
  if (json.state === 'bad') return NO;
  const cmd = textOf(json, memberOf(json, 'cmd'))?.trim();
  if (cmd !== undefined && !OPENINGS.has(cmd)) return NO;
  const serial = textOf(json, memberOf(json, 'sn'))?.trim();
  if (cmd !== undefined && serial !== undefined && serial !== '') return { is: 'yes', serial };
  if (json.state === 'short') return MORE;
  return cmd === undefined ? NO : { is: 'yes', serial: null };
}

async function refuse(link: Duplex, wire: Wire, signal: AbortSignal): Promise<void> {
  const told = new Promise<void>((resolve) => {
    link.once('close', resolve);
    link.once('error', () => resolve());
    link.write(encodeMessage({ ret: 'reg', result: false, reason: 'did not reg' }), () => resolve());
  });
  await within(wire.clock, REFUSE_TIMEOUT_MS, signal, told);
}

export const called: CalledSide<AifaceOptions> = {
  hear,
  waitsForUs: false,
  keyOf: () => null,
  connections: 'one',
  refuse,
};
