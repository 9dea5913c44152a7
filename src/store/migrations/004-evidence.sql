-- Classes before and after they run: drafts, requests with decisions, online hours, changes with their reasons, sealing.
-- See schema.sql for the meaning of every column.

CREATE TABLE class_draft (
  class_no    TEXT NOT NULL,
  version     INTEGER NOT NULL CHECK (version > 0),
  hash        TEXT NOT NULL CHECK (length(hash) = 64),
  source      TEXT NOT NULL,
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  body        BLOB NOT NULL,
  PRIMARY KEY (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_change (
  class_no          TEXT NOT NULL REFERENCES class (class_no),
  timetable_version INTEGER NOT NULL,
  reason            BLOB NOT NULL,
  changed_by        TEXT NOT NULL,
  approved_by       TEXT,
  changed_at        INTEGER NOT NULL,
  PRIMARY KEY (class_no, timetable_version),
  FOREIGN KEY (class_no, timetable_version) REFERENCES class_timetable (class_no, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_note (
  class_no TEXT NOT NULL REFERENCES class (class_no),
  no       INTEGER NOT NULL CHECK (no > 0),
  date     TEXT,
  text     BLOB NOT NULL,
  noted_by TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (class_no, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE class_request (
  id           TEXT PRIMARY KEY,
  class_no     TEXT NOT NULL REFERENCES class (class_no),
  kind         TEXT NOT NULL CHECK (kind IN ('leave', 'makeup', 'review')),
  trainee_no   TEXT NOT NULL,
  date         TEXT NOT NULL,
  place        TEXT NOT NULL,
  effective    INTEGER,
  reason       TEXT NOT NULL,
  text         BLOB,
  evidence     TEXT NOT NULL CHECK (json_valid(evidence)),
  requested_by TEXT NOT NULL,
  requested_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX class_request_day ON class_request (class_no, trainee_no, date);

CREATE TABLE class_decision (
  request    TEXT PRIMARY KEY REFERENCES class_request (id),
  verdict    TEXT NOT NULL CHECK (verdict IN ('approved', 'rejected', 'withdrawn')),
  text       BLOB,
  decided_by TEXT NOT NULL,
  decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE class_online_import (
  id          INTEGER PRIMARY KEY,
  class_no    TEXT NOT NULL REFERENCES class (class_no),
  sha256      TEXT NOT NULL CHECK (length(sha256) = 64),
  source      TEXT NOT NULL,
  origin      TEXT NOT NULL,
  digest      TEXT NOT NULL CHECK (length(digest) = 64),
  records     INTEGER NOT NULL CHECK (records > 0),
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  UNIQUE (class_no, sha256)
) STRICT;

CREATE TABLE class_online (
  import     INTEGER NOT NULL REFERENCES class_online_import (id),
  row        INTEGER NOT NULL CHECK (row > 0),
  class_no   TEXT NOT NULL,
  trainee_no TEXT NOT NULL,
  date       TEXT NOT NULL,
  lesson     TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('theory', 'practice')),
  minutes    INTEGER NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
  proof      TEXT NOT NULL CHECK (json_valid(proof)),
  PRIMARY KEY (import, row)
) STRICT, WITHOUT ROWID;

CREATE INDEX class_online_day ON class_online (class_no, trainee_no, date);

CREATE TABLE class_seal (
  class_no  TEXT PRIMARY KEY REFERENCES class (class_no),
  digest    TEXT NOT NULL CHECK (length(digest) = 64),
  days      INTEGER NOT NULL CHECK (days >= 0),
  sealed_by TEXT NOT NULL,
  sealed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE class_timetable ADD COLUMN source TEXT;
ALTER TABLE class_timetable ADD COLUMN imported_by TEXT;

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

-- What says when terminals and the gateway were out.
CREATE INDEX event_presence ON event (body ->> '$.data.terminal', body ->> '$.at')
WHERE what = 'device' AND body ->> '$.data.state' IN ('online', 'offline', 'still-offline', 'DEVICE_REBOUND');
CREATE INDEX event_start ON event (body ->> '$.at') WHERE what = 'start';
CREATE INDEX event_of_class ON event (body ->> '$.data.classId', body ->> '$.data.state') WHERE what = 'class';

DROP VIEW v_day_credit;
CREATE VIEW v_day_credit AS
SELECT class_no, trainee_no, date, coalesce(body ->> '$.result.version', rev) AS version,
       coalesce(body ->> '$.result.status', body ->> '$.state') AS status, body ->> '$.totalHours' AS hours
FROM credit WHERE rev = (SELECT max(later.rev) FROM credit AS later WHERE later.id = credit.id);
