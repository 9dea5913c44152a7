/** The sums of a class: what was held, attended, delivered and by whom, and which patterns are told. Worked out by hand. */
import { expect, test } from 'vitest';
import { addDays, instant, wallToInstant, type Instant, type LocalDate, type WallTime } from '../../src/core/time.js';
import { loadPreset } from '../../src/policies.js';
import { classTotals, type ClassPerson, type ClassQuestion } from '../../src/rules/class-totals.js';
import { creditDay } from '../../src/rules/day.js';
import type { DayPunch, DayQuestion } from '../../src/rules/day-credit.js';
import { personDays } from '../../src/rules/part-hours.js';
import { patternFindings, type PatternPunch } from '../../src/rules/patterns.js';
import type { CreditedDay, TimetableDay } from '../../src/rules/planned-day.js';
import { parsePolicy, withValues, type Policy } from '../../src/rules/policy.js';
import { teacherFindings } from '../../src/rules/teachers.js';
import { personTotal } from '../../src/rules/totals.js';

const preset = loadPreset('baotou-2023');
const { policy } = preset;
const liaoning = loadPreset('liaoning-2022-practical').policy;
const MONDAY = '2023-03-06' as LocalDate;
const TUESDAY = '2023-03-07' as LocalDate;

const at = (date: string, time: string): Instant =>
  wallToInstant(`${date} ${time}` as WallTime, policy.timezone) ?? instant(0);

function punch(n: number, date: string, time: string, more: Partial<DayPunch> = {}): DayPunch {
  const told = at(date, time);
  return {
    ...{ n, terminal: 'T1', wallTime: `${date} ${time}` as WallTime, instant: told, rx: instant(told + 2000) },
    ...{ offsetSeconds: 0, offsetAgeSeconds: 0, delivery: 'live', verify: 'face', score: null, direction: 'unknown' },
    ...more,
  };
}

/** Theory under L1 in the morning, practice under L2 in the afternoon. */
const plan = (date: LocalDate): TimetableDay => ({
  date,
  sessions: policy.sessions.map((session) => ({
    ...session,
    form: session.id === 'AM' ? 'theory' : 'practice',
    teacher: session.id === 'AM' ? 'L1' : 'L2',
  })),
});

function day(times: readonly string[], more: Partial<DayQuestion> = {}, under: Policy = policy): CreditedDay {
  const date = more.date ?? MONDAY;
  const question: DayQuestion = {
    ...{ classNo: 'C1', traineeNo: 'S1', date, sessions: policy.sessions, classDates: [], terminals: ['T1'] },
    ...{ enrolment: null, grantedMethods: [], gatewayClockTrusted: true, leaves: [], makeups: [], online: [] },
    ...{ outages: [], rivals: [], timetableVersion: null, rosterVersion: null },
    punches: times.map((time, no) => punch(no + 1, date, time)),
    ...more,
  };
  return { credit: creditDay(question, under), online: question.online };
}

const FULL = ['08:21:00', '12:02:00', '13:51:00', '17:33:00'];
const person = (traineeNo: string, ...days: readonly CreditedDay[]): ClassPerson => ({
  traineeNo,
  enrolment: null,
  days: days.map((one) => ({ ...one, credit: { ...one.credit, traineeNo } })),
  flags: [],
});

const question = (more: Partial<ClassQuestion>): ClassQuestion => ({
  classNo: 'C1',
  plannedHours: 16,
  timetable: [plan(MONDAY), plan(TUESDAY)],
  through: TUESDAY,
  people: [],
  teacherPunches: null,
  frames: null,
  punches: [],
  flags: [],
  ...more,
});

