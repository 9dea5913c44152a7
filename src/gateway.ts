/**
 * The only place where rooms meet: settings in, units out, in start order. A unit that cannot be built parks and says why;
 * the others run. Start: store, then forward, seal, credit, terminals, health, page. Stop: everything is told at once, waits
 * at most five seconds, and closes the store; stopping is a polite crash, both end in the same state.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asGatewayError, fail, type GatewayError } from './core/errors.js';
import type { Log } from './core/log.js';
import { isListening } from './core/reach.js';
import { within, type Clock } from './core/time.js';
import { chime, createDoorbell, supervise, type Bell, type Doorbell, type Supervised, type Unit } from './core/unit.js';
import { openClasses, type Classes } from './classes/classes.js';
import { daysTouchedByOutage } from './classes/outages.js';
import { createCreditUnit } from './flows/credit.js';
import { createEnrolment, type Enrolment } from './flows/enrol.js';
import { createForward, type Forward, type HelloFacts } from './flows/forward.js';
import { createHealth, type HealthParts } from './flows/health.js';
import { createIntake, type Intake, type IntakeParts } from './flows/intake.js';
import { createReception, createSwitchboard, type Listen, type Switchboard } from './flows/reception.js';
import { createSeal } from './flows/seal.js';
import { punchMeaning } from './gateway-intake.js';
import { classStatuses } from './gateway-classes.js';
import { gatewayStatus, parkedPart, troubleOf } from './gateway-status.js';
import { createLinks, type Links } from './links/open.js';
import { openPolicies } from './policies.js';
import type { Policy } from './rules/policy.js';
import type { Settings } from './settings.js';
import type { SettingsFault } from './settings/files.js';
import type { TerminalSettings, UpstreamSettings } from './settings/entries.js';
import { openStore } from './store/database.js';
import { readDurably, writeDurably } from './store/durable-file.js';
import { loadOrCreateSigningKey } from './store/keys.js';
import type { StoreHooks } from './store/options.js';
import type { Store } from './store/store.js';
import { createSigner, type Signer } from './uplink/envelope.js';
import { createMqttUplink } from './uplink/mqtt.js';
import { createPlatformKeys, type PlatformKeys } from './uplink/platform-keys.js';
import { DEFAULT_FIELD_SET } from './uplink/records.js';
import { UPLINK_TIMINGS, type Uplink, type UplinkTimings } from './uplink/uplink.js';
import { createWeb, type Web } from './web/server.js';
import type { GatewayStatus } from './web/status.js';

export interface GatewayParts {
  readonly version: string;
  /** Business time: receive times, linger, poll intervals, day close. */
  readonly clock: Clock;
  /** Deadlines of wires and sockets. */
  readonly wire: Clock;
  readonly log: Log;
  readonly notify?: (state: string) => void;
  readonly watchdogMs?: number | null;
  readonly timings?: Partial<UplinkTimings>;
  readonly timeSource?: HealthParts['timeSource'];
  /** A unit broke its own rule three times in ten minutes: the process should end. */
  readonly onFatal?: (error: GatewayError) => void;
  /** Over the settings' linger; the demonstration shortens it. */
  readonly lingerMs?: number;
  /** What scenarios put in place of the outside world; left out, the real thing. */
  readonly seams?: Seams;
}

export interface Seams {
  readonly storeHooks?: StoreHooks;
  readonly openLink?: IntakeParts['openLink'];
  readonly listen?: Listen;
  readonly createUplink?: (settings: UpstreamSettings) => Uplink;
  readonly freeSpace?: HealthParts['freeSpace'];
  /** 0 to below 1, for jitter. */
  readonly random?: () => number;
}

export interface Gateway {
  readonly store: Store;
  readonly classes: Classes;
  /** Opens the page's port and starts every unit; throws when the port is taken. */
  start(): Promise<void>;
  /** Ends everything within `STOP_MS`; safe to call twice. */
  stop(): Promise<void>;
  status(): GatewayStatus;
  /** Whether the system clock is known to be synchronised; asked for every punch, so it reads one word of memory. */
  clockTrusted(): boolean;
  url(): string;
  /** Tries the platform now. */
  connectNow(): void;
}

