-- Wrong logins, counted for all nodes. mark is a keyed digest of whose they are: people type passwords as login names.
-- free_at: when all tries are free again.
CREATE TABLE login_try (
  mark TEXT PRIMARY KEY,
  free_at BIGINT NOT NULL
);
CREATE INDEX login_try_by_age ON login_try (free_at);
