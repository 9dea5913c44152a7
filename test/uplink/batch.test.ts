/** Sealing and opening batches: round trips, limits, field sets, tampering, hostile input. */
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { instant } from '../../src/core/time.js';
import type { CreditFact, JsonValue, Numbered } from '../../src/rules/facts.js';
import { checkChain, decodeBatch, inflate, sealBatch, type SealPlan } from '../../src/uplink/batch.js';
import {
  BATCH_JWS_BYTES_MAX,
  batchHash,
  genesisHash,
  keyLookup,
  signJws,
  verifyJws,
} from '../../src/uplink/envelope.js';
import { DEFAULT_FIELD_SET, recordsOf } from '../../src/uplink/records.js';
import { event, gatewaySigner, platformSigner, punch, strangerSigner, vectors } from './support.js';

const keys = keyLookup([gatewaySigner.publicJwk]);
const plan = (facts: readonly Numbered[], changes: Partial<SealPlan> = {}): SealPlan => ({
  upstream: 'city',
  gw: vectors.gw,
  aud: vectors.aud,
  ep: vectors.ep,
  seq: 1,
  prev: genesisHash(vectors.gw, vectors.aud, vectors.ep),
  at: instant(1789000000000),
  facts,
  journalHashAt: (n) => n.toString(16).padStart(64, '0'),
  fields: DEFAULT_FIELD_SET,
  signer: gatewaySigner,
  ...changes,
});
const credit = (n: number, changes: Partial<CreditFact> = {}): Numbered<CreditFact> => ({
  n,
  kind: 'credit',
  id: `C1/T1/2026-09-10`,
  classNo: 'C1',
  traineeNo: 'T1',
  date: '2026-09-10' as CreditFact['date'],
  rev: 1,
  state: 'provisional',
  totalHours: 8,
  policy: { id: 'p', ver: 1, sha256: 'a'.repeat(64) },
  punches: [1],
  result: { presentLessons: 8, ofLessons: 8 },
  ...changes,
});
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.code;
  }
  return 'nothing thrown';
};
const textOf = (jws: string): string =>
  Buffer.from(inflate(verifyJws(jws, { typ: 'att-batch+jws', keys }).payload, 'test')).toString('utf8');

describe('round trip', () => {
  const facts = fc
    .array(
      fc.record({
        kind: fc.constantFrom('punch', 'event', 'credit'),
        user: fc.string({ unit: 'grapheme', maxLength: 24 }),
        offset: fc.option(fc.integer({ min: -1e9, max: 1e9 })),
        seq: fc.option(fc.nat()),
        trainee: fc.option(fc.string({ maxLength: 12 })),
      }),
      { minLength: 1, maxLength: 60 },
    )
    .map((list): Numbered[] =>
      list.map((one, index) => {
        const n = index + 1;
        if (one.kind === 'event') return event(n, { data: { note: one.user } });
        if (one.kind === 'credit') return credit(n, { traineeNo: one.user });
        return punch(n, {
          deviceUserId: one.user,
          offsetMs: one.offset,
          seq: one.seq,
          seqEpoch: one.seq === null ? null : 1,
          traineeNo: one.trainee,
        });
      }),
    );

  test('what is sealed is what is read, record for record', () => {
    fc.assert(
      fc.property(facts, (list) => {
        const sealed = sealBatch(plan(list));
        const batch = decodeBatch(sealed.jws, keys);
        expect(batch.problems).toEqual([]);
        expect(batch.hash).toBe(sealed.hash);
        expect(batch.hash).toBe(batchHash(sealed.jws));
        expect([batch.n0, batch.n1]).toEqual([sealed.n0, sealed.n1]);
        expect(batch.records.map((record) => record.raw)).toEqual(
          JSON.parse(JSON.stringify(recordsOf(list.slice(0, sealed.n1), DEFAULT_FIELD_SET))),
        );
        expect(batch.records.every((record) => record.problem === null)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('any split of the journal into batches is one unbroken chain that covers every number', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (sizes) => {
        let [prev, n, seq] = [genesisHash(vectors.gw, vectors.aud, vectors.ep), 0, 0];
        let head = { seq: 0, hash: prev, n1: 0 };
        for (const size of sizes) {
          seq += 1;
          const list = Array.from({ length: size }, (_, index) => punch(n + index + 1));
          const sealed = sealBatch(plan(list, { seq, prev }));
          const batch = decodeBatch(sealed.jws, keys);
          expect(checkChain(head, batch)).toBeNull();
          if (seq > 1) expect(checkChain({ ...head, hash: 'f'.repeat(64) }, batch)).toBe('chain');
          expect(checkChain({ ...head, n1: head.n1 + 1 }, batch)).toBe('gap');
          [prev, n, head] = [sealed.hash, sealed.n1, { seq, hash: sealed.hash, n1: sealed.n1 }];
        }
      }),
      { numRuns: 30 },
    );
  });

  test('a changed character anywhere is refused', () => {
    const { jws } = sealBatch(plan([punch(1), event(2)]));
    const codes = new Set<string>();
    fc.assert(
      fc.property(
        fc.nat(jws.length - 1),
        fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_', '.', '=', '\n', '\u00e9'),
        (at, char) => {
          fc.pre(jws[at] !== char);
          const code = codeOf(() => decodeBatch(jws.slice(0, at) + char + jws.slice(at + 1), keys));
          codes.add(code);
          expect(code).toMatch(/^jws-/);
        },
      ),
      { numRuns: 500 },
    );
    expect(codes).toContain('jws-signature');
  });

  test('random bytes are refused with an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, dotted) => {
        const text = dotted
          ? `${Buffer.from(bytes).toString('base64url')}.${Buffer.from(bytes).toString('base64url')}.x`
          : Buffer.from(bytes).toString('latin1');
        expect(codeOf(() => decodeBatch(text, keys))).toMatch(/^jws-/);
      }),
    );
  });
});

