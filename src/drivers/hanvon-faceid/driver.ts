/**
 * The driver for Hanvon FaceID (汉王人脸通): face clocks with a text protocol on TCP port 9922. See README.md for the grammar, the
 * source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createConversation } from './conversation.js';
import { createDecoder } from './decoder.js';
import { hanvonOptions, hanvonSimulatorOptions, type HanvonOptions } from './options.js';
import { scrub } from './scrub.js';
import { createSession, type HanvonSession } from './session.js';
import { simulateHanvon, type HanvonTerminal } from './simulator.js';

export interface HanvonDriver extends Driver<HanvonOptions> {
  open(...args: Parameters<Driver<HanvonOptions>['open']>): Promise<HanvonSession>;
  simulate(...args: Parameters<Driver<HanvonOptions>['simulate']>): HanvonTerminal;
}

export const hanvonFaceid: HanvonDriver = {
  name: 'hanvon-faceid',
  options: hanvonOptions,
  simulatorOptions: hanvonSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'wait',
    'close-without-return',
    'two-returns',
    'duplicate-record',
    'truncate-dataset',
    'wrong-count',
    'clock-jump',
    'impossible-date',
    'memory-full',
    'reboot-mid-transfer',
    'second-session-refused',
  ],
  capabilities: new Set(['punch.poll', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 9922,
  reaches: new Set(['tcp']),
  decoderVersion: '1',
  seqIsIdentity: false,
  open: (link, options, wire, signal) =>
    Promise.resolve(createSession(createConversation(link, options, wire, signal), options, wire)),
  decoder: createDecoder,
  scrub,
  simulate: simulateHanvon,
};
