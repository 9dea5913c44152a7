/**
 * Anviz terminals in client mode: the shared contract over a connection that the terminal makes, then what is special
 * there: recognising and asking a silent caller, heartbeats at any moment, a session that is held, and a new call.
 */
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { COMMAND, encodeAnswer, encodeRequest, frameRule, parseFrame } from '../../src/drivers/anviz-tcb/codec.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import type { Heard, Wire } from '../../src/drivers/driver.js';
import { createFramer } from '../../src/drivers/framing.js';
import { driverContract } from './contract.js';
import { silentLog } from '../../src/core/log.js';
import { parseReach } from '../../src/core/reach.js';
import { createSwitchboard } from '../../src/flows/reception.js';
import { benchWire, createRig, history, keyOf, loadCaptures, readPages, SITE_ZONE } from './rig.js';

driverContract({
  driver: anvizTcb,
  options: { realTime: true },
  variants: [
    { name: 'in client mode', calls: 'only' },
    {
      name: 'in client mode with a password',
      calls: 'only',
      options: { realTime: true, authPassword: '12345' },
      simulatorOptions: { authPassword: '12345' },
    },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/anviz-tcb')).slice(0, 1),
  eventFault: { 'interleave-event': '' },
});

const hear = (first: Uint8Array): Heard => anvizTcb.called?.hear(first) ?? { is: 'no' };
const ask = async (link: Duplex, wire: Wire, signal: AbortSignal): Promise<string | null> =>
  (await anvizTcb.called?.ask?.(link, wire, signal)) ?? null;

const HEARTBEAT = encodeRequest(1, COMMAND.heartbeat);
const LIVE = encodeAnswer(1, COMMAND.realTime, 0, new Uint8Array(14).fill(0xa5));

describe('the first bytes of a caller', () => {
  it.each([
    ['a heartbeat', HEARTBEAT],
    ['a live record', LIVE],
    ['a heartbeat and a live record', Buffer.concat([HEARTBEAT, LIVE])],
  ])('%s: ours as soon as one frame is complete', (_name, bytes) => {
    const frame = Number(frameRule.measure(bytes));
    const heard = Array.from({ length: bytes.length + 1 }, (_, size) => hear(bytes.subarray(0, size)).is);
    expect(heard).toEqual(heard.map((_, size) => (size < frame ? 'more' : 'yes')));
    expect(hear(bytes)).toEqual({ is: 'yes', serial: null } satisfies Heard);
  });

  it.each(['GET /iclock/cdata?SN=1 HTTP/1.1', 'FC', '{"cmd":"reg"', '\x16\x03\x01', '\x50\x50\x82\x7d'])(
    'of another kind are refused with the first byte: %j',
    (text) => {
      expect(hear(Buffer.from(text, 'latin1').subarray(0, 1))).toEqual({ is: 'no' });
    },
  );

  it('that only begin like a frame are refused when their length or checksum says so', () => {
    const spoilt = Uint8Array.from(HEARTBEAT);
    spoilt[9] = 0;
    expect(hear(spoilt)).toEqual({ is: 'no' });
    expect(hear(Uint8Array.of(0xa5, 0, 0, 0, 1, 0x7f, 0xff, 0xff))).toEqual({ is: 'no' });
    expect(hear(encodeAnswer(1, 0x44, 0, new Uint8Array(15_360)).subarray(0, 40))).toEqual({ is: 'no' });
  });
});

describe('a silent caller', () => {
  const meet = async (
    answer: (frame: ReturnType<typeof parseFrame>, theirs: Duplex) => void,
    before: (theirs: Duplex) => void = () => undefined,
  ): Promise<{ readonly serial: string | null; readonly left: string; readonly asked: string[] }> => {
    const rig = createRig(anvizTcb);
    const [ours, theirs] = duplexPair();
    const asked: string[] = [];
    const framer = createFramer(frameRule);
    theirs.on('data', (chunk: Uint8Array) => {
      for (const cut of framer.push(chunk)) {
        asked.push(hex(cut.bytes));
        answer(parseFrame(cut.bytes), theirs);
      }
    });
    before(theirs);
    const serial = await rig.run(ask(ours, benchWire(rig.clock), new AbortController().signal), 60_000);
    const left: Buffer[] = [];
    ours.on('data', (chunk: Buffer) => left.push(chunk));
    ours.resume();
    await rig.clock.advance(10);
    expect(rig.clock.sleepers).toBe(0);
    return { serial, left: hex(Buffer.concat(left)), asked };
  };
  const serial = (frame: ReturnType<typeof parseFrame>, theirs: Duplex): void => {
    if (frame.kind !== 'request') return;
    expect(frame).toMatchObject({ address: 0, command: COMMAND.serial });
    theirs.write(encodeAnswer(1, COMMAND.serial, 0, Buffer.from('TEST0001\0\0\0\0\0\0\0\0')));
  };

  it('tells its serial number, and nothing is left unread', async () => {
    expect(await meet(serial)).toMatchObject({ serial: 'TEST0001', left: '' });
  });

  it('is given back what else it said, and its heartbeat is answered', async () => {
    const met = await meet(serial, (theirs) => theirs.write(Buffer.concat([LIVE, HEARTBEAT])));
    expect(met).toMatchObject({ serial: 'TEST0001', left: hex(LIVE) });
    expect(met.asked).toContain('A5 00 00 00 01 FF 00 00 00 78 C1');
  });

  it('that wants a password, or says nothing, is nobody we know, in bounded time', async () => {
    const refusing = await meet((frame, theirs) => theirs.write(encodeAnswer(1, frame.command, 1)));
    expect(refusing).toMatchObject({ serial: null, left: '' });
    const silent = await meet(() => undefined);
    expect(silent.serial).toBeNull();
    expect(silent.asked).toHaveLength(2);
  });

  it('that hangs up ends the question', async () => {
    expect((await meet((_frame, theirs) => theirs.end())).serial).toBeNull();
  });

  it('a real session goes on where the question ended', async () => {
    const rig = createRig(anvizTcb, { records: history(3) });
    const [ours, theirs] = duplexPair();
    const stop = new AbortController();
    const calling = (rig.terminal as AnvizTerminal).call(() => Promise.resolve(theirs), stop.signal);
    await rig.run(async () => {
      expect(await ask(ours, benchWire(rig.clock), stop.signal)).toBe('TEST0001');
      const wire = benchWire(rig.clock, undefined, { nextCall: () => new Promise(() => undefined) });
      await using session = await anvizTcb.open(ours, anvizTcb.options.parse({}), wire, stop.signal);
      expect((await session.identify()).serial).toBe('TEST0001');
    });
    stop.abort();
    ours.destroy();
    theirs.destroy();
    await rig.run(calling);
  });
});

describe('on the port where terminals call', () => {
  it('a silent caller is asked, and its session finds the link as it was', async () => {
    const rig = createRig(anvizTcb, { records: history(3) });
    const switchboard = createSwitchboard({
      terminals: ['TEST0009', 'TEST0001'].map((serial) => ({
        id: `hall-${serial}`,
        driver: anvizTcb,
        options: anvizTcb.options.parse({}),
        serial,
        reach: parseReach('tcp-listen://0.0.0.0:5010'),
      })),
      drivers: [anvizTcb],
      zone: SITE_ZONE,
      clock: rig.clock,
      wire: rig.clock,
      log: silentLog(),
    });
    const stop = new AbortController();
    const answered: Promise<void>[] = [];
    const calling = (rig.terminal as AnvizTerminal).call(() => {
      const [ours, theirs] = duplexPair();
      const link = Object.assign(ours, { [Symbol.asyncDispose]: () => Promise.resolve(void ours.destroy()) });
      const reach = { kind: 'tcp-listen', host: '0.0.0.0', port: 5010 } as const;
      answered.push(switchboard.answer(link, '192.0.2.9:40000', reach, stop.signal));
      return Promise.resolve(theirs);
    }, stop.signal);
    await rig.run(async () => {
      await using link = await switchboard.next('hall-TEST0001', stop.signal);
      const wire = benchWire(rig.clock, undefined, { nextCall: () => new Promise(() => undefined) });
      await using session = await anvizTcb.open(link, anvizTcb.options.parse({}), wire, stop.signal);
      expect((await session.identify()).serial).toBe('TEST0001');
      for await (const page of session.pages(null, { follow: false }))
        if (page.drained) expect(page.count).toEqual({ announced: 3, decoded: 3 });
    });
    stop.abort();
    await rig.run(calling);
    await rig.run(Promise.all(answered));
  });
});

describe('heartbeats', () => {
  const answersIn = (sent: readonly Uint8Array[]): number =>
    sent.filter((bytes) => hex(bytes) === 'A5 00 00 00 01 FF 00 00 00 78 C1').length;

  it('are answered between two requests, while nobody asks anything', async () => {
    const rig = createRig(anvizTcb, { calls: 'only' });
    const connection = await rig.run(rig.connect());
    await rig.run(connection.session.identify());
    expect(answersIn(connection.sent)).toBe(0);
    await rig.run(rig.clock.sleep(1_000_000, new AbortController().signal), 2_000_000);
    expect(answersIn(connection.sent)).toBe(3);
    await rig.run(connection.close());
  });

  it('are answered between a request and its answer, which is still taken', async () => {
    const rig = createRig(anvizTcb, { calls: 'only', faults: { heartbeat: '', delay: '100' } });
    const connection = await rig.run(rig.connect());
    expect(await rig.run(connection.session.readClock?.() ?? Promise.resolve(''))).toMatch(/^2026/);
    const sent = connection.sent.map((bytes) => hex(bytes));
    expect(answersIn(connection.sent)).toBe(1);
    expect(sent).toHaveLength(2);
    await rig.run(connection.close());
  });

  it('without an answer make the terminal hang up and call again', async () => {
    const rig = createRig(anvizTcb);
    const calls: Duplex[] = [];
    const stop = new AbortController();
    const calling = (rig.terminal as AnvizTerminal).call(() => {
      const [ours, theirs] = duplexPair();
      ours.on('data', () => undefined);
      calls.push(theirs);
      return Promise.resolve(theirs);
    }, stop.signal);
    await rig.run(rig.clock.sleep(1_000_000, new AbortController().signal), 2_000_000);
    expect(calls).toHaveLength(2);
    expect(calls[0]?.destroyed).toBe(true);
    stop.abort();
    await rig.run(calling);
  });
});

describe('a terminal that has called', () => {
  it('is held and polled without live records, and its heartbeats go on', async () => {
    const rig = createRig(anvizTcb, {
      calls: 'only',
      records: history(5),
      simulatorOptions: { realTime: false, heartbeatSeconds: 30 },
    });
    const connection = await rig.run(rig.connect());
    const seen = new Set<string>();
    const until = rig.clock.ticks() + 3_600_000;
    const following = readPages(connection, null, { follow: true }, (pages) => {
      for (const punch of pages.at(-1)?.punches ?? []) seen.add(keyOf(punch));
      return seen.size === 6 && rig.clock.ticks() > until;
    });
    await rig.run(rig.clock.sleep(1_800_000, new AbortController().signal));
    rig.terminal.punch('42');
    await rig.run(following, 7_200_000);
    expect([...seen].sort()).toEqual(rig.terminal.records().map(keyOf).sort());
    await rig.run(connection.close());
  });

  it('keeps its password alive for hours', async () => {
    const rig = createRig(anvizTcb, {
      calls: 'only',
      options: { authPassword: '12345', pollSeconds: 280 },
      simulatorOptions: { authPassword: '12345', withoutAuth: 'silent' },
    });
    const connection = await rig.run(rig.connect());
    const until = rig.clock.ticks() + 7_200_000;
    await rig.run(
      readPages(connection, null, { follow: true }, () => rig.clock.ticks() > until),
      8_000_000,
    );
    await rig.run(connection.close());
  });

  it('calls again while its old connection is half open: the new one serves, the old one is silence', async () => {
    const rig = createRig(anvizTcb, { records: history(3) });
    const links: Duplex[] = [];
    const stop = new AbortController();
    const calling = (rig.terminal as AnvizTerminal).call(() => {
      const [ours, theirs] = duplexPair();
      links.push(ours);
      return Promise.resolve(theirs);
    }, stop.signal);
    const open = async (link: Duplex | undefined) => {
      if (!link) throw new Error('no call');
      const wire = benchWire(rig.clock, undefined, { nextCall: () => new Promise(() => undefined) });
      return anvizTcb.open(link, anvizTcb.options.parse({}), wire, stop.signal);
    };
    await rig.run(async () => {
      await using before = await open(links[0]);
      expect((await before.identify()).serial).toBe('TEST0001');
      rig.terminal.setFault('half-open', '');
      await rig.clock.sleep(6_000, stop.signal);
      expect(links).toHaveLength(2);
      await using after = await open(links[1]);
      expect((await after.identify()).serial).toBe('TEST0001');
      await expect(before.readClock?.()).rejects.toMatchObject({ code: 'link-silent' });
    });
    stop.abort();
    for (const link of links) link.destroy();
    await rig.run(calling);
  });
});
