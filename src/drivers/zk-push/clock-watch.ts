/**
 * The protocol has no word for reading a clock. What it gives are punches that come as they happen: their time against the
 * time of arrival. A difference that stays, and is a multiple of a quarter of an hour, is a zone that one side got wrong;
 * any other is a clock that does not follow ours. Told once for each difference, never corrected here.
 */
import { wallToInstant } from '../../core/time.js';
import type { PunchRecord, Wire } from '../driver.js';

export interface ClockWatch {
  /** Punches of a small upload that nobody asked for; `heardAt`: monotonic time of the request. */
  punches(punches: readonly PunchRecord[], heardAt: number): void;
}

const QUARTER_MS = 900_000;
const TOLERANCE_MS = 60_000;
const NOTABLE_MS = 120_000;
/** A terminal that was away brings what it kept: only one that has been here for a while tells the present. */
const SETTLED_MS = 60_000;

export function createClockWatch(wire: Wire): ClockWatch {
  const began = wire.clock.ticks();
  let last: number | null = null;
  let told: number | null = null;
  return {
    punches(punches, heardAt) {
      const newest = punches
        .map(({ wallTime }) => wallTime)
        .sort()
        .at(-1);
      const instant = newest === undefined ? null : wallToInstant(newest, wire.zone);
      if (instant === null || heardAt - began < SETTLED_MS) return;
      const offset = instant - wire.clock.now();
      const before = last;
      last = offset;
      if (Math.abs(offset) < NOTABLE_MS || before === null || Math.abs(offset - before) > TOLERANCE_MS) {
        if (Math.abs(offset) < NOTABLE_MS) told = null;
        return;
      }
      if (told !== null && Math.abs(told - offset) <= TOLERANCE_MS) return;
      told = offset;
      const quarters = Math.round(offset / QUARTER_MS);
      const zone = quarters !== 0 && Math.abs(offset - quarters * QUARTER_MS) <= TOLERANCE_MS;
      wire.note({
        code: 'clock-odd',
        text: zone
          ? 'Punches come with a time that differs by whole quarters of an hour: the time zone is wrong on one side'
          : 'Punches come with a time that differs from ours: the terminal does not follow the time it is given',
        data: { offsetMs: Math.round(offset), ...(zone ? { quarters } : {}) },
      });
    },
  };
}
