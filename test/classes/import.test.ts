import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openClasses } from '../../src/classes/classes.js';
import { GatewayError, type ErrorCode } from '../../src/core/errors.js';
import { textDigest } from '../../src/store/class-digest.js';
import {
  at,
  by,
  CHANGE,
  changedPreset,
  classText,
  day,
  documentOf,
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

const bring = (bench: Bench, text: ClassText = {}) => bench.classes.importText('class.yaml', classText(text), by);

const codeOf = (work: () => unknown): ErrorCode | 'nothing thrown' => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

const events = (bench: Bench): readonly Record<string, unknown>[] =>
  bench.store
    .facts(0, 1000, 'event')
    .flatMap((fact) => (fact.kind === 'event' && fact.what === 'class' ? [fact.data] : []));

const files = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile());

describe('import', () => {
  test('writes versions, one event with hashes and counts, and is there after a restart', () => {
    const bench = openBench();
    const outcome = bring(bench);
    expect(outcome).toMatchObject({
      result: 'created',
      rosterVersion: 1,
      timetableVersion: 1,
      trainees: 3,
      classDays: 5,
      diff: null,
    });
    expect(events(bench)).toMatchObject([
      {
        classId: 'BT2026-031',
        state: 'activated',
        roster: { version: 1, hash: outcome.rosterHash, trainees: 3 },
        flags: [],
      },
    ]);
    const again = bench.reopen();
    expect(again.classes.enrolledOn('BT2026-031', day('2026-09-07'))).toEqual(['T001', 'T002', 'T003']);
    expect(again.classes.get('BT2026-031')).toMatchObject({ rosterHash: outcome.rosterHash, room: 'A301' });
  });

  test('the same file again changes nothing at all', () => {
    const bench = openBench();
    const first = bring(bench);
    const head = bench.store.head();
    const second = bring(bench);
    expect(second).toMatchObject({ result: 'same', rosterHash: first.rosterHash, timetableHash: first.timetableHash });
    expect(bench.store.head()).toEqual(head);
    expect(bring(bench.reopen()).result).toBe('same');
  });

  test('a changed roster shows what is different and makes a new version; the old one stays', () => {
    const bench = openBench();
    const first = bring(bench);
    const people = [person(1), person(3, ', enrolledFrom: 2026-09-09'), person(4)];
    const second = bring(bench, { people });
    expect(second).toMatchObject({
      result: 'changed',
      rosterVersion: 2,
      timetableVersion: 1,
      diff: {
        head: [],
        roster: { added: ['T004'], removed: ['T002'], changed: [{ traineeNo: 'T003', fields: ['enrolledFrom'] }] },
      },
    });
    expect(second.rosterHash).not.toBe(first.rosterHash);
    expect(second.timetableHash).toBe(first.timetableHash);
    expect(bench.classes.enrolledOn('BT2026-031', day('2026-09-08'))).toEqual(['T001', 'T004']);
    expect(
      bench.store.db.prepare('SELECT version, count(*) AS people FROM class_trainee GROUP BY version').all(),
    ).toEqual([
      { version: 1, people: 3 },
      { version: 2, people: 3 },
    ]);
    expect(events(bench)[1]).toMatchObject({
      state: 'changed',
      changed: { added: 1, removed: 1, altered: 1, dates: 0 },
    });
  });

  test('a policy or timetable changed in the file gives results another digest, never that of the true one', () => {
    const bench = openBench();
    const outcome = bring(bench);
    const { db } = bench.store;
    db.exec('DROP TRIGGER class_policy_no_update; DROP TRIGGER class_timetable_no_update');
    db.exec("UPDATE class_policy SET body = json_set(body, '$.grace.lateMinutes', 60)");
    db.exec("UPDATE class_timetable SET body = replace(body, '2026-09-07', '2026-09-06')");
    bench.classes.reload();
    const asked = bench.classes.dayQuestion('BT2026-031', 'T001', day('2026-09-08'));
    expect(asked?.policy.grace.lateMinutes).toBe(60);
    expect(asked?.policy.sha256).not.toBe(preset.policy.sha256);
    expect(asked?.question.timetableVersion).not.toContain(outcome.timetableHash);
  });

  test('a changed timetable makes a new version and names fewer hours', () => {
    const bench = openBench();
    bring(bench);
    const outcome = bring(bench, { timetable: '{ weekdays: [mon, tue, wed, thu] }', extra: CHANGE });
    expect(outcome).toMatchObject({
      rosterVersion: 1,
      timetableVersion: 2,
      diff: { timetable: { removed: ['2026-09-11'], hoursBefore: 40, hoursAfter: 32 } },
    });
    expect(events(bench)[1]).toMatchObject({ flags: ['HOURS_REDUCED', 'TIMETABLE_CHANGED'] });
  });

  test('a class without approval says so upstream', () => {
    const bench = openBench();
    bring(bench, { head: 'unapproved: { by: S1, reason: 先行开班 }' });
    expect(events(bench)).toMatchObject([{ flags: ['UNAPPROVED_CLASS'] }]);
  });

  test('a changed name or document needs an approved correction', () => {
    const bench = openBench();
    bring(bench);
    const head = bench.store.head();
    const renamed = { people: [person(1).replace(nameOf(1), '司马青木'), person(2), person(3)] };
    expect(codeOf(() => bring(bench, renamed))).toBe('class-identity-locked');
    expect(bench.store.head()).toEqual(head);
    const approved = {
      ...renamed,
      extra: 'corrections: [{ traineeNo: T001, reason: 姓名笔误, requestedBy: A1, approvedBy: S1 }]',
    };
    expect(bring(bench, approved)).toMatchObject({
      result: 'changed',
      diff: { roster: { changed: [{ traineeNo: 'T001', fields: ['name'] }] } },
    });
    expect(events(bench)[1]).toMatchObject({
      corrections: [{ traineeNo: 'T001', requestedBy: 'A1', approvedBy: 'S1' }],
    });
    expect(bench.classes.rosterNames('BT2026-031')[0]?.name).toBe('司马青木');
  });

  test('a fault stops everything', () => {
    const bench = openBench();
    const head = bench.store.head();
    expect(codeOf(() => bring(bench, { people: [person(1).replace('T001', 'T 1')] }))).toBe('class-file-invalid');
    expect(bench.store.head()).toEqual(head);
    expect(bench.classes.all()).toEqual([]);
  });
});

