-- What bounds need to count: temporary keys of somebody, and what a bucket's unfinished uploads hold.

CREATE INDEX session_key_by_person ON session_key (person_id, role_id, expires_at);
CREATE INDEX upload_by_image ON upload (image_id, received);
