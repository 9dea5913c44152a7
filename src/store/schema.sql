-- Today's schema, every column explained. This file is for reading: a database is made by the migrations, and a test holds that both
-- come to the same. Change a migration that is not yet released, or add one, and change this file with it.
--
-- Times are milliseconds since 1970 UTC unless a comment says otherwise. Hashes in TEXT are lower-case hex, in BLOB raw.
-- Guards (triggers) stop accidents, not attackers: against those stand the record chain, the witness and the platform's receipts.

-- One value each: 'journal-id' (random, made with the file; the chain begins with it), 'verified' ({n, hash}: the chain is verified up to there).
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every fact of every kind, in the order in which it was committed, and the record chain over them (record.ts).
CREATE TABLE journal (
  n    INTEGER PRIMARY KEY CHECK (n > 0),                 -- journal number: from 1, without a gap
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),     -- 1 punch, 2 event, 3 credit: the table that holds the fact
  at   INTEGER NOT NULL,                                  -- gateway wall clock at the transaction
  hash BLOB NOT NULL CHECK (length(hash) = 32)            -- SHA-256 over the hash before, n, kind, at and the fact's canonical JSON
) STRICT;

-- Texts that many punches share, stored once.
CREATE TABLE word (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- Terminals by the serial number they reported.
CREATE TABLE device (
  id      INTEGER PRIMARY KEY,
  sn      TEXT NOT NULL UNIQUE,
  punches INTEGER NOT NULL DEFAULT 0 CHECK (punches >= 0),       -- how many punches are stored; moves with them in one transaction
  cursor  TEXT CHECK (cursor IS NULL OR json_valid(cursor))      -- the driver's reading position, opaque JSON; NULL: never read
) STRICT;

-- Raw punches, for ever as they came. Their canonical JSON is rebuilt from these columns when the chain is verified.
CREATE TABLE punch (
  n               INTEGER PRIMARY KEY REFERENCES journal (n),
  device          INTEGER NOT NULL REFERENCES device (id),       -- identity, part 1
  device_user_id  TEXT NOT NULL,                                 -- identity, part 2: the person's code on that terminal
  wall_time       TEXT NOT NULL,                                 -- identity, part 3: exactly what the terminal said, without zone
  seq_identity    INTEGER NOT NULL DEFAULT -1,                   -- identity, part 4: seq where the driver trusts it on every path, else -1
  terminal        INTEGER NOT NULL REFERENCES word (id),         -- id of the terminal in the settings then
  decoder         INTEGER NOT NULL REFERENCES word (id),         -- decoder that read the raw bytes, with its version
  firmware        INTEGER REFERENCES word (id),                  -- firmware the terminal reported; NULL: unknown
  device_uid      INTEGER,                                       -- the terminal's internal user number
  instant         INTEGER,                                       -- derived from wall_time with the terminal's zone; NULL: no such time
  rx              INTEGER NOT NULL,                              -- gateway wall clock when read
  rx_ticks        INTEGER NOT NULL,                              -- gateway monotonic clock then, ms; means something within one start
  clock_trusted   INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)), -- whether the gateway clock was known to be right
  offset_ms       INTEGER,                                       -- terminal clock minus gateway clock as last measured; NULL: unknown
  offset_age_ms   INTEGER,                                       -- age of that measurement at receipt
  effective       INTEGER,                                       -- time used for credit; NULL: cannot be timed
  direction       INTEGER NOT NULL CHECK (direction BETWEEN 0 AND 6), -- position in DIRECTIONS (record.ts)
  direction_raw   INTEGER,                                       -- the terminal's own code
  verify          INTEGER NOT NULL CHECK (verify BETWEEN 0 AND 9),    -- position in VERIFIES (record.ts)
  verify_raw      ANY,                                           -- the terminal's own code, number or text
  score           REAL,                                          -- match score where the terminal gives one
  source          INTEGER NOT NULL CHECK (source BETWEEN 0 AND 3),    -- 0 realtime, 1 poll, 2 push, 3 replay
  delivery        INTEGER NOT NULL CHECK (delivery BETWEEN 0 AND 1),  -- 0 live, 1 backfill
  seq             INTEGER,                                       -- the terminal's own record number
  seq_epoch       INTEGER,                                       -- epoch of that numbering
  trainee_no      TEXT,                                          -- trainee known for the code when read; NULL: unmatched
  astray          INTEGER NOT NULL CHECK (astray IN (0, 1)),     -- 1: wall_time does not lead to the day it may count for (index below)
  raw             BLOB NOT NULL                                  -- record bytes as received
) STRICT;

