/** Gathers what every unit says of itself into one status: the body of `/readyz`. Reads memory and two indexed counts. */
import { fail, type GatewayError } from './core/errors.js';
import type { Instant } from './core/time.js';
import type { Supervised, UnitStatus } from './core/unit.js';
import type { Enrolment } from './flows/enrol.js';
import type { Forward, UpstreamStatus } from './flows/forward.js';
import type { Health } from './flows/health.js';
import type { Intake } from './flows/intake.js';
import type { Unclaimed } from './flows/reception.js';
import type { Settings } from './settings.js';
import type { SettingsFault } from './settings/files.js';
import type { UpstreamSettings } from './settings/entries.js';
import type { Pending, Store } from './store/store.js';
import type { ClassStatus, GatewayStatus, PartStatus, Trouble } from './web/status.js';

/** A unit that cannot run because of its settings. */
export interface Parked {
  readonly unit: string;
  readonly trouble: Trouble;
}

export interface StatusSources {
  readonly settings: Settings;
  readonly parts: { readonly version: string };
  readonly store: Store;
  readonly classes: readonly ClassStatus[];
  readonly health: Health;
  readonly intakes: ReadonlyMap<string, Intake>;
  readonly enrolments: ReadonlyMap<string, Enrolment>;
  readonly upstreams: readonly { readonly settings: UpstreamSettings; readonly forward: Forward }[];
  readonly parked: readonly Parked[];
  readonly running: readonly Supervised[];
  readonly unclaimed: readonly Unclaimed[];
  readonly startedAt: Instant;
  readonly stopping: boolean;
}

export function troubleOf(error: GatewayError): Trouble {
  const [en, zh] = [error.explain('en'), error.explain('zh')];
  return { code: error.code, en: en.what, zh: zh.what, remedyEn: en.remedy, remedyZh: zh.remedy };
}

export function parkedPart(fault: SettingsFault): Parked {
  const { code, en, zh, remedyEn, remedyZh } = fault;
  return { unit: fault.unit ?? '', trouble: { code, en, zh, remedyEn, remedyZh } };
}

/** Until a terminal is read again, the last error says why it is not. */
const GOOD_STATES = new Set<string>(['live', 'waiting']);

function terminalPart(intake: Intake, unit: UnitStatus | undefined, enrolment: Enrolment | undefined): PartStatus {
  const own = intake.status();
  const parked = unit?.state === 'parked';
  const failing = parked || !GOOD_STATES.has(own.state);
  const {
    id,
    state,
    since,
    serial,
    model,
    firmware,
    offsetMs,
    lastDrainedAt,
    lastPunchAt,
    stored,
    repeated,
    mismatch,
    findings,
  } = own;
  return {
    id,
    state: parked ? 'parked' : state,
    since: parked ? unit.since : since,
    trouble:
      failing && unit?.error ? troubleOf(unit.error) : mismatch ? troubleOf(fail('read-incomplete', mismatch)) : null,
    details: {
      reach: own.reach,
      driver: own.driver,
      serial,
      model,
      firmware,
      offsetMs,
      lastDrainedAt,
      lastPunchAt,
      stored,
      repeated,
      announced: mismatch?.announced ?? null,
      decoded: mismatch?.decoded ?? null,
      ...(enrolment ? peopleDetails(enrolment) : {}),
      ...Object.fromEntries(Object.entries(findings).map(([code, count]) => [`found:${code}`, count])),
    },
  };
}

/** How many of the people who belong there are in the terminal (R32). */
function peopleDetails(enrolment: Enrolment): PartStatus['details'] {
  const { enrolled, failed, waiting } = enrolment.counts();
  return { enrolled, enrolFailed: failed, enrolWaiting: waiting };
}

const UPSTREAM_WORDS: Readonly<Record<UpstreamStatus['state'], string>> = {
  offline: 'offline',
  connecting: 'connecting',
  greeting: 'greeting',
  online: 'connected',
  unanswered: 'unanswered',
  paused: 'paused',
  stopped: 'stopped',
};

/** What an upstream says of itself and what waits for it, asked once for the whole status. */
interface Delivery {
  readonly own: UpstreamStatus;
  readonly pending: Pending;
}

function upstreamPart({ own, pending }: Delivery): PartStatus {
  const { error } = own;
  return {
    id: own.id,
    state: UPSTREAM_WORDS[own.state],
    since: own.since,
    trouble: error
      ? { code: error.code, en: error.en.what, zh: error.zh.what, remedyEn: error.en.remedy, remedyZh: error.zh.remedy }
      : null,
    details: {
      pendingRecords: pending.records,
      pendingBatches: pending.batches,
      oldestPendingAt: pending.oldestAt,
      lastAckAt: own.lastAckAt,
      mqtt: own.version,
      window: own.window,
      notes: own.notes,
      rejections: own.rejections,
      resends: own.resends,
      alarm: own.alarm,
    },
  };
}

