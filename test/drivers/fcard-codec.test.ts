/** FC-8x00 frames: the worked example, flags and escapes, first bytes of a caller, captures without persons. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hex, parseHex } from '../../src/core/bytes.js';
import { GatewayError } from '../../src/core/errors.js';
import type { Decoded, Masks, PunchRecord } from '../../src/drivers/driver.js';
import { COMMAND, createFrameRule, encodeAnswer, encodeRequest, parseFrame } from '../../src/drivers/fcard/codec.js';
import { fcard } from '../../src/drivers/fcard/driver.js';
import { encodeName, nameThatFits, userNumber } from '../../src/drivers/fcard/person.js';
import { decodeSlots, encodeRecord, encodeSlots } from '../../src/drivers/fcard/records.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { createFramer, type Cut } from '../../src/drivers/framing.js';
import type { WallTime } from '../../src/core/time.js';
import { loadCaptures } from './rig.js';

const captures = loadCaptures(join(import.meta.dirname, '../captures/fcard'));
const capture = (from: 'device' | 'gateway'): Uint8Array =>
  captures.find((one) => one.from === from)?.bytes ?? new Uint8Array(0);
const password = new Uint8Array(4).fill(0xff);
const envelope = { sn: 'FC-8300T25010001', password, code: 0x2a00007e };

function decode(from: 'device' | 'gateway', bytes: Uint8Array): Decoded[] {
  const decoder = fcard.decoder(fcard.options.parse({}), from);
  return [...decoder.push(bytes), ...decoder.end()];
}
const punches = (items: readonly Decoded[]): PunchRecord[] =>
  items.flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
const omit = (punch: PunchRecord, ...keys: readonly (keyof PunchRecord)[]): object =>
  Object.fromEntries(Object.entries(punch).filter(([key]) => !keys.includes(key as keyof PunchRecord)));
const cuts = (bytes: Uint8Array, final = false): readonly Cut[] => {
  const framer = createFramer(createFrameRule());
  return [...framer.push(bytes), ...(final ? framer.flush() : [])];
};
const kinds = (list: readonly Cut[]): string[] => list.map((cut) => `${cut.kind} ${cut.bytes.length}`);

test('the worked example is what the encoder writes', () => {
  expect(hex(encodeRequest({ ...envelope, sn: '0'.repeat(16) }, COMMAND.readSn))).toBe(
    `7E ${'30 '.repeat(16)}FF FF FF FF 2A 00 00 7F 01 01 02 00 00 00 00 00 A7 7E`,
  );
  const clock = encodeRequest({ ...envelope, code: 0x2a00007f }, COMMAND.readClock);
  expect(hex(clock)).toMatch(/^7E 46 43 2D .* 2A 00 00 7F 02 02 01 00 00 00 00 00 06 7E$/);
});

test('the capture of a terminal says what it says', () => {
  const items = decode('device', capture('device'));
  expect(items.flatMap((item) => (item.kind === 'message' ? [item.name] : []))).toEqual([
    'read-sn',
    'clock',
    'stores',
    'records',
    'records',
    'ok',
    'live-record',
    'live-record',
    'keep-alive',
    'connection-test',
    'read-persons',
    'clock',
  ]);
  expect(punches(items).map((punch) => omit(punch, 'raw'))).toEqual([
    {
      deviceUserId: '20250017',
      deviceUid: null,
      wallTime: '2025-09-01 08:05:30',
      direction: 'in',
      directionRaw: 1,
      verify: 'face',
      verifyRaw: 3,
      score: null,
      seq: 1031,
      source: 'poll',
    },
    expect.objectContaining({ deviceUserId: '42', wallTime: '2025-09-01 17:30:02', direction: 'out', verify: 'card' }),
    expect.objectContaining({ deviceUserId: '20250017', seq: 1031, source: 'realtime' }),
  ]);
  const shown = JSON.stringify(items.map((item) => (item.kind === 'message' ? item.fields : {})));
  expect(shown).toContain('2025-09-01 08:BB:5A');
  expect(shown).not.toMatch(/张三|Anna|12345678|1234FFFF|A0017/i);
});

describe('flags and escapes', () => {
  const one = encodeAnswer(envelope, COMMAND.readClock, Uint8Array.of(0x7e, 0x7f, 1));
  const two = encodeAnswer(envelope, COMMAND.readSn);

  test('one flag may close a frame and open the next, and empty frames are ignored', () => {
    const shared = Buffer.concat([one, two.subarray(1), Uint8Array.of(0x7e, 0x7e), one]);
    expect(kinds(cuts(shared))).toEqual([`frame ${one.length}`, `frame ${two.length - 1}`, `frame ${one.length + 2}`]);
    expect(cuts(shared).map((cut) => parseFrame(cut.bytes, 'device').index)).toEqual([1, 2, 1]);
  });

  test('a frame that was cut short does not swallow the next', () => {
    for (let size = 1; size < one.length; size += 1) {
      const list = cuts(Buffer.concat([one.subarray(0, size), two]));
      expect(list.at(-1)).toMatchObject({ kind: 'frame' });
      expect(parseFrame(list.at(-1)?.bytes ?? one, 'device').index).toBe(2);
    }
  });

  test('an escape that does not exist drops the frame at once, a wrong sum at its end', () => {
    const broken = Uint8Array.from(one);
    broken[broken.indexOf(0x7f) + 1] = 3;
    expect(cuts(broken)[0]).toMatchObject({ kind: 'noise' });
    const spoilt = Uint8Array.from(one);
    spoilt[10] = 0x55;
    expect(cuts(Buffer.concat([spoilt, two])).map((cut) => cut.kind)).toEqual(['noise', 'frame']);
  });

  test('an announced length beyond every bound is noise, and a flood of flags costs little', () => {
    const long = Uint8Array.from(two);
    long[28] = 0x7a;
    expect(cuts(long)[0]).toMatchObject({ kind: 'noise' });
    const began = process.hrtime.bigint();
    decode('device', new Uint8Array(200_000).fill(0x7e));
    decode('device', new Uint8Array(200_000).fill(0x41));
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(2000);
  });
});

test('requests that clear a store or open the door cannot be built', () => {
  for (const [type, index] of [
    [8, 2],
    [3, 3],
  ] as const)
    expect(() => encodeRequest(envelope, { type, index, par: 0 })).toThrow(GatewayError);
});

test('slots of another store, or of half a record, are no records', () => {
  expect(() => decodeSlots(parseHex('00 00 00 02 00 00 00 01'))).toThrow(/08 04/);
});

test('names are cut at a whole character, user numbers are u32', () => {
  expect(nameThatFits('张三')).toBe('张三');
  expect(nameThatFits('一二三四五六七八九十一二三四五六')).toBe('一二三四五六七八九十一二三四五');
  expect(nameThatFits('一二三四五六七八九十一二三四𠮷')).toBe('一二三四五六七八九十一二三四');
  expect(encodeName('𠮷').subarray(0, 4)).toEqual(parseHex('D8 42 DF B7'));
  expect(['1', '4294967295', '0', '007', '4294967296', 'A1', '', '1.5', '-1'].map(userNumber)).toEqual([
    1,
    4294967295,
    ...Array<null>(7).fill(null),
  ]);
});

describe('the first bytes of a caller', () => {
  const hear = (bytes: Uint8Array) => fcard.called?.hear(bytes);
  const keepAlive = encodeAnswer({ ...envelope, code: 0xffffffff }, { type: 0x19, index: 0x22, par: 0 });

  test('are known by a whole frame, and refused as early as can be told', () => {
    expect(hear(keepAlive)).toEqual({ is: 'yes', serial: 'FC-8300T25010001' });
    expect(hear(Buffer.concat([keepAlive, keepAlive.subarray(0, 20)]))).toMatchObject({ is: 'yes' });
    expect(hear(keepAlive.subarray(0, 20))).toEqual({ is: 'more' });
    expect(hear(new Uint8Array(0))).toEqual({ is: 'more' });
    for (const other of ['GET /iclock/', 'POST /Record/', '\xa5\0\0\0', 'P', '~\x02\0\0']) {
      expect(hear(Buffer.from(other, 'latin1'))).toEqual({ is: 'no' });
    }
    // A request is what a gateway says, not a terminal; and a spoilt frame names nobody.
    expect(hear(encodeRequest(envelope, COMMAND.readSn))).toEqual({ is: 'no' });
    const spoilt = Uint8Array.from(keepAlive);
    spoilt[12] = 0x58;
    expect(hear(spoilt)).toEqual({ is: 'no' });
  });
});

describe('a capture without persons', () => {
  const masks: Masks = {
    id: (told) =>
      told.replace(/\d/g, (digit, at: number) => String((Number(digit) * 7 + 3) % 10 || (at === 0 ? 5 : 0))),
    filler: (length) => Buffer.alloc(length, 'Q'),
  };
  const scrub = (from: 'device' | 'gateway', bytes: Uint8Array): Uint8Array =>
    fcard.scrub(fcard.options.parse({}), from, bytes, masks);

  test.each(['device', 'gateway'] as const)('from the %s gives the same with masked ids', (from) => {
    const before = capture(from);
    const after = scrub(from, before);
    expect(after.length).toBe(before.length);
    const [plain, clean] = [decode(from, before), decode(from, after)];
    expect(clean.map((item) => (item.kind === 'message' ? item.name : item.kind))).toEqual(
      plain.map((item) => (item.kind === 'message' ? item.name : item.kind)),
    );
    expect(punches(clean).map((punch) => omit(punch, 'raw', 'deviceUserId'))).toEqual(
      punches(plain).map((punch) => omit(punch, 'raw', 'deviceUserId')),
    );
    expect(punches(clean).map((punch) => punch.deviceUserId)).toEqual(
      punches(plain).map((punch) => masks.id(punch.deviceUserId)),
    );
    // 20250017 and the name, card and password of the capture.
    for (const secret of ['01 34 FD A1', '5F 20 4E 09', '00 41 00 6E', '12 34 56 78', '12 34 FF FF', '00 41 00 30'])
      expect(hex(after)).not.toContain(secret);
  });

  test('keeps the length whatever the numbers are, and never throws anything but a GatewayError', () => {
    const random = seededRandom(7);
    const pick = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 3000; round += 1) {
      const special = (): number => [0x7e7f7e7f, 0x7e, 0x7f7f, pick(2 ** 32)][pick(4)] ?? 0;
      const record = encodeRecord({
        serial: pick(2 ** 32),
        user: special(),
        wallTime: '2025-09-01 08:05:30' as WallTime,
        access: 1,
        event: 3,
        photo: 0,
      });
      const slot = Buffer.concat([Uint8Array.of(0, 0, 0, 1), record]);
      const frame = encodeAnswer(
        { ...envelope, code: pick(2 ** 32), password: Uint8Array.from({ length: 4 }, () => 0x7c + pick(5)) },
        { type: 0x38, index: 4, par: 0 },
        encodeSlots([slot, slot]),
      );
      const clean = scrub('device', frame);
      expect(clean.length).toBe(frame.length);
      expect(punches(decode('device', clean))).toHaveLength(2);
      const spoilt = Uint8Array.from(capture('device'));
      for (let count = pick(9); count > 0; count -= 1) spoilt[pick(spoilt.length)] = pick(256);
      expect(scrub('device', spoilt.subarray(0, 700)).length).toBe(700);
    }
  });

  test('noise and unknown data become zeros', () => {
    const face = encodeAnswer(envelope, { type: 0x3b, index: 0x15, par: 2 }, Buffer.from('a face or a photo'));
    const clean = scrub('device', Buffer.concat([Buffer.from('20250017 Anna'), face]));
    expect(Buffer.from(clean).toString('latin1')).not.toMatch(/20250017|Anna|face|photo/);
  });
});
