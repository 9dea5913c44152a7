/**
 * The terminal's clock. The protocol tells times without a zone: local time by the published text, UTC by what was observed
 * on a TH900_click V5.0. Punches leave here as wall time of the terminal's zone; an impossible date keeps its text.
 *
 * `auto` compares the time in `reg` with the gateway's: the nearer reading wins when it is near and the gateway's own clock
 * is known to be right; what was once found is kept for that firmware, because a clock that is wrong by just the zone's
 * offset is likelier than one that changed its ways. With no offset there is nothing to tell apart.
 */
import { instant, instantToWall, parseIso, parseWallTime, wallToInstant, zone as zoneOf } from '../../core/time.js';
import type { Instant, WallTime, Zone } from '../../core/time.js';
import type { Wire } from '../driver.js';
import type { Registration } from './codec.js';

export type ClockMode = 'local' | 'utc';

export interface DeviceClock {
  readonly mode: ClockMode;
  /** Found by comparison and worth keeping; null: only assumed. */
  readonly found: ClockMode | null;
  /** Takes what an earlier session found for the same firmware. */
  recall(mode: ClockMode, firmware: string | null): void;
  judge(registration: Registration): void;
  /** What the terminal told, as wall time of its zone. */
  wallOf(told: string): WallTime;
  /** A wall time of its zone, as the terminal wants to hear it. */
  toldOf(wall: WallTime): string;
}

/** What the terminal told in the usual form, whatever its zone; text that is no time stays as it is. */
export const asTold = (told: string): WallTime => plain(told)?.wall ?? (told as WallTime);

/** The same reading `ms` later; null where it is no time. */
export function later(told: string, ms: number): string | null {
  const reading = plain(told);
  const at = reading && wallToInstant(reading.wall, UTC);
  return at === null ? null : instantToWall(instant(at + ms), UTC);
}

/** Milliseconds from one reading to another; null where either is no time. */
export function between(from: string, to: string): number | null {
  const [a, b] = [wallToInstant(asTold(from), UTC), wallToInstant(asTold(to), UTC)];
  return a === null || b === null ? null : b - a;
}

const UTC = zoneOf('UTC') ?? ('UTC' as Zone);
const NEAR_MAX_MS = 2 * 3_600_000;
/** Also the clones' ISO forms: a T, a fraction of a second, a zone at the end. */
const TOLD =
  /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?$/i;

/** The reading without its zone; null where the text is none. */
function plain(told: string): { readonly wall: WallTime; readonly offset: string | null } | null {
  const match = TOLD.exec(told.trim());
  if (!match) return null;
  const two = (text: string | undefined): string => (text ?? '0').padStart(2, '0');
  const [, year = '', month, day, hour, minute, second, offset] = match;
  const wall = parseWallTime(`${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`);
  // A bare Z is no proof: clones write it behind local time. Whether it is UTC is for the comparison to say.
  return wall && { wall, offset: offset === undefined || /^z$/i.test(offset) ? null : offset };
}

export function createDeviceClock(
  option: ClockMode | 'auto',
  wire: Pick<Wire, 'clock' | 'note' | 'zone'>,
): DeviceClock {
  let mode: ClockMode = option === 'utc' ? 'utc' : 'local';
  let found: ClockMode | null = null;
  let firmware: string | null = null;
  let told = false;

  const alarm = (text: string, data: Readonly<Record<string, string | number>>): void => {
    if (!told) wire.note({ code: 'clock-odd', text, data });
    told = true;
  };
  const readings = (wall: WallTime): Readonly<Record<ClockMode, Instant | null>> => ({
    local: wallToInstant(wall, wire.zone),
    utc: wallToInstant(wall, UTC),
  });

  const judge = (registration: Registration): void => {
    firmware = registration.firmware;
    const reading = registration.time === null ? null : plain(registration.time);
    if (option !== 'auto' || reading === null || !wire.clock.trusted()) return;
    const { local, utc } = readings(reading.wall);
    if (local === null || utc === null || local === utc) return;
    const now = wire.clock.now();
    const near = Math.min(NEAR_MAX_MS, Math.abs(local - utc) / 2);
    const [localMs, utcMs] = [Math.abs(local - now), Math.abs(utc - now)];
    const nearer: ClockMode = utcMs < localMs ? 'utc' : 'local';
    if (Math.min(localMs, utcMs) > near) {
      alarm('The terminal clock is far from both local time and UTC; it is taken as before', {
        aheadOfLocalSeconds: Math.round((local - now) / 1000),
        mode,
      });
    } else if (found === null) {
      mode = nearer;
      found = nearer;
    } else if (found !== nearer) {
      alarm('The terminal clock is off by the offset of its zone; set the clock, or the option clockMode', {
        mode,
        looksLike: nearer,
      });
    }
  };

  return {
    get mode() {
      return mode;
    },
    get found() {
      return found;
    },
    recall(before, of) {
      if (option !== 'auto' || of !== firmware || before === found) return;
      if (found !== null)
        alarm('The terminal clock is off by the offset of its zone; set the clock, or the option clockMode', {
          mode: before,
          looksLike: found,
        });
      mode = before;
      found = before;
    },
    judge,
    wallOf(text) {
      const reading = plain(text);
      if (reading === null) return text as WallTime;
      const at =
        reading.offset === null
          ? mode === 'utc'
            ? wallToInstant(reading.wall, UTC)
            : null
          : parseIso(`${reading.wall.replace(' ', 'T')}${reading.offset}`);
      return at === null ? reading.wall : instantToWall(at, wire.zone);
    },
    toldOf(wall) {
      if (mode === 'local') return wall;
      const at = wallToInstant(wall, wire.zone);
      return at === null ? wall : instantToWall(at, UTC);
    },
  };
}
