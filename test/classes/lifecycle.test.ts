/** Drafts, activation, changes after it, remarks and sealing, with what the journal says of each. */
import { describe, expect, test } from 'vitest';
import { addNote, loadChanges, loadNotes } from '../../src/classes/class-changes.js';
import { readClassParts } from '../../src/classes/class-file.js';
import { viewClass } from '../../src/classes/class-view.js';
import { draftHeads, draftVersions, openDraft, openingOf, saveDraft, type Opening } from '../../src/classes/drafts.js';
import { sealOf } from '../../src/classes/evidence.js';
import { allStates, enrolmentFlags, stateOf } from '../../src/classes/lifecycle.js';
import { lateDays, sealClass } from '../../src/classes/seal.js';
import { GatewayError } from '../../src/core/errors.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import type { CreditFact, Numbered } from '../../src/rules/facts.js';
import { parsePolicy, withValues } from '../../src/rules/policy.js';
import { openClasses } from '../../src/classes/classes.js';
import { verifyDataDir } from '../../src/store/check.js';
import {
  at,
  by,
  CHANGE,
  classText,
  day,
  documentOf,
  FULL_DAY,
  nameOf,
  openBench,
  person,
  preset,
  punch,
  take,
  ZONE,
  type Bench,
  type ClassText,
} from './class-fixture.js';

const CLASS = 'BT2026-031';
const bring = (bench: Bench, text: ClassText = {}) => bench.classes.importText('class.yaml', classText(text), by);

const thrown = (work: () => unknown): GatewayError => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};
const codeOf = (work: () => unknown): string => thrown(work).code;

const events = (bench: Bench): readonly Record<string, unknown>[] =>
  bench.store
    .facts(0, 10_000, 'event')
    .flatMap((fact) => (fact.kind === 'event' && fact.what === 'class' ? [fact.data] : []));

/** What `import class` does with a file that is not whole. */
function draft(bench: Bench, text: string, dryRun = false) {
  const context = bench.classes.context();
  const classNo = /cityClassNo: (\S+)/.exec(text)?.[1] ?? '';
  const known = openDraft(bench.store, classNo)?.content ?? null;
  const { content, faults } = readClassParts('class.yaml', text, context, known);
  if (content === null) return faults.map((fault) => `${fault.path}: ${fault.en}`);
  return saveDraft(bench.store, content, context, { ...by, at: bench.clock.now(), dryRun });
}

const BARE = `cityClassNo: ${CLASS}\nname: 电工第三期\ninstitution: 昆区实训学校\n`;
const PLAN = `cityClassNo: ${CLASS}
occupation: { code: "6-31-01-03", name: 电工, level: 四级 }
period: { from: 2026-09-07, to: 2026-09-11 }
plannedHours: 40
timetable: { weekdays: [mon, tue, wed, thu, fri] }
room: A301
`;
const PEOPLE = `cityClassNo: ${CLASS}
terminals: [{ terminal: gate }]
teachers: [{ teacherNo: J1, name: 南宫老师傅 }]
roster:
${[person(1), person(2)].join('\n')}
`;

function activate(bench: Bench, opening: Opening | null = { approval: '昆人社培〔2026〕31号' }) {
  const { draft: known, judged } = openingOf(bench.store, CLASS, opening, bench.classes.context());
  if (judged.definition === null) throw new Error('not whole');
  const from = { version: known.version, hash: known.hash };
  return bench.classes.import(judged.definition, { source: known.source, importedBy: 'S1', draft: from });
}

