/**
 * Two Anviz terminals on one RS-485 line behind an adapter that echoes and a line that crackles: real pseudo terminals, the real serial
 * room, the whole gateway. Then the adapter is pulled out and put back under another tty, found again by its by-id name.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { silentLog } from '../../src/core/log.js';
import { parseReach } from '../../src/core/reach.js';
import { systemClock } from '../../src/core/time.js';
import { simulatedHistory, simulatedUsers } from '../../src/demo/people.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { createAnvizBus, type AnvizBus, type AnvizTerminal } from '../../src/drivers/anviz-tcb/simulator.js';
import { buildGateway, signingKeyOf, type Gateway } from '../../src/gateway.js';
import { createLinks } from '../../src/links/open.js';
import { loadSettings } from '../../src/settings.js';
import { verifyDataDir } from '../../src/store/check.js';
import { createPtyPair, type PtyPair } from '../links/pty.js';
import { createCity, GW, AUD, ZONE_WORD, type City } from '../support/city.js';
import { needs } from '../support/needs.js';
import { SITE_DATE } from '../support/site-files.js';
import { drivers, identityOf, SITE_ZONE } from '../support/station.js';

const socat = needs('socat');
const clock = systemClock();
const never = new AbortController().signal;

const until = async (what: string, done: () => boolean, tell: () => string): Promise<void> => {
  const began = clock.ticks();
  while (!done()) {
    if (clock.ticks() - began > 25_000) throw new Error(`not within 25 s: ${what}\n${tell()}`);
    await clock.sleep(10, never);
  }
};

function createTerminal(address: number, faults: Readonly<Record<string, string>>): AnvizTerminal {
  return anvizTcb.simulate({
    serial: `BUS000${address}`,
    zone: SITE_ZONE,
    world: clock,
    wire: clock,
    users: simulatedUsers(5),
    records: simulatedHistory(60, 5, SITE_DATE).map((one) => ({
      ...one,
      userId: String(Number(one.userId) + address * 100),
    })),
    faults: new Map(Object.entries(faults)),
    options: { address },
    seed: address,
  });
}

/** The terminals' end of a new cable. */
async function plugIn(bus: AnvizBus, dir: string, name: string): Promise<PtyPair> {
  const pair = await createPtyPair(join(dir, `${name}-gateway`), join(dir, `${name}-device`));
  const links = createLinks({ clock, log: silentLog() });
  const stop = new AbortController();
  const link = await links.open(parseReach(`serial://${pair.device}?baud=115200`), stop.signal);
  link.on('error', () => undefined);
  const served = bus.serve(link, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await served;
    await links.close();
    await pair.unplug();
  });
  return pair;
}

function startGateway(dir: string, byId: string, city: City): Gateway {
  const terminal = (address: number): object => ({
    id: `bus-${address}`,
    driver: 'anviz-tcb',
    reach: `serial://${byId}?baud=115200`,
    options: { address, gapMs: 5, silenceMs: 40, answerTimeoutMs: 300, pageTimeoutMs: 300, fullReadHours: 720 },
    clock: { set: 'never' },
    pollSeconds: 5,
  });
  const upstream = {
    id: 'city',
    gw: GW,
    zone: ZONE_WORD,
    aud: AUD,
    url: 'mqtt://127.0.0.1:1',
    platformKeysFile: city.keysFile,
  };
  const file = join(dir, 'gateway.yaml');
  const text = {
    site: { institution: '示例职业培训学校', name: '东河校区', room: '301' },
    dataDir: join(dir, 'data'),
    web: { listen: '127.0.0.1:0' },
    terminals: [terminal(1), terminal(2)],
    upstreams: [upstream],
    log: { level: 'error' },
  };
  writeFileSync(file, stringify(text), { mode: 0o600 });
  const { settings, faults } = loadSettings(file, { env: {}, drivers });
  if (settings === null) throw new Error(faults.map((one) => one.en).join('; '));
  return buildGateway(settings, faults, {
    version: 'test',
    clock,
    wire: clock,
    log: silentLog(),
    lingerMs: 50,
    timings: { startSpreadMs: 10 },
    timeSource: async () => 'ntp',
    seams: { createUplink: () => city.uplink() },
  });
}

test.skipIf(!socat.available)(
  `both are read, nothing is mixed up, also after the cable was out ${socat.reason}`,
  { timeout: 90_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'rollcall-bus-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(join(dir, 'platform'));
    const world = {
      ...clock,
      stir: () => undefined,
      settle: async () => undefined,
      run: async () => false,
      leap: async () => undefined,
    };
    const city = createCity(join(dir, 'platform'), world, Math.random);
    onTestFinished(() => city.close());
    const one = createTerminal(1, { echo: '', 'line-noise': '4' });
    const two = createTerminal(2, { 'line-noise': '4', fragment: '7' });
    const bus = createAnvizBus([one, two]);
    const byId = join(dir, 'usb-Adapter-if00-port0');
    const before = await plugIn(bus, dir, 'before');
    symlinkSync(before.tty, byId);

    const gateway = startGateway(dir, byId, city);
    city.register(signingKeyOf(join(dir, 'data')).publicJwk);
    onTestFinished(() => gateway.stop());
    await gateway.start();
    const given = (): string[] =>
      [one, two].flatMap((terminal) =>
        terminal.records().map((record) => identityOf(`BUS000${terminal.address}`, record)),
      );
    const tell = (): string => JSON.stringify(gateway.status().terminals);
    await until('the first read of both', () => gateway.store.punchCount() === 120, tell);
    expect([gateway.store.punchCount('BUS0001'), gateway.store.punchCount('BUS0002')]).toEqual([60, 60]);

    await before.unplug();
    unlinkSync(byId);
    one.punch('20250001');
    two.punch('20250002');
    await until(
      'both are seen to be gone',
      () => gateway.status().terminals.every((part) => part.state === 'unreachable'),
      tell,
    );
    const after = await plugIn(bus, dir, 'after');
    symlinkSync(after.tty, byId);
    await until('what was punched meanwhile', () => gateway.store.punchCount() === 122, tell);
    await until('flags cleared', () => one.newRecords() + two.newRecords() === 0, tell);
    await until('delivered', () => gateway.store.pending('city').records === 0 && city.busy() === 0, tell);

    const stored = city.ledger.punches(GW).map((punch) => `${punch.deviceSn} ${punch.deviceUserId} ${punch.wallTime}`);
    expect(stored.sort()).toEqual(given().sort());
    const noise = gateway.status().terminals.map((part) => Number(part.details['found:noise'] ?? 0));
    expect(noise.every((count) => count > 0)).toBe(true);
    await gateway.stop();
    expect(verifyDataDir(join(dir, 'data'), { verifySignature: city.verifySignature })).toMatchObject({ ok: true });
  },
);