export const STOP_MS = 4500;
/** The one signing key of this gateway, in `dataDir/keys/`. */
export const SIGNING_KEY = 'gateway';

interface Upstream {
  readonly settings: UpstreamSettings;
  readonly forward: Forward;
  readonly bell: Doorbell;
  readonly units: readonly Unit[];
}

const keyFile = (dataDir: string): string => join(dataDir, 'keys', `${SIGNING_KEY}.pem`);

/**
 * Batches were signed on this disk, and the key that signed them is gone. It is never replaced silently: a new key needs a
 * new registration at the platform, which is a person's decision (`rollcall keys` makes it).
 */
function signingKeyIsLost(settings: Settings, store: Store): boolean {
  const signed = settings.upstreams.some((one) => (store.upstream(one.id)?.headSeq ?? 0) > 0);
  return signed && !existsSync(keyFile(settings.dataDir)) && !existsSync(`${keyFile(settings.dataDir)}.previous`);
}

/** The signing key of this gateway; made on first use. */
export function signingKeyOf(dataDir: string): Signer {
  return createSigner(loadOrCreateSigningKey(dataDir, SIGNING_KEY).privateKey);
}

/** What every terminal's intake shares. */
interface IntakeShared {
  readonly switchboard: Switchboard;
  readonly enrolments: ReadonlyMap<string, Enrolment>;
  readonly store: Store;
  readonly classes: Classes;
  readonly links: Links;
  readonly policy: Policy;
  readonly bell: Bell;
}

function buildIntake(terminal: TerminalSettings, parts: GatewayParts, shared: IntakeShared): Intake {
  const { store, classes, links, policy, bell, switchboard } = shared;
  const { clock: rule } = policy;
  const enrolment = shared.enrolments.get(terminal.id);
  const nextCall = (signal: AbortSignal): ReturnType<Switchboard['next']> => switchboard.next(terminal.id, signal);
  return createIntake({
    terminal: {
      id: terminal.id,
      driver: terminal.driver,
      options: terminal.options,
      reach: terminal.reach,
      zone: terminal.timeZone,
      pollMs: terminal.pollSeconds * 1000,
      serial: terminal.serial,
      setClock: terminal.clock.set === 'auto',
      clockStepMaxMs: terminal.clock.maxStepSeconds * 1000,
      clockOkMs: rule.okSeconds * 1000,
      definition:
        terminal.model === null || terminal.definitionHash === null
          ? null
          : { id: terminal.model, hash: terminal.definitionHash },
    },
    store,
    openLink: (reach, signal) =>
      isListening(reach) ? nextCall(signal) : (parts.seams?.openLink ?? links.open)(reach, signal),
    // A terminal that is dialled by HTTP may push as well; on a serial line or a dialled socket nobody calls.
    nextCall: terminal.driver.called && /^https?$|-listen$/.test(terminal.reach.kind) ? nextCall : null,
    ...(enrolment ? { enrol: (session, serial, signal) => enrolment.step(session, serial, signal) } : {}),
    clock: parts.clock,
    wire: parts.wire,
    log: parts.log,
    bell,
    ...punchMeaning(classes, policy),
    daysTouchedByOutage: (endsAt) => daysTouchedByOutage(store, classes.all(), terminal.id, endsAt),
  });
}

