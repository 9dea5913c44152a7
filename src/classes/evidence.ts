/**
 * What stands beside the punches of a class: leave, make-ups, reviews of punches that could not be timed, and online hours, each
 * with who asked and who decided. Reads only; `requests.ts` and `online-hours.ts` write.
 *
 * Rows hold no names. Texts that people wrote are sealed and opened one by one, where they are shown.
 */
import { instant, type Instant, type LocalDate } from '../core/time.js';
import type { OnlineRecord, SlotId } from '../rules/day-credit.js';
import type { SessionId } from '../rules/grid.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';

export type RequestKind = 'leave' | 'makeup' | 'review';
export type RequestState = 'open' | 'approved' | 'rejected' | 'withdrawn';

/** A document or a frame, by its digest; the thing itself lies in the archive. */
export interface EvidenceReference {
  readonly kind: 'document' | 'frame';
  readonly sha256: string;
}

export interface RequestRow {
  readonly id: string;
  readonly classNo: string;
  readonly kind: RequestKind;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** Leave: session (`AM`); make-up: slot (`AM_IN`); review: journal number of the punch. */
  readonly place: string;
  /** Review: the time that the reviewer found right. */
  readonly effective: Instant | null;
  /** `deviceFault`, `powerOutage`, `networkOutage`, `forgot`, `faceFailed`, `other` for make-ups; `sick`, … for leave. */
  readonly reason: string;
  readonly evidence: readonly EvidenceReference[];
  readonly requestedBy: string;
  readonly requestedAt: Instant;
  readonly state: RequestState;
  readonly decidedBy: string | null;
  readonly decidedAt: Instant | null;
}

/** What approved requests and online records say of one day of one person. */
export interface DayEvidence {
  readonly leaves: readonly SessionId[];
  readonly makeups: readonly SlotId[];
  readonly online: readonly OnlineRecord[];
}

const NO_EVIDENCE: DayEvidence = { leaves: [], makeups: [], online: [] };

interface RawRequest {
  readonly id: string;
  readonly class_no: string;
  readonly kind: RequestKind;
  readonly trainee_no: string;
  readonly date: string;
  readonly place: string;
  readonly effective: number | null;
  readonly reason: string;
  readonly evidence: string;
  readonly requested_by: string;
  readonly requested_at: number;
  readonly verdict: Exclude<RequestState, 'open'> | null;
  readonly decided_by: string | null;
  readonly decided_at: number | null;
}

/** Requests of a class in the order in which they were made; of all classes for null. */
export function loadRequests(source: Pick<Store, 'db'>, classNo: string | null): readonly RequestRow[] {
  return prepared<[string | null, string | null], RawRequest>(
    source.db,
    `SELECT class_request.*, verdict, decided_by, decided_at FROM class_request
       LEFT JOIN class_decision ON class_decision.request = class_request.id
       WHERE ? IS NULL OR class_no = ? ORDER BY requested_at, id`,
  )
    .all(classNo, classNo)
    .map((row) => ({
      id: row.id,
      classNo: row.class_no,
      kind: row.kind,
      traineeNo: row.trainee_no,
      date: row.date as LocalDate,
      place: row.place,
      effective: row.effective as Instant | null,
      reason: row.reason,
      evidence: JSON.parse(row.evidence) as readonly EvidenceReference[],
      requestedBy: row.requested_by,
      requestedAt: row.requested_at as Instant,
      state: row.verdict ?? 'open',
      decidedBy: row.decided_by,
      decidedAt: row.decided_at as Instant | null,
    }));
}

interface RawApproved {
  readonly trainee_no: string;
  readonly date: string;
  readonly kind: RequestKind;
  readonly place: string;
}

interface RawOnline {
  readonly trainee_no: string;
  readonly date: string;
  readonly kind: 'theory' | 'practice';
  readonly minutes: number;
}

const dayKey = (traineeNo: string, date: string): string => `${traineeNo}/${date}`;

/** A day's evidence, by person and date; one reading of the tables for a whole class. */
export interface ClassEvidence {
  of(traineeNo: string, date: LocalDate): DayEvidence;
  /** Days of which anything was read. */
  readonly days: readonly { readonly traineeNo: string; readonly date: LocalDate }[];
}

