import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { redact } from '../../src/settings/redact.js';
import { createPlace, GOOD } from './place.js';

const brief = (loaded: { faults: readonly { line: number; path: string; code: string; unit: string | null }[] }) =>
  loaded.faults.map((fault) => [fault.line, fault.path, fault.code, fault.unit]);

describe('a good file', () => {
  test('gives every value, with defaults filled in and paths made absolute', () => {
    const place = createPlace(GOOD);
    const { settings, faults, units } = place.load();
    expect(faults).toEqual([]);
    expect(settings?.site).toEqual({ institution: null, name: '东河校区', room: '301', timeZone: 'Asia/Shanghai' });
    expect(settings?.dataDir).toBe(join(place.dir, 'data'));
    expect(settings?.web).toMatchObject({ listen: '127.0.0.1:9000', host: '127.0.0.1', port: 9000 });
    expect(settings?.retention).toEqual({ recordsYears: 5, framesYears: 5, punchPhotoDaysAfterSeal: 180 });
    const [front, back] = settings?.terminals ?? [];
    expect(front?.reach).toEqual({ kind: 'tcp', host: '192.168.1.20', port: 5010 });
    expect(front?.options).toMatchObject({ channel: 3, recordBytes: 17 });
    expect([...(front?.capabilities ?? [])]).toEqual(['punch.poll', 'clock.read']);
    expect(front?.definitionHash).toMatch(/^[0-9a-f]{64}$/);
    expect(front?.clock).toEqual({ set: 'never', maxStepSeconds: 300 });
    expect(back?.options).toMatchObject({ recordBytes: 14 });
    expect(back?.definitionHash).toBeNull();
    expect(settings?.upstreams[0]).toMatchObject({
      platformKeys: '{"keys":[]}',
      spreadSeconds: 30,
      lingerSeconds: 2,
      fieldSet: { name: false, document: false, photo: false },
    });
    expect(settings?.upstreams[0]?.mqtt).toMatchObject({
      version: '5',
      username: 'gw7k2m9q4x1z',
      keepAliveSeconds: 60,
    });
    expect(units.every((unit) => unit.ok)).toBe(true);
  });

  test('is overlaid by conf.d in name order, lists by id', () => {
    const place = createPlace(GOOD);
    place.write('conf.d/10-a.yaml', 'web: { listen: "127.0.0.1:9001" }\nterminals: [{ id: front, pollSeconds: 20 }]\n');
    place.write('conf.d/90-page.yaml', 'web: { listen: "127.0.0.1:9002" }\n');
    place.write('conf.d/notes.txt', 'web: { listen: "127.0.0.1:9999" }\n');
    const { settings, faults } = place.load();
    expect(faults).toEqual([]);
    expect(settings?.web.port).toBe(9002);
    expect(settings?.terminals.map((one) => [one.id, one.pollSeconds])).toEqual([
      ['front', 20],
      ['back', 60],
    ]);
  });

  test('yields to the environment, and both to flags', () => {
    const place = createPlace(GOOD);
    const env = {
      ROLLCALL_WEB__LISTEN: '127.0.0.1:9100',
      ROLLCALL_DATA_DIR: '/srv/rollcall',
      ROLLCALL_TERMINALS__FRONT__POLL_SECONDS: '30',
      ROLLCALL_TERMINALS__1__OPTIONS__CHANNEL: '7',
      ROLLCALL_SITE__ROOM: '302',
      PATH: '/usr/bin',
    };
    const { settings, faults } = place.load({ env, flags: { 'web.listen': '127.0.0.1:9200', 'log.level': undefined } });
    expect(faults).toEqual([]);
    expect(settings?.web.port).toBe(9200);
    expect(settings?.dataDir).toBe('/srv/rollcall');
    expect(settings?.site.room).toBe('302');
    expect(settings?.terminals[0]?.pollSeconds).toBe(30);
    expect(settings?.terminals[1]?.options).toMatchObject({ channel: 7 });
  });

  test('an unknown variable of our prefix is a fault with the nearest key', () => {
    const { settings, faults } = createPlace(GOOD).load({ env: { ROLLCALL_WEB__LISTN: 'x' } });
    expect(settings).toBeNull();
    expect(faults[0]).toMatchObject({
      code: 'key-unknown',
      file: 'ROLLCALL_WEB__LISTN',
      nearest: 'listen',
      unit: null,
    });
  });
});

