/** What is special to an FC-8x00 session: the reading position, the read index, rings and cleared stores, people, callers. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import { fail } from '../../src/core/errors.js';
import { COMMAND, parseFrame, type Command, type Frame } from '../../src/drivers/fcard/codec.js';
import type { AskOptions, Conversation } from '../../src/drivers/fcard/conversation.js';
import { fcard } from '../../src/drivers/fcard/driver.js';
import { fcardOptions } from '../../src/drivers/fcard/options.js';
import { createReading } from '../../src/drivers/fcard/reading.js';
import { encodeSlots, encodeStores } from '../../src/drivers/fcard/records.js';
import type { FcardTerminal } from '../../src/drivers/fcard/simulator.js';
import type { Cursor, PunchPage } from '../../src/drivers/driver.js';
import { benchWire, createRig, history, keyOf, readPages, type Connection, type Rig, type RigOptions } from './rig.js';

type FcardRig = Rig<unknown> & { readonly terminal: FcardTerminal };

const bench = (options: RigOptions = {}): FcardRig =>
  createRig(fcard, { records: history(40), ...options }) as unknown as FcardRig;

const open = async (rig: FcardRig): Promise<Connection> => {
  const connection = await rig.connect();
  await connection.session.identify();
  return connection;
};

/** The frames that the gateway sent. */
const asked = (connection: Connection): Frame[] => connection.sent.map((bytes) => parseFrame(bytes, 'gateway'));
const names = (frames: readonly Frame[], type: number, index: number): Frame[] =>
  frames.filter((frame) => frame.type === type && frame.index === index);
const codes = (rig: FcardRig): string[] => rig.findings.map((finding) => finding.code);
const lastCursor = (pages: readonly { readonly cursor: Cursor | null }[]): Cursor | null =>
  pages.findLast((page) => page.cursor !== null)?.cursor ?? null;
const expectAll = (rig: FcardRig, punches: Parameters<typeof keyOf>[0][]): void => {
  expect([...new Set(punches.map(keyOf))].sort()).toEqual(rig.terminal.records().map(keyOf).sort());
};

describe('the conversation', () => {
  test('each retransmission carries the code plus one, and every code is used once', async () => {
    const rig = bench({ faults: { 'no-answer': '2' } });
    const connection = await rig.run(open(rig));
    const sent = asked(connection);
    expect(sent.slice(0, 3).map((frame) => frame.sn)).toEqual(Array(3).fill('0'.repeat(16)));
    expect(sent.slice(1).map((frame, at) => frame.code - (sent[at]?.code ?? 0))).toEqual(
      Array(sent.length - 1).fill(1),
    );
    // As soon as the serial number is known, it is the address.
    expect(sent.at(-1)?.sn).toBe('TEST0001');
    await rig.run(connection.close());
  });

  test('an answer that is late is not taken for the answer to the next request', async () => {
    const rig = bench({ options: { answerTimeoutMs: 300 } });
    const connection = await rig.run(open(rig));
    rig.terminal.setFault('delay', '400');
    const { punches } = await rig.run(readPages(connection, null, { follow: false }));
    expectAll(rig, punches);
    await rig.run(connection.close());
  });

  test('a refused password is told once and not tried again', async () => {
    const rig = bench({ simulatorOptions: { commPassword: '12345678' } });
    const connection = await rig.run(rig.connect());
    await expect(rig.run(connection.session.identify())).rejects.toMatchObject({ code: 'auth-refused' });
    expect(connection.sent).toHaveLength(1);
    await rig.run(connection.close());
  });

  test('two terminals on a line without an address are noticed', async () => {
    const rig = bench({ simulatorOptions: { neighbours: ['FC-8300T25010001'] } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ name: 'GatewayError', code: 'bad-reply' });
  });

  test('on a shared line terminals are polled by serial number and told to be quiet', async () => {
    const rig = bench({ options: { address: 'TEST0001' }, simulatorOptions: { neighbours: ['TEST0002'] } });
    const connection = await rig.run(open(rig));
    const { pages } = await rig.run(readPages(connection, null, { follow: true }));
    expect(pages.at(-1)?.drained).toBe(true);
    const sent = asked(connection);
    expect(sent.every((frame) => frame.sn === 'TEST0001')).toBe(true);
    expect(names(sent, 0x01, 0x0b).map((frame) => frame.par)).toEqual([1]);
    await rig.run(connection.close());
  });

  test('checksum errors told by the terminal are answered by asking again', async () => {
    const rig = bench({ faults: { 'busy-error': '3' } });
    expectAll(rig, (await rig.run(rig.readAll())).punches);
  });

  test('a connection test is answered', async () => {
    const rig = bench({ faults: { 'connection-test': '' } });
    await rig.run(rig.readAll());
    expect(rig.terminal.device.testsAnswered).toBe(1);
  });

  test('nothing is ever sent that opens, clears, or asks for a face', async () => {
    const rig = bench();
    const connection = await rig.run(open(rig));
    await rig.run(readPages(connection, null, { follow: false }));
    await rig.run(async () => connection.session.users?.put({ id: '7', name: 'x' }));
    const allowed = new Set(['1/2', '1/8', '7/1', '8/1', '8/3', '8/4', '7/3', '7/4']);
    expect(asked(connection).filter(({ type, index }) => !allowed.has(`${type}/${index}`))).toEqual([]);
    await rig.run(connection.close());
  });
});

