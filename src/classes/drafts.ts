/**
 * Drafts: classes of which something is still missing (R4). Every import adds a version and never changes one; its body is the
 * class file as far as it is known, sealed, and the journal's event holds the row by its digest.
 *
 * A draft is judged by the same rules as a class file. A number that is an active class has no draft any more; activation goes
 * through the import of classes, and what the draft was stays readable.
 */
import { randomHex } from '../core/ids.js';
import { fail } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import type { JsonValue } from '../rules/facts.js';
import { canonicalJson } from '../rules/policy.js';
import { textDigest } from '../store/class-digest.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import { namedRow } from './class-changes.js';
import { judgeParts, mergeParts, type ClassFileContext, type RosterEntry } from './class-file.js';
import type { ImportBy } from './class-import.js';
import { missingOf, type NeededKey } from './class-judge.js';
import { CLASS_PARTS_SCHEMA, type ClassParts } from './class-schema.js';
import type { ClassSource } from './class-tables.js';
import { diffClasses, type ClassDiff } from './roster-diff.js';
import type { ClassDay } from './timetable.js';

/** What is known of a draft without opening it. */
export interface DraftHead {
  readonly classNo: string;
  readonly version: number;
  readonly hash: string;
  readonly source: string;
  readonly importedBy: string;
  readonly importedAt: Instant;
  /** What was missing when it was imported. */
  readonly missing: readonly NeededKey[];
}

export interface Draft extends DraftHead {
  readonly content: ClassParts;
}

export interface DraftOutcome {
  readonly classNo: string;
  /** `same`: nothing was written. */
  readonly result: 'created' | 'changed' | 'same';
  readonly state: 'draft' | 'ready';
  readonly version: number;
  /** Empty when nothing was written and there is no version yet. */
  readonly hash: string;
  readonly missing: readonly NeededKey[];
  readonly trainees: number;
  readonly classDays: number;
  /** Null for a new draft. */
  readonly diff: ClassDiff | null;
}

interface DraftRow {
  readonly class_no: string;
  readonly version: number;
  readonly hash: string;
  readonly source: string;
  readonly imported_by: string;
  readonly imported_at: number;
  readonly missing: string | null;
  readonly body: Buffer;
}

/** The missing keys stand in the event, so that no key is needed to list drafts. */
const SELECT = `SELECT class_draft.*, (SELECT body ->> '$.data.missing' FROM event WHERE what = 'class'
    AND body ->> '$.data.classId' = class_draft.class_no AND body ->> '$.data.state' IN ('draft', 'ready')
    AND body ->> '$.data.version' = class_draft.version) AS missing
  FROM class_draft`;

const place = (classNo: string, version: number): string => `class_draft|${classNo}/${version}|body`;

const headOf = (row: DraftRow): DraftHead => ({
  classNo: row.class_no,
  version: row.version,
  hash: row.hash,
  source: row.source,
  importedBy: row.imported_by,
  importedAt: row.imported_at as Instant,
  missing: JSON.parse(row.missing ?? '[]') as readonly NeededKey[],
});

/** All versions of a draft, also those of a class that has been activated since. */
export function draftVersions(source: Pick<Store, 'db'>, classNo: string): readonly DraftHead[] {
  return prepared<[string], DraftRow>(source.db, `${SELECT} WHERE class_no = ? ORDER BY version`)
    .all(classNo)
    .map(headOf);
}

/** The newest version of every number that is no class yet. */
export function draftHeads(source: Pick<Store, 'db'>): readonly DraftHead[] {
  return prepared<[], DraftRow>(
    source.db,
    `${SELECT} WHERE class_no NOT IN (SELECT class_no FROM class)
         AND version = (SELECT max(version) FROM class_draft AS later WHERE later.class_no = class_draft.class_no)
       ORDER BY class_no`,
  )
    .all()
    .map(headOf);
}

function contentOf({ vault }: ClassSource, row: DraftRow): ClassParts {
  const { parts } = JSON.parse(vault.open(place(row.class_no, row.version), row.body)) as { parts: unknown };
  return lasting(CLASS_PARTS_SCHEMA.parse(parts));
}

/** Null: there is no draft, or it has become a class. Personal data: who shows it answers for it (R70). */
export function openDraft(source: ClassSource, classNo: string): Draft | null {
  const row = source.db
    .prepare<[string], DraftRow>(
      `${SELECT} WHERE class_no = ? AND class_no NOT IN (SELECT class_no FROM class) ORDER BY version DESC LIMIT 1`,
    )
    .get(classNo);
  if (!row) return null;
  const content = contentOf(source, row);
  return { ...headOf(row), content, missing: missingOf(content) };
}

/** Parts that only mean something for an active class are not kept with a draft. */
function lasting(given: ClassParts): ClassParts {
  const content = { ...given };
  delete content.corrections;
  delete content.change;
  return content;
}

/**
 * Adds a version to a draft, or makes it: one transaction with its event. `content` is all that is known now and has been judged
 * without faults. Throws `class-already-active`.
 */
