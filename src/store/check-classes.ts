/**
 * Promise 16: a class is what was imported. Rosters, timetables, policies and heads are compared with the events by which the
 * journal knows them, so that changing a row there, which would change people's hours, shows as a changed punch does. The same
 * holds of drafts, reasons of changes, remarks and seals, row by row, and of the results of a sealed class.
 *
 * Reads only and needs no key: names and documents are sealed to their row, and a digest covers everything else that counts.
 */
import type { CheckContext, Finding } from './check.js';
import {
  headRowDigest,
  KEPT_ROWS,
  membersDigest,
  resultsDigest,
  rosterRowsDigest,
  rowDigest,
  textDigest,
  timetableRowDigest,
  type KeptTable,
} from './class-digest.js';
import { creditsOf } from './credits.js';
import { CLASS_SCHEMA, EVIDENCE_SCHEMA, schemaVersion } from './schema.js';
import type { Db } from './store.js';

interface Version {
  readonly version: number;
  readonly hash: string;
}

/** A row that an event of any kind names. */
interface NamedRow {
  readonly table: KeptTable;
  readonly no: number;
  readonly digest: string;
}

/** Data of every `class` event. */
interface ClassEvent {
  readonly classId: string;
  readonly state: string;
  readonly rows?: readonly NamedRow[];
}

/** Data of the event of an import. Digests are missing in events written before they existed. */
interface ImportedClass extends ClassEvent {
  readonly head?: { readonly hash: string; readonly row?: string };
  readonly roster: Version & { readonly trainees: number; readonly members?: string; readonly rows?: string };
  readonly timetable: Version & { readonly row?: string };
  readonly policy: { readonly sha256: string };
}

interface ClassRow {
  readonly class_no: string;
  readonly body: string;
  readonly policy: string;
  readonly roster_version: number;
  readonly timetable_version: number;
}

/** Other events are of drafts, remarks, sealing and what came after it. */
const isImport = (said: ClassEvent): said is ImportedClass => said.state === 'activated' || said.state === 'changed';

const hashOf = (db: Db, table: 'class_roster' | 'class_timetable', classNo: string, version: number): string | null =>
  (
    db.prepare(`SELECT hash FROM ${table} WHERE class_no = ? AND version = ?`).get(classNo, version) as
      { hash: string } | undefined
  )?.hash ?? null;

/** Texts that are kept under their own digest. */
function checkTexts(db: Db): string | null {
  for (const row of db.prepare('SELECT id, version, sha256, body FROM class_policy').all() as {
    id: string;
    version: number;
    sha256: string;
    body: string;
  }[]) {
    const said = textDigest(row.body) === row.sha256 ? (JSON.parse(row.body) as Record<string, unknown>) : null;
    if (said?.id !== row.id || said.version !== row.version) return `the policy ${row.id} of a class was changed`;
  }
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
  if (timetable.row !== undefined && timetableRowDigest(db, classId, timetable.version) !== timetable.row)
    return `what is kept of timetable ${timetable.version} of class ${classId} was changed`;
  if (roster.rows !== undefined && rosterRowsDigest(db, classId, roster.version) !== roster.rows)
    return `what is kept of roster ${roster.version} of class ${classId} and its people was changed`;
  const { trainees } = db
    .prepare('SELECT count(*) AS trainees FROM class_trainee WHERE class_no = ? AND version = ?')
    .get(classId, roster.version) as { trainees: number };
  const isSame = roster.members === undefined || membersDigest(db, classId, roster.version) === roster.members;
  return trainees === roster.trainees && isSame
    ? null
    : `the people on roster ${roster.version} of class ${classId} were changed`;
}

function presentFault(db: Db, row: ClassRow, last: ImportedClass): string | null {
  const isSame =
    row.policy === last.policy.sha256 &&
    row.roster_version === last.roster.version &&
    row.timetable_version === last.timetable.version &&
    (last.head === undefined || textDigest(row.body) === last.head.hash) &&
    (last.head?.row === undefined || headRowDigest(db, row.class_no) === last.head.row);
  return isSame ? null : `class ${row.class_no} is not what was last imported`;
}