describe('keys and headers', () => {
  const sign = (header: unknown, payload = gzipSync('{}')): string => {
    const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload.toString('base64url')}`;
    return `${input}.${Buffer.from(gatewaySigner.sign(Buffer.from(input))).toString('base64url')}`;
  };
  const good = { alg: 'EdDSA', kid: gatewaySigner.keyId, typ: 'att-batch+jws', cty: 'att-batch+gzip' };

  test('the newer algorithm name is accepted', () => {
    expect(verifyJws(sign({ ...good, alg: 'Ed25519' }), { typ: 'att-batch+jws', keys }).kid).toBe(gatewaySigner.keyId);
  });
  test.each([
    ['crit', { ...good, crit: ['b64'] }],
    ['zip', { ...good, zip: 'DEF' }],
    ['jwk', { ...good, jwk: strangerSigner.publicJwk }],
    ['another typ', { ...good, typ: 'att-hello+jws' }],
    ['another cty', { ...good, cty: 'att-res+gzip' }],
    ['no cty', { alg: good.alg, kid: good.kid, typ: good.typ }],
    ['HS256', { ...good, alg: 'HS256' }],
    ['no kid', { alg: good.alg, typ: good.typ, cty: good.cty }],
    ['an array', [good]],
    ['null', null],
  ])('%s in the header is refused', (_name, header) => {
    expect(codeOf(() => verifyJws(sign(header), { typ: 'att-batch+jws', keys }))).toBe('jws-header');
  });
  test('a key that is not in the registry is refused', () => {
    const jws = sealBatch(plan([punch(1)], { signer: strangerSigner })).jws;
    expect(codeOf(() => decodeBatch(jws, keys))).toBe('jws-key-unknown');
  });
  test('an ack signed by the gateway key is refused by the platform keys', () => {
    const jws = signJws(gatewaySigner, 'att-ack+jws', '{}');
    expect(codeOf(() => verifyJws(jws, { typ: 'att-ack+jws', keys: keyLookup([platformSigner.publicJwk]) }))).toBe(
      'jws-key-unknown',
    );
  });
});

describe('limits (§18)', () => {
  test('500 records at most', () => {
    expect(sealBatch(plan(Array.from({ length: 700 }, (_, i) => punch(i + 1)))).n1).toBe(500);
  });
  test('500 full punches stay near the size that the protocol expects', () => {
    const list = Array.from({ length: 500 }, (_, i) =>
      punch(i + 1, {
        deviceUserId: `2025${i}`,
        traineeNo: `T${i}`,
        offsetMs: -1840 + i,
        rx: instant(1788999990412 + i * 977),
      }),
    );
    expect(sealBatch(plan(list)).jws.length / 500).toBeLessThan(40);
  });
  test('incompressible records are cut into batches below 96 KiB', () => {
    const list = Array.from({ length: 400 }, (_, i) =>
      event(i + 1, { data: { blob: randomBytes(400).toString('base64') } }),
    );
    const sealed = sealBatch(plan(list));
    expect(sealed.jws.length).toBeLessThanOrEqual(98_304);
    expect(sealed.n1).toBeLessThan(400);
    expect(sealed.n1).toBeGreaterThan(50);
  });
  test('very compressible records do not inflate beyond the limit', () => {
    const list = Array.from({ length: 500 }, (_, i) => event(i + 1, { data: { blob: 'a'.repeat(20_000) } }));
    expect(textOf(sealBatch(plan(list)).jws).length).toBeLessThanOrEqual(3 * 1024 * 1024);
  });
  test('a single record that fits nowhere is sent reduced, with the hash of the whole', () => {
    const sealed = sealBatch(plan([event(1, { data: { blob: randomBytes(200_000).toString('base64') } }), punch(2)]));
    expect(sealed.n1).toBe(1);
    expect(sealed.jws.length).toBeLessThan(BATCH_JWS_BYTES_MAX);
    expect(textOf(sealed.jws)).toMatch(/"cutSha256":"[0-9a-f]{64}"/);
  });
  test('a bomb is stopped while inflating', () => {
    const jws = signJws(gatewaySigner, 'att-batch+jws', gzipSync(Buffer.alloc(5 * 1024 * 1024)), true);
    expect(jws.length).toBeLessThan(20_000);
    expect(codeOf(() => decodeBatch(jws, keys))).toBe('payload-too-big');
  });
  test('a JWS above 131072 bytes is refused unread', () => {
    expect(codeOf(() => decodeBatch('a'.repeat(BATCH_JWS_BYTES_MAX + 1), keys))).toBe('jws-too-big');
  });
  test('a gap in the journal is a bug of ours', () => {
    expect(codeOf(() => sealBatch(plan([punch(1), punch(3)])))).toBe('batch-invalid');
  });
});

describe('field set (requirements §8.4)', () => {
  const person = () => ({ name: '张三', docDigest: 'd'.repeat(64) });
  test('by default no name, document or photo, wherever a writer put one', () => {
    const facts = [
      punch(1),
      credit(2, {
        result: { name: '张三', nested: [{ documentNumber: '15020019900101001X', hours: 4 }], Phone: '13900000000' },
      }),
      event(3, { data: { note: 'ok', traineeName: '张三' } }),
    ];
    const text = textOf(sealBatch(plan(facts, { persons: person })).jws);
    for (const secret of ['张三', '15020019900101001X', '13900000000', 'docDigest']) expect(text).not.toContain(secret);
    expect(text).toContain('"hours":4');
  });
  test('name and digest travel when the settings say so', () => {
    const [record] = recordsOf([punch(1)], { ...DEFAULT_FIELD_SET, name: true, document: true }, person);
    expect(record).toMatchObject({ name: '张三', docDigest: 'd'.repeat(64) });
  });
  test('what is left out is counted, also a whole batch of it', () => {
    const fields = { ...DEFAULT_FIELD_SET, events: false };
    const mixed = decodeBatch(sealBatch(plan([punch(1), event(2), punch(3)], { fields })).jws, keys);
    expect([mixed.omit, mixed.records.length, mixed.problems]).toEqual([1, 2, []]);
    const none = decodeBatch(sealBatch(plan([event(1), event(2)], { fields })).jws, keys);
    expect([none.omit, none.records.length, none.problems]).toEqual([2, 0, []]);
  });
  test('firmware only when it changed', () => {
    const list = [1, 2, 3].map((n) => punch(n, { firmware: n < 3 ? '2.10' : '2.11' }));
    expect(recordsOf(list, DEFAULT_FIELD_SET).map((record) => record.firmware)).toEqual(['2.10', undefined, '2.11']);
  });
});

describe('content never blocks the chain (§8)', () => {
  const seal = (recs: readonly JsonValue[], changes: Record<string, JsonValue> = {}): string =>
    signJws(
      gatewaySigner,
      'att-batch+jws',
      gzipSync(
        JSON.stringify({
          v: 1,
          gw: vectors.gw,
          aud: vectors.aud,
          ep: vectors.ep,
          seq: 1,
          prev: 'a'.repeat(64),
          at: 1,
          n0: 1,
          n1: recs.length,
          journal: { n: recs.length, hash: 'b'.repeat(64) },
          recs,
          ...changes,
        }),
      ),
      true,
    );
  test('unknown kinds and members are kept as they are, bad records are named', () => {
    const weird = { n: 2, k: 'hologram', depth: [1, 2, { x: null }] };
    const batch = decodeBatch(
      seal([
        { ...recordsOf([punch(1)], DEFAULT_FIELD_SET)[0], future: 1 },
        weird,
        { n: 3, k: 'punch' },
        'text',
        { n: 3, k: '__proto__' },
      ]),
      keys,
    );
    expect(batch.records.map((record) => record.problem)).toEqual([null, 'unknown-kind', 'schema', 'schema', 'schema']);
    expect(batch.records[1]?.raw).toEqual(weird);
  });
  test('counts that do not add up are a finding', () => {
    expect(decodeBatch(seal([], { n1: 0 }), keys).problems).toContain('the batch is empty');
    expect(
      decodeBatch(seal([recordsOf([punch(1)], DEFAULT_FIELD_SET)[0] ?? null], { n1: 2 }), keys).problems,
    ).not.toEqual([]);
  });
  test.each(['gw', 'ep', 'seq', 'prev', 'n0', 'recs'])('without %s it has no place in a chain', (member) => {
    expect(codeOf(() => decodeBatch(seal([], { [member]: null }), keys))).toBe('payload-unreadable');
  });
});