describe('faults', () => {
  test('are all reported at once, each with line, key, unit and the nearest word', () => {
    const place = createPlace(`site:
  name: 东河校区
  rom: "301"
dataDir: data
terminal: []
policy: { preset: baotou-2032 }
terminals:
  - id: front
    model: acme-f10
    reach: tcp:/192.168.1.20
    pollSecond: 10
  - id: back
    driver: sample-tc
    reach: tcp://192.168.1.21
    options: { chanel: 1, recordBytes: 15, commKey: 1234 }
  - id: side
    model: acme-f100
    reach: tcp://192.168.1.22
    timeZone: "+8"
    serial: 12345
upstreams:
  - id: city
    gw: GW-1
    zone: "150202"
    aud: a
    url: https://example.org
    mqtt: { version: 5 }
    platformKeysFile: nowhere.json
`);
    const loaded = place.load();
    expect(loaded.settings).toBeNull();
    expect(brief(loaded)).toEqual([
      [1, 'site.room', 'key-missing', null],
      [3, 'site.rom', 'key-unknown', null],
      [5, 'terminal', 'key-unknown', null],
      [6, 'policy.preset', 'not-one-of', null],
      [9, 'terminals.front.model', 'not-one-of', 'terminal:front'],
      [10, 'terminals.front.reach', 'bad-reach', 'terminal:front'],
      [11, 'terminals.front.pollSecond', 'key-unknown', 'terminal:front'],
      [15, 'terminals.back.options.chanel', 'key-unknown', 'terminal:back'],
      [15, 'terminals.back.options.recordBytes', 'not-one-of', 'terminal:back'],
      [15, 'terminals.back.options.commKey', 'secret-plain', 'terminal:back'],
      [19, 'terminals.side.timeZone', 'wrong-value', 'terminal:side'],
      [20, 'terminals.side.serial', 'wrong-type', 'terminal:side'],
      [23, 'upstreams.city.gw', 'wrong-value', 'upstream:city'],
      [26, 'upstreams.city.url', 'wrong-value', 'upstream:city'],
      [27, 'upstreams.city.mqtt.version', 'not-one-of', 'upstream:city'],
      [28, 'upstreams.city.platformKeysFile', 'secret-missing', 'upstream:city'],
    ]);
    const nearest = Object.fromEntries(loaded.faults.map((fault) => [fault.path, fault.nearest]));
    expect(nearest).toMatchObject({
      'site.rom': 'room',
      terminal: 'terminals',
      'policy.preset': 'baotou-2023',
      'terminals.front.model': 'acme-f100',
      'terminals.front.pollSecond': 'pollSeconds',
      'terminals.back.options.chanel': 'channel',
    });
    for (const fault of loaded.faults) {
      expect(`${fault.en}${fault.zh}${fault.remedyEn}${fault.remedyZh}`).not.toMatch(/\{\w+\}|undefined/);
      expect(fault.zh).toMatch(/[一-鿿]/);
    }
    expect(JSON.stringify(loaded.faults)).not.toContain('1234"');
  });

  test('inside one entry park that entry only', () => {
    const place = createPlace(GOOD.replace('model: acme-f100', 'model: acme-f200'));
    const { settings, units } = place.load();
    expect(settings?.terminals.map((one) => one.id)).toEqual(['back']);
    expect(settings?.upstreams).toHaveLength(1);
    expect(units).toEqual([
      { unit: 'terminal:front', ok: false },
      { unit: 'terminal:back', ok: true },
      { unit: 'upstream:city', ok: true },
    ]);
  });

  test('in site, dataDir, web or an unknown key refuse the whole, and say where page and data would be', () => {
    for (const [from, to] of [
      ['room: "301"', 'room: 301'],
      ['dataDir: data', 'dataDir: 5'],
      ['listen: "127.0.0.1:9000"', 'listen: 9000'],
      ['terminals:', 'terminalz:'],
    ] as const) {
      const { settings, fallback } = createPlace(GOOD.replace(from, to)).load();
      expect(settings).toBeNull();
      expect(fallback.web.port).toBe(to === 'listen: 9000' ? 8080 : 9000);
    }
  });

  test('a second entry of the same id, the same address, the same serial line otherwise', () => {
    const place = createPlace(`site: { name: a, room: b }
terminals:
  - { id: a, driver: sample-tc, reach: "tcp://10.0.0.1:5010" }
  - { id: a, driver: sample-tc, reach: "tcp://10.0.0.2" }
  - { id: b, driver: sample-tc, reach: "tcp://10.0.0.1" }
  - { id: c, driver: sample-tc, reach: "serial:///dev/ttyUSB0?baud=9600", options: { channel: 1 } }
  - { id: d, driver: sample-tc, reach: "serial:///dev/ttyUSB0?baud=9600", options: { channel: 2 } }
  - { id: e, driver: sample-tc, reach: "serial:///dev/ttyUSB0?baud=9600", options: { channel: 2 } }
  - { id: f, driver: sample-tc, reach: "serial:///dev/ttyUSB0?baud=19200", options: { channel: 3 } }
`);
    const loaded = place.load();
    expect(brief(loaded)).toEqual([
      [4, 'terminals.a.id', 'given-twice', 'terminal:a#2'],
      [5, 'terminals.b.reach', 'reach-twice', 'terminal:b'],
      [8, 'terminals.e.reach', 'reach-twice', 'terminal:e'],
      [9, 'terminals.f.reach', 'line-mismatch', 'terminal:f'],
    ]);
    expect(loaded.settings?.terminals.map((one) => one.id)).toEqual(['a', 'c', 'd']);
    expect(loaded.settings?.terminals[0]?.reach).toMatchObject({ host: '10.0.0.1' });
  });

  test('a model and a driver together, or neither', () => {
    const place = createPlace(`site: { name: a, room: b }
terminals:
  - { id: a, reach: "tcp://10.0.0.1" , driver: sample-tc, model: acme-f100 }
  - { id: b, reach: "tcp://10.0.0.2:1" }
`);
    expect(brief(place.load())).toEqual([
      [3, 'terminals.a.driver', 'model-or-driver', 'terminal:a'],
      [4, 'terminals.b.driver', 'model-or-driver', 'terminal:b'],
    ]);
  });

  test('cameras are refused with a clear word, an empty list is not', () => {
    expect(createPlace(`${GOOD}cameras: []\n`).load().faults).toEqual([]);
    const { faults, settings } = createPlace(`${GOOD}cameras:\n  - { id: c1 }\n`).load();
    expect(settings).toBeNull();
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({
      code: 'cameras-later',
      line: 20,
      en: 'Cameras are not supported by this version.',
    });
  });

  test('YAML that is none: the line, and nothing guessed below it', () => {
    const { faults, settings } = createPlace('site: { name: a, room: b }\nwebb: {}\nterminals:\n\t- id: a\n').load();
    expect(settings).toBeNull();
    expect(faults.map((fault) => [fault.line, fault.code])).toContainEqual([4, 'yaml-syntax']);
    expect(faults.map((fault) => [fault.line, fault.code])).toContainEqual([2, 'key-unknown']);
    expect(faults.every((fault) => fault.line <= 4)).toBe(true);
  });

  test('a key twice, an anchor, a hostile key, a list for a file, an empty file, a missing file', () => {
    const twice = createPlace(
      GOOD.replace('    options: { channel: 3 }', '    options: { channel: 3 }\n    id: again'),
    ).load();
    expect(brief(twice)).toEqual([[9, 'terminals.front.id', 'key-twice', 'terminal:front']]);
    expect(createPlace('site: &a { name: a, room: b }\nweb: *a\n').load().faults[0]?.code).toBe('yaml-syntax');
    expect(createPlace(`${GOOD}__proto__: { x: 1 }\n`).load().faults[0]).toMatchObject({
      code: 'key-unknown',
      path: '__proto__',
    });
    expect(createPlace('- a\n- b\n').load().faults[0]?.code).toBe('yaml-syntax');
    expect(brief(createPlace('').load())).toEqual([[1, 'site', 'key-missing', null]]);
    const place = createPlace(GOOD);
    writeFileSync(place.file, Buffer.alloc(1024 * 1024 + 1, 0x20));
    expect(place.load().faults[0]?.code).toBe('yaml-syntax');
  });

  test('faults of conf.d name that file', () => {
    const place = createPlace(GOOD);
    const file = place.write('conf.d/90-page.yaml', 'terminals:\n  - { id: front, pollSeconds: 1 }\n');
    expect(place.load().faults[0]).toMatchObject({
      file,
      line: 2,
      path: 'terminals.front.pollSeconds',
      unit: 'terminal:front',
    });
  });
});