describe('drafts', () => {
  test('grow import by import until nothing is missing, each a version with its event', () => {
    const bench = openBench();
    expect(draft(bench, BARE)).toMatchObject({
      result: 'created',
      state: 'draft',
      version: 1,
      missing: [
        'occupation.code',
        'occupation.name',
        'occupation.level',
        'period',
        'plannedHours',
        'room',
        'terminals',
        'timetable',
        'teachers',
        'roster',
      ],
    });
    expect(stateOf(bench.store, CLASS, day('2026-09-07'))).toBe('draft');
    expect(draft(bench, PLAN)).toMatchObject({
      version: 2,
      classDays: 5,
      missing: ['terminals', 'teachers', 'roster'],
      diff: { head: ['occupation', 'from', 'to', 'plannedHours', 'room'], timetable: { hoursAfter: 40 } },
    });
    const ready = draft(bench, PEOPLE);
    expect(ready).toMatchObject({
      result: 'changed',
      state: 'ready',
      version: 3,
      missing: [],
      trainees: 2,
      diff: { roster: { added: ['T001', 'T002'] } },
    });
    expect(stateOf(bench.store, CLASS, day('2026-09-07'))).toBe('ready');
    expect(events(bench).map(({ classId, state, version, by: who }) => [classId, state, version, who])).toEqual([
      [CLASS, 'draft', 1, 'cli'],
      [CLASS, 'draft', 2, 'cli'],
      [CLASS, 'ready', 3, 'cli'],
    ]);
    expect(draftHeads(bench.store)).toMatchObject([{ classNo: CLASS, version: 3, source: 'class.yaml', missing: [] }]);
  });

  test('the same again, and a dry run, write nothing', () => {
    const bench = openBench();
    draft(bench, BARE);
    const head = bench.store.head();
    expect(draft(bench, BARE)).toMatchObject({ result: 'same', version: 1 });
    expect(draft(bench, PLAN, true)).toMatchObject({ result: 'changed', version: 2 });
    expect(bench.store.head()).toEqual(head);
    expect(draftVersions(bench.store, CLASS)).toHaveLength(1);
  });

  test('what is wrong is refused, also when only the parts together are wrong', () => {
    const bench = openBench();
    draft(bench, PLAN);
    expect(draft(bench, `cityClassNo: ${CLASS}\nrooom: x\n`)).toEqual([expect.stringContaining('rooom')]);
    expect(draft(bench, `cityClassNo: ${CLASS}\nperiod: { from: 2026-10-12, to: 2026-10-16 }\n`)).toMatchObject({
      result: 'changed',
    });
    const listed = `cityClassNo: ${CLASS}\ntimetable: [{ date: 2026-09-07 }]\n`;
    expect(draft(bench, listed)).toEqual([
      'timetable.0.date: Row 1 of timetable, date: outside the period of the class.',
    ]);
  });

  test('no name and no document number is on the disk, and versions are never changed', () => {
    const bench = openBench();
    draft(bench, PEOPLE);
    const body = bench.store.db.prepare('SELECT body FROM class_draft').pluck().get() as Buffer;
    for (const secret of [nameOf(1), documentOf(1), '南宫老师傅'])
      expect(body.includes(Buffer.from(secret))).toBe(false);
    expect(JSON.stringify(events(bench))).not.toContain(documentOf(1));
    expect(openDraft(bench.store, CLASS)?.content.roster?.[0]?.name).toBe(nameOf(1));
    expect(() => bench.store.db.exec('UPDATE class_draft SET version = 9')).toThrow('never changed');
  });
});

