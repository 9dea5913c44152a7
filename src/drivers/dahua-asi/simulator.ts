/**
 * A Dahua ASI terminal made of software: digest with account lock, CGI, JSON-RPC and event streams over any Duplex. Faults
 * of the wire apply to every connection; those of the protocol are listed in README.md. It never throws for what a peer sends.
 */
import type { SimulatedPunch, SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createGuard } from '../digest.js';
import { faultyLink, seededRandom } from '../faults.js';
import { createHttpDesk, type HttpCall, type HttpReply } from '../http-server.js';
import { dahuaSimulatorOptions } from './options.js';
import { answerCgi } from './simulator-cgi.js';
import { createRpcDesk } from './simulator-rpc.js';
import {
  addPerson,
  addRecord,
  addRefusal,
  clearLog,
  createState,
  faultFires,
  wallClock,
  type Person,
} from './simulator-state.js';

export interface DahuaTerminal extends SimulatedTerminal {
  /** A known face that is not let in: an event and a record, and no punch. */
  refuse(userId: string): void;
  /** The owner empties the log at the terminal: record numbers begin again. */
  clearLog(): void;
  /** Requests answered so far, by page and action. */
  readonly asked: readonly string[];
  /** Wrong passwords so far; at five the account is locked. */
  readonly wrongTries: number;
  /** What is kept with a person. */
  person(id: string): Person | null;
}

const LOCK_AFTER = 5;

export function simulateDahua(setup: SimulatorSetup): DahuaTerminal {
  const options = dahuaSimulatorOptions.parse(setup.options);
  const random = seededRandom(setup.seed);
  const realm = `Login to ${Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')}`;
  const state = createState(setup, options, realm);
  const lock = { tries: 0 };
  const rpc = createRpcDesk(state, lock);
  const guard =
    options.authPassword === undefined
      ? null
      : createGuard({
          user: options.authUser,
          password: options.authPassword,
          realm,
          scheme: 'digest',
          lockAfter: LOCK_AFTER,
          random,
        });
  const asked: string[] = [];

  const answer = (call: HttpCall, gone: AbortSignal): HttpReply | null => {
    asked.push(`${call.path.replace(/^\/cgi-bin\//, '')} ${call.query.get('action') ?? ''}`.trim());
    if (faultFires(state, 'busy-error')) return { status: 503, body: 'Error\r\n' };
    if (call.path.startsWith('/RPC2')) {
      if (call.method !== 'POST') return { status: 405 };
      const told = rpc.answer(call.path, call.body);
      if (told === 'lost') return null;
      if (told === 'absent') return { status: 404, body: 'Not Found' };
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(told) };
    }
    const refusal = guard?.refusal(call.method, call.target, call.headers.authorization) ?? null;
    if (refusal)
      return {
        status: 401,
        headers: { 'WWW-Authenticate': refusal.challenge },
        body: 'Error\r\nInvalid Authority!\r\n',
      };
    return answerCgi(state, call, gone);
  };

  return {
    async serve(link, signal) {
      const faulty = faultyLink(link, state.faults, random, setup.wire, signal);
      const desk = createHttpDesk({
        clock: setup.wire,
        signal,
        onCall: (call, gone) => {
          const reply = answer(call, gone);
          const closing =
            reply !== null && !options.keepAlive ? { headers: { ...reply.headers, Connection: 'close' } } : {};
          return Promise.resolve(reply === null ? null : { ...reply, ...closing });
        },
      });
      await new Promise<void>((resolve) => {
        faulty.once('close', () => resolve());
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (faulty.destroyed || signal.aborted) resolve();
        desk.take(faulty);
      });
      await desk[Symbol.asyncDispose]();
    },
    addUser: (user) => void addPerson(state, user, {}),
    punch(userId, how = {}) {
      const record: SimulatedPunch = { userId, wallTime: wallClock(state), ...how };
      const made = addRecord(state, record);
      for (const ear of state.ears) ear(made);
      return record;
    },
    addRecord: (record) => void addRecord(state, record),
    refuse(userId) {
      const made = addRefusal(state, userId);
      for (const ear of state.ears) ear(made);
    },
    clearLog: () => clearLog(state),
    users: () => state.people.map(({ id, name }) => ({ id, name })),
    records: () => [...state.made],
    asked,
    get wrongTries() {
      return (guard?.wrongTries ?? 0) + lock.tries;
    },
    person: (id) => state.people.find((one) => one.id === id) ?? null,
    setClockOffset: (ms) => void (state.offsetMs = ms),
    wallClock: () => wallClock(state),
    setFault(name, value) {
      if (value === null) state.faults.delete(name);
      else state.faults.set(name, value);
    },
  };
}
