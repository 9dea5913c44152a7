/**
 * `rollcall verify PATH…`: a data directory, a file of batches (one JWS a line), or what a QR code on our paper holds (`-`: from
 * standard input). Says how much was checked and, if not all is well, the first fault. Reads only; works beside a running
 * daemon and on a copy.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkCreditsIn, CREDIT_PROMISE } from '../classes/check-credits.js';
import { fail, GatewayError, systemCode } from '../core/errors.js';
import { SIGNING_KEY } from '../gateway.js';
import { verifyBatchFile } from '../platform/verify-batches.js';
import { verifyDataDir, type VerifySignature } from '../store/check.js';
import { keyLookup, verifyJws, type KeyLookup, type PublicJwk } from '../uplink/envelope.js';
import { publicJwkSchema } from '../uplink/messages.js';
import { createPlatformKeys } from '../uplink/platform-keys.js';
import { EXIT, progressLine, type Console } from './console.js';
import { isToken, verifyTokenFile } from './verify-token.js';

export interface VerifyArguments {
  readonly paths: readonly string[];
  /**
   * For batch files the gateways' public keys: a JWK, a list, or `{"keys": […]}`; without them signatures are not checked, and the
   * result says so. For a data directory the platform's key file: with it the signatures of receipts are checked too.
   */
  readonly keysFile?: string;
}

/**
 * Checks our own batches with the key in the directory, and receipts with the platform's keys where they are given. What has no
 * key (a copy without its `keys/`, receipts without `--keys`) stays unchecked.
 */
function signatureVerifier(dir: string, keysFile: string | undefined): VerifySignature {
  const own = ownKey(dir);
  const platform = keysFile === undefined ? null : createPlatformKeys({ sets: [readText(keysFile)] }).lookup('ack');
  return (jws, from) => {
    const keys = from === 'platform' ? platform : own;
    if (keys === null) return null;
    try {
      verifyJws(jws, { typ: from === 'platform' ? 'att-ack+jws' : 'att-batch+jws', keys });
      return true;
    } catch (error) {
      if (error instanceof GatewayError) return false;
      throw error;
    }
  };
}

function ownKey(dir: string): KeyLookup | null {
  try {
    const pem = readFileSync(join(dir, 'keys', `${SIGNING_KEY}.pem`));
    const { x = '' } = createPublicKey(createPrivateKey(pem)).export({ format: 'jwk' });
    return keyLookup([{ kty: 'OKP', crv: 'Ed25519', x }]);
  } catch {
    return null;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fail('file-unreadable', { file, reason: systemCode(error) ?? 'unreadable' }, error);
  }
}

const keysSchema = z.union([
  // What `rollcall keys --json` prints: the key itself stands beside the upstreams, of which there may be none.
  z.object({ jwk: publicJwkSchema, gateways: z.array(z.unknown()) }).transform(({ jwk }) => [jwk]),
  // What `rollcall keys` prints.
  z
    .object({ gateways: z.array(z.object({ jwk: publicJwkSchema })) })
    .transform(({ gateways }) => gateways.map(({ jwk }) => jwk)),
  z.object({ keys: z.array(publicJwkSchema) }).transform(({ keys }) => keys),
  z.array(publicJwkSchema),
  publicJwkSchema.transform((key) => [key]),
]);

function readKeys(file: string): { readonly gateway: readonly PublicJwk[] } {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw fail('file-unreadable', { file, reason: systemCode(error) ?? 'not JSON' }, error);
  }
  const parsed = keysSchema.safeParse(value);
  if (!parsed.success) throw fail('file-unreadable', { file, reason: 'no Ed25519 JWK in it' });
  return { gateway: parsed.data };
}

type Verified = { readonly ok: boolean } & Readonly<Record<string, unknown>>;

/** The promises of the store, and when all of them are kept, that every credit is what the raw data give. */
function verifyDirectory(dir: string, keysFile: string | undefined, io: Console): Verified {
  const found = verifyDataDir(dir, { verifySignature: signatureVerifier(dir, keysFile) });
  if (!found.ok) return { ...found, credits: 0, unchecked: 0 };
  const progress = progressLine(io);
  try {
    const { fault, credits, unchecked } = checkCreditsIn(dir, (done, of) =>
      progress.show(`${dir}：重算课时 recomputing hours ${done}/${of}`),
    );
    if (fault === null) return { ...found, credits, unchecked };
    const anchoredUpTo = Math.min(found.anchoredUpTo, (fault.n ?? Number.MAX_SAFE_INTEGER) - 1);
    return { ...found, ok: false, anchoredUpTo, firstFault: { promise: CREDIT_PROMISE, ...fault }, credits, unchecked };
  } finally {
    progress.end();
  }
}

function verifyOne(path: string, keysFile: string | undefined, io: Console): Verified {
  let lines: readonly string[];
  try {
    if (isDirectory(path)) return verifyDirectory(path, keysFile, io);
    lines = readFileSync(path === '-' ? STDIN : path, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch (error) {
    const reason = systemCode(error);
    if (reason === undefined) throw error;
    throw fail('file-unreadable', { file: path, reason }, error);
  }
  const keys = keysFile === undefined ? undefined : readKeys(keysFile);
  if (isToken(lines[0] ?? '')) return verifyTokenFile(lines, keys?.gateway ?? null, io.err);
  return { ...verifyBatchFile(lines, keys) };
}

const STDIN = 0;
const isDirectory = (path: string): boolean => path !== '-' && statSync(path).isDirectory();

/** That a copy verifies without the platform's keys must not be taken for more than it is. */
function receiptsUnchecked(path: string, keysFile: string | undefined): string {
  if (keysFile !== undefined || !isDirectory(path)) return '';
  return ' 回执签名未核对，可加 --keys 平台公钥文件。 Signatures of receipts were not checked; give --keys with the file of platform keys.';
}

export function runVerify(args: VerifyArguments, io: Console): number {
  let good = true;
  for (const path of args.paths) {
    const found = verifyOne(path, args.keysFile, io);
    good &&= found.ok;
    io.out(JSON.stringify(args.paths.length > 1 ? { path, ...found } : found));
    io.err(
      found.ok
        ? `${path}：核验通过。 Verified.${receiptsUnchecked(path, args.keysFile)}`
        : `${path}：核验未通过，首个问题见 firstFault。请保留原文件。 Not verified; see firstFault and keep the files as they are.`,
    );
  }
  return good ? EXIT.good : EXIT.no;
}
