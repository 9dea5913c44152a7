import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { genesisHash, signJws, type PublicJwk } from '../../src/uplink/envelope.js';
import { registerGateway, revokeKey } from '../../src/platform/registry.js';
import {
  AUD,
  createBench,
  createTestGateway,
  EP,
  EP2,
  GW,
  message,
  NOW,
  punch,
  seedSigner,
  topic,
  ZONE,
  type Bench,
} from './bench.js';

const benches: Bench[] = [];
function bench(options: Parameters<typeof createBench>[0] = {}): Bench {
  const made = createBench(options);
  benches.push(made);
  return made;
}
afterEach(() => {
  for (const one of benches.splice(0)) one.close();
});

const through = (acks: readonly { through: number }[]): number[] => acks.map((ack) => ack.through);
const rejs = (acks: readonly { rej: readonly unknown[] }[]): unknown[] => acks.flatMap((ack) => ack.rej);

describe('findings of the chain (upstream section 7)', () => {
  test('batches in order move the head, and each gets an acknowledgement with its hash', () => {
    const b = bench();
    const gateway = createTestGateway();
    const [one, two] = [gateway.seal(), gateway.seal({ count: 2 })];
    const acks = b.give(one.jws, two.jws);
    expect(acks.map(({ through: seq, hash }) => [seq, hash])).toEqual([
      [1, one.hash],
      [2, two.hash],
    ]);
    expect(b.ledger.counts(GW)).toMatchObject({ batches: 2, records: 5, punches: 5, early: 0 });
    expect(b.ledger.verifyGateway(GW)).toMatchObject({ ok: true, batches: 2, records: 5, faults: [] });
  });

  test('a resend is acknowledged again and stores nothing twice', () => {
    const b = bench();
    const one = createTestGateway().seal();
    b.give(one.jws);
    expect(through(b.give(one.jws, one.jws))).toEqual([1, 1]);
    expect(b.ledger.counts(GW)).toMatchObject({ batches: 1, records: 3, punches: 3 });
    expect(b.receiver.counts()).toEqual({ moved: 1, resent: 2 });
  });

  test('a fork keeps both versions, acknowledges nothing new and is rejected', () => {
    const b = bench();
    const [left, right] = [createTestGateway(), createTestGateway()];
    const first = left.seal();
    const other = right.seal({ count: 4 });
    b.give(first.jws);
    const [ack] = b.give(other.jws);
    expect(ack).toMatchObject({ through: 1, hash: first.hash, rej: [{ seq: 1, code: 'fork' }] });
    expect(b.store.db.prepare('SELECT hash FROM fork ORDER BY hash').pluck().all()).toEqual(
      [first.hash, other.hash].sort(),
    );
    expect(b.ledger.findings(GW)).toMatchObject([{ seq: 1, code: 'fork' }]);
    expect(b.ledger.counts(GW)).toMatchObject({ punches: 3 });
  });

  test('two early versions of one batch are a fork too', () => {
    const b = bench();
    const [left, right] = [createTestGateway(), createTestGateway()];
    left.seal();
    right.seal();
    const acks = b.give(left.seal().jws, right.seal({ count: 5 }).jws);
    expect(through(acks)).toEqual([0, 0]);
    expect(rejs(acks)).toEqual([{ seq: 2, code: 'fork' }]);
  });

  test('a wrong prev is a broken chain: rejected, kept as evidence, and the right batch still fits', () => {
    const b = bench();
    const gateway = createTestGateway();
    const one = gateway.seal();
    const at = { ...gateway.head };
    const wrong = gateway.seal({ members: { prev: 'b'.repeat(64) } });
    const acks = b.give(one.jws, wrong.jws);
    expect(acks[1]).toMatchObject({ through: 1, rej: [{ seq: 2, code: 'chain' }] });
    Object.assign(gateway.head, at);
    expect(through(b.give(gateway.seal().jws))).toEqual([2]);
  });

  test('an early batch that turns out not to fit gives up its place', () => {
    const b = bench();
    const gateway = createTestGateway();
    const one = gateway.seal();
    const at = { ...gateway.head };
    const wrong = gateway.seal({ members: { prev: 'b'.repeat(64) } });
    Object.assign(gateway.head, at);
    const right = gateway.seal();
    expect(through(b.give(wrong.jws))).toEqual([0]);
    const [ack] = b.give(one.jws);
    expect(ack).toMatchObject({ through: 1, rej: [{ seq: 2, code: 'chain' }] });
    expect(through(b.give(right.jws))).toEqual([2]);
    expect(b.ledger.counts(GW)).toMatchObject({ punches: 6 });
  });

  test('the first batch must begin with the genesis hash', () => {
    const b = bench();
    const [ack] = b.give(createTestGateway().seal({ members: { prev: 'c'.repeat(64) } }).jws);
    expect(ack).toMatchObject({ through: 0, hash: genesisHash(GW, AUD, EP), rej: [{ seq: 1, code: 'chain' }] });
  });

  test('early arrivals wait, the head is unchanged, and then moves over all of them at once', () => {
    const b = bench();
    const gateway = createTestGateway();
    const sealed = Array.from({ length: 5 }, () => gateway.seal());
    const [one, ...rest] = sealed;
    expect(through(b.give(...rest.map((batch) => batch.jws)))).toEqual([0, 0, 0, 0]);
    expect(b.ledger.counts(GW)).toMatchObject({ early: 4, punches: 0, batches: 0 });
    expect(b.ledger.findings(GW)).toMatchObject([{ seq: 1, code: 'missing' }]);
    expect(b.give(one?.jws ?? '')).toMatchObject([{ through: 5, hash: sealed[4]?.hash, rej: [] }]);
    expect(b.ledger.counts(GW)).toMatchObject({ early: 0, punches: 15, batches: 5 });
    expect(b.ledger.findings(GW)).toEqual([]);
  });

  test('64 ahead of the head is stored, 65 is ignored and answered with the unchanged head', () => {
    const b = bench();
    const gateway = createTestGateway();
    const sealed = Array.from({ length: 65 }, () => gateway.seal({ count: 1 }));
    expect(through(b.give(sealed[63]?.jws ?? '', sealed[64]?.jws ?? ''))).toEqual([0, 0]);
    expect(b.receiver.counts()).toEqual({ early: 1, far: 1 });
    expect(b.ledger.counts(GW).early).toBe(1);
  });
});