test('held sessions, rate, attended hours and thresholds of a small class', () => {
  const totals = classTotals(
    question({
      people: [
        person('S1', day(FULL), day(FULL, { date: TUESDAY })),
        // Came late on Monday, stayed away on Tuesday afternoon.
        person('S2', day(['08:52:00', '12:02:00', '13:51:00', '17:33:00']), day(FULL.slice(0, 2), { date: TUESDAY })),
        // Not enrolled on Tuesday: not expected then.
        {
          ...person('S3', day([])),
          enrolment: [{ from: MONDAY, to: MONDAY }],
          flags: ['NO_CONSENT'],
        },
      ],
      flags: ['TIMETABLE_CHANGED', 'TIMETABLE_CHANGED'],
    }),
    policy,
  );
  expect(totals).toMatchObject({
    plannedHours: 16,
    timetableHours: 16,
    attendedHours: 16,
    deliveredHours: null,
    sessionsPlanned: 4,
    sessionsHeld: 4,
    // Four sessions with S1; S2 in three of them; S3 expected twice and never there.
    present: 7,
    expected: 10,
    averageRate: 70,
    inspectionsDue: { city: 1, county: 1 },
    attendanceQualified: { people: 1, of: 3 },
    examEligible: { people: 1, of: 3 },
    flags: {
      day: {},
      session: { ABSENT: 3, LATE: 1 },
      person: { NO_CONSENT: 1 },
      class: { TIMETABLE_CHANGED: 2 },
      pattern: {},
    },
  });
  expect(totals.people.map(({ totalHours, percent }) => [totalHours, percent])).toEqual([
    [16, 100],
    [11, 68.7],
    [0, 0],
  ]);
});

test('a lesson nobody was in is not attended, and one without a frame in its session is not delivered', () => {
  const early = day(['08:21:00', '11:00:00', '13:51:00', '17:33:00']);
  const madeUp = day([], { date: TUESDAY, makeups: ['AM_IN', 'AM_OUT'] });
  const ask = (frames: ClassQuestion['frames']): readonly (number | null)[] => {
    const totals = classTotals(question({ people: [person('S1', early, madeUp)], frames }), policy);
    return [totals.attendedHours, totals.deliveredHours, totals.sessionsHeld];
  };
  // Left at 11:00: two lessons and, within the grace, the third; make-ups prove nobody's presence.
  expect(ask(null)).toEqual([7, null, 2]);
  expect(ask([])).toEqual([7, 0, 2]);
  expect(ask([{ date: MONDAY, session: 'AM', lesson: 2 }])).toEqual([7, 3, 2]);
  const both = [
    { date: MONDAY, session: 'AM', lesson: null },
    { date: MONDAY, session: 'PM', lesson: 4 },
  ] as const;
  expect(ask(both)).toEqual([7, 7, 2]);
  const { lessons } = classTotals(question({ people: [person('S1', early)], frames: both }), policy);
  expect(lessons.filter(({ ownFrame }) => ownFrame === true).map(({ session, lesson }) => [session, lesson])).toEqual([
    ['PM', 4],
  ]);
});

test('an online lesson needs no room: it is delivered as far as somebody learnt that much', () => {
  const timetable = [
    { date: MONDAY, sessions: plan(MONDAY).sessions.map((one) => ({ ...one, online: one.id === 'PM' })) },
  ];
  const sessions = timetable[0]?.sessions ?? [];
  const learnt = day(FULL.slice(0, 2), { sessions, online: [{ kind: 'theory', minutes: 134 }] });
  const ask = (frames: ClassQuestion['frames']): readonly (number | null)[] => {
    const totals = classTotals(question({ timetable, people: [person('S1', learnt)], frames }), policy);
    return [totals.attendedHours, totals.deliveredHours, totals.sessionsPlanned];
  };
  expect(ask([])).toEqual([6, 2, 1]);
  expect(ask([{ date: MONDAY, session: 'AM', lesson: 1 }])).toEqual([6, 6, 1]);
});

test('theory and practice apart: by form of the session, make-ups under their cap, online as theory', () => {
  const days = [
    day(['08:52:00', '12:02:00', '13:51:00', '17:33:00'], { online: [{ kind: 'theory', minutes: 90 }] }),
    day(FULL.slice(0, 3), { date: TUESDAY, makeups: ['PM_OUT'] }),
  ];
  const timetable = [plan(MONDAY), plan(TUESDAY)];
  // 3 + 4 morning hours and one online hour (the day has room for one); practice: 4, and of 4 made up 10 % of 16.
  const sums = personDays('S1', days, timetable, 16, policy);
  expect(sums).toMatchObject({
    hoursByPunch: 11,
    makeupHoursByDate: [[TUESDAY, 4]],
    onlineHoursByDate: [[MONDAY, 1]],
    theory: { hours: 8, required: 8 },
    practice: { hours: 5, required: 8 },
  });
  expect(personTotal(sums, 16, policy)).toMatchObject({ totalHours: 13, makeupCounted: 1, onlineCounted: 1 });
  // The Liaoning presets want all of both.
  expect(personTotal(sums, 16, liaoning).attendanceQualified).toBe(false);
  const all = personDays('S1', [day(FULL), day(FULL, { date: TUESDAY })], timetable, 16, liaoning);
  expect(personTotal(all, 16, liaoning).attendanceQualified).toBe(true);
});

