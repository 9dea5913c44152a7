/**
 * The driver for Anviz TC_B (安威士): fingerprint and face terminals on RS-232, RS-485 or TCP port 5010, where either
 * side dials. See README.md for the frame, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { anvizCalled } from './called.js';
import { createConversation } from './conversation.js';
import { createDecoder } from './decoder.js';
import { anvizOptions, anvizSimulatorOptions, type AnvizOptions } from './options.js';
import { scrubAnviz } from './scrub.js';
import { anvizSearch } from './search.js';
import { createSession, type AnvizSession } from './session.js';
import { simulateAnviz, type AnvizTerminal } from './simulator.js';

export interface AnvizDriver extends Driver<AnvizOptions> {
  open(...args: Parameters<Driver<AnvizOptions>['open']>): Promise<AnvizSession>;
  simulate(...args: Parameters<Driver<AnvizOptions>['simulate']>): AnvizTerminal;
}

export const anvizTcb: AnvizDriver = {
  name: 'anviz-tcb',
  options: anvizOptions,
  simulatorOptions: anvizSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'interleave-event',
    'heartbeat',
    'duplicate-record',
    'truncate-dataset',
    'wrong-count',
    'wrong-page-count',
    'clock-jump',
    'impossible-date',
    'reboot-mid-transfer',
    'second-session-refused',
    'gbk-name',
    'memory-full',
    'seq-reset',
    'half-open',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 5010,
  reaches: new Set(['tcp', 'tcp-listen', 'serial']),
  called: anvizCalled,
  search: anvizSearch,
  decoderVersion: '1',
  seqIsIdentity: false,
  async open(link, options, wire, signal) {
    const conversation = createConversation(link, options, wire, signal);
    // Whoever recognised a caller may have paused the link.
    link.resume();
    try {
      await conversation.authenticate();
    } catch (error) {
      conversation.dispose();
      throw error;
    }
    return createSession(conversation, options, wire);
  },
  scrub: (_options, _from, bytes, masks) => scrubAnviz(bytes, masks),
  decoder: (options) => createDecoder(options),
  simulate: simulateAnviz,
};
