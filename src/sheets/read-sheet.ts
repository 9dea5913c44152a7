/**
 * Reads a table that a person made (XLSX or CSV), in a thread of its own with little memory and a deadline, because the file
 * may have come from anybody. What it is, is told from its bytes and never from its name.
 *
 * Promises a table within the limits of `SHEET_LIMITS` or a GatewayError of kind settings with place and remedy. Writes
 * nothing, opens nothing that the file names, computes no formula, runs no macro.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fail, systemCode, type GatewayError } from '../core/errors.js';
import { within, type Clock } from '../core/time.js';
import type { Sheet } from './sheet.js';
import type { WorkerAnswer, WorkerQuestion } from './worker-words.js';

export interface ReadSheetOptions {
  /** Name of the sheet to read; needed when several visible sheets hold something. Ignored for CSV. */
  readonly sheet?: string | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Default 20 000. */
  readonly timeoutMs?: number;
}

/** Heap of the thread. With the file, what is being unpacked and the thread itself the whole stays within 128 MiB. */
const HEAP = { maxOldGenerationSizeMb: 80, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 } as const;
const TIMEOUT_MS = 20_000;

/** Throws `sheet-…` of kind settings; the signal's reason when aborted. */
export async function readSheet(file: string, options: ReadSheetOptions): Promise<Sheet> {
  const { signal, clock, timeoutMs = TIMEOUT_MS } = options;
  signal.throwIfAborted();
  const question: WorkerQuestion = { file, sheet: options.sheet ?? null };
  const worker = new Worker(workerFile(), {
    workerData: question,
    resourceLimits: HEAP,
    execArgv: [],
    env: {},
  });
  try {
    const answer = await within(clock, timeoutMs, signal, answerOf(worker));
    if (answer === 'late') {
      throw fail('sheet-heavy', { what: 'time', whatZh: '时间', limit: `${timeoutMs / 1000} s` });
    }
    if ('sheet' in answer) return answer.sheet;
    throw fail(answer.code, answer.context);
  } finally {
    await worker.terminate();
  }
}

function answerOf(worker: Worker): Promise<WorkerAnswer> {
  return new Promise((resolve, reject) => {
    worker.once('message', (answer: WorkerAnswer) => resolve(answer));
    worker.once('messageerror', (error) => reject(fail('unexpected', { reason: 'no answer from the reader' }, error)));
    worker.once('error', (error) => reject(lostWorker(error)));
    worker.once('exit', () => reject(fail('unexpected', { reason: 'the reader ended without an answer' })));
  });
}

/** A thread that ran out of memory, or a library that threw where nobody could catch it: both are the file's doing. */
function lostWorker(error: unknown): GatewayError {
  if (systemCode(error) === 'ERR_WORKER_OUT_OF_MEMORY') {
    const limit = `${HEAP.maxOldGenerationSizeMb} MiB`;
    return fail('sheet-heavy', { what: 'memory', whatZh: '内存', limit }, error);
  }
  const words = { reason: 'it cannot be unpacked', reasonZh: '无法解压' };
  return fail('sheet-broken', { place: 'file', placeZh: '文件', ...words }, error);
}

/** Beside this file in the build. Tests run this source, and a thread cannot load TypeScript: they use the build's. */
export function workerFile(): string {
  const beside = fileURLToPath(new URL('./sheet-worker.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/sheets/sheet-worker.js', import.meta.url));
}
