/**
 * The people in a terminal: listed page by page, renamed inside the record that the terminal gave, added, removed. Of a
 * next page that is lost nobody knows whether the terminal has turned to it: the last one is asked for again (0x10), and
 * where that is not understood the list begins again. Who was listed is counted against 0x3C. Writing is
 * read-modify-write: what the terminal keeps of a person besides the name is sent back as it came.
 *
 * It never reads or writes a template, and never overwrites a person whose record it could not read.
 */
import { fail, type GatewayError } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers, Wire } from '../driver.js';
import { COMMAND, decodeCounters, deleteUserRequest, pageRequest, retText, retTextZh } from './codec.js';
import type { PageParameter } from './codec.js';
import { isSilence, type Conversation } from './conversation.js';
import type { AnvizOptions } from './options.js';
import { decodeUser, encodeUser, encodeUsers, renamed, splitUsers, type AnvizUser, type UserLayout } from './users.js';

export interface Staff extends TerminalUsers {
  /** The same list with what else a record tells. */
  read(): Promise<readonly AnvizUser[]>;
}

interface Known {
  /** Records as they came, by id, in the order of the terminal. */
  readonly records: Map<string, Uint8Array>;
  /** Null while the terminal has nobody: its layout cannot be seen. */
  readonly layout: UserLayout | null;
  /** Fewer came than the terminal counts. */
  readonly complete: boolean;
  readonly ticks: number;
}

/** Users in a page: what fits in either layout. */
const PAGE = 8;
const PASSES = 3;
const RESENDS = 3;
const USERS_MAX = 100_000;
const NO_USERS = 0x05;
const NO_SUCH_USER = 0x06;
const FULL = 0x04;
const BUSY = 0x08;
/** So long a list that was read is taken for what the terminal holds. Somebody may stand at its menu meanwhile. */
const FRESH_MS = 60_000;
/** A number of the twelve digits that the vendor's document allows. */
const ID = /^[1-9]\d{0,11}$/;

