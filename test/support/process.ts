/**
 * Our commands as processes of their own, for tests that kill them. Everything has a deadline: a program that does not
 * come up, a port that stays shut and a condition that never holds end the test with a sentence and with the last lines
 * that the program wrote. What is still running when the tests end is killed with them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock, within } from '../../src/core/time.js';

const root = new URL('../../', import.meta.url).pathname;
const clock = systemClock();
const never = new AbortController().signal;
const KEPT_LINES = 40;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Program extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves with the first line on standard output that passes; rejects when the program ends or `deadlineMs` pass. */
  line(passes: (line: string) => boolean, deadlineMs: number): Promise<string>;
  /** The last lines of both outputs, for the message of a failing test. */
  readonly tail: () => string;
  running(): boolean;
  /** Sends a signal and returns at once. */
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when the program has ended; rejects after `deadlineMs`. */
  ended(deadlineMs: number): Promise<Exit>;
  kill(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts any program. The environment is ours; Debian's /usr/sbin is on the path. */
export function startProgram(name: string, command: string, args: readonly string[]): Program {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` },
  });
  children.add(child);
  const out: string[] = [];
  const last: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const exit = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      last.push(error.message);
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  const keep = (line: string): void => {
    if (last.push(line) > KEPT_LINES) last.shift();
  };
  createInterface({ input: child.stderr }).on('line', keep);
  createInterface({ input: child.stdout }).on('line', (line) => {
    keep(line);
    out.push(line);
    for (const listener of listeners) listener(line);
  });
  const tail = (): string => `\n--- ${name} (${child.pid ?? 0}) ---\n${last.join('\n')}\n---`;
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const program: Program = {
    name,
    pid: child.pid ?? 0,
    tail,
    running,
    async line(passes, deadlineMs) {
      const found = new Promise<string>((resolve, reject) => {
        const known = out.find(passes);
        if (known !== undefined) resolve(known);
        else
          listeners.add((line) => {
            if (passes(line)) resolve(line);
          });
        void exit.then(({ code, signal }) => {
          reject(new Error(`${name} ended with ${code ?? signal ?? 'nothing'} before it was ready${tail()}`));
        });
      });
      const line = await within(clock, deadlineMs, never, found);
      if (line === 'late') throw new Error(`${name} was not ready within ${deadlineMs} ms${tail()}`);
      return line;
    },
    signal: (signal) => void child.kill(signal),
    async ended(deadlineMs) {
      const how = await within(clock, deadlineMs, never, exit);
      if (how === 'late') throw new Error(`${name} did not end within ${deadlineMs} ms${tail()}`);
      return how;
    },
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
    async [Symbol.asyncDispose]() {
      if (running()) await program.kill();
    },
  };
  return program;
}

/** `rollcall …` as it was built; `npm test` builds before it tests. */
export function startRollcall(name: string, args: readonly string[]): Program {
  const main = join(root, 'dist', 'main.js');
  if (!existsSync(main)) throw new Error('dist/ is missing; run npm run build');
  return startProgram(name, process.execPath, [main, ...args]);
}

/** Runs a command to its end. `line` is its first line on standard output that is a JSON object. */
export async function rollcall(
  args: readonly string[],
  deadlineMs: number,
): Promise<{ readonly code: number | null; readonly line: string; readonly tail: string }> {
  const program = startRollcall(args.join(' '), args);
  const line = program.line((one) => one.startsWith('{'), deadlineMs).catch(() => '');
  const { code } = await program.ended(deadlineMs);
  return { code, line: await line, tail: program.tail() };
}

export const temporaryDirectory = (name: string): string => mkdtempSync(join(tmpdir(), `rollcall-${name}-`));

/** A port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Asks until the answer is not null; after `deadlineMs` it throws what was waited for and what `explain` adds. */
export async function eventually<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | null> | T | null,
  options: { readonly everyMs?: number; readonly explain?: () => string } = {},
): Promise<T> {
  const { everyMs = 20, explain = () => '' } = options;
  const until = clock.ticks() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (clock.ticks() > until) throw new Error(`not within ${deadlineMs} ms: ${what}${explain()}`);
    await clock.sleep(everyMs, never);
  }
}

/** GET with a deadline; null when nobody answers. Errors of HTTP are answers too. */
export async function getJson(url: string, deadlineMs: number): Promise<unknown> {
  const stop = new AbortController();
  const asked = fetch(url, { signal: stop.signal }).then((response): Promise<unknown> => response.json());
  try {
    const answer = await within(clock, deadlineMs, never, asked);
    return answer === 'late' ? null : answer;
  } catch {
    return null;
  } finally {
    stop.abort();
  }
}

/** One command line to a simulator's control port, one line back. */
export async function control(port: number, command: Readonly<Record<string, unknown>>): Promise<unknown> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(`${JSON.stringify(command)}\n`);
    const answer = once(createInterface({ input: socket }), 'line') as Promise<[string]>;
    const lines = await within(clock, 60_000, never, answer);
    if (lines === 'late') throw new Error(`the simulator did not answer ${JSON.stringify(command)}`);
    return JSON.parse(lines[0]);
  } finally {
    socket.destroy();
  }
}
