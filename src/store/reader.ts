/**
 * The database beside a running daemon: read-only, one moment a statement, no lock taken and no file changed. For commands that
 * only look. Names open only where the key-encryption key can be read; a key that the service manager holds is not here.
 */
import { fail, GatewayError, systemCode } from '../core/errors.js';
import type { Instant } from '../core/time.js';
import { openReadOnly } from './database.js';
import type { JsonValue } from '../rules/facts.js';
import { layoutOf, sizeOf } from './layout.js';
import { assertOurs, loadMigrations, schemaVersion } from './schema.js';
import type { Db, Vault } from './store.js';
import { openVault } from './vault.js';

export interface Reader extends Disposable {
  readonly db: Db;
  /** Null: the key is not within reach, so nothing that names a person can be read. */
  readonly vault: Vault | null;
  /** As `Store.cursor`. */
  cursor(deviceSn: string): JsonValue;
  /** Whether the journal has this punch. */
  hasPunch(deviceSn: string, deviceUserId: string, wallTime: string): boolean;
}

/**
 * Null when nothing was ever stored there. Throws `file-unreadable` for a database that cannot be read or is an older program's,
 * and what `assertOurs` throws.
 */
export function openReader(
  dir: string,
  options: { readonly now: Instant; readonly credentialsDir?: string | undefined },
): Reader | null {
  const { database, keys } = layoutOf(dir);
  if ((sizeOf(database) ?? 0) === 0) return null;
  const unreadable = (reason: string, cause?: unknown): GatewayError =>
    fail('file-unreadable', { file: database, reason }, cause);
  let db: Db | null = null;
  try {
    db = openReadOnly(database);
    const known = loadMigrations().length;
    assertOurs(db, known, dir);
    if (schemaVersion(db) < known) throw unreadable('an older version made it; start the gateway once');
    return readerOf(db, vaultOf(db, keys, options));
  } catch (error) {
    db?.close();
    throw error instanceof GatewayError ? error : unreadable(systemCode(error) ?? 'unknown', error);
  }
}

function readerOf(db: Db, vault: Vault | null): Reader {
  const cursor = db.prepare<[string], { cursor: string | null }>('SELECT cursor FROM device WHERE sn = ?');
  const punch = db.prepare<[string, string, string]>(
    `SELECT 1 FROM punch WHERE device_user_id = ? AND wall_time = ? AND device = (SELECT id FROM device WHERE sn = ?)`,
  );
  return {
    db,
    vault,
    cursor(deviceSn) {
      const text = cursor.get(deviceSn)?.cursor ?? null;
      return text === null ? null : (JSON.parse(text) as JsonValue);
    },
    hasPunch: (deviceSn, deviceUserId, wallTime) => punch.get(deviceUserId, wallTime, deviceSn) !== undefined,
    [Symbol.dispose]: () => void db.close(),
  };
}

/** The vault as it is. Making keys, or taking them over into a new credential, is the business of who may write. */
function vaultOf(
  db: Db,
  keysDir: string,
  { now, credentialsDir }: { readonly now: Instant; readonly credentialsDir?: string | undefined },
): Vault | null {
  const { keys } = db.prepare('SELECT count(*) AS keys FROM data_key').get() as { keys: number };
  if (keys === 0) return null;
  try {
    return openVault(db, { keysDir, credentialsDir, now }).vault;
  } catch {
    return null;
  }
}
