import { describe, expect, test } from 'vitest';
import { instant, type WallTime } from '../../src/core/time.js';
import { creditDay } from '../../src/rules/day.js';
import { at, by, classText, day, openBench, person, punch, take, type Bench, type ClassText } from './class-fixture.js';

const bring = (bench: Bench, text: ClassText = {}) => bench.classes.importText('class.yaml', classText(text), by);
const MONDAY = day('2026-09-07');

const creditOf = (bench: Bench, classNo: string, traineeNo: string, date = MONDAY) => {
  const asked = bench.classes.dayQuestion(classNo, traineeNo, date);
  if (!asked) throw new Error('no question');
  return creditDay(asked.question, asked.policy);
};

describe('who punched', () => {
  test('an id means a person through the classes of the terminal on that date', () => {
    const bench = openBench();
    bring(bench, { people: [person(1, ', deviceUserId: "7"')], terminals: '[{ terminal: gate, to: 2026-09-08 }]' });
    bring(bench, {
      classNo: 'B2',
      people: [person(2, ', deviceUserId: "7"')],
      terminals: '[{ terminal: gate, from: 2026-09-09 }, { terminal: workshop }]',
    });
    const who = (terminal: string, date: string) => bench.classes.traineeFor(terminal, '7', day(date));
    expect(who('gate', '2026-09-08')).toBe('T001');
    expect(who('gate', '2026-09-09')).toBe('T002');
    expect(who('workshop', '2026-09-07')).toBe('T002');
    expect(who('other', '2026-09-07')).toBeNull();
    expect(bench.classes.match('gate', '7', at('2026-09-09', '00:30'))).toBe('T002');
    expect(bench.classes.match('gate', '7', at('2026-09-08', '23:30'))).toBe('T001');
  });

  test('on a foreign terminal, and before or after the class, a person is still known', () => {
    const bench = openBench();
    bring(bench);
    expect(bench.classes.traineeFor('other', 'T001', MONDAY)).toBe('T001');
    expect(bench.classes.traineeFor('gate', 'T001', day('2026-12-01'))).toBe('T001');
    expect(bench.classes.traineeFor('gate', 'T999', MONDAY)).toBeNull();
  });

  test('a teacher is nobody whose hours are counted', () => {
    const bench = openBench();
    bring(bench);
    expect(bench.classes.traineeFor('gate', 'J1', MONDAY)).toBeNull();
    bring(bench, {
      classNo: 'B2',
      people: [person(4, ', deviceUserId: J1')],
      teacher: '{ teacherNo: J2, name: 南宫老师 }',
      terminals: '[{ terminal: workshop }]',
    });
    expect(bench.classes.traineeFor('workshop', 'J1', MONDAY)).toBe('T004');
    expect(bench.classes.traineeFor('gate', 'J1', MONDAY)).toBeNull();
  });

  test('the answer changes with an import', () => {
    const bench = openBench();
    bring(bench);
    expect(bench.classes.traineeFor('gate', '77', MONDAY)).toBeNull();
    bring(bench, { people: [person(1, ', deviceUserId: "77"')] });
    expect(bench.classes.traineeFor('gate', '77', MONDAY)).toBe('T001');
    expect(bench.classes.classesOf('T002')).toEqual([]);
  });
});

describe('days touched by a punch', () => {
  const touched = (bench: Bench, one: Parameters<Bench['classes']['daysTouchedBy']>[0]): readonly string[] =>
    bench.classes.daysTouchedBy(one).map((key) => `${key.classNo}/${key.traineeNo}/${key.date}`);

  test('told date, effective date and date of receipt', () => {
    const bench = openBench();
    bring(bench);
    expect(touched(bench, punch('2026-09-07', '08:20'))).toEqual(['BT2026-031/T001/2026-09-07']);
    const odd = punch('2026-09-07', '08:20', {
      received: at('2026-09-09', '10:00'),
      over: { effective: at('2026-09-08', '08:20') },
    });
    expect(touched(bench, odd)).toEqual([
      'BT2026-031/T001/2026-09-07',
      'BT2026-031/T001/2026-09-08',
      'BT2026-031/T001/2026-09-09',
    ]);
  });

  test('dates that do not exist or lie outside the class touch nothing', () => {
    const bench = openBench();
    bring(bench);
    const over = { wallTime: '2026-02-30 08:20:00' as WallTime, instant: null, effective: null };
    expect(touched(bench, punch('2026-09-07', '08:20', { over }))).toEqual(['BT2026-031/T001/2026-09-07']);
    expect(touched(bench, punch('2026-12-07', '08:20'))).toEqual([]);
  });

  test('strangers touch nothing; people of two classes touch both', () => {
    const bench = openBench();
    bring(bench);
    bring(bench, { classNo: 'B2', people: [person(1)] });
    expect(touched(bench, punch('2026-09-07', '08:20', { user: 'X9' }))).toEqual([]);
    expect(touched(bench, punch('2026-09-07', '08:20'))).toEqual(['B2/T001/2026-09-07', 'BT2026-031/T001/2026-09-07']);
  });
});

