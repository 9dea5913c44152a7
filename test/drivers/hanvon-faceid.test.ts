/** The Hanvon driver in the shared contract: captures, plain and under a key, every variant of the field, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import { decodeMessage, encodeMessage, formatTime, parseTime } from '../../src/drivers/hanvon-faceid/codec.js';
import { hanvonFaceid } from '../../src/drivers/hanvon-faceid/driver.js';
import { keyBytes, xor } from '../../src/drivers/hanvon-faceid/key.js';
import { driverContract } from './contract.js';
import { loadCaptures } from './rig.js';

const digits = fc.stringMatching(/^\d{1,8}$/);
const keys = fc.stringMatching(/^[a-z_]{1,32}$/);
const two = (value: number): string => String(value).padStart(2, '0');
const values = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.filter((byte) => byte !== 0x22));

const roundTrips = [
  {
    name: 'message, plain and encrypted',
    check: () => {
      fc.assert(
        fc.property(fc.option(digits), fc.array(fc.tuple(keys, values), { maxLength: 12 }), (commKey, args) => {
          const key = keyBytes(commKey ?? undefined);
          const message = decodeMessage(encodeMessage('Return', args, key), key);
          expect(message?.word).toBe('Return');
          expect(message?.pairs.map((pair) => [pair.key, hex(pair.value ?? new Uint8Array(0))])).toEqual(
            args.map(([name, value]) => [name, hex(value)]),
          );
        }),
      );
    },
  },
  {
    name: 'records of an answer, plain and encrypted',
    check: () => {
      const record = fc.record({
        id: fc.stringMatching(/^[A-Za-z0-9]{1,16}$/),
        time: fc
          .tuple(fc.nat(99), fc.nat(99), fc.nat(23), fc.nat(59))
          .map(
            ([month, day, hour, minute]) => `2025-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:00` as WallTime,
          ),
        type: fc.constantFrom('face', 'card', 'finger'),
      });
      fc.assert(
        fc.property(fc.option(digits), fc.array(record, { maxLength: 12 }), (commKey, records) => {
          const args = records.flatMap(({ id, time, type }) => [
            ['time', formatTime(time)] as const,
            ['id', id] as const,
            ['name', '张三'] as const,
            ['type', type] as const,
          ]);
          const bytes = encodeMessage('Return', [['result', 'success'], ...args], keyBytes(commKey ?? undefined));
          const decoder = hanvonFaceid.decoder(
            hanvonFaceid.options.parse(commKey === null ? {} : { commKey }),
            'device',
          );
          const punches = [...decoder.push(bytes), ...decoder.end()].flatMap((one) =>
            one.kind === 'punch' ? [one.punch] : [],
          );
          expect(
            punches.map(({ deviceUserId, wallTime, verify }) => ({ id: deviceUserId, time: wallTime, type: verify })),
          ).toEqual(records);
        }),
      );
    },
  },
  {
    name: 'encryption',
    check: () => {
      fc.assert(
        fc.property(digits, fc.uint8Array({ maxLength: 100 }), (commKey, bytes) => {
          const key = keyBytes(commKey);
          expect(hex(xor(xor(bytes, key), key))).toBe(hex(bytes));
        }),
      );
    },
  },
  {
    name: 'time, also one that does not exist',
    check: () => {
      const two = (least: number, most: number): fc.Arbitrary<string> =>
        fc.integer({ min: least, max: most }).map((value) => String(value).padStart(2, '0'));
      fc.assert(
        fc.property(
          fc.tuple(fc.integer({ min: 1000, max: 9999 }), two(0, 99), two(0, 99), two(0, 24), two(0, 99), two(0, 99)),
          ([year, month, day, hour, minute, second]) => {
            const wall = `${year}-${month}-${day} ${hour}:${minute}:${second}` as WallTime;
            expect(parseTime(formatTime(wall))).toBe(wall);
          },
        ),
      );
    },
  },
];

const key = { commKey: '2580' };

driverContract({
  driver: hanvonFaceid,
  // For the captures, some of which are encrypted; every variant says its own.
  options: key,
  variants: [
    { name: 'plain', options: {} },
    { name: 'under a key', options: key, simulatorOptions: key },
    {
      name: 'under a key of eight digits, as a number',
      options: { commKey: 98765432 },
      simulatorOptions: { commKey: 98765432 },
    },
    { name: 'F810 family', options: {}, simulatorOptions: { family: 'f810', serialIn: 'sn' } },
    { name: 'one record a line, times unpadded', options: {}, simulatorOptions: { lines: true, padded: false } },
    { name: 'names in UTF-8', options: {}, simulatorOptions: { encoding: 'utf-8' } },
    { name: 'that asks for patience twice', options: key, simulatorOptions: { ...key, waits: 2, waitSeconds: 10 } },
    { name: 'with photos', options: {}, simulatorOptions: { photoBytes: 3000 } },
    { name: 'with few records in an answer', options: {}, simulatorOptions: { answerRecordsMax: 15 } },
    { name: 'that wants both bounds', options: {}, simulatorOptions: { unbounded: false } },
    { name: 'that closes after each answer', options: {}, simulatorOptions: { closes: true } },
    { name: 'that was busy', options: {}, faults: { 'busy-error': '2' } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/hanvon-faceid')),
  roundTrips,
  // Text has no checksum: a message that is no message ends the connection.
  survivesNoise: false,
});
