/** Who calls, and whose terminal that is: the switchboard with drivers that only listen to first bytes, on wires of memory. */
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/core/log.js';
import type { ListenReach } from '../../src/core/reach.js';
import type { Zone } from '../../src/core/time.js';
import type { CalledSide, Driver, Heard } from '../../src/drivers/driver.js';
import { createSwitchboard, type Callable, type Switchboard } from '../../src/flows/reception.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

const never = (): never => {
  throw new Error('not used here');
};

function driverOf(name: string, called: Partial<CalledSide<unknown>>): Driver {
  return {
    ...{ name, options: z.unknown(), simulatorOptions: z.unknown(), faults: [], capabilities: new Set() },
    ...{ defaultPort: 1, reaches: new Set(['tcp-listen']), decoderVersion: '1', seqIsIdentity: false },
    ...{ open: never, decoder: never, simulate: never, scrub: never },
    called: {
      hear: () => ({ is: 'no' }),
      waitsForUs: false,
      keyOf: () => null,
      connections: 'one',
      ...called,
    },
  };
}

/** Speaks lines such as `HELLO TEST0001\n`. */
function greeting(word: string) {
  return (first: Uint8Array): Heard => {
    const text = Buffer.from(first).toString();
    const head = `${word} `;
    if (!head.startsWith(text.slice(0, head.length))) return { is: 'no' };
    const end = text.indexOf('\n');
    if (end < 0) return { is: 'more' };
    const said = text.slice(head.length, end);
    return said.startsWith('key=') ? { is: 'yes', serial: null, key: said.slice(4) } : { is: 'yes', serial: said };
  };
}

