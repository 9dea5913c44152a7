/**
 * `rollcall simulate terminal`: a terminal made of software on a real wire, in a process of its own. It is reached the
 * way the gateway would reach it: `tcp://host:port` listens there, `tcp-listen://host:port` calls there, `serial://…` opens
 * the other end of a cable or pty, `file://…` writes a log file and ends.
 * With `--control PORT` a test steers it over TCP on loopback, one JSON command a line, one JSON answer a line.
 */
import { DIRECTIONS, VERIFIES } from '../core/punch-words.js';
import { createWriteStream } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import { asGatewayError, fail } from '../core/errors.js';
import { silentLog } from '../core/log.js';
import { formatReach, parseReach, type Reach } from '../core/reach.js';
import { parseWallTime, systemClock, type Clock, type WallTime, type Zone } from '../core/time.js';
import { HISTORY_END, simulatedHistory, simulatedUsers } from '../demo/people.js';
import type { Driver, SimulatedTerminal } from '../drivers/driver.js';
import { createLinks, type Links } from '../links/open.js';
import { serveDatagrams } from '../links/datagram.js';
import { accept, socketLink } from '../links/socket.js';
import { createTap } from '../links/tap.js';
import { EXIT, type Console } from './console.js';
import { checkFault, checkOptions, findDriver, parseFaults, parseSets } from './options.js';

export interface SimulateArguments {
  readonly driver: string;
  readonly reach: string;
  readonly users: number;
  readonly records: number;
  readonly fault: readonly string[];
  readonly set: readonly string[];
  readonly control?: number;
  readonly serial: string;
  readonly zone: Zone;
  readonly seed: number;
}

const VERIFY = z.enum(VERIFIES);
const DIRECTION = z.enum(DIRECTIONS);
const wall = z.string().transform((text, context): WallTime => {
  const parsed = parseWallTime(text);
  if (parsed !== null) return parsed;
  context.addIssue({ code: 'custom', message: 'write YYYY-MM-DD HH:mm:ss' });
  return z.NEVER;
});

/** What the control port understands. */
const COMMAND = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('punch'),
    user: z.string(),
    verify: VERIFY.optional(),
    direction: DIRECTION.optional(),
  }),
  z.strictObject({ do: z.literal('add-user'), id: z.string(), name: z.string().default('') }),
  z.strictObject({
    do: z.literal('add-record'),
    user: z.string(),
    wallTime: wall,
    verify: VERIFY.optional(),
    direction: DIRECTION.optional(),
  }),
  z.strictObject({ do: z.literal('clock-offset'), ms: z.int() }),
  z.strictObject({ do: z.literal('fault'), name: z.string(), value: z.string().nullable().default('') }),
  z.strictObject({ do: z.literal('records') }),
  z.strictObject({ do: z.literal('clock') }),
]);

function obey(driver: Driver, terminal: SimulatedTerminal, line: string): unknown {
  const parsed = COMMAND.safeParse(JSON.parse(line));
  if (!parsed.success) return { error: z.prettifyError(parsed.error) };
  const command = parsed.data;
  switch (command.do) {
    case 'punch':
      return terminal.punch(command.user, {
        ...(command.verify ? { verify: command.verify } : {}),
        ...(command.direction ? { direction: command.direction } : {}),
      });
    case 'add-user':
      terminal.addUser({ id: command.id, name: command.name });
      return { ok: true };
    case 'add-record':
      terminal.addRecord({
        userId: command.user,
        wallTime: command.wallTime,
        ...(command.verify ? { verify: command.verify } : {}),
        ...(command.direction ? { direction: command.direction } : {}),
      });
      return { ok: true };
    case 'clock-offset':
      terminal.setClockOffset(command.ms);
      return { ok: true };
    case 'fault':
      checkFault(driver, command.name);
      terminal.setFault(command.name, command.value);
      return { ok: true };
    case 'records':
      return { records: terminal.records() };
    case 'clock':
      return { wallTime: terminal.wallClock() };
  }
}

