/**
 * The conversation with the platform as a state machine without wires: events in, effects out (upstream §5, §8, §9, §10,
 * §13). It decides when to connect, to say hello, to send which batch, to resend, to pause and to stop; `flows/forward.ts`
 * carries the effects out and tells what became of them.
 *
 * Promises: only a checked acknowledgement moves the acknowledged head (P7); never more than the window on the way; sealed
 * bytes are resent, never rebuilt; nothing it decides ever stops the collecting. It refuses to start a new epoch twice in
 * ten minutes, so that no message can make it loop. Time comes in with each event; randomness is given.
 */
import { fail, type GatewayError } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import {
  acknowledgedThrough,
  armResend,
  forgetSent,
  openConnection,
  sent,
  startResend,
  windowOf,
  type Connection,
} from './connection.js';
import type {
  Conversation,
  ConversationEvent,
  ConversationState,
  ConversationView,
  Effect,
  Moment,
  Standing,
} from './conversation-words.js';
import { checkAck, type AckMessage, type PlatStateMessage } from './messages.js';
import { createPlatformState } from './platform-state.js';
import { createReconnect, type Reconnect } from './reconnect.js';
import { isAlarming, rejectionError } from './refusals.js';
import type { UplinkTimings } from './uplink.js';

const WINDOW = 4;
const WAIT_MAX_MS = 3_600_000;
/** Batches that one `resend` command may ask for (§12.1). */
const RESEND_BATCHES_MAX = 64;

/** A conversation at its beginning. It keeps no more than it can learn again after a restart. `random`: 0 to below 1. */
export function createConversation(timings: UplinkTimings, random: () => number): Conversation {
  return new Machine(timings, random);
}

class Machine implements Conversation {
  readonly #t: UplinkTimings;
  readonly #random: () => number;
  readonly #reconnect: Reconnect;
  #link: Connection | null = null;
  #stopped: GatewayError | null = null;
  #oversize: GatewayError | null = null;
  #unreadable: GatewayError | null = null;
  #pausedUntil: number | null = null;
  readonly #plat = createPlatformState();
  #win = WINDOW;
  #epochAt: number | null = null;
  #resumedAt = Number.NEGATIVE_INFINITY;
  #lastAckAt: Instant | null = null;
  #counts = { notes: 0, rejections: 0, ignored: 0, bad: 0, resends: 0 };
  #lastNote: { seq: number; code: string } | null = null;

  constructor(timings: UplinkTimings, random: () => number) {
    this.#t = timings;
    this.#random = random;
    this.#reconnect = createReconnect(timings, random);
  }

  step(event: ConversationEvent, moment: Moment, standing: Standing): readonly Effect[] {
    const effects: Effect[] = [];
    const after = this.#handle(event, moment, standing, effects);
    // After a new epoch the numbers given are of the old one; the next event brings the new ones.
    if (after !== null) this.#timers(moment, after, effects);
    return effects;
  }

  /** Returns where the outbox stands once the effects are carried out; null: in another epoch. */
  #handle(event: ConversationEvent, moment: Moment, standing: Standing, effects: Effect[]): Standing | null {
    switch (event.kind) {
      case 'start':
        this.#reconnect.start(moment.ticks);
        break;
      case 'tick':
        break;
      case 'connected':
        this.#reconnect.connected(moment.ticks);
        this.#oversize = null;
        this.#unreadable = null;
        this.#win = this.#plat.last?.win ?? WINDOW;
        this.#link = openConnection(event, moment.ticks, standing.ackedSeq, this.#t);
        this.#hello(moment, effects);
        break;
      case 'failed':
        this.#failed(event.error, moment);
        break;
      case 'taken':
        if (this.#link) this.#link.taken += 1;
        break;
      case 'publish-refused':
        this.#stop(event.error, moment);
        break;
      case 'ack':
        return this.#ack(event.ack, event.jws, moment, standing, effects);
      case 'plat':
        this.#platform(event.plat, moment, standing, effects);
        break;
      case 'bad':
        this.#counts.bad += 1;
        this.#unreadable = event.error;
        break;
      case 'hello-wanted':
        this.#hello(moment, effects);
        break;
      case 'connect-now':
        this.#reconnect.hurry(moment.ticks);
        this.#hello(moment, effects);
        break;
      case 'resend':
        this.#sendAgain(event.from, event.to, standing, effects);
        break;
    }
    return standing;
  }

