/**
 * A terminal on a bench: a simulator and a session on the two ends of a `stream.duplexPair()`, one fake clock for
 * both, and `run`, which moves that clock until a piece of work has settled. Time passes slowly while bytes move and
 * fast while nothing happens, so a deadline never fires because the machine was slow, and a minute costs no minute.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { parseHex } from '../../src/core/bytes.js';
import { zone, type Clock, type WallTime, type Zone } from '../../src/core/time.js';
import type {
  Driver,
  Finding,
  PageOptions,
  Cursor,
  PunchPage,
  PunchRecord,
  SimulatedPunch,
  SimulatedTerminal,
  SimulatedUser,
  SimulatorSetup,
  TerminalSession,
  Wire,
} from '../../src/drivers/driver.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';

export const SITE_ZONE: Zone = zone('Asia/Shanghai') ?? ('' as Zone);

export interface RigOptions {
  readonly users?: readonly SimulatedUser[];
  readonly records?: readonly SimulatedPunch[];
  readonly faults?: Readonly<Record<string, string>>;
  /** Options of the session; parsed by the driver's schema. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Variants of the simulator; parsed by the driver. */
  readonly simulatorOptions?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  /** The wire carries datagrams: each write is one message (UDP). */
  readonly datagrams?: boolean;
  /** Who dials: `never` the gateway dials (the default), `only` the terminal calls, `too` both. */
  readonly calls?: 'never' | 'only' | 'too';
}

/** What a session has around it on the bench: a clock and an ear, nobody to dial. */
export function benchWire(
  clock: Clock,
  note: (finding: Finding) => void = () => undefined,
  more: Partial<Wire> = {},
): Wire {
  return { clock, note, zone: SITE_ZONE, host: null, dial: null, nextCall: null, ...more };
}

export interface Connection {
  readonly session: TerminalSession;
  readonly findings: Finding[];
  /** The gateway's end of the wire; the first one where there are several. */
  readonly link: Duplex;
  /** Everything the gateway has written, piece by piece. */
  readonly sent: readonly Uint8Array[];
  /** Aborts the session's signal. */
  abort(): void;
  /** Ends session, wire and the simulator's side, and waits until all of them are done. */
  close(): Promise<void>;
}

export interface Rig<Options> {
  readonly driver: Driver<Options>;
  readonly terminal: SimulatedTerminal;
  readonly clock: FakeClock;
  readonly findings: Finding[];
  connect(options?: Readonly<Record<string, unknown>>): Promise<Connection>;
  /** Moves time until `work` has settled, and gives its result. */
  run<T>(work: Promise<T> | (() => Promise<T>), atMostMs?: number): Promise<T>;
  /** Reads everything in one session of its own, confirming each page after it was taken. */
  readAll(after?: Cursor | null): Promise<Reading>;
}

export interface Reading {
  readonly punches: PunchRecord[];
  readonly pages: PunchPage[];
  readonly findings: readonly Finding[];
}

export const SECRET_FREE_USERS: readonly SimulatedUser[] = [
  { id: '20250017', name: '张三' },
  { id: '20250018', name: '李四' },
  { id: '42', name: 'Anna' },
];

/** `count` punches, one a minute from 2025-09-01 08:00:00 on, by the users in turn. All identities differ. */
export function history(count: number, users: readonly SimulatedUser[] = SECRET_FREE_USERS): SimulatedPunch[] {
  const two = (value: number): string => String(value).padStart(2, '0');
  return Array.from({ length: count }, (_, index) => {
    const minutes = 8 * 60 + index;
    const day = Math.floor(minutes / 1440);
    const wallTime = `${2020 + Math.floor(day / 336)}-${two(1 + (Math.floor(day / 28) % 12))}-${two(1 + (day % 28))} ${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}:${two(index % 60)}`;
    return {
      userId: users[index % users.length]?.id ?? '1',
      wallTime: wallTime as WallTime,
      verify: 'face',
      direction: index % 2 === 0 ? 'in' : 'out',
    };
  });
}

export function keyOf(punch: PunchRecord | SimulatedPunch): string {
  return `${'userId' in punch ? punch.userId : punch.deviceUserId} ${punch.wallTime}`;
}

/** Sees every write on one end of a wire: to tell a busy wire from a quiet one, and to know what was said. */
function watched(link: Duplex, written: (bytes: Uint8Array) => void): Duplex {
  const write = link.write.bind(link) as (...args: unknown[]) => boolean;
  Object.defineProperty(link, 'write', {
    value: (...args: unknown[]) => {
      if (args[0] instanceof Uint8Array) written(args[0]);
      return write(...args);
    },
  });
  return link;
}

