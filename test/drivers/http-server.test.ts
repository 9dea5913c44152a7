/** The desk that answers terminals: raw bytes in, raw bytes out, over a pair of Duplexes and over a real socket. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Instant } from '../../src/core/time.js';
import {
  createHttpDesk,
  httpDate,
  splitTarget,
  type HttpCall,
  type HttpDeskParts,
} from '../../src/drivers/http-server.js';
import { createFakeClock, settle } from '../support/fake-clock.js';

function trial(parts: Partial<HttpDeskParts> = {}) {
  const clock = createFakeClock(Date.UTC(2025, 8, 1, 0, 5, 30));
  const stop = new AbortController();
  const calls: HttpCall[] = [];
  const broken: string[] = [];
  const failures: unknown[] = [];
  const desk = createHttpDesk({
    clock,
    signal: stop.signal,
    onCall: async (call) => {
      calls.push(call);
      return Promise.resolve({ status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'OK' });
    },
    onBroken: (window) => broken.push(window),
    onFailed: (error) => failures.push(error),
    ...parts,
  });
  const open = (): { ours: Duplex; heard: () => string } => {
    const [ours, theirs] = duplexPair();
    theirs.on('close', () => ours.destroy());
    ours.on('close', () => theirs.destroy());
    const pieces: Buffer[] = [];
    ours.on('data', (piece: Buffer) => pieces.push(piece));
    desk.take(theirs);
    return { ours, heard: () => Buffer.concat(pieces).toString('latin1') };
  };
  return { clock, stop, calls, broken, failures, desk, open };
}

const POST = 'POST /iclock/cdata?SN=TEST0001&table=ATTLOG HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello';

test('of many connections that stay open the oldest idle ones are closed, and none that waits for its answer', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const { open, desk } = trial({
    onCall: async () => {
      await held;
      return { status: 200, body: 'OK' };
    },
  });
  const busy = open();
  busy.ours.write(POST);
  await settle();
  const idle: { ours: Duplex }[] = [];
  for (let index = 0; index < 100; index += 1) {
    idle.push(open());
    await settle(1);
  }
  expect(desk.open).toBeLessThanOrEqual(32);
  expect([busy.ours.destroyed, idle[0]?.ours.destroyed, idle.at(-1)?.ours.destroyed]).toEqual([false, true, false]);
  release();
  await settle();
  expect(busy.heard()).toContain('200 OK');
});

test('a request is heard whole however it is cut, and answered with date and length', async () => {
  const { open, calls } = trial();
  const { ours, heard } = open();
  for (const byte of Buffer.from(POST)) {
    ours.write(Buffer.of(byte));
    await settle(1);
  }
  await settle();
  expect(calls).toHaveLength(1);
  const [call] = calls;
  expect([call?.method, call?.path, call?.query.get('SN'), call?.headers.host]).toEqual([
    'POST',
    '/iclock/cdata',
    'TEST0001',
    'x',
  ]);
  expect(Buffer.from(call?.body ?? []).toString()).toBe('hello');
  expect(heard()).toContain(
    'HTTP/1.1 200 OK\r\nDate: Mon, 01 Sep 2025 00:05:30 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n',
  );
  expect(heard().endsWith('\r\n\r\nOK')).toBe(true);
  expect(heard().toLowerCase()).not.toContain('keep-alive: timeout');
});

test('several requests on one connection, also at once, are answered in order', async () => {
  let number = 0;
  const { open, desk } = trial({ onCall: async () => Promise.resolve({ status: 200, body: String((number += 1)) }) });
  const { ours, heard } = open();
  ours.write(POST + POST);
  await settle();
  ours.write(POST);
  await settle();
  expect(heard().match(/\r\n\r\n\d/g)).toEqual(['\r\n\r\n1', '\r\n\r\n2', '\r\n\r\n3']);
  expect(desk.open).toBe(1);
});

test('no answer closes the connection, and so does an error, which is told', async () => {
  const silent = trial({ onCall: async () => Promise.resolve(null) });
  const first = silent.open();
  first.ours.write(POST);
  await settle();
  expect([first.heard(), first.ours.destroyed, silent.desk.open, silent.failures.length]).toEqual(['', true, 0, 0]);
  const sick = trial({ onCall: async () => Promise.reject(new Error('disk full')) });
  const second = sick.open();
  second.ours.write(POST);
  await settle();
  expect([second.heard(), second.ours.destroyed, sick.failures]).toEqual(['', true, [new Error('disk full')]]);
});

test('too large a body is refused without being shown', async () => {
  const { open, calls } = trial({ sizeBytesMax: 4 });
  const told = open();
  told.ours.write(POST);
  const chunked = open();
  chunked.ours.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
  await settle();
  for (const { ours, heard } of [told, chunked]) {
    expect(heard()).toContain('HTTP/1.1 413 ');
    expect(ours.destroyed).toBe(true);
  }
  expect(calls).toEqual([]);
});

test('what is no HTTP is told with its first bytes', async () => {
  const { open, broken, desk } = trial();
  const { ours, heard } = open();
  ours.write(Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'));
  await settle();
  expect(broken).toEqual(['53 53 48 2D 32 2E 30 2D 4F 70 65 6E 53 53 48 5F']);
  expect([heard(), ours.destroyed, desk.open]).toEqual(['', true, 0]);
});

test('the signal of a call ends with its connection, and all end with the desk', async () => {
  const gone: boolean[] = [];
  const { open, desk } = trial({
    onCall: async (_call, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      gone.push(signal.aborted);
      return null;
    },
  });
  const first = open();
  first.ours.write(POST);
  await settle();
  first.ours.destroy();
  await settle();
  expect(gone).toEqual([true]);
  const second = open();
  second.ours.write(POST);
  await settle();
  await desk[Symbol.asyncDispose]();
  await settle();
  expect([gone.length, second.ours.destroyed, desk.open]).toEqual([2, true, 0]);
});

test('over a real socket, with the first bytes read before and given back', async () => {
  const { desk, calls, broken } = trial();
  const server = createServer((socket) => {
    socket.once('readable', () => {
      const first = socket.read() as Buffer;
      socket.unshift(first);
      desk.take(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const good = connect(port, '127.0.0.1');
  good.write(POST.slice(0, 20));
  await once(good, 'connect');
  await settle(20);
  good.write(POST.slice(20));
  const [answer] = (await once(good, 'data')) as [Buffer];
  expect(answer.toString()).toContain('200 OK');
  expect(Buffer.from(calls[0]?.body ?? []).toString()).toBe('hello');
  const bad = connect(port, '127.0.0.1');
  bad.on('error', () => undefined);
  bad.write('SSH-2.0-OpenSSH_9.2p1\r\n');
  await once(bad, 'close');
  expect(broken).toEqual(['53 53 48 2D 32 2E 30 2D 4F 70 65 6E 53 53 48 5F']);
  good.destroy();
  await desk[Symbol.asyncDispose]();
  server.close();
});

describe('small parts', () => {
  test('dates', () => {
    expect(httpDate(784_111_777_000 as Instant)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
    expect(httpDate(0 as Instant)).toBe('Thu, 01 Jan 1970 00:00:00 GMT');
  });
  test('targets', () => {
    expect(splitTarget('http://192.0.2.2:80/a%20b?x=1&x=2').path).toBe('/a%20b');
    expect(splitTarget('/a?x=1&x=2').query.getAll('x')).toEqual(['1', '2']);
    expect(splitTarget('*').path).toBe('*');
    expect(splitTarget('?x').path).toBe('/');
  });
});