describe('the published vectors', () => {
  const vectors = JSON.parse(readFileSync(new URL('../uplink/vectors.json', import.meta.url), 'utf8')) as {
    gatewayKey: PublicJwk;
    batches: { jws: string; hash: string }[];
    mustFail: { stage: string; jws: string }[];
  };
  const ready = (): Bench => {
    const b = bench({ register: false });
    registerGateway(b.store, { gw: GW, zone: ZONE, aud: AUD, keys: [vectors.gatewayKey] }, NOW);
    return b;
  };

  test('the two batches are taken, in both orders', () => {
    for (const order of [vectors.batches, [...vectors.batches].reverse()]) {
      const b = ready();
      const acks = b.give(...order.map((batch) => batch.jws));
      expect(acks.at(-1)).toMatchObject({ through: 2, hash: vectors.batches[1]?.hash, note: [], rej: [] });
      expect(b.ledger.counts(GW)).toMatchObject({ batches: 2, records: 3, punches: 2, quarantined: 0 });
    }
  });

  test.each(vectors.mustFail.map((one, index) => [index, one] as const))(
    'input %i that must fail does fail',
    (index, one) => {
      const b = ready();
      if (one.stage === 'chain') b.give(vectors.batches[0]?.jws ?? '');
      const acks = b.give(one.jws);
      // The first one cannot even be inflated, so it names no epoch that an acknowledgement could be for.
      const expected = [[], [{ seq: 1, code: 'sig' }], [], [{ seq: 2, code: 'chain' }]];
      expect(rejs(acks)).toEqual(expected[index]);
      expect(b.receiver.counts()).toMatchObject({
        [{ signature: 'sig', header: 'garbage', chain: 'chain' }[one.stage] ?? '']: 1,
      });
      expect(b.ledger.counts(GW).batches).toBe(one.stage === 'chain' ? 1 : 0);
    },
  );
});

