/**
 * What must hold for every day (requirements 4.13), tried on a hundred thousand random days of every mode, and for every class
 * on sums of such days. A failure names seed and day: `FC_SEED=<seed>` repeats it.
 */
import { createHash, randomInt } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classTotals } from '../../src/rules/class-totals.js';
import { creditDay } from '../../src/rules/day.js';
import type { DayCredit, DayQuestion } from '../../src/rules/day-credit.js';
import { explainDay } from '../../src/rules/explain.js';
import { canonicalJson, parsePolicy, type Policy } from '../../src/rules/policy.js';
import { personTotal } from '../../src/rules/totals.js';
import { personDays } from '../../src/rules/part-hours.js';
import type { CreditedDay, TimetableDay } from '../../src/rules/planned-day.js';
import { addDays, type LocalDate } from '../../src/core/time.js';
import { dice, randomDays, type Dice, type RandomDay } from './random-days.js';

const DAYS = 100_000;
const seed = fc.readConfigureGlobal().seed ?? randomInt(2 ** 31);
const centi = (hours: number): number => Math.round(hours * 100);

/** A fault of one day in words, or null. Plain comparisons: an `expect` costs more than the day. */
function faultOf({ question, policy }: RandomDay, roll: Dice): string | null {
  const credit = creditDay(question, policy);
  const bytes = JSON.stringify(credit);
  // 1 and 2: any order of arrival, and some punches delivered again.
  const again = question.punches.filter(() => roll.chance(30));
  const mixed = { ...question, punches: roll.shuffle([...question.punches, ...again]) };
  if (JSON.stringify(creditDay(mixed, policy)) !== bytes) return 'order of arrival or a second delivery matters';
  const result = credit.dayResult;
  // 3: without one of the punches there are never more hours by punch.
  if (question.punches.length > 0) {
    const left = roll.int(question.punches.length);
    const fewer = creditDay({ ...question, punches: question.punches.filter((_, at) => at !== left) }, policy);
    const [more, less] = [result?.hoursByPunch ?? 0, fewer.dayResult?.hoursByPunch ?? 0];
    if (less > more) return `punch ${left + 1} lowered hoursByPunch from ${less} to ${more}`;
  }
  if (result === null) return credit.flags.some((flag) => flag !== 'NOT_ENROLLED') ? 'flags without enrolment' : null;
  return faultOfHours(credit, policy) ?? faultOfPlaces(credit, question);
}

function faultOfHours({ dayResult }: DayCredit, policy: Policy): string | null {
  if (dayResult === null) return 'no result';
  const { hoursByPunch, hoursFromMakeup, onlineHours, offlineHours, totalHours, sessions } = dayResult;
  // 4 and 7, in whole hundredths of an hour.
  if (totalHours < 0 || totalHours > policy.dayCapHours) return `${totalHours} hours a day`;
  if (Math.min(hoursByPunch, hoursFromMakeup, onlineHours) < 0) return 'hours below zero';
  if (centi(hoursByPunch) + centi(hoursFromMakeup) !== centi(offlineHours)) return 'offline hours do not add up';
  if (centi(offlineHours) + centi(onlineHours) !== centi(totalHours)) return 'hours do not add up';
  const step = ['lessons', 'session'].includes(policy.credit.mode) ? 100 : centi(policy.credit.roundingStep);
  if (onlineHours > policy.online.dayCapHours) return 'online hours above the cap';
  // Where sessions have parts of an hour, the day cap may leave room for a part of an online hour.
  if (step === 100 && !Number.isInteger(totalHours)) return 'a part of an hour';
  for (const { hours, lessons } of sessions) {
    if (centi(hours) % step !== 0 || hours < 0 || hours > lessons) return `a session of ${hours} of ${lessons} hours`;
  }
  return null;
}

