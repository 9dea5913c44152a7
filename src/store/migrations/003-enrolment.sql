-- Who is in which terminal, and rosters and timetables that cannot be deleted. See schema.sql for the meaning of every column.

CREATE TABLE terminal_user (
  terminal_id    TEXT NOT NULL,
  device_user_id TEXT NOT NULL,
  class_no       TEXT NOT NULL,
  trainee_no     TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('enrolled', 'failed', 'removed')),
  reason         TEXT,
  put_by_us      INTEGER NOT NULL CHECK (put_by_us IN (0, 1)),
  roster_version INTEGER NOT NULL,
  device_sn      TEXT NOT NULL,
  tries          INTEGER NOT NULL CHECK (tries >= 0),
  at             INTEGER NOT NULL,
  PRIMARY KEY (terminal_id, device_user_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER class_roster_no_delete BEFORE DELETE ON class_roster BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_trainee_no_delete BEFORE DELETE ON class_trainee BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_teacher_no_delete BEFORE DELETE ON class_teacher BEGIN SELECT RAISE(ABORT, 'a roster version is kept'); END;
CREATE TRIGGER class_correction_no_delete BEFORE DELETE ON class_correction BEGIN SELECT RAISE(ABORT, 'a correction is kept'); END;
CREATE TRIGGER class_timetable_no_delete BEFORE DELETE ON class_timetable BEGIN SELECT RAISE(ABORT, 'a timetable version is kept'); END;
