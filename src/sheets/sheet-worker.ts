/**
 * The thread that reads tables: started by `readSheet` with a file name, answers once and ends. Everything that the file
 * makes go wrong comes back as a code with its context; nothing is logged here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { asGatewayError } from '../core/errors.js';
import { readSheetFile } from './sheet-file.js';
import type { WorkerAnswer, WorkerQuestion } from './worker-words.js';

async function answer(question: WorkerQuestion): Promise<WorkerAnswer> {
  try {
    return { sheet: await readSheetFile(question.file, question.sheet) };
  } catch (error) {
    const { code, context } = asGatewayError(error);
    return { code, context };
  }
}

if (parentPort !== null) parentPort.postMessage(await answer(workerData as WorkerQuestion));
