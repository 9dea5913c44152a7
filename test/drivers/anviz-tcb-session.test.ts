/** What is special to the Anviz session: flags and their clearing, pages that go wrong, the bus, passwords, the epoch. */
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import {
  COMMAND,
  encodeAnswer,
  encodeRecord,
  encodeRequest,
  frameRule,
  parseFrame,
  type Frame,
} from '../../src/drivers/anviz-tcb/codec.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import type { AnvizOptions } from '../../src/drivers/anviz-tcb/options.js';
import type { AnvizSession } from '../../src/drivers/anviz-tcb/session.js';
import { createAnvizBus, type AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import type { Cursor, Finding, PunchPage } from '../../src/drivers/driver.js';
import { createFramer } from '../../src/drivers/framing.js';
import { benchWire, createRig, history, keyOf, type Rig, type RigOptions } from './rig.js';

interface Bench {
  readonly rig: Rig<AnvizOptions>;
  readonly terminal: AnvizTerminal;
  /** Frames that the gateway sent, in order, over all connections. */
  readonly asked: Frame[];
  readonly findings: Finding[];
  /** Opens a session, works in it, ends it. */
  session<T>(
    work: (session: AnvizSession, theirs: Duplex) => Promise<T>,
    options?: Record<string, unknown>,
  ): Promise<T>;
  /** Reads to the end; confirms every page unless told not to. */
  read(after?: Cursor | null, how?: { confirm?: boolean; options?: Record<string, unknown> }): Promise<PunchPage[]>;
}

function createBench(given: RigOptions = {}, others: readonly AnvizTerminal[] = []): Bench {
  const rig = createRig(anvizTcb, { records: history(40), ...given });
  const terminal = rig.terminal as AnvizTerminal;
  const bus = createAnvizBus([terminal, ...others]);
  const asked: Frame[] = [];
  const findings: Finding[] = [];
  const bench: Bench = {
    rig,
    terminal,
    asked,
    findings,
    session: (work, options = {}) =>
      rig.run(async () => {
        const [ours, theirs] = duplexPair();
        for (const side of [ours, theirs]) side.on('error', () => undefined);
        const framer = createFramer(frameRule);
        theirs.on('data', (chunk: Uint8Array) => {
          for (const cut of framer.push(chunk)) if (cut.kind === 'frame') asked.push(parseFrame(cut.bytes));
        });
        const stop = new AbortController();
        const served = bus.serve(theirs, stop.signal);
        try {
          await using session = await anvizTcb.open(
            ours,
            anvizTcb.options.parse({ ...given.options, ...options }),
            benchWire(rig.clock, (finding) => findings.push(finding)),
            stop.signal,
          );
          return await work(session, theirs);
        } finally {
          ours.destroy();
          theirs.destroy();
          stop.abort();
          await served;
        }
      }),
    read: (after = null, { confirm = true, options = {} } = {}) =>
      bench.session(async (session) => {
        const pages: PunchPage[] = [];
        for await (const page of session.pages(after, { follow: false })) {
          pages.push(page);
          if (confirm) await session.confirm(page);
        }
        return pages;
      }, options),
  };
  return bench;
}

const keys = (pages: readonly PunchPage[]): string[] => pages.flatMap((page) => page.punches.map(keyOf));
const told = (bench: Bench): string[] => bench.terminal.records().map(keyOf);
const sent = (bench: Bench, command: number): string[] =>
  bench.asked
    .filter((frame) => frame.kind === 'request' && frame.command === command)
    .map((frame) => [...frame.data].join(' '));
const codes = (bench: Bench): string[] => bench.findings.map((finding) => finding.code);
const at = (userId: string, wallTime: string): { userId: string; wallTime: WallTime } => ({
  userId,
  wallTime: wallTime as WallTime,
});

describe('flags', () => {
  it('are cleared with type 2 and the exact number after the last page, and the records stay', async () => {
    const bench = createBench();
    const pages = await bench.read();
    expect(keys(pages)).toEqual(told(bench));
    expect(sent(bench, COMMAND.clearNew)).toEqual(['2 0 0 40']);
    expect(bench.terminal.newRecords()).toBe(0);
    expect(bench.terminal.records()).toHaveLength(40);
  });

  it('stay without a confirmation: a crash before it brings the same records again', async () => {
    const bench = createBench();
    const first = await bench.read(null, { confirm: false });
    expect(sent(bench, COMMAND.clearNew)).toEqual([]);
    const again = await bench.read(first.at(-1)?.cursor ?? null);
    expect(keys(again)).toEqual(told(bench));
    expect(sent(bench, COMMAND.records)).toContain('2 25');
    expect(keys(await bench.read(again.at(-1)?.cursor ?? null))).toEqual([]);
  });

  it('of records made during the read stay, and the next read brings them alone', async () => {
    const bench = createBench();
    let cursor: Cursor | null = null;
    await bench.session(async (session) => {
      for await (const page of session.pages(null, { follow: false })) {
        bench.terminal.addRecord(at('42', `2026-09-09 10:00:0${page.punches.length % 10}`));
        await session.confirm(page);
        cursor = page.cursor;
      }
    });
    expect(bench.terminal.newRecords()).toBe(2);
    expect(keys(await bench.read(cursor))).toEqual(told(bench).slice(40));
    expect(bench.terminal.newRecords()).toBe(0);
  });

  it('are cleared once only, when the answer to the clearing is lost', async () => {
    const bench = createBench();
    await bench.session(async (session) => {
      for await (const page of session.pages(null, { follow: false })) {
        if (page.drained) bench.terminal.setFault('no-answer', '1');
        await session.confirm(page);
      }
    });
    expect(sent(bench, COMMAND.clearNew)).toHaveLength(1);
    expect(codes(bench)).toContain('odd');
  });

  it('consumed by another program cost a day at most: then everything is read', async () => {
    const bench = createBench();
    const cursor = (await bench.read()).at(-1)?.cursor ?? null;
    bench.terminal.addRecord(at('42', '2026-09-09 10:00:00'));
    await bench.session(async (session) => {
      for await (const page of session.pages(cursor, { follow: false })) await session.confirm(page);
    });
    bench.terminal.addRecord(at('42', '2026-09-09 11:00:00'));
    // The other program reads and clears without us.
    bench.terminal.device.answer(
      parseFrame(Uint8Array.from([0xa5, 0, 0, 0, 1, 0x4e, 0, 4, 2, 0, 0, 1, 0, 0])),
      bench.terminal.device.connect(() => undefined),
    );
    expect(keys(await bench.read(cursor))).toEqual([]);
    await bench.rig.clock.advance(24 * 3_600_000);
    expect(keys(await bench.read(cursor))).toEqual(told(bench));
  });
});

describe('a log that somebody else changes', () => {
  it('erased: says so, reads everything again, and loses nothing that was made since', async () => {
    const bench = createBench();
    const cursor = (await bench.read()).at(-1)?.cursor ?? null;
    bench.terminal.setFault('seq-reset', '');
    await bench.session((session) => session.identify());
    bench.terminal.addRecord(at('42', '2026-09-09 10:00:00'));
    bench.asked.length = 0;
    expect(keys(await bench.read(cursor))).toEqual(['42 2026-09-09 10:00:00']);
    expect(codes(bench)).toContain('epoch-changed');
    expect(sent(bench, COMMAND.records)[0]).toBe('1 25');
  });

  it('flags taken by another program are seen in the counters, and everything is read, at most once an hour', async () => {
    const bench = createBench();
    const take = (): void => {
      bench.terminal.device.answer(
        parseFrame(Uint8Array.from([0xa5, 0, 0, 0, 1, 0x4e, 0, 4, 2, 0, 0, 1, 0, 0])),
        bench.terminal.device.connect(() => undefined),
      );
    };
    let cursor = (await bench.read()).at(-1)?.cursor ?? null;
    bench.terminal.addRecord(at('42', '2026-09-09 10:00:00'));
    take();
    expect(keys(await bench.read(cursor))).toEqual([]);
    await bench.rig.clock.advance(3_600_000);
    const found = await bench.read(cursor);
    expect(keys(found)).toContain('42 2026-09-09 10:00:00');
    expect(codes(bench)).toContain('gap');
    cursor = found.at(-1)?.cursor ?? null;
    bench.terminal.addRecord(at('42', '2026-09-09 11:00:00'));
    expect(keys(await bench.read(cursor))).toEqual(['42 2026-09-09 11:00:00']);
  });

  it('a memory that is nearly full is told', async () => {
    const bench = createBench({ simulatorOptions: { recordCapacity: 44 } });
    await bench.session((session) => session.identify());
    expect(bench.findings).toContainEqual({
      code: 'memory-low',
      text: 'The terminal holds 40 of 44 records',
      data: { records: 40, capacity: 44 },
    });
  });
});

describe('completeness', () => {
  it.each(['wrong-count', 'truncate-dataset'])(
    '%s: says so, clears nothing, and reads everything again in an hour',
    async (fault) => {
      const bench = createBench({ faults: { [fault]: '3' } });
      const last = (await bench.read()).at(-1);
      expect(last?.drained).toBe(false);
      expect((last?.count?.announced ?? 0) - (last?.count?.decoded ?? 0)).toBe(3);
      expect(codes(bench)).toContain('count-mismatch');
      expect(sent(bench, COMMAND.clearNew)).toEqual([]);
      bench.terminal.setFault(fault, null);
      bench.asked.length = 0;
      await bench.rig.clock.advance(3_600_000);
      expect(keys(await bench.read(last?.cursor ?? null))).toEqual(told(bench));
      expect(sent(bench, COMMAND.records)[0]).toBe('1 25');
    },
  );

  it('does not trust a counter that says nothing is new', async () => {
    const bench = createBench();
    const cursor = (await bench.read()).at(-1)?.cursor ?? null;
    bench.terminal.addRecord(at('42', '2026-09-09 10:00:00'));
    expect((await bench.read(cursor)).at(-1)?.count).toEqual({ announced: 1, decoded: 1 });
    expect((await bench.read(cursor)).at(-1)?.count).toEqual({ announced: 0, decoded: 0 });
    expect(sent(bench, COMMAND.records).at(-1)).toBe('2 25');
  });

  it('a record that the terminal holds twice is given twice; whoever stores it knows its identity', async () => {
    const bench = createBench({ faults: { 'duplicate-record': '' } });
    const pages = await bench.read();
    expect(new Set(keys(pages))).toEqual(new Set(told(bench)));
    expect(pages.at(-1)?.count).toEqual({ announced: 40, decoded: 41 });
  });
});

describe('pages that go wrong', () => {
  it.each([2, 3, 5])(
    'every %i-th frame spoilt: asked for again with 0x10, nothing lost, nothing doubled',
    async (nth) => {
      const bench = createBench({ records: history(120), faults: { 'corrupt-checksum': String(nth) } });
      expect(keys(await bench.read())).toEqual(told(bench));
      expect(sent(bench, COMMAND.records)).toContain('16 25');
      expect(codes(bench)).toEqual(expect.arrayContaining(['noise', 'resent-page']));
    },
  );

  it('answers that are always late are neither doubled nor mistaken for the next page', async () => {
    const bench = createBench({
      records: history(120),
      faults: { delay: '1400' },
      options: { pageTimeoutMs: 1000, answerTimeoutMs: 1000 },
    });
    expect(keys(await bench.read())).toEqual(told(bench));
  });

  it('begins again when a terminal on a bus restarts in the middle, and gives each record once', async () => {
    const neighbour = createRig(anvizTcb, { simulatorOptions: { address: 2 } }).terminal as AnvizTerminal;
    const bench = createBench(
      { records: history(120), faults: { 'reboot-mid-transfer': '2' }, options: { address: 1 } },
      [neighbour],
    );
    expect(keys(await bench.read())).toEqual(told(bench));
    expect(sent(bench, COMMAND.records).filter((data) => data === '1 25').length).toBeGreaterThan(1);
  });

  it('loses the line when a terminal alone on it restarts; the next session gets everything', async () => {
    const bench = createBench({ records: history(120), faults: { 'reboot-mid-transfer': '2' } });
    await expect(bench.read()).rejects.toMatchObject({ name: 'GatewayError', kind: 'retry' });
    expect(keys(await bench.read())).toEqual(told(bench));
  });

  it('reads a list whose pages are all alike, but trusts it with nothing', async () => {
    const bench = createBench({ records: Array.from({ length: 60 }, () => at('42', '2026-09-09 10:00:00')) });
    const pages = await bench.read();
    expect(new Set(keys(pages))).toEqual(new Set(told(bench)));
    expect(pages.at(-1)?.drained).toBe(false);
    expect(bench.terminal.newRecords()).toBe(60);
  });

  it('gives up on a terminal that is silent in the middle, in bounded time', async () => {
    const bench = createBench({ records: history(120) });
    const began = bench.rig.clock.ticks();
    await expect(
      bench.session(async (session) => {
        for await (const page of session.pages(null, { follow: false })) {
          if (page.punches.length > 0) bench.terminal.setFault('no-answer', '');
        }
      }),
    ).rejects.toMatchObject({ code: 'link-silent' });
    expect(bench.rig.clock.ticks() - began).toBeLessThan(20_000);
    expect(bench.terminal.newRecords()).toBe(120);
  });

  it('believes the length of a page whose count byte is wrong, and says so', async () => {
    const bench = createBench({ faults: { 'wrong-page-count': '' } });
    expect(keys(await bench.read())).toEqual(told(bench));
    expect(codes(bench)).toContain('odd');
  });

  it('asks a busy terminal again', async () => {
    const bench = createBench({ faults: { 'busy-error': '2' } });
    expect(keys(await bench.read())).toEqual(told(bench));
  });
});

describe('on a bus', () => {
  const neighbour = (address: number): AnvizTerminal =>
    createRig(anvizTcb, { simulatorOptions: { address }, records: history(3) }).terminal as AnvizTerminal;

  it('reads each terminal by its address, and hears no neighbour', async () => {
    const second = neighbour(2);
    const bench = createBench({ options: { address: 1 } }, [second]);
    const pages = await bench.session(async (session, theirs) => {
      const all: PunchPage[] = [];
      for await (const page of session.pages(null, { follow: false })) {
        all.push(page);
        // The neighbour tells a live record and sends a heartbeat while the first one is read.
        const raw = encodeRecord({ userId: '9', seconds: 1, backup: 1, state: 0, workCode: 0 });
        theirs.write(encodeAnswer(2, COMMAND.realTime, 0, raw));
        await session.confirm(page);
      }
      return all;
    });
    expect(keys(pages)).toEqual(told(bench));
    expect(keys(await bench.read(null, { options: { address: 2 } }))).toEqual(second.records().map(keyOf));
  });

  it('switches live records off, so that nobody talks unasked', async () => {
    const bench = createBench({ options: { address: 1 } });
    expect(bench.terminal.realTime()).toBe(true);
    await bench.read();
    expect(bench.terminal.realTime()).toBe(false);
    expect(sent(bench, COMMAND.setConfig2)).toEqual([`255 255 255 255 0${' 255'.repeat(10)}`]);
  });

  it('leaves a terminal alone on its line as it is, and switches live records on where they are wanted', async () => {
    const off = createBench({ simulatorOptions: { realTime: false } });
    await off.read();
    expect(sent(off, COMMAND.setConfig2)).toEqual([]);
    const on = createBench({ simulatorOptions: { realTime: false }, options: { realTime: true } });
    await on.read();
    expect(on.terminal.realTime()).toBe(true);
  });

  it('does not follow where live records are off', async () => {
    const bench = createBench({ options: { address: 1 } });
    const pages = await bench.session(async (session) => {
      const all: PunchPage[] = [];
      for await (const page of session.pages(null, { follow: true })) all.push(page);
      return all;
    });
    expect(pages.at(-1)?.drained).toBe(true);
  });

  it.each([{}, { echo: '' }, { 'line-noise': '3' }] as readonly Readonly<Record<string, string>>[])(
    'two that answer address 0 collide, and the error says what to do: %o',
    async (faults) => {
      const bench = createBench({ faults }, [neighbour(2)]);
      await expect(bench.session((session) => session.identify())).rejects.toMatchObject({
        code: 'bus-address-needed',
        kind: 'settings',
        message: expect.stringContaining('Two terminals') as string,
      });
    },
  );

  it('an adapter that echoes with nobody behind it is silence, and a foreign peer behind it is foreign', async () => {
    const silent = createBench({ faults: { echo: '', 'no-answer': '' } });
    await expect(silent.session((session) => session.identify())).rejects.toMatchObject({ code: 'link-silent' });
    const foreign = createBench({ faults: { echo: '', 'no-answer': '' } });
    await expect(
      foreign.session((session, theirs) => {
        theirs.on('data', () => theirs.write('+++ printer is out of paper +++'));
        return session.identify();
      }),
    ).rejects.toMatchObject({ code: 'wrong-protocol', context: { driver: 'anviz-tcb' } });
  });

  it('two that talk by turns on address 0 are noticed as two', async () => {
    const bench = createBench();
    await expect(
      bench.session(async (session, theirs) => {
        await session.identify();
        theirs.write(encodeAnswer(2, COMMAND.clock, 0, new Uint8Array(6)));
        return session.readClock?.();
      }),
    ).rejects.toMatchObject({ code: 'bus-address-needed', kind: 'settings', context: { first: 1, second: 2 } });
  });

  it('survives echo, noise and cut frames together', async () => {
    const bench = createBench({
      records: history(80),
      faults: { echo: '', 'line-noise': '5', fragment: '3', 'corrupt-checksum': '7' },
      options: { address: 1 },
    });
    expect(keys(await bench.read())).toEqual(told(bench));
    expect(sent(bench, COMMAND.clearNew)).toEqual(['2 0 0 80']);
  });

  it('pauses between requests', async () => {
    const bench = createBench({ options: { gapMs: 50 } });
    const began = bench.rig.clock.ticks();
    await bench.session(async (session) => {
      for (let count = 0; count < 11; count += 1) await session.readClock?.();
    });
    expect(bench.rig.clock.ticks() - began).toBeGreaterThanOrEqual(500);
  });
});

describe('authentication', () => {
  it('is refused with the wrong password, as a matter of settings', async () => {
    const bench = createBench({ simulatorOptions: { authPassword: '12345' } });
    await expect(bench.read(null, { options: { authPassword: '1234' } })).rejects.toMatchObject({
      code: 'auth-refused',
      kind: 'settings',
    });
    expect(sent(bench, COMMAND.auth)).toHaveLength(1);
  });

  it('is asked for when everything is refused, and never shows the password', async () => {
    const bench = createBench({ simulatorOptions: { authPassword: '12345' } });
    await expect(bench.session((session) => session.identify())).rejects.toMatchObject({ code: 'auth-refused' });
    const silent = createBench({ simulatorOptions: { authPassword: '12345', withoutAuth: 'silent' } });
    await expect(silent.session((session) => session.identify())).rejects.toMatchObject({ code: 'link-silent' });
  });

  it('takes a password of digits as a number, and one from a file with its line end', async () => {
    for (const authPassword of [12345, '12345\n']) {
      const bench = createBench({ simulatorOptions: { authPassword: '12345' }, options: { authPassword } });
      expect(await bench.session(async (session) => await session.readClock?.())).toMatch(/^2026-09-10 08:/);
    }
  });

  it('is renewed after a long silence, before anything is refused', async () => {
    const bench = createBench({ simulatorOptions: { authPassword: '12345' }, options: { authPassword: '12345' } });
    await bench.session(async (session) => {
      for (let times = 0; times < 3; times += 1) {
        await bench.rig.clock.sleep(600_000, new AbortController().signal);
        expect(await session.readClock?.()).toMatch(/^2026-09-10/);
      }
    });
    expect(sent(bench, COMMAND.auth)).toHaveLength(4);
    expect(sent(bench, COMMAND.clock)).toHaveLength(3);
  });

  it('lapses in the simulator after five minutes without traffic', async () => {
    const bench = createBench({ simulatorOptions: { authPassword: '12345' } });
    const { device } = bench.terminal;
    const connection = device.connect(() => undefined);
    connection.authenticated = true;
    const ask = (): number | undefined => {
      const [bytes] = device.answer(parseFrame(encodeRequest(1, COMMAND.clock)), connection);
      return bytes instanceof Uint8Array ? bytes[6] : undefined;
    };
    expect(ask()).toBe(0);
    await bench.rig.clock.advance(299_000);
    expect(ask()).toBe(0);
    await bench.rig.clock.advance(300_000);
    expect(ask()).toBe(1);
  });

  it('is done again once when it has lapsed', async () => {
    const bench = createBench({ simulatorOptions: { authPassword: '12345' }, options: { authPassword: '12345' } });
    await bench.session(async (session) => {
      await session.identify();
      // The terminal forgets, as after five minutes without traffic.
      const { device } = bench.terminal;
      const answer = device.answer.bind(device);
      let lapsed = false;
      Object.assign(device, {
        answer: (...given: Parameters<typeof answer>) => {
          if (!lapsed) given[1].authenticated = false;
          lapsed = true;
          return answer(...given);
        },
      });
      expect(await session.readClock?.()).toMatch(/^2026-09-10 08:/);
    });
    expect(sent(bench, COMMAND.auth)).toHaveLength(2);
  });
});

describe('clock and live records', () => {
  it('an epoch a day off is found with the first live record, and no punch is given on a wrong day', async () => {
    for (const [configured, suggested] of [
      ['2000-01-02', '2000-01-01'],
      ['2000-01-01', '2000-01-02'],
    ] as const) {
      const bench = createBench({
        records: [],
        simulatorOptions: { epoch: suggested },
        options: { epoch: configured, realTime: true },
      });
      const given: string[] = [];
      await expect(
        bench.session(async (session) => {
          for await (const page of session.pages(null, { follow: true })) {
            given.push(...page.punches.map(keyOf));
            if (page.drained) bench.terminal.punch('42');
          }
        }),
      ).rejects.toMatchObject({ code: 'wrong-epoch', kind: 'settings', context: { configured, suggested } });
      expect(given).toEqual([]);
      expect(codes(bench)).toContain('epoch-changed');
    }
  });

  it('a live record of another time says nothing about the epoch', async () => {
    const bench = createBench({ records: [], options: { realTime: true } });
    await bench.session(async (session) => {
      for await (const page of session.pages(null, { follow: true })) {
        if (page.drained && page.count?.decoded === 0) {
          bench.terminal.punch('42');
          bench.terminal.setClockOffset(7_200_000);
        }
        if (page.punches.length > 0) break;
      }
    });
    expect(codes(bench)).not.toContain('epoch-changed');
  });

  it('a stored record of tomorrow is told as a sign of the wrong epoch, and given all the same', async () => {
    const bench = createBench({ records: [], simulatorOptions: { epoch: '2000-01-01' } });
    bench.terminal.addRecord(at('42', '2026-09-10 07:59:00'));
    const given = await bench.session(async (session) => {
      await session.readClock?.();
      const all: PunchPage[] = [];
      for await (const page of session.pages(null, { follow: false })) all.push(page);
      return all;
    });
    expect(keys(given)).toEqual(['42 2026-09-11 07:59:00']);
    expect(codes(bench)).toContain('epoch-changed');
  });

  it('tells the same punch live and from the list, and clears its flag afterwards', async () => {
    const bench = createBench({ records: [], options: { realTime: true } });
    const sources: string[] = [];
    await bench.session(async (session) => {
      for await (const page of session.pages(null, { follow: true })) {
        await session.confirm(page);
        if (page.drained && sources.length === 0) bench.terminal.punch('42');
        sources.push(...page.punches.map((punch) => punch.source));
        if (sources.length === 2) break;
      }
    });
    expect(sources).toEqual(['realtime', 'poll']);
    expect(bench.terminal.newRecords()).toBe(0);
  });

  it('answers a heartbeat', async () => {
    const bench = createBench({ faults: { heartbeat: '' } });
    await bench.session(async (session) => {
      await session.readClock?.();
      await session.readClock?.();
    });
    expect(bench.asked.filter((frame) => frame.kind === 'answer')).toMatchObject([
      { address: 1, command: COMMAND.heartbeat, ret: 0 },
    ]);
  });

  it('gives an impossible clock and record as they were told', async () => {
    const bench = createBench({ records: history(2), faults: { 'impossible-date': '' } });
    expect(await bench.session(async (session) => await session.readClock?.())).toBe('2000-13-32 25:61:61');
    expect((await bench.read())[0]?.punches[0]?.wallTime).toBe('2136-02-08 06:28:15');
  });

  it('does not repeat the setting of a clock whose answer was lost', async () => {
    const bench = createBench({ faults: { 'no-answer': '1' } });
    await expect(
      bench.session((session) => session.setClock?.('2026-09-10 09:00:00' as WallTime) ?? Promise.resolve()),
    ).rejects.toMatchObject({ code: 'link-silent' });
    expect(sent(bench, COMMAND.setClock)).toHaveLength(1);
  });
});

describe('who it is and whom it knows', () => {
  it('tells serial, model, firmware, address and fill level', async () => {
    const bench = createBench();
    expect(await bench.session((session) => session.identify())).toEqual({
      serial: 'TEST0001',
      model: 'FACE7',
      firmware: '02.10.04',
      details: {
        address: 1,
        users: 3,
        records: 40,
        newRecords: 40,
        userCapacity: 10_000,
        recordCapacity: 100_000,
      },
    });
  });

  it.each([27, 30, 40] as const)('reads users of %i bytes, over several pages', async (userLayout) => {
    const users = Array.from({ length: 30 }, (_, index) => ({ id: String(1000 + index), name: `王${index}` }));
    const bench = createBench({ users, simulatorOptions: { userLayout } });
    const known = await bench.session((session) => session.readUsers());
    expect(known.map(({ id, name }) => ({ id, name }))).toEqual(users);
  });

  it('a terminal without users has none', async () => {
    const bench = createBench({ users: [] });
    expect(await bench.session((session) => session.readUsers())).toEqual([]);
  });
});
