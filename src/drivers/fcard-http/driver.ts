/**
 * The driver for HTTP push v2 of FC-8x00 terminals: they post their records to the gateway. The frames of the same family on
 * serial lines, TCP and UDP are the driver `fcard`. See README.md for the routes, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { hear } from './called.js';
import { createDecoder, scrub } from './decoder.js';
import { fcardHttpOptions, fcardHttpSimulatorOptions, type FcardHttpOptions } from './options.js';
import { openSession } from './session.js';
import { simulateFcardHttp, type FcardHttpTerminal } from './simulator.js';

export interface FcardHttpDriver extends Driver<FcardHttpOptions> {
  simulate(...args: Parameters<Driver<FcardHttpOptions>['simulate']>): FcardHttpTerminal;
}

export const fcardHttp: FcardHttpDriver = {
  name: 'fcard-http',
  options: fcardHttpOptions,
  simulatorOptions: fcardHttpSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'interleave-event',
    'duplicate-record',
    'impossible-date',
    'clock-jump',
    'memory-full',
    'no-remote',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'users.read', 'users.write']),
  defaultPort: 8080,
  reaches: new Set(['http-listen']),
  called: { hear, waitsForUs: false, keyOf: () => null, connections: 'many' },
  decoderVersion: '1',
  seqIsIdentity: false,
  open: async (link, options, wire, signal) => Promise.resolve(openSession(link, options, wire, signal)),
  decoder: (options, from) => createDecoder(options, from),
  scrub: (_options, from, bytes, masks) => scrub(from, bytes, masks),
  simulate: simulateFcardHttp,
};