describe('the read index', () => {
  test('moves only in confirm, and only forward', async () => {
    const rig = bench({ options: { blockRecords: 10 }, simulatorOptions: { readIndex: 25 } });
    const connection = await rig.run(open(rig));
    const reading = await rig.run(async () => {
      const seen: number[] = [];
      for await (const page of connection.session.pages(null, { follow: false })) {
        const before = rig.terminal.device.store.read;
        await connection.session.confirm(page);
        seen.push(before, rig.terminal.device.store.read);
      }
      return seen;
    });
    // Everything is read although 25 were marked as read; their mark stands.
    expect(reading).toEqual([25, 25, 25, 25, 25, 30, 30, 40]);
    await rig.run(connection.close());
  });

  test('does not move without confirm, nor where another program shares the terminal', async () => {
    for (const options of [{}, { sharedDevice: true }]) {
      const rig = bench({ options });
      const connection = await rig.run(open(rig));
      const pages = await rig.run(async () => {
        const all: PunchPage[] = [];
        for await (const one of connection.session.pages(null, { follow: false })) all.push(one);
        return all;
      });
      if ('sharedDevice' in options) for (const page of pages) await rig.run(connection.session.confirm(page));
      expect(rig.terminal.device.store.read).toBe(0);
      await rig.run(connection.close());
    }
  });

  test('is set with six bytes where five are refused', async () => {
    const rig = bench({ faults: { 'six-byte-index': '' }, options: { blockRecords: 20 } });
    await rig.run(rig.readAll());
    expect(rig.terminal.device.store.read).toBe(40);
  });

  test('that moves by itself is a finding and changes nothing', async () => {
    const rig = bench({ faults: { 'read-index-moves': '' } });
    expectAll(rig, (await rig.run(rig.readAll())).punches);
    expect(codes(rig)).toContain('odd');
  });

  test('beyond the newest record is a finding; everything is read and the index put right', async () => {
    const rig = bench({ faults: { 'read-beyond-write': '500' } });
    expectAll(rig, (await rig.run(rig.readAll())).punches);
    expect(codes(rig)).toContain('epoch-changed');
    expect(rig.terminal.device.store.read).toBe(40);
  });
});

