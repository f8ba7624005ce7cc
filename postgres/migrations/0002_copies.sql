-- What was copied into the schema, so that a copy that is made again knows itself. schema.sql explains it.
CREATE TABLE godwit.copies (
  id        uuid PRIMARY KEY,
  jobs      bigint NOT NULL,
  copied_at timestamptz NOT NULL DEFAULT now(),
  source    text NOT NULL
);
