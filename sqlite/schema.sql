-- The schema of a Godwit file, as the newest migration leaves it. Readers open this file; programs run migrations/*.sql, and a
-- test proves that both arrive at the same tables.
--
-- The shape is slim. What a job is (godwit_jobs) is written once. Where an unfinished job stands is one narrow row
-- (godwit_places); how a finished one ended is another (godwit_finished). A job has exactly one of the two until it is pruned,
-- after which its id alone is left for a while (godwit_pruned). Every index costs the one writer; there are no others than
-- those that a transition or a page of the dashboard walks.
--
-- Ids are 16 bytes, big endian, so that they sort as they were made. No CHECK calls a function, not even length(): SQLite would keep a
-- journal of every statement that it could fail amid. Times are microseconds since 1970 UTC in store time, 0 for
-- none; durations are nanoseconds. All our names begin with godwit_; the tables of an application may stand beside them.
--
-- What comes later attaches here: limit keys as columns of godwit_lanes' kind of row (a lane that is full is held, and a held
-- lane is never scanned); signals and steps as tables keyed (job, name) beside godwit_items, a wait for a signal as a row of
-- godwit_waits; schedules as a table of their own whose firings are submissions with an idempotency key.

-- A lane is what a session can or cannot run as a whole: (queue, task, version). Held is a property of a lane, so pausing a
-- queue moves no job. The counters say how many jobs of the lane are in each place, kept in the same transaction; they make
-- depths cheap, and a claim passes over lanes that have nothing ready.
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

-- Pauses. A queue or task without a row is not paused.
CREATE TABLE godwit_paused_queues (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE godwit_paused_tasks (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Live sessions: the starts of workers, and their leases. A session that has ended has no row.
CREATE TABLE godwit_sessions (
  id          BLOB PRIMARY KEY,
  lease       INTEGER NOT NULL, -- nanoseconds
  lease_until INTEGER NOT NULL, -- microseconds, store time
  started_at  INTEGER NOT NULL,
  host        TEXT NOT NULL,
  pid         INTEGER NOT NULL,
  queues      TEXT NOT NULL,    -- JSON, as announced
  tasks       TEXT NOT NULL     -- JSON, as announced
) STRICT, WITHOUT ROWID;

-- Single values: the newest store time that was noted, so that time does not go back over a restart.
CREATE TABLE godwit_meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The mark of a file whose jobs are copied elsewhere: at most one row. copy is the id by which the target knows the copy again, made
-- before it begins; moved_at is 0 until it is known to be committed there. With a row the file is not worked with, unless it is
-- taken back.
CREATE TABLE godwit_moved (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  copy     BLOB NOT NULL CHECK (length(copy) = 16),
  target   TEXT NOT NULL, -- its URL without the password, and its schema
  moved_at INTEGER NOT NULL
) STRICT;

-- What live sessions can run, looked up by lane for the reason why a job is held. They go with the session.
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

-- What a job is. Written once; only a retry with other arguments touches it again (arguments, version, fingerprint). Arguments
-- stand last, so that what comes before is read without walking over them.
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
  extra          TEXT,  -- JSON of what few jobs have: tags, headers, keys, parent, child name, depth; NULL: nothing
  encoding       TEXT NOT NULL,
  args           BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Where an unfinished job stands. session is the worker that runs it or keeps its waiting goroutine; the process that works the
-- file keeps the jobs of each session in memory, and reads them at the start.
CREATE TABLE godwit_places (
  id                  BLOB PRIMARY KEY,
  place               INTEGER NOT NULL CHECK (place BETWEEN 1 AND 4), -- 1 scheduled, 2 ready, 3 running, 4 waiting
  lane                INTEGER NOT NULL REFERENCES godwit_lanes (id),
  rank                INTEGER NOT NULL,           -- the priority, negated: smaller runs first
  run_at              INTEGER NOT NULL,
  deadline            INTEGER NOT NULL DEFAULT 0,
  run                 INTEGER NOT NULL DEFAULT 0, -- the fence: grows at every claim
  attempt             INTEGER NOT NULL DEFAULT 0,
  crashes             INTEGER NOT NULL DEFAULT 0,
  releases            INTEGER NOT NULL DEFAULT 0,
  retries             INTEGER NOT NULL DEFAULT 0,
  records             INTEGER NOT NULL DEFAULT 0, -- attempt records ever made
  reported            INTEGER NOT NULL DEFAULT 0, -- 1: has a row in godwit_reports
  session             BLOB,                       -- NULL: none
  started_at          INTEGER NOT NULL DEFAULT 0,
  cancel_requested_at INTEGER NOT NULL DEFAULT 0,
  cancel_reason       TEXT NOT NULL DEFAULT '',
  wait_any            INTEGER NOT NULL DEFAULT 0, -- 1: one settled promise is enough
  woken               INTEGER NOT NULL DEFAULT 0, -- 1: what it waits for has settled, its holder has not resumed it yet
  CHECK (place <> 3 OR session IS NOT NULL),
  CHECK (place IN (3, 4) OR session IS NULL),
  CHECK (attempt >= 0 AND attempt <= run)
) STRICT, WITHOUT ROWID;

-- The claim path: one range of it is one lane, in the order of claims. Lanes that are held are never walked.
CREATE INDEX godwit_places_ready ON godwit_places (lane, rank, run_at, id) WHERE place = 2;
CREATE INDEX godwit_places_scheduled ON godwit_places (run_at, id) WHERE place = 1;
-- Only jobs with a deadline are here; a running one fails when its run ends.
CREATE INDEX godwit_places_deadline ON godwit_places (deadline, id) WHERE deadline <> 0 AND place <> 3;

-- How a finished job ended.
CREATE TABLE godwit_finished (
  id                  BLOB PRIMARY KEY,
  state               INTEGER NOT NULL CHECK (state BETWEEN 5 AND 7), -- 5 succeeded, 6 failed, 7 cancelled
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
  code                TEXT, -- of the failure; NULL after success
  message             TEXT,
  stack               TEXT,
  encoding            TEXT NOT NULL,
  result              BLOB NOT NULL,
  CHECK ((state = 5) = (code IS NULL))
) STRICT, WITHOUT ROWID;

-- The dead letters, for listing them: few among many.
CREATE INDEX godwit_finished_unhappy ON godwit_finished (state, id) WHERE state <> 5;

-- Ids that answer "expired" until they are forgotten.
CREATE TABLE godwit_pruned (
  id    BLOB PRIMARY KEY,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When what is kept is over, so that pruning walks what is due and nothing else: finished jobs at their keep_until, and pruned ids at
-- their until. A row has what is over at one time, in no certain order: jobs that are settled together and kept alike share one. Each is an
-- id of 16 bytes and the number of a lane, of 4: that of a finished job on which nothing hangs (no parent, key, record or report),
-- or 0. A job that was retried or deleted by hand before its time leaves its id here until then. The time is the rowid, so that a row
-- is found without its list, which fills pages of its own.
CREATE TABLE godwit_finished_due (
  at  INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;

CREATE TABLE godwit_pruned_due (
  at  INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;

-- Runs that did not succeed; the newest 100 of a job.
CREATE TABLE godwit_attempts (
  job        BLOB NOT NULL,
  seq        INTEGER NOT NULL,
  run        INTEGER NOT NULL,
  attempt    INTEGER NOT NULL, -- as it counted during the run
  outcome    TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  session    BLOB,             -- NULL: the run had lost its session
  code       TEXT,             -- NULL: no failure
  message    TEXT,
  stack      TEXT,
  PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

-- What handlers said: progress (the last), how many log lines and items there are, and the number of the last report.
CREATE TABLE godwit_reports (
  job     BLOB PRIMARY KEY,
  logs    INTEGER NOT NULL,
  items   INTEGER NOT NULL,
  at      INTEGER NOT NULL, -- of the progress; 0: none was given
  done    INTEGER NOT NULL,
  total   INTEGER NOT NULL,
  message TEXT NOT NULL,
  run     INTEGER NOT NULL DEFAULT 0, -- of the last numbered report
  seq     INTEGER NOT NULL DEFAULT 0  -- its number; one that is not above it, of the same run, was recorded before
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

-- Idempotency keys: the same key answers with the same job until its time is over. Goes with its job.
CREATE TABLE godwit_idempotency (
  scope TEXT NOT NULL,
  key   TEXT NOT NULL,
  job   BLOB NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- Unique keys that are held.
CREATE TABLE godwit_unique (
  scope TEXT NOT NULL,
  key   TEXT NOT NULL,
  job   BLOB NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- Children by the name under which their parent submitted them. epoch counts the parent's retries by hand when it last did:
-- a child that ended unhappily in an earlier epoch is made ready anew.
CREATE TABLE godwit_children (
  parent   BLOB NOT NULL,
  name     TEXT NOT NULL,
  id       BLOB NOT NULL,
  detached INTEGER NOT NULL,
  epoch    INTEGER NOT NULL,
  PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;

-- Cancelled parents whose children are still to be cancelled, and the last child that was taken: each is taken once.
CREATE TABLE godwit_cascades (
  parent BLOB PRIMARY KEY,
  after  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Who waits for whom: a row for each promise that has not settled.
CREATE TABLE godwit_waits (
  promise BLOB NOT NULL,
  waiter  BLOB NOT NULL,
  PRIMARY KEY (promise, waiter)
) STRICT, WITHOUT ROWID;

CREATE INDEX godwit_waits_waiter ON godwit_waits (waiter);
