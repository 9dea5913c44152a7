/**
 * Log files on a stick. A file has no requests and no frames, so the shared contract does not fit; what of it does is here: split
 * points, spoilt input, round trips through every format and encoding, completeness, and captures as the independent witness.
 */
import fc from 'fast-check';
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import { GatewayError } from '../../src/core/errors.js';
import type { WallTime } from '../../src/core/time.js';
import type { Decoded, Finding, PunchPage, PunchRecord, TerminalSession } from '../../src/drivers/driver.js';
import { seededRandom } from '../../src/drivers/faults.js';
import { usbFile } from '../../src/drivers/usb-file/driver.js';
import { parseMoment } from '../../src/drivers/usb-file/moment.js';
import {
  benchWire,
  createRig,
  history,
  keyOf,
  loadCaptures,
  readPages,
  type Reading,
  type Rig,
  type RigOptions,
} from './rig.js';
import { createFakeClock } from '../support/fake-clock.js';

const SERIAL = { serial: 'TEST0001' };
const samples = loadCaptures(join(import.meta.dirname, '../captures/usb-file'));
const bytesOf = (name: string): Uint8Array =>
  samples.find((sample) => sample.name === name)?.bytes ?? new Uint8Array(0);

const decode = (chunks: readonly Uint8Array[], options: Readonly<Record<string, unknown>> = {}): Decoded[] => {
  const decoder = usbFile.decoder(usbFile.options.parse({ ...SERIAL, ...options }), 'device');
  return [...chunks.flatMap((chunk) => [...decoder.push(chunk)]), ...decoder.end()];
};
const punchesOf = (items: readonly Decoded[]): PunchRecord[] =>
  items.flatMap((item) => (item.kind === 'punch' ? [item.punch] : []));
const told = (text: string | Uint8Array, options: Readonly<Record<string, unknown>> = {}): string[] =>
  punchesOf(decode([typeof text === 'string' ? Buffer.from(text) : text], options)).map(
    (punch) => `${keyOf(punch)} ${punch.direction} ${punch.verify}`,
  );
const view = (items: readonly Decoded[]): string[] =>
  items.map((item) => (item.kind === 'punch' ? `punch ${keyOf(item.punch)}` : `${item.kind} ${hex(item.bytes)}`));

async function firstPage(session: TerminalSession): Promise<PunchPage | null> {
  for await (const page of session.pages(null, { follow: false })) return page;
  return null;
}

describe('captures', () => {
  test.each([
    [
      'attlog.cap',
      [
        '42 2025-09-01 08:05:30 in face',
        '20250017 2025-09-01 17:30:02 out finger',
        'A007 2025-02-30 08:00:00 ot-out unknown',
      ],
    ],
    ['agl.cap', ['42 2025-09-01 08:05:30 unknown unknown', '20250017 2025-09-01 17:30:02 unknown unknown']],
    ['glg-ragged.cap', ['42 2025-09-01 08:05:30 unknown unknown', '7 2025-09-01 12:00:00 unknown unknown']],
    ['csv-gbk.cap', ['20250017 2025-09-01 08:05:30 in face', '42 2025-09-01 17:30:02 out combo']],
    ['csv-bom-en.cap', ['20250017 2025-09-01 08:05:30 in face', '0042 2025-09-01 17:30:02 out card']],
    ['csv-damaged.cap', ['44 2025-09-01 08:05:00 out unknown']],
  ])('%s', (name, expected) => {
    expect(told(bytesOf(name))).toEqual(expected);
  });

  test.each(samples)('$name: every byte once, and the same at every split point', ({ bytes }) => {
    const whole = decode([bytes]);
    expect(hex(Buffer.concat(whole.flatMap((item) => (item.kind === 'punch' ? [] : [item.bytes]))))).toBe(hex(bytes));
    for (let at = 0; at <= bytes.length; at += 1)
      expect(view(decode([bytes.subarray(0, at), bytes.subarray(at)]))).toEqual(view(whole));
    expect(view(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))))).toEqual(view(whole));
  });

  test('ten thousand spoilt files raise nothing but a GatewayError', () => {
    const random = seededRandom(20260910);
    const pick = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 10_000; round += 1) {
      const bytes = Uint8Array.from(samples[pick(samples.length)]?.bytes ?? []);
      for (let count = 1 + pick(4); count > 0; count -= 1) bytes[pick(bytes.length)] = pick(256);
      try {
        decode([bytes.subarray(0, 1 + pick(bytes.length))]);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw new Error(`round ${round}: ${hex(bytes)}`, { cause: error });
      }
    }
  });
});

