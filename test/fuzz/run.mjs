/**
 * `npm run test:fuzz`: a million spoilt inputs for every driver. Nothing but a GatewayError may be thrown, no call may take more than
 * 50 ms three times of three, none may hang, no byte may be lost, the pieces may not matter, `scrub` keeps the length, and memory
 * does not grow. Exit code 1 with the input as hex
 * otherwise. `FUZZ_RUNS=n` for each driver, `FUZZ_DRIVER=name[,name]`, `FUZZ_SEED=n` repeats a run, `FUZZ_THREADS=n`.
 * A finding becomes a test in test/drivers/ before it is mended.
 */
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { Worker } from 'node:worker_threads';
import { NAMES, PLANTED } from './subjects.mjs';

const THREADS = Number(process.env.FUZZ_THREADS ?? Math.min(4, availableParallelism()));
const RUNS = Number(process.env.FUZZ_RUNS ?? 1_000_000);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const CHOSEN = (process.env.FUZZ_DRIVER ?? '').split(',').filter((name) => name !== '');
const SHARED_BYTES = 64 * 1024;
const HANG_MS = 20_000;

/** One thread to its end. One that makes no progress for `hangMs` is ended, and its input reported. */
function share(name, seed, runs, hangMs = HANG_MS) {
  const shared = new SharedArrayBuffer(8 + SHARED_BYTES);
  const progress = new Uint32Array(shared, 0, 2);
  const worker = new Worker(new URL('worker.mjs', import.meta.url), {
    workerData: { name, seed, runs, shared, sharedBytes: SHARED_BYTES },
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  return new Promise((resolve) => {
    let before = -1;
    const watch = setInterval(() => {
      if (progress[0] === before && before > 0) {
        const hex = Buffer.from(shared, 8, Math.min(SHARED_BYTES, progress[1])).toString('hex');
        finish({ kind: 'hang', name, seed, run: before - 1, what: `no end after ${hangMs} ms`, hex });
      }
      before = progress[0];
    }, hangMs);
    const finish = (result) => {
      clearInterval(watch);
      void worker.terminate();
      resolve(result);
    };
    worker.once('message', finish);
    worker.once('error', (error) => finish({ kind: 'thrown', name, seed, what: String(error.stack) }));
    worker.once('exit', () => finish({ kind: 'thrown', name, seed, what: 'the thread ended without a word' }));
  });
}

const EXPECTED = {
  'planted-throws': /^thrown .*TypeError/s,
  'planted-slow': /^slow decoder\.end: \d+ ms/,
  'planted-hangs': /^hang/,
  'planted-keeps': /^memory/,
  'planted-loses': /^thrown decoder: bytes are lost/,
  'planted-minds': /^thrown decoder: another result/,
  'planted-shortens': /^thrown scrub: \d+ bytes became 3/,
  'planted-hears': /^thrown called\.hear/,
  'planted-reads': /^thrown .*TypeError/s,
};

async function catchPlanted() {
  const results = await Promise.all(Object.keys(PLANTED).map((name) => share(name, 1, 3000, 5000)));
  return results.filter(({ kind, name, what }) => !EXPECTED[name].test(`${kind} ${what}`));
}

const missed = await catchPlanted();
for (const { kind, name, what } of missed) console.error(`the net has a hole: ${name} gave ${kind} ${what ?? ''}`);

console.log(`fuzz: seed ${SEED}, ${RUNS} runs for each driver, ${THREADS} threads`);
let findings = missed.length;
const began = performance.now();
for (const name of CHOSEN.length > 0 ? CHOSEN : NAMES) {
  const start = performance.now();
  const each = Math.ceil(RUNS / THREADS);
  const results = await Promise.all(Array.from({ length: THREADS }, (_, index) => share(name, SEED + index, each)));
  const seconds = (performance.now() - start) / 1000;
  const bad = results.filter(({ kind }) => kind !== 'done');
  for (const one of bad) console.error(`${name}: ${JSON.stringify(one, null, 1)}`);
  findings += bad.length;
  if (bad.length > 0) continue;
  const runs = results.reduce((sum, one) => sum + one.runs, 0);
  const bytes = results.reduce((sum, one) => sum + one.bytesInAll, 0) / runs;
  const slowest = Math.max(...results.map((one) => one.slowest));
  const kept = Math.max(...results.map((one) => one.keptBytes)) / 1024;
  console.log(
    `${name.padEnd(16)} ${runs} runs in ${seconds.toFixed(1).padStart(5)} s (${Math.round(runs / seconds)}/s, ` +
      `${bytes.toFixed(0)} bytes on average), slowest call ${slowest.toFixed(1)} ms, memory ${kept > 0 ? '+' : ''}${kept.toFixed(0)} KiB`,
  );
}
console.log(`fuzz: ${findings} findings in ${((performance.now() - began) / 1000).toFixed(0)} s`);
process.exit(findings === 0 ? 0 : 1);
