/**
 * `rollcall decode`: bytes to messages and punches. Input is hex (white space ignored, `#` comments), a capture file
 * (`<` from the terminal, `>` from the gateway), or raw bytes. Noise is printed, never swallowed.
 */
import { readFile } from 'node:fs/promises';
import { hex, parseHex } from '../core/bytes.js';
import { fail, systemCode } from '../core/errors.js';
import type { Zone } from '../core/time.js';
import type { Decoded, Decoder, Driver } from '../drivers/driver.js';
import { parseCapture } from '../links/tap.js';
import { EXIT, type Console } from './console.js';
import { checkOptions, findDriver, parseSets } from './options.js';
import { punchJson, punchLine } from './punch-text.js';

export interface DecodeArguments {
  readonly driver: string;
  readonly from: 'device' | 'gateway';
  /** Feed the decoder at most this many bytes at a time; 0: all at once. */
  readonly split: number;
  readonly set: readonly string[];
  readonly raw: boolean;
  /** `-` or undefined: standard input. */
  readonly file?: string;
  readonly zone: Zone;
}

interface Chunk {
  readonly from: 'device' | 'gateway';
  readonly connection: number;
  readonly bytes: Uint8Array;
}

interface Input {
  readonly chunks: readonly Chunk[];
  /** Each chunk is one message and is never split. */
  readonly datagrams: boolean;
}

async function readInput(file: string | undefined): Promise<Buffer> {
  if (file !== undefined && file !== '-') {
    try {
      return await readFile(file);
    } catch (error) {
      throw fail('file-unreadable', { file, reason: systemCode(error) ?? 'unknown' }, error);
    }
  }
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function chunksOf(input: Buffer, args: DecodeArguments): Input {
  const stream = (bytes: Uint8Array): Input => ({
    chunks: [{ from: args.from, connection: 1, bytes }],
    datagrams: false,
  });
  if (args.raw) return stream(input);
  const text = input.toString('utf8');
  if (!/^\s*(?:\d+\s+)?[<>]\s/m.test(text)) return stream(parseHex(text));
  const { header, entries } = parseCapture(text);
  return {
    chunks: entries.map(({ direction, connection, bytes }) => ({
      ...{ from: direction === 'from-device' ? 'device' : 'gateway', connection, bytes },
    })),
    datagrams: header.reach?.startsWith('udp://') ?? false,
  };
}

function* pieces(bytes: Uint8Array, split: number): Generator<Uint8Array> {
  if (split <= 0) {
    yield bytes;
    return;
  }
  for (let at = 0; at < bytes.length; at += split) yield bytes.subarray(at, at + split);
}

export async function runDecode(args: DecodeArguments, drivers: readonly Driver[], io: Console): Promise<number> {
  const driver = findDriver(drivers, args.driver);
  const options = checkOptions(driver.options, parseSets(args.set), driver.name);
  const { chunks, datagrams } = chunksOf(await readInput(args.file), args);
  const count = { messages: 0, punches: 0, noise: 0 };

  const print = (item: Decoded, from: string): void => {
    if (item.kind === 'punch') {
      count.punches += 1;
      io.out(io.json ? JSON.stringify(punchJson(item.punch, null, args.zone)) : `  ${punchLine(item.punch)}`);
    } else if (item.kind === 'message') {
      count.messages += 1;
      const arrow = from === 'device' ? '<' : '>';
      io.out(
        io.json
          ? JSON.stringify({ kind: 'message', from, name: item.name, ...item.fields, bytes: item.bytes.length })
          : `${arrow} ${item.name} ${JSON.stringify(item.fields)}`,
      );
    } else {
      count.noise += item.bytes.length;
      const window = hex(item.bytes.subarray(0, 32)) + (item.bytes.length > 32 ? ' …' : '');
      io.out(
        io.json
          ? JSON.stringify({ kind: 'noise', from, bytes: Buffer.from(item.bytes).toString('hex'), reason: item.reason })
          : `? ${item.bytes.length} 字节噪声 noise (${item.reason}): ${window}`,
      );
    }
  };

  // A terminal may be talked to over several connections at once: each is a stream of its own, in each direction.
  const decoders = new Map<string, { readonly decoder: Decoder; readonly from: Chunk['from'] }>();
  for (const { from, connection, bytes } of chunks) {
    const key = `${connection} ${from}`;
    const one = decoders.get(key) ?? { decoder: driver.decoder(options, from), from };
    decoders.set(key, one);
    for (const piece of pieces(bytes, datagrams ? 0 : args.split))
      for (const item of one.decoder.push(piece)) print(item, from);
  }
  for (const { decoder, from } of decoders.values()) for (const item of decoder.end()) print(item, from);
  const summary = { messages: count.messages, punches: count.punches, noise: count.noise };
  io.out(io.json ? JSON.stringify({ kind: 'summary', ...summary }) : JSON.stringify(summary));
  return count.messages + count.punches > 0 ? EXIT.good : EXIT.no;
}
