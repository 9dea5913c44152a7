/**
 * HTTP authentication, both sides, without I/O: challenges of `WWW-Authenticate`, the arithmetic of Digest (RFC 7616: MD5,
 * SHA-256, their -sess forms, qop=auth and the old form without qop) and Basic (RFC 7617). The client half answers a
 * challenge; the guard is what a simulated terminal asks with: nonces that expire, stale=true, a lock after wrong tries.
 *
 * Passwords go in and never come out: not in errors, not in what is thrown.
 */
import { createHash } from 'node:crypto';

export interface Challenge {
  /** Lower case: `digest`, `basic`. */
  readonly scheme: string;
  /** Parameter names lower case, values unquoted. */
  readonly params: Readonly<Record<string, string>>;
}

/** Splits `WWW-Authenticate` (several challenges may be joined by commas) or `Authorization`. Never throws; what is no challenge is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: { scheme: string; params: Record<string, string> }[] = [];
  // A parameter, else a word: a word begins the next challenge. The value of a parameter never spans a quote.
  const pattern = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;
  for (const match of header.matchAll(pattern)) {
    const word = (match[1] ?? '').toLowerCase();
    const value = match[2] !== undefined ? match[2].replace(/\\(.)/g, '$1') : match[3];
    if (value === undefined) found.push({ scheme: word, params: {} });
    else {
      const current = found.at(-1);
      if (current) current.params[word] = value;
    }
  }
  return found;
}

export type DigestAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess';
const ALGORITHMS: readonly DigestAlgorithm[] = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess'];

export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | null;
  /** Null: the old form of RFC 2069, without counter. */
  readonly qop: 'auth' | null;
  readonly algorithm: DigestAlgorithm;
  /** The algorithm as the server wrote it; null when it wrote none, then none is sent back. */
  readonly algorithmTold: string | null;
  /** The password was right, only the nonce was old. */
  readonly stale: boolean;
}

/** The first Digest challenge we can answer: the server lists them in the order of its preference (RFC 7616, 3.7). */
export function digestChallenge(challenges: readonly Challenge[]): DigestChallenge | null {
  for (const { scheme, params } of challenges) {
    if (scheme !== 'digest' || params.nonce === undefined) continue;
    const told = params.algorithm ?? null;
    const algorithm = ALGORITHMS.find((one) => one.toLowerCase() === (told ?? 'MD5').toLowerCase());
    const offered = params.qop?.split(',').map((one) => one.trim().toLowerCase());
    if (!algorithm || (offered && !offered.includes('auth') && params.qop !== '')) continue;
    return {
      realm: params.realm ?? '',
      nonce: params.nonce,
      opaque: params.opaque ?? null,
      qop: offered?.includes('auth') ? 'auth' : null,
      algorithm,
      algorithmTold: told,
      stale: params.stale?.toLowerCase() === 'true',
    };
  }
  return null;
}

export interface DigestParts {
  readonly user: string;
  readonly password: string;
  readonly realm: string;
  readonly nonce: string;
  /** Request counter of the nonce, 1 and up. */
  readonly nc: number;
  readonly cnonce: string;
  readonly qop: 'auth' | null;
  readonly algorithm: DigestAlgorithm;
  readonly method: string;
  /** Path with query, as in the request line. */
  readonly uri: string;
}

const counter = (nc: number): string => nc.toString(16).padStart(8, '0');

