-- held: what the store of bytes must know of an upload to go on with it in another process; its own words.
ALTER TABLE upload ADD COLUMN held TEXT NOT NULL DEFAULT '';

-- Which node writes to an upload whose bytes lie in a bucket that several nodes share; one that nobody renews ends by itself.
CREATE TABLE upload_lease (
  upload TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX upload_lease_by_age ON upload_lease (expires_at);
