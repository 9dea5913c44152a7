/** The commands about policies, as an office and a technician use them: write, validate, sign, install, compare, show. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClasses } from '../../src/classes/classes.js';
import { runCheckConfig } from '../../src/commands/check-config.js';
import type { Console } from '../../src/commands/console.js';
import { runPolicySign, runPolicyValidate, withSignature } from '../../src/commands/policy.js';
import { runPolicyDiff, runPolicyShow, type ShowArguments } from '../../src/commands/policy-show.js';
import { GatewayError } from '../../src/core/errors.js';
import { loadPreset, openPolicies } from '../../src/policies.js';
import { openStore } from '../../src/store/database.js';
import { at, by, classText, ZONE } from '../classes/class-fixture.js';
import { sampleDriver } from '../settings/sample-driver.js';
import { createFakeClock } from '../support/fake-clock.js';

const LAYER = `# 固阳县 2026 年办法
extends: baotou-2023
id: guyang-2026          # 名称
version: 1
basis: ["固人社发〔2026〕12号"]
effectiveFrom: 2026-03-01
grace: { lateMinutes: 5 }
thresholds: { attendancePercent: 85 }
sources: { thresholds.attendancePercent: 第三条 }
`;

let dir = '';
let layer = '';
let config = '';
const clock = createFakeClock(at('2026-09-08', '07:00'));
const preset = loadPreset('baotou-2023').policy;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rollcall-policy-'));
  for (const name of ['layers', 'devices']) mkdirSync(join(dir, name));
  layer = join(dir, 'layers', 'guyang-2026.yaml');
  config = join(dir, 'gateway.yaml');
  writeFileSync(layer, LAYER);
  settings();
  writeFileSync(
    join(dir, 'key.pem'),
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  writeFileSync(join(dir, 'keys.json'), '{"keys":[]}');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function settings(policy = 'preset: guyang-2026, dir: layers, keysFile: keys.json'): void {
  writeFileSync(config, `site: { name: 东河校区, room: "301" }\ndataDir: data\npolicy: { ${policy} }\n`, {
    mode: 0o600,
  });
}

interface Ran {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

async function run(work: (io: Console) => number | Promise<number>, json = false): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await work({ json, tty: false, out: (line) => void out.push(line), err: (line) => void err.push(line) });
  const rows = json ? out.map((line) => JSON.parse(line) as Record<string, unknown>) : [];
  return { code, out, err: err.join('\n'), rows };
}

const options = (): Parameters<typeof runPolicyShow>[1] => ({
  ...{ drivers: [sampleDriver], env: {}, clock, devicesDir: join(dir, 'devices') },
});
const validate = (files: readonly string[], json = false, with_: string | undefined = config): Promise<Ran> =>
  run((io) => runPolicyValidate(files, with_, options(), io), json);
const sign = (key = join(dir, 'key.pem')): Promise<Ran> => run((io) => runPolicySign(layer, key, options(), io), true);
const show = (args: ShowArguments, json = false): Promise<Ran> => run((io) => runPolicyShow(args, options(), io), json);
const diff = (a: string, b: string, json = false, with_: string | undefined = config): Promise<Ran> =>
  run((io) => runPolicyDiff([a, b], with_, options(), io), json);

/** Signs the layer and trusts who signed it. */
async function install(): Promise<void> {
  const { rows } = await sign();
  writeFileSync(join(dir, 'keys.json'), JSON.stringify({ keys: [rows[0]?.jwk] }));
}

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
};

describe('policy validate', () => {
  test('says every fault at once, with line, key and the nearest word, and ends 2', async () => {
    writeFileSync(layer, LAYER.replace('lateMinutes', 'lateMinits').replace('85', '850'));
    const { code, rows, err } = await validate([layer, join(dir, 'nowhere.yaml')], true);
    expect(code).toBe(2);
    expect(rows.filter((one) => one.kind === 'fault')).toMatchObject([
      { file: layer, line: 7, path: 'grace.lateMinits', nearest: 'lateMinutes' },
      { file: layer, line: 8, path: 'thresholds.attendancePercent' },
      { file: join(dir, 'nowhere.yaml'), code: 'policy-unreadable' },
    ]);
    expect(rows.filter((one) => one.kind === 'file').map((one) => one.ok)).toEqual([false, false]);
    expect(err).toContain('guyang-2026.yaml:7');
  });

  test('an unsigned layer is good and told so; its hash is told', async () => {
    const { code, out, err } = await validate([layer]);
    expect(code).toBe(0);
    expect(out.join('\n')).toMatch(/正确 good[^]*SHA-256 [0-9a-f]{64}[^]*未签名 unsigned/);
    expect(err).toContain('policy-unsigned');
  });

  test('says how the signature stands', async () => {
    await sign();
    const state = async (with_?: string): Promise<unknown> => {
      const ran = await run((io) => runPolicyValidate([layer], with_, options(), io), true);
      return [ran.code, (ran.rows.at(-1)?.signature as { state: string }).state];
    };
    expect(await state()).toEqual([0, 'unchecked']);
    expect(await state(config)).toEqual([2, 'unknown-key']);
    await install();
    expect(await state(config)).toEqual([0, 'good']);
    writeFileSync(layer, readFileSync(layer, 'utf8').replace('85', '60'));
    expect(await state(config)).toEqual([2, 'wrong']);
  });

  test('presets are good and need no signature', async () => {
    const file = new URL('../../config/policies/baotou-2023.yaml', import.meta.url).pathname;
    const { code, rows } = await validate([file], true);
    expect([code, rows]).toMatchObject([0, [{ ok: true, sha256: preset.sha256, layers: [], warnings: 0 }]]);
  });
});

