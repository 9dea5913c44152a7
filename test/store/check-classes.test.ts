/** Promise 16 broken on purpose: what can change people's hours cannot be changed behind the journal's back. */
import { expect, test } from 'vitest';
import { addNote } from '../../src/classes/class-changes.js';
import { readClassParts } from '../../src/classes/class-file.js';
import { saveDraft } from '../../src/classes/drafts.js';
import { sealClass } from '../../src/classes/seal.js';
import { createDoorbell } from '../../src/core/unit.js';
import { createCreditUnit } from '../../src/flows/credit.js';
import { verifyDataDir } from '../../src/store/check.js';
import { openStore } from '../../src/store/database.js';
import { at, by, CHANGE, classText, day, openBench, person } from '../classes/class-fixture.js';
import { createFakeClock } from '../support/fake-clock.js';
import { tamper } from './fixtures.js';

/** A class that was imported and then changed, closed. */
function importedDir(): string {
  const bench = openBench();
  bench.classes.importText('class.yaml', classText(), by);
  const people = [person(1), person(3), person(4)];
  bench.classes.importText('class.yaml', classText({ people }), by);
  bench.store[Symbol.dispose]();
  return bench.dir;
}

const anotherHex = "iif(substr(hex(%), -1) = '0', X'01', X'00')";
const forged = (column: string): string => `${column} = ${anotherHex.replace('%', column)}`;

test('imported classes verify', () => {
  expect(verifyDataDir(importedDir())).toMatchObject({ ok: true, records: 3 });
});

test.each([
  ['the grace of the policy', "UPDATE class_policy SET body = json_set(body, '$.grace.lateMinutes', 60)", 'policy'],
  [
    'a policy and its digest',
    "UPDATE class_policy SET sha256 = iif(sha256 LIKE '0%', '1', '0') || substr(sha256, 2)",
    'policy',
  ],
  [
    'a date of the timetable',
    "UPDATE class_timetable SET body = replace(body, '2026-09-07', '2026-09-06')",
    'timetable',
  ],
  ['the planned hours', "UPDATE class SET body = json_set(body, '$.plannedHours', 8)", 'last imported'],
  ['the version in force', 'UPDATE class SET roster_version = 1', 'last imported'],
  [
    'who punches',
    "UPDATE class_trainee SET device_user_id = '999' WHERE trainee_no = 'T001' AND version = 2",
    'people',
  ],
  ['an old roster', "UPDATE class_trainee SET enrolled_from = '2026-09-09' WHERE version = 1", 'people'],
  ['a granted method', `UPDATE class_trainee SET methods = '["card"]' WHERE version = 2`, 'people'],
  ['a person away', "DELETE FROM class_trainee WHERE trainee_no = 'T004'", 'people'],
  [
    'the hash of a roster',
    "UPDATE class_roster SET hash = iif(hash LIKE '0%', '1', '0') || substr(hash, 2) WHERE version = 1",
    'roster 1',
  ],
  ['the number of the region', "UPDATE class SET regional_class_no = 'NM-9'", 'last imported'],
  ['the name of a person', `UPDATE class_trainee SET ${forged('name')} WHERE trainee_no = 'T001'`, 'its people'],
  ['a document', "UPDATE class_trainee SET document_index = 'x' WHERE trainee_no = 'T001'", 'its people'],
  ['who imported a roster', "UPDATE class_roster SET imported_by = 'S9' WHERE version = 1", 'roster 1'],
  [
    'a correction in',
    "INSERT INTO class_correction VALUES ('BT2026-031', 2, 'T001', X'00', 'A1', 'S1')",
    'roster 2 of class BT2026-031 and its people',
  ],
  ['where a timetable came from', "UPDATE class_timetable SET source = 'b.xlsx'", 'timetable 1'],
  ['the version of a policy', 'UPDATE class_policy SET version = version + 1', 'policy'],
  ['the class away', 'DELETE FROM class', 'gone'],
])('16: somebody changed %s', (_what, sql, reason) => {
  const dir = importedDir();
  tamper(dir, sql);
  expect(verifyDataDir(dir).firstFault).toMatchObject({
    promise: 16,
    reason: expect.stringContaining(reason) as string,
  });
});

