/** `rollcall recompute`: whose result would change and why; tries a policy, hands differing days to the daemon, leaves sealed ones. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { sealClass } from '../../src/classes/seal.js';
import { runRecompute, type RecomputeArguments } from '../../src/commands/recompute.js';
import { withValues } from '../../src/rules/policy.js';
import { by, classText, FULL_DAY, person, preset, punch } from '../classes/class-fixture.js';
import { openClassroom, type Classroom, type Ran } from './classroom.js';

const CLASS = 'BT2026-031';
const MONDAY = '2026-09-07';

/** T001 was nine minutes late on Monday, in time on Tuesday; T002 never came. */
function taught(): Classroom {
  const room = openClassroom();
  room.open((_store, classes) => classes.importText('c.yaml', classText({ people: [person(1), person(2)] }), by));
  room.take(
    ...['08:39', '12:05', '13:50', '17:35'].map((time) => punch(MONDAY, time)),
    ...FULL_DAY.map((time) => punch('2026-09-08', time)),
  );
  room.settle('2026-09-13', '08:00');
  return room;
}

const recompute = (room: Classroom, args: Partial<RecomputeArguments> = {}, json = true): Ran =>
  room.run((io) => runRecompute({ config: room.config, dryRun: true, ...args }, room.options, io), json);

const days = ({ rows }: Ran) => rows.filter((row) => row.kind === 'day');

/** A punch that got into the journal behind the back of the work table. */
const slipIn = (room: Classroom): void =>
  void room.open((store) => store.transact((tx) => tx.addPunch(punch('2026-09-09', '08:20'))));

test('nothing would change where everything is as it was computed', () => {
  const room = taught();
  const ran = recompute(room);
  expect(ran.code).toBe(0);
  expect(ran.rows).toEqual([
    { kind: 'class', classNo: CLASS, sealed: false, days: 10, changed: 0, people: 0, policy: null },
    { kind: 'summary', classes: 1, days: 10, changed: 0, people: 0, written: false },
  ]);
});

test('a stricter policy on the same raw data: whose hours and flags change, and by which lines', () => {
  const room = taught();
  const file = join(dirname(room.config), 'strict.yaml');
  writeFileSync(file, stringify(withValues(preset.plain, { 'grace.lateMinutes': 5 })));
  const ran = recompute(room, { policy: file });
  expect(ran.code).toBe(1);
  const [change] = days(ran);
  expect(days(ran)).toHaveLength(1);
  expect(change).toMatchObject({
    classNo: CLASS,
    traineeNo: 'T001',
    date: MONDAY,
    before: { hours: 8 },
    after: { hours: 7 },
    flagsAdded: ['AM:LATE'],
    flagsRemoved: [],
  });
  const lines = change?.lines as {
    before: { zh: string; en: string } | null;
    after: { zh: string; en: string } | null;
  }[];
  expect(lines.length).toBeGreaterThan(0);
  for (const { before, after } of lines) {
    expect(before ?? after).toMatchObject({ zh: expect.any(String) as string, en: expect.any(String) as string });
    expect(before).not.toEqual(after);
  }
  expect(ran.rows.find((row) => row.kind === 'person')).toMatchObject({
    traineeNo: 'T001',
    before: { totalHours: 16, percent: 40 },
    after: { totalHours: 15, percent: 37.5 },
  });
  expect(ran.rows.at(-1)).toMatchObject({ changed: 1, people: 1, written: false });
  // The lab leaves no trace.
  expect(recompute(room).code).toBe(0);
  expect(recompute(room, { policy: 'baotou-2023' }).code).toBe(0);
});

test('a policy can only be tried', () => {
  const room = taught();
  expect(() => recompute(room, { policy: 'baotou-2023', dryRun: false })).toThrow(
    expect.objectContaining({ code: 'bad-argument' }) as Error,
  );
  expect(() => recompute(room, { policy: 'baotou-2032' })).toThrow(
    expect.objectContaining({ code: 'policy-unknown' }) as Error,
  );
  expect(() => recompute(room, { from: '2026-9-7' })).toThrow(
    expect.objectContaining({ code: 'bad-argument' }) as Error,
  );
});

test('days that differ are handed to the daemon, once, and are new versions after its start', () => {
  const room = taught();
  slipIn(room);
  const seen = recompute(room);
  expect(seen.code).toBe(1);
  expect(days(seen)).toMatchObject([
    {
      traineeNo: 'T001',
      date: '2026-09-09',
      flagsAdded: ['AM:MISSING_OUT'],
      flagsRemoved: ['AM:ABSENT'],
      pending: false,
    },
  ]);
  expect(recompute(room, { to: MONDAY }).code).toBe(0);
  expect(room.open((store) => store.touchedDays(10))).toEqual([]);

  const written = recompute(room, { dryRun: false });
  expect(written).toMatchObject({ code: 1 });
  expect(written.rows.at(-1)).toMatchObject({ changed: 1, written: true });
  expect(room.open((store) => store.touchedDays(10))).toMatchObject([
    { classNo: CLASS, traineeNo: 'T001', date: '2026-09-09', cause: 'review' },
  ]);
  expect(days(recompute(room))).toMatchObject([{ pending: true }]);
  room.settle('2026-09-13', '09:00');
  expect(room.open((store) => store.credit(`${CLASS}/T001/2026-09-09`))?.result).toMatchObject({
    version: 2,
    supersedes: 1,
    cause: 'review',
  });
  expect(recompute(room).code).toBe(0);
});

test('a sealed class is told and never touched', () => {
  const room = taught();
  room.open((store) => sealClass(store, CLASS, { by: '李主任', at: room.clock.now() }));
  slipIn(room);
  const ran = recompute(room, { dryRun: false });
  expect(ran.code).toBe(0);
  expect(days(ran)).toMatchObject([{ sealed: true, date: '2026-09-09' }]);
  expect(room.open((store) => store.touchedDays(10))).toEqual([]);
});

test('the dry run works while the store is open; writing is refused then', () => {
  const room = taught();
  room.open(() => {
    expect(recompute(room).code).toBe(0);
    expect(() => recompute(room, { dryRun: false })).toThrow(
      expect.objectContaining({ code: 'store-locked' }) as Error,
    );
  });
});

test('in words, in both languages', () => {
  const room = taught();
  slipIn(room);
  const { out, err } = recompute(room, {}, false);
  expect(out).toContain(`${CLASS} T001 2026-09-09`);
  expect(out).toContain('+AM:MISSING_OUT -AM:ABSENT');
  expect(out).toMatch(/ {2}- .*\n(?:.*\n)* {2}\+ /);
  expect(err).toContain('会变 1 天');
  expect(err).toContain('1 would change, of 1 people');
});
