/**
 * The smallest platform that keeps the protocol's promises: it verifies, chains, stores in memory and acknowledges
 * (upstream §7, §8). For tests of the gateway side; it shares the envelope with the code under test, and the published
 * vectors are the independent witness of that.
 */
import { checkChain, decodeBatch, type DecodedBatch } from '../../src/uplink/batch.js';
import { genesisHash, signJws, verifyJws, type KeyLookup, type Signer } from '../../src/uplink/envelope.js';
import { helloSchema, parsePayload, type AckMessage } from '../../src/uplink/messages.js';
import type { Delivery } from './evil-broker.js';

export interface StubPlatform {
  receive(message: Delivery): readonly Delivery[];
  /** All punches and other records by journal number, of all epochs in order of arrival. */
  readonly stored: Map<string, DecodedBatch>;
  readonly heads: Map<string, { seq: number; hash: string; n1: number }>;
  readonly duplicates: () => number;
  readonly conflicts: () => number;
  /** Members put into every acknowledgement; a test may set refusals here. */
  extra: Partial<AckMessage>;
  ackTopic: string;
  /** An acknowledgement of the present head, for a test to send when it likes. */
  ack(ep: string, sid?: string): Delivery;
  /** Goes back to batch `seq` as if a backup had been restored. */
  rollBack(ep: string, seq: number): void;
  sign(typ: 'att-ack+jws' | 'att-plat+jws', payload: unknown): Buffer;
}

export interface StubOptions {
  readonly gw: string;
  readonly aud: string;
  readonly zone: string;
  readonly keys: KeyLookup;
  readonly signer: Signer;
  readonly now: () => number;
}

export function createStubPlatform(options: StubOptions): StubPlatform {
  const { gw, aud, zone, keys, signer } = options;
  const stored = new Map<string, DecodedBatch>();
  const heads = new Map<string, { seq: number; hash: string; n1: number }>();
  let duplicates = 0;
  let conflicts = 0;
  const headOf = (ep: string): { seq: number; hash: string; n1: number } =>
    heads.get(ep) ?? { seq: 0, hash: genesisHash(gw, aud, ep), n1: 0 };
  const sign = (typ: 'att-ack+jws' | 'att-plat+jws', payload: unknown): Buffer =>
    Buffer.from(signJws(signer, typ, JSON.stringify(payload)));

  const take = (batch: DecodedBatch): void => {
    const key = `${batch.ep}/${batch.seq}`;
    const known = stored.get(key);
    if (known) {
      if (known.hash === batch.hash) duplicates += 1;
      else conflicts += 1;
      return;
    }
    stored.set(key, batch);
    for (let head = headOf(batch.ep); ; head = headOf(batch.ep)) {
      const next = stored.get(`${batch.ep}/${head.seq + 1}`);
      if (!next) return;
      const finding = checkChain({ seq: head.seq, hash: head.hash, n1: head.seq === 0 ? null : head.n1 }, next);
      if (finding !== null) {
        conflicts += 1;
        return;
      }
      heads.set(batch.ep, { seq: next.seq, hash: next.hash, n1: next.n1 });
    }
  };

  const platform: StubPlatform = {
    stored,
    heads,
    duplicates: () => duplicates,
    conflicts: () => conflicts,
    extra: {},
    ackTopic: `att/v1/${zone}/${gw}/down/ack`,
    sign,
    ack(ep, sid) {
      const head = headOf(ep);
      const ack = {
        v: 1,
        gw,
        ep,
        through: head.seq,
        hash: head.hash,
        at: options.now(),
        ...(sid ? { sid } : {}),
        ...platform.extra,
      };
      return { topic: platform.ackTopic, payload: sign('att-ack+jws', ack) };
    },
    rollBack(ep, seq) {
      for (const [key, batch] of stored) if (batch.ep === ep && batch.seq > seq) stored.delete(key);
      const last = stored.get(`${ep}/${seq}`);
      if (last) heads.set(ep, { seq, hash: last.hash, n1: last.n1 });
      else heads.delete(ep);
    },
    receive({ topic, payload }) {
      if (topic.endsWith('/up/hello')) {
        const verified = verifyJws(payload, { typ: 'att-hello+jws', keys });
        const hello = parsePayload(helloSchema, verified.payload, 'a hello');
        return [platform.ack(hello.ep, hello.sid)];
      }
      if (!topic.endsWith('/up/batch')) return [];
      const batch = decodeBatch(payload, keys);
      take(batch);
      return [platform.ack(batch.ep)];
    },
  };
  return platform;
}
