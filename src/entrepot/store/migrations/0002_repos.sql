-- What UHub's lists show of an image, and the orders they are read in.

ALTER TABLE image ADD COLUMN pull_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN pulled_at BIGINT;
ALTER TABLE image ADD COLUMN latest_tag TEXT NOT NULL DEFAULT '';

CREATE INDEX bucket_by_sharing ON bucket (is_public, name);
CREATE INDEX bucket_by_project ON bucket (project_id, is_public, name);