describe('policy sign', () => {
  test('adds one line and leaves the rest as it was; signing again replaces it', async () => {
    chmodSync(layer, 0o640);
    const { code, rows } = await sign();
    expect(code).toBe(0);
    const text = readFileSync(layer, 'utf8');
    expect(text.startsWith(LAYER)).toBe(true);
    expect(text.slice(LAYER.length)).toMatch(/^signature: "[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]{86}"\n$/);
    expect(statSync(layer).mode & 0o777).toBe(0o640);
    expect(rows[0]).toMatchObject({ ok: true, id: 'guyang-2026', jwk: { kty: 'OKP', crv: 'Ed25519' } });
    await sign();
    expect(readFileSync(layer, 'utf8')).toBe(text);
    expect(withSignature('a: 1\r\nsignature: "x"\r\nb: 2', 'y')).toBe('a: 1\r\nsignature: "y"\r\nb: 2');
    expect(withSignature('a: 1', 'y')).toBe('a: 1\nsignature: "y"\n');
  });

  test('refuses a layer with faults, and a file that is no key', async () => {
    expect(await codeOf(sign(layer))).toBe('policy-key-bad');
    expect(await codeOf(sign(join(dir, 'nowhere.pem')))).toBe('policy-unreadable');
    writeFileSync(layer, LAYER.replace('85', '850'));
    expect((await sign()).code).toBe(2);
    expect(readFileSync(layer, 'utf8')).not.toContain('signature');
  });

  test('writes nothing when the line cannot be put in', async () => {
    const text = '{ extends: baotou-2023, id: guyang-2026, version: 1, basis: [x], effectiveFrom: 2026-03-01 }\n';
    writeFileSync(layer, text);
    expect(await codeOf(sign())).toBe('policy-unreadable');
    expect(readFileSync(layer, 'utf8')).toBe(text);
  });

  test('takes a key that openssl made, and its public half is what the guide makes of it', async () => {
    const pem = join(dir, 'openssl.pem');
    try {
      execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', pem], { stdio: 'pipe' });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT' && process.env.CI === undefined) return;
      throw error;
    }
    const { rows } = await sign(pem);
    const der = execFileSync('openssl', ['pkey', '-in', pem, '-pubout', '-outform', 'DER'], { stdio: 'pipe' });
    expect(rows[0]?.jwk).toMatchObject({ x: der.subarray(-32).toString('base64url') });
  });
});

describe('policy diff', () => {
  test('tells each value that differs, what it means and where both come from', async () => {
    const { code, rows } = await diff('baotou-2023', layer, true);
    expect(code).toBe(1);
    const by_ = new Map(rows.map((one) => [one.path, one]));
    expect(rows.filter((one) => one.head === false).map((one) => one.path)).toEqual([
      ...['effectiveFrom', 'grace.lateMinutes', 'thresholds.attendancePercent'],
    ]);
    expect(by_.get('thresholds.attendancePercent')).toMatchObject({
      ...{ before: 80, after: 85, sourceBefore: 'BT 三(二)', sourceAfter: '第三条' },
      ...{ zh: expect.stringContaining('出勤合格线') as unknown, en: expect.stringContaining('threshold') as unknown },
    });
    expect(rows.at(-1)).toMatchObject({ kind: 'summary', same: false, a: { sha256: preset.sha256 } });
    const { out } = await diff('baotou-2023', 'guyang-2026');
    expect(out.join('\n')).toContain(
      'grace.lateMinutes\n    迟到宽限分钟数 · Minutes of grace for coming late\n  A 15    假定 assumption\n  B 5    假定 assumption',
    );
  });

  test('ends 0 when there is no difference, 2 when one cannot be read; a word that means nothing is told the nearest', async () => {
    expect((await diff('baotou-2023', 'baotou-2023')).code).toBe(0);
    writeFileSync(layer, LAYER.replace('85', '850'));
    expect((await diff('baotou-2023', layer)).code).toBe(2);
    expect(await codeOf(diff('baotou-2032', 'baotou-2023'))).toBe('policy-unknown');
  });
});

