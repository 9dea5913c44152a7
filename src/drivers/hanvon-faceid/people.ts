/**
 * The list of people in a terminal. The protocol has no word for "change a name": SetEmployee replaces a person, face templates
 * included, and SetNameTable replaces the table of all names. Templates are never kept here, so somebody who has a face can be
 * removed and cannot be renamed: that is refused with the reason. Whoever has none is written anew with all other fields as told.
 */
import { fail } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers } from '../driver.js';
import { latin, valueOf, type Argument, type Pair } from './codec.js';
import type { Answer, Conversation } from './conversation.js';
import { canTell, decodeText, encodeText } from './text.js';
import type { HanvonOptions } from './options.js';

const UNKNOWN_ID = 'unknown id';
const FULL = 'employee overflow';
const ID = /^\w{1,32}$/;
const PEOPLE_MAX = 100_000;

/** What a person without card is given; field values as public clients of the family write them. */
const NEWCOMER: readonly Argument[] = [
  ['calid', ''],
  ['card_num', '0Xffffffff'],
  ['authority', '0X0'],
  ['check_type', 'face'],
  ['opendoor_type', 'face'],
];

export function createPeople(conversation: Conversation, options: HanvonOptions): TerminalUsers {
  let seenUtf8 = false;

  const nameOf = (pairs: readonly Pair[]): string => {
    const told = pairs.find((pair) => pair.key === 'name')?.value ?? new Uint8Array(0);
    const name = decodeText(told, options.encoding);
    if (told.some((byte) => byte > 0x7f) && Buffer.from(told).equals(Buffer.from(name, 'utf8'))) seenUtf8 = true;
    return name.trim();
  };
  const encoding = (): 'gbk' | 'utf-8' =>
    options.encoding === 'auto' ? (seenUtf8 ? 'utf-8' : 'gbk') : options.encoding;

  const person = async (id: string): Promise<readonly Pair[] | null> => {
    const answer = await conversation.ask('GetEmployee', [['id', id]]);
    if (answer.refusal === UNKNOWN_ID) return null;
    if (answer.refusal !== null) throw refused(answer);
    return answer.pairs;
  };

  return {
    async list() {
      const answer = await conversation.ask('GetEmployeeID');
      if (answer.refusal !== null) throw refused(answer);
      const ids = answer.pairs.filter((pair) => pair.key === 'id').map((pair) => latin(pair.value));
      const people: TerminalUser[] = [];
      for (const id of ids.slice(0, PEOPLE_MAX)) {
        const pairs = await person(id);
        if (pairs) people.push({ id, name: nameOf(pairs) });
      }
      return people;
    },
    async put({ id, name }) {
      if (!ID.test(id))
        throw refusal('the terminal takes ids of letters and digits only', '考勤机的工号只能是字母和数字');
      const told = await person(id);
      if (told !== null && nameOf(told) === name) return;
      if (!canTell(name, encoding()))
        throw refusal('the name has a character that the protocol cannot write', '姓名中有协议无法传送的字符');
      if (told?.some((pair) => pair.value === null && pair.size > 0) === true)
        throw refusal(
          'this person has a face in the terminal; the protocol changes a name only by writing the face again, which is never done. Change the name at the terminal',
          '该人员已登记人脸；协议改名必须重写人脸模板，网关不处理人脸模板，请在考勤机上改名',
        );
      const rest: readonly Argument[] = told
        ? told
            .filter((pair) => !['id', 'name', 'notify', 'face_data'].includes(pair.key))
            .map((pair) => [pair.key, pair.value ?? ''] as const)
        : NEWCOMER;
      const answer = await conversation.ask('SetEmployee', [
        ['id', id],
        ['name', encodeText(name, encoding())],
        ...rest,
      ]);
      if (answer.refusal === FULL) throw fail('terminal-full');
      if (answer.refusal !== null) throw refused(answer);
      const notify = valueOf(answer.pairs, 'notify');
      if (notify !== null && notify !== '')
        throw refusal(`the terminal notes: ${notify.slice(0, 64)}`, `考勤机提示：${notify.slice(0, 64)}`);
    },
    async remove(id) {
      if (!ID.test(id)) return;
      const answer = await conversation.ask('DeleteEmployee', [['id', id]]);
      if (answer.refusal !== null && answer.refusal !== UNKNOWN_ID) throw refused(answer);
    },
  };
}

const refusal = (reason: string, reasonZh: string): Error => fail('user-refused', { reason, reasonZh });

const refused = ({ refusal: reason }: Answer): Error => {
  const shown = reason === null || reason === '' ? 'no reason given' : reason;
  return refusal(shown, shown === 'no reason given' ? '未给出原因' : shown);
};
