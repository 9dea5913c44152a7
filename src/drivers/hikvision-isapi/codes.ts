/**
 * What the numbers and words of an access event mean. Minor codes of major 5 after the list of the vendor's SDK
 * (`MINOR_LEGAL_CARD_PASS` 1 and on); majors 1, 2 and 3 use the same minors for other things, so the major is always asked
 * first. A minor that is neither in the pass table nor among the known others is not dropped when it names a person.
 */
import type { Direction, Verify } from '../../core/punch-words.js';

export const MAJOR_EVENT = 5;

/** Somebody was let in. 54 to 66, 75 and 77 all show a face to the camera. */
export const PASS: Readonly<Record<number, Verify>> = {
  1: 'card',
  2: 'combo',
  16: 'combo',
  38: 'finger',
  40: 'combo',
  43: 'combo',
  46: 'combo',
  54: 'face',
  57: 'face',
  60: 'face',
  63: 'face',
  66: 'face',
  69: 'finger',
  72: 'combo',
  75: 'face',
  77: 'face',
  101: 'password',
  153: 'combo',
};

/** Failures, time-outs, doors, locks, buttons and bells: no punches, whoever they name. */
const OTHERS: ReadonlySet<number> = new Set([
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  ...[17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 37],
  ...[39, 41, 42, 44, 45, 47, 48, 49, 51, 52, 53, 55, 56, 58, 59, 61, 62, 64, 65, 67, 68],
  ...[70, 71, 73, 74, 76, 78, 79, 80, 102, 103, 154],
]);

export type Kind = 'pass' | 'other' | 'unclassified';

export function kindOf(major: number, minor: number, passMinors: readonly number[] | undefined): Kind {
  if (major !== MAJOR_EVENT) return 'other';
  if (passMinors ? passMinors.includes(minor) : Object.hasOwn(PASS, minor)) return 'pass';
  return OTHERS.has(minor) || Object.hasOwn(PASS, minor) ? 'other' : 'unclassified';
}

/** attendanceStatus in small letters; `undefined` means that no function keys are configured. */
const STATUS: Readonly<Record<string, Direction>> = {
  checkin: 'in',
  checkout: 'out',
  breakout: 'break-out',
  breakin: 'break-in',
  overtimein: 'ot-in',
  overtimeout: 'ot-out',
};

export function directionOf(status: string, map: Readonly<Record<string, Direction>> | undefined): Direction {
  const word = status.toLowerCase();
  const own = map && Object.hasOwn(map, word) ? map[word] : undefined;
  return own ?? (Object.hasOwn(STATUS, word) ? STATUS[word] : undefined) ?? 'unknown';
}

/** For the simulator: how a terminal writes a direction. */
export const STATUS_WORDS: Readonly<Record<Direction, string>> = {
  in: 'checkIn',
  out: 'checkOut',
  'break-out': 'breakOut',
  'break-in': 'breakIn',
  'ot-in': 'overtimeIn',
  'ot-out': 'overTimeOut',
  unknown: 'undefined',
};

/** For the simulator: the minor of a method. */
export function minorOf(verify: Verify): number {
  if (verify === 'face') return 75;
  return Number(Object.entries(PASS).find(([, one]) => one === verify)?.[0] ?? 75);
}
