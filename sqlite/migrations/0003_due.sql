-- When what is kept is over, found by its rowid. schema.sql explains it.
CREATE TABLE godwit_finished_due (
  at  INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;

CREATE TABLE godwit_pruned_due (
  at  INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;

INSERT INTO godwit_finished_due (at, ids) SELECT at, ids FROM godwit_due WHERE place = 5;
INSERT INTO godwit_pruned_due (at, ids) SELECT at, ids FROM godwit_due WHERE place = 8;
DROP TABLE godwit_due;
