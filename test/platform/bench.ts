/** A gateway that seals whatever a test wants, and a receiver on a real database in a temporary directory. */
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { batchHash, genesisHash, signerFromSeed, signJws, type Signer } from '../../src/uplink/envelope.js';
import { createChain, type Chain } from '../../src/platform/chain.js';
import { createKeyring, type Keyring } from '../../src/platform/keyring.js';
import { createLedger, type Ledger } from '../../src/platform/ledger.js';
import { createReceiver, type AckDraft, type Incoming, type Receiver } from '../../src/platform/receive.js';
import { registerGateway } from '../../src/platform/registry.js';
import { createPlatformStore, type PlatformStore } from '../../src/platform/store.js';

export const GW = 'gw7k2m9q4t';
export const AUD = 'city-150200';
export const ZONE = '150200';
export const EP = '0123456789abcdef0123456789abcdef';
export const EP2 = 'fedcba9876543210fedcba9876543210';
export const NOW = 1_789_000_000_000;

export function seedSigner(text: string): Signer {
  return signerFromSeed(createHash('sha256').update(text).digest());
}

export interface Sealed {
  readonly jws: string;
  readonly hash: string;
  readonly seq: number;
  readonly n1: number;
}

export type Json = Record<string, unknown>;

export function punch(n: number, more: Json = {}): Json {
  const second = String(n % 60).padStart(2, '0');
  const minute = String(Math.floor(n / 60) % 60).padStart(2, '0');
  const hour = String(Math.floor(n / 3600) % 24).padStart(2, '0');
  const day = String(1 + (Math.floor(n / 86_400) % 28)).padStart(2, '0');
  const at = NOW + n * 1000;
  return {
    ...{ n, k: 'punch', deviceSn: 'TEST0001', traineeNo: `T${n % 40}`, deviceUserId: String(20250000 + (n % 40)) },
    ...{ wallTime: `2026-09-${day} ${hour}:${minute}:${second}`, instant: at, rx: at, offsetMs: 0, effective: at },
    ...{ direction: 'in', verify: 'face', verifyRaw: 15, source: 'poll', delivery: 'live' },
    ...more,
  };
}

export interface TestGateway {
  readonly gw: string;
  readonly ep: string;
  /** Seals the next batch of `count` punches, or of the records given. */
  seal(content?: { count?: number; recs?: Json[]; omit?: number; members?: Json; signer?: Signer }): Sealed;
  hello(sid: string, members?: Json): string;
  readonly head: { seq: number; hash: string; n1: number };
  signer: Signer;
}

export function createTestGateway(
  options: { gw?: string; ep?: string; aud?: string; signer?: Signer; n?: number } = {},
): TestGateway {
  const { gw = GW, ep = EP, aud = AUD } = options;
  const head = { seq: 0, hash: genesisHash(gw, aud, ep), n1: options.n ?? 0 };
  const self: TestGateway = {
    gw,
    ep,
    head,
    signer: options.signer ?? seedSigner('test key: gateway'),
    seal({ count = 3, recs, omit = 0, members = {}, signer = self.signer } = {}) {
      const n0 = head.n1 + 1;
      const records = recs ?? Array.from({ length: count }, (_, index) => punch(n0 + index));
      const n1 = n0 + records.length + omit - 1;
      const payload = {
        ...{ v: 1, gw, aud, ep, seq: head.seq + 1, prev: head.hash, at: NOW, n0, n1 },
        ...(omit > 0 ? { omit } : {}),
        ...{ journal: { n: n1, hash: 'a'.repeat(64) }, recs: records, ...members },
      };
      const jws = signJws(signer, 'att-batch+jws', gzipSync(JSON.stringify(payload)), true);
      const sealed = { jws, hash: batchHash(jws), seq: payload.seq, n1 };
      head.seq = sealed.seq;
      head.hash = sealed.hash;
      head.n1 = n1;
      return sealed;
    },
    hello: (sid, members = {}) =>
      signJws(
        self.signer,
        'att-hello+jws',
        JSON.stringify({
          ...{
            v: 1,
            gw,
            ep,
            head: { seq: head.seq, hash: head.hash },
            acked: { seq: 0, hash: genesisHash(gw, aud, ep) },
          },
          ...{ unsealed: 0, sw: '0.1.0', proto: [1], sid, at: NOW, ...members },
        }),
      ),
  };
  return self;
}

export interface Bench {
  readonly dir: string;
  readonly store: PlatformStore;
  readonly keyring: Keyring;
  readonly chain: Chain;
  readonly receiver: Receiver;
  readonly ledger: Ledger;
  /** Delivers batches or hellos of a gateway in one group. */
  give(...texts: string[]): AckDraft[];
  close(): void;
}

export const topic = (what: string, gw = GW): string => `att/v1/${ZONE}/${gw}/up/${what}`;

export function message(jws: string, gw = GW): Incoming {
  const header = Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString('utf8');
  return { topic: topic(header.includes('att-hello') ? 'hello' : 'batch', gw), payload: Buffer.from(jws) };
}

/** A receiver; give `dir` to open a second worker on the same file. */
export function createBench(
  options: { dir?: string; register?: boolean; beforeCommit?: () => void; onFault?: (error: unknown) => void } = {},
): Bench {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'platform-'));
  const store = createPlatformStore(join(dir, 'platform.db'));
  const keyring = createKeyring(store);
  const chain = createChain(store, keyring);
  const { beforeCommit, onFault } = options;
  const receiver = createReceiver({
    store,
    keyring,
    chain,
    prefix: '',
    ...(beforeCommit ? { beforeCommit } : {}),
    ...(onFault ? { onFault } : {}),
  });
  if (options.register !== false) {
    registerGateway(store, { gw: GW, zone: ZONE, aud: AUD, keys: [seedSigner('test key: gateway').publicJwk] }, NOW);
  }
  return {
    dir,
    store,
    keyring,
    chain,
    receiver,
    ledger: createLedger(store),
    give: (...texts) =>
      receiver.receive(
        texts.map((text) => message(text)),
        NOW,
      ),
    close: () => {
      store.close();
    },
  };
}
