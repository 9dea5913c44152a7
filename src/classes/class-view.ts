/**
 * One class or draft as people look at it: head, state, what is missing, versions with where they came from, changes with their
 * reasons, remarks, head counts (R11), flags, seal. Read beside a running daemon; what is sealed is only told where the key is
 * within reach. No name and no document number is in it.
 */
import type { Instant, LocalDate } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import { creditsOf } from '../store/credits.js';
import type { Store } from '../store/store.js';
import { loadChanges, loadNotes, type ChangeRow, type NoteRow, type TextSource } from './class-changes.js';
import { enrolledFrom, enrolledTo } from './class-index.js';
import { NEEDED, type NeededKey } from './class-judge.js';
import { loadClasses, type ClassRecord } from './class-tables.js';
import { draftVersions, openDraft, type DraftHead } from './drafts.js';
import { loadRequests, sealOf, type SealRow } from './evidence.js';
import { enrolmentFlags, stateOf, type ClassState, type EnrolmentFlag } from './lifecycle.js';
import { lateDays } from './seal.js';
import { plannedLessons } from './timetable.js';

/** A version of a roster, a timetable or a draft. */
export interface VersionRow {
  readonly version: number;
  readonly hash: string;
  /** Null: imported before that was kept. */
  readonly source: string | null;
  readonly importedBy: string | null;
  readonly importedAt: Instant;
}

/** Three head counts that are never mixed up (R11). */
export interface HeadCounts {
  /** By the documents of the approval; null: not told. */
  readonly approved: number | null;
  /** On the roster on this date. */
  readonly enrolled: number;
  /** With a punch that filled a slot on this date. */
  readonly present: number;
  readonly date: LocalDate;
}

export interface MissingItem {
  readonly key: NeededKey;
  readonly zh: string;
  readonly en: string;
}

export interface ClassView {
  readonly classNo: string;
  readonly state: ClassState;
  /** Null where the key of a draft is not within reach. */
  readonly head: Readonly<Record<string, JsonValue>> | null;
  readonly missing: readonly MissingItem[];
  readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string } | null;
  readonly drafts: readonly VersionRow[];
  readonly rosters: readonly VersionRow[];
  readonly timetables: readonly (VersionRow & { readonly hours: number })[];
  readonly changes: readonly ChangeRow[];
  readonly notes: readonly NoteRow[];
  readonly heads: HeadCounts | null;
  readonly counts: Readonly<Record<string, number>> | null;
  readonly flags: readonly EnrolmentFlag[];
  readonly seal: SealRow | null;
}

/** Null: neither class nor draft. */
export function viewClass(source: TextSource, classNo: string, today: LocalDate): ClassView | null {
  const state = stateOf(source, classNo, today);
  if (state === null) return null;
  const record = loadClasses(source).find((one) => one.classNo === classNo) ?? null;
  const drafts = draftVersions(source, classNo);
  const common = { classNo, state, drafts: drafts.map(versionOf) };
  if (record === null) {
    const last = drafts.at(-1);
    const none = { policy: null, rosters: [], timetables: [], changes: [], notes: [], heads: null, counts: null };
    const missing = (last?.missing ?? []).map((key) => ({ key, ...NEEDED[key] }));
    return { ...common, ...none, head: draftHead(source, classNo), missing, flags: [], seal: null };
  }
  const { policy } = record;
  return {
    ...common,
    head: headOf(record),
    missing: [],
    policy: { id: policy.id, ver: policy.version, sha256: policy.sha256 },
    rosters: rosterVersions(source, classNo),
    timetables: timetableVersions(source, classNo),
    changes: loadChanges(source, classNo),
    notes: loadNotes(source, classNo),
    heads: headCounts(source, record, today),
    counts: countsOf(source, record),
    flags: enrolmentFlags(source, classNo),
    seal: sealOf(source, classNo),
  };
}

const versionOf = ({ version, hash, source, importedBy, importedAt }: DraftHead): VersionRow => ({
  ...{ version, hash, source, importedBy, importedAt },
});

function headOf(record: ClassRecord): Readonly<Record<string, JsonValue>> {
  const { name, regionalClassNo, institution, occupation, from, to, plannedHours, approvedHeadcount } = record;
  const { approval, unapproved, room, temporaryVenue } = record;
  const terminals = record.terminals.map((one) => ({ ...one }));
  return {
    ...{ name, regionalClassNo, institution, occupation, from, to, plannedHours, approvedHeadcount, approval },
    ...{ unapproved: unapproved === null ? null : { by: unapproved.by }, room, temporaryVenue, terminals },
  };
}

function draftHead({ db, vault }: TextSource, classNo: string): Readonly<Record<string, JsonValue>> | null {
  const draft = vault === null ? null : openDraft({ db, vault }, classNo);
  if (draft === null) return null;
  const { name, regionalClassNo, institution, occupation, period, plannedHours, approval, room } = draft.content;
  return {
    ...{ name: name ?? null, regionalClassNo: regionalClassNo ?? null, institution: institution ?? null },
    occupation: {
      code: occupation?.code ?? null,
      name: occupation?.name ?? null,
      level: occupation?.level ?? null,
    },
    ...{ from: period?.from ?? null, to: period?.to ?? null, plannedHours: plannedHours ?? null },
    ...{ approval: approval ?? null, room: room ?? null, trainees: draft.content.roster?.length ?? 0 },
  };
}

interface VersionColumns {
  readonly version: number;
  readonly hash: string;
  readonly source: string | null;
  readonly importedBy: string | null;
  readonly importedAt: Instant;
}

const VERSION = 'version, hash, source, imported_by AS importedBy, imported_at AS importedAt';

const rosterVersions = ({ db }: Pick<Store, 'db'>, classNo: string): readonly VersionRow[] =>
  db
    .prepare<[string], VersionColumns>(`SELECT ${VERSION} FROM class_roster WHERE class_no = ? ORDER BY version`)
    .all(classNo);

const timetableVersions = ({ db }: Pick<Store, 'db'>, classNo: string): ClassView['timetables'] =>
  db
    .prepare<[string], VersionColumns & { readonly hours: number }>(
      `SELECT ${VERSION}, hours FROM class_timetable WHERE class_no = ? ORDER BY version`,
    )
    .all(classNo);

function headCounts(source: Pick<Store, 'db'>, record: ClassRecord, date: LocalDate): HeadCounts {
  const enrolled = record.members.filter((one) => enrolledFrom(record, one) <= date && date <= enrolledTo(record, one));
  const present = creditsOf(source.db, record.classNo, date).filter((credit) => credit.punches.length > 0);
  return { approved: record.approvedHeadcount, enrolled: enrolled.length, present: present.length, date };
}

function countsOf(source: Pick<Store, 'db'>, record: ClassRecord): Readonly<Record<string, number>> {
  const results = creditsOf(source.db, record.classNo).filter((credit) => credit.state !== 'withdrawn');
  const open = loadRequests(source, record.classNo).filter((request) => request.state === 'open');
  return {
    onRoster: record.members.length,
    teachers: record.teacherDeviceIds.length,
    classDays: record.days.length,
    timetableHours: plannedLessons(record.days),
    results: results.length,
    provisional: results.filter((credit) => credit.state === 'provisional').length,
    openRequests: open.length,
    afterSeal: lateDays(source, record.classNo).length,
  };
}
