import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, hexWindow, parseHex, Reader, Writer } from '../../src/core/bytes.js';

describe.each(['little', 'big'] as const)('%s-endian', (order) => {
  test('whatever is written is read', () => {
    fc.assert(
      fc.property(
        fc.record({
          a: fc.nat(0xff),
          b: fc.nat(0xffff),
          c: fc.nat(0xffffff),
          d: fc.integer({ min: 0, max: 0xffffffff }),
          e: fc.integer({ min: 0, max: 0xffffffffff }),
          raw: fc.uint8Array({ maxLength: 200 }),
        }),
        ({ a, b, c, d, e, raw }) => {
          const bytes = new Writer(order).u8(a).u16(b).u24(c).u32(d).u40(e).raw(raw).bytes();
          const reader = new Reader(bytes, order);
          expect([reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.u40()]).toEqual([a, b, c, d, e]);
          expect(reader.rest()).toEqual(raw);
          expect(reader.left).toBe(0);
        },
      ),
    );
  });
});

test('a short frame is one clear error with offset, wish and window', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3), 'big');
  reader.u16();
  expect(() => reader.u32()).toThrow(/offset 2: wanted 4 bytes, 1 left \(01 02 03\)/);
});

test.each([-1, 256, 1.5, Number.NaN])('%s does not fit into a byte', (value) => {
  expect(() => new Writer('big').u8(value)).toThrow(/does not fit/);
});

test('a field is cut or filled to its size', () => {
  expect(
    new Writer('big')
      .field(Uint8Array.of(1, 2, 3), 2)
      .field(Uint8Array.of(9), 3, 0x20)
      .bytes(),
  ).toEqual(Uint8Array.of(1, 2, 9, 0x20, 0x20));
});

test('hex is read with comments and white space, and faults name line and column', () => {
  expect(parseHex('A5 00 # start\n\n0102')).toEqual(Uint8Array.of(0xa5, 0, 1, 2));
  expect(() => parseHex('A5\n0Z')).toThrow(/Line 2, column 2/);
  expect(() => parseHex('A5 0')).toThrow(/odd number of digits/);
  expect(hex(Uint8Array.of(0xa5, 1))).toBe('A5 01');
  expect(hexWindow(new Uint8Array(40)).split(' ')).toHaveLength(16);
});