const rigOf = (options: RigOptions = {}): Rig<unknown> =>
  createRig(usbFile, { records: history(40), options: SERIAL, ...options });
const read = async (rig: Rig<unknown>): Promise<Reading> => rig.run(rig.readAll());
const expectAll = (rig: Rig<unknown>, punches: readonly PunchRecord[]): void =>
  expect(punches.map(keyOf).sort()).toEqual(rig.terminal.records().map(keyOf).sort());

describe.each([
  { format: 'zk' },
  { format: 'zk', windows: false },
  { format: 'timmy' },
  { format: 'timmy', raggedHeader: true, encoding: 'gbk' },
  { format: 'csv' },
  { format: 'csv', encoding: 'utf-8-bom', quotes: true },
  { format: 'csv', encoding: 'gbk', delimiter: ';', twoColumns: true },
  { format: 'csv', language: 'en', delimiter: '\t', quotes: true, twoColumns: true, windows: false },
])('a file of %o', (simulatorOptions) => {
  test.each([{}, { fragment: '1' }, { fragment: '7' }, { coalesce: '' }, { delay: '50' }] as readonly Readonly<
    Record<string, string>
  >[])('gives every record once with the count, however its bytes come: %o', async (faults) => {
    const rig = rigOf({ simulatorOptions, faults });
    const { punches, pages } = await read(rig);
    expectAll(rig, punches);
    expect(pages.at(-1)).toMatchObject({ drained: true, count: { announced: 40, decoded: 40 } });
    expect(punches.every((punch) => punch.source === 'replay' && punch.raw.length > 10)).toBe(true);
  });

  test('a file without records gives one drained page', async () => {
    const { pages } = await read(rigOf({ simulatorOptions, records: [] }));
    expect(pages).toEqual([{ punches: [], cursor: null, drained: true, count: { announced: 0, decoded: 0 } }]);
  });
});

