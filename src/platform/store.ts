/**
 * The platform's database: opening it safely, and one small function for each statement. No rule of the protocol is
 * here; those are in chain.ts and receive.ts.
 *
 * Promises: WAL with synchronous=FULL, read back and asserted, so that a returned transaction is on the disk before
 * anything is acknowledged (upstream §15). Several workers may open one file: writers queue on the lock.
 */
import Database from 'better-sqlite3';
import { keepStatements } from '../core/kept-statements.js';
import { asGatewayError, fail, GatewayError } from '../core/errors.js';
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from './schema.js';

const BUSY_MS = 20_000;

export type EpochState = 'open' | 'closed' | 'waiting' | 'parked';

export interface GatewayRow {
  readonly gw: string;
  readonly zone: string;
  readonly aud: string;
  readonly ep: string | null;
}

export interface KeyRow {
  readonly gw: string;
  readonly kid: string;
  readonly alg: string;
  readonly x: string;
  readonly from_ord: number;
  readonly from_seq: number;
  readonly to_ord: number | null;
  readonly to_seq: number | null;
}

export interface EpochRow {
  readonly gw: string;
  readonly ep: string;
  readonly ord: number | null;
  readonly state: EpochState;
  readonly cont: string | null;
}

export interface HeadRow {
  readonly seq: number;
  readonly hash: string;
  readonly n1: number | null;
}

export interface BatchRow {
  readonly gw: string;
  readonly ep: string;
  readonly seq: number;
  readonly hash: string;
  readonly prev: string;
  readonly jws: string;
  readonly received: number;
  readonly quarantined: number;
}

export interface NoteRow {
  readonly gw: string;
  readonly ep: string;
  readonly seq: number;
  readonly code: string;
  readonly text: string;
}

export interface RecordRow {
  readonly gw: string;
  readonly ep: string;
  readonly n: number;
  readonly seq: number;
  readonly kind: string;
  readonly deviceSn: string | null;
  readonly deviceUserId: string | null;
  readonly wallTime: string | null;
  readonly trainee: string | null;
  readonly instant: number | null;
  readonly effective: number | null;
  readonly quarantined: 0 | 1;
  readonly rest: string;
}

/** Opens or creates the file; throws `store-newer`, `store-damaged` or `store-failed`. */
export function openDatabase(file: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    db = keepStatements(new Database(file, { timeout: BUSY_MS }));
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    db.pragma('journal_size_limit = 67108864');
    db.pragma('cache_size = -32768');
    migrate(db, file);
    if (db.pragma('synchronous', { simple: true }) !== 2)
      throw fail('store-damaged', { dir: file, reason: 'synchronous=FULL was not taken' });
    return db;
  } catch (error) {
    db?.close();
    throw storageError(error);
  }
}

function migrate(db: Database.Database, file: string): void {
  const create = db.transaction(() => {
    const found = db.pragma('user_version', { simple: true }) as number;
    if (found > SCHEMA_VERSION) throw fail('store-newer', { found, known: SCHEMA_VERSION });
    if (found === SCHEMA_VERSION) {
      const owner = db.pragma('application_id', { simple: true });
      if (owner !== APPLICATION_ID)
        throw fail('store-damaged', { dir: file, reason: 'it is the database of another program' });
      return;
    }
    db.exec(SCHEMA);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  });
  create.immediate();
}

/** What SQLite refused, as an error of kind `storage`; our own errors pass through. */
export function storageError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof Database.SqliteError)
    return fail('store-failed', { reason: `${error.code}: ${error.message}` }, error);
  return asGatewayError(error);
}

/** The statements of one connection. */
export type PlatformStore = ReturnType<typeof createPlatformStore>;

export function createPlatformStore(file: string) {
  const db = openDatabase(file);
  return {
    db,
    /** One transaction that has the write lock from its first line and is on the disk when this returns; nested calls are savepoints. */
    transact: <T>(work: () => T): T => {
      const run = db.transaction(work);
      return db.inTransaction ? run() : run.immediate();
    },
    ...registryStatements(db),
    ...chainStatements(db),
    ...recordStatements(db),
    close: (): void => void db.close(),
  };
}

