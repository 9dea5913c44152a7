/** What stands in place of a person in a capture. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMasks } from '../../src/drivers/masks.js';

test.each(['张三', '李小龙', 'ИВАН', '用户12', '𠮷野'])('an id with letters of any script is masked: %s', (told) => {
  const mask = createMasks(new Uint8Array(32)).id(told);
  for (const char of told) if (!/\d/.test(char)) expect(mask).not.toContain(char);
  expect(Buffer.byteLength(mask)).toBe(Buffer.byteLength(told));
});

test('masks have the length of the id in bytes, and one id has one mask', () => {
  const masks = createMasks();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (told) => {
      const mask = masks.id(told);
      expect(Buffer.byteLength(mask)).toBe(Buffer.byteLength(told));
      expect(masks.id(told)).toBe(mask);
    }),
  );
});
