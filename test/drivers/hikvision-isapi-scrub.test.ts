/** Persons and secrets taken out of captures of Hikvision terminals, and what the decoder shows of them. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import type { Decoded } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { listAt, readTree, searchedEvent, treeAt } from '../../src/drivers/hikvision-isapi/codec.js';
import { hikvisionIsapi } from '../../src/drivers/hikvision-isapi/driver.js';
import { createMasks } from '../../src/drivers/masks.js';
import { loadCaptures } from './rig.js';

const options = hikvisionIsapi.options.parse({});
const samples = loadCaptures(join(import.meta.dirname, '../captures/hikvision-isapi'));
const decode = (bytes: Uint8Array): Decoded[] => {
  const decoder = hikvisionIsapi.decoder(options, 'device');
  return [...decoder.push(bytes), ...decoder.end()];
};
const punches = (bytes: Uint8Array) => decode(bytes).flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
const PERSONAL = [
  '20250017',
  '20250018',
  '20250019',
  '"0042"',
  'Zhang San',
  '张三',
  '李四',
  'Li Si',
  'Zhao',
  '3344556677',
];
const SECRET = ['Zm9vYmFyYmF6MTIz', 'b0d6dc6fc7bc513ee3930524edac77a1', '\xff\xd8\xff\xe0'];

describe.each(samples.map((sample) => ({ name: sample.name, sample })))('$name', ({ sample }) => {
  const masks = createMasks(new Uint8Array(32));
  const scrubbed = hikvisionIsapi.scrub(options, sample.from, sample.bytes, masks);

  test('nobody is left, lengths and punches stay', () => {
    expect(scrubbed.length).toBe(sample.bytes.length);
    const text = Buffer.from(scrubbed);
    for (const word of PERSONAL) expect(text.includes(Buffer.from(word)), word).toBe(false);
    for (const word of SECRET) expect(text.includes(Buffer.from(word, 'latin1')), word).toBe(false);
    const before = punches(sample.bytes);
    expect(
      punches(scrubbed).map(({ deviceUserId, wallTime, verify, seq }) => [deviceUserId, wallTime, verify, seq]),
    ).toEqual(before.map(({ deviceUserId, wallTime, verify, seq }) => [masks.id(deviceUserId), wallTime, verify, seq]));
    expect(decode(scrubbed).map((item) => item.kind)).toEqual(decode(sample.bytes).map((item) => item.kind));
  });

  test('the decoder shows neither names nor secrets', () => {
    const shown = JSON.stringify(
      decode(sample.bytes).map((item) => (item.kind === 'message' ? [item.name, item.fields] : [])),
    );
    for (const word of ['Zhang', '张三', '李四', 'Zhao', '3344556677', 'Zm9vYmFy', 'b0d6dc6f'])
      expect(shown).not.toContain(word);
  });
});

test('the captures say what they should', () => {
  const all = samples.flatMap(({ bytes }) => punches(bytes));
  expect(all.map((one) => `${one.deviceUserId} ${one.wallTime} ${one.verify} ${one.direction} ${one.source}`)).toEqual([
    '20250018 2025-09-01 08:01:00 face unknown replay',
    '20250017 2025-09-01 08:05:30 face unknown realtime',
    '20250017 2025-09-01 08:05:30 face unknown push',
    '20250019 2025-09-01 08:06:00 card out push',
    '20250017 2025-09-01 08:05:30 face in poll',
    '0042 2025-09-01 17:31:02 finger break-out poll',
  ]);
});

test('spoilt captures raise nothing but a GatewayError, keep their length and take no time', () => {
  const random = seededRandom(5);
  const masks = createMasks(new Uint8Array(32));
  for (let round = 0; round < 2000; round += 1) {
    const sample = samples[Math.floor(random() * samples.length)];
    const bytes = Uint8Array.from(sample?.bytes ?? []);
    for (let count = 0; count < 4; count += 1) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      expect(hikvisionIsapi.scrub(options, 'device', bytes, masks).length).toBe(bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(GatewayError);
    }
  }
});

describe('events', () => {
  const answer = (event: object): Uint8Array => {
    const body = JSON.stringify({ AcsEvent: { responseStatusStrg: 'OK', totalMatches: 1, InfoList: [event] } });
    return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  const base = { major: 5, minor: 75, time: '2025-09-01T08:05:30+08:00', employeeNoString: '7', serialNo: 1 };
  test.each([
    [{}, 'face'],
    [{ minor: 54 }, 'face'],
    [{ minor: 38 }, 'finger'],
    [{ minor: 101 }, 'password'],
    [{ minor: 999 }, 'unknown'],
    [{ minor: 104 }, 'unknown'],
    [{ minor: 76 }, null],
    [{ minor: 21 }, null],
    [{ major: 2, minor: 38 }, null],
    [{ employeeNoString: '' }, null],
    [{ employeeNoString: undefined, employeeNo: 7 }, 'face'],
    [{ employeeNoString: undefined, employeeNo: 0 }, null],
    [{ time: '2026/9/10 8:00' }, 'face'],
    [{ time: '' }, null],
    [{ major: '5', minor: '75', serialNo: '1' }, 'face'],
  ])('%o is %s', (change, verify) => {
    const [punch] = punches(answer({ ...base, ...change }));
    expect(punch?.verify ?? null).toBe(verify);
    if (punch) expect([punch.deviceUserId, punch.verifyRaw]).toEqual(['7', Number({ ...base, ...change }.minor)]);
  });
  test.each([
    ['half a character', 'e5bca0e4b8'],
    ['GBK', 'd5c5c8fd'],
    ['GBK with a backslash in it', '955c'],
  ])('a name of %s costs no event', (_what, name) => {
    const [head = '', tail = ''] = JSON.stringify({ AcsEvent: { InfoList: [{ ...base, name: '@' }] } }).split('@');
    const tree = readTree(Buffer.concat([Buffer.from(head), Buffer.from(name, 'hex'), Buffer.from(tail)]));
    expect(listAt(treeAt(tree, 'AcsEvent'), 'InfoList').map((item) => searchedEvent(item).employee)).toEqual(['7']);
  });
  test('which minors pass, and what they mean, can be said', () => {
    const own = hikvisionIsapi.options.parse({
      passMinors: [38],
      verifyMap: { 38: 'palm' },
      directionMap: { checkin: 'out' },
    });
    const bytes = answer({ ...base, minor: 38, attendanceStatus: 'CheckIn' });
    const decoder = hikvisionIsapi.decoder(own, 'device');
    const items = [...decoder.push(bytes), ...decoder.push(answer(base)), ...decoder.end()];
    expect(items.flatMap((item) => (item.kind === 'punch' ? [[item.punch.verify, item.punch.direction]] : []))).toEqual(
      [['palm', 'out']],
    );
  });
});
