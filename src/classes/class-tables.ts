/**
 * The class tables: writing one version, reading the versions in force. Personal fields go through the vault on the way in
 * and out, with their place (`table|row|column`) bound to them, so that no name and no document number is ever on the
 * disk in the clear and a value moved to another row does not open (S25).
 *
 * Every function takes the store and asks for its connection anew; writing happens only inside `store.transact`.
 */
import type { Verify } from '../core/punch-words.js';
import { randomHex } from '../core/ids.js';
import type { Instant, LocalDate } from '../core/time.js';
import { canonicalJson, parsePolicy, type Policy } from '../rules/policy.js';
import { textDigest } from '../store/class-digest.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import type { ClassDefinition, RosterEntry, Teacher, TerminalAssignment } from './class-file.js';
import type { DocumentType } from './identity.js';
import { plannedLessons, type ClassDay } from './timetable.js';

/** A trainee without what identifies the person to people. */
export interface Member {
  readonly traineeNo: string;
  readonly deviceUserId: string;
  readonly enrolledFrom: LocalDate | null;
  readonly enrolledTo: LocalDate | null;
  readonly alternativeMethods: readonly Verify[];
}

export interface DayOfTrainee {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
}

/** The head of a class as the row keeps it in JSON. */
type Head = Omit<
  ClassDefinition,
  'classNo' | 'regionalClassNo' | 'days' | 'teachers' | 'roster' | 'corrections' | 'change' | 'policy'
>;

/** Keys that heads written by an earlier program do not have. */
const ADDED_LATER = { approvedHeadcount: null, temporaryVenue: null, classTeacher: null } as const;

/** A class as the lookups hold it in memory: no names, no document numbers. */
export interface ClassRecord extends Head {
  readonly classNo: string;
  readonly regionalClassNo: string | null;
  readonly policy: Policy;
  readonly terminals: readonly TerminalAssignment[];
  readonly days: readonly ClassDay[];
  readonly members: readonly Member[];
  /** Ids under which teachers punch. */
  readonly teacherDeviceIds: readonly string[];
  readonly rosterVersion: number;
  readonly rosterHash: string;
  readonly timetableVersion: number;
  readonly timetableHash: string;
}

/** What reading takes: the store, or a reader beside a running daemon. */
export type ClassSource = Pick<Store, 'db' | 'vault'>;

interface ClassRow {
  readonly class_no: string;
  readonly regional_class_no: string | null;
  readonly body: string;
  readonly policy: string;
  readonly policy_body: string;
  readonly roster_version: number;
  readonly roster_hash: string;
  readonly timetable_version: number;
  readonly timetable_body: string;
}

interface TraineeRow {
  readonly class_no: string;
  readonly version: number;
  readonly trainee_no: string;
  readonly device_user_id: string;
  readonly enrolled_from: string | null;
  readonly enrolled_to: string | null;
  readonly methods: string;
  readonly name: Buffer;
  readonly document_type: string;
  readonly document_number: Buffer;
}

interface TeacherRow {
  readonly teacher_no: string;
  readonly device_user_id: string;
  readonly name: Buffer;
  readonly qualification: Buffer | null;
}

const place = (table: string, classNo: string, version: number, row: string, column: string): string =>
  `${table}|${classNo}/${version}/${row}|${column}`;

/** All classes with the versions in force. */
export function loadClasses(store: Pick<Store, 'db'>): readonly ClassRecord[] {
  const rows = prepared<[], ClassRow>(
    store.db,
    `SELECT class.*, class_policy.body AS policy_body, class_roster.hash AS roster_hash,
              class_timetable.body AS timetable_body
       FROM class
       JOIN class_policy ON class_policy.sha256 = class.policy
       JOIN class_roster ON class_roster.class_no = class.class_no AND class_roster.version = class.roster_version
       JOIN class_timetable ON class_timetable.class_no = class.class_no AND class_timetable.version = class.timetable_version
       ORDER BY class.class_no`,
  ).all();
  return rows.map((row) => ({
    ...ADDED_LATER,
    ...(JSON.parse(row.body) as Head),
    classNo: row.class_no,
    regionalClassNo: row.regional_class_no,
    // A later program may know more keys and fill them in; the hash stays that of what the class was activated with (R42). It is
    // taken from the text itself, so that a text that was changed cannot make results under the name of the true one.
    policy: { ...parsePolicy(JSON.parse(row.policy_body), row.class_no), sha256: textDigest(row.policy_body) },
    days: JSON.parse(row.timetable_body) as readonly ClassDay[],
    members: traineeRows(store, row.class_no, row.roster_version).map(memberOf),
    teacherDeviceIds: teacherRows(store, row.class_no, row.roster_version).map((one) => one.device_user_id),
    rosterVersion: row.roster_version,
    rosterHash: row.roster_hash,
    timetableVersion: row.timetable_version,
    timetableHash: textDigest(row.timetable_body),
  }));
}

