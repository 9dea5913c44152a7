/** An Anviz record as a punch: what the backup code and the attendance state mean, and when it was. */
import type { Direction, Verify } from '../../core/punch-words.js';
import type { PunchRecord } from '../driver.js';
import { secondsToWall, type AnvizRecord } from './codec.js';
import type { AnvizOptions } from './options.js';

/** Vendor's document, record layout, byte 10: bits 0 and 1 fingers, 2 password, 3 card; several bits: several methods. */
const VERIFY: Readonly<Record<number, Verify>> = { 1: 'finger', 2: 'finger', 4: 'password', 8: 'card' };
const STATES: Readonly<Record<number, Direction>> = { 0: 'in', 1: 'out' };
const KNOWN_BITS = 0x0f;

function verifyOf(backup: number, { verifyMap, faceCode }: Pick<AnvizOptions, 'verifyMap' | 'faceCode'>): Verify {
  const known = verifyMap?.[String(backup)] ?? (backup === faceCode ? 'face' : VERIFY[backup]);
  if (known) return known;
  // More than one of the four bits and nothing else: a combination. Anything else may be a template number.
  return backup !== 0 && (backup & ~KNOWN_BITS) === 0 ? (backup === 3 ? 'finger' : 'combo') : 'unknown';
}

export function punchOf(
  record: AnvizRecord,
  options: Pick<AnvizOptions, 'epoch' | 'directionMap' | 'verifyMap' | 'faceCode'>,
  source: PunchRecord['source'],
): PunchRecord {
  const state = record.state & 0x0f;
  return {
    deviceUserId: record.userId,
    deviceUid: null,
    wallTime: secondsToWall(record.seconds, options.epoch),
    direction: options.directionMap?.[String(state)] ?? STATES[state] ?? 'unknown',
    directionRaw: record.state,
    verify: verifyOf(record.backup, options),
    verifyRaw: record.backup,
    score: null,
    seq: null,
    source,
    raw: record.raw,
  };
}
