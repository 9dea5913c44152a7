/** What terminals of this protocol do in the field, and what the session makes of it. */
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import { createFramer } from '../../src/drivers/framing.js';
import { COMMAND } from '../../src/drivers/zk-standalone/codes.js';
import { TCP_FRAMES, untcp } from '../../src/drivers/zk-standalone/codec.js';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import { benchWire, history, keyOf, readPages } from './rig.js';
import { codes, keys, open, truth, zkRig } from './zk-standalone-rig.js';

const chunked = { smallAnswerBytes: 0, packetBytes: 100 };

describe('connecting', () => {
  test('a wrong comm key is a matter for people, and nothing else is tried', async () => {
    const rig = zkRig({ simulatorOptions: { commKey: 8421 }, options: { commKey: 8422 } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused', kind: 'settings' });
  });

  test('a missing comm key is the same, and the key is in no error text', async () => {
    const rig = zkRig({ simulatorOptions: { commKey: 8421 } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'auth-refused' });
    const wrong = zkRig({ simulatorOptions: { commKey: 8421 }, options: { commKey: '777123' } });
    const error: unknown = await wrong.run(wrong.readAll()).catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error) + String(error)).not.toMatch(/777123|8421/);
  });

  test('a comm key from a file, as text', async () => {
    const rig = zkRig({ simulatorOptions: { commKey: 42 }, options: { commKey: '0042\n' } });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(truth(rig));
  });

  test('a second session is refused as busy while the first lives, and served after it', async () => {
    const rig = zkRig();
    const first = await open(rig);
    await expect(rig.run(rig.connect())).rejects.toMatchObject({ code: 'terminal-busy', kind: 'retry' });
    await rig.run(first.close());
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(truth(rig));
  });

  test('a refusal that passes is tried once more', async () => {
    const rig = zkRig({ faults: { 'second-session-refused': '1' } });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(truth(rig));
  });

  test('a panel that speaks first on the same port is wrong-protocol, and is asked only once', async () => {
    const rig = zkRig();
    const [ours, theirs] = duplexPair();
    let asked = 0;
    theirs.on('data', () => {
      asked += 1;
      theirs.write(Uint8Array.of(0xaa, 0x01, 0x02, 0x03, 0x55));
    });
    const opening = zkStandalone.open(
      ours,
      zkStandalone.options.parse({}),
      benchWire(rig.clock, () => undefined),
      new AbortController().signal,
    );
    await expect(rig.run(opening)).rejects.toMatchObject({
      code: 'wrong-protocol',
      context: { window: 'AA 01 02 03 55' },
    });
    expect(asked).toBe(1);
  });

  test('options are checked: unknown keys and keys out of range are refused', () => {
    for (const options of [
      { commkey: 1 },
      { commKey: 1_000_000 },
      { commKey: 'x' },
      { recordBytes: 20 },
      { directionMap: { '256': 'in' } },
    ])
      expect(zkStandalone.options.safeParse(options).success, JSON.stringify(options)).toBe(false);
    expect(zkStandalone.options.safeParse({ directionMap: { '4': 'out' } }).success).toBe(true);
  });
});