describe('the question of a day', () => {
  test('holds sessions, terminals, enrolment and the punches of the person alone', () => {
    const bench = openBench();
    bring(bench, {
      people: [person(1, ', enrolledFrom: 2026-09-08, alternativeMethods: [card]'), person(2)],
      terminals: '[{ terminal: gate }, { terminal: workshop, from: 2026-09-09 }]',
    });
    take(
      bench,
      punch('2026-09-08', '08:20'),
      punch('2026-09-08', '08:21', { user: 'T002' }),
      punch('2026-09-10', '08:20'),
    );
    const asked = bench.classes.dayQuestion('BT2026-031', 'T001', day('2026-09-08'));
    expect(asked?.question).toMatchObject({
      sessions: [{ id: 'AM' }, { id: 'PM' }],
      terminals: ['gate'],
      enrolment: [{ from: '2026-09-08', to: '2026-09-11' }],
      grantedMethods: ['card'],
      gatewayClockTrusted: true,
      rivals: [],
    });
    expect(asked?.question.punches.map((one) => [one.terminal, one.wallTime])).toEqual([
      ['gate', '2026-09-08 08:20:00'],
    ]);
    expect(asked?.question.classDates).toEqual(['2026-09-07', '2026-09-09', '2026-09-10', '2026-09-11']);
    expect(bench.classes.dayQuestion('BT2026-031', 'T009', MONDAY)).toBeNull();
    expect(bench.classes.dayQuestion('B9', 'T001', MONDAY)).toBeNull();
  });

  test('a punch on the terminal of another class is named', () => {
    const bench = openBench();
    bring(bench);
    take(bench, punch('2026-09-07', '08:20', { terminal: 'other' }));
    expect(creditOf(bench, 'BT2026-031', 'T001').flags).toContain('WRONG_CLASS');
  });

  test('an untrusted gateway clock on the day of receipt is carried', () => {
    const bench = openBench();
    bring(bench);
    take(bench, punch('2026-09-07', '08:20', { over: { clockTrusted: false } }));
    expect(creditOf(bench, 'BT2026-031', 'T001').flags).toContain('GATEWAY_CLOCK_UNTRUSTED');
  });

  test('of two classes on one terminal the one with the earlier enrolment takes the punches', () => {
    const bench = openBench();
    bring(bench, { people: [person(1, ', enrolledFrom: 2026-09-07')] });
    bring(bench, { classNo: 'A1', people: [person(1)], period: '{ from: 2026-09-01, to: 2026-09-11 }' });
    take(bench, ...['08:20', '12:05'].map((time) => punch('2026-09-07', time)));
    const [first, second] = [creditOf(bench, 'A1', 'T001'), creditOf(bench, 'BT2026-031', 'T001')];
    expect(first.dayResult?.totalHours).toBe(4);
    expect(second.dayResult?.totalHours).toBe(0);
    expect(first.flags).toContain('DOUBLE_ENROLMENT');
    expect(second.ignored.map((one) => one.reason)).toEqual(['DOUBLE_ENROLMENT', 'DOUBLE_ENROLMENT']);
  });

  test('a class on another terminal is no rival', () => {
    const bench = openBench();
    bring(bench);
    bring(bench, { classNo: 'A1', people: [person(1)], terminals: '[{ terminal: workshop }]' });
    expect(bench.classes.dayQuestion('BT2026-031', 'T001', MONDAY)?.question.rivals).toEqual([]);
  });
});

test('a date of a class is over with its policy', () => {
  const bench = openBench();
  bring(bench, { timetable: '[{ date: 2026-09-07 }, { date: 2026-09-08, sessions: [{ id: AM, online: true }] }]' });
  expect(bench.classes.closing('BT2026-031', MONDAY)).toEqual({
    windowsClosedAt: instant(at('2026-09-07', '18:01')),
    closesAt: at('2026-09-07', '23:30'),
    closesAtLatest: at('2026-09-08', '23:30'),
    terminals: ['gate'],
  });
  expect(bench.classes.closing('BT2026-031', day('2026-09-08'))?.windowsClosedAt).toBeNull();
  expect(bench.classes.closing('B9', MONDAY)).toBeNull();
});
