/** Whatever the bytes are, the reader gives a table or a GatewayError with a remedy, never anything else. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { readSheetBytes } from '../../src/sheets/sheet-file.js';
import { bookBytes, bookParts, escape } from './workbooks.js';
import { zipBytes } from './zip.js';

async function tame(bytes: Buffer): Promise<boolean> {
  try {
    const sheet = await readSheetBytes(bytes, null);
    expect(sheet.rows.length).toBeGreaterThan(0);
    return true;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.kind !== 'settings') throw error;
    expect(error.explain('zh').what + error.explain('zh').remedy).not.toMatch(/\{\w+\}/);
    return false;
  }
}

/** Both are right; a property must not give `false`. */
const readOrRefused = async (reading: Promise<boolean>): Promise<void> => {
  await reading;
};

const whole = readFileSync(new URL('./files/roster-60.xlsx', import.meta.url));
const small = bookBytes({ styles: '<cellXfs><xf numFmtId="14"/></cellXfs>', texts: '<si><t>a</t></si>' });
const unpacked = zipBytes(bookParts({}).map((part) => ({ ...part, stored: true })));
const csv = readFileSync(new URL('./files/roster-gb18030.csv', import.meta.url));

describe('bytes', () => {
  test('any', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => readOrRefused(tame(Buffer.from(bytes)))),
      {
        numRuns: 500,
      },
    );
  });

  test('any text, with separators and quotes', async () => {
    const word = fc.constantFrom(
      ',',
      ';',
      '\t',
      '"',
      '\n',
      '\r',
      '=',
      '姓名',
      '学号',
      '1',
      ' ',
      '\u0001',
      '\ufeff',
      'x'.repeat(50),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 60 }), async (words) =>
        readOrRefused(tame(Buffer.from(words.join('')))),
      ),
      {
        numRuns: 500,
      },
    );
  });

  test.each([
    ['of sixty people', whole],
    ['small', small],
    ['stored', unpacked],
    ['CSV', csv],
  ])('a thousand flipped bytes: %s', async (_, bytes) => {
    const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.integer({ min: 0, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const spoiled = Buffer.from(bytes);
        for (const { at, to } of changes) spoiled[at] = to;
        await tame(spoiled);
      }),
      { numRuns: 300 },
    );
  });

  test('cut off anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4, max: small.length - 1 }),
        async (length) => !(await tame(small.subarray(0, length))),
      ),
      {
        numRuns: 200,
      },
    );
  });

  test('any elements and attributes in a sheet', async () => {
    const attribute = fc.record({
      name: fc.constantFrom('r', 't', 's', 'ref', 'min', 'max', 'hidden', 'ht', 'x'),
      value: fc.oneof(
        fc.constantFrom('A1', 'B2', 's', 'b', 'n', '1', '-1', '1e9', '', 'NaN', 'XFE1', 'A0'),
        fc.string({ maxLength: 6 }),
      ),
    });
    const element = fc.constantFrom('row', 'c', 'v', 'f', 'is', 't', 'mergeCell', 'col', 'rPh', 'sheetData');
    const grow = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc
        .tuple(
          element,
          fc.uniqueArray(attribute, { maxLength: 3, selector: (one) => one.name }),
          fc.array(inner, { maxLength: 3 }),
        )
        .map(([name, attributes, children]) => {
          const list = attributes.map((one) => ` ${one.name}="${escape(one.value)}"`).join('');
          return `<${name}${list}>${children.join('')}</${name}>`;
        });
    const text = fc.constantFrom('1', 'a', '', '1e400', '46272');
    const tree = fc.oneof(grow(fc.oneof(text, grow(fc.oneof(text, grow(text))))), text);
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { maxLength: 5 }), async (nodes) =>
        readOrRefused(tame(bookBytes({ sheets: [{ data: nodes.join('') }] }))),
      ),
      { numRuns: 300 },
    );
  });
});
