/**
 * What a byte stream of this protocol says, for `rollcall decode` and for captures: messages of both directions and the
 * punches in them. Passwords and names stay out of the fields.
 */
import { isUtf8 } from 'node:buffer';
import { asGatewayError } from '../../core/errors.js';
import type { Decoded, Decoder } from '../driver.js';
import { createFramer, type Cut } from '../framing.js';
import {
  COMMAND,
  commandName,
  decodeAscii,
  decodeCapacity,
  decodeClock,
  decodeCounters,
  decodePage,
  decodeRealTime,
  decodeRecord,
  frameRule,
  parseFrame,
  RECORD_BYTES,
  retText,
  type AnvizRecord,
  type Frame,
} from './codec.js';
import type { AnvizOptions } from './options.js';
import { punchOf } from './punch.js';
import { decodeUsers } from './users.js';

type Fields = Record<string, unknown>;

const bigEndian = (data: Uint8Array): number => data.reduce((value, byte) => value * 256 + byte, 0);

const PARAMETERS: Readonly<Record<number, string>> = { 0: 'next', 1: 'all', 2: 'new', 0x10: 'again' };

function requestFields(frame: Frame): Fields {
  const { command, data } = frame;
  switch (command) {
    case COMMAND.records:
    case COMMAND.users:
    case COMMAND.usersOld:
      return { page: PARAMETERS[data[0] ?? -1] ?? data[0] ?? null, count: data[1] ?? null };
    case COMMAND.clearNew:
      return { type: data[0] ?? null, count: bigEndian(data.subarray(1, 4)) };
    case COMMAND.setClock:
      return { wallTime: decodeClock(data) };
    case COMMAND.setUsers:
    case COMMAND.setUsersOld: {
      const users = decodeUsers(data, command === COMMAND.setUsersOld);
      return { users: users.length, ids: users.map((user) => user.id) };
    }
    case COMMAND.deleteUser:
      return { id: String(bigEndian(data.subarray(0, 5))), mask: data[5] ?? null };
    case COMMAND.auth:
      return { user: decodeAscii(data.subarray(0, 12)) };
    default:
      return data.length === 0 ? {} : { sizeBytes: data.length };
  }
}

function answerFields(
  command: number,
  data: Uint8Array,
): { readonly fields: Fields; readonly records: readonly AnvizRecord[] } {
  const plain = (fields: Fields): { fields: Fields; records: readonly AnvizRecord[] } => ({ fields, records: [] });
  switch (command) {
    case COMMAND.records: {
      const { records, countByte } = decodePage(data);
      return { fields: { records: records.length, ...(countByte === records.length ? {} : { countByte }) }, records };
    }
    case COMMAND.realTime:
      return { fields: {}, records: data.length < RECORD_BYTES ? [] : [decodeRecord(data)] };
    case COMMAND.capacity:
      return plain({ ...decodeCapacity(data) });
    case COMMAND.search:
      return plain(
        data.length < 26
          ? {}
          : { model: decodeAscii(data.subarray(0, 10)), serial: decodeAscii(data.subarray(10, 26)) },
      );
    case COMMAND.counters:
      return plain({ ...decodeCounters(data) });
    case COMMAND.clock:
      return plain({ wallTime: decodeClock(data) });
    case COMMAND.serial:
    case COMMAND.model:
      return plain({ text: decodeAscii(data) });
    case COMMAND.config1:
      return plain({ firmware: decodeAscii(data.subarray(0, 8)) });
    case COMMAND.config2:
      return plain({ realTime: decodeRealTime(data) });
    case COMMAND.address:
    case COMMAND.clearNew:
      return plain({ value: bigEndian(data) });
    case COMMAND.users:
    case COMMAND.usersOld: {
      const users = decodeUsers(data, command === COMMAND.usersOld);
      return plain({ users: users.length, ids: users.map((user) => user.id) });
    }
    default:
      return plain(data.length === 0 ? {} : { sizeBytes: data.length });
  }
}

function decodeFrame(bytes: Uint8Array, options: AnvizOptions): readonly Decoded[] {
  const frame = parseFrame(bytes);
  const name = `${commandName(frame.command)} ${frame.kind}`;
  try {
    if (frame.kind === 'request') {
      return [{ kind: 'message', name, fields: { address: frame.address, ...requestFields(frame) }, bytes }];
    }
    const head = { address: frame.address, ret: retText(frame.ret) };
    const { fields, records } = frame.ret === 0 ? answerFields(frame.command, frame.data) : { fields: {}, records: [] };
    const source = frame.command === COMMAND.realTime ? 'realtime' : 'poll';
    return [
      { kind: 'message', name, fields: { ...head, ...fields }, bytes },
      ...records.map((record): Decoded => ({ kind: 'punch', punch: punchOf(record, options, source) })),
    ];
  } catch (error) {
    // A sound frame whose content makes no sense is shown as such, with the reason.
    return [{ kind: 'message', name, fields: { address: frame.address, error: asGatewayError(error).message }, bytes }];
  }
}

const reasonOf = (bytes: Uint8Array, atEnd: boolean): string => {
  if (bytes[0] === 0xa5) return atEnd ? 'incomplete frame' : 'checksum or length wrong';
  return isUtf8(bytes) && bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d)
    ? 'text, another protocol'
    : 'no frame begins here';
};

export function createDecoder(options: AnvizOptions): Decoder {
  const framer = createFramer(frameRule);
  const told = (cuts: readonly Cut[], atEnd: boolean): readonly Decoded[] =>
    cuts.flatMap((cut) =>
      cut.kind === 'frame'
        ? decodeFrame(cut.bytes, options)
        : [{ kind: 'noise' as const, bytes: cut.bytes, reason: reasonOf(cut.bytes, atEnd) }],
    );
  return { push: (chunk) => told(framer.push(chunk), false), end: () => told(framer.flush(), true) };
}