test('hours of a session that the timetable does not name belong to no form', () => {
  const morning = [{ date: MONDAY, sessions: plan(MONDAY).sessions.slice(0, 1) }];
  const sums = personDays('S1', [day(FULL)], morning, 8, policy);
  expect([sums.hoursByPunch, sums.theory, sums.practice]).toEqual([
    8,
    { hours: 4, required: 4 },
    { hours: 0, required: 0 },
  ]);
});

test('where the policy lets practice be held online, an hour made of both kinds is of neither', () => {
  const open = parsePolicy(withValues(preset.plain, { 'online.practiceOnline': true, 'online.totalCapPercent': 100 }));
  const online = [
    { kind: 'theory', minutes: 60 },
    { kind: 'practice', minutes: 75 },
  ] as const;
  const sums = personDays('S1', [day([], { online }, open)], [plan(MONDAY)], 8, open);
  expect([sums.onlineHoursByDate, sums.theory?.hours, sums.practice?.hours]).toEqual([[[MONDAY, 3]], 1, 1]);
});

test('in mode slot a make-up leaves the half that was punched', () => {
  const halves = parsePolicy(withValues(preset.plain, { 'credit.mode': 'slot', 'makeup.maxPercentOfRequired': 0 }));
  const half = day(['08:21:00'], { makeups: ['AM_OUT'] }, halves);
  expect(half.credit.dayResult).toMatchObject({ hoursByPunch: 2, hoursFromMakeup: 2 });
  expect(personDays('S1', [half], [plan(MONDAY)], 8, halves).theory).toEqual({ hours: 2, required: 4 });
});

test('a teacher who is missing, replaced, or early within the window; only where the session was held', () => {
  const held = (date: LocalDate): boolean => date === MONDAY;
  const ask = (...punches: readonly (readonly [string, string, string])[]): readonly string[] =>
    teacherFindings(
      [plan(MONDAY), plan(TUESDAY)],
      punches.map(([teacherNo, date, time]) => ({ teacherNo, at: at(date, time) })),
      held,
      policy,
    ).map(({ code, session, present }) => `${session} ${code} ${present.join(',')}`.trim());
  expect(ask(['L1', MONDAY, '08:00:00'], ['L2', MONDAY, '18:00:59'])).toEqual([]);
  expect(ask(['L1', MONDAY, '07:59:59'], ['L2', MONDAY, '14:00:00'])).toEqual(['AM TEACHER_MISSING']);
  expect(ask(['L1', TUESDAY, '08:00:00'])).toEqual(['AM TEACHER_MISSING', 'PM TEACHER_MISSING']);
  expect(ask(['L2', MONDAY, '09:00:00'], ['L1', MONDAY, '14:00:00'], ['L2', MONDAY, '14:00:00'])).toEqual([
    'AM TEACHER_CHANGED L2',
  ]);
});

test('teachers are judged up to the last day that is over, and not without their punches', () => {
  const people = [person('S1', day(FULL), day(FULL, { date: TUESDAY }))];
  const ask = (more: Partial<ClassQuestion>): object => classTotals(question({ people, ...more }), policy).flags.class;
  expect(ask({ teacherPunches: null })).toEqual({});
  expect(ask({ teacherPunches: [], through: null })).toEqual({});
  expect(ask({ teacherPunches: [], through: MONDAY })).toEqual({ TEACHER_MISSING: 2 });
  expect(ask({ teacherPunches: [] })).toEqual({ TEACHER_MISSING: 4 });
});

const seen = (traineeNo: string, one: DayPunch, more: Partial<PatternPunch> = {}): PatternPunch => ({
  traineeNo,
  punch: one,
  room: one.terminal === 'T2' ? 'R2' : 'R1',
  photo: null,
  ...more,
});
const told = (
  punches: readonly PatternPunch[],
  credits: Parameters<typeof patternFindings>[1] = [],
): readonly string[] =>
  patternFindings(punches, credits, policy).map(
    ({ code, traineeNo, terminal, count, ns }) =>
      `${code} ${traineeNo ?? '-'} ${terminal ?? '-'} ${count} ${ns.join(',')}`,
  );

