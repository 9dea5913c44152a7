/**
 * A technician at work beside a running gateway: an unknown caller is seen and adopted, a new model is described in one file, wrong
 * words are told, and what runs goes on. Real processes, real sockets.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, freePort, getJson, startRollcall, temporaryDirectory, type Program } from '../support/process.js';
import { runOnce } from './run-once.js';

interface Part {
  readonly id: string;
  readonly state: string;
  readonly trouble: { readonly code: string; readonly en: string } | null;
  readonly details: Readonly<Record<string, unknown>>;
}
interface Status {
  readonly terminals: readonly Part[];
  readonly unclaimed: readonly { readonly serial: string | null; readonly driver: string | null }[];
  readonly punches: number;
  readonly startedAt: number;
}

const DEADLINE_MS = 90_000;
let dir = '';
let page = 0;
let config = '';
beforeEach(async () => {
  dir = temporaryDirectory('commissioning');
  page = await freePort();
  config = join(dir, 'gateway.yaml');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const settings = (lines: readonly string[], ports: readonly number[] = []): void =>
  writeFileSync(
    config,
    [
      'site: { name: 东河校区, room: "301" }',
      'dataDir: data',
      `web: { listen: "127.0.0.1:${page}", terminalPorts: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }`,
      'terminals:',
      ...lines.map((line) => `  - ${line}`),
      ...(lines.length === 0 ? ['  []'] : []),
      '',
    ].join('\n'),
    { mode: 0o600 },
  );

async function start(): Promise<Program> {
  const gateway = startRollcall('gateway', ['run', '--config', config]);
  await until(gateway, 'the page answers', () => true);
  return gateway;
}

const until = (gateway: Program, what: string, passes: (status: Status) => boolean): Promise<Status> =>
  eventually(
    what,
    DEADLINE_MS,
    async () => {
      const status = (await getJson(`http://127.0.0.1:${page}/readyz`, 5000)) as Status | null;
      return status !== null && passes(status) ? status : null;
    },
    { everyMs: 200, explain: gateway.tail },
  );

const terminalOf = (status: Status, id: string): Part | undefined => status.terminals.find((one) => one.id === id);
const isRead = (status: Status, id: string): boolean => {
  const part = terminalOf(status, id);
  return part !== undefined && ['live', 'waiting'].includes(part.state) && part.details.lastDrainedAt !== null;
};

/** SIGHUP, then the gateway is another one or the same. */
const reload = (gateway: Program): void => void process.kill(gateway.pid, 'SIGHUP');

