/** The driver object of ZKTeco PUSH (ADMS, "iclock"): what it can do, and where its parts are. */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createDecoder } from './decoder.js';
import { zkPushOptions, zkPushSimulatorOptions, type ZkPushOptions } from './options.js';
import { hear, refuse } from './request.js';
import { scrub } from './scrub.js';
import { openSession } from './session.js';
import { PROTOCOL_FAULTS } from './simulator-state.js';
import { simulatePush } from './simulator.js';

export const zkPush: Driver<ZkPushOptions> = {
  name: 'zk-push',
  options: zkPushOptions,
  simulatorOptions: zkPushSimulatorOptions,
  faults: [...WIRE_FAULTS, ...PROTOCOL_FAULTS],
  // It takes its time from us and has no word for telling it.
  capabilities: new Set(['punch.poll', 'punch.live', 'users.read', 'users.write']),
  defaultPort: 8081,
  reaches: new Set(['http-listen', 'tcp-listen']),
  called: {
    hear,
    refuse,
    waitsForUs: false,
    // Each request names its serial number.
    keyOf: () => null,
    connections: 'many',
  },
  decoderVersion: '1',
  // A line has no number.
  seqIsIdentity: false,
  open: (link, options, wire, signal) =>
    new Promise((resolve) => {
      resolve(openSession(link, options, wire, signal));
    }),
  decoder: createDecoder,
  scrub: (_options, from, bytes, masks) => scrub(from, bytes, masks),
  simulate: simulatePush,
};
