/** Links of every kind but TCP and serial, on the real thing: datagrams, WebSockets beside raw bytes on one port, TLS, a file. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { isListening, parseReach, type ListenReach } from '../../src/core/reach.js';
import { systemClock } from '../../src/core/time.js';
import { isDatagramLink } from '../../src/drivers/driver.js';
import { serveDatagrams, type UdpReach } from '../../src/links/datagram.js';
import { createLinks } from '../../src/links/open.js';
import { asksForWebSocket } from '../../src/links/websocket.js';
import { createFakeClock } from '../support/fake-clock.js';
import { needs } from '../support/needs.js';

const signal = new AbortController().signal;
const dir = mkdtempSync(join(tmpdir(), 'links-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const links = (clock = systemClock()): ReturnType<typeof createLinks> => createLinks({ clock, log: silentLog() });
const listening = (text: string): ListenReach => {
  const reach = parseReach(text);
  if (!isListening(reach)) throw new Error(text);
  return reach;
};
const next = async (link: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    link.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    link.once('error', reject);
    link.once('close', () => resolve('closed'));
  });

describe('datagrams', () => {
  it('keeps their boundaries, both ways, and taps them', async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    const { port, closed } = await serveDatagrams(
      { ...(parseReach('udp://127.0.0.1:4370') as UdpReach), port: 0 },
      async (link) => {
        for await (const chunk of link as AsyncIterable<Buffer>) {
          heard.push(chunk.toString());
          link.write(Buffer.from(`${chunk.toString()}!`));
        }
      },
      stop.signal,
    );
    const ours = links();
    await using link = await ours.open(parseReach(`udp://127.0.0.1:${port}`), signal);
    expect(isDatagramLink(link)).toBe(true);
    link.write(Buffer.from('one'));
    link.write(Buffer.from('two'));
    const answers: string[] = [];
    for await (const chunk of link as AsyncIterable<Buffer>) {
      answers.push(chunk.toString());
      if (answers.length === 2) break;
    }
    expect(heard).toEqual(['one', 'two']);
    expect(answers).toEqual(['one!', 'two!']);
    expect(ours.tap.snapshot(`udp://127.0.0.1:${port}`).entries.map((entry) => entry.direction)).toHaveLength(4);
    stop.abort();
    await closed;
  });

  it('tells a port where nobody listens as a closed link', async () => {
    const free = createSocket('udp4');
    const port = await new Promise<number>((resolve) => free.bind(0, '127.0.0.1', () => resolve(free.address().port)));
    free.close();
    await using link = await links().open(parseReach(`udp://127.0.0.1:${port}`), signal);
    const gone = new Promise<unknown>((resolve) => link.once('error', resolve));
    link.write(Buffer.from('anybody?'));
    expect(await gone).toMatchObject({ code: 'link-closed' });
  });
});

describe('one port for everybody', () => {
  it('gives a WebSocket to who asks for one and raw bytes to the others, nothing lost', async () => {
    const stop = new AbortController();
    const ours = links();
    const seen: string[] = [];
    const server = await ours.listen(
      listening('ws-listen://127.0.0.1:0'),
      async (link) => {
        seen.push(await next(link));
        link.write('{"ret":"reg"}');
        await next(link);
      },
      stop.signal,
    );
    {
      await using socket = await ours.open(parseReach(`ws://127.0.0.1:${server.port}`), signal);
      socket.write('{"cmd":"reg"}');
      expect(await next(socket)).toBe('{"ret":"reg"}');
    }
    {
      await using socket = await ours.open(parseReach(`tcp://127.0.0.1:${server.port}`), signal);
      socket.write('GET /iclock/cdata?SN=TEST0001 HTTP/1.1\r\n\r\n');
      expect(await next(socket)).toBe('{"ret":"reg"}');
    }
    expect(seen).toEqual(['{"cmd":"reg"}', 'GET /iclock/cdata?SN=TEST0001 HTTP/1.1\r\n\r\n']);
    stop.abort();
    await server.closed;
  });

  it('hands over a caller that waits for us, and one whose request comes byte by byte', async () => {
    const stop = new AbortController();
    const ours = links();
    const server = await ours.listen(
      listening('tcp-listen://127.0.0.1:0'),
      async (link) => {
        link.write('you first');
        await next(link);
      },
      stop.signal,
    );
    await using silent = await ours.open(parseReach(`tcp://127.0.0.1:${server.port}`), signal);
    expect(await next(silent)).toBe('you first');
    stop.abort();
    await server.closed;
  });

  it('decides at every length of the head', () => {
    const head = 'GET /pub/chat HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n';
    for (let size = 0; size < head.length; size += 1)
      expect(asksForWebSocket(Buffer.from(head.slice(0, size)))).toBe('more');
    expect(asksForWebSocket(Buffer.from(head))).toBe(true);
    expect(asksForWebSocket(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))).toBe(false);
    expect(asksForWebSocket(Buffer.from([0xa5, 0]))).toBe(false);
    expect(asksForWebSocket(Buffer.alloc(20_000, 'GET /'))).toBe(false);
  });

  it('gives up a WebSocket whose peer no longer answers pings', async () => {
    const stop = new AbortController();
    const clock = createFakeClock();
    const ours = links(clock);
    let ended: (why: unknown) => void = () => undefined;
    const gone = new Promise<unknown>((resolve) => (ended = resolve));
    let there: () => void = () => undefined;
    const open = new Promise<void>((resolve) => (there = resolve));
    const server = await ours.listen(
      listening('ws-listen://127.0.0.1:0'),
      async (link) => {
        link.once('error', ended);
        there();
        await new Promise<void>((resolve) => link.once('close', () => resolve()));
      },
      stop.signal,
    );
    // A raw socket that shakes hands and is never heard again.
    await using dead = await links().open(parseReach(`tcp://127.0.0.1:${server.port}`), signal);
    dead.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    expect(await next(dead)).toContain('101 Switching Protocols');
    await open;
    await clock.advance(71_000);
    expect(await gone).toMatchObject({ code: 'link-silent' });
    stop.abort();
    await server.closed;
  });
});

const openssl = needs('openssl');

describe.skipIf(!openssl.available)('TLS', () => {
  it('trusts the certificate whose fingerprint a person wrote down, and tells that of any other', async () => {
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...request, '-days', '2', '-subj', '/CN=terminal'], { stdio: 'ignore' });
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as AddressInfo;
    const refusal: unknown = await links()
      .open(parseReach(`https://127.0.0.1:${port}`), signal)
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'certificate-unknown' });
    const { fingerprint } = (refusal as { context: { fingerprint: string } }).context;
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    {
      await using link = await links().open(parseReach(`https://127.0.0.1:${port}?fingerprint=${fingerprint}`), signal);
      link.write('hello');
      expect(await next(link)).toBe('hello');
    }
    const other = fingerprint.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    await expect(
      links().open(parseReach(`https://127.0.0.1:${port}?fingerprint=${other}`), signal),
    ).rejects.toMatchObject({ code: 'certificate-unknown' });
    server.close();
  });
});

describe('a file', () => {
  it('says its bytes and ends; a missing one is named', async () => {
    const path = join(dir, '1_attlog.dat');
    writeFileSync(path, 'x'.repeat(200_000));
    await using link = await links().open(parseReach(`file://${path}`), signal);
    let size = 0;
    for await (const chunk of link as AsyncIterable<Buffer>) size += chunk.length;
    expect(size).toBe(200_000);
    await expect(links().open(parseReach('file:///nowhere/x.dat'), signal)).rejects.toMatchObject({
      code: 'file-unreadable',
    });
  });
});
