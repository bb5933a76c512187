-- Small blobs live in their row: one commit makes them durable, shared with whoever commits at the same time, where a file
-- takes two fsyncs of its own. NULL: the bytes are the stored object under storage_key.

ALTER TABLE blob ADD COLUMN content BYTEA;
