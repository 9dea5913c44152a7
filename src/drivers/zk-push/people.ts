/**
 * The people in a terminal, by commands. Their lines come back as uploads (OPERLOG, `USER`), the result of the command after
 * them. Changing a name sends back everything the terminal told of that person, because firmware differs in what it does with
 * keys that are left out; passwords and cards pass through memory for that and go nowhere else.
 */
import { fail, type GatewayError } from '../../core/errors.js';
import { within, type Clock } from '../../core/time.js';
import type { TerminalUser, TerminalUsers, Wire } from '../driver.js';
import type { Channel } from './channel.js';
import { isFull, isNobody, isUnsupported, returnReason } from './codes.js';
import { isPlain, query, type CommandResult } from './command.js';
import type { UserLine } from './operlog.js';
import type { ZkPushOptions } from './options.js';
import type { Known } from './reception.js';

export interface People extends TerminalUsers {
  /** A line of a person has come. */
  heard(user: UserLine): void;
}

export interface PeopleParts {
  readonly options: ZkPushOptions;
  readonly wire: Wire;
  readonly known: Known;
  readonly channel: Channel;
  readonly signal: AbortSignal;
  readonly levels: () => Promise<void>;
  /** Uploads of punches that nobody took in time, so far. */
  readonly refusals: () => number;
}

const STEP_MS = 250;
/** Lines may come after the result of their query. */
const LATE_MS = 3000;
/** As often may punches wait in vain for a change of the list; then they come first. */
const REFUSALS_MAX = 2;
const ID_BYTES_MAX = 24;
const NAME_CHARS_MAX = 48;

const refused = (reason: string, reasonZh: string): GatewayError => fail('user-refused', { reason, reasonZh });

async function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  await within(clock, STEP_MS, signal, new Promise<never>(() => undefined));
}

export function createPeople(parts: PeopleParts): People {
  const { options, wire, known, channel, signal } = parts;
  const { clock } = wire;
  const lines = new Map<string, UserLine>();
  let lineAt = 0;
  /** A terminal tells of persons unasked too; what nobody waits for is not kept, with its passwords, for the life of the session. */
  let gathering = false;

  const succeed = (result: CommandResult | 'unanswered'): CommandResult => {
    if (result === 'unanswered') throw refused('it never told the result', '考勤机没有回报结果');
    if (isFull(result.returned)) throw fail('terminal-full');
    if (result.returned < 0) {
      const { en, zh } = returnReason(result.returned);
      throw refused(en, zh);
    }
    return result;
  };

  /** Whoever waits here takes no punches, and a terminal of one thread may do nothing before its punches are taken. */
  const run = async (text: string): Promise<CommandResult | 'unanswered'> => {
    const before = parts.refusals();
    const result = channel.run(text);
    for (;;) {
      const told = await within(clock, 1000, signal, result);
      if (told !== 'late') return told;
      if (parts.refusals() - before >= REFUSALS_MAX) throw refused('punches come first', '考勤机正在上传打卡记录');
    }
  };

  /** Asks, and gathers lines until `enough`, or none has come for a while after the result. */
  const gather = async (command: string, enough: () => boolean): Promise<void> => {
    lines.clear();
    gathering = true;
    try {
      const result = await run(command);
      if (result !== 'unanswered' && result.returned < 0) {
        // "Nothing matches" and "no data" are answers.
        if (isUnsupported(result.returned) || !(isNobody(result.returned) || result.returned === -1)) succeed(result);
      }
      if (result === 'unanswered' && lines.size === 0) succeed(result);
      const since = clock.ticks();
      while (!enough() && clock.ticks() - Math.max(since, lineAt) < LATE_MS) await pause(clock, signal);
    } finally {
      gathering = false;
    }
  };

  const find = async (id: string): Promise<UserLine | null> => {
    await gather(query.users(id), () => lines.has(id));
    return lines.get(id) ?? null;
  };

  const pairsFor = (user: TerminalUser, before: UserLine | null): (readonly [string, string])[] => {
    if (before === null) {
      return [
        ['PIN', user.id],
        ['Name', user.name],
        [options.privilegeKey, '0'],
      ];
    }
    return before.pairs.map(([key, value]) => {
      if (/^pin$/i.test(key)) return ['PIN', user.id];
      if (/^name$/i.test(key)) return ['Name', user.name];
      return /^(?:pri|privilege)$/i.test(key) ? [options.privilegeKey, value] : [key, value];
    });
  };

  return {
    heard(user) {
      if (!gathering) return;
      lines.set(user.pin, user);
      lineAt = clock.ticks();
    },
    async list() {
      await parts.levels();
      await gather(query.users(), () => known.users !== null && lines.size >= known.users);
      if (known.users !== null && lines.size < known.users)
        wire.note({
          code: 'count-mismatch',
          text: `The terminal announced ${known.users} persons and told ${lines.size}`,
          data: { announced: known.users, decoded: lines.size },
        });
      return [...lines.values()].map(({ pin, name }) => ({ id: pin, name }));
    },
    async put(user) {
      if (!/^[\x21-\x7e]+$/.test(user.id) || user.id.length > ID_BYTES_MAX)
        throw refused('the id has signs that a terminal cannot type', '编号含有考勤机无法输入的字符');
      if (!isPlain(user.name) || user.name.length > NAME_CHARS_MAX)
        throw refused('the name is too long or has signs that end a line', '姓名过长或含有换行等控制字符');
      const before = await find(user.id);
      if (before?.name === user.name) return;
      const pairs = pairsFor(user, before);
      const named = pairs.some(([key]) => key === 'Name') ? pairs : [...pairs, ['Name', user.name] as const];
      succeed(await run(query.update(named)));
    },
    async remove(id) {
      if (!/^[\x21-\x7e]{1,24}$/.test(id)) return;
      const result = await run(query.remove(id));
      if (result !== 'unanswered' && isNobody(result.returned)) return;
      succeed(result);
    },
  };
}
