/**
 * The tables of the reference platform, every one explained. SQLite here; the same tables serve PostgreSQL in a city.
 *
 * Promises: a batch is kept verbatim as evidence; `(gw, ep, seq)` and `(gw, ep, n)` are unique (upstream §1, §15);
 * nothing is ever updated except heads, states and flags. Views are for people who look with the sqlite3 program.
 */
export const APPLICATION_ID = 0x526f506c;
export const SCHEMA_VERSION = 1;

export const SCHEMA = `
-- Enrolled gateways. ep: the open epoch; null until the first batch.
CREATE TABLE gateway (
  gw TEXT PRIMARY KEY, zone TEXT NOT NULL, aud TEXT NOT NULL, ep TEXT, registered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signing keys, each valid from one place of the gateway's history to another. A place is (ordinal of the epoch, seq).
CREATE TABLE gateway_key (
  gw TEXT NOT NULL REFERENCES gateway, kid TEXT NOT NULL, alg TEXT NOT NULL, x TEXT NOT NULL,
  from_ord INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_ord INTEGER, to_seq INTEGER,
  PRIMARY KEY (gw, kid)
) STRICT, WITHOUT ROWID;

-- Epochs ever heard of. open: batches extend it; closed: a later one took over; waiting: its batch 1 is not here yet;
-- parked: not accepted by rule, a person decides.
CREATE TABLE epoch (
  gw TEXT NOT NULL REFERENCES gateway, ep TEXT NOT NULL, ord INTEGER,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'waiting', 'parked')),
  cont TEXT, since INTEGER NOT NULL,
  PRIMARY KEY (gw, ep)
) STRICT, WITHOUT ROWID;

-- Highest contiguous batch of an epoch; seq 0 has the genesis hash. n1: last journal number it covers.
CREATE TABLE head (
  gw TEXT NOT NULL, ep TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, n1 INTEGER,
  PRIMARY KEY (gw, ep)
) STRICT, WITHOUT ROWID;

-- Accepted batches and those that arrived early (seq above the head). jws is verbatim.
CREATE TABLE batch (
  gw TEXT NOT NULL, ep TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, prev TEXT NOT NULL,
  jws TEXT NOT NULL, received INTEGER NOT NULL, records INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  UNIQUE (gw, ep, seq)
) STRICT;

-- Batches of an epoch that is not accepted (yet).
CREATE TABLE parked (
  gw TEXT NOT NULL, ep TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  jws TEXT NOT NULL, received INTEGER NOT NULL,
  PRIMARY KEY (gw, ep, seq, hash)
) STRICT;

-- Signed messages that contradict the chain: the second version of a fork, a batch whose prev does not fit, and so on.
CREATE TABLE fork (
  gw TEXT NOT NULL, ep TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, code TEXT NOT NULL,
  jws TEXT NOT NULL, received INTEGER NOT NULL,
  PRIMARY KEY (gw, ep, seq, hash, code)
) STRICT;

-- Notes and alarms, each once. code: fork, chain, key, epoch, gap, schema, unknown-kind.
CREATE TABLE note (
  gw TEXT NOT NULL, ep TEXT NOT NULL, seq INTEGER NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (gw, ep, seq, code, text)
) STRICT, WITHOUT ROWID;

-- Records of chained batches. Punch members that are asked for have columns; the other members are JSON in rest.
CREATE TABLE record (
  gw TEXT NOT NULL, ep TEXT NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
  device_sn TEXT, device_user_id TEXT, wall_time TEXT, trainee TEXT, instant INTEGER, effective INTEGER,
  quarantined INTEGER NOT NULL DEFAULT 0, rest TEXT NOT NULL,
  PRIMARY KEY (gw, ep, n)
) STRICT, WITHOUT ROWID;

-- Each punch once, by its identity. nth counts equal identities within one epoch, from 0. The time comes early in the
-- key because punches arrive in the order of time: inserts touch the last pages only.
CREATE TABLE punch (
  gw TEXT NOT NULL, device_sn TEXT NOT NULL, device_user_id TEXT NOT NULL, wall_time TEXT NOT NULL,
  nth INTEGER NOT NULL, ep TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (gw, wall_time, device_user_id, device_sn, nth)
) STRICT, WITHOUT ROWID;

-- The same punch delivered again in another epoch (a rebuilt gateway read its terminals again).
CREATE TABLE punch_again (
  gw TEXT NOT NULL, device_sn TEXT NOT NULL, device_user_id TEXT NOT NULL, wall_time TEXT NOT NULL,
  nth INTEGER NOT NULL, ep TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (gw, wall_time, device_user_id, device_sn, ep, nth)
) STRICT, WITHOUT ROWID;

-- Last heartbeat of each gateway, as it came.
CREATE TABLE health (gw TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE VIEW v_platform_punch AS
  SELECT p.gw, p.device_sn, p.device_user_id, p.wall_time, r.trainee, r.instant, r.effective, r.ep, r.seq, r.n
  FROM punch AS p JOIN record AS r ON r.gw = p.gw AND r.ep = p.ep AND r.n = p.n;
`;