function traineeRows(store: Pick<Store, 'db'>, classNo: string, version: number): readonly TraineeRow[] {
  const sql = 'SELECT * FROM class_trainee WHERE class_no = ? AND version = ? ORDER BY position';
  return prepared<[string, number], TraineeRow>(store.db, sql).all(classNo, version);
}

function teacherRows(store: Pick<Store, 'db'>, classNo: string, version: number): readonly TeacherRow[] {
  const sql = 'SELECT * FROM class_teacher WHERE class_no = ? AND version = ? ORDER BY teacher_no';
  return prepared<[string, number], TeacherRow>(store.db, sql).all(classNo, version);
}

function memberOf(row: TraineeRow): Member {
  return {
    traineeNo: row.trainee_no,
    deviceUserId: row.device_user_id,
    enrolledFrom: row.enrolled_from as LocalDate | null,
    enrolledTo: row.enrolled_to as LocalDate | null,
    alternativeMethods: JSON.parse(row.methods) as readonly Verify[],
  };
}

/** The roster in force, decrypted. Who calls this shows personal data and answers for it (R70). */
export function openRoster(store: ClassSource, classNo: string, version: number): readonly RosterEntry[] {
  return traineeRows(store, classNo, version).map((row) => {
    const at = (column: string): string => place('class_trainee', classNo, version, row.trainee_no, column);
    const [name = '', nameWritten = name] = JSON.parse(store.vault.open(at('name'), row.name)) as string[];
    return {
      ...memberOf(row),
      name,
      nameWritten,
      documentType: row.document_type as DocumentType,
      documentNumber: store.vault.open(at('document_number'), row.document_number),
    };
  });
}

export function openTeachers(store: ClassSource, classNo: string, version: number): readonly Teacher[] {
  return teacherRows(store, classNo, version).map((row) => {
    const at = (column: string): string => place('class_teacher', classNo, version, row.teacher_no, column);
    return {
      teacherNo: row.teacher_no,
      name: store.vault.open(at('name'), row.name),
      qualification: row.qualification === null ? null : store.vault.open(at('qualification'), row.qualification),
      deviceUserId: row.device_user_id,
    };
  });
}

/** Keyed digest by which the same document is found again in other classes. */
export function documentIndex(store: Pick<Store, 'vault'>, type: DocumentType, number: string): string {
  return store.vault.index('class_trainee|document_number', `${type} ${number}`);
}

export interface DocumentHolder {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly name: string;
}

/** People with this document in the rosters in force of other classes. */
export function holdersOf(store: Store, entry: RosterEntry, exceptClass: string): readonly DocumentHolder[] {
  return store.db
    .prepare<[string, string], TraineeRow>(
      `SELECT class_trainee.* FROM class_trainee
       JOIN class ON class.class_no = class_trainee.class_no AND class.roster_version = class_trainee.version
       WHERE document_index = ? AND class.class_no <> ? ORDER BY class.class_no`,
    )
    .all(documentIndex(store, entry.documentType, entry.documentNumber), exceptClass)
    .map((row) => {
      const at = place('class_trainee', row.class_no, row.version, row.trainee_no, 'name');
      const [name = ''] = JSON.parse(store.vault.open(at, row.name)) as string[];
      return { classNo: row.class_no, traineeNo: row.trainee_no, name };
    });
}

