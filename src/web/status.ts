/** What the whole gateway says of itself: the body of `/readyz`, the source of `/metrics` and of the status page. */
import type { Instant } from '../core/time.js';
import type { UnitState } from '../core/unit.js';

/** A fault or error as people read it. */
export interface Trouble {
  readonly code: string;
  readonly en: string;
  readonly zh: string;
  readonly remedyEn: string;
  readonly remedyZh: string;
}

export interface PartStatus {
  readonly id: string;
  /** One word: `live`, `unreachable`, `connected`, `stopped` ... */
  readonly state: string;
  readonly since: Instant;
  readonly trouble: Trouble | null;
  /** Numbers and words of this part; no persons, no secrets. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** A terminal that called and that nobody has adopted. */
export interface UnclaimedCaller {
  /** Null: it speaks no protocol of ours; then `window` has its first bytes in hex. */
  readonly driver: string | null;
  readonly serial: string | null;
  readonly peer: string;
  readonly port: string;
  readonly window: string | null;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly calls: number;
}

/** A class or a draft of one; no persons. */
export interface ClassStatus {
  readonly classNo: string;
  readonly state: 'draft' | 'ready' | 'active' | 'ended' | 'sealed';
  /** Null: not activated yet. */
  readonly active: {
    readonly name: string;
    /** Both days included, `YYYY-MM-DD`. */
    readonly from: string;
    readonly to: string;
    readonly plannedHours: number;
    /** Lessons of the timetable in force. */
    readonly timetableHours: number;
    readonly trainees: number;
    /** The policy it was activated with and keeps (R42). */
    readonly policy: { readonly id: string; readonly ver: number; readonly sha256: string };
    readonly roster: { readonly version: number; readonly hash: string };
    readonly timetable: { readonly version: number; readonly hash: string };
  } | null;
}

export interface GatewayStatus {
  readonly ready: boolean;
  /** Why not, in both languages; empty when ready. */
  readonly reasons: readonly Trouble[];
  readonly site: string;
  /** Zone in which people read times. */
  readonly timeZone: string;
  readonly version: string;
  readonly startedAt: Instant;
  readonly pendingRecords: number;
  readonly pendingBatches: number;
  readonly oldestPendingAt: Instant | null;
  readonly lastAckAt: Instant | null;
  readonly punches: number;
  readonly journal: { readonly n: number; readonly hash: string };
  readonly keysSealed: boolean;
  readonly terminals: readonly PartStatus[];
  /** By number. */
  readonly classes: readonly ClassStatus[];
  /** Latest first. */
  readonly unclaimed: readonly UnclaimedCaller[];
  readonly cameras: readonly PartStatus[];
  readonly upstreams: readonly PartStatus[];
  readonly disk: PartStatus;
  readonly clock: PartStatus;
  readonly units: readonly {
    readonly name: string;
    readonly state: UnitState;
    readonly since: Instant;
    readonly restarts: number;
  }[];
  readonly loopDelayP99Ms: number;
}
