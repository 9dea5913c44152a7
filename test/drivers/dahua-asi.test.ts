/** The Dahua driver in the shared contract: captures, the firmware variants, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { instant, instantToWall, zone } from '../../src/core/time.js';
import { encodeRecords, flatten, groupLines, groupOfJson, parseLines } from '../../src/drivers/dahua-asi/codec.js';
import { dahuaAsi } from '../../src/drivers/dahua-asi/driver.js';
import { driverContract } from './contract.js';
import { loadCaptures, SITE_ZONE } from './rig.js';

const authPassword = 'Class-1234';

const roundTrips = [
  {
    name: 'records as lines',
    check: () => {
      const key = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,12}(?:\[\d\])?$/);
      const value = fc
        .string({ maxLength: 30 })
        .filter((text) => !/[\r\n]/.test(text) && !/[\ud800-\udfff]/.test(text));
      fc.assert(
        fc.property(fc.array(fc.dictionary(key, value, { minKeys: 1 }), { maxLength: 5 }), (records) => {
          const groups = groupLines(parseLines(Buffer.from(encodeRecords(records, records.length))), 'records');
          expect(groups.map(({ fields }) => ({ ...fields }))).toEqual(records.map((record) => ({ ...record })));
        }),
      );
    },
  },
  {
    name: 'access records in an answer',
    check: () => {
      const record = fc.record({
        seq: fc.nat(),
        id: fc.stringMatching(/^[A-Za-z0-9]{1,16}$/),
        // A record without a time says 0.
        seconds: fc.integer({ min: 1, max: 0x7fffffff }),
        method: fc.nat(40),
      });
      fc.assert(
        fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (records) => {
          const lines = records.map(({ seq, id, seconds, method }) => ({
            ...{ RecNo: String(seq), CreateTime: String(seconds), UserID: id, CardName: 'x', Method: String(method) },
            ...{ Status: '1', ErrorCode: '0' },
          }));
          const body = encodeRecords(lines, null);
          const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
          const decoder = dahuaAsi.decoder(dahuaAsi.options.parse({}), 'device');
          const punches = [...decoder.push(Buffer.from(head + body)), ...decoder.end()].flatMap((one) =>
            one.kind === 'punch' ? [one.punch] : [],
          );
          const site = zone('Asia/Shanghai') ?? SITE_ZONE;
          expect(
            punches.map(({ seq, deviceUserId, wallTime, verifyRaw }) => [seq, deviceUserId, wallTime, verifyRaw]),
          ).toEqual(
            records.map(({ seq, id, seconds, method }) => [
              seq,
              id,
              instantToWall(instant(seconds * 1000), site),
              method,
            ]),
          );
        }),
      );
    },
  },
  {
    name: 'JSON, flat',
    check: () => {
      const key = fc.stringMatching(/^[A-Za-z]{1,8}$/);
      fc.assert(
        fc.property(fc.dictionary(key, fc.oneof(fc.string(), fc.integer(), fc.boolean())), (record) => {
          const wanted = Object.fromEntries(Object.entries(record).map(([name, told]) => [name, String(told)]));
          expect({ ...flatten(record) }).toEqual(wanted);
          expect({ ...groupOfJson(record).fields }).toEqual(wanted);
        }),
      );
    },
  },
];

driverContract({
  driver: dahuaAsi,
  options: { authPassword },
  variants: [
    { name: 'with a password', simulatorOptions: { authPassword, pageRecordsMax: 15 } },
    { name: 'without a password', options: {} },
    { name: 'in small pages, total not told', options: { pageRecords: 7 }, simulatorOptions: { totalCount: false } },
    { name: 'that closes after each answer', simulatorOptions: { authPassword, keepAlive: false } },
    {
      name: 'that ignores StartTime',
      options: { authPassword, pageRecords: 10 },
      simulatorOptions: { authPassword, ignoreStartTime: true, pageRecordsMax: 10 },
    },
    { name: 'that counts milliseconds', simulatorOptions: { createTime: 'milliseconds', lineEnd: 'lf' } },
    { name: 'that tells times as text', simulatorOptions: { createTime: 'text', pageRecordsMax: 9 } },
    { name: 'set to another zone', simulatorOptions: { zoneMinutes: 0, pageRecordsMax: 9 } },
    { name: 'with the real UTC', simulatorOptions: { zoneMinutes: 0, realUtc: true, pageRecordsMax: 9 } },
    { name: 'of old firmware', simulatorOptions: { rpc: false, accessUser: false } },
    { name: 'that sends GBK', faults: { 'gbk-name': '' } },
    { name: 'that repeats a record', faults: { 'duplicate-record': '' }, simulatorOptions: { pageRecordsMax: 9 } },
    { name: 'that hides records from CGI', faults: { 'truncate-dataset': '3' }, simulatorOptions: { authPassword } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/dahua-asi')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
  foreignBanner: Buffer.from('SSH-2.0-dropbear_2019.78\r\n'),
  // HTTP has no session on the wire: a cut connection is dialled again.
  cutsEndSession: false,
  survivesNoise: false,
});
