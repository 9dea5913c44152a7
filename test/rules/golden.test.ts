/** Every case of `test/golden` as its own test: name, what was expected, what the rules said. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { evaluateCases } from '../../src/commands/credit.js';

const dir = fileURLToPath(new URL('../golden/', import.meta.url));
const files = readdirSync(dir).filter((name) => name.endsWith('.json'));
const seen = new Set<string>();

for (const file of files) {
  describe(file, () => {
    const values = [JSON.parse(readFileSync(`${dir}${file}`, 'utf8')) as unknown].flat();
    for (const outcome of evaluateCases(values, file)) {
      test(`${outcome.id} ${outcome.title}`, () => {
        expect(seen.has(outcome.id), `${outcome.id} is used twice`).toBe(false);
        seen.add(outcome.id);
        expect(outcome.error).toBeNull();
        expect(outcome.differences).toEqual([]);
        expect(outcome.agrees, 'a golden case must expect something').toBe(true);
        for (const { zh, en } of outcome.explanation) {
          expect(`${String(zh)}${String(en)}`).not.toMatch(/[{}]/);
        }
      });
    }
  });
}

test('the fifteen worked cases are there', () => {
  const ids = (JSON.parse(readFileSync(`${dir}worked-days.json`, 'utf8')) as { id: string }[]).map(({ id }) => id);
  expect(ids).toEqual(Array.from({ length: 15 }, (_, at) => `D${String(at + 1).padStart(2, '0')}`));
});
