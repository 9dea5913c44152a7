/**
 * Requests to one terminal: CGI answers as lines, JSON-RPC calls with their login, and the event stream. One request at a
 * time, which the HTTP client keeps; readings are asked again, changes never by themselves. A wrong password is tried at most
 * twice by CGI and once by RPC, because terminals lock the account.
 *
 * Addresses, names and passwords stay out of every error.
 */
import { hex } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import type { Wire } from '../driver.js';
import type { HttpAnswer, HttpClient, HttpStream } from '../http-client.js';
import { parseJson, parseLines, rpcPassword, type Line } from './codec.js';
import type { DahuaOptions } from './options.js';

export interface CgiAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly lines: readonly Line[];
  readonly body: Uint8Array;
}

export interface RpcAnswer {
  readonly ok: boolean;
  readonly result: unknown;
  readonly params: Readonly<Record<string, unknown>>;
  /** Number and text of the terminal's refusal. */
  readonly error: { readonly code: number | null; readonly message: string } | null;
}

export interface RpcSession extends AsyncDisposable {
  call(method: string, params: unknown, object?: number): Promise<RpcAnswer>;
}

export interface Api extends AsyncDisposable {
  /** A reading: asked again when nothing answers or the terminal is busy. Throws `terminal-busy` when it stays so. */
  get(path: string, waitingFor: string): Promise<CgiAnswer>;
  /** A change: asked once. */
  change(path: string, waitingFor: string): Promise<CgiAnswer>;
  attach(path: string): Promise<HttpStream>;
  /** A JSON-RPC session, which its owner ends: terminals have few. Null when this firmware has no RPC, or refuses us there. */
  openRpc(): Promise<RpcSession | null>;
}

const KEEP_ALIVE_MS = 30_000;
const BUSY = 503;
/** Pause before a busy terminal is asked again. */
const BUSY_MS = 2000;
const JSON_TYPE = { 'Content-Type': 'application/json' };

const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function answerOf(told: Readonly<Record<string, unknown>>): RpcAnswer {
  const error = told.error === undefined || told.error === null ? null : objectOf(told.error);
  return {
    ok: told.result !== false && told.result !== undefined && error === null,
    result: told.result,
    params: objectOf(told.params),
    error: error && {
      code: typeof error.code === 'number' ? error.code : null,
      message: typeof error.message === 'string' ? error.message.slice(0, 120) : '',
    },
  };
}

export function createApi(http: HttpClient, options: DahuaOptions, wire: Wire, signal: AbortSignal): Api {
  const timeoutMs = options.answerTimeoutMs;
  let closed = false;
  let id = 0;

  const cgiAnswer = ({ status, body }: HttpAnswer): CgiAnswer => {
    const text = body.length < 64 ? Buffer.from(body).toString('latin1').trim() : '';
    const ok = status === 200 && text !== 'Error' && !text.startsWith('Bad Request');
    return { ok, status, body, lines: ok ? parseLines(body) : [] };
  };
  const ask = async (path: string, waitingFor: string, retries: number): Promise<CgiAnswer> => {
    const answer = await http.ask({ method: 'GET', path, timeoutMs, waitingFor, retries, once: retries === 0 });
    if (answer.status === 401) throw fail('auth-refused');
    return cgiAnswer(answer);
  };

  /** `retries`: a login that was lost may be asked again, a call may not. Null: nobody speaks JSON there. */
  const post = async (
    path: string,
    message: Readonly<Record<string, unknown>>,
    session: string | number | null,
    retries: number,
  ): Promise<Readonly<Record<string, unknown>> | null> => {
    id += 1;
    const cookie = session === null ? {} : { Cookie: `DhWebClientSessionID=${session}; username=` };
    const body = JSON.stringify({ ...message, id, ...(session === null ? {} : { session }) });
    const waitingFor = path === '/RPC2' ? String(message.method) : 'login';
    const answer = await http.ask({
      method: 'POST',
      path,
      headers: { ...JSON_TYPE, ...cookie },
      body,
      timeoutMs,
      waitingFor,
      retries,
      once: retries === 0,
    });
    return answer.status === 200 ? parseJson(answer.body, waitingFor) : null;
  };

  const login = async (): Promise<string | number | null> => {
    const message = (password: string, more = {}): Readonly<Record<string, unknown>> => ({
      method: 'global.login',
      params: { userName: options.authUser, password, clientType: 'Web3.0', ...more },
    });
    const first = await post('/RPC2_Login', message(''), null, options.retries);
    const told = objectOf(first?.params);
    const session = first?.session;
    if (first === null || (typeof session !== 'string' && typeof session !== 'number')) return null;
    if (typeof told.realm !== 'string' || (typeof told.random !== 'string' && typeof told.random !== 'number'))
      return null;
    const word = rpcPassword(options.authUser, options.authPassword ?? '', told.realm, String(told.random));
    const ways = { loginType: 'Direct', authorityType: 'Default', passwordType: 'Default' };
    const second = await post('/RPC2_Login', message(word, ways), session, 0);
    if (second?.result === true) return session;
    wire.note({ code: 'odd', text: 'The terminal lets us in by CGI and not by JSON-RPC; it is not tried again' });
    return null;
  };

  return {
    async get(path, waitingFor) {
      for (let left = options.retries; ; left -= 1) {
        const answer = await ask(path, waitingFor, options.retries);
        if (answer.status !== BUSY) return answer;
        if (left <= 0) throw fail('terminal-busy', { reason: `${BUSY}` });
        await wire.clock.sleep(BUSY_MS, signal);
      }
    },
    change: (path, waitingFor) => ask(path, waitingFor, 0),
    attach: (path) => http.stream({ method: 'GET', path, timeoutMs, waitingFor: 'event stream' }),
    async openRpc() {
      // One refusal is enough: a second might lock the account.
      if (closed) return null;
      const session = await login();
      if (session === null) {
        closed = true;
        return null;
      }
      let calledTicks = wire.clock.ticks();
      const call = async (method: string, params: unknown, object?: number): Promise<RpcAnswer> => {
        if (method !== 'global.keepAlive' && wire.clock.ticks() - calledTicks > KEEP_ALIVE_MS)
          await call('global.keepAlive', { timeout: 300, active: true });
        calledTicks = wire.clock.ticks();
        const told = await post('/RPC2', { method, params, ...(object === undefined ? {} : { object }) }, session, 0);
        if (told === null)
          throw fail('bad-reply', { request: method, requestZh: method, reason: 'refused', reasonZh: '被拒绝' });
        return answerOf(told);
      };
      return {
        call,
        // Where the wire is gone there is nobody to say goodbye to.
        [Symbol.asyncDispose]: async () => {
          await call('global.logout', null).catch(() => undefined);
        },
      };
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

/** The other side speaks HTTP, and is another device. */
export function notOurs(body: Uint8Array): Error {
  return fail('wrong-protocol', { driver: 'dahua-asi', window: hex(body.subarray(0, 16)) });
}
