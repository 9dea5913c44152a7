/**
 * A PUSH terminal made of software: it greets, polls for commands every `Delay` seconds, uploads what waits, repeats every
 * body that got no 200 after `ErrorDelay`, and sets its clock from what it is told. One thread does all of it, or one
 * uploads while another polls. Everything that waits survives a connection and a gateway that is away.
 */
import { createDoorbell } from '../../core/unit.js';
import type { SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { seededRandom } from '../faults.js';
import { parseCommands } from './command.js';
import { parseGreeting, readTimeZone } from './greeting.js';
import { zkPushSimulatorOptions, type ZkPushSimulatorOptions } from './options.js';
import { createCaller, type Caller } from './simulator-caller.js';
import { createDevice, faultFires, parseHttpDate, type Lane, type PushDevice, type Upload } from './simulator-state.js';

export interface ZkPushTerminal extends SimulatedTerminal {
  /** Everything it keeps of a person. */
  person(id: string): ReadonlyMap<string, string> | undefined;
  /** Tables of the uploads that wait; null for results of commands. */
  waiting(): readonly (string | null)[];
}

const ERROR_DELAY_SECONDS = 30;
const DELAY_SECONDS = 10;
/** Longest nap: something may have come to be done meanwhile. */
const NAP_MS = 5000;

const text = (body: Uint8Array): string => Buffer.from(body).toString('latin1').trim();

type Setup = Pick<SimulatorSetup, 'serial' | 'wire'>;

interface Duty {
  readonly uploads: boolean;
  readonly polls: boolean;
}

interface Workings {
  readonly setup: Setup;
  readonly options: ZkPushSimulatorOptions;
  readonly device: PushDevice;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

const secondsOf = (device: PushDevice, key: string, otherwise: number): number => {
  const told = Number(device.greeting.get(key) ?? '');
  return Number.isFinite(told) && told > 0 ? told : otherwise;
};

function targetOf({ setup, options }: Workings, what: string, query: string): string {
  const key = options.commKey === undefined || what === 'cdata-greeting' ? '' : `&ComKey=${options.commKey}`;
  const path = what === 'cdata-greeting' ? 'cdata' : what;
  return `/iclock/${path}${options.aspx ? '.aspx' : ''}?SN=${setup.serial}${query}${key}`;
}

/** Whether the answer was one: else it greets again, for ever. */
async function greet(work: Workings): Promise<boolean> {
  const { device, options, setup, caller } = work;
  const version = options.version === '' ? '' : `&pushver=${options.version}&language=${options.language}`;
  const key = options.commKey === undefined ? '' : `&pushcommkey=${options.commKey}`;
  const answer = await caller.ask('GET', targetOf(work, 'cdata-greeting', `&options=all${version}${key}`));
  const greeting = answer && parseGreeting(answer.body);
  if (answer === null || greeting?.serial !== setup.serial) return false;
  const stamp = greeting.keys.get(options.dialect === '1.0' ? 'Stamp' : 'ATTLOGStamp');
  const offset = readTimeZone(greeting.keys.get('TimeZone') ?? '', options.dialect);
  const wanted = options.dialect === '1.0' ? /^\d+$/.test(stamp ?? '') : greeting.keys.has('ServerVer');
  if (stamp === undefined || offset === null || !wanted || !(greeting.keys.get('TransFlag') ?? '').includes('AttLog'))
    return false;
  device.greeting = greeting.keys;
  device.greeted = true;
  obeyDate(work, answer.headers.date);
  if (stamp === '0') device.uploadAll();
  if (device.faults.has('unasked-tables')) {
    const body = Buffer.from('BIODATA Pin=42\tNo=0\tIndex=0\tValid=1\tType=9\tTmp=c2VjcmV0\n');
    device.outbox.push({ table: 'BIODATA', lane: 'live', body });
  }
  return true;
}

function obeyDate({ device, options }: Workings, date: string | undefined): void {
  const at = parseHttpDate(date ?? '');
  const offset = readTimeZone(device.greeting.get('TimeZone') ?? '', options.dialect);
  if (at !== null && offset !== null) device.obey(at, offset);
}

/** Sends it. Whether it may be forgotten. */
async function uploadOne(work: Workings, first: Upload): Promise<boolean> {
  const { device: state, caller } = work;
  const { table, body } = first;
  const target =
    table === null
      ? targetOf(work, 'devicecmd', '')
      : targetOf(work, 'cdata', `&table=${table}&Stamp=${state.stamp()}`);
  const answer = await caller.ask('POST', target, body);
  if (answer === null || !/^OK(?:: ?\d+)?$/.test(text(answer.body))) return false;
  if (table !== null && faultFires(state, 'duplicate-body')) return false;
  // Its place in the queue may have changed: a restart empties it.
  const at = state.outbox.indexOf(first);
  if (at >= 0) state.outbox.splice(at, 1);
  return true;
}

async function poll(work: Workings, info: boolean): Promise<boolean> {
  const { device, caller, options } = work;
  const told = info ? `&INFO=${encodeURIComponent(device.info())}` : '';
  const answer = await caller.ask('GET', targetOf(work, 'getrequest', told));
  // An empty answer means that the gateway is away.
  if (answer === null || answer.body.length === 0) return false;
  obeyDate(work, answer.headers.date);
  if (text(answer.body) === 'OK') return true;
  for (const command of parseCommands(answer.body, options.nameEncoding)) device.execute(command);
  return true;
}

/** One thread. */
async function work(workings: Workings, duty: Duty, nap: (ms: number) => Promise<void>): Promise<void> {
  const { device, setup, signal } = workings;
  const now = (): number => setup.wire.ticks();
  const heldUntil: Record<Lane, number> = { live: 0, asked: 0 };
  let pollAt = now();
  let first = true;
  while (!signal.aborted) {
    const errorMs = 1000 * secondsOf(device, 'ErrorDelay', ERROR_DELAY_SECONDS);
    if (!device.greeted) {
      if (!duty.polls) await nap(NAP_MS);
      else if (!(await greet(workings))) await nap(errorMs);
      continue;
    }
    const next = device.outbox.find(({ lane }) => now() >= heldUntil[lane]);
    if (duty.uploads && next) {
      if (!(await uploadOne(workings, next))) heldUntil[next.lane] = now() + errorMs;
      continue;
    }
    if (duty.polls && now() >= pollAt) {
      const done = await poll(workings, first);
      first &&= !done;
      pollAt = now() + (done ? 1000 * secondsOf(device, 'Delay', DELAY_SECONDS) : errorMs);
      continue;
    }
    const held = duty.uploads ? device.outbox.map(({ lane }) => heldUntil[lane]) : [];
    const until = Math.min(duty.polls ? pollAt : Infinity, ...held.slice(0, 2), now() + NAP_MS);
    await nap(Math.max(1, until - now()));
  }
}

/** Throws what `zkPushSimulatorOptions` throws for options it does not know. */
export function simulatePush(setup: SimulatorSetup): ZkPushTerminal {
  const options = zkPushSimulatorOptions.parse(setup.options);
  const device = createDevice(setup, options);
  const random = seededRandom(setup.seed);
  const bells = new Set<ReturnType<typeof createDoorbell>>();
  const ring = (): void => {
    for (const bell of bells) bell.ring();
  };

  return {
    serve: (link) => {
      // Nobody calls such a terminal.
      link.destroy();
      return Promise.resolve();
    },
    async call(dial, signal) {
      const { wire } = setup;
      const state = device;
      const duties: readonly Duty[] =
        options.threads === 1
          ? [{ uploads: true, polls: true }]
          : [
              { uploads: true, polls: false },
              { uploads: false, polls: true },
            ];
      await Promise.all(
        duties.map(async (duty) => {
          const bell = createDoorbell(wire);
          bells.add(bell);
          const cut = (): boolean => faultFires(state, 'close-mid-body');
          const caller = createCaller({
            ...{ dial, signal, clock: wire, options, faults: device.faults, random, cut },
          });
          try {
            await work({ setup, options, device, caller, signal }, duty, (ms) => bell.wait(ms, signal));
          } catch (error) {
            if (!signal.aborted) throw error;
          } finally {
            bells.delete(bell);
            caller.hangUp();
          }
        }),
      );
    },
    addUser: (user) => device.addUser(user),
    punch(userId, how = {}) {
      const record = device.punch(userId, how);
      ring();
      return record;
    },
    addRecord: (record) => device.addRecord(record),
    users: () => device.users(),
    records: () => device.records(),
    setClockOffset: (ms) => device.setClockOffset(ms),
    wallClock: () => device.wallClock(),
    setFault(name, value) {
      device.setFault(name, value);
      ring();
    },
    person: (id) => device.person(id),
    waiting: () => device.outbox.map(({ table }) => table),
  };
}
