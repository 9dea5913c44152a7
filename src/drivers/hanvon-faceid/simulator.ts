/**
 * A simulated FaceID terminal: serves one client at a time, reads commands in pieces of any size, encrypts under its key, asks
 * for patience with `Wait`, and shows the faults of the README at run time. It never throws for what the peer sends.
 */
import type { Duplex } from 'node:stream';
import type { SimulatedPunch, SimulatedTerminal, SimulatorSetup } from '../driver.js';
import { createFaultyWire, seededRandom } from '../faults.js';
import { encodeMessage, type Argument, type Message, type Pair } from './codec.js';
import { createDevice, newPerson, userOf, type Reply } from './device.js';
import { keyBytes } from './key.js';
import { createLexer } from './lexer.js';
import { hanvonSimulatorOptions } from './options.js';

export interface HanvonTerminal extends SimulatedTerminal {
  /** Face templates that it holds of a person. */
  faces(id: string): number;
  /** Words of the commands it was given, in order. */
  commands(): readonly string[];
}

export function simulateHanvon(setup: SimulatorSetup): HanvonTerminal {
  const options = hanvonSimulatorOptions.parse(setup.options);
  const key = keyBytes(options.commKey);
  const device = createDevice(setup, options);
  const { faults } = device;
  const random = seededRandom(setup.seed);
  const heard: string[] = [];
  let current: Duplex | null = null;

  const write = (word: string, args: readonly Argument[]): Uint8Array =>
    encodeMessage(word, args, key, { encoding: options.encoding, separator: options.lines ? '\r\n' : ' ' });

  const serve = async (link: Duplex, signal: AbortSignal): Promise<void> => {
    link.on('error', () => undefined);
    // One client at a time: whoever comes second is turned away.
    if ((current !== null && !current.destroyed) || faults.has('second-session-refused')) {
      link.destroy();
      return;
    }
    current = link;
    const wire = createFaultyWire(link, faults, random, setup.wire);
    let work: Promise<void> = Promise.resolve();

    const reply = async ({ args, breaks }: Reply): Promise<void> => {
      const bytes = write('Return', args);
      for (let wait = 0; wait < (faults.has('wait') ? Number(faults.get('wait')) || 1 : options.waits); wait += 1) {
        await wire.send(write('Wait', [['wait_time', String(options.waitSeconds)]]), signal);
        await wire.flush();
        await setup.wire.sleep(options.waitSeconds * 900, signal);
      }
      if (faults.has('close-without-return')) {
        faults.delete('close-without-return');
        link.destroy();
        return;
      }
      // What it has of the last answer, then darkness: a message without an end.
      const whole = faults.has('two-returns') ? Buffer.concat([bytes, bytes]) : bytes;
      await wire.send(breaks ? bytes.subarray(0, -1) : whole, signal);
      await wire.flush();
      if (breaks || options.closes) link.end(() => link.destroy());
    };
    const misunderstood = async (): Promise<void> => {
      if (options.wrongKey === 'answer')
        await reply({
          args: [
            ['result', 'failed'],
            ['reason', 'unknown command'],
          ],
          breaks: false,
        });
    };

    const lexer = createLexer({ key, words: null, drops: () => false });
    let message: { word: string; pairs: Pair[]; foreign: boolean } | null = null;
    let puzzled = false;
    const inTurn = (task: () => Promise<void>): void => {
      work = work.then(task).catch(() => undefined);
    };
    const onData = (chunk: Uint8Array): void => {
      wire.received(chunk);
      for (const token of lexer.push(chunk)) {
        if (token.kind === 'begin')
          message = { word: token.word, pairs: [], foreign: token.encrypted !== (key !== null) };
        else if (token.kind === 'pair') message?.pairs.push({ key: token.key, value: token.value, size: token.size });
        else if (token.kind === 'end' && message !== null) {
          const { foreign, ...whole } = message;
          message = null;
          puzzled = false;
          heard.push(whole.word);
          inTurn(() => (foreign ? misunderstood() : reply(device.answer(whole satisfies Message))));
        } else if (!puzzled) {
          puzzled = true;
          inTurn(misunderstood);
        }
      }
    };
    try {
      await new Promise<void>((resolve) => {
        const end = (): void => resolve();
        link.on('data', onData);
        for (const event of ['end', 'close', 'error']) link.once(event, end);
        signal.addEventListener('abort', end, { once: true });
        if (link.destroyed || signal.aborted) end();
      });
    } finally {
      link.off('data', onData);
      if (current === link) current = null;
    }
  };

  const makePunch = (userId: string, how: Pick<SimulatedPunch, 'verify' | 'direction'>): SimulatedPunch => {
    const punch: SimulatedPunch = { userId, wallTime: device.wallClock(), ...how };
    device.punches.push(punch);
    return punch;
  };

  return {
    serve,
    addUser: (user) => void device.people.set(user.id, newPerson(user, options.faces)),
    punch: (userId, how = {}) => makePunch(userId, how),
    addRecord: (record) => void device.punches.push(record),
    users: () => [...device.people.values()].map(userOf),
    records: () => device.punches,
    faces: (id) => device.people.get(id)?.faces ?? 0,
    commands: () => heard,
    setClockOffset: (ms) => device.setClockOffset(ms),
    wallClock: () => device.wallClock(),
    setFault(name, value) {
      if (value === null) faults.delete(name);
      else faults.set(name, value);
    },
  };
}
