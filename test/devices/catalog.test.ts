import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadCatalog, resolveTerminal, type Catalog } from '../../src/drivers/catalog.js';
import { createPlace, MODEL, type SettingsPlace } from '../settings/place.js';
import { sampleDriver } from '../settings/sample-driver.js';

const load = (place: SettingsPlace): Catalog =>
  loadCatalog({ drivers: [sampleDriver], directory: join(place.dir, 'devices'), overlay: join(place.dir, 'overlay') });

const faultsOf = (text: string): readonly (readonly [number, string, string, string | null])[] => {
  const place = createPlace('');
  place.write('devices/acme-f100.yaml', text);
  const catalog = load(place);
  expect(catalog.entries.has('acme-f100')).toBe(catalog.faults.length === 0);
  for (const fault of catalog.faults) expect(fault.file).toBe(join(place.dir, 'devices/acme-f100.yaml'));
  return catalog.faults.map((fault) => [fault.line, fault.path, fault.code, fault.nearest] as const);
};

test('a definition resolves to its driver, with quirks below the options of the terminal', () => {
  const place = createPlace('');
  const catalog = load(place);
  const resolved = resolveTerminal(catalog, { model: 'acme-f100', options: { channel: 2 } });
  expect(resolved).toMatchObject({
    ok: true,
    driver: { name: 'sample-tc' },
    options: { channel: 2, recordBytes: 17, encoding: 'utf-8' },
  });
  const over = resolveTerminal(catalog, { model: 'acme-f100', options: { recordBytes: 14 } });
  expect(over).toMatchObject({ ok: true, options: { recordBytes: 14 } });
});

test('the hash is that of the file as sha256sum prints it', () => {
  const place = createPlace('');
  const bytes = readFileSync(join(place.dir, 'devices/acme-f100.yaml'));
  expect(load(place).entries.get('acme-f100')?.hash).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('capabilities narrow: the driver, then the definition', () => {
  const entry = load(createPlace('')).entries.get('acme-f100');
  expect([...(entry?.capabilities ?? [])]).toEqual(['punch.poll', 'clock.read']);
  expect(faultsOf(MODEL.replace('clock.read', 'users.read'))[0]?.slice(1, 3)).toEqual(['capabilities.1', 'not-one-of']);
});

test('the overlay of the machine wins by id and says so', () => {
  const place = createPlace('');
  place.write('overlay/acme-f100.yaml', MODEL.replace('value: 17', 'value: 14'));
  place.write('overlay/acme-own.yaml', MODEL.replace('acme-f100', 'acme-own'));
  const catalog = load(place);
  expect(catalog.entries.get('acme-f100')).toMatchObject({ overlaid: true, definition: { quirks: [{ value: 14 }] } });
  expect(catalog.entries.get('acme-own')?.overlaid).toBe(false);
});

test('a wrong definition names file, line, key and nearest word', () => {
  expect(faultsOf(MODEL.replace('vendor', 'vender'))).toEqual([
    [1, 'vendor', 'key-missing', null],
    [2, 'vender', 'key-unknown', 'vendor'],
  ]);
  expect(faultsOf(MODEL.replace('sample-tc', 'sample-tcp'))).toEqual([[4, 'driver', 'not-one-of', 'sample-tc']]);
  expect(faultsOf(MODEL.replace('punch.poll', 'punch.pol'))).toEqual([
    [6, 'capabilities.0', 'not-one-of', 'punch.poll'],
  ]);
  expect(faultsOf(MODEL.replace('port: 5010', 'port: 70000'))).toEqual([[5, 'reach.tcp.port', 'wrong-value', null]]);
});

test('text that YAML would make a number must stand in quotes', () => {
  expect(faultsOf(MODEL.replace('"F100"', '1.10'))).toEqual([[3, 'model', 'wrong-type', null]]);
  const verified = `${MODEL}verified:\n  - { firmware: 2.10, by: someone, on: 2026-03-02 }\n`;
  expect(faultsOf(verified)).toEqual([[10, 'verified.0.firmware', 'wrong-type', null]]);
  expect(faultsOf(verified.replace('firmware: 2.10', 'firmware: "2.10"'))).toEqual([]);
});

test('a quirk may use only what the driver declares, with a value that it takes, and says why', () => {
  expect(faultsOf(MODEL.replace('recordBytes', 'recordByte'))).toEqual([
    [8, 'quirks.0.option', 'key-unknown', 'recordBytes'],
  ]);
  expect(faultsOf(MODEL.replace('value: 17', 'value: 15'))).toEqual([[8, 'quirks.0.value', 'not-one-of', null]]);
  expect(faultsOf(MODEL.replace('"Firmware 2.10 adds a mask flag to each record."', 'so'))).toEqual([
    [8, 'quirks.0.why', 'wrong-value', null],
  ]);
});

test('a wrong definition disables only itself; a wrong overlay does not fall back to what it replaced', () => {
  const place = createPlace('');
  place.write('devices/broken.yaml', 'id: broken\n\tvendor: x\n');
  place.write('overlay/acme-f100.yaml', MODEL.replace('driver: sample-tc', 'driver: nothing'));
  place.write('overlay/acme-own.yaml', MODEL.replace('acme-f100', 'acme-own'));
  const catalog = load(place);
  expect([...catalog.entries.keys()]).toEqual(['acme-own']);
  expect(resolveTerminal(catalog, { model: 'acme-f100', options: {} })).toMatchObject({ ok: false, why: 'disabled' });
  expect(resolveTerminal(catalog, { model: 'acme-f10', options: {} })).toMatchObject({
    ok: false,
    why: 'model',
    known: ['acme-own'],
  });
});

test('one id in two files of a directory keeps the first', () => {
  const place = createPlace('');
  place.write('devices/acme-f100-copy.yaml', MODEL);
  const catalog = load(place);
  expect(catalog.faults.map((fault) => fault.code)).toEqual(['definition-twice']);
  expect(catalog.entries.size).toBe(1);
});

test('a terminal may name the driver alone', () => {
  const catalog = load(createPlace(''));
  expect(resolveTerminal(catalog, { driver: 'sample-tc', options: {} })).toMatchObject({
    ok: true,
    definition: null,
    definitionHash: null,
  });
  expect(resolveTerminal(catalog, { driver: 'nothing', options: {} })).toMatchObject({
    ok: false,
    why: 'driver',
    known: ['sample-tc'],
  });
  expect(resolveTerminal(catalog, { driver: 'sample-tc', options: { channel: 256 } })).toMatchObject({
    ok: false,
    why: 'options',
  });
});
