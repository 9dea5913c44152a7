/**
 * The city side without a broker: the real receiver on a real database, and an `Uplink` in memory whose wire can lose,
 * repeat, delay and reorder what it carries, refuse connections, or fall silent. The platform can die before its commit or
 * between commit and acknowledgement, and can come back as an older copy of itself.
 */
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fail, type GatewayError } from '../../src/core/errors.js';
import { ackPayload } from '../../src/platform/acks.js';
import { createChain } from '../../src/platform/chain.js';
import { createKeyring } from '../../src/platform/keyring.js';
import { loadPlatformKeys } from '../../src/platform/keys.js';
import { createLedger, type Ledger } from '../../src/platform/ledger.js';
import { createReceiver, type AckDraft, type Receiver } from '../../src/platform/receive.js';
import { registerGateway } from '../../src/platform/registry.js';
import { createPlatformStore, type PlatformStore } from '../../src/platform/store.js';
import { decodeBatch } from '../../src/uplink/batch.js';
import type { VerifySignature } from '../../src/store/check.js';
import { keyLookup, signJws, verifyJws, type PublicJwk } from '../../src/uplink/envelope.js';
import type { Incoming, Outgoing, Uplink, UplinkSession } from '../../src/uplink/uplink.js';
import type { WorldClock } from './world-clock.js';

export const GW = 'gwsce2nar1q';
export const AUD = 'city-150200';
export const ZONE_WORD = '150200';

/** What the wire does to messages; chances are 0 to 1. */
export interface WireFaults {
  /** Connections are refused. */
  refuse: boolean;
  /** The broker takes connections and everything else vanishes. */
  silent: boolean;
  /** A message upwards is lost although the broker confirmed it. */
  loseUp: number;
  loseDown: number;
  twice: number;
  /** Up to so many milliseconds, drawn anew for each message, so that they overtake each other. */
  delayMs: number;
}

export const GOOD_WIRE: WireFaults = { refuse: false, silent: false, loseUp: 0, loseDown: 0, twice: 0, delayMs: 0 };

export interface City {
  readonly keysText: string;
  readonly keysFile: string;
  readonly ledger: Ledger;
  readonly faults: WireFaults;
  /** Messages on the way or waiting. */
  readonly busy: () => number;
  /** Whether the platform ever had this batch at its head or below, in any copy of itself. */
  everHad(ep: string, seq: number, hash: string): boolean;
  headSeq(ep: string): number;
  register(key: PublicJwk): void;
  /** Checks signatures of batches and receipts, for `verifyDataDir`. */
  readonly verifySignature: VerifySignature;
  /** The wire as one process of the gateway sees it; ends with `cut`. */
  uplink(): Uplink & { cut(): void };
  /** Breaks every connection; nothing is told to anybody. */
  cutAll(reason: string): void;
  /** Dies at message `at` from now (1: the next): before the commit, or between commit and acknowledgement. Starts again by itself. */
  dieAt(where: 'before-commit' | 'before-ack', at: number): void;
  /** Numbers of the batches that arrived, in that order, repeated ones too. */
  readonly arrivals: () => readonly number[];
  readonly deaths: () => number;
  readonly commits: () => number;
  backup(): string;
  restore(copy: string): void;
  close(): void;
  /** Planted bug: the broker's confirmation is taken for the platform's. */
  pubackIsReceipt: boolean;
}

interface Session {
  readonly end: (error: GatewayError) => void;
  readonly receive: (message: Incoming) => void;
  alive: boolean;
}

/** The broker is found to be mute after ping and wait (F8). */
const MUTE_MS = 45_000;
/** A new one each time: each sleeper listens to its signal. */
const never = (): AbortSignal => new AbortController().signal;