/** Serves the control port on loopback only. */
function serveControl(driver: Driver, terminal: SimulatedTerminal, port: number): Promise<Server> {
  const onSocket = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (line) => {
      let answer: unknown;
      try {
        answer = obey(driver, terminal, line);
      } catch (error) {
        answer = { error: asGatewayError(error).message };
      }
      socket.write(`${JSON.stringify(answer)}\n`);
    });
  };
  return new Promise((resolve, reject) => {
    const server = createServer(onSocket);
    server.once('error', (error) => reject(fail('port-in-use', { host: '127.0.0.1', port }, error)));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

interface Stage {
  readonly links: Links;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly ready: () => void;
}

/** Plays the terminal on its wire until the signal aborts. A reach is always told as the gateway sees it. */
async function play(terminal: SimulatedTerminal, reach: Reach, stage: Stage): Promise<void> {
  const { clock, signal, ready } = stage;
  switch (reach.kind) {
    case 'serial':
      return serveAgain(terminal, reach, stage);
    case 'tcp':
    case 'http': {
      const tap = createTap(clock);
      const { closed } = await accept(
        { ...reach, kind: 'tcp-listen' },
        (link) => terminal.serve(link, signal),
        signal,
        (socket, peer) => socketLink(socket, tap.stream(peer)),
      );
      ready();
      return closed;
    }
    case 'udp': {
      const { closed } = await serveDatagrams(reach, (link) => terminal.serve(link, signal), signal);
      ready();
      return closed;
    }
    case 'tcp-listen':
    case 'http-listen':
    case 'ws-listen': {
      const towards: Reach = { ...reach, kind: reach.kind === 'ws-listen' ? 'ws' : 'tcp' };
      ready();
      if (!terminal.call) return serveAgain(terminal, towards, stage);
      return terminal.call((ended) => stage.links.open(towards, ended), signal);
    }
    case 'file': {
      const written = Duplex.from({ readable: Readable.from([]), writable: createWriteStream(reach.path) });
      await terminal.serve(written, signal);
      written.end();
      await finished(written, { readable: false });
      ready();
      return;
    }
    case 'https':
    case 'ws':
      throw fail('bad-reach', {
        reach: formatReach(reach),
        reason: 'no terminal is simulated on this kind of link',
        reasonZh: '模拟器不支持这种连接',
      });
  }
}

/** Serves a line for as long as it exists; opens it again when the cable comes back, or the gateway does. */
async function serveAgain(terminal: SimulatedTerminal, reach: Reach, stage: Stage): Promise<void> {
  const { links, clock, signal, ready } = stage;
  for (let told = false; ;) {
    try {
      await using link = await links.open(reach, signal);
      if (!told) ready();
      told = true;
      await terminal.serve(link, signal);
    } catch (error) {
      // A gateway that is away is called again; a wrong device path is a mistake of whoever typed it.
      if (!told && reach.kind === 'serial') throw error;
    }
    if (signal.aborted) return;
    await clock.sleep(200, signal).catch(() => undefined);
  }
}

export async function runSimulateTerminal(
  args: SimulateArguments,
  drivers: readonly Driver[],
  io: Console,
  signal: AbortSignal,
): Promise<number> {
  const driver = findDriver(drivers, args.driver);
  const reach = parseReach(args.reach, driver.defaultPort ?? undefined);
  const clock = systemClock();
  const terminal = driver.simulate({
    serial: args.serial,
    zone: args.zone,
    world: clock,
    wire: clock,
    users: simulatedUsers(args.users),
    records: simulatedHistory(args.records, args.users, HISTORY_END),
    faults: parseFaults(driver, args.fault),
    options: checkOptions(driver.simulatorOptions, parseSets(args.set), `${driver.name} simulator`) as Record<
      string,
      unknown
    >,
    seed: args.seed,
  });
  const control = args.control === undefined ? null : await serveControl(driver, terminal, args.control);
  const ready = (): void => {
    io.out(
      JSON.stringify({
        kind: 'ready',
        driver: driver.name,
        reach: formatReach(reach),
        serial: args.serial,
        users: args.users,
        records: args.records,
        control: args.control ?? null,
      }),
    );
    io.err(`模拟考勤机已就绪：${formatReach(reach)}（Ctrl+C 结束）。 Simulated terminal ready; Ctrl+C ends it.`);
  };
  try {
    await using links = createLinks({ clock, log: silentLog() });
    await play(terminal, reach, { links, clock, signal, ready });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    control?.close();
  }
  return EXIT.good;
}
