-- Sub-users under a name of their own inside the account, and what UCloud's IAM lists of keys.

ALTER TABLE person ADD COLUMN user_name TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN may_log_in INTEGER NOT NULL DEFAULT 1 CHECK (may_log_in IN (0, 1));
ALTER TABLE access_key ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE access_key ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

UPDATE person SET user_name = email;
UPDATE access_key SET updated_at = created_at;
CREATE UNIQUE INDEX person_by_name ON person (account_id, user_name);