describe('the position', () => {
  test('goes on where it stood', async () => {
    const rig = bench();
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-01-02 03:04:05' as WallTime });
    const second = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(second.punches.map(keyOf)).toEqual(['42 2026-01-02 03:04:05']);
    expect(second.pages.at(-1)).toMatchObject({ drained: true, count: { announced: 1, decoded: 1 } });
  });

  test.each([5, 60])('a store cleared and filled with %i records is noticed and read from the first', async (count) => {
    const rig = bench();
    const first = await rig.run(rig.readAll());
    rig.terminal.setFault('seq-reset', '');
    const fresh = history(count).map((one) => ({ ...one, wallTime: one.wallTime.replace('2020', '2024') as WallTime }));
    for (const one of fresh) rig.terminal.addRecord(one);
    const second = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(second.punches.map(keyOf)).toEqual(fresh.map(keyOf));
    expect(codes(rig)).toContain('epoch-changed');
    expect(second.pages.at(-1)).toMatchObject({ drained: true, cursor: { index: count } });
  });

  test.each(['count', 'ring'] as const)('a store that was written over gives what it holds: %s', async (indices) => {
    const rig = bench({ simulatorOptions: { recordCapacity: 16, indices }, options: { blockRecords: 5 } });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(punches.map(keyOf).sort()).toEqual(rig.terminal.records().slice(-16).map(keyOf).sort());
    expect(pages.at(-1)?.count).toEqual({ announced: 16, decoded: 16 });
    expect(codes(rig)).toContain('gap');
    // And it goes on from there, also around the end of the ring.
    let cursor = lastCursor(pages);
    for (let round = 0; round < 6; round += 1) {
      const wallTime = `2026-03-0${round + 1} 08:00:00` as WallTime;
      rig.terminal.addRecord({ userId: '42', wallTime });
      rig.terminal.addRecord({ userId: '20250017', wallTime });
      const next = await rig.run(rig.readAll(cursor));
      expect(next.punches.map(keyOf)).toContain(`42 ${wallTime}`);
      expect(next.punches.map(keyOf)).toContain(`20250017 ${wallTime}`);
      cursor = lastCursor(next.pages);
    }
  });

  test('what was written over unread is told', async () => {
    const rig = bench({ simulatorOptions: { recordCapacity: 50 } });
    const first = await rig.run(rig.readAll());
    for (const one of history(60))
      rig.terminal.addRecord({ ...one, wallTime: one.wallTime.replace('2020', '2025') as WallTime });
    const second = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(second.punches).toHaveLength(50);
    expect(rig.findings.find((finding) => finding.code === 'gap')?.data).toEqual({ lost: 10 });
  });

  test('what came before the line broke is given, so that each try brings some', async () => {
    const rig = bench({ options: { blockRecords: 10 } });
    let cursor: Cursor | null = null;
    const given: string[] = [];
    for (let tries = 0; tries < 4; tries += 1) {
      rig.terminal.setFault('reboot-mid-transfer', '2');
      const connection = await rig.run(open(rig));
      const reading = async (): Promise<void> => {
        for await (const page of connection.session.pages(cursor, { follow: false })) {
          given.push(...page.punches.map(keyOf));
          cursor = page.cursor ?? cursor;
        }
      };
      await rig.run(reading().catch(() => undefined));
      await rig.run(connection.close());
    }
    expect([...new Set(given)].sort()).toEqual(rig.terminal.records().map(keyOf).sort());
  });

  test('the newest slots, announced before they are written, are looked at again', async () => {
    const rig = bench({ records: history(5) });
    const { store } = rig.terminal.device;
    const first = await rig.run(rig.readAll());
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-01-02 03:04:05' as WallTime });
    const slots = store.slots.bind(store);
    const unwritten = (slot: Uint8Array): Uint8Array => Uint8Array.from(slot, (byte, at) => (at < 4 ? byte : 0xff));
    Object.assign(store, {
      slots: (from: number, count: number) =>
        slots(from, count).map((slot) => (slot[3] === 6 ? unwritten(slot) : slot)),
    });
    const early = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(early.punches).toEqual([]);
    Object.assign(store, { slots });
    const late = await rig.run(rig.readAll(lastCursor(early.pages)));
    expect(late.punches.map(keyOf)).toEqual(['42 2026-01-02 03:04:05']);
  });

  test('a store that tells no capacity is read all the same', async () => {
    const rig = bench({ records: history(5) });
    const { store } = rig.terminal.device;
    const told = store.told.bind(store);
    Object.assign(store, { told: () => ({ ...told(), capacity: 0 }) });
    const { punches } = await rig.run(rig.readAll());
    expectAll(rig, punches);
  });

  test.each(['bad-reply', 'link-silent'] as const)(
    'a look behind the newest record that ends with %s is no end of the reading',
    async (code) => {
      const rig = bench({ records: history(5) });
      const { store } = rig.terminal.device;
      const conversation = {
        ask: async (command: Command, data: Uint8Array, how: AskOptions) => {
          if (command === COMMAND.stores) return { data: encodeStores([store.told()]) };
          const [first, count] = [new DataView(data.buffer).getUint32(1), new DataView(data.buffer).getUint32(5)];
          if (first > 5) throw fail(code, { request: 'records', reason: 'status 3', ms: 1, waitingFor: 'records' });
          how.collect?.({ par: 0, data: encodeSlots(store.slots(first, count)) } as Frame);
          how.collect?.({ par: 0xff, data: Uint8Array.of(0, 0, 0, 5) } as Frame);
          return { data: new Uint8Array() };
        },
        takeLive: () => [],
      } as unknown as Conversation;
      const given: string[] = [];
      const options = fcardOptions.parse({});
      for await (const page of createReading(conversation, options, benchWire(rig.clock)).run(null))
        given.push(...page.punches.map(keyOf));
      expect(given).toHaveLength(5);
    },
  );

  test('missing newest records are a mismatch and are asked for again', async () => {
    const rig = bench({ faults: { 'wrong-count': '3' } });
    const first = await rig.run(rig.readAll());
    expect(first.pages.at(-1)).toMatchObject({
      drained: false,
      count: { announced: 43, decoded: 40 },
      cursor: { index: 40 },
    });
    expect(codes(rig)).toContain('count-mismatch');
    rig.terminal.setFault('wrong-count', null);
    rig.terminal.addRecord({ userId: '42', wallTime: '2026-01-02 03:04:05' as WallTime });
    const second = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(second.punches.map(keyOf)).toEqual(['42 2026-01-02 03:04:05']);
  });

  test('a hole stops the position; when it never fills, it is given up and told', async () => {
    const rig = bench({ faults: { 'truncate-dataset': '1' }, options: { blockRecords: 10 } });
    const first = await rig.run(rig.readAll());
    expect(first.pages.at(-1)?.drained).toBe(false);
    expect(lastCursor(first.pages)).toMatchObject({ index: 9 });
    expect(rig.terminal.device.store.read).toBe(9);
    rig.terminal.setFault('truncate-dataset', null);
    const second = await rig.run(rig.readAll(lastCursor(first.pages)));
    expect(second.pages.at(-1)).toMatchObject({ drained: true, cursor: { index: 40, gaps: 0 } });
    expectAll(rig, [...first.punches, ...second.punches]);
  });

  test('empty slots and refusals count, but are no punches', async () => {
    const rig = bench({ faults: { 'empty-slot': '' } });
    rig.terminal.device.store.addRefusal({
      user: 0,
      wallTime: '2025-09-01 06:18:12' as WallTime,
      access: 1,
      event: 19,
      photo: 0,
    });
    const { punches, pages } = await rig.run(rig.readAll());
    expect(punches).toHaveLength(39);
    expect(pages.at(-1)).toMatchObject({ drained: true, count: { announced: 41, decoded: 41 } });
  });

  test('duplicates and odd digits do no harm', async () => {
    const rig = bench({ faults: { 'duplicate-record': '', 'impossible-date': '' } });
    const connection = await rig.run(open(rig));
    const { punches } = await rig.run(readPages(connection, null, { follow: false }));
    expect(punches).toHaveLength(40);
    expect(punches[0]?.wallTime).toBe('203F-3F-3F 3F:3F:3F');
    expect(await rig.run(async () => connection.session.readClock?.())).toBe('2025-1F-FF FF:BB:5A');
    expect(codes(rig)).toEqual(expect.arrayContaining(['clock-odd', 'impossible-date']));
    await rig.run(connection.close());
  });

  test('a restart in the middle costs a session, not a record', async () => {
    const rig = bench({ faults: { 'reboot-mid-transfer': '2' }, options: { blockRecords: 10 } });
    await expect(rig.run(rig.readAll())).rejects.toMatchObject({ code: 'link-closed' });
    expectAll(rig, (await rig.run(rig.readAll())).punches);
  });
});

