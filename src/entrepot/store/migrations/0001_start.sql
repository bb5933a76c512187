-- Times are Unix seconds, booleans 0/1. Names compare in byte order. No statement here is specific to one engine,
-- except INTEGER PRIMARY KEY, which the PostgreSQL opener rewrites to an identity column.

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- rights: space-separated words out of pull, push, delete, admin; they hold in the user's own account.
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  is_main INTEGER NOT NULL CHECK (is_main IN (0, 1)),
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  rights TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  registry_password_hash TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX person_by_account ON person (account_id, id);

-- private_key is encrypted under the key file of the data folder: the signature scheme needs it back.
CREATE TABLE access_key (
  public_key TEXT PRIMARY KEY,
  person_id BIGINT NOT NULL REFERENCES person(id),
  private_key TEXT NOT NULL,
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  created_at BIGINT NOT NULL
);
CREATE INDEX access_key_by_person ON access_key (person_id, public_key);

CREATE TABLE project (
  id TEXT PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  name TEXT NOT NULL,
  is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  created_at BIGINT NOT NULL
);
CREATE INDEX project_by_account ON project (account_id, id);

-- image_count counts the images that hold at least one manifest; it changes in the transaction that changes them.
CREATE TABLE bucket (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  account_id BIGINT NOT NULL REFERENCES account(id),
  project_id TEXT NOT NULL REFERENCES project(id),
  region TEXT NOT NULL,
  is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),
  description TEXT NOT NULL,
  image_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX bucket_by_account ON bucket (account_id, region, name);
CREATE INDEX bucket_by_public ON bucket (is_public, region, name);

-- An image is a repository inside a bucket: <bucket.name>/<image.name>.
CREATE TABLE image (
  id INTEGER PRIMARY KEY,
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  name TEXT NOT NULL,
  manifest_count BIGINT NOT NULL,
  tag_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (bucket_id, name)
);

-- storage_key is never reused: it names one stored object for good, the digest is only what it holds.
CREATE TABLE blob (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  size BIGINT NOT NULL,
  storage_key TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

-- A blob is visible in an image only through its link.
CREATE TABLE image_blob (
  image_id BIGINT NOT NULL REFERENCES image(id),
  blob_id BIGINT NOT NULL REFERENCES blob(id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (image_id, blob_id)
);
CREATE INDEX image_blob_by_blob ON image_blob (blob_id, image_id);

CREATE TABLE manifest (
  id INTEGER PRIMARY KEY,
  image_id BIGINT NOT NULL REFERENCES image(id),
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  artifact_type TEXT,
  subject TEXT,
  size BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  content BYTEA NOT NULL,
  UNIQUE (image_id, digest)
);
CREATE INDEX manifest_by_subject ON manifest (image_id, subject, digest);

CREATE TABLE manifest_blob (
  manifest_id BIGINT NOT NULL REFERENCES manifest(id),
  blob_id BIGINT NOT NULL REFERENCES blob(id),
  PRIMARY KEY (manifest_id, blob_id)
);
CREATE INDEX manifest_blob_by_blob ON manifest_blob (blob_id, manifest_id);

CREATE TABLE manifest_child (
  manifest_id BIGINT NOT NULL REFERENCES manifest(id),
  child_digest TEXT NOT NULL,
  PRIMARY KEY (manifest_id, child_digest)
);

CREATE TABLE tag (
  image_id BIGINT NOT NULL REFERENCES image(id),
  name TEXT NOT NULL,
  manifest_id BIGINT NOT NULL REFERENCES manifest(id),
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (image_id, name)
);
CREATE INDEX tag_by_manifest ON tag (manifest_id);

-- received: bytes acknowledged so far; digest_so_far: digest of exactly those bytes under `algorithm`.
CREATE TABLE upload (
  id TEXT PRIMARY KEY,
  image_id BIGINT NOT NULL REFERENCES image(id),
  person_id BIGINT NOT NULL,
  algorithm TEXT NOT NULL,
  received BIGINT NOT NULL,
  digest_so_far TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX upload_by_age ON upload (updated_at);
