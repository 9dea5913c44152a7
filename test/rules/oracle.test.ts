/** The rules against a second implementation of the same text (`oracle.ts`), on random days in mode `lessons`. */
import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { creditDay } from '../../src/rules/day.js';
import type { DayCredit, DayResult } from '../../src/rules/day-credit.js';
import { oracleDay, type OracleAnswer } from './oracle.js';
import { ANYTHING, randomDays } from './random-days.js';

const DAYS = 20_000;

test(`two implementations of the rules agree on ${DAYS} days`, () => {
  const seed = fc.readConfigureGlobal().seed ?? randomInt(2 ** 31);
  const next = randomDays(seed, { ...ANYTHING, modes: ['lessons'], zones: ['Asia/Shanghai'] });
  for (let at = 0; at < DAYS; at += 1) {
    const { question, policy } = next();
    const ours = plain(creditDay(question, policy));
    const theirs = oracleDay(question, policy);
    if (isDeepStrictEqual(ours, theirs)) continue;
    expect(ours, `seed ${seed}, day ${at}: ${JSON.stringify({ question, policy })}`).toEqual(theirs);
  }
});

/** What the oracle answers, of a result. */
function plain({ dayResult, flags, ignored }: DayCredit): OracleAnswer {
  return {
    day: dayResult === null ? null : plainDay(dayResult),
    flags: [...flags],
    ignored: Object.fromEntries(ignored.map(({ n, reason }) => [n, reason])),
  };
}

function plainDay(result: DayResult): OracleAnswer['day'] {
  const { sessions, slots, sessionHours, ...hours } = result;
  return {
    slots: Object.fromEntries(
      Object.entries(slots).map(([id, fill]) => [id, fill ? { time: fill.time, n: fill.n } : null]),
    ),
    sessionHours,
    minutes: Object.fromEntries(
      sessions.map(({ id, minutesLate, minutesEarly }) => [id, { late: minutesLate, early: minutesEarly }]),
    ),
    ...hours,
  };
}
