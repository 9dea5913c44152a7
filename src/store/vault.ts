/**
 * Personal fields, encrypted one by one (S24, S25): AES-256-GCM under a data key, the data key wrapped by the key that
 * is a file in `keys/` or, better, a credential of the service manager. Equality search goes over an HMAC with a key of its own.
 *
 * A sealed value is `01 | key id (4 bytes, big endian) | nonce (12) | ciphertext | tag (16)`; its associated data is
 * `place|key id`, so a value moved to another row, column or key does not open. Refuses with `sealed-unreadable`; plain text is never in an error.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import { syncDirectory } from './durable-file.js';
import { loadOrCreateKeyFile } from './keys.js';
import type { Db, Vault } from './store.js';

const FORM = 1;
const HEAD_BYTES = 5;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Name of the credential (systemd `LoadCredentialEncrypted=rollcall-kek:…`) that holds the key-encryption key. */
export const KEK_CREDENTIAL = 'rollcall-kek';

type Purpose = 'field' | 'index';

function seal(key: Buffer, keyId: number, place: string, plain: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(FORM, 0);
  head.writeUInt32BE(keyId, 1);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(`${place}|${keyId}`, 'utf8'));
  return Buffer.concat([head, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function keyIdOf(sealed: Uint8Array): number | null {
  if (sealed.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES || sealed[0] !== FORM) return null;
  return Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength).readUInt32BE(1);
}

function unseal(key: Buffer, keyId: number, place: string, sealed: Uint8Array): Buffer | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(`${place}|${keyId}`, 'utf8'));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    return Buffer.concat([
      decipher.update(sealed.subarray(HEAD_BYTES + NONCE_BYTES, sealed.length - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    return null;
  }
}

function parseKey(bytes: Buffer): Buffer {
  if (bytes.length === 32) return bytes;
  const text = bytes.toString('utf8').trim();
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length !== 32) throw fail('key-unreadable', { path: KEK_CREDENTIAL });
  return key;
}

function credential(directory: string | undefined): Buffer | null {
  if (directory === undefined || directory === '') return null;
  const path = join(directory, KEK_CREDENTIAL);
  try {
    return parseKey(readFileSync(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw fail('key-unreadable', { path });
  }
}

interface KeyRow {
  readonly id: number;
  readonly purpose: Purpose;
  readonly wrapped: Buffer;
}

export interface OpenedVault {
  readonly vault: Vault;
  readonly sealed: boolean;
}

export interface VaultOptions {
  /** Directory of the database. */
  readonly keysDir: string;
  /** `$CREDENTIALS_DIRECTORY` of the service manager, if any. */
  readonly credentialsDir: string | undefined;
  readonly now: Instant;
}

const placeOf = (row: { readonly purpose: Purpose }): string => `data_key|${row.purpose}|wrapped`;

/** Opens every data key with the key-encryption key, or says which file is wrong. */
function unwrapAll(rows: readonly KeyRow[], kek: Buffer): Map<number, Buffer> | null {
  const keys = new Map<number, Buffer>();
  for (const row of rows) {
    const key = unseal(kek, row.id, placeOf(row), row.wrapped);
    if (!key) return null;
    keys.set(row.id, key);
  }
  return keys;
}

/** Finds the key-encryption key and the data keys; makes what a first start lacks. Never makes a new one where values wait for an old one. */
function openKeys(
  db: Db,
  options: VaultOptions,
): { keys: Map<number, Buffer>; rows: readonly KeyRow[]; sealed: boolean } {
  const list = db.prepare<[], KeyRow>('SELECT id, purpose, wrapped FROM data_key ORDER BY id');
  const add = db.prepare<[number, Purpose, Buffer, number]>(
    'INSERT INTO data_key (id, purpose, wrapped, created_at) VALUES (?, ?, ?, ?)',
  );
  const rewrap = db.prepare<[Buffer, number]>('UPDATE data_key SET wrapped = ? WHERE id = ?');
  const path = join(options.keysDir, 'kek');
  let rows = list.all();
  const fresh = rows.length === 0;
  const fromFile = (): Buffer =>
    loadOrCreateKeyFile(
      path,
      (text) => parseKey(Buffer.from(text, 'utf8')),
      () => {
        if (!fresh)
          throw fail('store-damaged', {
            reason: 'keys/kek is missing, and the database holds values sealed with it',
            dir: dirname(options.keysDir),
          });
        return `${randomBytes(32).toString('base64')}\n`;
      },
    );
  const outside = credential(options.credentialsDir);
  const kek = outside ?? fromFile();
  if (fresh) {
    db.transaction(() => {
      (['field', 'index'] as const).forEach((purpose, index) => {
        add.run(index + 1, purpose, seal(kek, index + 1, placeOf({ purpose }), randomBytes(32)), options.now);
      });
    })();
    rows = list.all();
  }
  let keys = unwrapAll(rows, kek);
  if (!keys && outside) {
    // The credential is new: take the keys over from the file, and then the file must go, or the seal would be for show.
    keys = unwrapAll(rows, fromFile());
    if (keys) {
      const opened = keys;
      db.transaction(() => {
        for (const row of rows)
          rewrap.run(seal(outside, row.id, placeOf(row), opened.get(row.id) ?? Buffer.alloc(0)), row.id);
      })();
      for (const name of [path, `${path}.previous`]) rmSync(name, { force: true });
      syncDirectory(options.keysDir);
    }
  }
  if (!keys)
    throw fail('store-damaged', {
      reason: 'the key in keys/kek is not the one this database was sealed with',
      dir: dirname(options.keysDir),
    });
  return { keys, rows, sealed: outside !== null };
}

export function openVault(db: Db, options: VaultOptions): OpenedVault {
  const { keys, rows, sealed } = openKeys(db, options);
  const newest = (purpose: Purpose): { id: number; key: Buffer } => {
    const id = rows.filter((row) => row.purpose === purpose).at(-1)?.id ?? 0;
    const key = keys.get(id);
    if (!key)
      throw fail('store-damaged', { reason: `the database has no ${purpose} key`, dir: dirname(options.keysDir) });
    return { id, key };
  };
  const field = newest('field');
  const index = newest('index');
  return {
    sealed,
    vault: {
      seal: (place, plain) => seal(field.key, field.id, place, Buffer.from(plain, 'utf8')),
      open(place, value) {
        const id = keyIdOf(value);
        const key = id === null ? undefined : keys.get(id);
        const plain = id === null || !key ? null : unseal(key, id, place, value);
        if (!plain) throw fail('sealed-unreadable', { place });
        return plain.toString('utf8');
      },
      index: (purpose, plain) => createHmac('sha256', index.key).update(`${purpose}\0${plain}`, 'utf8').digest('hex'),
    },
  };
}
