/**
 * The signature of a policy layer (R41): a detached JWS in compact form (RFC 7515 appendix F) with Ed25519 (RFC 8037) over the
 * RFC 8785 form of the layer without its key `signature`, `typ` `rollcall-policy+jws`. So comments, order and indentation may
 * change under a signature, and values may not.
 *
 * Promises: algorithm and key come from the caller's set, never from the signature. Pure: no disk, no clock.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from './policy.js';

const TYPE = 'rollcall-policy+jws';
const SIGNATURE_CHARS_MAX = 1024;

/** An Ed25519 public key as a JWK (RFC 8037). */
export interface PolicyJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** Trusted keys by their id. */
export type PolicyKeys = ReadonlyMap<string, KeyObject>;

/**
 * How a signature stands: `good`; `absent`; `unread` it is not of the form; `unknown-key` nobody we know signed it; `wrong` the
 * layer was changed afterwards, or another key made it; `unchecked` no keys were given to check it with.
 */
export type SignatureState = 'good' | 'absent' | 'unread' | 'unknown-key' | 'wrong' | 'unchecked';

export interface SignatureVerdict {
  readonly state: SignatureState;
  /** Id of the key that the signature names, whether it is known or not; null when it names none. */
  readonly keyId: string | null;
}

/** RFC 7638 thumbprint, its first 16 characters: the same form as every key id of the gateway. */
function policyKeyId(jwk: PolicyJwk): string {
  const text = `{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"}`;
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Lower-case hex SHA-256 of what a signature covers: the layer without `signature`. */
export function layerDigest(layer: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(payloadOf(layer)).digest('hex');
}

/** Keys of a JWK set; null when it is none, or holds a key that is not Ed25519. */
export function policyKeys(set: unknown): PolicyKeys | null {
  const keys = isRecord(set) ? set.keys : undefined;
  if (!Array.isArray(keys)) return null;
  const found = new Map<string, KeyObject>();
  for (const item of keys as readonly unknown[]) {
    const jwk = jwkOf(item);
    if (jwk === null) return null;
    try {
      found.set(policyKeyId(jwk), createPublicKey({ key: { ...jwk }, format: 'jwk' }));
    } catch {
      return null;
    }
  }
  return found;
}

function jwkOf(value: unknown): PolicyJwk | null {
  if (!isRecord(value)) return null;
  const { kty, crv, x } = value;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(x)) return null;
  return { kty, crv, x };
}

export interface PolicySigner {
  readonly keyId: string;
  readonly jwk: PolicyJwk;
  /** The text for the key `signature`. */
  sign(layer: Readonly<Record<string, unknown>>): string;
}

/** A signer from a private key in PEM form; null when the text holds no Ed25519 private key. The text is in no error. */
export function policySigner(pem: string): PolicySigner | null {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return null;
  }
  if (key.asymmetricKeyType !== 'ed25519') return null;
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const jwk: PolicyJwk = { kty: 'OKP', crv: 'Ed25519', x: x ?? '' };
  const keyId = policyKeyId(jwk);
  return {
    keyId,
    jwk,
    sign(layer) {
      const head = base64url(JSON.stringify({ alg: 'EdDSA', kid: keyId, typ: TYPE }));
      return `${head}..${sign(null, inputOf(head, layer), key).toString('base64url')}`;
    },
  };
}

/** How the signature inside a layer stands. `keys` null: there is nothing to check it with. */
export function checkSignature(layer: Readonly<Record<string, unknown>>, keys: PolicyKeys | null): SignatureVerdict {
  const { signature } = layer;
  if (signature === undefined) return { state: 'absent', keyId: null };
  const parts =
    typeof signature === 'string' && signature.length <= SIGNATURE_CHARS_MAX
      ? /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{86})$/.exec(signature)
      : null;
  const [, head = '', tail = ''] = parts ?? [];
  const keyId = parts === null ? null : keyIdIn(head);
  if (keyId === null) return { state: 'unread', keyId: null };
  if (keys === null) return { state: 'unchecked', keyId };
  const key = keys.get(keyId);
  if (key === undefined) return { state: 'unknown-key', keyId };
  const bytes = Buffer.from(tail, 'base64url');
  const good = bytes.toString('base64url') === tail && verify(null, inputOf(head, layer), key, bytes);
  return { state: good ? 'good' : 'wrong', keyId };
}

/** The key id of a header that has exactly the members of the form; else null. */
function keyIdIn(head: string): string | null {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(head, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  if (!isRecord(header) || Object.keys(header).sort().join() !== 'alg,kid,typ') return null;
  const { alg, kid, typ } = header;
  if (typ !== TYPE || (alg !== 'EdDSA' && alg !== 'Ed25519')) return null;
  return typeof kid === 'string' && /^[A-Za-z0-9_-]{16}$/.test(kid) ? kid : null;
}

function payloadOf(layer: Readonly<Record<string, unknown>>): string {
  const content = Object.fromEntries(Object.entries(layer).filter(([key]) => key !== 'signature'));
  return canonicalJson(content);
}

function inputOf(head: string, layer: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`${head}.${base64url(payloadOf(layer))}`, 'ascii');
}

const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
