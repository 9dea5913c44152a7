/**
 * A classroom made of real processes in one temporary directory: a simulator for each terminal on its real transport, pty
 * pairs for the serial lines, and the daemon as it was built. The daemon writes its log into a file, so that no line of it
 * is lost; the unknown caller is heard through a relay, so that it is known what the gateway tells it.
 */
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { stringify } from 'yaml';
import type { GatewayStatus } from '../../src/web/status.js';
import {
  control,
  eventually,
  getJson,
  rollcall,
  startProgram,
  startRollcall,
  temporaryDirectory,
  type Exit,
  type Program,
} from '../support/process.js';
import { PEOPLE } from './lesson.js';
import { FLEET, STRANGER, type Places, type Seat } from './fleet.js';

/** How long a start may take on a machine that does other things too. */
const START_MS = 120_000;
const STARTS_AT_ONCE = 4;
const main = join(new URL('../../', import.meta.url).pathname, 'dist', 'main.js');

export interface Classroom extends AsyncDisposable {
  readonly dir: string;
  /** Starts the daemon and waits until it is ready. */
  start(): Promise<void>;
  readonly daemon: Program;
  /** One command to a terminal's control port. Throws what the simulator calls an error. */
  tell(seat: Seat, command: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  /** What a terminal holds, as identities, each once. */
  given(seat: Seat): Promise<ReadonlySet<string>>;
  /** What the database holds of each serial number: every identity as often as it is stored. */
  stored(): ReadonlyMap<string, readonly string[]>;
  status(): Promise<GatewayStatus | null>;
  /** Resident memory of the daemon now, MB. */
  memoryMb(): number;
  /** All that the gateway has sent to the unknown caller, as text. */
  toldStranger(): string;
  /** Every line of the daemon's log so far that is JSON. */
  log(): readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<Exit>;
  verify(): Promise<{ readonly code: number | null; readonly line: string; readonly tail: string }>;
  /** Keeps the directory for whoever looks for the cause. */
  keep(): void;
}

export const identity = (user: unknown, wallTime: unknown): string => `${String(user)} ${String(wallTime)}`;

/**
 * A free port that no outgoing connection takes meanwhile: dozens are needed, and between choosing and listening pass seconds
 * in which many connections are made (Linux gives those ports from 32768 on).
 */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

async function findPlaces(dir: string): Promise<Places & { readonly control: ReadonlyMap<string, number> }> {
  const ports = new Map<string, number>();
  const controls = new Map<string, number>();
  for (const { id } of [...FLEET, STRANGER]) {
    ports.set(id, await quietPort());
    controls.set(id, await quietPort());
  }
  const [shared, relay] = [await quietPort(), await quietPort()];
  return {
    ...{ shared, relay, control: controls },
    port: (id) => ports.get(id) ?? 0,
    cable: (id) => ({ gateway: join(dir, `${id}.gateway`), terminal: join(dir, `${id}.terminal`) }),
  };
}

type Keep = (program: Program) => void;

async function layCable({ gateway, terminal }: ReturnType<Places['cable']>, keep: Keep): Promise<void> {
  const end = (link: string): string => `pty,raw,echo=0,link=${link}`;
  const program = startProgram('socat', 'socat', [end(gateway), end(terminal)]);
  keep(program);
  const there = (): true | null => (existsSync(gateway) && existsSync(terminal) ? true : null);
  await eventually('socat has made a pair of ptys', START_MS, there, { explain: program.tail });
}

/** Passes everything on and keeps what goes towards the caller. */
async function listenIn(from: number, to: number): Promise<{ readonly server: Server; readonly heard: Buffer[] }> {
  const heard: Buffer[] = [];
  const server = createServer((caller) => {
    const gateway = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [caller, gateway],
      [gateway, caller],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    gateway.on('data', (chunk) => heard.push(chunk));
    caller.pipe(gateway).pipe(caller);
  }).listen(from, '127.0.0.1');
  await once(server, 'listening');
  return { server, heard };
}

function writeSettings(dir: string, places: Places, web: number): string {
  mkdirSync(join(dir, 'secrets'), { mode: 0o700 });
  const terminals = FLEET.map(({ id, driver, serial, reach, options, secrets }) => {
    const files = Object.entries(secrets).map(([key, text]) => {
      const file = join(dir, 'secrets', `${id}-${key}`);
      writeFileSync(file, `${text}\n`, { mode: 0o600 });
      return [`${key}File`, file];
    });
    const all = { ...options, ...(Object.fromEntries(files) as Record<string, string>) };
    return { ...{ id, driver, serial, reach: reach(places), options: all }, ...{ pollSeconds: 5, roster: 'off' } };
  });
  const settings = {
    site: { name: 'Terminals', room: '1' },
    dataDir: join(dir, 'gateway'),
    web: { listen: `127.0.0.1:${web}` },
    terminals,
    log: { level: 'info' },
  };
  const file = join(dir, 'gateway.yaml');
  writeFileSync(file, stringify(settings), { mode: 0o600 });
  return file;
}

async function startSeat(
  seat: Seat,
  places: Places,
  how: { readonly control: number; readonly records: number; readonly seed: number; readonly keep: Keep },
): Promise<void> {
  const { records, seed } = how;
  const reach = seat.terminalReach?.(places) ?? seat.reach(places);
  const size = ['--users', String(PEOPLE), '--records', String(records), '--serial', seat.serial];
  const wires = ['--driver', seat.driver, '--reach', reach, '--control', String(how.control), '--seed', String(seed)];
  const sets = seat.simulator.flatMap((one) => ['--set', one]);
  const program = startRollcall(seat.id, ['simulate', 'terminal', ...wires, ...size, ...sets]);
  how.keep(program);
  await program.line((line) => line.includes('"ready"'), START_MS);
}

const jsonLines = (text: string): readonly Readonly<Record<string, unknown>>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function readStored(dir: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const db = new Database(join(dir, 'gateway', 'rollcall.db'), { readonly: true });
  try {
    const rows = db.prepare('SELECT device_sn, device_user_id, wall_time FROM v_punch').all() as readonly {
      readonly device_sn: string;
      readonly device_user_id: string;
      readonly wall_time: string;
    }[];
    for (const row of rows) {
      const known = found.get(row.device_sn) ?? [];
      found.set(row.device_sn, known);
      known.push(identity(row.device_user_id, row.wall_time));
    }
    return found;
  } finally {
    db.close();
  }
}

/** Starts every simulator. The daemon comes with `start`, so that faults can be there before it. */
export async function openClassroom(options: { readonly records: number; readonly seed: number }): Promise<Classroom> {
  const dir = temporaryDirectory('terminals');
  const places = await findPlaces(dir);
  const programs: Program[] = [];
  let kept = false;
  const keep: Keep = (program) => void programs.push(program);
  const { server, heard } = await listenIn(places.relay, places.shared);
  const controlOf = (seat: Seat): number => places.control.get(seat.id) ?? 0;
  const seats = [...FLEET, STRANGER];
  const close = async (): Promise<void> => {
    server.close();
    for (const program of programs.toReversed()) await program[Symbol.asyncDispose]();
    if (!kept) rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (const { id } of FLEET.filter((seat) => seat.serialLine)) await layCable(places.cable(id), keep);
    // A few at a time: starting is what costs the most here.
    for (let at = 0; at < seats.length; at += STARTS_AT_ONCE) {
      const some = seats.slice(at, at + STARTS_AT_ONCE);
      const { records, seed } = options;
      await Promise.all(
        some.map((seat, index) =>
          startSeat(seat, places, { control: controlOf(seat), records, seed: seed + at + index, keep }),
        ),
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  const web = await quietPort();
  const config = writeSettings(dir, places, web);
  const logFile = join(dir, 'daemon.log');
  let daemon: Program | null = null;
  const running = (): Program => {
    if (daemon === null) throw new Error('the daemon was never started');
    return daemon;
  };
  const logText = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const status = async (): Promise<GatewayStatus | null> =>
    (await getJson(`http://127.0.0.1:${web}/readyz`, 20_000)) as GatewayStatus | null;
  const start = async (): Promise<void> => {
    // `exec`: the process is the daemon itself, whose memory is looked at and which gets the signals.
    const script = 'exec "$0" "$1" run --config "$2" 2>"$3"';
    const begun = startProgram('daemon', 'sh', ['-c', script, process.execPath, main, config, logFile]);
    programs.push(begun);
    daemon = begun;
    const ready = async (): Promise<true | null> => {
      if (!begun.running()) throw new Error(`the daemon did not start:\n${logText()}`);
      return (await status())?.ready === true ? true : null;
    };
    await eventually('the daemon is ready', START_MS, ready, { everyMs: 200, explain: logText });
  };
  const tell: Classroom['tell'] = async (seat, command) => {
    const answer = (await control(controlOf(seat), command).catch(async (error: unknown) => {
      const terminal = programs.find(({ name }) => name === seat.id);
      const exit = terminal?.running() === false ? JSON.stringify(await terminal.ended(START_MS)) : 'runs';
      const told = `${seat.id} (${exit}) does not obey ${JSON.stringify(command)}${terminal?.tail() ?? ''}`;
      throw new Error(told, { cause: error });
    })) as Readonly<Record<string, unknown>>;
    if (answer.error !== undefined)
      throw new Error(`${seat.id}: ${JSON.stringify(command)}: ${JSON.stringify(answer.error)}`);
    return answer;
  };
  return {
    ...{ dir, start, tell, status },
    get daemon() {
      return running();
    },
    async given(seat) {
      const { records } = (await tell(seat, { do: 'records' })) as {
        readonly records: readonly { readonly userId: string; readonly wallTime: string }[];
      };
      return new Set(records.map(({ userId, wallTime }) => identity(userId, wallTime)));
    },
    stored: () => readStored(dir),
    memoryMb() {
      const text = readFileSync(`/proc/${running().pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1024;
    },
    toldStranger: () => Buffer.concat(heard).toString('latin1'),
    log: () => jsonLines(logText()),
    async stop() {
      running().signal('SIGTERM');
      return running().ended(START_MS);
    },
    verify: () => rollcall(['verify', join(dir, 'gateway'), '--json'], 300_000),
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: close,
  };
}
