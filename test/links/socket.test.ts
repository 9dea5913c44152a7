import { createServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { isListening, parseReach, type ListenReach } from '../../src/core/reach.js';
import { systemClock } from '../../src/core/time.js';
import { createLinks } from '../../src/links/open.js';
import { createFakeClock } from '../support/fake-clock.js';

const signal = new AbortController().signal;
const links = (clock = systemClock()): ReturnType<typeof createLinks> => createLinks({ clock, log: silentLog() });

const listenReach = (text: string): ListenReach => {
  const reach = parseReach(text);
  if (!isListening(reach)) throw new Error(text);
  return reach;
};

async function collect(link: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of link) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('TCP link', () => {
  it('carries bytes both ways, taps them, and delivers what came before the end', async () => {
    const stop = new AbortController();
    const ours = links();
    const server = await ours.listen(
      listenReach('tcp-listen://127.0.0.1:0'),
      async (link) => {
        const [chunk] = (await link.take(1).toArray()) as Buffer[];
        expect(chunk).toEqual(Buffer.from('ask'));
      },
      stop.signal,
    );
    const answering = createServer((socket) => socket.end('answer')).listen(0, '127.0.0.1');
    await new Promise((resolve) => answering.once('listening', resolve));
    const link = await ours.open(parseReach(`tcp://127.0.0.1:${(answering.address() as AddressInfo).port}`), signal);
    // The answer and the end have arrived before anybody reads.
    await new Promise((resolve) => setImmediate(resolve));
    expect(await collect(link)).toEqual(Buffer.from('answer'));
    await link[Symbol.asyncDispose]();
    answering.close();

    const asking = await ours.open(parseReach(`tcp://127.0.0.1:${server.port}`), signal);
    asking.write('ask');
    expect(await collect(asking)).toEqual(Buffer.alloc(0));
    const asked = ours.tap.snapshot(`tcp://127.0.0.1:${server.port}`).entries;
    expect(asked).toMatchObject([{ direction: 'to-device', bytes: Uint8Array.from(Buffer.from('ask')) }]);
    stop.abort();
    await server.closed;
  });

  it('says link-refused with the reason when nothing listens, and when a name is unknown', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await expect(links().open(parseReach(`tcp://127.0.0.1:${port}`), signal)).rejects.toMatchObject({
      code: 'link-refused',
      kind: 'retry',
      context: { reason: 'ECONNREFUSED, nothing listens there' },
    });
    await expect(links().open(parseReach('tcp://terminal.invalid:1'), signal)).rejects.toMatchObject({
      code: 'link-refused',
    });
  });

  it('gives up after the deadline and obeys the signal', async () => {
    const clock = createFakeClock();
    // 192.0.2.0/24 is for documentation: nothing answers; without any route the dial fails at once, as link-refused too.
    const late = links(clock).open(parseReach('tcp://192.0.2.1:9'), signal);
    const outcome = expect(late).rejects.toMatchObject({ code: 'link-refused' });
    await clock.advance(10_000);
    await outcome;
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(links().open(parseReach('tcp://192.0.2.1:9'), stop.signal)).rejects.toThrow('enough');
  });

  it('ends with an error when the other side resets the connection', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy())).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const link = await links().open(parseReach(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`), signal);
    link.write('ask');
    await expect(collect(link)).rejects.toMatchObject({ code: 'link-closed' });
    await link[Symbol.asyncDispose]();
    server.close();
  });

  it('disposes quietly in the middle of a write, twice', async () => {
    const server = createServer((socket) => socket.pause()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const link = await links().open(parseReach(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`), signal);
    link.write(Buffer.alloc(10_000_000));
    await link[Symbol.asyncDispose]();
    await link[Symbol.asyncDispose]();
    expect(link.closed).toBe(true);
    server.close();
  });

  it('survives a handler that throws, and refuses a port in use', async () => {
    const stop = new AbortController();
    const ours = links();
    const server = await ours.listen(
      listenReach('tcp-listen://127.0.0.1:0'),
      async () => {
        throw new Error('broken handler');
      },
      stop.signal,
    );
    for (let round = 0; round < 2; round += 1) {
      const link = await ours.open(parseReach(`tcp://127.0.0.1:${server.port}`), signal);
      expect(await collect(link)).toEqual(Buffer.alloc(0));
    }
    await expect(
      ours.listen(listenReach(`tcp-listen://127.0.0.1:${server.port}`), async () => undefined, stop.signal),
    ).rejects.toMatchObject({ code: 'link-refused', context: { reason: 'EADDRINUSE, the port is already in use' } });
    stop.abort();
    await server.closed;
  });

  it('cannot open what calls', async () => {
    await expect(links().open(parseReach('tcp-listen://:1'), signal)).rejects.toMatchObject({ code: 'bad-reach' });
  });
});
