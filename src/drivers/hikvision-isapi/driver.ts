/**
 * The driver for Hikvision face terminals (海康威视 DS-K1T, MinMoe): ISAPI over HTTP or HTTPS; events by search, by alert stream and by
 * push. See README.md for the requests, the source of every claim and what is unproven.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createHttpClient } from '../http-client.js';
import { createConversation } from './conversation.js';
import { createDecoder } from './decoder.js';
import { hikOptions, hikSimulatorOptions, type HikOptions } from './options.js';
import { hearPush } from './push.js';
import { scrubHik } from './scrub.js';
import { createSession } from './session.js';
import { simulateHik, type HikTerminal } from './simulator.js';

export interface HikDriver extends Driver<HikOptions> {
  simulate(...args: Parameters<Driver<HikOptions>['simulate']>): HikTerminal;
}

export const hikvisionIsapi: HikDriver = {
  name: 'hikvision-isapi',
  options: hikOptions,
  simulatorOptions: hikSimulatorOptions,
  faults: [
    ...WIRE_FAULTS,
    'busy-error',
    'error-inside-ok',
    'xml-in-json',
    'duplicate-record',
    'truncate-dataset',
    'wrong-count',
    'impossible-date',
    'interleave-event',
    'memory-full',
    'reboot-mid-transfer',
    'seq-reset',
    'lost-event',
    'stream-drop',
    'stream-refused',
    'no-heartbeat',
    'push-stops',
  ],
  capabilities: new Set(['punch.poll', 'punch.live', 'clock.read', 'clock.set', 'users.read', 'users.write']),
  defaultPort: 80,
  reaches: new Set(['http', 'https']),
  called: {
    hear: hearPush,
    waitsForUs: false,
    keyOf: (options) => options.pushKey ?? null,
    connections: 'many',
  },
  decoderVersion: '1',
  // A cleared log begins to count anew, and not every path tells the number.
  seqIsIdentity: false,
  async open(link, options, wire, signal) {
    const { authUser: user, authPassword: password, authScheme: scheme } = options;
    const login = password === undefined ? null : { user, password };
    const http = createHttpClient({ link, wire, signal, driver: 'hikvision-isapi', login, scheme });
    const session = createSession(createConversation(http, options, wire, signal), options, wire, signal);
    return Promise.resolve({
      ...session,
      async [Symbol.asyncDispose]() {
        await session[Symbol.asyncDispose]();
        await http[Symbol.asyncDispose]();
      },
    });
  },
  decoder: (options) => createDecoder(options),
  scrub: (_options, _from, bytes, masks) => scrubHik(bytes, masks),
  simulate: simulateHik,
};
