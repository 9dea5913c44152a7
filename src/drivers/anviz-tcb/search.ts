/**
 * The search for terminals by UDP: one broadcast (command 0x02, address 0) from port 5060 to port 5050, and what each
 * terminal answers about itself. Pure: who sends and who listens is elsewhere. Lengths that nobody has described still
 * tell model and serial number; what is no answer of this protocol is null, never an error.
 *
 *   model 10 | serial 16 | IP 4 | mask 4 | gateway 4 | MAC 6 | server IP 4 | port 2 | mode 1 | firmware 8 | reserved 4   (63)
 *   … | DNS 4 | URL 100                                                                                               (167)
 */
import { Reader, Writer } from '../../core/bytes.js';
import type { SearchProtocol } from '../driver.js';
import { COMMAND, decodeAscii, encodeAnswer, encodeRequest, lineRule, parseFrame } from './codec.js';

/** Who calls whom on TCP, as the network settings of the terminal say. */
export type NetworkMode = 'server' | 'client' | 'client-url';

export interface SearchAnswer {
  /** Communication number. */
  readonly channel: number;
  readonly serial: string;
  readonly model: string | null;
  readonly firmware: string | null;
  /** IPv4 address as the terminal tells it; null where the length of the answer is unknown. */
  readonly address: string | null;
  readonly port: number | null;
  readonly mode: NetworkMode | null;
  /** Whom it calls in client mode; null when nobody is set. */
  readonly server: string | null;
}

const KNOWN_BYTES: ReadonlySet<number> = new Set([63, 167]);
const NAMES_BYTES = 26;
const MODES: readonly NetworkMode[] = ['server', 'client', 'client-url'];

export const searchRequest = (): Uint8Array => encodeRequest(0, COMMAND.search);

const ipText = (bytes: Uint8Array): string => [...bytes].join('.');
const isSet = (address: string): boolean => address !== '0.0.0.0' && address !== '255.255.255.255';

function soundFrame(bytes: Uint8Array): ReturnType<typeof parseFrame> | null {
  const size = lineRule.measure(bytes);
  if (typeof size !== 'number' || size > bytes.length) return null;
  const frame = bytes.subarray(0, size);
  return lineRule.check(frame) ? parseFrame(frame) : null;
}

export function readSearchAnswer(bytes: Uint8Array): SearchAnswer | null {
  const frame = soundFrame(bytes);
  if (frame?.kind !== 'answer' || frame.command !== COMMAND.search || frame.ret !== 0) return null;
  if (frame.data.length < NAMES_BYTES) return null;
  const reader = new Reader(frame.data, 'big');
  const model = decodeAscii(reader.take(10)) || null;
  const serial = decodeAscii(reader.take(16));
  if (serial === '') return null;
  const named = { channel: frame.address, serial, model };
  if (!KNOWN_BYTES.has(frame.data.length))
    return { ...named, firmware: null, address: null, port: null, mode: null, server: null };
  const address = ipText(reader.take(4));
  reader.skip(4 + 4 + 6);
  const server = ipText(reader.take(4));
  const port = reader.u16();
  const mode = MODES[reader.u8()] ?? null;
  const firmware = decodeAscii(reader.take(8)) || null;
  return {
    ...named,
    firmware,
    address: isSet(address) ? address : null,
    port: port === 0 ? null : port,
    mode,
    server: isSet(server) ? server : null,
  };
}

export interface SearchedTerminal {
  readonly channel: number;
  readonly serial: string;
  readonly model: string;
  readonly firmware: string;
  /** IPv4. */
  readonly address: string;
  readonly port: number;
  readonly mode: NetworkMode;
  readonly server: string;
}

const ipBytes = (address: string): Uint8Array => Uint8Array.from(address.split('.').map((part) => Number(part) & 0xff));

/** What a terminal answers, in `sizeBytes` bytes of data; for the simulator. */
export function encodeSearchAnswer(terminal: SearchedTerminal, sizeBytes: number): Uint8Array {
  const data = new Writer('big')
    .field(Buffer.from(terminal.model, 'latin1'), 10)
    .field(Buffer.from(terminal.serial, 'latin1'), 16)
    .field(ipBytes(terminal.address), 4)
    .raw(Uint8Array.of(255, 255, 255, 0))
    .field(ipBytes(terminal.address).subarray(0, 3), 4, 1)
    // A locally administered address, which no maker has.
    .raw(Uint8Array.of(0x02, 0, 0, 0, 0, terminal.channel & 0xff))
    .field(ipBytes(terminal.server), 4)
    .u16(terminal.port)
    .u8(MODES.indexOf(terminal.mode))
    .field(Buffer.from(terminal.firmware, 'latin1'), 8)
    .bytes();
  return encodeAnswer(terminal.channel, COMMAND.search, 0, new Writer('big').field(data, sizeBytes).bytes());
}

/** Whether a datagram asks terminals for themselves; for the simulator. */
export function isSearchRequest(bytes: Uint8Array): boolean {
  const frame = soundFrame(bytes);
  return frame?.kind === 'request' && frame.command === COMMAND.search && frame.address === 0;
}

export const anvizSearch: SearchProtocol = {
  port: 5050,
  fromPort: 5060,
  request: searchRequest(),
  read(bytes) {
    const answer = readSearchAnswer(bytes);
    if (!answer) return null;
    const { serial, model, firmware, address } = answer;
    return { serial, model, firmware, address };
  },
};
