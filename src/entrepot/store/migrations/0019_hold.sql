-- While a hold lasts, no stored object is removed: a backup copies what its rows name. One that nobody renews ends by itself.

CREATE TABLE hold (
  id TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
