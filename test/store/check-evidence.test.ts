/** Promise 17 broken on purpose: nobody grants an hour behind the journal's back. */
import { expect, test } from 'vitest';
import { importOnline } from '../../src/classes/online-hours.js';
import { openRequests } from '../../src/classes/requests.js';
import { verifyDataDir } from '../../src/store/check.js';
import { by, classText, day, openBench } from '../classes/class-fixture.js';
import { tamper } from './fixtures.js';

/** A class with an approved make-up, a rejected leave and a file of online hours, closed. */
function evidenceDir(): string {
  const { classes, store, clock, dir } = openBench();
  classes.importText('class.yaml', classText(), by);
  const requests = openRequests(store, { clock });
  const who = { classNo: 'BT2026-031', traineeNo: 'T001', date: day('2026-09-07'), requestedBy: 'S01' };
  const evidence = [{ kind: 'document' as const, sha256: 'a'.repeat(64) }];
  const makeup = requests.makeup({ ...who, slot: 'AM_IN', reason: 'forgot', evidence, text: '忘记打卡' });
  const [leave] = requests.leave({ ...who, session: 'PM', reason: 'sick' });
  requests.makeup({ ...who, slot: 'AM_OUT', reason: 'forgot', evidence });
  requests.decide([makeup.id], 'approved', 'S02', '同意');
  requests.decide([leave?.id ?? ''], 'rejected', 'S02');
  const row = { traineeNo: 'T001', date: day('2026-09-07'), lesson: '1', kind: 'theory' as const, proof: {} };
  const rows = [
    { ...row, row: 2, minutes: 45 },
    { ...row, row: 3, lesson: '2', minutes: 90 },
  ];
  const file = { classNo: who.classNo, sha256: 'b'.repeat(64), source: 'a.csv', origin: 'o', rows, importedBy: 'S01' };
  importOnline(store, file, { clock });
  store[Symbol.dispose]();
  return dir;
}

test('requests, decisions and online hours verify', () => {
  expect(verifyDataDir(evidenceDir())).toMatchObject({ ok: true, firstFault: null });
});

test.each([
  ['a rejection into an approval', "UPDATE class_decision SET verdict = 'approved'", 'not what was told'],
  ['who approved', "UPDATE class_decision SET decided_by = 'S03' WHERE verdict = 'approved'", 'not what was told'],
  ['the slot of a make-up', "UPDATE class_request SET place = 'PM_IN' WHERE place = 'AM_OUT'", 'not what was told'],
  ['the person of a make-up', "UPDATE class_request SET trainee_no = 'T002'", 'not what was told'],
  ['the evidence', "UPDATE class_request SET evidence = '[]' WHERE place = 'AM_IN'", 'not what was told'],
  ['what was written', "UPDATE class_request SET text = x'00' WHERE text IS NOT NULL", 'not what was told'],
  ['when it was asked for', 'UPDATE class_request SET requested_at = requested_at - 1', 'not what was told'],
  ['a decision away', "DELETE FROM class_decision WHERE verdict = 'rejected'", 'gone'],
  [
    'an approval in',
    `INSERT INTO class_decision SELECT id, 'approved', NULL, 'S02', 1 FROM class_request WHERE place = 'AM_OUT'`,
    'nothing tells of the decision',
  ],
  [
    'a request in',
    `INSERT INTO class_request SELECT 'ffffffffff', class_no, kind, trainee_no, date, 'PM_OUT', effective, reason, NULL, evidence,
     requested_by, requested_at FROM class_request WHERE place = 'AM_OUT'`,
    'nothing tells of request ffffffffff',
  ],
  ['online minutes', 'UPDATE class_online SET minutes = 480 WHERE row = 2', 'records of online import 1'],
  ['an online record away', 'DELETE FROM class_online WHERE row = 3', 'records of online import 1'],
  [
    'an online record in',
    `INSERT INTO class_online SELECT 7, row, class_no, trainee_no, date, lesson, kind, minutes, proof FROM class_online`,
    'belongs to no import',
  ],
  ['where a file came from', "UPDATE class_online_import SET origin = 'x'", 'online import 1 is not what was told'],
  ['a file away', 'DELETE FROM class_online; DELETE FROM class_online_import', 'gone'],
])('17: somebody changed %s', (_what, sql, reason) => {
  const dir = evidenceDir();
  tamper(dir, sql);
  expect(verifyDataDir(dir).firstFault).toMatchObject({
    promise: 17,
    reason: expect.stringContaining(reason) as string,
  });
});