export function createRig<Options>(driver: Driver<Options>, rigOptions: RigOptions = {}): Rig<Options> {
  const clock = createFakeClock(Date.UTC(2026, 8, 10, 0, 0, 0));
  const findings: Finding[] = [];
  let writes = 0;
  const setup: SimulatorSetup = {
    serial: 'TEST0001',
    zone: SITE_ZONE,
    world: clock,
    wire: clock,
    users: rigOptions.users ?? SECRET_FREE_USERS,
    records: rigOptions.records ?? [],
    faults: new Map(Object.entries(rigOptions.faults ?? {})),
    options: rigOptions.simulatorOptions ?? {},
    seed: rigOptions.seed ?? 1,
  };
  const terminal = driver.simulate(setup);

  const rig: Rig<Options> = {
    driver,
    terminal,
    clock,
    findings,
    async connect(options) {
      const calls = rigOptions.calls ?? 'never';
      const serving = new AbortController();
      const served: Promise<void>[] = [];
      const ends: Duplex[] = [];
      const sent: Uint8Array[] = [];
      const stop = new AbortController();
      const seen: Finding[] = [];
      const waiting: Duplex[] = [];
      let wake: () => void = () => undefined;

      /** A new wire: our end and theirs. */
      const lay = (): readonly [ours: Duplex, theirs: Duplex] => {
        const [ours, theirs] = duplexPair(
          rigOptions.datagrams ? { readableObjectMode: true, writableObjectMode: true } : {},
        );
        watched(ours, (bytes) => {
          writes += 1;
          sent.push(bytes);
        });
        watched(theirs, () => (writes += 1));
        for (const side of [ours, theirs]) side.on('error', () => undefined);
        // A pair made of memory does not notice that one half is gone; a socket does.
        ours.on('close', () => theirs.destroy());
        theirs.on('close', () => ours.destroy());
        ends.push(ours, theirs);
        return [ours, theirs];
      };
      const dialled = (): Duplex => {
        const [ours, theirs] = lay();
        served.push(terminal.serve(theirs, serving.signal));
        return ours;
      };
      const called = async (signal: AbortSignal): Promise<Duplex> => {
        for (;;) {
          signal.throwIfAborted();
          const link = waiting.shift();
          if (link) return link;
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', wake);
          });
          signal.removeEventListener('abort', wake);
        }
      };
      const call = async (): Promise<Duplex> => {
        const [ours, theirs] = lay();
        writes += 1;
        waiting.push(ours);
        wake();
        return Promise.resolve(theirs);
      };
      const hangUp = async (): Promise<void> => {
        serving.abort();
        for (const end of ends) end.destroy();
        await Promise.allSettled(served);
      };
      const wire = benchWire(
        clock,
        (finding) => {
          seen.push(finding);
          findings.push(finding);
        },
        {
          host: calls === 'only' ? null : '192.0.2.9',
          dial: calls === 'only' ? null : async () => Promise.resolve(dialled()),
          nextCall: calls === 'never' ? null : called,
        },
      );
      try {
        if (calls !== 'never') {
          if (!terminal.call) throw new Error(`${driver.name}: its simulator does not call`);
          served.push(terminal.call(call, serving.signal));
        }
        const link = calls === 'only' ? await called(stop.signal) : dialled();
        const session = await driver.open(
          link,
          driver.options.parse(options ?? rigOptions.options ?? {}),
          wire,
          stop.signal,
        );
        return {
          session,
          findings: seen,
          link,
          sent,
          abort: () => stop.abort(),
          close: async () => {
            await session[Symbol.asyncDispose]();
            await hangUp();
          },
        };
      } catch (error) {
        await hangUp();
        throw error;
      }
    },
    async run(work, atMostMs = 3_600_000) {
      const promise = typeof work === 'function' ? work() : work;
      let settled = false;
      promise.then(
        () => (settled = true),
        () => (settled = true),
      );
      const began = clock.ticks();
      let stepMs = 4;
      while (!isTrue(settled)) {
        const before = writes;
        await clock.advance(stepMs);
        stepMs = writes === before ? Math.min(stepMs * 2, 500) : 4;
        if (clock.ticks() - began > atMostMs) throw new Error(`not settled after ${atMostMs} ms of its own time`);
      }
      return promise;
    },
    async readAll(after = null) {
      const connection = await rig.connect();
      try {
        await connection.session.identify();
        return await readPages(connection, after, { follow: false });
      } finally {
        await connection.close();
      }
    },
  };
  return rig;
}

// A function, because the compiler believes that an await cannot change the flag.
const isTrue = (flag: boolean): boolean => flag;

/** Takes pages until the session ends them or `enough` says so; confirms each after taking it. */
export async function readPages(
  connection: Connection,
  after: Cursor | null,
  options: PageOptions,
  enough: (pages: readonly PunchPage[]) => boolean = () => false,
): Promise<Reading> {
  const pages: PunchPage[] = [];
  for await (const page of connection.session.pages(after, options)) {
    pages.push(page);
    await connection.session.confirm(page);
    if (enough(pages)) break;
  }
  return { pages, punches: pages.flatMap((page) => [...page.punches]), findings: connection.findings };
}

export interface Sample {
  readonly name: string;
  readonly from: 'device' | 'gateway';
  readonly bytes: Uint8Array;
  /** Every `# key: value` line of the header. */
  readonly header: Readonly<Record<string, string>>;
}

/** Captures of one driver: hex with a header of `# key: value` lines, one direction a file (`# from: device`). */
export function loadCaptures(directory: string): Sample[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.cap'))
    .sort()
    .map((name) => {
      const text = readFileSync(join(directory, name), 'utf8');
      const header = Object.fromEntries(
        [...text.matchAll(/^# ([a-z-]+): (.*)$/gm)].map((match) => [match[1] ?? '', (match[2] ?? '').trim()]),
      );
      for (const key of ['model', 'firmware', 'date', 'who', 'from'])
        if (!header[key]) throw new Error(`${name}: the header lacks "# ${key}: ..."`);
      if (header.from !== 'device' && header.from !== 'gateway')
        throw new Error(`${name}: "from" must be device or gateway`);
      return { name, from: header.from, bytes: parseHex(text), header };
    });
}
