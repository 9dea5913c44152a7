/** What every command speaks through: data to standard output, words for people to standard error. */
import { type GatewayError, asGatewayError } from '../core/errors.js';

export interface Console {
  /** One line of data (JSON with `--json`). */
  readonly out: (line: string) => void;
  /** Words for people. */
  readonly err: (line: string) => void;
  readonly json: boolean;
  /** Whether a person watches: progress is shown then. */
  readonly tty: boolean;
}

/** Aborts when nobody reads standard output any more (`rollcall pull … | head`): a closed pipe is no error of ours. */
const readerGone = new AbortController();
const pipeClosed = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') throw error;
  readerGone.abort(error);
};

/** Standard output's reader; commands that hold a terminal end their session when it has gone. */
export function outputReader(): AbortSignal {
  return readerGone.signal;
}

export function createConsole(json: boolean): Console {
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners('error').includes(pipeClosed)) stream.on('error', pipeClosed);
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    json,
    tty: process.stderr.isTTY,
  };
}

/** Exit codes of the contract. */
export const EXIT = { good: 0, no: 1, usage: 2, unreachable: 3, fault: 4 } as const;

const EXIT_OF_KIND = {
  settings: EXIT.usage,
  storage: EXIT.usage,
  retry: EXIT.unreachable,
  peer: EXIT.unreachable,
  bug: EXIT.fault,
} as const;

export function exitCodeOf(error: GatewayError): number {
  return EXIT_OF_KIND[error.kind];
}

/** Prints what went wrong and what to do, in both languages, and returns the exit code. */
export function reportError(thrown: unknown, io: Console): number {
  const error = asGatewayError(thrown);
  const [zh, en] = [error.explain('zh'), error.explain('en')];
  if (io.json)
    io.out(
      JSON.stringify({
        error: error.code,
        kind: error.kind,
        zh: zh.what,
        en: en.what,
        remedyZh: zh.remedy,
        remedyEn: en.remedy,
      }),
    );
  io.err(`错误 ${error.code}:${zh.what}${zh.remedy}`);
  io.err(`Error ${error.code}: ${en.what} ${en.remedy}`);
  if (error.kind === 'bug' && error.cause instanceof Error && error.cause.stack !== undefined)
    io.err(error.cause.stack);
  return exitCodeOf(error);
}

/** Runs a command and turns whatever it throws into words and an exit code. */
export async function guarded(io: Console, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    return reportError(error, io);
  }
}

/** A progress line on a terminal, rewritten in place; nothing when nobody watches. */
export function progressLine(io: Console): { readonly show: (text: string) => void; readonly end: () => void } {
  let shown = false;
  return {
    show: (text) => {
      if (!io.tty) return;
      shown = true;
      process.stderr.write(`\r\u001b[2K${text}`);
    },
    end: () => {
      if (shown) process.stderr.write('\r\u001b[2K');
      shown = false;
    },
  };
}
