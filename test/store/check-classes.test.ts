/** Promise 16 broken on purpose: what can change people's hours cannot be changed behind the journal's back. */
import { expect, test } from 'vitest';
import { verifyDataDir } from '../../src/store/check.js';
import { by, classText, openBench, person } from '../classes/class-fixture.js';
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
  ['the class away', 'DELETE FROM class', 'gone'],
])('16: somebody changed %s', (_what, sql, reason) => {
  const dir = importedDir();
  tamper(dir, sql);
  expect(verifyDataDir(dir).firstFault).toMatchObject({
    promise: 16,
    reason: expect.stringContaining(reason) as string,
  });
});
