import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { putNote } from '../../src/classes/class-changes.js';
import { openRequests } from '../../src/classes/requests.js';
import { createDoorbell } from '../../src/core/unit.js';
import type { AttendanceTable } from '../../src/exports/attendance.js';
import { gatherAttendance, maskedBy, type TableRequest } from '../../src/exports/gather.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { canonicalJson } from '../../src/rules/policy.js';
import {
  at,
  by,
  classText,
  day,
  documentOf,
  FULL_DAY,
  nameOf,
  openBench,
  person,
  punch,
  take,
  type Bench,
} from '../classes/class-fixture.js';

const CLASS = 'BT2026-031';
const REQUEST: TableRequest = {
  ...{ classNo: CLASS, by: 'city', from: null, to: null },
  ...{ madeBy: '西门教务', madeOn: day('2026-09-12'), sign: null },
};

const table = (bench: Bench, over: Partial<TableRequest> = {}): AttendanceTable =>
  gatherAttendance(bench.store, { ...REQUEST, ...over });

function settle(bench: Bench, date: string, time: string): void {
  bench.clock.jump(at(date, time) - bench.clock.now());
  const { store, classes, clock } = bench;
  const unit = createCreditUnit({
    ...{ store, classes, clock, bell: createDoorbell(clock), next: { ring: () => undefined } },
    lastDrainedAt: () => null,
  });
  while (unit.step());
}

const punches = (user: string, date: string, times: readonly (string | null)[]) =>
  times.flatMap((time) => (time === null ? [] : [punch(date, time, { user })]));

/** A week, of which Monday is over: T001 came late, T002 forgot to sign out, T003 joins on Tuesday; Friday is online in the afternoon. */
function week(): Bench {
  const bench = openBench();
  const text = classText({
    head: 'approval: 昆人社培〔2026〕31号\nregionalClassNo: NM-2026-7\nclassTeacher: J1',
    people: [person(1), person(2), person(3, ', enrolledFrom: 2026-09-08')],
    timetable: `
  - { date: 2026-09-07 }
  - { date: 2026-09-08, sessions: [AM] }
  - { date: 2026-09-09, sessions: [AM, { id: PM, online: true }] }`,
  });
  bench.classes.importText('class.yaml', text, by);
  take(bench, ...punches('T001', '2026-09-07', ['08:52', '12:05', '13:50', '17:00']));
  take(bench, ...punches('T002', '2026-09-07', ['08:20', '12:05', '13:50']));
  take(bench, ...punches('T003', '2026-09-08', ['08:20', '12:05']));
  settle(bench, '2026-09-09', '23:50');
  return bench;
}

const marks = (one: AttendanceTable, person_: number, day_: number): readonly string[] =>
  one.people[person_]?.days[day_]?.slots.map(({ time, marks: all }) => [time ?? '', ...all].join('')) ?? [];

