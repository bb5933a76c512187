-- Buckets that other accounts may use, and the networks that a bucket is used from.

ALTER TABLE bucket ADD COLUMN is_outside INTEGER NOT NULL DEFAULT 1 CHECK (is_outside IN (0, 1));
ALTER TABLE bucket ADD COLUMN networks TEXT NOT NULL DEFAULT '';

-- name, region and is_public are the bucket's: a list of what an account may see is read from the index alone.
CREATE TABLE bucket_grant (
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  account_id BIGINT NOT NULL REFERENCES account(id),
  may_write INTEGER NOT NULL CHECK (may_write IN (0, 1)),
  name TEXT NOT NULL,
  region TEXT NOT NULL,
  is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (bucket_id, account_id)
);
CREATE INDEX bucket_grant_by_account ON bucket_grant (account_id, is_public, region, name);

-- Lists of one project's buckets in a region, by name.
CREATE INDEX bucket_by_project_region ON bucket (project_id, region, name, is_public);
