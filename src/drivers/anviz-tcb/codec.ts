/**
 * Anviz TC_B: bytes to messages and back, pure. Frame, checksum, commands and the record of 14 bytes, after the
 * vendor's protocol document as published with WhiteaglePT/node-anviz, corrected where frames seen on the wire say otherwise.
 *
 *   request   A5 | CH 4 | CMD 1           | LEN 2 | DATA | CRC lo hi      bit 7 of CMD clear
 *   answer    A5 | CH 4 | CMD+80 | RET 1  | LEN 2 | DATA | CRC lo hi      bit 7 of CMD set
 *
 * Big-endian except the CRC. It refuses to build a request that erases records: 0x4E exists here with type 2 only.
 */
import { hexWindow, Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import { instant, instantToWall, wallTime, wallToInstant, type WallTime, type Zone } from '../../core/time.js';
import type { FrameRule } from '../framing.js';

/** Commands by what they do. An answer carries the same number with bit 7 set. */
export const COMMAND = {
  search: 0x02,
  auth: 0x04,
  serial: 0x24,
  doorSensor: 0x2f,
  config1: 0x30,
  config2: 0x32,
  setConfig2: 0x33,
  clock: 0x38,
  setClock: 0x39,
  counters: 0x3c,
  records: 0x40,
  usersOld: 0x42,
  setUsersOld: 0x43,
  model: 0x48,
  deleteUser: 0x4c,
  clearNew: 0x4e,
  capacity: 0x5d,
  realTime: 0x5f,
  users: 0x72,
  setUsers: 0x73,
  address: 0x74,
  heartbeat: 0x7f,
} as const;

export type Command = (typeof COMMAND)[keyof typeof COMMAND];

export function commandName(command: number): string {
  const known = Object.entries(COMMAND).find(([, value]) => value === command);
  return known ? known[0] : `0x${command.toString(16).padStart(2, '0')}`;
}

/** Return codes of the vendor's document. */
export const RET: Readonly<Record<number, string>> = {
  0x00: 'ok',
  0x01: 'failed',
  0x04: 'full',
  0x05: 'no users',
  0x06: 'no such user',
  0x08: 'time-out',
  0x0a: 'user exists',
  0x0b: 'finger exists',
  0x0f: 'locked by USB',
};

const RET_ZH: Readonly<Record<number, string>> = {
  0x01: '失败',
  0x04: '已满',
  0x05: '没有人员',
  0x06: '没有此人',
  0x08: '超时',
  0x0a: '人员已存在',
  0x0b: '指纹已存在',
  0x0f: '被 USB 占用',
};

export const retText = (ret: number): string =>
  `RET ${ret.toString(16).padStart(2, '0')}${RET[ret] === undefined ? '' : ` (${RET[ret]})`}`;

/** The same for a Chinese sentence. */
export const retTextZh = (ret: number): string =>
  `返回码 ${ret.toString(16).padStart(2, '0')}${RET_ZH[ret] === undefined ? '' : `（${RET_ZH[ret]}）`}`;

export type Frame =
  | {
      readonly kind: 'request';
      readonly address: number;
      readonly command: number;
      readonly data: Uint8Array;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'answer';
      readonly address: number;
      /** Without bit 7. */
      readonly command: number;
      readonly ret: number;
      readonly data: Uint8Array;
      readonly bytes: Uint8Array;
    };

/** First byte of every frame; it occurs inside frames too. */
export const START = 0xa5;
const REQUEST_HEAD = 8;
const ANSWER_HEAD = 9;
/** The document's limit; templates (0x44, 0x45) are larger on the wire, up to what LEN can say. */
const DATA_MAX = 600;
const TEMPLATE_MAX = 0xffff;

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x8408 : value >>> 1;
  return value;
});

/** CRC-16/MCRF4XX over everything from A5 on; sent low byte first. */
export function crc(bytes: Uint8Array): number {
  let value = 0xffff;
  for (const byte of bytes) value = (value >>> 8) ^ (CRC_TABLE[(value ^ byte) & 0xff] ?? 0);
  return value;
}

function headOf(command: number): { readonly head: number; readonly dataMax: number } {
  const plain = command & 0x7f;
  return {
    head: command & 0x80 ? ANSWER_HEAD : REQUEST_HEAD,
    dataMax: plain === 0x44 || plain === 0x45 ? TEMPLATE_MAX : DATA_MAX,
  };
}

