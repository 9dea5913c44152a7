/**
 * What opening a store takes, and how the file that opens SQLite is handed to the store, which never opens it itself.
 */
import type { Log } from '../core/log.js';
import type { Clock } from '../core/time.js';
import type { Layout } from './layout.js';
import type { Migration } from './schema.js';
import type { Db } from './store.js';

export interface StoreHooks {
  /** Called with the number of the transaction since the start; a throw rolls back, as a crash before the commit would. */
  readonly beforeCommit?: (count: number) => void;
  /** A throw here is a crash after the commit: the work is kept. */
  readonly afterCommit?: (count: number) => void;
}

export interface StoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Version of the program, for the start event. */
  readonly software: string;
  readonly log?: Log;
  readonly hooks?: StoreHooks;
  /** Opens although start-up found damage, because a person said so; the reason and the finding become part of the start event. */
  readonly accept?: { readonly reason: string };
  /** Other migrations than those of the program; for tests. */
  readonly migrations?: readonly Migration[];
  /** `$CREDENTIALS_DIRECTORY`; taken from the environment when left out. */
  readonly credentialsDir?: string;
}

/** How database.ts opens SQLite. */
export interface Opener {
  writer(layout: Layout): Db;
  readOnly(path: string): Db;
  lock(layout: Layout): Disposable;
}
