/** FC-8x00 frames in the shared contract: captures, every kind of wire, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import type { WallTime } from '../../src/core/time.js';
import { encodeAnswer, encodeRequest, parseFrame } from '../../src/drivers/fcard/codec.js';
import { fcard } from '../../src/drivers/fcard/driver.js';
import { decodeName, decodePerson, encodeName, newPerson, withName } from '../../src/drivers/fcard/person.js';
import {
  decodeClock,
  decodeRecord,
  decodeStores,
  encodeClock,
  encodeRecord,
  encodeStores,
} from '../../src/drivers/fcard/records.js';
import { driverContract } from './contract.js';
import { loadCaptures } from './rig.js';

const two = (value: number): string => String(value).padStart(2, '0');
const u32 = fc.nat(0xffffffff);
const byte = fc.nat(255);
const walls = fc
  .tuple(fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(99))
  .map(([y, m, d, h, n, s]) => `20${two(y)}-${two(m)}-${two(d)} ${two(h)}:${two(n)}:${two(s)}` as WallTime);

const roundTrips = [
  {
    name: 'frame, both layouts',
    check: () => {
      const password = fc.uint8Array({ minLength: 4, maxLength: 4 });
      fc.assert(
        fc.property(
          u32,
          password,
          fc.tuple(fc.constantFrom(1, 2, 7), byte, byte),
          fc.uint8Array({ maxLength: 2046 }),
          (code, pwd, [type, index, par], data) => {
            const envelope = { sn: 'FC-8300T25010001', password: pwd, code };
            for (const from of ['device', 'gateway'] as const) {
              const encode = from === 'device' ? encodeAnswer : encodeRequest;
              const frame = parseFrame(encode(envelope, { type, index, par }, data), from);
              expect(frame).toMatchObject({ code, sn: envelope.sn, type, index, par });
              expect(hex(frame.data)).toBe(hex(data));
              expect(hex(frame.password)).toBe(hex(pwd));
            }
          },
        ),
      );
    },
  },
  {
    name: 'record, clock and stores',
    check: () => {
      fc.assert(
        fc.property(u32, u32, walls, byte, byte, fc.boolean(), (serial, user, wallTime, access, event, wrapped) => {
          const record = { serial, user, wallTime, access, event, photo: 0 };
          expect(decodeRecord(encodeRecord(record))).toEqual(record);
          expect(decodeClock(encodeClock(wallTime))).toBe(wallTime);
          const store = { capacity: serial, write: user, read: serial, wrapped };
          expect(decodeStores(encodeStores([store, store, store]))).toEqual([store, store, store]);
        }),
      );
    },
  },
  {
    name: 'person',
    check: () => {
      fc.assert(
        fc.property(u32, fc.string({ unit: 'grapheme', maxLength: 40 }), (user, text) => {
          const name = decodeName(encodeName(text));
          expect(decodePerson(withName(newPerson(user, 'x'), text))).toEqual({ id: String(user), name });
          // What fits is kept as it is.
          expect(decodeName(encodeName(name))).toBe(name);
        }),
      );
    },
  },
];

driverContract({
  driver: fcard,
  options: { blockRecords: 15 },
  variants: [
    { name: 'alone on its line' },
    { name: 'over UDP', datagrams: true },
    {
      name: 'over UDP that loses packets',
      datagrams: true,
      faults: { 'lost-packet': '3' },
      simulatorOptions: { packetRecords: 4 },
    },
    { name: 'that calls', calls: 'only' },
    { name: 'that is dialled and calls', calls: 'too' },
    { name: 'behind an adapter that echoes', faults: { echo: '' } },
    {
      name: 'between two neighbours on a bus',
      options: { address: 'TEST0001', blockRecords: 15 },
      simulatorOptions: { neighbours: ['TEST0002', 'TEST0003'] },
    },
    {
      name: 'shared with another program',
      options: { sharedDevice: true, blockRecords: 7 },
      simulatorOptions: { readIndex: 25 },
    },
    {
      name: 'with a password of its own',
      options: { commPassword: '7E7F0102' },
      simulatorOptions: { commPassword: '7E7F0102' },
    },
    { name: 'with one packet for everything', simulatorOptions: { packetRecords: 60 } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/fcard')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
});
