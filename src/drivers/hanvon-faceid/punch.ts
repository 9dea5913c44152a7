/** A record of GetRecord as a punch: when, who, how verified, which way. Codes that no source explains stay `unknown` with their text. */
import type { Direction, PunchSource, Verify } from '../../core/punch-words.js';
import type { WallTime } from '../../core/time.js';
import type { PunchRecord } from '../driver.js';
import { latin, parseTime, recordBytes, valueOf, type RecordPairs } from './codec.js';
import type { HanvonOptions } from './options.js';

/** Methods by word (field `type`), and by the bits of the S7150A (field `enterType`); the maker's manual V3.3. */
const METHODS: Readonly<Record<string, Verify>> = {
  face: 'face',
  card: 'card',
  'card&photo': 'card',
  'card&face': 'combo',
  'face&card': 'combo',
  'num&face': 'face',
  finger: 'finger',
  fp: 'finger',
  '0X01': 'face',
  '0X02': 'card',
  '0X04': 'combo',
  '0X08': 'card',
};

/** Duty as the person chose it (field `card_type`). */
const DUTIES: Readonly<Record<string, Direction>> = {
  cardtype_on: 'in',
  on: 'in',
  cardtype_addon: 'ot-in',
  addon: 'ot-in',
  cardtype_back: 'break-in',
  back: 'break-in',
  cardtype_off: 'out',
  off: 'out',
  cardtype_addoff: 'ot-out',
  addoff: 'ot-out',
  cardtype_out: 'break-out',
  out: 'break-out',
};

type PunchOptions = Pick<HanvonOptions, 'directionMap' | 'verifyMap'>;

function methodOf(pairs: RecordPairs, options: PunchOptions): Pick<PunchRecord, 'verify' | 'verifyRaw'> {
  const told = valueOf(pairs, 'type') ?? valueOf(pairs, 'check_type') ?? valueOf(pairs, 'enterType');
  // These are face clocks: a record that tells no method was made by a face (maker's manual V3.3, GetRecord).
  if (told === null || told === '') return { verify: 'face', verifyRaw: null };
  const word = told.startsWith('0x') ? `0X${told.slice(2)}` : told;
  return { verify: options.verifyMap?.[told] ?? METHODS[word] ?? 'unknown', verifyRaw: told.slice(0, 64) };
}

function directionOf(pairs: RecordPairs, options: PunchOptions): Pick<PunchRecord, 'direction' | 'directionRaw'> {
  const status = valueOf(pairs, 'status') ?? '';
  const directionRaw = /^\d{1,9}$/.test(status) ? Number(status) : null;
  const duty = valueOf(pairs, 'card_type');
  const direction = (duty === null ? undefined : DUTIES[duty]) ?? options.directionMap?.[status] ?? 'unknown';
  return { direction, directionRaw };
}

/** The time as the display showed it; a text without the form of a time stays that text, which is then no time. */
export const timeOf = (pairs: RecordPairs): WallTime => {
  const told = latin(pairs[0]?.value ?? null);
  return parseTime(told) ?? (told.replace(/[^\x20-\x7e]/g, '?').slice(0, 32) as WallTime);
};

export function punchOf(pairs: RecordPairs, options: PunchOptions, source: PunchSource): PunchRecord {
  return {
    deviceUserId: (valueOf(pairs, 'id') ?? '').slice(0, 64),
    deviceUid: null,
    wallTime: timeOf(pairs),
    ...directionOf(pairs, options),
    ...methodOf(pairs, options),
    score: null,
    seq: null,
    source,
    raw: recordBytes(pairs),
  };
}