CREATE UNIQUE INDEX punch_identity ON punch (device_user_id, wall_time, device, seq_identity);
CREATE INDEX punch_astray ON punch (device_user_id, coalesce(effective, rx)) WHERE astray = 1;

-- Things that happened and are evidence. The other columns are read out of the body, so they cannot disagree with it.
CREATE TABLE event (
  n    INTEGER PRIMARY KEY REFERENCES journal (n),
  body TEXT NOT NULL CHECK (json_valid(body)),                   -- canonical JSON (RFC 8785) of the fact, as hashed
  what TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.what') VIRTUAL
) STRICT;

-- What says when terminals and the gateway were out.
CREATE INDEX event_presence ON event (body ->> '$.data.terminal', body ->> '$.at')
WHERE what = 'device' AND body ->> '$.data.state' IN ('online', 'offline', 'still-offline', 'DEVICE_REBOUND');
CREATE INDEX event_start ON event (body ->> '$.at') WHERE what = 'start';
-- What became of a class: drafts, changes, sealing, data that came after it.
CREATE INDEX event_of_class ON event (body ->> '$.data.classId', body ->> '$.data.state') WHERE what = 'class';

-- Revisions of a person's day in a class; the highest rev of an id is in force.
CREATE TABLE credit (
  n          INTEGER PRIMARY KEY REFERENCES journal (n),
  body       TEXT NOT NULL CHECK (json_valid(body)),             -- canonical JSON (RFC 8785) of the fact, as hashed
  id         TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.id') VIRTUAL,
  class_no   TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.classNo') VIRTUAL,
  trainee_no TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.traineeNo') VIRTUAL,
  date       TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.date') VIRTUAL,
  rev        INTEGER NOT NULL GENERATED ALWAYS AS (body ->> '$.rev') VIRTUAL
) STRICT;

CREATE UNIQUE INDEX credit_revision ON credit (id, rev);
CREATE INDEX credit_of_class ON credit (class_no, date);

-- Days whose credit must be computed anew.
CREATE TABLE touched_day (
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,                                      -- YYYY-MM-DD at the site
  cause      TEXT NOT NULL,                                      -- the first cause since the day was last done; one that a person stands for takes its place
  stamp      INTEGER NOT NULL CHECK (stamp > 0),                 -- of the last touch; a day is removed only with the stamp it was taken with
  PRIMARY KEY (class_no, trainee_no, date)
) STRICT, WITHOUT ROWID;

