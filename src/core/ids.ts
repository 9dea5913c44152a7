/** Random and branded identifiers. The forms are those of the upstream protocol, section 2. */
import { randomBytes } from 'node:crypto';

/** Journal number: rises by one for every fact of every kind, without gaps, from 1. */
export type N = number & { readonly __brand: 'N' };
/** Gateway id: `gw` and 8 to 20 of `0-9a-hjkmnp-tv-z`; also MQTT client id and user name. */
export const GATEWAY_ID = /^gw[0-9a-hjkmnp-tv-z]{8,20}$/;
/** Routing word of a zone, normally the district code. */
export const ZONE_WORD = /^[a-z0-9-]{1,32}$/;
/** Upstream epoch: 32 hex digits chosen at random. */
export const EPOCH = /^[0-9a-f]{32}$/;

/** `bytes` random bytes as lower-case hex. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