describe('activation', () => {
  const readyBench = (): Bench => {
    const bench = openBench();
    for (const text of [BARE, PLAN, PEOPLE]) draft(bench, text);
    return bench;
  };

  test('is refused with the list of what is missing', () => {
    const bench = openBench();
    draft(bench, BARE);
    draft(bench, PLAN);
    const error = thrown(() => activate(bench));
    expect(error.code).toBe('class-not-ready');
    expect(error.message).toContain('missing: terminals, teachers, roster');
    expect(codeOf(() => openingOf(bench.store, 'B9', null, bench.classes.context()))).toBe('class-unknown');
  });

  test('needs an approval, or somebody who answers for there being none', () => {
    const bench = readyBench();
    expect(thrown(() => activate(bench, null)).message).toContain('missing: approval');
    expect(activate(bench, { unapproved: { by: 'S01', reason: '审批在途' } }).result).toBe('created');
    expect(events(bench).at(-1)).toMatchObject({
      state: 'activated',
      flags: ['UNAPPROVED_CLASS'],
      draft: { version: 3 },
    });
    // The approval given later is a change of the head, and the flag goes.
    expect(bring(bench, { people: [person(1), person(2)] })).toMatchObject({
      diff: { head: ['approval', 'unapproved'] },
    });
    expect(events(bench).at(-1)).toMatchObject({ state: 'changed', flags: [] });
  });

  test('makes a class of the draft, and there is no draft of that number any more', () => {
    const bench = readyBench();
    expect(activate(bench)).toMatchObject({ result: 'created', trainees: 2, classDays: 5 });
    expect(draftHeads(bench.store)).toEqual([]);
    expect(codeOf(() => activate(bench))).toBe('class-already-active');
    expect(codeOf(() => draft(bench, BARE))).toBe('class-already-active');
    expect(allStates(bench.store, day('2026-09-08'))).toEqual([{ classNo: CLASS, state: 'active' }]);
    expect(stateOf(bench.store, CLASS, day('2026-09-12'))).toBe('ended');
    expect(stateOf(bench.store, CLASS, day('2026-09-10'), 40)).toBe('ended');
    expect(verifyDataDir(bench.dir)).toMatchObject({ ok: true });
  });

  test('is refused with a policy that is not in force on the first day', () => {
    const bench = openBench();
    const late = parsePolicy(withValues(preset.plain, { effectiveFrom: '2026-10-01' }));
    const classes = openClasses(bench.store, {
      clock: bench.clock,
      zone: ZONE,
      policies: { get: () => late, names: [] },
    });
    expect(codeOf(() => classes.importText('class.yaml', classText(), by))).toBe('policy-not-in-force');
    expect(bench.classes.all()).toEqual([]);
  });
});