function diskTrouble(state: string): Trouble | null {
  if (state !== 'critical') return null;
  return {
    code: 'store-failed',
    en: 'The disk is almost full.',
    zh: '磁盘空间即将用尽。',
    remedyEn: 'Free space or fit a larger disk; punches stay in the terminals when the gateway cannot store them.',
    remedyZh: '请清理或更换磁盘；网关无法存储时，打卡记录保留在考勤机中。',
  };
}

/** The last write failed: terminals keep their punches until one works again (F3, F4). */
function writeTrouble(store: Store): Trouble | null {
  const { failures, reason } = store.disk;
  return failures === 0 ? null : troubleOf(fail('store-failed', { reason: reason ?? 'unknown' }));
}

function storeDetails(store: Store): PartStatus['details'] {
  const { failures, refusing, walBytes, verifiedN } = store.disk;
  return { writeFailures: failures, refusing, walMb: Math.round(walBytes / 1_048_576), verifiedUpTo: verifiedN };
}

const oldest = (times: readonly (number | null)[]): Instant | null => {
  const known = times.filter((time): time is number => time !== null);
  return known.length === 0 ? null : (Math.min(...known) as Instant);
};

export function gatewayStatus(from: StatusSources): GatewayStatus {
  const { settings, store, health, running, parked } = from;
  const units = running.map((one) => one.status());
  const unitOf = (name: string): UnitStatus | undefined => units.find((unit) => unit.name === name);
  const parkedParts = (kind: string): PartStatus[] =>
    parked
      .filter((one) => one.unit.startsWith(`${kind}:`))
      .map((one) => ({
        id: one.unit.slice(kind.length + 1),
        state: 'parked',
        since: from.startedAt,
        trouble: one.trouble,
        details: {},
      }));
  const terminals = [
    ...[...from.intakes.values()].map((one) =>
      terminalPart(one, unitOf(one.name), from.enrolments.get(one.status().id)),
    ),
    ...parkedParts('terminal'),
  ];
  const deliveries: readonly Delivery[] = from.upstreams.map((one) => ({
    own: one.forward.status(),
    pending: store.pending(one.settings.id),
  }));
  const upstreams = [...deliveries.map(upstreamPart), ...parkedParts('upstream')];
  const { clock, disk, loopDelayP99Ms, storage } = health.status();
  const diskPart: PartStatus = {
    id: 'data',
    state: disk.state,
    since: disk.since,
    trouble: storage ? troubleOf(storage) : (writeTrouble(store) ?? diskTrouble(disk.state)),
    details: { freeMb: disk.freeMb, ...storeDetails(store) },
  };
  const broken = units.filter((unit) => unit.error && (unit.state === 'backing-off' || unit.state === 'parked'));
  const unitTroubles = broken
    .filter((unit) => !unit.name.startsWith('terminal:'))
    .flatMap((unit) => (unit.error ? [troubleOf(unit.error)] : []));
  const reasons = [...terminals, ...upstreams, diskPart]
    .flatMap((part) => (part.trouble ? [part.trouble] : []))
    .concat(unitTroubles);
  return {
    ready:
      !from.stopping &&
      running.length > 0 &&
      broken.every((unit) => /^(?:terminal|forward|port):/.test(unit.name)) &&
      disk.state !== 'critical' &&
      !store.disk.refusing,
    reasons,
    site: [settings.site.institution, settings.site.name, settings.site.room]
      .filter((word) => word !== null && word !== '')
      .join(' · '),
    timeZone: settings.site.timeZone,
    version: from.parts.version,
    startedAt: from.startedAt,
    pendingRecords: deliveries.reduce((sum, one) => sum + one.pending.records, 0),
    pendingBatches: deliveries.reduce((sum, one) => sum + one.pending.batches, 0),
    oldestPendingAt: oldest(deliveries.map((one) => one.pending.oldestAt)),
    lastAckAt: deliveries
      .map((one) => one.own.lastAckAt)
      .reduce<Instant | null>((latest, at) => (at !== null && (latest === null || at > latest) ? at : latest), null),
    punches: store.punchCount(),
    journal: store.head(),
    keysSealed: store.keysSealed,
    terminals,
    classes: from.classes,
    unclaimed: from.unclaimed,
    cameras: [],
    upstreams,
    disk: diskPart,
    clock: {
      id: 'system',
      state: clock.trusted ? 'ok' : clock.source === 'unknown' ? 'unknown' : 'untrusted',
      since: clock.since,
      trouble: null,
      details: { source: clock.source },
    },
    units: units.map(({ name, state, since, restarts }) => ({ name, state, since, restarts })),
    loopDelayP99Ms,
  };
}
