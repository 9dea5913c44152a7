/**
 * The driver for FC-8x00 "Door8800" frames: access and attendance terminals on RS-232, RS-485, TCP 8000 or UDP 8101, and
 * terminals that call the gateway by TCP. See README.md for the frame, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { hear } from './called.js';
import { createConversation } from './conversation.js';
import { createDecoder } from './decoder.js';
import { fcardOptions, fcardSimulatorOptions, type FcardOptions } from './options.js';
import { scrub } from './scrub.js';
import { createSession } from './session.js';
import { simulateFcard, type FcardTerminal } from './simulator.js';

export interface FcardDriver extends Driver<FcardOptions> {
  simulate(...args: Parameters<Driver<FcardOptions>['simulate']>): FcardTerminal;
}

export const fcard: FcardDriver = {
  name: 'fcard',
  options: fcardOptions,
  simulatorOptions: fcardSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'interleave-event',
    'duplicate-record',
    'truncate-dataset',
    'lost-packet',
    'empty-slot',
    'wrong-count',
    'clock-jump',
    'impossible-date',
    'memory-full',
    'seq-reset',
    'read-beyond-write',
    'read-index-moves',
    'six-byte-index',
    'connection-test',
    'reboot-mid-transfer',
    'second-session-refused',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 8000,
  reaches: new Set(['serial', 'tcp', 'udp', 'tcp-listen']),
  called: { hear, waitsForUs: false, keyOf: () => null, connections: 'one' },
  decoderVersion: '1',
  seqIsIdentity: false,
  open: async (link, options, wire, signal) =>
    Promise.resolve(createSession(createConversation(link, options, wire, signal), options, wire)),
  decoder: (_options, from) => createDecoder(from),
  scrub: (_options, from, bytes, masks) => scrub(from, bytes, masks),
  simulate: simulateFcard,
};
