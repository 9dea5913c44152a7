/**
 * The numbers of the ZKTeco standalone protocol and their names: commands, replies, event bits, verification methods
 * and attendance states. Sources: adrobinoga/zk-protocol (wire captures) and the clients named in README.md. Codes that
 * are missing here are no error: they are shown as numbers and kept raw.
 */
import type { Direction, Verify } from '../../core/punch-words.js';

export const COMMAND = {
  DB_RRQ: 7,
  USER_WRQ: 8,
  USERTEMP_RRQ: 9,
  /** Writing of templates; never sent by us, known so that captures can be scrubbed. */
  USERTEMP_WRQ: 10,
  OPTIONS_RRQ: 11,
  OPTIONS_WRQ: 12,
  ATTLOG_RRQ: 13,
  DELETE_USER: 18,
  OPLOG_RRQ: 34,
  GET_FREE_SIZES: 50,
  STATE_RRQ: 64,
  GET_TIME: 201,
  SET_TIME: 202,
  REG_EVENT: 500,
  CONNECT: 1000,
  EXIT: 1001,
  ENABLE: 1002,
  DISABLE: 1003,
  RESTART: 1004,
  POWEROFF: 1005,
  REFRESHDATA: 1013,
  REFRESHOPTION: 1014,
  GET_VERSION: 1100,
  AUTH: 1102,
  PREPARE_DATA: 1500,
  DATA: 1501,
  FREE_DATA: 1502,
  DATA_WRRQ: 1503,
  DATA_RDY: 1504,
  ACK_OK: 2000,
  ACK_ERROR: 2001,
  ACK_DATA: 2002,
  ACK_RETRY: 2003,
  ACK_REPEAT: 2004,
  ACK_UNAUTH: 2005,
  ERROR_DATA: 0xfffb,
  ERROR_INIT: 0xfffc,
  ERROR_COMMAND: 0xfffd,
  UNKNOWN: 0xffff,
} as const;

const NAMES = new Map<number, string>(Object.entries(COMMAND).map(([name, code]) => [code, name]));

/** Whether a packet may begin with this code. */
export function isKnownCommand(code: number): boolean {
  return NAMES.has(code);
}

/** `CONNECT`, or `1234?` for a code we do not know. */
export function commandName(code: number): string {
  return NAMES.get(code) ?? `${code}?`;
}

/** Answers by which a terminal says that it cannot or will not. */
export function isRefusal(code: number): boolean {
  return code === COMMAND.ACK_ERROR || code >= COMMAND.ERROR_DATA;
}

/** Bit 0 of the event mask, and the event code of an attendance event. */
export const EVENT_ATTENDANCE = 1;

const VERIFY: Readonly<Record<number, Verify>> = {
  0: 'password',
  1: 'finger',
  2: 'card',
  3: 'password',
  4: 'card',
  15: 'face',
  21: 'finger',
  25: 'palm',
};

/** Firmwares with several methods a person (`~UserExtFmt=1`) may add 128. 5 to 20 without 15 are combinations. */
export function verifyOf(code: number): Verify {
  const plain = code >= 128 && code < 160 ? code - 128 : code;
  if (plain >= 5 && plain <= 20 && plain !== 15) return 'combo';
  return VERIFY[plain] ?? 'unknown';
}

/** The code by which a simulator says a method; what has no code is a face. */
export function verifyCode(verify: Verify): number {
  const codes: Partial<Record<Verify, number>> = { password: 0, finger: 1, card: 2, face: 15, palm: 25, combo: 16 };
  return codes[verify] ?? 15;
}

const DIRECTIONS: readonly Direction[] = ['in', 'out', 'break-out', 'break-in', 'ot-in', 'ot-out'];

export function directionOf(code: number): Direction {
  return DIRECTIONS[code] ?? 'unknown';
}

export function directionCode(direction: Direction): number {
  const code = DIRECTIONS.indexOf(direction);
  return code < 0 ? 255 : code;
}
