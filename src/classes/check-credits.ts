/**
 * Promise 18: what is recorded as credit is what the raw data give. Every result in force is computed anew from punches, classes and
 * evidence, and compared; the first that differs is told by class, trainee number and date. Reads one moment of the database, so a
 * running daemon disturbs nothing; needs no key and names nobody.
 *
 * Left out and counted as unchecked: days that wait to be computed, results of another version of the rules, and days of a sealed
 * class for which, as the journal says, something arrived after the sealing (R84).
 */
import { GatewayError } from '../core/errors.js';
import { openReadOnly } from '../store/database.js';
import { layoutOf } from '../store/layout.js';
import { loadMigrations, schemaVersion } from '../store/schema.js';
import { inSnapshot, prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import { createClassIndex, type ClassIndex } from './class-index.js';
import { loadClasses } from './class-tables.js';
import { compareClass, judgeDay, type ComparedDay } from './recompute.js';
import { lateDays } from './seal.js';

type Source = Pick<Store, 'db'>;

/** The number of the promise in the README of the store. */
export const CREDIT_PROMISE = 18;

export interface CreditCheck {
  /** Results that were computed anew and agree. */
  readonly credits: number;
  /** Results of which nothing could be said. */
  readonly unchecked: number;
  /** The first that does not agree; null: none. `n` is its journal number, null when no result is recorded. */
  readonly fault: { readonly n: number | null; readonly reason: string } | null;
}

/** Told after each class: how many are done, of how many. */
export type CheckProgress = (done: number, of: number) => void;

/** Compares all classes of a store or a reader; stops at the first fault. */
export function checkCredits(source: Source, progress: CheckProgress = () => undefined): CreditCheck {
  return inSnapshot(source.db, () => {
    const records = loadClasses(source);
    const index = createClassIndex(records);
    let [credits, unchecked] = [0, orphans(source)];
    for (const [done, { classNo }] of records.entries()) {
      progress(done, records.length);
      const late = new Set(lateDays(source, classNo).map((day) => `${classNo}/${day.traineeNo}/${day.date}`));
      for (const day of daysOf(source, index, classNo)) {
        if ('fault' in day) return { credits, unchecked, fault: day.fault };
        const judged = judgeDay(day);
        const isCounted = day.recorded !== null;
        if (judged.verdict === 'same') credits += isCounted ? 1 : 0;
        else if (judged.verdict === 'unchecked' || late.has(day.id)) unchecked += isCounted ? 1 : 0;
        else {
          const where = `the credit of ${day.traineeNo} in class ${classNo} on ${day.date}`;
          return {
            credits,
            unchecked,
            fault: { n: day.recorded?.n ?? null, reason: `${where} is not what the raw data give: ${judged.what}` },
          };
        }
      }
    }
    return { credits, unchecked, fault: null };
  });
}

/** The same for a data directory. What an older program made, and no start has brought up to date, stays unchecked. */
export function checkCreditsIn(dir: string, progress?: CheckProgress): CreditCheck {
  const db = openReadOnly(layoutOf(dir).database);
  try {
    if (schemaVersion(db) < loadMigrations().length) {
      const { days } = db.prepare('SELECT count(DISTINCT id) AS days FROM credit').get() as { days: number };
      return { credits: 0, unchecked: days, fault: null };
    }
    return checkCredits({ db }, progress);
  } finally {
    db.close();
  }
}

/** The days of a class; its end is a fault when the rules refuse to compute one, say because the timetable does not fit the policy. */
function* daysOf(
  source: Source,
  index: ClassIndex,
  classNo: string,
): Generator<ComparedDay | { readonly fault: NonNullable<CreditCheck['fault']> }> {
  try {
    yield* compareClass(source, index, classNo);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    yield { fault: { n: null, reason: `the credit of class ${classNo} cannot be computed: ${error.code}` } };
  }
}

/** Results of classes that are not here; promise 16 is about those. */
function orphans({ db }: Source): number {
  const row = prepared<[], { days: number }>(
    db,
    'SELECT count(DISTINCT id) AS days FROM credit WHERE class_no NOT IN (SELECT class_no FROM class)',
  ).get();
  return row?.days ?? 0;
}