describe('policy show', () => {
  test('lists what there is, with the policy of the site', async () => {
    const { rows } = await show({ config }, true);
    expect(rows.map((one) => [one.name, one.site, one.usable])).toEqual([
      ...[
        ['baotou-2023', false, true],
        ['liaoning-2022-knowledge', false, true],
        ['liaoning-2022-practical', false, true],
      ],
      ...[
        ['neimenggu-2023', false, true],
        ['guyang-2026', true, false],
      ],
    ]);
    expect((await show({ config })).out.at(-1)).toMatch(/^guyang-2026 v1 .*未签名 unsigned.*本站点 this site/);
  });

  test('tells every value with its source or that it is an assumption, and the layer that set it', async () => {
    await install();
    const { rows } = await show({ word: 'guyang-2026', config }, true);
    const value = (path: string): unknown => rows.find((one) => one.path === path);
    expect(value('thresholds.attendancePercent')).toMatchObject({
      value: 85,
      source: '第三条',
      assumption: false,
      layer: 'guyang-2026',
    });
    expect(value('grace.lateMinutes')).toMatchObject({
      value: 5,
      source: null,
      assumption: true,
      layer: 'guyang-2026',
    });
    expect(value('grace.earlyMinutes')).toMatchObject({ value: 15, assumption: true, layer: 'baotou-2023' });
    const { out } = await show({ word: 'guyang-2026', config });
    expect(out.join('\n')).toContain('签名有效 signature good');
    expect(out.join('\n')).toContain('sessions: AM 08:30-12:00 4 课时 hours, PM 14:00-17:30 4 课时 hours');
  });

  test('a class keeps its policy when the file changes, and diff finds it by its hash', async () => {
    await install();
    const policies = openPolicies({ site: 'guyang-2026', dir: join(dir, 'layers'), keysFile: join(dir, 'keys.json') });
    const before = policies.get(null)?.sha256 ?? '';
    {
      using store = openStore({ dir: join(dir, 'data'), clock, software: 'test' });
      const classes = openClasses(store, { clock, zone: ZONE, terminals: ['gate'], policies });
      classes.importText('c.yaml', classText(), by);
    }
    writeFileSync(layer, LAYER.replace('85', '90').replace('version: 1', 'version: 2'));
    await install();
    expect(policies.get(null)?.sha256).not.toBe(before);
    const { rows, code } = await show({ classNo: 'BT2026-031', config }, true);
    expect([code, rows[0]]).toMatchObject([0, { id: 'guyang-2026', version: 1, sha256: before, class: 'BT2026-031' }]);
    expect(rows.find((one) => one.path === 'thresholds.attendancePercent')?.value).toBe(85);
    const differing = (await diff(before.slice(0, 8), 'guyang-2026', true)).rows.map((one) => one.path);
    expect(differing).toEqual(['version', 'thresholds.attendancePercent', undefined]);
    expect(await codeOf(show({ classNo: 'nobody', config }))).toBe('policy-no-class');
  });

  test('--class wants the settings', async () => {
    expect((await show({ classNo: 'BT2026-031' })).code).toBe(2);
  });
});

describe('check-config', () => {
  const check = async (): Promise<Ran> =>
    run((io) => runCheckConfig(config, { ...options(), json: io.json, out: io.out, err: io.err }), true);

  test('tells the faults of the site policy with file, line and key, and is content when it is signed', async () => {
    expect((await check()).rows[0]).toMatchObject({ code: 'policy-unsigned', file: layer, severity: 'error' });
    await install();
    expect((await check()).code).toBe(0);
    writeFileSync(layer, LAYER.replace('85', '850'));
    const { code, rows } = await check();
    expect([code, rows[0]]).toMatchObject([2, { file: layer, line: 8, path: 'thresholds.attendancePercent' }]);
  });

  test('tells a directory, keys and a name that are not there, and warns of broken calendars and other layers', async () => {
    settings('preset: guyang-2026, dir: nowhere');
    expect((await check()).rows[0]).toMatchObject({ path: 'policy.dir', line: 3 });
    settings('preset: guyang-2025, dir: layers');
    expect((await check()).rows[0]).toMatchObject({ path: 'policy.preset', nearest: 'guyang-2026' });
    settings('keysFile: nowhere.json');
    expect((await check()).rows[0]).toMatchObject({ code: 'policy-keys-bad', severity: 'error' });
    settings('dir: layers, calendarsDir: .');
    writeFileSync(join(dir, '2027.yaml'), 'year: 2026\n');
    const { code, rows } = await check();
    expect(code).toBe(0);
    expect(rows.slice(0, -1).every((one) => one.severity === 'warning')).toBe(true);
    expect(rows.map((one) => one.code)).toEqual(expect.arrayContaining(['policy-unsigned', 'key-missing']) as unknown);
  });
});
