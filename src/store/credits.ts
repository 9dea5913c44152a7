/** The results in force, for the journal and for a reader beside a running daemon: of each day the last revision. Reads only. */
import type { LocalDate } from '../core/time.js';
import type { CreditFact, Numbered } from '../rules/facts.js';
import { prepared } from './statements.js';
import type { Db } from './store.js';

interface BodyRow {
  readonly n: number;
  readonly body: string;
}

const IN_FORCE = 'rev = (SELECT max(later.rev) FROM credit AS later WHERE later.id = credit.id)';

/** By date, then by trainee number. */
export function creditsOf(db: Db, classNo: string, date?: LocalDate): readonly Numbered<CreditFact>[] {
  const rows =
    date === undefined
      ? prepared<[string], BodyRow>(
          db,
          `SELECT n, body FROM credit WHERE class_no = ? AND ${IN_FORCE} ORDER BY date, trainee_no`,
        ).all(classNo)
      : prepared<[string, string], BodyRow>(
          db,
          `SELECT n, body FROM credit WHERE class_no = ? AND date = ? AND ${IN_FORCE} ORDER BY trainee_no`,
        ).all(classNo, date);
  return rows.map((row) => ({ ...(JSON.parse(row.body) as CreditFact), n: row.n }));
}

/** Days that wait to be computed anew, as `classNo/traineeNo/date`. */
export function pendingDays(db: Db): ReadonlySet<string> {
  const rows = prepared<[], { id: string }>(
    db,
    "SELECT class_no || '/' || trainee_no || '/' || date AS id FROM touched_day",
  ).all();
  return new Set(rows.map((row) => row.id));
}
