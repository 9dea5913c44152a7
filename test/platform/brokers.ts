/** Real brokers for tests: Mosquitto as a process that may be killed, and the embedded one, which speaks only 3.1.1. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { connectAsync, type MqttClient } from 'mqtt';
import { systemClock } from '../../src/core/time.js';
import { ackSchema, parsePayload, type AckMessage } from '../../src/uplink/messages.js';
import { keyLookup, verifyJws, type PublicJwk } from '../../src/uplink/envelope.js';
import { GW, ZONE } from './bench.js';

const clock = systemClock();

/** Waits until `done` holds; a test that would wait for ever is ended by its own time limit. */
export async function until(done: () => boolean, signal: AbortSignal = new AbortController().signal): Promise<void> {
  while (!done()) await clock.sleep(5, signal);
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connectSocket(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => {
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    socket.destroy();
    if (open) return;
    await clock.sleep(20, new AbortController().signal);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface TestBroker {
  readonly url: string;
  /** As a power cut would: nothing is said and nothing is saved. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMosquitto(extra = ''): Promise<TestBroker> {
  const port = await freePort();
  const file = join(mkdtempSync(join(tmpdir(), 'mosquitto-')), 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'set_tcp_nodelay true'];
  writeFileSync(
    file,
    [...lines, 'max_inflight_messages 100', 'max_queued_messages 10000', 'max_packet_size 262144', extra].join('\n'),
  );
  let child: ChildProcess;
  const begin = async (): Promise<void> => {
    child = spawn('mosquitto', ['-c', file], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` },
    });
    await listening(port);
  };
  const end = async (name: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(name);
    await once(child, 'exit');
  };
  await begin();
  return { url: `mqtt://127.0.0.1:${port}`, kill: () => end('SIGKILL'), restart: begin, stop: () => end('SIGTERM') };
}

export interface EmbeddedBroker {
  readonly url: string;
  readonly aedes: Aedes;
  stop(): Promise<void>;
}

export async function startAedes(): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    aedes,
    stop: async () => {
      await new Promise<void>((resolve) => {
        aedes.close(resolve);
      });
      server.close();
    },
  };
}

export interface WireClient {
  readonly client: MqttClient;
  readonly acks: AckMessage[];
  /** Platform states as they came; an empty text means that the topic was cleared. */
  readonly states: string[];
  send(what: string, jws: string): Promise<void>;
  stop(): Promise<void>;
}

/** The gateway's end: publishes and keeps the acknowledgements whose signature is good. */
export async function connectGateway(
  url: string,
  ackKey: PublicJwk,
  options: { version?: 4 | 5; gw?: string } = {},
): Promise<WireClient> {
  const { version = 5, gw = GW } = options;
  const client = await connectAsync(url, { protocolVersion: version, clientId: gw, reconnectPeriod: 0 });
  client.on('error', () => undefined);
  const acks: AckMessage[] = [];
  const states: string[] = [];
  client.on('message', (topic, payload) => {
    if (topic.endsWith('plat/state')) states.push(payload.toString('latin1'));
    if (!topic.endsWith('/down/ack')) return;
    acks.push(
      parsePayload(
        ackSchema,
        verifyJws(payload, { typ: 'att-ack+jws', keys: keyLookup([ackKey]) }).payload,
        'an acknowledgement',
      ),
    );
  });
  await client.subscribeAsync([`att/v1/${ZONE}/${gw}/down/#`, 'att/v1/plat/state'], { qos: 1 });
  return {
    client,
    acks,
    states,
    send: async (what, jws) => {
      await client.publishAsync(`att/v1/${ZONE}/${gw}/up/${what}`, jws, { qos: 1 });
    },
    stop: () => client.endAsync(true),
  };
}
