/** The texts of AiFace terminals: how they are cut, who calls, how methods are told, and captures without persons. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { duplexPair } from 'node:stream';
import iconv from 'iconv-lite';
import { GatewayError } from '../../src/core/errors.js';
import type { Decoded, Masks, PunchRecord } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { called } from '../../src/drivers/aiface-ws/called.js';
import { encodeMessage, parseMessage, textIn } from '../../src/drivers/aiface-ws/codec.js';
import { aifaceWs } from '../../src/drivers/aiface-ws/driver.js';
import { createSplitter, MESSAGE_BYTES_MAX } from '../../src/drivers/aiface-ws/splitter.js';
import { benchWire, loadCaptures } from './rig.js';
import { createFakeClock } from '../support/fake-clock.js';

const samples = loadCaptures(join(import.meta.dirname, '../captures/aiface-ws'));
const options = aifaceWs.options.parse({});
const decode = (bytes: Uint8Array, from: 'device' | 'gateway', more: Record<string, unknown> = {}): Decoded[] => {
  const decoder = aifaceWs.decoder(aifaceWs.options.parse(more), from);
  return [...decoder.push(bytes), ...decoder.end()];
};
const punchesIn = (bytes: Uint8Array, more: Record<string, unknown> = {}): PunchRecord[] =>
  decode(bytes, 'device', more).flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
const captured = (name: string): Uint8Array =>
  samples.find((sample) => sample.name === name)?.bytes ?? new Uint8Array(0);

describe('captures', () => {
  test('a session of a terminal', () => {
    const bytes = captured('session.device.cap');
    expect(punchesIn(bytes, { verifyProfile: 'A' })).toMatchObject([
      { deviceUserId: '20250017', wallTime: '2025-09-01 08:05:30', direction: 'in', verify: 'face', source: 'push' },
      { deviceUserId: '9007199254740993', direction: 'out' },
      { deviceUserId: '42', verify: 'face', source: 'poll' },
      { deviceUserId: '42', wallTime: '2025-02-30 12:00:00', verify: 'card', verifyRaw: 1 },
      { deviceUserId: '43', verify: 'qr', verifyRaw: 13 },
    ]);
    const told = JSON.stringify(decode(bytes, 'device').map((item) => (item.kind === 'message' ? item.fields : null)));
    for (const secret of ['张三', 'Li Si', 'QUJD', '123456', '/9j/']) expect(told).not.toContain(secret);
  });

  test('what firmware writes differently', () => {
    const bytes = captured('odd-writing.device.cap');
    expect(punchesIn(bytes)).toMatchObject([
      { deviceUserId: '0042', wallTime: '2025-09-01 08:05:30', direction: 'out', verify: 'face' },
    ]);
    const names = decode(bytes, 'device').flatMap((item) => (item.kind === 'message' ? [item.name] : []));
    expect(names).toEqual(['sendlog request', 'getusername answer', 'getuserinfo answer', 'reg request']);
  });
});

test.each([
  [{ verifyProfile: 'A' }, null, ['finger', 'card', 'password', 'unknown', 'face']],
  [{ verifyProfile: 'B' }, null, ['unknown', 'finger', 'card', 'password', 'face']],
  [{}, 'TH900_click V5.0', ['unknown', 'finger', 'card', 'password', 'face']],
  [{}, 'th600w v6.1', ['finger', 'card', 'password', 'unknown', 'face']],
  [{}, 'ai07_f28 v1.0', ['unknown', 'unknown', 'unknown', 'unknown', 'face']],
  [
    { verifyMap: { 1: 'finger', 2: 'password', 3: 'card' } },
    'ai07_f28',
    ['unknown', 'finger', 'password', 'card', 'face'],
  ],
] as const)('methods with %o and firmware %s', async (given, firmware, words) => {
  const { punchOf } = await import('../../src/drivers/aiface-ws/punch.js');
  const frame = {
    options: aifaceWs.options.parse(given),
    firmware,
    clock: { wallOf: (told: string) => told as never },
  };
  const base = { enrollId: '1', time: 't', inout: 0, event: 3, verifyMode: 0, photo: false, raw: new Uint8Array(0) };
  expect([0, 1, 2, 3, 8].map((mode) => punchOf({ ...base, mode }, frame, 'push').verify)).toEqual(words);
  const keys = aifaceWs.options.parse({ keyMap: { 3: 'break-out' } });
  expect(punchOf({ ...base, mode: 8 }, { ...frame, options: keys }, 'push').direction).toBe('break-out');
});

describe('who calls', () => {
  test.each([
    ['{"cmd":"reg","sn":"A1","devinfo":{}}', { is: 'yes', serial: 'A1' }],
    ['\0\r\n { "sn" : "A1" , "devinfo":{"sn":"B","cmd":"x"}, "cmd" : "reg" }', { is: 'yes', serial: 'A1' }],
    ['{"cmd":"reg","cpusn":"7","devinfo":{"sn":"B"}', { is: 'more' }],
    ['{"cmd":"reg","sn":12345,', { is: 'yes', serial: '12345' }],
    ['{"cmd":"reg","devinfo":{}}', { is: 'yes', serial: null }],
    ['{"cmd":"sendlog","sn":"A1","record":[', { is: 'yes', serial: 'A1' }],
    ['{"cmd":"getpic","sn":"A1"}', { is: 'no' }],
    ['{"hello":"world"}', { is: 'no' }],
    ['{7', { is: 'no' }],
    ['GET /pub/chat HTTP/1.1', { is: 'no' }],
    ['[1]', { is: 'no' }],
    ['G', { is: 'no' }],
    ['', { is: 'more' }],
    [' \0', { is: 'more' }],
    ['{', { is: 'more' }],
  ])('%j', (text, heard) => expect(called.hear(Buffer.from(text))).toEqual(heard));

  test('at every length of a reg in any order of its keys, in UTF-8 and GBK', () => {
    const texts = ['{"cmd":"reg","sn":"A1"}', '{"devinfo":{"a":"誠 {张","b":[1,{"sn":"no"}]},"sn":"A1","cmd":"reg"}'];
    for (const bytes of [
      ...texts.map((text) => Buffer.from(text)),
      ...texts.map((text) => iconv.encode(text, 'gbk')),
    ]) {
      const words = Array.from({ length: bytes.length + 1 }, (_, size) => called.hear(bytes.subarray(0, size)).is);
      expect(words.slice(0, words.indexOf('yes')).every((word) => word === 'more')).toBe(true);
      expect(called.hear(bytes)).toEqual({ is: 'yes', serial: 'A1' });
    }
  });

  test('nobody wants it: it is told so on its screen', async () => {
    const [ours, theirs] = duplexPair();
    const said: string[] = [];
    theirs.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const clock = createFakeClock();
    await Promise.all([called.refuse?.(ours, benchWire(clock), new AbortController().signal), clock.advance(10)]);
    expect(said).toEqual(['{"ret":"reg","result":false,"reason":"did not reg"}']);
    expect(clock.sleepers).toBe(0);
  });
});

describe('cutting', () => {
  const kinds = (bytes: Uint8Array): string[] => {
    const splitter = createSplitter();
    return [...splitter.push(bytes), ...splitter.flush()].map((cut) => `${cut.kind} ${cut.bytes.length}`);
  };

  test('eight megabytes in pieces of any size cost their length once; more is noise', () => {
    const photo = Buffer.from(`{"cmd":"sendlog","image":"${'A'.repeat(MESSAGE_BYTES_MAX - 100)}"}`);
    const splitter = createSplitter();
    let slowestMs = 0;
    let found = 0;
    for (let at = 0; at < photo.length; at += 1400) {
      const before = performance.now();
      found += splitter.push(photo.subarray(at, at + 1400)).length;
      slowestMs = Math.max(slowestMs, performance.now() - before);
    }
    expect(found).toBe(1);
    expect(slowestMs).toBeLessThan(50);
    const long = Buffer.from(`{"cmd":"sendlog","image":"${'A'.repeat(MESSAGE_BYTES_MAX)}`);
    expect(kinds(long).every((kind) => kind.startsWith('noise'))).toBe(true);
  });

  test('a message that never ended gives way to the next', () => {
    const next = '{"ret":"gettime","time":"2025-09-01 08:00:00"}';
    for (const torn of ['{"cmd":"sendlog","record":[{"a":"', '{"a":{"b":', '{{{{', '{"x', '{"a":"\\'])
      expect(kinds(Buffer.from(torn + next)).at(-1)).toBe(`message ${next.length}`);
  });

  test('a character of two bytes with a backslash or a brace in it ends nothing', () => {
    for (const name of ['誠', '張誠', '誠{"', '乗', '你\\"好誠', '亄亅亊'])
      for (const bytes of [iconv.encode(`{"ret":"getusername","record":${JSON.stringify(name)}}`, 'gbk')]) {
        expect(kinds(bytes)).toEqual([`message ${bytes.length}`]);
        const message = parseMessage(bytes);
        expect(message && textIn(message, 'record')).toBe(name);
      }
  });

  test('deep nesting and a hundred thousand braces are refused quickly', () => {
    const before = performance.now();
    expect(parseMessage(Buffer.from(`{"cmd":"x","a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).toBeNull();
    kinds(Buffer.from('{'.repeat(500_000)));
    kinds(Buffer.from('{"cmd":'.repeat(50_000)));
    expect(performance.now() - before).toBeLessThan(2000);
  });
});

test.each(['cleanlog', 'cleanuser', 'cleanadmin', 'initsys'])('%s cannot be written', (cmd) => {
  expect(() => encodeMessage({ cmd })).toThrow(GatewayError);
});

describe('captures without persons', () => {
  const masks: Masks = {
    id: (told) => told.replace(/\d/g, (digit) => String(9 - (Number(digit) % 9))),
    filler: (length) => new Uint8Array(length).fill(0x78),
  };
  const scrub = (from: 'device' | 'gateway', bytes: Uint8Array): Uint8Array =>
    aifaceWs.scrub(options, from, bytes, masks);

  test.each(samples.map((sample) => [sample.name, sample] as const))('%s', (_name, { from, bytes }) => {
    const clean = scrub(from, bytes);
    expect(clean.length).toBe(bytes.length);
    const view = (items: Decoded[]): unknown[] =>
      items.map((item) =>
        item.kind === 'punch'
          ? { ...item.punch, raw: null, deviceUserId: masks.id(item.punch.deviceUserId) }
          : item.kind,
      );
    const clear = view(decode(bytes, from));
    const masked = decode(clean, from).map((item) =>
      item.kind === 'punch' ? { ...item.punch, raw: null } : item.kind,
    );
    expect(masked).toEqual(clear);
    const text = Buffer.from(clean).toString('latin1');
    for (const secret of [
      '20250017',
      '9007199254740993',
      '0042',
      '3000000000',
      'Li Si',
      'Anna',
      'QUJD',
      '/9j/',
      '48151623',
      '123456',
      'a{',
    ])
      expect(text).not.toContain(secret);
    for (const name of ['张三', '王五', '張誠'])
      for (const encoded of [Buffer.from(name), iconv.encode(name, 'gbk')])
        expect(Buffer.from(clean).includes(encoded)).toBe(false);
  });

  test('the door and a stranger stay who they are', () => {
    const bytes = Buffer.from('{"cmd":"sendlog","record":[{"enrollid":0,"event":5},{"enrollid":99999999}]}');
    expect(Buffer.from(scrub('device', bytes)).toString()).toBe(bytes.toString());
  });

  test('an id in escapes, an unknown key, half a message', () => {
    const clean = (text: string): string => Buffer.from(scrub('device', Buffer.from(text))).toString();
    expect(clean('{"ret":"x","enrollid":"\\u0034\\u0032"}')).not.toContain('0034');
    expect(clean('{"ret":"x","idcard":"310101199001011234","phone":13800138000,"ok":true}')).toBe(
      '{"ret":"x","idcard":"xxxxxxxxxxxxxxxxxx","phone":44444444444,"ok":true}',
    );
    expect(clean('{"ret":"getusername","record":"Somebo')).toMatch(/^\0+$/);
  });

  test('spoilt bytes raise nothing but a GatewayError and keep their length', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2000; round += 1) {
      const sample = samples[Math.floor(random() * samples.length)];
      const bytes = Uint8Array.from(sample?.bytes ?? []);
      for (let count = 1 + Math.floor(random() * 5); count > 0; count -= 1)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      expect(scrub(sample?.from ?? 'device', bytes).length).toBe(bytes.length);
    }
  });
});
