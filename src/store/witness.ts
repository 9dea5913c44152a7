/**
 * The head witness (D7): how far the journal had come, kept outside the database, so that a deleted write-ahead log or
 * yesterday's copy of the database shows at the next start. Two slots, written in turn and synced, each with its own CRC:
 * a power cut tears at most the slot being written, and the other still speaks.
 *
 * It is written only after the commit it names is on the disk, so it is never ahead of an honest database.
 */
import { closeSync, fsyncSync, openSync, readFileSync, utimesSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { fail, systemCode } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import { writeDurably } from './durable-file.js';

export interface Witness {
  /** Rises with every writing. */
  readonly turn: number;
  /** Last journal number known to be on the disk; 0: a first start was begun. */
  readonly n: number;
  readonly hash: string;
  /** Punches stored then. */
  readonly punches: number;
  /** Journal number of the `start` event of the process that wrote it. */
  readonly startN: number;
}

const SLOT_BYTES = 4096;

function encode(witness: Witness): Buffer {
  const json = JSON.stringify(witness);
  const slot = Buffer.alloc(SLOT_BYTES, 0x0a);
  slot.write(`${crc32(json).toString(16).padStart(8, '0')} ${json}`, 'utf8');
  return slot;
}

function decode(slot: Buffer): Witness | null {
  const line = slot.toString('utf8').split('\n', 1)[0] ?? '';
  const json = line.slice(9);
  if (json === '' || line.slice(0, 8) !== crc32(json).toString(16).padStart(8, '0')) return null;
  return JSON.parse(json) as Witness;
}

/** The newer valid slot; null when there is no file. Throws `store-damaged` when there is one and no slot is valid. */
export function readWitness(path: string): Witness | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw fail(
      'store-damaged',
      { reason: `head-witness cannot be read: ${systemCode(error) ?? 'unknown'}`, dir: dirname(path) },
      error,
    );
  }
  const slots = [bytes.subarray(0, SLOT_BYTES), bytes.subarray(SLOT_BYTES)].map(decode).filter((slot) => slot !== null);
  const newest = slots.sort((a, b) => b.turn - a.turn)[0];
  if (!newest) throw fail('store-damaged', { reason: 'head-witness has no valid slot', dir: dirname(path) });
  return newest;
}

/** Starts the file, both slots alike, durably. */
export function createWitness(path: string, witness: Witness): void {
  writeDurably(path, Buffer.concat([encode(witness), encode(witness)]));
}

/** Overwrites the older slot and syncs. The file has its final size from the beginning, so a full disk cannot stop this. */
export function writeWitness(path: string, witness: Witness): void {
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, encode(witness), 0, SLOT_BYTES, (witness.turn % 2) * SLOT_BYTES);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Sets the time of the file, so that the next start knows until when this process was alive. Not synced: seconds do not matter. */
export function touchWitness(path: string, now: Instant): void {
  utimesSync(path, now / 1000, now / 1000);
}
