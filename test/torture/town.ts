/**
 * A school and a city made of real processes in one temporary directory: a simulated terminal, the daemon, Mosquitto and
 * the reference platform, each of which can be killed and started again. The terminal is never killed: what it holds is
 * the truth that the platform is compared with at the end.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../../src/core/time.js';
import { loadPlatformKeys } from '../../src/platform/keys.js';
import { createLedger, type ChainReport, type GatewayCounts } from '../../src/platform/ledger.js';
import { createPlatformStore } from '../../src/platform/store.js';
import type { GatewayStatus } from '../../src/web/status.js';
import {
  control,
  eventually,
  freePort,
  getJson,
  isListening,
  rollcall,
  startProgram,
  startRollcall,
  temporaryDirectory,
  type Exit,
  type Program,
} from '../support/process.js';

const GW = 'gw7k2m9q4t';
const ZONE = '150200';
const AUD = 'city-150200';
const SERIAL = 'TORTURE0001';
/** How long a start may take on a machine that does other things too; what is promised is measured, see `readyMs`. */
const START_MS = 30_000;

const clock = systemClock();

/** One process that may be killed and started again. */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and how it ended. */
  stop(): Promise<Exit>;
  readonly program: Program;
}

export interface Town extends AsyncDisposable {
  readonly dir: string;
  readonly daemon: Part;
  readonly broker: Part;
  /** One or more receivers on one shared subscription and one database. */
  readonly platforms: readonly Part[];
  /** Milliseconds from each start of the daemon to its first ready answer. */
  readonly readyMs: readonly number[];
  /** How long the daemon took for each answer of /readyz, sorted. */
  answerMs(): readonly number[];
  /** Null while the daemon does not answer. */
  status(): Promise<GatewayStatus | null>;
  /** What the terminal holds, as sorted identities. */
  truth(): Promise<readonly string[]>;
  /** What the platform holds, as sorted identities, each as often as it is stored. Only while no platform runs. */
  received(): { readonly identities: readonly string[]; readonly counts: GatewayCounts; readonly chain: ChainReport };
  verify(): Promise<{ readonly code: number | null; readonly line: string; readonly tail: string }>;
  /** The last lines of every process, for the message of a failing test. */
  explain(): string;
}

export interface TownOptions {
  readonly records: number;
  readonly users: number;
  readonly platforms?: number;
  /** Options of the terminal simulator, `key=value`. */
  readonly terminal?: readonly string[];
}

function createPart(name: string, begin: () => Program, ready: (program: Program) => Promise<void>): Part {
  let program: Program | null = null;
  const present = (): Program => {
    if (program === null) throw new Error(`${name} was never started`);
    return program;
  };
  return {
    name,
    get program() {
      return present();
    },
    async start() {
      program = begin();
      await ready(program);
    },
    kill: () => present().kill(),
    stop() {
      present().signal('SIGTERM');
      return present().ended(START_MS);
    },
  };
}

function createBroker(dir: string, port: number): Part {
  const file = join(dir, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'set_tcp_nodelay true'];
  const limits = ['max_inflight_messages 100', 'max_queued_messages 10000', 'max_packet_size 262144'];
  writeFileSync(file, `${[...lines, ...limits].join('\n')}\n`);
  return createPart(
    'broker',
    () => startProgram('broker', 'mosquitto', ['-c', file]),
    async (program) => {
      const open = async (): Promise<true | null> => ((await isListening(port)) ? true : null);
      await eventually('Mosquitto listens', START_MS, open, { explain: program.tail });
    },
  );
}

function createPlatform(dir: string, index: number, brokerPort: number): Part {
  const name = `platform-${index + 1}`;
  const file = join(dir, `${name}.yaml`);
  const settings = {
    ...{ dataDir: join(dir, 'platform'), url: `mqtt://127.0.0.1:${brokerPort}`, gateways: join(dir, 'gateways.json') },
    ...{ announce: index === 0, spreadSeconds: 1 },
  };
  writeFileSync(file, stringify(settings));
  return createPart(
    name,
    () => startRollcall(name, ['platform', 'run', '--config', file]),
    async (program) => {
      await program.line((line) => line.includes('platform receiver started'), START_MS);
    },
  );
}

