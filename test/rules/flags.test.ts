/** Every flag of the requirements and every pattern has words in both languages and the right kind. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FLAG_CODES, flagKind, flagWords, splitFlag } from '../../src/rules/flags.js';

/** The list of 4.14 and R36, written down a second time on purpose. */
const LISTED = {
  day: `CLOCK_CORRECTED CLOCK_UNTRUSTED GATEWAY_CLOCK_UNTRUSTED METHOD_REJECTED ALTERNATIVE_METHOD NOT_SCHEDULED OUT_OF_WINDOW
    WRONG_CLASS NOT_ENROLLED CONCURRENT_PRESENCE DOUBLE_ENROLMENT BACKFILLED DAY_CAP ONLINE_DAY_CAP PRACTICE_ONLINE AFTER_SEAL`,
  session: 'ABSENT MISSING_IN MISSING_OUT LATE EARLY_LEAVE LEAVE LEAVE_BUT_PRESENT MAKEUP MAKEUP_UNNEEDED OUTAGE',
  person: 'MAKEUP_CAP ONLINE_TOTAL_CAP REPEAT_OCCUPATION NO_CONSENT',
  class: `UNAPPROVED_CLASS TIMETABLE_CHANGED HOURS_REDUCED TEACHER_MISSING TEACHER_CHANGED TEMPORARY_VENUE DEVICE_REBOUND
    CAMERA_BLOCKED CAMERA_FROZEN CAMERA_MOVED NO_PANORAMA PANORAMA_INCOMPLETE`,
  pattern: 'CROWD_AT_ONCE TWO_PLACES ALL_BACKFILLED MAKEUP_BURST SAME_PHOTO',
  punch: 'DUPLICATE EXTRA',
};

test('each listed code has its kind and two sentences, and no code is there that is not listed', () => {
  const listed = Object.entries(LISTED).flatMap(([kind, codes]) => codes.split(/\s+/).map((code) => ({ code, kind })));
  expect(FLAG_CODES).toHaveLength(listed.length);
  for (const { code, kind } of listed) {
    expect(flagKind(code), code).toBe(kind);
    const { zh, en } = flagWords(code);
    expect(zh, code).toMatch(/[\u4e00-\u9fff]/);
    expect(en, code).toMatch(/^[a-z][\x20-\x7e]+$/);
  }
});

test('a session is part of the words; an unknown code is shown as it is', () => {
  expect(flagWords('AM:LATE')).toEqual({ zh: '上午迟到', en: 'morning: late' });
  expect(flagWords('PM:MISSING_OUT')).toEqual({ zh: '下午缺签退', en: 'afternoon: the sign-out is missing' });
  expect(flagKind('PM:MISSING_OUT')).toBe('session');
  expect(splitFlag('PM:MISSING_OUT')).toEqual({ session: 'PM', code: 'MISSING_OUT' });
  expect(flagWords('AM:SOMETHING_NEW')).toEqual({ zh: 'AM:SOMETHING_NEW', en: 'AM:SOMETHING_NEW' });
  expect(flagKind('SOMETHING_NEW')).toBeNull();
});

test('every code in capitals that the rules write as a flag has words', () => {
  const dir = fileURLToPath(new URL('../../src/rules/', import.meta.url));
  const pushed = readdirSync(dir)
    .map((name) => readFileSync(`${dir}${name}`, 'utf8'))
    .flatMap((text) => [...text.matchAll(/(?:flags\.(?:add|push)|codes\.push|refuse)\('([A-Z_]+)'\)/g)])
    .map(([, code]) => code ?? '');
  expect(pushed.length).toBeGreaterThan(15);
  expect(pushed.filter((code) => flagKind(code) === null)).toEqual([]);
});
