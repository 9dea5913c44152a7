/**
 * Where an export goes: a file of its own, complete or not there at all, readable by its owner only, because it holds names. Names of
 * files hold numbers of classes and dates, never people. What is there already stays, unless the person says --force.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';

export interface ExportTarget {
  /** A file, or a directory that exists. */
  readonly out: string;
  readonly force: boolean;
}

export interface WrittenFile {
  readonly file: string;
  readonly sha256: string;
}

/** The file itself, where `out` names a directory. */
export function fileOf(out: string, name: string): string {
  return isDirectory(out) ? join(out, name) : out;
}

/** Throws `export-file-exists` before any work is done; the writing itself looks again. */
export function refuseExisting(file: string, { force }: ExportTarget): void {
  if (!force && statSync(file, { throwIfNoEntry: false }) !== undefined) throw fail('export-file-exists', { file });
}

/** Throws `export-file-exists` and `export-file-failed`; leaves nothing half written. */
export function writeExport(bytes: Uint8Array, file: string, { force }: ExportTarget): WrittenFile {
  const part = `${file}.${randomBytes(4).toString('hex')}.part`;
  try {
    const fd = openSync(part, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (force) renameSync(part, file);
    else keepOther(part, file);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') throw fail('export-file-exists', { file });
    if (code === undefined || code === 'export-file-exists') throw error;
    throw fail('export-file-failed', { file, reason: code }, error);
  } finally {
    rmSync(part, { force: true });
  }
  return { file, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** A link never replaces what is there. File systems of USB sticks have none: there we look, and then rename. */
function keepOther(part: string, file: string): void {
  try {
    linkSync(part, file);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw error;
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) throw fail('export-file-exists', { file }, error);
    renameSync(part, file);
  }
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
