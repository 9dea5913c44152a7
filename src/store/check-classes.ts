/**
 * Promise 16: a class is what was imported. Rosters, timetables, policies and heads are compared with the events by which the
 * journal knows them, so that changing a row there, which would change people's hours, shows as a changed punch does.
 *
 * Reads only and needs no key: names and documents are sealed to their row, and a digest covers everything else that counts.
 */
import type { CheckContext, Finding } from './check.js';
import { membersDigest, textDigest } from './class-digest.js';
import type { Db } from './store.js';

interface Version {
  readonly version: number;
  readonly hash: string;
}

/** Data of a `class` event. The two digests are missing in events written before they existed. */
interface ImportedClass {
  readonly classId: string;
  readonly head?: { readonly hash: string };
  readonly roster: Version & { readonly trainees: number; readonly members?: string };
  readonly timetable: Version;
  readonly policy: { readonly sha256: string };
}

interface ClassRow {
  readonly class_no: string;
  readonly body: string;
  readonly policy: string;
  readonly roster_version: number;
  readonly timetable_version: number;
}

const hashOf = (db: Db, table: 'class_roster' | 'class_timetable', classNo: string, version: number): string | null =>
  (
    db.prepare(`SELECT hash FROM ${table} WHERE class_no = ? AND version = ?`).get(classNo, version) as
      { hash: string } | undefined
  )?.hash ?? null;

/** Texts that are kept under their own digest. */
function checkTexts(db: Db): string | null {
  for (const row of db.prepare('SELECT id, sha256, body FROM class_policy').all() as {
    id: string;
    sha256: string;
    body: string;
  }[])
    if (textDigest(row.body) !== row.sha256) return `the policy ${row.id} of a class was changed`;
  for (const row of db.prepare('SELECT class_no, version, hash, body FROM class_timetable').all() as {
    class_no: string;
    version: number;
    hash: string;
    body: string;
  }[])
    if (textDigest(row.body) !== row.hash) return `timetable ${row.version} of class ${row.class_no} was changed`;
  return null;
}

/** A version that an event names: its hash, and for a roster its people. */
function versionFault(db: Db, said: ImportedClass): string | null {
  const { classId, roster, timetable } = said;
  if (hashOf(db, 'class_timetable', classId, timetable.version) !== timetable.hash)
    return `timetable ${timetable.version} of class ${classId} is not the one that was imported`;
  if (hashOf(db, 'class_roster', classId, roster.version) !== roster.hash)
    return `roster ${roster.version} of class ${classId} is not the one that was imported`;
  const { trainees } = db
    .prepare('SELECT count(*) AS trainees FROM class_trainee WHERE class_no = ? AND version = ?')
    .get(classId, roster.version) as { trainees: number };
  const isSame = roster.members === undefined || membersDigest(db, classId, roster.version) === roster.members;
  return trainees === roster.trainees && isSame
    ? null
    : `the people on roster ${roster.version} of class ${classId} were changed`;
}

function presentFault(row: ClassRow, last: ImportedClass): string | null {
  const isSame =
    row.policy === last.policy.sha256 &&
    row.roster_version === last.roster.version &&
    row.timetable_version === last.timetable.version &&
    (last.head === undefined || textDigest(row.body) === last.head.hash);
  return isSame ? null : `class ${row.class_no} is not what was last imported`;
}

/** 16: rosters, timetables, policies and heads of classes are those that the journal's events name. */
export function checkClasses({ db, head }: CheckContext): Finding {
  const changed = checkTexts(db);
  if (changed !== null) return { n: null, reason: changed };
  const events = db
    .prepare<[number], { n: number; data: string }>(
      "SELECT n, body ->> '$.data' AS data FROM event WHERE what = 'class' AND n <= ? ORDER BY n",
    )
    .all(head.n);
  const last = new Map<string, { readonly n: number; readonly said: ImportedClass }>();
  for (const { n, data } of events) {
    const said = JSON.parse(data) as ImportedClass;
    const fault = versionFault(db, said);
    if (fault !== null) return { n, reason: fault };
    last.set(said.classId, { n, said });
  }
  const rows = db.prepare<[], ClassRow>('SELECT * FROM class ORDER BY class_no').all();
  for (const row of rows) {
    const known = last.get(row.class_no);
    if (!known) return { n: null, reason: `class ${row.class_no} was never imported` };
    const fault = presentFault(row, known.said);
    if (fault !== null) return { n: known.n, reason: fault };
    last.delete(row.class_no);
  }
  for (const [classNo, { n }] of last) return { n, reason: `class ${classNo} is gone` };
  return null;
}
