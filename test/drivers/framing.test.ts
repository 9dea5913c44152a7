/** Cutting a stream into frames: every cut of the bytes gives the same frames, and no byte is lost or invented. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFramer, type Cut, type FrameRule } from '../../src/drivers/framing.js';

/** A toy protocol: A5, length of the data, data, sum of the data. */
const RULE: FrameRule = {
  sizeBytesMax: 20,
  measure: (at) => (at[0] !== 0xa5 ? 'no' : at.length < 2 ? 'more' : 3 + (at[1] ?? 0)),
  check: (frame) => frame.subarray(2, -1).reduce((sum, byte) => (sum + byte) & 0xff, 0) === frame.at(-1),
};
const frame = (...data: number[]): number[] => [
  0xa5,
  data.length,
  ...data,
  data.reduce((sum, one) => sum + one, 0) & 0xff,
];

function cutAll(chunks: readonly (readonly number[])[], final = true): Cut[] {
  const framer = createFramer(RULE);
  return [...chunks.flatMap((chunk) => [...framer.push(Uint8Array.from(chunk))]), ...(final ? framer.flush() : [])];
}
const frames = (cuts: readonly Cut[]): number[][] =>
  cuts.flatMap((cut) => (cut.kind === 'frame' ? [[...cut.bytes]] : []));
const noise = (cuts: readonly Cut[]): number[] => cuts.flatMap((cut) => (cut.kind === 'noise' ? [...cut.bytes] : []));

describe('framing', () => {
  test.each([
    ['two frames in one chunk', [[...frame(1, 2), ...frame(3)]], [frame(1, 2), frame(3)], []],
    ['noise before, between and after', [[9, ...frame(1), 8, 7, ...frame(2), 6]], [frame(1), frame(2)], [9, 8, 7, 6]],
    ['a start byte inside the data', [frame(0xa5, 0xa5, 1)], [frame(0xa5, 0xa5, 1)], []],
    ['a false start before a frame', [[0xa5, ...frame(1, 2)]], [frame(1, 2)], [0xa5]],
    ['a spoilt frame, then a sound one', [[0xa5, 1, 7, 0], frame(4)], [frame(4)], [0xa5, 1, 7, 0]],
    ['a sound frame inside a spoilt one', [[0xa5, 5, ...frame(1), 0xee, 0xee]], [frame(1)], [0xa5, 5, 0xee, 0xee]],
    ['a length beyond the largest frame', [[0xa5, 200], frame(1)], [frame(1)], [0xa5, 200]],
    ['an empty frame', [frame()], [frame()], []],
    ['an unfinished frame at the end', [[...frame(1), 0xa5, 4, 1]], [frame(1)], [0xa5, 4, 1]],
    ['nothing', [[], []], [], []],
  ])('%s', (_name, chunks, expected, rest) => {
    const cuts = cutAll(chunks);
    expect(frames(cuts)).toEqual(expected);
    expect(noise(cuts)).toEqual(rest);
  });

  test('an unfinished frame waits, and a flush frees what stands behind it', () => {
    const framer = createFramer(RULE);
    // The announced 15 bytes never come; the sound frame in them would wait for ever.
    expect(framer.push(Uint8Array.from([0xa5, 15, ...frame(1)]))).toEqual([]);
    expect(framer.pending).toBe(6);
    expect(frames(framer.flush())).toEqual([frame(1)]);
    expect(framer.pending).toBe(0);
  });

  test('any bytes, cut anywhere: the same cuts joined, every byte in one of them, in order', () => {
    const piece = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 8 }).map((data) => frame(...data)),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (pieces, steps) => {
          const bytes = pieces.flat();
          const chunks: number[][] = [];
          for (let at = 0, step = 0; at < bytes.length; at += steps[step % steps.length] ?? 1, step += 1)
            chunks.push(bytes.slice(at, at + (steps[step % steps.length] ?? 1)));
          const whole = cutAll([bytes]);
          const cut = cutAll(chunks);
          expect(frames(cut)).toEqual(frames(whole));
          expect(cut.flatMap((one) => [...one.bytes])).toEqual(bytes);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('frames are copies: what comes later does not change them', () => {
    const framer = createFramer(RULE);
    const [first] = framer.push(Uint8Array.from(frame(1, 2, 3)));
    for (let round = 0; round < 200; round += 1) framer.push(Uint8Array.from(frame(9, 9, 9)));
    expect([...(first?.bytes ?? [])]).toEqual(frame(1, 2, 3));
  });

  test('endless noise that begins like a frame is not hoarded', () => {
    const framer = createFramer(RULE);
    for (let round = 0; round < 5000; round += 1) framer.push(Uint8Array.from([0xa5, 17, 1, 1, 1]));
    expect(framer.pending).toBeLessThanOrEqual(RULE.sizeBytesMax);
  });
});
