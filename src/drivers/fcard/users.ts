/**
 * The list of people in a terminal: 07 13 reads five at a time, 07 03 one, 07 04 writes one, 07 05 deletes. A change reads
 * the record of 161 bytes first and writes it back with another name: card, password, privilege and the marks of face and
 * fingers go back as they came. User numbers are u32; an id that is none is refused here, because the terminal would
 * have to be told another one.
 */
import { Reader, Writer } from '../../core/bytes.js';
import { fail, GatewayError } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers } from '../driver.js';
import { ANSWER, COMMAND, STATUS } from './codec.js';
import type { Conversation } from './conversation.js';
import { decodePerson, decodePersons, newPerson, nameThatFits, PERSON_BYTES, userNumber, withName } from './person.js';

export interface Counts {
  readonly max: number;
  readonly used: number;
}

/** u32 x 6: persons, fingers and faces, each most and used. Null when too short. */
export function decodeCounts(data: Uint8Array): Counts | null {
  if (data.length < 8) return null;
  const reader = new Reader(data, 'big');
  return { max: reader.u32(), used: reader.u32() };
}

const PAGE = 5;
/** More than any terminal holds: it sends in circles. */
const PERSONS_MAX = 100_000;

const refused = (reason: string, reasonZh: string): GatewayError => fail('user-refused', { reason, reasonZh });

export function createUsers(conversation: Conversation): TerminalUsers {
  /** Everybody, as records. */
  const records = async (): Promise<readonly Uint8Array[]> => {
    const found = new Map<number, Uint8Array>();
    for (let start = 0; start < PERSONS_MAX;) {
      const asked = new Writer('big').u32(start).u8(PAGE).bytes();
      const frame = await conversation.ask(COMMAND.readPersons, asked);
      const page = frame.type === STATUS ? [] : decodePersons(frame.data);
      if (page.length === 0) break;
      const before = found.size;
      for (const one of page) found.set(new Reader(one, 'big').u32(), one);
      // Asked beyond its end, a terminal may repeat itself.
      if (found.size === before) break;
      start += page.length;
    }
    return [...found.values()];
  };

  /** The record of one person; null when the terminal knows nobody of that number. */
  const find = async (user: number): Promise<Uint8Array | null> => {
    const frame = await conversation.tryAsk(COMMAND.readPerson, new Writer('big').u32(user).bytes());
    const { data } = frame ?? { data: new Uint8Array(0) };
    if (data.length === PERSON_BYTES) {
      if (new Reader(data, 'big').u32() === user) return Uint8Array.from(data);
      // A record of FF says that there is nobody (ReadPersonDetail.java).
      if (data[0] === 0xff) return null;
    }
    // Any other answer is not understood: the whole list tells for certain, so that nobody's card or password is overwritten.
    return (await records()).find((one) => new Reader(one, 'big').u32() === user) ?? null;
  };

  const isFull = async (): Promise<boolean> => {
    const frame = await conversation.tryAsk(COMMAND.personCounts);
    const counts = frame ? decodeCounts(frame.data) : null;
    return counts !== null && counts.max > 0 && counts.used >= counts.max;
  };

  const write = async (record: Uint8Array): Promise<void> => {
    try {
      const frame = await conversation.ask(COMMAND.addPerson, Buffer.concat([Uint8Array.of(1), record]));
      // 37 04 FF lists who could not be written: u32 n, n x u32.
      const failures =
        frame.type === COMMAND.addPerson.type + ANSWER && frame.data.length >= 4
          ? new Reader(frame.data, 'big').u32()
          : 0;
      if (failures > 0) throw refused('the terminal could not write this person', '考勤机未能写入此人');
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'bad-reply') throw error;
      throw refused('the terminal refuses the record', '考勤机拒绝该记录');
    }
  };

  return {
    async list() {
      return (await records()).map(decodePerson);
    },
    async put({ id, name }: TerminalUser) {
      const user = userNumber(id);
      if (user === null) {
        throw refused(
          'the user number must be a whole number from 1 to 4294967295 without leading zeros',
          '机内编号必须是 1 到 4294967295 的整数，且不能以 0 开头',
        );
      }
      const known = await find(user);
      if (known !== null) {
        if (decodePerson(known).name !== nameThatFits(name)) await write(withName(known, name));
        return;
      }
      if (await isFull()) throw fail('terminal-full');
      await write(newPerson(user, name));
    },
    async remove(id) {
      const user = userNumber(id);
      // Nobody can be there under an id that is no user number.
      if (user === null) return;
      try {
        await conversation.ask(COMMAND.deletePerson, new Writer('big').u8(1).u32(user).bytes());
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== 'bad-reply') throw error;
        // One who is not there is removed already.
        if ((await find(user)) !== null) throw refused('the terminal does not delete this person', '考勤机未删除此人');
      }
    },
  };
}
