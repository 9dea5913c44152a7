/**
 * The people in a terminal. The list names credentials and no names, so each name is asked for. A known person is only
 * renamed, which leaves face, card, password and rank alone. A new one needs a first credential, for the protocol has no
 * other way to add somebody: a password drawn at random that nobody is told. The face is then taken at the terminal.
 *
 * Refused: reading or writing templates and photos.
 */
import { randomInt } from 'node:crypto';
import { fail } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers, Wire } from '../driver.js';
import { idValue, isRefusal, readUserIds, reasonIn, textIn, type Message } from './codec.js';
import type { Conversation } from './conversation.js';
import { readList } from './listing.js';
import type { AifaceOptions } from './options.js';

export const USER_PAGE = 40;
const PASSWORD = 10;
const WHOLE_USER = 13;
/** How long a list of ids is believed: people are also enrolled at the terminal. */
const LIST_AGE_MS = 60_000;
const NAME_BYTES_MAX = 63;
const ID = /^[1-9]\d{0,18}$/;

export interface AifaceUsers extends TerminalUsers {
  /** Only their ids, which costs one request for 40. */
  ids(): Promise<ReadonlySet<string>>;
}

export function createUsers(talk: Conversation, options: AifaceOptions, wire: Wire): AifaceUsers {
  let known: { readonly ids: Set<string>; readonly ticks: number } | null = null;

  const ask = (cmd: string, fields: Parameters<Conversation['ask']>[1]): Promise<Message> =>
    talk.ask(cmd, fields, { timeoutMs: options.userTimeoutMs, waitingForZh: '人员命令' });
  const refused = (message: Message): Error =>
    fail('user-refused', {
      reason: `the terminal says no (${reasonIn(message)})`,
      reasonZh: `考勤机拒绝(${reasonIn(message)})`,
    });

  const ids = async (): Promise<Set<string>> => {
    let found = new Set<string>();
    let run = 1;
    const request = { cmd: 'getuserlist', fields: {}, pageSize: USER_PAGE, timeoutMs: options.userTimeoutMs } as const;
    for await (const page of readList(talk, request, wire)) {
      if (page.run !== run) found = new Set();
      run = page.run;
      for (const id of readUserIds(page.message)) found.add(id);
    }
    known = { ids: found, ticks: wire.clock.ticks() };
    return found;
  };
  const recent = async (): Promise<Set<string>> =>
    known !== null && wire.clock.ticks() - known.ticks < LIST_AGE_MS ? known.ids : ids();

  const list = async (): Promise<readonly TerminalUser[]> => {
    const users: TerminalUser[] = [];
    for (const id of await ids()) {
      const told = await ask('getusername', { enrollid: idValue(id) });
      const name = isRefusal(told) ? undefined : (textIn(told, 'record') ?? textIn(told, 'name'));
      users.push({ id, name: name ?? '' });
    }
    return users;
  };

  const create = async ({ id, name }: TerminalUser): Promise<void> => {
    const told = await ask('setuserinfo', {
      enrollid: idValue(id),
      name,
      backupnum: PASSWORD,
      admin: 0,
      record: randomInt(10_000_000, 100_000_000),
    });
    if (!isRefusal(told)) return;
    const { users, userCapacity } = talk.registration ?? {};
    const held = Math.max(users ?? 0, known?.ids.size ?? 0);
    if (typeof userCapacity === 'number' && userCapacity > 0 && held >= userCapacity) throw fail('terminal-full');
    throw refused(told);
  };

  const put = async (user: TerminalUser): Promise<void> => {
    const held = await recent();
    if (!held.has(user.id) && !ID.test(user.id))
      throw fail('user-refused', { reason: 'ids are whole numbers here', reasonZh: '该考勤机的编号只能是整数' });
    if (Buffer.byteLength(user.name) > NAME_BYTES_MAX)
      throw fail('user-refused', { reason: 'the name is too long', reasonZh: '姓名过长' });
    if (held.has(user.id)) {
      const told = await ask('setusername', { count: 1, record: [{ enrollid: idValue(user.id), name: user.name }] });
      if (!isRefusal(told)) return;
      // Somebody may have removed the person at the terminal since the list was read.
      if ((await ids()).has(user.id)) throw refused(told);
    }
    await create(user);
    known?.ids.add(user.id);
  };

  const remove = async (id: string): Promise<void> => {
    const told = await ask('deleteuser', { enrollid: idValue(id), backupnum: WHOLE_USER });
    if (isRefusal(told) && (await ids()).has(id)) throw refused(told);
    known?.ids.delete(id);
  };

  return { ids, list, put, remove };
}
