/** Faults of a simulated wire: each does what its line in the table says, and leaves the rest of the bytes alone. */
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createFaultyWire, seededRandom } from '../../src/drivers/faults.js';
import { createFakeClock, settle } from '../support/fake-clock.js';

function trial(faults: Record<string, string>) {
  const clock = createFakeClock();
  const [ours, theirs] = duplexPair();
  for (const side of [ours, theirs]) side.on('error', () => undefined);
  const chunks: number[][] = [];
  theirs.on('data', (chunk: Uint8Array) => chunks.push([...chunk]));
  const map = new Map(Object.entries(faults));
  const wire = createFaultyWire(ours, map, seededRandom(7), clock);
  return { clock, ours, theirs, chunks, map, wire, signal: new AbortController().signal };
}

const message = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

describe('faults', () => {
  test('without faults a message is one write', async () => {
    const { wire, chunks, signal } = trial({});
    expect(await wire.send(message(1, 2, 3), signal)).toBe(true);
    await wire.send(message(4), signal);
    await settle();
    expect(chunks).toEqual([[1, 2, 3], [4]]);
  });

  test('fragment cuts', async () => {
    const { wire, chunks, signal } = trial({ fragment: '2' });
    await wire.send(message(1, 2, 3, 4, 5), signal);
    await settle();
    expect(chunks).toEqual([[1, 2], [3, 4], [5]]);
  });

  test('coalesce joins until flushed', async () => {
    const { wire, chunks, signal } = trial({ coalesce: '' });
    await wire.send(message(1), signal);
    await wire.send(message(2), signal);
    await settle();
    expect(chunks).toEqual([]);
    await wire.flush();
    await settle();
    expect(chunks).toEqual([[1, 2]]);
  });

  test('delay waits on the clock of the wire', async () => {
    const { wire, chunks, clock, signal } = trial({ delay: '300' });
    const sent = wire.send(message(1), signal);
    await clock.advance(299);
    expect(chunks).toEqual([]);
    await clock.advance(1);
    await sent;
    expect(chunks).toEqual([[1]]);
  });

  test('drop-after-n-bytes cuts the connection once, exactly there', async () => {
    const { wire, chunks, ours, map, signal } = trial({ 'drop-after-n-bytes': '5' });
    expect(await wire.send(message(1, 2, 3), signal)).toBe(true);
    expect(await wire.send(message(4, 5, 6), signal)).toBe(false);
    await settle();
    expect(chunks.flat()).toEqual([1, 2, 3, 4, 5]);
    expect(ours.destroyed).toBe(true);
    expect(map.has('drop-after-n-bytes')).toBe(false);
  });

  test('no-answer loses so many messages, or all', async () => {
    const some = trial({ 'no-answer': '2' });
    for (const value of [1, 2, 3]) expect(await some.wire.send(message(value), some.signal)).toBe(true);
    await settle();
    expect(some.chunks).toEqual([[3]]);
    const all = trial({ 'no-answer': '' });
    for (const value of [1, 2, 3]) await all.wire.send(message(value), all.signal);
    await settle();
    expect(all.chunks).toEqual([]);
  });

  test("corrupt-checksum spoils the last byte of every n-th message, and not the caller's bytes", async () => {
    const { wire, chunks, signal } = trial({ 'corrupt-checksum': '2' });
    const own = message(1, 2);
    for (let round = 0; round < 4; round += 1) await wire.send(own, signal);
    await settle();
    expect(chunks).toEqual([
      [1, 2],
      [1, 2 ^ 0x5a],
      [1, 2],
      [1, 2 ^ 0x5a],
    ]);
    expect([...own]).toEqual([1, 2]);
  });

  test('line-noise comes before messages and is the same for the same seed', async () => {
    const run = async (): Promise<number[][]> => {
      const { wire, chunks, signal } = trial({ 'line-noise': '4' });
      for (let round = 0; round < 10; round += 1) await wire.send(message(1, 2), signal);
      await settle();
      return chunks;
    };
    const chunks = await run();
    expect(chunks.every((chunk) => chunk.length <= 6 && chunk.at(-1) === 2 && chunk.at(-2) === 1)).toBe(true);
    expect(chunks.some((chunk) => chunk.length > 2)).toBe(true);
    expect(await run()).toEqual(chunks);
  });

  test('echo gives the peer its own bytes', async () => {
    const { wire, chunks } = trial({ echo: '' });
    wire.received(message(7, 8));
    await settle();
    expect(chunks).toEqual([[7, 8]]);
  });

  test('a wire that is gone says so', async () => {
    const { wire, ours, signal } = trial({});
    ours.destroy();
    expect(await wire.send(message(1), signal)).toBe(false);
    expect(await wire.flush()).toBe(false);
  });

  test('the seeded generator is even enough and repeats', () => {
    const [one, two] = [seededRandom(3), seededRandom(3)];
    const values = Array.from({ length: 1000 }, () => one());
    expect(Array.from({ length: 1000 }, () => two())).toEqual(values);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(values.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1);
  });
});
