/**
 * A scripted MQTT broker on a raw TCP socket, for one gateway at a time: it can refuse, stay silent, take and forget, grant
 * and never deliver, cut, and repeat. With no misdeed switched on it behaves, so that recovery can be tested as well.
 * It speaks versions 5 and 3.1.1 as far as the uplink needs; the platform behind it is a function.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Misdeeds {
  /** CONNACK code; 0 accepts. */
  connack: number;
  /** Accepts TCP and never answers CONNECT. */
  silent: boolean;
  /** Closes the connection instead of a CONNACK to version 5. */
  hangUpOnFive: boolean;
  /** SUBACK code for every filter. */
  suback: number;
  /** PUBACK code; null: none is sent. */
  puback: number | null;
  /** PUBACKs and forgets. */
  forget: boolean;
  /** Grants subscriptions and never delivers. */
  mute: boolean;
  /** Cuts the connection at a batch and loses it, before or after PUBACK; counted down. */
  cutBefore: number;
  cutAfter: number;
  /** Delivers each message so often. */
  deliveries: number;
  /** No answer to anything any more, not even pings, on every connection. */
  frozen: boolean;
  receiveMaximum: number | null;
  maximumPacketSize: number | null;
}

export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface EvilBroker {
  readonly url: string;
  readonly port: number;
  readonly misdeeds: Misdeeds;
  /** Everything published to it, forgotten or not. */
  readonly published: { readonly topic: string; readonly bytes: number }[];
  readonly connects: { readonly version: number }[];
  /** Most QoS 1 publishes that were unanswered at one time. */
  readonly inFlightMax: () => number;
  /** Sends a message of the platform to the gateway. */
  deliver(message: Delivery): void;
  /** Sends DISCONNECT with a reason (version 5) and closes. */
  disconnect(reason: number): void;
  close(): Promise<void>;
}

/** What the platform behind the broker answers to a message of the gateway. */
export type Behind = (message: Delivery) => readonly Delivery[];

const GOOD: Misdeeds = {
  connack: 0,
  silent: false,
  hangUpOnFive: false,
  suback: 1,
  puback: 0,
  forget: false,
  mute: false,
  cutBefore: 0,
  cutAfter: 0,
  deliveries: 1,
  frozen: false,
  receiveMaximum: null,
  maximumPacketSize: null,
};

function varint(value: number): number[] {
  const out: number[] = [];
  do {
    const byte = value % 128;
    value = Math.floor(value / 128);
    out.push(value > 0 ? byte | 0x80 : byte);
  } while (value > 0);
  return out;
}

function readVarint(bytes: Buffer, at: number): { value: number; next: number } | null {
  let value = 0;
  let factor = 1;
  for (let index = at; index < bytes.length && index < at + 4; index += 1) {
    const byte = bytes[index] ?? 0;
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if ((byte & 0x80) === 0) return { value, next: index + 1 };
  }
  return null;
}

const packet = (first: number, body: readonly number[] | Buffer): Buffer =>
  Buffer.concat([Buffer.from([first, ...varint(body.length)]), Buffer.from(body)]);

class Peer {
  version = 4;
  #buffer = Buffer.alloc(0);
  #nextId = 1;
  readonly socket: Socket;
  constructor(socket: Socket) {
    this.socket = socket;
  }

