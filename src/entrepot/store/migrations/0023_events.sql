-- Events of buckets, and who hears of them: webhooks, and triggers of workflows. An event is written in the transaction
-- that caused it, numbered in its bucket, and only where somebody listens.

-- listens: 0 nobody, 1 somebody, 2 somebody who wants pulls as well. Of a bucket by its webhooks, of an account by the
-- triggers of its workflows; kept with them, so that a push knows without a statement of its own.
ALTER TABLE bucket ADD COLUMN listens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bucket ADD COLUMN event_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN listens BIGINT NOT NULL DEFAULT 0;

-- bucket, account_id, project_id: as they were then; a deleted bucket has others. depth: how many events led to this one
-- through workflows. detail: what is special about this kind, a JSON object. is_filed: everybody who listens has it.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  account_id BIGINT NOT NULL,
  project_id TEXT NOT NULL,
  bucket TEXT NOT NULL,
  image TEXT NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  detail TEXT NOT NULL,
  who TEXT NOT NULL,
  depth BIGINT NOT NULL,
  at BIGINT NOT NULL,
  is_filed INTEGER NOT NULL CHECK (is_filed IN (0, 1))
);
CREATE UNIQUE INDEX event_by_bucket ON event (bucket_id, number);
CREATE INDEX event_by_time ON event (at);
CREATE INDEX event_unfiled ON event (id) WHERE is_filed = 0;

-- kinds: words, "" for all. tags: as model/globs.py writes selections, "" for all. secret is sealed. due_at: when something
-- is to be sent next, 0 for nothing. failures: how often it failed since it last answered well.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  bucket_id BIGINT NOT NULL REFERENCES bucket(id),
  url TEXT NOT NULL,
  secret TEXT NOT NULL,
  kinds TEXT NOT NULL,
  tags TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  failures BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX webhook_by_bucket ON webhook (bucket_id, created_at);
CREATE INDEX webhook_due ON webhook (due_at) WHERE due_at > 0;

-- state: Waiting, Delivered or Dead. due_at: when it is tried next. status, took (milliseconds), answer: of the last try.
CREATE TABLE webhook_delivery (
  id INTEGER PRIMARY KEY,
  webhook_id TEXT NOT NULL REFERENCES webhook(id),
  event_id BIGINT NOT NULL REFERENCES event(id),
  state TEXT NOT NULL,
  tries BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  status BIGINT NOT NULL,
  took BIGINT NOT NULL,
  answer TEXT NOT NULL,
  filed_at BIGINT NOT NULL,
  tried_at BIGINT NOT NULL,
  UNIQUE (webhook_id, event_id)
);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook_id, event_id) WHERE state = 'Waiting';
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, due_at) WHERE state = 'Waiting';
CREATE INDEX webhook_delivery_by_state ON webhook_delivery (webhook_id, state, id);
CREATE INDEX webhook_delivery_by_event ON webhook_delivery (event_id);
CREATE INDEX webhook_delivery_by_time ON webhook_delivery (filed_at);

-- kind: Event or Cron. bucket: a glob. kinds and tags as of a webhook. due_at: when a Cron one comes next, 0 for never;
-- reckoned_at: by which clock that was worked out. instance_id and fault: of the last time it fired.
CREATE TABLE flow_trigger (
  id TEXT PRIMARY KEY,
  workflow_id TEXT NOT NULL REFERENCES workflow(id),
  account_id BIGINT NOT NULL REFERENCES account(id),
  kind TEXT NOT NULL CHECK (kind IN ('Event', 'Cron')),
  bucket TEXT NOT NULL,
  kinds TEXT NOT NULL,
  tags TEXT NOT NULL,
  cron TEXT NOT NULL,
  zone TEXT NOT NULL,
  input TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  due_at BIGINT NOT NULL,
  reckoned_at BIGINT NOT NULL,
  fired_at BIGINT NOT NULL,
  instance_id TEXT NOT NULL,
  fault TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX flow_trigger_by_workflow ON flow_trigger (workflow_id, created_at);
CREATE INDEX flow_trigger_by_account ON flow_trigger (account_id, kind);
CREATE INDEX flow_trigger_due ON flow_trigger (due_at) WHERE due_at > 0;

-- A trigger that met an event, or a time of its cron (event_id 0). moment: what it fires for, once. state: Waiting until
-- its run is asked for; then Started or Refused, with the reason.
CREATE TABLE flow_firing (
  id INTEGER PRIMARY KEY,
  trigger_id TEXT NOT NULL REFERENCES flow_trigger(id),
  moment TEXT NOT NULL,
  event_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  fault TEXT NOT NULL,
  filed_at BIGINT NOT NULL,
  UNIQUE (trigger_id, moment)
);
CREATE INDEX flow_firing_waiting ON flow_firing (id) WHERE state = 'Waiting';
CREATE INDEX flow_firing_by_event ON flow_firing (event_id);
CREATE INDEX flow_firing_by_time ON flow_firing (filed_at);

-- hops: how many events led to a run.
ALTER TABLE workflow_instance ADD COLUMN hops BIGINT NOT NULL DEFAULT 0;