describe('changes after activation', () => {
  const WITHOUT_FRIDAY = '{ weekdays: [mon, tue, wed, thu] }';

  test('of the plan need a reason, which is kept sealed and named by the event', () => {
    const bench = openBench();
    bring(bench);
    expect(codeOf(() => bring(bench, { timetable: WITHOUT_FRIDAY }))).toBe('class-change-unexplained');
    expect(bring(bench, { timetable: WITHOUT_FRIDAY, extra: CHANGE }).timetableVersion).toBe(2);
    expect(loadChanges(bench.store, CLASS)).toMatchObject([
      { timetableVersion: 2, reason: '教师病假调课', by: 'A1', approvedBy: null },
    ]);
    const last = events(bench).at(-1);
    expect(last).toMatchObject({
      flags: ['HOURS_REDUCED', 'TIMETABLE_CHANGED'],
      change: { by: 'A1', approvedBy: null },
    });
    expect(JSON.stringify(last)).not.toContain('病假');
    expect(loadChanges({ db: bench.store.db, vault: null }, CLASS)).toMatchObject([{ reason: null }]);
  });

  test('of teacher, room or content of a future date are changes of the plan too', () => {
    const bench = openBench();
    bring(bench);
    const timetable = `
  - { date: 2026-09-07 }
  - { date: 2026-09-08 }
  - { date: 2026-09-09, sessions: [{ id: AM, room: B1 }, PM] }
  - { date: 2026-09-10 }
  - { date: 2026-09-11 }`;
    expect(thrown(() => bring(bench, { timetable })).message).toContain('2026-09-09');
    expect(bring(bench, { timetable, extra: CHANGE })).toMatchObject({
      diff: { timetable: { changed: ['2026-09-09'] } },
    });
    expect(events(bench).at(-1)).toMatchObject({ flags: ['TIMETABLE_CHANGED'] });
  });

  test.each([
    ['removed', WITHOUT_FRIDAY],
    ['held otherwise', '{ weekdays: [mon, tue, wed, thu, fri], sessions: [AM] }'],
  ])('of a date that has passed are refused, with the date: %s', (_what, timetable) => {
    const bench = openBench();
    bring(bench);
    bench.clock.jump(at('2026-09-12', '08:00') - bench.clock.now());
    const error = thrown(() => bring(bench, { timetable, extra: CHANGE }));
    expect(error.code).toBe('class-past-date');
    expect(error.message).toContain('2026-09-11');
  });

  test('today itself may still change', () => {
    const bench = openBench();
    bring(bench);
    bench.clock.jump(at('2026-09-11', '08:00') - bench.clock.now());
    expect(bring(bench, { timetable: WITHOUT_FRIDAY, extra: CHANGE }).result).toBe('changed');
  });

  test('of the planned hours need a reason too; it is kept as a remark', () => {
    const bench = openBench();
    bring(bench);
    const fewer = classText().replace('plannedHours: 40', 'plannedHours: 32');
    expect(codeOf(() => bench.classes.importText('c', fewer, by))).toBe('class-change-unexplained');
    bench.classes.importText('c', `${fewer}\n${CHANGE}`, by);
    expect(events(bench).at(-1)).toMatchObject({ flags: ['HOURS_REDUCED'] });
    expect(loadNotes(bench.store, CLASS)).toMatchObject([{ no: 1, text: 'plannedHours: 教师病假调课', by: 'A1' }]);
    expect(verifyDataDir(bench.dir)).toMatchObject({ ok: true });
  });

  test('who changes does not approve', () => {
    const bench = openBench();
    const extra = 'change: { reason: 调课, by: A1, approvedBy: A1 }';
    expect(codeOf(() => bring(bench, { extra }))).toBe('class-file-invalid');
  });

  test('the number of the region may come later, and then changes only with an approved reason', () => {
    const bench = openBench();
    bring(bench);
    const numbered = (no: string, extra = '') => bring(bench, { extra: `regionalClassNo: ${no}\n${extra}` });
    expect(numbered('NM-1')).toMatchObject({ diff: { head: ['regionalClassNo'] } });
    expect(codeOf(() => numbered('NM-2'))).toBe('class-number-locked');
    expect(codeOf(() => numbered('NM-2', CHANGE))).toBe('class-number-locked');
    // A file that leaves it out does not take it away.
    expect(bring(bench).result).toBe('same');
    numbered('NM-2', 'change: { reason: 原编号笔误, by: A1, approvedBy: S1 }');
    expect(bench.classes.get(CLASS)?.regionalClassNo).toBe('NM-2');
    expect(loadNotes(bench.store, CLASS)).toMatchObject([{ text: 'regionalClassNo: 原编号笔误' }]);
  });

  test('a past date is annotated; the event has no text', () => {
    const bench = openBench();
    bring(bench);
    const note = { classNo: CLASS, date: day('2026-09-07'), text: '上午停电', by: 'A1', at: bench.clock.now() };
    expect([addNote(bench.store, note), addNote(bench.store, { ...note, date: null })]).toEqual([1, 2]);
    expect(loadNotes(bench.store, CLASS)).toMatchObject([
      { no: 1, date: '2026-09-07', text: '上午停电' },
      { date: null },
    ]);
    expect(events(bench).at(-1)).toMatchObject({ state: 'note', no: 2, by: 'A1' });
    expect(JSON.stringify(events(bench))).not.toContain('停电');
    expect(codeOf(() => addNote(bench.store, { ...note, classNo: 'B9' }))).toBe('class-unknown');
  });

  test('a place elsewhere and the approved head count are told', () => {
    const bench = openBench();
    const extra = 'approvedHeadcount: 45\ntemporaryVenue: { place: 社区活动室, approval: 昆人社培〔2026〕8号 }';
    bring(bench, { extra });
    expect(events(bench).at(-1)).toMatchObject({ flags: ['TEMPORARY_VENUE'], approvedHeadcount: 45 });
    expect(viewClass(bench.store, CLASS, day('2026-09-07'))?.heads).toMatchObject({
      approved: 45,
      enrolled: 3,
      present: 0,
    });
  });
});