/** A class that grew as a draft, was changed with a reason, annotated, and sealed, closed. */
function livedDir(): string {
  const bench = openBench();
  const { store, classes, clock } = bench;
  const parts = (text: string): void => {
    const { content } = readClassParts('class.yaml', text, classes.context(), null);
    if (content !== null) saveDraft(store, content, classes.context(), { ...by, at: clock.now() });
  };
  parts('cityClassNo: B9\nname: 草稿班\n');
  const short = { people: [person(1)], period: '{ from: 2026-09-07, to: 2026-09-08 }' };
  classes.importText('class.yaml', classText({ ...short, timetable: '{ weekdays: [mon, tue] }' }), by);
  classes.importText('class.yaml', classText({ ...short, timetable: '{ weekdays: [mon] }', extra: CHANGE }), by);
  addNote(store, { classNo: 'BT2026-031', date: day('2026-09-07'), text: '停电', by: 'A1', at: clock.now() });
  clock.jump(at('2026-09-10', '08:00') - clock.now());
  const unit = createCreditUnit({
    ...{ store, classes, clock, bell: createDoorbell(clock), next: { ring: () => undefined } },
    lastDrainedAt: () => clock.now(),
  });
  while (unit.step());
  sealClass(store, 'BT2026-031', { by: 'S1', at: clock.now() });
  store[Symbol.dispose]();
  return bench.dir;
}

test('a class that was drafted, changed, annotated and sealed verifies', () => {
  expect(verifyDataDir(livedDir())).toMatchObject({ ok: true });
});

test.each([
  ['the body of a draft', `UPDATE class_draft SET ${forged('body')}`, 'draft 1 of class B9'],
  ['who imported a draft', "UPDATE class_draft SET imported_by = 'S9'", 'draft 1 of class B9'],
  ['a draft away', 'DELETE FROM class_draft', 'draft 1 of class B9'],
  [
    'a draft added',
    "INSERT INTO class_draft SELECT 'B8', version, hash, source, imported_by, imported_at, body FROM class_draft",
    'class_draft has 2 rows',
  ],
  ['the reason of a change', `UPDATE class_change SET ${forged('reason')}`, 'reason of timetable 2'],
  ['who approved a change', "UPDATE class_change SET approved_by = 'S1'", 'reason of timetable 2'],
  ['a change away', 'DELETE FROM class_change', 'reason of timetable 2'],
  ['the date of a remark', "UPDATE class_note SET date = '2026-09-08'", 'remark 1'],
  ['a remark away', 'DELETE FROM class_note', 'remark 1'],
  ['who sealed', "UPDATE class_seal SET sealed_by = 'A1'", 'seal of class'],
  [
    'the digest of the seal',
    "UPDATE class_seal SET digest = iif(digest LIKE '0%', '1', '0') || substr(digest, 2)",
    'is sealed',
  ],
  ['the seal away', 'DELETE FROM class_seal', 'seal of class'],
])('16: somebody changed %s', (_what, sql, reason) => {
  const dir = livedDir();
  tamper(dir, sql);
  expect(verifyDataDir(dir).firstFault).toMatchObject({
    promise: 16,
    reason: expect.stringContaining(reason) as string,
  });
});

test('16: a result that was added after the seal', () => {
  const dir = livedDir();
  using store = openStore({ dir, clock: createFakeClock(at('2026-09-10', '09:00')), software: 'test' });
  const [last] = store.creditsOf('BT2026-031');
  if (last === undefined) throw new Error('there is no result');
  const { kind, id, classNo, traineeNo, date, rev, state, totalHours, policy, punches, result } = last;
  const fact = { kind, id, classNo, traineeNo, date, state, totalHours, policy, punches };
  store.transact((tx) => tx.addCredit({ ...fact, rev: rev + 1, result: { ...result, flags: ['LATE'] } }));
  expect(verifyDataDir(dir).firstFault).toMatchObject({
    promise: 16,
    reason: 'class BT2026-031 is sealed, and its results are not those it was sealed with',
  });
});
