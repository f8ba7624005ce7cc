-- Everything, from nothing. schema.sql explains it.

CREATE TABLE godwit.lanes (
  id      integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  version integer NOT NULL CHECK (version >= 1),
  queue   text COLLATE "C" NOT NULL,
  task    text COLLATE "C" NOT NULL,
  UNIQUE (queue, task, version)
);

CREATE TABLE godwit.paused_queues (
  name text COLLATE "C" PRIMARY KEY
);

CREATE TABLE godwit.paused_tasks (
  name text COLLATE "C" PRIMARY KEY
);

CREATE TABLE godwit.sessions (
  id          uuid PRIMARY KEY,
  lease       bigint NOT NULL,
  lease_until bigint NOT NULL,
  started_at  bigint NOT NULL,
  host        text NOT NULL,
  pid         bigint NOT NULL,
  queues      text NOT NULL,
  tasks       text NOT NULL
) WITH (fillfactor = 50);

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
  extra          text,
  args           bytea NOT NULL
);

CREATE TABLE godwit.places (
  id                  uuid PRIMARY KEY,
  session             uuid,
  run_at              bigint NOT NULL,
  deadline            bigint NOT NULL DEFAULT 0,
  run                 bigint NOT NULL DEFAULT 0,
  started_at          bigint NOT NULL DEFAULT 0,
  cancel_requested_at bigint NOT NULL DEFAULT 0,
  records             bigint NOT NULL DEFAULT 0,
  lane                integer NOT NULL,
  attempt             integer NOT NULL DEFAULT 0,
  crashes             integer NOT NULL DEFAULT 0,
  releases            integer NOT NULL DEFAULT 0,
  retries             integer NOT NULL DEFAULT 0,
  place               smallint NOT NULL CHECK (place BETWEEN 1 AND 4),
  rank                smallint NOT NULL,
  reported            boolean NOT NULL DEFAULT false,
  wait_any            boolean NOT NULL DEFAULT false,
  woken               boolean NOT NULL DEFAULT false,
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

CREATE INDEX places_ready ON godwit.places (lane, rank, run_at, id) WHERE place = 2;
CREATE INDEX places_scheduled ON godwit.places (run_at, id) WHERE place = 1;

CREATE INDEX places_session ON godwit.places (session, id) WHERE session IS NOT NULL;

CREATE INDEX places_deadline ON godwit.places (deadline, id) WHERE deadline <> 0 AND place <> 3;

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
  state               smallint NOT NULL CHECK (state BETWEEN 5 AND 7),
  reported            boolean NOT NULL,
  code                text,
  message             text,
  stack               text,
  encoding            text NOT NULL,
  result              bytea NOT NULL,
  CHECK ((state = 5) = (code IS NULL))
);

CREATE INDEX finished_unhappy ON godwit.finished (state, id) WHERE state <> 5;
CREATE INDEX finished_over ON godwit.finished (keep_until, id);

CREATE TABLE godwit.pruned (
  id    uuid PRIMARY KEY,
  until bigint NOT NULL
);
CREATE INDEX pruned_over ON godwit.pruned (until, id);

CREATE TABLE godwit.attempts (
  job        uuid NOT NULL,
  session    uuid,
  seq        bigint NOT NULL,
  run        bigint NOT NULL,
  started_at bigint NOT NULL,
  ended_at   bigint NOT NULL,
  attempt    integer NOT NULL,
  outcome    text NOT NULL,
  code       text,
  message    text,
  stack      text,
  PRIMARY KEY (job, seq)
);

CREATE TABLE godwit.reports (
  job     uuid PRIMARY KEY,
  logs    bigint NOT NULL,
  items   bigint NOT NULL,
  at      bigint NOT NULL,
  done    bigint NOT NULL,
  total   bigint NOT NULL,
  run     bigint NOT NULL,
  seq     bigint NOT NULL,
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

CREATE TABLE godwit.known_keys (
  job   uuid NOT NULL,
  until bigint NOT NULL,
  scope text COLLATE "C" NOT NULL,
  key   text COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, key)
);

CREATE TABLE godwit.unique_keys (
  job       uuid NOT NULL,
  unstarted boolean NOT NULL,
  scope     text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  PRIMARY KEY (scope, key)
);

CREATE INDEX unique_keys_job ON godwit.unique_keys (job);

CREATE TABLE godwit.children (
  parent   uuid NOT NULL,
  id       uuid NOT NULL,
  epoch    integer NOT NULL,
  detached boolean NOT NULL,
  name     text COLLATE "C" NOT NULL,
  PRIMARY KEY (parent, name)
);

CREATE TABLE godwit.cascades (
  parent uuid PRIMARY KEY,
  after  uuid NOT NULL
);

CREATE TABLE godwit.waits (
  promise uuid NOT NULL,
  waiter  uuid NOT NULL,
  PRIMARY KEY (promise, waiter)
);

CREATE INDEX waits_waiter ON godwit.waits (waiter);

CREATE TABLE godwit.migrations (
  version integer PRIMARY KEY,
  done_at timestamptz NOT NULL DEFAULT now()
);