describe('what cannot be trusted or received', () => {
  test('an unknown key is rejected by its number, the next batch under it just waits', () => {
    const b = bench();
    const gateway = createTestGateway();
    b.give(gateway.seal().jws);
    gateway.signer = seedSigner('another key');
    const acks = b.give(gateway.seal().jws, gateway.seal().jws);
    expect(acks[0]).toMatchObject({ through: 1, rej: [{ seq: 2, code: 'key' }] });
    expect(acks[1]).toMatchObject({ through: 1, rej: [] });
  });

  test('a gateway that is not enrolled is told so and stores nothing', () => {
    const b = bench();
    const stranger = createTestGateway({ gw: 'gwstranger1', signer: seedSigner('stranger') });
    const sealed = stranger.seal();
    const acks = b.receiver.receive([message(sealed.jws, stranger.gw)], NOW);
    expect(acks).toMatchObject([
      { gw: stranger.gw, through: 0, hash: genesisHash(stranger.gw, AUD, EP), rej: [{ seq: 1, code: 'key' }] },
    ]);
    expect(b.store.db.prepare('SELECT count(*) FROM batch').pluck().get()).toBe(0);
  });

  test('a batch of one gateway under the topic of another gets no answer at all', () => {
    const b = bench();
    const other = seedSigner('neighbour');
    registerGateway(b.store, { gw: 'gwne2ghb0r', zone: ZONE, aud: AUD, keys: [other.publicJwk] }, NOW);
    const neighbour = createTestGateway({ gw: 'gwne2ghb0r', signer: other });
    expect(b.receiver.receive([message(neighbour.seal().jws, GW)], NOW)).toEqual([]);
    // The neighbour's own key, but a payload that claims to be the victim's.
    const claims = signJws(
      other,
      'att-batch+jws',
      gzipSync(JSON.stringify({ v: 1, gw: GW, aud: AUD, ep: EP, seq: 1 })),
      true,
    );
    expect(b.receiver.receive([message(claims, 'gwne2ghb0r')], NOW)).toEqual([]);
    expect(b.receiver.counts()).toEqual({ foreign: 2 });
  });

  test('a batch sealed for another platform is rejected', () => {
    const b = bench();
    expect(rejs(b.give(createTestGateway({ aud: 'region-15' }).seal().jws))).toEqual([{ seq: 1, code: 'epoch' }]);
  });

  test('oversize and a decompression bomb are rejected as big', () => {
    const b = bench();
    const gateway = createTestGateway();
    b.give(gateway.seal().jws);
    const bomb = signJws(gateway.signer, 'att-batch+jws', gzipSync(Buffer.alloc(5_000_000, 32)), true);
    expect(rejs(b.give(bomb))).toEqual([{ seq: 0, code: 'big' }]);
    const noise = Array.from({ length: 140_000 }, (_, at) => ((at * 7919) % 36).toString(36)).join('');
    const large = gateway.seal({ recs: [punch(4, { flags: [noise, seedNoise(190_000)] })] });
    expect(large.jws.length).toBeGreaterThan(131_072);
    expect(rejs(b.give(large.jws))).toEqual([{ seq: 2, code: 'big' }]);
    expect(b.ledger.counts(GW).batches).toBe(1);
  });

  test('garbage of every kind never throws and is counted', () => {
    const b = bench();
    const good = createTestGateway().seal().jws;
    const [head = '', body = '', tail = ''] = good.split('.');
    const texts = [
      '',
      '.',
      '..',
      '...',
      'x',
      '\0\0\0',
      `${head}.${body}`,
      `${head}..${tail}`,
      `.${body}.${tail}`,
      `${good}=`,
      `${head}.${body}.${tail}.`,
      '{}',
      'null',
    ];
    for (const text of texts)
      for (const what of ['batch', 'hello', 'health'])
        b.receiver.receive([{ topic: topic(what), payload: Buffer.from(text) }], NOW);
    for (const bad of [
      '',
      'att/v1',
      'att/v1/150200/gw7k2m9q4t/down/ack',
      'att/v1/150200/nonsense/up/batch',
      topic('pic/want'),
      topic(''),
    ]) {
      b.receiver.receive([{ topic: bad, payload: Buffer.from(good) }], NOW);
    }
    const total = Object.values(b.receiver.counts()).reduce((sum, count) => sum + count, 0);
    expect(total).toBe(texts.length * 3 + 6);
    expect(b.receiver.counts().ignored).toBe(6);
    expect(b.ledger.counts(GW).batches).toBe(0);
  });

  test('a revoked key is refused from its batch on, and what came before stays', () => {
    const b = bench();
    const gateway = createTestGateway();
    b.give(gateway.seal().jws);
    revokeKey(b.store, GW, gateway.signer.keyId, 2);
    expect(rejs(b.give(gateway.seal().jws))).toEqual([{ seq: 2, code: 'key' }]);
    expect(b.ledger.verifyGateway(GW).ok).toBe(true);
  });
});

