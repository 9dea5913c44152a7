/** The words of the Dahua protocol without a wire: golden values, times, parts whose length lies, and scrubbing. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import type { Zone } from '../../src/core/time.js';
import {
  accessOf,
  fitName,
  groupLines,
  parseLines,
  rpcPassword,
  secondsToWall,
  toldTime,
  type Fields,
} from '../../src/drivers/dahua-asi/codec.js';
import { zoneIndex, zoneMinutes } from '../../src/drivers/dahua-asi/correction.js';
import { dahuaAsi } from '../../src/drivers/dahua-asi/driver.js';
import { createPartSplitter, parseEvents } from '../../src/drivers/dahua-asi/parts.js';
import { cardOf } from '../../src/drivers/dahua-asi/people.js';
import { readRecord } from '../../src/drivers/dahua-asi/punch.js';
import type { Decoded, Masks, PunchRecord } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { loadCaptures, type Sample } from './rig.js';

const samples = loadCaptures(join(import.meta.dirname, '../captures/dahua-asi'));
const options = dahuaAsi.options.parse({});

function decode(from: Sample['from'], bytes: Uint8Array): Decoded[] {
  const decoder = dahuaAsi.decoder(options, from);
  return [...decoder.push(bytes), ...decoder.end()];
}

const punchesIn = (items: readonly Decoded[]): PunchRecord[] =>
  items.flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
const sample = (name: string): Sample => {
  const found = samples.find((one) => one.name === name);
  if (!found) throw new Error(name);
  return found;
};

test('the login over JSON-RPC matches the worked example', () => {
  const realm = 'Login to 0f1e2d3c4b5a69788796a5b4c3d2e1f0';
  expect(rpcPassword('admin', 'Class-1234', realm, '1357924680')).toBe('E79F68F14F6575885996ADFFEF2B2AA5');
});

test('a line is split at its first equals sign, groups keep their gaps, CRLF and LF alike', () => {
  const text =
    'found=2\r\nrecords[0].URL=/a.jpg?x=1&y=2\nrecords[3].Doors[0]=7\r\nrecords[0].UserID=1\n__proto__=2\nrecords[9].__proto__=3\n';
  const groups = groupLines(parseLines(Buffer.from(text)), 'records');
  expect(groups.map(({ fields }) => Object.entries(fields))).toEqual([
    [
      ['URL', '/a.jpg?x=1&y=2'],
      ['UserID', '1'],
    ],
    [['Doors[0]', '7']],
    [['__proto__', '3']],
  ]);
});

test.each([
  [{ CreateTime: '1756685130' }, '2025-09-01 08:05:30'],
  [{ CreateTime: '1756685130123' }, '2025-09-01 08:05:30'],
  [{ CreateTime: '2025-09-01 08:05:30' }, '2025-09-01 08:05:30'],
  [{ CreateTime: '2025-02-30 25:61:61' }, '2025-02-30 25:61:61'],
  [{ CreateTime: '1756713930', CreateTimeRealUTC: '1756685130' }, '2025-09-01 08:05:30'],
  [{ UTC: '1756685130' }, '2025-09-01 08:05:30'],
  [{ CreateTime: '0' }, null],
  [{ CreateTime: 'soon' }, null],
  [{ CreateTime: '99999999999999' }, '5138-11-16 17:46:39'],
])('reads the time of %o', (fields: Fields, wanted) => {
  const told = toldTime(fields);
  if (wanted === '5138-11-16 17:46:39') expect(told).toBeNull();
  else if (told?.kind === 'epoch') expect(secondsToWall(told.seconds, 0, 'Asia/Shanghai' as Zone)).toBe(wanted);
  else expect(told?.wall ?? null).toBe(wanted);
});

describe('what a record means', () => {
  const read = (fields: Fields, more = {}): PunchRecord | null =>
    readRecord({ fields, raw: new Uint8Array(1) }, dahuaAsi.options.parse(more), () => null, 'poll').punch;

  test('ErrorCode says more than Status, and nobody is no punch', () => {
    expect(accessOf({ UserID: '1', Status: '1', ErrorCode: '16' }).granted).toBe(false);
    expect(accessOf({ UserID: '1', Status: '0', ErrorCode: '0' }).granted).toBe(true);
    expect(accessOf({ UserID: '1', Status: '0' }).granted).toBe(false);
    expect(read({ UserID: '', ErrorCode: '0' })).toBeNull();
    expect(read({ UserID: ' ', Status: '1' })).toBeNull();
  });

  test('only card and face are known by themselves, the rest is a setting and keeps its number', () => {
    const verifies = ['1', '15', '6', '0', '21'].map((Method) => read({ UserID: '1', Status: '1', Method })?.verify);
    expect(verifies).toEqual(['card', 'face', 'unknown', 'unknown', 'unknown']);
    expect(read({ UserID: '1', Status: '1', Method: '6' }, { verifyMap: { 6: 'finger' } })).toMatchObject({
      verify: 'finger',
      verifyRaw: 6,
    });
  });

  test('attendance states 1 and 2 are directions, the side of the door is none', () => {
    const directions = ['0', '1', '2', '3'].map(
      (AttendanceState) => read({ UserID: '1', AttendanceState, Type: 'Exit' })?.direction,
    );
    expect(directions).toEqual(['unknown', 'in', 'out', 'unknown']);
  });

  test('a record without a time is kept under an impossible date', () => {
    expect(read({ UserID: '1', Status: '1' })?.wallTime).toBe('0000-00-00 00:00:00');
  });
});

test('names are cut between characters at 32 bytes', () => {
  expect(fitName('张三')).toEqual({ name: '张三', cut: false });
  expect(fitName('阿'.repeat(11))).toEqual({ name: '阿'.repeat(10), cut: true });
  expect(fitName('a'.repeat(32)).cut).toBe(false);
  expect(fitName('𠮷'.repeat(9)).name).toBe('𠮷'.repeat(8));
});

test('a card is hex with an even number of digits', () => {
  expect([cardOf('20250017'), cardOf('421'), cardOf('zhang')]).toEqual(['20250017', '0421', '7A68616E67']);
});

test('zone indices and minutes belong together', () => {
  expect([zoneMinutes(13), zoneMinutes(0), zoneMinutes(22), zoneMinutes(99), zoneMinutes(null)]).toEqual([
    480,
    0,
    -180,
    null,
    null,
  ]);
  expect(zoneIndex(480)).toBe(13);
});

describe('parts of the stream', () => {
  const event =
    'Code=AccessControl;action=Pulse;index=0;data={ "CardName" : "张} \\" {", "UserID" : "1", "Status" : 1 }';
  const cutsOf = (bytes: Uint8Array, step: number): string[] => {
    const splitter = createPartSplitter('myboundary');
    const cuts = [];
    for (let at = 0; at < bytes.length; at += step) cuts.push(...splitter.push(bytes.subarray(at, at + step)));
    cuts.push(...splitter.end());
    return cuts.flatMap((cut) => (cut.kind === 'part' ? [Buffer.from(cut.part.body).toString('utf8').trim()] : []));
  };

  test.each([
    ['right', Buffer.byteLength(event)],
    ['counted in characters', event.length],
    ['far too short', 60],
    ['too long', Buffer.byteLength(event) + 30],
    ['missing', null],
  ])('the length is %s', (_name, length) => {
    const head = length === null ? '' : `Content-Length:${length}\r\n`;
    const part = `--myboundary\r\nContent-Type: text/plain\r\n${head}\r\n${event}`;
    const beat = '--myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\n\r\nHeartbeat';
    const bytes = Buffer.from(`${part}\r\n\r\n\r\n${beat}\r\n${part}\r\n${beat}`);
    for (const step of [1, 7, bytes.length])
      expect(cutsOf(bytes, step)).toEqual([event, 'Heartbeat', event, 'Heartbeat']);
  });

  // Found by fuzzing: the line behind a head that was found late was lost.
  test('loses nothing when a stream begins inside an answer that is none', () => {
    const stream = Buffer.from(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plaHTTP/1.1 200 OK\r\n' +
        'Content-Type: multipart/x-mixed-replace; boundary=myboundary\r\n\r\n' +
        '--myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\n\r\nHeartbeat',
    );
    for (let at = 0; at < stream.length; at += 1) {
      const decoder = dahuaAsi.decoder(dahuaAsi.options.parse({}), 'device');
      const told = [...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at)), ...decoder.end()];
      const shown = told.flatMap((one) => (one.kind === 'punch' ? [] : [one]));
      expect(Buffer.concat(shown.map((one) => one.bytes)).toString(), `split at ${at}`).toBe(stream.toString());
      expect(shown.at(-1)).toMatchObject({ kind: 'message', name: 'event Heartbeat' });
    }
  });

  // The first three were found by fuzzing: an event whose length is none, too small, or ends before its data.
  test.each([
    ['a length that is no number', '1.5', 'Code=AccessControl;action=Pulse;index=0;data={"UserID":"17"}'],
    ['a length of one', '1', 'Code=AccessControl;action=Pulse;index=0;data={"UserID":"17"}'],
    ['a length that ends before the data', '30', 'Code=AccessControl;action=Pulse;index=0;data={"UserID":"17"}'],
    ['a length that counts characters', '57', 'Code=AccessControl;action=Pulse;index=0;data={"CardName":"张三"}'],
    ['no data, its length right', '41', 'Code=VideoMotion;action=Start;index=00000'],
    ['no data, its length too small', '40', 'Code=VideoMotion;action=Start;index=00000'],
    ['no data, its length too large', '60', 'Code=VideoMotion;action=Start;index=00000'],
    ['a brace too many', '9', 'Code=A}b;action=Start;data={"UserID":"17"}'],
    ['no data, no length', 'x', 'Code=VideoMotion;action=Start;index=0'],
    ['no event, short', '3', 'Cod'],
  ])('the same however it comes cut: %s', (_name, length, body) => {
    const part = `--b\r\nContent-Type: text/plain\r\nContent-Length:${length}\r\n\r\n${body}`;
    const stream = Buffer.from(`${part}\r\n${part}\r\n--b\r\nContent-Length:9\r\n\r\nHeartbeat`);
    const parts = (chunks: readonly Uint8Array[]): string[] => {
      const splitter = createPartSplitter('b');
      return [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()].flatMap((cut) =>
        cut.kind === 'part' ? [Buffer.from(cut.part.body).toString()] : [],
      );
    };
    expect(parts([stream])).toEqual([body, body, 'Heartbeat']);
    for (let at = 1; at < stream.length; at += 1)
      expect(parts([stream.subarray(0, at), stream.subarray(at)]), `split at ${at}`).toEqual([body, body, 'Heartbeat']);
    expect(parts(Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual([body, body, 'Heartbeat']);
  });

  test('events without data, in the flat form, and broken ones', () => {
    expect(parseEvents(Buffer.from('Code=DoorStatus;action=Start;index=0'))).toMatchObject([
      { code: 'DoorStatus', action: 'Start' },
    ]);
    const flat =
      'Events[0].EventBaseInfo.Code=AccessControl\r\nEvents[0].Data.UserID=7\r\nEvents[1].Code=VideoMotion\r\n';
    expect(parseEvents(Buffer.from(flat)).map(({ code, fields }) => [code, fields.UserID])).toEqual([
      ['AccessControl', '7'],
      ['VideoMotion', undefined],
    ]);
    expect(
      parseEvents(Buffer.from('Code=AccessControl;action=Pulse;index=0;data={ "UserID" '))[0]?.fields.UserID,
    ).toBeUndefined();
    expect(parseEvents(Buffer.from('something else'))).toEqual([]);
  });

  test.each([
    '--myboundary\r\n',
    'Code={{{{',
    '--myboundary\r\nContent-Type: text/plain\r\n\r\nCode=A;action=B;data={"a":"',
    'HTTP/1.1 200 OK\r\nA: b\r\n',
  ])('four times as much of %j in small pieces takes about four times as long', (text) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=myboundary\r\n\r\n';
    const timeMs = (sizeBytes: number): number => {
      const bytes = Buffer.from(head + text.repeat(Math.ceil(sizeBytes / text.length)));
      const decoder = dahuaAsi.decoder(options, 'device');
      const began = process.hrtime.bigint();
      for (let at = 0; at < bytes.length; at += 97) decoder.push(bytes.subarray(at, at + 97));
      decoder.end();
      return Number(process.hrtime.bigint() - began) / 1e6;
    };
    timeMs(20_000);
    // A decoder that scans again would take sixteen times as long; the machine may be busy with other things.
    expect(timeMs(200_000)).toBeLessThan(10 * timeMs(50_000) + 500);
  });
});

test('captures hold the punches that they show', () => {
  const told = punchesIn(decode('device', sample('answers.device.cap').bytes));
  expect(
    told.map(({ deviceUserId, wallTime, verify, direction, seq }) => [deviceUserId, wallTime, verify, direction, seq]),
  ).toEqual([
    ['20250017', '2025-09-01 08:05:30', 'face', 'unknown', 1031],
    ['20250018', '2025-09-01 08:06:30', 'card', 'in', 1033],
    ['A0042', '2025-09-01 08:07:00', 'face', 'unknown', 7],
  ]);
  const live = punchesIn(decode('device', sample('stream.device.cap').bytes));
  expect(live.map(({ deviceUserId, wallTime, source }) => [deviceUserId, wallTime, source])).toEqual([
    ['20250017', '2025-09-01 08:05:30', 'realtime'],
    ['20250017', '2025-09-01 08:05:30', 'realtime'],
    ['20250018', '2025-09-01 08:06:00', 'realtime'],
  ]);
});

test('no field of a message holds a person or a login', () => {
  const shown = samples.flatMap(({ from, bytes }) =>
    decode(from, bytes).flatMap((item) => (item.kind === 'message' ? [JSON.stringify([item.name, item.fields])] : [])),
  );
  expect(shown.join('\n')).not.toMatch(/张三|李四|20250017|20250018|E79F68|%E5|userpic/);
});

describe('scrubbing', () => {
  const masks: Masks = {
    id: (told) => (/^\d+$/.test(told) ? '9'.repeat(told.length) : 'Z'.repeat(told.length)),
    filler: (length) => Buffer.alloc(length, 'x'),
  };
  const scrub = (from: Sample['from'], bytes: Uint8Array): Uint8Array => dahuaAsi.scrub(options, from, bytes, masks);

  test.each(samples.map((one) => [one.name, one] as const))(
    '%s keeps its punches and loses its persons',
    (_name, { from, bytes }) => {
      const clean = scrub(from, bytes);
      expect(clean.length).toBe(bytes.length);
      for (const word of [
        '20250017',
        '20250018',
        'A0042',
        '张三',
        '李四',
        '%E5%BC%A0',
        'E79F68F1',
        '0123456789abcdef',
        '6fa1c3',
      ])
        expect(Buffer.from(clean).includes(word), word).toBe(false);
      const masked = (punch: PunchRecord): unknown => ({
        ...punch,
        raw: null,
        deviceUserId: masks.id(punch.deviceUserId),
      });
      expect(punchesIn(decode(from, clean)).map((punch) => ({ ...punch, raw: null }))).toEqual(
        punchesIn(decode(from, bytes)).map(masked),
      );
      const names = (items: readonly Decoded[]): string[] =>
        items.flatMap((item) => (item.kind === 'message' ? [item.name] : []));
      expect(names(decode(from, clean))).toEqual(names(decode(from, bytes)));
    },
  );

  test('pictures become filler', () => {
    const { bytes } = sample('stream.device.cap');
    expect(Buffer.from(bytes).includes(Buffer.from([0xff, 0xd8, 0xff]))).toBe(true);
    expect(Buffer.from(scrub('device', bytes)).includes(Buffer.from([0xff, 0xd8, 0xff]))).toBe(false);
  });

  test('spoilt bytes never raise anything but a GatewayError, and keep their length', () => {
    const random = seededRandom(7);
    const pick = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 3000; round += 1) {
      const one = samples[pick(samples.length)];
      if (!one) throw new Error('no samples');
      const from = pick(one.bytes.length - 300);
      const bytes = Uint8Array.from(one.bytes.subarray(from, from + 600));
      for (let count = 1 + pick(6); count > 0; count -= 1) bytes[pick(bytes.length)] = pick(256);
      try {
        expect(scrub(one.from, bytes).length).toBe(bytes.length);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
    }
  });
});