/** Reads the approved requests and counting online records of a class; of one day of one person where they are given. */
export function loadEvidence(
  source: Pick<Store, 'db'>,
  classNo: string,
  only: { readonly traineeNo: string; readonly date: LocalDate } | null = null,
): ClassEvidence {
  const [traineeNo, date] = [only?.traineeNo ?? null, only?.date ?? null];
  const where = 'class_no = ? AND (? IS NULL OR trainee_no = ?) AND (? IS NULL OR date = ?)';
  const bound = [classNo, traineeNo, traineeNo, date, date] as const;
  const approved = prepared<unknown[], RawApproved>(
    source.db,
    `SELECT trainee_no, date, kind, place FROM class_request
       JOIN class_decision ON class_decision.request = class_request.id AND verdict = 'approved'
       WHERE ${where} ORDER BY requested_at, id`,
  ).all(...bound);
  // Of several records for one lesson the latest import counts; within a file the last row.
  const online = prepared<unknown[], RawOnline>(
    source.db,
    `SELECT trainee_no, date, kind, minutes FROM class_online AS one WHERE ${where}
         AND NOT EXISTS (SELECT 1 FROM class_online AS later WHERE later.class_no = one.class_no
           AND later.trainee_no = one.trainee_no AND later.date = one.date AND later.lesson = one.lesson
           AND later.kind = one.kind AND (later.import, later.row) > (one.import, one.row))
       ORDER BY trainee_no, date, lesson, kind`,
  ).all(...bound);

  const days = new Map<string, { leaves: SessionId[]; makeups: SlotId[]; online: OnlineRecord[] }>();
  const at = (key: string): NonNullable<ReturnType<typeof days.get>> => {
    const known = days.get(key) ?? { leaves: [], makeups: [], online: [] };
    days.set(key, known);
    return known;
  };
  for (const row of approved) {
    const one = at(dayKey(row.trainee_no, row.date));
    if (row.kind === 'leave') one.leaves.push(row.place as SessionId);
    else if (row.kind === 'makeup') one.makeups.push(row.place as SlotId);
  }
  for (const row of online) at(dayKey(row.trainee_no, row.date)).online.push({ kind: row.kind, minutes: row.minutes });
  const read = new Map([...approved, ...online].map((row) => [dayKey(row.trainee_no, row.date), row]));
  return {
    of: (traineeNo_, date_) => days.get(dayKey(traineeNo_, date_)) ?? NO_EVIDENCE,
    days: [...read.values()].map((row) => ({ traineeNo: row.trainee_no, date: row.date as LocalDate })),
  };
}

/** Journal number of a punch to the time that a reviewer found right. */
export type Reviews = ReadonlyMap<number, Instant>;
export const NO_REVIEWS: Reviews = new Map();

/** Approved reviews of a class by person. A review holds for the punch, whichever date is looked at, so that it counts once. */
export function loadReviews(
  source: Pick<Store, 'db'>,
  classNo: string,
  traineeNo: string | null,
): ReadonlyMap<string, Reviews> {
  const rows = prepared<unknown[], { trainee_no: string; place: string; effective: number }>(
    source.db,
    `SELECT trainee_no, place, effective FROM class_request
     JOIN class_decision ON class_decision.request = class_request.id AND verdict = 'approved'
     WHERE class_no = ? AND kind = 'review' AND effective IS NOT NULL AND (? IS NULL OR trainee_no = ?)
     ORDER BY requested_at, id`,
  ).all(classNo, traineeNo, traineeNo);
  const reviews = new Map<string, Map<number, Instant>>();
  for (const row of rows) {
    const own = reviews.get(row.trainee_no) ?? new Map<number, Instant>();
    reviews.set(row.trainee_no, own.set(Number(row.place), instant(row.effective)));
  }
  return reviews;
}

/** Opens what a person wrote to a request or a decision; null when there is nothing. Personal data (R70). */
export function openText(
  source: Pick<Store, 'db' | 'vault'>,
  table: 'class_request' | 'class_decision',
  id: string,
): string | null {
  const key = table === 'class_request' ? 'id' : 'request';
  const sql = `SELECT text FROM ${table} WHERE ${key} = ?`;
  const row = prepared<[string], { text: Buffer | null }>(source.db, sql).get(id);
  return row?.text ? source.vault.open(`${table}|${id}|text`, row.text) : null;
}

export interface SealRow {
  readonly classNo: string;
  /** SHA-256 over the sealed day results. */
  readonly digest: string;
  readonly days: number;
  readonly sealedBy: string;
  readonly sealedAt: Instant;
}

/** Null: the class is not sealed. */
export function sealOf(source: Pick<Store, 'db'>, classNo: string): SealRow | null {
  const row = prepared<[string], { digest: string; days: number; sealed_by: string; sealed_at: number }>(
    source.db,
    'SELECT digest, days, sealed_by, sealed_at FROM class_seal WHERE class_no = ?',
  ).get(classNo);
  if (!row) return null;
  const { digest, days, sealed_by: sealedBy, sealed_at: at } = row;
  return { classNo, digest, days, sealedBy, sealedAt: at as Instant };
}