-- Where each upstream stands, one row an epoch; the rows of earlier epochs stay.
CREATE TABLE upstream (
  upstream   TEXT NOT NULL,                                      -- its name in the settings
  ep         TEXT NOT NULL CHECK (length(ep) = 32),              -- epoch, 32 hex digits
  present    INTEGER NOT NULL CHECK (present IN (0, 1)),         -- 1: the epoch in use
  gw         TEXT NOT NULL,                                      -- gateway id at that platform
  aud        TEXT NOT NULL,                                      -- the platform's id
  head_seq   INTEGER NOT NULL CHECK (head_seq >= 0),             -- last sealed batch; 0: none
  head_hash  TEXT NOT NULL,                                      -- its hash, or the genesis hash
  acked_seq  INTEGER NOT NULL CHECK (acked_seq BETWEEN 0 AND head_seq), -- last batch the platform acknowledged
  acked_hash TEXT NOT NULL,
  sealed_n   INTEGER NOT NULL CHECK (sealed_n >= 0),             -- last journal number in a sealed batch
  acked_n    INTEGER NOT NULL CHECK (acked_n BETWEEN 0 AND sealed_n),   -- last journal number acknowledged
  cont       TEXT NOT NULL CHECK (json_valid(cont)),             -- what batch 1 must carry about the epoch before, or null
  plat_at    INTEGER NOT NULL,                                   -- `at` of the last accepted platform state
  PRIMARY KEY (upstream, ep)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX upstream_present ON upstream (upstream) WHERE present = 1;

-- Sealed batches; the JWS is the text that was signed and is sent again as it stands.
CREATE TABLE batch (
  upstream  TEXT NOT NULL,
  ep        TEXT NOT NULL,
  seq       INTEGER NOT NULL CHECK (seq > 0),                    -- from 1 in each epoch, without a gap
  hash      TEXT NOT NULL CHECK (length(hash) = 64),             -- of the signing input
  prev      TEXT NOT NULL CHECK (length(prev) = 64),             -- hash of the batch before, or the genesis hash
  n0        INTEGER NOT NULL CHECK (n0 > 0),                     -- first journal number covered
  n1        INTEGER NOT NULL REFERENCES journal (n),             -- last journal number covered
  records   INTEGER NOT NULL CHECK (records BETWEEN 0 AND n1 - n0 + 1), -- records in it; the rest of the range is left out on purpose
  sealed_at INTEGER NOT NULL,
  jws       TEXT NOT NULL,
  PRIMARY KEY (upstream, ep, seq),
  FOREIGN KEY (upstream, ep) REFERENCES upstream (upstream, ep)
) STRICT;

-- Acknowledgements that moved the acknowledged head: the platform's signed words, kept as evidence.
CREATE TABLE receipt (
  id       INTEGER PRIMARY KEY,                                  -- order of arrival
  upstream TEXT NOT NULL,
  ep       TEXT NOT NULL,
  through  INTEGER NOT NULL CHECK (through > 0),                 -- last batch it covers
  hash     TEXT NOT NULL CHECK (length(hash) = 64),              -- hash of that batch, in the platform's words
  at       INTEGER NOT NULL,                                     -- gateway wall clock when it came; the platform's own is in jws
  jws      TEXT NOT NULL,
  FOREIGN KEY (upstream, ep, through) REFERENCES batch (upstream, ep, seq)
) STRICT;

CREATE INDEX receipt_of_upstream ON receipt (upstream, id);

-- Data keys of the vault, each wrapped by the key-encryption key (vault.ts).
CREATE TABLE data_key (
  id         INTEGER PRIMARY KEY,                                -- the key id in each sealed value
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
SELECT class_no, trainee_no, date, coalesce(body ->> '$.result.version', rev) AS version,
       coalesce(body ->> '$.result.status', body ->> '$.state') AS status, body ->> '$.totalHours' AS hours
FROM credit WHERE rev = (SELECT max(later.rev) FROM credit AS later WHERE later.id = credit.id);

-- Classes (the room `classes` owns these tables). Personal fields are sealed by the vault, bound to table, row and column.

-- Policies by content; a class keeps the one it was activated with.
CREATE TABLE class_policy (
  sha256  TEXT PRIMARY KEY CHECK (length(sha256) = 64),          -- of the canonical JSON in body
  id      TEXT NOT NULL,
  version INTEGER NOT NULL,
  body    TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;

CREATE TABLE class (
  class_no          TEXT PRIMARY KEY,
  regional_class_no TEXT,                                        -- number of the class at the region, where it has one
  body              TEXT NOT NULL CHECK (json_valid(body)),      -- head of the class: names, dates, hours, approval, room, terminals
  policy            TEXT NOT NULL REFERENCES class_policy (sha256),
  roster_version    INTEGER NOT NULL CHECK (roster_version > 0), -- version in force
  timetable_version INTEGER NOT NULL CHECK (timetable_version > 0),
  imported_at       INTEGER NOT NULL,
  FOREIGN KEY (class_no, roster_version) REFERENCES class_roster (class_no, version) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (class_no, timetable_version) REFERENCES class_timetable (class_no, version) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- One row an imported version of a roster.
CREATE TABLE class_roster (
  class_no    TEXT NOT NULL REFERENCES class (class_no) DEFERRABLE INITIALLY DEFERRED,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),           -- salted, so that it says nothing about the people
  salt        BLOB NOT NULL,
  source      TEXT NOT NULL,                                     -- where the import came from
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_trainee (
  class_no        TEXT NOT NULL,
  version         INTEGER NOT NULL,
  position        INTEGER NOT NULL CHECK (position > 0),         -- place in the file
  trainee_no      TEXT NOT NULL,
  device_user_id  TEXT NOT NULL,                                 -- code on the terminals
  enrolled_from   TEXT,                                          -- NULL: from the first day
  enrolled_to     TEXT,                                          -- NULL: to the last day; included
  methods         TEXT NOT NULL CHECK (json_valid(methods)),     -- other ways to identify allowed for this person
  name            BLOB NOT NULL,                                 -- sealed: JSON [normalised, as written]
  document_type   TEXT NOT NULL,
  document_number BLOB NOT NULL,                                 -- sealed
  document_index  TEXT NOT NULL,                                 -- blind index of type and number
  PRIMARY KEY (class_no, version, trainee_no),
  UNIQUE (class_no, version, device_user_id),
  FOREIGN KEY (class_no, version) REFERENCES class_roster (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX class_trainee_document ON class_trainee (document_index);

CREATE TABLE class_teacher (
  class_no       TEXT NOT NULL,
  version        INTEGER NOT NULL,
  teacher_no     TEXT NOT NULL,
  device_user_id TEXT NOT NULL,
  name           BLOB NOT NULL,                                  -- sealed
  qualification  BLOB,                                           -- sealed; NULL: none told
  PRIMARY KEY (class_no, version, teacher_no),
  FOREIGN KEY (class_no, version) REFERENCES class_roster (class_no, version)
) STRICT, WITHOUT ROWID;

-- Corrections of document data that came with a roster, with both people who stand for them.
CREATE TABLE class_correction (
  class_no     TEXT NOT NULL,
  version      INTEGER NOT NULL,
  trainee_no   TEXT NOT NULL,
  reason       BLOB NOT NULL,                                    -- sealed
  requested_by TEXT NOT NULL,
  approved_by  TEXT NOT NULL CHECK (approved_by <> requested_by),
  PRIMARY KEY (class_no, version, trainee_no),
  FOREIGN KEY (class_no, version) REFERENCES class_roster (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_timetable (
  class_no    TEXT NOT NULL REFERENCES class (class_no) DEFERRABLE INITIALLY DEFERRED,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),
  hours       INTEGER NOT NULL CHECK (hours > 0),                -- planned lessons in all
  body        TEXT NOT NULL CHECK (json_valid(body)),            -- the days with their lessons
  imported_at INTEGER NOT NULL,
  source      TEXT,                                              -- where the import came from; NULL: imported before that was kept
  imported_by TEXT,
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

-- Days whose present result is provisional; kept by the two triggers on credit, so that a start need not read all credits.
CREATE TABLE class_open_day (
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,
  PRIMARY KEY (class_no, trainee_no, date)
) STRICT, WITHOUT ROWID;

-- Class days on which everybody enrolled has a result, also who never punched; an import of the class empties it.
CREATE TABLE class_closed_day (
  class_no TEXT NOT NULL REFERENCES class (class_no),
  date     TEXT NOT NULL,
  PRIMARY KEY (class_no, date)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER class_policy_no_update BEFORE UPDATE ON class_policy BEGIN SELECT RAISE(ABORT, 'a policy in force is never changed'); END;
CREATE TRIGGER class_policy_kept BEFORE UPDATE OF policy ON class WHEN OLD.policy <> NEW.policy
BEGIN SELECT RAISE(ABORT, 'a class keeps its policy'); END;
CREATE TRIGGER class_roster_no_update BEFORE UPDATE ON class_roster BEGIN SELECT RAISE(ABORT, 'a roster version is never changed'); END;
CREATE TRIGGER class_trainee_no_update BEFORE UPDATE ON class_trainee BEGIN SELECT RAISE(ABORT, 'a roster version is never changed'); END;
CREATE TRIGGER class_teacher_no_update BEFORE UPDATE ON class_teacher BEGIN SELECT RAISE(ABORT, 'a roster version is never changed'); END;
CREATE TRIGGER class_correction_no_update BEFORE UPDATE ON class_correction BEGIN SELECT RAISE(ABORT, 'a correction is never changed'); END;
CREATE TRIGGER class_timetable_no_update BEFORE UPDATE ON class_timetable BEGIN SELECT RAISE(ABORT, 'a timetable version is never changed'); END;
CREATE TRIGGER class_roster_no_delete BEFORE DELETE ON class_roster BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_trainee_no_delete BEFORE DELETE ON class_trainee BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_teacher_no_delete BEFORE DELETE ON class_teacher BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_correction_no_delete BEFORE DELETE ON class_correction BEGIN SELECT RAISE(ABORT, 'a correction is kept'); END;
CREATE TRIGGER class_timetable_no_delete BEFORE DELETE ON class_timetable BEGIN SELECT RAISE(ABORT, 'a timetable version is kept'); END;
CREATE TRIGGER credit_opens_day AFTER INSERT ON credit WHEN NEW.body ->> '$.state' = 'provisional'
BEGIN INSERT INTO class_open_day (class_no, trainee_no, date) VALUES (NEW.class_no, NEW.trainee_no, NEW.date) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER credit_closes_day AFTER INSERT ON credit WHEN NEW.body ->> '$.state' <> 'provisional'
BEGIN DELETE FROM class_open_day WHERE class_no = NEW.class_no AND trainee_no = NEW.trainee_no AND date = NEW.date; END;

-- Who is in which terminal (R32). A table of work and not of facts: the terminal itself is the truth, this is what we know of it.
CREATE TABLE terminal_user (
  terminal_id    TEXT NOT NULL,    -- id in the settings
  device_user_id TEXT NOT NULL,    -- the id that the person types there
  class_no       TEXT NOT NULL,    -- the class that wants or wanted the person there
  trainee_no     TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('enrolled', 'failed', 'removed')),
  reason         TEXT,             -- why it failed: 'other-name', 'full', 'by-hand', or an error code; null when it did not
  put_by_us      INTEGER NOT NULL CHECK (put_by_us IN (0, 1)), -- 1: written by the gateway, which may remove it again; 0: found there
  roster_version INTEGER NOT NULL, -- version of the roster whose name was compared
  device_sn      TEXT NOT NULL,    -- serial number of the terminal then; another one begins anew
  tries          INTEGER NOT NULL CHECK (tries >= 0), -- failures in a row
  at             INTEGER NOT NULL, -- UTC milliseconds of the last change
  PRIMARY KEY (terminal_id, device_user_id)
) STRICT, WITHOUT ROWID;

-- A class that is not active yet: everything imported so far, one version an import. Activation makes it a class.
CREATE TABLE class_draft (
  class_no    TEXT NOT NULL,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),           -- salted, as that of a roster
  source      TEXT NOT NULL,                                     -- where the import came from
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  body        BLOB NOT NULL,                                     -- sealed: JSON of the parts of the class that are known
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

-- Why a timetable was changed after activation (R15).
CREATE TABLE class_change (
  class_no          TEXT NOT NULL REFERENCES class (class_no),
  timetable_version INTEGER NOT NULL,                            -- the version that the change made
  reason            BLOB NOT NULL,                               -- sealed
  changed_by        TEXT NOT NULL,
  approved_by       TEXT,                                        -- who approved it, where somebody did
  changed_at        INTEGER NOT NULL,
  PRIMARY KEY (class_no, timetable_version),
  FOREIGN KEY (class_no, timetable_version) REFERENCES class_timetable (class_no, version)
) STRICT, WITHOUT ROWID;

-- Remarks on a class or one of its dates; past dates are not changed, only annotated (R15).
CREATE TABLE class_note (
  class_no TEXT NOT NULL REFERENCES class (class_no),
  no       INTEGER NOT NULL CHECK (no > 0),                      -- from 1 in each class
  date     TEXT,                                                 -- NULL: the class as a whole
  text     BLOB NOT NULL,                                        -- sealed
  noted_by TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (class_no, no)
) STRICT, WITHOUT ROWID;

-- What people ask for: leave, a make-up for an empty slot, the review of a punch that could not be timed.
CREATE TABLE class_request (
  id           TEXT PRIMARY KEY,                                 -- random; people and scripts name it
  class_no     TEXT NOT NULL REFERENCES class (class_no),
  kind         TEXT NOT NULL CHECK (kind IN ('leave', 'makeup', 'review')),
  trainee_no   TEXT NOT NULL,
  date         TEXT NOT NULL,                                    -- the class day it is for
  place        TEXT NOT NULL,                                    -- leave: session (AM); make-up: slot (AM_IN); review: journal number of the punch
  effective    INTEGER,                                          -- review: the time that the reviewer found right; else NULL
  reason       TEXT NOT NULL,                                    -- code, such as deviceFault
  text         BLOB,                                             -- sealed; NULL: none told
  evidence     TEXT NOT NULL CHECK (json_valid(evidence)),       -- list of {kind, sha256}
  requested_by TEXT NOT NULL,
  requested_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX class_request_day ON class_request (class_no, trainee_no, date);

-- What became of a request; without a row it is open.
CREATE TABLE class_decision (
  request    TEXT PRIMARY KEY REFERENCES class_request (id),
  verdict    TEXT NOT NULL CHECK (verdict IN ('approved', 'rejected', 'withdrawn')),
  text       BLOB,                                               -- sealed; NULL: none told
  decided_by TEXT NOT NULL,                                      -- approved: another person than who requested
  decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files of online hours (R48); the same file is imported once.
CREATE TABLE class_online_import (
  id          INTEGER PRIMARY KEY,                               -- order of the imports
  class_no    TEXT NOT NULL REFERENCES class (class_no),
  sha256      TEXT NOT NULL CHECK (length(sha256) = 64),         -- of the file
  source      TEXT NOT NULL,                                     -- its name
  origin      TEXT NOT NULL,                                     -- online platform it came from
  digest      TEXT NOT NULL CHECK (length(digest) = 64),         -- of its records here
  records     INTEGER NOT NULL CHECK (records > 0),
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  UNIQUE (class_no, sha256)
) STRICT;

-- One record of such a file. Of several for one person, date and lesson the one of the latest import counts.
CREATE TABLE class_online (
  import     INTEGER NOT NULL REFERENCES class_online_import (id),
  row        INTEGER NOT NULL CHECK (row > 0),                   -- row of the file
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,
  lesson     TEXT NOT NULL,                                      -- name or number of the lesson; empty: the day as a whole
  kind       TEXT NOT NULL CHECK (kind IN ('theory', 'practice')),
  minutes    INTEGER NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
  proof      TEXT NOT NULL CHECK (json_valid(proof)),            -- sign-in, learning record, tutoring, tests, as far as told (LN 4(2))
  PRIMARY KEY (import, row)
) STRICT, WITHOUT ROWID;

CREATE INDEX class_online_day ON class_online (class_no, trainee_no, date);

-- Sealed classes: nothing that comes later changes their results (R84).
CREATE TABLE class_seal (
  class_no  TEXT PRIMARY KEY REFERENCES class (class_no),
  digest    TEXT NOT NULL CHECK (length(digest) = 64),           -- SHA-256 over the sealed day results
  days      INTEGER NOT NULL CHECK (days >= 0),                  -- how many day results were sealed
  sealed_by TEXT NOT NULL,
  sealed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER class_draft_no_update BEFORE UPDATE ON class_draft BEGIN SELECT RAISE(ABORT, 'a draft version is never changed'); END;
CREATE TRIGGER class_draft_no_delete BEFORE DELETE ON class_draft BEGIN SELECT RAISE(ABORT, 'a draft version is kept'); END;
CREATE TRIGGER class_change_no_update BEFORE UPDATE ON class_change BEGIN SELECT RAISE(ABORT, 'a reason is never changed'); END;
CREATE TRIGGER class_change_no_delete BEFORE DELETE ON class_change BEGIN SELECT RAISE(ABORT, 'a reason is kept'); END;
CREATE TRIGGER class_note_no_update BEFORE UPDATE ON class_note BEGIN SELECT RAISE(ABORT, 'a note is never changed'); END;
CREATE TRIGGER class_note_no_delete BEFORE DELETE ON class_note BEGIN SELECT RAISE(ABORT, 'a note is kept'); END;
CREATE TRIGGER class_request_no_update BEFORE UPDATE ON class_request BEGIN SELECT RAISE(ABORT, 'a request is never changed'); END;
CREATE TRIGGER class_request_no_delete BEFORE DELETE ON class_request BEGIN SELECT RAISE(ABORT, 'a request is kept'); END;
CREATE TRIGGER class_decision_no_update BEFORE UPDATE ON class_decision BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
CREATE TRIGGER class_decision_no_delete BEFORE DELETE ON class_decision BEGIN SELECT RAISE(ABORT, 'a decision is kept'); END;
CREATE TRIGGER class_decision_second BEFORE INSERT ON class_decision
WHEN NEW.verdict = 'approved' AND NEW.decided_by = (SELECT requested_by FROM class_request WHERE id = NEW.request)
BEGIN SELECT RAISE(ABORT, 'another person must approve'); END;
CREATE TRIGGER class_online_import_no_update BEFORE UPDATE ON class_online_import BEGIN SELECT RAISE(ABORT, 'an import is never changed'); END;
CREATE TRIGGER class_online_import_no_delete BEFORE DELETE ON class_online_import BEGIN SELECT RAISE(ABORT, 'an import is kept'); END;
CREATE TRIGGER class_online_no_update BEFORE UPDATE ON class_online BEGIN SELECT RAISE(ABORT, 'an online record is never changed'); END;
CREATE TRIGGER class_online_no_delete BEFORE DELETE ON class_online BEGIN SELECT RAISE(ABORT, 'an online record is kept'); END;
CREATE TRIGGER class_seal_no_update BEFORE UPDATE ON class_seal BEGIN SELECT RAISE(ABORT, 'a sealed class stays sealed'); END;
CREATE TRIGGER class_seal_no_delete BEFORE DELETE ON class_seal BEGIN SELECT RAISE(ABORT, 'a sealed class stays sealed'); END;
