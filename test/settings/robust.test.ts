/** Whatever stands in the file, loading it ends in settings or in faults, never in an exception. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPlace, GOOD } from './place.js';

const place = createPlace(GOOD);

function outcome(text: string): string {
  writeFileSync(place.file, text);
  const { settings, faults, units } = place.load();
  const errors = faults.filter((fault) => fault.severity === 'error');
  const fatal = errors.some((fault) => fault.unit === null);
  expect(settings === null).toBe(fatal);
  for (const fault of errors) {
    expect(fault.zh + fault.en).not.toMatch(/undefined|\[object/);
    if (fault.line > 0) expect(fault.line).toBeLessThanOrEqual(text.split('\n').length + 1);
    if (fault.unit !== null) expect(units).toContainEqual({ unit: fault.unit, ok: false });
  }
  const running = [
    ...(settings?.terminals ?? []).map((one) => `terminal:${one.id}`),
    ...(settings?.upstreams ?? []).map((one) => `upstream:${one.id}`),
  ];
  if (settings)
    expect(running.sort()).toEqual(
      units
        .filter((unit) => unit.ok)
        .map((unit) => unit.unit)
        .sort(),
    );
  return fatal ? 'refused' : errors.length > 0 ? 'parked' : 'good';
}

test('a good file with one piece cut out, put in or put twice', () => {
  const seen = new Set<string>();
  const piece = fc.constantFrom(
    ':',
    '\n',
    '  ',
    '\t',
    '"',
    '{',
    ']',
    '- ',
    '#',
    '&a ',
    '*a',
    'null',
    '0x1F',
    '~',
    '? ',
    '!!binary ',
    '<<: ',
    '\u0000',
    '人',
    '__proto__: 1\n',
  );
  fc.assert(
    fc.property(
      fc.nat(GOOD.length),
      fc.nat(20),
      piece,
      fc.constantFrom('cut', 'put', 'twice'),
      (at, length, text, what) => {
        const middle =
          what === 'cut'
            ? ''
            : what === 'put'
              ? text + GOOD.slice(at, at + length)
              : GOOD.slice(at, at + length).repeat(2);
        seen.add(outcome(GOOD.slice(0, at) + middle + GOOD.slice(at + length)));
      },
    ),
    { numRuns: 120 },
  );
  expect([...seen].sort()).toEqual(['good', 'parked', 'refused']);
});

test('any structure at all in the place of any key', () => {
  const keys = ['site', 'dataDir', 'web', 'upstreams', 'terminals', 'cameras', 'policy', 'retention', 'log'];
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...keys, 'other'), fc.jsonValue({ maxDepth: 4 })),
      (value) => void outcome(JSON.stringify(value)),
    ),
    { numRuns: 120 },
  );
});

test('any structure in the place of an entry or its options', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('id', 'model', 'driver', 'reach', 'options', 'clock', 'serial'),
        fc.jsonValue({ maxDepth: 3 }),
      ),
      (entry) => {
        outcome(
          JSON.stringify({
            site: { name: 'a', room: 'b' },
            terminals: [entry, { id: 'good', driver: 'sample-tc', reach: 'tcp://h:1', options: entry.options }],
          }),
        );
      },
    ),
    { numRuns: 120 },
  );
});
