/**
 * The platform's registry of gateway keys: who may sign what, and from which batch to which (upstream §3, §11).
 *
 * Promises: a key and its algorithm come from the registry alone, by `(gw, kid)`. A place in a gateway's history is
 * (ordinal of the epoch, seq); a rotation ends the old key at the batch that carries the event and starts the new one
 * right after it. Refuses a rotation whose proof of possession does not fit.
 */
import {
  keyIdOf,
  registeredKey,
  verifyJws,
  type KeyLookup,
  type MessageType,
  type PublicJwk,
  type RegisteredKey,
} from '../uplink/envelope.js';
import { parsePayload, publicJwkSchema } from '../uplink/messages.js';
import { z } from 'zod';
import type { PlatformStore } from './store.js';

/** A place in the history of one gateway. */
export interface Place {
  readonly ord: number;
  readonly seq: number;
}

export interface Rotation {
  readonly gw: string;
  readonly ep: string;
  readonly n: number;
  readonly oldKid: string;
  /** The event record as it was signed. */
  readonly record: unknown;
}

export interface Keyring {
  /** All keys ever registered for a gateway, ended ones too; whether a key was valid at a place is asked separately. */
  lookup(gw: string): KeyLookup;
  validAt(gw: string, kid: string, place: Place): boolean;
  /** Registers the new key of a rotation; returns what is wrong with it, or null. */
  rotate(rotation: Rotation, at: Place): string | null;
}

const before = (a: Place, b: Place): boolean => a.ord < b.ord || (a.ord === b.ord && a.seq < b.seq);

const keyEvent = z.object({ jwk: publicJwkSchema, pop: z.string().max(4096) });
const proof = z.object({ gw: z.string(), ep: z.string(), oldKid: z.string(), n: z.number() });
const headerTyp = z.object({ typ: z.string().startsWith('att-') });

/** The protocol names no `typ` for a proof of possession, so any of ours is taken; its members cannot be mistaken. */
function proofIsGood(pop: string, jwk: PublicJwk, rotation: Rotation): boolean {
  try {
    const header = headerTyp.parse(
      JSON.parse(Buffer.from(pop.slice(0, Math.max(0, pop.indexOf('.'))), 'base64url').toString('utf8')),
    );
    const key = registeredKey(jwk);
    const verified = verifyJws(pop, {
      typ: header.typ as MessageType,
      keys: (kid) => (kid === key.kid ? key : undefined),
    });
    const said = parsePayload(proof, verified.payload, 'a proof of possession');
    return (
      said.gw === rotation.gw && said.ep === rotation.ep && said.oldKid === rotation.oldKid && said.n === rotation.n
    );
  } catch {
    return false;
  }
}

export function createKeyring(store: PlatformStore): Keyring {
  const objects = new Map<string, RegisteredKey>();
  return {
    lookup: (gw) => (kid) => {
      const row = store.key(gw, kid);
      if (!row) return undefined;
      const known = objects.get(row.x);
      if (known) return known;
      const made = registeredKey({ kty: 'OKP', crv: 'Ed25519', x: row.x });
      objects.set(row.x, made);
      return made;
    },
    validAt(gw, kid, place) {
      const row = store.key(gw, kid);
      if (!row) return false;
      if (before(place, { ord: row.from_ord, seq: row.from_seq })) return false;
      return row.to_ord === null || row.to_seq === null || !before({ ord: row.to_ord, seq: row.to_seq }, place);
    },
    rotate(rotation, at) {
      const event = keyEvent.safeParse(rotation.record);
      if (!event.success) return 'key event without a usable jwk and pop';
      const { jwk, pop } = event.data;
      if (!proofIsGood(pop, jwk, rotation)) return 'key event with a wrong proof of possession';
      if (!store.addKey(rotation.gw, keyIdOf(jwk), jwk.x, at.ord, at.seq + 1))
        return 'key event for a key that is registered already';
      store.endKey(rotation.gw, rotation.oldKid, at.ord, at.seq);
      return null;
    },
  };
}
