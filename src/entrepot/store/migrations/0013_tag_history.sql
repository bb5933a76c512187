-- What each tag pointed to, since when, by whom; and when it was deleted. Old lines go with the audit trail's.

CREATE TABLE tag_event (
  id INTEGER PRIMARY KEY,
  image_id BIGINT NOT NULL REFERENCES image(id),
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  is_set INTEGER NOT NULL CHECK (is_set IN (0, 1)),
  who TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX tag_event_by_image ON tag_event (image_id, name, id);
CREATE INDEX tag_event_by_time ON tag_event (at);

INSERT INTO tag_event (image_id, name, digest, is_set, who, at)
  SELECT t.image_id, t.name, m.digest, 1, '', t.updated_at FROM tag t JOIN manifest m ON m.id = t.manifest_id;
