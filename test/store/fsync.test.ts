/** What reaches the disk and when, seen from outside: the store runs in a process of its own under strace. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { verifyDataDir } from '../../src/store/check.js';
import { needs } from '../support/needs.js';
import { open, tempDir } from './fixtures.js';

const strace = needs('strace');
const root = fileURLToPath(new URL('../../', import.meta.url));

const CHILD = `
import { openStore } from './store/database.js';
import { systemClock } from './core/time.js';
const [dir, commits] = [process.argv[2], Number(process.argv[3])];
const store = openStore({ dir, clock: systemClock(), software: 'test' });
const acked = [], failed = [];
for (let index = 0; index < commits; index += 1) {
  try {
    store.transact((tx) => tx.addPunch({ kind: 'punch', deviceSn: 'SN', terminalId: 't', deviceUserId: String(index), deviceUid: null, wallTime: '2026-09-10 08:00:00',
      instant: 0, rx: 0, rxTicks: 0, clockTrusted: true, offsetMs: null, offsetAgeMs: null, effective: 0, direction: 'in', directionRaw: null, verify: 'face',
      verifyRaw: null, score: null, source: 'poll', delivery: 'live', seq: null, seqEpoch: null, firmware: null, raw: new Uint8Array(8), decoder: 'd', traineeNo: null }));
    acked.push(String(index));
  } catch (error) { failed.push(error.code); }
}
console.log(JSON.stringify({ acked, failed, disk: store.disk }));
if (process.argv[4] !== 'die') store[Symbol.dispose]();
`;

/** Compiles store and core into a directory of their own, changed by \`change\`; a file by itself, so it takes a moment only. */
function program(change: (name: string, text: string) => string = (_name, text) => text): string {
  const target = tempDir();
  for (const room of ['core', 'store', 'rules']) {
    for (const name of readdirSync(join(root, 'src', room), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const text = change(name, readFileSync(join(root, 'src', room, name), 'utf8'));
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      const path = join(target, room, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, outputText);
    }
  }
  cpSync(join(root, 'src/store/migrations'), join(target, 'store/migrations'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
  writeFileSync(join(target, 'package.json'), '{"type":"module"}');
  writeFileSync(join(target, 'child.js'), CHILD);
  return join(target, 'child.js');
}

interface Outcome {
  readonly acked: string[];
  readonly failed: string[];
}

function run(child: string, options: readonly string[], args: readonly string[]): Outcome {
  const done = spawnSync('strace', ['-f', '-qq', ...options, process.execPath, child, ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`child failed: ${done.stderr}`);
  return JSON.parse(done.stdout) as Outcome;
}

function syncs(child: string, commits: number): number {
  const dir = tempDir();
  const report = join(dir, 'strace');
  run(child, ['-c', '-o', report, '-e', 'trace=fsync,fdatasync'], [join(dir, 'data'), String(commits)]);
  return readFileSync(report, 'utf8')
    .split('\n')
    .filter((line) => /\b(?:fsync|fdatasync)$/.test(line))
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[3]), 0);
}

test.skipIf(!strace.available)(`each intake commit is exactly one sync of the log ${strace.reason}`, () => {
  const child = program();
  expect(syncs(child, 120) - syncs(child, 20)).toBe(100);
});

test.skipIf(!strace.available)(
  `the count above goes red when the store forgets to ask for FULL ${strace.reason}`,
  () => {
    const forgetful = program((name, text) =>
      name === 'database.ts'
        ? text
            .replace("db.pragma('synchronous = FULL');", '')
            .replace('if (synchronous !== 2)', 'if (synchronous === 7)')
        : text,
    );
    expect(syncs(forgetful, 120) - syncs(forgetful, 20)).toBe(0);
  },
);

test.skipIf(!strace.available)(
  `syncs that fail cost no acknowledged punch, and the store goes on by itself ${strace.reason}`,
  () => {
    const child = program();
    const before = syncs(child, 0);
    for (const [first, last] of [
      [2, 2],
      [5, 6],
    ] as const) {
      const dir = tempDir();
      // What closing takes comes after the commits, so the syncs before the first commit are a little fewer than all of an empty run.
      const [from, to] = [before - 4 + first, before - 4 + last];
      const outcome = run(
        child,
        ['-o', '/dev/null', '-e', 'trace=fsync', '-e', `inject=fsync:error=EIO:when=${from}..${to}`],
        [dir, '30', 'die'],
      );
      expect(outcome.failed.length).toBeGreaterThan(0);
      expect(new Set(outcome.failed)).toEqual(new Set(['store-failed']));
      expect(outcome.acked.length).toBeGreaterThan(20);
      const { store } = open(dir);
      const kept = new Set(
        store.facts(0, 100, 'punch').map((fact) => (fact.kind === 'punch' ? fact.deviceUserId : '')),
      );
      expect(outcome.acked.filter((id) => !kept.has(id))).toEqual([]);
      store[Symbol.dispose]();
      expect(verifyDataDir(dir).firstFault).toBeNull();
    }
  },
);
