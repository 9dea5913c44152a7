/** The definitions and the settings that come with the program, against its real drivers. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadCatalog, resolveTerminal } from '../../src/drivers/catalog.js';
import { DRIVERS } from '../../src/drivers/index.js';
import { loadSettings } from '../../src/settings.js';

const root = new URL('../../', import.meta.url).pathname;
const files = readdirSync(join(root, 'devices')).filter((name) => name.endsWith('.yaml'));
const catalog = loadCatalog({ drivers: DRIVERS, directory: join(root, 'devices') });

describe('devices/', () => {
  test('every file is a good definition', () => {
    expect(catalog.faults).toEqual([]);
    expect(catalog.entries.size).toBe(files.length);
    expect(files.length).toBeGreaterThan(10);
  });

  test.each([...catalog.entries.values()])('$definition.id resolves, and says honestly what was verified', (entry) => {
    const { definition } = entry;
    expect(entry.file).toBe(join(root, 'devices', `${definition.id}.yaml`));
    // Whose log a file is, only the person who carried it knows.
    const options = definition.driver === 'usb-file' ? { serial: 'TEST0001' } : {};
    expect(resolveTerminal(catalog, { model: definition.id, options })).toMatchObject({
      ok: true,
      definitionHash: entry.hash,
    });
    // Whoever adds a proof adds the capture that shows it.
    for (const proof of definition.verified) {
      expect(
        readFileSync(join(root, 'test/captures', definition.driver, proof.capture ?? 'missing'), 'utf8').length,
      ).toBeGreaterThan(0);
    }
  });

  test('every driver has a model', () => {
    const used = new Set([...catalog.entries.values()].map((entry) => entry.definition.driver));
    expect(DRIVERS.map((driver) => driver.name).filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('config/', () => {
  test.each(['gateway.example.yaml', 'demo.yaml'])('%s passes check-config', (name) => {
    const { settings, faults } = loadSettings(join(root, 'config', name), { env: {}, drivers: DRIVERS });
    expect(faults).toEqual([]);
    expect(settings).not.toBeNull();
  });

  test('what the example shows behind # passes too', () => {
    const text = readFileSync(join(root, 'config/gateway.example.yaml'), 'utf8');
    expect(text).toMatch(/# {3}- id: city/);
    for (const model of text.matchAll(/model: ([a-z0-9-]+)/g)) expect(catalog.entries.has(model[1] ?? '')).toBe(true);
  });
});
