/** The driver contract for ZKTeco PUSH: its captures, and its terminals in all the dialects and manners they come with. */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import { decodeAttlog, encodeAttlog } from '../../src/drivers/zk-push/attlog.js';
import { composeCommands, encodeResult, parseCommands, parseResults } from '../../src/drivers/zk-push/command.js';
import { zkPush } from '../../src/drivers/zk-push/driver.js';
import { readTimeZone, timeZoneValue } from '../../src/drivers/zk-push/greeting.js';
import { driverContract, type RoundTrip, type Variant } from './contract.js';
import { history, loadCaptures } from './rig.js';

const two = (value: number): string => String(value).padStart(2, '0');
const pin = fc.stringMatching(/^[A-Za-z0-9-]{1,24}$/);
const wall = fc
  .tuple(fc.integer({ min: 1970, max: 2099 }), fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 99 }))
  .map(([year, day, minute]) => `${year}-02-${two(day)} 08:${two(minute)}:00` as WallTime);

const roundTrips: readonly RoundTrip[] = [
  {
    name: 'a line of ATTLOG with 4 to 16 fields',
    check: () =>
      fc.assert(
        fc.property(
          pin,
          wall,
          fc.integer({ min: 0, max: 255 }),
          fc.integer({ min: 0, max: 255 }),
          fc.integer({ min: 4, max: 16 }),
          (id, time, state, method, fields) => {
            const line = { pin: id, wallTime: time, state, method };
            expect(decodeAttlog(Buffer.from(encodeAttlog(line, fields)), 'auto')).toEqual({ ...line, fields });
          },
        ),
      ),
  },
  {
    name: 'commands',
    check: () =>
      fc.assert(
        fc.property(
          fc.array(
            fc.record({
              id: fc.stringMatching(/^[A-Za-z0-9]{1,16}$/),
              text: fc.constantFrom('INFO', 'DATA QUERY USERINFO', 'DATA UPDATE USERINFO PIN=1\tName=张三'),
            }),
            { minLength: 1, maxLength: 200 },
          ),
          (commands) => {
            const { body, taken } = composeCommands(commands, 'gbk');
            expect(taken).toBe(commands.length);
            expect(parseCommands(body, 'gbk')).toEqual(commands);
          },
        ),
      ),
  },
  {
    name: 'results',
    check: () =>
      fc.assert(
        fc.property(fc.stringMatching(/^[A-Za-z0-9]{1,16}$/), fc.integer({ min: -2000, max: 2000 }), (id, returned) => {
          const lines = [['UserCount', '3']] as const;
          const text = encodeResult({ id, returned, command: 'INFO', lines });
          expect(parseResults(Buffer.from(text + text), 'auto')).toEqual([
            { id, returned, command: 'INFO', pairs: lines },
            { id, returned, command: 'INFO', pairs: lines },
          ]);
        }),
      ),
  },
  {
    name: 'the time zone, as number and as text',
    check: () =>
      fc.assert(
        fc.property(fc.integer({ min: -48, max: 56 }), (quarters) => {
          const minutes = quarters * 15;
          // Less than 25 minutes would be read as hours; no zone has that.
          fc.pre(minutes === 0 || Math.abs(minutes) > 24);
          expect(readTimeZone(timeZoneValue(minutes, 'auto'), '2.4')).toBe(minutes);
          expect(readTimeZone(timeZoneValue(minutes, 'us'), 'us')).toBe(minutes);
        }),
      ),
  },
];

const called = { calls: 'only' } as const;
const variants: readonly Variant[] = [
  { name: 'of today', ...called },
  {
    name: 'of 1.0 with .aspx, three fields and a connection for each request',
    ...called,
    simulatorOptions: { dialect: '1.0', version: '', aspx: true, fields: 3, keepAlive: false, verify: 'old' },
  },
  {
    name: 'of the US edition with 16 fields and CRLF',
    ...called,
    options: { dialect: 'us' },
    simulatorOptions: { dialect: 'us', fields: 16, crlf: true, language: 69, nameEncoding: 'utf-8' },
  },
  {
    name: 'with ten fields, chunks, and no end of the last line',
    ...called,
    simulatorOptions: { fields: 10, chunked: true, lastLf: false, sumKey: 'AttlogCount' },
  },
  {
    name: 'with small posts in two pieces, from two threads',
    ...called,
    simulatorOptions: { postLines: 7, splitBody: true, threads: 2, backlog: 'all' },
  },
  { name: 'that cannot count', ...called, simulatorOptions: { knowsSum: false, postLines: 20 } },
  { name: 'that cannot be asked', ...called, simulatorOptions: { knowsSum: false, knowsQuery: false } },
  { name: 'that never tells a result', ...called, faults: { 'no-result': '' }, simulatorOptions: { postLines: 15 } },
  { name: 'that repeats bodies', ...called, faults: { 'duplicate-body': '2' }, simulatorOptions: { postLines: 15 } },
  { name: 'that was greeted before', ...called, simulatorOptions: { greets: false, backlog: 'all' } },
  {
    name: 'with 2500 records in posts of 1000',
    ...called,
    records: history(2500),
    simulatorOptions: { postLines: 1000, backlog: 'all' },
  },
];

driverContract({
  driver: zkPush,
  variants,
  samples: loadCaptures(join(import.meta.dirname, '../captures/zk-push')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
  survivesNoise: false,
  cutsEndSession: false,
});
