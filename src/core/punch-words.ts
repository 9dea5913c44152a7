/**
 * The words of a punch that every room uses: where the person went, how they were verified, how the record came. Terminals
 * tell them in codes of their own; drivers translate, rules and batches only know these (punch model of the drivers).
 */

export const DIRECTIONS = ['in', 'out', 'break-out', 'break-in', 'ot-in', 'ot-out', 'unknown'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export const VERIFIES = [
  'face',
  'finger',
  'card',
  'password',
  'palm',
  'iris',
  'qr',
  'combo',
  'remote',
  'unknown',
] as const;
export type Verify = (typeof VERIFIES)[number];

export type PunchSource = 'realtime' | 'poll' | 'push' | 'replay';
