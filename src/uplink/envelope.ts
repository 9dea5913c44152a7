/**
 * The envelope of every message that means something: one JWS in compact serialisation, signed with Ed25519
 * (upstream §3), and the hash that chains batches (§7). Pure: no clock, no disk. Checks of contents are in messages.ts.
 *
 * Promises: a key and its algorithm come from the caller's registry, never from the message; a header holds exactly the
 * members the protocol names; base64url is canonical, so one message has one text. Refuses with a GatewayError of
 * kind `peer` and nothing else, whatever the input is.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as cryptoSign,
  verify as cryptoVerify,
  type KeyObject,
} from 'node:crypto';
import { fail } from '../core/errors.js';

export type MessageType =
  | 'att-batch+jws'
  | 'att-hello+jws'
  | 'att-health+jws'
  | 'att-ack+jws'
  | 'att-plat+jws'
  | 'att-req+jws'
  | 'att-res+jws'
  | 'att-want+jws'
  | 'att-done+jws'
  | 'att-ticket+jws'
  | 'att-pic+jws'
  | 'att-keys+jws'
  // On paper, in a QR code; never sent.
  | 'rollcall-trainee+jws'
  | 'rollcall-table+jws';

/** The `cty` a type may carry when its payload is gzip; a type that is not listed is never compressed. */
const COMPRESSED: Partial<Record<MessageType, string>> = {
  'att-batch+jws': 'att-batch+gzip',
  'att-res+jws': 'att-res+gzip',
};
/** Types whose payload is always gzip. */
const ALWAYS_COMPRESSED: ReadonlySet<MessageType> = new Set(['att-batch+jws']);

/** Hard limit of a batch as JWS text (§18). */
export const BATCH_JWS_BYTES_MAX = 131_072;
/** Limit of acknowledgements, requests, hellos and tickets (§18). */
export const SMALL_JWS_BYTES_MAX = 16_384;
const HEADER_CHARS_MAX = 512;
const SIGNATURE_BYTES = 64;

/** An Ed25519 public key as a JWK (RFC 8037). */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** A key as a registry knows it. `alg` is the algorithm stored for the key; the message only has to agree. */
export interface RegisteredKey {
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly key: KeyObject;
}

/** Looks a key up by its id in the caller's own registry; undefined: unknown or not trusted for this purpose. */
export type KeyLookup = (kid: string) => RegisteredKey | undefined;

/** Signs bytes with a private key that never leaves it. */
export interface Signer {
  readonly keyId: string;
  readonly publicJwk: PublicJwk;
  sign(bytes: Uint8Array): Uint8Array;
}

export interface VerifiedJws {
  readonly typ: MessageType;
  readonly kid: string;
  /** True when the header says that the payload is gzip. */
  readonly compressed: boolean;
  /** The payload as signed; still gzip when `compressed`. */
  readonly payload: Uint8Array;
  /** Lower-case hex SHA-256 of the signing input. */
  readonly hash: string;
}

/** Lower-case hex SHA-256 of ASCII or UTF-8 text, or of bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** RFC 7638 thumbprint of an Ed25519 key, base64url. */
export function thumbprint(jwk: PublicJwk): string {
  return createHash('sha256').update(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"}`).digest('base64url');
}

/** The `kid` of a key: the first 16 characters of its thumbprint (§3). */
export function keyIdOf(jwk: PublicJwk): string {
  return thumbprint(jwk).slice(0, 16);
}

/** A public key for a registry. Throws `jws-key-bad` when the JWK is not an Ed25519 key. */
export function registeredKey(jwk: PublicJwk): RegisteredKey {
  const plain: PublicJwk = { kty: jwk.kty, crv: jwk.crv, x: jwk.x };
  const bytes = /^[A-Za-z0-9_-]{43}$/.test(plain.x) ? Buffer.from(plain.x, 'base64url') : null;
  if (bytes?.length !== 32) throw fail('jws-key-bad', { reason: 'x must be 32 bytes as base64url' });
  try {
    return { kid: keyIdOf(plain), alg: 'EdDSA', key: createPublicKey({ key: { ...plain }, format: 'jwk' }) };
  } catch (cause) {
    throw fail('jws-key-bad', { reason: 'not an Ed25519 public key' }, cause);
  }
}

/** A lookup over a fixed set of keys. */
export function keyLookup(jwks: readonly PublicJwk[]): KeyLookup {
  const keys = new Map(jwks.map((jwk) => registeredKey(jwk)).map((key) => [key.kid, key]));
  return (kid) => keys.get(kid);
}

/** A signer over an Ed25519 private key object. Throws `jws-key-bad` for any other kind of key. */
export function createSigner(privateKey: KeyObject): Signer {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw fail('jws-key-bad', { reason: 'the signing key must be an Ed25519 private key' });
  }
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicJwk: PublicJwk = { kty: 'OKP', crv: 'Ed25519', x: x ?? '' };
  return { keyId: keyIdOf(publicJwk), publicJwk, sign: (bytes) => cryptoSign(null, bytes, privateKey) };
}

/** A signer from PKCS#8 PEM text. The text is never part of an error. */
export function signerFromPem(pem: string): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw fail('jws-key-bad', { reason: 'the file is not a private key in PEM form' });
  }
  return createSigner(key);
}

