/**
 * The uplink over MQTT, and the only importer of mqtt in this room (upstream §5, §16).
 *
 *   url -> TCP or TLS (no delay) -> CONNECT 5, or 3.1.1 once when allowed -> SUBSCRIBE -> session
 *
 * The library is a wire here: one fresh client for each connection, no reconnect, no queue, no resend. Every wait has our
 * own deadline on the wire clock, because the library's callbacks are not called when a connection dies. It keeps the
 * broker's Receive Maximum and never sends a packet above its Maximum Packet Size. Errors say what is wrong, by code.
 */
import type { Socket } from 'node:net';
import {
  MqttClient,
  type IClientOptions,
  type IClientPublishOptions,
  type IConnackPacket,
  type IDisconnectPacket,
  type IPublishPacket,
} from 'mqtt';
import { asGatewayError, fail, GatewayError } from '../core/errors.js';
import { within, type Clock } from '../core/time.js';
import { addressOf, dial, guardPackets, readFiles, type Files } from './dial.js';
import { connackError, disconnectError, reasonText } from './refusals.js';
import {
  topicsOf,
  type Incoming,
  type Outgoing,
  type Topics,
  type UpChannel,
  type Uplink,
  type UplinkSession,
  type UplinkTimings,
  type UplinkAddress,
} from './uplink.js';

export interface MqttUplinkOptions {
  readonly settings: UplinkAddress;
  /** Real time, for deadlines. */
  readonly wire: Clock;
  readonly timings: UplinkTimings;
}

const RECEIVE_MAXIMUM = 16;
const PACKET_BYTES_MAX = 262_144;
const MESSAGE_EXPIRY_S: Partial<Record<UpChannel, number>> = { batch: 900, hello: 300, res: 600, 'pic/c': 600 };

function clientOptions(
  settings: UplinkAddress,
  timings: UplinkTimings,
  files: Files,
  sid: string,
  version: 4 | 5,
): IClientOptions {
  const will = {
    topic: topicsOf(settings).up({ channel: 'state' }),
    payload: Buffer.from(JSON.stringify({ on: false, sid })),
    qos: 1 as const,
    retain: true,
  };
  return {
    protocolId: 'MQTT',
    protocolVersion: version,
    clientId: settings.gw,
    username: settings.mqtt.username ?? settings.gw,
    ...(files.password ? { password: files.password } : {}),
    clean: true,
    keepalive: settings.mqtt.keepAliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: timings.connectMs * 2,
    resubscribe: false,
    queueQoSZero: false,
    will,
    ...(version === 5
      ? {
          properties: {
            sessionExpiryInterval: 0,
            receiveMaximum: RECEIVE_MAXIMUM,
            maximumPacketSize: PACKET_BYTES_MAX,
            topicAliasMaximum: 0,
          },
        }
      : {}),
  };
}

