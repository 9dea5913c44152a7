/**
 * From the epochs of a terminal to what its display showed. Epochs appear to be computed from the wall clock and the zone
 * set in the terminal (inferred; no vendor text says so). Where an installer set only the wall clock, they are hours off
 * while the display is right. The shift is taken from the option, else from the zone setting, and then learned from a live
 * punch beside the displayed time. A shift learned holds from that punch on: what was read before keeps its identity.
 */
import { wallToInstant, type WallTime } from '../../core/time.js';
import type { Cursor, Wire } from '../driver.js';
import { secondsToWall, type ToldTime } from './codec.js';
import type { DahuaOptions } from './options.js';

interface Shift {
  /** Seconds to add. */
  nowS: number;
  /** First told second to which `nowS` applies; 0: to all. */
  fromS: number;
  /** What applies before. */
  beforeS: number;
}

export interface Correction {
  /** What the display showed then; null when that cannot be told. */
  wallOf(told: ToldTime | null): WallTime | null;
  /** Seconds as the terminal counts them, for a StartTime. */
  secondsOf(told: ToldTime | null): number | null;
  /** The zone set in the terminal, in minutes east, as far as it told; used where nothing was learned. */
  zoneTold(minutesEast: number): void;
  /** Whether the zone setting is still wanted. */
  readonly wantsZone: boolean;
  /** A punch that happened just now, and what the display shows now. */
  learn(told: ToldTime, shown: WallTime): void;
  /** What belongs into the reading position. */
  position(): Cursor;
}

const QUARTER_S = 900;
/** A live punch and the display asked for it lie this close together, beyond whole quarters of an hour. */
const TOLERANCE_S = 20;
const SHIFT_S_MAX = 26 * 3600;

const numberIn = (after: Cursor | null, key: string): number | null => {
  const value = after?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
};

export function createCorrection(options: DahuaOptions, wire: Wire, after: Cursor | null): Correction {
  const fixedS = options.epochShiftMinutes === 'auto' ? null : options.epochShiftMinutes * 60;
  const kept = (key: 'real' | 'plain'): Shift => ({
    nowS: numberIn(after, `${key}ShiftS`) ?? 0,
    fromS: numberIn(after, `${key}FromS`) ?? 0,
    beforeS: numberIn(after, `${key}BeforeS`) ?? 0,
  });
  const shifts = { real: kept('real'), plain: kept('plain') };
  let known = numberIn(after, 'plainShiftS') !== null;
  let oddTold = false;

  const shiftAt = (key: 'real' | 'plain', seconds: number): number => {
    if (fixedS !== null) return key === 'plain' ? fixedS : 0;
    const shift = shifts[key];
    return seconds >= shift.fromS ? shift.nowS : shift.beforeS;
  };
  const siteOffsetS = (): number => {
    const now = Math.floor(wire.clock.now() / 1000);
    const shown = secondsToWall(now, 0, wire.zone);
    const asUtc = wallToInstant(shown, 'UTC' as typeof wire.zone);
    return asUtc === null ? 0 : Math.floor(asUtc / 1000) - now;
  };
  const note = (text: string, shiftS: number): void =>
    wire.note({ code: 'clock-odd', text, data: { shiftMinutes: Math.round(shiftS / 60) } });

  return {
    wallOf(told) {
      if (told === null) return null;
      if (told.kind === 'text') return told.wall;
      return secondsToWall(told.seconds, shiftAt(told.key, told.seconds), wire.zone);
    },
    secondsOf(told) {
      if (told === null) return null;
      if (told.kind === 'epoch') return told.seconds;
      const at = wallToInstant(told.wall, wire.zone);
      return at === null ? null : Math.floor(at / 1000) - shiftAt('plain', Math.floor(at / 1000));
    },
    get wantsZone() {
      return fixedS === null && !known;
    },
    zoneTold(minutesEast) {
      if (known || fixedS !== null) return;
      known = true;
      const shiftS = minutesEast * 60 - siteOffsetS();
      if (shiftS === 0) return;
      shifts.plain.nowS = shiftS;
      note(
        'The zone set in the terminal is not that of the site: its record times are moved back to what its display showed',
        shiftS,
      );
    },
    learn(told, shown) {
      if (told.kind !== 'epoch') return;
      const at = wallToInstant(shown, wire.zone);
      if (at === null) return;
      const offS = Math.floor(at / 1000) - told.seconds - shiftAt(told.key, told.seconds);
      const movedS = Math.round(offS / QUARTER_S) * QUARTER_S;
      if (movedS === 0 || Math.abs(offS - movedS) > TOLERANCE_S || Math.abs(movedS) > SHIFT_S_MAX) return;
      const shift = shifts[told.key];
      if (fixedS !== null) {
        if (!oddTold)
          note('A live punch does not fit the display: check the option epochShiftMinutes', fixedS + movedS);
        oddTold = true;
        return;
      }
      shifts[told.key] = { nowS: shift.nowS + movedS, fromS: told.seconds, beforeS: shift.nowS };
      known = true;
      note(
        'The record times of the terminal are hours off its display: from this punch on they are moved; check the zone set in the terminal',
        shift.nowS + movedS,
      );
    },
    position() {
      const { plain, real } = shifts;
      const moved = (key: string, shift: Shift): Cursor =>
        shift.nowS === 0 && shift.fromS === 0
          ? {}
          : { [`${key}ShiftS`]: shift.nowS, [`${key}FromS`]: shift.fromS, [`${key}BeforeS`]: shift.beforeS };
      return { ...(known ? { plainShiftS: plain.nowS } : {}), ...moved('plain', plain), ...moved('real', real) };
    },
  };
}

/**
 * Minutes east of each `TimeZone` index of the NTP setting (vendor's HTTP API, table "TimeZone"; the newer indices are
 * *unproven*). Only used until a live punch has told more.
 */
const ZONE_MINUTES: readonly number[] = [
  0, 60, 120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 540, 570, 600, 660, 720, 780, -60, -120, -180,
  -210, -240, -300, -360, -420, -480, -540, -600, -660, -720,
];

/** Minutes east of UTC of a zone index, or null when it is not known. */
export function zoneMinutes(index: number | null): number | null {
  return index === null ? null : (ZONE_MINUTES[index] ?? null);
}

/** The index for these minutes, or null when there is none. */
export function zoneIndex(minutes: number): number | null {
  const index = ZONE_MINUTES.indexOf(minutes);
  return index < 0 ? null : index;
}
