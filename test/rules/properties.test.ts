/** What must hold for every day (requirements 4.13), tried on random days, policies and orders of arrival. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addDays, instant, wallToInstant, type LocalDate, type WallTime } from '../../src/core/time.js';
import { loadPreset } from '../../src/policies.js';
import { creditDay } from '../../src/rules/day.js';
import type { DayPunch, DayQuestion } from '../../src/rules/day-credit.js';
import { explainDay } from '../../src/rules/explain.js';
import { parsePolicy, withValues, type Policy } from '../../src/rules/policy.js';
import { minuteText } from '../../src/rules/grid.js';

const base = loadPreset('baotou-2023');
const date = '2023-03-06' as LocalDate;

const policies = fc
  .record({
    'credit.mode': fc.constantFrom('lessons', 'session', 'slot', 'proportional'),
    'credit.roundingStep': fc.constantFrom(1, 0.5, 0.1),
    'punch.precision': fc.constantFrom('minute', 'second'),
    'punch.direction': fc.constantFrom('ignore', 'require'),
    dayCapHours: fc.constantFrom(8, 5),
  })
  .map((values) => parsePolicy(withValues(base.plain, values)));

const punches = fc.array(
  fc
    .record({
      second: fc.integer({ min: 7 * 3600, max: 19 * 3600 }),
      terminal: fc.constantFrom('T1', 'T2', 'T9'),
      offsetSeconds: fc.constantFrom(0, 30, 31, -400, 601, null),
      offsetAgeSeconds: fc.constantFrom(0, 86_401),
      delivery: fc.constantFrom('live' as const, 'backfill' as const),
      verify: fc.constantFrom('face', 'face', 'face', 'card', 'password'),
      direction: fc.constantFrom('in' as const, 'out' as const, 'unknown' as const),
      dayShift: fc.constantFrom(0, 0, 0, 1, -1),
    })
    .map(({ second, dayShift, ...rest }) => {
      const wall =
        `${addDays(date, dayShift)} ${minuteText(Math.floor(second / 60))}:${String(second % 60).padStart(2, '0')}` as WallTime;
      const at = wallToInstant(wall, base.policy.timezone);
      return { ...rest, wallTime: wall, instant: at, rx: instant((at ?? 0) + 2500), score: null };
    }),
  { maxLength: 9 },
);

const questions = fc
  .record({
    punches,
    sessions: fc.constantFrom(base.policy.sessions, base.policy.sessions.slice(0, 1), []),
    leaves: fc.subarray(['AM', 'PM'] as const),
    makeups: fc.subarray(['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'] as const),
    online: fc.array(
      fc.record({ kind: fc.constantFrom('theory' as const, 'practice' as const), minutes: fc.nat(400) }),
      { maxLength: 2 },
    ),
    trusted: fc.boolean(),
  })
  .map(({ trusted, ...rest }): DayQuestion => ({
    ...rest,
    classNo: 'C1',
    traineeNo: 'S1',
    date,
    classDates: [],
    terminals: ['T1', 'T2'],
    enrolment: null,
    grantedMethods: ['card'],
    gatewayClockTrusted: trusted,
    punches: rest.punches.map((punch, at): DayPunch => ({ ...punch, n: at + 1 })),
    outages: [],
    rivals: [],
    timetableVersion: '3',
    rosterVersion: '1',
  }));

const bytes = (question: DayQuestion, policy: Policy): string => JSON.stringify(creditDay(question, policy));

test('the order of arrival does not matter, nor does a second delivery', () => {
  fc.assert(
    fc.property(questions, policies, fc.array(fc.nat(), { minLength: 9, maxLength: 9 }), (question, policy, order) => {
      const keys = question.punches.map((punch, at) => ({ punch, key: order[at] ?? 0 }));
      const shuffled = keys.sort((a, b) => a.key - b.key).map(({ punch }) => punch);
      const expected = bytes(question, policy);
      expect(bytes({ ...question, punches: shuffled }, policy)).toBe(expected);
      expect(bytes({ ...question, punches: [...shuffled, ...question.punches] }, policy)).toBe(expected);
    }),
    { numRuns: 300 },
  );
});

test('hours stay inside the day cap and add up', () => {
  fc.assert(
    fc.property(questions, policies, (question, policy) => {
      const result = creditDay(question, policy).dayResult;
      if (result === null) throw new Error('enrolled people have a result');
      const { hoursByPunch, hoursFromMakeup, onlineHours, offlineHours, totalHours } = result;
      const centi = (hours: number): number => Math.round(hours * 100);
      expect(totalHours).toBeGreaterThanOrEqual(0);
      expect(totalHours).toBeLessThanOrEqual(policy.dayCapHours);
      expect(hoursFromMakeup).toBeGreaterThanOrEqual(0);
      expect(centi(hoursByPunch) + centi(hoursFromMakeup)).toBe(centi(offlineHours));
      expect(centi(offlineHours) + centi(onlineHours)).toBe(centi(totalHours));
      if (['lessons', 'session'].includes(policy.credit.mode)) expect(Number.isInteger(totalHours)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a further usable punch never lowers the hours by punch', () => {
  fc.assert(
    fc.property(questions, policies, (question, policy) => {
      const hours = (count: number): number =>
        creditDay({ ...question, punches: question.punches.slice(0, count) }, policy).dayResult?.hoursByPunch ?? -1;
      for (let count = 1; count <= question.punches.length; count += 1)
        expect(hours(count)).toBeGreaterThanOrEqual(hours(count - 1));
    }),
    { numRuns: 300 },
  );
});

test('every punch of the day is used or named once, flags are sorted, every lesson is explained in both languages', () => {
  fc.assert(
    fc.property(questions, policies, (question, policy) => {
      const credit = creditDay(question, policy);
      const used = Object.values(credit.dayResult?.slots ?? {}).flatMap((fill) => (fill?.n == null ? [] : [fill.n]));
      const numbers = [...used, ...credit.ignored.map(({ n }) => n)];
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(credit.flags).toEqual([...new Set(credit.flags)].sort());
      for (const session of question.sessions) {
        const lessons = credit.explanation.filter((line) => line.about === 'lesson' && line.session === session.id);
        expect(lessons.map(({ lesson }) => lesson)).toEqual([1, 2, 3, 4]);
        if (policy.credit.mode === 'lessons') {
          const counted = lessons.filter(({ params }) => params.counted === 1).length;
          expect(counted).toBe(credit.dayResult?.sessionHours[session.id]);
        }
      }
      expect(credit.explanation.filter(({ about }) => about === 'punch').map(({ n }) => n)).toEqual(
        credit.ignored.map(({ n }) => n),
      );
      const [zh, en] = [explainDay(credit, 'zh'), explainDay(credit, 'en')];
      expect(zh.every((text) => /[\u4e00-\u9fff]/.test(text) && !/[{}]/.test(text))).toBe(true);
      expect(en.every((text) => /^[\x20-\x7e\u2013]+$/.test(text) && !/[{}]/.test(text))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('the machine zone is irrelevant', () => {
  const before = process.env.TZ;
  try {
    const results = ['UTC', 'Asia/Shanghai', 'America/New_York'].map((zoneName) => {
      process.env.TZ = zoneName;
      return fc.sample(questions, { seed: 7, numRuns: 40 }).map((question) => bytes(question, base.policy));
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
});