export function createStaff(conversation: Conversation, options: AnvizOptions, wire: Wire): Staff {
  let known: Known | null = null;
  /** Which pair of commands the terminal understands, once it is known. */
  let old: boolean | null = null;

  const refused = (ret: number): GatewayError =>
    ret === FULL ? fail('terminal-full') : fail('user-refused', { reason: retText(ret), reasonZh: retTextZh(ret) });

  /** Older firmware has only the old command, and refuses the other or says nothing. */
  const isOld = async (): Promise<boolean> => {
    if (old !== null) return old;
    try {
      const { ret } = await conversation.ask(COMMAND.users, pageRequest(1, PAGE), { retries: 1 });
      old = ret !== 0 && ret !== NO_USERS;
    } catch (error) {
      if (!isSilence(error)) throw error;
      old = true;
    }
    return old;
  };

  /** One page: null when it was lost or spoilt. The first one may be asked for again, a next one never. */
  const fetchPage = async (
    parameter: PageParameter,
  ): Promise<{ readonly ret: number; readonly data: Uint8Array } | null> => {
    const command = (await isOld()) ? COMMAND.usersOld : COMMAND.users;
    try {
      const told = await conversation.ask(command, pageRequest(parameter, PAGE), {
        timeoutMs: options.pageTimeoutMs,
        retries: parameter === 1 ? options.retries : 0,
      });
      return told.ret === BUSY ? null : told;
    } catch (error) {
      if (parameter === 1 || !isSilence(error)) throw error;
      return null;
    }
  };

  const readOnce = async (announced: number): Promise<Known | null> => {
    const records = new Map<string, Uint8Array>();
    let layout: UserLayout | null = null;
    let parameter: PageParameter = 1;
    const result = (): Known => ({
      records,
      layout,
      complete: records.size >= announced,
      ticks: wire.clock.ticks(),
    });
    for (let lost = 0, pages = 0; pages * PAGE < USERS_MAX; pages += 1) {
      const told = await fetchPage(parameter);
      if (told === null) {
        lost += 1;
        if (lost > RESENDS) return null;
        parameter = 0x10;
        continue;
      }
      if (told.ret !== 0) {
        if (parameter === 0x10) return null;
        // Some firmware has no empty page and refuses instead.
        if (told.ret === NO_USERS || parameter === 0) return result();
        throw fail('bad-reply', {
          request: 'users',
          requestZh: '人员名单',
          reason: retText(told.ret),
          reasonZh: retTextZh(told.ret),
        });
      }
      const page = splitUsers(told.data, old === true);
      layout ??= page.layout;
      const before = records.size;
      for (const record of page.records)
        records.set(decodeUser(record, page.layout ?? 30, options.nameEncoding).id, record);
      // Nothing new: the end, or a page that came late; the count tells.
      if (records.size === before && parameter !== 0x10) return result();
      if (page.records.length < PAGE && records.size >= announced) return result();
      parameter = 0;
    }
    return result();
  };

  const readAll = async (): Promise<Known> => {
    let best: Known | null = null;
    let announced = 0;
    for (let pass = 0; pass < PASSES; pass += 1) {
      if (pass > 0) await conversation.settle(options.answerTimeoutMs);
      announced = decodeCounters(await conversation.request(COMMAND.counters)).users;
      const read = await readOnce(announced);
      if (read && (best === null || read.records.size >= best.records.size)) best = read;
      if (best?.complete) break;
    }
    if (best === null) throw fail('link-silent', { ms: options.pageTimeoutMs, waitingFor: 'users' });
    if (!best.complete) {
      const listed = best.records.size;
      wire.note({
        code: 'count-mismatch',
        text: `The terminal counts ${announced} users and lists ${listed}`,
        data: { announced, listed },
      });
    }
    known = best;
    return best;
  };

  const fresh = async (): Promise<Known> =>
    known !== null && wire.clock.ticks() - known.ticks < FRESH_MS ? known : readAll();

  const write = async (record: Uint8Array): Promise<void> => {
    const command = old === true ? COMMAND.setUsersOld : COMMAND.setUsers;
    // The same record again changes nothing, so that a lost answer costs nothing.
    const { ret } = await conversation.ask(command, encodeUsers([record]), { timeoutMs: options.pageTimeoutMs });
    if (ret !== 0) {
      known = null;
      throw refused(ret);
    }
  };

  /** Adds a person to a terminal that has shown no record yet: it shows its layout with this one. */
  const writeFirst = async (user: TerminalUser): Promise<void> => {
    // The longest layout, so that no firmware reads beyond the end of the frame.
    await write(encodeUser({ ...user, fingers: 0 }, old === true ? 27 : 40, options.nameEncoding));
    const { layout } = await readAll();
    if (layout === null || layout === (old === true ? 27 : 40)) return;
    await write(encodeUser({ ...user, fingers: 0 }, layout, options.nameEncoding));
    known = null;
  };

  const read = async (): Promise<readonly AnvizUser[]> => {
    const { records, layout } = await readAll();
    return [...records.values()].map((record) => decodeUser(record, layout ?? 30, options.nameEncoding));
  };

  return {
    read,
    async list() {
      return (await read()).map(({ id, name }) => ({ id, name }));
    },
    async put(user) {
      if (!ID.test(user.id)) {
        throw fail('user-refused', {
          reason: 'here an id is a number of up to 12 digits that does not begin with 0',
          reasonZh: '此机型的编号须为不以 0 开头、最多 12 位的数字',
        });
      }
      const { records, layout, complete } = await fresh();
      const record = records.get(user.id);
      if (!record && !complete) {
        throw fail('user-refused', {
          reason: 'its list could not be read completely, and a person already there would be overwritten',
          reasonZh: '未能完整读取人员名单，写入可能覆盖已有人员',
        });
      }
      if (layout === null) {
        await writeFirst(user);
        return;
      }
      const wanted = record
        ? renamed(record, user.name, layout, options.nameEncoding)
        : encodeUser({ ...user, fingers: 0 }, layout, options.nameEncoding);
      if (record && Buffer.compare(record, wanted) === 0) return;
      await write(wanted);
      records.set(user.id, wanted);
    },
    async remove(id) {
      // What is no such number cannot be there; and 007 must not remove 7.
      if (!ID.test(id)) return;
      const { ret } = await conversation.ask(COMMAND.deleteUser, deleteUserRequest(id));
      known?.records.delete(id);
      if (ret !== 0 && ret !== NO_SUCH_USER && ret !== NO_USERS) throw refused(ret);
    },
  };
}
