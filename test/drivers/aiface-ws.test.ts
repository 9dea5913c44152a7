/** The AiFace driver in the shared contract: captures, every way of its firmware, and the wire with its faults. */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect } from 'vitest';
import { encodeMessage, idValue, numberIn, parseMessage, textIn } from '../../src/drivers/aiface-ws/codec.js';
import { aifaceWs } from '../../src/drivers/aiface-ws/driver.js';
import { readJson } from '../../src/drivers/aiface-ws/json-text.js';
import { createSplitter } from '../../src/drivers/aiface-ws/splitter.js';
import { driverContract } from './contract.js';
import { history, loadCaptures } from './rig.js';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });

const roundTrips = [
  {
    name: 'message',
    check: () => {
      fc.assert(
        fc.property(text, fc.bigInt(1n, 2n ** 63n), fc.integer(), fc.boolean(), (name, id, count, result) => {
          const bytes = encodeMessage({
            cmd: 'setusername',
            count,
            result,
            record: [{ enrollid: idValue(String(id)), name }],
          });
          const cuts = createSplitter().push(bytes);
          expect(cuts.map((cut) => cut.kind)).toEqual(['message']);
          const message = parseMessage(bytes);
          expect(message).toMatchObject({ kind: 'request', name: 'setusername' });
          if (!message) return;
          expect(numberIn(message, 'count')).toBe(count);
          const inner = readJson(bytes, Buffer.from(bytes).indexOf('[{') + 1);
          expect(textIn({ ...message, json: inner }, 'enrollid')).toBe(String(id));
          expect(textIn({ ...message, json: inner }, 'name')).toBe(name);
        }),
      );
    },
  },
  {
    name: 'records, pushed and asked for',
    check: () => {
      const two = (most: number): fc.Arbitrary<string> => fc.nat(most).map((value) => String(value).padStart(2, '0'));
      const record = fc.record({
        id: fc.bigInt(1n, 99_999_998n),
        // The date need not exist.
        time: fc
          .tuple(two(12), two(31), two(23), two(59), two(59))
          .map(([m, d, h, n, s]) => `2025-${m}-${d} ${h}:${n}:${s}`),
        inout: fc.nat(1),
      });
      fc.assert(
        fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.boolean(), (records, pushed) => {
          const bytes = encodeMessage({
            ...(pushed ? { cmd: 'sendlog' } : { ret: 'getnewlog', result: true }),
            count: records.length,
            record: records.map(({ id, time, inout }) => ({
              enrollid: idValue(String(id)),
              time,
              mode: 8,
              inout,
              event: 0,
            })),
          });
          const decoder = aifaceWs.decoder(aifaceWs.options.parse({}), 'device');
          const punches = [...decoder.push(bytes), ...decoder.end()].flatMap((one) =>
            one.kind === 'punch' ? [one.punch] : [],
          );
          expect(
            punches.map(({ deviceUserId, wallTime, directionRaw, verify }) => [
              deviceUserId,
              wallTime,
              directionRaw,
              verify,
            ]),
          ).toEqual(records.map(({ id, time, inout }) => [String(id), time, inout, 'face']));
        }),
      );
    },
  },
];

const calls = 'only';
driverContract({
  driver: aifaceWs,
  variants: [
    { name: 'in local time', calls },
    {
      name: 'in UTC, methods by table B',
      calls,
      simulatorOptions: { clockMode: 'utc', profile: 'B', firmware: 'TH900_click V5.0' },
    },
    {
      name: 'with numbers as text and truth as numbers',
      calls,
      simulatorOptions: { textNumbers: true, numericTruth: true },
    },
    {
      name: 'with small pages that count themselves',
      calls,
      simulatorOptions: { pageRecords: 50, countOf: 'page' },
      records: history(130),
    },
    { name: 'with an exclusive end', calls, simulatorOptions: { toExclusive: true }, options: { since: '2020-01-01' } },
    { name: 'that writes NUL, newline and commas too many', calls, faults: { 'nul-end': '', 'trailing-comma': '' } },
    { name: 'that writes ISO times and GBK', calls, faults: { 'iso-time': '', 'gbk-name': '' } },
    { name: 'with photos and people it enrolled', calls, faults: { image: '40', 'enrol-push': '' } },
    { name: 'with several pages', calls, records: history(130) },
  ],
  samples: loadCaptures(join(import.meta.dirname, '../captures/aiface-ws')),
  roundTrips,
  eventFault: { 'interleave-event': '' },
});
