/** `rollcall totals`: both ratios with numerator, denominator and line, beside the daemon, without names in the clear. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runTotals } from '../../src/commands/totals.js';
import { by, classText, FULL_DAY, nameOf, person, punch } from '../classes/class-fixture.js';
import { openClassroom, type Classroom } from './classroom.js';

const CLASS = 'BT2026-031';
const DAYS = ['2026-09-07', '2026-09-08', '2026-09-09', '2026-09-10', '2026-09-11'];

/** Forty hours: T001 came on four days of five, T002 to one morning, T003 never; the teacher on the first day. */
function taught(): Classroom {
  const room = openClassroom();
  const sessions =
    'sessions: [{ id: AM, start: "08:30", end: "12:00", lessons: 4, teacher: J1 }, { id: PM, start: "14:00", end: "17:30", lessons: 4 }]';
  const dated = DAYS.map((date) => `{ date: ${date}, ${sessions} }`).join(', ');
  room.open((_store, classes) =>
    classes.importText(
      'c.yaml',
      classText({ head: 'unapproved: { by: 张督导, reason: 待批 }\napprovedHeadcount: 30', timetable: `[${dated}]` }),
      by,
    ),
  );
  room.take(
    ...DAYS.slice(0, 4).flatMap((date) => FULL_DAY.map((time) => punch(date, time))),
    ...FULL_DAY.slice(0, 2).map((time) => punch('2026-09-07', time, { user: 'T002' })),
    punch('2026-09-07', '08:10', { user: 'J1' }),
  );
  room.settle('2026-09-13', '08:00');
  return room;
}

const total = (room: Classroom, json = true, over: Record<string, unknown> = {}, classNo?: string) =>
  room.run(
    (io) =>
      runTotals(
        { config: room.config, ...(classNo === undefined ? {} : { class: classNo }) },
        { ...room.options, ...over },
        io,
      ),
    json,
  );

test('people and class, as JSON', () => {
  const room = taught();
  const { code, rows } = total(room);
  expect(code).toBe(0);
  const [first, ...people] = rows;
  expect(first).toMatchObject({
    kind: 'class',
    classNo: CLASS,
    state: 'ended',
    plannedHours: 40,
    timetableHours: 40,
    attendedHours: 32,
    deliveredHours: null,
    sessionsPlanned: 10,
    sessionsHeld: 8,
    present: 9,
    expected: 24,
    averageRate: 37.5,
    approvedHeadcount: 30,
    enrolled: 3,
    trainees: 3,
    inspectionsDue: { city: 1, county: 1 },
    inspectionsDone: null,
    // The fifth working day after Friday the 11th; the Mid-Autumn holiday of 2026 begins on the 25th.
    feedbackDue: '2026-09-18',
    feedbackFallbackYears: [],
    attendanceQualified: { people: 1, of: 3 },
    examEligible: { people: 0, of: 3 },
    results: 'final',
    pending: 0,
  });
  const { flags, teachers } = first as { flags: { class: object; session: object }; teachers: { date: string }[] };
  expect(flags.class).toEqual({ TEACHER_MISSING: 3, UNAPPROVED_CLASS: 1 });
  expect(flags.session).toMatchObject({ ABSENT: 21 });
  expect(teachers.map(({ date }) => date)).toEqual(DAYS.slice(1, 4));
  expect(people).toMatchObject([
    {
      kind: 'person',
      traineeNo: 'T001',
      hoursByPunch: 32,
      totalHours: 32,
      requiredHours: 40,
      percent: 80,
      thresholds: {
        attendance: { hours: 32, required: 40, percent: 80, line: 80, reached: true },
        exam: { hours: 32, required: 40, percent: 80, line: 95, reached: false },
        theory: null,
        practice: null,
      },
    },
    { traineeNo: 'T002', totalHours: 4, percent: 10 },
    { traineeNo: 'T003', totalHours: 0, percent: 0 },
  ]);
});

test('in words: numerator, denominator, ratio, line and whether it is reached, never that somebody has passed', () => {
  const room = taught();
  const { out, err } = total(room, false);
  expect(out).toContain('出勤 attendance 32/40 = 80.0 % (线 80 %: 达到 reached)');
  expect(out).toContain('考前 before the examination 32/40 = 80.0 % (线 95 %: 未达到 not reached)');
  expect(out).toContain('尚无现场图片 no frames yet');
  expect(out).toContain('平均到课率 average rate 9/24 = 37.5 %');
  expect(`${out}${err}`.replace('是否合格由旗县区认定', '')).not.toMatch(/passed|合格/);
});

test('names are masked, and left out where the key is not within reach', () => {
  const room = taught();
  const { out } = total(room);
  expect(out).not.toContain(nameOf(1));
  expect(total(room).rows[1]).toMatchObject({ name: expect.stringMatching(/\*|某/) as string });
  rmSync(join(room.dataDir, 'keys', 'kek'));
  const lost = total(room);
  expect(lost.rows.slice(1)).toMatchObject([{ name: null }, { name: null }, { name: null }]);
  expect(lost.err).toContain('Names are sealed and the key is not here');
});

test('works while the store is open, and says what waits to be computed', () => {
  const room = taught();
  room.open((store, classes) => {
    store.transact((tx) => {
      const late = punch('2026-09-11', '08:20');
      tx.addPunch(late);
      for (const day of classes.daysTouchedBy(late)) tx.touchDay({ ...day, cause: 'punch' });
    });
    const { code, rows } = total(room);
    expect(code).toBe(0);
    expect(rows[0]).toMatchObject({ pending: 1 });
  });
});

test('one class by either number, an unknown one is refused, no class at all is said', () => {
  const room = taught();
  expect(total(room, true, {}, CLASS).rows).toHaveLength(4);
  expect(() => total(room, true, {}, 'NONE')).toThrow(expect.objectContaining({ code: 'class-unknown' }) as Error);
  const empty = openClassroom();
  expect(total(empty)).toMatchObject({ code: 0, rows: [] });
  expect(person(1)).toContain('T001');
});
