/** The platform on real brokers: Mosquitto with MQTT 5 and shared subscriptions, and the embedded one with 3.1.1. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { runPlatform } from '../../src/commands/platform.js';
import { silentLog } from '../../src/core/log.js';
import { systemClock } from '../../src/core/time.js';
import { createPlatform, type Platform, type PlatformParts } from '../../src/platform/platform.js';
import { checkSettings } from '../../src/platform/settings.js';
import { keyLookup, signJws, verifyJws } from '../../src/uplink/envelope.js';
import { keySetSchema, parsePayload, platStateSchema } from '../../src/uplink/messages.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { needs } from '../support/needs.js';
import { AUD, createTestGateway, GW, seedSigner, ZONE } from './bench.js';
import { connectGateway, startAedes, startMosquitto, until } from './brokers.js';

const mosquitto = needs('mosquitto');
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const later = <T extends { stop(): Promise<unknown> }>(one: T): T => {
  open.push(() => one.stop());
  return one;
};

const freshDir = (): string => mkdtempSync(join(tmpdir(), 'platform-'));

function platform(
  url: string,
  options: { dataDir?: string; more?: Record<string, unknown>; parts?: Partial<PlatformParts> } = {},
): Platform {
  const settings = checkSettings({ dataDir: options.dataDir ?? freshDir(), url, ackMergeMs: 0, ...options.more });
  const made = later(createPlatform(settings, { clock: systemClock(), log: silentLog(), ...options.parts }));
  made.registerGateway({ gw: GW, zone: ZONE, aud: AUD, keys: [seedSigner('test key: gateway').publicJwk] });
  made.start();
  return made;
}

const forEver = new AbortController().signal;

describe.skipIf(!mosquitto.available)(`on Mosquitto ${mosquitto.reason}`, () => {
  test('hello and batches are acknowledged with signatures that the published keys verify', async () => {
    const broker = later(await startMosquitto());
    const city = platform(broker.url);
    await city.connected(forEver);
    const published = JSON.parse(readFileSync(city.keys.file, 'utf8')) as { keys: { use: string; x: string }[] };
    const x = published.keys.find((key) => key.use === 'ack')?.x ?? '';
    const wire = later(await connectGateway(broker.url, { kty: 'OKP', crv: 'Ed25519', x }));
    const gateway = createTestGateway();
    await wire.send('hello', gateway.hello('session-1'));
    await until(() => wire.acks.length === 1);
    expect(wire.acks[0]).toMatchObject({ sid: 'session-1', through: 0, gw: GW });
    const sealed = [gateway.seal(), gateway.seal(), gateway.seal()];
    for (const batch of sealed) await wire.send('batch', batch.jws);
    await until(() => wire.acks.at(-1)?.through === 3);
    expect(wire.acks.at(-1)).toMatchObject({ hash: sealed[2]?.hash, win: 4 });
    expect(city.ledger.verifyGateway(GW)).toMatchObject({ ok: true, batches: 3 });
  });

  test('the retained state is signed, carries the key set under the root key, rises over a restart, and is cleared at the end', async () => {
    const broker = later(await startMosquitto());
    const dataDir = freshDir();
    const ats: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      const city = platform(broker.url, { dataDir });
      const wire = await connectGateway(broker.url, city.keys.signers.ack.publicJwk);
      const { states } = wire;
      await city.connected(forEver);
      await until(() => states.at(-1) !== undefined && states.at(-1) !== '');
      const jws = verifyJws(states.at(-1) ?? '', {
        typ: 'att-plat+jws',
        keys: keyLookup([city.keys.signers.plat.publicJwk]),
      });
      const state = parsePayload(platStateSchema, jws.payload, 'a platform state');
      expect(state).toMatchObject({ on: true, win: 4, slow: false });
      const set = verifyJws(state.keys ?? '', { typ: 'att-keys+jws', keys: keyLookup([city.keys.root.publicJwk]) });
      expect(parsePayload(keySetSchema, set.payload, 'a key set')).toMatchObject({ ser: 1, v: 1 });
      ats.push(state.at);
      await city.stop();
      await until(() => states.at(-1) === '');
      await wire.stop();
    }
    expect(ats[1]).toBeGreaterThan(ats[0] ?? 0);
  });

  test.each([2, 3])('%i workers on one shared subscription give the same result as one', async (count) => {
    const broker = later(await startMosquitto());
    const dataDir = freshDir();
    const workers = Array.from({ length: count }, (_, index) =>
      platform(broker.url, { dataDir, more: { announce: index === 0 } }),
    );
    for (const worker of workers) await worker.connected(forEver);
    const [first] = workers;
    const wire = later(
      await connectGateway(broker.url, first?.keys.signers.ack.publicJwk ?? seedSigner('none').publicJwk),
    );
    const gateway = createTestGateway();
    const sealed = Array.from({ length: 60 }, () => gateway.seal({ count: 5 }));
    await Promise.all(sealed.map((batch) => wire.send('batch', batch.jws)));
    await until(() => wire.acks.some((ack) => ack.through === 60));
    expect(wire.acks.flatMap((ack) => ack.rej ?? [])).toEqual([]);
    for (const worker of workers)
      expect(Object.values(worker.stats().counts).reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0);
    expect(first?.ledger.counts(GW)).toMatchObject({ batches: 60, punches: 300, records: 300, early: 0 });
    expect(first?.ledger.verifyGateway(GW).ok).toBe(true);
  });

  test('the platform comes back by itself when the broker is killed, and takes the resend', async () => {
    const broker = later(await startMosquitto());
    const city = platform(broker.url);
    await city.connected(forEver);
    const gateway = createTestGateway();
    const sealed = [gateway.seal(), gateway.seal()];
    for (let round = 1; round <= 3; round += 1) {
      const wire = await connectGateway(broker.url, city.keys.signers.ack.publicJwk);
      await city.connected(forEver);
      await wire.send('hello', gateway.hello(`s${round}`));
      for (const batch of sealed) await wire.send('batch', batch.jws);
      await until(() => wire.acks.at(-1)?.through === 2);
      await broker.kill();
      await until(() => !city.stats().connected);
      await wire.stop();
      await broker.restart();
      await until(() => city.stats().connected);
    }
    expect(city.stats()).toMatchObject({ connections: 4, counts: { moved: 2, resent: 4 } });
    expect(city.ledger.counts(GW)).toMatchObject({ batches: 2, punches: 6 });
  });

  test('a question is answered, and an answer under a foreign key is not taken', async () => {
    const broker = later(await startMosquitto());
    const city = platform(broker.url);
    await city.connected(forEver);
    const wire = later(await connectGateway(broker.url, city.keys.signers.ack.publicJwk));
    const gateway = createTestGateway();
    const uses: string[] = [];
    wire.client.on('message', (topic, payload) => {
      if (!topic.endsWith('/down/req')) return;
      const use = (['req', 'cmd'] as const).find((one) => {
        try {
          return verifyJws(payload, { typ: 'att-req+jws', keys: keyLookup([city.keys.signers[one].publicJwk]) }).typ;
        } catch {
          return false;
        }
      });
      uses.push(use ?? 'none');
      const asked = JSON.parse(
        Buffer.from(payload.toString('latin1').split('.')[1] ?? '', 'base64url').toString(),
      ) as Record<string, string>;
      const answer = (data: unknown): string => JSON.stringify({ v: 1, gw: GW, id: asked.id, at: 1, ok: true, data });
      void wire
        .send(`res/${asked.from ?? ''}`, signJws(seedSigner('forger'), 'att-res+jws', answer('forged')))
        .catch(() => undefined);
      void wire
        .send(`res/${asked.from ?? ''}`, signJws(gateway.signer, 'att-res+jws', answer({ devices: 1 })))
        .catch(() => undefined);
    });
    expect(await city.ask(GW, 'status', {}, 20_000, forEver)).toMatchObject({ ok: true, data: { devices: 1 } });
    expect(await city.ask(GW, 'resend', { fromSeq: 1, toSeq: 1 }, 20_000, forEver)).toMatchObject({ ok: true });
    expect(uses).toEqual(['req', 'cmd']);
  });

  test('the command runs from a file until it is told to stop', async () => {
    const broker = later(await startMosquitto());
    const dir = freshDir();
    const x = seedSigner('test key: gateway').publicJwk.x;
    writeFileSync(
      join(dir, 'gateways.yaml'),
      `gateways:\n  - { gw: ${GW}, zone: ${ZONE}, aud: ${AUD}, jwk: { kty: OKP, crv: Ed25519, x: ${x} } }\n`,
    );
    writeFileSync(
      join(dir, 'platform.yaml'),
      `dataDir: data\nurl: ${broker.url}\ngateways: gateways.yaml\nackMergeMs: 0\n`,
    );
    const stop = new AbortController();
    const lines: string[] = [];
    const ended = runPlatform(join(dir, 'platform.yaml'), {
      signal: stop.signal,
      log: silentLog(),
      out: (line) => lines.push(line),
    });
    expect(lines.join()).toContain('platform-keys.json');
    expect(statSync(join(dir, 'data', 'keys', 'platform-ack.pem')).mode & 0o777).toBe(0o600);
    const { keys } = JSON.parse(readFileSync(join(dir, 'data', 'platform-keys.json'), 'utf8')) as {
      keys: { use: string; x: string }[];
    };
    const ackKey = { kty: 'OKP', crv: 'Ed25519', x: keys.find((key) => key.use === 'ack')?.x ?? '' } as const;
    const wire = later(await connectGateway(broker.url, ackKey));
    const gateway = createTestGateway();
    // The subscription may come a moment after this client's: a gateway repeats its hello as well.
    let sid = 0;
    await until(() => {
      sid += 1;
      if (sid % 20 === 1) void wire.send('hello', gateway.hello(`s${sid}`)).catch(() => undefined);
      return wire.acks.length > 0;
    });
    stop.abort();
    expect(await ended).toBe(0);
  });
});

describe('on a broker with MQTT 3.1.1 only', () => {
  test('version auto falls back, subscribes plainly, and answers deliveries only after the commit', async () => {
    const broker = later(await startAedes());
    const clock = createFakeClock();
    let sick = true;
    const city = platform(broker.url, {
      parts: {
        clock,
        beforeCommit: () => {
          if (sick) throw new Error('disk full');
        },
      },
    });
    let acked = 0;
    broker.aedes.on('ack', (_packet, client) => {
      if (client.id.startsWith('platform-')) acked += 1;
    });
    while (!city.stats().connected) await clock.advance(50);
    const wire = later(await connectGateway(broker.url, city.keys.signers.ack.publicJwk, { version: 4 }));
    const gateway = createTestGateway();
    for (let seq = 1; seq <= 5; seq += 1) await wire.send('batch', gateway.seal().jws);
    while (!city.stats().storeFailing) await clock.advance(50);
    await settle(50);
    expect(acked).toBe(0);
    expect(wire.acks).toEqual([]);
    sick = false;
    while (wire.acks.at(-1)?.through !== 5) await clock.advance(200);
    while (acked < 5) await clock.advance(50);
    expect(acked).toBe(5);
    expect(city.stats()).toMatchObject({ storeFailing: false, counts: { moved: 5 } });
    // One group was under way while the disk was sick; all that came meanwhile is one commit.
    expect(city.stats().commits).toBeLessThanOrEqual(2);
    const stopping = city.stop();
    while ((await Promise.race([stopping.then(() => 'ended'), settle().then(() => 'not yet')])) === 'not yet')
      await clock.advance(100);
  });
});
