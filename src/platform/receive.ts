/**
 * The receiving core: MQTT messages in, acknowledgements out, one database transaction in between. No clock of its own,
 * no network.
 *
 * Promises: what `receive` returns is on the disk; garbage never throws and is counted; an acknowledgement comes for
 * every batch and every hello that names its gateway rightly, also when nothing moved (upstream §8). A message of one
 * gateway under the topic of another is dropped without an answer, so that no one can stop a neighbour. Throws only
 * `storage` errors, and then nothing of the group has happened.
 */
import { GatewayError, type ErrorCode } from '../core/errors.js';
import { EPOCH, GATEWAY_ID, ZONE_WORD } from '../core/ids.js';
import { decodeBatch, inflate, type DecodedBatch } from '../uplink/batch.js';
import { genesisHash, SMALL_JWS_BYTES_MAX, verifyJws } from '../uplink/envelope.js';
import { helloSchema, parsePayload, type HelloMessage, type RejCode } from '../uplink/messages.js';
import type { Chain, Rejection, Verdict } from './chain.js';
import type { Keyring } from './keyring.js';
import { storageError, type PlatformStore } from './store.js';

/** The broker lets nothing larger through (§15). */
const PACKET_BYTES_MAX = 262_144;

export interface Incoming {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** An acknowledgement before it is merged, stamped and signed. */
export interface AckDraft {
  readonly zone: string;
  readonly gw: string;
  readonly ep: string;
  readonly through: number;
  readonly hash: string;
  readonly sid: string | null;
  readonly note: readonly { readonly seq: number; readonly code: string; readonly text: string }[];
  readonly rej: readonly Rejection[];
}

export type Counts = Readonly<Record<string, number>>;

export interface Answer {
  readonly gw: string;
  readonly caller: string;
  readonly jws: string;
}

export interface Receiver {
  /** Handles a group in one commit and returns what to say to whom, in order. */
  receive(messages: readonly Incoming[], now: number): AckDraft[];
  /** What has come so far, by finding: `moved`, `resent`, `fork`, `sig`, `garbage` ... */
  counts(): Counts;
}

export interface ReceiverOptions {
  readonly store: PlatformStore;
  readonly keyring: Keyring;
  readonly chain: Chain;
  readonly prefix: string;
  /** Called after the commit for every answer under `up/res`; its signature is the caller's to check. */
  readonly onAnswer?: (answer: Answer) => void;
  /** Called for an error that is our own fault; that one message is dropped, counted as `fault`, and the rest goes on. */
  readonly onFault?: (error: unknown) => void;
  /** For tests: called inside the transaction, right before the commit. */
  readonly beforeCommit?: () => void;
}

interface Address {
  readonly zone: string;
  readonly gw: string;
  readonly what: string;
}

type Opened =
  | { readonly kind: 'batch'; readonly batch: DecodedBatch; readonly jws: string }
  | { readonly kind: 'hello'; readonly hello: HelloMessage; readonly jws: string }
  | { readonly kind: 'refused'; readonly code: RejCode | 'schema'; readonly jws: string }
  | { readonly kind: 'dropped'; readonly why: string };

/** Which rejection a decoding error means; `schema` means noted, not rejected; null means dropped and counted. */
const REFUSALS: Partial<Record<ErrorCode, RejCode | 'schema'>> = {
  'jws-too-big': 'big',
  'payload-too-big': 'big',
  'jws-signature': 'sig',
  'jws-key-unknown': 'key',
  'payload-unreadable': 'schema',
};

export function createReceiver(options: ReceiverOptions): Receiver {
  const { store, keyring, chain, prefix } = options;
  const totals = new Map<string, number>();

  function address(topic: string): Address | null {
    if (!topic.startsWith(`${prefix}att/v1/`)) return null;
    const [zone = '', gw = '', up, ...rest] = topic.slice(prefix.length + 'att/v1/'.length).split('/');
    return up === 'up' && ZONE_WORD.test(zone) && GATEWAY_ID.test(gw) ? { zone, gw, what: rest.join('/') } : null;
  }

  function ourFault(error: unknown): Opened {
    if (storageError(error).kind === 'storage') throw error;
    options.onFault?.(error);
    return { kind: 'dropped', why: 'fault' };
  }

  /** Verifies without the write lock: signatures and inflating are most of the work. */
  function open(to: Address, payload: Uint8Array): Opened {
    const isBatch = to.what === 'batch';
    const jws = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, PACKET_BYTES_MAX)).toString(
      'latin1',
    );
    try {
      if (isBatch) {
        const batch = decodeBatch(payload, keyring.lookup(to.gw));
        return batch.gw === to.gw ? { kind: 'batch', batch, jws } : { kind: 'dropped', why: 'foreign' };
      }
      const verified = verifyJws(payload, { typ: 'att-hello+jws', keys: keyring.lookup(to.gw) });
      const hello = parsePayload(helloSchema, verified.payload, 'a hello');
      return hello.gw === to.gw ? { kind: 'hello', hello, jws } : { kind: 'dropped', why: 'foreign' };
    } catch (error) {
      if (!(error instanceof GatewayError)) return ourFault(error);
      const code = REFUSALS[error.code];
      return code === undefined ? { kind: 'dropped', why: 'garbage' } : { kind: 'refused', code, jws };
    }
  }

  function draft(to: Address, ep: string, aud: string, extra: Partial<AckDraft>): AckDraft {
    const head = store.head(to.gw, ep) ?? { seq: 0, hash: genesisHash(to.gw, aud, ep) };
    return { zone: to.zone, gw: to.gw, ep, through: head.seq, hash: head.hash, sid: null, note: [], rej: [], ...extra };
  }

  function answerBatch(to: Address, batch: DecodedBatch, found: Verdict): AckDraft {
    const note = found.noteSeqs.flatMap((seq) =>
      store
        .notes(to.gw, batch.ep, seq)
        .filter((row) => row.code === 'schema' || row.code === 'unknown-kind')
        .map(({ code, text }) => ({ seq, code, text })),
    );
    return draft(to, batch.ep, store.gateway(to.gw)?.aud ?? batch.aud, { note, rej: found.rej });
  }

  /** A hello may show that this gateway ever signed another head than the one stored here: two machines, one identity. */
  function answerHello(
    to: Address,
    hello: HelloMessage,
    jws: string,
    now: number,
    count: (what: string) => void,
  ): AckDraft {
    const rej: Rejection[] = [];
    for (const { seq, hash } of [hello.head, hello.acked]) {
      const stored = store.batchHash(to.gw, hello.ep, seq);
      if (stored === null || stored === hash || rej.length > 0) continue;
      store.addFork(to.gw, hello.ep, seq, hash, 'fork', jws, now);
      store.addNote(
        { gw: to.gw, ep: hello.ep, seq, code: 'fork', text: `hello names another batch ${seq} than the one stored` },
        now,
      );
      rej.push({ seq, code: 'fork' });
      count('fork');
    }
    if (store.epoch(to.gw, hello.ep)?.state === 'parked') rej.push({ seq: 0, code: 'epoch' });
    return draft(to, hello.ep, store.gateway(to.gw)?.aud ?? '', { sid: hello.sid, rej });
  }

  /** What could not be verified or read. The claimed numbers are only echoed, never stored as facts. */
  function answerRefused(
    to: Address,
    code: RejCode | 'schema',
    jws: string,
    now: number,
  ): { what: string; ack: AckDraft | null } {
    const claim = peek(jws);
    if (claim.gw !== undefined && claim.gw !== to.gw) return { what: 'foreign', ack: null };
    const gateway = store.gateway(to.gw);
    const ep = claim.ep ?? gateway?.ep ?? null;
    const aud = gateway?.aud ?? claim.aud;
    if (ep === null || aud === undefined) return { what: code, ack: null };
    const seq = claim.seq ?? 0;
    // A batch under a new key may overtake the batch that introduces it: other workers. It comes again, so just wait.
    const next = (store.head(to.gw, ep)?.seq ?? 0) + 1;
    if (code === 'key' && gateway && seq > next) return { what: 'early-key', ack: draft(to, ep, aud, {}) };
    if (code !== 'schema')
      return { what: code, ack: draft(to, ep, aud, { sid: claim.sid ?? null, rej: [{ seq, code }] }) };
    const text = 'signed, but without a place in any chain';
    if (gateway) store.addNote({ gw: to.gw, ep, seq, code, text }, now);
    return { what: 'unreadable', ack: draft(to, ep, aud, { note: [{ seq, code, text }] }) };
  }

  function handle(
    message: Incoming,
    to: Address,
    first: Opened,
    now: number,
    count: (what: string) => void,
  ): AckDraft | null {
    // A key that was unknown a moment ago may have come with an earlier message of this very group.
    const opened = first.kind === 'refused' && first.code === 'key' ? open(to, message.payload) : first;
    switch (opened.kind) {
      case 'dropped':
        count(opened.why);
        return null;
      case 'refused': {
        const { what, ack } = answerRefused(to, opened.code, opened.jws, now);
        count(what);
        return ack;
      }
      case 'hello':
        count('hello');
        return answerHello(to, opened.hello, opened.jws, now, count);
      case 'batch': {
        const found = chain.accept(opened.batch, opened.jws, now);
        count(found.finding);
        return answerBatch(to, opened.batch, found);
      }
    }
  }

  /** Heartbeats and answers need no acknowledgement. */
  function aside(to: Address, payload: Uint8Array, now: number): string {
    try {
      if (to.what !== 'health') return 'ignored';
      const verified = verifyJws(payload, {
        typ: 'att-health+jws',
        keys: keyring.lookup(to.gw),
        bytesMax: SMALL_JWS_BYTES_MAX,
      });
      store.putHealth(to.gw, now, Buffer.from(verified.payload).toString('utf8'));
      return 'health';
    } catch (error) {
      if (error instanceof GatewayError) return 'garbage';
      throw error;
    }
  }

  /** One message that trips over a bug of ours must not hold up a fleet; a sick disk must. */
  function guarded(work: () => AckDraft | null): AckDraft | null | 'fault' {
    try {
      return work();
    } catch (error) {
      if (storageError(error).kind === 'storage') throw error;
      options.onFault?.(error);
      return 'fault';
    }
  }

  return {
    counts: () => Object.fromEntries(totals),
    receive(messages, now) {
      const seen = new Map<string, number>();
      const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
      const answers: Answer[] = [];
      const drafts: AckDraft[] = [];
      try {
        const ready = messages.map((message) => {
          const to = address(message.topic);
          return {
            message,
            to,
            opened: to && (to.what === 'batch' || to.what === 'hello') ? open(to, message.payload) : null,
          };
        });
        store.transact(() => {
          for (const { message, to, opened } of ready) {
            if (!to) count('ignored');
            else if (opened) {
              const ack = guarded(() => store.transact(() => handle(message, to, opened, now, count)));
              if (ack === 'fault') count('fault');
              else if (ack) drafts.push(ack);
            } else if (to.what.startsWith('res/')) {
              count('answer');
              answers.push({
                gw: to.gw,
                caller: to.what.slice('res/'.length),
                jws: Buffer.from(message.payload).toString('latin1'),
              });
            } else count(aside(to, message.payload, now));
          }
          options.beforeCommit?.();
        });
      } catch (error) {
        throw storageError(error);
      }
      for (const [what, times] of seen) totals.set(what, (totals.get(what) ?? 0) + times);
      for (const answer of answers) options.onAnswer?.(answer);
      return drafts;
    },
  };
}

interface Claim {
  readonly gw?: string;
  readonly aud?: string;
  readonly ep?: string;
  readonly seq?: number;
  readonly sid?: string;
}

/** What an unverified message says of itself, for addressing the refusal. Never throws. */
function peek(jws: string): Claim {
  try {
    const payload = Buffer.from(jws.split('.')[1] ?? '', 'base64url');
    const text =
      payload[0] === 0x1f && payload[1] === 0x8b ? inflate(payload, 'a refused message', 1_048_576) : payload;
    const said: unknown = JSON.parse(Buffer.from(text).toString('utf8'));
    if (typeof said !== 'object' || said === null) return {};
    const { gw, aud, ep, seq, sid } = said as Record<string, unknown>;
    return {
      ...(typeof gw === 'string' ? { gw } : {}),
      ...(typeof aud === 'string' && aud.length <= 128 ? { aud } : {}),
      ...(typeof ep === 'string' && EPOCH.test(ep) ? { ep } : {}),
      ...(typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0 ? { seq } : {}),
      ...(typeof sid === 'string' && sid.length >= 1 && sid.length <= 64 ? { sid } : {}),
    };
  } catch {
    return {};
  }
}