describe('people', () => {
  const withUsers = async <T>(rig: FcardRig, work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = await rig.run(open(rig));
    try {
      return await rig.run(work(connection));
    } finally {
      await rig.run(connection.close());
    }
  };

  test('a new name changes nothing else of the record', async () => {
    const rig = bench();
    const record = Uint8Array.from(rig.terminal.device.person('42') ?? []);
    record.set([1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34], 4);
    record[24] = 1;
    record[158] = 1;
    rig.terminal.device.setPerson(record);
    await withUsers(rig, async ({ session }) => session.users?.put({ id: '42', name: '安娜' }));
    const after = rig.terminal.device.person('42') ?? new Uint8Array(0);
    expect(rig.terminal.users().find((user) => user.id === '42')?.name).toBe('安娜');
    const without = (bytes: Uint8Array): string => hex(Buffer.concat([bytes.subarray(0, 27), bytes.subarray(57)]));
    expect(without(after)).toBe(without(record));
  });

  test('one who is there under that name is not written again', async () => {
    const rig = bench();
    const written = await withUsers(rig, async (connection) => {
      await connection.session.users?.put({ id: '42', name: 'Anna' });
      return names(asked(connection), 0x07, 0x04).length;
    });
    expect(written).toBe(0);
  });

  test('ids that are no user number are refused with the reason; removing them is nothing to do', async () => {
    const rig = bench();
    await withUsers(rig, async ({ session }) => {
      for (const id of ['A17', '007', '4294967296', '0'])
        await expect(session.users?.put({ id, name: 'x' })).rejects.toMatchObject({
          code: 'user-refused',
          context: { reason: expect.stringContaining('4294967295') as string },
        });
      await session.users?.remove('A17');
    });
    expect(rig.terminal.users()).toHaveLength(3);
  });

  test('a full terminal says so', async () => {
    const rig = bench({ faults: { 'memory-full': '' } });
    await withUsers(rig, async ({ session }) => {
      await expect(session.users?.put({ id: '7', name: 'x' })).rejects.toMatchObject({ code: 'terminal-full' });
      // Those who are there may still be renamed.
      await session.users?.put({ id: '42', name: 'Anne' });
    });
    expect(rig.terminal.users().find((user) => user.id === '42')?.name).toBe('Anne');
  });

  test('more people than one answer holds are all listed', async () => {
    const users = Array.from({ length: 23 }, (_, at) => ({ id: String(1000 + at), name: `人${at}` }));
    const rig = bench({ users, records: [] });
    expect(await withUsers(rig, async ({ session }) => session.users?.list())).toEqual(users);
  });
});