describe('policy', () => {
  test('a class keeps the policy it was activated with, whatever becomes of the preset', () => {
    const bench = openBench();
    const { policy } = bring(bench);
    const later = openClasses(bench.store, {
      clock: bench.clock,
      zone: ZONE,
      policies: { get: () => changedPreset, names: ['baotou-2023'] },
    });
    expect(changedPreset.sha256).not.toBe(policy.sha256);
    const outcome = later.importText(
      'class.yaml',
      classText({ people: [person(1)], extra: 'policy: baotou-2023' }),
      by,
    );
    expect(outcome).toMatchObject({ result: 'changed', policy: { sha256: policy.sha256 } });
    expect(later.dayQuestion('BT2026-031', 'T001', day('2026-09-07'))?.policy).toEqual(preset.policy);
    expect(() => bench.store.db.prepare("UPDATE class SET policy = 'x'").run()).toThrow();
  });

  test('its hash stays that of the activation when a later program knows more keys', () => {
    const bench = openBench();
    const { policy } = bring(bench);
    // As an earlier program would have written it: a key is missing that the schema fills in today, so the hash is another one.
    const { body } = bench.store.db
      .prepare("SELECT json_remove(body, '$.effectiveTo') AS body FROM class_policy")
      .get() as { body: string };
    const earlier = textDigest(body);
    bench.store.db.exec(`DROP TRIGGER class_policy_no_update; DROP TRIGGER class_policy_kept;
      BEGIN; PRAGMA defer_foreign_keys = ON;
      UPDATE class_policy SET sha256 = '${earlier}', body = json_remove(body, '$.effectiveTo');
      UPDATE class SET policy = '${earlier}'; COMMIT`);
    expect(policy.sha256).toBe(preset.policy.sha256);
    const again = bench.reopen();
    expect(again.classes.get('BT2026-031')?.policy).toEqual({ ...preset.policy, sha256: earlier });
    expect(bring(again).result).toBe('same');
  });

  test('asking for another one is refused', () => {
    const bench = openBench();
    bring(bench);
    const other = { ...changedPreset, id: 'liaoning' };
    const later = openClasses(bench.store, {
      clock: bench.clock,
      zone: ZONE,
      policies: { get: (name) => (name === 'liaoning' ? other : null), names: ['liaoning'] },
    });
    expect(codeOf(() => later.importText('class.yaml', classText({ extra: 'policy: liaoning' }), by))).toBe(
      'class-policy-pinned',
    );
  });
});

