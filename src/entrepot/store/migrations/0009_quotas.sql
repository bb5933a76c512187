-- Bytes that buckets and projects hold, kept in the transaction that changes them. A blob counts once in a bucket,
-- however many of its images hold it; a manifest counts once in each image.

ALTER TABLE bucket ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE project ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;

CREATE TABLE bucket_blob (
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  blob_id BIGINT NOT NULL REFERENCES blob(id),
  images BIGINT NOT NULL,
  PRIMARY KEY (bucket_id, blob_id)
);
CREATE INDEX bucket_blob_by_blob ON bucket_blob (blob_id, bucket_id);

INSERT INTO bucket_blob (bucket_id, blob_id, images)
  SELECT i.bucket_id, l.blob_id, COUNT(*) FROM image_blob l JOIN image i ON i.id = l.image_id
  GROUP BY i.bucket_id, l.blob_id;
UPDATE bucket SET bytes =
  (SELECT COALESCE(SUM(o.size), 0) FROM bucket_blob u JOIN blob o ON o.id = u.blob_id WHERE u.bucket_id = bucket.id)
  + (SELECT COALESCE(SUM(m.size), 0) FROM image i JOIN manifest m ON m.image_id = i.id WHERE i.bucket_id = bucket.id);
UPDATE project SET bytes = (SELECT COALESCE(SUM(b.bytes), 0) FROM bucket b WHERE b.project_id = project.id);

-- What the operator set for one project or bucket in place of the settings; 0 is no limit. A kind that does not fit
-- the scope (buckets of a bucket) is never set.
CREATE TABLE quota (
  scope TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('buckets', 'bytes', 'tags')),
  most BIGINT NOT NULL,
  PRIMARY KEY (scope, kind)
);