/** A signer from a 32-byte seed; for tests and the demonstration. */
export function signerFromSeed(seed: Uint8Array): Signer {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex'); // PKCS#8 wrapping of an Ed25519 seed, RFC 8410 §7
  return createSigner(createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' }));
}

/** A new signing key as PKCS#8 PEM. */
export function generateSigningKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Signs a payload. `compressed` says that the payload is gzip already; it sets `cty`. */
export function signJws(signer: Signer, typ: MessageType, payload: string | Uint8Array, compressed = false): string {
  const cty = COMPRESSED[typ];
  const header =
    compressed && cty !== undefined
      ? { alg: 'EdDSA', kid: signer.keyId, typ, cty }
      : { alg: 'EdDSA', kid: signer.keyId, typ };
  const head = Buffer.from(JSON.stringify(header)).toString('base64url');
  const input = `${head}.${Buffer.from(payload).toString('base64url')}`;
  return `${input}.${Buffer.from(signer.sign(Buffer.from(input, 'ascii'))).toString('base64url')}`;
}

/** Decodes canonical base64url without padding; null when the text has another form. */
function fromBase64url(text: string): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

interface Header {
  readonly alg: string;
  readonly kid: string;
  readonly typ: MessageType;
  readonly compressed: boolean;
}

function readHeader(part: string, typ: MessageType): Header {
  const bad = (reason: string): never => {
    throw fail('jws-header', { typ, reason });
  };
  if (part.length > HEADER_CHARS_MAX) bad('too long');
  const bytes = fromBase64url(part) ?? bad('not base64url');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    bad('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('not an object');
  const header = new Map<string, unknown>(Object.entries(value));
  for (const member of header.keys()) {
    if (!['alg', 'kid', 'typ', 'cty'].includes(member)) bad(`member "${member.slice(0, 16)}" is not allowed`);
  }
  const alg = header.get('alg');
  const kid = header.get('kid');
  if (alg !== 'EdDSA' && alg !== 'Ed25519') return bad('alg is not EdDSA');
  if (typeof kid !== 'string' || !/^[A-Za-z0-9_-]{16}$/.test(kid)) return bad('kid is missing or malformed');
  if (header.get('typ') !== typ) bad('typ is another');
  const compressed = header.has('cty');
  if (compressed && header.get('cty') !== COMPRESSED[typ]) bad('cty is not the one of this typ');
  if (!compressed && ALWAYS_COMPRESSED.has(typ)) bad('cty is missing');
  return { alg, kid, typ, compressed };
}

export interface VerifyOptions {
  /** The only type accepted. */
  readonly typ: MessageType;
  readonly keys: KeyLookup;
  /** Limit of the JWS text in bytes; by default that of the type (§18). */
  readonly bytesMax?: number;
}

/** Limit of a type as JWS text (§18). */
export function jwsBytesMax(typ: MessageType): number {
  return typ === 'att-batch+jws' || typ === 'att-res+jws' ? BATCH_JWS_BYTES_MAX : SMALL_JWS_BYTES_MAX;
}

/**
 * Verifies a JWS and returns its payload bytes. Throws `jws-too-big`, `jws-malformed`, `jws-header`, `jws-key-unknown`
 * or `jws-signature`, in this order of checks.
 */
export function verifyJws(jws: string | Uint8Array, options: VerifyOptions): VerifiedJws {
  const { typ, keys } = options;
  const bytesMax = options.bytesMax ?? jwsBytesMax(typ);
  if (jws.length > bytesMax) throw fail('jws-too-big', { typ, bytes: jws.length, bytesMax });
  const text = typeof jws === 'string' ? jws : Buffer.from(jws.buffer, jws.byteOffset, jws.length).toString('latin1');
  const parts = text.split('.');
  const [head = '', body = '', tail = ''] = parts;
  if (parts.length !== 3) throw fail('jws-malformed', { typ, reason: `${parts.length} parts instead of 3` });
  const header = readHeader(head, typ);
  const known = keys(header.kid);
  if (known?.alg !== 'EdDSA') throw fail('jws-key-unknown', { typ, kid: header.kid });
  const payload = fromBase64url(body);
  if (payload === null) throw fail('jws-malformed', { typ, reason: 'the payload is not base64url' });
  const signature = fromBase64url(tail);
  if (signature?.length !== SIGNATURE_BYTES)
    throw fail('jws-malformed', { typ, reason: 'the signature is not 64 bytes' });
  const input = Buffer.from(text.slice(0, head.length + 1 + body.length), 'ascii');
  if (!cryptoVerify(null, input, known.key, signature)) throw fail('jws-signature', { typ, kid: header.kid });
  return { typ, kid: header.kid, compressed: header.compressed, payload, hash: sha256Hex(input) };
}

/** The chain hash of a batch: SHA-256 over the signing input, so without the signature (§2, §7). */
export function batchHash(jws: string): string {
  return sha256Hex(jws.slice(0, Math.max(0, jws.lastIndexOf('.'))));
}

/** `prev` of batch 1 of an epoch (§6). */
export function genesisHash(gw: string, aud: string, ep: string): string {
  return sha256Hex(`genesis:${gw}:${aud}:${ep}`);
}
