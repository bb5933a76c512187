-- IAM policies and roles, temporary keys, and the networks that an account is used from.

ALTER TABLE account ADD COLUMN login_networks TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN api_networks TEXT NOT NULL DEFAULT '';

-- urn holds account and name; scope_type is UCloud's word for where it may be attached.
CREATE TABLE policy (
  id INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  name TEXT NOT NULL,
  urn TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  document TEXT NOT NULL,
  scope_type TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (account_id, name)
);

CREATE TABLE role (
  id INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  trust TEXT NOT NULL,
  session_seconds BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (account_id, name)
);

-- holder is "user <person id>" or "role <role id>"; project_id '' is everywhere in the account.
CREATE TABLE attachment (
  holder TEXT NOT NULL,
  urn TEXT NOT NULL,
  project_id TEXT NOT NULL,
  account_id BIGINT NOT NULL REFERENCES account(id),
  attached_at BIGINT NOT NULL,
  PRIMARY KEY (holder, urn, project_id)
);
CREATE INDEX attachment_by_urn ON attachment (account_id, urn, holder);

-- A temporary key. boundary is the policy given to AssumeRole, or ''; the token itself is not kept, only its digest.
CREATE TABLE session_key (
  public_key TEXT PRIMARY KEY,
  private_key TEXT NOT NULL,
  token_digest TEXT NOT NULL,
  person_id BIGINT NOT NULL,
  role_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  boundary TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX session_key_by_age ON session_key (expires_at);
