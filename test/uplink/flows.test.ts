/** Sealing and forwarding on a real store: triggers, epochs, restores on either side, key rotation, crash between commits. */
import { cpSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDoorbell } from '../../src/core/unit.js';
import { createSeal, ensureUpstream, sealNext, type SealOptions } from '../../src/flows/seal.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { decodeBatch } from '../../src/uplink/batch.js';
import { genesisHash, keyLookup, signJws } from '../../src/uplink/envelope.js';
import { createPlatformKeys } from '../../src/uplink/platform-keys.js';
import { DEFAULT_FIELD_SET } from '../../src/uplink/records.js';
import { startEvilBroker } from '../support/evil-broker.js';
import { createFakeClock, settle, type FakeClock } from '../support/fake-clock.js';
import { startSide, stubPlatform, tempDir } from './harness.js';
import { event, gatewaySigner, platformSigner, punch, strangerSigner, vectors } from './support.js';

interface Bench {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly options: SealOptions;
  readonly add: (count: number) => void;
}

function bench(changes: Partial<SealOptions> = {}): Bench {
  const clock = createFakeClock();
  const store = openStore({ dir: tempDir(), clock, software: 'test' });
  onTestFinished(() => store[Symbol.dispose]());
  const options: SealOptions = {
    upstream: 'city',
    gw: vectors.gw,
    aud: vectors.aud,
    store,
    clock,
    wire: clock,
    fields: DEFAULT_FIELD_SET,
    signer: () => gatewaySigner,
    journalBell: createDoorbell(clock),
    outboxBell: createDoorbell(clock),
    ...changes,
  };
  let user = 0;
  return {
    clock,
    store,
    options,
    add(count) {
      store.transact((tx) => {
        for (let index = 0; index < count; index += 1) {
          user += 1;
          tx.addPunch(punch(0, { deviceUserId: `${user}`, rx: clock.now() }));
        }
      });
      options.journalBell.ring();
    },
  };
}

const keys = keyLookup([gatewaySigner.publicJwk, strangerSigner.publicJwk]);
const batchesOf = (store: Store) => store.batches('city', store.upstream('city')?.ep ?? '', 0, 1000);

describe('when to seal (§6)', () => {
  const begin = async (changes: Partial<SealOptions> = {}): Promise<Bench & { readonly now: () => void }> => {
    const all = bench(changes);
    const seal = createSeal(all.options);
    const stopping = new AbortController();
    const running = seal.unit.run(stopping.signal).catch(() => undefined);
    onTestFinished(async () => {
      stopping.abort();
      await running;
    });
    await all.clock.advance(20_000);
    expect(all.store.upstream('city')?.sealedN).toBe(all.store.head().n);
    return { ...all, now: () => seal.now() };
  };
  const sealedN = (all: Bench): number => all.store.upstream('city')?.sealedN ?? 0;

  test('2 s after the oldest, not before', async () => {
    const all = await begin();
    const before = sealedN(all);
    all.add(3);
    await all.clock.advance(1_900);
    expect(sealedN(all)).toBe(before);
    await all.clock.advance(200);
    expect(sealedN(all)).toBe(before + 3);
  });
  test('10 s when the platform is slow', async () => {
    const all = await begin({ slow: () => true });
    const before = sealedN(all);
    all.add(3);
    await all.clock.advance(9_000);
    expect(sealedN(all)).toBe(before);
    await all.clock.advance(1_100);
    expect(sealedN(all)).toBe(before + 3);
  });
  test('at once when 500 wait, or by size, or now', async () => {
    const all = await begin();
    all.add(500);
    await settle();
    await all.clock.advance(1);
    expect(sealedN(all)).toBe(all.store.head().n);
    all.store.transact((tx) => {
      for (let index = 0; index < 60; index += 1) tx.addEvent({ ...event(0), data: { blob: 'x'.repeat(8_000) } });
    });
    all.options.journalBell.ring();
    await all.clock.advance(1);
    expect(sealedN(all)).toBe(all.store.head().n);
    all.add(1);
    all.now();
    await all.clock.advance(1);
    expect(sealedN(all)).toBe(all.store.head().n);
  });
  test('under an old epoch it waits for the platform, ten minutes at most', async () => {
    let heard = false;
    const all = bench();
    ensureUpstream(all.options);
    all.add(2);
    const seal = createSeal({ ...all.options, hold: () => !heard });
    const stopping = new AbortController();
    const running = seal.unit.run(stopping.signal).catch(() => undefined);
    await all.clock.advance(590_000);
    expect(sealedN(all)).toBe(0);
    await all.clock.advance(11_000);
    expect(sealedN(all)).toBe(all.store.head().n);
    stopping.abort();
    await running;
    const again = createSeal({ ...all.options, hold: () => !heard });
    const stop = new AbortController();
    const runs = again.unit.run(stop.signal).catch(() => undefined);
    all.add(1);
    await all.clock.advance(5_000);
    expect(sealedN(all)).toBeLessThan(all.store.head().n);
    heard = true;
    all.options.journalBell.ring();
    await all.clock.advance(2_100);
    expect(sealedN(all)).toBe(all.store.head().n);
    stop.abort();
    await runs;
  });
  test('a clock that jumps back an hour delays nothing', async () => {
    const all = await begin();
    all.add(1);
    all.clock.jump(-3_600_000);
    await all.clock.advance(2_100);
    expect(sealedN(all)).toBe(all.store.head().n);
  });
});

