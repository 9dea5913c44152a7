import { describe, expect, test } from 'vitest';
import { readClassFile, type ClassFileContext, type ClassFileResult } from '../../src/classes/class-file.js';
import { classText, day, documentOf, nameOf, person, preset, SURNAMES, type ClassText } from './class-fixture.js';

const context: ClassFileContext = {
  today: day('2026-09-07'),
  policy: (name) => (name === null || name === 'baotou-2023' ? preset.policy : null),
  policyNames: ['baotou-2023'],
  terminals: ['gate', 'workshop'],
};

const read = (text: ClassText | string): ClassFileResult =>
  readClassFile('class.yaml', typeof text === 'string' ? text : classText(text), context);

/** The faults as `line path en`, which is what a person is told. */
const told = (text: ClassText | string): readonly string[] => {
  const result = read(text);
  if (result.faults.length > 0) expect(result.definition).toBeNull();
  return result.faults.map((one) => `${one.path}: ${one.en}`);
};
const notes = (text: ClassText | string): string =>
  read(text)
    .notes.map((one) => one.en)
    .join('\n');

const lineOf = (text: string, part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1;

describe('a good file', () => {
  test('becomes a definition with everything filled in', () => {
    const { definition, faults } = read({});
    expect(faults).toEqual([]);
    expect(definition).toMatchObject({
      classNo: 'BT2026-031',
      from: '2026-09-07',
      to: '2026-09-11',
      approval: '昆人社培〔2026〕31号',
      terminals: [{ terminal: 'gate', from: '2026-09-07', to: '2026-09-11' }],
    });
    expect(definition?.days.map((one) => one.date)).toEqual([
      '2026-09-07',
      '2026-09-08',
      '2026-09-09',
      '2026-09-10',
      '2026-09-11',
    ]);
    expect(definition?.days[0]?.sessions.map(({ id, start, end, lessons }) => [id, start, end, lessons])).toEqual([
      ['AM', '08:30', '12:00', 4],
      ['PM', '14:00', '17:30', 4],
    ]);
    expect(definition?.roster[0]).toMatchObject({
      traineeNo: 'T001',
      deviceUserId: 'T001',
      documentType: 'idCard',
      enrolledFrom: null,
    });
  });

  test('weekdays and exceptions choose the dates', () => {
    const { definition } = read({
      period: '{ from: 2026-09-01, to: 2026-09-30 }',
      timetable: '{ weekdays: [sat, sun], except: [2026-09-06, 2026-09-26] }',
    });
    expect(definition?.days.map((one) => one.date)).toEqual([
      '2026-09-05',
      '2026-09-12',
      '2026-09-13',
      '2026-09-19',
      '2026-09-20',
      '2026-09-27',
    ]);
  });

  test('listed dates may name sessions of the policy or their own, in any order', () => {
    const { definition } = read({
      timetable: `
  - { date: 2026-09-08, sessions: [PM] }
  - { date: 2026-09-07, sessions: [{ id: AM, start: "09:00", end: "11:35", lessons: 3, content: 安全用电, teacher: J1 }] }`,
    });
    expect(definition?.days).toMatchObject([
      { date: '2026-09-07', sessions: [{ id: 'AM', start: '09:00', lessons: 3, content: '安全用电', teacher: 'J1' }] },
      { date: '2026-09-08', sessions: [{ id: 'PM', start: '14:00', form: 'theory', online: false }] },
    ]);
  });

  test('hours that do not add up are a note with the difference', () => {
    expect(read({}).notes).toEqual([]);
    expect(notes({ timetable: '{ weekdays: [mon] }' })).toContain('adds up to 8 hours, 32 fewer than planned (40)');
  });

  test('too large a planned online share is a note', () => {
    const online = '{ weekdays: [mon, tue, wed, thu, fri], sessions: [AM, { id: PM, online: true }] }';
    expect(notes({ timetable: online })).toContain('20 hours are planned online, more than 40 % of 40');
  });
});

describe('faults', () => {
  test('an unknown key comes with its line and the nearest known one', () => {
    const text = classText({ extra: 'plannedHour: 3' });
    expect(read(text).faults).toMatchObject([
      { code: 'key-unknown', path: 'plannedHour', line: lineOf(text, 'plannedHour: 3'), nearest: 'plannedHours' },
    ]);
  });

  test('everything that is missing is listed at once', () => {
    expect(told('cityClassNo: X1').map((one) => one.split(':')[0])).toEqual(
      expect.arrayContaining([
        'name',
        'institution',
        'occupation',
        'period',
        'plannedHours',
        'room',
        'terminals',
        'timetable',
        'teachers',
        'roster',
      ]),
    );
  });

  test('a terminal or a policy that does not exist comes with the nearest name', () => {
    expect(read({ terminals: '[{ terminal: gatee }]' }).faults).toMatchObject([
      { path: 'terminals.0.terminal', nearest: 'gate' },
    ]);
    expect(read({ extra: 'policy: baotou-2032' }).faults).toMatchObject([{ path: 'policy', nearest: 'baotou-2023' }]);
  });

  test('opening approval and its absence exclude each other', () => {
    expect(told({ head: '' })).toEqual([expect.stringContaining('approval')]);
    expect(told({ head: 'approval: x1\nunapproved: { by: S1, reason: 急 }' })).toEqual([
      expect.stringContaining('unapproved'),
    ]);
    expect(told({ head: 'unapproved: { by: S1, reason: 先行开班 }' })).toEqual([]);
  });

  test('dates that do not exist, periods that run backwards, days outside the period', () => {
    expect(told({ period: '{ from: 2026-02-30, to: 2026-09-11 }' })).toEqual([expect.stringContaining('period.from')]);
    expect(told({ period: '{ from: 2026-09-11, to: 2026-09-07 }' }).join()).toContain('ends before it begins');
    expect(told({ timetable: '[{ date: 2026-10-01 }]' }).join()).toContain('outside the period');
    expect(told({ timetable: '{ weekdays: [mon], to: 2026-12-01 }' }).join()).toContain('timetable.to: ');
    expect(told({ timetable: '[{ date: 2026-09-07 }, { date: 2026-09-07 }]' }).join()).toContain(
      'the same date as in row 1',
    );
    expect(told({ timetable: '{ weekdays: [sun] }' }).join()).toContain('names no day');
  });

  test('a lesson grid that does not fit is told with the end it would have', () => {
    const text = '[{ date: 2026-09-07, sessions: [{ id: AM, start: "08:30", end: "12:05", lessons: 4 }] }]';
    expect(told({ timetable: text })).toEqual([
      expect.stringMatching(/timetable\.0\.sessions\.0\.lessons.*end at 12:00, not at 12:05/),
    ]);
  });

  test('practice is never online', () => {
    const text = '[{ date: 2026-09-07, sessions: [{ id: AM, online: true, form: practice }] }]';
    expect(told({ timetable: text })).toContainEqual(expect.stringContaining('practice must not be held online'));
  });

  test('a session taught by nobody on the list', () => {
    expect(told({ timetable: '[{ date: 2026-09-07, sessions: [{ id: AM, teacher: J9 }] }]' }).join()).toContain(
      'no such teacher',
    );
  });

  test('numbers that are meant as text need quotes, so that nothing is rounded or loses its zeros', () => {
    const text = `  - { traineeNo: 0012, name: ${nameOf(1)}, documentNumber: 150203190001010019 }`;
    const faults = read({ people: [text] }).faults;
    expect(faults.map((one) => [one.path, one.code])).toEqual([
      ['roster.0.traineeNo', 'wrong-type'],
      ['roster.0.documentNumber', 'wrong-type'],
    ]);
    expect(faults[0]?.remedyEn).toContain('quotes');
  });

  test('the same trainee, document or device id twice names both rows', () => {
    const twice = person(1).replace('"T001"', '"T009"');
    expect(told({ people: [person(1), person(2), twice] })).toEqual([
      'roster.2.documentNumber: Row 3 of roster, documentNumber: the same as in row 1.',
    ]);
    const same = `  - { traineeNo: "T001", name: ${nameOf(2)}, documentNumber: "${documentOf(2)}" }`;
    expect(told({ people: [person(1), same] })).toEqual([
      expect.stringMatching(/^roster\.1\.traineeNo: Row 2/),
      expect.stringMatching(/^roster\.1\.deviceUserId: Row 2/),
    ]);
    expect(told({ people: [person(1, ', deviceUserId: J1')] })).toEqual([
      expect.stringContaining('a teacher has the same'),
    ]);
  });

  test('a correction needs a person of the roster and two people', () => {
    expect(
      told({ extra: 'corrections: [{ traineeNo: T777, reason: 笔误, requestedBy: A1, approvedBy: A1 }]' }),
    ).toEqual([expect.stringContaining('no such person'), expect.stringContaining('another person must approve')]);
  });

  test('an enrolment that ends before it begins', () => {
    expect(told({ people: [person(1, ', enrolledFrom: 2026-09-10, enrolledTo: 2026-09-08')] }).join()).toContain(
      'roster.0.enrolledTo',
    );
  });
});

describe('no fault shows a person', () => {
  const broken = [
    `  - { traineeNo: "T001", name: 欧阳1, documentNumber: "150203190001010011" }`,
    `  - { traineeNo: "T001", name: 欧阳青禾, documentNumber: "150203190001010011", documentType: 欧阳青禾 }`,
    `  - { traineeNo: "T001", 欧阳青禾: 1, documentNumber: "150203190001010011" }`,
    `  - { traineeNo: 欧阳 青禾, name: 欧阳青禾, documentNumber: 150203190001010011 }`,
    `  - { traineeNo: "T001" name: 欧阳青禾, documentNumber: "150203190001010011" `,
    `  - 欧阳青禾: @150203190001010011`,
    `  - { traineeNo: "T001", name: 欧阳青禾, documentNumber: "1502031900010100111" }\n  - { traineeNo: "T001", name: 欧阳青禾, documentNumber: "1502031900010100111" }`,
    `  欧阳青禾 150203190001010011`,
    `  - [欧阳青禾, "150203190001010011"]`,
    `  - { traineeNo: "T001", name: 欧阳青禾, documentNumber: &欧阳青禾 "150203190001010011" , name: !欧阳青禾 x}`,
  ];
  test.each(broken)('%s', (row) => {
    const { faults, notes: remarks } = read({ people: [row] });
    const text = JSON.stringify([faults, remarks]);
    expect(faults.length).toBeGreaterThan(0);
    for (const surname of SURNAMES) expect(text).not.toContain(surname);
    expect(text).not.toContain('15020319');
  });
});
