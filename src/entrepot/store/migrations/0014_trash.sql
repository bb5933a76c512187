-- What was deleted and can be brought back for a while. A deleted bucket keeps its row and its content, under a name that
-- nothing can ask for, in an account that nobody is in; deleted manifests move here with their bytes.

ALTER TABLE bucket ADD COLUMN undelete_seconds BIGINT;

INSERT INTO account (id, name, created_at) VALUES (-1, 'deleted buckets', 0);
INSERT INTO project (id, account_id, name, is_default, created_at) VALUES ('deleted', -1, 'deleted buckets', 0, 0);

-- kind says what was deleted: bucket (name: its name), image (its name) or manifest (its digest). kept: what of a bucket
-- its row cannot say meanwhile, as JSON.
CREATE TABLE deletion (
  id INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  bucket_name TEXT NOT NULL,
  project_id TEXT NOT NULL,
  region TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('bucket', 'image', 'manifest')),
  image_name TEXT NOT NULL,
  name TEXT NOT NULL,
  manifests BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  kept TEXT NOT NULL,
  who TEXT NOT NULL,
  at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX deletion_by_account ON deletion (account_id, id);
CREATE INDEX deletion_by_bucket ON deletion (bucket_id, id);
CREATE INDEX deletion_by_name ON deletion (bucket_name, kind);
CREATE INDEX deletion_by_project ON deletion (project_id, id);
CREATE INDEX deletion_by_time ON deletion (expires_at);

CREATE TABLE deleted_manifest (
  id BIGINT PRIMARY KEY,
  deletion_id BIGINT NOT NULL REFERENCES deletion(id),
  image_id BIGINT NOT NULL REFERENCES image(id),
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  content BYTEA NOT NULL
);
CREATE INDEX deleted_manifest_by_deletion ON deleted_manifest (deletion_id, id);

CREATE TABLE deleted_tag (
  manifest_id BIGINT NOT NULL REFERENCES deleted_manifest(id),
  name TEXT NOT NULL,
  PRIMARY KEY (manifest_id, name)
);

-- Blobs that a deleted manifest needs: they stay, though the bucket does not count them any more.
CREATE TABLE deleted_manifest_blob (
  manifest_id BIGINT NOT NULL REFERENCES deleted_manifest(id),
  blob_id BIGINT NOT NULL REFERENCES blob(id),
  PRIMARY KEY (manifest_id, blob_id)
);
CREATE INDEX deleted_manifest_blob_by_blob ON deleted_manifest_blob (blob_id, manifest_id);
