/**
 * The parts of a workbook's ZIP, one at a time and only those that are asked for. Sizes are counted while unpacking, never
 * believed from a header; check sums are compared, because a changed digit must not become somebody's number.
 *
 * Names inside the ZIP are only compared with the names that are wanted: nothing is ever written, so `../` leads nowhere.
 */
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { fromBufferPromise, type Entry, type ZipFile } from 'yauzl';
import { fail, GatewayError } from '../core/errors.js';
import { SHEET_LIMITS } from './sheet.js';

export interface Archive {
  /** Names of the parts as written, without a leading slash. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Hands the unpacked bytes over piece by piece; `false` from `take` ends the reading early. */
  read(name: string, take: (piece: Buffer) => boolean): Promise<void>;
}

/** Part names are compared without regard to case (OPC, ECMA-376 part 2, §6.2.2.3). */
const keyOf = (name: string): string => name.replace(/^\/+/, '').toLowerCase();

const broken = (place: string, reason: string, reasonZh: string, cause?: unknown): GatewayError =>
  fail('sheet-broken', { place, placeZh: place === 'ZIP' ? 'ZIP' : place, reason, reasonZh }, cause);

/** Throws `sheet-broken`, `sheet-bomb` or `sheet-encrypted`. */
export async function openArchive(bytes: Buffer): Promise<Archive> {
  const zip = await fromBufferPromise(bytes, { decodeStrings: false, validateEntrySizes: true }).catch(
    (error: unknown) => {
      throw broken('ZIP', 'it is cut off or no ZIP', '文件不完整或不是 ZIP', error);
    },
  );
  const entries = await listEntries(zip);
  let unpacked = 0;
  return {
    names: [...entries.values()].map(({ name }) => name),
    has: (name) => entries.has(keyOf(name)),
    async read(name, take) {
      const found = entries.get(keyOf(name));
      if (found === undefined) throw broken(name, 'the part is missing', '缺少该部分');
      unpacked += await readEntry(zip, found, SHEET_LIMITS.unpackedBytesMax - unpacked, take);
    },
  };
}

interface Named {
  readonly name: string;
  readonly entry: Entry;
}

async function listEntries(zip: ZipFile): Promise<ReadonlyMap<string, Named>> {
  if (zip.entryCount > SHEET_LIMITS.entriesMax) {
    const count = `${zip.entryCount} > ${SHEET_LIMITS.entriesMax}`;
    throw fail('sheet-bomb', { place: 'ZIP', reason: `too many parts (${count})`, reasonZh: `部分过多(${count})` });
  }
  const entries = new Map<string, Named>();
  await new Promise<void>((resolve, reject) => {
    zip.on('error', (error) => reject(broken('ZIP', 'its list of parts cannot be read', '部分清单无法读取', error)));
    zip.on('end', resolve);
    zip.on('entry', (entry: Entry) => {
      // Without `decodeStrings` names come as bytes; part names are ASCII, and other names are never asked for.
      const name = Buffer.from(entry.fileName).toString('utf8').replace(/^\/+/, '');
      const key = keyOf(name);
      if (entries.has(key)) {
        reject(broken('ZIP', 'it has two parts of one name', '有两个同名的部分'));
        return;
      }
      entries.set(key, { name, entry });
      zip.readEntry();
    });
    zip.readEntry();
  });
  return entries;
}

/** The number of bytes that were unpacked. */
async function readEntry(
  zip: ZipFile,
  { name, entry }: Named,
  left: number,
  take: (piece: Buffer) => boolean,
): Promise<number> {
  if (entry.isEncrypted()) throw fail('sheet-encrypted', { place: name });
  if (!entry.canDecodeFileData()) throw broken(name, 'packed in an unknown way', '压缩方式未知');
  const stream: Readable = await zip.openReadStreamPromise(entry).catch((error: unknown) => {
    throw broken(name, 'it cannot be unpacked', '无法解压', error);
  });
  let [count, sum] = [0, 0];
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      count += piece.length;
      sum = crc32(piece, sum);
      refuseBomb(name, entry, count, left);
      if (!take(piece)) return count;
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw broken(name, 'it cannot be unpacked', '无法解压', error);
  } finally {
    stream.destroy();
  }
  if (sum !== entry.crc32) throw broken(name, 'its check sum is wrong', '校验和不符');
  return count;
}

function refuseBomb(name: string, entry: Entry, count: number, left: number): void {
  const { partBytesMax, ratioMax, ratioFromBytes } = SHEET_LIMITS;
  const mebibytes = (bytes: number): string => `${bytes / 1024 / 1024} MiB`;
  if (count > partBytesMax) {
    const more = mebibytes(partBytesMax);
    throw fail('sheet-bomb', { place: name, reason: `more than ${more}`, reasonZh: `超过 ${more}` });
  }
  if (count > left) {
    const more = mebibytes(SHEET_LIMITS.unpackedBytesMax);
    throw fail('sheet-bomb', { place: name, reason: `more than ${more} in all`, reasonZh: `合计超过 ${more}` });
  }
  if (count > ratioFromBytes && count > entry.compressedSize * ratioMax) {
    throw fail('sheet-bomb', {
      place: name,
      reason: `more than ${ratioMax} bytes for one`,
      reasonZh: `压缩比超过 ${ratioMax}`,
    });
  }
}