describe('what a terminal may hold', () => {
  test.each(['impossible-date', 'non-numeric-id', 'gbk-name', 'duplicate-record'])('%s', async (fault) => {
    const rig = zkRig({ faults: { [fault]: '' }, simulatorOptions: chunked });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(truth(rig));
    const count = pages.at(-1)?.count;
    expect(count?.decoded).toBe(count?.announced);
  });

  test('an impossible date keeps its text and is told', async () => {
    const rig = zkRig({ faults: { 'impossible-date': '' } });
    const { punches, findings } = await rig.run(rig.readAll());
    expect(punches.some((punch) => punch.wallTime === '2025-02-30 08:05:30')).toBe(true);
    expect(codes(findings)).toContain('impossible-date');
  });

  test('ids with letters and leading zeros stay text', async () => {
    const users = [
      { id: '0007', name: 'Zero' },
      { id: 'T-0042', name: 'Letters' },
      { id: '123456789012345678901234', name: 'Long' },
    ];
    const rig = zkRig({ users, records: history(9, users) });
    expect(keys((await rig.run(rig.readAll())).punches)).toEqual(truth(rig));
  });

  test('a full memory is told', async () => {
    const rig = zkRig({ faults: { 'memory-full': '' } });
    expect(codes((await rig.run(rig.readAll())).findings)).toContain('memory-low');
  });

  test('GET_FREE_SIZES cut short before the counter: the set itself tells', async () => {
    const rig = zkRig({ simulatorOptions: { sizesBytes: 20, ...chunked } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(truth(rig));
    expect(pages.at(-1)?.count).toEqual({ announced: 60, decoded: 60 });
  });

  test('an empty log that the terminal refuses to read is empty; a full one is an error', async () => {
    const empty = zkRig({ records: [], faults: { 'refuse-data': '99' } });
    expect((await empty.run(empty.readAll())).pages.at(-1)).toMatchObject({
      punches: [],
      drained: true,
      count: { announced: 0, decoded: 0 },
    });
    const full = zkRig({ faults: { 'refuse-data': '99' } });
    await expect(full.run(full.readAll())).rejects.toMatchObject({ code: 'bad-reply' });
  });

  test('a terminal that is silent about options it does not know still has a serial number', async () => {
    const rig = zkRig({ faults: { 'deaf-to-options': '' } });
    const connection = await rig.run(rig.connect());
    expect(await rig.run(connection.session.identify())).toMatchObject({ serial: 'TEST0001', model: null });
    expect(rig.clock.ticks()).toBeLessThan(15_000);
    await rig.run(connection.close());
  });

  test('a direction map of the terminal wins', async () => {
    const rig = zkRig({ options: { directionMap: { '1': 'break-out' } } });
    const { punches } = await rig.run(rig.readAll());
    expect(new Set(punches.map((punch) => `${punch.directionRaw} ${punch.direction}`))).toEqual(
      new Set(['0 in', '1 break-out']),
    );
  });

  test('records of 16 bytes with the state first are read right without being told', async () => {
    const rig = zkRig({ simulatorOptions: { recordBytes: 16, verifyStateOrder: 'state-first' } });
    const { punches } = await rig.run(rig.readAll());
    expect(new Set(punches.map((punch) => punch.verify))).toEqual(new Set(['face']));
    const told = zkRig({
      simulatorOptions: { recordBytes: 16, verifyStateOrder: 'state-first' },
      options: { verifyStateOrder: 'verify-first' },
    });
    expect((await told.run(told.readAll())).findings.some((one) => one.text.includes('state-first'))).toBe(true);
  });
});

describe('reading', () => {
  test.each([{ 'wrong-count': '3' }, { 'wrong-count': '-3' }, { 'truncate-dataset': '7' }])(
    'numbers that do not agree are told: %o',
    async (faults) => {
      const rig = zkRig({ faults, simulatorOptions: chunked });
      const { punches, pages, findings } = await rig.run(rig.readAll());
      const count = pages.at(-1)?.count;
      expect(count?.decoded).toBe(punches.length);
      expect(count?.announced).not.toBe(count?.decoded);
      expect(codes(findings).some((code) => code === 'count-mismatch' || code === 'unknown-layout')).toBe(true);
      if (!('truncate-dataset' in faults)) expect(keys(punches)).toEqual(truth(rig));
    },
  );

  test.each([
    { 'chunk-error': '2' },
    { 'short-chunk': '130' },
    { 'short-chunk': '3' },
    { 'refuse-data': '1' },
    { 'busy-error': '2' },
    { 'no-answer': '1' },
  ] as Record<string, string>[])('goes on after %o', async (faults) => {
    const rig = zkRig({ simulatorOptions: chunked });
    const connection = await open(rig);
    for (const [name, value] of Object.entries(faults)) rig.terminal.setFault(name, value);
    const { punches } = await rig.run(readPages(connection, null, { follow: false }));
    expect(keys(punches)).toEqual(truth(rig));
    await rig.run(connection.close());
  });

  test.each(['reboot-mid-transfer', 'session-stolen'])(
    '%s ends the session; the next one has everything',
    async (fault) => {
      const rig = zkRig({ simulatorOptions: chunked });
      rig.terminal.setFault(fault, '');
      await expect(rig.run(rig.readAll())).rejects.toMatchObject({ kind: 'retry' });
      expect(keys((await rig.run(rig.readAll())).punches)).toEqual(truth(rig));
    },
  );

  test('a chunk that comes slowly is waited for; silence is not', async () => {
    const rig = zkRig({ simulatorOptions: { ...chunked, packetPauseMs: 900 }, options: { chunkSilenceMs: 2000 } });
    const { punches } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(truth(rig));
    expect(rig.clock.ticks()).toBeGreaterThan(20_000);
  });

  test('a late answer is not taken for the answer to the repeated request', async () => {
    const rig = zkRig({ simulatorOptions: { smallAnswerBytes: 0, packetBytes: 90 }, faults: { stall: '12000' } });
    const { punches, findings } = await rig.run(rig.readAll());
    expect(punches.map(keyOf)).toEqual(rig.terminal.records().map(keyOf));
    expect(codes(findings)).toContain('odd');
  });

  test.each([5, 6, 7, 8, 9, 10, 11, 13])(
    'spoilt bytes (every %i. packet) cost a repetition and invent nothing',
    async (every) => {
      const rig = zkRig({
        simulatorOptions: { smallAnswerBytes: 0, packetBytes: 100 + every },
        records: history(every),
      });
      const connection = await open(rig);
      rig.terminal.setFault('corrupt-checksum', String(every));
      const { punches } = await rig.run(readPages(connection, null, { follow: false }));
      expect(punches.map(keyOf)).toEqual(rig.terminal.records().map(keyOf));
      await rig.run(connection.close());
    },
  );

  test('the keypad is locked only when told to, and unlocked whatever happens', async () => {
    const sent = async (options: Record<string, unknown>, faults: Record<string, string>): Promise<number[]> => {
      const rig = zkRig({ options, faults, simulatorOptions: chunked });
      const connection = await rig.run(rig.connect());
      await rig.run(readPages(connection, null, { follow: false })).catch(() => undefined);
      await rig.run(connection.close());
      const cuts = createFramer(TCP_FRAMES).push(Buffer.concat(connection.sent));
      return cuts.flatMap((cut) => (cut.kind === 'frame' ? [untcp(cut.bytes).command] : []));
    };
    expect(await sent({}, {})).not.toContain(COMMAND.DISABLE);
    const forbidden = [14, 15, 33, COMMAND.RESTART, COMMAND.POWEROFF];
    for (const faults of [{}, { 'chunk-error': '99' }]) {
      const commands = await sent({ disableWhileReading: true }, faults);
      // At the connect for what a crash may have left, then around the read.
      expect(commands.filter((one) => one === COMMAND.DISABLE || one === COMMAND.ENABLE)).toEqual([
        COMMAND.ENABLE,
        COMMAND.DISABLE,
        COMMAND.ENABLE,
      ]);
      expect(commands.at(-1)).toBe(COMMAND.EXIT);
      expect(commands.filter((one) => forbidden.includes(one))).toEqual([]);
    }
  });

  test('a session that is stopped in the middle of a reading leaves no keypad locked', async () => {
    const rig = zkRig({ options: { disableWhileReading: true }, records: history(3000), simulatorOptions: chunked });
    const connection = await rig.run(rig.connect());
    await rig.run(
      readPages(connection, null, { follow: false }, () => {
        connection.abort();
        return false;
      }).catch(() => undefined),
    );
    await rig.run(connection.close());
    const cuts = createFramer(TCP_FRAMES).push(Buffer.concat(connection.sent));
    const commands = cuts.flatMap((cut) => (cut.kind === 'frame' ? [untcp(cut.bytes).command] : []));
    expect(commands).toContain(COMMAND.DISABLE);
    expect(commands.slice(-2)).toEqual([COMMAND.ENABLE, COMMAND.EXIT]);
  });

  test('records of 8 bytes of a deleted user keep the slot number, and are told', async () => {
    const records = [...history(4), { userId: 'gone', wallTime: '2025-09-01 12:00:00' as WallTime }];
    const rig = zkRig({ records, simulatorOptions: { recordBytes: 8 } });
    const { punches, findings } = await rig.run(rig.readAll());
    expect(punches.at(-1)?.deviceUserId).toBe(String(punches.at(-1)?.deviceUid));
    expect(codes(findings)).toContain('odd');
  });
});

test('records of 8 bytes keep the id they were first read with, when their person is deleted afterwards', async () => {
  const rig = zkRig({ records: history(6), simulatorOptions: { recordBytes: 8 } });
  const first = await rig.run(rig.readAll());
  const cursor = first.pages.at(-1)?.cursor ?? null;
  await rig.run(async () => {
    const connection = await rig.connect();
    await connection.session.identify();
    await connection.session.users?.remove('20250017');
    await connection.close();
  });
  expect(rig.terminal.users().map((user) => user.id)).not.toContain('20250017');
  const second = await rig.run(rig.readAll(cursor));
  expect(second.punches.map(keyOf)).toEqual(first.punches.map(keyOf));
  expect(codes(second.findings)).not.toContain('odd');
});

test('raw is the record as it was received', async () => {
  const rig = zkRig({ records: [{ userId: '20250017', wallTime: '2025-09-01 08:05:30' as WallTime }] });
  const { punches } = await rig.run(rig.readAll());
  expect(hex(punches[0]?.raw ?? new Uint8Array())).toBe(
    '01 00 32 30 32 35 30 30 31 37 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0F CA 23 2C 31 00 00 00 00 00 00 00 00 00',
  );
});