describe('people of other classes', () => {
  test('are flagged in the event by trainee number, and again from the tables', () => {
    const bench = openBench();
    bring(bench);
    const other = { classNo: 'BT2026-032', teacher: '{ teacherNo: J2, name: 南宫老师 }' };
    bring(bench, { ...other, people: [person(1), person(4)] });
    expect(events(bench).at(-1)).toMatchObject({
      flags: ['DOUBLE_ENROLMENT'],
      people: { DOUBLE_ENROLMENT: ['T001'] },
    });
    bring(bench, { classNo: 'BT2026-040', people: [person(3)], period: '{ from: 2026-10-12, to: 2026-10-16 }' });
    expect(events(bench).at(-1)).toMatchObject({ people: { REPEAT_OCCUPATION: ['T003'] } });
    const { db } = bench.store;
    expect(enrolmentFlags({ db }, 'BT2026-040')).toEqual([
      { code: 'REPEAT_OCCUPATION', traineeNo: 'T003', otherClassNo: CLASS },
    ]);
    // The flag stands in both classes that overlap, and not in the earlier one of a repetition.
    expect(enrolmentFlags({ db }, CLASS)).toEqual([
      { code: 'DOUBLE_ENROLMENT', traineeNo: 'T001', otherClassNo: 'BT2026-032' },
    ]);
  });
});

