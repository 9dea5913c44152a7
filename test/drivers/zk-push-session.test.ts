/** ZKTeco PUSH on the wire: faults of terminals, completeness, clocks, people; and captures without persons. */
import { describe, expect, test } from 'vitest';
import type { Masks, PunchRecord } from '../../src/drivers/driver.js';
import { GatewayError } from '../../src/core/errors.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { zkPush } from '../../src/drivers/zk-push/driver.js';
import { PROTOCOL_FAULTS } from '../../src/drivers/zk-push/simulator-state.js';
import type { ZkPushTerminal } from '../../src/drivers/zk-push/simulator.js';
import { join } from 'node:path';
import { createRig, history, keyOf, loadCaptures, readPages, type Rig, type RigOptions } from './rig.js';

type PushRig = Rig<unknown> & { readonly terminal: ZkPushTerminal };

const newRig = (more: RigOptions = {}): PushRig =>
  createRig(zkPush, { calls: 'only', records: history(40), ...more }) as unknown as PushRig;

const keys = (punches: readonly PunchRecord[]): string[] => [...new Set(punches.map(keyOf))].sort();
const held = (rig: PushRig): string[] => [...new Set(rig.terminal.records().map(keyOf))].sort();

describe('faults of the field', () => {
  test.each([
    { 'result-first': '' },
    { 'query-dropped': '1' },
    { 'duplicate-body': '3' },
    { 'duplicate-record': '' },
    { 'impossible-date': '' },
    { 'non-numeric-id': '' },
    { 'spoilt-line': '1' },
    { 'nul-bytes': '' },
    { 'stamp-back': '' },
    { 'busy-error': '2' },
    { 'reboot-mid-transfer': '1' },
    { 'close-mid-body': '2' },
    { 'unasked-tables': '' },
  ] as readonly Readonly<Record<string, string>>[])('%o costs no record', async (faults) => {
    const rig = newRig({ faults, simulatorOptions: { postLines: 12 } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(keys(punches)).toEqual(held(rig));
    expect(pages.at(-1)?.drained).toBe(true);
    expect(pages.at(-1)?.count?.decoded).toBeGreaterThanOrEqual(40);
  });

  test('all of them are known by name', () => {
    expect(PROTOCOL_FAULTS.every((name) => zkPush.faults.includes(name))).toBe(true);
  });

  test.each(['before', 'after'])('a photo %s its punch is dropped, the punch is not', async (photo) => {
    const rig = newRig({ records: [], faults: { photo } });
    rig.terminal.punch('42');
    const punches = await rig.run(async () => {
      const connection = await rig.connect();
      const reading = await readPages(connection, null, { follow: false });
      await rig.clock.sleep(20_000, new AbortController().signal);
      await connection.close();
      return reading.punches;
    });
    expect(keys(punches)).toEqual(held(rig));
    expect(rig.terminal.waiting()).not.toContain('ATTPHOTO');
  });

  test.each(['truncate-dataset', 'wrong-count'])('%s is told as a count that does not agree', async (fault) => {
    const rig = newRig({ faults: { [fault]: '' } });
    const { pages, findings } = await rig.run(rig.readAll());
    const announced = fault === 'wrong-count' ? 41 : 40;
    expect(pages.at(-1)).toMatchObject({ drained: true, cursor: null, count: { announced, decoded: announced - 1 } });
    expect(findings.filter(({ code }) => code === 'count-mismatch')).toHaveLength(1);
  });

  test('a log that shrinks is another epoch, and everything is read again', async () => {
    const rig = newRig();
    const first = await rig.run(rig.readAll());
    rig.terminal.setFault('seq-reset', '');
    const before = rig.terminal.punch('42');
    const { punches, findings, pages } = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(findings.filter(({ code }) => code === 'epoch-changed').length).toBeGreaterThan(0);
    expect(keys(punches)).toEqual([keyOf(before)]);
    expect(pages.at(-1)?.count).toEqual({ announced: 1, decoded: 1 });
  });

  test('a later session reads from a day before the last punch on', async () => {
    const rig = newRig({ records: history(4000) });
    const first = await rig.run(rig.readAll());
    expect(first.pages.at(-1)?.count).toEqual({ announced: 4000, decoded: 4000 });
    const last = rig.terminal.records().at(-1)?.wallTime ?? '';
    const second = await rig.run(rig.readAll(first.pages.at(-1)?.cursor ?? null));
    expect(second.punches.length).toBeLessThan(1500);
    expect(second.punches.at(-1)?.wallTime).toBe(last);
    expect(second.pages.at(-1)?.count?.announced).toBe(second.punches.length);
  });

  test('20 000 records of a first upload in posts of 1000 are each stored before the next is taken', async () => {
    const rig = newRig({ records: history(20_000), simulatorOptions: { backlog: 'all' } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(punches).toHaveLength(20_000);
    expect(pages.at(-1)?.count).toEqual({ announced: 20_000, decoded: 20_000 });
  });
});

describe('following', () => {
  const followed = async (
    rig: PushRig,
    meanwhile: () => Promise<void>,
  ): Promise<{ punches: PunchRecord[]; empty: number; error: unknown }> =>
    rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const punches: PunchRecord[] = [];
      let empty = 0;
      const reading = readPages(connection, null, { follow: true }, (pages) => {
        punches.push(...(pages.at(-1)?.punches ?? []));
        if (pages.at(-1)?.punches.length === 0) empty += 1;
        return false;
      }).catch((error: unknown) => error);
      await meanwhile();
      connection.abort();
      const error = await reading;
      await connection.close();
      return { punches, empty, error };
    }, 5 * 3_600_000);
  const wait = (rig: PushRig, ms: number): Promise<void> => rig.clock.sleep(ms, new AbortController().signal);

  test('gives signs of life, and everything again after a time', async () => {
    const rig = newRig({ options: { fullReadHours: 2 } });
    const { punches, empty } = await followed(rig, async () => {
      await wait(rig, 3_600_000);
      rig.terminal.addRecord({ userId: '42', wallTime: '2021-01-01 08:00:00' as PunchRecord['wallTime'] });
      await wait(rig, 1.5 * 3_600_000);
    });
    expect(keys(punches)).toEqual(held(rig));
    expect(punches.length).toBe(81);
    // It was made long ago, so it must not be given the time of its receipt.
    expect(punches.find(({ wallTime }) => wallTime === '2021-01-01 08:00:00')?.source).toBe('replay');
    expect(empty).toBeGreaterThan(150);
  });

  test('a terminal that calls no more ends the session', async () => {
    const rig = newRig({ records: [] });
    const { error } = await followed(rig, async () => {
      await wait(rig, 60_000);
      rig.terminal.setFault('no-answer', '');
      await wait(rig, 400_000);
    });
    expect(error).toMatchObject({ code: 'link-silent' });
  });

  test('follows the clock that it is given; a zone that one side got wrong is told', async () => {
    const rig = newRig({ records: [] });
    rig.terminal.setClockOffset(3_600_000);
    await rig.run(rig.readAll());
    expect(rig.terminal.wallClock().slice(0, 15)).toBe('2026-09-10 08:0');

    const wrong = newRig({ records: [], simulatorOptions: { obeysDate: false } });
    wrong.terminal.setClockOffset(-8 * 3_600_000);
    const { punches } = await followed(wrong, async () => {
      await wait(wrong, 120_000);
      for (const userId of ['42', '20250017', '20250018']) {
        wrong.terminal.punch(userId);
        await wait(wrong, 30_000);
      }
    });
    // They came as they happened, whatever the clock says.
    expect(punches.map(({ source }) => source)).toEqual(['push', 'push', 'push']);
    expect(wrong.findings.filter(({ code }) => code === 'clock-odd')).toMatchObject([{ data: { quarters: -32 } }]);
  });

  test('a punch that comes while people are written is stored afterwards', async () => {
    const rig = newRig();
    const punches = await rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const reading = await readPages(connection, null, { follow: true }, (pages) => pages.at(-1)?.drained ?? false);
      rig.terminal.punch('42');
      await connection.session.users?.put({ id: '20250099', name: '王五' });
      const seen: PunchRecord[] = [...reading.punches];
      const rest = await readPages(connection, null, { follow: true }, (pages) => pages.at(-1)?.drained ?? false);
      await connection.close();
      return [...seen, ...rest.punches];
    });
    expect(keys(punches)).toEqual(held(rig));
  });
});

