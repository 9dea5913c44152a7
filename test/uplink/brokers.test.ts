/** The upstream on real brokers: Mosquitto with the protocol's access list (version 5), and an embedded one (3.1.1 only). */
import { Aedes } from 'aedes';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { needs } from '../support/needs.js';
import type { StubPlatform } from '../support/stub-platform.js';
import { ACCESS, startMosquitto, startSide, stubPlatform, tempDir, until, ZONE, type Mosquitto } from './harness.js';
import { vectors } from './support.js';

const mosquitto = needs('mosquitto');

/** Connects the stub platform to a broker, as user `platform`. */
async function connectPlatform(
  url: string,
  platform: StubPlatform,
  options: { drop?: (n: number) => boolean } = {},
): Promise<() => Promise<void>> {
  const client = await mqtt.connectAsync(url, {
    protocolVersion: 4,
    username: 'platform',
    clientId: 'platform',
    reconnectPeriod: 30,
  });
  let received = 0;
  client.on('message', (topic, payload) => {
    received += 1;
    if (options.drop?.(received) === true) return;
    for (const answer of platform.receive({ topic, payload }))
      client.publish(answer.topic, Buffer.from(answer.payload), { qos: 1 });
  });
  await client.subscribeAsync('att/v1/+/+/up/#', { qos: 1 });
  const close = (): Promise<void> => client.endAsync(true);
  onTestFinished(close);
  return close;
}

