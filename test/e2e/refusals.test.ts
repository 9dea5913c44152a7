/**
 * What an installer can get wrong before the daemon does anything: each is a clear sentence in both languages with its
 * remedy, and exit code 2 or 3. The real command, as it was built.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort, startRollcall } from '../support/process.js';
import { runOnce } from './run-once.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-refusals-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function settings(extra: Record<string, string> = {}): Promise<string> {
  const file = join(dir, 'gateway.yaml');
  const parts = {
    site: 'site: { name: 东河校区, room: "301" }',
    dataDir: `dataDir: ${join(dir, 'data')}`,
    web: `web: { listen: "127.0.0.1:${await freePort()}" }`,
    ...extra,
  };
  writeFileSync(file, `${Object.values(parts).join('\n')}\n`);
  return file;
}

const refused = (
  outcome: { code: number | null; err: string },
  code: number,
  ...words: readonly (string | RegExp)[]
): void => {
  for (const word of words) expect(outcome.err).toMatch(word);
  expect(outcome.err).not.toMatch(/\n\s+at .*\.js:\d+/);
  expect(outcome.code).toBe(code);
};

describe('rollcall run refuses', () => {
  test('a settings file with faults, naming line, key and nearest known key', async () => {
    const file = await settings({ policy: 'polcy: { preset: baotou-2023 }', log: 'log: { level: loud }' });
    refused(
      await runOnce(['run', '--config', file]),
      2,
      /gateway\.yaml:4/,
      /polcy/,
      /policy/,
      /log\.level/,
      /未启动/,
      /Not started/,
    );
  });

  test('an unknown preset, naming the nearest', async () => {
    const file = await settings({ policy: 'policy: { preset: baotou-2022 }' });
    refused(await runOnce(['run', '--config', file]), 2, /baotou-2022/, /baotou-2023/);
  });

  test('a file that is not there', async () => {
    refused(await runOnce(['run', '--config', join(dir, 'none.yaml')]), 2, /none\.yaml/, /无法读取/);
  });

  test('a port that another program holds', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const file = await settings({ web: `web: { listen: "127.0.0.1:${port}" }` });
    refused(await runOnce(['run', '--config', file]), 2, /port-in-use/, new RegExp(String(port)), /web\.listen/);
    server.close();
  });

  test('a data directory that cannot be written', async () => {
    const blocker = join(dir, 'file');
    writeFileSync(blocker, '');
    const file = await settings({ dataDir: `dataDir: ${join(blocker, 'data')}` });
    refused(await runOnce(['run', '--config', file]), 2, /store-unwritable/, /dataDir/, /不可写/);
  });

  test('a second daemon on the same directory', async () => {
    const first = await settings();
    const second = join(dir, 'second.yaml');
    writeFileSync(second, readFileSync(first, 'utf8').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${await freePort()}`));
    await using daemon = startRollcall('daemon', ['run', '--config', first]);
    const port = /127\.0\.0\.1:(\d+)/.exec(readFileSync(first, 'utf8'))?.[1] ?? '';
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/healthz`).then(
            (one) => one.status,
            () => 0,
          ),
        { timeout: 15_000 },
      )
      .toBe(200);
    refused(await runOnce(['run', '--config', second]), 2, /store-locked/, /systemctl stop rollcall/);
    daemon.signal('SIGTERM');
    expect(await daemon.ended(10_000)).toEqual({ code: 0, signal: null });
  });

  test('a database newer than the program, and leaves it as it was', async () => {
    const file = await settings();
    await using daemon = startRollcall('daemon', ['run', '--config', file]);
    const port = /127\.0\.0\.1:(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/healthz`).then(
            (one) => one.status,
            () => 0,
          ),
        { timeout: 15_000 },
      )
      .toBe(200);
    daemon.signal('SIGTERM');
    await daemon.ended(10_000);
    const path = join(dir, 'data', 'rollcall.db');
    const db = new Database(path);
    db.pragma('user_version = 99');
    db.close();
    copyFileSync(path, join(dir, 'before.db'));
    refused(await runOnce(['run', '--config', file]), 2, /store-newer/, /99/);
    expect(readFileSync(path).equals(readFileSync(join(dir, 'before.db')))).toBe(true);
  });
});

describe('other commands refuse', () => {
  test('a class file with faults, without printing names or numbers', async () => {
    const file = await settings();
    const sample = new URL('../../config/class.example.yaml', import.meta.url).pathname;
    const text = readFileSync(sample, 'utf8')
      .replace('150203190001011012', '150203190001011019')
      .replace('plannedHours: 112', 'plannedHours: 112\nplanedHours: 3');
    const bad = join(dir, 'class.yaml');
    writeFileSync(bad, text);
    const outcome = await runOnce(['import', 'class', bad, '--config', file]);
    refused(outcome, 2, /planedHours/, /plannedHours/);
    expect(outcome.err + outcome.out).not.toMatch(/欧阳|150203190001011019/);
  });

  test('an unknown driver, an unknown option, a reach that is not one, an unknown command', async () => {
    refused(await runOnce(['pull', '--driver', 'zk-standalon', '--reach', 'tcp://127.0.0.1:1']), 2, /zk-standalone/);
    refused(
      await runOnce(['pull', '--driver', 'zk-standalone', '--reach', 'tcp://127.0.0.1:1', '--set', 'comKey=1']),
      2,
      /commKey/,
    );
    refused(await runOnce(['pull', '--driver', 'zk-standalone', '--reach', 'http:/x']), 2, /bad-reach/);
    refused(await runOnce(['pulll']), 2, /unknown command/);
  });

  test('a terminal that cannot be reached: exit code 3 and what to check', async () => {
    const outcome = await runOnce([
      'pull',
      '--driver',
      'zk-standalone',
      '--reach',
      `tcp://127.0.0.1:${await freePort()}`,
    ]);
    refused(outcome, 3, /link-refused/, /检查电源/);
  });
});

describe('one wrong entry', () => {
  test('parks that terminal, says so in /readyz, and the rest runs', async () => {
    const port = await freePort();
    const file = await settings({
      web: `web: { listen: "127.0.0.1:${port}" }`,
      terminals:
        'terminals:\n  - { id: good, driver: zk-standalone, reach: tcp://127.0.0.1:1 }\n  - { id: bad, driver: zk-standalone, reach: "tcp:/127.0.0.1" }',
    });
    await using daemon = startRollcall('daemon', ['run', '--config', file]);
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/healthz`).then(
            (one) => one.status,
            () => 0,
          ),
        { timeout: 15_000 },
      )
      .toBe(200);
    const body = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as {
      ready: boolean;
      terminals: { id: string; state: string; trouble: { zh: string } | null }[];
    };
    const bad = body.terminals.find((one) => one.id === 'bad');
    expect(bad?.state).toBe('parked');
    expect(bad?.trouble?.zh).toMatch(/\S/);
    expect(body.terminals.find((one) => one.id === 'good')?.state).not.toBe('parked');
    expect(body.ready).toBe(true);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^rollcall_terminal_up\{terminal="bad"\} 0$/m);
    daemon.signal('SIGTERM');
    expect((await daemon.ended(10_000)).code).toBe(0);
  });
});