/** How a byte stream is cut: a small limit on LEN keeps an A5 inside noise from swallowing the frames behind it. */
export const frameRule: FrameRule = {
  sizeBytesMax: ANSWER_HEAD + TEMPLATE_MAX + 2,
  measure(at) {
    if (at[0] !== START) return 'no';
    const command = at[5];
    if (command === undefined) return 'more';
    const { head, dataMax } = headOf(command);
    const [high, low] = [at[head - 2], at[head - 1]];
    if (high === undefined || low === undefined) return 'more';
    const size = high * 256 + low;
    return size > dataMax ? 'no' : head + size + 2;
  },
  check(frame) {
    const end = frame.length - 2;
    const value = crc(frame.subarray(0, end));
    return frame[end] === (value & 0xff) && frame[end + 1] === value >>> 8;
  },
};

/**
 * The same for a line on which nobody asks for templates: no frame is long there, so that whoever sends beginnings of long
 * frames can neither make us wait for their ends nor check them again and again.
 */
export const lineRule: FrameRule = {
  ...frameRule,
  sizeBytesMax: ANSWER_HEAD + DATA_MAX + 2,
};

/** Takes a sound frame apart. Throws `short-frame` when it is none. */
export function parseFrame(bytes: Uint8Array): Frame {
  const reader = new Reader(bytes, 'big', 1);
  const address = reader.u32();
  const code = reader.u8();
  if ((code & 0x80) === 0) {
    return { kind: 'request', address, command: code, data: reader.take(reader.u16()), bytes };
  }
  const ret = reader.u8();
  return { kind: 'answer', address, command: code & 0x7f, ret, data: reader.take(reader.u16()), bytes };
}

function sealed(body: Writer): Uint8Array {
  const value = crc(body.bytes());
  return body
    .u8(value & 0xff)
    .u8(value >>> 8)
    .bytes();
}

const NONE = new Uint8Array(0);

/** A request. Throws `forbidden-request` (a bug) for 0x4E of any type but 2: types 0 and 1 erase records or flags that nobody has read. */
export function encodeRequest(address: number, command: Command, data: Uint8Array = NONE): Uint8Array {
  if (command === COMMAND.clearNew && data[0] !== 2) {
    throw fail('forbidden-request', { request: 'clear records (0x4E)', window: hexWindow(data, 0, 4) });
  }
  return sealed(new Writer('big').u8(START).u32(address).u8(command).u16(data.length).raw(data));
}

/** An answer, or an unsolicited real-time record: what a terminal sends. */
export function encodeAnswer(address: number, command: number, ret: number, data: Uint8Array = NONE): Uint8Array {
  return sealed(
    new Writer('big')
      .u8(START)
      .u32(address)
      .u8(command | 0x80)
      .u8(ret)
      .u16(data.length)
      .raw(data),
  );
}

/** First bytes of a list (2: new ones, 1: all), the next page (0), or the last page again (0x10). */
export type PageParameter = 1 | 2 | 0 | 0x10;

export const pageRequest = (parameter: PageParameter, count: number): Uint8Array => Uint8Array.of(parameter, count);

/** Clears the "new" flag of the oldest `count` new records; the records stay. */
export const clearNewRequest = (count: number): Uint8Array => new Writer('big').u8(2).u24(count).bytes();

/** User and password of 12 bytes each, NUL padded. */
export function authRequest(user: string, password: string): Uint8Array {
  return new Writer('big').field(Buffer.from(user, 'latin1'), 12).field(Buffer.from(password, 'latin1'), 12).bytes();
}

/** Set config 2 with every field kept (FF) but byte 5, the real-time mode (vendor's document, 0x33; bytes count from 1). */
export function realTimeRequest(on: boolean): Uint8Array {
  const data = new Uint8Array(15).fill(0xff);
  data[4] = on ? 1 : 0;
  return data;
}

/** Whether config 2 says that records are sent as they happen; null when the answer is too short to tell. */
export function decodeRealTime(data: Uint8Array): boolean | null {
  const mode = data[4];
  return mode === undefined ? null : mode !== 0;
}

/** `YY MM DD hh mm ss`, binary, year minus 2000. The date need not exist. */
export function decodeClock(data: Uint8Array): WallTime {
  const reader = new Reader(data, 'big');
  return wallTime(2000 + reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u8());
}

export function encodeClock(wall: WallTime): Uint8Array {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = wall.split(/[- :]/).map(Number);
  return new Writer('big')
    .u8(year - 2000)
    .u8(month)
    .u8(day)
    .u8(hour)
    .u8(minute)
    .u8(second)
    .bytes();
}

export interface Counters {
  readonly users: number;
  readonly fingers: number;
  readonly passwords: number;
  readonly cards: number;
  readonly records: number;
  readonly newRecords: number;
}