/** The `response` value, lower-case hex. */
export function digestResponse(parts: DigestParts): string {
  const name = parts.algorithm.startsWith('SHA') ? 'sha256' : 'md5';
  const hash = (text: string): string => createHash(name).update(text, 'utf8').digest('hex');
  const plain = hash(`${parts.user}:${parts.realm}:${parts.password}`);
  const ha1 = parts.algorithm.endsWith('-sess') ? hash(`${plain}:${parts.nonce}:${parts.cnonce}`) : plain;
  const ha2 = hash(`${parts.method}:${parts.uri}`);
  if (parts.qop === null) return hash(`${ha1}:${parts.nonce}:${ha2}`);
  return hash(`${ha1}:${parts.nonce}:${counter(parts.nc)}:${parts.cnonce}:auth:${ha2}`);
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

const quoted = (text: string): string => `"${text.replace(/(["\\])/g, '\\$1')}"`;

/** The `Authorization` header that answers a Digest challenge. */
export function digestAuthorization(
  challenge: DigestChallenge,
  login: Login,
  request: { readonly method: string; readonly uri: string; readonly nc: number; readonly cnonce: string },
): string {
  const response = digestResponse({ ...challenge, ...login, ...request });
  return [
    `Digest username=${quoted(login.user)}`,
    `realm=${quoted(challenge.realm)}`,
    `nonce=${quoted(challenge.nonce)}`,
    `uri=${quoted(request.uri)}`,
    ...(challenge.qop ? [`qop=auth`, `nc=${counter(request.nc)}`, `cnonce=${quoted(request.cnonce)}`] : []),
    `response=${quoted(response)}`,
    ...(challenge.algorithmTold === null ? [] : [`algorithm=${challenge.algorithmTold}`]),
    ...(challenge.opaque === null ? [] : [`opaque=${quoted(challenge.opaque)}`]),
  ].join(', ');
}

export function basicAuthorization(login: Login): string {
  return `Basic ${Buffer.from(`${login.user}:${login.password}`, 'utf8').toString('base64')}`;
}

export interface GuardSetup extends Login {
  readonly realm: string;
  /** What is offered; `both` lists Digest first and takes either. */
  readonly scheme: 'digest' | 'basic' | 'both';
  readonly algorithm?: 'MD5' | 'SHA-256';
  /** A nonce is good for so many requests, then stale=true. */
  readonly nonceUses?: number;
  /** After so many wrong answers everything is refused. */
  readonly lockAfter?: number;
  /** From 0 to 1: the seeded generator of the simulator. */
  readonly random: () => number;
}

export interface Guard {
  /** Null: let in. Else the header to refuse with (status 401). */
  refusal(method: string, uri: string, authorization: string | undefined): { readonly challenge: string } | null;
  /** Wrong answers since the last right one; a request without credentials is none. */
  readonly wrongTries: number;
  readonly locked: boolean;
  /** The account opens again. */
  unlock(): void;
  /** Every nonce given so far is stale from now on. */
  expire(): void;
}

/** The server half, for simulators: strict about realm, uri, nonce and the rising counter. */
export function createGuard(setup: GuardSetup): Guard {
  const uses = new Map<string, number>();
  let wrongTries = 0;
  const locked = (): boolean => setup.lockAfter !== undefined && wrongTries >= setup.lockAfter;

  const refuse = (stale: boolean): { readonly challenge: string } => {
    const nonce = Array.from({ length: 24 }, () => Math.floor(setup.random() * 16).toString(16)).join('');
    uses.set(nonce, 0);
    const digest =
      `Digest qop="auth", realm=${quoted(setup.realm)}, nonce="${nonce}", opaque="", ` +
      `${setup.algorithm === undefined ? '' : `algorithm=${setup.algorithm}, `}stale="${stale ? 'TRUE' : 'FALSE'}"`;
    const basic = `Basic realm=${quoted(setup.realm)}`;
    if (setup.scheme === 'both') return { challenge: `${digest}, ${basic}` };
    return { challenge: setup.scheme === 'basic' ? basic : digest };
  };

  const rightDigest = (params: Readonly<Record<string, string>>, method: string, uri: string): boolean =>
    params.username === setup.user &&
    params.realm === setup.realm &&
    params.uri === uri &&
    params.response ===
      digestResponse({
        ...setup,
        nonce: params.nonce ?? '',
        nc: Number.parseInt(params.nc ?? '0', 16),
        cnonce: params.cnonce ?? '',
        qop: 'auth',
        algorithm: setup.algorithm ?? 'MD5',
        method,
        uri,
      });

  return {
    refusal(method, uri, authorization) {
      if (authorization === undefined) return refuse(false);
      const wrong = (): { readonly challenge: string } => {
        wrongTries += 1;
        return refuse(false);
      };
      if (locked()) return refuse(false);
      if (setup.scheme !== 'digest' && authorization.startsWith('Basic ')) {
        if (authorization !== basicAuthorization(setup)) return wrong();
        wrongTries = 0;
        return null;
      }
      const [given] = parseChallenges(authorization);
      if (given?.scheme !== 'digest' || setup.scheme === 'basic' || !rightDigest(given.params, method, uri))
        return wrong();
      const nonce = given.params.nonce ?? '';
      const nc = Number.parseInt(given.params.nc ?? '0', 16);
      const before = uses.get(nonce);
      if (before === undefined || nc <= before || nc > (setup.nonceUses ?? Infinity)) return refuse(true);
      uses.set(nonce, nc);
      wrongTries = 0;
      return null;
    },
    get wrongTries() {
      return wrongTries;
    },
    get locked() {
      return locked();
    },
    unlock: () => void (wrongTries = 0),
    expire: () => uses.clear(),
  };
}
