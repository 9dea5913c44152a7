/**
 * Outbox to platform: one unit for each upstream. A thin shell around `uplink/conversation.ts`: it carries out what the
 * conversation decides, verifies what comes in, and keeps the status for the page and for /readyz.
 *
 * Promises: a batch leaves the outbox only by a verified acknowledgement, in one durable transaction that also keeps the
 * receipt (P7, upstream §8). A broker that is away, mute or hostile is a state with a reason, never an exception; only a
 * failing store ends the unit, and then it starts again from the outbox.
 */
import { asGatewayError, fail, type ErrorCode, type ErrorKind, type GatewayError } from '../core/errors.js';
import { randomHex } from '../core/ids.js';
import type { Log } from '../core/log.js';
import { within, type Clock, type Instant } from '../core/time.js';
import type { Bell, Doorbell, Unit } from '../core/unit.js';
import type { Store, UpstreamState } from '../store/store.js';
import { freshEpoch } from '../uplink/batch.js';
import { createConversation } from '../uplink/conversation.js';
import type {
  Conversation,
  ConversationEvent,
  ConversationView,
  Effect,
  Standing,
} from '../uplink/conversation-words.js';
import { genesisHash, signJws, type Signer } from '../uplink/envelope.js';
import { helloMessage, type HelloMessage } from '../uplink/messages.js';
import type { PlatformKeys } from '../uplink/platform-keys.js';
import { readMessage } from '../uplink/reading.js';
import type { Incoming, Outgoing, Uplink, UplinkSession, UplinkTimings } from '../uplink/uplink.js';

/** What hello says of the machine; the gateway knows it. */
export type HelloFacts = Pick<HelloMessage, 'sw' | 'clock' | 'disk' | 'pics'>;

export interface ForwardOptions {
  readonly upstream: string;
  readonly store: Store;
  readonly uplink: Uplink;
  /** Business time, for what is written. */
  readonly clock: Clock;
  /** Real time, for deadlines. */
  readonly wire: Clock;
  readonly timings: UplinkTimings;
  readonly signer: () => Signer;
  readonly platformKeys: PlatformKeys;
  /** Rung when a batch was sealed; we ring it for what comes in. */
  readonly outboxBell: Doorbell;
  /** Rung by us when we added an event to the journal or began an epoch. */
  readonly journalBell: Bell;
  readonly log: Log;
  readonly helloFacts: () => HelloFacts;
  /** Unverified requests and picture messages of the platform, for whoever answers them. Must not throw. */
  readonly onMessage?: (message: Incoming) => void;
  readonly random?: () => number;
}

export interface UpstreamStatus extends Omit<ConversationView, 'problem'> {
  readonly id: string;
  readonly since: Instant;
  /** What is wrong and what to do about it, in both languages; null when nothing is. */
  readonly error: {
    readonly code: ErrorCode;
    readonly kind: ErrorKind;
    readonly zh: { readonly what: string; readonly remedy: string };
    readonly en: { readonly what: string; readonly remedy: string };
  } | null;
}

export interface Forward {
  readonly unit: Unit;
  status(): UpstreamStatus;
  /** Tries at once, or says hello at once when connected: the button on the page. */
  connectNow(): void;
  /** The platform asked for a hello (§12.1). */
  sayHello(): void;
  /** The platform's command `resend` (§12.1). */
  resend(from: number, to: number): void;
  /** Publishes an answer, heartbeat or picture message on the present connection; throws `uplink-offline` without one. */
  publish(message: Outgoing, signal: AbortSignal): Promise<void>;
  /** For sealing: the broker's limit and the platform's wish. */
  batchBytesMax(): number | null;
  slow(): boolean;
  /** Whether a valid acknowledgement came since the start of the program. Sealing under an old epoch waits for it. */
  heard(): boolean;
}

/** Messages that may wait for us; beyond it new ones are dropped, which costs a resend and never a record. */
const INBOX_MAX = 256;
const SLEEP_MAX_MS = 60_000;

type Item =
  { readonly message: Incoming } | { readonly event: ConversationEvent } | { readonly session: UplinkSession };

/** The forwarding unit of one upstream. */
export function createForward(options: ForwardOptions): Forward {
  return new Forwarder(options);
}

class Forwarder implements Forward {
  readonly unit: Unit;
  readonly #o: ForwardOptions;
  #conversation: Conversation;
  #inbox: { readonly connection: number; readonly item: Item }[] = [];
  #session: UplinkSession | null = null;
  #sid = '';
  #connection = 0;
  #dialling = new AbortController();
  #since: Instant;
  #seen = '';
  #heard = false;

