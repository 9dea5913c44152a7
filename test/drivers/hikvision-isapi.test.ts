/** The Hikvision driver in the shared contract: captures, every way of the firmware, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { zone, type WallTime, type Zone } from '../../src/core/time.js';
import { searchedEvent, wallOf } from '../../src/drivers/hikvision-isapi/codec.js';
import { DATE_FORMS, shifted, writeTime } from '../../src/drivers/hikvision-isapi/device-time.js';
import { hikvisionIsapi } from '../../src/drivers/hikvision-isapi/driver.js';
import { parseXml, writeXml } from '../../src/drivers/hikvision-isapi/xml.js';
import { driverContract } from './contract.js';
import { loadCaptures } from './rig.js';

const SITE: Zone = zone('Asia/Shanghai') ?? ('' as Zone);
const authPassword = 'Class-1234';
const pushKey = 'Zm9vYmFyYmF6MTIz';

const roundTrips = [
  {
    name: 'dates in every form',
    check: () => {
      fc.assert(
        fc.property(fc.nat(3_000_000), fc.constantFrom(...DATE_FORMS), (minutes, form) => {
          const wall = shifted('2020-01-01 00:00:00' as WallTime, minutes * 60_000);
          expect(wallOf(writeTime(wall, form, '+08:00', SITE), SITE)).toBe(wall);
        }),
      );
    },
  },
  {
    name: 'XML texts',
    check: () => {
      const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((one) => one.replace(/[\p{Cc}\s]/gu, 'x'));
      fc.assert(
        fc.property(text, text, (a, b) => {
          expect(parseXml(writeXml('Root', { a: `.${a}`, list: { b: [`.${b}`, 'x'] } }))).toEqual({
            Root: { a: `.${a}`, list: { b: [`.${b}`, 'x'] } },
          });
        }),
      );
    },
  },
  {
    name: 'events',
    check: () => {
      fc.assert(
        fc.property(fc.nat(200), fc.nat(), fc.string({ minLength: 1 }), (minor, serial, employee) => {
          const event = searchedEvent({ major: 5, minor, serialNo: serial, employeeNoString: employee, time: 'odd' });
          expect(event).toMatchObject({ major: 5, minor, serial, employee, time: 'odd' });
        }),
      );
    },
  },
];

driverContract({
  driver: hikvisionIsapi,
  options: { authPassword, pushKey },
  variants: [
    { name: 'that streams and pushes', calls: 'too', simulatorOptions: { pushKey } },
    { name: 'with small pages', simulatorOptions: { pageMax: 7 } },
    { name: 'with doors and other majors', simulatorOptions: { doorEvents: true } },
    { name: 'that wants bare dates', simulatorOptions: { dateForm: 'none' } },
    { name: 'that wants UTC and does not show it', simulatorOptions: { dateForm: 'z', showsDateForm: false } },
    {
      name: 'that takes minor 0 of major 0 only',
      simulatorOptions: { minorZero: 'major-zero-only', doorEvents: true },
    },
    { name: 'that takes no minor 0', simulatorOptions: { minorZero: 'refused', pageMax: 10 } },
    { name: 'that answers XML for JSON', faults: { 'xml-in-json': '' } },
    { name: 'that knows only Basic', simulatorOptions: { authScheme: 'basic' } },
    { name: 'whose nonces grow old at once', simulatorOptions: { nonceUses: 1 } },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/hikvision-isapi')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
  cutsEndSession: false,
  survivesNoise: false,
  foreignBanner: Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'),
});