describe('reading', () => {
  test('in pages of at most a thousand; a second page comes from memory', async () => {
    const rig = rigOf({ records: history(2500) });
    await rig.run(async () => {
      const connection = await rig.connect();
      const first = await readPages(connection, null, { follow: true });
      expect(first.pages.map((page) => page.punches.length)).toEqual([1000, 1000, 500]);
      expectAll(rig, first.punches);
      expect((await readPages(connection, null, { follow: false })).punches).toHaveLength(2500);
      expect(await connection.session.identify()).toMatchObject({ serial: 'TEST0001' });
      expect('readClock' in connection.session).toBe(false);
      expect('users' in connection.session).toBe(false);
      await connection.close();
    });
  });

  test('a line that is no punch is told by its number only, and makes the count differ', async () => {
    const rig = rigOf({
      faults: { 'spreadsheet-id': '', 'torn-line': '', 'impossible-date': '' },
      simulatorOptions: { format: 'csv' },
    });
    const { pages, findings } = await read(rig);
    expect(pages.at(-1)?.count).toEqual({ announced: 40, decoded: 38 });
    expect(findings.filter((finding) => finding.code === 'odd').map((finding) => finding.data)).toEqual([
      { line: 2, reason: 'spreadsheet-id' },
      { line: 41, reason: 'no-time' },
    ]);
    expect(JSON.stringify(findings)).not.toMatch(/20250017|张三|1\.5E\+17"|Anna/);
    expect(findings.some((finding) => finding.code === 'count-mismatch')).toBe(true);
  });

  test('impossible dates and minutes without seconds are kept and told', async () => {
    const { punches, findings } = await read(
      rigOf({ records: history(2), faults: { 'impossible-date': '', 'minutes-only': '' } }),
    );
    expect(punches[0]?.wallTime).toBe('2025-02-30 08:00:00');
    expect(findings.map((finding) => finding.code)).toEqual(['impossible-date', 'odd']);
  });

  test('a link that breaks or falls silent in the middle is no file', async () => {
    await expect(read(rigOf({ faults: { 'drop-after-n-bytes': '200' } }))).rejects.toMatchObject({
      code: 'link-closed',
    });
    const clock = createFakeClock();
    const [ours, theirs] = duplexPair();
    theirs.write('half a fi');
    const session = await usbFile.open(
      ours,
      usbFile.options.parse(SERIAL),
      benchWire(clock),
      new AbortController().signal,
    );
    const reading = firstPage(session).catch((error: unknown) => error);
    await clock.advance(25_000);
    expect(await reading).toMatchObject({ code: 'link-silent' });
    await session[Symbol.asyncDispose]();
    expect(clock.sleepers).toBe(0);
  });

  test('100 000 lines are read in linear time', () => {
    const lines = (count: number): Uint8Array =>
      Buffer.from(
        history(count)
          .map((punch) => `"${punch.userId}","${punch.wallTime}","张,三"\r\n`)
          .reduce((text, line) => text + line, '"工号","打卡时间","姓名"\r\n'),
      );
    const time = (bytes: Uint8Array): number => {
      const began = performance.now();
      decode([bytes]);
      return performance.now() - began;
    };
    time(lines(5000));
    const small = time(lines(20_000));
    const large = time(lines(100_000));
    expect(large).toBeLessThan(small * 15 + 1000);
  });
});

describe('what a file is', () => {
  test.each([
    ['a picture', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16)],
    ['UTF-16', Buffer.from('\ufeff工号,时间', 'utf16le')],
    ['a letter', Buffer.from('Dear Sir,\r\nplease find attached\r\n')],
    ['a list of people', Buffer.from('工号,姓名\r\n1,张三\r\n')],
  ])('%s is no log', async (_name, bytes) => {
    const [ours, theirs] = duplexPair();
    theirs.end(bytes);
    const findings: Finding[] = [];
    const session = await usbFile.open(
      ours,
      usbFile.options.parse(SERIAL),
      benchWire(createFakeClock(), (one) => findings.push(one)),
      new AbortController().signal,
    );
    await expect(firstPage(session)).rejects.toMatchObject({
      code: 'log-file-unknown',
    });
    expect(decode([bytes]).every((item) => item.kind === 'noise')).toBe(true);
  });

  test('a serial number must be said', () => {
    expect(usbFile.options.safeParse({}).success).toBe(false);
  });

  test('columns by name or number, also without a header', () => {
    const options = { columns: { id: '胸牌', dateTime: '何时' } };
    expect(told('胸牌,何时\n7,2025-09-01 08:05:30\n', options)).toEqual(['7 2025-09-01 08:05:30 unknown unknown']);
    const numbers = { format: 'csv', columns: { id: 2, date: 3, time: 4, status: 5 }, directionMap: { '9': 'out' } };
    expect(told('x,7,2025-09-01,08:05:30,9\ny,8,2025-09-01,08:06:30,1\n', numbers)).toEqual([
      '7 2025-09-01 08:05:30 out unknown',
      '8 2025-09-01 08:06:30 unknown unknown',
    ]);
  });

  test('leading zeros stay where they were typed', () => {
    expect(told('007\t2025-09-01 08:05:30\t1\t0\t1\t0\n')).toEqual(['007 2025-09-01 08:05:30 in finger']);
    expect(told('007\t2025-09-01 08:05:30\t1\t0\t1\t0\n', { idZeros: 'strip' })[0]).toMatch(/^7 /);
  });

  test('two exports in one file, and a quote that nobody closes', () => {
    const one = 'EnNo,DateTime\n1,2025-09-01 08:05:30\n';
    expect(told(one + one)).toHaveLength(2);
    expect(told(`${one}2,"2025-09-01 08:05:31\n3,2025-09-01 08:05:32\n`).map((line) => line.slice(0, 1))).toContain(
      '3',
    );
  });
});

