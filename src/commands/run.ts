/**
 * `rollcall run`: the daemon's life on one page. Settings, store, units, ready; SIGTERM or SIGINT stops within five
 * seconds, a second signal ends at once. Wrong settings are all printed and nothing is touched (exit code 2); a fault of
 * one terminal or upstream parks that one and the rest runs. SIGHUP reads the settings again: when they are sound the gateway
 * stops and starts with them, else it goes on as it was.
 */
import { asGatewayError, type GatewayError } from '../core/errors.js';
import { createLog } from '../core/log.js';
import { systemClock, type Clock } from '../core/time.js';
import type { Driver } from '../drivers/driver.js';
import { buildGateway, type Gateway } from '../gateway.js';
import { loadSettings, type LoadedSettings, type Settings } from '../settings.js';
import { faultLines, policyFaults } from './check-config.js';
import { EXIT, reportError, type Console } from './console.js';
import { serviceManager } from './service.js';

export interface RunArguments {
  readonly config: string;
  readonly listen?: string;
  readonly version: string;
  readonly drivers: readonly Driver[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

export async function runDaemon(args: RunArguments, io: Console, signal: AbortSignal): Promise<number> {
  const { drivers, env } = args;
  const flags = args.listen === undefined ? {} : { 'web.listen': args.listen };
  const load = (): Pick<LoadedSettings, 'settings' | 'faults'> => {
    const loaded = loadSettings(args.config, { env, flags, drivers });
    const policy = loaded.settings === null ? [] : policyFaults(loaded.settings);
    const faults = [...loaded.faults, ...policy];
    for (const fault of faults) for (const line of faultLines(fault, fault.unit)) io.err(line);
    // Credit by a policy that is not the one asked for would be wrong evidence: nothing starts with it.
    const refused = policy.some((fault) => fault.severity === 'error');
    return { settings: refused ? null : loaded.settings, faults };
  };
  const first = load();
  if (first.settings === null) {
    io.err(
      '设置有误，未启动。请按上面的提示修改后重试。 Not started: the settings have faults; mend them as told above.',
    );
    return EXIT.usage;
  }
  process.umask(0o077);
  const service = serviceManager(env);
  let next: Ready | null = { settings: first.settings, faults: first.faults };
  while (next !== null) {
    const now: Ready = next;
    next = null;
    const reloading = new AbortController();
    const loadAgain = (): ReturnType<typeof load> => {
      try {
        return load();
      } catch (error) {
        // Whatever is wrong with the files, a gateway that runs goes on running.
        reportError(asGatewayError(error), io);
        return { settings: null, faults: [] };
      }
    };
    const onHangUp = (): void => {
      const { settings, faults } = loadAgain();
      if (settings === null)
        io.err('设置有误，继续按原设置运行。 The settings have faults; going on with the former ones.');
      else {
        next = { settings, faults };
        reloading.abort();
      }
    };
    process.on('SIGHUP', onHangUp);
    try {
      await serve(args.version, now, service, io, AbortSignal.any([signal, reloading.signal]));
    } finally {
      process.off('SIGHUP', onHangUp);
    }
    if (signal.aborted) break;
  }
  io.err('考勤网关已停止。 Rollcall has stopped.');
  return EXIT.good;
}

interface Ready {
  readonly settings: Settings;
  readonly faults: LoadedSettings['faults'];
}

/** One life of the gateway with one set of settings. Saving settings is stop, build anew, start: there is no other path. */
async function serve(
  version: string,
  { settings, faults }: Ready,
  service: ReturnType<typeof serviceManager>,
  io: Console,
  signal: AbortSignal,
): Promise<void> {
  const log = createLog({ level: settings.log.level });
  const fatal = new AbortController();
  const broken: GatewayError[] = [];
  // The wall clock's trust is learned by the gateway's own health unit; until then it counts as unproven.
  const trust: { known: () => boolean } = { known: () => false };
  const clock: Clock = systemClock(() => trust.known());
  const gateway: Gateway = buildGateway(settings, faults, {
    version,
    clock,
    wire: clock,
    log,
    notify: service.notify,
    watchdogMs: service.watchdogMs,
    onFatal: (error) => {
      broken.push(error);
      fatal.abort();
    },
  });
  trust.known = () => gateway.clockTrusted();
  await gateway.start();
  io.err(`考勤网关已启动，状态页 ${gateway.url()} 。Rollcall is running; status page at ${gateway.url()}`);
  await untilAborted(AbortSignal.any([signal, fatal.signal]));
  service.notify('STOPPING=1');
  await gateway.stop();
  if (broken[0]) throw broken[0];
}
