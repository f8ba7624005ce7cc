-- The schema of a Godwit store on PostgreSQL, as the newest migration leaves it. Readers open this file; programs run
-- migrations/*.sql, and a test proves that both arrive at the same catalogue.
--
-- The shape is slim. What a job is (jobs) is written once. Where an unfinished job stands is one narrow row (places); how a finished
-- one ended is another (finished). A job has exactly one of the two until it is pruned, after which its id alone is left for a
-- while (pruned). Every index is paid for by every writer; there are no others than those that a transition or a page of the
-- dashboard walks.
--
-- Times are microseconds since 1970 UTC in store time, 0 for none; durations are nanoseconds. The schema is called "godwit"
-- unless the configuration names another.
--
-- Locks, in the order in which they are taken: sessions by id, then promises before those who wait for them, jobs by id within
-- one call, then keys. A job is locked by its row of places or finished, whichever it has; what hangs on a job (its body,
-- attempts, reports, its waits as the one who waits, its children as their parent) is changed under that lock alone. The rows
-- of jobs themselves are not locked. There are no foreign keys on the tables that grow: each row would pay for a lookup, and a
-- test of the invariants (Store.Check) looks for what they would forbid.

-- A lane is what a session can or cannot run as a whole: (queue, task, version). Held is a property of a lane, so pausing a
-- queue moves no job. Lanes are never removed: their numbers are remembered by every process.
CREATE TABLE godwit.lanes (
  id      integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  version integer NOT NULL CHECK (version >= 1),
  queue   text COLLATE "C" NOT NULL,
  task    text COLLATE "C" NOT NULL,
  UNIQUE (queue, task, version)
);

-- Pauses. A queue or task without a row is not paused.
CREATE TABLE godwit.paused_queues (
  name text COLLATE "C" PRIMARY KEY
);

CREATE TABLE godwit.paused_tasks (
  name text COLLATE "C" PRIMARY KEY
);

-- Live sessions: the starts of workers, and their leases. A session that has ended has no row. Whoever writes about a run holds
-- a key-share lock on its session's row; whoever ends the session locks the row for update first.
CREATE TABLE godwit.sessions (
  id          uuid PRIMARY KEY,
  lease       bigint NOT NULL, -- nanoseconds
  lease_until bigint NOT NULL, -- microseconds, store time
  started_at  bigint NOT NULL,
  host        text NOT NULL,
  pid         bigint NOT NULL,
  queues      text NOT NULL,   -- JSON, as announced
  tasks       text NOT NULL    -- JSON, as announced
) WITH (fillfactor = 50);

-- What live sessions can run, looked up by lane for the reason why a job is held. They go with the session.
CREATE TABLE godwit.capabilities (
  task        text COLLATE "C" NOT NULL,
  session     uuid NOT NULL REFERENCES godwit.sessions (id) ON DELETE CASCADE,
  min_version integer NOT NULL,
  max_version integer NOT NULL,
  PRIMARY KEY (session, task, min_version, max_version)
);

CREATE INDEX capabilities_task ON godwit.capabilities (task);

CREATE TABLE godwit.serves (
  queue   text COLLATE "C" NOT NULL,
  session uuid NOT NULL REFERENCES godwit.sessions (id) ON DELETE CASCADE,
  PRIMARY KEY (session, queue)
);

CREATE INDEX serves_queue ON godwit.serves (queue);

-- Tables out of which prune takes thousands of rows a second are vacuumed when a twentieth of them is dead: a fifth, as the server has
-- it, would be hundreds of thousands of rows at once.

-- What a job is. Written once; only a retry with other arguments touches it again (arguments, lane, fingerprint).
CREATE TABLE godwit.jobs (
  id             uuid PRIMARY KEY,
  fingerprint    uuid NOT NULL,
  timeout        bigint NOT NULL,
  keep_succeeded bigint NOT NULL,
  keep_failed    bigint NOT NULL,
  created_at     bigint NOT NULL,
  lane           integer NOT NULL,
  max_attempts   integer NOT NULL,
  max_crashes    integer NOT NULL,
  priority       smallint NOT NULL,
  encoding       text NOT NULL,
  extra          text, -- JSON of what few jobs have: tags, headers, keys, parent, child name, depth; NULL: nothing
  args           bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);

-- Where an unfinished job stands. session is the worker that runs it or keeps its waiting goroutine.
CREATE TABLE godwit.places (
  id                  uuid PRIMARY KEY,
  session             uuid,                         -- NULL: none
  run_at              bigint NOT NULL,
  deadline            bigint NOT NULL DEFAULT 0,
  run                 bigint NOT NULL DEFAULT 0,    -- the fence: grows at every claim
  started_at          bigint NOT NULL DEFAULT 0,
  cancel_requested_at bigint NOT NULL DEFAULT 0,
  records             bigint NOT NULL DEFAULT 0,    -- attempt records ever made
  lane                integer NOT NULL,
  attempt             integer NOT NULL DEFAULT 0,
  crashes             integer NOT NULL DEFAULT 0,
  releases            integer NOT NULL DEFAULT 0,
  retries             integer NOT NULL DEFAULT 0,
  place               smallint NOT NULL CHECK (place BETWEEN 1 AND 4), -- 1 scheduled, 2 ready, 3 running, 4 waiting
  rank                smallint NOT NULL,            -- the priority, negated: smaller runs first
  reported            boolean NOT NULL DEFAULT false, -- has a row in reports
  wait_any            boolean NOT NULL DEFAULT false, -- one settled promise is enough
  woken               boolean NOT NULL DEFAULT false, -- what it waits for has settled, its holder has not resumed it yet
  cancel_reason       text NOT NULL DEFAULT '',
  CHECK (place <> 3 OR session IS NOT NULL),
  CHECK (place IN (3, 4) OR session IS NULL),
  CHECK (attempt >= 0 AND attempt <= run)
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.2, autovacuum_analyze_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0
);

-- The claim path: one range of it is one lane, in the order of claims. Lanes that are held are never walked.
CREATE INDEX places_ready ON godwit.places (lane, rank, run_at, id) WHERE place = 2;
CREATE INDEX places_scheduled ON godwit.places (run_at, id) WHERE place = 1;
-- The jobs of a session, for its end and its rescue.
CREATE INDEX places_session ON godwit.places (session, id) WHERE session IS NOT NULL;
-- Only jobs with a deadline are here; a running one fails when its run ends.
CREATE INDEX places_deadline ON godwit.places (deadline, id) WHERE deadline <> 0 AND place <> 3;

-- How a finished job ended.
CREATE TABLE godwit.finished (
  id                  uuid PRIMARY KEY,
  finished_at         bigint NOT NULL,
  keep_until          bigint NOT NULL,
  run_at              bigint NOT NULL,
  deadline            bigint NOT NULL,
  run                 bigint NOT NULL,
  started_at          bigint NOT NULL,
  cancel_requested_at bigint NOT NULL,
  records             bigint NOT NULL,
  lane                integer NOT NULL,
  attempt             integer NOT NULL,
  crashes             integer NOT NULL,
  releases            integer NOT NULL,
  retries             integer NOT NULL,
  state               smallint NOT NULL CHECK (state BETWEEN 5 AND 7), -- 5 succeeded, 6 failed, 7 cancelled
  reported            boolean NOT NULL,
  code                text, -- of the failure; NULL after success
  message             text,
  stack               text,
  encoding            text NOT NULL,
  result              bytea NOT NULL,
  CHECK ((state = 5) = (code IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);

-- The dead letters, for listing them: few among many.
CREATE INDEX finished_unhappy ON godwit.finished (state, id) WHERE state <> 5;
-- What is over, for pruning.
CREATE INDEX finished_over ON godwit.finished (keep_until, id);

-- Ids that answer "expired" until they are forgotten.
CREATE TABLE godwit.pruned (
  id    uuid PRIMARY KEY,
  until bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);

CREATE INDEX pruned_over ON godwit.pruned (until, id);

-- Runs that did not succeed; the newest 100 of a job.
CREATE TABLE godwit.attempts (
  job        uuid NOT NULL,
  session    uuid,             -- NULL: the run had lost its session
  seq        bigint NOT NULL,
  run        bigint NOT NULL,
  started_at bigint NOT NULL,
  ended_at   bigint NOT NULL,
  attempt    integer NOT NULL, -- as it counted during the run
  outcome    text NOT NULL,
  code       text,             -- NULL: no failure
  message    text,
  stack      text,
  PRIMARY KEY (job, seq)
);

-- What handlers said: progress (the last), how many log lines and items there are, and the number of the last report.
CREATE TABLE godwit.reports (
  job     uuid PRIMARY KEY,
  logs    bigint NOT NULL,
  items   bigint NOT NULL,
  at      bigint NOT NULL, -- of the progress; 0: none was given
  done    bigint NOT NULL,
  total   bigint NOT NULL,
  run     bigint NOT NULL, -- of the last numbered report
  seq     bigint NOT NULL, -- its number; one that is not above it, of the same run, was recorded before
  message text NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE godwit.logs (
  job     uuid NOT NULL,
  seq     bigint NOT NULL,
  run     bigint NOT NULL,
  at      bigint NOT NULL,
  level   text NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (job, seq)
);

CREATE TABLE godwit.items (
  job      uuid NOT NULL,
  seq      bigint NOT NULL,
  run      bigint NOT NULL,
  encoding text NOT NULL,
  data     bytea NOT NULL,
  PRIMARY KEY (job, seq)
);

-- Idempotency keys: the same key answers with the same job until its time is over. Goes with its job. A row whose job is zero is
-- that of a call under way, and is seen by nobody else.
CREATE TABLE godwit.known_keys (
  job   uuid NOT NULL,
  until bigint NOT NULL,
  scope text COLLATE "C" NOT NULL,
  key   text COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, key)
);

-- Unique keys that are held.
CREATE TABLE godwit.unique_keys (
  job       uuid NOT NULL,
  unstarted boolean NOT NULL, -- it is let go when the job is first claimed
  scope     text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, key)
);

CREATE INDEX unique_keys_job ON godwit.unique_keys (job);

-- Children by the name under which their parent submitted them. epoch counts the parent's retries by hand when it last did:
-- a child that ended unhappily in an earlier epoch is made ready anew.
CREATE TABLE godwit.children (
  parent   uuid NOT NULL,
  id       uuid NOT NULL,
  epoch    integer NOT NULL,
  detached boolean NOT NULL,
  name     text COLLATE "C" NOT NULL,
  PRIMARY KEY (parent, name)
);

-- Cancelled parents whose children are still to be cancelled, and the last child that was taken: each is taken once.
CREATE TABLE godwit.cascades (
  parent uuid PRIMARY KEY,
  after  uuid NOT NULL
);

-- Who waits for whom: a row for each promise that has not settled.
CREATE TABLE godwit.waits (
  promise uuid NOT NULL,
  waiter  uuid NOT NULL,
  PRIMARY KEY (promise, waiter)
);

CREATE INDEX waits_waiter ON godwit.waits (waiter);

-- What was copied into the schema, in the same transaction: one whose answer was lost is made again, and finds itself here.
CREATE TABLE godwit.copies (
  id        uuid PRIMARY KEY, -- made where the jobs come from
  jobs      bigint NOT NULL,
  copied_at timestamptz NOT NULL DEFAULT now(),
  source    text NOT NULL
);

-- Which migrations were done, and when by the server's clock.
CREATE TABLE godwit.migrations (
  version integer PRIMARY KEY,
  done_at timestamptz NOT NULL DEFAULT now()
);
