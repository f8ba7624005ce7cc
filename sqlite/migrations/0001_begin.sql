-- The first schema. schema.sql explains it; this file does not change any more once it has been released.

CREATE TABLE godwit_lanes (
  id        INTEGER PRIMARY KEY,
  queue     TEXT NOT NULL,
  task      TEXT NOT NULL,
  version   INTEGER NOT NULL CHECK (version >= 1),
  scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
  ready     INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0),
  running   INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
  waiting   INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
  finished  INTEGER NOT NULL DEFAULT 0 CHECK (finished >= 0),
  UNIQUE (queue, task, version)
) STRICT;

CREATE TABLE godwit_paused_queues (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_paused_tasks (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_sessions (
  id          BLOB PRIMARY KEY,
  lease       INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  host        TEXT NOT NULL,
  pid         INTEGER NOT NULL,
  queues      TEXT NOT NULL,
  tasks       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_capabilities (
  task        TEXT NOT NULL,
  session     BLOB NOT NULL REFERENCES godwit_sessions (id),
  min_version INTEGER NOT NULL,
  max_version INTEGER NOT NULL,
  PRIMARY KEY (task, session, min_version, max_version)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_serves (
  queue   TEXT NOT NULL,
  session BLOB NOT NULL REFERENCES godwit_sessions (id),
  PRIMARY KEY (queue, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_jobs (
  id             BLOB PRIMARY KEY,
  lane           INTEGER NOT NULL REFERENCES godwit_lanes (id),
  priority       INTEGER NOT NULL,
  max_attempts   INTEGER NOT NULL,
  max_crashes    INTEGER NOT NULL,
  timeout        INTEGER NOT NULL,
  keep_succeeded INTEGER NOT NULL,
  keep_failed    INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  fingerprint    BLOB NOT NULL,
  extra          TEXT,
  encoding       TEXT NOT NULL,
  args           BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_places (
  id                  BLOB PRIMARY KEY,
  place               INTEGER NOT NULL CHECK (place BETWEEN 1 AND 4),
  lane                INTEGER NOT NULL REFERENCES godwit_lanes (id),
  rank                INTEGER NOT NULL,
  run_at              INTEGER NOT NULL,
  deadline            INTEGER NOT NULL DEFAULT 0,
  run                 INTEGER NOT NULL DEFAULT 0,
  attempt             INTEGER NOT NULL DEFAULT 0,
  crashes             INTEGER NOT NULL DEFAULT 0,
  releases            INTEGER NOT NULL DEFAULT 0,
  retries             INTEGER NOT NULL DEFAULT 0,
  records             INTEGER NOT NULL DEFAULT 0,
  reported            INTEGER NOT NULL DEFAULT 0,
  session             BLOB,
  started_at          INTEGER NOT NULL DEFAULT 0,
  cancel_requested_at INTEGER NOT NULL DEFAULT 0,
  cancel_reason       TEXT NOT NULL DEFAULT '',
  wait_any            INTEGER NOT NULL DEFAULT 0,
  woken               INTEGER NOT NULL DEFAULT 0,
  CHECK (place <> 3 OR session IS NOT NULL),
  CHECK (place IN (3, 4) OR session IS NULL),
  CHECK (attempt >= 0 AND attempt <= run)
) STRICT, WITHOUT ROWID;

CREATE INDEX godwit_places_ready ON godwit_places (lane, rank, run_at, id) WHERE place = 2;
CREATE INDEX godwit_places_scheduled ON godwit_places (run_at, id) WHERE place = 1;
CREATE INDEX godwit_places_deadline ON godwit_places (deadline, id) WHERE deadline <> 0 AND place <> 3;

CREATE TABLE godwit_finished (
  id                  BLOB PRIMARY KEY,
  state               INTEGER NOT NULL CHECK (state BETWEEN 5 AND 7),
  lane                INTEGER NOT NULL REFERENCES godwit_lanes (id),
  finished_at         INTEGER NOT NULL,
  keep_until          INTEGER NOT NULL,
  run_at              INTEGER NOT NULL,
  deadline            INTEGER NOT NULL,
  run                 INTEGER NOT NULL,
  attempt             INTEGER NOT NULL,
  crashes             INTEGER NOT NULL,
  releases            INTEGER NOT NULL,
  retries             INTEGER NOT NULL,
  records             INTEGER NOT NULL,
  reported            INTEGER NOT NULL,
  started_at          INTEGER NOT NULL,
  cancel_requested_at INTEGER NOT NULL,
  code                TEXT,
  message             TEXT,
  stack               TEXT,
  encoding            TEXT NOT NULL,
  result              BLOB NOT NULL,
  CHECK ((state = 5) = (code IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX godwit_finished_unhappy ON godwit_finished (state, id) WHERE state <> 5;

CREATE TABLE godwit_pruned (
  id    BLOB PRIMARY KEY,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_due (
  place INTEGER NOT NULL CHECK (place IN (5, 8)),
  at    INTEGER NOT NULL,
  ids   BLOB NOT NULL,
  PRIMARY KEY (place, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_attempts (
  job        BLOB NOT NULL,
  seq        INTEGER NOT NULL,
  run        INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  outcome    TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  session    BLOB,
  code       TEXT,
  message    TEXT,
  stack      TEXT,
  PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_reports (
  job     BLOB PRIMARY KEY,
  logs    INTEGER NOT NULL,
  items   INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  done    INTEGER NOT NULL,
  total   INTEGER NOT NULL,
  message TEXT NOT NULL,
  run     INTEGER NOT NULL DEFAULT 0,
  seq     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_logs (
  job     BLOB NOT NULL,
  seq     INTEGER NOT NULL,
  run     INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  level   TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_items (
  job      BLOB NOT NULL,
  seq      INTEGER NOT NULL,
  run      INTEGER NOT NULL,
  encoding TEXT NOT NULL,
  data     BLOB NOT NULL,
  PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_idempotency (
  scope TEXT NOT NULL,
  key   TEXT NOT NULL,
  job   BLOB NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_unique (
  scope TEXT NOT NULL,
  key   TEXT NOT NULL,
  job   BLOB NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_children (
  parent   BLOB NOT NULL,
  name     TEXT NOT NULL,
  id       BLOB NOT NULL,
  detached INTEGER NOT NULL,
  epoch    INTEGER NOT NULL,
  PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_cascades (
  parent BLOB PRIMARY KEY,
  after  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_waits (
  promise BLOB NOT NULL,
  waiter  BLOB NOT NULL,
  PRIMARY KEY (promise, waiter)
) STRICT, WITHOUT ROWID;

CREATE INDEX godwit_waits_waiter ON godwit_waits (waiter);
