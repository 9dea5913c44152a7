import { describe, expect, it } from 'vitest';
import { hex, parseHex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import {
  authRequest,
  clearNewRequest,
  COMMAND,
  crc,
  decodePage,
  decodeRecord,
  encodeAnswer,
  encodeClock,
  encodeCounters,
  encodePage,
  encodeRecord,
  encodeRequest,
  frameRule,
  lineRule,
  pageRequest,
  parseFrame,
  realTimeRequest,
  secondsToWall,
  wallToSeconds,
  type Command,
} from '../../src/drivers/anviz-tcb/codec.js';
import { anvizOptions } from '../../src/drivers/anviz-tcb/options.js';
import { punchOf } from '../../src/drivers/anviz-tcb/punch.js';
import { decodeUser, decodeUsers, encodeUser } from '../../src/drivers/anviz-tcb/users.js';
import { createFramer } from '../../src/drivers/framing.js';

const FIRST = '00 01 34 FD A1 30 46 BE CA 01 80 00 00 00';
const SECOND = '00 00 00 00 2A 30 47 43 1A 08 81 00 00 07';
const wall = (text: string): WallTime => text as WallTime;

describe('frames, byte for byte', () => {
  it('computes the checksum known as MCRF4XX', () => {
    expect(crc(Buffer.from('123456789'))).toBe(0x6f91);
  });

  it.each<[string, Command, Uint8Array | undefined, string]>([
    ['counters', COMMAND.counters, undefined, 'A5 00 00 00 01 3C 00 00 49 A9'],
    ['clock', COMMAND.clock, undefined, 'A5 00 00 00 01 38 00 00 28 CA'],
    [
      'set clock',
      COMMAND.setClock,
      encodeClock(wall('2025-09-01 08:05:30')),
      'A5 00 00 00 01 39 00 06 19 09 01 08 05 1E 4E DD',
    ],
    ['model', COMMAND.model, undefined, 'A5 00 00 00 01 48 00 00 F0 4A'],
    ['new records', COMMAND.records, pageRequest(2, 25), 'A5 00 00 00 01 40 00 02 02 19 3E C0'],
    ['next page', COMMAND.records, pageRequest(0, 25), 'A5 00 00 00 01 40 00 02 00 19 8E F3'],
    ['same page again', COMMAND.records, pageRequest(0x10, 25), 'A5 00 00 00 01 40 00 02 10 19 1F 66'],
    ['clear two flags', COMMAND.clearNew, clearNewRequest(2), 'A5 00 00 00 01 4E 00 04 02 00 00 02 9E 6D'],
    [
      'authentication',
      COMMAND.auth,
      authRequest('admin', '12345'),
      'A5 00 00 00 01 04 00 18 61 64 6D 69 6E 00 00 00 00 00 00 00 31 32 33 34 35 00 00 00 00 00 00 00 96 F2',
    ],
    ['heartbeat', COMMAND.heartbeat, undefined, 'A5 00 00 00 01 7F 00 00 5B 40'],
  ])('request: %s', (_name, command, data, expected) => {
    const bytes = encodeRequest(1, command, data);
    expect(hex(bytes)).toBe(expected);
    expect(parseFrame(bytes)).toMatchObject({ kind: 'request', address: 1, command });
    expect(frameRule.measure(bytes)).toBe(bytes.length);
    expect(frameRule.check(bytes)).toBe(true);
  });

  it.each<[string, number, number, Uint8Array | undefined, string]>([
    [
      'counters',
      COMMAND.counters,
      0,
      encodeCounters({ users: 12, fingers: 5, passwords: 2, cards: 12, records: 1030, newRecords: 3 }),
      'A5 00 00 00 01 BC 00 00 12 00 00 0C 00 00 05 00 00 02 00 00 0C 00 04 06 00 00 03 9E 20',
    ],
    [
      'clock',
      COMMAND.clock,
      0,
      encodeClock(wall('2025-09-01 08:05:30')),
      'A5 00 00 00 01 B8 00 00 06 19 09 01 08 05 1E B0 02',
    ],
    ['set clock', COMMAND.setClock, 0, undefined, 'A5 00 00 00 01 B9 00 00 00 55 9C'],
    ['model', COMMAND.model, 0, Buffer.from('FACE7\0\0\0'), 'A5 00 00 00 01 C8 00 00 08 46 41 43 45 37 00 00 00 AB 6A'],
    ['no such user', 0x44, 6, undefined, 'A5 00 00 00 01 C4 06 00 00 46 9B'],
    [
      'two records',
      COMMAND.records,
      0,
      encodePage([parseHex(FIRST), parseHex(SECOND)]),
      `A5 00 00 00 01 C0 00 00 1D 02 ${FIRST} ${SECOND} 43 52`,
    ],
    ['empty page', COMMAND.records, 0, encodePage([]), 'A5 00 00 00 01 C0 00 00 01 00 FB 58'],
    ['two flags cleared', COMMAND.clearNew, 0, Uint8Array.of(0, 0, 2), 'A5 00 00 00 01 CE 00 00 03 00 00 02 28 DA'],
    ['live record', COMMAND.realTime, 0, parseHex(FIRST), `A5 00 00 00 01 DF 00 00 0E ${FIRST} 0E BA`],
    ['heartbeat', COMMAND.heartbeat, 0, undefined, 'A5 00 00 00 01 FF 00 00 00 78 C1'],
  ])('answer: %s', (_name, command, ret, data, expected) => {
    const bytes = encodeAnswer(1, command, ret, data);
    expect(hex(bytes)).toBe(expected);
    expect(parseFrame(bytes)).toMatchObject({ kind: 'answer', address: 1, command, ret });
    expect(frameRule.measure(bytes)).toBe(bytes.length);
    expect(frameRule.check(bytes)).toBe(true);
  });

  it('never builds a request that erases records or flags nobody has read', () => {
    for (const type of [0, 1, 3, 0xff]) {
      expect(() => encodeRequest(1, COMMAND.clearNew, Uint8Array.of(type, 0, 0, 1))).toThrow(
        expect.objectContaining({ code: 'forbidden-request', kind: 'bug' }),
      );
    }
    expect(() => encodeRequest(1, COMMAND.clearNew)).toThrow(expect.objectContaining({ code: 'forbidden-request' }));
  });

  it('switches the real-time mode and keeps every other setting', () => {
    expect(hex(realTimeRequest(false))).toBe('FF FF FF FF 00 FF FF FF FF FF FF FF FF FF FF');
    expect(realTimeRequest(true)[4]).toBe(1);
  });

  it('takes a template of face models, and no endless announcement inside noise', () => {
    const template = encodeAnswer(1, 0x44, 0, new Uint8Array(15_360));
    expect(frameRule.measure(template)).toBe(template.length);
    expect(frameRule.measure(parseHex('A5 00 00 00 01 BC 00 FF FF 00'))).toBe('no');
    expect(frameRule.measure(parseHex('A5 00 00 00 01 BC 00 00'))).toBe('more');
  });

  it('waits for no template on a line where nobody asks for one', () => {
    const beginning = encodeAnswer(1, 0x44, 0, new Uint8Array(15_360)).subarray(0, 100);
    const frame = encodeAnswer(1, COMMAND.clock, 0, new Uint8Array(6));
    const framer = createFramer(lineRule);
    const cuts = framer.push(Buffer.concat([beginning, frame]));
    expect(cuts.filter((cut) => cut.kind === 'frame').map((cut) => hex(cut.bytes))).toEqual([hex(frame)]);
  });

  it('finds a frame behind an A5 that only looks like a beginning', () => {
    const frame = encodeAnswer(0xa5a5a5a5, COMMAND.records, 0, encodePage([new Uint8Array(14).fill(0xa5)]));
    const framer = createFramer(frameRule);
    const cuts = [...framer.push(parseHex('A5 A5 00 A5')), ...framer.push(frame), ...framer.flush()];
    expect(cuts.filter((cut) => cut.kind === 'frame').map((cut) => hex(cut.bytes))).toEqual([hex(frame)]);
  });
});

describe('records', () => {
  it('reads the worked examples', () => {
    const options = anvizOptions.parse({});
    expect(punchOf(decodeRecord(parseHex(FIRST)), options, 'poll')).toMatchObject({
      deviceUserId: '20250017',
      wallTime: '2025-09-01 08:05:30',
      verify: 'finger',
      verifyRaw: 1,
      direction: 'in',
      directionRaw: 0x80,
    });
    const second = decodeRecord(parseHex(SECOND));
    expect(second).toMatchObject({ userId: '42', workCode: 7 });
    expect(punchOf(second, options, 'poll')).toMatchObject({
      wallTime: '2025-09-01 17:30:02',
      verify: 'card',
      direction: 'out',
    });
    expect(hex(encodeRecord(decodeRecord(parseHex(FIRST))))).toBe(FIRST);
  });

  it('keeps ids beyond 2^32', () => {
    const raw = encodeRecord({ userId: '999999999999', seconds: 1, backup: 0, state: 0, workCode: 0 });
    expect(hex(raw.subarray(0, 5))).toBe('E8 D4 A5 0F FF');
    expect(decodeRecord(raw).userId).toBe('999999999999');
  });

  it('counts from the day that is configured', () => {
    expect(secondsToWall(809_942_730, '2000-01-02')).toBe('2025-09-01 08:05:30');
    expect(secondsToWall(809_942_730, '2000-01-01')).toBe('2025-08-31 08:05:30');
    expect(secondsToWall(0xffffffff, '2000-01-02')).toBe('2136-02-08 06:28:15');
    expect(wallToSeconds(wall('2025-02-30 08:00:00'), '2000-01-02')).toBeNull();
    expect(wallToSeconds(wall('2000-01-01 00:00:00'), '2000-01-02')).toBeNull();
  });

  it('maps codes as the terminal’s definition says, and keeps what it does not know as unknown', () => {
    const options = anvizOptions.parse({ verifyMap: { '16': 'face' }, directionMap: { '2': 'break-out' } });
    const record = (backup: number, state: number) => ({
      userId: '1',
      seconds: 0,
      backup,
      state,
      workCode: 0,
      raw: new Uint8Array(14),
    });
    expect(punchOf(record(16, 0x82), options, 'poll')).toMatchObject({ verify: 'face', direction: 'break-out' });
    expect(punchOf(record(17, 3), options, 'poll')).toMatchObject({ verify: 'unknown', direction: 'unknown' });
    expect(punchOf(record(11, 0), anvizOptions.parse({ faceCode: 11 }), 'poll').verify).toBe('face');
    expect(punchOf(record(11, 0), options, 'poll').verify).toBe('combo');
    expect(punchOf(record(3, 0), options, 'poll').verify).toBe('finger');
    expect(punchOf(record(9, 0), options, 'poll').verify).toBe('combo');
    expect(punchOf(record(0, 0), options, 'poll').verify).toBe('unknown');
  });

  it('believes the length and not the count byte', () => {
    const data = encodePage([parseHex(FIRST)]);
    data[0] = 7;
    expect(decodePage(data)).toMatchObject({ countByte: 7, records: [{ userId: '20250017' }] });
    expect(() => decodePage(data.subarray(0, 14))).toThrow(expect.objectContaining({ code: 'bad-reply' }));
    expect(() => decodePage(new Uint8Array(0))).toThrow(expect.objectContaining({ code: 'bad-reply' }));
  });
});

describe('users', () => {
  const ANSI = '00 00 00 00 2A 50 30 39 00 74 CB B1 C0 EE CB C4 00 00 00 00 00 00 FF 01 06 00 01 00 00 40';

  it('reads the worked example in GBK', () => {
    const user = {
      id: '42',
      name: '李四',
      card: 7_654_321,
      hasPassword: true,
      admin: false,
      department: 255,
      group: 1,
    };
    expect(decodeUser(parseHex(ANSI), 30)).toEqual(user);
    expect(hex(encodeUser({ id: '42', name: '李四', password: 12345, card: 7_654_321 }, 30))).toBe(ANSI);
  });

  it('reads names in UTF-16 big-endian', () => {
    const bytes = encodeUser({ id: '42', name: '李四', password: 12345, card: 7_654_321 }, 40);
    expect(hex(bytes.subarray(12, 18))).toBe('67 4E 56 DB 00 00');
    expect(decodeUser(bytes, 40)).toMatchObject({ id: '42', name: '李四' });
  });

  it('cuts a name at NUL, and half a character off a full field', () => {
    const bytes = Uint8Array.from(parseHex(ANSI));
    bytes.set([0x41, 0, 0xd6, 0xd0, 0xd6], 12);
    expect(decodeUser(bytes, 30).name).toBe('A');
    bytes.set([0xc0, 0xee, 0xcb, 0xc4, 0xc0, 0xee, 0xcb, 0xc4, 0x41, 0xc0], 12);
    expect(decodeUser(bytes, 30).name).toBe('李四李四A');
  });

  it.each([27, 30, 40] as const)('a page of %i bytes each comes back, whatever its count byte says', (layout) => {
    const people = [
      { id: '1', name: '王五' },
      { id: '999999999999', name: 'Anna', admin: true, card: 77 },
      { id: '3', name: '' },
    ];
    const body = people.map((one) => encodeUser(one, layout));
    for (const count of [3, 200]) {
      const users = decodeUsers(Buffer.concat([Uint8Array.of(count), ...body]), layout === 27);
      expect(users.map(({ id, name, admin, card }) => ({ id, name, admin, card }))).toEqual(
        people.map(({ id, name, admin = false, card = null }) => ({ id, name, admin, card })),
      );
    }
  });

  it('refuses a page that fits no layout', () => {
    expect(() => decodeUsers(new Uint8Array(32), false)).toThrow(expect.objectContaining({ code: 'bad-reply' }));
  });
});
