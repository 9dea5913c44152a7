/**
 * The list of people in a terminal. A record is never made up anew for somebody who is there: it is read, the name is
 * changed, and it is written back with the password, card, group, privilege and time zones that it had. Faces and fingers
 * lie in other sets, which nobody here reads. Writing one person at a time, under one turn at the desk with the reading.
 */
import { Writer } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers } from '../driver.js';
import { COMMAND, commandName } from './codes.js';
import { NO_DATA } from './codec.js';
import { unlessSilent } from './conversation.js';
import { createUserTable } from './punches.js';
import { readSizes, readUserTable, type LogContext, type UserRecord } from './reading.js';
import { encodeUser, userFields, type Sizes, type UserBytes } from './records.js';
import { encodeText, isUtf8, textThatFits } from './text.js';

const UID_MAX = 65_534;
const NUMERIC_ID_MAX = 0xffffffff;
const ID_BYTES_MAX = 24;

interface UserList {
  readonly sizes: Sizes;
  readonly records: readonly UserRecord[];
  /** Not fewer came than the terminal counts. */
  readonly complete: boolean;
}

/** Gives one option's value, or null. */
type ReadOption = (key: string) => Promise<string | null>;

export function createUsers(context: LogContext, readOption: ReadOption): TerminalUsers {
  const { desk } = context;
  let idDigits: number | null | undefined;

  const idDigitsMax = async (): Promise<number> => {
    if (idDigits === undefined) idDigits = Number(await unlessSilent(readOption('~PIN2Width'))) || null;
    return idDigits ?? ID_BYTES_MAX;
  };
  const read = async (): Promise<UserList> => {
    const sizes = await readSizes(context);
    const records = await readUserTable(context, sizes);
    // A slot chosen blindly would overwrite somebody.
    if (!records) throw refused('its list of people has an unknown layout', '其人员名单的布局未知');
    const complete = sizes.users === null || records.length >= sizes.users;
    if (!complete)
      context.note({
        code: 'count-mismatch',
        text: `the terminal counts ${sizes.users} people and lists ${records.length}`,
        data: { announced: sizes.users, listed: records.length },
      });
    return { sizes, records, complete };
  };
  /** Who is not in a list that was cut off may be there all the same, and so may be the owner of the slot that looks free. */
  const demandWhole = ({ complete }: UserList): void => {
    if (!complete)
      throw refused(
        'its list could not be read completely, and a person already there would be overwritten',
        '未能完整读取人员名单，写入可能覆盖已有人员',
      );
  };
  const write = async (command: number, data: Uint8Array): Promise<void> => {
    const { conversation, options } = context;
    const patience = { timeoutMs: options.answerTimeoutMs };
    const answer = await conversation.request(command, data, patience);
    if (answer.command !== COMMAND.ACK_OK)
      throw refused(`it answered ${commandName(answer.command)}`, `应答为 ${commandName(answer.command)}`);
    await conversation.request(COMMAND.REFRESHDATA, NO_DATA, patience);
  };
  const put = async (user: TerminalUser): Promise<void> => {
    checkId(user.id, await idDigitsMax());
    const list = await read();
    const { sizes, records } = list;
    const known = records.filter((record) => record.user.id === user.id);
    const encoding = writingEncoding(context, records);
    for (const { raw } of known) {
      const changed = renamed(raw, user.name, encoding);
      if (Buffer.compare(changed, raw) !== 0) await write(COMMAND.USER_WRQ, changed);
    }
    if (known.length > 0) return;
    demandWhole(list);
    if (sizes.userCapacity !== null && sizes.userCapacity > 0 && records.length >= sizes.userCapacity)
      throw fail('terminal-full');
    const raw = newRecord(context, user, records, sizes, encoding);
    await write(COMMAND.USER_WRQ, raw.bytes);
    context.users = createUserTable([...records.map((record) => record.user), { ...raw.user }]);
  };
  const isThere = async (id: string): Promise<boolean> =>
    (await read()).records.some((record) => record.user.id === id);
  const remove = async (id: string): Promise<void> => {
    const list = await read();
    const { records } = list;
    const known = records.filter((record) => record.user.id === id);
    if (known.length === 0) demandWhole(list);
    for (const { user } of known) {
      try {
        await write(COMMAND.DELETE_USER, new Writer('little').u16(user.uid).bytes());
      } catch (error) {
        // When the answer got lost, the terminal is asked again and says that it knows no such slot.
        if (!(error instanceof GatewayError) || error.code !== 'user-refused' || (await isThere(id))) throw error;
      }
    }
    context.users = createUserTable(records.flatMap(({ user }) => (user.id === id ? [] : [user])));
  };

  return {
    list: () =>
      desk.inTurn(async () => {
        const { records } = await read();
        return records.map(({ user }) => ({ id: user.id, name: user.name }));
      }),
    put: (user) => desk.inTurn(() => put(user)),
    remove: (id) => desk.inTurn(() => remove(id)),
  };
}