test('the first start begins an epoch and says so in the journal; a second start changes nothing', () => {
  const { options, store } = bench();
  const first = ensureUpstream(options);
  expect(first.ep).toMatch(/^[0-9a-f]{32}$/);
  expect(first.headHash).toBe(genesisHash(vectors.gw, vectors.aud, first.ep));
  expect(ensureUpstream(options)).toEqual(first);
  expect(store.facts(0, 10, 'event').filter((fact) => fact.kind === 'event' && fact.what === 'epoch')).toHaveLength(1);
});

test('a replaced identity continues under a new epoch that names the head before', () => {
  const { options, store, add } = bench();
  ensureUpstream(options);
  add(3);
  while (sealNext(options));
  const [batch] = batchesOf(store);
  if (!batch) throw new Error('sealed');
  store.transact((tx) => tx.acknowledge({ ...batch, through: 1, at: batch.sealedAt, jws: 'ack' }));
  const next = ensureUpstream({ ...options, gw: 'gw2345678abc' });
  expect(next.cont).toEqual({ ep: batch.ep, seq: 1, hash: batch.hash, why: 'replace' });
  while (sealNext({ ...options, gw: 'gw2345678abc' }));
  const sealed = decodeBatch(batchesOf(store)[0]?.jws ?? '', keys);
  expect(sealed.cont).toMatchObject({ why: 'replace', seq: 1 });
  expect(sealed.n0).toBe(batch.n1 + 1);
});

test('a key event is the last record under the old key', () => {
  const all = bench();
  ensureUpstream(all.options);
  all.add(2);
  const keyN = all.store.transact((tx) => tx.addEvent({ ...event(0), what: 'key', data: {} }));
  all.add(2);
  const options: SealOptions = { ...all.options, signer: (n0) => (n0 > keyN ? strangerSigner : gatewaySigner) };
  while (sealNext(options));
  const sealed = batchesOf(all.store).map((batch) => decodeBatch(batch.jws, keys));
  expect(sealed.map((batch) => [batch.kid, batch.n1])).toEqual([
    [gatewaySigner.keyId, keyN],
    [strangerSigner.keyId, all.store.head().n],
  ]);
});

test('a signer that fails leaves no trace in the outbox', () => {
  const { options, store, add } = bench();
  const state = ensureUpstream(options);
  add(2);
  const broken = (): never => {
    throw new Error('no key');
  };
  expect(() => sealNext({ ...options, signer: broken })).toThrow('no key');
  expect(store.upstream('city')).toEqual(state);
  expect(sealNext(options)).toBe(true);
});

describe('restores (§9)', () => {
  test('platform restored from an older copy: stored bytes are sent again, same result', async () => {
    const platform = stubPlatform();
    const broker = await startEvilBroker((message) => platform.receive(message));
    onTestFinished(() => broker.close());
    const side = startSide(broker.url);
    for (let round = 0; round < 4; round += 1) {
      side.add(5);
      await side.drained();
    }
    const state = side.store.upstream('city');
    const ep = state?.ep ?? '';
    const head = platform.heads.get(ep);
    platform.rollBack(ep, 1);
    broker.disconnect(0x8b);
    await side.until('back', () => platform.heads.get(ep)?.seq === head?.seq);
    expect(platform.heads.get(ep)).toEqual(head);
    await side.drained();
    expect(platform.conflicts()).toBe(0);
    expect(side.store.upstream('city')?.ackedSeq).toBe(head?.seq);
  });

  test('gateway restored from an older copy: a new epoch with cont, nothing lost, no number reused', async () => {
    const platform = stubPlatform();
    const broker = await startEvilBroker((message) => platform.receive(message));
    onTestFinished(() => broker.close());
    const dir = tempDir();
    const side = startSide(broker.url, { dir });
    side.add(5);
    await side.drained();
    await side.stop();
    const copy = tempDir();
    cpSync(dir, copy, { recursive: true });
    const later = startSide(broker.url, { dir });
    later.add(5);
    await later.drained();
    await later.stop();
    const before = platform.heads.get([...platform.heads.keys()][0] ?? '');
    // It seals nothing under the old numbers before it has heard the platform, however long that takes.
    const restored = startSide(broker.url, { dir: copy, timings: { startSpreadMs: 600 } });
    restored.add(7);
    await restored.drained();
    expect(platform.heads.size).toBe(2);
    const [oldEp = '', newEp = ''] = [...platform.heads.keys()];
    expect(platform.stored.get(`${newEp}/1`)?.cont).toMatchObject({
      ep: oldEp,
      seq: before?.seq,
      hash: before?.hash,
      why: 'restore',
    });
    expect(platform.conflicts()).toBe(0);
  });

  test('a fork is evidence, stops the stream, and collecting goes on', async () => {
    const platform = stubPlatform();
    const broker = await startEvilBroker((message) => platform.receive(message));
    onTestFinished(() => broker.close());
    const side = startSide(broker.url);
    side.add(3);
    await side.drained();
    platform.extra = { hash: 'e'.repeat(64) };
    side.add(1);
    await side.until('fork', (status) => status.error?.code === 'platform-fork');
    side.add(5);
    const events = side.store.facts(0, 100, 'event').filter((fact) => fact.kind === 'event' && fact.what === 'tamper');
    expect(events).toHaveLength(1);
    expect(side.status().error?.zh.remedy).toContain('克隆');
    platform.extra = {};
    await side.drained();
  });
});

