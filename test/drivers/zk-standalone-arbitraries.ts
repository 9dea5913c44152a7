/** What the codec of zk-standalone must give back as it got it: packets, times, records, users, events. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { WallTime } from '../../src/core/time.js';
import {
  decodePacket,
  decodePrepared,
  encodeChunkRequest,
  encodeDataRequest,
  encodePacket,
  tcpFrame,
  untcp,
  TCP_FRAMES,
} from '../../src/drivers/zk-standalone/codec.js';
import {
  decodeAttendance,
  decodeEvent,
  decodeSizes,
  decodeTime,
  decodeUser,
  encodeAttendance,
  encodeEvent,
  encodeSizes,
  encodeTime,
  encodeUser,
} from '../../src/drivers/zk-standalone/records.js';
import type { RoundTrip } from './contract.js';

const byte = fc.integer({ min: 0, max: 255 });
const word = fc.integer({ min: 0, max: 0xffff });
const packet = fc.record({ command: word, session: word, reply: word, data: fc.uint8Array({ maxLength: 64 }) });
const time = fc.integer({ min: 0, max: 0xffffffff }).map(decodeTime);
const eventTime = fc
  .tuple(fc.integer({ min: 0, max: 99 * 372 * 86_400 }))
  .map(([value]): WallTime => decodeTime(value));
const textId = fc.stringMatching(/^[A-Z0-9_-]{1,24}$/);
const numericId = fc.integer({ min: 1, max: 999_999_999 }).map(String);
const fields = (userId: fc.Arbitrary<string>, wallTime = time) =>
  fc.record({ uid: word, userId, verify: byte, state: byte, wallTime });

export const zkRoundTrips: readonly RoundTrip[] = [
  {
    name: 'packet, without and with the TCP prefix',
    check: () =>
      fc.assert(
        fc.property(packet, (one) => {
          expect(decodePacket(encodePacket(one))).toEqual({ ...one, checksum: 'exact' });
          const frame = tcpFrame(one);
          expect(TCP_FRAMES.measure(frame)).toBe(frame.length);
          expect(untcp(frame)).toEqual({ ...one, checksum: 'exact' });
        }),
      ),
  },
  {
    name: 'time, impossible dates included',
    check: () => fc.assert(fc.property(time, (wall) => decodeTime(encodeTime(wall)) === wall)),
  },
  {
    name: 'attendance of 40 bytes',
    check: () =>
      fc.assert(
        fc.property(fields(textId), (one) => {
          expect(decodeAttendance(encodeAttendance(one, 40), false, 'auto')).toMatchObject(one);
        }),
      ),
  },
  {
    name: 'attendance of 16 bytes, both orders',
    check: () =>
      fc.assert(
        fc.property(fields(numericId), fc.boolean(), (one, stateFirst) => {
          expect(decodeAttendance(encodeAttendance(one, 16, stateFirst), stateFirst, 'auto')).toMatchObject({
            ...one,
            uid: null,
          });
        }),
      ),
  },
  {
    name: 'attendance of 8 bytes',
    check: () =>
      fc.assert(
        fc.property(fields(textId), (one) => {
          expect(decodeAttendance(encodeAttendance(one, 8), false, 'auto')).toMatchObject({ ...one, userId: null });
        }),
      ),
  },
  {
    name: 'users of 72 and 28 bytes, GBK and UTF-8',
    check: () =>
      fc.assert(
        fc.property(word, numericId, fc.constantFrom('gbk', 'utf-8'), byte, (uid, id, encoding, privilege) => {
          const user = { uid, id, name: '张三', privilege, card: 305_419_896 };
          expect(decodeUser(encodeUser(user, 72, encoding), encoding)).toEqual(user);
          expect(decodeUser(encodeUser(user, 28, encoding), encoding)).toEqual(user);
        }),
      ),
  },
  {
    name: 'events with the id as text',
    check: () =>
      fc.assert(
        fc.property(fields(textId, eventTime), fc.constantFrom(32, 36, 37, 52), (one, size) => {
          expect(decodeEvent(encodeEvent(one, size), 'auto')).toMatchObject([{ ...one, uid: null }]);
        }),
      ),
  },
  {
    name: 'events with the id as a number of two or four bytes',
    check: () =>
      fc.assert(
        fc.property(
          fields(fc.integer({ min: 1, max: 0xffff }).map(String), eventTime),
          fc.constantFrom(10, 12, 14),
          ({ uid, userId, ...one }, size) => {
            const id = size === 12 ? { userId, shortId: null } : { userId: null, shortId: Number(userId) };
            expect(decodeEvent(encodeEvent({ uid, userId, ...one }, size), 'auto')).toMatchObject([{ ...one, ...id }]);
          },
        ),
      ),
  },
  {
    name: 'counters of 80 and 92 bytes',
    check: () =>
      fc.assert(
        fc.property(fc.nat(), fc.nat(), fc.nat(), fc.constantFrom(80, 92), (users, records, capacity, size) => {
          const bytes = encodeSizes({ users, records, userCapacity: capacity, recordCapacity: capacity }, size);
          expect(bytes.length).toBe(size);
          expect(decodeSizes(bytes)).toEqual({
            ...{ users, records, userCapacity: capacity, recordCapacity: capacity },
            recordsFree: Math.max(0, capacity - records),
            faces: size === 92 ? users : null,
          });
        }),
      ),
  },
  {
    name: 'requests for a data set, and what is prepared',
    check: () =>
      fc.assert(
        fc.property(word, fc.nat(0xffffffff), fc.nat(0xffffffff), (command, what, length) => {
          const request = Buffer.from(encodeDataRequest(command, what));
          expect([request[0], request.readUInt16LE(1), request.readUInt32LE(3), request.length]).toEqual([
            ...[1, command, what, 11],
          ]);
          const chunk = Buffer.from(encodeChunkRequest(what, length));
          expect([chunk.readUInt32LE(0), chunk.readUInt32LE(4), chunk.length]).toEqual([what, length, 8]);
          expect(decodePrepared(Buffer.concat([Uint8Array.of(0), chunk.subarray(4)]))).toBe(length);
        }),
      ),
  },
];