describe('what stands on the table', () => {
  test('times and marks of each slot, with columns for what is held in the room', () => {
    const bench = week();
    const found = table(bench);
    expect(found.days.map(({ slots, online }) => [slots.length, online])).toEqual([
      [4, false],
      [2, false],
      [2, true],
    ]);
    expect(marks(found, 0, 0)).toEqual(['08:52迟', '12:05', '13:50', '17:00退']);
    expect(marks(found, 1, 0)).toEqual(['08:20', '12:05', '13:50', '缺']);
    expect(marks(found, 2, 0)).toEqual(['—', '—', '—', '—']);
    expect(marks(found, 2, 1)).toEqual(['08:20', '12:05']);
    expect(found.people[0]?.days[0]?.hours).toBe(6);
    expect(found.people[2]?.remarks).toEqual(['2026-09-08 入班 joined']);
  });

  test('the class teacher by name, and nobody where the class names none', () => {
    expect(table(week()).classTeacher).toBe('南宫老师傅');
    const bench = openBench();
    bench.classes.importText('class.yaml', classText({ timetable: '[{ date: 2026-09-07 }]' }), by);
    expect(table(bench).classTeacher).toBeNull();
    const text = classText({ extra: 'classTeacher: J9' });
    expect(bench.classes.check('class.yaml', text).faults.map((fault) => fault.path)).toEqual(['classTeacher']);
  });

  test('names whole, documents masked by the policy, no full number anywhere', () => {
    const found = table(week());
    expect(found.people.map(({ name }) => name)).toEqual([1, 2, 3].map(nameOf));
    const text = JSON.stringify(found);
    for (const index of [1, 2, 3]) {
      expect(found.people[index - 1]?.maskedDocument).toBe(`150203********${documentOf(index).slice(-4)}`);
      expect(text).not.toContain(documentOf(index));
    }
    expect(maskedBy('0+4', '150203190001010011')).toBe('**************0011');
    expect(maskedBy('6+4', 'E1234')).toBe('***34');
  });

  test('sums of a slot count who is enrolled on the date, and a day without results has none', () => {
    const { slotTotals } = table(week());
    const of = (date: string, slot: string) => slotTotals.find((one) => one.date === day(date) && one.slot === slot);
    expect(of('2026-09-07', 'AM_IN')).toMatchObject({ expected: 2, present: 2, percent: 100 });
    expect(of('2026-09-07', 'PM_OUT')).toMatchObject({ expected: 2, present: 1, percent: 50 });
    expect(of('2026-09-08', 'AM_IN')).toMatchObject({ expected: 3, present: 1, percent: 33.3 });
  });

  test('nobody is said to be missing before the day is over, and the table is provisional', () => {
    const bench = openBench();
    bench.classes.importText('class.yaml', classText({ people: [person(1)] }), by);
    take(bench, ...punches('T001', '2026-09-07', FULL_DAY.slice(0, 1)));
    settle(bench, '2026-09-07', '09:00');
    const found = table(bench, { madeOn: day('2026-09-07') });
    expect(marks(found, 0, 0)).toEqual(['08:20', '', '', '']);
    expect(found.status).toBe('provisional');
    expect(found.flags.filter(({ code }) => /ABSENT|MISSING/.test(code))).toEqual([]);
    expect(found.slotTotals.map(({ date }) => date)).not.toContain('2026-09-08');
  });

  test('both thresholds with what they are made of, and totals that add up', () => {
    const found = table(week());
    expect(found.thresholds).toEqual({ attendancePercent: 80, examPercent: 95 });
    for (const one of found.people) {
      expect(one.hoursByPunch + one.makeupCounted + one.onlineCounted).toBe(one.totalHours);
      expect(one.requiredHours).toBe(40);
      expect(one.days.reduce((sum, { hours }) => sum + (hours ?? 0), 0)).toBe(one.totalHours);
    }
  });

  test('a flag of one date that concerns many is told once, with their rows on the table', () => {
    const bench = openBench();
    const people = [1, 2, 3, 4, 5, 6, 7].map((index) => person(index));
    bench.classes.importText('class.yaml', classText({ people, timetable: '[{ date: 2026-09-07 }]' }), by);
    take(bench, ...punches('T004', '2026-09-07', FULL_DAY));
    settle(bench, '2026-09-08', '23:45');
    const found = table(bench).flags.filter(({ date }) => date !== null);
    expect(found.map(({ code, traineeNo }) => [code, traineeNo])).toEqual([
      ['AM:ABSENT', null],
      ['PM:ABSENT', null],
    ]);
    expect(found[0]?.zh).toContain('（6 人，序号 1–3、5–7）');
    expect(found[0]?.en).toContain('(6 people, rows 1–3, 5–7)');
  });

  test('make-ups and leave with reason and approver, notes, and flags in words', () => {
    const bench = week();
    const requests = openRequests(bench.store, { clock: bench.clock });
    const ask = { classNo: CLASS, traineeNo: 'T002', date: day('2026-09-07'), requestedBy: '甲' };
    const evidence = [{ kind: 'document' as const, sha256: 'a'.repeat(64) }];
    const made = requests.makeup({ ...ask, slot: 'PM_OUT', reason: 'deviceFault', text: '终端死机', evidence });
    const left = requests.leave({ ...ask, date: day('2026-09-08'), session: 'AM', reason: 'sick', evidence });
    const open = requests.leave({
      ...ask,
      traineeNo: 'T001',
      date: day('2026-09-08'),
      session: 'AM',
      reason: 'sick',
      evidence,
    });
    expect(open).toHaveLength(1);
    requests.decide([made.id, ...left.map(({ id }) => id)], 'approved', '乙');
    bench.store.transact(
      () =>
        void putNote(bench.store, {
          classNo: CLASS,
          date: day('2026-09-07'),
          text: '停电',
          by: '丙',
          at: bench.clock.now(),
        }),
    );
    settle(bench, '2026-09-10', '01:00');
    const found = table(bench);
    expect(found.makeups).toEqual([
      {
        ...{ date: '2026-09-07', traineeNo: 'T002', name: nameOf(2), kind: 'makeup', place: '下午签退' },
        ...{
          reasonZh: '考勤机故障',
          text: '终端死机',
          requestedBy: '甲',
          approvedBy: '乙',
          approvedAt: '2026-09-09 23:50',
        },
      },
      expect.objectContaining({ kind: 'leave', place: '上午', reasonZh: '病假', text: null }) as unknown,
    ]);
    expect(marks(found, 1, 0)).toEqual(['08:20', '12:05', '13:50', '补']);
    expect(marks(found, 1, 1)).toEqual(['假', '假']);
    expect(found.notes).toEqual([{ date: '2026-09-07', text: '停电', by: '丙', on: '2026-09-09' }]);
    expect(found.flags).toContainEqual(
      expect.objectContaining({
        date: '2026-09-07',
        traineeNo: 'T001',
        code: 'AM:LATE',
        zh: '上午迟到',
        en: 'morning: late',
      }) as unknown,
    );
  });
});

