/** The half of the contract that needs no wire: captures cut at every place, joined, with noise, and spoilt; decode(encode(x)) = x. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { GatewayError } from '../../src/core/errors.js';
import type { Decoded } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import type { ContractSubject } from './contract.js';
import { keyOf, type Sample } from './rig.js';

const view = (items: readonly Decoded[]): string[] =>
  items.flatMap((item) => {
    if (item.kind === 'noise') return [];
    if (item.kind === 'punch') return [`punch ${keyOf(item.punch)} ${hex(item.punch.raw)}`];
    return [`message ${item.name} ${JSON.stringify(item.fields)} ${hex(item.bytes)}`];
  });

const bytesOf = (items: readonly Decoded[]): string =>
  hex(Buffer.concat(items.flatMap((item) => (item.kind === 'punch' ? [] : [item.bytes]))));

function decodeChunks<Options>(
  subject: ContractSubject<Options>,
  from: Sample['from'],
  chunks: readonly Uint8Array[],
): Decoded[] {
  const decoder = subject.driver.decoder(subject.driver.options.parse(subject.options ?? {}), from);
  return [...chunks.flatMap((chunk) => [...decoder.push(chunk)]), ...decoder.end()];
}

function splitPoints(length: number): number[] {
  const step = Math.max(1, Math.floor(length / 600));
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
}

/** Declares the tests of the bytes. */
export function codecContract<Options>(subject: ContractSubject<Options>): void {
  const plain = (sample: Sample): Decoded[] => decodeChunks(subject, sample.from, [sample.bytes]);

  test('there are captures from the terminal', () => {
    expect(subject.samples.some((sample) => sample.from === 'device')).toBe(true);
  });

  describe.each(subject.samples.map((sample) => ({ name: sample.name, sample })))('capture $name', ({ sample }) => {
    const whole = view(plain(sample));

    test('every byte is accounted for, as message or as noise', () => {
      expect(whole.length).toBeGreaterThan(0);
      expect(bytesOf(plain(sample))).toBe(hex(sample.bytes));
      if (sample.header.noise === undefined) expect(plain(sample).filter((item) => item.kind === 'noise')).toEqual([]);
    });

    test('gives the same at every split point, and byte by byte', () => {
      for (const at of splitPoints(sample.bytes.length)) {
        const parts = [sample.bytes.subarray(0, at), sample.bytes.subarray(at)];
        expect(view(decodeChunks(subject, sample.from, parts)), `split at ${at}`).toEqual(whole);
      }
      const single = Array.from(sample.bytes, (byte) => Uint8Array.of(byte));
      expect(view(decodeChunks(subject, sample.from, single))).toEqual(whole);
    });

    test('gives everything twice when it comes twice in one chunk', () => {
      const twice = decodeChunks(subject, sample.from, [Buffer.concat([sample.bytes, sample.bytes])]);
      const names = (items: readonly Decoded[]): string[] =>
        items.flatMap((item) => (item.kind === 'message' ? [item.name] : []));
      expect(names(twice)).toEqual([...names(plain(sample)), ...names(plain(sample))]);
    });

    test('survives noise before and between its frames, and shows it', () => {
      const random = seededRandom(sample.bytes.length);
      const frames = plain(sample).flatMap((item) => (item.kind === 'message' ? [item.bytes] : []));
      // Noise that cannot begin a frame of any protocol here: no A5, no 50 (P), no AA.
      const noise = (): Uint8Array =>
        Uint8Array.from({ length: 1 + Math.floor(random() * 9) }, () => 1 + random() * 60);
      const decoded = decodeChunks(subject, sample.from, [
        Buffer.concat([...frames.flatMap((frame) => [noise(), frame]), noise()]),
      ]);
      expect(view(decoded).filter((line) => line.startsWith('message'))).toEqual(
        whole.filter((line) => line.startsWith('message')),
      );
      expect(decoded.some((item) => item.kind === 'noise')).toBe(true);
    });
  });

  test('ten thousand spoilt streams raise nothing but a GatewayError', () => {
    const seed = 20260910;
    const random = seededRandom(seed);
    const pick = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 10_000; round += 1) {
      const sample = subject.samples[pick(subject.samples.length)];
      if (!sample) throw new Error('no samples');
      const from = pick(Math.max(1, sample.bytes.length - 400));
      const bytes = Uint8Array.from(sample.bytes.subarray(from, from + 400));
      for (let count = 1 + pick(4); count > 0; count -= 1) bytes[pick(bytes.length)] = pick(256);
      const cut = pick(2) === 0 ? bytes : bytes.subarray(0, pick(bytes.length + 1));
      try {
        decodeChunks(subject, sample.from, [cut]);
      } catch (error) {
        if (!(error instanceof GatewayError))
          throw new Error(`seed ${seed}, round ${round}: ${hex(cut)}`, { cause: error });
      }
    }
  });

  test.each(subject.roundTrips ?? [])('decode(encode(x)) = x: $name', (trip) => trip.check());
}
