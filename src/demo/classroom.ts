/**
 * The demonstrated classroom: the real gateway on embedded parts. Two terminals made of software on real wires (TCP and,
 * where `socat` is there, a serial pty), a broker, the reference platform, and a network cable that can be pulled.
 * Everything lives in one temporary directory and ends with `dispose`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { stringify } from 'yaml';
import { fail } from '../core/errors.js';
import { silentLog, type Log } from '../core/log.js';
import { systemClock, type Clock, type LocalDate, type SteppedClock, type Zone } from '../core/time.js';
import type { Driver, SimulatedTerminal, SimulatorSetup } from '../drivers/driver.js';
import { buildGateway, signingKeyOf, type Gateway } from '../gateway.js';
import { createLinks, type Links } from '../links/open.js';
import { accept, socketLink } from '../links/socket.js';
import { createTap } from '../links/tap.js';
import { createPlatform, type Platform } from '../platform/platform.js';
import { checkSettings as checkPlatformSettings } from '../platform/settings.js';
import { loadSettings } from '../settings.js';
import { createCable, type Cable } from './cable.js';
import { demoTrainees, WORKSHOP_CLOCK_MS, type TerminalName } from './day.js';
import { simulatedHistory, simulatedUsers } from './people.js';

export const DEMO_GATEWAY = 'gwdem0c1ass';
export const DEMO_CLASS = 'DEMO-2026-01';
export const DEMO_ZONE = 'Asia/Shanghai' as Zone;
const AUD = 'city-150200';
const OLD_RECORDS = 120;
const OLD_PEOPLE = 10;

export interface ClassroomOptions {
  readonly date: LocalDate;
  readonly world: SteppedClock;
  readonly drivers: readonly Driver[];
  readonly version: string;
  readonly port: number;
  /** `mqtt://host:port` of a broker that is there already; null: an embedded one. */
  readonly broker: string | null;
  readonly seed: number;
}

export interface Classroom extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly platform: Platform;
  readonly terminals: Readonly<Record<TerminalName, SimulatedTerminal>>;
  readonly cable: Cable;
  /** Breaks the connection of the terminal on TCP, as a restart does; it comes back with its whole log. */
  restartTheory(): void;
  /** Sentences about what is real here, for the reader. */
  readonly story: readonly string[];
}

interface Wires {
  readonly theoryPort: number;
  /** How the gateway reaches the workshop terminal. */
  readonly workshopReach: string;
  readonly serial: boolean;
  restart(): void;
}