describe('live and called', () => {
  test('live records come, then the store with the same ones; the watch is renewed', async () => {
    const rig = bench({ options: { pollSeconds: 20 } });
    const connection = await rig.run(open(rig));
    const reading = readPages(connection, null, { follow: true }, (pages) => pages.length > 8);
    await rig.run(rig.clock.sleep(5000, new AbortController().signal));
    const told = rig.terminal.punch('42');
    const { pages, punches } = await rig.run(reading);
    const mine = punches.filter((punch) => keyOf(punch) === keyOf(told));
    expect(mine.map((punch) => punch.source)).toEqual(['realtime', 'poll']);
    expect(mine[0]?.seq).toBe(mine[1]?.seq);
    expect(pages.some((page) => page.punches.length === 0 && page.count === null && !page.drained)).toBe(true);
    expect(names(asked(connection), 0x01, 0x0b).length).toBeGreaterThan(1);
    await rig.run(connection.close());
    expect(rig.clock.sleepers).toBe(0);
  });

  test('a terminal that calls again goes on in the same session', async () => {
    const rig = bench({ calls: 'only', options: { blockRecords: 4 }, simulatorOptions: { keepAliveSeconds: 5 } });
    const connection = await rig.run(open(rig));
    rig.terminal.setFault('reboot-mid-transfer', '3');
    const { punches, pages } = await rig.run(readPages(connection, null, { follow: false }));
    expectAll(rig, punches);
    expect(pages.at(-1)?.drained).toBe(true);
    await rig.run(connection.close());
    expect(rig.clock.sleepers).toBe(0);
  });

  test('a terminal that does not call again ends the session', async () => {
    const rig = bench({ calls: 'only', simulatorOptions: { keepAliveSeconds: 600 } });
    const connection = await rig.run(open(rig));
    connection.link.destroy();
    await expect(rig.run(async () => connection.session.readClock?.())).rejects.toMatchObject({ code: 'link-closed' });
    await rig.run(connection.close());
    expect(rig.clock.sleepers).toBe(0);
  });

  test('half a frame is dropped after two seconds of silence', async () => {
    const rig = bench();
    const connection = await rig.run(open(rig));
    rig.terminal.setFault('corrupt-checksum', '1');
    const clock = rig.run(async () => connection.session.readClock?.());
    await rig.clock.advance(2100);
    rig.terminal.setFault('corrupt-checksum', null);
    expect(await clock).toMatch(/^2026-09-10 08:/);
    expect(codes(rig)).toContain('noise');
    await rig.run(connection.close());
  });
});