function buildUpstream(
  settings: UpstreamSettings,
  parts: GatewayParts,
  shared: { readonly store: Store; readonly signer: Signer; readonly journal: Bell; readonly hello: () => HelloFacts },
): Upstream {
  const { store, signer, journal, hello } = shared;
  const timings: UplinkTimings = { ...UPLINK_TIMINGS, spreadMs: settings.spreadSeconds * 1000, ...parts.timings };
  const fields = { ...DEFAULT_FIELD_SET, ...settings.fieldSet };
  const sealBell = createDoorbell(parts.wire);
  const outboxBell = createDoorbell(parts.wire);
  const forward = createForward({
    upstream: settings.id,
    store,
    uplink: parts.seams?.createUplink?.(settings) ?? createMqttUplink({ settings, wire: parts.wire, timings }),
    clock: parts.clock,
    wire: parts.wire,
    timings,
    signer: () => signer,
    platformKeys: platformKeysOf(settings, store.dir),
    outboxBell,
    journalBell: journal,
    log: parts.log,
    helloFacts: hello,
    ...(parts.seams?.random ? { random: parts.seams.random } : {}),
  });
  const seal = createSeal({
    upstream: settings.id,
    gw: settings.gw,
    aud: settings.aud,
    store,
    clock: parts.clock,
    wire: parts.wire,
    fields,
    signer: () => signer,
    journalBell: sealBell,
    // A restored old disk must hear the platform before it seals under numbers that are used already.
    hold: () => !forward.heard(),
    outboxBell,
    lingerMs: parts.lingerMs ?? settings.lingerSeconds * 1000,
    slow: () => forward.slow(),
    batchBytesMax: () => forward.batchBytesMax(),
  });
  return { settings, forward, bell: sealBell, units: [forward.unit, seal.unit] };
}

/** The configured key set, and the newest one that the platform itself has announced since, kept beside our own keys. */
function platformKeysOf(settings: UpstreamSettings, dataDir: string): PlatformKeys {
  const file = join(dataDir, 'keys', `platform-${settings.id}.jws`);
  const kept = readDurably(file, (bytes) => bytes.toString('utf8'));
  return createPlatformKeys({
    sets: kept === null ? [settings.platformKeys] : [settings.platformKeys, kept],
    root: settings.platformRootKey ?? undefined,
    keep: (jws) => writeDurably(file, Buffer.from(jws)),
  });
}

