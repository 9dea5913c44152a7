/** The read-only HTTP side over a real socket: endpoints, limits, and what it refuses. */
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/core/log.js';
import type { Instant } from '../../src/core/time.js';
import { createWeb, type Web } from '../../src/web/server.js';
import type { GatewayStatus, PartStatus } from '../../src/web/status.js';

const part = (id: string, state: string, details: PartStatus['details'] = {}): PartStatus => ({
  id,
  state,
  since: 1 as Instant,
  trouble: null,
  details,
});

const STATUS: GatewayStatus = {
  ready: true,
  reasons: [],
  site: '示例学校',
  timeZone: 'Asia/Shanghai',
  version: '0.1.0',
  startedAt: 1 as Instant,
  pendingRecords: 12,
  pendingBatches: 2,
  oldestPendingAt: 5000 as Instant,
  lastAckAt: null,
  punches: 99,
  journal: { n: 120, hash: 'ab'.repeat(32) },
  keysSealed: false,
  terminals: [part('front', 'live', { offsetMs: -1500 }), part('back', 'unreachable')],
  classes: [
    { classNo: 'BT-2', state: 'draft', active: null },
    {
      classNo: 'BT-1',
      state: 'active',
      active: {
        ...{
          name: '电工第三期',
          from: '2026-09-07',
          to: '2026-09-11',
          plannedHours: 40,
          timetableHours: 40,
          trainees: 3,
        },
        policy: { id: 'baotou-2023', ver: 1, sha256: 'cd'.repeat(32) },
        ...{ roster: { version: 2, hash: 'ef'.repeat(32) }, timetable: { version: 1, hash: '12'.repeat(32) } },
      },
    },
  ],
  cameras: [],
  unclaimed: [],
  upstreams: [part('city', 'connected')],
  disk: part('data', 'ok', { freeMb: 10 }),
  clock: part('system', 'untrusted'),
  units: [{ name: 'credit', state: 'running', since: 1 as Instant, restarts: 3 }],
  loopDelayP99Ms: 20,
};

let stop = new AbortController();
let ended: Promise<void> = Promise.resolve();
afterEach(async () => {
  stop.abort();
  await ended;
});

async function open(status: Partial<GatewayStatus> = {}, healthy = true): Promise<{ web: Web; port: number }> {
  stop = new AbortController();
  const web = createWeb({
    host: '127.0.0.1',
    port: 0,
    status: () => ({ ...STATUS, ...status }),
    healthy: () => healthy,
    log: silentLog(),
  });
  await web.listen();
  ended = web.unit.run(stop.signal);
  return { web, port: Number(new URL(web.url()).port) };
}

function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    asked.on('error', reject).end();
  });
}

describe('endpoints', () => {
  test('/healthz has a code and no content', async () => {
    const good = await open();
    expect(await get(good.port, '/healthz')).toMatchObject({ status: 200, body: '' });
    stop.abort();
    await ended;
    const bad = await open({}, false);
    expect(await get(bad.port, '/healthz')).toMatchObject({ status: 503, body: '' });
  });

  test('/readyz has the names of the contract, and 503 while not ready', async () => {
    const { port } = await open({ ready: false });
    const { status, body } = await get(port, '/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({
      ready: false,
      pendingRecords: 12,
      pendingBatches: 2,
      oldestPendingAt: 5000,
      lastAckAt: null,
    });
    for (const key of ['terminals', 'cameras', 'upstreams']) expect(JSON.parse(body)).toHaveProperty(key);
    for (const key of ['disk', 'clock'])
      expect((JSON.parse(body) as Record<string, object>)[key]).toMatchObject({
        state: expect.any(String) as string,
        since: 1,
      });
  });

  test('/metrics are Prometheus text with our prefix only', async () => {
    const { port } = await open();
    const { body, headers } = await get(port, '/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain/);
    const names = [...body.matchAll(/^(\w+)(?:\{| )/gm)]
      .map((match) => match[1] ?? '')
      .filter((name) => !name.startsWith('#'));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(name).toMatch(/^rollcall_/);
    expect(body).toMatch(/^rollcall_terminal_up\{terminal="front"\} 1$/m);
    expect(body).toMatch(/^rollcall_terminal_up\{terminal="back"\} 0$/m);
    expect(body).toMatch(/^rollcall_terminal_clock_offset_seconds\{terminal="front"\} -1\.5$/m);
    expect(body).toMatch(/^rollcall_pending_records 12$/m);
  });

  test('the page and its two files come from here, with a policy that allows nothing else', async () => {
    const { port } = await open();
    const page = await get(port, '/');
    expect(page.body).toMatch(/<html lang="zh-CN">/);
    expect(page.body).not.toMatch(/<script>|https?:\/\/|style=/);
    expect(page.headers['content-security-policy']).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect((await get(port, '/page.js')).headers['content-type']).toMatch(/javascript/);
    expect((await get(port, '/page.css')).headers['content-type']).toMatch(/css/);
  });
});

describe('refuses', () => {
  test('a Host that is not ours (rebinding), and answers by address and localhost', async () => {
    const { port } = await open();
    expect((await get(port, '/readyz', { host: 'evil.example' })).status).toBe(421);
    expect((await get(port, '/readyz', { host: `localhost:${port}` })).status).toBe(200);
    expect((await get(port, '/readyz', { host: `192.168.1.9:${port}` })).status).toBe(200);
  });

  test('unknown paths, without a stack', async () => {
    const { port } = await open();
    const { status, body } = await get(port, '/../../etc/passwd');
    expect(status).toBe(404);
    expect(body).not.toMatch(/at .*\.js/);
  });

  test('a port in use, with the remedy', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const web = createWeb({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      status: () => STATUS,
      healthy: () => true,
      log: silentLog(),
    });
    await expect(web.listen()).rejects.toMatchObject({ code: 'port-in-use', kind: 'settings' });
    server.close();
  });
});
