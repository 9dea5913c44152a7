/**
 * The events of an FC-8x00 "Door8800" terminal, told by the frames (store 1, byte "event") and by HTTP push v2
 * (`RecordType`) alike: which of them is a punch, and by which method. Refusals and changes of the list of people are no
 * punches. Numbers after the vendor's published client libraries (FCARDIO.Protocol.Door) and its HTTPv2 text.
 */
import type { Direction, Verify } from '../core/punch-words.js';

/** 15 repeated, 25 free pass, 29 about to expire and 31 visitor code tell no method. */
const METHODS: Readonly<Record<number, Verify>> = {
  1: 'card',
  2: 'finger',
  3: 'face',
  10: 'password',
  15: 'unknown',
  25: 'unknown',
  29: 'unknown',
  31: 'unknown',
  32: 'qr',
  36: 'palm',
  46: 'unknown',
  47: 'card',
};

const isCombination = (event: number): boolean =>
  (event >= 4 && event <= 9) || (event >= 11 && event <= 14) || (event >= 37 && event <= 43);

/** By which method, or null when the event is no punch. */
export const methodOf = (event: number): Verify | null => METHODS[event] ?? (isCombination(event) ? 'combo' : null);

const EVENTS: Partial<Record<Verify, number>> = {
  card: 1,
  finger: 2,
  face: 3,
  combo: 5,
  password: 10,
  unknown: 15,
  qr: 32,
  palm: 36,
};

/** The event with which a terminal records a method; for simulators. */
export const eventOf = (verify: Verify | undefined): number => EVENTS[verify ?? 'face'] ?? 3;

/** "Access" of the frames: 1 in, 2 out. */
export const directionOf = (access: number): Direction => (access === 1 ? 'in' : access === 2 ? 'out' : 'unknown');
