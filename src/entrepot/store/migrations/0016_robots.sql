-- Robots: credentials of one bucket, for machines. rights: words out of pull, push, delete. secret_hash is keyed (the hub's
-- key file) and of a long random secret. generation counts what ends a robot's tokens; expires_at 0 is never.

CREATE TABLE robot (
  id INTEGER PRIMARY KEY,
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  name TEXT NOT NULL,
  rights TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  generation BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (bucket_id, name)
);

-- The active ones as words "<id>.<generation>", written in the transaction that changes them: every request reads the row
-- of its bucket anyway, so a robot's token is held against this without another statement.
ALTER TABLE bucket ADD COLUMN robots TEXT NOT NULL DEFAULT '';

-- How many unfinished uploads somebody has. An upload's person_id is below 0 for a robot: its id, negative.
CREATE INDEX upload_by_person ON upload (person_id, received);
