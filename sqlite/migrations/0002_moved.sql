-- Where the jobs of the file went, so that nobody lets them run twice. schema.sql explains it.
CREATE TABLE godwit_moved (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  copy     BLOB NOT NULL CHECK (length(copy) = 16),
  target   TEXT NOT NULL,
  moved_at INTEGER NOT NULL
) STRICT;