function seedNoise(length: number): string {
  let state = 12_345;
  let out = '';
  while (out.length < length) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    out += state.toString(36);
  }
  return out;
}

describe('content never blocks the chain (section 8)', () => {
  test('what cannot be used is stored, quarantined, noted, and the head moves on', () => {
    const b = bench();
    const gateway = createTestGateway();
    const odd = gateway.seal({ recs: [punch(1), punch(2, { deviceSn: 7 }), { n: 3, k: 'hologram', x: 1 }, punch(4)] });
    const [ack] = b.give(odd.jws, gateway.seal().jws);
    expect(ack).toMatchObject({ through: 1, rej: [] });
    expect(ack?.note.map((note) => note.code)).toEqual(['schema', 'unknown-kind']);
    expect(b.ledger.counts(GW)).toMatchObject({ batches: 2, records: 7, punches: 5, quarantined: 1 });
    expect(b.store.db.prepare('SELECT n FROM record WHERE quarantined = 1').pluck().all()).toEqual([2, 3]);
    expect(b.give(odd.jws)[0]?.note).toHaveLength(2);
  });

  test('missing journal numbers between batches are noted as a gap', () => {
    const b = bench();
    const gateway = createTestGateway();
    b.give(gateway.seal().jws);
    gateway.head.n1 += 2;
    const [ack] = b.give(gateway.seal().jws);
    expect(ack).toMatchObject({ through: 2, rej: [], note: [{ seq: 2, code: 'schema' }] });
    expect(b.ledger.findings(GW)[0]?.text).toContain('journal numbers missing: n0 is 6 after 3');
  });

  test('records left out on purpose are no gap', () => {
    const b = bench();
    const gateway = createTestGateway();
    const acks = b.give(gateway.seal({ omit: 2 }).jws, gateway.seal({ recs: [], omit: 3 }).jws, gateway.seal().jws);
    expect(acks.map((ack) => [ack.through, ack.note.length])).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
  });

  test('a signed text without a place in any chain is noted and moves nothing', () => {
    const b = bench();
    const gateway = createTestGateway();
    b.give(gateway.seal().jws);
    const odd = signJws(
      gateway.signer,
      'att-batch+jws',
      gzipSync(JSON.stringify({ v: 1, gw: GW, ep: EP, seq: 2 })),
      true,
    );
    expect(b.give(odd)).toMatchObject([{ through: 1, note: [{ seq: 2, code: 'schema' }], rej: [] }]);
  });
});

