import { createPublicKey, sign, verify } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDurably, writeDurably } from '../../src/store/durable-file.js';
import { loadOrCreateSigningKey } from '../../src/store/keys.js';
import { open, tempDir } from './fixtures.js';

const code = (wanted: string): Error => expect.objectContaining({ code: wanted }) as Error;
const NAME = '张三丰';

test('a sealed value opens at its place only, and never looks the same twice', () => {
  const { vault } = open(tempDir()).store;
  const sealed = vault.seal('trainee|7|name', NAME);
  expect(vault.open('trainee|7|name', sealed)).toBe(NAME);
  expect(vault.seal('trainee|7|name', NAME)).not.toEqual(sealed);
  expect(() => vault.open('trainee|8|name', sealed)).toThrow(code('sealed-unreadable'));
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Uint8Array.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => vault.open('trainee|7|name', changed)).toThrow(code('sealed-unreadable'));
  }
  for (const short of [new Uint8Array(), sealed.subarray(0, 20)])
    expect(() => vault.open('trainee|7|name', short)).toThrow(code('sealed-unreadable'));
});

test('the blind index finds equals, is keyed, and tells purposes apart', () => {
  const one = open(tempDir()).store.vault;
  const two = open(tempDir()).store.vault;
  expect(one.index('document', '11010119900307')).toBe(one.index('document', '11010119900307'));
  expect(one.index('document', '11010119900307')).not.toBe(one.index('other', '11010119900307'));
  expect(one.index('document', '11010119900307')).not.toBe(two.index('document', '11010119900307'));
});

test('values stay readable over a restart, and the plain text is nowhere on the disk', () => {
  const dir = tempDir();
  const first = open(dir);
  const sealed = first.store.vault.seal('p', NAME);
  first.store.transact(() =>
    first.store.db.prepare("INSERT INTO meta VALUES ('test', ?)").run(Buffer.from(sealed).toString('base64')),
  );
  expect(readFileSync(join(dir, 'rollcall.db-wal')).includes(Buffer.from(NAME))).toBe(false);
  first.store[Symbol.dispose]();
  expect(readFileSync(join(dir, 'rollcall.db')).includes(Buffer.from(NAME))).toBe(false);
  const { store } = open(dir);
  expect(store.vault.open('p', sealed)).toBe(NAME);
  expect(store.keysSealed).toBe(false);
});

test('a credential of the service manager supplies the key, and no key file is made', () => {
  const [dir, credentialsDir] = [tempDir(), tempDir()];
  writeFileSync(join(credentialsDir, 'rollcall-kek'), Buffer.alloc(32, 5));
  const { store } = open(dir, { credentialsDir });
  expect(store.keysSealed).toBe(true);
  const sealed = store.vault.seal('p', NAME);
  expect(existsSync(join(dir, 'keys', 'kek'))).toBe(false);
  store[Symbol.dispose]();
  expect(() => open(dir)).toThrow(code('store-damaged'));
  expect(existsSync(join(dir, 'keys', 'kek'))).toBe(false);
  expect(open(dir, { credentialsDir }).store.vault.open('p', sealed)).toBe(NAME);
});

test('when a credential appears, the keys move under it and the key file goes', () => {
  const [dir, credentialsDir] = [tempDir(), tempDir()];
  const first = open(dir);
  const sealed = first.store.vault.seal('p', NAME);
  first.store[Symbol.dispose]();
  writeFileSync(join(credentialsDir, 'rollcall-kek'), Buffer.alloc(32, 6).toString('hex'));
  const { store } = open(dir, { credentialsDir });
  expect(store.vault.open('p', sealed)).toBe(NAME);
  expect([store.keysSealed, existsSync(join(dir, 'keys', 'kek'))]).toEqual([true, false]);
});

test('a signing key is made once, kept, private, and never replaced when it is spoilt', () => {
  const dir = tempDir();
  const pair = loadOrCreateSigningKey(dir, 'gateway-city');
  const path = join(dir, 'keys', 'gateway-city.pem');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const signature = sign(null, Buffer.from('text'), pair.privateKey);
  chmodSync(path, 0o640);
  const again = loadOrCreateSigningKey(dir, 'gateway-city');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(verify(null, Buffer.from('text'), again.publicKey, signature)).toBe(true);
  expect(createPublicKey(again.privateKey).equals(pair.publicKey)).toBe(true);
  writeFileSync(path, 'spoilt');
  expect(() => loadOrCreateSigningKey(dir, 'gateway-city')).toThrow(code('key-unreadable'));
  expect(readFileSync(path, 'utf8')).toBe('spoilt');
  expect(() => loadOrCreateSigningKey(dir, '../escape')).toThrow(code('store-misuse'));
});

test('a durable file keeps the one before it, and reading falls back to it', () => {
  const path = join(tempDir(), 'file');
  const parse = (bytes: Buffer): string => {
    const text = bytes.toString('utf8');
    if (!text.endsWith('!')) throw new Error(`not valid: ${text}`);
    return text;
  };
  expect(readDurably(path, parse)).toBeNull();
  writeDurably(path, Buffer.from('one!'));
  writeDurably(path, Buffer.from('two!'));
  expect(readFileSync(`${path}.previous`, 'utf8')).toBe('one!');
  expect(readDurably(path, parse)).toBe('two!');
  writeFileSync(path, 'torn');
  expect(readDurably(path, parse)).toBe('one!');
  rmSync(path);
  expect(readDurably(path, parse)).toBe('one!');
  writeFileSync(path, 'torn');
  writeFileSync(`${path}.previous`, 'old');
  expect(() => readDurably(path, parse)).toThrow('not valid: torn');
});

test('a durable file that cannot be written leaves what was there', () => {
  const dir = tempDir();
  expect(() => writeDurably(join(dir, 'absent', 'file'), Buffer.from('x'))).toThrow(code('store-failed'));
});