describe('sealing', () => {
  const SHORT: ClassText = {
    people: [person(1), person(2)],
    period: '{ from: 2026-09-07, to: 2026-09-08 }',
    timetable: '{ weekdays: [mon, tue] }',
  };

  function taught(): Bench & { settle(): void } {
    const bench = openBench();
    bring(bench, SHORT);
    const unit = createCreditUnit({
      store: bench.store,
      classes: bench.classes,
      clock: bench.clock,
      bell: createDoorbell(bench.clock),
      next: { ring: () => undefined },
      lastDrainedAt: () => bench.clock.now(),
    });
    const settle = (): void => {
      for (let steps = 0; unit.step(); steps += 1) if (steps > 200) throw new Error('the unit never comes to rest');
    };
    take(bench, ...FULL_DAY.map((time) => punch('2026-09-07', time)));
    settle();
    return { ...bench, settle };
  }
  const goTo = (bench: Bench, date: string, time: string): void => bench.clock.jump(at(date, time) - bench.clock.now());
  const seal = (bench: Bench) => sealClass(bench.store, CLASS, { by: 'S1', at: bench.clock.now() });
  const credits = (bench: Bench): readonly Numbered<CreditFact>[] => bench.store.creditsOf(CLASS);

  function sealed(): ReturnType<typeof taught> {
    const bench = taught();
    goTo(bench, '2026-09-10', '08:00');
    bench.settle();
    seal(bench);
    return bench;
  }

  test('waits for the end, for every result and for every request', () => {
    const bench = taught();
    expect(codeOf(() => sealClass(bench.store, 'B9', { by: 'S1', at: bench.clock.now() }))).toBe('class-unknown');
    expect(codeOf(() => seal(bench))).toBe('class-not-ended');
    goTo(bench, '2026-09-10', '08:00');
    const early = thrown(() => seal(bench));
    expect(early.code).toBe('class-not-settled');
    expect(early.message).toContain('2026-09-07 T001');
    bench.settle();
    bench.store.db
      .prepare(
        `INSERT INTO class_request (id, class_no, kind, trainee_no, date, place, reason, evidence, requested_by, requested_at)
         VALUES ('r1', ?, 'leave', 'T002', '2026-09-07', 'AM', 'sick', '[]', 'A1', 1)`,
      )
      .run(CLASS);
    const open = thrown(() => seal(bench));
    expect([open.code, open.message.includes('r1')]).toEqual(['class-requests-open', true]);
    bench.store.db
      .prepare(
        `INSERT INTO class_decision (request, verdict, decided_by, decided_at) VALUES ('r1', 'rejected', 'S1', 2)`,
      )
      .run();
    expect(seal(bench)).toMatchObject({ days: 4, sealedBy: 'S1' });
    expect(codeOf(() => seal(bench))).toBe('class-sealed');
  });

  test('gives every day a last revision with the same outcome and version', () => {
    const bench = taught();
    goTo(bench, '2026-09-10', '08:00');
    bench.settle();
    const before = credits(bench);
    const row = seal(bench);
    const after = credits(bench);
    expect(after).toHaveLength(4);
    after.forEach((credit, index) => {
      const was = before[index];
      expect(credit).toEqual({
        ...was,
        n: credit.n,
        rev: (was?.rev ?? 0) + 1,
        result: { ...was?.result, status: 'sealed' },
      });
    });
    expect(events(bench).at(-1)).toMatchObject({ state: 'sealed', digest: row.digest, days: 4, by: 'S1' });
    expect(bench.store.db.prepare('SELECT DISTINCT status FROM v_day_credit').pluck().all()).toEqual(['sealed']);
    expect(stateOf(bench.store, CLASS, day('2026-09-10'))).toBe('sealed');
    expect(verifyDataDir(bench.dir)).toMatchObject({ ok: true });
  });

  test('a late punch is kept and flagged once, and no result changes', () => {
    const bench = sealed();
    const before = credits(bench);
    const late = (time: string) => punch('2026-09-08', time, { received: bench.clock.now() });
    take(bench, late('08:20'));
    bench.settle();
    take(bench, late('12:05'), punch('2026-09-07', '08:20', { received: bench.clock.now() }));
    bench.settle();
    expect(credits(bench)).toEqual(before);
    expect(events(bench).filter((data) => data.state === 'after-seal')).toEqual([
      { classId: CLASS, state: 'after-seal', traineeNo: 'T001', date: '2026-09-08', flag: 'AFTER_SEAL' },
    ]);
    expect(lateDays(bench.store, CLASS)).toMatchObject([{ traineeNo: 'T001', date: '2026-09-08' }]);
    expect(bench.store.touchedDays(10)).toEqual([]);
    expect(bench.store.punchCount()).toBe(6);
    expect(viewClass(bench.store, CLASS, day('2026-09-10'))).toMatchObject({
      state: 'sealed',
      counts: { afterSeal: 1, results: 4 },
    });
    expect(verifyDataDir(bench.dir)).toMatchObject({ ok: true });
  });

  test('a punch on a date that had no result is flagged too', () => {
    const bench = sealed();
    take(bench, punch('2026-09-06', '08:20', { received: bench.clock.now() }));
    bench.settle();
    expect(lateDays(bench.store, CLASS)).toEqual([]);
    take(bench, punch('2026-09-08', '20:20', { user: 'T002', received: bench.clock.now() }));
    bench.settle();
    expect(lateDays(bench.store, CLASS)).toMatchObject([{ traineeNo: 'T002', date: '2026-09-08' }]);
    expect(credits(bench)).toHaveLength(4);
  });

  test('nothing of it can be imported any more, but a remark can be made', () => {
    const bench = sealed();
    expect(codeOf(() => bring(bench, { ...SHORT, people: [person(1)] }))).toBe('class-sealed');
    expect(bring(bench, SHORT).result).toBe('same');
    expect(addNote(bench.store, { classNo: CLASS, date: null, text: '已归档', by: 'A1', at: bench.clock.now() })).toBe(
      1,
    );
    expect(sealOf(bench.store, CLASS)).toMatchObject({ days: 4 });
    expect(() => bench.store.db.exec('DELETE FROM class_seal')).toThrow('stays sealed');
  });

  test('a crash in the transaction leaves nothing of the seal', () => {
    let armed = false;
    const bench = openBench({
      hooks: {
        beforeCommit: () => {
          if (armed) throw new GatewayError('store-failed', { reason: 'test' });
        },
      },
    });
    bring(bench, SHORT);
    const unit = createCreditUnit({
      ...{ store: bench.store, classes: bench.classes, clock: bench.clock, bell: createDoorbell(bench.clock) },
      ...{ next: { ring: () => undefined }, lastDrainedAt: () => bench.clock.now() },
    });
    goTo(bench, '2026-09-10', '08:00');
    while (unit.step());
    armed = true;
    expect(codeOf(() => seal(bench))).toBe('store-failed');
    armed = false;
    expect(sealOf(bench.store, CLASS)).toBeNull();
    expect(credits(bench).every((credit) => credit.result.status === 'final')).toBe(true);
    expect(seal(bench)).toMatchObject({ days: 4 });
  });
});