describe('hello (section 9)', () => {
  test('every hello is answered with its own sid and the head, also when nothing moved', () => {
    const b = bench();
    const gateway = createTestGateway();
    expect(b.give(gateway.hello('first'))).toMatchObject([
      { sid: 'first', ep: EP, through: 0, hash: genesisHash(GW, AUD, EP) },
    ]);
    const one = gateway.seal();
    b.give(one.jws);
    expect(b.give(gateway.hello('a'), gateway.hello('b'))).toMatchObject([
      { sid: 'a', through: 1, hash: one.hash, rej: [] },
      { sid: 'b', through: 1, hash: one.hash, rej: [] },
    ]);
  });

  test('a hello under an unknown key is told so, with its sid', () => {
    const b = bench();
    const gateway = createTestGateway({ signer: seedSigner('another key') });
    expect(b.give(gateway.hello('s1'))).toMatchObject([{ sid: 's1', through: 0, rej: [{ seq: 0, code: 'key' }] }]);
  });

  test('a hello that names another head than the one stored is a fork', () => {
    const b = bench();
    const [left, right] = [createTestGateway(), createTestGateway()];
    b.give(left.seal().jws);
    right.seal({ count: 5 });
    expect(rejs(b.give(right.hello('s')))).toEqual([{ seq: 1, code: 'fork' }]);
    expect(b.ledger.counts(GW).forks).toBe(1);
  });
});

describe('epochs (section 9)', () => {
  const cont = (head: { seq: number; hash: string }, ep = EP): unknown => ({
    ep,
    seq: head.seq,
    hash: head.hash,
    why: 'restore',
  });

  test('a later epoch is accepted when cont names the head; punches delivered again count once', () => {
    const b = bench();
    const old = createTestGateway();
    b.give(old.seal().jws, old.seal().jws);
    const next = createTestGateway({ ep: EP2 });
    const acks = b.give(next.seal({ count: 8, members: { cont: cont(old.head) } }).jws, next.seal().jws);
    expect(acks).toMatchObject([
      { ep: EP2, through: 1, rej: [] },
      { ep: EP2, through: 2 },
    ]);
    expect(b.ledger.counts(GW)).toMatchObject({ batches: 4, records: 17, punches: 11, repeated: 6 });
    expect(b.ledger.verifyGateway(GW)).toMatchObject({ ok: true, batches: 4 });
  });

  test('an epoch without a fitting cont is parked until a person accepts it', () => {
    const b = bench();
    const old = createTestGateway();
    b.give(old.seal().jws);
    const next = createTestGateway({ ep: EP2 });
    const [one, two] = [next.seal({ members: { cont: { why: 'rebuild' } } }), next.seal()];
    const acks = b.give(one.jws, two.jws);
    expect(rejs(acks)).toEqual([
      { seq: 1, code: 'epoch' },
      { seq: 2, code: 'epoch' },
    ]);
    expect(b.ledger.counts(GW)).toMatchObject({ parked: 2, batches: 1 });
    expect(rejs(b.give(next.hello('s')))).toEqual([{ seq: 0, code: 'epoch' }]);
    expect(b.store.transact(() => b.chain.acceptEpoch(GW, EP2, NOW))).toBe(true);
    expect(b.give(next.hello('s'))).toMatchObject([{ through: 2, hash: two.hash, rej: [] }]);
    expect(b.ledger.counts(GW)).toMatchObject({ parked: 0, batches: 3 });
  });

  test('later batches of a new epoch that overtake its first wait for it without a rejection', () => {
    const b = bench();
    const old = createTestGateway();
    b.give(old.seal().jws);
    const next = createTestGateway({ ep: EP2 });
    const [one, two, three] = [next.seal({ members: { cont: cont(old.head) } }), next.seal(), next.seal()];
    const early = b.give(three.jws, two.jws);
    expect(early).toMatchObject([
      { ep: EP2, through: 0, rej: [] },
      { ep: EP2, through: 0, rej: [] },
    ]);
    expect(b.give(one.jws)).toMatchObject([{ ep: EP2, through: 3, hash: three.hash, rej: [] }]);
  });

  test('a closed epoch acknowledges resends and refuses anything new', () => {
    const b = bench();
    const old = createTestGateway();
    const one = old.seal();
    b.give(one.jws);
    b.give(createTestGateway({ ep: EP2 }).seal({ members: { cont: cont(old.head) } }).jws);
    const acks = b.give(one.jws, old.seal().jws);
    expect(acks).toMatchObject([
      { ep: EP, through: 1, rej: [] },
      { ep: EP, through: 1, rej: [{ seq: 2, code: 'epoch' }] },
    ]);
  });

  test('a cont that names an older head than ours is parked', () => {
    const b = bench();
    const old = createTestGateway();
    b.give(old.seal().jws);
    const at = { ...old.head };
    b.give(old.seal().jws);
    expect(rejs(b.give(createTestGateway({ ep: EP2 }).seal({ members: { cont: cont(at) } }).jws))).toEqual([
      { seq: 1, code: 'epoch' },
    ]);
  });

  test('two punches of one identity in one epoch stay two, and are recognised when delivered again', () => {
    const b = bench();
    const twice = (n: number): ReturnType<typeof punch> =>
      punch(n, { deviceUserId: '7', wallTime: '2026-09-10 08:00:00', seq: n });
    const old = createTestGateway();
    b.give(old.seal({ recs: [twice(1), twice(2)] }).jws);
    const next = createTestGateway({ ep: EP2 });
    b.give(next.seal({ recs: [twice(1), twice(2), twice(3)], members: { cont: cont(old.head) } }).jws);
    expect(b.ledger.counts(GW)).toMatchObject({ punches: 3, repeated: 2 });
  });
});

