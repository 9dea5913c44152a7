/** A gateway side of one upstream on a real store and a real wire, with short timings; brokers to talk to. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import { systemClock } from '../../src/core/time.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createForward, type Forward, type UpstreamStatus } from '../../src/flows/forward.js';
import { createSeal, type Seal } from '../../src/flows/seal.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { keyLookup } from '../../src/uplink/envelope.js';
import { createMqttUplink } from '../../src/uplink/mqtt.js';
import { createPlatformKeys } from '../../src/uplink/platform-keys.js';
import { DEFAULT_FIELD_SET } from '../../src/uplink/records.js';
import { UPLINK_TIMINGS, type UplinkAddress, type UplinkTimings } from '../../src/uplink/uplink.js';
import { createStubPlatform, type StubPlatform } from '../support/stub-platform.js';
import { gatewaySigner, platformSigner, punch, vectors } from './support.js';

export const ZONE = '150200';

/** Everything that waits waits for tens of milliseconds. */
export const QUICK: UplinkTimings = {
  ...UPLINK_TIMINGS,
  startSpreadMs: 5,
  spreadMs: 20,
  backoffMinMs: 10,
  backoffStepMs: 10,
  backoffMaxMs: 60,
  busyMs: 80,
  refusedMs: 150,
  connectMs: 300,
  publishMs: 400,
  helloMs: 150,
  resendMinMs: 120,
  resendMaxMs: 300,
  resendBackoffMaxMs: 300,
  stoppedHelloMs: 150,
  muteMs: 2_000,
  alarmMs: 600,
  pingAfterMs: 150,
  pingWaitMs: 150,
  closeMs: 300,
};

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-uplink-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function stubPlatform(): StubPlatform {
  return createStubPlatform({
    gw: vectors.gw,
    aud: vectors.aud,
    zone: ZONE,
    keys: keyLookup([gatewaySigner.publicJwk]),
    signer: platformSigner,
    now: () => Date.now(),
  });
}

export interface Side {
  readonly store: Store;
  readonly seal: Seal;
  readonly forward: Forward;
  /** Adds so many punches to the journal and rings. */
  add(count: number): void;
  status(): UpstreamStatus;
  /** Resolves when `test` holds; fails after `ms` with the last status. */
  until(what: string, test: (status: UpstreamStatus) => boolean, ms?: number): Promise<void>;
  drained(ms?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface SideOptions {
  readonly mqtt?: Partial<UplinkAddress['mqtt']>;
  readonly timings?: Partial<UplinkTimings>;
  readonly dir?: string;
  readonly lingerMs?: number;
  readonly holdMs?: number;
}

export const until = async (
  what: string,
  test: () => boolean,
  ms = 8_000,
  detail = (): string => '',
): Promise<void> => {
  const deadline = performance.now() + ms;
  while (!test()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what} ${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Starts sealing and forwarding to a broker. */
export function startSide(url: string, options: SideOptions = {}): Side {
  const clock = systemClock();
  const store = openStore({ dir: options.dir ?? tempDir(), clock, software: 'test' });
  const timings = { ...QUICK, ...options.timings };
  const settings: UplinkAddress = {
    id: 'city',
    gw: vectors.gw,
    zone: ZONE,
    url,
    mqtt: { version: '5', keepAliveSeconds: 60, ...options.mqtt },
  };
  const journalBell = createDoorbell(clock);
  const outboxBell = createDoorbell(clock);
  const keys = JSON.stringify({ keys: ['ack', 'plat'].map((use) => ({ ...platformSigner.publicJwk, use })) });
  const forward = createForward({
    upstream: 'city',
    store,
    uplink: createMqttUplink({ settings, wire: clock, timings }),
    clock,
    wire: clock,
    timings,
    signer: () => gatewaySigner,
    platformKeys: createPlatformKeys({ sets: [keys] }),
    outboxBell,
    journalBell,
    log: silentLog(),
    helloFacts: () => ({ sw: 'test' }),
  });
  const seal = createSeal({
    upstream: 'city',
    gw: vectors.gw,
    aud: vectors.aud,
    store,
    clock,
    wire: clock,
    fields: DEFAULT_FIELD_SET,
    signer: () => gatewaySigner,
    journalBell,
    outboxBell,
    lingerMs: options.lingerMs ?? 10,
    batchBytesMax: () => forward.batchBytesMax(),
    hold: () => !forward.heard(),
    holdMs: options.holdMs ?? 1_500,
  });
  const stopping = new AbortController();
  const failures: unknown[] = [];
  const units = [seal.unit, forward.unit].map((unit) =>
    unit.run(stopping.signal).catch((error: unknown) => {
      if (!stopping.signal.aborted) failures.push(error);
    }),
  );
  let added = store.punchCount();
  let stopped = false;
  const side: Side = {
    store,
    seal,
    forward,
    add(count) {
      for (let done = 0; done < count; done += 5_000) {
        store.transact((tx) => {
          for (let index = 0; index < Math.min(5_000, count - done); index += 1) {
            added += 1;
            tx.addPunch(punch(0, { deviceUserId: `${added}`, traineeNo: `T${added}` }));
          }
        });
      }
      journalBell.ring();
    },
    status: () => forward.status(),
    until: (what, test, ms) =>
      until(
        what,
        () => test(forward.status()),
        ms,
        () => `${JSON.stringify(forward.status())} ${failures.map(String).join()}`,
      ),
    drained: (ms) =>
      until(
        'drained',
        () => store.pending('city').records === 0,
        ms,
        () => `${JSON.stringify(forward.status())} ${failures.map(String).join()}`,
      ),
    async stop() {
      if (stopped) return;
      stopped = true;
      stopping.abort();
      await Promise.all(units);
      store[Symbol.dispose]();
      if (failures.length > 0) throw failures[0] as Error;
    },
  };
  onTestFinished(() => side.stop());
  return side;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export interface Mosquitto {
  readonly url: string;
  readonly port: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The access list of upstream §15, for one gateway that logs in with its id as user name. */
export const ACCESS = [
  'topic read att/v1/plat/state',
  'user platform',
  'topic readwrite att/v1/#',
  'pattern write att/v1/+/%u/up/#',
  'pattern write att/v1/+/%u/state',
  'pattern read att/v1/+/%u/down/#',
  'pattern read att/v1/plat/state',
];

/** A real Mosquitto with the protocol's settings on a free (or given) port. */
export async function startMosquitto(
  lines: readonly string[] = [],
  access: readonly string[] = ACCESS,
  at?: number,
): Promise<Mosquitto> {
  const dir = tempDir();
  const port = at ?? (await freePort());
  writeFileSync(join(dir, 'acl'), `${access.join('\n')}\n`, { mode: 0o600 });
  const settings = [
    `listener ${port} 127.0.0.1`,
    'user root',
    'allow_anonymous true',
    `acl_file ${join(dir, 'acl')}`,
    'set_tcp_nodelay true',
    'max_inflight_messages 100',
    'max_queued_messages 10000',
    'max_packet_size 262144',
    'log_dest stderr',
    ...lines,
  ];
  writeFileSync(join(dir, 'conf'), `${settings.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', join(dir, 'conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('running')) resolve();
    });
    child.once('exit', () => reject(new Error(`mosquitto ended: ${said}`)));
    child.once('error', reject);
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  onTestFinished(() => stop());
  return { url: `mqtt://127.0.0.1:${port}`, port, stop };
}
