/**
 * The gateway's signing key lent to what is printed. Reads the key where it is and never makes one: paper that cannot be signed
 * says so, and a key that was lost is not replaced by printing a table.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignToken } from '../exports/token.js';
import { SIGNING_KEY } from '../gateway.js';
import { createSigner, signJws, type Signer } from '../uplink/envelope.js';

/** Null: the key is not there, or not ours to read. */
export function tokenSigner(dataDir: string): SignToken | null {
  let signer: Signer;
  try {
    signer = createSigner(createPrivateKey(readFileSync(join(dataDir, 'keys', `${SIGNING_KEY}.pem`))));
  } catch {
    // The cause is left out on purpose: what a parser says of a key file may quote it.
    return null;
  }
  return (typ, payload) => signJws(signer, typ, payload);
}

/** Said once by a command that printed without a signature. */
export const UNSIGNED_WORDS =
  '未签名：读不到网关的签名密钥，二维码只含数据摘要。请用能读取数据目录 keys/ 的账户执行。 Unsigned: the signing key of the gateway cannot be read here, the QR code holds the digest only. Run it as a user who may read keys/ of the data directory.';
