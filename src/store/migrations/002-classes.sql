-- Classes: policies by content, rosters and timetables by version, terminals by date. See schema.sql for the meaning of every column.

CREATE TABLE class_policy (
  sha256  TEXT PRIMARY KEY CHECK (length(sha256) = 64),
  id      TEXT NOT NULL,
  version INTEGER NOT NULL,
  body    TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;

CREATE TABLE class (
  class_no          TEXT PRIMARY KEY,
  regional_class_no TEXT,
  body              TEXT NOT NULL CHECK (json_valid(body)),
  policy            TEXT NOT NULL REFERENCES class_policy (sha256),
  roster_version    INTEGER NOT NULL CHECK (roster_version > 0),
  timetable_version INTEGER NOT NULL CHECK (timetable_version > 0),
  imported_at       INTEGER NOT NULL,
  FOREIGN KEY (class_no, roster_version) REFERENCES class_roster (class_no, version) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (class_no, timetable_version) REFERENCES class_timetable (class_no, version) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE class_roster (
  class_no    TEXT NOT NULL REFERENCES class (class_no) DEFERRABLE INITIALLY DEFERRED,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),
  salt        BLOB NOT NULL,
  source      TEXT NOT NULL,
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_trainee (
  class_no        TEXT NOT NULL,
  version         INTEGER NOT NULL,
  position        INTEGER NOT NULL CHECK (position > 0),
  trainee_no      TEXT NOT NULL,
  device_user_id  TEXT NOT NULL,
  enrolled_from   TEXT,
  enrolled_to     TEXT,
  methods         TEXT NOT NULL CHECK (json_valid(methods)),
  name            BLOB NOT NULL,
  document_type   TEXT NOT NULL,
  document_number BLOB NOT NULL,
  document_index  TEXT NOT NULL,
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
  name           BLOB NOT NULL,
  qualification  BLOB,
  PRIMARY KEY (class_no, version, teacher_no),
  FOREIGN KEY (class_no, version) REFERENCES class_roster (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_correction (
  class_no     TEXT NOT NULL,
  version      INTEGER NOT NULL,
  trainee_no   TEXT NOT NULL,
  reason       BLOB NOT NULL,
  requested_by TEXT NOT NULL,
  approved_by  TEXT NOT NULL CHECK (approved_by <> requested_by),
  PRIMARY KEY (class_no, version, trainee_no),
  FOREIGN KEY (class_no, version) REFERENCES class_roster (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_timetable (
  class_no    TEXT NOT NULL REFERENCES class (class_no) DEFERRABLE INITIALLY DEFERRED,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),
  hours       INTEGER NOT NULL CHECK (hours > 0),
  body        TEXT NOT NULL CHECK (json_valid(body)),
  imported_at INTEGER NOT NULL,
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_open_day (
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,
  PRIMARY KEY (class_no, trainee_no, date)
) STRICT, WITHOUT ROWID;

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
CREATE TRIGGER credit_opens_day AFTER INSERT ON credit WHEN NEW.body ->> '$.state' = 'provisional'
BEGIN INSERT INTO class_open_day (class_no, trainee_no, date) VALUES (NEW.class_no, NEW.trainee_no, NEW.date) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER credit_closes_day AFTER INSERT ON credit WHEN NEW.body ->> '$.state' <> 'provisional'
BEGIN DELETE FROM class_open_day WHERE class_no = NEW.class_no AND trainee_no = NEW.trainee_no AND date = NEW.date; END;
