-- What is wrong with stored bytes, and how far the scrub has come.

-- fault: '' where nothing is known to be wrong; else missing, short, long, damaged or unreadable, and then the bytes are not
-- served. It goes when the same digest is pushed again, or when the bytes are found right after all.
ALTER TABLE blob ADD COLUMN fault TEXT NOT NULL DEFAULT '';
ALTER TABLE blob ADD COLUMN fault_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE manifest ADD COLUMN fault TEXT NOT NULL DEFAULT '';
ALTER TABLE manifest ADD COLUMN fault_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX blob_by_fault ON blob (id) WHERE fault <> '';
CREATE INDEX manifest_by_fault ON manifest (id) WHERE fault <> '';

-- Blobs whose bytes could not be read while they were served: to be checked before all others.
CREATE TABLE suspect (
  blob_id BIGINT PRIMARY KEY,
  since BIGINT NOT NULL
);

-- One row for each table that is scrubbed ("blob", "manifest"): the id that was checked last in this pass, when the pass
-- began, and which process works on it until when.
CREATE TABLE scrub (
  name TEXT PRIMARY KEY,
  position BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  held_by TEXT NOT NULL,
  held_until BIGINT NOT NULL
);
INSERT INTO scrub (name, position, started_at, held_by, held_until) VALUES ('blob', 0, 0, '', 0);
INSERT INTO scrub (name, position, started_at, held_by, held_until) VALUES ('manifest', 0, 0, '', 0);

-- The newest time that the hub's clock has shown, and for how many seconds more nothing is removed after a jump of it.
CREATE TABLE clock_seen (
  name TEXT PRIMARY KEY,
  at BIGINT NOT NULL,
  hold BIGINT NOT NULL
);

-- An index may refer to what it lists: two manifests that hold each other were looked at once and then forgotten.
INSERT INTO gc_manifest (manifest_id, review_after)
  SELECT m.id, (SELECT COALESCE(MAX(updated_at), 0) FROM image) + 604800 FROM manifest m
  WHERE m.subject IS NOT NULL AND EXISTS (SELECT 1 FROM manifest_child c WHERE c.manifest_id = m.id)
  AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.manifest_id = m.id)
  ON CONFLICT (manifest_id) DO NOTHING;
