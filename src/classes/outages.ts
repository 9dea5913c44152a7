/**
 * When a terminal or the gateway itself was out (R47), from the journal alone: its events say when a terminal went and came back, and
 * each start says until when the process before it was alive. Whether a power cut or a cable was to blame nobody here knows.
 *
 * What is shorter than two minutes is a reconnection and no outage. An outage that still goes on counts once the journal says so
 * (`still-offline`), so that a cable pulled for a moment changes no result twice. Times of a clock that went back are left out.
 * Results stay what the journal says: whoever writes such an event touches, in one transaction, the days of `daysTouchedByOutage`;
 * a start touches the days that were not settled when the gateway went down.
 */
import { instant, instantToDate, type Instant, type LocalDate } from '../core/time.js';
import { prepared } from '../store/statements.js';
import { OUTAGE_MIN_MS } from '../store/start.js';
import type { Store } from '../store/store.js';
import type { DayKey } from './class-index.js';
import type { ClassRecord } from './class-tables.js';

export interface Outage {
  readonly from: Instant;
  /** Null: it still is. */
  readonly to: Instant | null;
  readonly cause: 'terminal' | 'gateway';
  /** Id of the terminal in the settings; null for the gateway, whose outages concern every terminal. */
  readonly terminal: string | null;
}

interface Presence {
  readonly at: number;
  readonly state: 'online' | 'offline' | 'still-offline' | 'DEVICE_REBOUND';
}

// The conditions are written as in the two indexes on `event`, word by word: only then does SQLite use them.
const PRESENCE = `what = 'device' AND body ->> '$.data.state' IN ('online', 'offline', 'still-offline', 'DEVICE_REBOUND')`;
const AT = `body ->> '$.at'`;
const OF_TERMINAL = `FROM event WHERE ${PRESENCE} AND body ->> '$.data.terminal' = ?`;
/** From the last time it was there before the span up to the first event after it. */
const SELECT_PRESENCE = `SELECT ${AT} AS at, body ->> '$.data.state' AS state ${OF_TERMINAL}
  AND ${AT} >= coalesce((SELECT max(${AT}) ${OF_TERMINAL} AND ${AT} < ? AND body ->> '$.data.state' IN ('online', 'DEVICE_REBOUND')), 0)
  AND ${AT} <= coalesce((SELECT min(${AT}) ${OF_TERMINAL} AND ${AT} > ? AND body ->> '$.data.state' IN ('online', 'DEVICE_REBOUND')), ?)
  ORDER BY n`;
const SELECT_STARTS = `SELECT body ->> '$.data.aliveUntil' AS alive, ${AT} AS at FROM event
  WHERE what = 'start' AND ${AT} >= ? AND body ->> '$.data.aliveUntil' <= ? ORDER BY n`;

/** Outages of these terminals, and of the gateway, that touch the span; by terminal, each list in the order of the journal. */
export function loadOutages(
  source: Pick<Store, 'db'>,
  terminalIds: readonly string[],
  from: Instant,
  to: Instant,
): readonly Outage[] {
  const starts = prepared<[number, number], { alive: number; at: number }>(source.db, SELECT_STARTS)
    .all(from, to)
    .filter(({ alive, at }) => at - alive > OUTAGE_MIN_MS);
  const presence = prepared<unknown[], Presence>(source.db, SELECT_PRESENCE);
  const ends = Number.MAX_SAFE_INTEGER;
  return [
    ...starts.map(({ alive, at }): Outage => ({
      from: instant(alive),
      to: instant(at),
      cause: 'gateway',
      terminal: null,
    })),
    ...[...new Set(terminalIds)].flatMap((terminal) =>
      outagesIn(presence.all(terminal, terminal, from, terminal, to, ends), terminal),
    ),
  ].filter((one) => one.from <= to && (one.to === null || one.to >= from));
}

function outagesIn(events: readonly Presence[], terminal: string): readonly Outage[] {
  const outages: Outage[] = [];
  const found = (from: number, to: number | null): void =>
    void outages.push({
      from: instant(from),
      to: to === null ? null : instant(to),
      cause: 'terminal',
      terminal,
    });
  let since: number | null = null;
  let lasts = false;
  for (const { at, state } of events) {
    if (state === 'still-offline') lasts = since !== null;
    else if (state === 'offline') since ??= at;
    else {
      if (since !== null && at - since > OUTAGE_MIN_MS) found(since, at);
      since = null;
      lasts = false;
    }
  }
  if (since !== null && lasts) found(since, null);
  return outages;
}

/**
 * Days with a result that the present outage of this terminal may change: someone has an empty slot there. For the transaction that
 * tells the journal that the terminal is back (`endsAt`) or still out (null), before it does; none when it was not out for long.
 */
export function daysTouchedByOutage(
  source: Pick<Store, 'db'>,
  records: readonly ClassRecord[],
  terminalId: string,
  endsAt: Instant | null,
): readonly DayKey[] {
  const from = outSince(source, terminalId);
  if (from === null || (endsAt !== null && endsAt - from <= OUTAGE_MIN_MS)) return [];
  const results = prepared<[string, string], { trainee_no: string; date: string }>(
    source.db,
    `SELECT trainee_no, date FROM credit
     WHERE class_no = ? AND date >= ? AND rev = (SELECT max(later.rev) FROM credit AS later WHERE later.id = credit.id)
       AND EXISTS (SELECT 1 FROM json_each(body, '$.result.dayResult.slots') WHERE type = 'null')
     ORDER BY date, trainee_no`,
  );
  return records.flatMap((record) => {
    const first = instantToDate(from, record.policy.timezone);
    const assigned = record.terminals.filter((one) => one.terminal === terminalId && one.to >= first);
    if (assigned.length === 0) return [];
    return results
      .all(record.classNo, first)
      .map((row) => ({ classNo: record.classNo, traineeNo: row.trainee_no, date: row.date as LocalDate }))
      .filter(({ date }) => assigned.some((one) => one.from <= date && date <= one.to));
  });
}

/** Since when the journal has the terminal as gone; null: it is there, or nobody has ever met it. */
function outSince(source: Pick<Store, 'db'>, terminalId: string): Instant | null {
  const row = prepared<[string, string], { at: number | null }>(
    source.db,
    `SELECT min(${AT}) AS at ${OF_TERMINAL} AND body ->> '$.data.state' = 'offline'
       AND ${AT} >= coalesce((SELECT max(${AT}) ${OF_TERMINAL} AND body ->> '$.data.state' IN ('online', 'DEVICE_REBOUND')), 0)`,
  ).get(terminalId, terminalId);
  return row?.at == null ? null : instant(row.at);
}