function registryStatements(db: Database.Database) {
  const gateway = db.prepare<[string], GatewayRow>('SELECT gw, zone, aud, ep FROM gateway WHERE gw = ?');
  const gateways = db.prepare<[], GatewayRow>('SELECT gw, zone, aud, ep FROM gateway ORDER BY gw');
  const putGateway = db.prepare<[string, string, string, number]>(
    'INSERT INTO gateway (gw, zone, aud, registered) VALUES (?, ?, ?, ?) ON CONFLICT (gw) DO UPDATE SET zone = excluded.zone',
  );
  const key = db.prepare<[string, string], KeyRow>('SELECT * FROM gateway_key WHERE gw = ? AND kid = ?');
  const keys = db.prepare<[string], KeyRow>('SELECT * FROM gateway_key WHERE gw = ? ORDER BY from_ord, from_seq');
  const addKey = db.prepare<[string, string, string, number, number]>(
    "INSERT OR IGNORE INTO gateway_key (gw, kid, alg, x, from_ord, from_seq) VALUES (?, ?, 'EdDSA', ?, ?, ?)",
  );
  const endKey = db.prepare<[number, number, string, string]>(
    'UPDATE gateway_key SET to_ord = ?, to_seq = ? WHERE gw = ? AND kid = ?',
  );
  const setEpoch = db.prepare<[string, string]>('UPDATE gateway SET ep = ? WHERE gw = ?');
  const getMeta = db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?');
  const putMeta = db.prepare<[string, string]>(
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  const putHealth = db.prepare<[string, number, string]>(
    'INSERT INTO health (gw, at, body) VALUES (?, ?, ?) ON CONFLICT (gw) DO UPDATE SET at = excluded.at, body = excluded.body',
  );
  const health = db.prepare<[string], { at: number; body: string }>('SELECT at, body FROM health WHERE gw = ?');
  return {
    gateway: (gw: string) => gateway.get(gw) ?? null,
    gateways: () => gateways.all(),
    putGateway: (gw: string, zone: string, aud: string, now: number) => void putGateway.run(gw, zone, aud, now),
    key: (gw: string, kid: string) => key.get(gw, kid) ?? null,
    keys: (gw: string) => keys.all(gw),
    addKey: (gw: string, kid: string, x: string, ord: number, seq: number) =>
      addKey.run(gw, kid, x, ord, seq).changes > 0,
    /** The key is valid up to and including this place. */
    endKey: (gw: string, kid: string, ord: number, seq: number) => void endKey.run(ord, seq, gw, kid),
    setOpenEpoch: (gw: string, ep: string) => void setEpoch.run(ep, gw),
    meta: (name: string) => getMeta.get(name)?.value ?? null,
    putMeta: (name: string, value: string) => void putMeta.run(name, value),
    putHealth: (gw: string, at: number, body: string) => void putHealth.run(gw, at, body),
    health: (gw: string) => health.get(gw) ?? null,
  };
}

function chainStatements(db: Database.Database) {
  const epoch = db.prepare<[string, string], EpochRow>(
    'SELECT gw, ep, ord, state, cont FROM epoch WHERE gw = ? AND ep = ?',
  );
  const epochs = db.prepare<[string], EpochRow>(
    'SELECT gw, ep, ord, state, cont FROM epoch WHERE gw = ? ORDER BY ord, since',
  );
  const lastOrd = db.prepare<[string], { ord: number | null }>('SELECT max(ord) AS ord FROM epoch WHERE gw = ?');
  const putEpoch = db.prepare<[string, string, number | null, EpochState, string | null, number]>(
    `INSERT INTO epoch (gw, ep, ord, state, cont, since) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (gw, ep) DO UPDATE SET ord = excluded.ord, state = excluded.state, cont = coalesce(excluded.cont, cont)`,
  );
  const head = db.prepare<[string, string], HeadRow>('SELECT seq, hash, n1 FROM head WHERE gw = ? AND ep = ?');
  const putHead = db.prepare<[string, string, number, string, number | null]>(
    `INSERT INTO head (gw, ep, seq, hash, n1) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (gw, ep) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, n1 = excluded.n1`,
  );
  const batch = db.prepare<[string, string, number], BatchRow>(
    'SELECT * FROM batch WHERE gw = ? AND ep = ? AND seq = ?',
  );
  const batchHash = db.prepare<[string, string, number], { hash: string }>(
    'SELECT hash FROM batch WHERE gw = ? AND ep = ? AND seq = ?',
  );
  const addBatch = db.prepare<[string, string, number, string, string, string, number]>(
    'INSERT INTO batch (gw, ep, seq, hash, prev, jws, received) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const chained = db.prepare<[number, number, string, string, number]>(
    'UPDATE batch SET records = ?, quarantined = ? WHERE gw = ? AND ep = ? AND seq = ?',
  );
  const dropBatch = db.prepare<[string, string, number]>('DELETE FROM batch WHERE gw = ? AND ep = ? AND seq = ?');
  const batches = db.prepare<[string, string], BatchRow>('SELECT * FROM batch WHERE gw = ? AND ep = ? ORDER BY seq');
  const park = db.prepare<[string, string, number, string, string, number]>(
    'INSERT OR IGNORE INTO parked (gw, ep, seq, hash, jws, received) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const parked = db.prepare<[string, string], { seq: number; jws: string; received: number }>(
    'SELECT seq, jws, received FROM parked WHERE gw = ? AND ep = ? ORDER BY seq, received',
  );
  const unpark = db.prepare<[string, string]>('DELETE FROM parked WHERE gw = ? AND ep = ?');
  const addFork = db.prepare<[string, string, number, string, string, string, number]>(
    'INSERT OR IGNORE INTO fork (gw, ep, seq, hash, code, jws, received) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const addNote = db.prepare<[string, string, number, string, string, number]>(
    'INSERT OR IGNORE INTO note (gw, ep, seq, code, text, at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const notes = db.prepare<[string, string, number], NoteRow>(
    'SELECT gw, ep, seq, code, text FROM note WHERE gw = ? AND ep = ? AND seq = ?',
  );
  return {
    epoch: (gw: string, ep: string) => epoch.get(gw, ep) ?? null,
    epochs: (gw: string) => epochs.all(gw),
    lastOrd: (gw: string) => lastOrd.get(gw)?.ord ?? 0,
    putEpoch: (row: EpochRow, now: number) => void putEpoch.run(row.gw, row.ep, row.ord, row.state, row.cont, now),
    head: (gw: string, ep: string) => head.get(gw, ep) ?? null,
    putHead: (gw: string, ep: string, row: HeadRow) => void putHead.run(gw, ep, row.seq, row.hash, row.n1),
    batch: (gw: string, ep: string, seq: number) => batch.get(gw, ep, seq) ?? null,
    batchHash: (gw: string, ep: string, seq: number) => batchHash.get(gw, ep, seq)?.hash ?? null,
    batches: (gw: string, ep: string) => batches.iterate(gw, ep),
    addBatch: (row: Omit<BatchRow, 'quarantined'>) =>
      void addBatch.run(row.gw, row.ep, row.seq, row.hash, row.prev, row.jws, row.received),
    markChained: (gw: string, ep: string, seq: number, records: number, quarantined: boolean) =>
      void chained.run(records, quarantined ? 1 : 0, gw, ep, seq),
    dropBatch: (gw: string, ep: string, seq: number) => void dropBatch.run(gw, ep, seq),
    park: (gw: string, ep: string, seq: number, hash: string, jws: string, now: number) =>
      void park.run(gw, ep, seq, hash, jws, now),
    parked: (gw: string, ep: string) => parked.all(gw, ep),
    unpark: (gw: string, ep: string) => void unpark.run(gw, ep),
    addFork: (gw: string, ep: string, seq: number, hash: string, code: string, jws: string, now: number) =>
      void addFork.run(gw, ep, seq, hash, code, jws, now),
    addNote: (row: NoteRow, now: number) => void addNote.run(row.gw, row.ep, row.seq, row.code, row.text, now),
    notes: (gw: string, ep: string, seq: number) => notes.all(gw, ep, seq),
  };
}

type Identity = readonly [gw: string, deviceSn: string, deviceUserId: string, wallTime: string];

function recordStatements(db: Database.Database) {
  const addRecord = db.prepare('INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const addPunch = db.prepare('INSERT OR IGNORE INTO punch VALUES (?, ?, ?, ?, ?, ?, ?)');
  const addAgain = db.prepare('INSERT OR IGNORE INTO punch_again VALUES (?, ?, ?, ?, ?, ?, ?)');
  const where = 'gw = ? AND device_sn = ? AND device_user_id = ? AND wall_time = ? AND ep = ?';
  const before = db.prepare<unknown[], { count: number }>(
    `SELECT (SELECT count(*) FROM punch WHERE ${where}) + (SELECT count(*) FROM punch_again WHERE ${where}) AS count`,
  );
  return {
    /** False when `(gw, ep, n)` is there already. */
    addRecord: (row: RecordRow): boolean =>
      addRecord.run(
        row.gw,
        row.ep,
        row.n,
        row.seq,
        row.kind,
        row.deviceSn,
        row.deviceUserId,
        row.wallTime,
        row.trainee,
        row.instant,
        row.effective,
        row.quarantined,
        row.rest,
      ).changes > 0,
    /**
     * Notes a punch by its identity. A gateway has removed doubles within an epoch itself, so the k-th punch of one
     * identity in a later epoch is the k-th of the earlier one delivered again. False: delivered before.
     */
    addPunch: (identity: Identity, ep: string, n: number): boolean => {
      if (addPunch.run(...identity, 0, ep, n).changes > 0) return true;
      const nth = before.get(...identity, ep, ...identity, ep)?.count ?? 0;
      if (nth > 0 && addPunch.run(...identity, nth, ep, n).changes > 0) return true;
      addAgain.run(...identity, nth, ep, n);
      return false;
    },
  };
}
