/**
 * Verification of what a QR code on our paper holds (R87): a compact JWS over the summary of a trainee or of an attendance table,
 * checked with the gateway's public key and without network. Says plainly which of three it is: genuine, changed or signed by
 * another key, or not signed at all.
 */
import { CLAIMS, isSigned, TOKEN_TYPES, UNSIGNED_PREFIX, type TokenType } from '../exports/token.js';
import { GatewayError } from '../core/errors.js';
import { keyLookup, verifyJws, type PublicJwk } from '../uplink/envelope.js';

export interface TokenFault {
  readonly code: 'unsigned' | 'no-keys' | 'key' | 'sig' | 'malformed' | 'claims';
  readonly zh: string;
  readonly en: string;
}

export interface VerifiedToken {
  readonly ok: boolean;
  readonly kind: 'trainee' | 'table' | 'digest';
  /** What the token says; only with `ok` it is proven to come from the gateway. */
  readonly claims: Readonly<Record<string, unknown>> | null;
  readonly kid: string | null;
  readonly firstFault: TokenFault | null;
}

const FAULTS: Readonly<Record<TokenFault['code'], Omit<TokenFault, 'code'>>> = {
  unsigned: {
    zh: '此二维码只有数据摘要，没有签名，不能证明出自哪台网关。',
    en: 'This code holds a digest only and no signature; it does not prove which gateway it comes from.',
  },
  'no-keys': {
    zh: '没有公钥，签名未核对。请用 --keys 指定网关的公钥文件。',
    en: "Without a public key the signature was not checked. Give --keys with the file of the gateway's public key.",
  },
  key: {
    zh: '公钥文件中没有签发此凭证的密钥：不是这台网关签发，或公钥文件不对。',
    en: 'The key that signed this is not in the key file: another gateway signed it, or it is the wrong file.',
  },
  sig: {
    zh: '签名不符：内容在签发后被改动，不可采信。',
    en: 'The signature does not fit: the content was changed after it was signed. Do not rely on it.',
  },
  malformed: {
    zh: '不是完整的凭证：可能扫描不全或复制时断行。请重新扫描。',
    en: 'This is not a whole token: perhaps it was not scanned to the end, or broken into lines. Scan it again.',
  },
  claims: {
    zh: '签名属实，但内容的写法不是本版本所知。请用较新的版本核验。',
    en: 'The signature is genuine, but the content has a form that this version does not know. Use a newer one.',
  },
};

const KINDS: Readonly<Record<TokenType, 'trainee' | 'table'>> = {
  'rollcall-trainee+jws': 'trainee',
  'rollcall-table+jws': 'table',
};

/** Whether a line of text is meant as one of our tokens, genuine or not. */
export function isToken(line: string): boolean {
  return line.startsWith(UNSIGNED_PREFIX) || typeOf(line) !== null;
}

/** The type in the header, which is checked again with the signature. */
function typeOf(line: string): TokenType | null {
  if (line.length > 4096) return null;
  try {
    const header: unknown = JSON.parse(Buffer.from(line.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
    const typ = typeof header === 'object' && header !== null && 'typ' in header ? header.typ : null;
    return TOKEN_TYPES.find((one) => one === typ) ?? null;
  } catch {
    return null;
  }
}

/** One token. Never throws for what it is given. */
export function verifyToken(line: string, keys: readonly PublicJwk[] | null): VerifiedToken {
  const token = line.trim();
  if (!isSigned(token)) {
    const claims = { digest: token.slice(UNSIGNED_PREFIX.length) };
    return { ok: false, kind: 'digest', claims, kid: null, firstFault: fault('unsigned') };
  }
  const typ = typeOf(token);
  if (typ === null) return { ok: false, kind: 'digest', claims: null, kid: null, firstFault: fault('malformed') };
  const kind = KINDS[typ];
  const said = claimsOf(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
  const no = (code: TokenFault['code']): VerifiedToken => ({
    ...{ ok: false, kind, claims: said, kid: null },
    firstFault: fault(code),
  });
  if (keys === null) return no('no-keys');
  try {
    const { kid, payload } = verifyJws(token, { typ, keys: keyLookup(keys) });
    const claims = CLAIMS[typ].safeParse(claimsOf(payload));
    if (!claims.success) return { ...no('claims'), kid };
    return { ok: true, kind, claims: claims.data, kid, firstFault: null };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return no(error.code === 'jws-signature' ? 'sig' : error.code === 'jws-key-unknown' ? 'key' : 'malformed');
  }
}

const fault = (code: TokenFault['code']): TokenFault => ({ code, ...FAULTS[code] });

function claimsOf(payload: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

/** A file of tokens, one a line: the one result, or `tokens` when there are several. Words go to `say`. */
export function verifyTokenFile(
  lines: readonly string[],
  keys: readonly PublicJwk[] | null,
  say: (line: string) => void,
): { readonly ok: boolean } & Readonly<Record<string, unknown>> {
  const found = lines.map((line) => verifyToken(line, keys));
  for (const one of found) say(wordsOf(one));
  const [first] = found;
  return found.length === 1 && first !== undefined ? { ...first } : { ok: found.every(({ ok }) => ok), tokens: found };
}

function wordsOf({ ok, kind, claims, firstFault }: VerifiedToken): string {
  if (!ok || claims === null) return firstFault === null ? '' : `${firstFault.zh} ${firstFault.en}`;
  const who = kind === 'trainee' ? `学员 trainee ${String(claims.trainee)}` : `${String(claims.people)} 人 people`;
  return `签名属实：班级 ${String(claims.class)}，${who}。请与纸面核对。 Genuine: class ${String(claims.class)}; compare with the paper.`;
}
