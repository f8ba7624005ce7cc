-- When what is kept is over: pruning walks what is due and nothing else. It used to look at every finished job and every pruned id.

CREATE TABLE godwit_due (
  place INTEGER NOT NULL CHECK (place IN (5, 8)),
  at    INTEGER NOT NULL,
  ids   BLOB NOT NULL CHECK (length(ids) >= 16 AND length(ids) % 16 = 0),
  PRIMARY KEY (place, at)
) STRICT, WITHOUT ROWID;

INSERT INTO godwit_due SELECT 5, keep_until, id FROM godwit_finished WHERE true
  ON CONFLICT DO UPDATE SET ids = CAST(ids || excluded.ids AS BLOB);
INSERT INTO godwit_due SELECT 8, until, id FROM godwit_pruned WHERE true
  ON CONFLICT DO UPDATE SET ids = CAST(ids || excluded.ids AS BLOB);