async function freeServer(
  listener: (server: Server) => Server,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = listener(createServer());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function embeddedBroker(cleanup: Cleanup): Promise<{ readonly host: string; readonly port: number }> {
  const broker = await Aedes.createBroker();
  const { server, port } = await freeServer((one) => one.on('connection', (socket) => broker.handle(socket)));
  cleanup.defer(async () => {
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { host: '127.0.0.1', port };
}

/** What is to be undone, in reverse order. (`AsyncDisposableStack` is not in Node 20.) */
interface Cleanup {
  defer(undo: () => Promise<void> | void): void;
  unwind(): Promise<void>;
}

function createCleanup(): Cleanup {
  const steps: (() => Promise<void> | void)[] = [];
  return {
    defer: (undo) => void steps.push(undo),
    async unwind() {
      for (let undo = steps.pop(); undo; undo = steps.pop()) await undo();
    },
  };
}

/** A pair of ptys joined by socat, or null where socat is not installed. */
async function ptyPair(
  dir: string,
  wire: Clock,
  cleanup: Cleanup,
): Promise<{ readonly near: string; readonly far: string } | null> {
  if (spawnSync('socat', ['-V'], { stdio: 'ignore' }).status !== 0) return null;
  const [near, far] = [join(dir, 'gateway-tty'), join(dir, 'terminal-tty')];
  const socat: ChildProcess = spawn('socat', [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`], {
    stdio: 'ignore',
  });
  cleanup.defer(() => void socat.kill());
  const never = new AbortController().signal;
  for (let tries = 0; tries < 200 && !(existsSync(near) && existsSync(far)); tries += 1) await wire.sleep(10, never);
  return existsSync(near) && existsSync(far) ? { near, far } : null;
}

async function connectTerminals(
  terminals: Readonly<Record<TerminalName, SimulatedTerminal>>,
  dir: string,
  wire: Clock,
  links: Links,
  cleanup: Cleanup,
): Promise<Wires> {
  const stop = new AbortController();
  cleanup.defer(() => stop.abort());
  const tap = createTap(wire);
  const listen = async (terminal: SimulatedTerminal): Promise<{ port: number; restart: () => void }> => {
    let life = new AbortController();
    const { port, closed } = await accept(
      { kind: 'tcp-listen', host: '127.0.0.1', port: 0 },
      (link) => terminal.serve(link, AbortSignal.any([stop.signal, life.signal])),
      stop.signal,
      (socket, peer) => socketLink(socket, tap.stream(peer)),
    );
    closed.catch(() => undefined);
    const restart = (): void => {
      const old = life;
      life = new AbortController();
      old.abort(new Error('restart'));
    };
    return { port, restart };
  };
  const theory = await listen(terminals.theory);
  const ptys = await ptyPair(dir, wire, cleanup);
  if (ptys === null) {
    const workshop = await listen(terminals.workshop);
    return {
      theoryPort: theory.port,
      workshopReach: `tcp://127.0.0.1:${workshop.port}`,
      serial: false,
      restart: theory.restart,
    };
  }
  const far = await links.open(
    { kind: 'serial', path: ptys.far, baud: 115_200, parity: 'none', dataBits: 8, stopBits: 1 },
    stop.signal,
  );
  const serving = terminals.workshop.serve(far, stop.signal);
  cleanup.defer(async () => {
    stop.abort();
    await serving;
    await far[Symbol.asyncDispose]();
  });
  return {
    theoryPort: theory.port,
    workshopReach: `serial://${ptys.near}?baud=115200`,
    serial: true,
    restart: theory.restart,
  };
}

function createTerminals(options: ClassroomOptions, wire: Clock): Readonly<Record<TerminalName, SimulatedTerminal>> {
  const find = (name: string): Driver => {
    const driver = options.drivers.find((one) => one.name === name);
    if (!driver) throw fail('unexpected', { reason: `the demonstration needs the driver ${name}` });
    return driver;
  };
  const users = demoTrainees().map(({ deviceUserId, name }) => ({ id: deviceUserId, name }));
  // The log of an earlier class, whose people are on no roster any more: kept and delivered, credited to nobody.
  const old = simulatedHistory(OLD_RECORDS, OLD_PEOPLE, '2026-06-30' as LocalDate).map((record) => ({
    ...record,
    userId: record.userId.replace('2025', '2024'),
  }));
  const setup = (
    serial: string,
    records: SimulatorSetup['records'],
    own: Record<string, unknown>,
    driver: Driver,
  ): SimulatorSetup => ({
    serial,
    zone: DEMO_ZONE,
    world: options.world,
    wire,
    users: [...users, ...simulatedUsers(0)],
    records,
    faults: new Map(),
    options: driver.simulatorOptions.parse(own) as Record<string, unknown>,
    seed: options.seed,
  });
  const [zk, anviz] = [find('zk-standalone'), find('anviz-tcb')];
  const theory = zk.simulate(setup('DEMOZK0001', old, {}, zk));
  const workshop = anviz.simulate(setup('DEMOANVIZ0000002', [], { realTime: false }, anviz));
  workshop.setClockOffset(WORKSHOP_CLOCK_MS);
  return { theory, workshop };
}

function settingsYaml(options: ClassroomOptions, dir: string, wires: Wires, brokerPort: number): string {
  return stringify({
    site: { institution: '包头市示例职业培训学校', name: '东河校区', room: '301' },
    dataDir: join(dir, 'gateway'),
    web: { listen: `127.0.0.1:${options.port}` },
    terminals: [
      {
        id: 'theory',
        driver: 'zk-standalone',
        reach: `tcp://127.0.0.1:${wires.theoryPort}`,
        options: { keepAliveSeconds: 1 },
        clock: { set: 'never' },
      },
      {
        id: 'workshop',
        driver: 'anviz-tcb',
        reach: wires.workshopReach,
        options: { gapMs: 0, verifyMap: { '16': 'face' } },
        pollSeconds: 5,
        clock: { set: 'never' },
      },
    ],
    upstreams: [
      {
        id: 'city',
        gw: DEMO_GATEWAY,
        zone: '150200',
        aud: AUD,
        url: `mqtt://127.0.0.1:${brokerPort}`,
        mqtt: { version: 'auto' },
        platformKeysFile: join(dir, 'platform', 'platform-keys.json'),
      },
    ],
    log: { level: 'error' },
  });
}

export function classYaml(date: LocalDate): string {
  return stringify({
    cityClassNo: DEMO_CLASS,
    name: '电工（四级）示范班',
    institution: '包头市示例职业培训学校',
    occupation: { code: '6-31-01-03', name: '电工', level: '四级' },
    period: { from: date, to: date },
    plannedHours: 8,
    policy: 'baotou-2023',
    approval: '示例〔2026〕1号',
    room: '301',
    terminals: [{ terminal: 'theory' }, { terminal: 'workshop' }],
    timetable: [{ date }],
    teachers: [{ teacherNo: 'J01', name: '南宫砚秋', qualification: '高级技师' }],
    roster: demoTrainees().map(({ traineeNo, name, documentNumber, deviceUserId }) => ({
      traineeNo,
      name,
      documentNumber,
      deviceUserId,
    })),
  });
}

const QUICK = {
  startSpreadMs: 50,
  spreadMs: 200,
  backoffMinMs: 100,
  backoffStepMs: 100,
  backoffMaxMs: 500,
  helloMs: 2000,
};

function openPlatform(dir: string, url: string, wire: Clock, log: Log, gatewayDir: string, cleanup: Cleanup): Platform {
  const dataDir = join(dir, 'platform');
  const platform = createPlatform(checkPlatformSettings({ dataDir, url, announce: false }), { clock: wire, log });
  cleanup.defer(() => platform.stop());
  const { publicJwk } = signingKeyOf(gatewayDir);
  platform.registerGateway({ gw: DEMO_GATEWAY, zone: '150200', aud: AUD, keys: [publicJwk] });
  platform.start();
  return platform;
}

/** Builds and starts everything. On failure whatever was started is undone. */
export async function openClassroom(options: ClassroomOptions): Promise<Classroom> {
  const wire = systemClock();
  const log = silentLog();
  const cleanup = createCleanup();
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-demo-'));
  cleanup.defer(() => rmSync(dir, { recursive: true, force: true }));
  try {
    const links = createLinks({ clock: wire, log });
    cleanup.defer(() => links.close());
    const terminals = createTerminals(options, wire);
    const wires = await connectTerminals(terminals, dir, wire, links, cleanup);
    const broker = options.broker === null ? await embeddedBroker(cleanup) : hostOf(options.broker);
    const cable = await createCable(broker);
    cleanup.defer(async () => cable[Symbol.asyncDispose]());
    const platform = openPlatform(
      dir,
      `mqtt://${broker.host}:${broker.port}`,
      wire,
      log,
      join(dir, 'gateway'),
      cleanup,
    );
    const config = join(dir, 'gateway.yaml');
    writeFileSync(config, settingsYaml(options, dir, wires, cable.port), { mode: 0o600 });
    const { settings, faults } = loadSettings(config, { env: {}, drivers: options.drivers });
    const fatal = faults.find((fault) => fault.severity === 'error');
    if (settings === null || fatal)
      throw fail('unexpected', { reason: `the demonstration's settings: ${fatal?.en ?? 'refused'}` });
    const gateway = buildGateway(settings, faults, {
      version: options.version,
      clock: options.world,
      wire,
      log,
      timings: QUICK,
      lingerMs: 200,
      timeSource: async () => 'ntp',
    });
    cleanup.defer(() => gateway.stop());
    gateway.classes.importText('demo-class.yaml', classYaml(options.date), {
      importedBy: 'demo',
      source: 'demo-class.yaml',
    });
    await gateway.start();
    return {
      gateway,
      platform,
      terminals,
      cable,
      restartTheory: () => wires.restart(),
      story: [
        `考勤机 theory：中控协议，TCP 127.0.0.1:${wires.theoryPort} · ZK terminal over TCP`,
        wires.serial
          ? '考勤机 workshop：安威士协议，串口（socat 虚拟串口） · Anviz terminal on a serial pty (socat)'
          : '考勤机 workshop：安威士协议，TCP(未安装 socat，故不用串口) · Anviz terminal over TCP, because socat is not installed',
        options.broker === null ? 'MQTT：内置代理 · embedded broker' : `MQTT:${options.broker}`,
      ],
      [Symbol.asyncDispose]: () => cleanup.unwind(),
    };
  } catch (error) {
    await cleanup.unwind();
    throw error;
  }
}

function hostOf(url: string): { readonly host: string; readonly port: number } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== 'mqtt:' || parsed.hostname === '')
    throw fail('bad-argument', {
      argument: `--broker ${url}`,
      reason: 'write mqtt://host:port',
      reasonZh: '请写成 mqtt://主机:端口',
    });
  return { host: parsed.hostname, port: parsed.port === '' ? 1883 : Number(parsed.port) };
}
