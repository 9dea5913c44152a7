/** Every published vector, good and bad, and our own sealing against the published payloads. */
import { describe, expect, test } from 'vitest';
import { instant } from '../../src/core/time.js';
import { GatewayError } from '../../src/core/errors.js';
import { checkChain, decodeBatch, inflate, sealBatch } from '../../src/uplink/batch.js';
import { DEFAULT_FIELD_SET } from '../../src/uplink/records.js';
import { batchHash, genesisHash, keyIdOf, keyLookup, verifyJws } from '../../src/uplink/envelope.js';
import { ackSchema, checkAck, parsePayload } from '../../src/uplink/messages.js';
import { gatewaySigner, platformSigner, punch, vectors } from './support.js';

const gatewayKeys = keyLookup([vectors.gatewayKey]);
const platformKeys = keyLookup([vectors.platformKey]);
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    return (error as GatewayError).code;
  }
  return 'nothing thrown';
};

describe('published vectors', () => {
  test('key ids are thumbprint prefixes', () => {
    expect(keyIdOf(vectors.gatewayKey)).toBe(vectors.gatewayKey.kid);
    expect(keyIdOf(vectors.platformKey)).toBe(vectors.platformKey.kid);
    expect(gatewaySigner.publicJwk.x).toBe(vectors.gatewayKey.x);
    expect(platformSigner.keyId).toBe(vectors.platformKey.kid);
  });

  test('genesis hash', () => {
    expect(genesisHash(vectors.gw, vectors.aud, vectors.ep)).toBe(vectors.genesis);
  });

  test.each(vectors.batches.map((batch, index) => [index + 1, batch] as const))('batch %i verifies', (seq, batch) => {
    const verified = verifyJws(batch.jws, { typ: 'att-batch+jws', keys: gatewayKeys });
    expect(verified.hash).toBe(batch.hash);
    expect(batchHash(batch.jws)).toBe(batch.hash);
    expect(Buffer.from(inflate(verified.payload, 'test')).toString('utf8')).toBe(batch.payload);
    const decoded = decodeBatch(batch.jws, gatewayKeys);
    expect(decoded.seq).toBe(seq);
    expect(decoded.problems).toEqual([]);
    expect(decoded.records.map((record) => record.problem)).toEqual(decoded.records.map(() => null));
  });

  test('the two batches are chained', () => {
    const [one, two] = vectors.batches.map((batch) => decodeBatch(batch.jws, gatewayKeys));
    if (!one || !two) throw new Error('two batches');
    expect(checkChain({ seq: 0, hash: vectors.genesis, n1: 0 }, one)).toBeNull();
    expect(checkChain({ seq: 1, hash: one.hash, n1: one.n1 }, two)).toBeNull();
  });

  test('acknowledgement verifies and moves the head', () => {
    const verified = verifyJws(vectors.ack.jws, { typ: 'att-ack+jws', keys: platformKeys });
    expect(Buffer.from(verified.payload).toString('utf8')).toBe(vectors.ack.payload);
    const ack = parsePayload(ackSchema, verified.payload, 'an ack');
    const hashOf = (seq: number): string | null => vectors.batches[seq - 1]?.hash ?? null;
    expect(checkAck(ack, { gw: vectors.gw, ep: vectors.ep, ackedSeq: 0, headSeq: 2, hashOf, sid: 'test' })).toBe(
      'moved',
    );
  });

  test.each(vectors.mustFail.map((bad) => [bad.why, bad] as const))('must fail: %s', (_why, bad) => {
    if (bad.stage === 'chain') {
      const first = vectors.batches[0];
      const decoded = decodeBatch(bad.jws, gatewayKeys);
      expect(checkChain({ seq: 1, hash: first?.hash ?? '', n1: 1 }, decoded)).toBe('chain');
    } else {
      expect(codeOf(() => decodeBatch(bad.jws, gatewayKeys))).toBe(`jws-${bad.stage}`);
    }
  });

  test('sealing the first vector from facts gives its payload, byte for byte', () => {
    const expected = vectors.batches[0];
    const sealed = sealBatch({
      upstream: 'city',
      gw: vectors.gw,
      aud: vectors.aud,
      ep: vectors.ep,
      seq: 1,
      prev: vectors.genesis,
      at: instant(1789000001000),
      facts: [punch(1)],
      journalHashAt: () => '588e06f2251849c89142b79c5c769354adfe2450864b3effe8e0649547681d5b',
      fields: DEFAULT_FIELD_SET,
      signer: gatewaySigner,
    });
    const verified = verifyJws(sealed.jws, { typ: 'att-batch+jws', keys: gatewayKeys });
    expect(Buffer.from(inflate(verified.payload, 'test')).toString('utf8')).toBe(expected?.payload);
    expect(sealed.jws.split('.')[0]).toBe(expected?.jws.split('.')[0]);
  });
});