describe('people', () => {
  const withUsers = async <T>(
    rig: PushRig,
    work: (users: NonNullable<Awaited<ReturnType<PushRig['connect']>>['session']['users']>) => Promise<T>,
  ): Promise<T> =>
    rig.run(async () => {
      const connection = await rig.connect();
      await connection.session.identify();
      const { users } = connection.session;
      if (!users) throw new Error('no users');
      try {
        return await work(users);
      } finally {
        await connection.close();
      }
    });

  test.each(['Pri', 'Privilege'] as const)('a new name leaves privilege (%s), password and card alone', async (key) => {
    const rig = newRig({ records: [], options: { privilegeKey: key }, simulatorOptions: { privilegeKey: key } });
    const person = rig.terminal.person('42') as Map<string, string>;
    for (const [name, value] of [
      ['Pri', '14'],
      ['Passwd', '1357'],
      ['Card', '[B1CB7400]'],
    ] as const)
      person.set(name, value);
    await withUsers(rig, (users) => users.put({ id: '42', name: '安娜' }));
    expect(Object.fromEntries(rig.terminal.person('42') ?? [])).toMatchObject({
      ...{ Name: '安娜', Pri: '14', Passwd: '1357', Card: '[B1CB7400]', Grp: '1' },
    });
    expect(JSON.stringify(rig.findings)).not.toContain('1357');
  });

  test.each([
    ['memory-full', 'terminal-full'],
    ['busy-error', 'user-refused'],
    ['no-result', 'user-refused'],
  ])('%s ends in %s', async (fault, code) => {
    const rig = newRig({ records: [] });
    await expect(
      withUsers(rig, (users) => {
        rig.terminal.setFault(fault, '');
        return users.put({ id: '77', name: '王五' });
      }),
    ).rejects.toMatchObject({ code });
  });

  test('an id or a name that would end a line is refused here', async () => {
    const rig = newRig({ records: [] });
    for (const user of [
      { id: '1\n', name: 'x' },
      { id: '1', name: 'a\tPri=14' },
      { id: '', name: 'x' },
    ])
      await expect(withUsers(rig, (users) => users.put(user))).rejects.toMatchObject({ code: 'user-refused' });
  });

  test('names are read in GBK and in UTF-8', async () => {
    for (const nameEncoding of ['gbk', 'utf-8']) {
      const rig = newRig({ records: [], simulatorOptions: { nameEncoding } });
      const told = await withUsers(rig, (users) => users.list());
      expect(told).toEqual(rig.terminal.users());
    }
  });
});

