-- The journal, its chain, what is still to be done, and the outbox. Never edited once released; see schema.sql for the meaning of every column.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('journal-id', lower(hex(randomblob(16))));

CREATE TABLE journal (
  n    INTEGER PRIMARY KEY CHECK (n > 0),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
  at   INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE word (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE device (
  id      INTEGER PRIMARY KEY,
  sn      TEXT NOT NULL UNIQUE,
  punches INTEGER NOT NULL DEFAULT 0 CHECK (punches >= 0),
  cursor  TEXT CHECK (cursor IS NULL OR json_valid(cursor))
) STRICT;

CREATE TABLE punch (
  n               INTEGER PRIMARY KEY REFERENCES journal (n),
  device          INTEGER NOT NULL REFERENCES device (id),
  device_user_id  TEXT NOT NULL,
  wall_time       TEXT NOT NULL,
  seq_identity    INTEGER NOT NULL DEFAULT -1,
  terminal        INTEGER NOT NULL REFERENCES word (id),
  decoder         INTEGER NOT NULL REFERENCES word (id),
  firmware        INTEGER REFERENCES word (id),
  device_uid      INTEGER,
  instant         INTEGER,
  rx              INTEGER NOT NULL,
  rx_ticks        INTEGER NOT NULL,
  clock_trusted   INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),
  offset_ms       INTEGER,
  offset_age_ms   INTEGER,
  effective       INTEGER,
  direction       INTEGER NOT NULL CHECK (direction BETWEEN 0 AND 6),
  direction_raw   INTEGER,
  verify          INTEGER NOT NULL CHECK (verify BETWEEN 0 AND 9),
  verify_raw      ANY,
  score           REAL,
  source          INTEGER NOT NULL CHECK (source BETWEEN 0 AND 3),
  delivery        INTEGER NOT NULL CHECK (delivery BETWEEN 0 AND 1),
  seq             INTEGER,
  seq_epoch       INTEGER,
  trainee_no      TEXT,
  astray          INTEGER NOT NULL CHECK (astray IN (0, 1)),
  raw             BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX punch_identity ON punch (device_user_id, wall_time, device, seq_identity);
CREATE INDEX punch_astray ON punch (device_user_id, coalesce(effective, rx)) WHERE astray = 1;

CREATE TABLE event (
  n    INTEGER PRIMARY KEY REFERENCES journal (n),
  body TEXT NOT NULL CHECK (json_valid(body)),
  what TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.what') VIRTUAL
) STRICT;

CREATE TABLE credit (
  n          INTEGER PRIMARY KEY REFERENCES journal (n),
  body       TEXT NOT NULL CHECK (json_valid(body)),
  id         TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.id') VIRTUAL,
  class_no   TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.classNo') VIRTUAL,
  trainee_no TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.traineeNo') VIRTUAL,
  date       TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.date') VIRTUAL,
  rev        INTEGER NOT NULL GENERATED ALWAYS AS (body ->> '$.rev') VIRTUAL
) STRICT;

CREATE UNIQUE INDEX credit_revision ON credit (id, rev);
CREATE INDEX credit_of_class ON credit (class_no, date);

CREATE TABLE touched_day (
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,
  cause      TEXT NOT NULL,
  stamp      INTEGER NOT NULL CHECK (stamp > 0),
  PRIMARY KEY (class_no, trainee_no, date)
) STRICT, WITHOUT ROWID;

CREATE TABLE upstream (
  upstream   TEXT NOT NULL,
  ep         TEXT NOT NULL CHECK (length(ep) = 32),
  present    INTEGER NOT NULL CHECK (present IN (0, 1)),
  gw         TEXT NOT NULL,
  aud        TEXT NOT NULL,
  head_seq   INTEGER NOT NULL CHECK (head_seq >= 0),
  head_hash  TEXT NOT NULL,
  acked_seq  INTEGER NOT NULL CHECK (acked_seq BETWEEN 0 AND head_seq),
  acked_hash TEXT NOT NULL,
  sealed_n   INTEGER NOT NULL CHECK (sealed_n >= 0),
  acked_n    INTEGER NOT NULL CHECK (acked_n BETWEEN 0 AND sealed_n),
  cont       TEXT NOT NULL CHECK (json_valid(cont)),
  plat_at    INTEGER NOT NULL,
  PRIMARY KEY (upstream, ep)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX upstream_present ON upstream (upstream) WHERE present = 1;

CREATE TABLE batch (
  upstream  TEXT NOT NULL,
  ep        TEXT NOT NULL,
  seq       INTEGER NOT NULL CHECK (seq > 0),
  hash      TEXT NOT NULL CHECK (length(hash) = 64),
  prev      TEXT NOT NULL CHECK (length(prev) = 64),
  n0        INTEGER NOT NULL CHECK (n0 > 0),
  n1        INTEGER NOT NULL REFERENCES journal (n),
  records   INTEGER NOT NULL CHECK (records BETWEEN 0 AND n1 - n0 + 1),
  sealed_at INTEGER NOT NULL,
  jws       TEXT NOT NULL,
  PRIMARY KEY (upstream, ep, seq),
  FOREIGN KEY (upstream, ep) REFERENCES upstream (upstream, ep)
) STRICT;

CREATE TABLE receipt (
  id       INTEGER PRIMARY KEY,
  upstream TEXT NOT NULL,
  ep       TEXT NOT NULL,
  through  INTEGER NOT NULL CHECK (through > 0),
  hash     TEXT NOT NULL CHECK (length(hash) = 64),
  at       INTEGER NOT NULL,
  jws      TEXT NOT NULL,
  FOREIGN KEY (upstream, ep, through) REFERENCES batch (upstream, ep, seq)
) STRICT;

CREATE INDEX receipt_of_upstream ON receipt (upstream, id);

CREATE TABLE data_key (
  id         INTEGER PRIMARY KEY,
  purpose    TEXT NOT NULL CHECK (purpose IN ('field', 'index')),
  wrapped    BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER journal_no_gap BEFORE INSERT ON journal
WHEN NEW.n <> (SELECT coalesce(max(n), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'journal numbers have no gaps'); END;

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is never changed'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is never deleted'); END;
CREATE TRIGGER punch_no_update BEFORE UPDATE ON punch BEGIN SELECT RAISE(ABORT, 'a punch is never changed'); END;
CREATE TRIGGER punch_no_delete BEFORE DELETE ON punch BEGIN SELECT RAISE(ABORT, 'a punch is never deleted'); END;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;
CREATE TRIGGER credit_no_update BEFORE UPDATE ON credit BEGIN SELECT RAISE(ABORT, 'a credit revision is never changed'); END;
CREATE TRIGGER credit_no_delete BEFORE DELETE ON credit BEGIN SELECT RAISE(ABORT, 'a credit revision is never deleted'); END;
CREATE TRIGGER batch_no_update BEFORE UPDATE ON batch BEGIN SELECT RAISE(ABORT, 'a sealed batch is never changed'); END;
CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'a sealed batch is never deleted'); END;
CREATE TRIGGER receipt_no_update BEFORE UPDATE ON receipt BEGIN SELECT RAISE(ABORT, 'a receipt is never changed'); END;
CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt BEGIN SELECT RAISE(ABORT, 'a receipt is never deleted'); END;
CREATE TRIGGER word_no_update BEFORE UPDATE ON word BEGIN SELECT RAISE(ABORT, 'a word is never changed'); END;
CREATE TRIGGER word_no_delete BEFORE DELETE ON word BEGIN SELECT RAISE(ABORT, 'a word is never deleted'); END;
CREATE TRIGGER device_no_rename BEFORE UPDATE OF id, sn ON device BEGIN SELECT RAISE(ABORT, 'a serial number is never changed'); END;
CREATE TRIGGER device_no_delete BEFORE DELETE ON device BEGIN SELECT RAISE(ABORT, 'a device is never deleted'); END;

CREATE VIEW v_punch AS
SELECT punch.n AS n, device.sn AS device_sn, punch.device_user_id AS device_user_id, punch.wall_time AS wall_time,
       punch.instant AS instant, punch.rx AS received_at,
       CASE punch.source WHEN 0 THEN 'realtime' WHEN 1 THEN 'poll' WHEN 2 THEN 'push' ELSE 'replay' END AS source
FROM punch JOIN device ON device.id = punch.device;

CREATE VIEW v_pending AS
SELECT (SELECT coalesce(max(n), 0) FROM journal) - acked.n AS records, acked.batches AS batches,
       (SELECT at FROM journal WHERE journal.n = acked.n + 1) AS oldest_at
FROM (SELECT coalesce(min(acked_n), 0) AS n, coalesce(sum(head_seq - acked_seq), 0) AS batches FROM upstream WHERE present = 1) AS acked;

CREATE VIEW v_clock_event AS
SELECT body ->> '$.at' AS at, body ->> '$.data.beforeMs' AS before_ms, body ->> '$.data.afterMs' AS after_ms,
       coalesce(body ->> '$.data.source', body ->> '$.data.deviceSn', 'gateway') AS source
FROM event WHERE what = 'clock';

CREATE VIEW v_day_credit AS
SELECT class_no, trainee_no, date, coalesce(body ->> '$.result.version', rev) AS version, body ->> '$.state' AS status,
       body ->> '$.totalHours' AS hours
FROM credit WHERE rev = (SELECT max(later.rev) FROM credit AS later WHERE later.id = credit.id);
