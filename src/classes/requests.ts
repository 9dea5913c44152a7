/**
 * Leave, make-ups and reviews of punches that could not be timed: asked for by one person, decided by another (R45, R46). A request
 * is a row and an event of the journal in one transaction; its decision is another such pair, is final, and when it approves touches
 * the days it changes.
 *
 * Refused, with a reason for people: what the class's own policy does not allow, what was asked for already, what no timetable knows,
 * whom no roster knows, and everything after sealing. Dates are judged by the gateway's clock in the zone of the policy.
 * Whether the slot is empty is no question here: a make-up for a filled one does nothing, and the rules say so.
 */
import { randomHex } from '../core/ids.js';
import { fail } from '../core/errors.js';
import { addDays, instantToDate, type Clock, type Instant, type LocalDate } from '../core/time.js';
import type { DayResult, SlotId } from '../rules/day-credit.js';
import { clockedPunch, effectiveTime } from '../rules/effective-time.js';
import type { Numbered, PunchFact } from '../rules/facts.js';
import type { SessionId } from '../rules/grid.js';
import { decisionEvent, requestEvent } from '../store/evidence-events.js';
import type { Store, Tx } from '../store/store.js';
import { createClassIndex, enrolledFrom, enrolledTo, type ClassIndex } from './class-index.js';
import { loadClasses, type ClassRecord } from './class-tables.js';
import {
  loadRequests,
  sealOf,
  type EvidenceReference,
  type RequestKind,
  type RequestRow,
  type RequestState,
} from './evidence.js';

export const MAKEUP_REASONS = ['deviceFault', 'powerOutage', 'networkOutage', 'forgot', 'faceFailed', 'other'] as const;
export const LEAVE_REASONS = ['sick', 'personal', 'official', 'other'] as const;
export const REVIEW_REASONS = ['clockWrong', 'clockUnknown', 'other'] as const;
export type MakeupReason = (typeof MAKEUP_REASONS)[number];
export type LeaveReason = (typeof LEAVE_REASONS)[number];
export type ReviewReason = (typeof REVIEW_REASONS)[number];
export type Verdict = Exclude<RequestState, 'open'>;

interface Asked {
  readonly classNo: string;
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** What the person wrote; sealed. */
  readonly text?: string | undefined;
  readonly evidence?: readonly EvidenceReference[] | undefined;
  readonly requestedBy: string;
}

export interface MakeupAsk extends Asked {
  readonly slot: SlotId;
  readonly reason: MakeupReason;
}

export interface LeaveAsk extends Asked {
  /** Null: the whole day, one request for each session that has none yet. */
  readonly session: SessionId | null;
  readonly reason: LeaveReason;
}

export interface ReviewAsk extends Asked {
  /** Journal number of the punch. `date` is the day of `effective`. */
  readonly punch: number;
  /** The time that was found right; it lies on `date` in the policy's zone. */
  readonly effective: Instant;
  readonly reason: ReviewReason;
}

export interface MissingAsk extends Omit<MakeupAsk, 'traineeNo'> {
  /** Trainees to leave out. */
  readonly except?: readonly string[];
}

export interface Requests {
  /** Throws `request-…` and `class-sealed`, kind settings; nothing is written then. So do the others. */
  makeup(ask: MakeupAsk): RequestRow;
  /** A make-up for everybody enrolled whose slot is empty in the present result (R47); all of them or, with a fault, none. */
  makeupForMissing(ask: MissingAsk): readonly RequestRow[];
  leave(ask: LeaveAsk): readonly RequestRow[];
  review(ask: ReviewAsk): RequestRow;
  /** All of them in one transaction. Who approves is another person than who asked; only who asked withdraws. */
  decide(ids: readonly string[], verdict: Verdict, by: string, text?: string): readonly RequestRow[];
  list(classNo: string | null): readonly RequestRow[];
}

/** A new request before it has its id. */
interface Draft {
  readonly kind: RequestKind;
  readonly place: string;
  readonly effective: Instant | null;
  readonly reason: string;
}

const BY_LENGTH_MAX = 64;
const TEXT_LENGTH_MAX = 2000;