describe('captures', () => {
  const samples = loadCaptures(join(import.meta.dirname, '../captures/zk-push'));
  const masks: Masks = {
    id: (told) => told.replace(/\d/g, (digit) => String((Number(digit) + 3) % 9 || 9)).replace(/[A-Za-z]/g, 'Q'),
    filler: (length) => Buffer.alloc(length, 'x'),
  };
  const options = zkPush.options.parse({});
  const decode = (from: 'device' | 'gateway', bytes: Uint8Array): string => {
    const decoder = zkPush.decoder(options, from);
    return JSON.stringify([...decoder.push(bytes), ...decoder.end()]);
  };
  const punchesOf = (bytes: Uint8Array): PunchRecord[] => {
    const decoder = zkPush.decoder(options, 'device');
    return [...decoder.push(bytes), ...decoder.end()].flatMap((one) => (one.kind === 'punch' ? [one.punch] : []));
  };

  test('a terminal of before 2.2 tells methods in the old codes, impossible dates keep their text', () => {
    const old = samples.find(({ name }) => name === 'variants.device.cap');
    expect(
      punchesOf(old?.bytes ?? new Uint8Array(0)).map((punch) => [punch.deviceUserId, punch.wallTime, punch.verify]),
    ).toEqual([
      ['0017', '2025-09-01 08:05:30', 'unknown'],
      ['A-9', '2025-02-30 08:06:00', 'unknown'],
      ['42', '2025-09-01 08:07:00', 'face'],
      ['42', '2099-09-01 08:08:00', 'card'],
    ]);
  });

  test('no name, password, card or key is shown', () => {
    for (const { from, bytes } of samples) {
      const decoder = zkPush.decoder(options, from);
      const shown = [...decoder.push(bytes), ...decoder.end()].map((one) =>
        one.kind === 'message' ? [one.name, one.fields] : [],
      );
      expect(JSON.stringify(shown)).not.toMatch(/张三|李四|1357|B1CB|s3cret/);
    }
  });

  test('scrubbed, they give the same punches of masked persons and nothing else of them', () => {
    for (const { from, bytes } of samples) {
      const clean = zkPush.scrub(options, from, bytes, masks);
      expect(clean.length).toBe(bytes.length);
      const text = Buffer.from(clean).toString('latin1');
      for (const word of ['20250017', '\t42\t', 'PIN=42', 'Pin=42', 'A-9', '1357', 'B1CB', 's3cret', 'c2Vj', '36.6'])
        expect(text).not.toContain(word);
      for (const name of ['张三', '李四'])
        expect(Buffer.from(clean).includes(Buffer.from(name === '张三' ? [0xd5, 0xc5] : [0xc0, 0xee]))).toBe(false);
      if (from === 'gateway') continue;
      expect(punchesOf(clean).map(keyOf)).toEqual(
        punchesOf(bytes).map((punch) => `${masks.id(punch.deviceUserId)} ${punch.wallTime}`),
      );
    }
  });

  test('spoilt bytes are scrubbed without an error, and quickly', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2000; round += 1) {
      const sample = samples[round % samples.length];
      if (!sample) continue;
      const bytes = Uint8Array.from(sample.bytes);
      for (let count = 0; count < 4; count += 1)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const began = performance.now();
      try {
        expect(zkPush.scrub(options, sample.from, bytes, masks).length).toBe(bytes.length);
        decode(sample.from, bytes);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
      expect(performance.now() - began).toBeLessThan(250);
    }
  });
});
