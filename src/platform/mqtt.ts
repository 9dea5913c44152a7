/**
 * One connection of the platform to its broker; the only import of mqtt in this room.
 *
 * Promises: the library is a wire and not a queue (no reconnect of its own, a fresh client for each connection), and a
 * delivery is answered with PUBACK only when `done` is called, after the commit (upstream §15). The library answers
 * deliveries one at a time and in order; a group commit needs many open ones, so its own PUBACK is held back (an error
 * given to the callback of `handleMessage` skips it, mqtt 5.16 `handlers/publish.js`) and written here.
 */
import { connect as connectMqtt, type IClientOptions, type MqttClient } from 'mqtt';
import { fail, type GatewayError } from '../core/errors.js';
import { within, type Clock } from '../core/time.js';

export type MqttVersion = 4 | 5;

export interface WireOptions {
  readonly url: string;
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Deliveries the broker may leave unanswered; only MQTT 5 can say it. */
  readonly receiveMaximum: number;
  /** Topic that the broker clears when this connection dies, or null. */
  readonly willTopic: string | null;
}

export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Tells the broker that it may forget the message. Does nothing once the connection is gone. */
  done(): void;
}

export interface PublishOptions {
  readonly retain?: boolean;
  readonly expirySeconds?: number;
}

export interface Wire {
  /** What the broker accepts unanswered from us; 20 when it does not say. */
  readonly window: number;
  readonly sharedSubscriptions: boolean;
  subscribe(topics: readonly string[], signal: AbortSignal): Promise<void>;
  /** Resolves on PUBACK; rejects with `platform-broker` when it is refused or does not come within 30 s. */
  publish(topic: string, payload: string, options: PublishOptions, signal: AbortSignal): Promise<void>;
  /** Resolves with the reason when the connection is gone. */
  readonly closed: Promise<string>;
  close(): Promise<void>;
}

const CONNECT_MS = 15_000;
const ANSWER_MS = 30_000;
const DEFAULT_WINDOW = 20;
const REFUSED_VERSION = new Set<unknown>([1, 132]);

/** Opens a connection. Throws `platform-broker`; its `context.version` is true when only the protocol version was refused. */
export async function openWire(
  options: WireOptions,
  clock: Clock,
  onDelivery: (delivery: Delivery) => void,
  signal: AbortSignal,
): Promise<Wire> {
  const client = connectMqtt(options.url, clientOptions(options));
  let reason = 'closed';
  let version = false;
  client.on('error', (error) => {
    reason = error.message;
    if ('code' in error && REFUSED_VERSION.has(error.code)) version = true;
  });
  client.on('disconnect', (packet) => void (reason = `disconnected by the broker, code ${packet.reasonCode ?? 0}`));
  const closed = new Promise<string>((resolve) => void client.once('close', () => resolve(reason)));
  holdPubacks(client, onDelivery);
  const broken = (why: string): GatewayError =>
    fail('platform-broker', { url: withoutSecrets(options.url), reason: why, version });
  const connected = new Promise<Connack>(
    (resolve) => void client.once('connect', (packet) => resolve(packet as Connack)),
  );
  let connack: Connack | string;
  try {
    const first = await within(clock, CONNECT_MS, signal, Promise.race([connected, closed]));
    connack = first === 'late' ? `no answer within ${CONNECT_MS} ms` : first;
  } catch (error) {
    client.end(true);
    throw error;
  }
  if (typeof connack === 'string') {
    client.end(true);
    throw broken(connack);
  }
  const properties = options.version === 5 ? (connack.properties ?? {}) : {};
  return {
    window: Math.min(properties.receiveMaximum ?? DEFAULT_WINDOW, 64),
    sharedSubscriptions: options.version === 5 && properties.sharedSubscriptionAvailable !== false,
    closed,
    async subscribe(topics, during) {
      const granted = await answered(clock, during, closed, broken, client.subscribeAsync([...topics], { qos: 1 }));
      const refused = granted.filter((grant) => grant.qos >= 128).map((grant) => grant.topic);
      if (refused.length > 0) throw broken(`subscription refused: ${refused.join(', ')}`);
    },
    async publish(topic, payload, { retain = false, expirySeconds }, during) {
      const more =
        options.version === 5 && expirySeconds !== undefined
          ? { properties: { messageExpiryInterval: expirySeconds } }
          : {};
      await answered(clock, during, closed, broken, client.publishAsync(topic, payload, { qos: 1, retain, ...more }));
    },
    async close() {
      client.end(false);
      const never = new AbortController().signal;
      if ((await within(clock, 2000, never, closed)) === 'late') client.end(true);
    },
  };
}

interface Connack {
  readonly properties?: { readonly receiveMaximum?: number; readonly sharedSubscriptionAvailable?: boolean };
}

function clientOptions(options: WireOptions): IClientOptions {
  const { username, password, ca, cert, key, willTopic } = options;
  return {
    clientId: options.clientId,
    protocolVersion: options.version,
    // Nothing is worth keeping in the broker: a gateway sends again what was not acknowledged. A session that outlives
    // its worker would only be dealt messages that nobody reads.
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS,
    keepalive: 30,
    queueQoSZero: false,
    resubscribe: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(willTopic === null
      ? {}
      : { will: { topic: willTopic, payload: Buffer.alloc(0), qos: 1 as const, retain: true } }),
    ...(options.version === 5
      ? {
          properties: {
            sessionExpiryInterval: 0,
            receiveMaximum: options.receiveMaximum,
            maximumPacketSize: 262_144,
            topicAliasMaximum: 0,
          },
        }
      : {}),
  };
}

function holdPubacks(client: MqttClient, onDelivery: (delivery: Delivery) => void): void {
  const { stream } = client;
  client.handleMessage = (packet, callback) => {
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const { messageId, qos, topic } = packet;
    if (qos !== 1 || messageId === undefined) {
      onDelivery({ topic, payload, done: () => undefined });
      callback();
      return;
    }
    onDelivery({
      topic,
      payload,
      done: () => {
        // A PUBACK with success is these four bytes in MQTT 3.1.1 (3.4) and in MQTT 5 (3.4.2.1) alike.
        if (client.connected && !stream.destroyed) stream.write(Buffer.of(0x40, 2, messageId >> 8, messageId & 0xff));
      },
    });
    callback(new Error('answered after the commit'));
  };
}

/** The library never calls back on a dead connection, so every wait has a deadline and ends with the connection. */
async function answered<T>(
  clock: Clock,
  signal: AbortSignal,
  closed: Promise<string>,
  broken: (why: string) => GatewayError,
  answer: Promise<T>,
): Promise<T> {
  const gone = closed.then((why) => {
    throw broken(why);
  });
  const refused = answer.catch((error: unknown) => {
    throw broken(error instanceof Error ? error.message : String(error));
  });
  const result = await within(clock, ANSWER_MS, signal, Promise.race([refused, gone]));
  if (result === 'late') throw broken(`no answer within ${ANSWER_MS} ms`);
  return result;
}

/** The address without user name and password, for logs and errors. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
