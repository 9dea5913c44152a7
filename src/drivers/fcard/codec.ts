/**
 * FC-8x00 "Door8800" frames: bytes to messages and back, pure. Frame, escape, checksum and commands after the vendor's
 * client libraries (laijinjie/FCARDIO.Protocol.Door, FCARD_JavaIO, Apache-2.0).
 *
 *   request   7E | SN 16 | PWD 4 | CODE 4 | TYPE | INDEX | PAR | LEN 4 | DATA | SUM | 7E
 *   response  7E | CODE 4 | SN 16 | PWD 4 | TYPE | INDEX | PAR | LEN 4 | DATA | SUM | 7E
 *
 * Big-endian. Between the flags 7E is `7F 01` and 7F is `7F 02`. It refuses to build a request that clears a store (08 02)
 * or opens a door (03 03).
 */
import { hexWindow, Reader, Writer } from '../../core/bytes.js';
import { fail } from '../../core/errors.js';
import type { FrameRule } from '../framing.js';

export interface Command {
  readonly name: string;
  readonly type: number;
  readonly index: number;
  readonly par: number;
}

const command = (name: string, type: number, index: number, par = 0): Command => ({ name, type, index, par });

/** What we send; 07 04 and 07 05 change the list of people, 08 03 moves the read index. */
export const COMMAND = {
  readSn: command('read-sn', 0x01, 0x02),
  version: command('version', 0x01, 0x08),
  startWatch: command('start-watch', 0x01, 0x0b, 0x00),
  stopWatch: command('stop-watch', 0x01, 0x0b, 0x01),
  readClock: command('clock', 0x02, 0x01),
  writeClock: command('set-clock', 0x02, 0x02),
  personCounts: command('person-counts', 0x07, 0x01),
  readPerson: command('read-person', 0x07, 0x03, 0x01),
  addPerson: command('add-person', 0x07, 0x04),
  deletePerson: command('delete-person', 0x07, 0x05),
  readPersons: command('read-persons', 0x07, 0x13),
  stores: command('stores', 0x08, 0x01),
  setReadIndex: command('set-read-index', 0x08, 0x03),
  readRecords: command('records', 0x08, 0x04),
  /** The answer to a connection test; itself unanswered. */
  connected: command('connected', 0x19, 0xa0, 0xa0),
} as const;

/** An answer with data has the type of its request plus this. */
export const ANSWER = 0x30;
/** 21 01 ok, 21 02 wrong password, 21 03 checksum error. */
export const STATUS = 0x21;
/** What a terminal tells by itself: TYPE 19 and this CODE. */
export const WATCH = 0x19;
export const UNASKED = 0xffffffff;
export const CODE_MIN = 0x10000000;
export const CODE_MAX = 0xdfffffff;

const WATCH_NAMES: Readonly<Record<number, string>> = {
  0x01: 'live-record',
  0x02: 'live-door',
  0x03: 'live-system',
  0x04: 'live-temperature',
  0x22: 'keep-alive',
  0xa0: 'connection-test',
};

/** A word for a frame; hex where there is none. */
export function frameName(type: number, index: number, par: number, from: 'device' | 'gateway'): string {
  if (from === 'device' && type === STATUS) return ['', 'ok', 'wrong-password', 'checksum-error'][index] ?? 'refused';
  if (from === 'device' && type === WATCH && WATCH_NAMES[index] !== undefined) return WATCH_NAMES[index];
  const asked = from === 'device' ? type - ANSWER : type;
  const all = Object.values(COMMAND).filter((one) => one.type === asked && one.index === index);
  const known = all.find((one) => one.par === par) ?? (from === 'device' ? all[0] : undefined);
  if (known) return known.name;
  return [type, index, par].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

export const FLAG = 0x7e;
const ESCAPE = 0x7f;
/** SN, PWD, CODE, TYPE, INDEX, PAR, LEN. */
const HEAD = 31;
/** Commands carry up to 2046; accepted is more, as the libraries do. */
const DATA_MAX = 65_536;

/** Unescapes from `from` until a flag, the end, or `limit` bytes; null at an escape that does not exist. */
function unescape(
  bytes: Uint8Array,
  from: number,
  limit: number,
): { readonly plain: Uint8Array; readonly next: number } | null {
  const plain = new Uint8Array(Math.min(limit, bytes.length - from));
  let size = 0;
  let at = from;
  while (at < bytes.length && size < limit) {
    const byte = bytes[at] ?? FLAG;
    if (byte === FLAG) break;
    if (byte !== ESCAPE) plain[size] = byte;
    else {
      const code = bytes[at + 1];
      if (code === undefined) break;
      if (code !== 1 && code !== 2) return null;
      plain[size] = code === 1 ? FLAG : ESCAPE;
      at += 1;
    }
    size += 1;
    at += 1;
  }
  return { plain: plain.subarray(0, size), next: at };
}

/** Empty frames before a frame that still belong to it; bounded, so that a stream of nothing else costs little. */
const FLAGS_MAX = 32;

const flagsAt = (bytes: Uint8Array): number => {
  let flags = 0;
  while (bytes[flags] === FLAG && flags <= FLAGS_MAX) flags += 1;
  return flags;
};

function bodyOf(frame: Uint8Array): Uint8Array | null {
  const from = flagsAt(frame);
  const body = unescape(frame, from, frame.length);
  return body?.next === frame.length - 1 ? body.plain : null;
}

const sumOf = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);

