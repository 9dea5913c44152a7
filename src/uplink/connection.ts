/**
 * What one connection remembers of its deliveries: which batches are on the way, how fast acknowledgements come, and when
 * to resend (upstream §5 window, §8 resend timer). It is forgotten with the connection; the outbox is the only memory.
 */
import type { ConversationEvent } from './conversation-words.js';
import type { UplinkTimings } from './uplink.js';

export interface Connection {
  readonly sid: string;
  readonly version: '5' | '3.1.1';
  readonly receiveMaximum: number;
  readonly batchBytesMax: number | null;
  readonly since: number;
  /** Hello was sent and its answer has not come. */
  helloDue: boolean;
  /** Ticks until which batches wait for the answer to hello; null: they wait no longer. */
  greetUntil: number | null;
  /** Next hello by itself (unanswered, stopped, or platform off); null: none. */
  helloAt: number | null;
  helloRetryMs: number;
  /** Ticks of the last acknowledgement on this connection; null: none, so the way down is unproven. */
  ackedAt: number | null;
  nextSeq: number;
  readonly sentAt: Map<number, { readonly at: number; readonly times: number }>;
  smoothedMs: number | null;
  resendAt: number | null;
  resendMs: number;
  /** The resend timer fired and nothing has moved since: window 1. */
  probing: boolean;
  /** Since when an acknowledgement has been due; null: none is. */
  dueSince: number | null;
  /** Since when a batch is too large for the broker. */
  oversizeSince: number | null;
  /** Batches that the broker confirmed (PUBACK). */
  taken: number;
}

/** A connection at its beginning, greeting. */
export function openConnection(
  event: Extract<ConversationEvent, { kind: 'connected' }>,
  ticks: number,
  ackedSeq: number,
  timings: UplinkTimings,
): Connection {
  return {
    sid: event.sid,
    version: event.version,
    receiveMaximum: event.receiveMaximum,
    batchBytesMax: event.batchBytesMax,
    since: ticks,
    helloDue: false,
    greetUntil: ticks + timings.helloMs,
    helloAt: null,
    helloRetryMs: timings.resendMinMs,
    ackedAt: null,
    nextSeq: ackedSeq + 1,
    sentAt: new Map(),
    smoothedMs: null,
    resendAt: null,
    resendMs: timings.resendMinMs,
    probing: false,
    dueSince: null,
    oversizeSince: null,
    taken: 0,
  };
}

/** Resend timer for the pace of this connection: four smoothed acknowledgement times within its limits. */
export function baseResendMs(link: Connection, timings: UplinkTimings): number {
  return Math.min(timings.resendMaxMs, Math.max(timings.resendMinMs, 4 * (link.smoothedMs ?? 0)));
}

/** An acknowledgement moved the head: the timer starts anew, window and pace are restored. */
export function acknowledgedThrough(link: Connection, through: number, ticks: number, timings: UplinkTimings): void {
  const sent = link.sentAt.get(through);
  if (sent?.times === 1) {
    const sample = ticks - sent.at;
    link.smoothedMs = link.smoothedMs === null ? sample : link.smoothedMs * 0.875 + sample * 0.125;
  }
  for (const seq of link.sentAt.keys()) if (seq <= through) link.sentAt.delete(seq);
  link.probing = false;
  link.resendMs = baseResendMs(link, timings);
  link.resendAt = link.sentAt.size > 0 ? ticks + link.resendMs : null;
  link.dueSince = link.sentAt.size > 0 || link.helloDue ? ticks : null;
  link.nextSeq = Math.max(link.nextSeq, through + 1);
}

/** The resend timer fired: from the acknowledged head again, one at a time, half as often. */
export function startResend(link: Connection, ackedSeq: number, timings: UplinkTimings): void {
  link.probing = true;
  link.nextSeq = ackedSeq + 1;
  link.resendMs = Math.min(timings.resendBackoffMaxMs, link.resendMs * 2);
  link.resendAt = null;
}

/** How many batches may be on the way: the platform's wish within the broker's Receive Maximum; one while probing. */
export function windowOf(link: Connection, wish: number): number {
  return link.probing ? 1 : Math.max(1, Math.min(wish, link.receiveMaximum));
}

/** Notes that a batch was sent and keeps the resend timer running. `jitter` is from 0 to below 1. */
export function sent(link: Connection, seq: number, ticks: number): void {
  link.sentAt.set(seq, { at: ticks, times: (link.sentAt.get(seq)?.times ?? 0) + 1 });
  link.nextSeq = seq + 1;
  link.dueSince ??= ticks;
}

/** Starts the resend timer when something is on the way and it does not run. `jitter` is from 0 to below 1. */
export function armResend(link: Connection, ticks: number, jitter: number, timings: UplinkTimings): void {
  if (link.sentAt.size === 0 || link.resendAt !== null) return;
  if (!link.probing) link.resendMs = baseResendMs(link, timings);
  link.resendAt = ticks + (link.probing ? link.resendMs * (0.5 + jitter) : link.resendMs);
}

/** Nothing is on the way any more and nothing is due: the stream stops or starts anew. */
export function forgetSent(link: Connection): void {
  link.sentAt.clear();
  link.resendAt = null;
  link.dueSince = null;
}
