/** The HTTP client against a real HTTP server over a pair of Duplexes, and against peers that are none. All on a fake clock. */
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createGuard, type GuardSetup } from '../../src/drivers/digest.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { createHttpClient, type HttpClient } from '../../src/drivers/http-client.js';
import { createHttpDesk, type HttpCall, type HttpReply } from '../../src/drivers/http-server.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';
import { benchWire } from './rig.js';

interface Trial {
  readonly clock: FakeClock;
  readonly client: HttpClient;
  readonly calls: HttpCall[];
  /** The terminal's ends of all connections so far. */
  readonly ends: Duplex[];
  readonly stop: AbortController;
}

type Answer = (call: HttpCall, signal: AbortSignal) => Promise<HttpReply | null>;

function trial(
  answer: Answer,
  extra: {
    readonly dials?: boolean;
    readonly password?: string | null;
    readonly scheme?: 'auto' | 'digest' | 'basic';
  } = {},
): Trial {
  const clock = createFakeClock();
  const stop = new AbortController();
  const calls: HttpCall[] = [];
  const ends: Duplex[] = [];
  const desk = createHttpDesk({
    clock,
    signal: stop.signal,
    onCall: (call, signal) => {
      calls.push(call);
      return answer(call, signal);
    },
  });
  const connect = (): Duplex => {
    const [ours, theirs] = duplexPair();
    ours.on('close', () => theirs.destroy());
    theirs.on('close', () => ours.destroy());
    desk.take(theirs);
    ends.push(theirs);
    return ours;
  };
  const wire = benchWire(clock, undefined, {
    host: '192.0.2.9:80',
    dial: extra.dials === false ? null : async () => Promise.resolve(connect()),
  });
  const login = extra.password === undefined ? null : { user: 'admin', password: extra.password ?? '' };
  const client = createHttpClient({
    link: connect(),
    wire,
    signal: stop.signal,
    driver: 'toy',
    login,
    ...(extra.scheme ? { scheme: extra.scheme } : {}),
  });
  return { clock, client, calls, ends, stop };
}

const get = (path: string, more: object = {}) => ({ method: 'GET', path, waitingFor: 'a trial', ...more });
const ok: Answer = async (call) =>
  Promise.resolve({ status: 200, headers: { 'X-Odd': 'Yes' }, body: `${call.method} ${call.target}` });
const text = (body: Uint8Array): string => Buffer.from(body).toString('utf8');

/** Bytes from a peer that is no server, as soon as anything is asked. */
function silentPeer(bytes: string | null): {
  client: HttpClient;
  clock: FakeClock;
  stop: AbortController;
  theirs: Duplex;
} {
  const clock = createFakeClock();
  const stop = new AbortController();
  const [ours, theirs] = duplexPair();
  theirs.on('error', () => undefined);
  ours.on('close', () => theirs.destroy());
  theirs.on('close', () => ours.destroy());
  theirs.on('data', () => {
    if (bytes !== null) theirs.write(Buffer.from(bytes, 'latin1'));
  });
  const client = createHttpClient({
    link: ours,
    wire: benchWire(clock),
    signal: stop.signal,
    driver: 'toy',
    login: null,
  });
  return { client, clock, stop, theirs };
}

