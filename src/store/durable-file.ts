/**
 * Small files that must survive a power cut (D6): written to a temporary name in the same directory, synced, renamed, the directory
 * synced, read back; the file before it is kept as `<name>.previous`. Reading takes the previous one when the
 * present one is missing or not valid, and otherwise refuses: nothing is ever reset to defaults.
 */
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fail, systemCode } from '../core/errors.js';

/** Syncs a directory, so that the names in it survive. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Syncs a file that something else has written. */
export function syncFile(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeSynced(path: string, bytes: Uint8Array, mode: number): void {
  const fd = openSync(path, 'w', mode);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function keepPrevious(path: string): void {
  const spare = `${path}.previous.part`;
  rmSync(spare, { force: true });
  try {
    linkSync(path, spare);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    copyFileSync(path, spare);
    syncFile(spare);
  }
  renameSync(spare, `${path}.previous`);
}

/** Replaces `path` by `bytes`, or leaves it as it was. Throws `store-failed` when the disk refuses or reads back something else. */
export function writeDurably(path: string, bytes: Uint8Array, mode = 0o600): void {
  const part = `${path}.part`;
  try {
    writeSynced(part, bytes, mode);
    if (Buffer.compare(readFileSync(part), bytes) !== 0)
      throw fail('store-failed', { reason: `${path} reads back differently` });
    keepPrevious(path);
    renameSync(part, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(part, { force: true });
    const code = systemCode(error);
    if (code === undefined || code === 'store-failed') throw error;
    throw fail('store-failed', { reason: `${path}: ${code}` }, error);
  }
}

/**
 * What `parse` makes of the file, or of the previous one when `parse` throws or the file is missing. Null when there is neither.
 * When there is something but none is valid, what `parse` threw for the present file is thrown.
 */
export function readDurably<T>(path: string, parse: (bytes: Buffer) => T): T | null {
  let first: unknown = null;
  for (const name of [path, `${path}.previous`]) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(name);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') continue;
      throw error;
    }
    try {
      return parse(bytes);
    } catch (error) {
      first ??= error;
    }
  }
  if (first !== null) throw first as Error;
  return null;
}