/** Every punch is used or named at most once, and flags are each there once, in order. */
function faultOfPlaces({ dayResult, ignored, flags }: DayCredit, question: DayQuestion): string | null {
  const used = Object.values(dayResult?.slots ?? {}).flatMap((fill) => (fill?.n == null ? [] : [fill.n]));
  const numbers = [...used, ...ignored.map(({ n }) => n)];
  if (new Set(numbers).size !== numbers.length) return 'a punch stands in two places';
  if (!numbers.every((n) => question.punches.some((punch) => punch.n === n))) return 'a punch nobody made';
  return flags.every((flag, at) => at === 0 || (flags[at - 1] ?? '') < flag) ? null : 'flags are not sorted';
}

test(`${DAYS} random days keep the invariants`, { timeout: 180_000 }, () => {
  const next = randomDays(seed);
  const roll = dice(seed + 1);
  const modes = new Map<string, number>();
  let [filled, earned] = [0, 0];
  for (let at = 0; at < DAYS; at += 1) {
    const day = next();
    const fault = faultOf(day, roll);
    if (fault !== null) expect.fail(`seed ${seed}, day ${at}: ${fault}\n${JSON.stringify(day)}`);
    modes.set(day.policy.credit.mode, (modes.get(day.policy.credit.mode) ?? 0) + 1);
    if (at % 100 > 0) continue;
    const result = creditDay(day.question, day.policy).dayResult;
    filled += Object.values(result?.slots ?? {}).filter(Boolean).length;
    earned += result?.totalHours ?? 0;
  }
  // The days are not empty: otherwise the test would hold of nothing.
  expect([...modes.keys()].sort()).toEqual(['lessons', 'proportional', 'session', 'slot']);
  expect([...modes.values()].reduce((sum, count) => sum + count, 0)).toBe(DAYS);
  expect(filled).toBeGreaterThan(DAYS / 100);
  expect(earned).toBeGreaterThan(DAYS / 200);
});

test('the same question and policy, read anew from JSON as a class keeps them, give the same bytes', () => {
  const next = randomDays(seed + 2);
  const copies = new Map<Policy, Policy>();
  for (let at = 0; at < 2000; at += 1) {
    const { question, policy } = next();
    const { sha256, ...content } = policy;
    const copy = copies.get(policy) ?? parsePolicy(JSON.parse(canonicalJson(content)));
    copies.set(policy, copy);
    expect(copy.sha256).toBe(sha256);
    const again = JSON.parse(JSON.stringify(question)) as DayQuestion;
    expect(JSON.stringify(creditDay(again, copy))).toBe(JSON.stringify(creditDay(question, policy)));
  }
});