describe('secrets', () => {
  const WITH_KEY = GOOD.replace(
    'options: { channel: 3 }',
    'options: { commKeyFile: key.txt, devicePasswordFile: "credential:pw" }',
  );

  test('are read from their files and masked in every display', () => {
    const place = createPlace(WITH_KEY);
    place.write('key.txt', ' 731964\n');
    place.write('creds/pw', 'hunter2\n');
    const loaded = place.load({ env: { CREDENTIALS_DIRECTORY: join(place.dir, 'creds') } });
    expect(loaded.faults).toEqual([]);
    expect(loaded.settings?.terminals[0]?.options).toMatchObject({ commKey: 731964, devicePassword: 'hunter2' });
    const shown = JSON.stringify([redact(loaded.settings), loaded.redacted]);
    expect(shown).not.toMatch(/731964|hunter2/);
    expect(shown).toContain('key.txt');
    expect(shown).toContain('tcp://192.168.1.20:5010');
  });

  test('missing, empty or without a credential directory park the terminal; readable by others warns', () => {
    const place = createPlace(WITH_KEY);
    expect(brief(place.load())).toEqual([
      [8, 'terminals.front.options.commKeyFile', 'secret-missing', 'terminal:front'],
      [8, 'terminals.front.options.devicePasswordFile', 'secret-missing', 'terminal:front'],
    ]);
    place.write('key.txt', '\n');
    expect(place.load().faults[0]?.en).toContain('is empty');
    const open = createPlace(GOOD.replace('options: { channel: 3 }', 'options: { commKeyFile: key.txt }'));
    open.write('key.txt', '42', 0o644);
    const loaded = open.load();
    expect(loaded.faults[0]).toMatchObject({ code: 'secret-open', severity: 'warning' });
    expect(loaded.settings?.terminals).toHaveLength(2);
  });

  test('a secret that the driver refuses is not quoted', () => {
    const place = createPlace(GOOD.replace('options: { channel: 3 }', 'options: { commKeyFile: key.txt }'));
    place.write('key.txt', 'not-a-number-731964');
    const { faults } = place.load();
    expect(faults[0]?.unit).toBe('terminal:front');
    expect(JSON.stringify(faults)).not.toContain('731964');
  });

  test('unencrypted MQTT to another machine warns, to this machine does not', () => {
    const other = createPlace(GOOD.replace('mqtts://att.example.org:8883', 'mqtt://att.example.org:1883')).load();
    expect(other.faults[0]).toMatchObject({ code: 'plain-mqtt', severity: 'warning' });
    expect(other.settings?.upstreams).toHaveLength(1);
    const own = createPlace(GOOD.replace('mqtts://att.example.org:8883', 'mqtt://127.0.0.1:1883')).load();
    expect(own.faults).toEqual([]);
  });
});

test('files of an upstream are given as absolute paths, and a certificate needs its key', () => {
  const place = createPlace(
    GOOD.replace('platformKeysFile', 'mqtt: { caFile: ca.pem, certFile: gw.pem }\n    platformKeysFile'),
  );
  place.write('ca.pem', 'ca', 0o644);
  place.write('gw.pem', 'cert', 0o644);
  expect(brief(place.load())).toEqual([[18, 'upstreams.city.mqtt.keyFile', 'key-missing', 'upstream:city']]);
  const whole = createPlace(GOOD.replace('platformKeysFile', 'mqtt: { caFile: keys.json }\n    platformKeysFile'));
  expect(whole.load().settings?.upstreams[0]).toMatchObject({
    mqtt: { caFile: join(whole.dir, 'keys.json'), certFile: undefined },
    platformKeysFile: join(whole.dir, 'keys.json'),
    platformKeys: '{"keys":[]}',
  });
});
