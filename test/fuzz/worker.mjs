/**
 * A share of the runs on one driver, in a thread. Each run spoils a message, shows the input in shared memory (so that a call which
 * never comes back can be named), and gives it to the decoder in pieces, to `hear`, to `search.read`, and one of four to `scrub`.
 * No byte may be lost, and (one of eight) the pieces may not matter. It reports the first
 * run in which something other than a GatewayError was thrown, a promise broken, or a call slow three times of three.
 * A slow call is measured again by processor time, since other work on the machine is no fault.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { GatewayError } from '../../dist/core/errors.js';
import { createMasks } from '../../dist/drivers/masks.js';
import { createRandom, createSpoiler, piecesOf } from './mutation.mjs';
import { subjectOf } from './subjects.mjs';

const { name, seed, runs, shared, sharedBytes } = workerData;
const CALL_MS_MAX = 50;
const MASKS_RUNS = 64;
const KEPT_BYTES_MAX = 24 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const heldBytes = () => {
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
};

class Broken extends Error {}

/** Wall time, and no more than all threads had of the processors meanwhile: on a busy machine the wall clock tells of others. */
const wallClock = () => ({ wallMs: performance.now(), cpuMs: Infinity });
function ownClock() {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

/** Each call with its name and the time it took; a GatewayError ends a run in good order. */
function runCalls({ driver }, input, masks, told, clock = wallClock) {
  const timed = (what, call) => {
    const began = clock();
    try {
      return call();
    } finally {
      const ended = clock();
      const cpuMs = ended.cpuMs === Infinity ? Infinity : ended.cpuMs - began.cpuMs;
      const ms = Math.min(ended.wallMs - began.wallMs, cpuMs);
      if (ms > told.ms) Object.assign(told, { ms, what });
    }
  };
  const tame = (call) => {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return null;
    }
  };
  const { options, from, bytes, pieces } = input;
  tame(() => {
    const decoder = timed('decoder', () => driver.decoder(options, from));
    const told = [];
    let at = 0;
    for (const piece of pieces) {
      // A copy: nobody may rely on what comes after a chunk, or keep a chunk that is used again.
      const chunk = Uint8Array.from(bytes.subarray(at, (at += piece)));
      told.push(...timed('decoder.push', () => decoder.push(chunk)));
    }
    told.push(...timed('decoder.end', () => decoder.end()));
    checkTold(driver, input, told);
  });
  if (input.scrubbed)
    tame(() => {
      const scrubbed = timed('scrub', () => driver.scrub(options, from, Uint8Array.from(bytes), masks));
      if (scrubbed.length !== bytes.length) throw new Broken(`scrub: ${bytes.length} bytes became ${scrubbed.length}`);
    });
  if (driver.called) {
    for (const length of new Set([bytes.length, pieces[0] ?? 0])) {
      const heard = timed('called.hear', () => driver.called.hear(bytes.subarray(0, length)));
      if (!['no', 'more', 'yes'].includes(heard.is)) throw new Broken(`called.hear: ${JSON.stringify(heard)}`);
    }
  }
  // It promises to throw nothing at all.
  if (driver.search) timed('search.read', () => driver.search.read(bytes));
}

const viewOf = (told) =>
  told.flatMap((one) => {
    if (one.kind === 'noise') return [];
    if (one.kind === 'message')
      return [`${one.name} ${JSON.stringify(one.fields)} ${Buffer.from(one.bytes).toString('hex')}`];
    const { deviceUserId, wallTime, raw } = one.punch;
    return [`punch ${deviceUserId} ${wallTime} ${Buffer.from(raw).toString('hex')}`];
  });

/** Every byte comes out once and in order; now and then: the same comes out when it comes in one piece. */
function checkTold(driver, { options, from, bytes, compared }, told) {
  const shown = Buffer.concat(told.flatMap((one) => (one.kind === 'punch' ? [] : [one.bytes])));
  if (!shown.equals(bytes)) throw new Broken('decoder: bytes are lost, doubled or changed');
  if (told.some((one) => one.kind !== 'punch' && one.bytes.length === 0))
    throw new Broken('decoder: it tells of no bytes');
  if (!compared) return;
  const decoder = driver.decoder(options, from);
  const whole = viewOf([...decoder.push(Uint8Array.from(bytes)), ...decoder.end()]);
  if (viewOf(told).join('\n') !== whole.join('\n')) throw new Broken('decoder: another result in one piece');
}

function findingOf(kind, run, input, more) {
  const { from, bytes, pieces, options } = input;
  const hex = Buffer.from(bytes).toString('hex');
  return { kind, name, seed, run, from, options, pieces, hex, ...more };
}

function share() {
  const subject = subjectOf(name);
  const random = createRandom(seed);
  const spoil = createSpoiler(name, subject.samples, random);
  const sight = new Uint8Array(shared);
  const progress = new Uint32Array(shared, 0, 2);
  let masks = createMasks(new Uint8Array(32));
  let base = null;
  let slowest = 0;
  let bytesInAll = 0;
  for (let run = 0; run < runs; run += 1) {
    const { from, bytes } = spoil();
    const input = {
      ...{ options: random.pick(subject.options), from, bytes },
      ...{ pieces: piecesOf(bytes.length, random), compared: random.chance(8), scrubbed: random.chance(4) },
    };
    bytesInAll += bytes.length;
    progress[1] = bytes.length;
    sight.set(bytes.subarray(0, sharedBytes), 8);
    progress[0] = run + 1;
    // Masks remember whom they have met.
    if (run % MASKS_RUNS === 0) masks = createMasks(new Uint8Array(32));
    const told = { ms: 0, what: '' };
    try {
      runCalls(subject, input, masks, told);
      for (let again = 0; told.ms > CALL_MS_MAX && again < 2; again += 1) {
        const once = { ms: 0, what: '' };
        runCalls(subject, input, createMasks(new Uint8Array(32)), once, ownClock);
        if (once.ms < told.ms) Object.assign(told, once);
      }
    } catch (error) {
      return findingOf('thrown', run, input, { what: error instanceof Broken ? error.message : String(error?.stack) });
    }
    if (told.ms > CALL_MS_MAX) return findingOf('slow', run, input, { what: `${told.what}: ${told.ms.toFixed(0)} ms` });
    slowest = Math.max(slowest, told.ms);
    // The first fifth fills caches and compiles; what grows after it goes on growing.
    if (run === Math.floor(runs / 5)) base = heldBytes();
  }
  const keptBytes = heldBytes() - (base ?? 0);
  if (keptBytes > KEPT_BYTES_MAX) return { kind: 'memory', name, seed, what: `${keptBytes} bytes kept` };
  return { kind: 'done', name, seed, runs, bytesInAll, slowest, keptBytes };
}

parentPort.postMessage(share());
