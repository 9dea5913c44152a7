import { describe, expect, test } from 'vitest';
import { signJws } from '../../src/uplink/envelope.js';
import { verifyBatchFile } from '../../src/platform/verify-batches.js';
import { createTestGateway, EP, EP2, GW, NOW, punch, seedSigner, type TestGateway } from './bench.js';

const city = seedSigner('test key: platform');
const keys = { gateway: [seedSigner('test key: gateway').publicJwk], platform: [city.publicJwk] };

function ack(gateway: TestGateway, through: number, hash: string, signer = city): string {
  return signJws(signer, 'att-ack+jws', JSON.stringify({ v: 1, gw: GW, ep: gateway.ep, through, hash, at: NOW }));
}

describe('verification of a file of batches', () => {
  test('a whole chain with keys is good, and acknowledgements in the file anchor it', () => {
    const gateway = createTestGateway();
    const [one, two, three] = [gateway.seal(), gateway.seal({ omit: 2 }), gateway.seal()];
    const lines = [one.jws, two.jws, '', ack(gateway, 2, two.hash), `${three.jws}\r`];
    expect(verifyBatchFile(lines, keys)).toEqual({
      ok: true,
      records: 9,
      batches: 3,
      head: { gw: GW, ep: EP, seq: 3, hash: three.hash },
      anchoredUpTo: 2,
      firstFault: null,
      signaturesChecked: true,
    });
  });

  test('without keys the chain is checked and the result says that signatures were not', () => {
    const gateway = createTestGateway({ signer: seedSigner('anyone') });
    const [one, two] = [gateway.seal(), gateway.seal()];
    expect(verifyBatchFile([one.jws, two.jws])).toMatchObject({
      ok: true,
      batches: 2,
      signaturesChecked: false,
      anchoredUpTo: 0,
      head: { hash: two.hash },
    });
    expect(verifyBatchFile([two.jws, one.jws])).toMatchObject({
      ok: false,
      firstFault: { line: 2, seq: 1, code: 'chain' },
    });
  });

  test('each way of tampering is found at its line', () => {
    const gateway = createTestGateway();
    const sealed = [gateway.seal(), gateway.seal(), gateway.seal()].map((one) => one.jws);
    const [one = '', two = '', three = ''] = sealed;
    const foreign = createTestGateway({ signer: seedSigner('foreign') }).seal().jws;
    const parts = two.split('.');
    const flipped = `${parts[0] ?? ''}.${parts[1] ?? ''}.${(parts[2] ?? '').replace(/^./, (char) => (char === 'A' ? 'B' : 'A'))}`;
    const gaps = createTestGateway();
    const before = gaps.seal().jws;
    gaps.head.n1 += 1;
    const cases: [string[], object][] = [
      [[one, three], { line: 2, seq: 3, code: 'chain' }],
      [[one, one], { line: 2, seq: 1, code: 'chain' }],
      [[one, flipped], { line: 2, code: 'sig' }],
      [[foreign], { line: 1, code: 'key' }],
      [[one, two, 'nonsense'], { line: 3, code: 'malformed' }],
      [[before, gaps.seal().jws], { line: 2, seq: 2, code: 'gap' }],
      [[one, two, ack(gateway, 2, 'd'.repeat(64))], { line: 3, seq: 2, code: 'fork' }],
      [[one, ack(gateway, 1, 'd'.repeat(64), seedSigner('forger'))], { line: 2, code: 'ack' }],
    ];
    for (const [lines, fault] of cases)
      expect(verifyBatchFile(lines, keys)).toMatchObject({ ok: false, firstFault: fault });
    expect(verifyBatchFile([], keys)).toMatchObject({ ok: false, batches: 0, head: null });
    for (const text of ['', 'a.b', 'a.b.c', '{}', '\0', `${one}.x`]) expect(verifyBatchFile([text]).ok).toBe(false);
  });

  test('a file may begin in the middle, and go over to the next epoch', () => {
    const old = createTestGateway();
    old.seal();
    const two = old.seal();
    const cont = { ep: EP, seq: 2, hash: two.hash, why: 'restore' };
    expect(
      verifyBatchFile([two.jws, createTestGateway({ ep: EP2 }).seal({ members: { cont } }).jws], keys),
    ).toMatchObject({ ok: true, batches: 2, head: { ep: EP2, seq: 1 } });
    const lies = createTestGateway({ ep: EP2 }).seal({ members: { cont: { ...cont, hash: 'e'.repeat(64) } } });
    expect(verifyBatchFile([two.jws, lies.jws], keys)).toMatchObject({
      ok: false,
      firstFault: { line: 2, code: 'epoch' },
    });
  });

  test('a rotated key is learned from the chain that announces it', () => {
    const fresh = seedSigner('new gateway key');
    const gateway = createTestGateway();
    const one = gateway.seal({
      recs: [punch(1), { n: 2, k: 'event', at: NOW, what: 'key', jwk: fresh.publicJwk, pop: 'x' }],
    });
    gateway.signer = fresh;
    expect(verifyBatchFile([one.jws, gateway.seal().jws], keys)).toMatchObject({ ok: true, batches: 2 });
  });
});
