/**
 * The platform's own keys: one Ed25519 key for each use and a root key, made on first start (upstream §11).
 *
 * Promises: private keys are files of mode 0600 in a directory of mode 0700, written whole or not at all, never
 * overwritten and never logged; several workers may start on one data directory at once. `platform-keys.json` beside
 * them is the public set that a gateway imports.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import { randomHex } from '../core/ids.js';
import { generateSigningKeyPem, signerFromPem, signJws, type PublicJwk, type Signer } from '../uplink/envelope.js';
import { KEY_USES, type KeyUse } from '../uplink/messages.js';

export interface PlatformKeys {
  readonly root: Signer;
  readonly signers: Readonly<Record<KeyUse, Signer>>;
  /** The public key set as a file for gateways. */
  readonly file: string;
  /** The set signed by the root key, `att-keys`. */
  keySet(ser: number, at: number, exp: number): string;
}

export interface PublicKeyEntry extends PublicJwk {
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: string;
}

/** Writes a file whole: to a neighbour, synced, then moved into place. `replace` false: an existing file stays. */
function writeWhole(file: string, text: string, mode: number, replace: boolean): void {
  const beside = `${file}.${randomHex(6)}.new`;
  const fd = openSync(beside, 'wx', mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  if (replace) {
    renameSync(beside, file);
    return;
  }
  try {
    linkSync(beside, file);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(beside, { force: true });
  }
}

function loadOrMake(file: string): Signer {
  if (!existsSync(file)) writeWhole(file, generateSigningKeyPem(), 0o600, false);
  return signerFromPem(readFileSync(file, 'utf8'));
}

export function publicEntry(signer: Signer, use: string): PublicKeyEntry {
  return { ...signer.publicJwk, kid: signer.keyId, alg: 'EdDSA', use };
}

/** Loads the keys under `dataDir/keys`, making those that are missing. Throws `store-unwritable` or `jws-key-bad`. */
export function loadPlatformKeys(dataDir: string): PlatformKeys {
  const dir = join(dataDir, 'keys');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const root = loadOrMake(join(dir, 'platform-root.pem'));
    const made = KEY_USES.map((use) => [use, loadOrMake(join(dir, `platform-${use}.pem`))] as const);
    const signers = Object.fromEntries(made) as Record<KeyUse, Signer>;
    const file = join(dataDir, 'platform-keys.json');
    const entries = made.map(([use, signer]) => publicEntry(signer, use));
    const text = `${JSON.stringify({ root: root.publicJwk, keys: entries }, null, 2)}\n`;
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeWhole(file, text, 0o644, true);
    const keys = made.map(([use, signer]) => ({ jwk: signer.publicJwk, use }));
    return {
      root,
      signers,
      file,
      keySet: (ser, at, exp) => signJws(root, 'att-keys+jws', JSON.stringify({ v: 1, ser, at, exp, keys })),
    };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw fail('store-unwritable', { dir, reason: code }, error);
  }
}