  *packets(chunk: Buffer): Generator<{ readonly type: number; readonly flags: number; readonly body: Buffer }> {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const length = readVarint(this.#buffer, 1);
      if (length === null || this.#buffer.length < length.next + length.value) return;
      const first = this.#buffer[0] ?? 0;
      const body = this.#buffer.subarray(length.next, length.next + length.value);
      this.#buffer = this.#buffer.subarray(length.next + length.value);
      yield { type: first >> 4, flags: first & 15, body };
    }
  }

  publish({ topic, payload }: Delivery): void {
    const name = Buffer.from(topic);
    const id = this.#nextId;
    this.#nextId = (id % 65_535) + 1;
    const head = Buffer.from([name.length >> 8, name.length & 255, ...name, id >> 8, id & 255]);
    const properties = this.version === 5 ? Buffer.from([0]) : Buffer.alloc(0);
    this.socket.write(packet(0x32, Buffer.concat([head, properties, payload])));
  }
}

function connackBody(version: number, misdeeds: Misdeeds): number[] {
  if (version !== 5) return [0, misdeeds.connack];
  const properties: number[] = [];
  const { receiveMaximum, maximumPacketSize } = misdeeds;
  if (receiveMaximum !== null) properties.push(0x21, receiveMaximum >> 8, receiveMaximum & 255);
  if (maximumPacketSize !== null) {
    properties.push(0x27, ...[24, 16, 8, 0].map((shift) => (maximumPacketSize >>> shift) & 255));
  }
  return [0, misdeeds.connack, ...varint(properties.length), ...properties];
}

function subackBody(peer: Peer, body: Buffer, code: number): number[] {
  let at = 2;
  const head = [body[0] ?? 0, body[1] ?? 0];
  if (peer.version === 5) {
    const properties = readVarint(body, 2);
    at = (properties?.next ?? 3) + (properties?.value ?? 0);
    head.push(0);
  }
  while (at + 2 < body.length) {
    at += 2 + body.readUInt16BE(at) + 1;
    head.push(code);
  }
  return head;
}

/** Starts the broker on a free port of the loopback interface. */
export async function startEvilBroker(behind: Behind, first: Partial<Misdeeds> = {}): Promise<EvilBroker> {
  const misdeeds: Misdeeds = { ...GOOD, ...first };
  const published: { topic: string; bytes: number }[] = [];
  const connects: { version: number }[] = [];
  const peers = new Set<Peer>();
  let unanswered = 0;
  let unansweredMax = 0;

  const onPublish = (peer: Peer, flags: number, body: Buffer): void => {
    const qos = (flags >> 1) & 3;
    let at = 2 + body.readUInt16BE(0);
    const topic = body.subarray(2, at).toString('utf8');
    const id = qos > 0 ? body.subarray(at, at + 2) : Buffer.alloc(0);
    at += id.length;
    if (peer.version === 5) {
      const properties = readVarint(body, at);
      at = (properties?.next ?? at + 1) + (properties?.value ?? 0);
    }
    const payload = Buffer.from(body.subarray(at));
    published.push({ topic, bytes: body.length + 5 });
    const batch = topic.endsWith('/up/batch');
    if (peer.socket.destroyed) return;
    if (batch && misdeeds.cutBefore > 0) {
      misdeeds.cutBefore -= 1;
      peer.socket.destroy();
      return;
    }
    unanswered += 1;
    unansweredMax = Math.max(unansweredMax, unanswered);
    setImmediate(() => {
      unanswered -= 1;
      if (misdeeds.frozen || peer.socket.destroyed) return;
      if (qos > 0 && misdeeds.puback !== null) {
        const reason = peer.version === 5 && misdeeds.puback > 0 ? [misdeeds.puback] : [];
        peer.socket.write(packet(0x40, [...id, ...reason]));
      }
      const refused = misdeeds.puback !== null && misdeeds.puback >= 0x80;
      if (batch && misdeeds.cutAfter > 0) {
        misdeeds.cutAfter -= 1;
        peer.socket.destroySoon();
        return;
      }
      if (misdeeds.forget || refused) return;
      for (const answer of behind({ topic, payload })) deliver(answer);
    });
  };

  const deliver = (message: Delivery): void => {
    if (misdeeds.mute || misdeeds.frozen) return;
    for (const peer of peers) for (let time = 0; time < misdeeds.deliveries; time += 1) peer.publish(message);
  };

  const onPacket = (peer: Peer, type: number, flags: number, body: Buffer): void => {
    if (misdeeds.frozen) return;
    if (type === 1) {
      peer.version = body[6] ?? 4;
      connects.push({ version: peer.version });
      if (misdeeds.silent) return;
      if (misdeeds.hangUpOnFive && peer.version === 5) {
        peer.socket.destroy();
        return;
      }
      peer.socket.write(packet(0x20, connackBody(peer.version, misdeeds)));
      if (misdeeds.connack !== 0) peer.socket.end();
    } else if (type === 3) onPublish(peer, flags, body);
    else if (type === 8) peer.socket.write(packet(0x90, subackBody(peer, body, misdeeds.suback)));
    else if (type === 12) peer.socket.write(packet(0xd0, []));
    else if (type === 14) peer.socket.end();
  };

  const server: Server = createServer((socket) => {
    const peer = new Peer(socket);
    peers.add(peer);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => peers.delete(peer));
    socket.on('data', (chunk) => {
      for (const { type, flags, body } of peer.packets(chunk)) onPacket(peer, type, flags, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    misdeeds,
    published,
    connects,
    inFlightMax: () => unansweredMax,
    deliver,
    disconnect(reason) {
      for (const peer of peers) {
        if (peer.version === 5) peer.socket.write(packet(0xe0, [reason, 0]));
        peer.socket.end();
      }
    },
    async close() {
      for (const peer of peers) peer.socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
