/**
 * A Hikvision terminal made of software: digest with nonces that grow old and an account that locks, events by search, by stream and
 * by push, people, a clock. Faults of the wire apply to every connection; those of the protocol are listed in README.md. It never
 * throws for what a peer sends.
 */
import { linkedController } from '../../core/time.js';
import type { SimulatedPunch, SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createGuard } from '../digest.js';
import { faultyLink, seededRandom } from '../faults.js';
import { createHttpDesk } from '../http-server.js';
import { textAt } from './codec.js';
import { hikSimulatorOptions } from './options.js';
import { createApi } from './simulator-api.js';
import { addRecord, addUser, createState, wallClock, type State } from './simulator-state.js';
import { pushEvents } from './simulator-stream.js';
import type { Tree } from './xml.js';

export interface HikTerminal extends SimulatedTerminal {
  /** Requests that were let in, as method and path without query. */
  readonly asked: readonly string[];
  readonly wrongTries: number;
  /** Everything that it keeps with a person. */
  person(id: string): Tree | null;
  /** Nonces given so far are stale from now on. */
  expireNonces(): void;
  /** Events that were pushed and answered. */
  pushed(): number;
  readonly state: State;
}

export function simulateHik(setup: SimulatorSetup): HikTerminal {
  const options = hikSimulatorOptions.parse(setup.options);
  const state = createState(setup, options);
  const random = seededRandom(setup.seed);
  const api = createApi(state);
  const asked: string[] = [];
  const guard = createGuard({
    user: options.authUser,
    password: options.authPassword,
    realm: `DS-${setup.serial}`,
    scheme: options.authScheme,
    nonceUses: options.nonceUses,
    lockAfter: options.lockAfter,
    random,
  });

  return {
    async serve(link, signal) {
      const over = linkedController(signal);
      let gone: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => (gone = resolve));
      await using desk = createHttpDesk({
        clock: setup.wire,
        signal: over.signal,
        onGone: () => gone(),
        onCall: async (call, calling) => {
          const refused = guard.refusal(call.method, call.target, call.headers.authorization);
          if (refused)
            return {
              status: 401,
              headers: { 'WWW-Authenticate': refused.challenge, 'Content-Type': 'application/xml' },
              body: `<userCheck><statusValue>401</statusValue><lockStatus>${guard.locked ? 'lock' : 'unlock'}</lockStatus></userCheck>`,
            };
          asked.push(`${call.method} ${call.path}`);
          const reply = api.answer(call, calling);
          return Promise.resolve(reply === 'drop' ? null : reply);
        },
      });
      desk.take(faultyLink(link, state.faults, random, setup.wire, over.signal));
      signal.addEventListener('abort', gone, { once: true });
      if (signal.aborted || link.destroyed) gone();
      await ended;
      signal.removeEventListener('abort', gone);
      over.end();
    },
    call: (dial, signal) => pushEvents(state, dial, random, signal),
    addUser: (user) => addUser(state, user),
    punch(userId, how = {}): SimulatedPunch {
      const record = {
        userId,
        wallTime: wallClock(state),
        verify: how.verify ?? 'face',
        direction: how.direction ?? 'unknown',
      } as const;
      return addRecord(state, record, true);
    },
    addRecord: (record) => void addRecord(state, record, false),
    users: () =>
      [...state.people.values()].map((one) => ({ id: textAt(one, 'employeeNo'), name: textAt(one, 'name') })),
    records: () => [...state.records],
    setClockOffset: (ms) => void (state.clockOffsetMs = ms),
    wallClock: () => wallClock(state),
    setFault(name, value) {
      if (value === null) state.faults.delete(name);
      else state.faults.set(name, value);
    },
    asked,
    get wrongTries() {
      return guard.wrongTries;
    },
    person: (id) => state.people.get(id) ?? null,
    expireNonces: () => guard.expire(),
    pushed: () => state.events.filter(({ live, pushed }) => live && pushed).length,
    state,
  };
}
