/**
 * `npm run bench`: start time and idle memory of the daemon beside a bare Node process, in one run on one machine, and the
 * same with 100 000 punches in the journal; days of credit a second; then the decoding and the whole read of 100 000 records of a ZKTeco terminal beside
 * node-zklib and zkteco-js; then a class computed anew from raw. `npm run bench -- decode pull` runs some of the parts. Numbers of a shared machine drift; the ratios are
 * what counts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore } from '../../dist/store/database.js';
import { systemClock, instant } from '../../dist/core/time.js';
import { benchCredit } from './credit.mjs';
import { benchDecode } from './decode.mjs';
import { freePort, main, median, ratio, rssMb } from './measure.mjs';
import { benchPull } from './pull.mjs';
import { benchRecompute } from './recompute.mjs';

const ROUNDS = 3;
const IDLE_MS = 8000;
const PUNCHES = 100_000;
const DAYS = 20_000;

function bareStart() {
  const began = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - began;
}

async function bareRss() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
  await delay(1500);
  const rss = rssMb(child.pid);
  child.kill('SIGKILL');
  return rss;
}

async function daemon(dataDir, dir) {
  const port = await freePort();
  const config = join(dir, `gateway-${port}.yaml`);
  writeFileSync(
    config,
    `site: { name: bench, room: "1" }\ndataDir: ${dataDir}\nweb: { listen: "127.0.0.1:${port}" }\n`,
  );
  const began = performance.now();
  const child = spawn(process.execPath, [main, 'run', '--config', config], { stdio: 'ignore' });
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (one) => one.status,
      () => 0,
    );
    if (status === 200) break;
    if (performance.now() - began > 30_000) throw new Error('the daemon was not ready within 30 s');
    await delay(5);
  }
  const startMs = performance.now() - began;
  await delay(IDLE_MS);
  const rss = rssMb(child.pid);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
  return { startMs, rss };
}

function fill(dataDir) {
  const store = openStore({ dir: dataDir, clock: systemClock(), software: 'bench' });
  const base = Date.UTC(2026, 0, 1);
  for (let at = 0; at < PUNCHES; at += 500) {
    store.transact((tx) => {
      for (let index = at; index < at + 500; index += 1) {
        const told = instant(base + index * 1000);
        const wall = new Date(told + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
        tx.addPunch({
          kind: 'punch',
          deviceSn: 'BENCH0001',
          terminalId: 'bench',
          deviceUserId: String(index % 300),
          deviceUid: null,
          wallTime: wall,
          instant: told,
          rx: told,
          rxTicks: index,
          clockTrusted: true,
          offsetMs: 0,
          offsetAgeMs: 0,
          effective: told,
          direction: 'in',
          directionRaw: 0,
          verify: 'face',
          verifyRaw: 15,
          score: null,
          source: 'poll',
          delivery: 'backfill',
          seq: null,
          seqEpoch: null,
          firmware: null,
          raw: new Uint8Array(40),
          decoder: 'bench/1',
          traineeNo: null,
        });
      }
    });
  }
  store[Symbol.dispose]();
}

async function benchDaemon() {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
  try {
    const bare = { startMs: [], rss: [] };
    const empty = { startMs: [], rss: [] };
    const full = { startMs: [], rss: [] };
    fill(join(dir, 'full'));
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.startMs.push(bareStart());
      bare.rss.push(await bareRss());
      for (const [kind, dataDir] of [
        [empty, join(dir, `empty-${round}`)],
        [full, join(dir, 'full')],
      ]) {
        const found = await daemon(dataDir, dir);
        kind.startMs.push(found.startMs);
        kind.rss.push(found.rss);
      }
    }
    const row = (name, kind) => {
      const [start, rss] = [median(kind.startMs), median(kind.rss)];
      console.log(
        `${name.padEnd(34)} start ${start.toFixed(0).padStart(6)} ms (${ratio(start, median(bare.startMs))})   idle RSS ${rss.toFixed(0).padStart(5)} MiB (${ratio(rss, median(bare.rss))})`,
      );
    };
    row('bare node process', bare);
    row('rollcall run, new directory', empty);
    row(`rollcall run, ${PUNCHES} punches`, full);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const PARTS = {
  daemon: benchDaemon,
  credit: async () => benchCredit(DAYS),
  decode: async () => benchDecode(PUNCHES),
  pull: () => benchPull(PUNCHES, ROUNDS),
  recompute: async () => benchRecompute(),
};
for (const part of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS)) {
  if (!PARTS[part]) throw new Error(`no part ${part}; there are ${Object.keys(PARTS).join(', ')}`);
  await PARTS[part]();
}