export function saveDraft(store: Store, given: ClassParts, context: ClassFileContext, by: ImportBy): DraftOutcome {
  const content = lasting(given);
  const classNo = content.cityClassNo;
  if (store.db.prepare('SELECT 1 FROM class WHERE class_no = ?').get(classNo) !== undefined)
    throw fail('class-already-active', { classNo });
  const before = openDraft(store, classNo);
  const sketch = judgeParts(content, context).sketch;
  const earlier = before === null ? null : judgeParts(before.content, context).sketch;
  const isSame = before !== null && canonicalJson(before.content) === canonicalJson(content);
  const missing = missingOf(content);
  const planned: DraftOutcome = {
    classNo,
    result: before === null ? 'created' : isSame ? 'same' : 'changed',
    state: missing.length === 0 ? 'ready' : 'draft',
    version: isSame ? before.version : (before?.version ?? 0) + 1,
    hash: before?.hash ?? '',
    missing,
    trainees: content.roster?.length ?? 0,
    classDays: sketch?.days.length ?? 0,
    diff: sketch === null || earlier === null ? null : diffClasses(earlier, sketch),
  };
  if (isSame || by.dryRun === true) return planned;
  return store.transact((tx) => {
    const { version, state } = planned;
    const hash = putDraft(store, content, version, by);
    const row: JsonValue = namedRow(store, 'class_draft', classNo, version);
    const data = { classId: classNo, state, version, hash, missing, by: by.importedBy, rows: [row] };
    tx.addEvent({ kind: 'event', what: 'class', at: by.at, data });
    return { ...planned, hash };
  });
}

/** The hash is salted as that of a roster: without the salt, which is sealed, nobody can try document numbers against it (C1). */
function putDraft(store: Store, content: ClassParts, version: number, by: ImportBy): string {
  const classNo = content.cityClassNo;
  const salt = randomHex(32);
  const hash = textDigest(salt + canonicalJson(content));
  const body = Buffer.from(store.vault.seal(place(classNo, version), JSON.stringify({ salt, parts: content })));
  store.db
    .prepare(
      `INSERT INTO class_draft (class_no, version, hash, source, imported_by, imported_at, body)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(classNo, version, hash, by.source, by.importedBy, by.at, body);
  return hash;
}

/** Entries of a roster as a class file would say them. */
export function rosterParts(roster: readonly RosterEntry[]): NonNullable<ClassParts['roster']> {
  return roster.map(({ nameWritten, documentType, documentNumber, traineeNo, deviceUserId, ...one }) => ({
    ...{ traineeNo, name: nameWritten, documentType, documentNumber, deviceUserId },
    ...(one.enrolledFrom === null ? {} : { enrolledFrom: one.enrolledFrom }),
    ...(one.enrolledTo === null ? {} : { enrolledTo: one.enrolledTo }),
    alternativeMethods: one.alternativeMethods.filter((method) => method !== 'face') as Methods,
  }));
}

type Methods = NonNullable<ClassParts['roster']>[number]['alternativeMethods'];

/** Days of a timetable as a class file would say them. */
export function timetableParts(days: readonly ClassDay[]): NonNullable<ClassParts['timetable']> {
  return days.map(({ date, sessions }) => ({
    date,
    sessions: sessions.map(({ id, start, end, lessons, online, form, content, teacher, room }) => ({
      ...{ id, start, end, lessons, online, form },
      ...(content === null ? {} : { content }),
      ...(teacher === null ? {} : { teacher }),
      ...(room === null ? {} : { room }),
    })),
  }));
}

/** The files that the roster and the timetable of a draft came from, which need not be the last one that was imported (R1). */
export function partSources(
  source: ClassSource,
  classNo: string,
): { readonly roster: string; readonly timetable: string } {
  const rows = source.db
    .prepare<[string], DraftRow>(`${SELECT} WHERE class_no = ? ORDER BY version`)
    .all(classNo)
    .map((row) => ({ from: row.source, content: contentOf(source, row) }));
  const lastChange = (key: 'roster' | 'timetable'): string => {
    let [known, from] = ['', ''];
    for (const row of rows) {
      const text = canonicalJson(row.content[key] ?? null);
      if (text !== known) [known, from] = [text, row.from];
    }
    return from;
  };
  return { roster: lastChange('roster'), timetable: lastChange('timetable') };
}

/** How a class is opened: with the approval of the office, or by a supervisor who answers for there being none (R5). */
export type Opening =
  { readonly approval: string } | { readonly unapproved: { readonly by: string; readonly reason: string } };

/** A ready draft with its opening (null: as the draft says it) as a whole class; throws `class-unknown`, `class-already-active`, `class-not-ready`. */
export function openingOf(
  store: Store,
  classNo: string,
  opening: Opening | null,
  context: ClassFileContext,
): { readonly draft: Draft; readonly judged: ReturnType<typeof judgeParts> } {
  if (store.db.prepare('SELECT 1 FROM class WHERE class_no = ?').get(classNo) !== undefined)
    throw fail('class-already-active', { classNo });
  const draft = openDraft(store, classNo);
  if (draft === null) throw fail('class-unknown', { classNo });
  const content = opening === null ? draft.content : mergeParts(draft.content, { cityClassNo: classNo, ...opening });
  const isOpened = content.approval !== undefined || content.unapproved !== undefined;
  const missing = [...missingOf(content), ...(isOpened ? [] : ['approval'])];
  if (missing.length > 0) throw fail('class-not-ready', { classNo, missing: missing.join(', ') });
  return { draft, judged: judgeParts(content, context) };
}
