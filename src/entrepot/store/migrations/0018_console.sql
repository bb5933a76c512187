-- What the web console needs: who is signed in, what happened on each day.

-- Only the digest of the cookie is kept. basis is a fingerprint of what the login rests on: with a new password, it is
-- over. No reference to person: somebody who is deleted is not found any more, and the row ends with its time.
CREATE TABLE console_session (
  digest TEXT PRIMARY KEY,
  person_id BIGINT NOT NULL,
  basis TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL
);
CREATE INDEX console_session_by_age ON console_session (seen_at);
CREATE INDEX console_session_by_person ON console_session (person_id, created_at);

-- day is the Unix time of its first second, UTC.
CREATE TABLE activity_day (
  account_id BIGINT NOT NULL,
  day BIGINT NOT NULL,
  pushes BIGINT NOT NULL,
  pulls BIGINT NOT NULL,
  PRIMARY KEY (account_id, day)
);

-- Pages of the own buckets in every region, and the totals of an account, out of indexes alone.
CREATE INDEX bucket_by_owner ON bucket (account_id, is_public, name);
CREATE INDEX bucket_totals ON bucket (account_id, image_count);
