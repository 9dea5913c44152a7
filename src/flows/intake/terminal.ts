/**
 * One terminal as its intake sees it: what the settings say of it, and what it says of itself when the page asks. Words only; who
 * reads it is in `intake.ts`.
 */
import type { Reach } from '../../core/reach.js';
import type { Instant, Zone } from '../../core/time.js';
import type { Driver } from '../../drivers/driver.js';

export interface TerminalSetup {
  readonly id: string;
  readonly driver: Driver;
  readonly options: unknown;
  readonly reach: Reach;
  readonly zone: Zone;
  readonly pollMs: number;
  /** Serial number that this terminal must report; null accepts the first that answers. */
  readonly serial: string | null;
  readonly setClock: boolean;
  /** Largest step that the gateway may set a terminal's clock by. */
  readonly clockStepMaxMs: number;
  /** Offset below which a terminal's clock is left alone. */
  readonly clockOkMs: number;
  /** Model definition and its hash, recorded with every run. */
  readonly definition: { readonly id: string; readonly hash: string } | null;
}

export type TerminalState = 'awaiting-call' | 'connecting' | 'reading' | 'live' | 'waiting' | 'unreachable';

export interface TerminalStatus {
  readonly id: string;
  readonly reach: string;
  readonly driver: string;
  readonly state: TerminalState;
  readonly since: Instant;
  readonly serial: string | null;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly offsetMs: number | null;
  /** Everything that the terminal had at this time was read, by our clock of now. */
  readonly lastDrainedAt: Instant | null;
  readonly lastPunchAt: Instant | null;
  readonly stored: number;
  readonly repeated: number;
  /** Announced and read, when they differ. */
  readonly mismatch: { readonly announced: number; readonly decoded: number } | null;
  readonly findings: Readonly<Record<string, number>>;
}
