/**
 * The Uplink seam: what a connection to the city platform is, whoever carries it (upstream §4, §5). `mqtt.ts` is the real
 * one; scenarios use one in memory. Also the settings of an upstream, its topics, and all its timings in one place.
 *
 * A session is a wire, not a queue: it publishes now or throws, and it never resends. The outbox is the only queue (D10).
 */
import type { GatewayError } from '../core/errors.js';

/** What is needed to find the broker and to be admitted. Files are read at each connection. */
export interface UplinkAddress {
  readonly id: string;
  readonly gw: string;
  readonly zone: string;
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  /** Put in front of `att/v1`, without slashes at its ends. */
  readonly prefix?: string | undefined;
  readonly mqtt: {
    /** `auto` tries 3.1.1 once when the broker refuses version 5. */
    readonly version: '5' | 'auto';
    readonly username?: string | undefined;
    readonly passwordFile?: string | undefined;
    readonly caFile?: string | undefined;
    readonly certFile?: string | undefined;
    readonly keyFile?: string | undefined;
    readonly keepAliveSeconds: number;
  };
}

/** Every wait of the upstream conversation, in milliseconds. Tests and the demonstration shorten them. */
export interface UplinkTimings {
  /** First attempt after start: uniform from 0 to this. */
  readonly startSpreadMs: number;
  /** First attempt after an established connection was lost: uniform from 0 to this, unless the platform says otherwise. */
  readonly spreadMs: number;
  /** Attempt k waits uniformly from `backoffMinMs` to `min(backoffMaxMs, backoffStepMs * 2^k)`. */
  readonly backoffMinMs: number;
  readonly backoffStepMs: number;
  readonly backoffMaxMs: number;
  /** A connection that lasted this long starts the backoff anew. */
  readonly stableMs: number;
  /** Least wait after busy, quota and connection-rate refusals. */
  readonly busyMs: number;
  /** Wait after refusals that a person must settle, and after a takeover. */
  readonly refusedMs: number;
  /** Deadline of TCP, TLS, CONNACK and SUBACK, each. */
  readonly connectMs: number;
  readonly publishMs: number;
  /** How long the answer to hello is waited for before batches are sent anyway. */
  readonly helloMs: number;
  readonly resendMinMs: number;
  readonly resendMaxMs: number;
  /** Limit of the doubled resend timer. */
  readonly resendBackoffMaxMs: number;
  /** Hello while stopped or while the platform is off. */
  readonly stoppedHelloMs: number;
  /** A connection on which no acknowledgement came for this long while one is due is made anew. */
  readonly muteMs: number;
  /** Not connected for this long: alarm (D10). */
  readonly alarmMs: number;
  /** Silence of the broker after which it is pinged, and the wait for any packet after that (F8: together 45 s). */
  readonly pingAfterMs: number;
  readonly pingWaitMs: number;
  readonly closeMs: number;
}

export const UPLINK_TIMINGS: UplinkTimings = {
  startSpreadMs: 5_000,
  spreadMs: 30_000,
  backoffMinMs: 1_000,
  backoffStepMs: 5_000,
  backoffMaxMs: 120_000,
  stableMs: 300_000,
  busyMs: 60_000,
  refusedMs: 600_000,
  connectMs: 30_000,
  publishMs: 30_000,
  helloMs: 5_000,
  resendMinMs: 5_000,
  resendMaxMs: 60_000,
  resendBackoffMaxMs: 300_000,
  stoppedHelloMs: 600_000,
  muteMs: 600_000,
  alarmMs: 600_000,
  pingAfterMs: 30_000,
  pingWaitMs: 15_000,
  closeMs: 2_000,
};

export type DownChannel = 'ack' | 'req' | 'pic' | 'plat';

export interface Incoming {
  readonly channel: DownChannel;
  readonly payload: Uint8Array;
  /** MQTT 5 Response Topic and Correlation Data of a request (§12.1). */
  readonly responseTopic?: string;
  readonly correlation?: Uint8Array;
}

export type UpChannel = 'hello' | 'batch' | 'health' | 'res' | 'state' | 'pic/want' | 'pic/done' | 'pic/c';

export interface Outgoing {
  readonly channel: UpChannel;
  readonly payload: string | Uint8Array;
  /** Last levels of the topic: the caller of `res`, `sha256/offset` of `pic/c`. */
  readonly rest?: string;
  readonly correlation?: Uint8Array;
}

export interface UplinkSession {
  readonly version: '5' | '3.1.1';
  /** Receive Maximum of the broker; 65535 when it named none. */
  readonly receiveMaximum: number;
  /** Largest batch JWS in bytes that the broker's Maximum Packet Size lets through; null when it named none. */
  readonly batchBytesMax: number | null;
  /**
   * Resolves when the broker has taken the message (PUBACK), which is not an acknowledgement. Throws
   * `uplink-publish-refused`, `uplink-oversize` (the session lives on) or the reason why the session ended.
   */
  publish(message: Outgoing, signal: AbortSignal): Promise<void>;
  /** Resolves with the reason when the session has ended for any cause; never rejects. */
  readonly ended: Promise<GatewayError>;
  /** Says goodbye within the close deadline and frees the socket. Never rejects. */
  close(): Promise<void>;
}

export interface Uplink {
  /**
   * Opens one connection, with its will, and subscribes. `receive` is called for each message, also before this resolves.
   * Throws a GatewayError that says what is wrong: unreachable, silent, refused with its code, and so on.
   */
  connect(sid: string, receive: (message: Incoming) => void, signal: AbortSignal): Promise<UplinkSession>;
}

export interface Topics {
  up(message: Pick<Outgoing, 'channel' | 'rest'>): string;
  readonly subscriptions: readonly string[];
  /** Channel of a topic that came in; null: not ours. */
  down(topic: string): DownChannel | null;
  /** Everything a Response Topic may begin with. */
  readonly answers: string;
}

/** The topics of one gateway (§4). It publishes and subscribes nowhere else. */
export function topicsOf(address: Pick<UplinkAddress, 'gw' | 'zone' | 'prefix'>): Topics {
  const prefix = address.prefix === undefined || address.prefix === '' ? '' : `${address.prefix}/`;
  const root = `${prefix}att/v1`;
  const own = `${root}/${address.zone}/${address.gw}`;
  const plat = `${root}/plat/state`;
  return {
    up: ({ channel, rest }) =>
      channel === 'state' ? `${own}/state` : `${own}/up/${channel}${rest === undefined ? '' : `/${rest}`}`,
    subscriptions: [`${own}/down/#`, plat],
    down(topic) {
      if (topic === plat) return 'plat';
      const word = topic.startsWith(`${own}/down/`) ? topic.slice(own.length + '/down/'.length) : '';
      return word === 'ack' || word === 'req' || word === 'pic' ? word : null;
    },
    answers: `${own}/up/res/`,
  };
}