/**
 * How a byte stream is cut. Flags before a frame belong to it: empty frames are ignored. One flag may close a frame and
 * open the next, so the rule remembers that a frame has just ended: one rule for one stream. A flag inside a frame, an
 * escape that does not exist and a length that does not fit end the frame at once, so that what follows is not swallowed.
 */
export function createFrameRule(): FrameRule {
  let closed = false;
  const no = (): 'no' => {
    closed = false;
    return 'no';
  };
  return {
    sizeBytesMax: 2 * (HEAD + DATA_MAX + 1) + 4096,
    measure(at) {
      const flags = flagsAt(at);
      if ((flags === 0 && !closed) || flags > FLAGS_MAX) return no();
      if (flags === at.length) return 'more';
      const head = unescape(at, flags, HEAD);
      if (!head) return no();
      if (head.plain.length < HEAD) return at[head.next] === FLAG ? no() : 'more';
      const size = new Reader(head.plain, 'big', HEAD - 4).u32();
      if (size > DATA_MAX) return no();
      const end = at.indexOf(FLAG, head.next);
      if (end >= 0) return end - head.next > size ? end + 1 : no();
      return at.length - head.next > 2 * (size + 1) ? no() : 'more';
    },
    check(frame) {
      const body = bodyOf(frame);
      closed = false;
      if (!body || body.length < HEAD + 1) return false;
      if (new Reader(body, 'big', HEAD - 4).u32() !== body.length - HEAD - 1) return false;
      closed = sumOf(body.subarray(0, -1)) === body[body.length - 1];
      return closed;
    },
  };
}

export interface Frame {
  readonly code: number;
  /** Without padding. */
  readonly sn: string;
  /** Four bytes; never for logs. */
  readonly password: Uint8Array;
  readonly type: number;
  readonly index: number;
  readonly par: number;
  readonly data: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Serial numbers shorter than 16 are padded; everything that cannot be printed is a question mark. */
export function snText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte === 0 ? ' ' : byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'))
    .join('')
    .trim();
}

export const SN_BYTES = 16;
/** Whoever is alone on the line answers to this. */
export const ANY_SN = '0'.repeat(SN_BYTES);

const snField = (sn: string): Uint8Array => new Writer('big').field(Buffer.from(sn, 'latin1'), SN_BYTES).bytes();

/** Takes a sound frame apart. Throws `short-frame` when it is none. */
export function parseFrame(bytes: Uint8Array, from: 'device' | 'gateway'): Frame {
  const reader = new Reader(bodyOf(bytes) ?? new Uint8Array(0), 'big');
  const first = from === 'device' ? reader.u32() : 0;
  const sn = snText(reader.take(SN_BYTES));
  const password = reader.take(4);
  const code = from === 'device' ? first : reader.u32();
  const [type, index, par] = [reader.u8(), reader.u8(), reader.u8()];
  return { code, sn, password, type, index, par, data: reader.take(reader.u32()), bytes };
}

/** Body without checksum to a frame: sum, escapes, flags. */
function sealed(body: Uint8Array): Uint8Array {
  const out: number[] = [FLAG];
  for (const byte of [...body, sumOf(body)]) {
    if (byte === FLAG || byte === ESCAPE) out.push(ESCAPE, byte === FLAG ? 1 : 2);
    else out.push(byte);
  }
  out.push(FLAG);
  return Uint8Array.from(out);
}

const NONE = new Uint8Array(0);

export interface Envelope {
  readonly sn: string;
  readonly password: Uint8Array;
  readonly code: number;
}

/** A request. Throws `forbidden-request` (a bug) for one that clears a store or touches the door. */
export function encodeRequest(to: Envelope, asked: Omit<Command, 'name'>, data: Uint8Array = NONE): Uint8Array {
  const { type, index, par } = asked;
  if ((type === 0x08 && index === 0x02) || type === 0x03) {
    throw fail('forbidden-request', { request: `command ${type}/${index}`, window: hexWindow(data, 0, 4) });
  }
  const body = new Writer('big').raw(snField(to.sn)).raw(to.password).u32(to.code);
  return sealed(body.u8(type).u8(index).u8(par).u32(data.length).raw(data).bytes());
}

/** An answer, or what a terminal tells by itself. */
export function encodeAnswer(from: Envelope, told: Omit<Command, 'name'>, data: Uint8Array = NONE): Uint8Array {
  const body = new Writer('big').u32(from.code).raw(snField(from.sn)).raw(from.password);
  return sealed(body.u8(told.type).u8(told.index).u8(told.par).u32(data.length).raw(data).bytes());
}

/** The same frame with another password and other data of the same length, in its own layout: for captures. */
export function resealed(frame: Frame, from: 'device' | 'gateway', password: Uint8Array, data: Uint8Array): Uint8Array {
  const body = Uint8Array.from(bodyOf(frame.bytes) ?? NONE).subarray(0, -1);
  body.set(password, from === 'device' ? 20 : 16);
  body.set(data, HEAD);
  return sealed(body);
}

/** The checksum of a frame of ours. */
export const checksumOf = (frame: Uint8Array): number => bodyOf(frame)?.at(-1) ?? 0;
