/** HTTP push v2 in the shared contract: captures, and terminals in the manners they come with. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { instant, zone } from '../../src/core/time.js';
import { decodeRecord, packed, punchOf, readForm } from '../../src/drivers/fcard-http/codec.js';
import { fcardHttp } from '../../src/drivers/fcard-http/driver.js';
import { writeMultipart } from '../../src/drivers/multipart.js';
import { driverContract } from './contract.js';
import { loadCaptures, SITE_ZONE } from './rig.js';

const roundTrips = [
  {
    name: 'a record in a form, plain and compressed',
    check: () => {
      fc.assert(
        fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.boolean(), fc.boolean(), (id, seconds, entry, gzip) => {
          const detail = {
            RecordID: id,
            RecordType: 3,
            RecordDate: seconds,
            UserID: '17',
            IsEntry: Number(entry),
            IdentityCard: '1',
          };
          const text = JSON.stringify(detail);
          const body = writeMultipart('b', [
            { headers: { 'Content-Disposition': 'form-data; name="SN"' }, body: ' SN1' },
            {
              headers: {
                'Content-Disposition': 'form-data; name="RecordDetail"',
                ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
              },
              body: gzip ? packed(text) : text,
            },
          ]);
          const form = readForm({ 'content-type': 'multipart/form-data; boundary=b' }, body);
          expect(form.sn).toBe('SN1');
          const record = decodeRecord(form.fields.RecordDetail as Record<string, unknown>);
          expect(record).toMatchObject({ id, event: 3, at: instant(seconds * 1000), entry, userId: '17' });
          expect(Buffer.from(record.raw).toString()).not.toContain('IdentityCard');
          expect(punchOf(record, zone('UTC') ?? SITE_ZONE)?.direction).toBe(entry ? 'in' : 'out');
        }),
      );
    },
  },
];

driverContract({
  driver: fcardHttp,
  variants: [
    { name: 'that calls', calls: 'only' },
    { name: 'that compresses, with photos', calls: 'only', simulatorOptions: { gzip: true, photoBytes: 300 } },
    {
      name: 'of the other spelling',
      calls: 'only',
      simulatorOptions: { detailName: 'recordJson', blankBeforeSn: true },
    },
    { name: 'that has uploaded to another server before', calls: 'only', simulatorOptions: { uploaded: 30 } },
    { name: 'that sends everything twice', calls: 'only', faults: { 'duplicate-record': '' } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/fcard-http')),
  roundTrips,
  recordCount: 12,
  counts: false,
  cutsEndSession: false,
  survivesNoise: false,
  oneAtATime: true,
  eventFault: { 'interleave-event': '' },
  foreignBanner: Buffer.from('GET /iclock/cdata?SN=1 HTTP/1.1\r\nHost: x\r\n\r\n'),
});
