-- Rules for which tags go, globs for tags that never change, and when manifests were last pulled.

-- immutable_tags: patterns, exceptions with a ! before them, separated by spaces; '' for none.
ALTER TABLE bucket ADD COLUMN immutable_tags TEXT NOT NULL DEFAULT '';

CREATE TABLE bucket_retention (
  bucket_id BIGINT PRIMARY KEY REFERENCES bucket(id),
  rules TEXT NOT NULL,
  next_run_at BIGINT NOT NULL,
  last_run_at BIGINT NOT NULL
);
CREATE INDEX bucket_retention_by_time ON bucket_retention (next_run_at);

-- Apart from the manifest's row, which holds its bytes and would be written anew with each pull.
CREATE TABLE manifest_pull (
  manifest_id BIGINT PRIMARY KEY,
  pulled_at BIGINT NOT NULL
);

-- Until now only the image's last pull was known: no manifest of it was pulled later.
INSERT INTO manifest_pull (manifest_id, pulled_at)
  SELECT m.id, i.pulled_at FROM image i JOIN manifest m ON m.image_id = i.id WHERE i.pulled_at IS NOT NULL;

-- The tags of a manifest, a page at a time.
DROP INDEX tag_by_manifest;
CREATE INDEX tag_by_manifest ON tag (manifest_id, name);

-- Newest first, for retention and for what the latest tag is.
CREATE INDEX tag_by_time ON tag (image_id, updated_at, name);
