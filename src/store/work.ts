/**
 * What is still to be done: days whose credit must be computed anew. A day leaves the table only with the stamp it was taken
 * with, so a touch that arrives while the work is done is not lost. Stamps rise for ever, over restarts too, without a
 * counter on the disk: they start above anything that earlier starts can have given.
 */
import type { LocalDate } from '../core/time.js';
import type { Db, TouchedDay } from './store.js';

export interface Work {
  touchDay(day: Omit<TouchedDay, 'stamp'>): void;
  /** Every day whose present result is provisional. */
  touchOpenDays(cause: string): void;
  untouchDay(day: TouchedDay): void;
  touchedDays(limit: number): readonly TouchedDay[];
}

/** Causes that a person stands for. Of several for one day one of these is told, the first of them, because it explains the new result. */
const DELIBERATE = "('makeup', 'leave', 'online', 'review', 'import')";

/** Touches that one start may make before its stamps could meet those of the next: more than 5 000 a second for half an hour per fact. */
const STAMPS_PER_RECORD = 2 ** 23;

interface DayRow {
  readonly class_no: string;
  readonly trainee_no: string;
  readonly date: string;
  readonly cause: string;
  readonly stamp: number;
}

export function createWork(db: Db, journalN: number): Work {
  const touch = db.prepare<[string, string, string, string, number]>(
    `INSERT INTO touched_day (class_no, trainee_no, date, cause, stamp) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET stamp = excluded.stamp,
       cause = iif(cause NOT IN ${DELIBERATE} AND excluded.cause IN ${DELIBERATE}, excluded.cause, cause)`,
  );
  const untouch = db.prepare<[string, string, string, number]>(
    'DELETE FROM touched_day WHERE class_no = ? AND trainee_no = ? AND date = ? AND stamp = ?',
  );
  const list = db.prepare<[number], DayRow>('SELECT * FROM touched_day ORDER BY stamp LIMIT ?');
  const highest =
    db.prepare<[], { stamp: number | null }>('SELECT max(stamp) AS stamp FROM touched_day').get()?.stamp ?? 0;
  let stamp = Math.max(highest, journalN * STAMPS_PER_RECORD);
  return {
    touchOpenDays(cause) {
      const open = db.prepare<[], Omit<DayRow, 'cause' | 'stamp'>>(
        'SELECT * FROM class_open_day ORDER BY date, class_no, trainee_no',
      );
      for (const day of open.all()) touch.run(day.class_no, day.trainee_no, day.date, cause, (stamp += 1));
    },
    touchDay: (day) => void touch.run(day.classNo, day.traineeNo, day.date, day.cause, (stamp += 1)),
    untouchDay: (day) => void untouch.run(day.classNo, day.traineeNo, day.date, day.stamp),
    touchedDays: (limit) =>
      list.all(limit).map((row) => ({
        classNo: row.class_no,
        traineeNo: row.trainee_no,
        date: row.date as LocalDate,
        cause: row.cause,
        stamp: row.stamp,
      })),
  };
}