async function startAedes(): Promise<string> {
  const aedes = await Aedes.createBroker();
  const server = createServer((socket) => void aedes.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    server.close();
  });
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(!mosquitto.available)(`on Mosquitto ${mosquitto.reason}`, () => {
  const begin = async (
    lines: readonly string[] = [],
    access: readonly string[] = ACCESS,
  ): Promise<{ broker: Mosquitto; platform: StubPlatform }> => {
    const broker = await startMosquitto(lines, access);
    const platform = stubPlatform();
    await connectPlatform(broker.url, platform);
    return { broker, platform };
  };

  test('delivers with version 5 under the access list, and the state is retained', async () => {
    const { broker, platform } = await begin();
    const side = startSide(broker.url);
    side.add(1200);
    await side.drained();
    expect(side.status()).toMatchObject({ state: 'online', version: '5', error: null });
    expect(platform.conflicts()).toBe(0);
    const states: string[] = [];
    const watcher = await mqtt.connectAsync(broker.url, {
      protocolVersion: 4,
      username: 'platform',
      clientId: 'watcher',
    });
    watcher.on('message', (_topic, payload) => states.push(payload.toString()));
    await watcher.subscribeAsync(`att/v1/${ZONE}/${vectors.gw}/state`, { qos: 1 });
    await until('state on', () => states.some((state) => state.includes('"on":true')));
    await side.stop();
    await until('state off', () => states.some((state) => state.includes('"on":false')));
    await watcher.endAsync(true);
  });

  test('broker killed twice and away while a backlog drains: nothing lost, nothing stored twice', async () => {
    const { broker, platform } = await begin();
    const side = startSide(broker.url);
    side.add(20_000);
    await until('begun', () => platform.stored.size > 3);
    await broker.stop('SIGKILL');
    await side.until('offline', (status) => status.state === 'offline' || status.state === 'connecting');
    const again = await startMosquitto([], ACCESS, broker.port);
    await until('going on', () => platform.stored.size > 12, 15_000);
    await again.stop('SIGKILL');
    await startMosquitto([], ACCESS, broker.port);
    await side.drained(20_000);
    const records = [...platform.stored.values()].flatMap((batch) => batch.records.map((record) => record.n));
    expect(new Set(records).size).toBe(records.length);
    expect(records.length).toBe(side.store.head().n);
    expect(platform.conflicts()).toBe(0);
  });

  test('acknowledgements lost at random', async () => {
    const broker = await startMosquitto();
    const platform = stubPlatform();
    await connectPlatform(broker.url, platform, { drop: (n) => n % 3 === 0 });
    const side = startSide(broker.url);
    for (let round = 0; round < 6; round += 1) {
      side.add(100);
      await side.drained();
    }
    expect(platform.conflicts()).toBe(0);
  });

  test('publishing not allowed: named, and healed by the broker alone', async () => {
    const { broker, platform } = await begin(
      [],
      ACCESS.filter((line) => !line.includes('up/#')),
    );
    const side = startSide(broker.url);
    side.add(3);
    await side.until('named', (status) => status.error?.code === 'uplink-publish-refused');
    await broker.stop();
    await startMosquitto([], ACCESS, broker.port);
    await side.drained(20_000);
    expect(platform.conflicts()).toBe(0);
  });

  test('reading not allowed: the subscription is granted and nothing is delivered', async () => {
    const { broker } = await begin(
      [],
      ACCESS.filter((line) => !line.includes('down/#')),
    );
    const side = startSide(broker.url);
    side.add(3);
    await side.until('named', (status) =>
      ['uplink-unanswered', 'uplink-subscribe-refused'].includes(status.error?.code ?? ''),
    );
    expect(side.store.upstream('city')?.ackedSeq).toBe(0);
  });

  test('a second box with the same identity is noticed, also when the broker does not say so', async () => {
    const { broker } = await begin();
    const side = startSide(broker.url);
    side.add(3);
    await side.drained();
    const twin = await mqtt.connectAsync(broker.url, {
      protocolVersion: 5,
      clientId: vectors.gw,
      username: vectors.gw,
      reconnectPeriod: 60,
    });
    onTestFinished(() => twin.endAsync(true));
    await side.until('named', (status) => ['uplink-taken-over', 'uplink-flapping'].includes(status.error?.code ?? ''));
  });

  test('nobody behind the broker: a publish is confirmed and still not delivered', async () => {
    const broker = await startMosquitto();
    const side = startSide(broker.url);
    side.add(3);
    await side.until('named', (status) => status.error?.code === 'uplink-unanswered');
    const platform = stubPlatform();
    await connectPlatform(broker.url, platform);
    await side.drained();
    await side.until('clean', (status) => status.error === null);
  });

  test('wrong password is named', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'password'), 'not-it\n');
    const broker = await startMosquitto(
      ['allow_anonymous false', `password_file ${join(dir, 'empty')}`].filter((line) => line.startsWith('allow')),
    );
    const side = startSide(broker.url, { mqtt: { passwordFile: join(dir, 'password') } });
    await side.until('named', (status) => ['uplink-login', 'uplink-forbidden'].includes(status.error?.code ?? ''));
    expect(JSON.stringify(side.status())).not.toContain('not-it');
  });

  test('at least 500 punches a second from a backlog', { timeout: 60_000 }, async () => {
    const { broker, platform } = await begin();
    const side = startSide('mqtt://127.0.0.1:9', { timings: { backoffMaxMs: 20, refusedMs: 20 } });
    side.add(20_000);
    await until('sealed', () => (side.store.upstream('city')?.sealedN ?? 0) >= 20_000, 20_000);
    const dir = side.store.dir;
    await side.stop();
    const started = performance.now();
    const again = startSide(broker.url, { dir });
    await again.drained(40_000);
    const rate = 20_000 / ((performance.now() - started) / 1000);
    expect(rate).toBeGreaterThan(500);
    expect(platform.conflicts()).toBe(0);
    if (process.env.SHOW_RATE !== undefined) process.stderr.write(`drained ${Math.round(rate)} punches/s\n`);
  });
});

test('a broker that only speaks 3.1.1: version 5 is named as the reason, auto falls back', async () => {
  const url = await startAedes();
  const platform = stubPlatform();
  await connectPlatform(url, platform);
  const strict = startSide(url);
  await strict.until(
    'named',
    (status) => status.error?.code === 'uplink-version' || status.error?.code === 'uplink-lost',
  );
  await strict.stop();
  const side = startSide(url, { mqtt: { version: 'auto' } });
  side.add(1200);
  await side.drained();
  expect(side.status()).toMatchObject({ state: 'online', version: '3.1.1', error: null });
  expect(platform.conflicts()).toBe(0);
});

test('nothing listens: unreachable is named', async () => {
  const side = startSide('mqtt://127.0.0.1:9');
  await side.until('named', (status) => status.error?.code === 'uplink-unreachable');
  await side.until('alarm', (status) => status.alarm);
});
