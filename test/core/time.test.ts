import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, test } from 'vitest';
import {
  addDays,
  instantToDate,
  instantToLocal,
  instantToWall,
  linkedController,
  parseIso,
  parseLocalDate,
  parseWallTime,
  steppedClock,
  wallTime,
  wallToInstant,
  within,
  zone,
  type Instant,
  type LocalDate,
  type WallTime,
  type Zone,
} from '../../src/core/time.js';
import { createFakeClock, settle } from '../support/fake-clock.js';

const SHANGHAI = 'Asia/Shanghai' as Zone;
const never = new AbortController().signal;

describe('wall time', () => {
  test('a known moment in Shanghai, whatever zone the machine has', () => {
    expect(wallToInstant('2025-09-01 08:05:30' as WallTime, SHANGHAI)).toBe(Date.UTC(2025, 8, 1, 0, 5, 30));
    expect(instantToWall(Date.UTC(2025, 8, 1, 0, 5, 30) as Instant, SHANGHAI)).toBe('2025-09-01 08:05:30');
  });

  test.each([
    '2025-02-30 08:00:00',
    '2025-13-01 08:00:00',
    '2000-00-00 00:00:00',
    '2025-01-01 24:00:01',
    '2025-01-01 08:60:00',
  ])('keeps %s as text and gives no instant', (text) => {
    expect(parseWallTime(text)).toBe(text);
    expect(wallToInstant(text as WallTime, SHANGHAI)).toBeNull();
  });

  test('a time that the zone skipped does not exist', () => {
    // China moved its clocks forward on 1986-05-04 at 02:00.
    expect(wallToInstant('1986-05-04 02:30:00' as WallTime, SHANGHAI)).toBeNull();
  });

  test('back and forth for every second of a century', () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800, max: 4_102_444_799 }), (second) => {
        const at = (second * 1000) as Instant;
        expect(wallToInstant(instantToWall(at, SHANGHAI), SHANGHAI)).toBe(at);
      }),
    );
  });

  test('parts are joined as told, padded, never corrected', () => {
    expect(wallTime(2025, 2, 30, 7, 5, 9)).toBe('2025-02-30 07:05:09');
  });
});

test('dates and wall times agree at any moment in zones with odd offsets', () => {
  const zones = [
    'Asia/Shanghai',
    'Asia/Kathmandu',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Europe/Berlin',
  ] as Zone[];
  // From 2012 on: until 2011 St John's put its clock back at one minute past midnight, between two quarters of an hour.
  fc.assert(
    fc.property(fc.integer({ min: 1_325_376_000, max: 4_102_444_799 }), fc.constantFrom(...zones), (second, where) => {
      const at = (second * 1000) as Instant;
      const wall = instantToWall(at, where);
      expect(wall.slice(0, 10)).toBe(instantToDate(at, where));
      const back = wallToInstant(wall, where);
      // Where the clock was put back a wall time names two moments; the earlier one is meant.
      if (back !== at) expect([at - (back ?? 0) > 0, instantToWall(back ?? at, where)]).toEqual([true, wall]);
    }),
    { numRuns: 2000 },
  );
});

test('dates are those of the site', () => {
  expect(instantToDate(Date.UTC(2026, 8, 9, 16, 0, 0) as Instant, SHANGHAI)).toBe('2026-09-10');
  expect(addDays('2026-02-28' as LocalDate, 1)).toBe('2026-03-01');
  expect(parseLocalDate('2026-02-30')).toBeNull();
  expect(parseIso('2023-03-06T08:21:10+08:00')).toBe(Date.UTC(2023, 2, 6, 0, 21, 10));
  expect(parseIso('2023-03-06T08:21:10')).toBeNull();
});

test.each(['+8', 'UTC+8', 'GMT+8', 'Mars/Base', ''])('%s is no zone', (name) => expect(zone(name)).toBeNull());

describe('within', () => {
  test('gives the result, or says late after the time on the given clock', async () => {
    const clock = createFakeClock();
    expect(await within(clock, 1000, never, Promise.resolve(7))).toBe(7);
    const late = within(clock, 1000, never, new Promise<never>(() => undefined));
    await clock.advance(1000);
    expect(await late).toBe('late');
    expect(clock.sleepers).toBe(0);
  });

  test('ends with the reason of the signal, and a failure passes through', async () => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const waiting = within(clock, 1000, stop.signal, new Promise<never>(() => undefined));
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(within(clock, 1000, never, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(clock.sleepers).toBe(0);
  });
});

test('a linked controller follows any parent, and lets go of all', () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const linked = linkedController(one.signal, two.signal);
  two.abort(new Error('second'));
  expect(linked.signal.aborted).toBe(true);
  expect((linked.signal.reason as Error).message).toBe('second');
  const ended = linkedController(one.signal);
  ended.end();
  expect(ended.signal.aborted).toBe(true);
});

test('a stepped clock stands still, wakes what is due, and never goes back', async () => {
  const clock = steppedClock(1000 as Instant);
  let woken = 0;
  void clock.sleep(500, never).then(() => (woken += 1));
  void clock.sleep(501, never).then(() => (woken += 1));
  clock.advanceTo(1500 as Instant);
  await settle();
  expect([woken, clock.now(), clock.ticks()]).toEqual([1, 1500, 500]);
  clock.advanceTo(10 as Instant);
  expect(clock.now()).toBe(1500);
});

test('local times by quarters of an hour are those that each instant looked up alone would have', () => {
  const zones = [
    'Asia/Shanghai',
    'Europe/Berlin',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Africa/Monrovia',
  ] as Zone[];
  const moments = fc.oneof(
    fc.integer({ min: -2_500_000_000_000, max: 4_000_000_000_000 }),
    // Clocks change: Berlin and Lord Howe in 2023, Shanghai from its mean time in 1901, Monrovia by 44.5 minutes in 1972.
    ...[1_679_792_400_000, 1_680_361_200_000, -2_177_481_943_000, 63_593_070_000].map((turn) =>
      fc.integer({ min: turn - 2_000_000, max: turn + 2_000_000 }),
    ),
  );
  fc.assert(
    fc.property(moments, fc.constantFrom(...zones), (ms, where) => {
      const alone = DateTime.fromMillis(ms, { zone: where });
      const wall = instantToWall(ms as Instant, where);
      expect(wall).toBe(alone.toFormat('yyyy-MM-dd HH:mm:ss'));
      const { date, second } = instantToLocal(ms as Instant, where);
      expect(date).toBe(wall.slice(0, 10));
      expect(second).toBe(alone.hour * 3600 + alone.minute * 60 + alone.second);
    }),
    { numRuns: 2000 },
  );
});