test('forged acknowledgements move nothing: another key, a bad signature, another type', async () => {
  const platform = stubPlatform();
  const broker = await startEvilBroker((message) =>
    message.topic.endsWith('/up/hello') ? platform.receive(message) : [],
  );
  onTestFinished(() => broker.close());
  const side = startSide(broker.url);
  side.add(3);
  await side.until('sent', (status) => status.unacknowledged > 0);
  const state = side.store.upstream('city');
  const ack = JSON.stringify({
    v: 1,
    gw: vectors.gw,
    ep: state?.ep,
    through: 1,
    hash: batchesOf(side.store)[0]?.hash,
    at: 1,
  });
  const good = signJws(platformSigner, 'att-ack+jws', ack);
  const forged = [
    signJws(strangerSigner, 'att-ack+jws', ack),
    signJws(gatewaySigner, 'att-ack+jws', ack),
    signJws(platformSigner, 'att-plat+jws', ack),
    `${good.slice(0, -4)}AAAA`,
    'nonsense',
    '',
  ];
  for (const payload of forged) broker.deliver({ topic: platform.ackTopic, payload: Buffer.from(payload) });
  await side.until('counted', (status) => status.bad >= forged.length);
  expect(side.store.upstream('city')?.ackedSeq).toBe(0);
  expect(side.store.lastReceipt('city')).toBeNull();
  broker.deliver({ topic: platform.ackTopic, payload: Buffer.from(good) });
  await side.until('moved', () => side.store.upstream('city')?.ackedSeq === 1);
  expect(side.store.lastReceipt('city')?.jws).toBe(good);
});

describe("the platform's key set (§11)", () => {
  const set = (ser: number, jwk = platformSigner.publicJwk): string =>
    signJws(strangerSigner, 'att-keys+jws', JSON.stringify({ v: 1, ser, at: 1, exp: 2, keys: [{ jwk, use: 'ack' }] }));
  const root = JSON.stringify(strangerSigner.publicJwk);

  test('a plain file gives keys by use', () => {
    const plain = createPlatformKeys({
      sets: [JSON.stringify({ keys: [{ ...platformSigner.publicJwk, use: 'ack' }] })],
    });
    expect(plain.lookup('ack')(platformSigner.keyId)).toBeDefined();
    expect(plain.lookup('plat')(platformSigner.keyId)).toBeUndefined();
  });
  test('signed sets: only by the root, only a higher serial number, kept for the next start', () => {
    const kept: string[] = [];
    const all = createPlatformKeys({ sets: [set(3), set(2)], root, keep: (jws) => kept.push(jws) });
    expect(all.ser).toBe(3);
    expect(all.adopt(set(3))).toBe(false);
    expect(all.adopt(set(7, gatewaySigner.publicJwk))).toBe(true);
    expect(all.lookup('ack')(gatewaySigner.keyId)).toBeDefined();
    expect(all.lookup('ack')(platformSigner.keyId)).toBeUndefined();
    expect(kept).toHaveLength(1);
    expect(() => all.adopt(signJws(gatewaySigner, 'att-keys+jws', '{"keys":[]}'))).toThrow('not registered');
  });
  test('a signed set without a root key, or nonsense, is a fault of the settings', () => {
    expect(() => createPlatformKeys({ sets: [set(1)] })).toThrow('root key');
    expect(() => createPlatformKeys({ sets: ['{}'] })).toThrow('cannot be used');
  });
});