  constructor(options: ForwardOptions) {
    this.#o = options;
    this.#conversation = this.#begin();
    this.#since = options.clock.now();
    this.unit = { name: `forward:${options.upstream}`, run: (signal) => this.#run(signal) };
  }

  #begin(): Conversation {
    return createConversation(this.#o.timings, this.#o.random ?? Math.random);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { wire, outboxBell } = this.#o;
    this.#conversation = this.#begin();
    this.#inbox = [];
    this.#dialling = new AbortController();
    let started = false;
    try {
      while (!signal.aborted) {
        // Without an epoch there is nothing to say: sealing begins the first one and rings.
        if (this.#o.store.upstream(this.#o.upstream) !== null) {
          this.#step({ kind: started ? 'tick' : 'start' });
          started = true;
        }
        this.#drain();
        const waitMs = started ? this.#conversation.wakeAt() - wire.ticks() : 1_000;
        if (this.#inbox.length === 0) await outboxBell.wait(Math.min(SLEEP_MAX_MS, Math.max(1, waitMs)), signal);
      }
    } finally {
      this.#dialling.abort(fail('uplink-offline', { upstream: this.#o.upstream }));
      await this.#goodbye();
    }
  }

  #push(connection: number, item: Item): void {
    if ('message' in item && this.#inbox.length >= INBOX_MAX) return;
    this.#inbox.push({ connection, item });
    this.#o.outboxBell.ring();
  }

  /** Handles what came in; what belongs to an earlier connection is dropped. */
  #drain(): void {
    for (const { connection, item } of this.#inbox.splice(0)) {
      if (connection !== this.#connection) {
        if ('session' in item) void item.session.close();
        continue;
      }
      if ('message' in item) this.#receive(item.message);
      else if ('session' in item) this.#connected(item.session);
      else {
        if (item.event.kind === 'failed') this.#session = null;
        this.#step(item.event);
      }
    }
  }

  #standing(): Standing {
    const { store, upstream } = this.#o;
    const state = this.#state();
    const genesis = genesisHash(state.gw, state.aud, state.ep);
    return {
      gw: state.gw,
      ep: state.ep,
      ackedSeq: state.ackedSeq,
      headSeq: state.headSeq,
      platAt: state.platAt,
      hashOf: (seq) => (seq === 0 ? genesis : (store.batch(upstream, state.ep, seq)?.hash ?? null)),
      sizeOf: (seq) => store.batch(upstream, state.ep, seq)?.jws.length ?? null,
    };
  }

  #step(event: ConversationEvent): void {
    const { clock, wire } = this.#o;
    const moment = { ticks: wire.ticks(), now: clock.now(), trusted: clock.trusted() };
    for (const effect of this.#conversation.step(event, moment, this.#standing())) this.#carryOut(effect);
    this.#noteState();
  }

  #carryOut(effect: Effect): void {
    const { store, upstream, clock, journalBell } = this.#o;
    switch (effect.kind) {
      case 'connect':
        this.#connect();
        return;
      case 'disconnect': {
        const session = this.#session;
        this.#session = null;
        this.#connection += 1;
        void session?.close();
        return;
      }
      case 'hello':
        this.#send({ channel: 'hello', payload: this.#hello() }, null);
        return;
      case 'batch': {
        const batch = store.batch(upstream, this.#state().ep, effect.seq);
        if (batch !== null) this.#send({ channel: 'batch', payload: batch.jws }, { kind: 'taken' });
        return;
      }
      case 'acknowledge': {
        const { through, hash, jws } = effect;
        const { ep } = this.#state();
        store.transact((tx) => tx.acknowledge({ upstream, ep, through, hash, at: clock.now(), jws }));
        return;
      }
      case 'unacknowledge':
        store.transact((tx) => tx.unacknowledge(upstream, this.#state().ep, effect.through));
        return;
      case 'new-epoch':
        this.#newEpoch(effect);
        journalBell.ring();
        return;
      case 'plat-at':
        store.transact((tx) => tx.setPlatAt(upstream, effect.at));
        return;
      case 'evidence':
        store.transact((tx) =>
          tx.addEvent({
            kind: 'event',
            what: 'tamper',
            at: clock.now(),
            data: { upstream, finding: effect.code, seq: effect.seq },
          }),
        );
        journalBell.ring();
        return;
    }
  }

  #state(): UpstreamState {
    const state = this.#o.store.upstream(this.#o.upstream);
    if (state === null) throw fail('unexpected', { reason: `upstream ${this.#o.upstream} has no state` });
    return state;
  }

  /** This database is an older copy of what the platform knows: new numbers, unacknowledged records are sealed again (§9). */
  #newEpoch(effect: Extract<Effect, { kind: 'new-epoch' }>): void {
    const { store, upstream, clock } = this.#o;
    const old = this.#state();
    const fresh = freshEpoch(old.gw, old.aud);
    store.transact((tx) => {
      tx.putUpstream({
        ...old,
        ...fresh,
        sealedN: old.ackedN,
        cont: { ...effect.cont },
      });
      // What the lost database had read and confirmed, the terminals may not offer again by themselves.
      tx.forgetCursors();
      tx.addEvent({
        kind: 'event',
        what: 'epoch',
        at: clock.now(),
        data: { upstream, ep: fresh.ep, why: effect.cont.why, before: old.ep, platformSeq: effect.cont.seq ?? null },
      });
    });
  }