function writeGatewaySettings(
  dir: string,
  ports: { readonly terminal: number; readonly broker: number; readonly web: number },
): string {
  const file = join(dir, 'gateway.yaml');
  const upstream = { id: 'city', gw: GW, zone: ZONE, aud: AUD, url: `mqtt://127.0.0.1:${ports.broker}` };
  const settings = {
    site: { name: 'Torture', room: '1' },
    dataDir: join(dir, 'gateway'),
    web: { listen: `127.0.0.1:${ports.web}` },
    terminals: [{ id: 'door', driver: 'zk-standalone', reach: `tcp://127.0.0.1:${ports.terminal}`, pollSeconds: 5 }],
    upstreams: [{ ...upstream, spreadSeconds: 1, platformKeysFile: join(dir, 'platform', 'platform-keys.json') }],
    log: { level: 'warn' },
  };
  writeFileSync(file, stringify(settings), { mode: 0o600 });
  return file;
}

const identity = (...parts: readonly string[]): string => parts.join(' ');

async function startTerminal(options: TownOptions, port: number, controlPort: number): Promise<Program> {
  const { records, users, terminal = [] } = options;
  const size = ['--users', String(users), '--records', String(records), '--serial', SERIAL];
  const wires = ['--reach', `tcp://127.0.0.1:${port}`, '--control', String(controlPort)];
  const sets = terminal.flatMap((one) => ['--set', one]);
  const args = ['simulate', 'terminal', '--driver', 'zk-standalone', ...wires, ...size, ...sets];
  const program = startRollcall('terminal', args);
  await program.line((line) => line.includes('"ready"'), START_MS);
  return program;
}

/** Starts everything but the daemon, so that the test says when the reading begins. */
export async function openTown(options: TownOptions): Promise<Town> {
  const dir = temporaryDirectory('town');
  const [terminalPort, controlPort, brokerPort, webPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  mkdirSync(join(dir, 'platform'), { mode: 0o700 });
  loadPlatformKeys(join(dir, 'platform'));
  const config = writeGatewaySettings(dir, { terminal: terminalPort, broker: brokerPort, web: webPort });
  const keys = await rollcall(['keys', '--config', config, '--json'], START_MS);
  if (keys.code !== 0) throw new Error(`rollcall keys failed${keys.tail}`);
  writeFileSync(join(dir, 'gateways.json'), keys.line);

  const readyMs: number[] = [];
  const answerMs: number[] = [];
  const status = async (): Promise<GatewayStatus | null> => {
    const asked = clock.ticks();
    const answer = (await getJson(`http://127.0.0.1:${webPort}/readyz`, 10_000)) as GatewayStatus | null;
    if (answer !== null) answerMs.push(Math.round(clock.ticks() - asked));
    return answer;
  };
  const daemon = createPart(
    'daemon',
    () => startRollcall('daemon', ['run', '--config', config]),
    async (program) => {
      const since = clock.ticks();
      const ready = async (): Promise<true | null> => {
        if (!program.running()) throw new Error(`the daemon did not start${program.tail()}`);
        return (await status())?.ready === true ? true : null;
      };
      await eventually('the daemon is ready', START_MS, ready, { explain: program.tail });
      readyMs.push(Math.round(clock.ticks() - since));
    },
  );
  const broker = createBroker(dir, brokerPort);
  const platforms = Array.from({ length: options.platforms ?? 1 }, (_, index) =>
    createPlatform(dir, index, brokerPort),
  );
  await broker.start();
  for (const platform of platforms) await platform.start();
  const terminal = await startTerminal(options, terminalPort, controlPort);

  return {
    ...{ dir, daemon, broker, platforms, readyMs, status },
    answerMs: () => answerMs.toSorted((one, other) => one - other),
    async truth() {
      const { records } = (await control(controlPort, { do: 'records' })) as {
        records: readonly { userId: string; wallTime: string }[];
      };
      return records.map(({ userId, wallTime }) => identity(SERIAL, userId, wallTime)).sort();
    },
    received() {
      const store = createPlatformStore(join(dir, 'platform', 'platform.db'));
      try {
        const ledger = createLedger(store);
        const identities = ledger
          .punches(GW)
          .map(({ deviceSn, deviceUserId, wallTime }) => identity(deviceSn, deviceUserId, wallTime));
        return { identities: identities.sort(), counts: ledger.counts(GW), chain: ledger.verifyGateway(GW) };
      } finally {
        store.close();
      }
    },
    verify: () => rollcall(['verify', join(dir, 'gateway'), '--json'], 300_000),
    explain: () => [daemon, broker, ...platforms].map((part) => part.program.tail()).join(''),
    async [Symbol.asyncDispose]() {
      const programs = [terminal, broker.program, ...platforms.map((part) => part.program)];
      try {
        programs.push(daemon.program);
      } catch {
        // Never started: the test failed before.
      }
      for (const program of programs) await program[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
