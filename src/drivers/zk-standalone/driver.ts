/** The driver object of the ZKTeco standalone protocol ("port 4370"): what it can do, and where its parts are. */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createDecoder } from './decoder.js';
import { zkOptions, zkSimulatorOptions, type ZkOptions } from './options.js';
import { scrub } from './scrub.js';
import { openSession } from './session.js';
import { createSimulator } from './simulator.js';

export const zkStandalone: Driver<ZkOptions> = {
  name: 'zk-standalone',
  options: zkOptions,
  simulatorOptions: zkSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'interleave-event',
    'truncate-dataset',
    'wrong-count',
    'busy-error',
    'refuse-data',
    'chunk-error',
    'short-chunk',
    'stall',
    'duplicate-record',
    'impossible-date',
    'non-numeric-id',
    'gbk-name',
    'clock-jump',
    'memory-full',
    'seq-reset',
    'reboot-mid-transfer',
    'boot',
    'session-stolen',
    'second-session-refused',
    'silent-after-disable',
    'refuse-events',
    'repeat-events',
    'deaf-to-options',
    'refuse-users',
    'truncate-users',
    'small-ring',
    'lose',
    'repeat',
    'reorder',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 4370,
  reaches: new Set(['tcp', 'udp']),
  decoderVersion: 'zk-standalone/1',
  // The protocol has no record number.
  seqIsIdentity: false,
  open: openSession,
  decoder: createDecoder,
  scrub,
  simulate: createSimulator,
};
