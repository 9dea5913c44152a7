/** The list of people in a ZKTeco standalone terminal: what is written, what is kept, what is refused. */
import { describe, expect, test } from 'vitest';
import { createFramer } from '../../src/drivers/framing.js';
import { COMMAND } from '../../src/drivers/zk-standalone/codes.js';
import { decodePacket, TCP_FRAMES, untcp, type Packet } from '../../src/drivers/zk-standalone/codec.js';
import { decodeUser, userFields } from '../../src/drivers/zk-standalone/records.js';
import { encodeText, textThatFits } from '../../src/drivers/zk-standalone/text.js';
import { freeUid } from '../../src/drivers/zk-standalone/users.js';
import { history, keyOf, type Connection } from './rig.js';
import { codes, follow, open, truth, zkRig, type ZkRig } from './zk-standalone-rig.js';

const packets = (connection: Connection): Packet[] =>
  createFramer(TCP_FRAMES)
    .push(Buffer.concat(connection.sent))
    .flatMap((cut) => (cut.kind === 'frame' ? [untcp(cut.bytes)] : []));
const written = (connection: Connection, command: number): Uint8Array[] =>
  packets(connection).flatMap((packet) => (packet.command === command ? [packet.data] : []));

async function withUsers<T>(
  rig: ZkRig,
  work: (users: NonNullable<Connection['session']['users']>, connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await open(rig);
  try {
    const { users } = connection.session;
    if (!users) throw new Error('no users');
    return await rig.run(work(users, connection));
  } finally {
    await rig.run(connection.close());
  }
}

describe.each([
  { userBytes: 72, encoding: 'gbk' },
  { userBytes: 72, encoding: 'utf-8' },
  { userBytes: 28, encoding: 'gbk' },
  { userBytes: 28, encoding: 'utf-8' },
] as const)('records of $userBytes bytes, names in $encoding', (simulatorOptions) => {
  const rigOf = (): ZkRig => zkRig({ simulatorOptions });

  test('a new name leaves password, card, group, privilege and slot as they were', async () => {
    const rig = rigOf();
    await withUsers(rig, async (users, connection) => {
      await users.put({ id: '20250018', name: '王' });
      const [raw] = written(connection, COMMAND.USER_WRQ);
      const { passwordAt, groupAt } = userFields(simulatorOptions.userBytes);
      // The simulator gives slot 2 the card 1000002, the password 1002 and the group 3.
      expect(decodeUser(raw ?? new Uint8Array(), simulatorOptions.encoding)).toEqual({
        uid: 2,
        id: '20250018',
        name: '王',
        privilege: 0,
        card: 1_000_002,
      });
      expect([...(raw?.subarray(passwordAt, passwordAt + 5) ?? [])]).toEqual([...Buffer.from('1002\0')]);
      expect(raw?.[groupAt]).toBe(3);
      expect(written(connection, COMMAND.REFRESHDATA)).toHaveLength(1);
      // The same once more is no change, and nothing is written.
      await users.put({ id: '20250018', name: '王' });
      expect(written(connection, COMMAND.USER_WRQ)).toHaveLength(1);
    });
    expect(rig.terminal.users()[1]).toEqual({ id: '20250018', name: '王' });
  });

  test('a new person gets a slot of their own, in the encoding of the others, cut at a character', async () => {
    const rig = rigOf();
    const long = '阿卜杜热合曼买买提艾力江';
    await withUsers(rig, async (users, connection) => {
      await users.put({ id: '555', name: long });
      const [raw] = written(connection, COMMAND.USER_WRQ);
      expect(decodeUser(raw ?? new Uint8Array(), 'auto').uid).toBe(4);
    });
    const shown = rig.terminal.users().find((user) => user.id === '555')?.name ?? '';
    expect(long.startsWith(shown)).toBe(true);
    const room = simulatorOptions.userBytes === 72 ? 24 : 8;
    expect(encodeText(shown, simulatorOptions.encoding).length).toBeGreaterThan(room - 3);
    expect(encodeText(shown, simulatorOptions.encoding).length).toBeLessThanOrEqual(room);
    expect(
      rig.terminal
        .users()
        .slice(0, 3)
        .map((user) => user.name),
    ).toEqual(['张三', '李四', 'Anna']);
  });
});

describe('what is refused', () => {
  test('more people than there is room for', async () => {
    const rig = zkRig({ simulatorOptions: { userCapacity: 3 } });
    await withUsers(rig, async (users) => {
      await expect(users.put({ id: '99', name: 'Zoe' })).rejects.toMatchObject({ code: 'terminal-full' });
      // Somebody who is there may still be renamed.
      await users.put({ id: '42', name: 'Anne' });
    });
    expect(rig.terminal.users().map((user) => user.name)).toEqual(['张三', '李四', 'Anne']);
  });

  test.each([
    { id: '1234567890', simulatorOptions: { idDigits: 9 } },
    { id: '1234567890123456789012345', simulatorOptions: {} },
    { id: 'T-0042', simulatorOptions: { userBytes: 28 } },
    { id: '0042', simulatorOptions: { userBytes: 28 } },
    { id: '4294967296', simulatorOptions: { userBytes: 28 } },
    { id: '0', simulatorOptions: {} },
    { id: '', simulatorOptions: {} },
    { id: '张三', simulatorOptions: {} },
  ])('an id that the terminal cannot keep: %o', async ({ id, simulatorOptions }) => {
    const rig = zkRig({ simulatorOptions });
    await withUsers(rig, async (users) => {
      await expect(users.put({ id, name: 'X' })).rejects.toMatchObject({ code: 'user-refused', kind: 'peer' });
    });
    expect(rig.terminal.users()).toHaveLength(3);
  });

  test('a terminal that will not: its word is the reason, and nobody is lost', async () => {
    const rig = zkRig({ faults: { 'refuse-users': '2' } });
    await withUsers(rig, async (users) => {
      await expect(users.put({ id: '42', name: 'Y' })).rejects.toMatchObject({
        code: 'user-refused',
        context: { reason: 'it answered ACK_ERROR' },
      });
      await expect(users.remove('42')).rejects.toMatchObject({ code: 'user-refused' });
    });
    expect(rig.terminal.users().map((user) => user.name)).toEqual(['张三', '李四', 'Anna']);
  });
});

test('a list that was cut off: nobody is written into a slot that only looks free, and nobody is taken for gone', async () => {
  const rig = zkRig({ faults: { 'truncate-users': '1' } });
  await withUsers(rig, async (users) => {
    await expect(users.put({ id: '99', name: 'Zoe' })).rejects.toMatchObject({ code: 'user-refused' });
    await expect(users.remove('42')).rejects.toMatchObject({ code: 'user-refused' });
    // Who is in the list is known for certain.
    await users.put({ id: '20250018', name: '王' });
  });
  expect(rig.terminal.users().map((user) => user.name)).toEqual(['张三', '王', 'Anna']);
});

test('an empty terminal takes its first person', async () => {
  const rig = zkRig({ users: [], records: [] });
  await withUsers(rig, (users) => users.put({ id: '7', name: '第一' }));
  expect(rig.terminal.users()).toEqual([{ id: '7', name: '第一' }]);
});

test('one who is not there is removed already, and only the one who is named goes', async () => {
  const rig = zkRig();
  await withUsers(rig, async (users, connection) => {
    await users.remove('2');
    expect(written(connection, COMMAND.DELETE_USER)).toEqual([]);
    await users.remove('20250018');
    expect(written(connection, COMMAND.DELETE_USER)).toEqual([Uint8Array.of(2, 0)]);
  });
  expect(rig.terminal.users().map((user) => user.id)).toEqual(['20250017', '42']);
  expect(rig.terminal.records()).toHaveLength(60);
});

test('a terminal that is deaf to options still takes people', async () => {
  const rig = zkRig({ faults: { 'deaf-to-options': '' } });
  await withUsers(rig, (users) => users.put({ id: '7', name: 'G' }));
  expect(rig.terminal.users()).toHaveLength(4);
});

test.each([{}, { lose: '' }, { repeat: '2', reorder: '3' }])('over datagrams with %o', async (faults) => {
  const rig = zkRig({
    datagrams: true,
    faults: faults,
    simulatorOptions: { smallAnswerBytes: 0 },
  });
  await withUsers(rig, async (users, connection) => {
    for (const id of ['7', '8', '9']) await users.put({ id, name: `N${id}` });
    await users.remove('8');
    expect((await users.list()).map((user) => user.id)).toEqual(['20250017', '20250018', '42', '7', '9']);
    // No TCP prefix anywhere: each datagram is a packet.
    expect(connection.sent.every((datagram) => decodePacket(datagram).checksum === 'exact')).toBe(true);
  });
  expect(rig.terminal.users().map((user) => user.name)).toEqual(['张三', '李四', 'Anna', 'N7', 'N9']);
});

describe('together with the log', () => {
  test.each([40, 8])(
    'people are written between two pages of it (%i bytes), and it is read right',
    async (recordBytes) => {
      const rig = zkRig({ records: history(5000), simulatorOptions: { recordBytes } });
      const connection = await open(rig);
      const seen: string[] = [];
      let page = 0;
      await rig.run(async () => {
        for await (const { punches } of connection.session.pages(null, { follow: false })) {
          seen.push(...punches.map(keyOf));
          await connection.session.users?.put({ id: String(700 + page), name: 'N' });
          page += 1;
        }
      });
      expect(seen).toEqual(rig.terminal.records().map(keyOf));
      expect(rig.terminal.users()).toHaveLength(3 + page);
      await rig.run(connection.close());
    },
  );

  test('a log that is cleared while it is read is not mixed with what follows', async () => {
    const rig = zkRig({ records: history(5000) });
    const connection = await open(rig);
    const reading = async (): Promise<void> => {
      for await (const { punches } of connection.session.pages(null, { follow: false })) {
        if (punches.length === 0) continue;
        rig.terminal.setFault('seq-reset', '');
        for (const record of history(6000, [{ id: '9', name: '' }])) rig.terminal.addRecord(record);
        await connection.session.users?.list();
      }
    };
    await expect(rig.run(reading())).rejects.toMatchObject({ code: 'bad-reply' });
    await rig.run(connection.close());
    expect((await rig.run(rig.readAll())).punches).toHaveLength(6000);
  });

  test('people are written while the log is compared again and again', async () => {
    const rig = zkRig({ options: { recountMinutes: 1 }, simulatorOptions: { smallAnswerBytes: 0, packetPauseMs: 40 } });
    const connection = await open(rig);
    const watch = follow(rig, connection);
    await watch.pass(10_000);
    const writing = (async () => {
      for (let index = 0; index < 12; index += 1) {
        await connection.session.users?.put({ id: String(800 + index), name: 'N' });
        rig.terminal.addRecord({ ...history(1)[0], userId: String(800 + index), wallTime: rig.terminal.wallClock() });
        await rig.clock.sleep(20_000, new AbortController().signal);
      }
    })();
    await rig.run(writing);
    await watch.pass(120_000);
    expect([...watch.seen.keys()].sort()).toEqual(truth(rig));
    expect(watch.failure()).toBeNull();
    expect(rig.terminal.users()).toHaveLength(15);
    expect(codes(rig.findings)).toEqual([]);
    await watch.stop();
  });
});

test('the slot of a new person is above all others, a hole where there is no room, and none when all are taken', () => {
  expect(freeUid([1, 2, 5], 3000)).toBe(6);
  expect(freeUid([1, 2, 5], 5)).toBe(3);
  expect(freeUid([1, 2, 3], 3)).toBeNull();
  expect(freeUid([], null)).toBe(1);
  expect(freeUid([65_534], 0)).toBe(1);
});

test('a name is cut between two characters, however wide they are', () => {
  expect(textThatFits('张三丰', 5, 'gbk')).toBe('张三');
  expect(textThatFits('张三丰', 8, 'utf-8')).toBe('张三');
  expect(textThatFits('A😀B', 4, 'utf-8')).toBe('A');
  expect(textThatFits('Anna', 24, 'gbk')).toBe('Anna');
  expect(userFields(28).nameBytes).toBe(8);
});