/** The numeric reason that the library attaches to its errors; null when there is none. */
function reasonCode(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

/** The real uplink. */
export function createMqttUplink(options: MqttUplinkOptions): Uplink {
  const { settings, wire, timings } = options;
  const attempt = async (
    sid: string,
    version: 4 | 5,
    receive: (message: Incoming) => void,
    signal: AbortSignal,
  ): Promise<UplinkSession> => {
    const address = addressOf(settings);
    const files = await readFiles(settings);
    const socket = await dial(address, files, wire, timings.connectMs, signal);
    const client = clientOptions(settings, timings, files, sid, version);
    const session = new MqttSession(options, address.name, socket, client, receive);
    try {
      await session.open(signal);
    } catch (error) {
      session.end(asGatewayError(error));
      throw error;
    }
    return session;
  };
  return {
    async connect(sid, receive, signal) {
      try {
        return await attempt(sid, 5, receive, signal);
      } catch (error) {
        const notFive =
          error instanceof GatewayError && (error.code === 'uplink-version' || error.context.early === true);
        if (settings.mqtt.version !== 'auto' || !notFive) throw error;
        return await attempt(sid, 4, receive, signal);
      }
    },
  };
}

class MqttSession implements UplinkSession {
  readonly version: '5' | '3.1.1';
  receiveMaximum = 65_535;
  batchBytesMax: number | null = null;
  #packetBytesMax: number | null = null;
  readonly ended: Promise<GatewayError>;
  readonly #client: MqttClient;
  readonly #socket: Socket;
  readonly #wire: Clock;
  readonly #timings: UplinkTimings;
  readonly #broker: string;
  readonly #topics: Topics;
  readonly #over = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #reportEnd: (error: GatewayError) => void = () => undefined;
  #reason: GatewayError | null = null;
  #open = false;
  #inFlight = 0;
  #heardAt: number;

  constructor(
    options: MqttUplinkOptions,
    broker: string,
    socket: Socket,
    client: IClientOptions,
    receive: (message: Incoming) => void,
  ) {
    this.version = client.protocolVersion === 5 ? '5' : '3.1.1';
    this.#wire = options.wire;
    this.#timings = options.timings;
    this.#broker = broker;
    this.#socket = socket;
    this.#topics = topicsOf(options.settings);
    this.#heardAt = options.wire.ticks();
    this.ended = new Promise((resolve) => (this.#reportEnd = resolve));
    this.#client = new MqttClient(() => socket, client);
    socket.on(
      'data',
      guardPackets(PACKET_BYTES_MAX, () => this.end(fail('uplink-flooded', { broker }))),
    );
    this.#client.on('packetreceive', () => (this.#heardAt = this.#wire.ticks()));
    this.#client.on('error', (error) => this.end(this.#explain(error)));
    this.#client.on('disconnect', (packet: IDisconnectPacket) =>
      this.end(disconnectError(packet.reasonCode ?? 0, broker)),
    );
    this.#client.on('close', () => this.end(this.#explain(null)));
    this.#client.on('message', (topic, payload, packet) => this.#take(topic, payload, packet, receive));
  }

  #take(topic: string, payload: Buffer, packet: IPublishPacket, receive: (message: Incoming) => void): void {
    const channel = this.#topics.down(topic);
    if (channel === null || this.#reason !== null) return;
    const { responseTopic, correlationData } = packet.properties ?? {};
    receive({
      channel,
      payload,
      ...(responseTopic !== undefined ? { responseTopic } : {}),
      ...(correlationData !== undefined ? { correlation: correlationData } : {}),
    });
  }

  /** Before CONNACK a code is a refusal and an early end may mean that the broker does not know version 5. */
  #explain(error: Error | null): GatewayError {
    const code = reasonCode(error);
    const reason = error?.message.slice(0, 120) ?? 'closed by the other side';
    if (this.#open) return fail('uplink-lost', { broker: this.#broker, reason }, error);
    if (code !== null) return connackError(code, this.#broker);
    return fail('uplink-lost', { broker: this.#broker, reason: `${reason} before CONNACK`, early: true }, error);
  }

  /** Ends the session for a reason; only the first reason counts. */
  end(reason: GatewayError): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#over.abort(reason);
    this.#client.end(true);
    this.#socket.destroy();
    this.#reportEnd(reason);
    this.#waiting.splice(0).forEach((wake) => wake());
  }

  /** Waits for `promise`, the end of the session, or the deadline, which ends the session as silent. */
  async #answer<T>(promise: Promise<T>, ms: number, waitingFor: string, signal: AbortSignal): Promise<T> {
    const ended = this.ended.then((reason) => Promise.reject(reason));
    const outcome = await within(this.#wire, ms, signal, Promise.race([promise, ended]));
    if (outcome !== 'late') return outcome;
    const silent = fail('uplink-silent', { broker: this.#broker, ms, waitingFor });
    this.end(silent);
    throw silent;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { connectMs } = this.#timings;
    const connected = new Promise<IConnackPacket>((resolve) => this.#client.once('connect', resolve));
    const connack = await this.#answer(connected, connectMs, 'CONNACK', signal);
    this.#open = true;
    this.receiveMaximum = connack.properties?.receiveMaximum ?? 65_535;
    this.#packetBytesMax = connack.properties?.maximumPacketSize ?? null;
    if (this.#packetBytesMax !== null) {
      this.batchBytesMax = this.#packetBytesMax - packetBytes(this.#topics.up({ channel: 'batch' }), 0);
    }
    const topics = this.#topics.subscriptions;
    const subscribed = new Promise<void>((resolve, reject) => {
      this.#client.subscribe([...topics], { qos: 1 }, (error, _granted, packet) => {
        if (!error) {
          resolve();
          return;
        }
        const refused = packet?.granted.findIndex((code) => Number(code) >= 0x80) ?? 0;
        const reason = reasonText(reasonCode(error) ?? 0x80);
        reject(
          fail(
            'uplink-subscribe-refused',
            { broker: this.#broker, topic: topics[refused] ?? topics[0], reason },
            error,
          ),
        );
      });
    });
    await this.#answer(subscribed, connectMs, 'SUBACK', signal);
    void this.#watch();
  }

  /** Notices a half-open connection by our own timers (F8): silence, then a ping, then silence again. */
  async #watch(): Promise<void> {
    const { pingAfterMs, pingWaitMs } = this.#timings;
    const { signal } = this.#over;
    try {
      for (;;) {
        await this.#wire.sleep(Math.max(1, this.#heardAt + pingAfterMs - this.#wire.ticks()), signal);
        if (this.#wire.ticks() - this.#heardAt < pingAfterMs) continue;
        const before = this.#heardAt;
        this.#client.sendPing();
        await this.#wire.sleep(pingWaitMs, signal);
        if (this.#heardAt === before)
          this.end(
            fail('uplink-silent', { broker: this.#broker, ms: pingAfterMs + pingWaitMs, waitingFor: 'PINGRESP' }),
          );
      }
    } catch {
      // Only the end of the session interrupts the sleep.
    }
  }

  /** Takes one place of the broker's Receive Maximum. */
  async #place(signal: AbortSignal): Promise<void> {
    while (this.#inFlight >= this.receiveMaximum && this.#reason === null) {
      signal.throwIfAborted();
      const freed = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await this.#answer(freed, this.#timings.publishMs, 'PUBACK', signal);
    }
    if (this.#reason !== null) throw this.#reason;
    this.#inFlight += 1;
  }

  #free(): void {
    this.#inFlight -= 1;
    this.#waiting.shift()?.();
  }

  async publish(message: Outgoing, signal: AbortSignal): Promise<void> {
    const topic = this.#topics.up(message);
    const payload = Buffer.from(message.payload);
    const expiry = this.version === '5' ? MESSAGE_EXPIRY_S[message.channel] : undefined;
    const bytes = packetBytes(topic, payload.length, message.correlation?.length ?? 0);
    if (this.#packetBytesMax !== null && bytes > this.#packetBytesMax) {
      throw fail('uplink-oversize', { seq: '', bytes, bytesMax: this.#packetBytesMax });
    }
    const options: IClientPublishOptions = {
      qos: message.channel === 'health' ? 0 : 1,
      retain: message.channel === 'state',
      ...(this.version === '5'
        ? {
            properties: {
              ...(expiry === undefined ? {} : { messageExpiryInterval: expiry }),
              ...(message.correlation === undefined ? {} : { correlationData: Buffer.from(message.correlation) }),
            },
          }
        : {}),
    };
    await this.#place(signal);
    const taken = new Promise<void>((resolve, reject) => {
      this.#client.publish(topic, payload, options, (error) => {
        this.#free();
        const code = reasonCode(error);
        if (!error) resolve();
        else if (code === null) reject(this.#reason ?? this.#explain(error));
        else reject(fail('uplink-publish-refused', { broker: this.#broker, topic, reason: reasonText(code) }, error));
      });
    });
    await this.#answer(taken, this.#timings.publishMs, 'PUBACK', signal);
  }

  async close(): Promise<void> {
    if (this.#reason === null) {
      const goodbye = new Promise<void>((resolve) => this.#client.end(false, () => resolve()));
      await within(this.#wire, this.#timings.closeMs, new AbortController().signal, goodbye);
    }
    this.end(fail('uplink-lost', { broker: this.#broker, reason: 'closed by this gateway' }));
  }
}

/** Upper bound of a PUBLISH packet: fixed header, topic, packet id, properties that we set, payload. */
function packetBytes(topic: string, payloadBytes: number, correlationBytes = 0): number {
  return (
    5 + 2 + Buffer.byteLength(topic) + 2 + 1 + 5 + (correlationBytes > 0 ? 3 + correlationBytes : 0) + payloadBytes
  );
}
