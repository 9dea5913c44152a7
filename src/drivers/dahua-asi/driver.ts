/**
 * The driver for Dahua ASI face terminals (大华) and their OEM twins: CGI and JSON-RPC over HTTP or HTTPS, event stream for
 * live punches. See README.md for the words on the wire, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createHttpClient } from '../http-client.js';
import { createApi } from './api.js';
import { createDecoder } from './decoder.js';
import { dahuaOptions, dahuaSimulatorOptions, type DahuaOptions } from './options.js';
import { scrubDahua } from './scrub.js';
import { createSession } from './session.js';
import { simulateDahua, type DahuaTerminal } from './simulator.js';

export interface DahuaDriver extends Driver<DahuaOptions> {
  simulate(...args: Parameters<Driver<DahuaOptions>['simulate']>): DahuaTerminal;
}

export const dahuaAsi: DahuaDriver = {
  name: 'dahua-asi',
  options: dahuaOptions,
  simulatorOptions: dahuaSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'clock-jump',
    'duplicate-record',
    'gbk-name',
    'heartbeat-lost',
    'impossible-date',
    'interleave-event',
    'lost-insert',
    'memory-full',
    'no-events',
    'seq-reset',
    'truncate-dataset',
    'wrong-count',
    'wrong-length',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 80,
  reaches: new Set(['http', 'https']),
  decoderVersion: '1',
  seqIsIdentity: false,
  async open(link, options, wire, signal) {
    const login =
      options.authPassword === undefined ? null : { user: options.authUser, password: options.authPassword };
    const http = createHttpClient({ link, wire, signal, driver: 'dahua-asi', login });
    return Promise.resolve(createSession(createApi(http, options, wire, signal), options, wire, signal));
  },
  decoder: createDecoder,
  scrub: (_options, from, bytes, masks) => scrubDahua(from, bytes, masks),
  simulate: simulateDahua,
};
