/**
 * JSON-RPC of the simulated terminal: the login with its challenge, the record finder, and AccessUser. Strict as a real one:
 * a session that does not exist, a method that this firmware lacks, or a finder that was not started is an error.
 */
import { rpcPassword } from './codec.js';
import { fieldsJson } from './simulator-json.js';
import { addPerson, faultFires, recordFields, type Person, type State } from './simulator-state.js';

type Json = Readonly<Record<string, unknown>>;

export interface RpcDesk {
  /** Null: this firmware has no such page, or the answer is lost. */
  answer(path: string, body: Uint8Array): Json | 'absent' | 'lost';
}

interface Session {
  readonly random: string;
  open: boolean;
}

interface Finder {
  readonly name: string;
  at: number;
  started: boolean;
}

const RANDOM = '1357924680';
const TRIES_MAX = 5;
const PAGE_MAX = 1024;

const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const personJson = ({ id, name, more }: Person): Json => ({
  Doors: [0],
  TimeSections: [255],
  Authority: 2,
  ...more,
  UserID: id,
  UserName: name,
});

export function createRpcDesk(state: State, lock: { tries: number }): RpcDesk {
  const sessions = new Map<string, Session>();
  const finders = new Map<number, Finder>();
  const searches = new Map<number, readonly Person[]>();
  let number = 100;
  const next = (): number => (number += 1);

  const login = (message: Json): Json => {
    const params = objectOf(message.params);
    const known = sessions.get(textOf(message.session));
    if (!known) {
      const session = `${next()}a`;
      sessions.set(session, { random: RANDOM, open: false });
      return {
        error: { code: 268632079, message: 'Component error: login challenge!' },
        params: { encryption: 'Default', random: RANDOM, realm: state.realm },
        result: false,
        session,
      };
    }
    const wanted = rpcPassword(state.options.authUser, state.options.authPassword ?? '', state.realm, known.random);
    const right =
      textOf(params.userName) === state.options.authUser &&
      params.password === wanted &&
      params.authorityType === 'Default';
    if (!right || lock.tries >= TRIES_MAX) {
      lock.tries += 1;
      return { error: { code: 268632085, message: 'Component error: password not valid!' }, result: false };
    }
    lock.tries = 0;
    known.open = true;
    return { params: { keepAliveInterval: 60 }, result: true, session: textOf(message.session) };
  };

  const refuse = (code: number, message: string): Json => ({ error: { code, message }, result: false });

  const finder = (method: string, params: Json, object: number): Json => {
    if (method === 'RecordFinder.factory.create') {
      const made = next();
      finders.set(made, { name: textOf(params.name), at: 0, started: false });
      return { result: made };
    }
    const one = finders.get(object);
    if (!one) return refuse(268894210, 'Request invalid object!');
    if (method === 'RecordFinder.startFind') {
      one.started = true;
      one.at = 0;
      return { result: true };
    }
    if (method === 'RecordFinder.destroy') return { result: finders.delete(object) };
    if (method !== 'RecordFinder.doFind' || !one.started) return refuse(268894210, 'Request invalid!');
    const count = Math.min(PAGE_MAX, Number(params.count ?? 1));
    const records = state.log.slice(one.at, one.at + count).map((record) => fieldsJson(recordFields(state, record)));
    one.at += records.length;
    return { result: true, params: { found: records.length, records } };
  };

  const write = (method: string, params: Json): Json | 'lost' => {
    if (method === 'AccessUser.removeMulti') {
      const ids = listOf(params.UserIDList).map(textOf);
      for (const id of ids) {
        const at = state.people.findIndex((person) => person.id === id);
        if (at < 0) return refuse(268632064, 'Batch process error');
        state.people.splice(at, 1);
      }
      return { result: true };
    }
    const insert = method === 'AccessUser.insertMulti';
    for (const one of listOf(params.UserList).map(objectOf)) {
      const { UserID, UserName, ...more } = one;
      const id = textOf(UserID);
      const there = state.people.find((person) => person.id === id);
      if (id === '' || insert === (there !== undefined)) return refuse(268632064, 'Batch process error');
      if (Buffer.byteLength(textOf(UserName)) > 32) return refuse(268632065, 'Parameter error');
      if (insert && (state.people.length >= state.options.userCapacity || state.faults.has('memory-full')))
        return refuse(268632070, 'Record is full');
      // What is not sent again is kept; what is sent replaces.
      if (there)
        state.people.splice(state.people.indexOf(there), 1, {
          ...there,
          name: textOf(UserName),
          more: { ...there.more, ...more },
        });
      else addPerson(state, { id, name: textOf(UserName) }, more);
    }
    return insert && faultFires(state, 'lost-insert') ? 'lost' : { result: true };
  };

  const people = (method: string, params: Json): Json | 'lost' => {
    if (!state.options.accessUser) return refuse(268894210, 'Method not found!');
    switch (method) {
      case 'AccessUser.startFind': {
        const id = objectOf(params.Condition).UserID;
        const found = id === undefined ? [...state.people] : state.people.filter((person) => person.id === id);
        const token = next();
        searches.set(token, found);
        return { result: true, params: { Token: token, Total: found.length } };
      }
      case 'AccessUser.doFind': {
        const found = searches.get(Number(params.Token));
        if (!found) return refuse(268632066, 'Token invalid');
        const offset = Number(params.Offset ?? 0);
        return {
          result: true,
          params: { Info: found.slice(offset, offset + Number(params.Count ?? 0)).map(personJson) },
        };
      }
      case 'AccessUser.stopFind':
        return { result: searches.delete(Number(params.Token)) };
      case 'AccessUser.insertMulti':
      case 'AccessUser.updateMulti':
      case 'AccessUser.removeMulti':
        return write(method, params);
      default:
        return refuse(268894210, 'Method not found!');
    }
  };

  return {
    answer(path, body) {
      if (!state.options.rpc) return 'absent';
      let message: Json;
      try {
        message = objectOf(JSON.parse(Buffer.from(body).toString('utf8')));
      } catch {
        return { ...refuse(268894211, 'Request invalid!'), id: 0 };
      }
      const method = textOf(message.method);
      const params = objectOf(message.params);
      const told = (): Json | 'lost' => {
        if (path === '/RPC2_Login')
          return method === 'global.login' ? login(message) : refuse(268894210, 'Method not found!');
        if (sessions.get(textOf(message.session))?.open !== true)
          return refuse(287637505, 'Invalid session in request data!');
        if (method === 'global.keepAlive') return { result: true, params: { timeout: 300 } };
        if (method === 'global.logout') return { result: sessions.delete(textOf(message.session)) };
        if (method.startsWith('RecordFinder.')) return finder(method, params, Number(message.object ?? 0));
        return people(method, params);
      };
      const answer = told();
      return answer === 'lost' ? 'lost' : { id: message.id, session: message.session, ...answer };
    },
  };
}
