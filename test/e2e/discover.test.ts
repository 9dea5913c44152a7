/** `discover --scan` finds terminals on the ports their makers ship them with; a stick is imported when the gateway stands still. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, freePort, getJson, isListening, startRollcall, temporaryDirectory } from '../support/process.js';
import { runOnce } from './run-once.js';

let dir = '';
beforeAll(() => {
  dir = temporaryDirectory('discover');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const FOUND = [
  { driver: 'zk-standalone', port: 4370, serial: 'SCAN0001' },
  { driver: 'anviz-tcb', port: 5010, serial: 'SCAN0002' },
  { driver: 'hanvon-faceid', port: 9922, serial: 'SCAN0003' },
];

test(
  'a subnet of one address is looked at, and each terminal there is named',
  { timeout: 180_000 },
  async ({ skip }) => {
    for (const { port } of FOUND) if (await isListening(port)) skip(`port ${port} is in use on this machine`);
    const terminals = FOUND.map(({ driver, port, serial }) =>
      startRollcall(driver, [
        ...['simulate', 'terminal', '--driver', driver, '--reach', `tcp://127.0.0.1:${port}`],
        ...['--serial', serial, '--records', '3', '--users', '2'],
      ]),
    );
    try {
      for (const terminal of terminals) await terminal.line((line) => line.includes('"ready"'), 60_000);
      const { json } = await runOnce(['discover', '--scan', '127.0.0.1/32', '--seconds', '1', '--json']);
      for (const { driver, port, serial } of FOUND)
        expect(json).toContainEqual(
          expect.objectContaining({ how: 'scan', driver, serial, reach: `tcp://127.0.0.1:${port}` }),
        );
    } finally {
      for (const terminal of terminals) await terminal.kill();
    }
  },
);

test('a subnet that is none is refused', async () => {
  const outcome = await runOnce(['discover', '--scan', '10.0.0.0/8', '--seconds', '1']);
  expect([outcome.code, outcome.err]).toEqual([2, expect.stringContaining('at most 1024 addresses')]);
});

test('a log is imported when the gateway stands still, and refused while it runs', { timeout: 180_000 }, async () => {
  const [page, file, config] = [await freePort(), join(dir, '1_attlog.dat'), join(dir, 'gateway.yaml')];
  const written = await runOnce([
    ...['simulate', 'terminal', '--driver', 'usb-file', '--reach', `file://${file}`, '--records', '20', '--users', '3'],
  ]);
  expect([written.code, readFileSync(file, 'utf8').trim().split('\n').length]).toEqual([0, 20]);
  const terminal = '{ id: front, driver: zk-standalone, reach: "tcp://127.0.0.1:9", serial: TEST0001 }';
  const site = 'site: { name: 东河校区, room: "301" }\ndataDir: data\n';
  writeFileSync(config, `${site}web: { listen: "127.0.0.1:${page}" }\nterminals: [${terminal}]\n`, { mode: 0o600 });
  const run = (...more: string[]): ReturnType<typeof runOnce> =>
    runOnce(['import', 'punches', file, '--terminal', 'front', '--config', config, '--json', ...more]);
  {
    await using gateway = startRollcall('gateway', ['run', '--config', config]);
    await eventually('the page', 90_000, () => getJson(`http://127.0.0.1:${page}/readyz`, 5000), {
      everyMs: 200,
      explain: gateway.tail,
    });
    expect((await run()).json.at(-1)).toMatchObject({ error: 'store-locked' });
    expect((await run('--dry-run')).json.at(-1)).toMatchObject({ new: 20, stored: 0 });
    expect((await runOnce(['roster', '--config', config, '--json'])).json.at(-1)).toMatchObject({ kind: 'summary' });
    gateway.signal('SIGTERM');
    await gateway.ended(30_000);
  }
  expect((await run()).json.at(-1)).toMatchObject({ ok: true, serial: 'TEST0001', stored: 20, repeated: 0 });
  const again = await run();
  expect([again.code, again.json.at(-1)]).toEqual([0, expect.objectContaining({ stored: 0, repeated: 20 })]);
  expect((await runOnce(['verify', join(dir, 'data')])).code).toBe(0);
});
