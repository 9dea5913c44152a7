/** The service manager: readiness, watchdog and status over the `systemd-notify` program; nothing when there is none. */
import { execFile } from 'node:child_process';

export interface ServiceManager {
  /** Sends one state such as `READY=1`; never fails, never waits. */
  readonly notify: (state: string) => void;
  /** The watchdog interval asked for, or null. */
  readonly watchdogMs: number | null;
}

export function serviceManager(env: Readonly<Record<string, string | undefined>>): ServiceManager {
  if (env.NOTIFY_SOCKET === undefined) return { notify: () => undefined, watchdogMs: null };
  const usec = Number(env.WATCHDOG_USEC);
  return {
    notify: (state) => void execFile('systemd-notify', [state], { timeout: 5000 }, () => undefined),
    watchdogMs: Number.isFinite(usec) && usec > 0 ? usec / 1000 : null,
  };
}
