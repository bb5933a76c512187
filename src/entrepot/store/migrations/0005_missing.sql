-- Blobs that a manifest names and that were not pushed (yet); only where `missing_content` accepts such manifests. When
-- one is linked in the image later, its row here becomes a row of manifest_blob.

CREATE TABLE manifest_missing (
  image_id BIGINT NOT NULL REFERENCES image(id),
  digest TEXT NOT NULL,
  manifest_id BIGINT NOT NULL REFERENCES manifest(id),
  PRIMARY KEY (image_id, digest, manifest_id)
);
CREATE INDEX manifest_missing_by_manifest ON manifest_missing (manifest_id);
