/** HTTP authentication: worked examples of the RFC and of a terminal, headers as devices write them, and a strict guard. */
import { describe, expect, test } from 'vitest';
import {
  basicAuthorization,
  createGuard,
  digestAuthorization,
  digestChallenge,
  digestResponse,
  parseChallenges,
} from '../../src/drivers/digest.js';
import { seededRandom } from '../../src/drivers/faults.js';

describe('arithmetic', () => {
  const rfc = {
    user: 'Mufasa',
    password: 'Circle of Life',
    realm: 'http-auth@example.org',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    nc: 1,
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    qop: 'auth',
    method: 'GET',
    uri: '/dir/index.html',
  } as const;

  test('RFC 7616, 3.9.1: MD5 and SHA-256', () => {
    expect(digestResponse({ ...rfc, algorithm: 'MD5' })).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(digestResponse({ ...rfc, algorithm: 'SHA-256' })).toBe(
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  test('RFC 2617, 3.5, and the older form without counter', () => {
    const old = {
      user: 'Mufasa',
      password: 'Circle Of Life',
      realm: 'testrealm@host.com',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      nc: 1,
      cnonce: '0a4f113b',
      algorithm: 'MD5',
      method: 'GET',
      uri: '/dir/index.html',
    } as const;
    expect(digestResponse({ ...old, qop: 'auth' })).toBe('6629fae49393a05397450978507c4ef1');
    expect(digestResponse({ ...old, qop: null })).toBe('670fd8c2df070c60b045671b8b24ff02');
  });

  test('the worked example of a DS-K1T', () => {
    const response = digestResponse({
      user: 'admin',
      password: 'Class-1234',
      realm: 'DS-TEST0001',
      nonce: '4d6a41794e54417a4d6a4d3d',
      nc: 1,
      cnonce: '0a4f113b',
      qop: 'auth',
      algorithm: 'MD5',
      method: 'GET',
      uri: '/ISAPI/System/deviceInfo',
    });
    expect(response).toBe('b0d6dc6fc7bc513ee3930524edac77a1');
  });
});

describe('challenges', () => {
  test('several in one header, quotes with commas and escapes inside', () => {
    const header =
      'Digest qop="auth", realm="a, \\"b\\" = c", nonce="n1", stale=TRUE, algorithm=MD5, opaque="", Basic realm="DS-1"';
    const found = parseChallenges(header);
    expect(found.map((one) => one.scheme)).toEqual(['digest', 'basic']);
    expect(digestChallenge(found)).toEqual({
      realm: 'a, "b" = c',
      nonce: 'n1',
      opaque: '',
      qop: 'auth',
      algorithm: 'MD5',
      algorithmTold: 'MD5',
      stale: true,
    });
    expect(digestChallenge(parseChallenges('Basic realm="x"'))).toBeNull();
    expect(digestChallenge(parseChallenges('Digest realm="x", nonce="n", algorithm=TOKEN'))).toBeNull();
  });

  test('the first that can be answered is taken', () => {
    const header =
      'Digest realm="r", nonce="1", algorithm=SHA-512-256, Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth,auth-int"';
    expect(digestChallenge(parseChallenges(header))).toMatchObject({ nonce: '2', algorithm: 'SHA-256', qop: 'auth' });
  });

  test('strange headers raise nothing', () => {
    for (const odd of ['', ',,,', 'Digest', 'Digest =', '"', 'Digest nonce="unended', '\u0000'])
      expect(() => digestChallenge(parseChallenges(odd))).not.toThrow();
  });
});

describe('guard', () => {
  const login = { user: 'admin', password: 'Class-1234' };
  const answer = (challenge: string, nc: number, password = login.password, uri = '/a?b=1'): string => {
    const digest = digestChallenge(parseChallenges(challenge));
    if (!digest) throw new Error('no challenge');
    return digestAuthorization(digest, { ...login, password }, { method: 'GET', uri, nc, cnonce: 'c1' });
  };
  const guard = (extra: Partial<Parameters<typeof createGuard>[0]> = {}) =>
    createGuard({ ...login, realm: 'r', scheme: 'digest', random: seededRandom(1), ...extra });

  test.each([undefined, 'MD5', 'SHA-256'] as const)('lets in who knows the password: %s', (algorithm) => {
    const door = guard(algorithm ? { algorithm } : {});
    const { challenge = '' } = door.refusal('GET', '/a?b=1', undefined) ?? {};
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1))).toBeNull();
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 2))).toBeNull();
    expect(door.wrongTries).toBe(0);
  });

  test('a counter that does not rise, and a nonce that was used up, are stale and no wrong try', () => {
    const door = guard({ nonceUses: 2 });
    const { challenge = '' } = door.refusal('GET', '/a?b=1', undefined) ?? {};
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1))).toBeNull();
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1))?.challenge).toContain('stale="TRUE"');
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 3))?.challenge).toContain('stale="TRUE"');
    expect(door.wrongTries).toBe(0);
  });

  test('another path, another password: wrong tries, and then locked', () => {
    const door = guard({ lockAfter: 2 });
    const { challenge = '' } = door.refusal('GET', '/a?b=1', undefined) ?? {};
    expect(door.refusal('GET', '/other', answer(challenge, 1))).not.toBeNull();
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1, 'wrong'))).not.toBeNull();
    expect(door.locked).toBe(true);
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1))).not.toBeNull();
    door.unlock();
    expect(door.refusal('GET', '/a?b=1', answer(challenge, 1))).toBeNull();
  });

  test('Basic only where it is offered', () => {
    expect(guard({ scheme: 'basic' }).refusal('GET', '/', basicAuthorization(login))).toBeNull();
    expect(guard({ scheme: 'both' }).refusal('GET', '/', basicAuthorization(login))).toBeNull();
    expect(guard().refusal('GET', '/', basicAuthorization(login))).not.toBeNull();
  });
});