test('five people within one second on one terminal are told, four are not, and one person five times is not', () => {
  const crowd = ['08:21:00', '08:21:00', '08:21:01', '08:21:01', '08:21:01'].map((time, no) =>
    seen(`S${no}`, punch(no + 1, MONDAY, time)),
  );
  expect(told(crowd)).toEqual(['CROWD_AT_ONCE - T1 5 1,2,3,4,5']);
  expect(told([...crowd].reverse())).toEqual(told(crowd));
  expect(told([...crowd, ...crowd])).toEqual(told(crowd));
  expect(told(crowd.slice(1))).toEqual([]);
  expect(told(crowd.map((one) => ({ ...one, traineeNo: 'S1' })))).toEqual([]);
  // One more a second later widens the same crowd; a crowd an hour later is another.
  const wider = [...crowd, seen('S5', punch(6, MONDAY, '08:21:02')), seen('S6', punch(7, MONDAY, '08:21:02'))];
  expect(told(wider)).toEqual(['CROWD_AT_ONCE - T1 7 1,2,3,4,5,6,7']);
  const later = crowd.map(({ traineeNo }, no) => seen(traineeNo, punch(no + 11, MONDAY, '09:21:00')));
  expect(told([...crowd, ...later])).toEqual(['CROWD_AT_ONCE - T1 5 1,2,3,4,5', 'CROWD_AT_ONCE - T1 5 11,12,13,14,15']);
  // A page that was received in one second, from a clock that nobody trusts, says nothing.
  const received = { offsetSeconds: null, rx: at(MONDAY, '12:00:00') };
  expect(told(crowd.map(({ traineeNo, punch: one }) => seen(traineeNo, { ...one, ...received })))).toEqual([]);
});

test('one person in two rooms within a minute', () => {
  const there = [
    seen('S1', punch(1, MONDAY, '08:21:00')),
    seen('S1', punch(2, MONDAY, '08:22:00', { terminal: 'T2' })),
  ];
  expect(told(there)).toEqual(['TWO_PLACES S1 - 2 1,2']);
  expect(told([...there].reverse())).toEqual(['TWO_PLACES S1 - 2 1,2']);
  expect(told(there.map((one) => ({ ...one, room: 'R1' })))).toEqual([]);
  expect(told(there.map((one) => ({ ...one, room: null })))).toEqual([]);
  const slower = seen('S1', punch(2, MONDAY, '08:22:01', { terminal: 'T2' }));
  expect(told([...there.slice(0, 1), slower])).toEqual([]);
  expect(told([...there.slice(0, 1), { ...(there[1] ?? slower), traineeNo: 'S2' }])).toEqual([]);
});

test('a day that came later as a whole, a burst of make-ups, one photo twice', () => {
  const late = FULL.map((time, no) => punch(no + 1, MONDAY, time, { delivery: 'backfill' }));
  expect(told([], [day([], { punches: late }).credit])).toEqual(['ALL_BACKFILLED S1 - 4 1,2,3,4']);
  expect(told([], [day([], { punches: late.slice(0, 3) }).credit])).toEqual([]);
  expect(told([], [day(FULL).credit])).toEqual([]);
  const makeups = ['AM_IN', 'AM_OUT', 'PM_IN', 'PM_OUT'] as const;
  const madeUp = (traineeNo: string, count: number): ReturnType<typeof day>['credit'] =>
    day([], { traineeNo, makeups: makeups.slice(0, count) }).credit;
  expect(told([], [madeUp('S1', 4), madeUp('S2', 4), madeUp('S3', 2)])).toEqual(['MAKEUP_BURST - - 10 ']);
  expect(told([], [madeUp('S1', 4), madeUp('S2', 4), madeUp('S3', 1)])).toEqual([]);
  const photo = (n: number, traineeNo: string, date: string): PatternPunch =>
    seen(traineeNo, punch(n, date, '08:21:00'), { photo: 'ab' });
  expect(told([photo(1, 'S1', MONDAY), photo(2, 'S2', addDays(MONDAY, 1))])).toEqual(['SAME_PHOTO - T1 2 1,2']);
  expect(told([photo(1, 'S1', MONDAY), photo(2, 'S1', TUESDAY)])).toEqual(['SAME_PHOTO S1 T1 2 1,2']);
  expect(told([photo(1, 'S1', MONDAY), photo(2, 'S1', MONDAY)])).toEqual([]);
});