describe('several classes', () => {
  const second: ClassText = { classNo: 'BT2026-032', people: [person(4)] };

  test('one device id for two people on one terminal is refused, on different terminals not', () => {
    const bench = openBench();
    bring(bench);
    const clash = {
      ...second,
      people: [person(4, ', deviceUserId: T001')],
      teacher: '{ teacherNo: J2, name: 南宫老师 }',
    };
    expect(codeOf(() => bring(bench, clash))).toBe('class-conflict');
    expect(bring(bench, { ...clash, terminals: '[{ terminal: workshop }]' }).result).toBe('created');
  });

  test('the same teacher may teach both', () => {
    const bench = openBench();
    bring(bench);
    expect(bring(bench, second).result).toBe('created');
  });

  test('a person in two classes at once, or twice in one occupation, is a note', () => {
    const bench = openBench();
    bring(bench);
    const both = bring(bench, {
      ...second,
      people: [person(1), person(2).replace('"T002"', '"T902"').replace(nameOf(2), '令狐青木')],
    });
    expect(both.notes.map((one) => [one.code, one.traineeNo, one.otherClassNo])).toEqual([
      ['DOUBLE_ENROLMENT', 'T001', 'BT2026-031'],
      ['DOUBLE_ENROLMENT', 'T902', 'BT2026-031'],
      ['TWO_NAMES', 'T902', 'BT2026-031'],
      ['TWO_NUMBERS', 'T902', 'BT2026-031'],
    ]);
    const later = bring(bench, {
      classNo: 'BT2026-040',
      people: [person(3)],
      period: '{ from: 2026-10-12, to: 2026-10-16 }',
    });
    expect(later.notes.map((one) => one.code)).toEqual(['REPEAT_OCCUPATION']);
  });
});

