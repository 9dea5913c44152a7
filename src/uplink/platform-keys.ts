/**
 * The platform's public keys, by use (upstream §11): from a plain JSON file, or from an `att-keys` JWS signed by the pinned
 * root key. Of several sets the one with the highest serial number counts; a lower one is never taken again.
 *
 * Refuses a set whose root signature is wrong, or a signed set without a root key to check it (kind `settings`).
 */
import { fail, GatewayError } from '../core/errors.js';
import { keyLookup, verifyJws, type KeyLookup } from './envelope.js';
import { keySetSchema, parsePayload, publicJwkSchema, type KeySetMessage, type KeyUse } from './messages.js';

export interface PlatformKeys {
  lookup(use: KeyUse): KeyLookup;
  /** Serial number of the set in force; 0 for a plain file without one. */
  readonly ser: number;
  /** Takes an `att-keys` JWS with a higher serial number; false when it is not newer or there is no root key. Throws when forged. */
  adopt(jws: string): boolean;
}

export interface PlatformKeySources {
  /** Contents of the key files: the configured one first, then those kept from earlier platform states. */
  readonly sets: readonly string[];
  /** Root key as a JWK, when sets are signed. */
  readonly root?: string | undefined;
  /** Called with each set that was adopted, so that it survives a restart. */
  readonly keep?: ((jws: string) => void) | undefined;
}

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

function rootLookup(root: string | undefined): KeyLookup | null {
  if (root === undefined) return null;
  try {
    return keyLookup([parsePayload(publicJwkSchema, Buffer.from(root), 'the root key')]);
  } catch (cause) {
    throw fail('platform-keys-bad', { reason: 'the root key is not an Ed25519 JWK' }, cause);
  }
}

/** Reads the sets; throws `platform-keys-bad` when none can be used. */
export function createPlatformKeys(sources: PlatformKeySources): PlatformKeys {
  const root = rootLookup(sources.root);
  const read = (text: string): KeySetMessage => {
    const trimmed = text.trim();
    if (!COMPACT.test(trimmed)) return parsePayload(keySetSchema, Buffer.from(trimmed), 'the key set');
    if (root === null) throw fail('platform-keys-bad', { reason: 'the set is signed but no root key is configured' });
    return parsePayload(keySetSchema, verifyJws(trimmed, { typ: 'att-keys+jws', keys: root }).payload, 'the key set');
  };
  const indexOf = (set: KeySetMessage): ReadonlyMap<string, KeyLookup> => {
    const uses = new Set(set.keys.flatMap((key) => key.uses));
    const of = (use: string): KeyLookup =>
      keyLookup(set.keys.filter((key) => key.uses.includes(use)).map((key) => key.jwk));
    return new Map([...uses].map((use) => [use, of(use)]));
  };
  let ser = -1;
  let index: ReadonlyMap<string, KeyLookup> = new Map();
  let problem: GatewayError | null = null;
  for (const text of sources.sets) {
    try {
      const set = read(text);
      if ((set.ser ?? 0) <= ser) continue;
      index = indexOf(set);
      ser = set.ser ?? 0;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      problem ??= error;
    }
  }
  if (ser < 0) throw fail('platform-keys-bad', { reason: problem?.explain('en').what ?? 'no set was given' }, problem);
  return {
    lookup: (use) => (kid) => index.get(use)?.(kid),
    get ser() {
      return ser;
    },
    adopt(jws) {
      if (root === null) return false;
      const set = read(jws);
      if ((set.ser ?? 0) <= ser) return false;
      index = indexOf(set);
      ser = set.ser ?? 0;
      sources.keep?.(jws);
      return true;
    },
  };
}