  #connect(): void {
    const { uplink } = this.#o;
    const connection = (this.#connection += 1);
    this.#sid = randomHex(8);
    uplink
      .connect(this.#sid, (message) => this.#push(connection, { message }), this.#dialling.signal)
      .then(
        (session) => this.#push(connection, { session }),
        (error: unknown) => this.#push(connection, { event: { kind: 'failed', error: asGatewayError(error) } }),
      );
  }

  #connected(session: UplinkSession): void {
    const connection = this.#connection;
    this.#session = session;
    void session.ended.then((error) => this.#push(connection, { event: { kind: 'failed', error } }));
    this.#send(
      { channel: 'state', payload: JSON.stringify({ on: true, at: this.#o.clock.now(), sid: this.#sid }) },
      null,
    );
    const { version, receiveMaximum, batchBytesMax } = session;
    this.#step({ kind: 'connected', sid: this.#sid, version, receiveMaximum, batchBytesMax });
  }

  /** Publishes and tells the conversation what became of it. A lost connection tells itself. */
  #send(message: Outgoing, done: ConversationEvent | null): void {
    const connection = this.#connection;
    this.#session?.publish(message, this.#dialling.signal).then(
      () => {
        if (done !== null) this.#push(connection, { event: done });
      },
      (thrown: unknown) => {
        const error = asGatewayError(thrown);
        if (message.channel === 'state') return;
        if (error.code === 'uplink-publish-refused' || error.code === 'uplink-oversize') {
          this.#push(connection, { event: { kind: 'publish-refused', error } });
        }
      },
    );
  }

  #hello(): string {
    const { store, clock, helloFacts, signer } = this.#o;
    const state = this.#state();
    const waiting = { unsealed: Math.max(0, store.head().n - state.sealedN), oldest: store.factAt(state.ackedN + 1) };
    const hello = helloMessage(state, { ...waiting, ...helloFacts(), sid: this.#sid, at: clock.now() });
    return signJws(signer(), 'att-hello+jws', JSON.stringify(hello));
  }

  #receive(message: Incoming): void {
    if (message.channel === 'req' || message.channel === 'pic') {
      this.#o.onMessage?.(message);
      return;
    }
    this.#step(readMessage(message, this.#o.platformKeys));
  }

  /** A polite end: the retained state says off, then DISCONNECT, within the close deadline. */
  async #goodbye(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    this.#connection += 1;
    if (!session) return;
    const { wire, timings } = this.#o;
    const never = new AbortController().signal;
    const off = session.publish({ channel: 'state', payload: JSON.stringify({ on: false, sid: this.#sid }) }, never);
    await within(
      wire,
      timings.closeMs,
      never,
      off.catch(() => undefined),
    );
    await session.close();
  }

  /** Notes since when the state has been as it is, and writes one line for each change. */
  #noteState(): void {
    const { clock, wire, log, upstream, journalBell } = this.#o;
    const { state, problem, version, lastAckAt } = this.#conversation.view(wire.ticks());
    if (lastAckAt !== null && !this.#heard) {
      this.#heard = true;
      journalBell.ring();
    }
    const seen = `${state} ${problem?.code ?? ''}`;
    if (seen === this.#seen) return;
    if (!this.#seen.startsWith(`${state} `)) this.#since = clock.now();
    this.#seen = seen;
    log.info({ upstream, state, code: problem?.code, context: problem?.context, version }, 'upstream state');
  }

  status(): UpstreamStatus {
    const { problem, ...view } = this.#conversation.view(this.#o.wire.ticks());
    return { ...view, id: this.#o.upstream, since: this.#since, error: problem === null ? null : explained(problem) };
  }

  connectNow(): void {
    this.#push(this.#connection, { event: { kind: 'connect-now' } });
  }
  sayHello(): void {
    this.#push(this.#connection, { event: { kind: 'hello-wanted' } });
  }
  resend(from: number, to: number): void {
    this.#push(this.#connection, { event: { kind: 'resend', from, to } });
  }
  async publish(message: Outgoing, signal: AbortSignal): Promise<void> {
    if (this.#session === null) throw fail('uplink-offline', { upstream: this.#o.upstream });
    await this.#session.publish(message, signal);
  }
  batchBytesMax(): number | null {
    return this.#conversation.view(this.#o.wire.ticks()).batchBytesMax;
  }
  slow(): boolean {
    return this.#conversation.view(this.#o.wire.ticks()).slow;
  }
  heard(): boolean {
    return this.#heard;
  }
}

const explained = (error: GatewayError): UpstreamStatus['error'] => ({
  code: error.code,
  kind: error.kind,
  zh: error.explain('zh'),
  en: error.explain('en'),
});
