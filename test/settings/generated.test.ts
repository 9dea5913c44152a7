import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generate, runGenerate } from '../../src/commands/generate.js';
import { ERRORS } from '../../src/core/errors.js';
import { schemaAt, writtenSchema, type SchemaNode } from '../../src/core/schema-words.js';
import { definitionSchema } from '../../src/drivers/definition.js';
import { DRIVERS } from '../../src/drivers/index.js';
import { settingsSchema } from '../../src/settings/schema.js';

const root = new URL('../../', import.meta.url).pathname;

describe('generated files', () => {
  test.each([...generate(root, DRIVERS)])('%s is as the program says now (else: npm run generate)', (path, text) => {
    expect(existsSync(join(root, path))).toBe(true);
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  });

  test('a stale file is named by check and mended by generate', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'rollcall-generate-'));
    for (const dir of ['config', 'devices', 'docs']) cpSync(join(root, dir), join(copy, dir), { recursive: true });
    writeFileSync(join(copy, 'docs/errors.md'), 'old');
    const named: string[] = [];
    const out = (line: string): void => void named.push(line);
    expect(await runGenerate({ root: copy, drivers: DRIVERS, check: true, out })).toBe(1);
    expect(await runGenerate({ root: copy, drivers: DRIVERS, out })).toBe(0);
    expect(await runGenerate({ root: copy, drivers: DRIVERS, check: true, out })).toBe(0);
    expect(named).toEqual(['docs/errors.md', 'docs/errors.md']);
  });
});

function keys(node: SchemaNode, prefix = ''): string[] {
  const inner = node.items ?? node;
  return Object.entries(inner.properties ?? {}).flatMap(([key, child]) => [
    `${prefix}${key}`,
    ...keys(child, `${prefix}${key}${child.items ? '[]' : ''}.`),
  ]);
}

describe.each([
  ['config/README.md', settingsSchema],
  ['devices/README.md', definitionSchema],
] as const)('%s', (path, schema) => {
  const words = writtenSchema(schema);

  test('every key has words in Chinese and in English', () => {
    const bare = keys(words).filter((key) => {
      const steps = key.split('.').flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step]));
      const node = schemaAt(words, steps);
      return !/[一-鿿]|^UDP$/.test(node?.zh ?? '') || !/[A-Za-z]{3}/.test(node?.description ?? '');
    });
    expect(bare).toEqual([]);
  });

  test('every key is in the table', () => {
    const text = readFileSync(join(root, path), 'utf8');
    expect(keys(words).filter((key) => !text.includes(`\`${key}\``))).toEqual([]);
  });
});

test('every error code is in docs/errors.md with both languages', () => {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  for (const [code, one] of Object.entries(ERRORS)) {
    expect(text).toContain(`### ${code}\n`);
    expect(one.zh + one.remedyZh).toMatch(/[一-鿿]/);
    // Every word that a sentence fills in stands in both languages, apart from pairs such as reason and reasonZh.
    const holes = (sentence: string): string[] =>
      [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => (match[1] ?? '').replace(/Zh$/, '')).sort();
    expect([code, holes(one.zh)]).toEqual([code, holes(one.en)]);
  }
});