const WORDS: Readonly<Record<KeptTable, string>> = {
  class_draft: 'draft',
  class_change: 'reason of timetable',
  class_note: 'remark',
  class_seal: 'seal',
};

/** Rows that events name are there and as they were; each is counted. */
function rowsFault(db: Db, said: ClassEvent, seen: Map<KeptTable, number>): string | null {
  for (const { table, no, digest } of said.rows ?? []) {
    seen.set(table, (seen.get(table) ?? 0) + 1);
    if (rowDigest(db, table, said.classId, no) === digest) continue;
    return `${WORDS[table]} ${no === 0 ? '' : `${no} `}of class ${said.classId} was changed or is gone`;
  }
  return null;
}

/** No row is there that no event names. */
function strangeRows(db: Db, head: number, seen: ReadonlyMap<KeptTable, number>): string | null {
  if (schemaVersion(db) < EVIDENCE_SCHEMA) return null;
  // What came after the check began brought rows of its own, and the next check counts them.
  if (db.prepare("SELECT 1 FROM event WHERE what = 'class' AND n > ?").get(head) !== undefined) return null;
  for (const table of Object.keys(KEPT_ROWS) as KeptTable[]) {
    const { rows } = db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number };
    if (rows !== (seen.get(table) ?? 0))
      return `${table} has ${rows} rows, and the journal knows ${seen.get(table) ?? 0}`;
  }
  return null;
}

/** The results of a sealed class are those it was sealed with (R84). */
function sealFault(db: Db): string | null {
  if (schemaVersion(db) < EVIDENCE_SCHEMA) return null;
  const seals = db.prepare('SELECT class_no, digest, days FROM class_seal').all() as {
    class_no: string;
    digest: string;
    days: number;
  }[];
  for (const { class_no: classNo, digest, days } of seals) {
    const present = creditsOf(db, classNo).filter((credit) => credit.state !== 'withdrawn');
    if (present.length !== days || resultsDigest(present.map((credit) => credit.result)) !== digest)
      return `class ${classNo} is sealed, and its results are not those it was sealed with`;
  }
  return null;
}

/** 16: what the tables hold of classes is what the journal's events name. */
export function checkClasses({ db, head }: CheckContext): Finding {
  if (schemaVersion(db) < CLASS_SCHEMA) return null;
  const changed = checkTexts(db) ?? sealFault(db);
  if (changed !== null) return { n: null, reason: changed };
  const events = db
    .prepare<[number], { n: number; data: string }>(
      "SELECT n, body ->> '$.data' AS data FROM event WHERE what = 'class' AND n <= ? ORDER BY n",
    )
    .all(head.n);
  const last = new Map<string, { readonly n: number; readonly said: ImportedClass }>();
  const seen = new Map<KeptTable, number>();
  for (const { n, data } of events) {
    const said = JSON.parse(data) as ClassEvent;
    const fault = rowsFault(db, said, seen) ?? (isImport(said) ? versionFault(db, said) : null);
    if (fault !== null) return { n, reason: fault };
    if (isImport(said)) last.set(said.classId, { n, said });
  }
  const strange = strangeRows(db, head.n, seen);
  if (strange !== null) return { n: null, reason: strange };
  const rows = db.prepare<[], ClassRow>('SELECT * FROM class ORDER BY class_no').all();
  for (const row of rows) {
    const known = last.get(row.class_no);
    if (!known) return { n: null, reason: `class ${row.class_no} was never imported` };
    const fault = presentFault(db, row, known.said);
    if (fault !== null) return { n: known.n, reason: fault };
    last.delete(row.class_no);
  }
  for (const [classNo, { n }] of last) return { n, reason: `class ${classNo} is gone` };
  return null;
}
