-- Workflows: their templates, who saved them, and their runs. What each step of a run did is recorded by the durable
-- execution library in a database of its own (flow.db).

CREATE TABLE flow_namespace (
  id TEXT PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account(id),
  project_id TEXT NOT NULL REFERENCES project(id),
  name TEXT NOT NULL,
  remark TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX flow_namespace_by_account ON flow_namespace (account_id, id);

-- value: JSON.
CREATE TABLE flow_global (
  namespace_id TEXT NOT NULL REFERENCES flow_namespace(id),
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (namespace_id, name)
);

-- Keys that calls to other endpoints are signed with; private_key is sealed.
CREATE TABLE flow_credential (
  namespace_id TEXT NOT NULL REFERENCES flow_namespace(id),
  origin TEXT NOT NULL,
  public_key TEXT NOT NULL,
  private_key TEXT NOT NULL,
  PRIMARY KEY (namespace_id, origin)
);

-- published: the version that is run from outside, 0 for none yet. token_hash: of the token of its URL, "" for none.
CREATE TABLE workflow (
  id TEXT PRIMARY KEY,
  namespace_id TEXT NOT NULL REFERENCES flow_namespace(id),
  name TEXT NOT NULL,
  newest BIGINT NOT NULL,
  published BIGINT NOT NULL,
  token_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX workflow_by_namespace ON workflow (namespace_id, id);

-- person_id: who saved it; it runs with this person's rights.
CREATE TABLE workflow_version (
  workflow_id TEXT NOT NULL REFERENCES workflow(id),
  version BIGINT NOT NULL,
  template TEXT NOT NULL,
  person_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workflow_id, version)
);

-- state: Waiting, Running, Cancelling, then for good Success, Failure or Cancelled. forked_from and from_step: a run that
-- goes on after the recorded steps of another one. parent: the run that this one is a step of, "" for none.
CREATE TABLE workflow_instance (
  id TEXT PRIMARY KEY,
  workflow_id TEXT NOT NULL REFERENCES workflow(id),
  version BIGINT NOT NULL,
  cause TEXT NOT NULL,
  who TEXT NOT NULL,
  address TEXT NOT NULL,
  host TEXT NOT NULL,
  input TEXT NOT NULL,
  state TEXT NOT NULL,
  output TEXT NOT NULL,
  fault TEXT NOT NULL,
  parent TEXT NOT NULL,
  depth BIGINT NOT NULL,
  forked_from TEXT NOT NULL,
  from_step BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL
);
CREATE INDEX workflow_instance_by_workflow ON workflow_instance (workflow_id, created_at, id);
CREATE INDEX workflow_instance_by_state ON workflow_instance (state, created_at);
CREATE INDEX workflow_instance_by_parent ON workflow_instance (parent);
CREATE INDEX workflow_instance_by_end ON workflow_instance (ended_at);