describe('asking', () => {
  test('requests go one after the other over one connection', async () => {
    const { client, calls, ends } = trial(ok);
    const answers = await Promise.all([client.ask(get('/a?x=1')), client.ask(get('/b')), client.ask(get('/c'))]);
    expect(answers.map(({ body }) => text(body))).toEqual(['GET /a?x=1', 'GET /b', 'GET /c']);
    expect(answers[0].headers['x-odd']).toBe('Yes');
    expect(ends).toHaveLength(1);
    expect(calls[0]?.headers.host).toBe('192.0.2.9:80');
    expect(calls[0]?.headers['content-length']).toBeUndefined();
  });

  test('a body goes out with its length', async () => {
    const { client, calls } = trial(ok);
    await client.ask({ method: 'POST', path: '/', body: '名字', waitingFor: 'a trial' });
    await client.ask({ method: 'PUT', path: '/', waitingFor: 'a trial' });
    expect(calls.map(({ body, headers }) => [text(body), headers['content-length']])).toEqual([
      ['名字', '6'],
      ['', '0'],
    ]);
  });

  test('dials again when the terminal has closed, says Connection: close, or closes in the moment of asking', async () => {
    let number = 0;
    const { client, ends, calls } = trial(async (call) => {
      number += 1;
      if (number === 1) return Promise.resolve({ status: 200, headers: { Connection: 'close' }, body: 'one' });
      if (number === 4) return Promise.resolve(null);
      return ok(call, new AbortController().signal);
    });
    await client.ask(get('/1'));
    await client.ask(get('/2'));
    ends[1]?.destroy();
    await client.ask(get('/3'));
    expect(text((await client.ask(get('/4'))).body)).toBe('GET /4');
    expect(ends).toHaveLength(4);
    expect(calls).toHaveLength(5);
  });

  test('cannot go on when there is nothing to dial', async () => {
    const { client } = trial(async () => Promise.resolve(null), { dials: false });
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'link-closed' });
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'link-closed' });
  });

  test('silence ends at the deadline of our clock, and costs the connection', async () => {
    let lost = 1;
    const { client, clock, ends } = trial(async (call, signal) => {
      lost -= 1;
      if (lost >= 0) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return ok(call, signal);
    });
    const asked = client.ask(get('/', { timeoutMs: 3000 }));
    const told = expect(asked).rejects.toMatchObject({
      code: 'link-silent',
      context: { ms: 3000, waitingFor: 'a trial' },
    });
    await clock.advance(2999);
    expect(ends[0]?.destroyed).toBe(false);
    await clock.advance(1);
    await told;
    expect(ends[0]?.destroyed).toBe(true);
    expect(clock.sleepers).toBe(0);
    expect((await client.ask(get('/'))).status).toBe(200);
  });

  test('is asked again when that is allowed', async () => {
    let lost = 2;
    const { client, clock, calls } = trial(async (call, signal) => {
      lost -= 1;
      if (lost >= 0) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return ok(call, signal);
    });
    const asked = client.ask(get('/', { timeoutMs: 1000, retries: 2 }));
    await clock.advance(2000);
    expect((await asked).status).toBe(200);
    expect(calls).toHaveLength(3);
  });

  test('a body larger than allowed is refused', async () => {
    const { client } = trial(async () => Promise.resolve({ status: 200, body: 'x'.repeat(5000) }));
    await expect(client.ask(get('/', { sizeBytesMax: 4999 }))).rejects.toMatchObject({ code: 'bad-reply' });
    expect((await client.ask(get('/', { sizeBytesMax: 5000 }))).body).toHaveLength(5000);
  });

  test('an abort ends the waiting, and leaves no deadline behind', async () => {
    const { client, clock, stop } = trial(async (_call, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return null;
    });
    const asked = client.ask(get('/'));
    await clock.advance(10);
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    expect(clock.sleepers).toBe(0);
  });
});

describe('peers of another kind', () => {
  test.each([
    'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n',
    '\x50\x50\x82\x7d\x08\x00\x00\x00\xd0\x07\x00\x00\x01\x02\x03\x04\x05',
  ])('is named with its first 16 bytes: %j', async (banner) => {
    const { client } = silentPeer(banner);
    await expect(client.ask(get('/'))).rejects.toMatchObject({
      code: 'wrong-protocol',
      context: {
        driver: 'toy',
        window: [...Buffer.from(banner, 'latin1').subarray(0, 16)]
          .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
          .join(' '),
      },
    });
  });

  test('who speaks before being asked is heard too', async () => {
    const { client, theirs, clock } = silentPeer(null);
    theirs.write('SSH-2.0-OpenSSH_9.2p1\r\n');
    await clock.advance(10);
    await expect(client.ask(get('/'))).rejects.toMatchObject({
      code: 'wrong-protocol',
      context: { window: '53 53 48 2D 32 2E 30 2D 4F 70 65 6E 53 53 48 5F' },
    });
  });

  test('one who spoke HTTP before and then rubbish has given a bad reply', async () => {
    let number = 0;
    const { client, theirs } = silentPeer(null);
    theirs.removeAllListeners('data');
    theirs.on('data', () => {
      number += 1;
      theirs.write(number === 1 ? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' : 'rubbish\r\n\r\n');
    });
    expect((await client.ask(get('/'))).status).toBe(200);
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'bad-reply' });
  });

  test('an answer cut short is no answer', async () => {
    const { client, theirs } = silentPeer(null);
    theirs.removeAllListeners('data');
    theirs.on('data', () => theirs.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'link-closed' });
  });

  test('what nobody asked for is never taken for an answer', async () => {
    const { client, theirs, clock } = silentPeer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await client.ask(get('/'))).status).toBe(200);
    theirs.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
    await clock.advance(10);
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'link-closed' });
  });
});

