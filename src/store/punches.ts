/**
 * Punches near a date, for the journal, for a reader beside a running daemon, and for a whole class at once. A punch is near when
 * its time in use falls on the date, when the terminal told that date in whatever zone, or, where the told time says
 * little, when it was received then. `createNearness` says the same of a punch in memory, so that one reading of many days can be
 * parted into days exactly as one reading for each day would.
 */
import { instant, instantToWall, type Instant, type Zone } from '../core/time.js';
import type { Numbered, PunchFact } from '../rules/facts.js';
import { isAstray, punchOfRow, SELECT_PUNCH, type PunchRow } from './record.js';
import { prepared } from './statements.js';
import type { Db } from './store.js';

const HOUR_MS = 3_600_000;
const UTC = 'UTC' as Zone;

const TOLD = `${SELECT_PUNCH} WHERE device_user_id = ? AND wall_time BETWEEN ? AND ? AND (effective BETWEEN ? AND ? OR wall_time BETWEEN ? AND ?)`;
const ASTRAY = `${SELECT_PUNCH} WHERE astray = 1 AND device_user_id = ? AND coalesce(effective, rx) BETWEEN ? AND ?`;
const ONE = `${SELECT_PUNCH} WHERE punch.n = ?`;

/** Told times that `from..to` may show as, in any zone of the world (UTC-12 to UTC+14), widened by `slackHours`. */
const toldRange = (from: Instant, to: Instant, slackHours: number): [string, string] => [
  instantToWall(instant(from - (12 + slackHours) * HOUR_MS), UTC),
  instantToWall(instant(to + (14 + slackHours) * HOUR_MS), UTC),
];

/** Punches of these device users near `from..to`, in journal order. */
export function punchesAround(
  db: Db,
  deviceUserIds: readonly string[],
  from: Instant,
  to: Instant,
): readonly Numbered<PunchFact>[] {
  const told = prepared<[string, string, string, number, number, string, string], PunchRow>(db, TOLD);
  const astray = prepared<[string, number, number], PunchRow>(db, ASTRAY);
  const found = new Map<number, Numbered<PunchFact>>();
  const wide = toldRange(from, to, 12);
  const near = toldRange(from, to, 0);
  for (const id of new Set(deviceUserIds)) {
    for (const row of told.all(id, ...wide, from, to, ...near)) found.set(row.n, punchOfRow(row));
    for (const row of astray.all(id, from, to)) found.set(row.n, punchOfRow(row));
  }
  return [...found.values()].sort((a, b) => a.n - b.n);
}

/** Whether `punchesAround` finds this punch for `from..to`. */
export function createNearness(from: Instant, to: Instant): (punch: PunchFact) => boolean {
  const [wideFrom, wideTo] = toldRange(from, to, 12);
  const [nearFrom, nearTo] = toldRange(from, to, 0);
  const holds = (at: Instant): boolean => from <= at && at <= to;
  return (punch) => {
    const { wallTime: told, effective } = punch;
    if (nearFrom <= told && told <= nearTo) return true;
    if (effective !== null && holds(effective) && wideFrom <= told && told <= wideTo) return true;
    return isAstray(punch) && holds(effective ?? punch.rx);
  };
}

/** The punch with this journal number; null when that is no punch. */
export function punchAt(db: Db, n: number): Numbered<PunchFact> | null {
  const row = prepared<[number], PunchRow>(db, ONE).get(n);
  return row ? punchOfRow(row) : null;
}