describe('personal data at rest', () => {
  test('no name and no document number is in any file of the data directory', () => {
    const bench = openBench();
    bring(bench, { extra: 'corrections: [{ traineeNo: T001, reason: 独孤笔误, requestedBy: A1, approvedBy: S1 }]' });
    take(bench, punch('2026-09-07', '08:20'));
    const canaries = [...[1, 2, 3].flatMap((index) => [nameOf(index), documentOf(index)]), '南宫老师傅', '独孤笔误'];
    const control = '昆区实训学校';
    const search = (dir: string): readonly string[] => {
      const found = new Set<string>();
      for (const path of files(dir)) {
        const bytes = readFileSync(path);
        for (const word of [...canaries, control]) {
          const forms = [
            Buffer.from(word, 'utf8'),
            Buffer.from(word, 'utf16le'),
            Buffer.from(JSON.stringify(word).slice(1, -1), 'utf8'),
          ];
          if (forms.some((form) => bytes.includes(form))) found.add(word);
        }
      }
      return [...found];
    };
    // The institution is no secret: finding it proves that the search looks at the right bytes, in the log and in the file.
    expect(files(bench.dir).some((path) => path.endsWith('rollcall.db-wal'))).toBe(true);
    expect(search(bench.dir)).toEqual([control]);
    bench.reopen();
    expect(search(bench.dir)).toEqual([control]);
  });

  test('names come back for those who may see them, and masked ones beside them', () => {
    const bench = openBench();
    bring(bench);
    expect(bench.reopen().classes.rosterNames('BT2026-031')[0]).toEqual({
      traineeNo: 'T001',
      name: nameOf(1),
      maskedName: '司**禾',
      documentType: 'idCard',
      documentNumber: documentOf(1),
      maskedDocumentNumber: `150203********${documentOf(1).slice(-4)}`,
    });
  });

  test('a roster version is never changed', () => {
    const bench = openBench();
    bring(bench);
    expect(() => bench.store.db.prepare('UPDATE class_trainee SET trainee_no = trainee_no').run()).toThrow(
      'never changed',
    );
    expect(() => bench.store.db.prepare('UPDATE class_timetable SET hours = 1').run()).toThrow('never changed');
  });

  test('the same roster imported on two machines has two hashes: it cannot be guessed', () => {
    expect(bring(openBench()).rosterHash).not.toBe(bring(openBench()).rosterHash);
  });
});

describe('days touched by an import', () => {
  const touched = (bench: Bench): readonly string[] =>
    bench.store.touchedDays(100).map((one) => `${one.classNo}/${one.traineeNo}/${one.date} ${one.cause}`);

  test('punches that came before the roster get their days', () => {
    const bench = openBench({});
    take(
      bench,
      punch('2026-09-07', '08:20'),
      punch('2026-09-08', '08:20', { user: 'T002' }),
      punch('2026-09-07', '08:21', { user: 'nobody' }),
    );
    expect(touched(bench)).toEqual([]);
    bring(bench);
    expect(touched(bench)).toEqual(['BT2026-031/T001/2026-09-07 import', 'BT2026-031/T002/2026-09-08 import']);
  });

  test('only those whom a roster change concerns are touched', () => {
    const bench = openBench();
    bring(bench);
    take(bench, punch('2026-09-07', '08:20'), punch('2026-09-07', '08:20', { user: 'T002' }));
    bench.store.transact((tx) => {
      for (const one of bench.store.touchedDays(10)) tx.untouchDay(one);
    });
    bring(bench, { people: [person(1), person(2, ', enrolledTo: 2026-09-08'), person(3)] });
    expect(touched(bench)).toEqual(['BT2026-031/T002/2026-09-07 import']);
  });

  test('days of the other class of a person who was known by another id here', () => {
    const bench = openBench();
    bring(bench);
    const second = { classNo: 'B2', teacher: '{ teacherNo: J2, name: 南宫老师 }' };
    bring(bench, { ...second, people: [person(1, ', deviceUserId: "7"'), person(4)] });
    take(bench, punch('2026-09-07', '08:20', { user: '7' }));
    bench.store.transact((tx) => {
      for (const one of bench.store.touchedDays(10)) tx.untouchDay(one);
    });
    bring(bench, { ...second, people: [person(4)] });
    expect(touched(bench)).toContain('BT2026-031/T001/2026-09-07 import');
  });

  test('a crash in the transaction leaves nothing of the import', () => {
    let armed = false;
    const bench = openBench({
      hooks: {
        beforeCommit: () => {
          if (armed) throw new GatewayError('store-failed', { reason: 'test' });
        },
      },
    });
    armed = true;
    expect(() => bring(bench)).toThrow();
    armed = false;
    expect(bench.classes.all()).toEqual([]);
    expect(bench.store.db.prepare('SELECT count(*) AS rows FROM class_trainee').get()).toEqual({ rows: 0 });
    expect(bring(bench).result).toBe('created');
    expect(at('2026-09-07', '07:00')).toBe(bench.clock.now());
  });
});