  #sendAgain(from: number, to: number, standing: Standing, effects: Effect[]): void {
    if (!this.#link || this.#stopped !== null) return;
    const last = Math.min(to, standing.headSeq, from + RESEND_BATCHES_MAX - 1);
    for (let seq = Math.max(1, from); seq <= last; seq += 1) effects.push({ kind: 'batch', seq });
  }

  #hello(moment: Moment, effects: Effect[]): void {
    const link = this.#link;
    if (!link) return;
    link.helloDue = true;
    link.dueSince ??= moment.ticks;
    if (this.#quiet()) link.helloAt = moment.ticks + this.#t.stoppedHelloMs;
    else {
      link.helloAt = moment.ticks + link.helloRetryMs * (0.5 + this.#random());
      link.helloRetryMs = Math.min(this.#t.resendBackoffMaxMs, link.helloRetryMs * 2);
    }
    effects.push({ kind: 'hello' });
  }

  /** Stopped, or told by the platform to be quiet: no batches, a hello now and then. */
  #quiet(): boolean {
    return this.#stopped !== null || this.#plat.offUntil !== null;
  }

  #spreadMs(): number {
    return (this.#plat.last?.spread ?? this.#t.spreadMs / 1000) * 1000;
  }

  #failed(error: GatewayError, moment: Moment): void {
    const since = this.#link?.since ?? null;
    this.#link = null;
    this.#reconnect.failed(error, moment.ticks, since, this.#spreadMs());
  }

