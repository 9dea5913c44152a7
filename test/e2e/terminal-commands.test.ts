/** `simulate terminal`, `pull`, `capture` and `decode` as processes that talk over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectMasked, identities } from './masked.js';
import { freePort, startRollcall } from '../support/process.js';
import { runOnce } from './run-once.js';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-commands-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const main = join(new URL('../../', import.meta.url).pathname, 'dist', 'main.js');
const startRollcallRaw = (args: readonly string[]): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [main, ...args]);

async function simulator(
  driver: string,
  ...args: readonly string[]
): Promise<AsyncDisposable & { readonly reach: string }> {
  const reach = `tcp://127.0.0.1:${await freePort()}`;
  const program = startRollcall('terminal', ['simulate', 'terminal', '--driver', driver, '--reach', reach, ...args]);
  await program.line((line) => line.includes('"ready"'), 20_000);
  return { reach, [Symbol.asyncDispose]: () => program.kill() };
}

describe.each(['zk-standalone', 'anviz-tcb'])('%s', (driver) => {
  test('pull prints identity, every punch once, and a summary that says complete', async () => {
    await using terminal = await simulator(driver, '--records', '130', '--users', '7');
    const outcome = await runOnce(['pull', '--driver', driver, '--reach', terminal.reach, '--json']);
    expect(outcome.code).toBe(0);
    expect(outcome.json[0]).toMatchObject({ kind: 'identity', serial: 'TEST0001' });
    expect(new Set(identities(outcome.json)).size).toBe(130);
    expect(identities(outcome.json)).toHaveLength(130);
    expect(outcome.json.at(-1)).toMatchObject({
      kind: 'summary',
      announced: 130,
      decoded: 130,
      noise: 0,
      complete: true,
    });
  });

  test('pull changes nothing at the terminal: a second one reads the same', async () => {
    await using terminal = await simulator(driver, '--records', '60', '--users', '3');
    const [first, second] = [
      await runOnce(['pull', '--driver', driver, '--reach', terminal.reach, '--json']),
      await runOnce(['pull', '--driver', driver, '--reach', terminal.reach, '--json']),
    ];
    expect(identities(second.json)).toEqual(identities(first.json));
  });

  test('pull --since leaves older punches out', async () => {
    await using terminal = await simulator(driver, '--records', '80', '--users', '2');
    const outcome = await runOnce([
      'pull',
      '--driver',
      driver,
      '--reach',
      terminal.reach,
      '--since',
      '2025-09-01',
      '--json',
    ]);
    const dates = outcome.json.filter((one) => one.kind === 'punch').map((one) => String(one.wallTime).slice(0, 10));
    expect(dates.length).toBeGreaterThan(0);
    expect(new Set(dates)).toEqual(new Set(['2025-09-01']));
  });

  test('what capture writes, decode reads: the same punches of masked persons', async () => {
    await using terminal = await simulator(driver, '--records', '40', '--users', '4');
    const file = join(dir, `${driver}.cap`);
    const pulled = await runOnce(['capture', file, '--driver', driver, '--reach', terminal.reach, '--json']);
    expect(pulled.code).toBe(0);
    for (const split of ['0', '1', '7']) {
      const decoded = await runOnce(['decode', '--driver', driver, '--split', split, '--json', file]);
      expect(decoded.code).toBe(0);
      expectMasked(pulled.json, decoded.json);
      expect(decoded.json.at(-1)).toMatchObject({ kind: 'summary', noise: 0 });
    }
  });

  test('the control port fires a punch, and sets a fault that pull then meets', async () => {
    const port = await freePort();
    await using terminal = await simulator(driver, '--records', '5', '--users', '2', '--control', String(port));
    const answer = (command: object): Promise<Record<string, unknown>> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(`${JSON.stringify(command)}\n`));
        socket.once('error', reject);
        socket.once('data', (data) => {
          socket.end();
          resolve(JSON.parse(data.toString()) as Record<string, unknown>);
        });
      });
    expect(await answer({ do: 'punch', user: '20250001' })).toMatchObject({ userId: '20250001' });
    expect(await answer({ do: 'dance' })).toHaveProperty('error');
    expect(await answer({ do: 'fault', name: 'line-nois' })).toMatchObject({
      error: expect.stringContaining('line-noise') as string,
    });
    expect(await answer({ do: 'fault', name: 'line-noise', value: '5' })).toEqual({ ok: true });
    const outcome = await runOnce(['pull', '--driver', driver, '--reach', terminal.reach, '--json']);
    expect(identities(outcome.json)).toHaveLength(6);
    expect(outcome.code).toBe(0);
  });
});

describe('a clumsy or hurried user', () => {
  const zk = 'zk-standalone';

  test('a reader that goes away ends pull without a stack trace, and not as complete', async () => {
    await using terminal = await simulator(zk, '--records', '20000', '--users', '7');
    const child = startRollcallRaw(['pull', '--driver', zk, '--reach', terminal.reach]);
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    expect([code, err]).toEqual([1, expect.not.stringMatching(/EPIPE|node:/)]);
  });

  test('Ctrl+C is an interruption and no fault of the program; what was read is summed up', async () => {
    await using terminal = await simulator(zk, '--records', '20000', '--users', '7');
    const child = startRollcallRaw(['pull', '--driver', zk, '--reach', terminal.reach]);
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      if (out === '') child.kill('SIGINT');
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    expect(code).toBe(1);
    expect(err).toContain('Interrupted.');
    expect(err).not.toContain('unexpected');
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^\{"announced":/);
  });

  test('a fault that the simulator does not know is refused with the nearest name, at start and at the control port', async () => {
    const args = ['simulate', 'terminal', '--driver', zk, '--reach', 'tcp://127.0.0.1:9', '--fault', 'fragmnt=7'];
    const outcome = await runOnce(args);
    expect([outcome.code, outcome.err]).toEqual([2, expect.stringContaining('did you mean "fragment"')]);
  });

  test.each([
    [['pull', '--driver', zk, '--reach', 'tcp://127.0.0.1:9', '--since', 'yesterday'], /--since yesterday/],
    [['decode', '--driver', zk, '--from', 'gatway'], /Allowed choices are device, gateway/],
    [['pull'], /缺少必需的选项 --driver <name>。\nWrong usage/],
  ])('%j is wrong usage', async (args, words) => {
    const outcome = await runOnce(args);
    expect([outcome.code, outcome.err]).toEqual([2, expect.stringMatching(words)]);
  });

  test('a comm key comes from a file, and one among the arguments is remarked on without its value', async () => {
    const file = join(dir, 'comm-key');
    writeFileSync(file, '8421\n');
    await using terminal = await simulator(zk, '--records', '3', '--set', 'commKey=8421');
    const pull = (set: string): ReturnType<typeof runOnce> =>
      runOnce(['pull', '--driver', zk, '--reach', terminal.reach, '--set', set]);
    expect(await pull(`commKeyFile=${file}`)).toMatchObject({ code: 0, err: '' });
    const open = await pull('commKey=8421');
    expect([open.code, open.err]).toEqual([0, expect.stringContaining('commKeyFile=FILE')]);
    expect(open.err).not.toContain('8421');
  });
});

describe('decode', () => {
  test('prints noise and does not swallow it', async () => {
    const file = join(dir, 'noisy.hex');
    // Vendor's example of the counters answer between rubbish.
    writeFileSync(
      file,
      '# rubbish first\n00 FF A5\nA5 00 00 00 01 BC 00 00 12 00 00 0C 00 00 05 00 00 02 00 00 0C 00 04 06 00 00 03 9E 20\n11 22',
    );
    const outcome = await runOnce(['decode', '--driver', 'anviz-tcb', '--json', file]);
    expect(outcome.code).toBe(0);
    expect(outcome.json.filter((one) => one.kind === 'message')).toHaveLength(1);
    expect(outcome.json.at(-1)).toMatchObject({ kind: 'summary', messages: 1, noise: 5 });
  });

  test('reads standard input and says where hex is wrong', async () => {
    const outcome = await runOnce(['decode', '--driver', 'zk-standalone'], '50 50\n82 7G');
    expect(outcome.code).toBe(2);
    expect(outcome.err).toMatch(/Line 2, column 5/);
  });
});
