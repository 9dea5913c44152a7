import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPlatformKeys } from '../../src/platform/keys.js';
import { readGatewayFile, registerGateway } from '../../src/platform/registry.js';
import { checkSettings, readSettings } from '../../src/platform/settings.js';
import { openDatabase } from '../../src/platform/store.js';
import { keySetSchema } from '../../src/uplink/messages.js';
import { AUD, createBench, createTestGateway, GW, NOW, seedSigner, ZONE } from './bench.js';

const dir = mkdtempSync(join(tmpdir(), 'platform-settings-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

describe('settings of the platform', () => {
  test('defaults, and paths relative to the file', () => {
    const settings = readSettings(
      file('good.yaml', 'dataDir: data\nurl: mqtt://127.0.0.1:1883\nprefix: city\nmqtt: { passwordFile: secret }\n'),
    );
    expect(settings).toMatchObject({
      dataDir: join(dir, 'data'),
      prefix: 'city/',
      groupMax: 32,
      win: 4,
      announce: true,
    });
    expect(settings.mqtt).toMatchObject({
      version: 'auto',
      shared: 'auto',
      receiveMaximum: 64,
      passwordFile: join(dir, 'secret'),
    });
  });

  test.each([
    ['an unknown key', 'dataDir: d\nurl: mqtt://x\nurls: y\n', /urls/],
    ['a missing key', 'dataDir: d\n', /url/],
    ['another scheme', 'dataDir: d\nurl: http://x\n', /url/],
    ['no YAML', 'a: [', /Platform settings/],
  ])('%s is an error that names it', (_, text, expected) => {
    expect(() => readSettings(file('bad.yaml', text))).toThrow(expected);
  });

  test('a missing file is an error of settings', () => {
    expect(() => readSettings(join(dir, 'absent.yaml'))).toThrow(/ENOENT/);
    expect(() => checkSettings(null)).toThrow(/Platform settings/);
  });
});

describe('keys of the platform', () => {
  test('are made once, kept private, and published as a set that gateways read', () => {
    const home = join(dir, 'keys-home');
    const first = loadPlatformKeys(home);
    const again = loadPlatformKeys(home);
    expect(again.signers.ack.keyId).toBe(first.signers.ack.keyId);
    for (const name of ['root', 'ack', 'req', 'cmd', 'ticket', 'plat']) {
      expect(statSync(join(home, 'keys', `platform-${name}.pem`)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(home, 'keys')).mode & 0o777).toBe(0o700);
    const text = readFileSync(first.file, 'utf8');
    expect(text).not.toContain('PRIVATE');
    const set = keySetSchema.parse(JSON.parse(text));
    expect(set.keys.map((key) => key.uses).flat()).toEqual(['ack', 'req', 'cmd', 'ticket', 'plat']);
    expect(new Set(set.keys.map((key) => key.jwk.x)).size).toBe(5);
  });

  test('a directory that cannot be made is an error of settings', () => {
    const blocked = file('a-file', '');
    expect(() => loadPlatformKeys(blocked)).toThrow(/cannot be written/);
    expect(existsSync(join(blocked, 'keys'))).toBe(false);
  });
});

describe('registry of gateways', () => {
  const { x } = seedSigner('test key: gateway').publicJwk;

  test('reads YAML and JSON', () => {
    const yaml = `gateways:\n  - { gw: ${GW}, zone: 150200, aud: ${AUD}, jwk: { kty: OKP, crv: Ed25519, x: ${x} } }\n`;
    const json = JSON.stringify({
      gateways: [{ gw: GW, zone: ZONE, aud: AUD, keys: [{ kty: 'OKP', crv: 'Ed25519', x }] }],
    });
    expect(readGatewayFile(file('g.yaml', yaml))).toEqual(readGatewayFile(file('g.json', json)));
    expect(() => readGatewayFile(file('g.yaml', yaml.replace(GW, 'box 1')))).toThrow(/gateways\.0\.gw/);
  });

  test('registering again changes nothing; another aud is refused; a new key counts from the batch after the head', () => {
    const b = createBench();
    const gateway = createTestGateway();
    const entry = { gw: GW, zone: ZONE, aud: AUD, keys: [gateway.signer.publicJwk] };
    b.give(gateway.seal().jws, gateway.seal().jws);
    registerGateway(b.store, entry, NOW);
    expect(() => registerGateway(b.store, { ...entry, aud: 'region' }, NOW)).toThrow(/aud/);
    const fresh = seedSigner('enrolled again');
    registerGateway(b.store, { ...entry, keys: [fresh.publicJwk] }, NOW);
    expect(b.keyring.validAt(GW, fresh.keyId, { ord: 1, seq: 2 })).toBe(false);
    expect(b.keyring.validAt(GW, fresh.keyId, { ord: 1, seq: 3 })).toBe(true);
    gateway.signer = fresh;
    expect(b.give(gateway.seal().jws)).toMatchObject([{ through: 3, rej: [] }]);
    b.close();
  });
});

describe('the database', () => {
  test('is synced in full, and one of a newer program or of another program is refused', () => {
    const path = join(dir, 'db.sqlite');
    const db = openDatabase(path);
    expect(db.pragma('synchronous', { simple: true })).toBe(2);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    db.pragma('user_version = 99');
    db.close();
    expect(() => openDatabase(path)).toThrow(/schema 99/);
    expect(() => openDatabase(file('noise.sqlite', 'x'.repeat(5000)))).toThrow(/disk refused/);
  });
});
