/** What a case file cannot say: two classes that claim one punch, facts as punches, offsets in milliseconds, finality. */
import { expect, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.js';
import { instant, parseIso, wallToInstant, type Instant, type LocalDate, type WallTime } from '../../src/core/time.js';
import { loadPreset } from '../../src/policies.js';
import { creditDay, hasResult, usedPunches } from '../../src/rules/day.js';
import { dayPunchOf, type DayPunch, type DayQuestion, type RivalClass } from '../../src/rules/day-credit.js';
import { ageInSeconds, effectiveTime, offsetInSeconds } from '../../src/rules/effective-time.js';
import type { Numbered, PunchFact } from '../../src/rules/facts.js';
import { dayStatus, nextVersion } from '../../src/rules/revision.js';
import { inspectionsDue, isPresent, spotCheck } from '../../src/rules/totals.js';

const { policy } = loadPreset('baotou-2023');
const day = (text: string): LocalDate => text as LocalDate;
const at = (text: string): Instant => parseIso(text) ?? instant(0);

function punch(n: number, time: string, more: Partial<DayPunch> = {}): DayPunch {
  const wallTime = `2023-03-06 ${time}` as WallTime;
  const told = wallToInstant(wallTime, policy.timezone);
  return {
    n,
    terminal: 'T1',
    wallTime,
    instant: told,
    rx: instant((told ?? 0) + 2000),
    offsetSeconds: 0,
    offsetAgeSeconds: 0,
    delivery: 'live',
    verify: 'face',
    score: null,
    direction: 'unknown',
    ...more,
  };
}

const question: DayQuestion = {
  classNo: 'C2',
  traineeNo: 'S1',
  date: day('2023-03-06'),
  sessions: policy.sessions,
  classDates: [],
  terminals: ['T1'],
  enrolment: [{ from: day('2023-03-01'), to: null }],
  grantedMethods: [],
  gatewayClockTrusted: true,
  punches: [punch(11, '08:21:00'), punch(12, '12:01:00')],
  leaves: [],
  makeups: [],
  online: [],
  outages: [],
  rivals: [],
  timetableVersion: null,
  rosterVersion: null,
};

const rival = (more: Partial<RivalClass>): RivalClass => ({
  classNo: 'C1',
  enrolment: [{ from: day('2023-03-01'), to: null }],
  terminals: ['T1'],
  grantedMethods: [],
  sessions: policy.sessions.slice(0, 1),
  policy,
  ...more,
});

test('one punch, two classes: the earlier enrolment takes it, then the smaller class number; both are flagged', () => {
  const ask = (one: RivalClass): { reasons: string[]; flags: readonly string[]; hours: number | undefined } => {
    const credit = creditDay({ ...question, rivals: [one] }, policy);
    return {
      reasons: credit.ignored.map(({ reason }) => reason),
      flags: credit.flags,
      hours: credit.dayResult?.totalHours,
    };
  };
  const lost = {
    reasons: ['DOUBLE_ENROLMENT', 'DOUBLE_ENROLMENT'],
    flags: ['AM:ABSENT', 'DOUBLE_ENROLMENT', 'PM:ABSENT'],
    hours: 0,
  };
  const kept = { reasons: [], flags: ['DOUBLE_ENROLMENT', 'PM:ABSENT'], hours: 4 };
  const apart = { reasons: [], flags: ['PM:ABSENT'], hours: 4 };
  expect(ask(rival({}))).toEqual(lost);
  expect(ask(rival({ classNo: 'C3' }))).toEqual(kept);
  expect(ask(rival({ classNo: 'C3', enrolment: [{ from: day('2023-02-01'), to: null }] }))).toEqual(lost);
  expect(ask(rival({ enrolment: [{ from: day('2023-03-02'), to: null }] }))).toEqual(kept);
  // No claim: other terminal, no session then, or no longer enrolled there.
  expect(ask(rival({ terminals: ['T2'] }))).toEqual(apart);
  expect(ask(rival({ sessions: policy.sessions.slice(1) }))).toEqual(apart);
  expect(ask(rival({ enrolment: [{ from: day('2023-02-01'), to: day('2023-03-05') }] }))).toEqual(apart);
});

test('the result names policy, punches and engine, and is plain JSON', () => {
  const credit = creditDay(question, policy);
  expect(credit.policy).toEqual({ id: 'baotou-2023', ver: 1, sha256: policy.sha256 });
  expect(usedPunches(credit)).toEqual([11, 12]);
  expect(credit.dayResult?.slots.AM_IN).toEqual({
    time: '08:21',
    by: 'punch',
    n: 11,
    effective: at('2023-03-06T08:21:00+08:00'),
    timedBy: 'device',
    delivery: 'live',
  });
  expect(JSON.parse(JSON.stringify(credit))).toEqual(credit);
});

test('there is no result for another date without punch or online record', () => {
  const empty: DayQuestion = { ...question, sessions: [], punches: [] };
  const ask = (asked: DayQuestion): boolean => hasResult(asked, creditDay(asked, policy));
  expect(ask(empty)).toBe(false);
  expect(ask({ ...empty, online: [{ kind: 'theory', minutes: 10 }] })).toBe(true);
  expect(ask({ ...empty, punches: question.punches })).toBe(true);
  expect(ask({ ...question, punches: [] })).toBe(true);
});

test('an untimed punch that told another class day is not listed on the day of its receipt', () => {
  const untimed = punch(13, '08:00:00', {
    wallTime: '2023-03-04 08:00:00' as WallTime,
    instant: at('2023-03-04T08:00:00+08:00'),
    rx: at('2023-03-06T09:00:00+08:00'),
    offsetSeconds: null,
    delivery: 'backfill',
  });
  const listed = (classDates: readonly LocalDate[]): number =>
    creditDay({ ...question, classDates, punches: [untimed] }, policy).ignored.length;
  expect(listed([])).toBe(1);
  expect(listed([day('2023-03-04')])).toBe(0);
});

test('a timetable whose lessons do not fit is refused', () => {
  const sessions = [{ id: 'AM' as const, start: '08:30', end: '11:30', lessons: 4 }];
  expect(() => creditDay({ ...question, sessions }, policy)).toThrow(GatewayError);
});

test('offsets are rounded to the nearest second alike on both sides, ages upward', () => {
  expect([30_499, 30_500, -30_499, -30_500, 0, -400].map(offsetInSeconds)).toEqual([30, 31, -30, -31, 0, 0]);
  expect([0, 1, 1000, 86_400_001].map(ageInSeconds)).toEqual([0, 1, 1, 86_401]);
  const fact = { n: 5, deviceSn: 'SN1', offsetMs: -30_500, offsetAgeMs: 1 } as Numbered<PunchFact>;
  expect(dayPunchOf(fact)).toMatchObject({ n: 5, terminal: 'SN1', offsetSeconds: -31, offsetAgeSeconds: 1 });
  expect(dayPunchOf({ ...fact, offsetMs: null, offsetAgeMs: null })).toMatchObject({
    offsetSeconds: null,
    offsetAgeSeconds: null,
  });
});

test('an offset whose age is not known is not used; a receipt is cut to the second', () => {
  const clocked = punch(1, '08:21:00', { offsetAgeSeconds: null, rx: at('2023-03-06T08:22:07.900+08:00') });
  expect(effectiveTime(clocked, policy.clock)).toEqual({ at: at('2023-03-06T08:22:07+08:00'), by: 'received' });
  expect(effectiveTime({ ...clocked, delivery: 'backfill' }, policy.clock)).toEqual({ at: null, by: 'none' });
});

test('a day is final after its close once every terminal has reported, and one day later whatever happens', () => {
  const status = (now: string, reported: readonly (Instant | null)[]): string =>
    dayStatus({ date: question.date, sessions: policy.sessions, reported }, at(`${now}+08:00`), policy);
  const [before, after] = [at('2023-03-06T18:00:59+08:00'), at('2023-03-06T18:01:00+08:00')];
  expect(status('2023-03-06T23:29:59', [after])).toBe('provisional');
  expect(status('2023-03-06T23:30:00', [after])).toBe('final');
  expect(status('2023-03-06T23:30:00', [after, before])).toBe('provisional');
  expect(status('2023-03-06T23:30:00', [null])).toBe('provisional');
  expect(status('2023-03-07T23:29:59', [null])).toBe('provisional');
  expect(status('2023-03-07T23:30:00', [null])).toBe('final');
  const first = nextVersion(null, 'provisional', 'backfill');
  const final = nextVersion(first, 'final', 'backfill');
  expect([first.version, final.version, nextVersion(final, 'final', 'review')]).toEqual([
    1,
    1,
    { version: 2, status: 'final', supersedes: 1, cause: 'review' },
  ]);
});

test('inspection numbers: 33 of 41 reach 80 %, 14 are phoned, 121 hours need two checks each', () => {
  expect(spotCheck(41, 3, 33, policy)).toEqual({ expected: 41, present: 33, reached: true, phoneSample: 14 });
  expect(spotCheck(41, 0, 32, policy).reached).toBe(false);
  expect(inspectionsDue(120, policy)).toEqual({ city: 1, county: 1 });
  expect(inspectionsDue(121, policy)).toEqual({ city: 2, county: 2 });
});

test('present is who signed in and has not punched out; a made-up sign-out does not send anyone away', () => {
  const ask = (times: readonly string[], makeups: DayQuestion['makeups'] = []): boolean => {
    const punches = times.map((time, no) => punch(no + 1, time));
    const result = creditDay({ ...question, punches, makeups }, policy).dayResult;
    return result !== null && isPresent(result, 'AM');
  };
  expect(ask(['08:21:00'])).toBe(true);
  expect(ask(['08:21:00', '10:16:00'])).toBe(false);
  expect(ask(['10:16:00'])).toBe(false);
  expect(ask([], ['AM_IN'])).toBe(true);
  expect(ask(['08:21:00'], ['AM_OUT'])).toBe(true);
});
