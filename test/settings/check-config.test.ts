import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCheckConfig } from '../../src/commands/check-config.js';
import { createPlace, GOOD, type SettingsPlace } from './place.js';
import { sampleDriver } from './sample-driver.js';

async function check(
  place: SettingsPlace,
  file = place.file,
  json = false,
): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: string[][] = [[], []];
  const code = await runCheckConfig(file, {
    json,
    env: {},
    out: (line) => out?.push(line),
    err: (line) => err?.push(line),
    drivers: [sampleDriver],
    devicesDir: join(place.dir, 'devices'),
    policiesDir: join(place.dir, 'policies'),
  });
  return { code, out: out ?? [], err: err ?? [] };
}

test('a good file ends 0 and says so', async () => {
  const { code, out, err } = await check(createPlace(GOOD));
  expect([code, err]).toEqual([0, []]);
  expect(out.join()).toContain('配置正确');
});

test('faults end 2, in Chinese and English, with line and key, and say what is parked', async () => {
  const place = createPlace(GOOD.replace('channel: 3', 'chanel: 3'));
  const { code, out, err } = await check(place);
  expect([code, out]).toEqual([2, []]);
  expect(err[0]).toBe(
    `${place.file}:8:16: 错误 error key-unknown terminals.front.options.chanel [仅停用 / parks only terminal:front]`,
  );
  expect(err[1]).toContain('是否应为 “channel”?');
  expect(err[2]).toContain('Did you mean "channel"?');
});

test('as JSON: one fault a line, then the sum', async () => {
  const place = createPlace(GOOD.replace('channel: 3', 'chanel: 3'));
  const { code, out, err } = await check(place, place.file, true);
  expect([code, err]).toEqual([2, []]);
  const lines = out.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ code: 'key-unknown', line: 8, nearest: 'channel', unit: 'terminal:front' });
  expect(lines.at(-1)).toMatchObject({ ok: false, errors: 1, warnings: 0 });
});

test('a warning alone ends 0', async () => {
  const { code, err } = await check(createPlace(GOOD.replace('mqtts:', 'mqtt:')));
  expect(code).toBe(0);
  expect(err.join()).toContain('plain-mqtt');
});

test('an unreadable file says so and ends 2', async () => {
  const place = createPlace(GOOD);
  const { code, err } = await check(place, join(place.dir, 'nowhere.yaml'));
  expect(code).toBe(2);
  expect(err.join()).toMatch(/settings-unreadable[\s\S]*无法读取文件[\s\S]*ENOENT/);
});

test('a wrong definition warns, and disables only itself', async () => {
  const place = createPlace(GOOD);
  place.write('devices/acme-f200.yaml', 'id: acme-f200\nvendr: Acme\n');
  const { code, err } = await check(place);
  expect(code).toBe(0);
  expect(err.join('\n')).toMatch(/acme-f200\.yaml:2:1: 警告 warning key-unknown vendr/);
});
