/**
 * The people of a terminal by `UserInfo`: listed page by page, put with everything that the terminal already keeps of them, and
 * removed. Faces, fingers and cards lie elsewhere in the terminal and are neither read nor touched; counts of them are left out of what is
 * written back. Names and ids never reach an error: only the terminal's own words for what it does not like.
 */
import { randomUUID } from 'node:crypto';
import { fail } from '../../core/errors.js';
import type { TerminalUser, TerminalUsers } from '../driver.js';
import { listAt, textAt, treeAt } from './codec.js';
import { refusalOf, type Conversation } from './conversation.js';
import type { Tree } from './xml.js';

const PAGE = 30;
const PAGES_MAX = 10_000;
const ID_MAX = 32;
/** What a terminal tells about a person and does not want back. */
const TOLD_ONLY = new Set([
  'numOfFace',
  'numOfFP',
  'numOfCard',
  'numOfRemoteControl',
  'numOfIris',
  'faceURL',
  'PersonInfoExtends',
]);

const refused = (reason: string, reasonZh: string): Error => fail('user-refused', { reason, reasonZh });

/** A refusal as the caller knows it. */
function translate(error: unknown): unknown {
  const status = refusalOf(error)?.status;
  if (!status) return error;
  if (/full|overlimit|exceed|upperlimit|capacity|noMore/i.test(`${status.sub} ${status.field}`))
    return fail('terminal-full', {}, error);
  const said = `${status.sub} ${status.field}`.trim() || `status ${status.code}`;
  return fail('user-refused', { reason: said, reasonZh: said }, error);
}

export function createUsers(conversation: Conversation): TerminalUsers {
  async function* search(condition: Tree): AsyncGenerator<Tree, void> {
    const searchID = randomUUID();
    let position = 0;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const { tree } = await conversation.ask({
        method: 'POST',
        path: '/ISAPI/AccessControl/UserInfo/Search?format=json',
        json: { UserInfoSearchCond: { searchID, searchResultPosition: position, maxResults: PAGE, ...condition } },
        waitingFor: 'people',
      });
      const answer = treeAt(tree, 'UserInfoSearch');
      const people = listAt(answer, 'UserInfo');
      yield* people;
      position += people.length;
      if (people.length === 0 || textAt(answer, 'responseStatusStrg').toUpperCase() !== 'MORE') return;
    }
  }

  const find = async (id: string): Promise<Tree | null> => {
    for await (const person of search({ EmployeeNoList: [{ employeeNo: id }] }))
      if (textAt(person, 'employeeNo') === id) return person;
    return null;
  };

  const write = async (method: 'POST' | 'PUT', word: string, person: Tree): Promise<void> => {
    await conversation.ask({
      method,
      path: `/ISAPI/AccessControl/UserInfo/${word}?format=json`,
      json: { UserInfo: person },
      waitingFor: 'writing a person',
    });
  };

  const put = async ({ id, name }: TerminalUser): Promise<void> => {
    if (id === '' || Buffer.byteLength(id) > ID_MAX)
      throw refused('an id has 1 to 32 characters', '编号为 1 至 32 个字符');
    const before = await find(id);
    if (before) {
      if (textAt(before, 'name') === name) return;
      const kept = Object.fromEntries(Object.entries(before).filter(([key]) => !TOLD_ONLY.has(key)));
      await write('PUT', 'Modify', { ...kept, name });
      return;
    }
    await write('POST', 'Record', {
      employeeNo: id,
      name,
      userType: 'normal',
      // Later than 2037 is refused.
      Valid: { enable: true, beginTime: '2020-01-01T00:00:00', endTime: '2037-12-31T23:59:59', timeType: 'local' },
      doorRight: '1',
      RightPlan: [{ doorNo: 1, planTemplateNo: '1' }],
    });
  };

  const remove = async (id: string): Promise<void> => {
    try {
      await conversation.ask({
        method: 'PUT',
        path: '/ISAPI/AccessControl/UserInfo/Delete?format=json',
        json: { UserInfoDelCond: { EmployeeNoList: [{ employeeNo: id }] } },
        waitingFor: 'removing a person',
      });
    } catch (error) {
      const status = refusalOf(error)?.status;
      if (!status || !/not ?exist|not ?found/i.test(`${status.sub} ${status.field}`)) throw error;
    }
  };

  return {
    async list() {
      const people: TerminalUser[] = [];
      for await (const person of search({}))
        people.push({ id: textAt(person, 'employeeNo'), name: textAt(person, 'name') });
      return people;
    },
    put: async (user) => {
      await put(user).catch((error: unknown) => {
        throw translate(error);
      });
    },
    remove: async (id) => {
      await remove(id).catch((error: unknown) => {
        throw translate(error);
      });
    },
  };
}
