/**
 * The words of the conversation with the platform: what can happen (events), what is to be done (effects), where the outbox
 * stands, and what the page shows. Types only; `conversation.ts` decides and `flows/forward.ts` acts.
 */
import type { GatewayError } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import type { Continuation } from './batch.js';
import type { AckMessage, AckStanding, PlatStateMessage } from './messages.js';

export type ConversationState = 'offline' | 'connecting' | 'greeting' | 'online' | 'unanswered' | 'paused' | 'stopped';

export type ConversationEvent =
  | { readonly kind: 'start' }
  /** Time has passed, or a batch was sealed. */
  | { readonly kind: 'tick' }
  | {
      readonly kind: 'connected';
      readonly sid: string;
      readonly version: '5' | '3.1.1';
      readonly receiveMaximum: number;
      /** Largest batch JWS that the broker's Maximum Packet Size lets through; null: no limit named. */
      readonly batchBytesMax: number | null;
    }
  /** An attempt failed, or the connection ended. */
  | { readonly kind: 'failed'; readonly error: GatewayError }
  /** The broker took a batch (PUBACK). */
  | { readonly kind: 'taken' }
  /** The broker refused a publish although the connection lives. */
  | { readonly kind: 'publish-refused'; readonly error: GatewayError }
  /** An acknowledgement whose signature and form are right. */
  | { readonly kind: 'ack'; readonly ack: AckMessage; readonly jws: string }
  /** A platform state whose signature and form are right; null: the platform's own will, "unknown". */
  | { readonly kind: 'plat'; readonly plat: PlatStateMessage | null }
  /** A message that could not be verified or read. */
  | { readonly kind: 'bad'; readonly error: GatewayError }
  | { readonly kind: 'hello-wanted' }
  | { readonly kind: 'connect-now' }
  /** Command `resend` of the platform (§12.1). */
  | { readonly kind: 'resend'; readonly from: number; readonly to: number };

export type Effect =
  | { readonly kind: 'connect' }
  | { readonly kind: 'disconnect'; readonly error: GatewayError }
  | { readonly kind: 'hello' }
  | { readonly kind: 'batch'; readonly seq: number }
  | { readonly kind: 'acknowledge'; readonly through: number; readonly hash: string; readonly jws: string }
  | { readonly kind: 'unacknowledge'; readonly through: number }
  | { readonly kind: 'new-epoch'; readonly cont: Continuation }
  | { readonly kind: 'plat-at'; readonly at: number }
  /** Evidence for the journal: a fork was seen. */
  | { readonly kind: 'evidence'; readonly code: string; readonly seq: number };

/** Where the outbox stands when an event is handled. */
export interface Standing extends Omit<AckStanding, 'sid'> {
  /** `at` of the newest platform state ever accepted. */
  readonly platAt: number;
  /** Length of a sealed batch in bytes; null: not kept. */
  readonly sizeOf: (seq: number) => number | null;
}

export interface Moment {
  /** Monotonic milliseconds. */
  readonly ticks: number;
  readonly now: Instant;
  readonly trusted: boolean;
}

export interface ConversationView {
  readonly state: ConversationState;
  /** What is wrong; null when nothing is. */
  readonly problem: GatewayError | null;
  /** Not connected for ten minutes (D10), or stopped by a sign of tampering (§13). */
  readonly alarm: boolean;
  readonly connected: boolean;
  readonly version: '5' | '3.1.1' | null;
  readonly window: number;
  /** Batches on the way, sent and not acknowledged. */
  readonly unacknowledged: number;
  readonly lastAckAt: Instant | null;
  readonly notes: number;
  readonly rejections: number;
  readonly ignored: number;
  readonly bad: number;
  readonly resends: number;
  readonly lastNote: { readonly seq: number; readonly code: string } | null;
  readonly slow: boolean;
  readonly platformOff: boolean;
  /** Largest batch that the broker takes; null: no limit known. Sealing keeps below it. */
  readonly batchBytesMax: number | null;
}

export interface Conversation {
  step(event: ConversationEvent, moment: Moment, standing: Standing): readonly Effect[];
  view(ticks: number): ConversationView;
  /** Ticks at which `tick` is due next. */
  wakeAt(): number;
}