test('zone and language of the machine change nothing', { timeout: 60_000 }, () => {
  const next = randomDays(seed + 3);
  const days = Array.from({ length: 4000 }, () => next());
  const policies = [...new Set(days.map(({ policy }) => policy))];
  const asked = days.map(({ question, policy }) => ({ question, policy: policies.indexOf(policy) }));
  const digest = createHash('sha256');
  for (const { question, policy } of days) digest.update(JSON.stringify(creditDay(question, policy)));
  const expected = digest.digest('hex');
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-rules-'));
  try {
    const file = join(dir, 'days.json');
    writeFileSync(file, JSON.stringify({ policies, days: asked }));
    const rules = new URL('../../dist/rules/day.js', import.meta.url).href;
    const program = `
      const { creditDay } = await import(${JSON.stringify(rules)});
      const { readFileSync } = await import('node:fs');
      const { createHash } = await import('node:crypto');
      const { policies, days } = JSON.parse(readFileSync(process.argv[1], 'utf8'));
      const digest = createHash('sha256');
      for (const { question, policy } of days) digest.update(JSON.stringify(creditDay(question, policies[policy])));
      console.log(digest.digest('hex'), new Date(0).getTimezoneOffset());`;
    const places = [
      { TZ: 'America/New_York', LANG: 'zh_CN.UTF-8', LC_ALL: 'zh_CN.UTF-8' },
      { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
    ];
    const told = places.map((env) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', program, file], {
        env: { ...process.env, ...env },
        cwd: fileURLToPath(new URL('../../', import.meta.url)),
        encoding: 'utf8',
        timeout: 50_000,
      }).trim(),
    );
    expect(told).toEqual([`${expected} 300`, `${expected} -330`]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('every lesson and every unused punch is explained in both languages', () => {
  const next = randomDays(seed + 4);
  for (let at = 0; at < 2000; at += 1) {
    const { question, policy } = next();
    const credit = creditDay(question, policy);
    for (const session of credit.dayResult?.sessions ?? []) {
      const lessons = credit.explanation.filter((line) => line.about === 'lesson' && line.session === session.id);
      expect(lessons.map(({ lesson }) => lesson)).toEqual(Array.from({ length: session.lessons }, (_, no) => no + 1));
      if (policy.credit.mode !== 'lessons') continue;
      expect(lessons.filter(({ params }) => params.counted === 1)).toHaveLength(session.hours);
    }
    expect(credit.explanation.filter(({ about }) => about === 'punch').map(({ n }) => n)).toEqual(
      credit.ignored.map(({ n }) => n),
    );
    const [zh, en] = [explainDay(credit, 'zh'), explainDay(credit, 'en')];
    expect(zh.every((text) => /[\u4e00-\u9fff]/.test(text) && !/[{}]/.test(text))).toBe(true);
    expect(en.every((text) => /^[\x20-\x7e\u2013]+$/.test(text) && !/[{}]/.test(text))).toBe(true);
  }
});

/** Random results under one policy, put on the days of one timetable. */
function randomClass(
  next: () => RandomDay,
  roll: Dice,
): { policy: Policy; timetable: TimetableDay[]; days: CreditedDay[] } {
  const first = next();
  const days: CreditedDay[] = [];
  const timetable: TimetableDay[] = [];
  for (let tries = 0; tries < 600 && days.length < 12; tries += 1) {
    const { question, policy } = next();
    if (policy !== first.policy) continue;
    const date = addDays('2023-03-01' as LocalDate, days.length);
    days.push({ credit: { ...creditDay(question, policy), date }, online: question.online });
    const form = (): 'theory' | 'practice' => roll.pick(['theory', 'practice']);
    timetable.push({ date, sessions: question.sessions.map((one) => ({ ...one, form: form(), teacher: null })) });
  }
  return { policy: first.policy, timetable, days: roll.shuffle(days) };
}

test('the totals of a person add up, keep the class caps, and contain their parts', { timeout: 60_000 }, () => {
  const next = randomDays(seed + 5);
  const roll = dice(seed + 6);
  for (let at = 0; at < 150; at += 1) {
    const { policy, timetable, days } = randomClass(next, roll);
    const required = roll.pick([1, 40, 96, 121]);
    const sums = personDays('S1', days, timetable, required, policy);
    const total = personTotal({ ...sums }, required, policy);
    // 7 over a class, in hundredths.
    expect(centi(total.hoursByPunch) + centi(total.makeupCounted) + centi(total.onlineCounted)).toBe(
      centi(total.totalHours),
    );
    expect(centi(total.makeupCounted) * 100).toBeLessThanOrEqual(centi(required) * policy.makeup.maxPercentOfRequired);
    expect(total.makeupCounted < total.makeupRaw).toBe(total.flags.includes('MAKEUP_CAP'));
    const shown = total.percent * 10;
    expect(Math.abs(shown - Math.round(shown))).toBeLessThan(1e-9);
    expect(Math.round(shown) * centi(required)).toBeLessThanOrEqual(centi(total.totalHours) * 1000);
    expect((Math.round(shown) + 1) * centi(required)).toBeGreaterThan(centi(total.totalHours) * 1000);
    const parts = centi(sums.theory?.hours ?? 0) + centi(sums.practice?.hours ?? 0);
    expect(parts).toBeLessThanOrEqual(centi(total.totalHours));
    if (!policy.online.practiceOnline) expect(parts).toBe(centi(total.totalHours));
    const ask = (order: readonly CreditedDay[]): string =>
      JSON.stringify(
        classTotals(
          {
            classNo: 'C2',
            plannedHours: required,
            timetable,
            through: null,
            people: [{ traineeNo: 'S1', enrolment: null, days: order, flags: [] }],
            teacherPunches: null,
            frames: null,
            punches: [],
            flags: [],
          },
          policy,
        ),
      );
    expect(ask([...days].reverse())).toBe(ask(days));
  }
});
