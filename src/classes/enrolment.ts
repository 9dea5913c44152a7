/**
 * Who should be in which terminal today, and what we know of who is (R29, R32). A person belongs into a terminal from some days
 * before the class is there until the last day, so that faces can be taken before the first lesson. Names are only decrypted
 * for the people of whom something is to be done.
 */
import { addDays, type Instant, type LocalDate } from '../core/time.js';
import { prepared } from '../store/statements.js';
import type { Store } from '../store/store.js';
import { enrolledFrom, enrolledTo } from './class-index.js';
import { openRoster, type ClassRecord, type ClassSource } from './class-tables.js';

/** A person is put into a terminal so many days before the class begins there. */
export const LEAD_DAYS = 7;

export interface WantedUser {
  readonly deviceUserId: string;
  readonly classNo: string;
  readonly traineeNo: string;
  readonly rosterVersion: number;
}

export type EnrolmentState = 'enrolled' | 'failed' | 'removed';

export interface TerminalUserRow extends WantedUser {
  readonly terminalId: string;
  readonly state: EnrolmentState;
  /** Why it failed: `other-name`, `full`, `by-hand`, or an error code. */
  readonly reason: string | null;
  /** Written by the gateway, which may remove it again; else the person was there already. */
  readonly putByUs: boolean;
  readonly deviceSn: string;
  /** Failures in a row. */
  readonly tries: number;
  readonly at: Instant;
}

/** The people of all classes that belong into a terminal on a date; each id once, the first class of the list wins. */
export function wantedOn(records: readonly ClassRecord[], terminalId: string, today: LocalDate): readonly WantedUser[] {
  const wanted = new Map<string, WantedUser>();
  const soon = addDays(today, LEAD_DAYS);
  for (const record of records) {
    const assigned = record.terminals.filter(
      (one) => one.terminal === terminalId && one.from <= soon && today <= one.to,
    );
    if (assigned.length === 0) continue;
    const { classNo, rosterVersion } = record;
    for (const member of record.members) {
      const { traineeNo, deviceUserId } = member;
      if (enrolledFrom(record, member) > soon || enrolledTo(record, member) < today || wanted.has(deviceUserId))
        continue;
      wanted.set(deviceUserId, { deviceUserId, classNo, traineeNo, rosterVersion });
    }
  }
  return [...wanted.values()];
}

/** Names of the people of a roster, by trainee number. Personal data. */
export function namesOf(store: ClassSource, classNo: string, rosterVersion: number): ReadonlyMap<string, string> {
  return new Map(openRoster(store, classNo, rosterVersion).map((one) => [one.traineeNo, one.name]));
}

interface Row {
  readonly terminal_id: string;
  readonly device_user_id: string;
  readonly class_no: string;
  readonly trainee_no: string;
  readonly state: EnrolmentState;
  readonly reason: string | null;
  readonly put_by_us: number;
  readonly roster_version: number;
  readonly device_sn: string;
  readonly tries: number;
  readonly at: number;
}

/** What is known of one terminal, or of all, in the order of terminal and class. */
export function terminalUsers(store: Pick<Store, 'db'>, terminalId?: string): readonly TerminalUserRow[] {
  const rows = prepared<[string | null], Row>(
    store.db,
    `SELECT * FROM terminal_user WHERE terminal_id = coalesce(?, terminal_id)
     ORDER BY terminal_id, class_no, trainee_no, device_user_id`,
  ).all(terminalId ?? null);
  return rows.map((row) => ({
    ...{
      terminalId: row.terminal_id,
      deviceUserId: row.device_user_id,
      classNo: row.class_no,
      traineeNo: row.trainee_no,
    },
    ...{ state: row.state, reason: row.reason, putByUs: row.put_by_us === 1, rosterVersion: row.roster_version },
    ...{ deviceSn: row.device_sn, tries: row.tries, at: row.at as Instant },
  }));
}

/** Notes what became of one person. */
export function noteTerminalUser(store: Store, row: TerminalUserRow): void {
  store.transact(() =>
    prepared(
      store.db,
      `INSERT INTO terminal_user (terminal_id, device_user_id, class_no, trainee_no, state, reason, put_by_us, roster_version, device_sn, tries, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET class_no = excluded.class_no, trainee_no = excluded.trainee_no, state = excluded.state,
           reason = excluded.reason, put_by_us = excluded.put_by_us, roster_version = excluded.roster_version,
           device_sn = excluded.device_sn, tries = excluded.tries, at = excluded.at`,
    ).run(
      ...[row.terminalId, row.deviceUserId, row.classNo, row.traineeNo, row.state, row.reason],
      ...[row.putByUs ? 1 : 0, row.rosterVersion, row.deviceSn, row.tries, row.at],
    ),
  );
}
