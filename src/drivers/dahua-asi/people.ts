/**
 * The people in a terminal, without faces. Newer firmware has AccessUser over JSON-RPC; older has one record for each card,
 * AccessControlCard with recordUpdater.cgi. Which it is, is tried once, RPC first: firmware of 2021 to 2023 refuses the old
 * way. A change whose answer was lost may have happened, so the list is read back before it is asked again.
 */
import { fail, GatewayError } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers, Wire } from '../driver.js';
import type { Api, CgiAnswer, RpcAnswer, RpcSession } from './api.js';
import { cgi, fitName, flatten, groupLines, valueOf, wholeOf, type Fields } from './codec.js';

/** How one firmware keeps its people. */
interface Book {
  readonly all: () => Promise<readonly Entry[]>;
  readonly find: (id: string) => Promise<readonly Entry[]>;
  readonly insert: (id: string, name: string) => Promise<void>;
  readonly rename: (entries: readonly Entry[], name: string) => Promise<void>;
  readonly remove: (entries: readonly Entry[]) => Promise<void>;
}

interface Entry {
  readonly id: string;
  readonly name: string;
  /** As the terminal told it, to be sent back with another name. */
  readonly told: Readonly<Record<string, unknown>>;
}

const PAGE = 50;
const PEOPLE_MAX = 100_000;
const CARDS = 'AccessControlCard';

const refused = (reason: string, reasonZh: string): Error => fail('user-refused', { reason, reasonZh });
const isLost = (error: unknown): boolean =>
  error instanceof GatewayError && (error.code === 'link-silent' || error.code === 'link-closed');

/** The terminal's text may hold a person, so only its number is told on. */
function demand(answer: RpcAnswer): void {
  if (answer.ok) return;
  if (/full|exceed|overflow|maximum/i.test(answer.error?.message ?? '')) throw fail('terminal-full');
  throw refused(`error ${answer.error?.code ?? 'unknown'}`, `错误 ${answer.error?.code ?? '未知'}`);
}

function demandCgi(answer: CgiAnswer): void {
  if (!answer.ok) throw refused(`status ${answer.status}`, `状态 ${answer.status}`);
}

async function withRpc<T>(api: Api, work: (rpc: RpcSession) => Promise<T>): Promise<T> {
  await using rpc = await api.openRpc();
  if (rpc === null) throw refused('no JSON-RPC', '不支持 JSON-RPC');
  return await work(rpc);
}

async function search(rpc: RpcSession, condition: Readonly<Record<string, string>>): Promise<readonly Entry[] | null> {
  const started = await rpc.call('AccessUser.startFind', { Condition: condition });
  const token = started.params.Token;
  if (!started.ok || token === undefined) return null;
  const total = typeof started.params.Total === 'number' ? started.params.Total : null;
  const entries = new Map<string, Entry>();
  try {
    for (let offset = 0; offset < PEOPLE_MAX;) {
      const answer = await rpc.call('AccessUser.doFind', { Token: token, Offset: offset, Count: PAGE });
      const info: unknown = answer.ok ? answer.params.Info : null;
      if (!Array.isArray(info) || info.length === 0) break;
      for (const one of info as readonly unknown[]) {
        const fields = flatten(one);
        const id = fields.UserID ?? '';
        if (id !== '') entries.set(id, { id, name: fields.UserName ?? '', told: one as Record<string, unknown> });
      }
      offset += info.length;
    }
  } finally {
    await rpc.call('AccessUser.stopFind', { Token: token }).catch(() => undefined);
  }
  if (total !== null && Object.keys(condition).length === 0 && entries.size < total)
    throw fail('bad-reply', {
      request: 'people',
      requestZh: '人员名单',
      reason: `${entries.size} of ${total} people came`,
      reasonZh: `${total} 人中只收到 ${entries.size} 人`,
    });
  return [...entries.values()];
}

function newBook(api: Api): Book {
  const find = async (condition: Readonly<Record<string, string>>): Promise<readonly Entry[]> => {
    const entries = await withRpc(api, (rpc) => search(rpc, condition));
    if (entries === null) throw refused('the list cannot be searched', '无法查询名单');
    return entries;
  };
  const call = (method: string, params: unknown): Promise<void> =>
    withRpc(api, async (rpc) => demand(await rpc.call(method, params)));
  return {
    all: () => find({}),
    // The condition is ignored by some firmware, so the id is compared here too.
    find: async (id) => (await find({ UserID: id })).filter((entry) => entry.id === id),
    insert: (id, name) =>
      call('AccessUser.insertMulti', {
        UserList: [
          {
            UserID: id,
            UserName: name,
            UserType: 0,
            UserStatus: 0,
            Authority: 2,
            UseTime: 200,
            Doors: [0],
            TimeSections: [255],
            ValidFrom: '2020-01-01 00:00:00',
            ValidTo: '2037-12-31 23:59:59',
          },
        ],
      }),
    rename: (entries, name) => {
      // What a terminal tells of a password is a mask; sent back it would become the password.
      const kept = entries.map(({ told }) =>
        Object.fromEntries(Object.entries(told).filter(([key]) => !/password|face|photo|finger/i.test(key))),
      );
      return call('AccessUser.updateMulti', { UserList: kept.map((told) => ({ ...told, UserName: name })) });
    },
    remove: (entries) => call('AccessUser.removeMulti', { UserIDList: entries.map(({ id }) => id) }),
  };
}

