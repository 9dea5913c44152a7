/**
 * From an access record to the punch model of the drivers. A punch is a granted record with a person; refusals and doors are
 * none. Only methods 1 (card) and 15 (face) are agreed between sources, so the others keep their number and say `unknown`;
 * the states of attendance beyond 1 and 2 are uncertain in the same way. `Type` is the side of the door and no direction.
 */
import type { Direction, PunchSource, Verify } from '../../core/punch-words.js';
import { wallTime } from '../../core/time.js';
import type { PunchRecord } from '../driver.js';
import { accessOf, type Access, type Group } from './codec.js';
import type { Correction } from './correction.js';
import type { DahuaOptions } from './options.js';

const VERIFY: Readonly<Record<string, Verify>> = { 1: 'card', 15: 'face' };
const DIRECTION: Readonly<Record<string, Direction>> = { 1: 'in', 2: 'out' };
/** Stands where a record holds no time that can be read: an impossible date, so the punch is kept and asks for a person. */
const NO_TIME = wallTime(0, 0, 0, 0, 0, 0);

export interface Read {
  readonly access: Access;
  /** Null when the record is no punch. */
  readonly punch: PunchRecord | null;
}

export function readRecord(
  group: Group,
  options: Pick<DahuaOptions, 'verifyMap' | 'directionMap'>,
  wallOf: Correction['wallOf'],
  source: PunchSource,
): Read {
  const access = accessOf(group.fields);
  if (!access.granted || access.userId === '') return { access, punch: null };
  const method = access.method === null ? '' : String(access.method);
  const attendance = access.attendance === null ? '' : String(access.attendance);
  return {
    access,
    punch: {
      deviceUserId: access.userId,
      deviceUid: null,
      wallTime: wallOf(access.told) ?? NO_TIME,
      direction: options.directionMap?.[attendance] ?? DIRECTION[attendance] ?? 'unknown',
      directionRaw: access.attendance,
      verify: options.verifyMap?.[method] ?? VERIFY[method] ?? 'unknown',
      verifyRaw: access.method,
      score: null,
      seq: access.recNo,
      source,
      raw: group.raw,
    },
  };
}
