/** The summary in a QR code: what it says, and that wrong key, change and missing signature are each told plainly. */
import { describe, expect, test } from 'vitest';
import { isToken, verifyToken, verifyTokenFile } from '../../src/commands/verify-token.js';
import { qrMatrix } from '../../src/exports/qr.js';
import { tableToken, unsignedToken, type SignToken } from '../../src/exports/token.js';
import { traineeRecord } from '../../src/exports/trainee-record.js';
import { signerFromSeed, signJws } from '../../src/uplink/envelope.js';
import { attendanceFixture, HARD_NAMES } from './fixture.js';

const signer = signerFromSeed(new Uint8Array(32).fill(7));
const other = signerFromSeed(new Uint8Array(32).fill(8));
const sign: SignToken = (typ, payload) => signJws(signer, typ, payload);
const keys = [signer.publicJwk];

const table = attendanceFixture(9);
const ofTable = tableToken(table, sign);
const ofTrainee = traineeRecord(table, 'BT26031001', () => [], sign)?.token ?? '';

describe('a signed summary', () => {
  test('of a trainee is genuine and says the hours of the record', () => {
    const found = verifyToken(ofTrainee, keys);
    expect(found).toMatchObject({ ok: true, kind: 'trainee', kid: signer.keyId, firstFault: null });
    const person = table.people[0];
    expect(found.claims).toMatchObject({
      class: table.classNo,
      trainee: 'BT26031001',
      hours: { total: person?.totalHours, required: 92 },
      percent: person?.percent,
      policy: table.policy,
    });
  });

  test('of a table is genuine and says how many people and hours it sums up', () => {
    const found = verifyToken(`${ofTable}\n`, keys);
    expect(found).toMatchObject({ ok: true, kind: 'table' });
    expect(found.claims).toMatchObject({ people: 9, from: '2026-03-02', to: '2026-03-17', digest: table.digest });
  });

  test('holds no name and no document number, and fits into a code that paper can carry', () => {
    for (const token of [ofTrainee, ofTable]) {
      const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
      for (const name of HARD_NAMES) expect(payload).not.toContain(name);
      expect(payload).not.toContain('1502');
      expect(qrMatrix(token).size).toBeLessThanOrEqual(113);
    }
  });
});

describe('what is not genuine', () => {
  const changed = (token: string): string => {
    const [head = '', body = '', tail = ''] = token.split('.');
    const claims = Buffer.from(body, 'base64url').toString('utf8').replace('"total":', '"total":1');
    return `${head}.${Buffer.from(claims).toString('base64url')}.${tail}`;
  };
  const cases: readonly (readonly [string, string, typeof keys | null, string])[] = [
    ['changed after it was signed', changed(ofTrainee), keys, 'sig'],
    ['signed by another key', signJws(other, 'rollcall-table+jws', '{}'), keys, 'key'],
    ['another key file', ofTrainee, [other.publicJwk], 'key'],
    ['cut off', ofTrainee.slice(0, -4), keys, 'malformed'],
    ['no key file', ofTrainee, null, 'no-keys'],
    ['a digest only', unsignedToken(table.digest), keys, 'unsigned'],
    ['genuine in a form that is not known', sign('rollcall-trainee+jws', '{"v":2}') ?? '', keys, 'claims'],
  ];
  test.each(cases)('%s is told', (_, token, given, code) => {
    const found = verifyToken(token, given);
    expect(found.ok).toBe(false);
    expect(found.firstFault?.code).toBe(code);
    expect(found.firstFault?.zh).toMatch(/[。]$/);
    expect(found.firstFault?.en).toMatch(/[.]$/);
  });

  test('a token of one kind is not taken for the other', () => {
    const [, body = '', tail = ''] = ofTrainee.split('.');
    const head = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: signer.keyId, typ: 'rollcall-table+jws' }));
    expect(verifyToken(`${head.toString('base64url')}.${body}.${tail}`, keys).firstFault?.code).toBe('sig');
  });
});

test('our tokens are known from batches, and several lines are judged together', () => {
  expect([ofTrainee, ofTable, unsignedToken(table.digest)].map(isToken)).toEqual([true, true, true]);
  expect([signJws(signer, 'att-hello+jws', '{}'), '{"kind":"x"}', '', 'abc.def'].map(isToken)).toEqual([
    ...[false, false, false, false],
  ]);
  const said: string[] = [];
  expect(verifyTokenFile([ofTrainee, ofTable], keys, (line) => said.push(line)).ok).toBe(true);
  expect(verifyTokenFile([ofTrainee, `${ofTable}A`], keys, (line) => said.push(line)).ok).toBe(false);
  expect(said).toHaveLength(4);
});
