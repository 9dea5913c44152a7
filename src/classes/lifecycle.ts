/**
 * Where a class stands: draft, ready, active, ended, sealed; and what of its people is worth a flag because of other classes (R9).
 * Everything is read from the tables, so it can be asked beside a running daemon and needs no key.
 */
import type { LocalDate } from '../core/time.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import { draftHeads, draftVersions } from './drafts.js';
import { sealOf } from './evidence.js';

export type ClassState = 'draft' | 'ready' | 'active' | 'ended' | 'sealed';

type Source = Pick<Store, 'db'>;

interface HeadRow {
  readonly class_no: string;
  readonly from: LocalDate;
  readonly to: LocalDate;
  readonly hours: number;
  readonly occupation: string;
}

const HEAD = `SELECT class_no, body ->> '$.from' AS "from", body ->> '$.to' AS "to", body ->> '$.plannedHours' AS hours,
    body ->> '$.occupation.code' AS occupation FROM class`;

/**
 * Null: there is neither a class nor a draft of this number. A class has ended when its last day has passed, or when all planned hours
 * were delivered, as far as the caller knows (`deliveredHours`; null: not known).
 */
export function stateOf(
  source: Source,
  classNo: string,
  today: LocalDate,
  deliveredHours: number | null = null,
): ClassState | null {
  const row = prepared<[string], HeadRow>(source.db, `${HEAD} WHERE class_no = ?`).get(classNo);
  if (row) {
    if (sealOf(source, classNo) !== null) return 'sealed';
    const isDelivered = deliveredHours !== null && deliveredHours >= row.hours;
    return row.to < today || isDelivered ? 'ended' : 'active';
  }
  const draft = draftVersions(source, classNo).at(-1);
  if (!draft) return null;
  return draft.missing.length === 0 ? 'ready' : 'draft';
}

export interface ClassStanding {
  readonly classNo: string;
  readonly state: ClassState;
}

/** Every class and every draft that is no class yet, by number. */
export function allStates(source: Source, today: LocalDate): readonly ClassStanding[] {
  const numbers = prepared<[], { class_no: string }>(source.db, 'SELECT class_no FROM class').all();
  const all = [...numbers.map((row) => row.class_no), ...draftHeads(source).map((draft) => draft.classNo)].sort();
  return all.flatMap((classNo) => {
    const state = stateOf(source, classNo, today);
    return state === null ? [] : [{ classNo, state }];
  });
}

/** A person of the class who is, or was, in another class too. */
export interface EnrolmentFlag {
  /** At the same time, or earlier in a class of the same occupation. */
  readonly code: 'DOUBLE_ENROLMENT' | 'REPEAT_OCCUPATION';
  readonly traineeNo: string;
  readonly otherClassNo: string;
}

/** Flags of the people on the roster in force, found by their documents' blind index; by trainee number, other class and code. */
export function enrolmentFlags(source: Source, classNo: string): readonly EnrolmentFlag[] {
  const own = source.db.prepare<[string], HeadRow>(`${HEAD} WHERE class_no = ?`).get(classNo);
  if (!own) return [];
  const holders = source.db
    .prepare<[string], HeadRow & { readonly trainee_no: string }>(
      `SELECT mine.trainee_no, other.* FROM class_trainee AS mine
       JOIN class ON class.class_no = mine.class_no AND class.roster_version = mine.version
       JOIN class_trainee AS theirs ON theirs.document_index = mine.document_index AND theirs.class_no <> mine.class_no
       JOIN class AS that ON that.class_no = theirs.class_no AND that.roster_version = theirs.version
       JOIN (${HEAD}) AS other ON other.class_no = that.class_no
       WHERE mine.class_no = ? ORDER BY mine.trainee_no, other.class_no`,
    )
    .all(classNo);
  return holders.flatMap((other): readonly EnrolmentFlag[] => {
    const flag = { traineeNo: other.trainee_no, otherClassNo: other.class_no };
    const isDouble = other.from <= own.to && own.from <= other.to;
    const isRepeat = other.occupation === own.occupation && other.to < own.from;
    return [
      ...(isDouble ? [{ code: 'DOUBLE_ENROLMENT' as const, ...flag }] : []),
      ...(isRepeat ? [{ code: 'REPEAT_OCCUPATION' as const, ...flag }] : []),
    ];
  });
}
