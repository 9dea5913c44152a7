/**
 * A file of 16 MB that is there to be deleted (F5): on a full disk it makes room for punches and audit, and for what SQLite needs to open
 * at all. It is written out, not sparse, when the disk has plenty, and made again when there is plenty again.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { sizeOf } from './layout.js';

const RESERVE_BYTES = 16 * 1024 * 1024;
const PLENTY_BYTES = 4 * RESERVE_BYTES;
const CHUNK_BYTES = 1024 * 1024;

/** Makes the reserve if it is missing and the disk has plenty; true when it is there. A disk that refuses just leaves it out. */
export function keepReserve(path: string, dir: string): boolean {
  if (sizeOf(path) !== null) return true;
  const part = `${path}.part`;
  try {
    const { bavail, bsize } = statfsSync(dir);
    if (bavail * bsize < PLENTY_BYTES) return false;
    const fd = openSync(part, 'w', 0o600);
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (let written = 0; written < RESERVE_BYTES; written += CHUNK_BYTES) writeSync(fd, chunk);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(part, path);
    return true;
  } catch {
    rmSync(part, { force: true });
    return false;
  }
}

/** Gives the reserve up; true when there was one. */
export function freeReserve(path: string): boolean {
  if (sizeOf(path) === null) return false;
  rmSync(path, { force: true });
  return true;
}