export function createCity(dir: string, clock: WorldClock, random: () => number): City {
  const keys = loadPlatformKeys(dir);
  const file = join(dir, 'platform.db');
  const chances: WireFaults = { ...GOOD_WIRE };
  const sessions = new Set<Session>();
  const had = new Map<string, string>();
  const registered: PublicJwk[] = [];
  const arrivals: number[] = [];
  let parts = open();
  let deaths = 0;
  let commits = 0;
  let busy = 0;
  let dying: { readonly where: 'before-commit' | 'before-ack'; left: number } | null = null;
  let killing = false;

  function open(): { store: PlatformStore; receiver: Receiver; ledger: Ledger } {
    const store = createPlatformStore(file);
    const keyring = createKeyring(store);
    const receiver = createReceiver({
      store,
      keyring,
      chain: createChain(store, keyring),
      prefix: '',
      onFault: (error) => {
        throw error;
      },
      beforeCommit: () => {
        killing = dies('before-commit');
        if (killing) throw new Error('the platform dies before its commit');
      },
    });
    return { store, receiver, ledger: createLedger(store) };
  }
  const reopen = (): void => {
    parts.store.close();
    parts = open();
  };
  /** True when it is time to die here. */
  const dies = (where: 'before-commit' | 'before-ack'): boolean => {
    if (dying?.where !== where) return false;
    dying.left -= 1;
    if (dying.left > 0) return false;
    dying = null;
    deaths += 1;
    return true;
  };
  const remember = (): void => {
    const ep = parts.ledger.openEpoch(GW);
    if (ep === null) return;
    for (let { seq } = ep.head; seq > 0 && !had.has(`${ep.ep}/${seq}`); seq -= 1)
      had.set(`${ep.ep}/${seq}`, parts.store.batchHash(GW, ep.ep, seq) ?? '');
  };

  const handle = (topic: string, payload: Uint8Array): readonly AckDraft[] => {
    let drafts: readonly AckDraft[];
    try {
      drafts = parts.receiver.receive([{ topic, payload }], clock.now());
    } catch (error) {
      if (!killing) throw error;
      killing = false;
      reopen();
      return [];
    }
    commits += 1;
    clock.stir();
    remember();
    if (!dies('before-ack')) return drafts;
    reopen();
    return [];
  };

  /** Carries one message through the wire's faults; a repeated one is a message of its own. */
  const carry = (loss: number, deliver: () => void): void => {
    const copies = random() < loss ? 0 : random() < chances.twice ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      busy += 1;
      const late = chances.delayMs > 0 ? Math.floor(random() * chances.delayMs) : 1;
      void clock.sleep(late, never()).then(() => {
        busy -= 1;
        clock.stir();
        deliver();
      });
    }
  };
  const down = (jws: string): void => {
    for (const session of sessions) {
      carry(chances.silent ? 1 : chances.loseDown, () => {
        if (session.alive) session.receive({ channel: 'ack', payload: Buffer.from(jws) });
      });
    }
  };
  const acknowledge = (draft: AckDraft): void =>
    down(signJws(keys.signers.ack, 'att-ack+jws', ackPayload(draft, clock.now(), null)));
  const forge = (payload: string | Uint8Array): void => {
    const { ep, seq, hash, gw } = decodeBatch(Buffer.from(payload), keyLookup(registered));
    acknowledge({ zone: ZONE_WORD, gw, ep, through: seq, hash, sid: null, note: [], rej: [] });
  };
  const up = ({ channel, payload }: Outgoing): void => {
    if (channel !== 'batch' && channel !== 'hello') return;
    carry(chances.loseUp, () => {
      if (channel === 'batch') arrivals.push(decodeBatch(Buffer.from(payload), keyLookup(registered)).seq);
      for (const draft of handle(`att/v1/${ZONE_WORD}/${GW}/up/${channel}`, Buffer.from(payload))) acknowledge(draft);
    });
  };

  const openSession = (receive: (message: Incoming) => void): UplinkSession & { readonly mine: Session } => {
    let end: (error: GatewayError) => void = () => undefined;
    const ended = new Promise<GatewayError>((resolve) => (end = resolve));
    const mine: Session = {
      receive,
      alive: true,
      end(error) {
        mine.alive = false;
        sessions.delete(mine);
        clock.stir();
        end(error);
      },
    };
    sessions.add(mine);
    const lost = (reason: string): GatewayError => fail('uplink-lost', { broker: 'city', reason });
    return {
      mine,
      version: '5',
      receiveMaximum: 65_535,
      batchBytesMax: null,
      ended,
      async publish(message) {
        clock.stir();
        if (!mine.alive) throw lost('closed');
        if (chances.silent) {
          void clock.sleep(MUTE_MS, never()).then(() => mine.end(lost('no answer to a ping')));
          throw await ended;
        }
        if (self.pubackIsReceipt && message.channel === 'batch') forge(message.payload);
        up(message);
        await clock.sleep(1, never());
      },
      close: async () => mine.end(lost('closed by us')),
    };
  };

  const self: City = {
    keysText: readFileSync(keys.file, 'utf8'),
    keysFile: keys.file,
    get ledger() {
      return parts.ledger;
    },
    faults: chances,
    busy: () => busy,
    everHad: (ep, seq, hash) => had.get(`${ep}/${seq}`) === hash,
    headSeq: (ep) => parts.store.head(GW, ep)?.seq ?? 0,
    register(key) {
      registered.push(key);
      registerGateway(parts.store, { gw: GW, zone: ZONE_WORD, aud: AUD, keys: [key] }, clock.now());
    },
    verifySignature(jws, from) {
      const [typ, known] =
        from === 'gateway'
          ? (['att-batch+jws', registered] as const)
          : (['att-ack+jws', [keys.signers.ack.publicJwk]] as const);
      try {
        verifyJws(jws, { typ, keys: keyLookup(known) });
        return true;
      } catch {
        return false;
      }
    },
    uplink() {
      const own = new Set<Session>();
      let cut = false;
      return {
        async connect(_sid, receive, signal) {
          clock.stir();
          await clock.sleep(2, signal);
          if (cut || chances.refuse) throw fail('uplink-unreachable', { broker: 'city', reason: 'refused' });
          // One client id, one connection: the broker ends the older one.
          for (const old of [...sessions])
            old.end(fail('uplink-lost', { broker: 'city', reason: 'another took over' }));
          const session = openSession(receive);
          own.add(session.mine);
          return session;
        },
        cut() {
          cut = true;
          for (const one of own) one.end(fail('uplink-lost', { broker: 'city', reason: 'the process is dead' }));
        },
      };
    },
    cutAll(reason) {
      for (const one of [...sessions]) one.end(fail('uplink-lost', { broker: 'city', reason }));
    },
    dieAt: (where, at) => void (dying = { where, left: at }),
    arrivals: () => arrivals,
    deaths: () => deaths,
    commits: () => commits,
    backup() {
      const copy = `${file}.backup-${commits}`;
      parts.store.db.pragma('wal_checkpoint(TRUNCATE)');
      copyFileSync(file, copy);
      return copy;
    },
    restore(copy) {
      parts.store.close();
      for (const ending of ['-wal', '-shm']) if (existsSync(file + ending)) rmSync(file + ending);
      copyFileSync(copy, file);
      parts = open();
      self.cutAll('the platform was restored');
    },
    close: () => parts.store.close(),
    pubackIsReceipt: false,
  };
  return self;
}
