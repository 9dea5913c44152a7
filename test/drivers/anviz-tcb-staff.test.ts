/** People in an Anviz terminal: lists that break off, changes that keep what the terminal holds, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { COMMAND } from '../../src/drivers/anviz-tcb/codec.js';
import type { AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { decodeUser, encodeName, encodeUser, NAME_AT, NAME_BYTES } from '../../src/drivers/anviz-tcb/users.js';
import type { TerminalUsers } from '../../src/drivers/driver.js';
import { createRig, type Connection, type RigOptions } from './rig.js';

const LAYOUTS = [27, 30, 40] as const;
const crowd = Array.from({ length: 30 }, (_, index) => ({ id: String(1000 + index), name: `王${index}` }));

interface Bench {
  readonly terminal: AnvizTerminal;
  readonly work: <T>(work: (users: TerminalUsers, connection: Connection) => Promise<T>) => Promise<T>;
}

function createBench(given: RigOptions = {}): Bench {
  const rig = createRig(anvizTcb, given);
  return {
    terminal: rig.terminal as AnvizTerminal,
    work: (work) =>
      rig.run(async () => {
        const connection = await rig.connect();
        try {
          if (!connection.session.users) throw new Error('no users');
          return await work(connection.session.users, connection);
        } finally {
          await connection.close();
        }
      }),
  };
}

const commands = (connection: Connection): number[] => connection.sent.map((bytes) => bytes[5] ?? 0);

describe.each(LAYOUTS)('records of %i bytes', (userLayout) => {
  const options = { simulatorOptions: { userLayout } };

  it('keep password, card, group, mode, fingers and privilege when a name is changed', async () => {
    const { terminal, work } = createBench(options);
    const before = { id: '7', name: '旧名', password: 987654, card: 7_654_321, admin: true, fingers: 0x0203 };
    terminal.addUser(before);
    const record = Uint8Array.from(terminal.device.userRecord('7') ?? []);
    await work((users) => users.put({ id: '7', name: '李四' }));
    const after = terminal.device.userRecord('7') ?? new Uint8Array(0);
    const name = NAME_AT[userLayout];
    expect(after.length).toBe(userLayout);
    expect(hex(after.subarray(0, name))).toBe(hex(record.subarray(0, name)));
    expect(hex(after.subarray(name + NAME_BYTES[userLayout]))).toBe(
      hex(record.subarray(name + NAME_BYTES[userLayout])),
    );
    expect(decodeUser(after, userLayout)).toMatchObject({ name: '李四', admin: true, hasPassword: true });
  });

  it('adds the first person to an empty terminal, whatever its layout', async () => {
    const { terminal, work } = createBench({ users: [], ...options });
    const listed = await work(async (users) => {
      await users.put({ id: '20250017', name: '张三' });
      await users.put({ id: '20250018', name: '李四' });
      return users.list();
    });
    expect(listed).toEqual([
      { id: '20250017', name: '张三' },
      { id: '20250018', name: '李四' },
    ]);
    expect(decodeUser(terminal.device.userRecord('20250017') ?? new Uint8Array(0), userLayout)).toEqual({
      id: '20250017',
      name: '张三',
      card: null,
      hasPassword: false,
      admin: false,
      department: 255,
      group: 1,
    });
  });

  it('cuts a long name at a character', async () => {
    const { terminal, work } = createBench(options);
    await work((users) => users.put({ id: '9', name: 'A欧阳修文忠公集古录跋' }));
    expect(terminal.users().find((user) => user.id === '9')?.name).toBe(
      userLayout === 40 ? 'A欧阳修文忠公集古录' : 'A欧阳修文',
    );
  });

  it('lists over several pages, also when answers are lost or spoilt', async () => {
    for (const faults of [{}, { 'no-answer': '3' }, { 'corrupt-checksum': '5' }, { 'busy-error': '1' }] as const) {
      const { terminal, work } = createBench({ users: crowd, ...options });
      const listed = await work(async (users, { session }) => {
        await session.identify();
        for (const [name, value] of Object.entries(faults)) terminal.setFault(name, value);
        return users.list();
      });
      expect(listed).toEqual(crowd);
    }
  });
});

describe('a change', () => {
  it('writes nothing when the name is there already', async () => {
    const { work } = createBench();
    const asked = await work(async (users, connection) => {
      await users.put({ id: '42', name: 'Anna' });
      return commands(connection);
    });
    expect(asked).not.toContain(COMMAND.setUsers);
  });

  it('reads the list once for many people, and again after a minute', async () => {
    const { work } = createBench({ users: crowd });
    const lists = await work(async (users, connection) => {
      const before = commands(connection).filter((one) => one === COMMAND.counters).length;
      for (const { id } of crowd) await users.put({ id, name: `李${id}` });
      return commands(connection).filter((one) => one === COMMAND.counters).length - before;
    });
    expect(lists).toBe(1);
  });

  it('is refused by a full terminal, while a person already there can still be renamed', async () => {
    const { terminal, work } = createBench({ faults: { 'memory-full': '' } });
    await work(async (users) => {
      await expect(users.put({ id: '99', name: '王五' })).rejects.toMatchObject({ code: 'terminal-full' });
      await users.put({ id: '42', name: '安娜' });
    });
    expect(terminal.users()).toContainEqual({ id: '42', name: '安娜' });
    const small = createBench({ simulatorOptions: { userCapacity: 3 } });
    await expect(small.work((users) => users.put({ id: '99', name: '王五' }))).rejects.toMatchObject({
      code: 'terminal-full',
    });
  });

  it.each(['007', '0', 'A12', '1234567890123', ''])('refuses the id %j, and removes nobody for it', async (id) => {
    const { terminal, work } = createBench({ users: [{ id: '7', name: 'Seven' }] });
    await work(async (users) => {
      await expect(users.put({ id, name: '王五' })).rejects.toMatchObject({
        code: 'user-refused',
        context: { reasonZh: expect.stringContaining('12') as string },
      });
      await users.remove(id);
    });
    expect(terminal.users()).toEqual([{ id: '7', name: 'Seven' }]);
  });

  it('tells the code when the terminal refuses', async () => {
    const { terminal, work } = createBench();
    const { device } = terminal;
    const answer = device.answer.bind(device);
    Object.assign(device, {
      answer: (...given: Parameters<typeof answer>) => {
        const told = answer(...given);
        if (given[0].command !== COMMAND.setUsers || told === 'restart') return told;
        return answer({ ...given[0], command: COMMAND.setUsers, data: new Uint8Array(1) }, given[1]);
      },
    });
    await expect(work((users) => users.put({ id: '42', name: '安娜' }))).rejects.toMatchObject({
      code: 'user-refused',
      context: { reason: 'RET 01 (failed)' },
    });
  });

  it('never overwrites somebody whose record did not come', async () => {
    const { terminal, work } = createBench({ users: crowd });
    const { device } = terminal;
    const answer = device.answer.bind(device);
    const refusedReason = await work(async (users, connection) => {
      // It counts one more than it lists.
      Object.assign(device, {
        answer: (...given: Parameters<typeof answer>) => {
          const told = answer(...given);
          const [frame] = told;
          if (given[0].command !== COMMAND.counters || !(frame instanceof Uint8Array)) return told;
          terminal.addUser({ id: '5000', name: 'late' });
          const counted = answer(...given);
          terminal.device.answer(
            { ...given[0], command: COMMAND.deleteUser, data: Uint8Array.of(0, 0, 0, 0x13, 0x88, 0xff) },
            given[1],
          );
          return counted;
        },
      });
      await expect(users.put({ id: '6000', name: '王五' })).rejects.toMatchObject({ code: 'user-refused' });
      await users.put({ id: '1000', name: '新名' });
      return connection.findings.map((finding) => finding.code);
    });
    expect(refusedReason).toContain('count-mismatch');
    expect(terminal.users()).toContainEqual({ id: '1000', name: '新名' });
    expect(terminal.users().some((user) => user.id === '6000')).toBe(false);
  });

  it('of a terminal that is silent fails in bounded time', async () => {
    const rig = createRig(anvizTcb);
    const connection = await rig.run(rig.connect());
    rig.terminal.setFault('no-answer', '');
    const put = connection.session.users?.put({ id: '9', name: '王五' }) ?? Promise.resolve();
    await expect(rig.run(put, 120_000)).rejects.toMatchObject({ code: 'link-silent' });
    await rig.run(connection.close());
  });
});

describe('names', () => {
  it('end before the character that does not fit, in every encoding', () => {
    expect(hex(encodeName('欧阳修文忠公', 30))).toBe('C5 B7 D1 F4 D0 DE CE C4 D6 D2');
    expect(hex(encodeName('欧阳修文忠公', 30, 'utf-8'))).toBe('E6 AC A7 E9 98 B3 E4 BF AE 00');
    // A character beyond the basic plane is two units, and is left out whole.
    expect(hex(encodeName('123456789𠮷', 40)).endsWith('00 39 00 00')).toBe(true);
  });

  it('lose control characters, which would end or spoil them', () => {
    expect(hex(encodeName('A\0B\n', 30).subarray(0, 3))).toBe('41 42 00');
  });

  it('of one Chinese character are not taken for Cyrillic', () => {
    expect(decodeUser(encodeUser({ id: '1', name: '一' }, 30), 30).name).toBe('一');
    expect(decodeUser(encodeUser({ id: '1', name: '一' }, 30, 'utf-8'), 30).name).toBe('一');
  });

  it('that end in half a character lose that half', async () => {
    const { work } = createBench({ faults: { 'gbk-name': '' } });
    expect((await work((users) => users.list()))[0]?.name).toBe('李四李四A');
  });
});