describe('moments', () => {
  test.each([
    ['2025-9-1 8:05:30', 'ymd', '2025-09-01 08:05:30'],
    ['2025/09/01  17:30:02', 'ymd', '2025-09-01 17:30:02'],
    ['2025年9月1日 8时5分30秒', 'ymd', '2025-09-01 08:05:30'],
    ['2025-09-01T08:05:30', 'ymd', '2025-09-01 08:05:30'],
    ['20250901080530', 'ymd', '2025-09-01 08:05:30'],
    ['2025-09-01 下午 1:05:30', 'ymd', '2025-09-01 13:05:30'],
    ['9/1/2025 12:05:30 AM', 'mdy', '2025-09-01 00:05:30'],
    ['01.09.2025 08:05:30', 'dmy', '2025-09-01 08:05:30'],
    ['2025-13-40 25:61:61', 'ymd', '2025-13-40 25:61:61'],
    ['01/09/2025 08:05:30', 'ymd', 'date-order'],
    ['45901.33715', 'ymd', 'spreadsheet-date'],
    ['#######', 'ymd', 'spreadsheet-date'],
    ['gestern', 'ymd', 'none'],
  ] as const)('%s (%s)', (text, order, expected) => {
    const moment = parseMoment(text, order);
    expect(moment.wall ?? moment.reason).toBe(expected);
  });

  test('what is written is read', () => {
    const two = (most: number): fc.Arbitrary<string> => fc.nat(most).map((value) => String(value).padStart(2, '0'));
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 9999 }),
        two(99),
        two(99),
        two(99),
        two(99),
        two(99),
        (year, month, day, hour, minute, second) => {
          const wall = `${year}-${month}-${day} ${hour}:${minute}:${second}` as WallTime;
          expect(parseMoment(wall, 'ymd').wall).toBe(wall);
        },
      ),
    );
  });
});

describe('scrubbing', () => {
  const masks = {
    id: (id: string): string => id.replace(/\d/g, (digit) => String((Number(digit) + 4) % 9 || 9)),
    filler: (length: number): Uint8Array => Buffer.alloc(length, 'x'),
  };
  const options = usbFile.options.parse(SERIAL);

  test.each(samples.filter(({ name }) => name !== 'csv-damaged.cap'))('$name', ({ bytes }) => {
    const clean = usbFile.scrub(options, 'device', bytes, masks);
    expect(clean.length).toBe(bytes.length);
    expect(told(clean)).toEqual(told(bytes).map((line) => line.replace(/^\S+/, masks.id)));
    for (const person of [
      '20250017',
      '0042',
      '000000042',
      '\t42',
      ' 42\t',
      ',42,',
      'Zhang',
      'San',
      'Li',
      '张三',
      '李四',
      '某某',
      '一部',
    ])
      for (const encoded of [Buffer.from(person), Buffer.from(encodeGbk(person))])
        expect(Buffer.from(clean).includes(encoded), person).toBe(false);
  });

  test('lines that are no punch lose everything', () => {
    const clean = Buffer.from(usbFile.scrub(options, 'device', bytesOf('csv-damaged.cap'), masks)).toString();
    expect(clean).not.toMatch(/张三|李四|王五|赵六|1\.5E|合计|\b4[234]\b/);
    expect(clean).toContain('考勤号码;姓名;日期时间;状态');
  });

  test('spoilt files are scrubbed without an error', () => {
    for (const { bytes } of samples)
      for (let at = 0; at < bytes.length; at += 3) {
        const spoilt = Uint8Array.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ 0x5f;
        expect(usbFile.scrub(options, 'device', spoilt, masks)).toHaveLength(bytes.length);
      }
  });
});

/** The few characters of the captures. */
function encodeGbk(text: string): Uint8Array {
  const known: Readonly<Record<string, readonly number[]>> = {
    张: [0xd5, 0xc5],
    三: [0xc8, 0xfd],
    李: [0xc0, 0xee],
    四: [0xcb, 0xc4],
  };
  return Uint8Array.from(Array.from(text).flatMap((char) => known[char] ?? [...Buffer.from(char)]));
}
