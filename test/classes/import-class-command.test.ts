import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClasses } from '../../src/classes/classes.js';
import { runImportClass } from '../../src/commands/import-class.js';
import type { Console } from '../../src/commands/console.js';
import { runPolicySign } from '../../src/commands/policy.js';
import { GatewayError } from '../../src/core/errors.js';
import { openStore } from '../../src/store/database.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock } from '../support/fake-clock.js';
import { at, classText, documentOf, nameOf, person, preset, ZONE } from './class-fixture.js';

const SETTINGS = `site: { name: 东河校区, room: "301" }
dataDir: data
terminals:
  - { id: gate, driver: sample-tc, reach: "tcp://192.168.1.20:5010" }
`;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-import-'));
  mkdirSync(join(dir, 'devices'));
  writeFileSync(join(dir, 'gateway.yaml'), SETTINGS, { mode: 0o600 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const clock = createFakeClock(at('2026-09-07', '07:00'));

async function run(text: string | Uint8Array, json = false): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Console = { out: (line) => void out.push(line), err: (line) => void err.push(line), json, tty: false };
  const file = join(dir, 'class.yaml');
  writeFileSync(file, text);
  const options = { drivers: [sampleDriver], env: {}, version: 'test', clock, devicesDir: join(dir, 'devices') };
  return { code: await runImportClass(file, join(dir, 'gateway.yaml'), options, io), out, err };
}

describe('rollcall import class', () => {
  test('imports, says what changed the second time, and nothing the third', async () => {
    const first = await run(classText());
    expect([first.code, first.err]).toEqual([0, []]);
    expect(first.out[0]).toContain('BT2026-031: 已导入 / imported');
    const second = await run(classText({ people: [person(1), person(2, ', enrolledTo: 2026-09-09'), person(4)] }));
    expect(second.out.slice(3)).toEqual([
      '  + 新增学员 added: T004',
      '  - 移除学员 removed: T003',
      '  ~ 更改学员 changed: T002 (enrolledTo)',
    ]);
    const third = await run(classText({ people: [person(1), person(2, ', enrolledTo: 2026-09-09'), person(4)] }), true);
    expect(JSON.parse(third.out[0] ?? '')).toMatchObject({ ok: true, result: 'same', rosterVersion: 2 });
    using store = openStore({ dir: join(dir, 'data'), clock, software: 'test' });
    const classes = openClasses(store, { clock, zone: ZONE, policies: { get: () => preset.policy, names: [] } });
    expect(classes.rosterNames('BT2026-031').map((one) => one.name)).toEqual([nameOf(1), nameOf(2), nameOf(4)]);
  });

  test('an active class keeps its policy, so a layer that was changed since and is unsigned hinders no further import', async () => {
    const layer = join(dir, 'layers', 'county.yaml');
    const text =
      'extends: baotou-2023\nid: county\nversion: 1\nbasis: ["第一号"]\neffectiveFrom: 2026-03-01\ngrace: { lateMinutes: 5 }\n';
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    mkdirSync(join(dir, 'layers'));
    writeFileSync(layer, text);
    writeFileSync(join(dir, 'key.pem'), key);
    const io: Console = { out: (line) => void rows.push(line), err: () => undefined, json: true, tty: false };
    const rows: string[] = [];
    expect(runPolicySign(layer, join(dir, 'key.pem'), { drivers: [], env: {} }, io)).toBe(0);
    const { jwk } = JSON.parse(rows[0] ?? '{}') as { jwk: unknown };
    writeFileSync(join(dir, 'keys.json'), JSON.stringify({ keys: [jwk] }));
    writeFileSync(join(dir, 'gateway.yaml'), `${SETTINGS}policy: { dir: layers, keysFile: keys.json }\n`);
    expect((await run(classText({ extra: 'policy: county' }))).code).toBe(0);
    writeFileSync(layer, text.replace('lateMinutes: 5', 'lateMinutes: 0'));
    const again = await run(classText({ extra: 'policy: county', people: [person(1), person(4)] }));
    expect([again.code, again.out[0]]).toEqual([0, 'BT2026-031: 已更新 / updated']);
    const other = classText({ extra: 'policy: county', classNo: 'BT2026-032' });
    await expect(run(other)).rejects.toThrow(/policy-unsigned|signature/);
  });

  test('does not vouch for a clock that nobody has checked', async () => {
    const io: Console = { out: () => undefined, err: () => undefined, json: false, tty: false };
    const file = join(dir, 'class.yaml');
    writeFileSync(file, classText({ period: '{ from: 2026-09-07, to: 2026-09-11 }' }));
    const options = { drivers: [sampleDriver], env: {}, version: 'test', devicesDir: join(dir, 'devices') };
    expect(await runImportClass(file, join(dir, 'gateway.yaml'), options, io)).toBe(0);
    using store = openStore({ dir: join(dir, 'data'), clock, software: 'test' });
    expect(store.facts(0, 1, 'event')).toMatchObject([{ what: 'start', data: { trusted: false } }]);
  });

  test('prints every fault with its line, and imports nothing', async () => {
    const { code, out, err } = await run(
      classText({ people: [person(1), person(1)], terminals: '[{ terminal: gat }]' }),
    );
    expect([code, out]).toEqual([2, []]);
    const said = err.join('\n');
    expect(said).toMatch(/class\.yaml:9:\d+: 错误 error not-one-of terminals\.0\.terminal/);
    expect(said).toMatch(/class\.yaml:14:\d+: 错误 error class-row roster\.1\.documentNumber/);
    expect(said).not.toContain(nameOf(1));
    expect(said).not.toContain(documentOf(1));
  });

  test('gives faults as JSON lines', async () => {
    const { code, out } = await run(classText({ extra: 'rooom: x' }), true);
    expect(code).toBe(2);
    expect(out.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { code: 'key-unknown', nearest: 'room' },
      { ok: false, errors: 1 },
    ]);
  });

  test('refuses while the daemon has the store, and still checks the file', async () => {
    using store = openStore({ dir: join(dir, 'data'), clock, software: 'test' });
    expect((await run(classText({ extra: 'rooom: x' }))).code).toBe(2);
    await expect(run(classText())).rejects.toMatchObject({ code: 'store-locked' });
    expect(store.head().n).toBeGreaterThan(0);
  });

  test('refuses what is no text, or not there', async () => {
    await expect(run(Buffer.from([0xff, 0xfe, 0x80]))).rejects.toMatchObject({ code: 'class-file-unreadable' });
    const io: Console = { out: () => undefined, err: () => undefined, json: false, tty: false };
    const missing = runImportClass(
      join(dir, 'none.yaml'),
      join(dir, 'gateway.yaml'),
      { drivers: [sampleDriver], env: {}, version: 'test' },
      io,
    );
    await expect(missing).rejects.toBeInstanceOf(GatewayError);
  });

  test('wrong settings are told with their faults', async () => {
    writeFileSync(join(dir, 'gateway.yaml'), 'site: 3\n', { mode: 0o600 });
    expect((await run(classText())).code).toBe(2);
  });

  test('the example that we ship is good', async () => {
    const { code, err } = await run(readFileSync(new URL('../../config/class.example.yaml', import.meta.url)));
    expect([code, err]).toEqual([0, []]);
  });
});
