/** The worked examples of the protocol as bytes: they were computed apart from this code and are its independent witness. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hex, parseHex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import type { Decoded, PunchRecord } from '../../src/drivers/driver.js';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import {
  checksum,
  decodePacket,
  encodeChunkRequest,
  encodeDataRequest,
  encodePacket,
  scrambleCommKey,
  tcpFrame,
  NO_DATA,
} from '../../src/drivers/zk-standalone/codec.js';
import { COMMAND, verifyOf } from '../../src/drivers/zk-standalone/codes.js';
import { attendanceLayout, stateComesFirst } from '../../src/drivers/zk-standalone/layout.js';
import {
  decodeAttendance,
  decodeEvent,
  decodeSizes,
  decodeTime,
  decodeUser,
  encodeAttendance,
  encodeOption,
  encodeSizes,
  encodeTime,
  isRealDate,
} from '../../src/drivers/zk-standalone/records.js';
import { decodeText, encodeText } from '../../src/drivers/zk-standalone/text.js';
import { loadCaptures } from './rig.js';

const SESSION = 0x4b1d;
const captures = loadCaptures(fileURLToPath(new URL('../captures/zk-standalone', import.meta.url)));
const wall = (text: string): WallTime => text as WallTime;

function decodeCapture(name: string): readonly Decoded[] {
  const sample = captures.find((one) => one.name === name);
  if (!sample) throw new Error(`no capture ${name}`);
  const decoder = zkStandalone.decoder(zkStandalone.options.parse({}), sample.from);
  return [...decoder.push(sample.bytes), ...decoder.end()];
}

const punchesOf = (items: readonly Decoded[]): PunchRecord[] =>
  items.flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));

describe('packets', () => {
  test.each([
    ['CONNECT', COMMAND.CONNECT, 0, 0, NO_DATA, '50 50 82 7D 08 00 00 00 E8 03 17 FC 00 00 00 00'],
    [
      'AUTH',
      COMMAND.AUTH,
      SESSION,
      1,
      scrambleCommKey(8421, SESSION),
      '50 50 82 7D 0C 00 00 00 4E 04 FB A3 1D 4B 01 00 65 DA 32 32',
    ],
    ['event answer', COMMAND.ACK_OK, SESSION, 0, NO_DATA, '50 50 82 7D 08 00 00 00 D0 07 12 AD 1D 4B 00 00'],
  ] as const)('%s on TCP', (_name, command, session, reply, data, bytes) => {
    expect(hex(tcpFrame({ command, session, reply, data }))).toBe(bytes);
  });

  test.each([
    ['GET_FREE_SIZES', COMMAND.GET_FREE_SIZES, 4, NO_DATA, '32 00 AC B4 1D 4B 04 00'],
    [
      'option request',
      COMMAND.OPTIONS_RRQ,
      2,
      encodeOption('~SerialNumber'),
      '0B 00 D2 6B 1D 4B 02 00 7E 53 65 72 69 61 6C 4E 75 6D 62 65 72 00',
    ],
    ['REG_EVENT', COMMAND.REG_EVENT, 11, Uint8Array.of(1, 0, 0, 0), 'F4 01 E2 B2 1D 4B 0B 00 01 00 00 00'],
    ['ENABLE', COMMAND.ENABLE, 10, NO_DATA, 'EA 03 EE B0 1D 4B 0A 00'],
    ['SET_TIME', COMMAND.SET_TIME, 3, Uint8Array.of(0xca, 0x23, 0x2c, 0x31), 'CA 00 1F 5F 1D 4B 03 00 CA 23 2C 31'],
    [
      'DATA_WRRQ',
      COMMAND.DATA_WRRQ,
      6,
      encodeDataRequest(COMMAND.ATTLOG_RRQ, 0),
      'DF 05 FC A1 1D 4B 06 00 01 0D 00 00 00 00 00 00 00 00 00',
    ],
    ['DATA_RDY', COMMAND.DATA_RDY, 7, encodeChunkRequest(0, 84), 'E0 05 A7 AE 1D 4B 07 00 00 00 00 00 54 00 00 00'],
    ['FREE_DATA', COMMAND.FREE_DATA, 8, NO_DATA, 'DE 05 FC AE 1D 4B 08 00'],
  ] as const)('%s as it goes on UDP', (_name, command, reply, data, bytes) => {
    expect(hex(encodePacket({ command, session: SESSION, reply, data }))).toBe(bytes);
  });

  test('the request for users', () => {
    expect(hex(encodeDataRequest(COMMAND.USERTEMP_RRQ, 5))).toBe('01 09 00 05 00 00 00 00 00 00 00');
  });

  test('a checksum off by one is near, any other wrong, and neither is an error', () => {
    const bytes = encodePacket({ command: 2000, session: SESSION, reply: 5, data: Uint8Array.of(1, 2, 3) });
    const told = checksum(bytes);
    const seen = [0, 1, -1, 2, -2].map((off) => {
      const spoilt = Uint8Array.from(bytes);
      new DataView(spoilt.buffer).setUint16(2, (told + off) & 0xffff, true);
      return decodePacket(spoilt).checksum;
    });
    expect(seen).toEqual(['exact', 'near', 'near', 'wrong', 'wrong']);
  });

  test('every packet of the captures has the exact checksum', () => {
    for (const { name } of captures)
      for (const item of decodeCapture(name))
        if (item.kind === 'message') expect(item.fields, `${name} ${item.name}`).not.toHaveProperty('checksum');
  });

  test.each([
    [0, SESSION, '61 7D 32 32'],
    [8421, SESSION, '65 DA 32 32'],
    [999_999, 1, '23 81 32 89'],
  ])('comm key %i, session %i', (key, session, expected) => {
    expect(hex(scrambleCommKey(key, session))).toBe(expected);
  });
});

describe('values', () => {
  test('time: 2025-09-01 08:05:30 is CA 23 2C 31, zero is a dead battery, and 30 February can be said', () => {
    expect(encodeTime(wall('2025-09-01 08:05:30'))).toBe(0x312c23ca);
    expect(decodeTime(0x312c23ca)).toBe('2025-09-01 08:05:30');
    expect(decodeTime(0)).toBe('2000-01-01 00:00:00');
    expect(decodeTime(encodeTime(wall('2025-02-30 08:00:00')))).toBe('2025-02-30 08:00:00');
    expect(isRealDate(wall('2025-02-30 08:00:00'))).toBe(false);
    expect(isRealDate(wall('2024-02-29 08:00:00'))).toBe(true);
    expect(() => encodeTime(wall('1999-12-31 23:59:59'))).toThrow('1999');
  });

  test('a user of 72 bytes with a GBK name; what stands after a NUL is rubbish', () => {
    const raw = Buffer.concat([
      parseHex('07 00 00 31 32 00 FF FF FF FF FF D5 C5 C8 FD'),
      Buffer.alloc(20),
      parseHex('78 56 34 12 01 00 00 00 00 00 00 00 00'),
      Buffer.from('20250017'),
      Buffer.alloc(16),
    ]);
    expect(decodeUser(raw, 'auto')).toEqual({ uid: 7, id: '20250017', name: '张三', privilege: 0, card: 305_419_896 });
  });

  test('text: UTF-8 where valid, else GBK; a field may end in half a character; an option decides otherwise', () => {
    expect(decodeText(encodeText('王小明', 'utf-8'), 'auto')).toBe('王小明');
    expect(decodeText(encodeText('王小明', 'gbk'), 'auto')).toBe('王小明');
    expect(decodeText(encodeText('王小明', 'gbk').subarray(0, 5), 'auto')).toBe('王小');
    expect(decodeText(encodeText('王小明', 'utf-8').subarray(0, 8), 'auto')).toBe('王小');
    expect(decodeText(encodeText('王小明', 'gbk'), 'gbk')).toBe('王小明');
    expect(decodeText(Uint8Array.of(0x41, 0, 0xd5, 0xc5), 'auto')).toBe('A');
  });

  test('counters: 80, 92 and cut short', () => {
    const sizes = { users: 3, records: 1234, recordCapacity: 100_000 };
    expect(decodeSizes(encodeSizes(sizes, 92))).toMatchObject({ users: 3, records: 1234, faces: 3 });
    expect(decodeSizes(encodeSizes(sizes, 80))).toMatchObject({ records: 1234, recordsFree: 98_766, faces: null });
    expect(decodeSizes(encodeSizes(sizes, 36))).toMatchObject({ records: 1234, recordCapacity: null });
    expect(decodeSizes(encodeSizes(sizes, 20))).toMatchObject({ users: 3, records: null });
    expect(decodeSizes(NO_DATA)).toMatchObject({ users: null, records: null });
  });

  test('methods: face is 15, 128 more is the same method, combinations are said so, the rest is unknown', () => {
    expect([0, 1, 2, 15, 25, 143, 17, 99].map(verifyOf)).toEqual([
      'password',
      'finger',
      'card',
      'face',
      'palm',
      'face',
      'combo',
      'unknown',
    ]);
  });

  test('events of an unknown length, or with bytes that are no time, are not guessed at', () => {
    expect(decodeEvent(new Uint8Array(11), 'auto')).toBeNull();
    expect(decodeEvent(Uint8Array.of(42, 0, 15, 0, 25, 9, 1, 8, 5, 200), 'auto')).toBeNull();
  });

  test('a live event and the record of the same punch have one identity', () => {
    const [event] = punchesOf(decodeCapture('session-40.device.cap')).filter((one) => one.source === 'realtime');
    const [record] = punchesOf(decodeCapture('session-40.device.cap')).filter((one) => one.source === 'poll');
    expect([event?.deviceUserId, event?.wallTime]).toEqual([record?.deviceUserId, record?.wallTime]);
  });
});

describe('layouts', () => {
  const records = (size: 8 | 16 | 40, count: number): Uint8Array =>
    Buffer.concat(
      Array.from({ length: count }, (_, index) =>
        encodeAttendance(
          {
            uid: index + 1,
            userId: String(20_250_001 + index),
            verify: 15,
            state: index % 2,
            wallTime: wall(`2025-09-01 08:${String(index % 60).padStart(2, '0')}:00`),
          },
          size,
        ),
      ),
    );

  test.each([8, 16, 40] as const)('%i bytes: by the count, by the looks when the count is wrong or missing', (size) => {
    const body = records(size, 30);
    expect(attendanceLayout(body, body.length, 30)).toEqual({ size, anomaly: null });
    expect(attendanceLayout(body, body.length, null).size).toBe(size);
    for (const count of [0, 1, 29, 31, 6, 75, 150, 1000]) {
      const layout = attendanceLayout(body, body.length, count);
      expect(layout.size, `count ${count}`).toBe(size);
      expect(layout.anomaly, `count ${count}`).not.toBeNull();
    }
  });

  test('a wrong counter that happens to divide to another size does not beat records that look right', () => {
    const body = records(16, 2);
    expect(attendanceLayout(body, body.length, 4).size).toBe(16);
    const wide = records(40, 2);
    for (const count of [5, 10]) expect(attendanceLayout(wide, wide.length, count).size).toBe(40);
  });

  test('records of no known size are said to be unknown, not misread', () => {
    const strange = Buffer.concat(Array.from({ length: 10 }, (_, index) => Buffer.alloc(49, 0xe0 + index)));
    expect(attendanceLayout(strange, strange.length, 10).size).toBeNull();
  });

  test('the order of method and state in 16 bytes is seen from values that cannot be a state', () => {
    const record = { uid: 1, userId: '42', verify: 15, state: 1, wallTime: wall('2025-09-01 08:00:00') };
    expect(stateComesFirst(encodeAttendance(record, 16, true))).toBe(true);
    expect(stateComesFirst(encodeAttendance(record, 16, false))).toBe(false);
    expect(stateComesFirst(encodeAttendance({ ...record, verify: 1 }, 16, true))).toBe(false);
    expect(decodeAttendance(encodeAttendance(record, 16, true), true, 'auto')).toMatchObject({ verify: 15, state: 1 });
  });
});

describe('decoding captures', () => {
  test('a session with two records of 40 bytes and one event', () => {
    const punches = punchesOf(decodeCapture('session-40.device.cap'));
    expect(
      punches.map(({ deviceUserId, deviceUid, wallTime, verify, direction, source }) => ({
        deviceUserId,
        deviceUid,
        wallTime,
        verify,
        direction,
        source,
      })),
    ).toEqual([
      {
        deviceUserId: '20250017',
        deviceUid: 7,
        wallTime: '2025-09-01 08:05:30',
        verify: 'face',
        direction: 'in',
        source: 'poll',
      },
      {
        deviceUserId: 'T-0042',
        deviceUid: 8,
        wallTime: '2025-09-01 08:06:02',
        verify: 'card',
        direction: 'out',
        source: 'poll',
      },
      {
        deviceUserId: '20250017',
        deviceUid: null,
        wallTime: '2025-09-01 08:05:30',
        verify: 'face',
        direction: 'in',
        source: 'realtime',
      },
    ]);
  });

  test('records of 16 bytes', () => {
    expect(
      punchesOf(decodeCapture('records-16.device.cap')).map((one) => [one.deviceUserId, one.wallTime, one.verify]),
    ).toEqual([
      ['20250017', '2025-09-01 08:05:30', 'finger'],
      ['42', '2025-09-01 08:06:02', 'face'],
    ]);
  });

  test('records of 8 bytes are joined with the users before them; an unknown slot stays a number', () => {
    expect(
      punchesOf(decodeCapture('users-72-records-8.device.cap')).map((one) => [one.deviceUid, one.deviceUserId]),
    ).toEqual([
      [7, '20250017'],
      [8, 'T-0042'],
      [9, '9'],
    ]);
  });

  test('events of every length', () => {
    expect(punchesOf(decodeCapture('events.device.cap')).map((one) => one.deviceUserId)).toEqual([
      '42',
      '20250017',
      '43',
      '20250017',
      '20250017',
      '20250017',
      '20250017',
      '20250017',
      'T-0042',
    ]);
  });

  test("the gateway's own side is named, and the comm key is not shown", () => {
    const items = decodeCapture('session-40.gateway.cap');
    expect(items.map((item) => (item.kind === 'message' ? item.name : item.kind))).toEqual([
      'CONNECT',
      'AUTH',
      'OPTIONS_RRQ',
      'SET_TIME',
      'GET_FREE_SIZES',
      'DATA_WRRQ',
      'DATA_RDY',
      'FREE_DATA',
      'ENABLE',
      'REG_EVENT',
      'ACK_OK',
    ]);
    expect(JSON.stringify(items.map((item) => (item.kind === 'message' ? item.fields : null)))).not.toContain('8421');
  });
});