describe('login', () => {
  const guarded = (setup: Partial<GuardSetup>) => {
    const guard = createGuard({
      user: 'admin',
      password: 'Class-1234',
      realm: 'DS-1',
      scheme: 'digest',
      random: seededRandom(7),
      ...setup,
    });
    const answer: Answer = async (call, signal) => {
      const refused = guard.refusal(call.method, call.target, call.headers.authorization);
      return refused
        ? { status: 401, headers: { 'WWW-Authenticate': refused.challenge }, body: '<userCheck/>' }
        : ok(call, signal);
    };
    return { guard, answer };
  };

  test.each([{}, { algorithm: 'SHA-256' }, { scheme: 'both' }, { scheme: 'basic' }] as const)(
    'asks once without and then always with what was offered: %o',
    async (setup) => {
      const { answer, guard } = guarded(setup);
      const { client, calls, ends } = trial(answer, { password: 'Class-1234' });
      for (const path of ['/a?b=c', '/b', '/c']) expect((await client.ask(get(path))).status).toBe(200);
      expect(calls).toHaveLength(4);
      expect(ends).toHaveLength(1);
      expect(guard.wrongTries).toBe(0);
      if (!('scheme' in setup) || setup.scheme !== 'basic')
        expect(calls.slice(1).map(({ headers }) => /nc=(\w+)/.exec(headers.authorization ?? '')?.[1])).toEqual([
          '00000001',
          '00000002',
          '00000003',
        ]);
    },
  );

  test('a nonce that has grown old is replaced once and costs no try', async () => {
    const { answer, guard } = guarded({ nonceUses: 2, lockAfter: 1 });
    const { client, calls } = trial(answer, { password: 'Class-1234' });
    for (let round = 0; round < 5; round += 1) expect((await client.ask(get('/'))).status).toBe(200);
    expect(calls).toHaveLength(5 + 3);
    expect(guard.locked).toBe(false);
  });

  test('two real refusals and not one more, for good', async () => {
    const { answer, guard } = guarded({ lockAfter: 5 });
    const { client, calls } = trial(answer, { password: 'wrong' });
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'auth-refused' });
    expect(guard.wrongTries).toBe(2);
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'auth-refused' });
    expect(guard.wrongTries).toBe(2);
    expect(calls).toHaveLength(3);
  });

  test('Basic is not sent to one who asks for Digest only, nor when the setting says digest', async () => {
    const { answer } = guarded({ scheme: 'basic' });
    const { client, calls } = trial(answer, { password: 'Class-1234', scheme: 'digest' });
    await expect(client.ask(get('/'))).rejects.toMatchObject({ code: 'auth-refused' });
    expect(calls.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test('without a login the 401 is an answer', async () => {
    const { answer } = guarded({});
    const { client } = trial(answer);
    expect((await client.ask(get('/'))).status).toBe(401);
  });
});

describe('streams', () => {
  async function* counting(until: AbortSignal, clock: FakeClock): AsyncGenerator<string> {
    for (let number = 1; number <= 3; number += 1) {
      await clock.sleep(1000, until);
      yield `piece ${number}`;
    }
  }

  test('have a connection of their own, beside which one may ask; silence loses nothing', async () => {
    const made: FakeClock[] = [];
    const { client, clock, ends, calls } = trial(async (call, signal) => {
      const [now] = made;
      if (call.path !== '/stream' || !now) return ok(call, signal);
      return { status: 200, headers: { 'Content-Type': 'multipart/mixed' }, pieces: counting(signal, now) };
    });
    made.push(clock);
    const stream = await client.stream(get('/stream'));
    expect([stream.status, stream.headers['content-type'], ends.length]).toEqual([200, 'multipart/mixed', 2]);
    const early = expect(stream.read(400, 'an event')).rejects.toMatchObject({ code: 'link-silent' });
    await clock.advance(400);
    await early;
    const first = stream.read(5000, 'an event');
    expect((await client.ask(get('/a'))).status).toBe(200);
    await clock.advance(1000);
    expect(text((await first) ?? new Uint8Array(0))).toBe('piece 1');
    await clock.advance(3000);
    expect(text((await stream.read(10, 'an event')) ?? new Uint8Array(0))).toContain('piece 2');
    await stream[Symbol.asyncDispose]();
    await clock.advance(1);
    expect(ends[1]?.destroyed).toBe(true);
    expect(ends[0]?.destroyed).toBe(false);
    expect(calls).toHaveLength(2);
  });

  test('end with their own signal, and the client goes on', async () => {
    const { client, clock, ends } = trial(async (call, signal) => {
      if (call.path !== '/stream') return ok(call, signal);
      return Promise.resolve({
        status: 200,
        pieces: (async function* () {
          yield 'first';
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        })(),
      });
    });
    const own = new AbortController();
    const stream = await client.stream(get('/stream', { signal: own.signal }));
    await stream.read(1000, 'x');
    const waiting = expect(stream.read(60_000, 'x')).rejects.toThrow('over');
    await clock.advance(10);
    own.abort(new Error('over'));
    await waiting;
    await stream[Symbol.asyncDispose]();
    await clock.advance(1);
    expect([clock.sleepers, ends[1]?.destroyed]).toEqual([0, true]);
    expect((await client.ask(get('/a'))).status).toBe(200);
  });

  test('end with null, break with link-closed', async () => {
    const { client, clock, ends } = trial(async (call, signal) =>
      Promise.resolve({
        status: 200,
        pieces: (async function* () {
          yield 'all';
          if (call.path === '/hangs')
            await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        })(),
      }),
    );
    const stream = await client.stream(get('/ends'));
    expect(text((await stream.read(100, 'x')) ?? new Uint8Array(0))).toBe('all');
    expect(await stream.read(100, 'x')).toBeNull();
    await stream[Symbol.asyncDispose]();
    const other = await client.stream(get('/hangs', { headers: { Accept: '*/*' } }));
    await other.read(100, 'x');
    ends[2]?.destroy();
    const broken = await other.read(100, 'x').then(
      (end) => end,
      (error: unknown) => error,
    );
    // A body without length that ends is whole, as far as HTTP goes; a reset says so.
    expect(broken === null || (broken as { code: string }).code === 'link-closed').toBe(true);
    await other[Symbol.asyncDispose]();
    expect(clock.sleepers).toBe(0);
  });
});
