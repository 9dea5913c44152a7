/**
 * Where reading stands, and whether all that was announced has come: the position that is stored with the punches, and the
 * count of lines of a window. Lines come more than once (a body that got no answer is sent again, a query repeats what came by
 * itself), so they are counted by what they are and not by how often they came.
 */
import { parseWallTime, type WallTime } from '../../core/time.js';
import type { Cursor, PunchRecord } from '../driver.js';

/** All that a terminal can date: its count of seconds begins with the year 2000. */
export const FIRST = '2000-01-01 00:00:00' as WallTime;
export const LAST = '2099-12-31 23:59:59' as WallTime;

export interface Position {
  readonly until: WallTime | null;
  readonly fullReadAt: number | null;
  readonly records: number | null;
}

export function positionOf(cursor: Cursor | null): Position {
  const { until, fullReadAt, records } = cursor ?? {};
  return {
    until: typeof until === 'string' ? parseWallTime(until) : null,
    fullReadAt: typeof fullReadAt === 'number' ? fullReadAt : null,
    records: typeof records === 'number' ? records : null,
  };
}

/** A line as text: the same bytes are the same line. */
export const lineOf = (punch: PunchRecord): string => Buffer.from(punch.raw).toString('latin1');

export interface Tally {
  /** Whether anything was new. */
  add(punches: readonly PunchRecord[]): boolean;
  readonly count: number;
}

/** Counts lines of a window. One body may hold a line twice; the same line in two bodies is a repetition. */
export function createTally(from: WallTime): Tally {
  const most = new Map<string, number>();
  let count = 0;
  return {
    add(punches) {
      const before = count;
      const inBody = new Map<string, number>();
      for (const punch of punches) {
        if (punch.wallTime < from || punch.wallTime > LAST) continue;
        const line = lineOf(punch);
        const times = (inBody.get(line) ?? 0) + 1;
        inBody.set(line, times);
        if (times <= (most.get(line) ?? 0)) continue;
        most.set(line, times);
        count += 1;
      }
      return count > before;
    },
    get count() {
      return count;
    },
  };
}
