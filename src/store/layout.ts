/**
 * The data directory: its names, its modes, and the question a start must answer before it opens anything: is this a first
 * start, a good database, or one that is missing, empty, cut short or older than its witness? The last is never answered by
 * beginning anew (P13), and nothing is moved or written while the question is open.
 */
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, systemCode } from '../core/errors.js';
import { tighten } from './keys.js';
import { readWitness, type Witness } from './witness.js';

export interface Layout {
  readonly dir: string;
  readonly database: string;
  readonly wal: string;
  readonly lock: string;
  readonly witness: string;
  readonly reserve: string;
  readonly keys: string;
  readonly backups: string;
  readonly captures: string;
}

export function layoutOf(dir: string): Layout {
  const database = join(dir, 'rollcall.db');
  return {
    dir,
    database,
    wal: `${database}-wal`,
    lock: join(dir, 'lock'),
    witness: join(dir, 'head-witness'),
    reserve: join(dir, 'reserve'),
    keys: join(dir, 'keys'),
    backups: join(dir, 'backups'),
    captures: join(dir, 'captures'),
  };
}

/** Makes the directories, 0700, and tightens those that are looser. Throws `store-unwritable`. */
export function prepareDirectories(layout: Layout): void {
  for (const dir of [layout.dir, layout.keys, layout.backups, layout.captures]) {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      if (dir === layout.keys) tighten(dir);
      else if ((statSync(dir).mode & 0o077) !== 0) chmodSync(dir, 0o700);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined || code === 'key-exposed') throw error;
      throw fail('store-unwritable', { dir, reason: code }, error);
    }
  }
}

/** Size in bytes; null when there is no such file. */
export function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}

function header(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(100);
    return bytes.subarray(0, readSync(fd, bytes, 0, 100, 0));
  } finally {
    closeSync(fd);
  }
}

/** What of an earlier life lies in the directory beside the database; empty on a first start. */
function traces(layout: Layout): string[] {
  const names = readdirSync(layout.dir).filter((name) => name === 'rollcall.db-wal' || /^pictures-.*\.db$/.test(name));
  if (readdirSync(layout.keys).some((name) => name.startsWith('kek'))) names.push('keys/kek');
  if (readdirSync(layout.backups).some((name) => name.endsWith('.db'))) names.push('backups');
  return names;
}

export type Found =
  | { readonly state: 'first'; readonly fault: string | null }
  | { readonly state: 'database'; readonly witness: Witness | null; readonly fault: string | null };

/**
 * Looks without opening. `first`: make a new database. `database`: there is one; `fault` says what is wrong with it or its
 * surroundings as far as the files tell. Throws `store-damaged` when there is nothing that could be opened.
 */
export function inspect(layout: Layout, accept: boolean): Found {
  const witness = readWitness(layout.witness);
  const size = sizeOf(layout.database);
  let accepted: string | null = null;
  const damaged = (reason: string): void => {
    // Only a missing database can be accepted as lost: one that is there, whatever its state, is evidence and stays where it is.
    if (!accept || size !== null) throw fail('store-damaged', { reason, dir: layout.dir });
    accepted ??= reason;
  };
  const begun = witness !== null && witness.n === 0;
  const left = traces(layout);
  if (size === null || size === 0) {
    const state = size === null ? 'missing' : 'empty';
    if (witness !== null && !begun) damaged(`rollcall.db is ${state}, but head-witness knows ${witness.n} records`);
    const other = left.filter((name) => !(begun && name === 'rollcall.db-wal'));
    if (other.length > 0) damaged(`rollcall.db is ${state}, but ${other.join(', ')} of an earlier database is there`);
    if (size === 0 && !begun) damaged('rollcall.db is empty');
    return { state: 'first', fault: accepted };
  }
  const first = header(layout.database);
  if (first.length < 100 || !first.toString('latin1').startsWith('SQLite format 3\0'))
    damaged('rollcall.db is not a database any more (its first page is damaged)');
  return { state: 'database', witness, fault: witness === null ? 'head-witness is missing' : null };
}
