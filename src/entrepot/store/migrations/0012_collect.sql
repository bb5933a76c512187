-- What may have become garbage, fed by the events that can make it so. Each entry is looked at again after its time, in
-- one transaction with what it decides; nothing is ever found by scanning everything.

CREATE TABLE gc_manifest (
  manifest_id BIGINT PRIMARY KEY,
  review_after BIGINT NOT NULL
);
CREATE INDEX gc_manifest_by_time ON gc_manifest (review_after);

CREATE TABLE gc_link (
  image_id BIGINT NOT NULL,
  blob_id BIGINT NOT NULL,
  review_after BIGINT NOT NULL,
  PRIMARY KEY (image_id, blob_id)
);
CREATE INDEX gc_link_by_time ON gc_link (review_after);

CREATE TABLE gc_blob (
  blob_id BIGINT PRIMARY KEY,
  review_after BIGINT NOT NULL
);
CREATE INDEX gc_blob_by_time ON gc_blob (review_after);

-- Stored objects that no row hands out any more: bytes go after the rows, and a little later, for who is still reading.
CREATE TABLE dead_object (
  storage_key TEXT PRIMARY KEY,
  size BIGINT NOT NULL,
  remove_after BIGINT NOT NULL
);

CREATE INDEX manifest_child_by_digest ON manifest_child (child_digest, manifest_id);

-- image_blob.created_at is the start of the link's lease: it is renewed when a pusher asks whether the blob is there.
INSERT INTO gc_link (image_id, blob_id, review_after) SELECT image_id, blob_id, created_at + 86400 FROM image_blob;
INSERT INTO gc_blob (blob_id, review_after)
  SELECT id, created_at FROM blob WHERE NOT EXISTS (SELECT 1 FROM image_blob l WHERE l.blob_id = blob.id);
INSERT INTO gc_manifest (manifest_id, review_after)
  SELECT id, (SELECT COALESCE(MAX(updated_at), 0) FROM image) + 604800 FROM manifest WHERE NOT EXISTS (SELECT 1 FROM tag t WHERE t.manifest_id = manifest.id);