describe('key rotation (section 11)', () => {
  const fresh = seedSigner('new gateway key');
  const rotation = (n: number, members: Record<string, unknown> = {}): Record<string, unknown> => {
    const pop = signJws(
      fresh,
      'att-hello+jws',
      JSON.stringify({ gw: GW, ep: EP, oldKid: seedSigner('test key: gateway').keyId, n }),
    );
    return { n, k: 'event', at: NOW, what: 'key', jwk: fresh.publicJwk, pop, ...members };
  };

  test('the batch after the event is taken under the new key, in one group and in any order', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [2, 0, 1, 2],
    ]) {
      const b = bench();
      const gateway = createTestGateway();
      const one = gateway.seal({ recs: [punch(1), rotation(2)] });
      gateway.signer = fresh;
      const sealed = [one, gateway.seal(), gateway.seal()];
      const acks = b.give(...order.map((index) => sealed[index]?.jws ?? ''));
      expect(rejs(acks)).toEqual([]);
      expect(acks.at(-1)).toMatchObject({ through: 3 });
      expect(b.ledger.verifyGateway(GW).ok).toBe(true);
    }
  });

  test('after the rotation the old key is refused', () => {
    const b = bench();
    const gateway = createTestGateway();
    const acks = b.give(gateway.seal({ recs: [rotation(1)] }).jws, gateway.seal().jws);
    expect(acks[1]).toMatchObject({ through: 1, rej: [{ seq: 2, code: 'key' }] });
  });

  test('a rotation without proof of possession is noted and changes nothing', () => {
    const b = bench();
    const gateway = createTestGateway();
    const [ack] = b.give(gateway.seal({ recs: [rotation(1, { pop: 'x.y.z' })] }).jws);
    expect(ack).toMatchObject({ through: 1, note: [{ code: 'schema' }] });
    expect(through(b.give(gateway.seal().jws))).toEqual([2]);
  });
});