/** Older firmware wants a card with every person: hex digits, an even number of them. */
export function cardOf(id: string): string {
  if (!/^[0-9A-Fa-f]+$/.test(id)) return Buffer.from(id, 'utf8').toString('hex').toUpperCase();
  return id.length % 2 === 0 ? id : `0${id}`;
}

function oldBook(api: Api): Book {
  const all = async (): Promise<readonly Entry[]> => {
    const size = await api.get(cgi('recordFinder', { action: 'getQuerySize', name: CARDS }), 'number of people');
    const total = size.ok ? (wholeOf(valueOf(size.lines, 'count') ?? undefined) ?? 0) : 0;
    const answer = await api.get(
      cgi('recordFinder', { action: 'find', name: CARDS, count: Math.max(1024, total) }),
      'people',
    );
    demandCgi(answer);
    const groups = groupLines(answer.lines, 'records');
    if (groups.length < total)
      throw fail('bad-reply', {
        request: 'people',
        requestZh: '人员名单',
        reason: `${groups.length} of ${total} cards came`,
        reasonZh: `${total} 张卡中只收到 ${groups.length} 张`,
      });
    return groups.map(({ fields }) => ({ id: fields.UserID ?? '', name: fields.CardName ?? '', told: fields }));
  };
  /** The number of a record; without it nobody knows whom a change would hit. */
  const recordOf = ({ told }: Entry): string => {
    const recNo = (told as Fields).RecNo ?? '';
    if (!/^\d+$/.test(recNo)) throw refused('its record has no number', '人员记录没有编号');
    return recNo;
  };
  const change = async (query: Readonly<Record<string, string | number>>): Promise<void> =>
    demandCgi(await api.change(cgi('recordUpdater', query), 'change of people'));
  return {
    all,
    find: async (id) => (await all()).filter((entry) => entry.id === id),
    insert: (id, name) =>
      change({
        action: 'insert',
        name: CARDS,
        CardName: name,
        CardNo: cardOf(id),
        UserID: id,
        CardStatus: 0,
        CardType: 0,
        'Doors[0]': 0,
        'TimeSections[0]': 255,
        ValidDateStart: '20200101 000000',
        ValidDateEnd: '20371231 235959',
      }),
    async rename(entries, name) {
      for (const entry of entries) {
        const fields = entry.told as Fields;
        const kept = Object.entries(fields).filter(([key]) =>
          /^(?:CardNo|CardStatus|CardType|UserID|Doors\[\d+\]|TimeSections\[\d+\]|ValidDate(?:Start|End))$/.test(key),
        );
        await change({
          action: 'update',
          name: CARDS,
          recno: recordOf(entry),
          ...Object.fromEntries(kept),
          CardName: name,
        });
      }
    },
    async remove(entries) {
      for (const entry of entries) await change({ action: 'remove', name: CARDS, recno: recordOf(entry) });
    },
  };
}

export function createPeople(api: Api, wire: Wire): TerminalUsers {
  let chosen: Book | null = null;
  const book = async (): Promise<Book> => {
    if (chosen) return chosen;
    await using rpc = await api.openRpc();
    const started = rpc === null ? null : await rpc.call('AccessUser.startFind', { Condition: {} });
    if (rpc !== null && started?.ok === true) await rpc.call('AccessUser.stopFind', { Token: started.params.Token });
    return (chosen = started?.ok === true ? newBook(api) : oldBook(api));
  };
  /** Does it; when the answer is lost, looks whether it has happened, and asks once more if not. */
  const once = async (work: () => Promise<void>, happened: () => Promise<boolean>): Promise<void> => {
    for (let left = 1; ; left -= 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isLost(error)) throw error;
        if (await happened()) return;
        if (left === 0) throw error;
      }
    }
  };

  return {
    async list() {
      const people = new Map<string, TerminalUser>();
      for (const { id, name } of await (await book()).all())
        if (id !== '' && !people.has(id)) people.set(id, { id, name });
      return [...people.values()];
    },
    async put(user) {
      const { name, cut } = fitName(user.name);
      if (cut)
        wire.note({ code: 'odd', text: 'A name is longer than the 32 bytes that the terminal takes, and was cut' });
      const use = await book();
      const named = async (): Promise<boolean> => {
        const found = await use.find(user.id);
        return found.length > 0 && found.every((entry) => entry.name === name);
      };
      const there = await use.find(user.id);
      if (there.length === 0) await once(() => use.insert(user.id, name), named);
      else if (there.some((entry) => entry.name !== name)) await once(() => use.rename(there, name), named);
    },
    async remove(id) {
      const use = await book();
      const there = await use.find(id);
      if (there.length > 0)
        await once(
          () => use.remove(there),
          async () => (await use.find(id)).length === 0,
        );
    },
  };
}