const hello = driverOf('hello', {
  hear: greeting('HELLO'),
  connections: 'many',
  keyOf: (options) => (options as { token?: string }).token ?? null,
  refuse: async (link) => {
    link.write('WHO ARE YOU\n');
    return Promise.resolve();
  },
});
const ahoy = driverOf('ahoy', { hear: greeting('AHOY') });
const quiet = driverOf('quiet', {
  hear: (first) => ({ is: first.length === 0 ? 'more' : 'no' }),
  waitsForUs: true,
  ask: async (link) => {
    link.write('SN?\n');
    const answer = await new Promise<string>((resolve) =>
      link.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    link.pause();
    return answer.trim();
  },
});

const reach: ListenReach = { kind: 'tcp-listen', host: '0.0.0.0', port: 7788 };
const terminal = (id: string, driver: Driver, serial: string | null, options: unknown = {}): Callable => ({
  ...{ id, driver, serial, options, reach },
});

interface Bench {
  readonly board: Switchboard;
  readonly clock: FakeClock;
  /** Somebody calls and says this, in pieces. */
  readonly call: (...pieces: readonly string[]) => {
    readonly theirs: Duplex;
    readonly done: Promise<void>;
    readonly said: string[];
  };
}

function bench(terminals: readonly Callable[]): Bench {
  const clock = createFakeClock();
  const board = createSwitchboard({
    ...{
      terminals,
      drivers: [hello, ahoy, quiet],
      zone: 'Asia/Shanghai' as Zone,
      clock,
      wire: clock,
      log: silentLog(),
    },
  });
  return {
    board,
    clock,
    call: (...pieces) => {
      const [ours, theirs] = duplexPair();
      const said: string[] = [];
      theirs.on('data', (chunk: Buffer) => said.push(chunk.toString()));
      ours.on('close', () => theirs.destroy());
      theirs.on('error', () => undefined);
      const link = Object.assign(ours, {
        [Symbol.asyncDispose]: async () => {
          ours.destroy();
          return Promise.resolve();
        },
      });
      const done = board.answer(link, '192.0.2.7:50123', reach, signal).finally(() => ours.destroy());
      void (async () => {
        for (const piece of pieces) {
          theirs.write(piece);
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      })();
      return { theirs, done, said };
    },
  };
}

const signal = new AbortController().signal;
const firstBytes = async (link: Duplex, size: number): Promise<string> => {
  let text = '';
  for await (const chunk of link.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length >= size) break;
  }
  return text;
};

describe('a caller', () => {
  test('is handed to its terminal with every byte unread, however its words are cut', async () => {
    const { board, call } = bench([terminal('front', hello, 'TEST0001'), terminal('back', ahoy, 'TEST0002')]);
    call('A', 'HOY TE', 'ST0002\nand more');
    expect(await firstBytes(await board.next('back', signal), 22)).toBe('AHOY TEST0002\nand more');
    call('HELLO TEST0001\n');
    expect(await firstBytes(await board.next('front', signal), 15)).toBe('HELLO TEST0001\n');
    expect(board.unclaimed()).toEqual([]);
  });

  test('is known by the word of its settings where it does not tell its number', async () => {
    const { board, call } = bench([terminal('front', hello, null, { token: 'opensesame' })]);
    call('HELLO key=opensesame\n');
    expect(await firstBytes(await board.next('front', signal), 5)).toBe('HELLO key=opensesame\n');
    const wrong = call('HELLO key=guess\n');
    await wrong.done;
    expect(board.unclaimed()).toMatchObject([{ driver: 'hello', serial: null, calls: 1 }]);
    expect(JSON.stringify(board.unclaimed())).not.toContain('guess');
  });

  test('that nobody has adopted is refused in its own words, counted and shown', async () => {
    const { board, call, clock } = bench([terminal('front', hello, 'TEST0001')]);
    const first = call('HELLO TEST0009\n');
    await first.done;
    expect(first.said.join('')).toBe('WHO ARE YOU\n');
    await clock.advance(60_000);
    await call('HELLO TEST0009\n').done;
    expect(board.unclaimed()).toMatchObject([
      { driver: 'hello', serial: 'TEST0009', peer: '192.0.2.7', port: '0.0.0.0:7788', window: null, calls: 2 },
    ]);
    const [entry] = board.unclaimed();
    expect((entry?.lastAt ?? 0) - (entry?.firstAt ?? 0)).toBe(60_000);
  });

  test('that speaks no protocol of ours is shown with its first sixteen bytes', async () => {
    const { board, call } = bench([]);
    await call('SSH-2.0-OpenSSH_9.6 and a lot more').done;
    expect(board.unclaimed()).toMatchObject([
      { driver: null, serial: null, window: '53 53 48 2D 32 2E 30 2D 4F 70 65 6E 53 53 48 5F' },
    ]);
  });

  test('that says too little for too long is let go', async () => {
    const { board, call, clock } = bench([terminal('front', hello, 'TEST0001')]);
    const slow = call('HELLO TES');
    await clock.advance(30_000);
    await slow.done;
    expect(board.unclaimed()).toHaveLength(1);
  });

  test('who waits for us is asked, and the only one who will not tell gets the benefit of the doubt', async () => {
    const { board, call, clock } = bench([terminal('yard', quiet, 'Q1'), terminal('hall', quiet, 'Q2')]);
    const silent = call();
    silent.theirs.on('data', () => silent.theirs.write('Q2\n'));
    await clock.advance(3000);
    await board.next('hall', signal);
    const alone = bench([terminal('yard', quiet, 'Q1')]);
    alone.call();
    await alone.clock.advance(3000);
    await alone.clock.advance(6000);
    await alone.board.next('yard', signal);
    expect(alone.board.unclaimed()).toEqual([]);
  });

  test('of one conversation replaces its earlier call; of many, both are kept', async () => {
    const { board, call } = bench([terminal('front', hello, 'TEST0001'), terminal('back', ahoy, 'TEST0002')]);
    call('AHOY TEST0002\n');
    const first = await board.next('back', signal);
    const gone = new Promise<unknown>((resolve) => first.once('error', resolve));
    call('AHOY TEST0002\n');
    expect(await gone).toMatchObject({ code: 'call-replaced' });
    expect((await board.next('back', signal)).destroyed).toBe(false);
    call('HELLO TEST0001\n');
    call('HELLO TEST0001\n');
    const [one, other] = [await board.next('front', signal), await board.next('front', signal)];
    expect([one.destroyed, other.destroyed]).toEqual([false, false]);
  });

  test('no more than a hundred strangers are remembered, the latest first', async () => {
    const { board, call } = bench([]);
    for (let index = 0; index < 120; index += 1) await call(`HELLO S${index}\n`).done;
    expect(board.unclaimed()).toHaveLength(100);
    expect(board.unclaimed()[0]?.serial).toBe('S119');
  });

  test('whoever waits for a call stops when told to', async () => {
    const { board } = bench([terminal('front', hello, 'TEST0001')]);
    const stop = new AbortController();
    const waiting = board.next('front', stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