/** Six u24. The document prints LEN 0x22; terminals send 0x12. */
export function decodeCounters(data: Uint8Array): Counters {
  const reader = new Reader(data, 'big');
  return {
    users: reader.u24(),
    fingers: reader.u24(),
    passwords: reader.u24(),
    cards: reader.u24(),
    records: reader.u24(),
    newRecords: reader.u24(),
  };
}

export function encodeCounters(counters: Counters): Uint8Array {
  return new Writer('big')
    .u24(counters.users)
    .u24(counters.fingers)
    .u24(counters.passwords)
    .u24(counters.cards)
    .u24(counters.records)
    .u24(counters.newRecords)
    .bytes();
}

/** How much fits into a terminal; vendor's document, 0x5D: three u24. */
export interface Capacity {
  readonly users: number;
  readonly fingers: number;
  readonly records: number;
}

export function decodeCapacity(data: Uint8Array): Capacity {
  const reader = new Reader(data, 'big');
  return { users: reader.u24(), fingers: reader.u24(), records: reader.u24() };
}

/** Removes a person with everything that the terminal holds of them: mask FF. */
export const deleteUserRequest = (id: string): Uint8Array => new Writer('big').u40(Number(id)).u8(0xff).bytes();

/** Printable ASCII up to the first NUL, without blanks at the ends. */
export function decodeAscii(data: Uint8Array): string {
  const end = data.indexOf(0);
  return Array.from(end < 0 ? data : data.subarray(0, end), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?',
  )
    .join('')
    .trim();
}

export const RECORD_BYTES = 14;

export interface AnvizRecord {
  /** Decimal; five bytes, so more than 2^32 occurs. */
  readonly userId: string;
  /** Seconds of wall time since the epoch of the terminal. */
  readonly seconds: number;
  /** Bit 0 and 1 fingers, 2 password, 3 card; on face models the template that matched (unproven). */
  readonly backup: number;
  /** Bit 7: door opened; low four bits: attendance state. */
  readonly state: number;
  readonly workCode: number;
  readonly raw: Uint8Array;
}

export function decodeRecord(bytes: Uint8Array): AnvizRecord {
  const reader = new Reader(bytes, 'big');
  return {
    userId: String(reader.u40()),
    seconds: reader.u32(),
    backup: reader.u8(),
    state: reader.u8(),
    workCode: reader.u24(),
    raw: Uint8Array.from(bytes.subarray(0, RECORD_BYTES)),
  };
}

export function encodeRecord(record: Omit<AnvizRecord, 'raw'>): Uint8Array {
  return new Writer('big')
    .u40(Number(record.userId))
    .u32(record.seconds)
    .u8(record.backup)
    .u8(record.state)
    .u24(record.workCode)
    .bytes();
}

export interface RecordPage {
  readonly records: readonly AnvizRecord[];
  /** The count byte, which some firmware gets wrong: LEN rules. */
  readonly countByte: number;
}

/** A page of records. Throws `bad-reply` when LEN is no whole number of records. */
export function decodePage(data: Uint8Array): RecordPage {
  const body = data.length - 1;
  if (body < 0 || body % RECORD_BYTES !== 0) {
    throw fail('bad-reply', {
      request: 'records (0x40)',
      reason: `${data.length} bytes are no 1 + n * 14`,
      reasonZh: `${data.length} 字节不符合 1 + n × 14`,
    });
  }
  const records = Array.from({ length: body / RECORD_BYTES }, (_, index) =>
    decodeRecord(data.subarray(1 + index * RECORD_BYTES)),
  );
  return { records, countByte: data[0] ?? 0 };
}

export function encodePage(records: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(records.length), ...records]);
}

/** The document says 2000-01-01; every independent client in production counts from 2000-01-02. */
export type Epoch = '2000-01-01' | '2000-01-02';

// Wall time has no zone: it is computed as if the wall were in Greenwich.
const UTC = 'UTC' as Zone;
const EPOCH_MS: Readonly<Record<Epoch, number>> = {
  '2000-01-01': 946_684_800_000,
  '2000-01-02': 946_771_200_000,
};

export function secondsToWall(seconds: number, epoch: Epoch): WallTime {
  return instantToWall(instant(EPOCH_MS[epoch] + seconds * 1000), UTC);
}

/** Null for a date that does not exist or lies outside what 32 bits can say. */
export function wallToSeconds(wall: WallTime, epoch: Epoch): number | null {
  const at = wallToInstant(wall, UTC);
  if (at === null) return null;
  const seconds = (at - EPOCH_MS[epoch]) / 1000;
  return seconds >= 0 && seconds <= 0xffffffff ? seconds : null;
}