/** Builds everything; nothing runs until `start`. `faults` are those of the settings: their units are parked and shown. */
export function buildGateway(settings: Settings, faults: readonly SettingsFault[], parts: GatewayParts): Gateway {
  const { clock, wire, log, seams = {} } = parts;
  const policies = openPolicies({ ...settings.policy, site: settings.policy.preset });
  const site = policies.ofSite();
  const store = openStore({
    dir: settings.dataDir,
    clock,
    software: parts.version,
    log,
    ...(seams.storeHooks ? { hooks: seams.storeHooks } : {}),
  });
  const links = createLinks({ clock: wire, log });
  const parked = faults.filter((fault) => fault.unit !== null && fault.severity === 'error').map(parkedPart);
  const classes = openClasses(store, {
    clock,
    zone: settings.site.timeZone,
    policies,
    // A terminal that is parked is still a terminal: classes may be assigned to it meanwhile.
    terminals: [
      ...settings.terminals.map((terminal) => terminal.id),
      ...parked.flatMap((one) => (one.unit.startsWith('terminal:') ? [one.unit.slice('terminal:'.length)] : [])),
    ],
  });
  const creditBell = createDoorbell(clock);
  const upstreams: Upstream[] = [];
  const sealBells: Bell = { ring: () => upstreams.forEach((one) => one.bell.ring()) };
  const everyone = chime(creditBell, sealBells);
  const health = createHealth({
    store,
    clock,
    log,
    bell: sealBells,
    notify: parts.notify ?? (() => undefined),
    watchdogMs: parts.watchdogMs ?? null,
    ...(parts.timeSource ? { timeSource: parts.timeSource } : {}),
    ...(seams.freeSpace ? { freeSpace: seams.freeSpace } : {}),
  });
  const signer = signingKeyIsLost(settings, store) ? null : signingKeyOf(settings.dataDir);
  const hello = (): HelloFacts => {
    const { clock: source, disk } = health.status();
    return {
      sw: parts.version,
      clock: { src: source.source === 'ntp' ? 'ntp' : 'none' },
      disk: { freeMb: disk.freeMb ?? 0, outboxMb: 0 },
    };
  };
  for (const one of settings.upstreams) {
    try {
      if (signer === null) throw fail('signing-key-lost', { path: keyFile(settings.dataDir) });
      upstreams.push(buildUpstream(one, parts, { store, signer, journal: sealBells, hello }));
    } catch (error) {
      // Keys or files of this one upstream are unusable; the rest of the house must not suffer for it.
      const known = asGatewayError(error);
      if (known.kind !== 'settings') throw known;
      parked.push({ unit: `upstream:${one.id}`, trouble: troubleOf(known) });
    }
  }
  const switchboard = createSwitchboard({
    terminals: settings.terminals,
    drivers: settings.drivers,
    zone: settings.site.timeZone,
    ...{ clock, wire, log },
  });
  const receptions = settings.ports.map((reach) =>
    createReception(reach, switchboard, seams.listen ?? ((on, onLink, signal) => links.listen(on, onLink, signal))),
  );
  const enrolments = new Map(
    settings.terminals
      .filter((one) => one.pushesRoster)
      .map(({ id, capabilities }) => {
        const parts = { terminalId: id, capabilities, store, classes, clock, zone: settings.site.timeZone, log };
        return [id, createEnrolment(parts)];
      }),
  );
  const shared = { store, classes, links, policy: site, bell: everyone, switchboard, enrolments };
  const intakes = new Map(settings.terminals.map((terminal) => [terminal.id, buildIntake(terminal, parts, shared)]));
  const credit = createCreditUnit({
    store,
    classes,
    clock,
    bell: creditBell,
    next: sealBells,
    lastDrainedAt: (id) => intakes.get(id)?.status().lastDrainedAt ?? null,
  });

  const stopping = new AbortController();
  const startedAt = clock.now();
  let running: readonly Supervised[] = [];
  let stopped: Promise<void> | null = null;
  const status = (): GatewayStatus =>
    gatewayStatus({
      settings,
      parts,
      store,
      classes: classStatuses(store, classes, clock, settings.site.timeZone),
      health,
      ...{ intakes, enrolments, upstreams, parked },
      running,
      unclaimed: switchboard.unclaimed(),
      startedAt,
      stopping: stopping.signal.aborted,
    });
  const web: Web = createWeb({
    host: settings.web.host,
    port: settings.web.port,
    status,
    healthy: () => !stopping.signal.aborted,
    log,
  });
  const units: readonly Unit[] = [
    ...upstreams.flatMap((one) => one.units),
    credit,
    ...intakes.values(),
    ...receptions,
    health,
    web.unit,
  ];

  const stop = async (): Promise<void> => {
    stopping.abort(new Error('stopping'));
    const never = new AbortController().signal;
    const ended = Promise.all(running.map((one) => one.done)).then(() => links.close());
    if ((await within(wire, STOP_MS, never, ended)) === 'late')
      log.warn({ unit: 'gateway' }, 'some units did not end in time; closing the store all the same');
    store[Symbol.dispose]();
  };

  return {
    store,
    classes,
    async start() {
      try {
        await web.listen();
      } catch (error) {
        await links.close();
        store[Symbol.dispose]();
        throw error;
      }
      running = units.map((unit) =>
        supervise(unit, {
          clock: wire,
          log,
          signal: stopping.signal,
          ...(parts.onFatal ? { onFatal: parts.onFatal } : {}),
          ...(seams.random ? { random: seams.random } : {}),
        }),
      );
      parts.notify?.('READY=1');
      log.info(
        {
          version: parts.version,
          page: web.url(),
          terminals: intakes.size,
          upstreams: upstreams.length,
          parked: parked.length,
        },
        'ready',
      );
    },
    stop: () => (stopped ??= stop()),
    status,
    clockTrusted: () => health.clockTrusted(),
    url: () => web.url(),
    connectNow: () => upstreams.forEach((one) => one.forward.connectNow()),
  };
}
