/**
 * Key files in `dataDir/keys/`: read with their mode checked, written durably, 0600, never in a log or an error text.
 * A file that others can read is tightened before use; one that cannot be tightened is refused.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import { readDurably, writeDurably } from './durable-file.js';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Takes group and others off a file or directory that has them. True when it had. Throws `key-exposed` when that cannot be done. */
export function tighten(path: string): boolean {
  let mode: number;
  try {
    mode = statSync(path).mode & 0o777;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  if ((mode & 0o077) === 0) return false;
  try {
    chmodSync(path, mode & 0o700);
  } catch (error) {
    throw fail('key-exposed', { path, mode: mode.toString(8) }, error);
  }
  if ((statSync(path).mode & 0o077) !== 0) throw fail('key-exposed', { path, mode: mode.toString(8) });
  return true;
}

/** Reads a key file through `parse`, or makes it of `create` when neither it nor the one before it exists. */
export function loadOrCreateKeyFile<T>(path: string, parse: (text: string) => T, create: () => string): T {
  tighten(path);
  tighten(`${path}.previous`);
  let found: T | null;
  try {
    found = readDurably(path, (bytes) => parse(bytes.toString('utf8')));
  } catch {
    // The cause is left out on purpose: what a parser says of a key file may quote it.
    throw fail('key-unreadable', { path });
  }
  if (found !== null) return found;
  const text = create();
  writeDurably(path, Buffer.from(text, 'utf8'));
  return parse(text);
}

function parseEd25519(pem: string): KeyPair {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== 'ed25519') throw fail('key-unreadable', { path: 'PEM' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/**
 * The Ed25519 pair in `<dataDir>/keys/<name>.pem` (PKCS 8), made on first use. `name` is `[a-z0-9-]+`. Throws `key-unreadable`
 * when the file is there but holds something else: a lost identity is never replaced silently.
 */
export function loadOrCreateSigningKey(dataDir: string, name: string): KeyPair {
  if (!/^[a-z0-9-]+$/.test(name)) throw fail('store-misuse', { reason: `"${name}" is not a name for a key` });
  const dir = join(dataDir, 'keys');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return loadOrCreateKeyFile(join(dir, `${name}.pem`), parseEd25519, () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
}
