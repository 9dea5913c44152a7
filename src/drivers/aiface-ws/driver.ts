/**
 * The driver for the WebSocket-JSON protocol of Timmy, AiFace and "TH" face terminals, which call the gateway on port 7788.
 * See README.md for the messages, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { called } from './called.js';
import { createConversation } from './conversation.js';
import { createDecoder } from './decoder.js';
import { aifaceOptions, aifaceSimulatorOptions, type AifaceOptions } from './options.js';
import { scrubMessages } from './scrub.js';
import { createSession } from './session.js';
import { simulateAiface, type AifaceTerminal } from './simulator.js';

export interface AifaceDriver extends Driver<AifaceOptions> {
  simulate(...args: Parameters<Driver<AifaceOptions>['simulate']>): AifaceTerminal;
}

export const aifaceWs: AifaceDriver = {
  name: 'aiface-ws',
  options: aifaceOptions,
  simulatorOptions: aifaceSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'interleave-event',
    'duplicate-record',
    'lost-page',
    'wrong-count',
    'clock-jump',
    'impossible-date',
    'gbk-name',
    'memory-full',
    'reboot-mid-transfer',
    'seq-reset',
    'image',
    'trailing-comma',
    'nul-end',
    'iso-time',
    'door-event',
    'stranger',
    'late-answer',
    'enrol-push',
    'no-heartbeat',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 7788,
  reaches: new Set(['ws-listen']),
  called,
  decoderVersion: '1',
  seqIsIdentity: false,
  open: (link, options, wire, signal) =>
    Promise.resolve(createSession(createConversation(link, options, wire, signal), options, wire)),
  decoder: (options) => createDecoder(options),
  scrub: (options, _from, bytes, masks) => scrubMessages(bytes, masks, options.strangerIds),
  simulate: simulateAiface,
};