describe('identity of the table', () => {
  test('the same rows give the same table; the digest covers everything but itself and the token', () => {
    const bench = week();
    const [one, two] = [table(bench), table(bench)];
    expect(two).toEqual(one);
    const { digest, token, ...rest } = one;
    expect(digest).toBe(createHash('sha256').update(canonicalJson(rest)).digest('hex'));
    expect(token).toBe(`rollcall:${digest}`);
    expect(table(bench, { sign: (signed) => `signed ${signed.digest}` }).token).toBe(`signed ${digest}`);
    expect(one.throughN).toBe(Math.max(...bench.store.creditsOf(CLASS).map(({ n }) => n)));
  });

  test('either number of the class finds it, and the table goes by the one that is asked for', () => {
    const bench = week();
    expect(table(bench)).toMatchObject({ classNo: CLASS, otherClassNo: 'NM-2026-7', classNoKind: 'city' });
    expect(table(bench, { classNo: 'NM-2026-7', by: 'regional' })).toMatchObject({
      ...{ classNo: 'NM-2026-7', otherClassNo: CLASS, classNoKind: 'regional' },
    });
  });

  test('a range takes columns, and leaves the totals of the class', () => {
    const bench = week();
    const part = table(bench, { from: day('2026-09-08'), to: day('2026-09-08') });
    expect(part.days.map(({ date }) => date)).toEqual(['2026-09-08']);
    expect(part.people.map(({ totalHours }) => totalHours)).toEqual(
      table(bench).people.map(({ totalHours }) => totalHours),
    );
    expect(part.flags.filter(({ date }) => date === day('2026-09-07'))).toEqual([]);
  });
});

describe('what is refused', () => {
  test('without the key, a class that is not there, a number that it does not have, a range without days', () => {
    const bench = openBench();
    bench.classes.importText('class.yaml', classText(), by);
    const refused = (over: Partial<TableRequest>): unknown => {
      try {
        return table(bench, over);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(refused({ classNo: 'NOPE' })).toBe('class-unknown');
    expect(refused({ by: 'regional' })).toBe('export-no-regional-number');
    expect(refused({ from: day('2027-01-01') })).toBe('export-no-days');
    expect(() => gatherAttendance({ db: bench.store.db, vault: null }, REQUEST)).toThrow(/key is not within reach/);
  });
});
