/**
 * Sealing a class (R84): its day results are fixed. One transaction writes the seal with the digest over all present results, the
 * journal's event, and for every day a last revision whose status is `sealed` and whose outcome and version are those it had.
 *
 * Refused while anything may still change a result: the class has not ended, a day is provisional or waits to be computed, a class
 * day has people without a result, a request is not decided. What comes later is kept and flagged, and changes nothing.
 */
import { fail } from '../core/errors.js';
import { instantToDate, type Instant, type LocalDate } from '../core/time.js';
import type { CreditFact, Numbered } from '../rules/facts.js';
import { resultsDigest } from '../store/class-digest.js';
import { prepared } from '../store/statements.js';
import type { Store, Tx } from '../store/store.js';
import { namedRow } from './class-changes.js';
import { closedDays, loadClasses } from './class-tables.js';
import { loadRequests, type SealRow } from './evidence.js';
import { stateOf } from './lifecycle.js';

export interface SealBy {
  readonly by: string;
  readonly at: Instant;
  /** Hours that were delivered, where somebody has counted them; a class may end before its last day. */
  readonly deliveredHours?: number | null;
}

/** Throws `class-unknown`, `class-sealed`, `class-not-ended`, `class-not-settled`, `class-requests-open`. */
export function sealClass(store: Store, classNo: string, { by, at, deliveredHours = null }: SealBy): SealRow {
  const record = loadClasses(store).find((one) => one.classNo === classNo);
  if (!record) throw fail('class-unknown', { classNo });
  const today = instantToDate(at, record.policy.timezone);
  const state = stateOf(store, classNo, today, deliveredHours);
  if (state === 'sealed') throw fail('class-sealed', { classNo });
  if (state !== 'ended') throw fail('class-not-ended', { classNo, state: state ?? '-', to: record.to });
  refuseOpenRequests(store, classNo);
  const due = record.days.map((day) => day.date).filter((date) => date <= today);
  refuseUnsettled(store, classNo, due);
  const results = store.creditsOf(classNo).filter((credit) => credit.state !== 'withdrawn');
  return store.transact((tx) => {
    const sealed = results.map(sealedRevision);
    const digest = resultsDigest(sealed.map((one) => one.result));
    const days = sealed.length;
    store.db
      .prepare('INSERT INTO class_seal (class_no, digest, days, sealed_by, sealed_at) VALUES (?, ?, ?, ?, ?)')
      .run(classNo, digest, days, by, at);
    const rows = [namedRow(store, 'class_seal', classNo, 0)];
    tx.addEvent({
      ...{ kind: 'event', what: 'class', at },
      data: { classId: classNo, state: 'sealed', digest, days, by, rows },
    });
    for (const one of sealed) tx.addCredit(one);
    return { classNo, digest, days, sealedBy: by, sealedAt: at };
  });
}

/** The same result once more, sealed: no new version, because nothing of it is new. */
function sealedRevision(last: Numbered<CreditFact>): CreditFact {
  const { kind, id, classNo, traineeNo, date, totalHours, policy, punches } = last;
  return {
    ...{ kind, id, classNo, traineeNo, date, totalHours, policy, punches },
    ...{ rev: last.rev + 1, state: 'final', result: { ...last.result, status: 'sealed' } },
  };
}

function refuseOpenRequests(store: Store, classNo: string): void {
  const open = loadRequests(store, classNo).filter((one) => one.state === 'open');
  if (open.length === 0) return;
  throw fail('class-requests-open', { classNo, count: open.length, requests: someOf(open.map((one) => one.id)) });
}

function refuseUnsettled(store: Store, classNo: string, due: readonly LocalDate[]): void {
  const rows = store.db
    .prepare<[string, string], { date: string; trainee_no: string }>(
      `SELECT date, trainee_no FROM class_open_day WHERE class_no = ?
       UNION SELECT date, trainee_no FROM touched_day WHERE class_no = ? ORDER BY date, trainee_no`,
    )
    .all(classNo, classNo);
  const closed = closedDays(store, classNo);
  const unsettled = [
    ...rows.map((row) => `${row.date} ${row.trainee_no}`),
    ...due.filter((date) => !closed.has(date) && !rows.some((row) => row.date === date)),
  ];
  if (unsettled.length === 0) return;
  throw fail('class-not-settled', { classNo, count: unsettled.length, days: someOf(unsettled) });
}

const NAMED_MAX = 10;

const someOf = (list: readonly string[]): string =>
  list.slice(0, NAMED_MAX).join(', ') + (list.length > NAMED_MAX ? ` … +${list.length - NAMED_MAX}` : '');

/** A day of a sealed class for which data came later that would have made it another. */
export interface LateDay {
  readonly traineeNo: string;
  readonly date: LocalDate;
  /** When it was noticed. */
  readonly at: Instant;
}

const LATE = `FROM event WHERE what = 'class' AND body ->> '$.data.classId' = ? AND body ->> '$.data.state' = 'after-seal'`;

/** By date and person. The flag `AFTER_SEAL` stands beside the sealed result of these days, not in it. */
export function lateDays(source: Pick<Store, 'db'>, classNo: string): readonly LateDay[] {
  return prepared<[string], LateDay>(
    source.db,
    `SELECT body ->> '$.data.traineeNo' AS traineeNo, body ->> '$.data.date' AS date, body ->> '$.at' AS at ${LATE}
       ORDER BY date, traineeNo`,
  ).all(classNo);
}

/** Inside a transaction: says once that data came for this day after the class was sealed. */
export function flagLateDay(
  store: Pick<Store, 'db'>,
  tx: Tx,
  day: Omit<LateDay, 'at'> & { readonly classNo: string },
  at: Instant,
): boolean {
  const { classNo, traineeNo, date } = day;
  const sql = `SELECT 1 ${LATE} AND body ->> '$.data.traineeNo' = ? AND body ->> '$.data.date' = ?`;
  const known = prepared(store.db, sql).get(classNo, traineeNo, date);
  if (known !== undefined) return false;
  const data = { classId: classNo, state: 'after-seal', traineeNo, date, flag: 'AFTER_SEAL' };
  tx.addEvent({ kind: 'event', what: 'class', at, data });
  return true;
}
