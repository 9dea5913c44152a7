/**
 * A line of the log as a punch: who, when, how. What is no punch is told apart here: id 0 is the door speaking, and a
 * stranger is nobody. The numbers for a method contradict each other between published text and terminals, so there are two
 * profiles, chosen by firmware where that is known; a number that nobody vouches for is `unknown` and keeps its number.
 */
import type { Direction, Verify } from '../../core/punch-words.js';
import type { PunchRecord } from '../driver.js';
import type { LogRecord } from './codec.js';
import type { DeviceClock } from './device-clock.js';
import type { AifaceOptions } from './options.js';

export type VerifyProfile = 'A' | 'B';

/** A: the note about logs in the vendor's text 2.7. B: observed on TH900_click V5.0. Both agree on 8. */
export const PROFILES: Readonly<Record<VerifyProfile, Readonly<Record<number, Verify>>>> = {
  A: { 0: 'finger', 1: 'card', 2: 'password', 8: 'face' },
  B: { 1: 'finger', 2: 'card', 3: 'password', 8: 'face' },
};
/** Firmware whose numbers somebody has seen or its maker has written down. */
const PROFILE_OF_FIRMWARE: readonly (readonly [prefix: RegExp, profile: VerifyProfile])[] = [
  [/^th900_click/i, 'B'],
  [/^th600w/i, 'A'],
];
const QR = 13;
const DIRECTIONS: Readonly<Record<number, Direction>> = { 0: 'in', 1: 'out' };
/** Vendor's text 2.7, "Note: about the logs", in the order of its enumeration. */
export const DOOR_EVENTS = [
  'closed',
  'opened',
  'exit button',
  'opened by software',
  'closed by software',
  'opened by force',
  'terminal removed',
  'alarm input',
] as const;
/** Events somebody should look at: forced door, removed terminal, alarm. */
const ALARMING = 5;

export const isDoorEvent = (record: LogRecord): boolean => /^0+$/.test(record.enrollId) && !record.photo;
export const isAlarm = (record: LogRecord): boolean => isDoorEvent(record) && (record.event ?? 0) >= ALARMING;

/** Somebody whom the terminal does not know: id 0 with a photo, or one of the ids in the options. */
export function isStranger(record: LogRecord, options: Pick<AifaceOptions, 'strangerIds'>): boolean {
  return (/^0+$/.test(record.enrollId) && record.photo) || options.strangerIds.includes(record.enrollId);
}

export function isPunch(record: LogRecord, options: Pick<AifaceOptions, 'strangerIds' | 'strangers'>): boolean {
  if (isDoorEvent(record)) return false;
  return options.strangers === 'keep' || !isStranger(record, options);
}

export function profileOf(
  options: Pick<AifaceOptions, 'verifyProfile'>,
  firmware: string | null,
): VerifyProfile | null {
  if (options.verifyProfile !== 'auto') return options.verifyProfile;
  return PROFILE_OF_FIRMWARE.find(([prefix]) => firmware !== null && prefix.test(firmware))?.[1] ?? null;
}

function verifyOf(record: LogRecord, options: AifaceOptions, firmware: string | null): Verify {
  if (record.mode === null) return record.verifyMode === QR ? 'qr' : 'unknown';
  const known = options.verifyMap?.[String(record.mode)];
  if (known) return known;
  if (record.verifyMode === QR) return 'qr';
  const profile = profileOf(options, firmware);
  // 8 is a face in every table of this protocol; the rest is unknown until somebody has looked.
  return (profile === null ? (record.mode === 8 ? 'face' : undefined) : PROFILES[profile][record.mode]) ?? 'unknown';
}

export interface PunchFrame {
  readonly options: AifaceOptions;
  readonly firmware: string | null;
  readonly clock: Pick<DeviceClock, 'wallOf'>;
}

export function punchOf(
  record: LogRecord,
  { options, firmware, clock }: PunchFrame,
  source: PunchRecord['source'],
  seq: number | null = null,
): PunchRecord {
  const byKey = record.event === null ? undefined : options.keyMap?.[String(record.event)];
  const byReader =
    record.inout === null ? undefined : (options.directionMap?.[String(record.inout)] ?? DIRECTIONS[record.inout]);
  return {
    deviceUserId: record.enrollId,
    deviceUid: null,
    wallTime: clock.wallOf(record.time),
    direction: byKey ?? byReader ?? 'unknown',
    directionRaw: record.inout,
    verify: verifyOf(record, options, firmware),
    verifyRaw: record.mode,
    score: null,
    seq,
    source,
    raw: record.raw,
  };
}
