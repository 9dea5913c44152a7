/** Signatures of layers: a good one lets a class use a layer; a changed value, another key, a bad form and none do not. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withSignature } from '../../src/commands/policy.js';
import { GatewayError } from '../../src/core/errors.js';
import { openPolicies, readPolicyText, sitePolicyFaults, type Policies } from '../../src/policies.js';
import { contentOf } from '../../src/rules/policy-layers.js';
import { checkSignature, policyKeys, policySigner, type PolicySigner } from '../../src/rules/policy-signature.js';

let dir = '';
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'rollcall-signature-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function newSigner(): PolicySigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = policySigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  if (signer === null) throw new Error('no signer');
  return signer;
}

const county = newSigner();
const LAYER = `# 固阳县
extends: baotou-2023
id: county
version: 1
basis: ["固人社发〔2026〕12号"]
effectiveFrom: 2026-03-01
thresholds: { attendancePercent: 85, examPercent: null } # 第三条
`;

function put(text: string): string {
  const file = join(dir, 'county.yaml');
  writeFileSync(file, text);
  return file;
}

function signed(text: string, signer = county): string {
  const found = readPolicyText(put(text), false);
  if ('faults' in found) throw new Error('not a layer');
  return withSignature(text, signer.sign(contentOf(found)));
}

function open(text: string, keys: readonly PolicySigner[] | string | null = [county]): Policies {
  put(text);
  const keysFile = join(dir, 'keys.json');
  const set = typeof keys === 'string' ? keys : JSON.stringify({ keys: (keys ?? []).map((one) => one.jwk) });
  writeFileSync(keysFile, set);
  return openPolicies({ site: 'county', dir, keysFile: keys === null ? null : keysFile });
}

function refusal(policies: Policies): readonly [string, unknown] {
  try {
    policies.get(null);
  } catch (error) {
    if (error instanceof GatewayError) return [error.code, error.context.reason];
    throw error;
  }
  return ['used', ''];
}

test('a signed layer is used, and the result says who signed it', () => {
  const policy = open(signed(LAYER)).get('county');
  expect(policy?.thresholds.attendancePercent).toBe(85);
  expect(policy?.layers?.map((one) => one.signedBy)).toEqual([null, county.keyId]);
});

test('comments, order and spaces may change under a signature', () => {
  const [head = '', ...rest] = signed(LAYER).split('\n');
  const text = `${rest
    .filter((line) => line !== '')
    .reverse()
    .join('\n')}\n\n${head} 2026\n`;
  expect(refusal(open(text))).toEqual(['used', '']);
});

test.each([
  ['a value', (text: string) => text.replace('85', '60'), 'policy-unsigned', /changed after signing/],
  ['what is taken away', (text: string) => text.replace(', examPercent: null', ''), 'policy-unsigned', /changed after/],
  [
    'a key more',
    (text: string) => text.replace('thresholds', 'makeup: { allowed: false }\nthresholds'),
    'policy-unsigned',
    /changed/,
  ],
  [
    'the version',
    (text: string) => text.replace('version: 1', 'version: 2'),
    'policy-unsigned',
    /changed after signing/,
  ],
  ['the signature', (text: string) => text.replace(/\.\.[A-Za-z0-9_-]{4}/, '..AAAA'), 'policy-unsigned', /changed/],
  ['its form', (text: string) => text.replace('..', '.e30.'), 'policy-unsigned', /not of the form/],
  ['that it is there', (text: string) => text.replace(/^signature.*$/m, ''), 'policy-unsigned', /no signature/],
])('a layer is refused when somebody changed %s', (_what, change, code, reason) => {
  const [found, why] = refusal(open(change(signed(LAYER))));
  expect(found).toBe(code);
  expect(why).toMatch(reason);
});

test('only keys of the set sign; without a set nobody does', () => {
  expect(refusal(open(signed(LAYER, newSigner())))[1]).toMatch(/nobody in policy.keysFile has the key/);
  expect(refusal(open(signed(LAYER), []))[1]).toMatch(/nobody in policy.keysFile/);
  expect(refusal(open(signed(LAYER), null))[1]).toMatch(/policy.keysFile is not set/);
  expect(refusal(open(signed(LAYER), [newSigner(), county]))).toEqual(['used', '']);
});

test.each(['', '{}', '{"keys":[{"kty":"RSA"}]}', '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"short"}]}', '[]'])(
  'a key set %j is refused, and presets are used all the same',
  (set) => {
    const policies = open(signed(LAYER), set);
    expect(refusal(policies)[0]).toBe('policy-keys-bad');
    expect(policies.faults()[0]).toMatchObject({ code: 'policy-keys-bad', path: 'policy.keysFile' });
    expect(policies.get('baotou-2023')?.id).toBe('baotou-2023');
  },
);

test('faults of the site policy are errors, those of a layer nobody asked for are warnings', () => {
  const own = open(LAYER);
  expect(sitePolicyFaults(own)).toMatchObject([{ code: 'policy-unsigned', severity: 'error', path: 'signature' }]);
  const keysFile = join(dir, 'keys.json');
  const other = openPolicies({ site: 'baotou-2023', dir, keysFile });
  expect(sitePolicyFaults(other)).toMatchObject([{ code: 'policy-unsigned', severity: 'warning' }]);
});

test('a header is exactly the one that is written', () => {
  const found = readPolicyText(put(signed(LAYER)), false);
  if ('faults' in found) throw new Error('not a layer');
  const content = contentOf(found);
  const keys = policyKeys({ keys: [county.jwk] });
  expect(checkSignature(content, keys)).toEqual({ state: 'good', keyId: county.keyId });
  const [head = '', tail = ''] = String(content.signature).split('..');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
  expect(header).toEqual({ alg: 'EdDSA', kid: county.keyId, typ: 'rollcall-policy+jws' });
  for (const change of [
    { alg: 'none' },
    { alg: 'HS256' },
    { typ: 'att-batch+jws' },
    { crit: ['x'] },
    { kid: 7 },
    { jwk: county.jwk },
  ]) {
    const text = Buffer.from(JSON.stringify({ ...header, ...change })).toString('base64url');
    expect(checkSignature({ ...content, signature: `${text}..${tail}` }, keys).state).toBe('unread');
  }
});

test('a file that is no Ed25519 private key makes no signer', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(policySigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).toBeNull();
  expect(policySigner(publicKey.export({ type: 'spki', format: 'pem' }).toString())).toBeNull();
  expect(policySigner('nothing')).toBeNull();
});