async function zkTerminal(serial = 'TEST0001'): Promise<AsyncDisposable & { readonly reach: string }> {
  const reach = `tcp://127.0.0.1:${await freePort()}`;
  const args = ['--driver', 'zk-standalone', '--reach', reach, '--records', '30', '--users', '3', '--serial', serial];
  const program = startRollcall('terminal', ['simulate', 'terminal', ...args]);
  await program.line((line) => line.includes('"ready"'), DEADLINE_MS);
  return { reach, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

describe('a terminal that calls and that nobody knows', { timeout: 300_000 }, () => {
  test('is shown, is adopted under an id that is free, and is read after SIGHUP', async () => {
    const port = await freePort();
    await using dialled = await zkTerminal('TEST0009');
    settings([`{ id: front, driver: zk-standalone, reach: "${dialled.reach}", pollSeconds: 5 }`], [port]);
    await using gateway = await start();
    await using caller = startRollcall('caller', [
      ...['simulate', 'terminal', '--driver', 'zk-push', '--reach', `http-listen://127.0.0.1:${port}`],
      ...['--records', '25', '--users', '3', '--serial', 'CALLER01'],
    ]);
    await until(gateway, 'the caller is shown', (status) => status.unclaimed.some((one) => one.serial === 'CALLER01'));
    const seen = await runOnce(['discover', '--config', config, '--json']);
    expect(seen.json).toContainEqual(
      expect.objectContaining({
        how: 'call',
        driver: 'zk-push',
        serial: 'CALLER01',
        reach: `tcp-listen://127.0.0.1:${port}`,
      }),
    );

    const file = join(dir, 'conf.d', '90-page.yaml');
    const taken = await runOnce(['discover', '--config', config, '--adopt', 'CALLER01', '--as', 'front']);
    expect([taken.code, existsSync(file)]).toEqual([2, false]);
    expect(taken.err).toContain('front');
    const unknown = await runOnce(['discover', '--config', config, '--adopt', 'NOBODY', '--as', 'hall']);
    expect([unknown.code, existsSync(file)]).toEqual([2, false]);

    const adopted = await runOnce(['discover', '--config', config, '--adopt', 'CALLER01', '--as', 'hall']);
    expect([adopted.code, adopted.err]).toEqual([0, expect.stringContaining('systemctl reload rollcall')]);
    expect(readFileSync(file, 'utf8')).toMatch(/serial: "?CALLER01/);
    reload(gateway);
    const status = await until(
      gateway,
      'the adopted terminal is read',
      (one) => isRead(one, 'hall') && isRead(one, 'front'),
    );
    expect(terminalOf(status, 'hall')?.details).toMatchObject({ serial: 'CALLER01', stored: 25 });
    expect(status.unclaimed.filter((one) => one.serial === 'CALLER01')).toEqual([]);
    expect(caller.running()).toBe(true);
  });

  test('the gateway that is away is named', async () => {
    settings([]);
    const outcome = await runOnce(['discover', '--config', config]);
    expect([outcome.code, outcome.err]).toEqual([3, expect.stringContaining(`127.0.0.1:${page}`)]);
  });
});

describe('SIGHUP', { timeout: 300_000 }, () => {
  test('with wrong settings changes nothing: faults are told, and reading goes on', async () => {
    await using terminal = await zkTerminal();
    settings([`{ id: front, driver: zk-standalone, reach: "${terminal.reach}", pollSeconds: 5 }`]);
    await using gateway = await start();
    const before = await until(gateway, 'the terminal is read', (status) => isRead(status, 'front'));
    const sound = readFileSync(config, 'utf8');
    writeFileSync(config, sound.replace('dataDir:', 'dataDri:'));
    reload(gateway);
    await eventually('the fault is told', DEADLINE_MS, () => (gateway.tail().includes('dataDri') ? true : null));
    const after = await until(gateway, 'it answers', (status) => isRead(status, 'front'));
    expect(after.startedAt).toBe(before.startedAt);
  });
});

const definition = (id: string, driver: string, more = ''): string =>
  `id: ${id}\nvendor: 示例 Example\nmodel: "${id}"\ndriver: ${driver}\nreach: { tcp: { port: 4370 } }\ncapabilities: [punch.poll, clock.read]\n${more}verified: []\n`;

describe('a new model of a known protocol', { timeout: 300_000 }, () => {
  test('is one file in the overlay directory of a running gateway; a wrong one names file, line, key and nearest word, and disables only itself', async () => {
    await using one = await zkTerminal('TEST0001');
    await using other = await zkTerminal('TEST0002');
    const front = `{ id: front, driver: zk-standalone, reach: "${one.reach}", pollSeconds: 5 }`;
    const back = `{ id: back, model: example-x1, reach: "${other.reach}", pollSeconds: 5 }`;
    settings([front]);
    await using gateway = await start();
    await until(gateway, 'the terminal is read', (status) => isRead(status, 'front'));

    mkdirSync(join(dir, 'data', 'devices'), { recursive: true });
    const file = join(dir, 'data', 'devices', 'example-x1.yaml');
    writeFileSync(file, definition('example-x1', 'zk-standalon'));
    settings([front, back]);
    reload(gateway);
    const wrong = await until(gateway, 'the fault is shown', (status) => terminalOf(status, 'back') !== undefined);
    const trouble = terminalOf(wrong, 'back')?.trouble;
    expect(trouble?.code).toBe('definition-disabled');
    expect(trouble?.en).toContain(`${file}:4 driver: "driver" is "zk-standalon"`);
    expect(trouble?.en).toContain('Did you mean "zk-standalone"?');
    await until(gateway, 'the other goes on', (status) => isRead(status, 'front'));

    writeFileSync(file, definition('example-x1', 'zk-standalone'));
    reload(gateway);
    const good = await until(
      gateway,
      'the new model is read',
      (status) => isRead(status, 'back') && isRead(status, 'front'),
    );
    expect(terminalOf(good, 'back')?.details).toMatchObject({ serial: 'TEST0002', stored: 30 });
  });
});