/** A person's mark as it is kept: without blanks around it, wide letters as plain ones, so that nobody is two people by accident. */
export function markOf(text: string): string {
  const mark = text.normalize('NFKC').trim();
  if (mark === '' || mark.length > BY_LENGTH_MAX || /[\u0000-\u001f]/.test(mark))
    throw fail('bad-argument', {
      argument: 'by',
      reason: `1 to ${BY_LENGTH_MAX} characters are wanted`,
      reasonZh: `应为 1 至 ${BY_LENGTH_MAX} 个字符`,
    });
  return mark;
}

const isSamePerson = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export function openRequests(store: Store, { clock }: { readonly clock: Clock }): Requests {
  /** Read anew for each call: another command may have imported since. */
  const classIndex = (): ClassIndex => createClassIndex(loadClasses(store));

  const insert = (tx: Tx, ask: Asked, draft: Draft, by: string, at: Instant): string => {
    const id = randomHex(5);
    store.db
      .prepare(
        `INSERT INTO class_request (id, class_no, kind, trainee_no, date, place, effective, reason, text, evidence, requested_by, requested_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[id, ask.classNo, draft.kind, ask.traineeNo, ask.date, draft.place, draft.effective, draft.reason],
        ...[sealText(store, 'class_request', id, ask.text), JSON.stringify(ask.evidence ?? []), by, at],
      );
    const event = requestEvent(store.db, id);
    if (event) tx.addEvent(event);
    return id;
  };

  /** One transaction for all of them; the rows as they are now. */
  const add = (asks: readonly { readonly ask: Asked; readonly draft: Draft }[]): readonly RequestRow[] => {
    if (asks.length === 0) return [];
    const at = clock.now();
    const ids = store.transact((tx) =>
      asks.map(({ ask, draft }) => insert(tx, ask, draft, markOf(ask.requestedBy), at)),
    );
    return rowsOf(store, ids);
  };

  const makeupDraft = (ask: MakeupAsk, record: ClassRecord, known: readonly RequestRow[]): Draft => {
    const { makeup, id, timezone } = record.policy;
    const { classNo, date, slot } = ask;
    if (!makeup.allowed) throw fail('request-makeup-off', { classNo, policy: id });
    requirePlace(record, date, slot, offlineSessions(record, date).flatMap(slotsOf));
    requireEnrolled(record, ask.traineeNo, date);
    const today = instantToDate(clock.now(), timezone);
    if (date > today) throw fail('request-early', { date });
    const last = addDays(date, makeup.deadlineDays);
    if (today > last) throw fail('request-late', { date, last });
    if (makeup.requireEvidence && (ask.evidence ?? []).length === 0)
      throw fail('request-evidence', { classNo, policy: id });
    const draft: Draft = { kind: 'makeup', place: slot, effective: null, reason: ask.reason };
    refuseRepeated(known, ask, draft);
    return draft;
  };

  return {
    makeup(ask) {
      const record = openClass(store, classIndex(), ask.classNo);
      return only(add([{ ask, draft: makeupDraft(ask, record, loadRequests(store, ask.classNo)) }]));
    },
    makeupForMissing({ except = [], ...ask }) {
      const record = openClass(store, classIndex(), ask.classNo);
      const known = loadRequests(store, ask.classNo);
      const session = ask.slot.slice(0, ask.slot.indexOf('_'));
      const isAsked = (traineeNo: string): boolean =>
        known.some(
          (one) =>
            isStanding(one) &&
            one.traineeNo === traineeNo &&
            one.date === ask.date &&
            (one.kind === 'makeup' ? one.place === ask.slot : one.kind === 'leave' && one.place === session),
        );
      requirePlace(record, ask.date, ask.slot, offlineSessions(record, ask.date).flatMap(slotsOf));
      const missing = traineesMissing(store, record, ask.date, ask.slot).filter(
        (traineeNo) => !except.includes(traineeNo) && !isAsked(traineeNo),
      );
      return add(
        missing.map((traineeNo) => {
          const one = { ...ask, traineeNo };
          return { ask: one, draft: makeupDraft(one, record, known) };
        }),
      );
    },
    leave(ask) {
      const record = openClass(store, classIndex(), ask.classNo);
      const known = loadRequests(store, ask.classNo);
      const sessions = offlineSessions(record, ask.date);
      requirePlace(record, ask.date, ask.session ?? sessions[0] ?? 'AM', sessions);
      requireEnrolled(record, ask.traineeNo, ask.date);
      const drafts = (ask.session === null ? sessions : [ask.session]).map((place): Draft => {
        return { kind: 'leave', place, effective: null, reason: ask.reason };
      });
      const fresh = drafts.filter((draft) => repeated(known, ask, draft) === undefined);
      if (fresh.length === 0) drafts.forEach((draft) => refuseRepeated(known, ask, draft));
      return add(fresh.map((draft) => ({ ask, draft })));
    },
    review(ask) {
      const index = classIndex();
      const record = openClass(store, index, ask.classNo);
      requireEnrolled(record, ask.traineeNo, ask.date);
      refusePunch(store, index, record, ask);
      const draft: Draft = {
        kind: 'review',
        place: String(ask.punch),
        effective: ask.effective,
        reason: ask.reason,
      };
      refuseRepeated(loadRequests(store, ask.classNo), ask, draft);
      return only(add([{ ask, draft }]));
    },
    decide(ids, verdict, by, text) {
      const mark = markOf(by);
      const wanted = [...new Set(ids)];
      const index = classIndex();
      const at = clock.now();
      store.transact((tx) => {
        const known = new Map(loadRequests(store, null).map((one) => [one.id, one]));
        for (const id of wanted) {
          const row = known.get(id);
          if (!row) throw fail('request-unknown', { request: id });
          refuseVerdict(store, row, verdict, mark);
          store.db
            .prepare(
              'INSERT INTO class_decision (request, verdict, text, decided_by, decided_at) VALUES (?, ?, ?, ?, ?)',
            )
            .run(id, verdict, sealText(store, 'class_decision', id, text), mark, at);
          const event = decisionEvent(store.db, id);
          if (event) tx.addEvent(event);
          if (verdict === 'approved') touch(store, tx, index, row);
        }
      });
      return rowsOf(store, wanted);
    },
    list: (classNo) => loadRequests(store, classNo),
  };
}

function openClass(store: Store, index: ClassIndex, classNo: string): ClassRecord {
  const record = index.classes.get(classNo);
  if (!record) throw fail('request-class', { classNo });
  if (sealOf(store, classNo) !== null) throw fail('class-sealed', { classNo });
  return record;
}

/** Sessions held online have neither slots nor presence, so nothing of them can be missed. */
const offlineSessions = (record: ClassRecord, date: LocalDate): readonly SessionId[] =>
  (record.days.find((day) => day.date === date)?.sessions ?? []).filter((one) => !one.online).map((one) => one.id);

const slotsOf = (session: SessionId): readonly SlotId[] => [`${session}_IN`, `${session}_OUT`];

function requirePlace(record: ClassRecord, date: LocalDate, place: string, known: readonly string[]): void {
  if (known.includes(place)) return;
  throw fail('request-place', {
    classNo: record.classNo,
    date,
    place,
    known: known.length === 0 ? '-' : known.join(', '),
  });
}

function requireEnrolled(record: ClassRecord, traineeNo: string, date: LocalDate): void {
  const member = record.members.find((one) => one.traineeNo === traineeNo);
  if (member && enrolledFrom(record, member) <= date && date <= enrolledTo(record, member)) return;
  throw fail('request-person', { classNo: record.classNo, traineeNo, date });
}

const isStanding = (row: RequestRow): boolean => row.state === 'open' || row.state === 'approved';

/** The request that stands for the same thing. One punch is reviewed once, whatever time is found. */
function repeated(known: readonly RequestRow[], ask: Asked, draft: Draft): RequestRow | undefined {
  return known.find(
    (one) =>
      isStanding(one) &&
      one.kind === draft.kind &&
      one.traineeNo === ask.traineeNo &&
      one.place === draft.place &&
      (draft.kind === 'review' || one.date === ask.date),
  );
}

function refuseRepeated(known: readonly RequestRow[], ask: Asked, draft: Draft): void {
  const one = repeated(known, ask, draft);
  if (!one) return;
  const { id: request, traineeNo, date, place, state } = one;
  throw fail('request-repeated', { request, traineeNo, date, place, state });
}

/** Enrolled trainees whose slot no punch and no make-up fills in the present result; also who has no result yet. */
function traineesMissing(
  store: Pick<Store, 'creditsOf'>,
  record: ClassRecord,
  date: LocalDate,
  slot: SlotId,
): readonly string[] {
  const filled = new Set(
    store
      .creditsOf(record.classNo, date)
      .filter((credit) => ((credit.result.dayResult ?? null) as unknown as DayResult | null)?.slots[slot] != null)
      .map((credit) => credit.traineeNo),
  );
  return record.members
    .filter((one) => enrolledFrom(record, one) <= date && date <= enrolledTo(record, one) && !filled.has(one.traineeNo))
    .map((one) => one.traineeNo);
}

function refusePunch(store: Store, index: ClassIndex, record: ClassRecord, ask: ReviewAsk): void {
  const refuse = (reason: string, reasonZh: string): Error =>
    fail('request-punch', { n: ask.punch, traineeNo: ask.traineeNo, reason, reasonZh });
  const fact = store.fact(ask.punch);
  if (fact?.kind !== 'punch') throw refuse('there is no punch of this number', '没有这个编号的打卡');
  // Whose punch it is depends on the date only where an id changed hands; any date that it may belong to is good enough.
  const isTheirs = index
    .daysTouchedBy({ ...fact, effective: ask.effective })
    .some((day) => day.traineeNo === ask.traineeNo && day.classNo === record.classNo);
  if (!isTheirs) throw refuse('it belongs to somebody else', '它不属于该学员');
  if (isTimed(fact, record)) throw refuse('its time is known', '它的时间已知，无需复核');
  if (instantToDate(ask.effective, record.policy.timezone) !== ask.date)
    throw refuse(`the time that was found is not on ${ask.date}`, `认定的时间不在 ${ask.date}`);
  if (fact.clockTrusted && ask.effective > fact.rx)
    throw refuse('it was received before the time that was found', '收到它的时间早于认定的时间');
}

const isTimed = (punch: Numbered<PunchFact>, record: ClassRecord): boolean =>
  effectiveTime(clockedPunch(punch), record.policy.clock).at !== null;

function refuseVerdict(store: Store, row: RequestRow, verdict: Verdict, by: string): void {
  const { id: request, state, requestedBy, classNo } = row;
  if (state !== 'open') throw fail('request-decided', { request, state });
  const isOwn = isSamePerson(requestedBy, by);
  if (verdict === 'approved' && isOwn) throw fail('request-second-person', { request });
  if (verdict === 'withdrawn' && !isOwn) throw fail('request-not-own', { request });
  if (verdict === 'approved' && sealOf(store, classNo) !== null) throw fail('class-sealed', { classNo });
}

/** The day of the request; of a reviewed punch also every day that it may have been listed on, in whatever class. */
function touch(store: Store, tx: Tx, index: ClassIndex, row: RequestRow): void {
  const { classNo, traineeNo, date, kind: cause } = row;
  tx.touchDay({ classNo, traineeNo, date, cause });
  const fact = row.kind === 'review' ? store.fact(Number(row.place)) : null;
  if (fact?.kind !== 'punch') return;
  for (const day of index.daysTouchedBy({ ...fact, effective: row.effective }))
    if (day.classNo !== classNo || day.date !== date) tx.touchDay({ ...day, cause });
}

function sealText(store: Store, table: string, id: string, text: string | undefined): Buffer | null {
  const written = text?.trim() ?? '';
  if (written === '') return null;
  return Buffer.from(store.vault.seal(`${table}|${id}|text`, written.slice(0, TEXT_LENGTH_MAX)));
}

const rowsOf = (store: Store, ids: readonly string[]): readonly RequestRow[] => {
  const rows = new Map(loadRequests(store, null).map((one) => [one.id, one]));
  return ids.flatMap((id) => rows.get(id) ?? []);
};

function only(rows: readonly RequestRow[]): RequestRow {
  const [row] = rows;
  if (!row) throw fail('unexpected', { reason: 'a request was written and is not there' });
  return row;
}