function refused(reason: string, reasonZh: string): GatewayError {
  return fail('user-refused', { reason, reasonZh });
}

function checkId(id: string, digitsMax: number): void {
  if (!/^[\x21-\x7e]+$/.test(id) || id === '0')
    throw refused('the id must be of letters and digits, and not 0', '编号须为字母和数字，且不能为 0');
  const most = Math.min(digitsMax, ID_BYTES_MAX);
  if (id.length > most) throw refused(`its ids have at most ${most} characters`, `该考勤机的编号最多 ${most} 位`);
}

/** GBK or UTF-8: as told, else as most names in the terminal are, else as Chinese terminals do. */
function writingEncoding(context: LogContext, records: readonly UserRecord[]): 'gbk' | 'utf-8' {
  if (context.options.encoding !== 'auto') return context.options.encoding;
  let balance = 0;
  for (const { raw } of records) {
    const name = nameField(raw);
    if (name.some((byte) => byte > 0x7f)) balance += isUtf8(name) ? 1 : -1;
  }
  return balance > 0 ? 'utf-8' : 'gbk';
}

function nameField(raw: Uint8Array): Uint8Array {
  const { nameAt, nameBytes } = userFields(raw.length as UserBytes);
  const field = raw.subarray(nameAt, nameAt + nameBytes);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** The record with another name; every other byte as it was. */
export function renamed(raw: Uint8Array, name: string, encoding: 'gbk' | 'utf-8'): Uint8Array {
  const { nameAt, nameBytes } = userFields(raw.length as UserBytes);
  const text = encodeText(textThatFits(name, nameBytes, encoding), encoding);
  if (Buffer.compare(text, nameField(raw)) === 0) return raw;
  const changed = Uint8Array.from(raw);
  changed.fill(0, nameAt, nameAt + nameBytes);
  changed.set(text, nameAt);
  return changed;
}

function newRecord(
  context: LogContext,
  user: TerminalUser,
  records: readonly UserRecord[],
  sizes: Sizes,
  encoding: 'gbk' | 'utf-8',
): {
  readonly bytes: Uint8Array;
  readonly user: { uid: number; id: string; name: string; privilege: number; card: number };
} {
  const told = context.options.userBytes;
  // An empty table has no layout to learn from; the large one is that of all current models.
  const size = records[0] ? (records[0].raw.length as UserBytes) : told === 'auto' ? 72 : told;
  if (size === 28 && !(/^[1-9]\d*$/.test(user.id) && Number(user.id) <= NUMERIC_ID_MAX))
    throw refused(
      'this terminal keeps ids as numbers, without letters and leading zeros',
      '该考勤机的编号只能是不以 0 开头的数字',
    );
  const uid = freeUid(
    records.map((record) => record.user.uid),
    sizes.userCapacity,
  );
  if (uid === null) throw fail('terminal-full');
  const { nameBytes } = userFields(size);
  const name = textThatFits(user.name, nameBytes, encoding);
  const made = { uid, id: user.id, name, privilege: 0, card: 0 };
  return { bytes: encodeUser(made, size, encoding), user: made };
}

/**
 * A slot for a new person: the one after the highest, so that the slot of somebody deleted, whose records may still lie in
 * the log, is not soon given to another; a hole only when there is no room above. Some models take no slot above their capacity.
 */
export function freeUid(taken: readonly number[], capacity: number | null): number | null {
  const most = Math.min(UID_MAX, capacity === null || capacity === 0 ? UID_MAX : capacity);
  const highest = taken.reduce((high, uid) => Math.max(high, uid), 0);
  if (highest < most) return highest + 1;
  const used = new Set(taken);
  for (let uid = 1; uid <= most; uid += 1) if (!used.has(uid)) return uid;
  return null;
}
