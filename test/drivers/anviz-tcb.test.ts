/** The Anviz driver in the shared contract: captures, every layout, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hex } from '../../src/core/bytes.js';
import {
  COMMAND,
  decodeClock,
  decodeCounters,
  decodePage,
  decodeRecord,
  encodeAnswer,
  encodeClock,
  encodeCounters,
  encodePage,
  encodeRecord,
  encodeRequest,
  parseFrame,
  secondsToWall,
  wallToSeconds,
} from '../../src/drivers/anviz-tcb/codec.js';
import { anvizTcb } from '../../src/drivers/anviz-tcb/driver.js';
import { decodeUser, encodeUser, renamed } from '../../src/drivers/anviz-tcb/users.js';
import { driverContract } from './contract.js';
import { loadCaptures } from './rig.js';

const roundTrips = [
  {
    name: 'record',
    check: () => {
      fc.assert(
        fc.property(
          fc.nat(0xffffffff),
          fc.bigInt(0n, 0xffffffffffn),
          fc.nat(255),
          fc.nat(255),
          fc.nat(0xffffff),
          (seconds, id, backup, state, workCode) => {
            const record = { userId: String(id), seconds, backup, state, workCode };
            expect(decodeRecord(encodeRecord(record))).toMatchObject(record);
          },
        ),
      );
    },
  },
  {
    name: 'answer frame',
    check: () => {
      fc.assert(
        fc.property(
          fc.nat(0xffffffff),
          fc.nat(0x7f),
          fc.nat(255),
          fc.uint8Array({ maxLength: 600 }),
          (address, command, ret, data) => {
            const frame = parseFrame(encodeAnswer(address, command, ret, data));
            expect(frame).toMatchObject({ kind: 'answer', address, command, ret });
            expect(hex(frame.data)).toBe(hex(data));
          },
        ),
      );
    },
  },
  {
    name: 'request frame, for all that may be asked',
    check: () => {
      fc.assert(
        fc.property(
          fc.nat(0xffffffff),
          fc.constantFrom(...Object.values(COMMAND).filter((command) => command !== COMMAND.clearNew)),
          fc.uint8Array({ maxLength: 600 }),
          (address, command, data) => {
            const frame = parseFrame(encodeRequest(address, command, data));
            expect(frame).toMatchObject({ kind: 'request', address, command });
            expect(hex(frame.data)).toBe(hex(data));
          },
        ),
      );
    },
  },
  {
    name: 'page of records',
    check: () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ minLength: 14, maxLength: 14 }), { maxLength: 25 }), (raws) => {
          const page = decodePage(encodePage(raws));
          expect(page.records.map((record) => hex(record.raw))).toEqual(raws.map(hex));
        }),
      );
    },
  },
  {
    name: 'counters and clock',
    check: () => {
      fc.assert(
        fc.property(fc.array(fc.nat(0xffffff), { minLength: 6, maxLength: 6 }), fc.nat(0xffffffff), (six, seconds) => {
          const [users = 0, fingers = 0, passwords = 0, cards = 0, records = 0, newRecords = 0] = six;
          const counters = { users, fingers, passwords, cards, records, newRecords };
          expect(decodeCounters(encodeCounters(counters))).toEqual(counters);
          const shown = secondsToWall(seconds, '2000-01-02');
          expect(decodeClock(encodeClock(shown))).toBe(shown);
          expect(wallToSeconds(shown, '2000-01-02')).toBe(seconds);
        }),
      );
    },
  },
  {
    name: 'user record of every layout',
    check: () => {
      fc.assert(
        fc.property(
          fc.constantFrom(27 as const, 30 as const, 40 as const),
          fc.integer({ min: 1, max: 999_999_999_999 }),
          // Without 一: its GBK bytes are sound UTF-8 too, and nothing in the record says which is meant.
          fc.string({ unit: fc.constantFrom(...Array.from('张三李四王五赵六丁A-9')), maxLength: 5 }),
          fc.option(fc.integer({ min: 1, max: 0xfffffe })),
          fc.boolean(),
          (layout, id, name, card, admin) => {
            const user = { id: String(id), name, admin, ...(card === null ? {} : { card }) };
            const bytes = encodeUser(user, layout);
            expect(bytes.length).toBe(layout);
            expect(decodeUser(bytes, layout)).toMatchObject({ id: user.id, name, admin, card });
            expect(hex(renamed(bytes, name, layout, 'auto'))).toBe(hex(bytes));
          },
        ),
      );
    },
  },
];

driverContract({
  driver: anvizTcb,
  options: { realTime: true },
  variants: [
    { name: 'alone on its line (RS-232)' },
    { name: 'over TCP', options: { address: 0, gapMs: 0, idleMs: 0 } },
    { name: 'addressed, live records off', options: { address: 7 }, simulatorOptions: { address: 7 } },
    { name: 'behind an adapter that echoes (RS-485)', faults: { echo: '' } },
    {
      name: 'with a password',
      options: { realTime: true, authPassword: '12345' },
      simulatorOptions: { authPassword: '12345' },
    },
    { name: 'counting from 2000-01-01', options: { epoch: '2000-01-01' }, simulatorOptions: { epoch: '2000-01-01' } },
    { name: 'with small pages', simulatorOptions: { pageRecordsMax: 10 } },
    {
      name: 'between two neighbours on a bus (RS-485)',
      options: { address: 2 },
      simulatorOptions: { address: 2, neighbours: [1, 3] },
    },
    { name: 'that sends heartbeats', faults: { heartbeat: '' } },
    { name: 'that calls (TCP accepted)', calls: 'only', options: { realTime: false } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/anviz-tcb')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
});
