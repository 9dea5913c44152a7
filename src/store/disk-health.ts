/**
 * What the disk did lately, and what follows (F3, F4). A full disk heals by itself, so it is only reported. After an I/O error the
 * connection must not be used again; after three in a row the store refuses work and tries a fresh connection every five seconds.
 */
import { fail, GatewayError, systemCode } from '../core/errors.js';
import type { Clock } from '../core/time.js';

const FAILURES_MAX = 3;
const RETRY_MS = 5000;

/** An SQLite error as the house's error; others unchanged. */
export function asStoreError(error: unknown, dir: string): unknown {
  const code = systemCode(error);
  if (error instanceof GatewayError || code?.startsWith('SQLITE_') !== true) return error;
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) return fail('store-damaged', { reason: code, dir }, error);
  if (/^SQLITE_(?:FULL|IOERR|READONLY|CANTOPEN|NOMEM|BUSY|LOCKED|PROTOCOL|PERM)/.test(code)) {
    return fail('store-failed', { reason: code }, error);
  }
  return fail('store-misuse', { reason: `${code}: ${(error as Error).message}` }, error);
}

/** Whether an error says that there is no room: SQLite needs some for its shared memory file before it can say that it is full. */
export function isFull(error: unknown): boolean {
  return error instanceof GatewayError && /SQLITE_FULL|SQLITE_IOERR_SHM|ENOSPC/.test(String(error.context.reason));
}

export interface DiskHealth {
  /** Throws `store-failed` while work is refused; true when a fresh connection must be tried first. */
  mayWrite(): boolean;
  worked(): void;
  /** Notes an error; true when the connection must be given up. */
  failed(error: unknown): boolean;
  readonly failures: number;
  readonly refusing: boolean;
  readonly reason: string | null;
}

export function createDiskHealth(clock: Clock): DiskHealth {
  let failures = 0;
  let ioErrors = 0;
  let reason: string | null = null;
  let failedTicks = 0;
  return {
    get failures() {
      return failures;
    },
    get refusing() {
      return ioErrors >= FAILURES_MAX;
    },
    get reason() {
      return reason;
    },
    mayWrite() {
      if (ioErrors < FAILURES_MAX) return false;
      if (clock.ticks() - failedTicks >= RETRY_MS) return true;
      throw fail('store-failed', {
        reason: `${reason ?? 'I/O error'}, ${ioErrors} times in a row; the next try waits`,
      });
    },
    worked() {
      failures = 0;
      ioErrors = 0;
      reason = null;
    },
    failed(error) {
      if (!(error instanceof GatewayError) || error.kind !== 'storage') return false;
      reason = String(error.context.reason);
      failures += 1;
      failedTicks = clock.ticks();
      if (!reason.startsWith('SQLITE_IOERR')) return false;
      ioErrors += 1;
      return true;
    },
  };
}
