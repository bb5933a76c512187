-- Counts that lists show, kept in the transaction that changes them: a page must cost the same at ten buckets and at a
-- million. scope is "all", "account <id>" or "project <id>".

CREATE TABLE bucket_count (
  scope TEXT NOT NULL,
  region TEXT NOT NULL,
  is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),
  buckets BIGINT NOT NULL,
  PRIMARY KEY (scope, region, is_public)
);

INSERT INTO bucket_count (scope, region, is_public, buckets)
  SELECT 'all', region, is_public, COUNT(*) FROM bucket GROUP BY region, is_public;
INSERT INTO bucket_count (scope, region, is_public, buckets)
  SELECT 'account ' || account_id, region, is_public, COUNT(*) FROM bucket GROUP BY account_id, region, is_public;
INSERT INTO bucket_count (scope, region, is_public, buckets)
  SELECT 'project ' || project_id, region, is_public, COUNT(*) FROM bucket GROUP BY project_id, region, is_public;

-- Both hold all that a page needs to be found, so skipping to an offset reads the index alone.
DROP INDEX bucket_by_public;
DROP INDEX bucket_by_account;
CREATE INDEX bucket_by_public ON bucket (is_public, region, name, account_id);
CREATE INDEX bucket_by_account ON bucket (account_id, region, name, is_public);
CREATE INDEX bucket_by_account_public ON bucket (account_id, is_public, region, name);