  #stop(error: GatewayError, moment: Moment): void {
    this.#stopped = error;
    const link = this.#link;
    if (!link) return;
    forgetSent(link);
    link.helloDue = false;
    link.helloAt = moment.ticks + this.#t.stoppedHelloMs;
  }

  #ack(ack: AckMessage, jws: string, moment: Moment, standing: Standing, effects: Effect[]): Standing | null {
    const link = this.#link;
    if (!link) return standing;
    // The sid counts only while a hello is unanswered: a repeated answer to it would look like a platform gone back.
    const greeting = link.helloDue && ack.sid === link.sid;
    const finding = checkAck(ack, { ...standing, sid: greeting ? link.sid : '' });
    if (finding === 'foreign' || finding === 'stale') {
      this.#counts.ignored += 1;
      return standing;
    }
    this.#heard(link, ack, moment, greeting);
    if (finding === 'fork') {
      this.#forked(ack.through, moment, effects);
      return standing;
    }
    if (finding === 'ahead') return this.#ahead(link, ack, moment, standing, effects);
    const refused = this.#rejected(link, ack, moment, effects);
    if (greeting && !refused) this.#resume(link, ack, moment);
    if (finding === 'unmoved') return standing;
    if (finding === 'went-back') {
      effects.push({ kind: 'unacknowledge', through: ack.through });
      forgetSent(link);
      link.nextSeq = ack.through + 1;
    } else {
      effects.push({ kind: 'acknowledge', through: ack.through, hash: ack.hash, jws });
      acknowledgedThrough(link, ack.through, moment.ticks, this.#t);
    }
    return { ...standing, ackedSeq: ack.through };
  }

  /** What every valid acknowledgement proves and brings, whatever it moves. */
  #heard(link: Connection, ack: AckMessage, moment: Moment, greeting: boolean): void {
    link.ackedAt = moment.ticks;
    this.#lastAckAt = moment.now;
    this.#unreadable = null;
    if (greeting) {
      link.helloDue = false;
      link.greetUntil = null;
      link.helloRetryMs = this.#t.resendMinMs;
      if (link.sentAt.size === 0) link.dueSince = null;
      if (!this.#quiet()) link.helloAt = null;
    }
    if (ack.win !== undefined) this.#win = ack.win;
    if (ack.wait !== undefined && ack.wait > 0) this.#pausedUntil = moment.ticks + Math.min(ack.wait, WAIT_MAX_MS);
    for (const note of ack.note ?? []) {
      this.#counts.notes += 1;
      this.#lastNote = { seq: note.seq, code: note.code };
    }
  }

  /** Contents differ under one number. Recorded once as evidence, however often it is seen. */
  #forked(seq: number, moment: Moment, effects: Effect[]): void {
    if (this.#stopped?.code !== 'platform-fork') effects.push({ kind: 'evidence', code: 'fork', seq });
    this.#stop(fail('platform-fork', { seq }), moment);
  }

  /** Handles `rej`; true when the stream is stopped by it. One from before our last resumption is an echo. */
  #rejected(link: Connection, ack: AckMessage, moment: Moment, effects: Effect[]): boolean {
    if (ack.rej === undefined || ack.at <= this.#resumedAt) return false;
    for (const { code, seq } of ack.rej) {
      this.#counts.rejections += 1;
      const error = rejectionError(code, seq);
      if (error?.code === 'platform-fork') this.#forked(seq, moment, effects);
      else if (error !== null) this.#stop(error, moment);
      if (error !== null) return true;
      this.#pausedUntil = Math.max(this.#pausedUntil ?? 0, moment.ticks + (ack.wait ?? this.#t.resendMinMs));
      link.nextSeq = Math.min(link.nextSeq, seq);
    }
    return false;
  }

  /** The answer to a hello without a refusal ends a stop; the platform refuses again if it still must. */
  #resume(link: Connection, ack: AckMessage, moment: Moment): void {
    if (this.#stopped === null) return;
    this.#stopped = null;
    this.#resumedAt = ack.at;
    link.helloAt = this.#plat.offUntil === null ? null : moment.ticks + this.#t.stoppedHelloMs;
    link.nextSeq = ack.through + 1;
    link.probing = true;
  }

  /** The platform holds batches that we never sealed: this database is an older copy (§9). */
  #ahead(link: Connection, ack: AckMessage, moment: Moment, standing: Standing, effects: Effect[]): Standing | null {
    if (this.#epochAt !== null && moment.ticks - this.#epochAt < this.#t.refusedMs) {
      this.#forked(ack.through, moment, effects);
      return standing;
    }
    this.#epochAt = moment.ticks;
    effects.push({ kind: 'new-epoch', cont: { ep: standing.ep, seq: ack.through, hash: ack.hash, why: 'restore' } });
    forgetSent(link);
    link.nextSeq = 1;
    link.greetUntil = moment.ticks + this.#t.helloMs;
    this.#hello(moment, effects);
    return null;
  }

  #platform(plat: PlatStateMessage | null, moment: Moment, standing: Standing, effects: Effect[]): void {
    const wasOff = this.#plat.offUntil !== null;
    if (plat === null) this.#plat.forget();
    else if (!this.#plat.take(plat, moment, standing.platAt)) {
      this.#counts.ignored += 1;
      return;
    } else if (plat.at > standing.platAt) effects.push({ kind: 'plat-at', at: plat.at });
    this.#win = plat?.win ?? this.#win;
    if (this.#plat.offUntil === null) {
      if (wasOff) this.#turnedOn(moment);
    } else if (this.#link) {
      this.#link.resendAt = null;
      this.#link.helloAt = moment.ticks + this.#t.stoppedHelloMs;
    }
  }

  /** The platform takes batches again: each gateway waits its own share of the spread (§10). */
  #turnedOn(moment: Moment): void {
    this.#plat.turnOn();
    this.#pausedUntil = Math.max(this.#pausedUntil ?? 0, moment.ticks + this.#random() * this.#spreadMs());
    const link = this.#link;
    if (!link) return;
    link.nextSeq = Math.min(link.nextSeq, ...link.sentAt.keys());
    forgetSent(link);
    if (!link.helloDue && this.#stopped === null) link.helloAt = null;
  }

  /** Does what is due at this moment: connect, hello, resend, send. */
  #timers(moment: Moment, standing: Standing, effects: Effect[]): void {
    const { ticks } = moment;
    if (this.#plat.offUntil !== null && ticks >= this.#plat.offUntil) this.#turnedOn(moment);
    if (this.#pausedUntil !== null && ticks >= this.#pausedUntil) this.#pausedUntil = null;
    if (this.#reconnect.at !== null && ticks >= this.#reconnect.at) {
      this.#reconnect.trying();
      effects.push({ kind: 'connect' });
    }
    const link = this.#link;
    if (!link) return;
    const giveUp = this.#hopeless(link, ticks);
    if (giveUp !== null) {
      effects.push({ kind: 'disconnect', error: giveUp });
      this.#failed(giveUp, moment);
      return;
    }
    if (link.helloAt !== null && ticks >= link.helloAt) this.#hello(moment, effects);
    if (link.greetUntil !== null && ticks >= link.greetUntil) link.greetUntil = null;
    // A pause that the platform asked for is not a lost acknowledgement.
    if (this.#pausedUntil !== null && link.resendAt !== null && link.resendAt <= this.#pausedUntil) {
      link.resendAt = this.#pausedUntil + link.resendMs;
    }
    if (link.resendAt !== null && ticks >= link.resendAt) {
      this.#counts.resends += 1;
      startResend(link, standing.ackedSeq, this.#t);
    }
    this.#pump(link, moment, standing, effects);
  }

  /** Ticks at which this connection is given up for a new one: nothing acknowledged, or a batch too large for it. */
  #giveUpAt(link: Connection): number {
    const muteAt =
      link.dueSince === null || this.#quiet() ? null : Math.max(link.dueSince, link.ackedAt ?? 0) + this.#t.muteMs;
    const oversizeAt = link.oversizeSince === null ? null : link.oversizeSince + this.#t.refusedMs;
    return Math.min(muteAt ?? Number.POSITIVE_INFINITY, oversizeAt ?? Number.POSITIVE_INFINITY);
  }

  #hopeless(link: Connection, ticks: number): GatewayError | null {
    if (ticks < this.#giveUpAt(link)) return null;
    return this.#oversize ?? fail('uplink-unanswered', {});
  }

  #pump(link: Connection, moment: Moment, standing: Standing, effects: Effect[]): void {
    if (link.greetUntil !== null || this.#quiet() || this.#pausedUntil !== null) return;
    link.nextSeq = Math.max(link.nextSeq, standing.ackedSeq + 1);
    this.#oversize = null;
    while (link.nextSeq <= standing.headSeq && link.nextSeq - 1 - standing.ackedSeq < windowOf(link, this.#win)) {
      const seq = link.nextSeq;
      const bytes = link.batchBytesMax === null ? null : standing.sizeOf(seq);
      if (bytes !== null && link.batchBytesMax !== null && bytes > link.batchBytesMax) {
        this.#oversize = fail('uplink-oversize', { seq, bytes, bytesMax: link.batchBytesMax });
        break;
      }
      effects.push({ kind: 'batch', seq });
      sent(link, seq, moment.ticks);
    }
    if (this.#oversize === null) link.oversizeSince = null;
    else link.oversizeSince ??= moment.ticks;
    armResend(link, moment.ticks, this.#random(), this.#t);
  }

  wakeAt(): number {
    const link = this.#link;
    const times = [this.#reconnect.at, this.#plat.offUntil, this.#pausedUntil];
    if (link) times.push(link.helloAt, link.greetUntil, link.resendAt, this.#giveUpAt(link));
    return Math.min(...times.map((at) => at ?? Number.POSITIVE_INFINITY));
  }

  #state(): ConversationState {
    const link = this.#link;
    if (!link) return this.#reconnect.at === null ? 'connecting' : 'offline';
    if (this.#stopped !== null) return 'stopped';
    if (link.ackedAt === null) return link.greetUntil === null ? 'unanswered' : 'greeting';
    if (link.probing && link.sentAt.size > 0) return 'unanswered';
    return this.#plat.offUntil !== null || this.#pausedUntil !== null ? 'paused' : 'online';
  }

  #problem(link: Connection | null, state: ConversationState, ticks: number): GatewayError | null {
    if (!link) return this.#reconnect.error;
    if (this.#stopped !== null) return this.#stopped;
    if (this.#oversize !== null) return this.#oversize;
    if (this.#unreadable !== null || state !== 'unanswered') return this.#unreadable ?? this.#reconnect.doubt(ticks);
    const [seq, times] = [...link.sentAt].map(([number, one]) => [number, one.times] as const)[0] ?? [];
    if (link.ackedAt === null || seq === undefined) return fail('uplink-unanswered', {});
    return fail('uplink-unacknowledged', { seq, times });
  }

  view(ticks: number): ConversationView {
    const state = this.#state();
    const link = this.#link;
    return {
      state,
      problem: this.#problem(link, state, ticks),
      alarm: isAlarming(this.#stopped) || this.#reconnect.offlineMs(ticks) >= this.#t.alarmMs,
      connected: link !== null,
      version: link?.version ?? null,
      window: link ? windowOf(link, this.#win) : 0,
      unacknowledged: link?.sentAt.size ?? 0,
      lastAckAt: this.#lastAckAt,
      ...this.#counts,
      lastNote: this.#lastNote,
      slow: this.#plat.last?.slow ?? false,
      platformOff: this.#plat.offUntil !== null,
      batchBytesMax: link?.batchBytesMax ?? null,
    };
  }
}
