/**
 * From what a terminal told to a fact of the journal: the told time stays beside the derived one, with the offset of the
 * terminal's clock as it was known then (R30). Pure; whose punch it is and what it counts are given by the caller.
 */
import type { Direction, PunchSource, Verify } from '../core/punch-words.js';
import { wallToInstant, type Instant, type WallTime, type Zone } from '../core/time.js';
import type { Delivery, PunchFact } from './facts.js';

/** A record as a driver reads it. */
export interface ToldPunch {
  readonly deviceUserId: string;
  readonly deviceUid: number | null;
  readonly wallTime: WallTime;
  readonly direction: Direction;
  readonly directionRaw: number | null;
  readonly verify: Verify;
  readonly verifyRaw: number | string | null;
  readonly score: number | null;
  readonly seq: number | null;
  readonly source: PunchSource;
  readonly raw: Uint8Array;
}

/** How and when the gateway received it. */
export interface Reception {
  readonly terminalId: string;
  readonly deviceSn: string;
  readonly zone: Zone;
  readonly rx: Instant;
  /** Monotonic milliseconds of the receipt. */
  readonly rxTicks: number;
  readonly clockTrusted: boolean;
  /** How far the terminal's clock was ahead, and when that was measured on the monotonic clock. */
  readonly offset: { readonly ms: number; readonly ticks: number } | null;
  readonly delivery: Delivery;
  readonly seqIsIdentity: boolean;
  readonly firmware: string | null;
  /** Driver and version of the decoder (D5). */
  readonly decoder: string;
}

export function punchFact(
  told: ToldPunch,
  how: Reception,
  match: (terminalId: string, deviceUserId: string, at: Instant) => string | null,
  effective: (punch: Omit<PunchFact, 'effective'>) => Instant | null,
): PunchFact {
  const at = wallToInstant(told.wallTime, how.zone);
  const { offset, terminalId, deviceSn, rx, delivery, clockTrusted, seqIsIdentity, firmware, decoder } = how;
  const { deviceUserId, deviceUid, wallTime, direction, directionRaw, verify, verifyRaw, score, source, seq, raw } =
    told;
  const draft: Omit<PunchFact, 'effective'> = {
    kind: 'punch',
    ...{ deviceSn, terminalId, deviceUserId, deviceUid, wallTime, instant: at, rx, rxTicks: Math.trunc(how.rxTicks) },
    ...{
      clockTrusted,
      offsetMs: offset?.ms ?? null,
      offsetAgeMs: offset ? Math.trunc(how.rxTicks - offset.ticks) : null,
    },
    ...{ direction, directionRaw, verify, verifyRaw, score, source, delivery },
    ...{ seq, seqEpoch: null, seqIsIdentity, firmware, raw, decoder },
    traineeNo: match(terminalId, deviceUserId, at ?? rx),
  };
  return { ...draft, effective: effective(draft) };
}