/** Keeps the policy by its content; the same content is kept once. */
export function putPolicy(store: Store, policy: Policy): void {
  const { sha256: digest, ...body } = policy;
  store.db
    .prepare('INSERT INTO class_policy (sha256, id, version, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
    .run(digest, policy.id, policy.version, canonicalJson(body));
}

/** Inserts or moves the row of the class to these versions. */
export function putClass(
  store: Store,
  definition: ClassDefinition,
  versions: { readonly policy: string; readonly roster: number; readonly timetable: number },
  at: Instant,
): void {
  const { classNo, regionalClassNo, name, institution, occupation, from, to, plannedHours } = definition;
  const { approvedHeadcount, approval, unapproved, room, temporaryVenue, classTeacher, terminals } = definition;
  const head: Head = {
    ...{ name, institution, occupation, from, to, plannedHours, approvedHeadcount },
    ...{ approval, unapproved, room, temporaryVenue, classTeacher, terminals },
  };
  store.db
    .prepare(
      `INSERT INTO class (class_no, regional_class_no, body, policy, roster_version, timetable_version, imported_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET regional_class_no = excluded.regional_class_no, body = excluded.body,
         roster_version = excluded.roster_version, timetable_version = excluded.timetable_version, imported_at = excluded.imported_at`,
    )
    .run(classNo, regionalClassNo, canonicalJson(head), versions.policy, versions.roster, versions.timetable, at);
}

export function putTimetable(
  store: Store,
  classNo: string,
  version: number,
  days: readonly ClassDay[],
  by: { readonly source: string; readonly importedBy: string; readonly at: Instant },
): string {
  const body = canonicalJson(days);
  const hash = textDigest(body);
  store.db
    .prepare(
      `INSERT INTO class_timetable (class_no, version, hash, hours, body, imported_at, source, imported_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(classNo, version, hash, plannedLessons(days), body, by.at, by.source, by.importedBy);
  return hash;
}

/**
 * Inserts a roster version and returns its hash: SHA-256 over a random salt (kept sealed) and the canonical roster. The
 * hash travels and enters the journal; without the salt nobody can try document numbers against it (C1).
 */
export function putRoster(
  store: Store,
  definition: ClassDefinition,
  version: number,
  by: { readonly source: string; readonly importedBy: string; readonly at: Instant },
): string {
  const { classNo, roster, teachers, corrections } = definition;
  const salt = randomHex(32);
  const hash = textDigest(salt + canonicalJson({ roster, teachers }));
  const seal = (table: string, row: string, column: string, plain: string): Buffer =>
    Buffer.from(store.vault.seal(place(table, classNo, version, row, column), plain));
  const { db } = store;
  db.prepare(
    'INSERT INTO class_roster (class_no, version, hash, salt, source, imported_by, imported_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(classNo, version, hash, seal('class_roster', '', 'salt', salt), by.source, by.importedBy, by.at);
  const trainee = db.prepare(
    `INSERT INTO class_trainee (class_no, version, position, trainee_no, device_user_id, enrolled_from, enrolled_to, methods,
       name, document_type, document_number, document_index) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  roster.forEach((one, index) => {
    const name = seal('class_trainee', one.traineeNo, 'name', JSON.stringify([one.name, one.nameWritten]));
    const number = seal('class_trainee', one.traineeNo, 'document_number', one.documentNumber);
    trainee.run(
      classNo,
      version,
      index + 1,
      one.traineeNo,
      one.deviceUserId,
      one.enrolledFrom,
      one.enrolledTo,
      canonicalJson(one.alternativeMethods),
      name,
      one.documentType,
      number,
      documentIndex(store, one.documentType, one.documentNumber),
    );
  });
  const teacher = db.prepare(
    'INSERT INTO class_teacher (class_no, version, teacher_no, device_user_id, name, qualification) VALUES (?, ?, ?, ?, ?, ?)',
  );
  for (const one of teachers) {
    const qualification =
      one.qualification === null ? null : seal('class_teacher', one.teacherNo, 'qualification', one.qualification);
    teacher.run(
      classNo,
      version,
      one.teacherNo,
      one.deviceUserId,
      seal('class_teacher', one.teacherNo, 'name', one.name),
      qualification,
    );
  }
  const correction = db.prepare(
    'INSERT INTO class_correction (class_no, version, trainee_no, reason, requested_by, approved_by) VALUES (?, ?, ?, ?, ?, ?)',
  );
  for (const one of corrections) {
    correction.run(
      classNo,
      version,
      one.traineeNo,
      seal('class_correction', one.traineeNo, 'reason', one.reason),
      one.requestedBy,
      one.approvedBy,
    );
  }
  return hash;
}

/** Days whose present result is provisional, of all classes. */
export function openDays(store: Store): readonly DayOfTrainee[] {
  return prepared<[], { class_no: string; trainee_no: string; date: string }>(
    store.db,
    'SELECT * FROM class_open_day ORDER BY date, class_no, trainee_no',
  )
    .all()
    .map((row) => ({ classNo: row.class_no, traineeNo: row.trainee_no, date: row.date as LocalDate }));
}

/** Class days on which everybody enrolled has a result. */
export function closedDays(store: Store, classNo: string): ReadonlySet<LocalDate> {
  const sql = 'SELECT date FROM class_closed_day WHERE class_no = ?';
  const rows = prepared<[string], { date: string }>(store.db, sql).all(classNo);
  return new Set(rows.map((row) => row.date as LocalDate));
}

/** Inside a transaction: everybody enrolled on this date has a result now. */
export function markClosed(store: Store, classNo: string, date: LocalDate): void {
  prepared(store.db, 'INSERT INTO class_closed_day (class_no, date) VALUES (?, ?) ON CONFLICT DO NOTHING').run(
    classNo,
    date,
  );
}

/** Inside a transaction: the class has changed, so every closed date is looked at again. */
export function reopenDays(store: Store, classNo: string): void {
  prepared(store.db, 'DELETE FROM class_closed_day WHERE class_no = ?').run(classNo);
}
