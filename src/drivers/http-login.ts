/**
 * The login of an HTTP client over the life of a session: which header goes with the next request, and what a 401 means. A
 * nonce is used again with a rising counter; one that grew old is replaced once and costs no try. After two real refusals
 * nothing more is sent, for good: terminals lock the account after a few. Basic is sent only where nothing else is offered or
 * the setting says so.
 */
import { randomBytes } from 'node:crypto';
import { fail } from '../core/errors.js';
import {
  basicAuthorization,
  digestAuthorization,
  digestChallenge,
  parseChallenges,
  type DigestChallenge,
  type Login,
} from './digest.js';

export interface HttpLogin {
  /** The `Authorization` header of the next request; null: none. Throws `auth-refused` once refused twice. */
  header(method: string, uri: string): string | null;
  /** The terminal has let us in. */
  accepted(): void;
  /** A 401 with this `WWW-Authenticate` to a request that carried `sent`. Throws `auth-refused` when there is no use in asking again. */
  challenged(header: string, sent: string | null, staleBefore: boolean): 'fresh' | 'stale';
}

const REFUSALS_MAX = 2;

export function createHttpLogin(login: Login | null, scheme: 'auto' | 'digest' | 'basic'): HttpLogin {
  let digest: DigestChallenge | null = null;
  let basic = scheme === 'basic';
  let nc = 0;
  let refusals = 0;
  const cnonce = randomBytes(4).toString('hex');
  return {
    header(method, uri) {
      if (login === null) return null;
      if (refusals >= REFUSALS_MAX) throw fail('auth-refused');
      if (digest) {
        nc += 1;
        return digestAuthorization(digest, login, { method, uri, nc, cnonce });
      }
      return basic ? basicAuthorization(login) : null;
    },
    accepted() {
      refusals = 0;
    },
    challenged(header, sent, staleBefore) {
      const offered = parseChallenges(header);
      const challenge = scheme === 'basic' ? null : digestChallenge(offered);
      const stale = sent !== null && challenge?.stale === true && !staleBefore;
      if (sent !== null && !stale) refusals += 1;
      if (challenge) {
        digest = challenge;
        nc = 0;
      } else if (scheme !== 'digest' && offered.some((one) => one.scheme === 'basic')) {
        digest = null;
        basic = true;
      } else refusals = REFUSALS_MAX;
      if (refusals >= REFUSALS_MAX) throw fail('auth-refused');
      return stale ? 'stale' : 'fresh';
    },
  };
}
